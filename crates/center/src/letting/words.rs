//! What permits skip and never skip, and what is gone, in words.

use types::lists::{ManagedSender, SenderAction, SenderPattern};
use types::{Event, Outcome};

/// What a permit skips (policies.md, *What "permitted" skips*).
pub const SKIPPED: &[&str] = &["greylisting", "reputation and DNS block lists", "spam scanning"];

/// What no permit skips.
pub const NEVER_SKIPPED: &[&str] = &[
    "anti-virus",
    "anti-spoofing",
    "geographical restriction",
    "size limits",
    "recipient validation",
    "rate limits",
    "content examination",
    "authentication results marked to ignore permitted entries",
    "an administrator's block",
];

/// What is said where a permit is not offered; what helps instead follows.
pub const NO_PERMIT_HELPS: &str = "No permit helps here: it skips greylisting, block lists and \
     reputation, and spam scanning, and nothing else.";

/// What is said of mail of our own servers, which no permit and no block is
/// asked about (`policy::rules`).
pub const NOT_FROM_THE_WORLD: &str = "Permits and blocks of senders count for mail from the world. \
     This is mail of your own servers, so none would change what becomes of it.";

/// Why neither a permit nor a block of its sender can do anything about an
/// attempt like this one; nothing where one may.
pub(crate) fn beyond_lists(event: &Event) -> Option<&'static str> {
    let direction = event.subject.client.client.direction;
    (!direction.is_inbound()).then_some(NOT_FROM_THE_WORLD)
}

/// What an entry cannot do because what it looks at is known only when the
/// message is there.
pub(crate) fn known_late(entry: &ManagedSender) -> Option<&'static str> {
    match (entry.action, &entry.sender, entry.authenticated_only) {
        (SenderAction::Disabled, ..) | (_, SenderPattern::Named(_), false) => None,
        (SenderAction::Block, SenderPattern::Signed(_), _) => Some(
            "A signature is known only when the message is there, so mail is refused after its \
             content was sent.",
        ),
        (SenderAction::Permit | SenderAction::Auto, SenderPattern::Signed(_), _) => Some(
            "A signature is known only when the message is there, so this cannot skip greylisting, \
             reputation or block lists.",
        ),
        (_, SenderPattern::Named(_), true) => Some(
            "Where SPF proves the sender, this counts from the start. Where only DKIM does, that is \
             known when the message is there, and it skips neither greylisting nor reputation nor \
             block lists.",
        ),
    }
}

/// Why nothing of an attempt can be released.
pub(super) fn gone(event: &Event) -> Option<String> {
    let refused = match event.outcome()? {
        Outcome::Accepted { .. } | Outcome::Passed { .. } | Outcome::Held { .. } => return None,
        Outcome::Rejected(_) => "refused",
        Outcome::Deferred(_) => "asked to come back",
        Outcome::Aborted(_) => "broken off",
    };
    let rest = match event.outcome()? {
        Outcome::Deferred(_) => {
            "its sender tries again by itself, and the next attempt is decided as shown below"
        }
        _ => "only its sender can send it again",
    };
    Some(format!(
        "This attempt was {refused} while its sender was connected, so there is no message here \
         that could be released: {rest}."
    ))
}
