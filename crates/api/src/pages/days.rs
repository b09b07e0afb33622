//! How many days a report looks back on: what its address says, and the
//! choice on its page (`days.html`).

use serde::Deserialize;

/// The spans of the choice, in days; the last is all that is kept.
const SPANS: [u32; 3] = [1, 7, 30];

/// What the address says.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WantedDays {
    days: Option<u32>,
}

impl WantedDays {
    /// The choice on the page at this address, of which so many are usual.
    pub(super) fn of(self, page: &'static str, usual: u32) -> Days {
        Days { page, spans: SPANS, chosen: self.days.unwrap_or(usual) }
    }
}

/// The choice, and what was chosen.
pub(super) struct Days {
    /// The address without the choice.
    pub(super) page: &'static str,
    pub(super) spans: [u32; 3],
    pub(super) chosen: u32,
}
