//! The built-in lists and what they show.

use serde::{Deserialize, Serialize};

use crate::CenterError;
use crate::query::fields::ColumnName;

/// A built-in list.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// Refused, bounces and senders that never came back included.
    Rejected,
    /// Asked to come back, or broken off.
    Deferred,
    /// Kept back.
    Held,
    /// Accepted and not yet delivered.
    Queue,
    /// Taken over.
    Accepted,
    /// Taken by the next hop.
    Delivered,
    /// Failed after it was accepted.
    Bounced,
    /// Everything that ended somehow.
    #[default]
    All,
}

/// What is known of a built-in list.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct ViewInfo {
    /// The list.
    pub view: View,
    /// The name in addresses.
    pub key: &'static str,
    /// What people read on its tab.
    pub label: &'static str,
    /// What it has, one sentence.
    pub help: &'static str,
    /// The columns it shows unless somebody chose others.
    pub columns: Vec<ColumnName>,
}

/// What Rejected and Deferred show: the five fields people filter by.
const FIVE: &[&str] = &["time", "is", "type", "from", "to", "info", "ip"];
/// What lists of mail that was taken over show.
const TAKEN: &[&str] = &["time", "is", "from", "to", "subject", "size", "info", "ip"];
/// What the list of held mail shows: why it is held, for whom and from whom.
const HELD: &[&str] = &["time", "is", "type", "from", "to", "subject", "ip"];
/// What lists of what came later show.
const LATER: &[&str] = &["time", "is", "from", "to", "subject", "info"];

type ViewRow = (View, &'static str, &'static str, &'static str, &'static [&'static str]);

const VIEWS: [ViewRow; 8] = [
    (View::Rejected, "rejected", "Rejected", "Refused mail, with the reason.", FIVE),
    (
        View::Deferred,
        "deferred",
        "Deferred",
        "Mail whose sender was asked to come back, or broke off.",
        FIVE,
    ),
    (
        View::Held,
        "held",
        "Held",
        "Accepted mail that waits for somebody's decision, however long ago it came.",
        HELD,
    ),
    (
        View::Queue,
        "queue",
        "Queue",
        "Accepted mail that waits for the next hop; held mail has a list of its own.",
        TAKEN,
    ),
    (View::Accepted, "accepted", "Accepted", "Mail that was taken over.", TAKEN),
    (View::Delivered, "delivered", "Delivered", "Mail the next hop has taken.", LATER),
    (View::Bounced, "bounced", "Bounced", "Accepted mail that could not be delivered.", LATER),
    (View::All, "all", "Everything", "Every attempt, however it ended.", FIVE),
];

impl View {
    /// Every list, in the order of the tabs.
    pub const ALL: [View; 8] = [
        View::Rejected,
        View::Deferred,
        View::Held,
        View::Queue,
        View::Accepted,
        View::Delivered,
        View::Bounced,
        View::All,
    ];

    /// What is known of it.
    pub fn info(self) -> ViewInfo {
        let row = VIEWS.iter().find(|row| row.0 == self);
        let (_, key, label, help, columns) = row.copied().unwrap_or(VIEWS[7]);
        let columns = columns.iter().filter_map(|name| name.parse().ok()).collect();
        ViewInfo { view: self, key, label, help, columns }
    }

    /// The name in addresses.
    pub fn key(self) -> &'static str {
        VIEWS.iter().find(|row| row.0 == self).map_or("all", |row| row.1)
    }
}

impl std::str::FromStr for View {
    type Err = CenterError;
    fn from_str(text: &str) -> Result<Self, CenterError> {
        let found = VIEWS.iter().find(|row| row.1.eq_ignore_ascii_case(text));
        let known = || CenterError::none_of("view", text, VIEWS.iter().map(|row| row.1));
        found.map(|row| row.0).ok_or_else(known)
    }
}
