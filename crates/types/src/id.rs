//! Identifiers. Each is a type of its own, so that a session cannot be passed
//! where a life-line is meant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::time::Timestamp;

/// The text is not an identifier of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}: {text:?}")]
pub struct IdError {
    expected: &'static str,
    text: String,
}

impl IdError {
    fn new(expected: &'static str, text: &str) -> Self {
        IdError { expected, text: text.chars().take(60).collect() }
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $expected:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier (UUID version 7, RFC 9562): ordered by time,
            /// with 74 of the random bits.
            pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(at.as_millis()).unwrap_or(0);
                $name(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// The identifier that these sixteen octets are.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                $name(Uuid::from_bytes(bytes))
            }

            /// The sixteen octets, most significant first.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The twelve characters people quote.
            pub fn reference(&self) -> Reference {
                Reference::of(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map($name).map_err(|_| IdError::new($expected, text))
            }
        }
    )*};
}

ids! {
    /// One event; for an attempt event, the attempt itself.
    EventId, "an event id";
    /// One SMTP session.
    SessionId, "a session id";
    /// All that happened to what is one message to one person.
    LifeLineId, "a life-line id";
    /// One accepted message, for all its recipients, until it has left us.
    QueueId, "a queue id";
    /// One file of rows, made for a person to download.
    ExportId, "an export id";
}

/// Twelve Crockford base-32 characters from the random end of an identifier:
/// what a reply quotes and a person reads out on the telephone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference([u8; 12]);

/// Crockford's alphabet: no I, L, O or U.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Reference {
    fn of(id: Uuid) -> Self {
        let mut bits = id.as_u128();
        let mut text = [0; 12];
        for place in text.iter_mut().rev() {
            let digit = usize::try_from(bits & 31).unwrap_or(0);
            *place = CROCKFORD.get(digit).copied().unwrap_or(b'0');
            bits >>= 5;
        }
        Reference(text)
    }

    /// The twelve characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }

    /// The 60 bits as a number, for indexes.
    pub fn as_u64(&self) -> u64 {
        self.0.iter().fold(0, |bits, &digit| {
            let place = CROCKFORD.iter().position(|&c| c == digit).unwrap_or(0);
            (bits << 5) | place as u64
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference({self})")
    }
}

impl FromStr for Reference {
    type Err = IdError;

    /// Reads a reference as people write it: either case, `O` for zero and
    /// `I` or `L` for one (Crockford's decoding rule).
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::new("a reference of 12 characters", text);
        let mut digits = [0; 12];
        if text.len() != digits.len() {
            return Err(error());
        }
        for (place, byte) in digits.iter_mut().zip(text.bytes()) {
            let byte = match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            if !CROCKFORD.contains(&byte) {
                return Err(error());
            }
            *place = byte;
        }
        Ok(Reference(digits))
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The name of the machine that wrote an event.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct NodeName(pub Arc<str>);

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_people_write_it() {
        let id = EventId::new(Timestamp::from_millis(1_795_000_000_000), [0xA7; 10]);
        let reference = id.reference();
        let spoken = reference.as_str().to_lowercase().replace('0', "o").replace('1', "l");
        assert_eq!(spoken.parse(), Ok(reference));
        assert_eq!(reference.as_str().len(), 12);
    }

    #[test]
    fn a_reference_and_its_number_agree_with_the_id() {
        let id = EventId::new(Timestamp::from_millis(5), [0x5B; 10]);
        let low = u128::from_be_bytes(*id.as_bytes()) & ((1 << 60) - 1);
        assert_eq!(u128::from(id.reference().as_u64()), low);
    }

    #[test]
    fn wrong_references_are_refused() {
        for text in ["", "7K2M4QX9B0T", "7K2M4QX9B0TUU", "7K2M4QX9B0T!", "UUUUUUUUUUUU"] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
