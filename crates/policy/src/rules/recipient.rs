//! The rules of RCPT, from what costs nothing to what is remembered.

use std::time::Duration;

use types::evidence::Need;
use types::finding::{RecipientAnswer, TripletFacts, TripletState};
use types::policy::{
    ClientIdentity, ExpectedMailOption, GreylistOption, PolicyOption, RecipientValidation,
};
use types::{
    CheckName, Decision, Detail, EnhancedCode, Observed, PolicyRef, PolicyType, Reason, SpfResult,
};

use super::{LATER, RuleAnswer, is_allow_listed, over_size, size_limit};
use crate::decide::Case;
use crate::entries::Doubt;
use crate::precedence::Block;

/// Mail for a domain that is not ours is not taken, from nobody. No policy
/// can change that: it is what keeps the gateway from being an open relay.
/// The bare postmaster is ours (RFC 5321 section 4.5.1).
pub(crate) fn relay_control(case: &mut Case<'_>) -> RuleAnswer {
    let internal = match case.evidence.latest(CheckName::Relay) {
        Some(&Observed::Relay { internal, askers }) => internal || askers,
        _ => case.who.recipient.is_some_and(|path| match path.address() {
            Some(address) => case.set.is_internal(address.domain_key()),
            None => true,
        }),
    };
    match internal {
        true => RuleAnswer::NotMine,
        false => RuleAnswer::Decides(Decision::new(Reason::RelayDenied, CheckName::Relay)),
    }
}

/// A declared size over what this recipient may get.
pub(crate) fn declared_size(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.latest(CheckName::Size) {
        Some(&Observed::Size { declared: Some(declared), .. }) => {
            over_size(declared, size_limit(case))
        }
        _ => RuleAnswer::NotMine,
    }
}

/// A client that asked for too many unknown recipients is told nothing of any
/// for a while, whether it exists or not: else the list goes on being tried.
/// That there is a postmaster is no secret (RFC 5321 section 4.5.1).
pub(crate) fn harvest(case: &mut Case<'_>) -> RuleAnswer {
    let is_named = case.who.recipient.is_some_and(|path| !path.is_postmaster());
    match case.evidence.latest(CheckName::Harvest) {
        Some(&Observed::Harvest { retry_in_s, .. }) if is_named => {
            let decision = Decision::new(Reason::RateLimited, CheckName::Harvest);
            RuleAnswer::Decides(decision.with_detail(Detail::RetryIn { seconds: retry_in_s }))
        }
        _ => RuleAnswer::NotMine,
    }
}

/// A recipient that does not exist, or cannot be found to exist: not knowing
/// defers, because accepting would end in a bounce to a forged sender.
pub(crate) fn recipient_validation(case: &mut Case<'_>) -> RuleAnswer {
    // Every server takes mail for the bare postmaster (RFC 5321 section
    // 4.5.1); where it goes is the settings' business.
    let Some(address) = case.who.recipient.and_then(|path| path.address()) else {
        return RuleAnswer::NotMine;
    };
    if is_askers_alone(case) {
        return RuleAnswer::NotMine;
    }
    let (wanted, by) = chosen_validation(case, address.domain_key());
    if wanted == RecipientValidation::AcceptAll {
        return RuleAnswer::NotMine;
    }
    match case.evidence.latest(CheckName::Recipient) {
        Some(Observed::Recipient { validation, answer }) if *validation == wanted => {
            recipient_answer(answer, by)
        }
        Some(Observed::Inconclusive(_)) => RuleAnswer::Decides(
            Decision::new(Reason::RecipientUnverifiable, CheckName::Recipient).by(by),
        ),
        _ => RuleAnswer::Needs(Need::Recipient(wanted)),
    }
}

/// Whether the recipient is a matter of the mail server that asks: a domain
/// that is its, and not in our settings.
fn is_askers_alone(case: &Case<'_>) -> bool {
    let relay = case.evidence.latest(CheckName::Relay);
    matches!(relay, Some(Observed::Relay { internal: false, askers: true }))
}

fn chosen_validation(case: &mut Case<'_>, domain_key: &str) -> (RecipientValidation, PolicyRef) {
    let kind = PolicyType::RecipientValidation;
    let compiled = case.policy(kind).map(|found| found.compiled);
    match compiled.map(|compiled| (&compiled.policy.option, compiled.reference)) {
        Some((PolicyOption::RecipientValidation(how), by)) => (*how, by),
        // A domain that the settings no longer have is asked about like one
        // for which they name no recipients.
        _ => {
            let how = case.set.policies().validation(domain_key);
            (how.unwrap_or(RecipientValidation::CallForward), PolicyRef::Base(kind))
        }
    }
}

