//! Where a page ends, in a form that travels in an address.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use store::search::{Cursor as Place, SortValue};
use types::Timestamp;

use crate::CenterError;

/// The edge of a page: the row at its edge, how many rows stand before it or
/// up to it, and on which side the wanted page lies. Opaque to everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The row at the edge; nothing before the first row.
    pub(crate) edge: Option<Place>,
    /// Rows up to the edge, its own included.
    pub(crate) position: usize,
    /// The wanted page ends with the edge, rather than beginning after it.
    pub(crate) back: bool,
}

impl Cursor {
    /// The first page.
    pub(crate) const START: Cursor = Cursor { edge: None, position: 0, back: false };
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.back { 'b' } else { 'a' };
        let Some(Place { value, at, id }) = &self.edge else { return f.write_str("0a") };
        write!(f, "{}{side}_{}_{id}", self.position, at.as_millis())?;
        match value {
            None => Ok(()),
            Some(SortValue::Number(number)) => write!(f, "_n{number}"),
            Some(SortValue::Ip(ip)) => write!(f, "_i{ip}"),
            Some(SortValue::Text(text)) => {
                f.write_str("_t")?;
                text.bytes().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

impl FromStr for Cursor {
    type Err = CenterError;
    fn from_str(text: &str) -> Result<Self, CenterError> {
        read(text).ok_or_else(|| CenterError::invalid("the cursor is not one this server gave out"))
    }
}

fn read(text: &str) -> Option<Cursor> {
    let mut parts = text.splitn(4, '_');
    let place = parts.next()?;
    let (position, back) = match place.strip_suffix('b') {
        Some(position) => (position, true),
        None => (place.strip_suffix('a')?, false),
    };
    let position = position.parse().ok()?;
    if text == "0a" {
        return Some(Cursor::START);
    }
    let at = Timestamp::from_millis(parts.next()?.parse().ok()?);
    let id = parts.next()?.parse().ok()?;
    let value = match parts.next() {
        None => None,
        Some(value) => Some(sort_value(value)?),
    };
    Some(Cursor { edge: Some(Place { value, at, id }), position, back })
}

fn sort_value(text: &str) -> Option<SortValue> {
    let (kind, value) = text.split_at_checked(1)?;
    Some(match kind {
        "n" => SortValue::Number(value.parse().ok()?),
        "i" => SortValue::Ip(value.parse().ok()?),
        "t" => {
            let (pairs, []) = value.as_bytes().as_chunks::<2>() else { return None };
            let digit =
                |octet: u8| char::from(octet).to_digit(16).and_then(|d| u8::try_from(d).ok());
            let octets: Option<Vec<u8>> =
                pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
            SortValue::Text(String::from_utf8(octets?).ok()?)
        }
        _ => return None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use types::EventId;

    #[test]
    fn a_cursor_is_read_back_and_nonsense_is_refused() {
        let at = Timestamp::from_millis(1_795_255_200_000);
        let id = EventId::new(at, [7; 10]);
        let values = [
            None,
            Some(SortValue::Number(7)),
            Some(SortValue::Ip("2001:db8::1".parse().unwrap())),
            Some(SortValue::Text("b\u{fc}ro_x".to_owned())),
        ];
        for value in values {
            for back in [false, true] {
                let cursor = Cursor {
                    edge: Some(Place { value: value.clone(), at, id }),
                    position: 50,
                    back,
                };
                assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
            }
        }
        assert_eq!(Cursor::START.to_string().parse::<Cursor>().unwrap(), Cursor::START);
        for text in [
            "",
            "x",
            "5a",
            "5a_1",
            "5a_1_x",
            "5c_1_0",
            &format!("5a_1_{id}_z"),
            &format!("5a_1_{id}_tzz"),
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
