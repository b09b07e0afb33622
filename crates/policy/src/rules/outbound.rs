//! Who may send through us to the world.

use types::{CheckName, Decision, Detail, Observed, Reason};

use super::RuleAnswer;
use crate::decide::Case;

/// Mail that leaves us is taken from the networks of the settings alone, and
/// from senders of our own domains or with the null reverse-path alone. No
/// policy can change either: it is what keeps the gateway from being an open
/// relay, even where a listed network has a machine that is not ours any more.
pub(crate) fn outbound_relay_control(case: &mut Case<'_>) -> RuleAnswer {
    let listed = matches!(
        case.evidence.latest(CheckName::Outbound),
        Some(Observed::Outbound { listed: true })
    );
    let of_ours = case.who.reverse_path.is_some_and(|path| {
        path.address().is_none_or(|address| case.set.is_internal(address.domain_key()))
    });
    if listed && of_ours {
        return RuleAnswer::NotMine;
    }
    let (check, why) = match listed {
        true => (CheckName::Relay, "outbound listener: the sender is of none of our domains"),
        false => (CheckName::Outbound, "outbound listener: the client is in no listed network"),
    };
    let decision = Decision::new(Reason::RelayDenied, check);
    RuleAnswer::Decides(decision.with_detail(Detail::Note(why.into())))
}
