//! Where a page ends, in a form that travels in an address.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use types::{EventId, Timestamp};

use crate::CenterError;

/// The edge of a page: the row at its edge, how many rows stand before the
/// wanted page, and in which direction it lies. Opaque to everybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Time of the row at the edge.
    pub(crate) at: Timestamp,
    /// The row at the edge.
    pub(crate) id: EventId,
    /// Rows before the first of the wanted page.
    pub(crate) position: usize,
    /// The wanted page ends before the edge, rather than beginning after it.
    pub(crate) back: bool,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.back { 'b' } else { 'a' };
        write!(f, "{}_{}_{}{side}", self.at.as_millis(), self.id, self.position)
    }
}

impl FromStr for Cursor {
    type Err = CenterError;
    fn from_str(text: &str) -> Result<Self, CenterError> {
        let read = || {
            let mut parts = text.split('_');
            let at = Timestamp::from_millis(parts.next()?.parse().ok()?);
            let id = parts.next()?.parse().ok()?;
            let place = parts.next()?;
            let (position, back) = match place.strip_suffix('b') {
                Some(position) => (position, true),
                None => (place.strip_suffix('a')?, false),
            };
            let position = position.parse().ok()?;
            parts.next().is_none().then_some(Cursor { at, id, position, back })
        };
        read().ok_or_else(|| CenterError::invalid("the cursor is not one this server gave out"))
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
