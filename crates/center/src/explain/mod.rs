//! Why an attempt ended as it did, as prose and tables made from its event.
//!
//! Nothing here is stored: findings keep inputs and answers, and the words
//! are made when they are shown. In this order, on every detail: sentence,
//! evidence, policy, action. Texts from strangers leave this module
//! [`presentable`](crate::presentable).

mod authentication;
mod certificates;
pub mod change;
pub mod compare;
pub mod copies;
pub mod decider;
pub mod deeds;
pub mod delay;
mod evidence;
mod exception;
mod follow_up;
mod gather;
pub mod joins;
pub mod ledger;
pub mod life_line;
mod limits;
mod listings;
mod names;
mod neighbours;
mod policies;
pub mod public;
mod remote;
mod sentence;
mod text;

use serde::{Deserialize, Serialize};
use types::policy::GreylistTimes;
use types::{
    Consulted, Decision, Event, EventId, LifeLineId, Micros, OutcomeKind, PolicyRef, Reason,
    Reference, SessionId, Stage, Timestamp,
};

use crate::search::{label_of, outbound};
use crate::{StillQueued, letting, presentable};
use change::SmallestChange;
pub use change::beyond_permits;
use decider::{Decider, PolicyView};
use deeds::Deed;
pub use evidence::octets;
pub(crate) use evidence::{
    check_title, identified_by, words as evidence_words, wrote as wrote_words,
};
pub use exception::OfferedException;
pub(crate) use exception::exceptions;
use ledger::LedgerLine;
pub(crate) use ledger::short;
use life_line::Story;
pub use limits::settings_named;
pub(crate) use sentence::loss as loss_words;

/// All that is known of one attempt, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Explanation {
    /// The event.
    pub id: EventId,
    /// What replies quote.
    #[serde(rename = "ref")]
    pub reference: Reference,
    /// Its life-line.
    pub life: LifeLineId,
    /// Its session.
    pub session: SessionId,
    /// The machine that wrote it.
    pub node: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub time: Timestamp,
    /// How it ended; nothing for a step on the way.
    pub outcome: Option<OutcomeKind>,
    /// The class of its badge: the outcome, or the state a follow-up made.
    #[serde(default)]
    pub class: String,
    /// The recipient, presentable; nothing for the bare postmaster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The reason code.
    pub reason: Option<Reason>,
    /// What administrators call it.
    pub label: String,
    /// The stage at which it ended.
    pub stage: Option<Stage>,
    /// What happened, in sentences.
    pub sentence: String,
    /// Who sent what to whom: names and values in reading order.
    pub facts: Vec<Fact>,
    /// The server on the other end.
    #[serde(default)]
    pub remote: Vec<Fact>,
    /// The greylist triplet, where it was looked at.
    #[serde(default)]
    pub greylist: Vec<Fact>,
    /// Who decided: the check, and the policy if there was one.
    pub decider: Option<String>,
    /// The same with all that is kept about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decider>,
    /// What let it in: a permit, or that it was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<PolicyView>,
    /// What people did that made it end so, or did from it since, newest
    /// first; as far as the reader may see the audit log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeds: Vec<Deed>,
    /// What would have decided had this one not.
    pub next_decider: Option<String>,
    /// What policies in observe mode, or a policy service in it, would have decided.
    pub would: Option<String>,
    /// The smallest change that would have let it through, or why none can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<SmallestChange>,
    /// The exceptions that can be made from it; for whoever may edit policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<OfferedException>,
    /// `outbound` of mail of our own servers; absent of mail from the world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// Whether its triplet waits for a retry, and can be let in.
    #[serde(default)]
    pub waits: bool,
    /// That its message is still in the queue, and what can be done to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<StillQueued>,
    /// Every check in order.
    pub ledger: Vec<LedgerLine>,
    /// Policies consulted, per type.
    pub policies: Vec<PolicyLine>,
    /// The version of the policy set that decided.
    pub policy_version: u64,
    /// The reply as sent, if one could be sent.
    pub reply: Option<String>,
    /// From first octet to end, in microseconds.
    pub took_us: u32,
    /// The same in words.
    #[serde(default)]
    pub took: String,
    /// What can be done about it.
    pub remedy: String,
    /// A neutral text for the sender's administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_sender: Option<String>,
    /// The command lines that permit and block the sender for the recipient.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Fact>,
    /// Everything that happened to this message and person.
    pub story: Story,
}

/// One named value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// Its value, presentable.
    pub value: String,
}

/// The policies of one type that were consulted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyLine {
    /// The type.
    pub kind: String,
    /// The one that applied, if any matched.
    pub winner: Option<String>,
    /// Those that matched and lost, each with why.
    pub losers: Vec<String>,
    /// Those in observe mode that matched.
    pub observing: Vec<String>,
    /// The global permitted list that spared the client what Reputation would
    /// have led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permitted_list: Option<String>,
}

