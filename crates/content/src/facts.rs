//! The facts an event keeps of a message: author, subject, identifier, hops,
//! attachments.
//!
//! Most messages are plain text, and for those the header is all there is to
//! read: they cost a scan of the header and the parsing of three fields. Only
//! a message whose header announces parts is parsed as MIME.

use mail_parser::{HeaderForm, MessageParser};
use types::message::SUBJECT_CHARS_MAX;
use types::{EmailAddress, HeaderMailbox, MessageFacts};

use crate::attachments;
use crate::header::{Field, HeaderBlock};

/// What reading may cost at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Larger messages are not parsed for parts; octets.
    pub parsed_octets_max: usize,
    /// Most parts, the message itself and its containers included.
    pub parts_max: usize,
    /// Most multiparts and messages one inside the other.
    pub depth_max: usize,
}

impl Default for Limits {
    /// 64 MiB, 250 parts, 32 levels: more than honest mail needs.
    fn default() -> Self {
        Limits { parsed_octets_max: 64 * 1024 * 1024, parts_max: 250, depth_max: 32 }
    }
}

/// Most mailboxes taken from the From fields; more are a trick.
pub const HEADER_FROM_MAX: usize = 8;
/// Longest Message-ID kept, in octets.
const MESSAGE_ID_OCTETS_MAX: usize = 998;
/// Longest address kept, in octets: one line of a header (RFC 5322 section
/// 2.1.1), since it need not be a valid one.
const ADDRESS_OCTETS_MAX: usize = 998;
/// Longest display name kept, in characters.
const NAME_CHARS_MAX: usize = 500;
/// Octets of one field that are parsed. A thousand characters of subject fit
/// even if each is an encoded word of its own.
const VALUE_OCTETS_MAX: usize = 64 * 1024;

/// Reads the facts of `message`, the octets as received (RFC 5322).
///
/// Never fails: what cannot be read is named in [`MessageFacts::unread`], and
/// the facts are those of the rest.
pub fn read(message: &[u8], limits: &Limits) -> MessageFacts {
    let header = HeaderBlock::of(message);
    let mut facts = MessageFacts { size_octets: message.len() as u64, ..MessageFacts::default() };
    let mut has_parts = false;
    let mut fields = 0;
    for field in header.fields() {
        fields += 1;
        has_parts |= announces_parts(&field);
        take(&field, &mut facts);
    }
    if header.is_cut_at(fields) {
        unread(&mut facts, "the header is larger than the limit");
        has_parts = true;
    }
    if has_parts {
        read_parts(message, limits, &mut facts);
    }
    facts
}

/// Notes why something was not read; the first reason stays.
fn unread(facts: &mut MessageFacts, why: &str) {
    facts.unread.get_or_insert_with(|| why.to_owned());
}

/// Takes what a field says of the message as a whole.
fn take(field: &Field<'_>, facts: &mut MessageFacts) {
    if field.is("Received") {
        facts.received_fields = facts.received_fields.saturating_add(1);
    } else if field.is("From") {
        take_mailboxes(field, facts);
    } else if field.is("Subject") && facts.subject.is_none() {
        facts.subject = Some(text(field.value_up_to(VALUE_OCTETS_MAX), SUBJECT_CHARS_MAX));
    } else if field.is("Message-ID") && facts.message_id.is_none() {
        facts.message_id = Some(message_id(field.value_up_to(VALUE_OCTETS_MAX)));
    }
}

/// Whether a header field says that the message is more than one plain text.
/// An unreadable value says so too, to be on the safe side.
fn announces_parts(field: &Field<'_>) -> bool {
    if field.is("Content-Disposition") {
        return true;
    }
    if !field.is("Content-Type") {
        return false;
    }
    let value = field.value_up_to(VALUE_OCTETS_MAX);
    let parsed = HeaderForm::ContentType.parse(value);
    let plain = parsed.value().as_content_type().is_some_and(|content_type| {
        let text = content_type.ctype().eq_ignore_ascii_case("text");
        let shown = content_type.subtype().is_some_and(|subtype| {
            subtype.eq_ignore_ascii_case("plain") || subtype.eq_ignore_ascii_case("html")
        });
        text && shown && !content_type.has_attribute("name")
    });
    !plain
}

