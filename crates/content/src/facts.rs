//! The facts an event keeps of a message: author, subject, identifier, hops,
//! attachments.
//!
//! Most messages are plain text, and for those the header is all there is to
//! read: they cost a scan of the header and the parsing of three fields. Only
//! a message whose header announces parts is parsed as MIME.

use std::sync::LazyLock;

use mail_parser::{HeaderForm, HeaderName, MessageParser};
use types::message::{REPLY_TO_MAX, SUBJECT_CHARS_MAX, UnseenAuthors};
use types::{EmailAddress, MessageFacts};

use crate::attachments;
use crate::header::{Field, HeaderBlock};
use crate::mailboxes::mailboxes;

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

/// Most mailboxes taken from the From fields; more are a trick. One behind
/// them, which is no address, says so.
pub const HEADER_FROM_MAX: usize = 8;
/// Longest Message-ID kept, in octets.
const MESSAGE_ID_OCTETS_MAX: usize = 998;
/// Octets of one field that are parsed. A thousand characters of subject fit
/// even if each is an encoded word of its own.
pub(crate) const VALUE_OCTETS_MAX: usize = 64 * 1024;

/// Reads the facts of `message`, the octets as received (RFC 5322).
///
/// Never fails: what cannot be read is named in [`MessageFacts::unread`], and
/// the facts are those of the rest.
pub fn read(message: &[u8], limits: &Limits) -> MessageFacts {
    let (mut facts, has_parts) = read_header(message, message.len() as u64);
    if has_parts && message.len() > limits.parsed_octets_max {
        unread(&mut facts, TOO_LARGE);
    } else if has_parts {
        read_parts(message, limits, &mut facts);
    }
    facts
}

/// Reads what the header says of a message of which only the beginning is at
/// hand, because the whole is too large for memory.
///
/// The beginning should hold the header: [`HEADER_OCTETS_MAX`](crate::header::HEADER_OCTETS_MAX) are enough.
pub fn read_beginning(beginning: &[u8], size_octets: u64) -> MessageFacts {
    let (mut facts, has_parts) = read_header(beginning, size_octets);
    if has_parts {
        unread(&mut facts, TOO_LARGE);
    }
    facts
}

/// Why the parts of a large message are not known.
const TOO_LARGE: &str = "the message is too large to be parsed for parts";

/// The facts in the header, and whether it announces parts.
fn read_header(message: &[u8], size_octets: u64) -> (MessageFacts, bool) {
    let header = HeaderBlock::of(message);
    let mut facts = MessageFacts { size_octets, ..MessageFacts::default() };
    let mut has_parts = false;
    let mut fields = 0;
    for field in header.fields() {
        fields += 1;
        has_parts |= announces_parts(&field);
        take(&field, &mut facts);
    }
    if header.is_cut_at(fields) {
        not_read_whole(&mut facts, UnseenAuthors::HeaderTooLarge);
        has_parts = true;
    }
    (facts, has_parts)
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
        take_authors(field, facts);
    } else if field.is("Reply-To") {
        take_reply_to(field, facts);
    } else if field.is("Subject") && facts.subject.is_none() {
        facts.subject = Some(text(field.value_up_to(VALUE_OCTETS_MAX), SUBJECT_CHARS_MAX));
    } else if field.is("Message-ID") && facts.message_id.is_none() {
        facts.message_id = Some(message_id(field.value_up_to(VALUE_OCTETS_MAX)));
    } else if facts.automatic.is_none() {
        facts.automatic = says_automatic(field).map(str::to_owned);
    }
}

