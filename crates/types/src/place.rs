//! Where a client is, as far as a file knows.

use serde::{Deserialize, Serialize};

use crate::definition::Country;

/// The place of an address.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct PlaceFacts {
    /// Its country, by ISO 3166.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// The number of its autonomous system (RFC 6793).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<u32>,
}
