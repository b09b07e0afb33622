//! The range of a list: its words, its ends, and the way back and forth.

use center::View;
use center::search::Span;
use types::Timestamp;

use super::address::Address;
use crate::pages::Shell;

/// Ranges to choose from: from, to, what people read.
const PRESETS: [(&str, &str, &str); 9] = [
    ("now-15m", "", "Last 15 minutes"),
    ("now-1h", "", "Last hour"),
    ("now-4h", "", "Last 4 hours"),
    ("now-24h", "", "Last 24 hours"),
    ("now-3d", "", "Last 3 days"),
    ("now-7d", "", "Last 7 days"),
    ("today", "", "Today"),
    ("yesterday", "today", "Yesterday"),
    ("", "", "All that is kept"),
];

/// One range to choose.
pub(super) struct Preset {
    pub(super) label: &'static str,
    pub(super) href: String,
    pub(super) current: bool,
}

/// The way back to another range.
pub(super) struct Reset {
    /// Which, in words.
    pub(super) label: String,
    pub(super) href: String,
}

/// What the range picker shows.
pub(super) struct Range {
    /// The words of the range.
    pub(super) label: String,
    /// Both ends, in the reader's zone.
    pub(super) ends: String,
    pub(super) presets: Vec<Preset>,
    /// One range earlier.
    pub(super) back: Option<String>,
    /// One range later; nothing if that is the future.
    pub(super) forward: Option<String>,
    /// Both ends as the fields of the form take them.
    pub(super) from_field: String,
    pub(super) to_field: String,
    /// The list with both ends fixed.
    pub(super) pinned: String,
    /// The range before, if this is a part of one; else the usual one, if
    /// this is another.
    pub(super) reset: Option<Reset>,
}

impl Range {
    /// The range of `address`, which was searched as `span` at `now`.
    pub(super) fn of(address: &Address, span: Span, now: Timestamp, shell: &Shell) -> Range {
        let preset =
            PRESETS.iter().find(|(from, to, _)| *from == address.from && *to == address.to);
        let to = span.to.unwrap_or(now).min(now);
        let fixed = |from: Option<Timestamp>, to: Timestamp| {
            address.with(|address| {
                address.from = from.map_or(String::new(), |from| from.to_string());
                address.to = to.to_string();
            })
        };
        let length = span.from.map(|from| to.since(from)).filter(|length| !length.is_zero());
        let back = span.from.zip(length).map(|(from, length)| fixed(Some(from - length), from));
        let later =
            length.map(|length| (to, to + length)).filter(|_| span.to.is_some_and(|to| to < now));
        let zone = &shell.zone;
        let begin = span.from.map_or_else(|| "the beginning".to_owned(), |from| zone.end(from));
        Range {
            label: match address.view {
                // What is in the queue is there, however long ago it came.
                View::Queue | View::Held => "Any time",
                _ => preset.map_or("Chosen range", |(.., label)| label),
            }
            .to_owned(),
            ends: format!("{begin} \u{2013} {}", zone.end(to)),
            presets: PRESETS
                .iter()
                .map(|&(from, to, label)| choice(address, from, to, label))
                .collect(),
            back,
            forward: later.map(|(from, to)| fixed(Some(from), to)),
            from_field: span.from.map_or(String::new(), |from| zone.field(from)),
            to_field: zone.field(to),
            pinned: pinned(address, span.from, to),
            reset: reset(address, preset.is_some()),
        }
    }
}

/// The way back: to what somebody chose before it was narrowed, else to the
/// usual range.
fn reset(address: &Address, is_preset: bool) -> Option<Reset> {
    let Some((from, to)) = &address.within else {
        let href = address.ranged(super::address::FROM, "");
        return (!is_preset).then(|| Reset { label: "Reset range".to_owned(), href });
    };
    let chosen = PRESETS.iter().find(|(start, end, _)| start == from && end == to);
    let label = chosen.map_or_else(
        || "Back to the range before".to_owned(),
        |(.., label)| format!("Back to: {label}"),
    );
    Some(Reset { label, href: address.ranged(from, to) })
}

/// The list with both ends fixed, and what is open beside it.
fn pinned(address: &Address, from: Option<Timestamp>, to: Timestamp) -> String {
    let mut pinned = Address { cursor: None, wait: false, ..address.clone() };
    pinned.from = from.map_or(String::new(), |from| from.to_string());
    pinned.to = to.to_string();
    pinned.href()
}

fn choice(address: &Address, from: &str, to: &str, label: &'static str) -> Preset {
    let href = address.ranged(from, to);
    Preset { label, href, current: address.from == from && address.to == to }
}
