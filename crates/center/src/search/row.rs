//! One event as a row of a list, an export or an answer of the API.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use types::finding::TripletState;
use types::information::information;
use types::{
    CheckName, Event, EventId, FollowUp, LifeLineId, ListAnswer, Observed, Outcome, OutcomeKind,
    PlaceFacts, Reason, Reference, Stage, Timestamp,
};

use crate::explain::life_line;
use crate::{RowQueue, RowReturn, presentable, presentable_within};

/// Longest subject in a row, in characters.
const SUBJECT_CHARS_MAX: usize = 200;
/// Most attachments named in a row.
const ATTACHMENTS_MAX: usize = 10;

/// One event in a list. Texts from strangers are [`presentable`] already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Row {
    /// The event.
    pub id: EventId,
    /// What replies quote.
    #[serde(rename = "ref")]
    pub reference: Reference,
    /// The life-line.
    pub life: LifeLineId,
    /// When it happened.
    pub time: Timestamp,
    /// In which queue it is shown; nothing for a step on the way.
    pub outcome: Option<OutcomeKind>,
    /// The state a follow-up put the life-line into.
    pub state: Option<String>,
    /// The reason code.
    pub reason: Option<Reason>,
    /// What administrators see.
    pub label: String,
    /// Where in the session it ended.
    pub stage: Option<Stage>,
    /// The reverse-path; nothing if MAIL was never given, empty for `<>`.
    pub from: Option<String>,
    /// The recipient; nothing if RCPT was never given.
    pub to: Option<String>,
    /// The authors in the From field.
    pub header_from: Vec<String>,
    /// The subject.
    pub subject: Option<String>,
    /// The information line.
    pub info: String,
    /// The client.
    pub ip: IpAddr,
    /// What it called itself.
    pub helo: Option<String>,
    /// The SMTP reply code sent.
    pub code: Option<u16>,
    /// The enhanced status code sent.
    pub ecode: Option<String>,
    /// The client's forward-confirmed host name, where it was looked up.
    #[serde(default)]
    pub rdns: Option<String>,
    /// The client's country, where a file knew it.
    #[serde(default)]
    pub country: Option<String>,
    /// The client's autonomous system, `AS64500`, likewise.
    #[serde(default)]
    pub asn: Option<String>,
    /// The lists that the client, or a name of it or of its sender, was on.
    #[serde(default)]
    pub lists: Vec<String>,
    /// The result of SPF, where a policy asked for it.
    #[serde(default)]
    pub spf: Option<String>,
    /// The result of DKIM over all signatures, likewise.
    #[serde(default)]
    pub dkim: Option<String>,
    /// The result of DMARC, likewise.
    #[serde(default)]
    pub dmarc: Option<String>,
    /// What passed for the very domain of the author: `no`, `spf`, `dkim` or
    /// `both`.
    #[serde(default)]
    pub align: Option<String>,
    /// The result of the ARC chain.
    #[serde(default)]
    pub arc: Option<String>,
    /// The TLS version of the client's connection, if it was encrypted.
    #[serde(default)]
    pub tls: Option<String>,
    /// Its cipher suite.
    #[serde(default)]
    pub cipher: Option<String>,
    /// The client's port.
    #[serde(default)]
    pub port: u16,
    /// `outbound` of mail of our own servers; absent of mail from the world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The device or program that submitted the mail by name and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitter: Option<String>,
    /// The listener that took the connection.
    #[serde(default)]
    pub listener: String,
    /// The Message-ID.
    #[serde(default)]
    pub message_id: Option<String>,
    /// Octets of the message, else those that were announced.
    #[serde(default)]
    pub size: Option<u64>,
    /// File names of attachments, at most ten; one without a name by its
    /// media type.
    #[serde(default)]
    pub attachments: Vec<String>,
    /// How many attachments there are.
    #[serde(default)]
    pub attachment_count: usize,
    /// The policy or managed sender that decided.
    #[serde(default)]
    pub policy: Option<String>,
    /// The check that decided.
    #[serde(default)]
    pub check: Option<String>,
    /// The attempt's number within its greylist window, from one.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// How long after the first attempt this one came, in milliseconds.
    #[serde(default)]
    pub wait_ms: Option<u64>,
    /// Whether this network, sender and recipient were seen together for the
    /// first time.
    #[serde(default)]
    pub first_contact: Option<bool>,
    /// What policies in observe mode would have decided.
    #[serde(default)]
    pub would: Option<Reason>,
    /// The machine that wrote the event.
    #[serde(default)]
    pub node: String,
    /// Of a message that was taken over: its latest state (`delivered`,
    /// `queued`, `bounced`); nothing before the first try to deliver it.
    #[serde(default)]
    pub became: Option<String>,
    /// When it came into that state.
    #[serde(default)]
    pub became_at: Option<Timestamp>,
    /// Of an attempt that was greylisted: whether its sender came back, and
    /// else when it is expected; of pages alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<RowReturn>,
    /// How it stands in the delivery queue; of pages of that list alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<RowQueue>,
}

