//! One event as one CSV row.

use std::borrow::Cow;
use std::io::Write;

use types::information::information;
use types::{Event, Reason};

use crate::search::label_of;

/// The columns, in order; people keep files that have them.
pub const COLUMNS: [&str; 18] = [
    "time",
    "ref",
    "life",
    "reason",
    "label",
    "code",
    "ecode",
    "stage",
    "ip",
    "helo",
    "from",
    "to",
    "header_from",
    "subject",
    "size",
    "policy",
    "info",
    "reply",
];

/// Writes an event as a row (RFC 4180).
///
/// # Errors
///
/// A writer that fails.
pub fn write_row(writer: &mut csv::Writer<impl Write>, event: &Event) -> Result<(), csv::Error> {
    for cell in cells(event) {
        writer.write_field(spreadsheet_safe(&cell).as_ref())?;
    }
    writer.write_record(None::<&[u8]>)
}

fn cells(event: &Event) -> [String; COLUMNS.len()] {
    let subject = &event.subject;
    let message = subject.message.as_deref();
    let reply = event.record.reply.as_ref();
    let text = |value: Option<&str>| value.unwrap_or("").to_owned();
    let authors = message.map_or(&[][..], |facts| facts.header_from.as_slice());
    let authors: Vec<&str> = authors.iter().map(|mailbox| mailbox.address.as_str()).collect();
    let size = message.map(|facts| facts.size_octets).or(subject.declared_size);
    let policy = event.outcome().and_then(types::Outcome::decision).and_then(|d| d.policy);
    [
        event.at.to_string(),
        event.reference().to_string(),
        event.life_line.reference().to_string(),
        text(event.reason().map(Reason::slug)),
        label_of(event),
        reply.map(|reply| reply.code.to_string()).unwrap_or_default(),
        reply.and_then(|reply| reply.enhanced).map(|code| code.to_string()).unwrap_or_default(),
        text(event.record.stage.or(event.reason().map(Reason::stage)).map(types::Stage::slug)),
        subject.client.client.ip.to_string(),
        text(subject.client.helo.as_deref()),
        text(subject.reverse_path.as_deref().map(types::ReversePath::as_str)),
        text(subject.recipient.as_ref().map(types::ForwardPath::as_str)),
        authors.join(", "),
        text(message.and_then(|facts| facts.subject.as_deref())),
        size.map(|octets| octets.to_string()).unwrap_or_default(),
        policy.map(|policy| policy.to_string()).unwrap_or_default(),
        information(event),
        reply.map(|reply| reply.to_string()).unwrap_or_default(),
    ]
}

/// A cell that no spreadsheet takes for a formula: text of a sender reaches
/// an administrator's screen this way, so what begins with `=`, `+`, `-`, `@`,
/// tab or carriage return gets an apostrophe.
pub fn spreadsheet_safe(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return Cow::Owned(format!("'{cell}"));
    }
    Cow::Borrowed(cell)
}
