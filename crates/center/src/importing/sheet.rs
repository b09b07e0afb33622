//! The managed senders of Mimecast, as its console exports them: one row per
//! sender and recipient. The titles of the columns have changed over the
//! years, so each is known by several names; columns beyond them are left out.

use types::lists::SenderAction;

use super::{Item, Line, SHOWN_CHARS_MAX, pattern};
use crate::presentable_within;

/// The names of a column, in lower case and without what is no letter.
const SENDER: &[&str] = &[
    "sender",
    "senderaddress",
    "senderaddressdomain",
    "from",
    "fromaddress",
    "emailaddressdomain",
];
const RECIPIENT: &[&str] = &[
    "recipient",
    "recipientaddress",
    "to",
    "toaddress",
    "user",
    "internaladdress",
    "internaluser",
    "emailaddress",
];
const TYPE: &[&str] = &["type", "policytype", "action", "policy", "status", "permitblock"];
const NOTE: &[&str] = &["note", "comment", "comments", "description", "reason"];

/// What a type does.
const TYPES: &[(&str, SenderAction)] = &[
    ("permit", SenderAction::Permit),
    ("permitted", SenderAction::Permit),
    ("manualpermit", SenderAction::Permit),
    ("allow", SenderAction::Permit),
    ("block", SenderAction::Block),
    ("blocked", SenderAction::Block),
    ("manualblock", SenderAction::Block),
    ("auto", SenderAction::Auto),
    ("autoallow", SenderAction::Auto),
    ("autopermitted", SenderAction::Auto),
    ("disabled", SenderAction::Disabled),
];

/// Where the columns stand.
struct Places {
    sender: usize,
    recipient: usize,
    does: usize,
    note: Option<usize>,
}

/// Reads the rows of a file.
///
/// # Errors
///
/// A sentence, if a column that is needed is missing.
pub(super) fn read(text: &str) -> Result<Vec<Line>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?;
    let places = places(header)?;
    let mut lines = Vec::new();
    for record in reader.records() {
        let (number, read) = match record {
            Ok(record) => (line_of(record.position()), item(&record, &places)),
            Err(error) => (line_of(error.position()), Err(error.to_string())),
        };
        lines.push(Line { number, read: read.map(|item| vec![item]) });
    }
    Ok(lines)
}

fn line_of(position: Option<&csv::Position>) -> usize {
    position.map_or(0, |at| usize::try_from(at.line()).unwrap_or(usize::MAX))
}

/// The separator: what the first line has most of.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |separator: u8| first.bytes().filter(|octet| *octet == separator).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

fn places(header: &csv::StringRecord) -> Result<Places, String> {
    let titles: Vec<String> = header.iter().map(letters).collect();
    let place = |names: &[&str]| {
        names.iter().find_map(|name| titles.iter().position(|title| title == name))
    };
    let needed = |names: &[&str], what: &str| {
        place(names).ok_or_else(|| {
            format!("the first line names no column for the {what}; known are {}", names.join(", "))
        })
    };
    Ok(Places {
        sender: needed(SENDER, "sender")?,
        recipient: needed(RECIPIENT, "recipient")?,
        does: needed(TYPE, "type")?,
        note: place(NOTE),
    })
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn item(record: &csv::StringRecord, places: &Places) -> Result<Item, String> {
    let cell = |place: usize| record.get(place).unwrap_or_default();
    let shown = |text: &str| presentable_within(text, SHOWN_CHARS_MAX);
    let does = letters(cell(places.does));
    let action = TYPES.iter().find(|(name, _)| *name == does).map(|(_, action)| *action);
    let action = action.ok_or_else(|| {
        format!(
            "{:?} is no type of entry: permit, block, auto or disabled",
            shown(cell(places.does))
        )
    })?;
    let recipient = cell(places.recipient);
    Ok(Item::Entry {
        sender: pattern(cell(places.sender))?,
        recipient: recipient
            .parse()
            .map_err(|error| format!("recipient {:?}: {error}", shown(recipient)))?,
        action,
        note: places.note.map(cell).unwrap_or_default().to_owned(),
    })
}