impl Row {
    /// An event as a row.
    pub fn of(event: &Event) -> Row {
        let message = event.subject.message.as_deref();
        let reply = event.record.reply.as_ref();
        let client = &event.subject.client;
        let decision = event.outcome().and_then(Outcome::decision);
        let mailboxes = message.map_or(&[][..], |facts| facts.header_from.as_slice());
        let attachments = message.map_or(&[][..], |facts| facts.attachments.as_slice());
        let text = |value: Option<&str>| value.map(|value| presentable(value).into_owned());
        let greylist = Greylist::of(event);
        let proved = Proved::of(event);
        Row {
            id: event.id,
            reference: event.reference(),
            life: event.life_line,
            time: event.at,
            outcome: event.outcome_kind(),
            state: event.follow_up().and_then(FollowUp::state).map(str::to_owned),
            reason: event.reason(),
            label: label_of(event),
            stage: event.record.stage.or(event.reason().map(Reason::stage)),
            from: text(event.subject.reverse_path.as_ref().map(|path| path.as_str())),
            to: text(event.subject.recipient.as_ref().map(types::ForwardPath::as_str)),
            header_from: mailboxes.iter().map(mailbox).collect(),
            subject: message
                .and_then(|facts| facts.subject.as_deref())
                .map(|subject| presentable_within(subject, SUBJECT_CHARS_MAX)),
            info: presentable(&information(event)).into_owned(),
            ip: client.client.ip,
            helo: text(client.helo.as_deref()),
            code: reply.map(|reply| reply.code),
            ecode: reply.and_then(|reply| reply.enhanced).map(|code| code.to_string()),
            rdns: text(client.host_name.as_deref()),
            country: place(event).and_then(|place| place.country).map(|one| one.to_string()),
            asn: place(event).and_then(|place| place.network).map(|one| format!("AS{one}")),
            lists: lists(event),
            spf: proved.spf,
            dkim: proved.dkim,
            dmarc: proved.dmarc,
            align: proved.align,
            arc: proved.arc,
            tls: text(client.tls.as_ref().map(|tls| tls.version.as_ref())),
            cipher: text(client.tls.as_ref().map(|tls| tls.cipher.as_ref())),
            port: client.client.port,
            direction: outbound(event),
            submitter: submitter(event),
            listener: client.client.listener.to_string(),
            message_id: text(message.and_then(|facts| facts.message_id.as_deref())),
            size: message.map(|facts| facts.size_octets).or(event.subject.declared_size),
            attachments: attachments.iter().take(ATTACHMENTS_MAX).map(attachment).collect(),
            attachment_count: attachments.len(),
            policy: decision.and_then(|decision| decision.policy).map(|policy| policy.to_string()),
            check: decision.map(|decision| decision.check.slug().to_owned()),
            attempt: greylist.attempt,
            wait_ms: greylist.wait_ms,
            first_contact: greylist.first_contact,
            would: event.record.would.as_ref().map(|decision| decision.reason),
            node: event.node.to_string(),
            became: None,
            became_at: None,
            returns: None,
            queue: None,
        }
    }
}

