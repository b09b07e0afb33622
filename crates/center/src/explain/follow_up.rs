//! What happened to an attempt later, in words.

use types::FollowUp;
use types::event::{BounceSuppression, DeliveryStep, QueueAction, RelayAttempt};

/// What a follow-up is called in lists.
pub fn follow_up_title(what: &FollowUp) -> &'static str {
    match what {
        FollowUp::GreylistExpired { .. } => "never came back",
        FollowUp::Delivered(_) => "delivered",
        FollowUp::DeliveryDeferred { .. } => "delivery deferred",
        FollowUp::DeliveryRejected(_) => "refused by the next hop",
        FollowUp::DeliveryExpired(_) => "delivery given up",
        FollowUp::DelayWarned => "sender told of the delay",
        FollowUp::Bounced { .. } => "bounced",
        FollowUp::Notice { step: DeliveryStep::Delivered, .. } => "notice to the sender delivered",
        FollowUp::Notice { step: DeliveryStep::Deferred, .. } => "notice to the sender deferred",
        FollowUp::Notice { step: DeliveryStep::Rejected, .. } => "notice to the sender refused",
        FollowUp::Notice { step: DeliveryStep::Expired, .. } => "notice to the sender given up",
        FollowUp::BounceSuppressed { .. } => "not bounced",
        FollowUp::Queue { action: QueueAction::Hold, .. } => "held back",
        FollowUp::Queue { action: QueueAction::Release, .. } => "released",
        FollowUp::Queue { action: QueueAction::Retry, .. } => "retry asked for",
        FollowUp::Queue { action: QueueAction::Delete, .. } => "deleted",
    }
}

/// The class of its badge: one of the outcomes of the console.
pub(super) fn follow_up_class(what: &FollowUp) -> &'static str {
    match what {
        FollowUp::GreylistExpired { .. } | FollowUp::DeliveryExpired(_) => "expired",
        FollowUp::Delivered(_) => "delivered",
        FollowUp::DeliveryDeferred { .. } => "deferred",
        FollowUp::DeliveryRejected(_) => "rejected",
        FollowUp::Bounced { .. } => "bounced",
        FollowUp::DelayWarned | FollowUp::Notice { .. } | FollowUp::BounceSuppressed { .. } => {
            "step"
        }
        FollowUp::Queue { action, .. } => match action {
            QueueAction::Hold => "held",
            QueueAction::Release => "released",
            QueueAction::Retry => "queued",
            QueueAction::Delete => "deleted",
        },
    }
}

/// What happened at a follow-up, one sentence. It may quote the next hop.
pub(super) fn follow_up_text(what: &FollowUp) -> String {
    match what {
        FollowUp::GreylistExpired { attempts: 1 } => {
            "No retry came inside the window; there was one attempt.".to_owned()
        }
        FollowUp::GreylistExpired { attempts } => {
            format!("No retry passed inside the window; there were {attempts} attempts.")
        }
        FollowUp::Delivered(relay)
        | FollowUp::DeliveryRejected(relay)
        | FollowUp::DeliveryExpired(relay)
        | FollowUp::Notice { attempt: relay, .. } => try_of(relay),
        FollowUp::DeliveryDeferred { attempt, next } => {
            format!("{} Next try {next}.", ended(try_of(attempt)))
        }
        FollowUp::DelayWarned => "The sender was told that it takes longer.".to_owned(),
        FollowUp::Bounced { notice } => {
            format!("The sender was told by message {}.", notice.reference())
        }
        FollowUp::BounceSuppressed { why: BounceSuppression::NullReversePath } => {
            "A bounce is never answered by another: the reverse-path is null.".to_owned()
        }
        FollowUp::BounceSuppressed { why: BounceSuppression::RateLimited } => {
            "Too many bounces in a short time: one more would make us a source of backscatter."
                .to_owned()
        }
        FollowUp::Queue { action, by, note, of_notice } => {
            let done = match action {
                QueueAction::Hold => "Held back",
                QueueAction::Release => "Released",
                QueueAction::Retry => "A try was asked for",
                QueueAction::Delete => "Deleted without telling the sender",
            };
            let of = if *of_notice { "The notice to the sender: " } else { "" };
            match note.is_empty() {
                true => format!("{of}{done} by {by}."),
                false => ended(format!("{of}{done} by {by}: {note}")),
            }
        }
    }
}

/// Which try it was, where, and what came of it.
pub(super) fn try_of(relay: &RelayAttempt) -> String {
    let at = relay.ip.map_or(String::new(), |ip| format!(" [{ip}]"));
    let tls = match (relay.tls.as_deref(), relay.ip) {
        (Some(version), _) => format!(" over {version}"),
        (None, Some(_)) => " without TLS".to_owned(),
        // There was no connection, so there was nothing to encrypt.
        (None, None) => String::new(),
    };
    format!("Try {} at {}{at}{tls}: {}", relay.number, relay.host, relay.answer)
}

/// The text with a full stop, if it ends a sentence without one.
pub(super) fn ended(text: String) -> String {
    match text.ends_with(['.', '!', '?']) {
        true => text,
        false => text + ".",
    }
}
