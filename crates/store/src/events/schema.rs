//! The layout of a segment file: Arrow IPC, so that any analytics engine can
//! read it. Derived from the tables of [`super::fields`].

use std::collections::HashMap;

use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::fields::WideField;
use crate::search::{NumberColumn, TextColumn, WordColumn};

/// The number of the layout; a reader refuses others.
pub(super) const FORMAT: &str = "2";

/// Keys of the file's metadata.
pub(super) mod key {
    /// [`super::FORMAT`].
    pub(crate) const FORMAT: &str = "portcullis.format";
    /// Names of the segments this one was merged from, separated by blanks.
    pub(crate) const REPLACES: &str = "portcullis.replaces";
}

/// Columns that come from no table.
pub(super) const TIME: &str = "time";
/// Events, compressed in blocks: a block is in the cell of one row, most
/// cells are empty.
pub(super) const BLOCK: &str = "block";
/// The number of the row that has the block of a row's event.
pub(super) const RECORD_BLOCK: &str = "record_block";
/// Where in the block the event begins, before compression.
pub(super) const RECORD_START: &str = "record_start";
/// Side arrays for look-ups: the numbers of references in ascending order,
/// and for each the row it belongs to.
pub(super) const INDEXES: [(&str, &str); 2] =
    [("index_reference", "index_reference_row"), ("index_life_line", "index_life_line_row")];

/// The name of the column with the texts of `text` as they were written.
pub(super) fn written(text: TextColumn) -> String {
    format!("{}_as_written", text.name())
}

/// The type of a column of words whose codes are of type `code`.
pub(super) fn words(code: DataType) -> DataType {
    DataType::Dictionary(Box::new(code), Box::new(DataType::Utf8))
}

/// The Arrow schema, with `metadata` and the text columns `texts`: a segment
/// has those that are not empty, each in the form that suits its values.
pub(super) fn schema(metadata: HashMap<String, String>, texts: Vec<(String, DataType)>) -> Schema {
    let field = |name: &str, kind| Field::new(name, kind, false);
    let mut fields =
        vec![field(TIME, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())))];
    let wide = WideField::ALL.map(|wide| field(wide.name(), DataType::FixedSizeBinary(16)));
    fields.extend(wide);
    fields.extend(WordColumn::ALL.map(|word| field(word.name(), words(DataType::UInt8))));
    fields.extend(NumberColumn::ALL.map(|number| field(number.name(), DataType::UInt32)));
    fields.extend(texts.into_iter().map(|(name, kind)| field(&name, kind)));
    fields.push(field(BLOCK, DataType::Binary));
    fields.push(field(RECORD_BLOCK, DataType::UInt32));
    fields.push(field(RECORD_START, DataType::UInt32));
    for (numbers, rows) in INDEXES {
        fields.push(field(numbers, DataType::UInt64));
        fields.push(field(rows, DataType::UInt32));
    }
    Schema::new_with_metadata(fields, metadata)
}
