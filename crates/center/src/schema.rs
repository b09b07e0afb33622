//! What the types that are written as text say of themselves in the document
//! of the API; all others derive it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::query::fields::ColumnName;
use crate::search::{Cursor, Sort};

macro_rules! texts {
    ($($type:ty, $name:literal, $description:literal, { $($key:literal: $value:expr),* };)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description $(, $key: $value)* })
            }
        }
    )*};
}

texts! {
    Cursor, "Cursor", "The edge of a page, as the page before gave it.", {};
    Sort, "Sort", "A sortable column; `-` before it for the largest or newest first.",
        { "examples": ["-time", "size"] };
    ColumnName, "ColumnName", "A column, by the name of its search field.",
        { "enum": ColumnName::all().map(ColumnName::as_str).collect::<Vec<_>>() };
}
