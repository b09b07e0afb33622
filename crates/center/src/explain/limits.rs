//! What lifts a limit that was passed: the setting that has it, or a policy
//! that makes an exception.

use types::finding::RateHolder;
use types::{Event, Observed, PolicyRef, Reason};

use super::decider::PolicyView;

/// What lifts a limit, and the command that says more about it.
pub(super) type Lifted = (&'static str, &'static str);

const SIZE: Lifted = (
    "Raise the limit that applies: that of the server in the settings, or the smaller one of a policy.",
    "portcullis config help smtp.message_size_max",
);
const CONNECTIONS_OF_CLIENT: Lifted = (
    "Raise the connections one client may hold. The sender retries by itself.",
    "portcullis config help smtp.connections_per_ip_max",
);
const CONNECTIONS_IN_ALL: Lifted = (
    "Raise the connections all clients together may hold. The sender retries by itself.",
    "portcullis config help smtp.connections_max",
);
const CONNECTION_RATE: Lifted = (
    "Raise the rate at which one client may open connections. The sender retries by itself.",
    "portcullis config help smtp.connection_rate_per_ip_max",
);
const RATE_OF_CLIENT: Lifted = (
    "Raise the recipients one client may offer. The sender retries by itself.",
    "portcullis config help smtp.recipient_rate_per_client_max",
);
const RATE_OF_NETWORK: Lifted = (
    "Raise the recipients one network may offer. The sender retries by itself.",
    "portcullis config help smtp.recipient_rate_per_network_max",
);
const RATE_OF_SENDER: Lifted = (
    "Raise the recipients one sender may offer. The sender retries by itself.",
    "portcullis config help smtp.recipient_rate_per_sender_max",
);
const RATE_OF_RECIPIENT: Lifted = (
    "Raise the mails that may be offered to one recipient. The sender retries by itself.",
    "portcullis config help smtp.mail_rate_per_recipient_max",
);
const RATE_OF_SUBMITTER: Lifted = (
    "If this is not its own mail, give it a new password; else raise the recipients a submitter may offer. It retries by itself.",
    "portcullis config help smtp.submitter_rate_max",
);
const HARVEST: Lifted = (
    "Correct the directory if the recipients exist, or raise the unknown recipients one client may ask for. The sender retries by itself.",
    "portcullis config help smtp.unknown_recipients_per_client_max",
);
const GREETING: Lifted =
    ("Shorten the greeting delay.", "portcullis config help smtp.greeting_delay");
const TLS: Lifted = (
    "Make an exception: a policy of the same type that is more specific, with `set = \"opportunistic\"`.",
    "portcullis policy list",
);
const CERTIFICATE: Lifted = (
    "Tell the sender which certificate is wanted, or name its authority in `smtp.tls.client_ca_file`, or its hosts in the policy; else make an exception for this server alone: a policy of the same type with the same `from`, the server's address in `source_ips`, and `set = \"require_tls\"`. Without the address, whoever writes the sender's name would be taken.",
    "portcullis config help smtp.tls.client_ca_file",
);
const POLICY: Lifted = (
    "Make an exception: a policy of the same type that is more specific, with `set = \"no_action\"`.",
    "portcullis policy list",
);

/// What lifts it, as far as the reason alone tells.
pub(super) fn by_reason(reason: Reason) -> Lifted {
    match reason {
        Reason::SizeExceeded => SIZE,
        Reason::RateLimited => {
            ("Raise the rate that was passed. The sender retries by itself.", RATE_OF_CLIENT.1)
        }
        Reason::ConnectionsLimited => CONNECTIONS_OF_CLIENT,
        Reason::ClientEarlyTalker => GREETING,
        Reason::TlsRequired => TLS,
        Reason::TlsUnverified => CERTIFICATE,
        _ => POLICY,
    }
}

/// What lifts it, by what was found.
fn by_finding(event: &Event, reason: Reason) -> Lifted {
    let check = event.outcome().and_then(|outcome| outcome.decision()).map(|one| one.check);
    match check.and_then(|check| event.record.evidence.latest(check)) {
        Some(Observed::Harvest { .. }) => HARVEST,
        Some(Observed::Rate { .. }) if reason == Reason::ConnectionsLimited => CONNECTION_RATE,
        Some(Observed::Rate { of, .. }) => rate_of(*of),
        // The limit of one client comes first, as in the rule.
        Some(Observed::Connections { by_client, by_client_max, .. })
            if by_client <= by_client_max =>
        {
            CONNECTIONS_IN_ALL
        }
        _ => by_reason(reason),
    }
}

fn rate_of(holder: RateHolder) -> Lifted {
    match holder {
        RateHolder::Client => RATE_OF_CLIENT,
        RateHolder::Network => RATE_OF_NETWORK,
        RateHolder::Sender => RATE_OF_SENDER,
        RateHolder::Recipient => RATE_OF_RECIPIENT,
        RateHolder::Submitter => RATE_OF_SUBMITTER,
    }
}

/// What has to be changed where a limit or a policy that no permit skips
/// decided.
pub(super) fn change(
    event: &Event,
    reason: Reason,
    policy: Option<&PolicyView>,
) -> (bool, String, Option<String>) {
    let (text, setting) = by_finding(event, reason);
    let by_policy = policy
        .filter(|policy| matches!(policy.reference, PolicyRef::Policy { .. }))
        .and_then(|policy| policy.command.clone());
    let text = format!("{text} A permit does not skip this check.");
    (true, text, by_policy.or_else(|| Some(setting.to_owned())))
}

/// The settings that an explanation may name, by their keys.
pub fn settings_named() -> impl Iterator<Item = &'static str> {
    let all = [
        SIZE,
        CONNECTIONS_OF_CLIENT,
        CONNECTIONS_IN_ALL,
        CONNECTION_RATE,
        RATE_OF_CLIENT,
        RATE_OF_NETWORK,
        RATE_OF_SENDER,
        RATE_OF_RECIPIENT,
        RATE_OF_SUBMITTER,
        HARVEST,
        GREETING,
        CERTIFICATE,
    ];
    all.into_iter().filter_map(|(_, command)| command.strip_prefix("portcullis config help "))
}
