//! Which columns events have: tables from which the schema of a segment, the
//! rows in memory and the search all come.

use std::net::IpAddr;

use types::finding::{CheckName, Observed, TripletFacts, TripletState};
use types::information::information;
use types::message::HeaderMailbox;
use types::{
    ArcResult, DkimResult, DmarcResult, EmailAddress, Event, FollowUp, ForwardPath, ListAnswer,
    Outcome, OutcomeKind, PlaceFacts, PolicyRef, Reason, ReasonKind, RelayAttempt, ReversePath,
    SpfResult, Stage,
};

use crate::search::{NumberColumn, TextColumn, WordColumn};

/// Sixteen octets per row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WideField {
    /// The event's identifier.
    Id,
    /// Its life-line.
    LifeLine,
    /// Its session.
    Session,
    /// The client's address, IPv4 as `::ffff:a.b.c.d`.
    Ip,
}

impl WideField {
    pub(super) const ALL: [WideField; 4] =
        [WideField::Id, WideField::LifeLine, WideField::Session, WideField::Ip];

    pub(super) const fn name(self) -> &'static str {
        match self {
            WideField::Id => "id",
            WideField::LifeLine => "life_line",
            WideField::Session => "session",
            WideField::Ip => "ip",
        }
    }
}

/// The words a follow-up can give as state, see [`types::FollowUp::state`].
pub(super) const STATES: [&str; 7] =
    ["expired", "delivered", "queued", "bounced", "held", "released", "deleted"];

/// The words of [`WordColumn::Kind`].
const KINDS: [&str; 2] = ["attempt", "follow_up"];

/// The words of [`WordColumn::Triplet`], in the order of [`TripletState`].
const TRIPLETS: [&str; 4] = ["first_seen", "too_early", "passed", "known"];

impl WordColumn {
    /// The words by code; code 0 is no word at all. At most 256 fit.
    pub(super) fn legend(self) -> Vec<&'static str> {
        let mut legend = vec![""];
        match self {
            WordColumn::Kind => legend.extend(KINDS),
            WordColumn::Outcome => legend.extend(OutcomeKind::ALL.iter().map(|kind| kind.slug())),
            WordColumn::Reason => legend.extend(Reason::ALL.iter().map(|reason| reason.slug())),
            WordColumn::State => legend.extend(STATES),
            WordColumn::Stage => legend.extend(Stage::ALL.iter().map(|stage| stage.slug())),
            WordColumn::Check => legend.extend(CheckName::ALL.iter().map(|check| check.slug())),
            WordColumn::Triplet => legend.extend(TRIPLETS),
            WordColumn::Spf => legend.extend(SpfResult::ALL.iter().map(|result| result.slug())),
            WordColumn::Dkim => legend.extend(DkimResult::ALL.iter().map(|result| result.slug())),
            WordColumn::Dmarc => legend.extend(DmarcResult::ALL.iter().map(|result| result.slug())),
            WordColumn::Arc => legend.extend(ArcResult::ALL.iter().map(|result| result.slug())),
            WordColumn::Align => legend.extend(ALIGNMENTS),
        }
        legend
    }

    /// The code of a word; 0 if there is none such.
    pub(super) fn code_of(self, word: &str) -> u8 {
        let place = self.legend().iter().position(|&known| known == word);
        place.and_then(|code| u8::try_from(code).ok()).unwrap_or(0)
    }

    /// The code of this column in the row of `event`.
    pub(super) fn code(self, event: &Event) -> u8 {
        match self {
            WordColumn::Kind => code_at(usize::from(event.follow_up().is_some())),
            WordColumn::Outcome => event.outcome_kind().map_or(0, outcome_code),
            WordColumn::Reason => event.reason().map_or(0, reason_code),
            WordColumn::State => event.follow_up().and_then(FollowUp::state).map_or(0, state_code),
            WordColumn::Stage => event.record.stage.map_or(0, |stage| code_at(stage as usize)),
            WordColumn::Check => event
                .outcome()
                .and_then(|outcome| outcome.decision())
                .map_or(0, |decision| code_at(decision.check as usize)),
            WordColumn::Triplet => triplet(event).map_or(0, |facts| code_at(facts.state as usize)),
            WordColumn::Spf
            | WordColumn::Dkim
            | WordColumn::Dmarc
            | WordColumn::Arc
            | WordColumn::Align => self.authentication(event).map_or(0, code_at),
        }
    }
}

