//! Rows of the list: each cell as its column says it is drawn. Texts from
//! strangers are presentable already; the template escapes them.

use std::net::IpAddr;

use center::explain::beyond_permits;
use center::letting::NOT_FROM_THE_WORLD;
use center::query::edit;
use center::query::fields::{ColumnName, Drawn};
use center::search::Row;
use center::{QueueStanding, RowQueue};
use serde_json::Value;

use super::address::Address;
use crate::client::encoded;
use crate::pages::Shell;
use crate::pages::sizes::{octets, span};

/// One cell.
pub(in crate::pages) struct Cell {
    /// The heading of its column, for cards.
    pub(in crate::pages) label: &'static str,
    /// Its class: the column's name and how it is drawn.
    pub(in crate::pages) class: String,
    pub(in crate::pages) content: Content,
}

/// What a cell shows.
pub(in crate::pages) enum Content {
    /// Nothing is known.
    Nothing,
    /// The way to the message; short time, machine time, whole time.
    Time(String, String, String),
    /// Class, word, and what is known beyond it.
    Outcome(&'static str, String, Option<String>),
    /// Words, with a second line.
    Text(String, Option<String>),
    /// An address or identifier.
    Code(String),
    /// The null reverse-path.
    NullPath(Option<String>),
    /// When it is tried next: words, machine time, whole time; and what its
    /// next hop said last.
    Next(String, Option<(String, String)>, Option<String>),
}

/// One row.
pub(in crate::pages) struct Line {
    pub(in crate::pages) id: String,
    /// Whether it is the one that is open beside the list.
    pub(in crate::pages) open: bool,
    pub(in crate::pages) reference: String,
    /// The message on a page of its own.
    pub(in crate::pages) href: String,
    pub(in crate::pages) life: String,
    /// The list of what is like it.
    pub(in crate::pages) similar: String,
    /// What helps instead, where no permit of its sender ever can.
    pub(in crate::pages) beyond_permits: Option<&'static str>,
    /// Why neither a permit nor a block can do anything about it.
    pub(in crate::pages) beyond_lists: Option<&'static str>,
    pub(in crate::pages) cells: Vec<Cell>,
    /// What the row is called where only a name fits.
    pub(in crate::pages) name: String,
}

/// A row as the columns show it.
pub(in crate::pages) fn line(
    row: &Row,
    number: usize,
    columns: &[ColumnName],
    address: &Address,
    shell: &Shell,
) -> Line {
    let values = serde_json::to_value(row).unwrap_or_default();
    let cell = |column: &ColumnName| Cell {
        label: column.column().label,
        class: format!("c-{}{}", column.as_str(), drawn_class(column.column().drawn)),
        content: content(row, *column, &values, shell),
    };
    let id = row.id.to_string();
    Line {
        href: href(&id, number, address),
        life: format!("/lifelines/{}", encoded(&row.life.to_string())),
        similar: similar(row, address),
        beyond_permits: row.reason.and_then(beyond_permits),
        beyond_lists: row.direction.as_ref().map(|_| NOT_FROM_THE_WORLD),
        open: address.open == Some(row.id),
        reference: row.reference.to_string(),
        cells: columns.iter().map(cell).collect(),
        name: format!("{} {}", shell.time(row.time), row.label),
        id,
    }
}

/// The page of a message, with the list it was opened from, so that previous
/// and next go through that very list.
fn href(id: &str, number: usize, address: &Address) -> String {
    let mut pairs = address.kept(&["cols", "rows", "facets", "chart"]);
    pairs.push(("row", number.to_string()));
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    format!("/messages/{}?{}", encoded(id), pairs.join("&"))
}

fn drawn_class(drawn: Drawn) -> &'static str {
    match drawn {
        Drawn::Time | Drawn::Outcome => " nowrap",
        Drawn::Number | Drawn::Octets | Drawn::Duration => " num",
        Drawn::Label | Drawn::Mailbox | Drawn::Text | Drawn::Code | Drawn::List => "",
    }
}

/// The list of the same type from the same network, at any time and however
/// it ended.
fn similar(row: &Row, address: &Address) -> String {
    let network = match row.ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(ip) => {
            let network = std::net::Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64);
            format!("{network}/64")
        }
    };
    let network = edit::term("ip", &network);
    let query = match row.reason {
        Some(reason) => format!("{} {network}", edit::term("type", reason.slug())),
        None => network,
    };
    address.with(|address| {
        address.query = query;
        address.view = center::View::All;
    })
}