/// The direction of mail of our own servers; nothing of mail from the world.
pub(crate) fn outbound(event: &Event) -> Option<String> {
    let direction = event.subject.client.client.direction;
    (!direction.is_inbound()).then(|| direction.slug().to_owned())
}

/// Where the client was, as far as a file knew.
pub(crate) fn place(event: &Event) -> Option<PlaceFacts> {
    match event.record.evidence.latest(CheckName::Place) {
        Some(Observed::Place(facts)) => Some(*facts),
        _ => None,
    }
}

/// Who submitted the mail by name and password.
fn submitter(event: &Event) -> Option<String> {
    match event.record.evidence.latest(CheckName::Submission) {
        Some(Observed::Submission(facts)) => facts.by.as_deref().map(str::to_owned),
        _ => None,
    }
}

/// The lists with a listing, each once.
fn lists(event: &Event) -> Vec<String> {
    let Some(Observed::Lists(facts)) = event.record.evidence.latest(CheckName::Rbl) else {
        return Vec::new();
    };
    let listed = facts.iter().filter(|one| matches!(one.answer, ListAnswer::Listed { .. }));
    let mut names: Vec<String> = listed.map(|one| one.list.to_string()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What sender authentication came to, in the words of the search language.
#[derive(Default)]
struct Proved {
    spf: Option<String>,
    dkim: Option<String>,
    dmarc: Option<String>,
    align: Option<String>,
    arc: Option<String>,
}

impl Proved {
    fn of(event: &Event) -> Proved {
        let mut proved = Proved::default();
        for finding in event.record.findings() {
            match &finding.observed {
                Observed::Spf(facts) => proved.spf = Some(facts.result.slug().to_owned()),
                Observed::Dkim(facts) => proved.dkim = Some(facts.result.slug().to_owned()),
                Observed::Arc(facts) => proved.arc = Some(facts.result.slug().to_owned()),
                Observed::Dmarc(facts) => {
                    proved.dmarc = Some(facts.result.slug().to_owned());
                    let aligned = match (facts.spf_aligned, facts.dkim_aligned) {
                        (false, false) => "no",
                        (true, false) => "spf",
                        (false, true) => "dkim",
                        (true, true) => "both",
                    };
                    proved.align = Some(aligned.to_owned());
                }
                _ => {}
            }
        }
        proved
    }
}

/// What greylisting knew of an attempt.
#[derive(Default)]
struct Greylist {
    attempt: Option<u32>,
    wait_ms: Option<u64>,
    first_contact: Option<bool>,
}

impl Greylist {
    fn of(event: &Event) -> Greylist {
        let Some(Observed::Triplet(facts)) = event.record.evidence.latest(CheckName::Greylist)
        else {
            return Greylist::default();
        };
        // A triplet that passed long ago no longer waits for anything.
        let in_window = facts.state != TripletState::Known;
        let wait = event.started.since(facts.first_seen).as_millis();
        Greylist {
            attempt: in_window.then_some(facts.attempts),
            wait_ms: in_window.then(|| u64::try_from(wait).unwrap_or(u64::MAX)),
            first_contact: Some(facts.state == TripletState::FirstSeen),
        }
    }
}

/// A mailbox as it is read: name and address, made presentable.
pub(crate) fn mailbox(mailbox: &types::HeaderMailbox) -> String {
    let shown = match &mailbox.name {
        Some(name) if !name.is_empty() => format!("\"{name}\" <{}>", mailbox.address),
        _ => mailbox.address.clone(),
    };
    presentable(&shown).into_owned()
}

fn attachment(attachment: &types::message::AttachmentFacts) -> String {
    let shown = attachment.name.as_deref().unwrap_or(&attachment.media_type);
    presentable_within(shown, SUBJECT_CHARS_MAX)
}

/// What administrators call this event.
pub(crate) fn label_of(event: &Event) -> String {
    match (types::information::label(event), event.follow_up()) {
        (Some(label), _) => presentable(&label).into_owned(),
        (None, Some(what)) => life_line::follow_up_title(what).to_owned(),
        (None, None) => String::new(),
    }
}