/// The words of [`WordColumn::Align`].
const ALIGNMENTS: [&str; 4] = ["no", "spf", "dkim", "both"];

impl WordColumn {
    /// The place of the word that sender authentication came to.
    fn authentication(self, event: &Event) -> Option<usize> {
        let check = match self {
            WordColumn::Spf => CheckName::Spf,
            WordColumn::Dkim => CheckName::Dkim,
            WordColumn::Arc => CheckName::Arc,
            _ => CheckName::Dmarc,
        };
        match event.record.evidence.latest(check)? {
            Observed::Spf(facts) => Some(facts.result as usize),
            Observed::Dkim(facts) => Some(facts.result as usize),
            Observed::Arc(facts) => Some(facts.result as usize),
            Observed::Dmarc(facts) if self == WordColumn::Align => {
                Some(usize::from(facts.spf_aligned) + 2 * usize::from(facts.dkim_aligned))
            }
            Observed::Dmarc(facts) => Some(facts.result as usize),
            _ => None,
        }
    }
}

/// The code of the word at `place` of a table; 0 stands for no word.
fn code_at(place: usize) -> u8 {
    u8::try_from(place + 1).unwrap_or(0)
}

/// The code of attempts in [`WordColumn::Kind`].
pub(super) const ATTEMPT: u8 = 1;

/// The code of an outcome in [`WordColumn::Outcome`].
pub(super) fn outcome_code(kind: OutcomeKind) -> u8 {
    code_at(kind as usize)
}

/// The code of a reason in [`WordColumn::Reason`].
pub(super) fn reason_code(reason: Reason) -> u8 {
    code_at(reason as usize)
}

/// The code of a state in [`WordColumn::State`]; 0 if there is none such.
fn state_code(state: &str) -> u8 {
    STATES.iter().position(|&known| known == state).map_or(0, code_at)
}

/// What the triplet table said at this attempt.
fn triplet(event: &Event) -> Option<&TripletFacts> {
    match event.record.evidence.latest(CheckName::Greylist) {
        Some(Observed::Triplet(facts)) => Some(facts),
        _ => None,
    }
}

