//! The kind of value that only DKIM needs: names of keys.

use toml::Value as Raw;
use types::Selector;

use super::value::{Kind, Value, ValueError, list};

impl Value for Vec<Selector> {
    const KIND: Kind = Kind::list("a list of selectors", "[\"s2026\", \"s2026-ed\"]", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        list(&Self::KIND, raw, |text| text.parse().ok())
    }
}