/// The name of a field that says that no person wrote the message to its
/// recipients: RFC 3834 section 5 for automatic replies, RFC 2919 and RFC
/// 2369 for lists and mailings, and the customary Precedence.
fn says_automatic(field: &Field<'_>) -> Option<&'static str> {
    let value = || {
        let value = String::from_utf8_lossy(field.value_up_to(VALUE_OCTETS_MAX));
        value.split([';', '(']).next().unwrap_or("").trim().to_ascii_lowercase()
    };
    const MAILINGS: [&str; 4] = ["List-Id", "List-Unsubscribe", "List-Post", "List-Help"];
    if field.is("Auto-Submitted") {
        return (value() != "no").then_some("Auto-Submitted");
    }
    if field.is("Precedence") {
        return ["bulk", "list", "junk"].contains(&value().as_str()).then_some("Precedence");
    }
    MAILINGS.into_iter().find(|name| field.is(name))
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

/// Takes the mailboxes of one From field.
fn take_authors(field: &Field<'_>, facts: &mut MessageFacts) {
    if field.is_longer_than(VALUE_OCTETS_MAX) {
        not_read_whole(facts, UnseenAuthors::FieldTooLong);
    }
    let room = HEADER_FROM_MAX.saturating_sub(facts.header_from.len());
    let mut authors = mailboxes(field, room.saturating_add(1));
    let are_more = authors.len() > room;
    authors.truncate(room);
    facts.header_from.append(&mut authors);
    if are_more {
        not_read_whole(facts, UnseenAuthors::TooMany);
    }
}

/// Takes the mailboxes of one Reply-To field.
fn take_reply_to(field: &Field<'_>, facts: &mut MessageFacts) {
    let room = REPLY_TO_MAX.saturating_sub(facts.reply_to.len());
    let mut found = mailboxes(field, room.saturating_add(1));
    if found.len() > room || field.is_longer_than(VALUE_OCTETS_MAX) {
        unread(facts, "more than 100 mailboxes in the Reply-To field");
    }
    found.truncate(room);
    facts.reply_to.append(&mut found);
}

/// Says that there are authors whom nobody has looked at: in the record, and
/// among the authors themselves.
fn not_read_whole(facts: &mut MessageFacts, unseen: UnseenAuthors) {
    unread(facts, unseen.words());
    if facts.header_from.len() <= HEADER_FROM_MAX {
        facts.header_from.push(unseen.mailbox());
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
pub(crate) fn cut(text: &str, octets_max: usize) -> &str {
    text.get(..text.floor_char_boundary(octets_max)).unwrap_or(text)
}

/// Looks for parts alone. The fields of the message are read by then, and
/// parsing them again would cost more than finding the parts.
static PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    let known = [
        HeaderName::Received,
        HeaderName::From,
        HeaderName::To,
        HeaderName::Cc,
        HeaderName::ReplyTo,
        HeaderName::Sender,
        HeaderName::Subject,
        HeaderName::Date,
        HeaderName::MessageId,
        HeaderName::References,
        HeaderName::InReplyTo,
        HeaderName::ReturnPath,
    ];
    let parser = MessageParser::new().unknown_headers(HeaderForm::Ignore);
    known.into_iter().fold(parser, |parser, name| parser.header(name, HeaderForm::Ignore))
});

/// Parses the message as MIME and lists its attachments.
fn read_parts(message: &[u8], limits: &Limits, facts: &mut MessageFacts) {
    let parser = PARSER.clone().max_parts(limits.parts_max).max_depth(limits.depth_max);
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
/// no valid address. What stands for authors whom nobody has looked at stays.
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

pub(crate) fn comparable(address: &str) -> String {
    if UnseenAuthors::of(address).is_some() {
        return address.to_owned();
    }
    if let Ok(address) = address.parse::<EmailAddress>() {
        return address.key().to_owned();
    }
    // Blanks and a final dot change nothing for the program that shows the
    // author, so they must not for us: `ann@bad.example.` is in bad.example.
    let bare: String = address.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let bare = bare.trim_end_matches('.');
    bare.parse().map_or_else(|_| bare.to_lowercase(), |a: EmailAddress| a.key().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(message: &str) -> MessageFacts {
        read(message.as_bytes(), &Limits::default())
    }

    /// Reads one header block and compares the From mailboxes, each written
    /// as `name|address`.
    fn check_from(header: &str, expected: &[&str]) {
        let facts = facts(&format!("{header}\r\nSubject: x\r\n\r\nbody\r\n"));
        let found: Vec<_> = facts
            .header_from
            .iter()
            .map(|m| format!("{}|{}", m.name.as_deref().unwrap_or("-"), m.address))
            .collect();
        assert_eq!(found, expected, "{header:?}");
    }

    #[test]
    fn the_author_is_read_in_every_form_of_the_grammar() {
        check_from("From: ann@sender.example", &["-|ann@sender.example"]);
        check_from("From: Ann Example <ann@sender.example>", &["Ann Example|ann@sender.example"]);
        check_from("From: \"Ann, Dr.\" <ann@sender.example>", &["Ann, Dr.|ann@sender.example"]);
        check_from("from: ann@sender.example (Ann)", &["Ann|ann@sender.example"]);
        check_from(
            "From: =?utf-8?q?J=C3=BCrgen?= <j@sender.example>",
            &["Jürgen|j@sender.example"],
        );
        check_from("From: Ann\r\n <ann@sender.example>", &["Ann|ann@sender.example"]);
        check_from("From: a@x.example, B <b@y.example>", &["-|a@x.example", "B|b@y.example"]);
        check_from("From: team: a@x.example, b@y.example;", &["-|a@x.example", "-|b@y.example"]);
        check_from("From: 用户 <用户@例子.example>", &["用户|用户@例子.example"]);
    }

    #[test]
    fn where_answers_shall_go_is_read_like_the_author_and_is_no_author() {
        let many: Vec<_> = (0..REPLY_TO_MAX).map(|n| format!("a{n}@x.example")).collect();
        let facts = facts(&format!(
            "From: a@x.example\r\nReply-To: Desk <desk@y.example>\r\nreply-to: {}\r\n\r\n",
            many.join(", ")
        ));
        assert_eq!(facts.header_from.len(), 1);
        assert_eq!(facts.reply_to.len(), REPLY_TO_MAX);
        assert_eq!(facts.reply_to[0].name.as_deref(), Some("Desk"));
        assert_eq!(facts.reply_to[0].address, "desk@y.example");
        assert_eq!(facts.unread.as_deref(), Some("more than 100 mailboxes in the Reply-To field"));
    }

    #[test]
    fn tricks_in_the_from_field_hide_no_address() {
        check_from(
            "From: a@good.example\r\nFrom: b@bad.example",
            &["-|a@good.example", "-|b@bad.example"],
        );
        check_from(
            "From: \"boss@corp.example\" <x@bad.example>",
            &["boss@corp.example|x@bad.example"],
        );
        check_from("From: \"boss@corp.example\"", &["-|boss@corp.example"]);
        check_from("From: =?utf-8?q?boss=40corp.example?=", &["-|boss@corp.example"]);
        check_from("garbage\r\nFrom : x@bad.example", &["-|x@bad.example"]);
        check_from("From: not an address at all", &["-|not an address at all"]);
        check_from("From:", &[]);
        check_from("From: <>", &["-|<>"]);
    }

    #[test]
    fn no_spelling_of_the_author_hides_who_it_is() {
        for (value, expected) in [
            ("\"ceo\"@corp.example", "-|ceo@corp.example"),
            ("ceo@(c)corp.example", "-|ceo@corp.example"),
            ("<@a.example:ceo@corp.example>", "-|ceo@corp.example"),
            ("<<ceo@corp.example>>", "-|ceo@corp.example"),
            ("Boss <\"ce\\o\"@corp.example>", "Boss|\"ceo\"@corp.example"),
        ] {
            let facts = facts(&format!("From: {value}\r\n\r\n"));
            assert_eq!(comparable_addresses(&facts), ["ceo@corp.example"], "{value}");
            check_from(&format!("From: {value}"), &[expected]);
        }
    }

    #[test]
    fn every_angle_address_of_a_broken_list_is_seen() {
        let facts = facts("From: <a@good.example> <b@bad.example>\r\n\r\n");
        let keys = comparable_addresses(&facts).join(" ");
        assert!(keys.contains("b@bad.example") && keys.contains("a@good.example"), "{keys}");
    }

    #[test]
    fn more_than_eight_authors_are_told() {
        let many: Vec<_> = (0..9).map(|n| format!("a{n}@x.example")).collect();
        let facts = facts(&format!("From: {}\r\n\r\n", many.join(", ")));
        let why = "more than 8 mailboxes in the From field";
        assert_eq!(facts.header_from.len(), 9);
        assert_eq!(facts.header_from[8].address, format!("({why})"));
        assert_eq!(facts.unread.as_deref(), Some(why));
    }

    #[test]
    fn an_author_behind_more_fields_or_octets_than_are_read_is_told() {
        let long = format!("B: {}\r\n", "x".repeat(crate::HEADER_OCTETS_MAX));
        for filler in ["A: 1\r\n".repeat(crate::header::FIELDS_MAX), long] {
            for first in ["", "From: a@x.example\r\n"] {
                let facts = facts(&format!("{first}{filler}From: boss@corp.example\r\n\r\n"));
                let last = facts.header_from.last().unwrap();
                assert_eq!(UnseenAuthors::of(&last.address), Some(UnseenAuthors::HeaderTooLarge));
                assert!(comparable_addresses(&facts).contains(&last.address));
            }
        }
    }

    #[test]
    fn an_author_far_behind_the_first_is_not_overlooked() {
        let blanks = "\r\n ".repeat(VALUE_OCTETS_MAX);
        let facts = facts(&format!("From: a@x.example{blanks}<boss@x.example>\r\n\r\n"));
        let keys = comparable_addresses(&facts);
        assert!(keys.iter().any(|key| key.parse::<EmailAddress>().is_err()), "{keys:?}");
    }

    #[test]
    fn addresses_are_compared_by_key_without_repeats() {
        let facts = facts(
            "From: ANN@Sender.Example, ann@sender.example, x@bad.example., \"a b\" c@D.example\r\n\r\n",
        );
        let keys = comparable_addresses(&facts);
        assert_eq!(keys[..2], ["ann@sender.example", "x@bad.example"]);
        assert!(keys[2..].iter().all(|key| key.ends_with("c@d.example")), "{keys:?}");
    }

    #[test]
    fn subject_and_identifier_are_decoded_and_cut() {
        let facts = facts(
            "Subject: =?iso-8859-1?Q?gr=FCn?=\r\n und =?utf-8?B?YmxhdQ==?=\r\n\
             Subject: second\r\nMessage-Id: <a.b@c> trailing\r\nReceived: x\r\nreceived: y\r\n\r\n",
        );
        assert_eq!(facts.subject.as_deref(), Some("grün und blau"));
        assert_eq!(facts.message_id.as_deref(), Some("<a.b@c>"));
        assert_eq!(facts.received_fields, 2);
        let japanese = "Subject: =?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=\r\n\r\n";
        assert_eq!(self::facts(japanese).subject.as_deref(), Some("こんにちは"));
        let long =
            format!("Subject: {}\r\nMessage-ID: {}\r\n\r\n", "ü".repeat(5_000), "é".repeat(999));
        let facts = self::facts(&long);
        assert_eq!(facts.subject.unwrap().chars().count(), SUBJECT_CHARS_MAX);
        assert_eq!(facts.message_id.unwrap().len(), MESSAGE_ID_OCTETS_MAX);
    }

    const MIXED: &str = "From: a@x.example\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
        --b\r\nContent-Type: Application/PDF;\r\n\tname*=utf-8''r%C3%A9sum%C3%A9.pdf\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nYWJj\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: inner\r\nContent-Type: application/zip\r\n\
        Content-Disposition: attachment; filename=inner.zip\r\n\r\nPK\r\n\
        --b--\r\n";

    #[test]
    fn attachments_have_name_type_size_and_hash_even_inside_an_attached_message() {
        let facts = facts(MIXED);
        let listed: Vec<_> = facts
            .attachments
            .iter()
            .map(|a| (a.name.as_deref(), a.media_type.as_str(), a.size_octets))
            .collect();
        assert_eq!(listed[0], (Some("résumé.pdf"), "application/pdf", 3));
        assert!(listed.contains(&(Some("inner.zip"), "application/zip", 2)), "{listed:?}");
        assert!(listed.iter().any(|a| a.1 == "message/rfc822"), "{listed:?}");
        // SHA-256 of "abc", FIPS 180-2 appendix B.1.
        assert_eq!(
            facts.attachments[0].sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(facts.unread, None);
    }

    #[test]
    fn a_message_that_is_a_file_itself_is_an_attachment() {
        let pdf = facts("Content-Type: application/pdf; name=a.pdf\r\n\r\nx");
        assert_eq!(pdf.attachments[0].name.as_deref(), Some("a.pdf"));
        let text = facts("Content-Disposition: attachment; filename=a.txt\r\n\r\nx");
        assert_eq!(text.attachments[0].name.as_deref(), Some("a.txt"));
        assert_eq!(text.attachments[0].media_type, "text/plain");
        let folded = facts("Content-Type: text/plain;\r\n\tname=\"b.exe\"\r\n\r\nx");
        assert_eq!(folded.attachments[0].name.as_deref(), Some("b.exe"));
        for plain in ["", "Content-Type: text/html; charset=utf-8\r\n"] {
            assert_eq!(facts(&format!("{plain}\r\nx")).attachments, []);
        }
    }

    #[test]
    fn limits_leave_the_header_facts_and_a_reason() {
        let limits = Limits { parsed_octets_max: 100, ..Limits::default() };
        let facts = read(MIXED.as_bytes(), &limits);
        assert_eq!(facts.header_from[0].address, "a@x.example");
        assert_eq!(facts.attachments, []);
        assert!(facts.unread.is_some_and(|why| why.contains("too large")));
        let facts = read_beginning(&MIXED.as_bytes()[..120], 5_000_000_000);
        assert_eq!((facts.size_octets, facts.header_from.len()), (5_000_000_000, 1));
        assert!(facts.unread.is_some_and(|why| why.contains("too large")));
        let part = "--b\r\nContent-Type: application/x; name=n\r\n\r\nx\r\n";
        let many =
            format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", part.repeat(5_000));
        let facts = self::facts(&many);
        assert!(facts.unread.unwrap().contains("the limit"));
        assert!(facts.attachments.len() <= types::message::ATTACHMENTS_MAX);
    }
}
