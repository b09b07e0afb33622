//! Which columns events have: tables from which the schema of a segment, the
//! rows in memory and the search all come.

use std::net::IpAddr;

use types::finding::CheckName;
use types::information::information;
use types::message::HeaderMailbox;
use types::{EmailAddress, Event, ForwardPath, OutcomeKind, Reason, ReversePath, Stage};

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

/// One of a few words per row, stored as its place in the column's legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeField {
    /// Attempt or follow-up.
    Kind,
    /// In which of the four queues it is shown.
    Outcome,
    /// Under which reason it is filed.
    Reason,
    /// The state a follow-up puts its life-line into.
    State,
    /// The stage at which it ended.
    Stage,
    /// The check that decided.
    Check,
}

/// The words a follow-up can give as state, see [`types::FollowUp::state`].
pub(super) const STATES: [&str; 7] =
    ["expired", "delivered", "queued", "bounced", "held", "released", "deleted"];

/// The words of [`CodeField::Kind`].
const KINDS: [&str; 2] = ["attempt", "follow_up"];

impl CodeField {
    pub(super) const ALL: [CodeField; 6] = [
        CodeField::Kind,
        CodeField::Outcome,
        CodeField::Reason,
        CodeField::State,
        CodeField::Stage,
        CodeField::Check,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            CodeField::Kind => "kind",
            CodeField::Outcome => "outcome",
            CodeField::Reason => "reason",
            CodeField::State => "state",
            CodeField::Stage => "stage",
            CodeField::Check => "check",
        }
    }

    /// The words by code; code 0 is no word at all. At most 256 fit.
    pub(super) fn legend(self) -> Vec<&'static str> {
        let mut legend = vec![""];
        match self {
            CodeField::Kind => legend.extend(KINDS),
            CodeField::Outcome => legend.extend(OutcomeKind::ALL.iter().map(|kind| kind.slug())),
            CodeField::Reason => legend.extend(Reason::ALL.iter().map(|reason| reason.slug())),
            CodeField::State => legend.extend(STATES),
            CodeField::Stage => legend.extend(Stage::ALL.iter().map(|stage| stage.slug())),
            CodeField::Check => legend.extend(CheckName::ALL.iter().map(|check| check.slug())),
        }
        legend
    }

    /// The code of this field in the row of `event`.
    pub(super) fn code(self, event: &Event) -> u8 {
        match self {
            CodeField::Kind => code_at(usize::from(event.follow_up().is_some())),
            CodeField::Outcome => event.outcome_kind().map_or(0, outcome_code),
            CodeField::Reason => event.reason().map_or(0, reason_code),
            CodeField::State => event.follow_up().map_or(0, |what| state_code(what.state())),
            CodeField::Stage => event.record.stage.map_or(0, |stage| code_at(stage as usize)),
            CodeField::Check => event
                .outcome()
                .and_then(|outcome| outcome.decision())
                .map_or(0, |decision| code_at(decision.check as usize)),
        }
    }
}

/// The code of the word at `place` of a table; 0 stands for no word.
fn code_at(place: usize) -> u8 {
    u8::try_from(place + 1).unwrap_or(0)
}

/// The code of attempts in [`CodeField::Kind`].
pub(super) const ATTEMPT: u8 = 1;

/// The code of an outcome in [`CodeField::Outcome`].
pub(super) fn outcome_code(kind: OutcomeKind) -> u8 {
    code_at(kind as usize)
}

/// The code of a reason in [`CodeField::Reason`].
pub(super) fn reason_code(reason: Reason) -> u8 {
    code_at(reason as usize)
}

/// The code of a state in [`CodeField::State`]; 0 if there is none such.
pub(super) fn state_code(state: &str) -> u8 {
    STATES.iter().position(|&known| known == state).map_or(0, code_at)
}

