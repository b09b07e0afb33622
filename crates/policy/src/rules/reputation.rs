//! What the lists that hold a client, and what we have learned of it
//! ourselves, mean by the Reputation definition that applies.

use std::time::Duration;

use types::definition::{ListSubject, ListUse, ReputationDefinition};
use types::evidence::Need;
use types::{
    CheckName, Decision, Detail, ListAnswer, ListFacts, ListQuestion, Observed, PutOff, Quoted,
    Reason, ReputationFacts, Timestamp,
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

/// Whether a list of the good that counts has the client: its address, or the
/// name that its address confirms. Other names are what the client says.
pub(crate) fn is_allow_listed(case: &mut Case<'_>) -> bool {
    let Some((definition, _)) = case.reputation() else { return false };
    let Some(Observed::Lists(facts)) = case.evidence.latest(CheckName::Rbl) else { return false };
    let of_client = |used: &&ListUse| matches!(used.of, ListSubject::Ip | ListSubject::HostName);
    let mut good = definition.lists.iter().filter(|used| used.weight < 0).filter(of_client);
    good.any(|used| counts(used, facts).is_some())
}

/// How long after mail was put off for its score a later attempt may pass: as
/// with greylisting, a client that does not wait is none that queues.
const PUT_OFF: Duration = Duration::from_secs(60);

/// A client of which we have learned nothing good: refused, or put off until
/// it comes back and is no worse. Not looked at for a sender that is permitted
/// or learned. Who never did anything has no record, which decides nothing.
pub(crate) fn local_reputation(case: &mut Case<'_>) -> RuleAnswer {
    let Some(Observed::Reputation(facts)) = case.evidence.latest(CheckName::Reputation) else {
        return RuleAnswer::NotMine;
    };
    if case.opinion().permit().is_some() {
        return RuleAnswer::NotMine;
    }
    let (limits, by) = case.local_reputation();
    let reaches = |score: u8, limit: u8| limit > 0 && score >= limit;
    // Whoever the neighbours are, only what it did itself has it refused.
    let bad = reaches(facts.own, limits.reject_score);
    let reason = match (bad, reaches(facts.score, limits.defer_score)) {
        (true, _) => Reason::ReputationRejected,
        (false, true) if !is_back_unchanged(facts, case.at) => Reason::ReputationTemporary,
        _ => return RuleAnswer::NotMine,
    };
    RuleAnswer::Decides(Decision::new(reason, CheckName::Reputation).by(by))
}

/// Whether the client was put off before, waited, and is no worse than then.
fn is_back_unchanged(facts: &ReputationFacts, now: Timestamp) -> bool {
    let waited = |before: &PutOff| now.since(before.at) >= PUT_OFF;
    facts.put_off.filter(waited).is_some_and(|before| before.is_no_worse(facts.score))
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
