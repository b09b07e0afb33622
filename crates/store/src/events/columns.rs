//! The columns of the event memory: which there are, and how an event
//! becomes a row of them.
//!
//! The same columns exist twice: growing in memory ([`Columns`]) and mapped
//! from a sealed segment. A [`View`] borrows either, and a search knows
//! nothing else.

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
    fn code(self, event: &Event) -> u8 {
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

/// Texts one after the other, with the offset of each end.
#[derive(Clone, Debug)]
pub(super) struct TextArena {
    pub(super) octets: Vec<u8>,
    pub(super) offsets: Vec<i32>,
}

impl Default for TextArena {
    fn default() -> Self {
        TextArena { octets: Vec::new(), offsets: vec![0] }
    }
}

impl TextArena {
    /// Ends the cell that was appended to `octets`.
    ///
    /// Offsets are 32 bits wide, as Arrow has them; segments are cut long
    /// before that ([`super::segment::SEGMENT_OCTETS_MAX`]).
    pub(super) fn end_cell(&mut self) {
        self.offsets.push(i32::try_from(self.octets.len()).unwrap_or(i32::MAX));
    }

    fn push_values(&mut self, field: TextField, event: &Event) {
        let mut first = true;
        let octets = &mut self.octets;
        field.values(event, &mut |value| {
            if !first {
                octets.push(VALUE_SEPARATOR);
            }
            first = false;
            fold_into(octets, value);
        });
        self.end_cell();
    }

    fn view(&self) -> TextView<'_> {
        TextView { octets: &self.octets, offsets: &self.offsets }
    }
}

/// A text column, wherever it lies.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TextView<'a> {
    pub(super) octets: &'a [u8],
    /// One more than there are rows.
    pub(super) offsets: &'a [i32],
}

impl<'a> TextView<'a> {
    /// Where row `row` starts; the end of the column for the row after the last.
    pub(super) fn start(&self, row: usize) -> usize {
        self.offsets.get(row).and_then(|&offset| usize::try_from(offset).ok()).unwrap_or(0)
    }

    /// The cell of one row.
    pub(super) fn cell(&self, row: usize) -> &'a [u8] {
        self.octets.get(self.start(row)..self.start(row + 1)).unwrap_or_default()
    }
}

/// A column of codes, with what its codes mean in the present legend.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodeView<'a> {
    pub(super) codes: &'a [u8],
    /// The present code of each stored one.
    pub(super) meaning: &'a [u8; 256],
}

/// Each code means itself: rows written by this very program.
pub(super) const SAME_MEANING: [u8; 256] = {
    let mut meaning = [0; 256];
    let mut code = 0;
    while code < 256 {
        #[expect(clippy::indexing_slicing, reason = "constant, bounded by the loop")]
        {
            meaning[code] = code as u8;
        }
        code += 1;
    }
    meaning
};

/// Rows in memory, one vector per column.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) time: Vec<i64>,
    pub(super) wide: [Vec<[u8; 16]>; WideField::ALL.len()],
    pub(super) codes: [Vec<u8>; CodeField::ALL.len()],
    pub(super) texts: [TextArena; TextField::ALL.len()],
    /// The reply code, 0 for none.
    pub(super) reply_code: Vec<u16>,
    /// Octets of the message, else the declared ones, else 0.
    pub(super) size: Vec<u64>,
}

impl Columns {
    /// Adds the row of `event`.
    pub(super) fn push(&mut self, event: &Event) {
        self.time.push(event.at.as_millis());
        let wide = [
            *event.id.as_bytes(),
            *event.life_line.as_bytes(),
            *event.session.as_bytes(),
            ip_octets(event.subject.client.client.ip),
        ];
        for (column, octets) in self.wide.iter_mut().zip(wide) {
            column.push(octets);
        }
        for (column, field) in self.codes.iter_mut().zip(CodeField::ALL) {
            column.push(field.code(event));
        }
        for (column, field) in self.texts.iter_mut().zip(TextField::ALL) {
            column.push_values(field, event);
        }
        self.reply_code.push(event.record.reply.as_ref().map_or(0, |reply| reply.code));
        let received = event.subject.message.as_ref().map(|message| message.size_octets);
        self.size.push(received.or(event.subject.declared_size).unwrap_or(0));
    }

    /// Adds row `row` of `view`, which may be of another program version.
    pub(super) fn copy(&mut self, view: &View<'_>, row: usize) {
        self.time.push(view.time.get(row).copied().unwrap_or(0));
        for (column, from) in self.wide.iter_mut().zip(view.wide) {
            column.push(from.get(row).copied().unwrap_or_default());
        }
        for (column, from) in self.codes.iter_mut().zip(view.codes) {
            let code = from.codes.get(row).copied().unwrap_or(0);
            column.push(from.meaning.get(usize::from(code)).copied().unwrap_or(0));
        }
        for (column, from) in self.texts.iter_mut().zip(view.texts) {
            column.octets.extend_from_slice(from.cell(row));
            column.end_cell();
        }
        self.reply_code.push(view.reply_code.get(row).copied().unwrap_or(0));
        self.size.push(view.size.get(row).copied().unwrap_or(0));
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.time.len()
    }

    /// Octets of text.
    pub(super) fn text_octets(&self) -> usize {
        self.texts.iter().map(|text| text.octets.len()).sum()
    }

    /// The columns, borrowed.
    pub(super) fn view(&self) -> View<'_> {
        View {
            time: &self.time,
            wide: self.wide.each_ref().map(Vec::as_slice),
            codes: self.codes.each_ref().map(|codes| CodeView { codes, meaning: &SAME_MEANING }),
            texts: self.texts.each_ref().map(TextArena::view),
            reply_code: &self.reply_code,
            size: &self.size,
        }
    }
}

/// Borrowed columns.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) time: &'a [i64],
    pub(super) wide: [&'a [[u8; 16]]; WideField::ALL.len()],
    pub(super) codes: [CodeView<'a>; CodeField::ALL.len()],
    pub(super) texts: [TextView<'a>; TextField::ALL.len()],
    pub(super) reply_code: &'a [u16],
    pub(super) size: &'a [u64],
}

impl<'a> View<'a> {
    /// One column of identifiers.
    pub(super) fn wide(&self, field: WideField) -> &'a [[u8; 16]] {
        self.wide.get(field as usize).copied().unwrap_or_default()
    }

    /// One column of codes.
    pub(super) fn codes(&self, field: CodeField) -> CodeView<'a> {
        let none = CodeView { codes: &[], meaning: &SAME_MEANING };
        self.codes.get(field as usize).copied().unwrap_or(none)
    }

    /// One column of texts.
    pub(super) fn text(&self, field: TextField) -> TextView<'a> {
        self.texts.get(field as usize).copied().unwrap_or_default()
    }

    /// By what rows are ordered everywhere: time, then identifier.
    pub(super) fn key(&self, row: usize) -> RowKey {
        let time = self.time.get(row).copied().unwrap_or(i64::MIN);
        (time, self.wide(WideField::Id).get(row).copied().unwrap_or_default())
    }
}

/// Time in milliseconds, then identifier.
pub(super) type RowKey = (i64, [u8; 16]);

/// An address as sixteen octets.
pub(super) fn ip_octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
