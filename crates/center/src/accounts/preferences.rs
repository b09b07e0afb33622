//! How a person wants to see the console.

use serde::{Deserialize, Serialize};

use crate::CenterError;

/// Light, dark, or as the device says.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the device says.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// How much room a row takes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Density {
    /// As many rows as can be told apart.
    Compact,
    /// Some air.
    #[default]
    Comfortable,
}

macro_rules! words {
    ($type:ident: $($name:ident = $word:literal, $label:literal;)*) => {
        impl $type {
            /// Every choice.
            pub const ALL: &'static [$type] = &[$($type::$name),*];

            /// The word in pages, API and storage.
            pub const fn slug(self) -> &'static str {
                match self { $($type::$name => $word),* }
            }

            /// What people read.
            pub const fn label(self) -> &'static str {
                match self { $($type::$name => $label),* }
            }
        }

        impl std::str::FromStr for $type {
            type Err = CenterError;

            fn from_str(text: &str) -> Result<Self, CenterError> {
                let found = Self::ALL.iter().find(|choice| choice.slug() == text);
                let known = || Self::ALL.iter().map(|choice| choice.slug());
                found.copied().ok_or_else(|| CenterError::none_of("choice", text, known()))
            }
        }
    };
}

words!(Theme: Auto = "auto", "As the device"; Light = "light", "Light"; Dark = "dark", "Dark";);
words!(Density: Comfortable = "comfortable", "Comfortable"; Compact = "compact", "Compact";);

/// Most columns a person can choose.
pub const COLUMNS_MAX: usize = 64;
/// Longest name of a column, in octets.
const COLUMN_OCTETS_MAX: usize = 64;

/// What a person chose in `/me`; unknown stored fields are ignored, absent
/// ones take their default, so that a version can add some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Preferences {
    /// Light or dark.
    pub theme: Theme,
    /// How much room a row takes.
    pub density: Density,
    /// The IANA name of the zone of times.
    pub time_zone: String,
    /// Whether single keys do something (WCAG 2.1.4).
    pub shortcuts: bool,
    /// The columns of lists, in order; empty means the console's choice.
    pub columns: Vec<String>,
}

impl Default for Preferences {
    fn default() -> Self {
        Preferences {
            theme: Theme::default(),
            density: Density::default(),
            time_zone: UTC.to_owned(),
            shortcuts: true,
            columns: Vec::new(),
        }
    }
}

/// The zone of whoever chose none.
const UTC: &str = "UTC";

impl Preferences {
    /// Refuses what could not be shown.
    pub(super) fn check(&self) -> Result<(), CenterError> {
        if jiff::tz::TimeZone::get(&self.time_zone).is_err() {
            let text = "no time zone of this name is known; write it as Europe/Berlin";
            return Err(CenterError::invalid(text));
        }
        let plain = |name: &String| {
            !name.is_empty()
                && name.len() <= COLUMN_OCTETS_MAX
                && name.bytes().all(|octet| octet.is_ascii_graphic())
        };
        if self.columns.len() > COLUMNS_MAX || !self.columns.iter().all(plain) {
            return Err(CenterError::invalid("these are no columns"));
        }
        Ok(())
    }

    /// The zone of times; UTC if the one that was chosen is gone.
    pub fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.time_zone).unwrap_or(jiff::tz::TimeZone::UTC)
    }
}
