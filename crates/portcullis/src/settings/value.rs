//! How the text of one setting becomes a value: the kinds, their units and
//! what is wrong with a text that is none.
//!
//! A value with a unit carries it (`"60s"`, `"25MB"`, `"600/min"`); a bare
//! number is refused where a unit is meant, because a reader of the file
//! cannot know which one the author had in mind.

use std::path::PathBuf;
use std::time::Duration;

use toml::Value as Raw;

/// Why a value was refused. The key and the place are added by whoever reads
/// the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The TOML type is another.
    #[error("must be {expected}, such as {example}, not {found}")]
    WrongType {
        /// What is wanted, in words.
        expected: &'static str,
        /// How one is written.
        example: &'static str,
        /// The TOML type that was found, with its article.
        found: &'static str,
    },
    /// A bare number where a unit is meant.
    #[error("needs a unit: write \"{number}{unit}\" if that is what is meant")]
    NeedsUnit {
        /// The number as written.
        number: i64,
        /// The likeliest unit.
        unit: &'static str,
    },
    /// The text does not follow the form of its kind.
    #[error("{text:?} is not {expected}, such as {example}")]
    Malformed {
        /// The text, cut.
        text: String,
        /// What is wanted, in words.
        expected: &'static str,
        /// How one is written.
        example: &'static str,
    },
    /// The text does not follow the form of its kind, and it is known why.
    #[error("{text:?}: {why}")]
    Because {
        /// The text, cut.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Below or above what is allowed.
    #[error("must be between {low} and {high}")]
    OutOfRange {
        /// The least allowed, as it is written in the file.
        low: &'static str,
        /// The most allowed.
        high: &'static str,
    },
    /// A sensible wish that this version cannot fulfil.
    #[error("{0} is not available in this version")]
    NotAvailable(&'static str),
    /// One of a closed set of names was wanted.
    #[error("{text:?} is not one of {names}")]
    NoSuchName {
        /// The text, cut.
        text: String,
        /// The names, separated by commas.
        names: String,
    },
}

/// The TOML type a kind is written as, which decides how the text of an
/// environment variable is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An array of strings; files add to it.
    List,
    /// An array of strings that is one value; a later file replaces it.
    Sequence,
}

/// One kind of value, for the reference page and the schema.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What it is, with its article: `a duration`.
    pub name: &'static str,
    /// How one is written, as TOML.
    pub example: &'static str,
    /// How it is written in TOML.
    pub shape: Shape,
    /// A regular expression for one text of it; empty if any text may be one.
    pub pattern: &'static str,
    /// The names of a closed set; empty if the set is not closed.
    pub names: &'static [&'static str],
}

impl Kind {
    /// A kind that is written as text.
    pub const fn text(name: &'static str, example: &'static str, pattern: &'static str) -> Kind {
        Kind { name, example, shape: Shape::Text, pattern, names: &[] }
    }

    /// A list of such texts, to which several files may add.
    pub const fn list(name: &'static str, example: &'static str, pattern: &'static str) -> Kind {
        Kind { name, example, shape: Shape::List, pattern, names: &[] }
    }
}

/// A type that a setting can have.
pub trait Value: Sized {
    /// What the reference page and the schema say about it.
    const KIND: Kind;

    /// Reads a value as it stands in a file.
    ///
    /// # Errors
    /// What is wrong with it, without the key.
    fn read(raw: &Raw) -> Result<Self, ValueError>;

    /// What stands for a setting that is left out; only an option can be.
    fn absent() -> Option<Self> {
        None
    }

    /// The value on the scale on which ranges are compared, if it has one.
    fn magnitude(&self) -> Option<u128> {
        None
    }
}

/// A setting that may be left out.
impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        T::read(raw).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn magnitude(&self) -> Option<u128> {
        self.as_ref().and_then(T::magnitude)
    }
}

/// The refusal of a value of another TOML type.
pub fn wrong_type(kind: &Kind, raw: &Raw) -> ValueError {
    let found = match raw {
        Raw::String(_) => "a text",
        Raw::Integer(_) => "a number",
        Raw::Float(_) => "a fraction",
        Raw::Boolean(_) => "true or false",
        Raw::Datetime(_) => "a date",
        Raw::Array(_) => "a list",
        Raw::Table(_) => "a table",
    };
    ValueError::WrongType { expected: kind.name, example: kind.example, found }
}