/// The code of an address that needs SMTPUTF8 (RFC 6531 section 3.7.4.2).
const NEEDS_SMTPUTF8: EnhancedCode = EnhancedCode(5, 6, 7);

fn recipient_answer(answer: &RecipientAnswer, by: PolicyRef) -> RuleAnswer {
    let decision = |reason| Decision::new(reason, CheckName::Recipient).by(by);
    let (reason, quoted) = match answer {
        RecipientAnswer::Known | RecipientAnswer::Unproven(_) => return RuleAnswer::NotMine,
        RecipientAnswer::Unknown => {
            return RuleAnswer::Decides(decision(Reason::RecipientUnknown));
        }
        // Whether the next hop says it or its list of extensions does.
        RecipientAnswer::Refused(quoted) if quoted.enhanced == Some(NEEDS_SMTPUTF8) => {
            return RuleAnswer::Decides(decision(Reason::RecipientNeedsSmtputf8));
        }
        RecipientAnswer::SenderRefused(quoted) => (Reason::SenderRefusedByNextHop, quoted),
        RecipientAnswer::Refused(quoted) => (Reason::NextHopRejected, quoted),
        RecipientAnswer::Deferred(quoted) => (Reason::NextHopDeferred, quoted),
    };
    RuleAnswer::Decides(decision(reason).with_detail(Detail::Quoted(quoted.clone())))
}

/// An address beyond ASCII that the next hop is known not to take. Where it
/// is not known, the message is taken, and bounced if it must be.
pub(crate) fn internationalized(case: &mut Case<'_>) -> RuleAnswer {
    let sender = case.who.reverse_path.and_then(|path| path.address());
    let recipient = case.who.recipient.and_then(|path| path.address());
    let is_ascii = [sender, recipient].into_iter().flatten().all(|address| address.is_ascii());
    if is_ascii || is_askers_alone(case) {
        return RuleAnswer::NotMine;
    }
    match case.evidence.latest(CheckName::Smtputf8) {
        Some(Observed::Smtputf8 { next_hop_offers: Some(false) }) => {
            RuleAnswer::Decides(Decision::new(Reason::RecipientNeedsSmtputf8, CheckName::Smtputf8))
        }
        Some(_) => RuleAnswer::NotMine,
        None => RuleAnswer::Needs(Need::Smtputf8),
    }
}

/// A Blocked Senders policy that no permit of an administrator outweighs.
/// At end of data the authors of the message count too.
pub(crate) fn blocked_by_administrator(case: &mut Case<'_>) -> RuleAnswer {
    let reasons = (Reason::BlockedPolicyEnvelope, Reason::BlockedPolicyHeader);
    block(case.opinion().administrators, reasons)
}

/// A block in the recipient's own list, where administrators leave it to the
/// recipient.
pub(crate) fn blocked_by_recipient(case: &mut Case<'_>) -> RuleAnswer {
    let reasons = (Reason::BlockedManualEnvelope, Reason::BlockedManualHeader);
    block(case.opinion().recipient, reasons)
}

/// Nobody is refused for good as long as an entry that would let him past may
/// be proved: it is looked again at the next attempt, or by a person.
fn block(block: Option<Block>, (envelope, header): (Reason, Reason)) -> RuleAnswer {
    let Some(Block { by, by_envelope, doubt }) = block else { return RuleAnswer::NotMine };
    let (reason, check) = match by_envelope {
        true => (envelope, CheckName::Senders),
        false => (header, CheckName::HeaderFrom),
    };
    let decision = |reason| Decision::new(reason, check).by(by);
    RuleAnswer::Decides(match doubt {
        None | Some(Doubt::Later) => decision(reason),
        Some(Doubt::Open) => decision(Reason::AuthTemporary).with_detail(LATER),
        Some(Doubt::Unseen) => decision(Reason::HoldAuthentication),
    })
}

/// More recipients from one network than the rate allows; no permit skips
/// it. Where the rate is not known, the mail goes on, recorded as degraded;
/// where none is limited, nobody is asked, so that a replay and *otherwise* do
/// not stop at what cannot matter.
pub(crate) fn rate(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.latest(CheckName::Rate) {
        Some(&Observed::Rate { exceeded: true, retry_in_s, .. }) => {
            let decision = Decision::new(Reason::RateLimited, CheckName::Rate);
            RuleAnswer::Decides(decision.with_detail(Detail::RetryIn { seconds: retry_in_s }))
        }
        Some(_) => RuleAnswer::NotMine,
        None if !case.set.base().limits_recipient_rate => RuleAnswer::NotMine,
        None => RuleAnswer::Needs(Need::Rate),
    }
}

