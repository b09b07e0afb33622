//! What the lists that hold a client, and what we have learned of it
//! ourselves, mean by the Reputation definition that applies.

use std::time::Duration;

use types::definition::{AnswerRange, ListSubject, ListUse, LocalReputation, ReputationDefinition};
use types::evidence::Need;
use types::{
    CheckName, Decision, Detail, Domain, ListAnswer, ListFacts, ListQuestion, Observed, PutOff,
    Quoted, Reason, ReputationFacts, Timestamp,
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
    match permitted_list(case, Some(definition)) {
        Err(need) => return RuleAnswer::Needs(need),
        Ok(Some(list)) => {
            case.spared_by_list(list);
            return RuleAnswer::NotMine;
        }
        Ok(None) => {}
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
    let definition = case.reputation().map(|(definition, _)| definition);
    match permitted_list(case, definition) {
        Err(need) => RuleAnswer::Needs(need),
        Ok(Some(list)) => {
            case.spared_by_list(list);
            RuleAnswer::NotMine
        }
        Ok(None) => {
            let LocalReputation { defer_score: defer, reject_score: reject } = limits;
            let decision = Decision::new(reason, CheckName::Reputation).by(by);
            RuleAnswer::Decides(decision.with_detail(Detail::Scores { defer, reject }))
        }
    }
}

/// The global permitted list that has the client, if the definition looks at
/// such lists; where none applies, the settings do, whose lists they are. One
/// that does not answer spares nobody.
fn permitted_list(
    case: &Case<'_>,
    definition: Option<&ReputationDefinition>,
) -> Result<Option<Domain>, Need> {
    let lists = &case.set.base().permitted_lists;
    if lists.is_empty() || definition.is_some_and(|one| !one.global_permitted_list) {
        return Ok(None);
    }
    let facts = match case.evidence.latest(CheckName::Rbl) {
        Some(Observed::Lists(facts)) => facts,
        Some(Observed::Inconclusive(_)) => return Ok(None),
        _ => return Err(Need::Lists),
    };
    let mut unasked = false;
    for list in lists {
        match facts.iter().find(|one| one.answers(&list.question)) {
            Some(found) if is_meant(&found.answer, &list.answers) => {
                return Ok(Some(list.question.list.clone()));
            }
            Some(_) => {}
            None => unasked = true,
        }
    }
    if unasked { Err(Need::Lists) } else { Ok(None) }
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
    facts_of(used, facts).filter(|found| is_meant(&found.answer, &used.answers))
}

/// Whether an answer is a listing, and one of these if there are any.
fn is_meant(answer: &ListAnswer, ranges: &[AnswerRange]) -> bool {
    let ListAnswer::Listed { answers, .. } = answer else { return false };
    ranges.is_empty()
        || answers.iter().any(|answer| ranges.iter().any(|range| range.contains(*answer)))
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
