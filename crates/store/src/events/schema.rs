//! The layout of a segment file: Arrow IPC, so that any analytics engine can
//! read it. Derived from the tables of [`super::fields`].

use std::collections::HashMap;

use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::fields::{CodeField, TextField, WideField};

/// The number of the layout; a reader refuses others.
pub(super) const FORMAT: &str = "1";

/// Keys of the file's metadata.
pub(super) mod key {
    /// [`super::FORMAT`].
    pub(crate) const FORMAT: &str = "portcullis.format";
    /// Names of the segments this one was merged from, separated by blanks.
    pub(crate) const REPLACES: &str = "portcullis.replaces";
    /// Samples the records are compressed against, in hexadecimal, separated
    /// by blanks.
    pub(crate) const SAMPLES: &str = "portcullis.samples";
}

/// Columns that come from no table.
pub(super) const TIME: &str = "time";
/// The reply code.
pub(super) const REPLY_CODE: &str = "code";
/// Octets of the message.
pub(super) const SIZE: &str = "size";
/// The compressed event.
pub(super) const RECORD: &str = "record";
/// Which sample it is compressed against.
pub(super) const RECORD_SAMPLE: &str = "record_sample";
/// Side arrays for look-ups: the numbers of references in ascending order,
/// and for each the row it belongs to.
pub(super) const INDEXES: [(&str, &str); 2] =
    [("index_reference", "index_reference_row"), ("index_life_line", "index_life_line_row")];

/// The Arrow schema, with `metadata`.
pub(super) fn schema(metadata: HashMap<String, String>) -> Schema {
    let field = |name: &str, kind| Field::new(name, kind, false);
    let word = || DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8));
    let mut fields =
        vec![field(TIME, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())))];
    let wide = WideField::ALL.map(|wide| field(wide.name(), DataType::FixedSizeBinary(16)));
    fields.extend(wide);
    fields.extend(CodeField::ALL.map(|code| field(code.name(), word())));
    fields.extend(TextField::ALL.map(|text| field(text.name(), DataType::Utf8)));
    fields.push(field(REPLY_CODE, DataType::UInt16));
    fields.push(field(SIZE, DataType::UInt64));
    fields.push(field(RECORD, DataType::Binary));
    fields.push(field(RECORD_SAMPLE, DataType::UInt16));
    for (numbers, rows) in INDEXES {
        fields.push(field(numbers, DataType::UInt64));
        fields.push(field(rows, DataType::UInt32));
    }
    Schema::new_with_metadata(fields, metadata)
}

/// Octets as text, for the metadata.
pub(super) fn hexadecimal(octets: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}

/// The octets of [`hexadecimal`]; nothing if the text is not such.
pub(super) fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}
