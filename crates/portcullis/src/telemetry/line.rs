//! One event as one log line.
//!
//! The keys are stable and their meaning does not change within a `v`; people
//! keep filters that name them. No secret and no content of a message is in a
//! line; what comes from a sender is escaped, by JSON or by `presentable`.

use std::fmt::Write as _;

use center::presentable;
use serde::Serialize;
use types::information::information;
use types::{Event, EventKind, FollowUp, Reason, Reference, RelayAttempt, Timestamp, TlsPolicy};

use crate::settings::kinds::LogFormat;

/// The version of the keys.
pub const LINE_VERSION: u8 = 1;

/// The keys of a line, in their order.
#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    ts: Timestamp,
    level: &'static str,
    event: &'static str,
    #[serde(rename = "ref")]
    reference: Reference,
    life: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<Reference>,
    ip: std::net::IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    helo: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ecode: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    info: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
}

impl<'a> Line<'a> {
    fn of(event: &'a Event) -> Self {
        let subject = &event.subject;
        let reply = event.record.reply.as_ref();
        let of = match &event.kind {
            EventKind::Attempt(_) => None,
            EventKind::FollowUp { of, .. } => Some(of.reference()),
        };
        let decision = event.outcome().and_then(|outcome| outcome.decision());
        let relay = event.follow_up().and_then(relay);
        Line {
            v: LINE_VERSION,
            ts: event.at,
            level: "info",
            event: name(event),
            reference: event.reference(),
            life: event.life_line.reference(),
            of,
            ip: subject.client.client.ip,
            helo: subject.client.helo.as_deref(),
            from: subject.reverse_path.as_ref().map(|path| path.as_str()),
            to: subject.recipient.as_ref().map(|path| path.as_str()),
            stage: event.record.stage.map(|stage| stage.slug()),
            outcome: event.outcome_kind().map(|kind| kind.slug()),
            reason: event.reason(),
            code: reply.map(|reply| reply.code),
            ecode: reply.and_then(|reply| reply.enhanced).map(|enhanced| enhanced.to_string()),
            info: information(event),
            policy: decision.and_then(|d| d.policy).map(|policy| policy.to_string()),
            tls: relay.and_then(|relay| relay.tls.as_deref()),
            tls_policy: relay.and_then(|relay| relay.tls_policy).map(TlsPolicy::slug),
            ms: event.outcome().map(|_| f64::from(event.record.took.0) / 1_000.0),
        }
    }
}

/// The try at the next hop that a later happening tells of.
fn relay(what: &FollowUp) -> Option<&RelayAttempt> {
    match what {
        FollowUp::Delivered(relay)
        | FollowUp::DeliveryDeferred { attempt: relay, .. }
        | FollowUp::DeliveryRejected(relay)
        | FollowUp::DeliveryExpired(relay)
        | FollowUp::Notice { attempt: relay, .. } => Some(relay),
        FollowUp::GreylistExpired { .. }
        | FollowUp::DelayWarned
        | FollowUp::Bounced { .. }
        | FollowUp::BounceSuppressed { .. }
        | FollowUp::Queue { .. } => None,
    }
}

/// Whether a policy of its domain keeps mail from going that could go
/// otherwise: nothing else says so before the message expires.
pub fn kept_back_by_policy(event: &Event) -> bool {
    event.follow_up().and_then(relay).is_some_and(|relay| relay.policy_refused)
}

/// What the `event` key of an event says.
pub fn name(event: &Event) -> &'static str {
    match event.follow_up() {
        None => "attempt",
        Some(FollowUp::GreylistExpired { .. }) => "greylist_expired",
        Some(FollowUp::Delivered(_)) => "delivered",
        Some(FollowUp::DeliveryDeferred { .. }) => "delivery_deferred",
        Some(FollowUp::DeliveryRejected(_)) => "delivery_rejected",
        Some(FollowUp::DeliveryExpired(_)) => "delivery_expired",
        Some(FollowUp::DelayWarned) => "delay_warned",
        Some(FollowUp::Bounced { .. }) => "bounced",
        Some(FollowUp::Notice { .. }) => "notice",
        Some(FollowUp::BounceSuppressed { .. }) => "bounce_suppressed",
        Some(FollowUp::Queue { .. }) => "queue_action",
    }
}

/// Appends the line of an event, with its line end.
pub fn append(out: &mut String, event: &Event, format: LogFormat) {
    let line = Line::of(event);
    match format {
        LogFormat::Json => {
            // A struct of texts and numbers always has a JSON form.
            out.push_str(&serde_json::to_string(&line).unwrap_or_default());
        }
        LogFormat::Text => text(out, &line),
    }
    out.push('\n');
}

/// The line for a person: time, what, from whom to whom, why.
fn text(out: &mut String, line: &Line<'_>) {
    let shown = |text: Option<&'_ str>| presentable(text.unwrap_or("-")).into_owned();
    let what = line.outcome.unwrap_or(line.event);
    let _ = write!(out, "{} {what:9} {} [{}]", line.ts, line.reference, line.ip);
    let _ = write!(out, " {} -> {}", shown(line.from), shown(line.to));
    if let Some(reason) = line.reason {
        let _ = write!(out, " {reason}");
    }
    if let Some(code) = line.code {
        let _ = write!(out, " {code}");
    }
    if !line.info.is_empty() {
        let _ = write!(out, " ({})", presentable(&line.info));
    }
    if let Some(policy) = line.tls_policy {
        let _ = write!(out, " tls policy {policy}: {}", shown(line.tls));
    }
}