fn content(row: &Row, column: ColumnName, values: &Value, shell: &Shell) -> Content {
    let value = values.get(column.field().api()).unwrap_or(&Value::Null);
    match column.column().drawn {
        Drawn::Time => {
            Content::Time(shell.time(row.time), row.time.to_string(), shell.zone.whole(row.time))
        }
        Drawn::Outcome => outcome(row),
        Drawn::Label => Content::Text(row.label.clone(), None),
        Drawn::Mailbox => mailbox(row),
        Drawn::Text if column.as_str() == "info" && row.queue.is_some() => {
            row.queue.as_ref().map_or(Content::Nothing, |queue| next_try(queue, shell))
        }
        Drawn::Text => {
            let second = returns(row, column);
            words(value).map_or(Content::Nothing, |text| Content::Text(text, second))
        }
        Drawn::Code | Drawn::Number => words(value).map_or(Content::Nothing, Content::Code),
        Drawn::Octets => number(value, octets),
        Drawn::Duration => number(value, |millis| span(millis / 1_000)),
        Drawn::List => list(row, value),
    }
}

/// How a row of the queue stands there: class and word of its badge.
pub(in crate::pages) fn standing(standing: QueueStanding) -> (&'static str, &'static str) {
    match standing {
        QueueStanding::Queued => ("queued", "Queued"),
        QueueStanding::Trying => ("queued", "Being tried"),
        QueueStanding::Deferred => ("deferred", "Deferred"),
        QueueStanding::Held => ("held", "Held"),
    }
}

/// How often a row of the queue was tried; nothing for never.
pub(in crate::pages) fn tries(queue: &RowQueue) -> Option<String> {
    match queue.attempts {
        0 => None,
        1 => Some("1 try".to_owned()),
        many => Some(format!("{many} tries")),
    }
}

/// When a row of the queue is tried next, and what was said last.
pub(in crate::pages) fn next_try(queue: &RowQueue, shell: &Shell) -> Content {
    let at = queue.next.map(|at| (at.to_string(), shell.zone.whole(at)));
    Content::Next(queue.text.clone(), at, queue.answer.clone())
}

fn outcome(row: &Row) -> Content {
    if let Some(queue) = &row.queue {
        let (class, word) = standing(queue.standing);
        return Content::Outcome(class, word.to_owned(), tries(queue));
    }
    let (class, word) = crate::pages::badge(row.outcome, row.state.as_deref());
    let attempt = row.attempt.filter(|&number| number > 1);
    Content::Outcome(class, word, attempt.map(|number| format!("attempt {number}")))
}

/// Whether a greylisted sender came back, below what the row says of itself.
fn returns(row: &Row, column: ColumnName) -> Option<String> {
    let told = row.returns.as_ref().filter(|_| column.as_str() == "info")?;
    Some(told.text.clone())
}

/// The envelope sender, and the author on a second line where it differs.
fn mailbox(row: &Row) -> Content {
    let from = row.from.as_deref();
    let bare = |author: &str| {
        let address =
            author.rsplit_once('<').map_or(author, |(_, rest)| rest.trim_end_matches('>'));
        from.is_some_and(|from| from.eq_ignore_ascii_case(address))
    };
    let author = row.header_from.first();
    match (from, author) {
        (None, _) => Content::Nothing,
        (Some(""), author) => Content::NullPath(author.cloned()),
        // The author's name says more than the same address twice.
        (Some(from), Some(author)) if bare(author) => match author.contains('<') {
            true => Content::Text(author.clone(), None),
            false => Content::Text(from.to_owned(), None),
        },
        (Some(from), author) => Content::Text(from.to_owned(), author.cloned()),
    }
}

fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        _ => None,
    }
}

fn number(value: &Value, shown: impl Fn(u64) -> String) -> Content {
    value.as_u64().map_or(Content::Nothing, |number| Content::Code(shown(number)))
}

fn list(row: &Row, value: &Value) -> Content {
    let items: Vec<&str> =
        value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(first) = items.first() else { return Content::Nothing };
    let more = items.len().max(if value == &Value::Null { 0 } else { row_count(row, &items) }) - 1;
    Content::Text((*first).to_owned(), (more > 0).then(|| format!("and {more} more")))
}

/// How many there are of what is listed: attachments beyond the tenth are
/// counted and not named.
fn row_count(row: &Row, items: &[&str]) -> usize {
    let listed = row.attachments.first().is_some_and(|name| Some(&name.as_str()) == items.first());
    if listed { row.attachment_count } else { items.len() }
}
