//! The evidence ledger: each finding of an attempt as a line.

use serde::{Deserialize, Serialize};
use types::finding::{RecipientAnswer, TripletState, Unavailable};
use types::policy::RecipientValidation;
use types::{CheckName, Event, Finding, Inconclusive, Observed, Source, Stage};

use crate::presentable;

/// One finding in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// When in the session.
    pub stage: Stage,
    /// The check.
    pub check: String,
    /// What it saw.
    pub observed: String,
    /// Where it saw it.
    pub source: String,
    /// How long looking took, in microseconds.
    pub took_us: u32,
    /// Whether this check decided.
    pub decided: bool,
    /// Whether the check could not finish.
    pub degraded: bool,
}

/// The findings of an event, in order.
pub(super) fn lines(event: &Event) -> Vec<LedgerLine> {
    let decider = event.outcome().and_then(types::Outcome::decision).map(|d| d.check);
    let findings = event.record.findings();
    let last = findings.iter().rposition(|finding| Some(finding.check) == decider);
    findings.iter().enumerate().map(|(place, finding)| line(finding, last == Some(place))).collect()
}

fn line(finding: &Finding, decided: bool) -> LedgerLine {
    LedgerLine {
        stage: finding.stage,
        check: check_title(finding.check).to_owned(),
        observed: presentable(&observed(&finding.observed)).into_owned(),
        source: presentable(&source(&finding.source)).into_owned(),
        took_us: finding.took.0,
        decided,
        degraded: matches!(finding.observed, Observed::Inconclusive(_)),
    }
}

/// What people call a check.
pub fn check_title(check: CheckName) -> &'static str {
    match check {
        CheckName::Proxy => "PROXY header",
        CheckName::Connections => "Connection limits",
        CheckName::EarlyTalk => "Early talker",
        CheckName::Protocol => "Protocol",
        CheckName::Tls => "TLS",
        CheckName::HostName => "Name of the client",
        CheckName::Relay => "Relay control",
        CheckName::Recipient => "Recipient validation",
        CheckName::Smtputf8 => "Internationalized addresses",
        CheckName::Senders => "Permitted and blocked senders",
        CheckName::Rate => "Rate limit",
        CheckName::Greylist => "Greylisting",
        CheckName::Size => "Size",
        CheckName::Hops => "Hop count",
        CheckName::HeaderFrom => "Author",
        CheckName::DataFormat => "Data format",
        CheckName::System => "System",
        CheckName::Delivery => "Delivery",
    }
}

fn observed(observed: &Observed) -> String {
    match observed {
        Observed::ProxyInvalid => "no valid PROXY header".to_owned(),
        Observed::Connections { by_client, by_client_max, in_all, in_all_max } => {
            format!(
                "{by_client} of {by_client_max} by this client, {in_all} of {in_all_max} in all"
            )
        }
        Observed::EarlyTalk => "the client spoke before the greeting".to_owned(),
        Observed::TlsFailed { cause } => format!("the TLS handshake failed: {cause}"),
        Observed::Relay { internal: true } => "the recipient's domain is ours".to_owned(),
        Observed::Relay { internal: false } => "the recipient's domain is not ours".to_owned(),
        Observed::Recipient { validation, answer } => recipient(*validation, answer),
        Observed::Smtputf8 { next_hop_offers } => match next_hop_offers {
            Some(true) => "an address needs SMTPUTF8 and the next hop offers it",
            Some(false) => "an address needs SMTPUTF8 and the next hop does not offer it",
            None => "an address needs SMTPUTF8; the next hop has not said whether it offers it",
        }
        .to_owned(),
        Observed::Rate { exceeded, per_minute_max, retry_in_s } => match exceeded {
            true => {
                format!("over {per_minute_max} recipients a minute, free again in {retry_in_s} s")
            }
            false => format!("within {per_minute_max} recipients a minute"),
        },
        Observed::Triplet(facts) => {
            let state = match facts.state {
                TripletState::FirstSeen => "first seen",
                TripletState::TooEarly => "back too early",
                TripletState::Passed => "back inside the window: passed",
                TripletState::Known => "known",
            };
            format!(
                "{} \u{b7} <{}>: {state}, attempt {}, window opened {}",
                facts.client, facts.sender, facts.attempts, facts.first_seen
            )
        }
        Observed::Size { declared, received } => {
            let octets = |known: Option<u64>| known.map_or("-".to_owned(), |n| n.to_string());
            format!("declared {}, received {} octets", octets(*declared), octets(*received))
        }
        Observed::Hops { received_fields, max } => format!("{received_fields} of {max} hops"),
        Observed::HeaderFrom { addresses } => match addresses.is_empty() {
            true => "no address in the From field".to_owned(),
            false => format!("written by {}", addresses.join(", ")),
        },
        Observed::BareLineEnd => "a bare CR or LF in the data".to_owned(),
        Observed::LineTooLong { max } => format!("a line longer than {max} octets"),
        Observed::Unavailable(what) => unavailable(*what).to_owned(),
        Observed::Inconclusive(why) => inconclusive(*why).to_owned(),
    }
}

fn recipient(validation: RecipientValidation, answer: &RecipientAnswer) -> String {
    let way = match validation {
        RecipientValidation::AcceptAll => "everything is accepted",
        RecipientValidation::Directory => "directory",
        RecipientValidation::CallForward => "call-forward",
        RecipientValidation::CallForwardNull => "call-forward with the null sender",
    };
    match answer {
        RecipientAnswer::Known => format!("{way}: known"),
        RecipientAnswer::Unknown => format!("{way}: unknown"),
        RecipientAnswer::SenderRefused(said) => format!("{way}: sender refused: {said}"),
        RecipientAnswer::Refused(said) => format!("{way}: refused: {said}"),
        RecipientAnswer::Deferred(said) => format!("{way}: asked to come back: {said}"),
    }
}

fn unavailable(what: Unavailable) -> &'static str {
    match what {
        Unavailable::Store => "the store does not answer or cannot write",
        Unavailable::Disk => "the disk is full or below its reserve",
        Unavailable::Stopping => "the server is stopping",
        Unavailable::Engine => "a part of the engine failed",
    }
}

fn inconclusive(why: Inconclusive) -> &'static str {
    match why {
        Inconclusive::TimedOut => "did not finish in time",
        Inconclusive::Unreachable => "what it asks does not answer",
        Inconclusive::Malformed => "what it asks answers nonsense",
        Inconclusive::Limited => "a limit kept it from looking",
        Inconclusive::NotConfigured => "what it needs is not set up",
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::Session => "session".to_owned(),
        Source::Memory => "memory".to_owned(),
        Source::Directory { age_s } => format!("directory, {age_s} s old"),
        Source::NextHop { host, ip: Some(ip) } => format!("{host} [{ip}]"),
        Source::NextHop { host, ip: None } => host.to_string(),
        Source::Cache { age_s } => format!("cache, {age_s} s old"),
        Source::Settings => "settings".to_owned(),
    }
}
