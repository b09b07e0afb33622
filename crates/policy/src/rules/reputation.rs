//! What the lists that hold a client mean by the Reputation definition that
//! applies.

use types::definition::{ListUse, ReputationDefinition};
use types::evidence::Need;
use types::{
    CheckName, Decision, Detail, ListAnswer, ListFacts, ListQuestion, Observed, Quoted, Reason,
};

use super::RuleAnswer;
use crate::decide::Case;

/// A client, or a name of it or of its sender, that the lists weigh down:
/// not asked for a sender that is permitted or learned. A list that does not
/// answer counts for nothing.
pub(crate) fn block_lists(case: &mut Case<'_>) -> RuleAnswer {
    if case.opinion().permit().is_some() {
        return RuleAnswer::NotMine;
    }
    let Some((definition, by)) = case.reputation() else { return RuleAnswer::NotMine };
    if definition.lists.is_empty() {
        return RuleAnswer::NotMine;
    }
    let facts = match case.evidence.latest(CheckName::Rbl) {
        Some(Observed::Lists(facts)) => facts,
        Some(Observed::Inconclusive(_)) => return RuleAnswer::NotMine,
        _ => return RuleAnswer::Needs(Need::Lists),
    };
    // A definition that has changed meanwhile may ask more.
    if definition.lists.iter().any(|used| facts_of(used, facts).is_none()) {
        return RuleAnswer::Needs(Need::Lists);
    }
    if weight(definition, facts) < i64::from(definition.reject_weight) {
        return RuleAnswer::NotMine;
    }
    let decision = Decision::new(Reason::RblListed, CheckName::Rbl).by(by);
    RuleAnswer::Decides(match heaviest(definition, facts) {
        Some(listing) => decision.with_detail(Detail::Quoted(explanation(listing))),
        None => decision,
    })
}

/// What the listings that count weigh together.
fn weight(definition: &ReputationDefinition, facts: &[ListFacts]) -> i64 {
    let counting = definition.lists.iter().filter(|used| counts(used, facts).is_some());
    counting.map(|used| i64::from(used.weight)).sum()
}

fn facts_of<'a>(used: &ListUse, facts: &'a [ListFacts]) -> Option<&'a ListFacts> {
    let question = ListQuestion { list: used.list.clone(), of: used.of };
    facts.iter().find(|one| one.answers(&question))
}

/// The listing, if it is one of those that are meant.
fn counts<'a>(used: &ListUse, facts: &'a [ListFacts]) -> Option<&'a ListFacts> {
    let found = facts_of(used, facts)?;
    let ListAnswer::Listed { answers, .. } = &found.answer else { return None };
    let meant = used.answers.is_empty()
        || answers.iter().any(|answer| used.answers.iter().any(|range| range.contains(*answer)));
    meant.then_some(found)
}

/// The listing that weighs most against the client; of several the first.
fn heaviest<'a>(
    definition: &ReputationDefinition,
    facts: &'a [ListFacts],
) -> Option<&'a ListFacts> {
    let mut heaviest: Option<(i32, &ListFacts)> = None;
    for used in &definition.lists {
        if let Some(found) = counts(used, facts)
            && heaviest.is_none_or(|(weight, _)| used.weight > weight)
        {
            heaviest = Some((used.weight, found));
        }
    }
    heaviest.map(|(_, found)| found)
}

/// The name of the list, so that the sender knows whom to ask, and what the
/// list itself says.
fn explanation(listing: &ListFacts) -> Quoted {
    let text = match &listing.answer {
        ListAnswer::Listed { text: Some(text), .. } => format!("{}, {text}", listing.list),
        _ => listing.list.to_string(),
    };
    Quoted::new(None, None, &text)
}
