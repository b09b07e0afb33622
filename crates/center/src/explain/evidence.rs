//! What a check saw, and where, in words.

use std::time::Duration;

use super::{authentication, certificates, listings, names};
use types::finding::{
    HistoryFacts, NoPool, RateHolder, RecipientAnswer, TripletFacts, TripletState, Unavailable,
};
use types::policy::{ClientIdentity, RecipientValidation};
use types::{
    CheckName, Correspondence, Event, Inconclusive, Lesson, Observed, PlaceFacts, Source,
    SpfResult, SubmissionFacts, Unproven, spoken,
};

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
        CheckName::History => "History of the client",
        CheckName::Greylist => "Greylisting",
        CheckName::Size => "Size",
        CheckName::Hops => "Hop count",
        CheckName::HeaderFrom => "Permitted and blocked authors",
        CheckName::DataFormat => "Data format",
        CheckName::Spf => "SPF",
        CheckName::Dkim => "DKIM",
        CheckName::Dmarc => "DMARC",
        CheckName::Arc => "ARC",
        CheckName::Spoofing => "Anti-spoofing",
        CheckName::DisplayName => "Display name",
        CheckName::System => "System",
        CheckName::Delivery => "Delivery",
        CheckName::Rbl => "Block lists",
        CheckName::Place => "Location",
        CheckName::Helo => "Name in EHLO",
        CheckName::SenderDomain => "Sender's domain",
        CheckName::SecureReceipt => "Secure receipt",
        CheckName::Harvest => "Unknown recipients",
        CheckName::Reputation => "Reputation here",
        CheckName::AutoAllow => "Auto allow",
        CheckName::Outbound => "Outbound listener",
        CheckName::Submission => "Submitter",
        CheckName::Signing => "DKIM signing",
        CheckName::Certificate => "Client certificate",
    }
}

/// What was seen and where, in words.
pub(crate) fn words(seen: &Observed, from: &Source) -> (String, String) {
    (observed(seen), source(from))
}

/// What was seen. It may quote strangers.
pub(super) fn observed(observed: &Observed) -> String {
    match observed {
        Observed::ProxyInvalid => "no valid PROXY header".to_owned(),
        Observed::Connections { by_client, by_client_max, in_all, in_all_max } => format!(
            "{by_client} open by this client (at most {by_client_max}), {in_all} in all (at most {in_all_max})"
        ),
        Observed::EarlyTalk => "the client spoke before the greeting".to_owned(),
        Observed::TlsFailed { cause } => format!("the TLS handshake failed: {cause}"),
        Observed::Relay { internal: true, .. } => "the recipient's domain is ours".to_owned(),
        Observed::Relay { internal: false, askers: true } => {
            "the recipient's domain is that of the server which asks".to_owned()
        }
        Observed::Relay { internal: false, askers: false } => {
            "the recipient's domain is not ours".to_owned()
        }
        Observed::Recipient { validation, answer } => recipient(*validation, answer),
        Observed::Smtputf8 { next_hop_offers } => match next_hop_offers {
            Some(true) => "an address needs SMTPUTF8 and the next hop offers it",
            Some(false) => "an address needs SMTPUTF8 and the next hop does not offer it",
            None => "an address needs SMTPUTF8; the next hop has not said whether it offers it",
        }
        .to_owned(),
        Observed::Rate { exceeded, per_minute_max, retry_in_s, of } => {
            let text = rate(*exceeded, *per_minute_max, *retry_in_s);
            format!("{}{text}", rate_holder(*of))
        }
        Observed::Harvest { unknown, max, by_network, retry_in_s } => format!(
            "{} asked for {unknown} unknown recipients ({max} are allowed), is answered again in {}",
            if *by_network { "the client's network" } else { "the client" },
            spoken(Duration::from_secs(*retry_in_s))
        ),
        Observed::History(facts) => history(facts),
        Observed::Triplet(facts) => triplet(facts),
        Observed::Size { declared, received } => size(*declared, *received),
        Observed::Hops { received_fields, max } => {
            let fields = if *received_fields == 1 { "field" } else { "fields" };
            format!("{received_fields} Received {fields} (at most {max})")
        }
        Observed::HeaderFrom { addresses } => match addresses.is_empty() {
            true => "no address in the From field".to_owned(),
            false => format!("written by {}", addresses.join(", ")),
        },
        Observed::Spf(_) | Observed::Dkim(_) | Observed::Dmarc(_) | Observed::Arc(_) => {
            authentication::observed(observed).unwrap_or_default()
        }
        Observed::ShowsOwnName { shown, own, author } => {
            format!("\u{201c}{shown}\u{201d} shows {own}, but {author} wrote it")
        }
        Observed::BareLineEnd => "a bare CR or LF in the data".to_owned(),
        Observed::LineTooLong { max } => format!("a line longer than {}", octets((*max).into())),
        Observed::Unavailable(what) => unavailable(*what).to_owned(),
        Observed::Inconclusive(why) => inconclusive(*why).to_owned(),
        Observed::Lists(facts) => listings::observed(facts),
        Observed::Place(facts) => place(facts),
        Observed::Reverse(facts) => names::reverse(facts),
        Observed::Helo(form) => names::helo(*form).to_owned(),
        Observed::SenderDomain(facts) => names::sender_domain(facts),
        Observed::Reputation(facts) => crate::reputation::words(facts),
        Observed::Correspondence(pair) | Observed::Lesson(Lesson::Taught(pair)) => wrote(pair),
        Observed::Lesson(Lesson::Nothing(why)) => format!("taught nothing: {}", why.words()),
        Observed::Signing(facts) => authentication::signing(facts),
        Observed::Outbound { listed: true, .. } => {
            "the client is in a network that may send to the world".to_owned()
        }
        Observed::Outbound { listed: false, .. } => {
            "the client is in no network that may send to the world".to_owned()
        }
        Observed::Submission(facts) => submission(facts),
        Observed::ClientCertificate(shown) => certificates::words(shown),
    }
}

