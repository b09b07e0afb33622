//! Where the value of each column of a list comes from in the stored columns,
//! so that a million rows are written without decoding a million records.

use std::fmt::Write;
use std::net::IpAddr;

use store::events::ScannedRow;
use store::search::{NumberColumn, TextColumn, WordColumn};
use types::Reason;

use super::sink::{Cell, SEPARATOR};
use crate::presentable;
use crate::query::fields::ColumnName;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// When it happened.
    Time,
    /// The reference of the event.
    Reference,
    /// The life-line.
    LifeLine,
    /// The client's address.
    Ip,
    /// One text.
    Text(TextColumn),
    /// One text that every row has, though it may be empty.
    Always(TextColumn),
    /// The envelope sender, which is empty for bounces.
    Sender,
    /// Several texts.
    Texts(TextColumn),
    /// The mailboxes of the From field.
    Mailboxes,
    /// A number.
    Number(NumberColumn),
    /// A word.
    Word(WordColumn),
    /// Whether the triplet was new.
    FirstContact,
    /// Nothing records it yet.
    NotRecorded,
}

/// By the name of the value in the API.
const SOURCES: &[(&str, Source)] = &[
    ("time", Source::Time),
    ("ref", Source::Reference),
    ("life", Source::LifeLine),
    ("ip", Source::Ip),
    ("outcome", Source::Word(WordColumn::Outcome)),
    ("reason", Source::Word(WordColumn::Reason)),
    ("stage", Source::Word(WordColumn::Stage)),
    ("check", Source::Word(WordColumn::Check)),
    ("spf", Source::Word(WordColumn::Spf)),
    ("dkim", Source::Word(WordColumn::Dkim)),
    ("dmarc", Source::Word(WordColumn::Dmarc)),
    ("align", Source::Word(WordColumn::Align)),
    ("arc", Source::Word(WordColumn::Arc)),
    ("from", Source::Sender),
    ("to", Source::Text(TextColumn::To)),
    ("info", Source::Always(TextColumn::Information)),
    ("ecode", Source::Text(TextColumn::EnhancedCode)),
    ("policy", Source::Text(TextColumn::Policy)),
    ("helo", Source::Text(TextColumn::Helo)),
    ("rdns", Source::Text(TextColumn::HostName)),
    ("lists", Source::Texts(TextColumn::Lists)),
    ("asn", Source::Text(TextColumn::Network)),
    ("country", Source::Text(TextColumn::Country)),
    ("direction", Source::Text(TextColumn::Direction)),
    ("submitter", Source::Text(TextColumn::Submitter)),
    ("listener", Source::Always(TextColumn::Listener)),
    ("header_from", Source::Mailboxes),
    ("subject", Source::Text(TextColumn::Subject)),
    ("message_id", Source::Text(TextColumn::MessageId)),
    ("tls", Source::Text(TextColumn::TlsVersion)),
    ("cipher", Source::Text(TextColumn::Cipher)),
    ("attachments", Source::Texts(TextColumn::Attachments)),
    ("node", Source::Always(TextColumn::Node)),
    ("code", Source::Number(NumberColumn::Code)),
    ("size", Source::Number(NumberColumn::Size)),
    ("port", Source::Number(NumberColumn::Port)),
    ("attempt", Source::Number(NumberColumn::Attempts)),
    ("wait_ms", Source::Number(NumberColumn::Wait)),
    ("first_contact", Source::FirstContact),
];

impl Source {
    /// Where the values of a column come from.
    pub(super) fn of(column: ColumnName) -> Source {
        let api = column.field().api();
        let found = SOURCES.iter().find(|(name, _)| *name == api);
        found.map_or(Source::NotRecorded, |(_, source)| *source)
    }
}

/// For whom values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reader {
    /// A person, who reads labels rather than codes.
    pub(super) person: bool,
    /// A program that wants texts as they were, whatever they do to a screen.
    pub(super) raw: bool,
}

/// Reads values one after the other, in room of its own.
pub(super) struct Values {
    reader: Reader,
    text: String,
    /// The address that was written last: neighbours often share it.
    ip: Option<IpAddr>,
    ip_text: String,
}

impl Values {
    /// Values for this reader.
    pub(super) fn new(reader: Reader) -> Self {
        Values { reader, text: String::new(), ip: None, ip_text: String::new() }
    }

