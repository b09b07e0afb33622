//! Facts of an attempt in reading order: the message, the remote server, the
//! triplet.

use std::time::Duration;

use types::finding::{TripletFacts, TripletState};
use types::policy::GreylistTimes;
use types::{Event, FollowUp, HeaderMailbox, MessageFacts, RelayAttempt, spoken};

use super::Fact;
use super::evidence::{identified_by, octets};
use super::joins::triplet;
use super::life_line::retry_in_s;
use crate::presentable;
use crate::search::mailbox;

fn facts(rows: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Vec<Fact> {
    rows.into_iter()
        .filter_map(|(name, value)| {
            let value = presentable(&value?).into_owned();
            Some(Fact { name: name.to_owned(), value })
        })
        .collect()
}

/// Who sent what to whom.
pub(super) fn message(event: &Event) -> Vec<Fact> {
    let subject = &event.subject;
    let message = subject.message.as_deref();
    let listed = |of: fn(&MessageFacts) -> &[HeaderMailbox]| {
        let all: Vec<_> = message.map(of).unwrap_or_default().iter().map(mailbox).collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    facts([
        ("From", subject.reverse_path.as_ref().map(|path| path.to_string())),
        ("To", subject.recipient.as_ref().map(|path| path.to_string())),
        ("Author", listed(|facts| &facts.header_from)),
        ("Answers go to", listed(|facts| &facts.reply_to)),
        ("Subject", message.and_then(|facts| facts.subject.clone())),
        ("Message-ID", message.and_then(|facts| facts.message_id.clone())),
        ("Announced size", subject.declared_size.map(octets)),
        ("Size", message.map(|facts| octets(facts.size_octets))),
        ("Received fields", message.map(|facts| facts.received_fields.to_string())),
        ("Attachments", message.and_then(attachments)),
        ("Not read", message.and_then(|facts| facts.unread.clone())),
    ])
}

fn attachments(facts: &MessageFacts) -> Option<String> {
    let named = facts.attachments.iter().map(|attachment| {
        let name = attachment.name.as_deref().unwrap_or("(no name)");
        format!("{name} ({}, {})", attachment.media_type, octets(attachment.size_octets))
    });
    let list: Vec<String> = named.collect();
    (!list.is_empty()).then(|| list.join(", "))
}

/// The server on the other end: the client of an attempt, the next hop of a
/// delivery.
pub(super) fn server(event: &Event) -> Vec<Fact> {
    if let Some((_, relay)) = event.follow_up().and_then(FollowUp::delivery) {
        return next_hop(relay);
    }
    let client = &event.subject.client;
    let tls = client.tls.as_ref().map(|tls| format!("{} {}", tls.version, tls.cipher));
    let greeted = match (client.helo.as_deref(), client.esmtp) {
        (Some(helo), true) => Some(format!("{helo} (EHLO)")),
        (Some(helo), false) => Some(format!("{helo} (HELO)")),
        (None, _) => Some("did not greet".to_owned()),
    };
    facts([
        ("Address", Some(client.client.ip.to_string())),
        ("Port", Some(client.client.port.to_string())),
        ("Host name", super::names::host_name(event)),
        ("Location", crate::search::place(event).map(|place| super::evidence::place(&place))),
        ("Greeted as", greeted),
        ("TLS", tls.or(Some("not encrypted".to_owned()))),
        ("Client certificate", super::certificates::shown(event)),
        ("Direction", Some(client.client.direction.slug().to_owned())),
        ("Listener", Some(client.client.listener.to_string())),
    ])
}

fn next_hop(relay: &RelayAttempt) -> Vec<Fact> {
    facts([
        ("Next hop", Some(relay.host.to_string())),
        ("Address", relay.ip.map(|ip| ip.to_string()).or(Some("no connection".to_owned()))),
        (
            "TLS",
            relay
                .tls
                .as_deref()
                .map(str::to_owned)
                .or(relay.ip.map(|_| "not encrypted".to_owned())),
        ),
        ("Try", Some(relay.number.to_string())),
        ("Answer", Some(relay.answer.to_string())),
        ("Took", Some(relay.took.spoken())),
    ])
}

/// The greylist triplet, with its window.
pub(super) fn greylist(event: &Event, times: GreylistTimes) -> Vec<Fact> {
    let Some(known) = triplet(event) else { return Vec::new() };
    let TripletFacts { client, sender, first_seen, attempts, .. } = known;
    let identity = identified_by(known.identity, client, known.no_pool);
    let waits = matches!(known.state, TripletState::FirstSeen | TripletState::TooEarly);
    let opens = match retry_in_s(event) {
        Some(seconds) => event.at + Duration::from_secs(seconds),
        None => *first_seen + times.retry_after,
    };
    let closes = *first_seen + times.retry_within;
    let state = match known.state {
        TripletState::FirstSeen => "first seen: this attempt opened the window".to_owned(),
        TripletState::TooEarly => {
            format!(
                "too early: {} after the first attempt",
                spoken(event.started.since(*first_seen))
            )
        }
        TripletState::Passed if known.let_in => format!(
            "let in by hand: {} after the first attempt",
            spoken(event.started.since(*first_seen))
        ),
        TripletState::Passed => {
            format!("passed: {} after the first attempt", spoken(event.started.since(*first_seen)))
        }
        TripletState::Known => "known: passed before, remembered".to_owned(),
    };
    let normalised = match sender.is_empty() {
        true => "<> (the null reverse-path)".to_owned(),
        false => sender.to_string(),
    };
    facts([
        ("State", Some(state)),
        ("Client", Some(format!("{client}, {identity}"))),
        ("Sender", Some(format!("{normalised} (normalised)"))),
        ("Recipient", event.subject.recipient.as_ref().map(|path| path.as_str().to_owned())),
        ("First seen", Some(first_seen.to_string())),
        ("Window", waits.then(|| format!("{opens} until {closes}"))),
        ("Attempts", Some(attempts_words(*attempts, known.state))),
    ])
}

/// How many attempts there were, and how many of them came too early.
fn attempts_words(attempts: u32, state: TripletState) -> String {
    let early = match state {
        TripletState::FirstSeen | TripletState::Known => 0,
        TripletState::TooEarly => attempts.saturating_sub(1),
        TripletState::Passed => attempts.saturating_sub(2),
    };
    match early {
        0 => attempts.to_string(),
        1 => format!("{attempts}, 1 of them too early"),
        early => format!("{attempts}, {early} of them too early"),
    }
}