/// The refusal of a text that does not have the form of `kind`.
pub fn malformed(kind: &Kind, text: &str) -> ValueError {
    ValueError::Malformed { text: cut(text), expected: kind.name, example: kind.example }
}

/// As much of a text as belongs in an error.
pub fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// Longest text quoted in an error, in characters.
const TEXT_CHARS_MAX: usize = 80;

/// The text of a value that is written as one.
pub fn text<'a>(kind: &Kind, raw: &'a Raw) -> Result<&'a str, ValueError> {
    raw.as_str().ok_or_else(|| wrong_type(kind, raw))
}

/// Reads a list, one text after the other.
pub fn list<T>(
    kind: &Kind,
    raw: &Raw,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ValueError> {
    let Raw::Array(entries) = raw else { return Err(wrong_type(kind, raw)) };
    entries
        .iter()
        .map(|entry| {
            let text = text(kind, entry)?;
            read(text).ok_or_else(|| malformed(kind, text))
        })
        .collect()
}

impl Value for bool {
    const KIND: Kind = Kind {
        name: "true or false",
        example: "true",
        shape: Shape::Boolean,
        pattern: "",
        names: &[],
    };

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        raw.as_bool().ok_or_else(|| wrong_type(&Self::KIND, raw))
    }
}

macro_rules! whole_numbers {
    ($($type:ty, $high:literal;)*) => {$(
        impl Value for $type {
            const KIND: Kind = Kind {
                name: "a whole number",
                example: "100",
                shape: Shape::Integer,
                pattern: "",
                names: &[],
            };

            fn read(raw: &Raw) -> Result<Self, ValueError> {
                let number = raw.as_integer().ok_or_else(|| wrong_type(&Self::KIND, raw))?;
                <$type>::try_from(number)
                    .map_err(|_| ValueError::OutOfRange { low: "0", high: $high })
            }

            fn magnitude(&self) -> Option<u128> {
                Some(u128::from(*self))
            }
        }
    )*};
}

whole_numbers! {
    u8, "255";
    u32, "4294967295";
}

impl Value for Vec<PathBuf> {
    const KIND: Kind = Kind::list("a list of paths", "[\"/var/lib/GeoIP/country.mmdb\"]", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        list(&Self::KIND, raw, |text| (!text.is_empty()).then(|| PathBuf::from(text)))
    }
}

impl Value for PathBuf {
    const KIND: Kind = Kind::text("a path", "\"/var/lib/portcullis\"", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let path = text(&Self::KIND, raw)?;
        // A NUL ends a path for the operating system but not for us.
        let usable = !path.is_empty() && !path.contains('\0');
        if usable { Ok(path.into()) } else { Err(malformed(&Self::KIND, path)) }
    }
}

impl Value for Duration {
    const KIND: Kind =
        Kind::text("a duration", "\"60s\", \"12h\" or \"36d\"", "^([0-9]+(ms|s|m|h|d|w))+$");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        if let Raw::Integer(number) = raw {
            return Err(ValueError::NeedsUnit { number: *number, unit: "s" });
        }
        let text = text(&Self::KIND, raw)?;
        duration(text).ok_or_else(|| malformed(&Self::KIND, text))
    }

    fn magnitude(&self) -> Option<u128> {
        Some(self.as_millis())
    }
}

/// Reads `90s`, `1h30m`, `36d`: numbers, each with its unit, added up.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let (number, unit, after) = quantity(rest)?;
        let per_unit: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        millis = millis.checked_add(number.checked_mul(per_unit)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(Duration::from_millis(millis))
}

/// A number of octets, counted as RFC 1870 counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Octets(pub u64);

impl Value for Octets {
    const KIND: Kind =
        Kind::text("a size", "\"25MB\" or \"64KiB\"", "^[0-9]+(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        if let Raw::Integer(number) = raw {
            return Err(ValueError::NeedsUnit { number: *number, unit: "B" });
        }
        let text = text(&Self::KIND, raw)?;
        octets(text).map(Octets).ok_or_else(|| malformed(&Self::KIND, text))
    }

    fn magnitude(&self) -> Option<u128> {
        Some(u128::from(self.0))
    }
}

