//! Recipients that are known by name, and from where.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A recipient that is known by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KnownRecipient {
    /// The address in comparable form.
    pub address: String,
    /// Whether somebody imported it; it is known until somebody removes it.
    pub imported: bool,
    /// Since when it is known from mail that the next hop took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Timestamp>,
    /// When the next hop last took mail for it, to about a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
}

/// What an import of recipients changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecipientsChange {
    /// Named ones that were not imported before.
    pub added: usize,
    /// Imported ones of the domain that are not named any more.
    pub removed: usize,
    /// How many had been imported of the domain; 0 if the list takes nobody's
    /// place.
    pub before: usize,
}

impl RecipientsChange {
    /// Whether more than half of those go that had been imported: an export
    /// that was cut short looks like this.
    pub fn removes_most(self) -> bool {
        self.removed > self.before / 2
    }
}

/// Why a recipient is taken that nobody has said exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unproven {
    /// Its domain still learns which recipients it has.
    Learning {
        /// Until then.
        until: Timestamp,
    },
    /// Nobody of its domain is known yet.
    NobodyKnown,
    /// It is not in the directory, and that is too old to be believed.
    Stale,
}