/// What is known beside the event.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// Its life-line.
    pub(crate) story: Story,
    /// What is kept about the policy that decided.
    pub(crate) policy: Option<PolicyView>,
    /// What is kept about the permit that let it in.
    pub(crate) permit: Option<PolicyView>,
    /// The times of greylisting in force.
    pub(crate) greylist: GreylistTimes,
}

/// Explains an event.
pub(crate) fn explain(event: &Event, surroundings: Surroundings) -> Explanation {
    let Surroundings { story, policy, permit, greylist } = surroundings;
    let record = &event.record;
    let decision = event.outcome().and_then(types::Outcome::decision);
    let class = match event.follow_up() {
        Some(what) => follow_up::follow_up_class(what),
        None => event.outcome_kind().map_or("step", OutcomeKind::slug),
    };
    let decider = decider::decider(event, policy);
    let policy = decider.as_ref().and_then(|decider| decider.policy.as_ref());
    Explanation {
        id: event.id,
        reference: event.reference(),
        life: event.life_line,
        session: event.session,
        node: event.node.to_string(),
        started: event.started,
        time: event.at,
        outcome: event.outcome_kind(),
        class: class.to_owned(),
        recipient: recipient(event),
        reason: event.reason(),
        label: label_of(event),
        stage: record.stage.or(event.reason().map(Reason::stage)),
        sentence: sentence::sentence(event, policy),
        facts: remote::message(event),
        remote: remote::server(event),
        greylist: remote::greylist(event, greylist),
        decider: decision.map(decided_by),
        permit,
        deeds: Vec::new(),
        next_decider: decider.as_ref().map(|decider| decider.next.clone()),
        change: change::smallest_change(event, policy),
        would: record.would.as_ref().map(would_words),
        exceptions: Vec::new(),
        direction: outbound(event),
        waits: false,
        queued: None,
        ledger: ledger::lines(event),
        policies: record.consulted.iter().map(policy_line).collect(),
        policy_version: record.policy_version,
        reply: record.reply.as_ref().map(|reply| presentable(&reply.to_string()).into_owned()),
        took_us: record.took.0,
        took: if record.took == Micros(0) { String::new() } else { record.took.spoken() },
        remedy: remedy(event).to_owned(),
        for_sender: copies::for_sender(event),
        commands: commands(event),
        decision: decider,
        story,
    }
}

fn recipient(event: &Event) -> Option<String> {
    let address = event.subject.recipient.as_ref()?.address()?;
    Some(presentable(address.as_str()).into_owned())
}

/// What can be done about its end; one that means something else than its
/// reason does elsewhere has a remedy of its own.
fn remedy(event: &Event) -> &'static str {
    match certificates::put_off(event) {
        Some(why) => why.remedy,
        None => event.reason().map_or("", Reason::remedy),
    }
}

fn decided_by(decision: &Decision) -> String {
    match decision.policy {
        Some(policy) => {
            format!("{} \u{203a} {}", check_title(decision.check), ledger::short(policy))
        }
        None => check_title(decision.check).to_owned(),
    }
}

/// What a decision of policies in observe mode would have been.
fn would_words(decision: &Decision) -> String {
    let kind = match decision.reason.kind() {
        types::ReasonKind::Acceptance => "accepted",
        types::ReasonKind::Hold => "held",
        types::ReasonKind::Deferral => "deferred",
        types::ReasonKind::Rejection => "rejected",
    };
    format!(
        "{kind}: {} ({}), by {}",
        decision.reason.label(),
        decision.reason,
        decided_by(decision)
    )
}

/// Which policy of a type applied, in words.
pub(crate) fn policy_line(consulted: &Consulted) -> PolicyLine {
    let versioned = |policy: &PolicyRef| match policy {
        PolicyRef::Policy { version, .. } => {
            format!("{}, version {version}", ledger::short(*policy))
        }
        PolicyRef::ManagedSender { .. } | PolicyRef::Base(_) => ledger::short(*policy),
    };
    PolicyLine {
        kind: consulted.kind.title().to_owned(),
        winner: consulted.winner.as_ref().map(versioned),
        losers: consulted
            .losers
            .iter()
            .map(|(policy, loss)| format!("{}: {}", versioned(policy), sentence::loss(*loss)))
            .collect(),
        observing: consulted.observing.iter().map(versioned).collect(),
        permitted_list: consulted.permitted_list.as_ref().map(ToString::to_string),
    }
}

/// What an administrator can type about this pair.
fn commands(event: &Event) -> Vec<Fact> {
    if letting::beyond_lists(event).is_some() {
        return Vec::new();
    }
    let named = |name: &str, value: Option<String>| {
        value.map(|value| Fact { name: name.to_owned(), value })
    };
    [
        named("Permit for this recipient", change::permit_command(event)),
        named("Block for this recipient", change::block_command(event)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests;