/// Reads `25MB` (25,000,000 octets) or `25MiB` (26,214,400).
fn octets(text: &str) -> Option<u64> {
    let (number, unit, rest) = quantity(text)?;
    let per_unit: u64 = match unit {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    if rest.is_empty() { number.checked_mul(per_unit) } else { None }
}

/// So many in a time, in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many per minute; a rate per hour is rounded up.
    pub per_minute: u32,
}

impl Value for Rate {
    const KIND: Kind = Kind::text("a rate", "\"600/min\"", "^[0-9]+/(s|min|h)$");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        if let Raw::Integer(number) = raw {
            return Err(ValueError::NeedsUnit { number: *number, unit: "/min" });
        }
        let text = text(&Self::KIND, raw)?;
        rate(text).ok_or_else(|| malformed(&Self::KIND, text))
    }

    fn magnitude(&self) -> Option<u128> {
        Some(u128::from(self.per_minute))
    }
}

fn rate(text: &str) -> Option<Rate> {
    let (number, unit) = text.split_once('/')?;
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = if plain { number.parse().ok()? } else { return None };
    let per_minute = match unit {
        "s" => number.checked_mul(60)?,
        "min" | "m" => number,
        "h" => number.div_ceil(60),
        _ => return None,
    };
    Some(Rate { per_minute })
}

/// Splits `25MB and so on` into 25, `MB` and the rest.
fn quantity(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = text.split_at_checked(digits)?;
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at_checked(letters)?;
    Some((number.parse().ok()?, unit, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Result<u128, String> {
        Duration::read(&Raw::String(text.to_owned()))
            .map(|span| span.as_millis())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn durations_are_numbers_with_units_added_up() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("60s", 60_000),
            ("1h30m", 5_400_000),
            ("12h", 43_200_000),
            ("36d", 3_110_400_000),
            ("2w", 1_209_600_000),
        ] {
            assert_eq!(span(text), Ok(millis), "{text}");
        }
        for text in ["", "s", "60", "60 s", "-60s", "1.5h", "60S", "99999999999999999999s", "1y"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_decimal_unless_they_say_binary() {
        let size = |text: &str| Octets::read(&Raw::String(text.to_owned())).map(|o| o.0).ok();
        assert_eq!(size("25MB"), Some(25_000_000));
        assert_eq!(size("64KiB"), Some(65_536));
        assert_eq!(size("0B"), Some(0));
        for text in ["", "25", "25mb", "1.5GB", "-1MB", "MB", "25MB25MB", "99999999999TB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn rates_are_counts_in_a_time() {
        let rate =
            |text: &str| Rate::read(&Raw::String(text.to_owned())).map(|r| r.per_minute).ok();
        assert_eq!(rate("600/min"), Some(600));
        assert_eq!(rate("10/s"), Some(600));
        assert_eq!(rate("90/h"), Some(2));
        for text in ["600", "600/", "/min", "+6/min", "600/day", "99999999999/min"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_answered_with_the_likeliest_unit() {
        let error = Duration::read(&Raw::Integer(600)).unwrap_err();
        assert_eq!(error.to_string(), "needs a unit: write \"600s\" if that is what is meant");
        let error = Octets::read(&Raw::Integer(25)).unwrap_err();
        assert_eq!(error.to_string(), "needs a unit: write \"25B\" if that is what is meant");
        let error = Rate::read(&Raw::Integer(5)).unwrap_err();
        assert_eq!(error.to_string(), "needs a unit: write \"5/min\" if that is what is meant");
    }

    #[test]
    fn a_wrong_type_is_answered_with_an_example() {
        let error = u32::read(&Raw::String("100".into())).unwrap_err();
        assert_eq!(error.to_string(), "must be a whole number, such as 100, not a text");
        let error = Duration::read(&Raw::Boolean(true)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "must be a duration, such as \"60s\", \"12h\" or \"36d\", not true or false"
        );
    }
}