    /// Hands the value of a row to `take`.
    pub(super) fn read<T>(
        &mut self,
        source: Source,
        row: &ScannedRow<'_>,
        take: impl FnOnce(Cell<'_>) -> T,
    ) -> T {
        match source {
            Source::Time => take(Cell::Time(row.at())),
            Source::Reference => take(Cell::Text(row.id().reference().as_str())),
            Source::LifeLine => self.written(&row.life_line(), take),
            Source::Ip => take(Cell::Text(self.ip(row.ip()))),
            Source::Text(column) => self.text(&row.text(column), take),
            Source::Always(column) => match &*row.text(column) {
                "" => take(Cell::Text("")),
                text => self.text(text, take),
            },
            Source::Sender => match (&*row.text(TextColumn::From), self.reader.person) {
                // As the API has it: there is a sender, and it is empty.
                ("<>", false) => take(Cell::Text("")),
                (sender, _) => self.text(sender, take),
            },
            Source::Texts(column) => self.texts(&row.text(column), take),
            Source::Mailboxes => {
                let names = row.text(TextColumn::DisplayName);
                let joined = mailboxes(&names, &row.text(TextColumn::HeaderAddress));
                self.texts(&joined, take)
            }
            Source::Number(column) => {
                let number = row.number(column).and_then(|number| i64::try_from(number).ok());
                take(number.map_or(Cell::Nothing, Cell::Number))
            }
            Source::Word(column) => self.word(column, row, take),
            Source::FirstContact => match row.word(WordColumn::Triplet) {
                "" => take(Cell::Nothing),
                state => take(Cell::Flag(state == "first_seen")),
            },
            Source::NotRecorded => take(Cell::Nothing),
        }
    }

    fn word<T>(
        &self,
        column: WordColumn,
        row: &ScannedRow<'_>,
        take: impl FnOnce(Cell<'_>) -> T,
    ) -> T {
        let word = match (column, row.word(column)) {
            // A step on the way is in no queue: people want to know what it was.
            (WordColumn::Outcome, "") if self.reader.person => row.word(WordColumn::State),
            (WordColumn::Reason, code) if self.reader.person => label(code),
            (_, word) => word,
        };
        take(if word.is_empty() { Cell::Nothing } else { Cell::Text(word) })
    }

    /// The text of an address.
    fn ip(&mut self, ip: IpAddr) -> &str {
        if self.ip != Some(ip) {
            self.ip = Some(ip);
            self.ip_text.clear();
            let written = write!(self.ip_text, "{ip}");
            debug_assert!(written.is_ok(), "writing to a String cannot fail");
        }
        &self.ip_text
    }

    fn written<T>(
        &mut self,
        value: &impl std::fmt::Display,
        take: impl FnOnce(Cell<'_>) -> T,
    ) -> T {
        self.text.clear();
        let written = write!(self.text, "{value}");
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
        take(Cell::Text(&self.text))
    }

    fn text<T>(&self, text: &str, take: impl FnOnce(Cell<'_>) -> T) -> T {
        match text {
            "" => take(Cell::Nothing),
            text if self.reader.raw || is_plain(text) => take(Cell::Text(text)),
            text => take(Cell::Text(&presentable(text))),
        }
    }

    fn texts<T>(&self, texts: &str, take: impl FnOnce(Cell<'_>) -> T) -> T {
        if self.reader.raw || is_plain(texts) {
            return take(Cell::Texts(texts));
        }
        let shown: Vec<_> = texts.split(SEPARATOR).map(presentable).collect();
        take(Cell::Texts(&shown.join(&SEPARATOR.to_string())))
    }
}

/// Whether a text has nothing but visible ASCII, which nearly all have.
/// Without a way out of the loop it is done many octets at a time.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, octet| plain & matches!(octet, b' '..=b'~'))
}

/// What people call a reason.
fn label(code: &'static str) -> &'static str {
    Reason::ALL.iter().find(|reason| reason.slug() == code).map_or(code, |reason| reason.label())
}

/// `"Ana Ruiz" <ana@corp.example>` for each mailbox.
fn mailboxes(names: &str, addresses: &str) -> String {
    let mut names = names.split(SEPARATOR);
    let mut joined = String::with_capacity(addresses.len() + 8);
    for (place, address) in addresses.split(SEPARATOR).enumerate() {
        if place > 0 {
            joined.push(SEPARATOR);
        }
        match names.next() {
            Some(name) if !name.is_empty() => {
                joined.extend(["\"", name, "\" <", address, ">"]);
            }
            _ => joined.push_str(address),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_that_is_recorded_has_a_source() {
        use crate::query::fields::FieldKind;
        for column in ColumnName::all() {
            let recorded = column.field().kind != FieldKind::NotRecorded;
            assert_eq!(Source::of(column) != Source::NotRecorded, recorded, "{column}");
        }
    }

    #[test]
    fn mailboxes_are_joined_as_lists_show_them() {
        assert_eq!(mailboxes("", "a@b.example"), "a@b.example");
        assert_eq!(mailboxes("Ana", "a@b.example"), "\"Ana\" <a@b.example>");
        assert_eq!(mailboxes("\u{1e}Bo", "a@b\u{1e}c@d"), "a@b\u{1e}\"Bo\" <c@d>");
        assert_eq!(mailboxes("", ""), "");
    }
}
