//! By which rule the events of one life-line belong together. Each join is an
//! edge with the number of its rule, so that a wrong one can be explained;
//! [`JOIN_RULES`] says what each rule is.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use types::address::parent_of;
use types::finding::TripletFacts;
use types::policy::ClientIdentity;
use types::{CheckName, Event, EventId, EventKind, Observed, Reference};

/// How long the same Message-ID joins, in milliseconds: five days.
pub(crate) const SAME_MESSAGE_MS: u64 = 5 * 24 * 60 * 60 * 1_000;

/// The rules, 1 to 4: what a join by each is called, and what it takes.
pub const JOIN_RULES: [(&str, &str); 4] = [
    ("same sender", "the same sender, recipient and address inside an open retry window"),
    (
        "sender's other server",
        "the same sender and recipient inside an open retry window, from another address of the \
         same network or of the same sending hosts",
    ),
    ("same message", "the same Message-ID and recipient within five days"),
    ("later step", "what happened to an attempt after it had ended"),
];

/// One edge of a life-line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Join {
    /// The earlier event it is joined to.
    pub to: EventId,
    /// What people call that event.
    pub to_reference: Reference,
    /// The number of the rule, 1 to 4.
    pub rule: u8,
    /// The rule with what it saw, in words.
    pub why: String,
}

impl Join {
    /// What a join by its rule is called.
    pub fn name(&self) -> &'static str {
        let rule = usize::from(self.rule).checked_sub(1);
        rule.and_then(|rule| JOIN_RULES.get(rule)).map_or("", |(name, _)| name)
    }
}

/// Why `event` belongs to those `before` it, oldest first; nothing for the
/// first.
pub(super) fn join(event: &Event, before: &[Event]) -> Option<Join> {
    let edge = |to: &Event, rule: u8, why: String| Join {
        to: to.id,
        to_reference: to.reference(),
        rule,
        why,
    };
    if let EventKind::FollowUp { of, .. } = &event.kind {
        let followed = before.iter().find(|earlier| earlier.id == *of).or(before.first())?;
        return Some(edge(followed, 4, "what happened to this attempt later".to_owned()));
    }
    let attempts = || before.iter().rev().filter(|earlier| earlier.outcome().is_some());
    let of_window = attempts().find_map(|earlier| {
        let (rule, why) = window_rule(earlier, event)?;
        Some(edge(earlier, rule, why))
    });
    of_window.or_else(|| {
        let earlier = attempts().find(|earlier| is_same_message(earlier, event))?;
        Some(edge(earlier, 3, "same Message-ID and recipient within five days".to_owned()))
    })
}

/// Rules 1 and 2: the same normalised sender and recipient inside one window.
pub(crate) fn window_rule(earlier: &Event, event: &Event) -> Option<(u8, String)> {
    let (known, facts) = (triplet(earlier)?, triplet(event)?);
    if known.sender != facts.sender || recipient_key(earlier) != recipient_key(event) {
        return None;
    }
    let (one, other) = (ip(earlier), ip(event));
    if one == other {
        return Some((1, format!("same sender, recipient and address {other}, inside the window")));
    }
    if network(one) == network(other) {
        let width = if other.is_ipv4() { "/24" } else { "/64" };
        return Some((
            2,
            format!("same sender and recipient, and {other} is of the same {width} as {one}"),
        ));
    }
    if known.identity == ClientIdentity::Pool
        && facts.identity == ClientIdentity::Pool
        && known.client == facts.client
    {
        let domain = &facts.client;
        let why = format!(
            "same sender and recipient, and SPF lets both {other} and {one} send for {domain}"
        );
        return Some((2, why));
    }
    let pool = pool(earlier)?;
    (Some(pool) == self::pool(event)).then(|| {
        (
            2,
            format!(
                "same sender and recipient, and {other} greets as a host of {pool}, like {one}"
            ),
        )
    })
}

/// Rule 3.
pub(crate) fn is_same_message(earlier: &Event, event: &Event) -> bool {
    let id = |event: &'_ Event| -> Option<String> {
        event.subject.message.as_ref()?.message_id.clone().filter(|id| !id.is_empty())
    };
    let apart = event.at.since(earlier.at).max(earlier.at.since(event.at));
    id(earlier).is_some_and(|earlier_id| Some(earlier_id) == id(event))
        && recipient_key(earlier).is_some()
        && recipient_key(earlier) == recipient_key(event)
        && apart.as_millis() <= u128::from(SAME_MESSAGE_MS)
}

/// What the triplet table said to an attempt.
pub(crate) fn triplet(event: &Event) -> Option<&TripletFacts> {
    match event.record.evidence.latest(CheckName::Greylist) {
        Some(Observed::Triplet(facts)) => Some(facts),
        _ => None,
    }
}

pub(crate) fn recipient_key(event: &Event) -> Option<&str> {
    event.subject.recipient.as_ref().map(|path| path.key())
}

fn ip(event: &Event) -> IpAddr {
    event.subject.client.client.ip
}

/// The /24 or /64 an address lies in, as its first address.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & !0xff).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

/// The domain above the name a client greets with: large senders retry from
/// another machine of theirs. A name of two labels is too short to be one.
fn pool(event: &Event) -> Option<&str> {
    let parent = parent_of(event.subject.client.helo.as_deref()?)?;
    parent.contains('.').then_some(parent)
}
