//! The attachments of a parsed message: what a person could save to a file.

use mail_parser::{Message, MessagePart, PartFlags, PartKind};
use sha2::{Digest, Sha256};
use types::AttachmentFacts;
use types::message::ATTACHMENTS_MAX;

/// Longest file name kept, in characters.
const NAME_CHARS_MAX: usize = 500;
/// Longest media type kept, in octets (RFC 6838 section 4.2: 127 each side).
const MEDIA_TYPE_CHARS_MAX: usize = 255;
/// How often all octets of a message may be hashed. An attached message is
/// hashed as a whole and again part by part, so nesting would multiply work.
const PASSES_MAX: usize = 3;

/// Lists the attachments in document order, those of attached messages
/// included, and says why the list is not complete if it is not.
pub(crate) fn list(message: &Message<'_>) -> (Vec<AttachmentFacts>, Option<&'static str>) {
    let mut found = Vec::new();
    let mut octets_left = message.raw().len().saturating_mul(PASSES_MAX);
    let limited = PartFlags::LIMIT_REACHED | PartFlags::NESTING_LIMIT;
    let why = message
        .parts()
        .any(|part| part.flags().intersects(limited))
        .then_some("more parts, or parts more deeply nested, than the limit");
    for part in message.parts() {
        if !is_attachment(&part) {
            continue;
        }
        if found.len() == ATTACHMENTS_MAX {
            return (found, why.or(Some("more than 100 attachments")));
        }
        let content = part.decoded();
        octets_left = match octets_left.checked_sub(content.len()) {
            Some(left) => left,
            None => return (found, why.or(Some("attached messages too deeply nested"))),
        };
        found.push(AttachmentFacts {
            name: part.attachment_name().map(|name| first_chars(name, NAME_CHARS_MAX)),
            media_type: media_type(&part),
            size_octets: content.len() as u64,
            sha256: hexadecimal(&Sha256::digest(&content)),
        });
    }
    (found, why)
}

/// Whatever has a file name or is offered for saving, and whatever is neither
/// a container nor a plain or HTML text.
fn is_attachment(part: &MessagePart<'_>) -> bool {
    let offered = part.content_disposition().is_some_and(|disposition| disposition.is_attachment());
    let named = part.attachment_name().is_some();
    match part.kind() {
        PartKind::Multipart => false,
        PartKind::Text | PartKind::Html => named || offered || !is_shown_text(part),
        PartKind::Binary | PartKind::InlineBinary => true,
        // The message itself is a part too, the one without a parent.
        PartKind::Message(_) => part.parent().is_some() || named || offered,
    }
}

/// Whether mail programs show this text as the message; a calendar entry or
/// a style sheet is a file.
fn is_shown_text(part: &MessagePart<'_>) -> bool {
    part.content_type().is_none_or(|content_type| {
        content_type.subtype().is_none_or(|subtype| {
            ["plain", "html", "enriched"].iter().any(|shown| subtype.eq_ignore_ascii_case(shown))
        })
    })
}

/// The declared type in lower case, or the default of RFC 2045 section 5.2.
fn media_type(part: &MessagePart<'_>) -> String {
    let declared = part.content_type().map(|content_type| {
        let subtype = content_type.subtype().unwrap_or("");
        format!("{}/{subtype}", content_type.ctype()).to_lowercase()
    });
    declared
        .map_or_else(|| "text/plain".to_owned(), |text| first_chars(&text, MEDIA_TYPE_CHARS_MAX))
}

fn first_chars(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

fn hexadecimal(octets: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    octets.iter().flat_map(|&octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}