/// A first contact has to come back, unless the sender is permitted or
/// learned, a policy takes it out, or the mail is expected. A table that is full lets the mail pass,
/// recorded as inconclusive: greylisting is a filter, not a guard. A table
/// that cannot be written defers instead, as `rules::unavailable` says, because an
/// attempt that leaves no trace there would never get its end.
pub(crate) fn greylisting(case: &mut Case<'_>) -> RuleAnswer {
    if case.opinion().permit().is_some() {
        return RuleAnswer::NotMine;
    }
    let kind = PolicyType::Greylisting;
    let compiled = case.policy(kind).map(|found| found.compiled);
    let (option, by) = match compiled.map(|c| (&c.policy.option, c.reference)) {
        Some((PolicyOption::Greylisting(option), by)) => (*option, by),
        _ => (GreylistOption::Apply(ClientIdentity::default()), PolicyRef::Base(kind)),
    };
    let Some(wanted) = option.identity() else { return RuleAnswer::NotMine };
    if let Some(answer) = expected(case) {
        return answer;
    }
    if wanted == ClientIdentity::Pool && case.evidence.latest(CheckName::Spf).is_none() {
        return RuleAnswer::Needs(Need::Spf);
    }
    if matches!(option, GreylistOption::ApplyToStrangers(_))
        && let Some(answer) = no_stranger(case, wanted)
    {
        return answer;
    }
    match case.evidence.latest(CheckName::Greylist) {
        Some(Observed::Triplet(facts)) if facts.answers(wanted) => triplet(case, facts, by),
        Some(Observed::Inconclusive(_)) => RuleAnswer::NotMine,
        _ => RuleAnswer::Needs(Need::Triplet(wanted)),
    }
}

/// Who has come back often enough, or is on a list of the good, has nothing to
/// prove. The history is asked for in either case, so that the record tells
/// who was spared, and that he was.
fn no_stranger(case: &mut Case<'_>, wanted: ClientIdentity) -> Option<RuleAnswer> {
    let is_known = match case.evidence.latest(CheckName::History) {
        Some(Observed::History(facts)) if facts.answers(wanted) => facts.is_known(),
        Some(Observed::Inconclusive(_)) => false,
        _ => return Some(RuleAnswer::Needs(Need::History(wanted))),
    };
    (is_known || is_allow_listed(case)).then_some(RuleAnswer::NotMine)
}

/// Mail that the recipient expects does not have to come back if SPF proves
/// its sender; DKIM is known only with the content, which comes after this.
/// Without a proof it is greylisted as if nobody expected it.
fn expected(case: &mut Case<'_>) -> Option<RuleAnswer> {
    let is_proven = case.evidence.latest(CheckName::Spf).map(|observed| match observed {
        Observed::Spf(facts) => facts.result == SpfResult::Pass,
        _ => false,
    });
    let found = case.policy_for_proven(PolicyType::ExpectedMail, is_proven)?;
    match (&found.compiled.policy.option, is_proven) {
        (PolicyOption::ExpectedMail(ExpectedMailOption::PassWhenAuthenticated), None) => {
            Some(RuleAnswer::Needs(Need::Spf))
        }
        (PolicyOption::ExpectedMail(ExpectedMailOption::PassWhenAuthenticated), _) => {
            Some(RuleAnswer::NotMine)
        }
        _ => None,
    }
}

fn triplet(case: &Case<'_>, facts: &TripletFacts, by: PolicyRef) -> RuleAnswer {
    let reason = match facts.state {
        TripletState::FirstSeen => Reason::GreylistFirstSeen,
        TripletState::TooEarly => Reason::GreylistTooEarly,
        TripletState::Passed | TripletState::Known => return RuleAnswer::NotMine,
    };
    let waited = case.at.since(facts.first_seen);
    let left = case.set.base().greylist.retry_after.saturating_sub(waited);
    let detail = Detail::RetryIn { seconds: whole_seconds(left) };
    let decision = Decision::new(reason, CheckName::Greylist);
    RuleAnswer::Decides(decision.by(by).with_detail(detail))
}

/// Rounded up, so that a client that waits exactly this long is not too
/// early, and never zero, which would read as *now*.
fn whole_seconds(span: Duration) -> u64 {
    let begun = u64::from(span.subsec_nanos() > 0);
    span.as_secs().saturating_add(begun).max(1)
}
