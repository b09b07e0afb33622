//! Who may send through us to the world.

use types::finding::RateHolder;
use types::{CheckName, Decision, Detail, Observed, Reason};

use super::RuleAnswer;
use crate::decide::Case;

/// Mail that leaves us is taken from the networks of the settings and from
/// submitters who have proved who they are, and from senders of our own
/// domains or with the null reverse-path alone. No policy can change either:
/// it is what keeps the gateway from being an open relay, even where a listed
/// network has a machine that is not ours any more, and it keeps whoever has
/// stolen a submitter's password to that submitter's envelope senders and the
/// null one. Authors are not looked at: one that is not the signing domain's
/// leaves without a signature.
pub(crate) fn outbound_relay_control(case: &mut Case<'_>) -> RuleAnswer {
    let (listed, offers_auth) = match case.evidence.latest(CheckName::Outbound) {
        Some(&Observed::Outbound { listed, offers_auth }) => (listed, offers_auth),
        _ => (false, false),
    };
    let (submitted, failed) = match case.evidence.latest(CheckName::Submission) {
        Some(Observed::Submission(facts)) => {
            (facts.by.as_ref().map(|_| facts.may_send), facts.failed > 0)
        }
        _ => (None, false),
    };
    let of_ours = case.who.reverse_path.is_some_and(|path| {
        path.address().is_none_or(|address| case.set.is_internal(address.domain_key()))
    });
    let may_send = listed || submitted == Some(true);
    let (reason, check, why) = match (may_send, submitted, offers_auth) {
        (true, ..) if of_ours => return RuleAnswer::NotMine,
        (true, ..) => {
            (Reason::RelayDenied, CheckName::Relay, "the sender is of none of our domains")
        }
        (false, Some(_), _) => (
            Reason::SubmissionSenderDenied,
            CheckName::Submission,
            "the submitter may not send as this sender",
        ),
        (false, None, true) if failed => (
            Reason::SubmissionRequired,
            CheckName::Submission,
            "the client is in no listed network, and its name or password was wrong",
        ),
        (false, None, true) => (
            Reason::SubmissionRequired,
            CheckName::Submission,
            "the client is in no listed network and did not authenticate",
        ),
        (false, None, false) => {
            (Reason::RelayDenied, CheckName::Outbound, "the client is in no listed network")
        }
    };
    let note = Detail::Note(format!("outbound listener: {why}").into());
    RuleAnswer::Decides(Decision::new(reason, check).with_detail(note))
}

/// A submitter whose password was stolen must not be able to send without
/// end. Nobody looks for this: it is found where it is passed.
pub(crate) fn submitter_rate(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.latest(CheckName::Rate) {
        Some(&Observed::Rate { exceeded: true, of: RateHolder::Submitter, retry_in_s, .. }) => {
            let decision = Decision::new(Reason::RateLimited, CheckName::Rate);
            RuleAnswer::Decides(decision.with_detail(Detail::RetryIn { seconds: retry_in_s }))
        }
        _ => RuleAnswer::NotMine,
    }
}
