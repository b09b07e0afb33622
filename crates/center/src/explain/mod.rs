//! Why an attempt ended as it did, as prose and tables made from its event.
//!
//! Nothing here is stored: findings keep inputs and answers, and the words
//! are made when they are shown. In this order, on every detail: sentence,
//! evidence, policy, action. Texts from strangers leave this module
//! [`presentable`](crate::presentable).

pub mod ledger;
pub mod life_line;
mod sentence;
mod text;

use serde::{Deserialize, Serialize};
use types::{
    Consulted, Decision, Event, EventId, LifeLineId, OutcomeKind, Reason, Reference, SessionId,
    Stage, Timestamp,
};

use crate::presentable;
use crate::search::{label_of, mailbox};
use ledger::LedgerLine;
use life_line::Story;

/// All that is known of one attempt, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Who decided: the check, and the policy if there was one.
    pub decider: Option<String>,
    /// What would have decided had this one not.
    pub next_decider: Option<String>,
    /// What policies in observe mode would have decided.
    pub would: Option<String>,
    /// What was found, in order.
    pub ledger: Vec<LedgerLine>,
    /// Policies consulted, per type.
    pub policies: Vec<PolicyLine>,
    /// The version of the policy set that decided.
    pub policy_version: u64,
    /// The reply as sent, if one could be sent.
    pub reply: Option<String>,
    /// From first octet to end, in microseconds.
    pub took_us: u32,
    /// What can be done about it.
    pub remedy: String,
    /// Everything that happened to this message and person.
    pub story: Story,
}

/// One named value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// Its value, presentable.
    pub value: String,
}

/// The policies of one type that were consulted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLine {
    /// The type.
    pub kind: String,
    /// The one that applied, if any matched.
    pub winner: Option<String>,
    /// Those that matched and lost, each with why.
    pub losers: Vec<String>,
    /// Those in observe mode that matched.
    pub observing: Vec<String>,
}

/// Explains an event; `life_line` has all events of its life-line, oldest
/// first.
pub fn explain(event: &Event, life_line: &[Event], now: Timestamp) -> Explanation {
    let record = &event.record;
    let decision = event.outcome().and_then(types::Outcome::decision);
    Explanation {
        id: event.id,
        reference: event.reference(),
        life: event.life_line,
        session: event.session,
        node: event.node.to_string(),
        started: event.started,
        time: event.at,
        outcome: event.outcome_kind(),
        reason: event.reason(),
        label: label_of(event),
        stage: record.stage.or(event.reason().map(Reason::stage)),
        sentence: sentence::sentence(event),
        facts: facts(event),
        decider: decision.map(decider),
        next_decider: decision.and_then(|decision| decision.next).map(named_reason),
        would: record.would.as_ref().map(would),
        ledger: ledger::lines(event),
        policies: record.consulted.iter().map(policy_line).collect(),
        policy_version: record.policy_version,
        reply: record.reply.as_ref().map(|reply| presentable(&reply.to_string()).into_owned()),
        took_us: record.took.0,
        remedy: event.reason().map_or("", Reason::remedy).to_owned(),
        story: life_line::story(life_line, now),
    }
}

fn decider(decision: &Decision) -> String {
    match decision.policy {
        Some(policy) => format!("{} ({policy})", ledger::check_title(decision.check)),
        None => ledger::check_title(decision.check).to_owned(),
    }
}

fn named_reason(reason: Reason) -> String {
    format!("{} ({reason})", reason.label())
}

fn would(decision: &Decision) -> String {
    format!("{}, by {}", named_reason(decision.reason), decider(decision))
}

fn policy_line(consulted: &Consulted) -> PolicyLine {
    let loser = |(policy, loss): &(types::PolicyRef, types::Loss)| {
        format!("{policy}: {}", sentence::loss(*loss))
    };
    PolicyLine {
        kind: consulted.kind.title().to_owned(),
        winner: consulted.winner.map(|policy| policy.to_string()),
        losers: consulted.losers.iter().map(loser).collect(),
        observing: consulted.observing.iter().map(ToString::to_string).collect(),
    }
}

/// Who sent what to whom, in reading order.
fn facts(event: &Event) -> Vec<Fact> {
    let subject = &event.subject;
    let client = &subject.client;
    let message = subject.message.as_deref();
    let size = |octets: u64| format!("{octets} octets");
    let from = subject.reverse_path.as_ref().map(|path| path.to_string());
    let listed = message.filter(|facts| !facts.header_from.is_empty());
    let authors =
        listed.map(|facts| facts.header_from.iter().map(mailbox).collect::<Vec<_>>().join(", "));
    let tls = client.tls.as_ref().map(|tls| format!("{} {}", tls.version, tls.cipher));
    let rows = [
        ("From", from),
        ("To", subject.recipient.as_ref().map(|path| path.to_string())),
        ("Client", Some(format!("{} port {}", client.client.ip, client.client.port))),
        ("Host name", client.host_name.as_deref().map(str::to_owned)),
        ("HELO", client.helo.as_deref().map(str::to_owned)),
        ("TLS", tls),
        ("Listener", Some(client.client.listener.to_string())),
        ("Declared size", subject.declared_size.map(size)),
        ("Size", message.map(|facts| size(facts.size_octets))),
        ("Author", authors),
        ("Subject", message.and_then(|facts| facts.subject.clone())),
        ("Message-ID", message.and_then(|facts| facts.message_id.clone())),
        ("Attachments", message.and_then(attachments)),
    ];
    let fact = |(name, value): (&str, Option<String>)| {
        value.map(|value| Fact { name: name.to_owned(), value: presentable(&value).into_owned() })
    };
    rows.into_iter().filter_map(fact).collect()
}

fn attachments(facts: &types::MessageFacts) -> Option<String> {
    let named = facts.attachments.iter().map(|attachment| {
        let name = attachment.name.as_deref().unwrap_or("(no name)");
        format!("{name} ({}, {} octets)", attachment.media_type, attachment.size_octets)
    });
    let list: Vec<String> = named.collect();
    (!list.is_empty()).then(|| list.join(", "))
}

#[cfg(test)]
mod tests;