/// Takes the mailboxes of one From field, groups included.
///
/// A text that is no mailbox stays as it was written: a program that shows it
/// as the author must not be better informed than the policy.
fn take_mailboxes(field: &Field<'_>, facts: &mut MessageFacts) {
    let value = field.value_up_to(VALUE_OCTETS_MAX);
    let parsed = HeaderForm::Addresses.parse(value);
    let value_parsed = parsed.value();
    let list = value_parsed.as_address();
    let mut found = false;
    for mailbox in list.iter().flat_map(|list| list.mailboxes()) {
        let (name, address) = match (mailbox.name(), mailbox.address()) {
            (name, Some(address)) => (name, address),
            (Some(name), None) => (None, name),
            (None, None) => continue,
        };
        found = true;
        if facts.header_from.len() == HEADER_FROM_MAX {
            return unread(facts, "more than 8 mailboxes in the From field");
        }
        facts.header_from.push(HeaderMailbox {
            name: name.map(|name| name.chars().take(NAME_CHARS_MAX).collect()),
            address: cut(address.trim(), ADDRESS_OCTETS_MAX).to_owned(),
        });
    }
    let raw = String::from_utf8_lossy(value);
    if !found && !raw.trim().is_empty() {
        if facts.header_from.len() == HEADER_FROM_MAX {
            return unread(facts, "more than 8 mailboxes in the From field");
        }
        let address = cut(raw.trim(), ADDRESS_OCTETS_MAX).to_owned();
        facts.header_from.push(HeaderMailbox { name: None, address });
    }
}

/// An unstructured value, unfolded and decoded (RFC 2047).
fn text(value: &[u8], chars_max: usize) -> String {
    let parsed = HeaderForm::Text.parse(value);
    let value = parsed.value();
    value.as_text().unwrap_or_default().chars().take(chars_max).collect()
}

/// The identifier with its brackets, or the whole value if it has none.
fn message_id(value: &[u8]) -> String {
    let value = String::from_utf8_lossy(value);
    let value = value.trim();
    let bracketed = value.find('<').and_then(|open| {
        let rest = value.get(open..)?;
        rest.get(..=rest.find('>')?)
    });
    cut(bracketed.unwrap_or(value), MESSAGE_ID_OCTETS_MAX).to_owned()
}

/// At most `octets_max` octets of `text`, whole characters only.
fn cut(text: &str, octets_max: usize) -> &str {
    text.get(..text.floor_char_boundary(octets_max)).unwrap_or(text)
}

/// Parses the message as MIME and lists its attachments.
fn read_parts(message: &[u8], limits: &Limits, facts: &mut MessageFacts) {
    if message.len() > limits.parsed_octets_max {
        return unread(facts, "the message is too large to be parsed for parts");
    }
    let parser = MessageParser::new()
        .max_parts(limits.parts_max)
        .max_depth(limits.depth_max)
        .unknown_headers(HeaderForm::Ignore);
    let Some(parsed) = parser.parse(message) else {
        return unread(facts, "the message has no readable header");
    };
    let (attachments, why) = attachments::list(&parsed);
    facts.attachments = attachments;
    if let Some(why) = why {
        unread(facts, why);
    }
}

/// The addresses of the From field as lists compare them, without repeats:
/// the keys of [`EmailAddress`], or the bare text in lower case where it is
/// no valid address.
pub fn comparable_addresses(facts: &MessageFacts) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for mailbox in &facts.header_from {
        let key = comparable(&mailbox.address);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn comparable(address: &str) -> String {
    if let Ok(address) = address.parse::<EmailAddress>() {
        return address.key().to_owned();
    }
    // Blanks and a final dot change nothing for the program that shows the
    // author, so they must not for us: `ann@bad.example.` is in bad.example.
    let bare: String = address.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let bare = bare.trim_end_matches('.');
    bare.parse().map_or_else(|_| bare.to_lowercase(), |a: EmailAddress| a.key().to_owned())
}