/// A text per row, lower-cased for comparison.
///
/// A cell holds one or more *values*, separated by [`VALUE_SEPARATOR`]: the
/// spellings of an address, or the mailboxes of a From field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextField {
    /// The reverse-path, `<>` if it is null; its comparable form if that differs.
    From,
    /// The forward-path, in the same way.
    To,
    /// Display names and addresses of the From field.
    HeaderFrom,
    /// The subject.
    Subject,
    /// The information line.
    Information,
    /// The argument of EHLO.
    Helo,
    /// The message-id.
    MessageId,
    /// The file names of attachments.
    Attachments,
    /// The enhanced status code of the reply; not searched as text.
    EnhancedCode,
}

/// Separates the values of one cell (the record separator of ASCII). It is
/// taken out of what senders write.
pub(super) const VALUE_SEPARATOR: u8 = 0x1e;

impl TextField {
    pub(super) const ALL: [TextField; 9] = [
        TextField::From,
        TextField::To,
        TextField::HeaderFrom,
        TextField::Subject,
        TextField::Information,
        TextField::Helo,
        TextField::MessageId,
        TextField::Attachments,
        TextField::EnhancedCode,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            TextField::From => "from",
            TextField::To => "to",
            TextField::HeaderFrom => "header_from",
            TextField::Subject => "subject",
            TextField::Information => "information",
            TextField::Helo => "helo",
            TextField::MessageId => "message_id",
            TextField::Attachments => "attachments",
            TextField::EnhancedCode => "enhanced_code",
        }
    }

    /// Hands the values of this field to `value`.
    pub(super) fn values(self, event: &Event, value: &mut dyn FnMut(&str)) {
        let subject = &event.subject;
        let message = subject.message.as_deref();
        match self {
            TextField::From => match subject.reverse_path.as_deref() {
                Some(ReversePath::Address(address)) => spellings(address, value),
                Some(ReversePath::Null) => value("<>"),
                None => {}
            },
            TextField::To => match &subject.recipient {
                Some(ForwardPath::Address(address)) => spellings(address, value),
                Some(path @ ForwardPath::Postmaster) => value(path.as_str()),
                None => {}
            },
            TextField::HeaderFrom => {
                message.iter().flat_map(|m| &m.header_from).for_each(|m| mailbox(m, value));
            }
            TextField::Subject => {
                message.iter().filter_map(|m| m.subject.as_deref()).for_each(value)
            }
            TextField::Information => value(&information(event)),
            TextField::Helo => subject.client.helo.iter().for_each(|helo| value(helo)),
            TextField::MessageId => {
                message.iter().filter_map(|m| m.message_id.as_deref()).for_each(value);
            }
            TextField::Attachments => message
                .iter()
                .flat_map(|m| &m.attachments)
                .filter_map(|attachment| attachment.name.as_deref())
                .for_each(value),
            TextField::EnhancedCode => {
                if let Some(enhanced) = event.record.reply.as_ref().and_then(|r| r.enhanced) {
                    value(&enhanced.to_string());
                }
            }
        }
    }
}

/// An address as written, and its comparable form where that differs by more
/// than case, so that both `müller.example` and `xn--…` find it.
fn spellings(address: &EmailAddress, value: &mut dyn FnMut(&str)) {
    value(address.as_str());
    if !address.as_str().eq_ignore_ascii_case(address.key()) {
        value(address.key());
    }
}

fn mailbox(mailbox: &HeaderMailbox, value: &mut dyn FnMut(&str)) {
    mailbox.name.iter().for_each(|name| value(name));
    // Hostile text need not be an address; only beyond ASCII, or with
    // quotes, can an address have a second spelling.
    if mailbox.address.is_ascii() && !mailbox.address.contains('"') {
        value(&mailbox.address);
    } else {
        match mailbox.address.parse::<EmailAddress>() {
            Ok(address) => spellings(&address, value),
            Err(_) => value(&mailbox.address),
        }
    }
}

/// Appends `text` in the form in which texts are compared: lower case,
/// without the separator.
pub(super) fn fold_into(out: &mut Vec<u8>, text: &str) {
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
        if *octet == VALUE_SEPARATOR {
            *octet = b' ';
        }
    }
}

/// An address as sixteen octets.
pub(super) fn ip_octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