/// Who submits the mail, and how often somebody was wrong before, in words.
fn submission(facts: &SubmissionFacts) -> String {
    let by = match (&facts.by, facts.may_send) {
        (Some(by), true) => Some(format!("submitted by {by}")),
        (Some(by), false) => Some(format!("submitted by {by}, who may not send as this sender")),
        (None, _) => None,
    };
    let failed = match facts.failed {
        0 => None,
        1 => Some("one name and password were wrong".to_owned()),
        many => Some(format!("{many} names and passwords were wrong")),
    };
    match (by, failed) {
        (Some(by), Some(failed)) => format!("{by}; before that {failed}"),
        (by, failed) => by.or(failed).unwrap_or_else(|| "nobody authenticated".to_owned()),
    }
}

/// Who wrote to whom, in words.
pub(crate) fn wrote(pair: &Correspondence) -> String {
    let Correspondence { own, other, wrote } = pair;
    format!("{own} wrote to {other} on {}; an answer is expected until {}", wrote, pair.ends())
}

/// Where a triplet stood.
fn triplet(facts: &TripletFacts) -> String {
    let state = match facts.state {
        TripletState::FirstSeen => "first seen",
        TripletState::TooEarly => "back too early",
        TripletState::Passed if facts.let_in => "back too early: let in by hand",
        TripletState::Passed => "back inside the window: passed",
        TripletState::Known => "known: passed before",
    };
    format!(
        "{} ({}) \u{b7} <{}>: {state}, attempt {}, window opened {}",
        facts.client,
        identified_by(facts.identity, &facts.client, facts.no_pool),
        facts.sender,
        facts.attempts,
        facts.first_seen
    )
}

/// What is known of a client where strangers alone are greylisted.
fn history(facts: &HistoryFacts) -> String {
    let HistoryFacts { identity, client, pairs, score, no_pool } = facts;
    let by = identified_by(*identity, client, *no_pool);
    let pairs = match pairs {
        0 => "has not come back before".to_owned(),
        1 => "has come back with 1 pair of sender and recipient".to_owned(),
        pairs => format!("has come back with {pairs} pairs of sender and recipient"),
    };
    let verdict = if facts.is_known() { "known here" } else { "a stranger here" };
    format!("{client} ({by}) {pairs}, its score is {score}: {verdict}")
}

/// Why an attempt was not greylisted where strangers alone are. The history is
/// looked at only there, and before the triplet; what it does not explain, a
/// list of the good does.
pub(super) fn spared_because(event: &Event) -> Option<String> {
    let evidence = &event.record.evidence;
    let Some(Observed::History(facts)) = evidence.latest(CheckName::History) else { return None };
    if evidence.latest(CheckName::Greylist).is_some() {
        return None;
    }
    Some(match facts.is_known() {
        true => format!(
            "{} is known here: it came back with {} pairs of sender and recipient before, and its \
             score is {}",
            facts.client, facts.pairs, facts.score
        ),
        false => "an allow list has its client".to_owned(),
    })
}

/// How a client is identified, and why not by its pool where that was asked
/// for.
pub(crate) fn identified_by(
    identity: ClientIdentity,
    client: &str,
    no_pool: Option<NoPool>,
) -> String {
    let by = match identity {
        ClientIdentity::Address => "identified by the very address",
        ClientIdentity::Network => "identified by its network",
        ClientIdentity::Pool => return format!("identified by its SPF domain {client}"),
    };
    match no_pool {
        None => by.to_owned(),
        Some(NoPool::Spf(SpfResult::TempError)) => {
            format!("{by}, because SPF could not be asked")
        }
        Some(NoPool::Spf(result)) => format!("{by}, because SPF says {}", result.slug()),
        Some(NoPool::NullReversePath) => {
            format!("{by}, because the null reverse-path names no domain")
        }
        Some(NoPool::SeenBefore) => {
            format!("{by}, which was known before its SPF domain was")
        }
    }
}