impl NumberColumn {
    /// The number of this column in the row of `event`; 0 for none. What does
    /// not fit is taken for the largest that does.
    pub(super) fn number(self, event: &Event) -> u32 {
        let number = match self {
            NumberColumn::Code => {
                event.record.reply.as_ref().map_or(0, |reply| u64::from(reply.code))
            }
            NumberColumn::Size => {
                let subject = &event.subject;
                let received = subject.message.as_ref().map(|message| message.size_octets);
                received.or(subject.declared_size).unwrap_or(0)
            }
            NumberColumn::Attempts => match event.follow_up() {
                Some(FollowUp::GreylistExpired { attempts }) => u64::from(*attempts),
                _ => triplet(event).map_or(0, |facts| u64::from(facts.attempts)),
            },
            NumberColumn::Wait => triplet(event).map_or(0, |facts| match facts.state {
                TripletState::TooEarly | TripletState::Passed => {
                    let waited = event.started.since(facts.first_seen).as_millis();
                    u64::try_from(waited).unwrap_or(u64::MAX)
                }
                TripletState::FirstSeen | TripletState::Known => 0,
            }),
            NumberColumn::Port => u64::from(event.subject.client.client.port),
        };
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

/// Separates the values of one cell, see [`crate::search::VALUE_SEPARATOR`].
pub(super) const VALUE_SEPARATOR: u8 = 0x1e;
/// Separates two spellings of the same value (the unit separator of ASCII);
/// it too is taken out of what senders write.
pub(super) const SPELLING_SEPARATOR: u8 = 0x1f;

/// Takes the values of a cell, one after the other.
pub(super) trait TakeValue {
    /// A value as it was written.
    fn value(&mut self, written: &str);
    /// Another spelling of the value before.
    fn spelling(&mut self, other: &str);
}

impl TextColumn {
    /// Hands the values of this column to `take`. Groups have none.
    pub(super) fn values(self, event: &Event, take: &mut dyn TakeValue) {
        let subject = &event.subject;
        let client = &subject.client;
        let message = subject.message.as_deref();
        let mailboxes = || message.iter().flat_map(|m| &m.header_from);
        let attachments = || message.iter().flat_map(|m| &m.attachments);
        match self {
            TextColumn::From => match subject.reverse_path.as_deref() {
                Some(ReversePath::Address(address)) => spellings(address, take),
                Some(ReversePath::Null) => take.value("<>"),
                None => {}
            },
            TextColumn::To => match &subject.recipient {
                Some(ForwardPath::Address(address)) => spellings(address, take),
                Some(path @ ForwardPath::Postmaster) => take.value(path.as_str()),
                None => {}
            },
            TextColumn::DisplayName => {
                mailboxes().for_each(|m| take.value(m.name.as_deref().unwrap_or("")));
            }
            TextColumn::HeaderAddress => mailboxes().for_each(|m| header_address(m, take)),
            TextColumn::Subject => all(message.and_then(|m| m.subject.as_deref()), take),
            TextColumn::Information => take.value(&information(event)),
            TextColumn::Helo => all(client.helo.as_deref(), take),
            TextColumn::HostName => all(client.host_name.as_deref(), take),
            TextColumn::MessageId => all(message.and_then(|m| m.message_id.as_deref()), take),
            TextColumn::Attachments => all(attachments().filter_map(|a| a.name.as_deref()), take),
            TextColumn::Extension => all(
                attachments().filter_map(|a| a.name.as_deref()?.rsplit_once('.')).map(|(_, e)| e),
                take,
            ),
            TextColumn::MediaType => all(attachments().map(|a| a.media_type.as_str()), take),
            TextColumn::Hash => all(attachments().map(|a| a.sha256.as_str()), take),
            TextColumn::EnhancedCode => {
                if let Some(enhanced) = event.record.reply.as_ref().and_then(|r| r.enhanced) {
                    take.value(&enhanced.to_string());
                }
            }
            TextColumn::Policy => policies(event, take),
            TextColumn::TlsVersion => all(client.tls.as_ref().map(|tls| &*tls.version), take),
            TextColumn::Cipher => all(client.tls.as_ref().map(|tls| &*tls.cipher), take),
            TextColumn::Listener => take.value(&client.client.listener),
            TextColumn::Node => take.value(&event.node.0),
            TextColumn::NextHop => all(relay(event).map(|relay| &*relay.host), take),
            TextColumn::By => {
                if let Some(FollowUp::Queue { by, .. }) = event.follow_up() {
                    take.value(by);
                }
            }
            TextColumn::Lists => lists(event, take),
            TextColumn::Country => {
                if let Some(country) = place(event).and_then(|place| place.country) {
                    take.value(country.as_str());
                }
            }
            TextColumn::Network => {
                if let Some(network) = place(event).and_then(|place| place.network) {
                    take.value(&format!("AS{network}"));
                }
            }
            TextColumn::Direction => direction(event, take),
            TextColumn::Would => would(event, take),
            TextColumn::Submitter => all(submitter(event), take),
            TextColumn::HeaderFrom
            | TextColumn::Address
            | TextColumn::Host
            | TextColumn::Words
            | TextColumn::Anything => {}
        }
    }
}

fn all<'a>(values: impl IntoIterator<Item = &'a str>, take: &mut dyn TakeValue) {
    values.into_iter().for_each(|value| take.value(value));
}

fn place(event: &Event) -> Option<&PlaceFacts> {
    match event.record.evidence.latest(CheckName::Place) {
        Some(Observed::Place(facts)) => Some(facts),
        _ => None,
    }
}

/// Who submitted the mail by name and password.
fn submitter(event: &Event) -> Option<&str> {
    match event.record.evidence.latest(CheckName::Submission) {
        Some(Observed::Submission(facts)) => facts.by.as_deref(),
        _ => None,
    }
}

/// Which way the mail goes, where that is not from the world to us.
fn direction(event: &Event, take: &mut dyn TakeValue) {
    let direction = event.subject.client.client.direction;
    if !direction.is_inbound() {
        take.value(direction.slug());
    }
}

/// The lists with a listing, each once.
fn lists(event: &Event, take: &mut dyn TakeValue) {
    let Some(Observed::Lists(facts)) = event.record.evidence.latest(CheckName::Rbl) else { return };
    let listed = facts.iter().filter(|one| matches!(one.answer, ListAnswer::Listed { .. }));
    let mut names: Vec<&str> = listed.map(|one| one.list.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    all(names, take);
}

/// What policies in observe mode would have decided, in all the words by
/// which it is looked for.
fn would(event: &Event, take: &mut dyn TakeValue) {
    let Some(would) = &event.record.would else { return };
    let words: &[&str] = match would.reason.kind() {
        ReasonKind::Acceptance => &["accepted", "accept"],
        ReasonKind::Hold => &["held", "hold"],
        ReasonKind::Deferral => &["deferred", "defer"],
        ReasonKind::Rejection => &["rejected", "reject"],
    };
    all(words.iter().copied(), take);
    let slug = would.reason.slug();
    all(slug.match_indices('.').filter_map(|(dot, _)| slug.get(..dot)), take);
    take.value(slug);
    if let Some(PolicyRef::Policy { id, .. }) = &would.policy {
        take.value(&id.to_string());
    }
}

fn relay(event: &Event) -> Option<&RelayAttempt> {
    event.follow_up()?.delivery().map(|(_, relay)| relay)
}

/// What decided; of an acceptance, what applied. That the settings are the
/// base of every type is no news there.
fn policies(event: &Event, take: &mut dyn TakeValue) {
    let mut name = |policy: &PolicyRef| match policy {
        PolicyRef::Policy { id, .. } => take.value(&id.to_string()),
        PolicyRef::ManagedSender { id } => take.value(&format!("sender {id}")),
        PolicyRef::Base(kind) => take.value(&format!("settings {}", kind.slug())),
    };
    match event.outcome() {
        Some(Outcome::Accepted { .. } | Outcome::Passed { .. }) => event
            .record
            .consulted
            .iter()
            .filter_map(|consulted| consulted.winner.as_ref())
            .filter(|winner| !matches!(winner, PolicyRef::Base(_)))
            .for_each(name),
        Some(outcome) => {
            outcome
                .decision()
                .and_then(|decision| decision.policy.as_ref())
                .iter()
                .for_each(|policy| name(policy));
        }
        None => {}
    }
}

/// An address as written, and its comparable form where that differs by more
/// than case, so that both `müller.example` and `xn--…` find it.
fn spellings(address: &EmailAddress, take: &mut dyn TakeValue) {
    take.value(address.as_str());
    if !address.as_str().eq_ignore_ascii_case(address.key()) {
        take.spelling(address.key());
    }
}

fn header_address(mailbox: &HeaderMailbox, take: &mut dyn TakeValue) {
    // Hostile text need not be an address; only beyond ASCII, or with
    // quotes, can an address have a second spelling.
    if mailbox.address.is_ascii() && !mailbox.address.contains('"') {
        take.value(&mailbox.address);
    } else {
        match mailbox.address.parse::<EmailAddress>() {
            Ok(address) => spellings(&address, take),
            Err(_) => take.value(&mailbox.address),
        }
    }
}

/// Appends `text` in the form in which texts are compared: lower case,
/// without the separators.
pub(crate) fn fold_into(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    if text.is_ascii() {
        out.extend_from_slice(text.as_bytes());
    } else {
        let mut utf8 = [0; 4];
        for c in text.chars().flat_map(char::to_lowercase) {
            out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
        }
    }
    let folded = out.get_mut(start..).unwrap_or_default();
    folded.make_ascii_lowercase();
    for octet in folded {
        if is_separator(*octet) {
            *octet = b' ';
        }
    }
}

/// Whether this octet parts values or spellings.
pub(super) fn is_separator(octet: u8) -> bool {
    octet == VALUE_SEPARATOR || octet == SPELLING_SEPARATOR
}

/// An address as sixteen octets.
pub(super) fn ip_octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The address that sixteen octets are.
pub(super) fn ip_of(octets: [u8; 16]) -> IpAddr {
    IpAddr::from(octets).to_canonical()
}