/// A place in words.
pub(super) fn place(facts: &PlaceFacts) -> String {
    match (facts.country, facts.network) {
        (Some(country), Some(network)) => format!("{country}, AS{network}"),
        (Some(country), None) => country.to_string(),
        (None, Some(network)) => format!("AS{network}, country not known"),
        (None, None) => "not known".to_owned(),
    }
}

/// Whose rate it is, where it is not the client's.
fn rate_holder(of: RateHolder) -> &'static str {
    match of {
        RateHolder::Client => "",
        RateHolder::Network => "the client's network: ",
        RateHolder::Sender => "the sender: ",
        RateHolder::Recipient => "the recipient: ",
        RateHolder::Submitter => "the submitter: ",
    }
}

fn rate(exceeded: bool, per_minute_max: u32, retry_in_s: u64) -> String {
    match (exceeded, per_minute_max) {
        (_, 0) => "no limit is set".to_owned(),
        (false, max) => format!("within the limit of {max} a minute"),
        (true, max) => format!(
            "over the limit of {max} a minute, free again in {}",
            spoken(Duration::from_secs(retry_in_s))
        ),
    }
}

fn size(declared: Option<u64>, received: Option<u64>) -> String {
    match (declared, received) {
        (Some(declared), Some(received)) => {
            format!("{} announced, {} received", octets(declared), octets(received))
        }
        (Some(declared), None) => format!("{} announced", octets(declared)),
        (None, Some(received)) => format!("{} received", octets(received)),
        (None, None) => "not announced".to_owned(),
    }
}

/// Octets as people read them, exact and with a round figure beside it from
/// ten thousand on: `48 213 octets (48 KB)`.
pub fn octets(number: u64) -> String {
    let exact = match number {
        1 => "1 octet".to_owned(),
        _ => format!("{} octets", grouped(number)),
    };
    match number {
        0..10_000 => exact,
        10_000..10_000_000 => format!("{exact} ({} KB)", number / 1_000),
        _ => format!("{exact} ({} MB)", number / 1_000_000),
    }
}

/// A number in groups of three, parted by a space that does not break.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

fn recipient(validation: RecipientValidation, answer: &RecipientAnswer) -> String {
    let way = match validation {
        RecipientValidation::AcceptAll => "everything is accepted",
        RecipientValidation::Directory => "directory",
        RecipientValidation::Known => "known recipients",
        RecipientValidation::CallForward => "call-forward",
        RecipientValidation::CallForwardNull => "call-forward with the null sender",
    };
    match answer {
        RecipientAnswer::Known => format!("{way}: the address exists"),
        RecipientAnswer::Unknown => format!("{way}: no such address"),
        RecipientAnswer::Unproven(Unproven::Learning { until }) => {
            format!(
                "{way}: not known, and taken because the domain learns its recipients until {until}"
            )
        }
        RecipientAnswer::Unproven(Unproven::NobodyKnown) => {
            format!("{way}: not known, and taken because nobody of the domain is known yet")
        }
        RecipientAnswer::Unproven(Unproven::Stale) => {
            format!(
                "{way}: no such address, and taken because the directory is too old to be believed"
            )
        }
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
        Unavailable::Memory => "the memory for messages is taken",
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

/// Where something was seen.
pub(super) fn source(source: &Source) -> String {
    let old = |age_s: u64| format!("{} old", spoken(Duration::from_secs(age_s)));
    match source {
        Source::Session => "session".to_owned(),
        Source::Memory => "memory".to_owned(),
        Source::Directory { age_s } => format!("directory, {}", old(*age_s)),
        Source::NextHop { host, ip: Some(ip) } => format!("{host} [{ip}]"),
        Source::NextHop { host, ip: None } => host.to_string(),
        Source::Cache { age_s } => format!("cache, {}", old(*age_s)),
        Source::Settings => "settings".to_owned(),
        Source::Map { name, age_s } => format!("{name}, {}", old(*age_s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_told_as_a_number() {
        let check = |seen: Observed, text: &str| assert_eq!(observed(&seen), text);
        let rate = |exceeded, per_minute_max, retry_in_s| Observed::Rate {
            exceeded,
            per_minute_max,
            retry_in_s,
            of: RateHolder::Client,
        };
        check(rate(false, 0, 0), "no limit is set");
        check(rate(false, 600, 0), "within the limit of 600 a minute");
        check(rate(true, 60, 90), "over the limit of 60 a minute, free again in 1 min 30 s");
        let size = |declared, received| Observed::Size { declared, received };
        check(size(Some(900), None), "900 octets announced");
        check(size(None, Some(48_213)), "48\u{a0}213 octets (48 KB) received");
        check(size(None, None), "not announced");
        check(Observed::Hops { received_fields: 26, max: 25 }, "26 Received fields (at most 25)");
        assert_eq!(source(&Source::Directory { age_s: 583_308 }), "directory, 6 d 18 h old");
    }
}
