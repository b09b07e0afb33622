//! The one registry of what an attempt is searched by and shown with: parser,
//! completion, column chooser, CSV header, API names, help and documentation
//! all come from its [`FIELDS`].

mod table;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::search::{NumberColumn, TextColumn, WordColumn};

use super::nearest;
use crate::CenterError;
pub use table::FIELDS;

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As it is written before the colon, lower case.
    pub name: &'static str,
    /// Other ways to write it.
    pub aliases: &'static [&'static str],
    /// Where it stands in help and column chooser.
    pub group: Group,
    /// What its values are.
    pub kind: FieldKind,
    /// What it finds, one sentence.
    pub help: &'static str,
    /// Something to type.
    pub example: &'static str,
    /// How lists show it, if they do.
    pub column: Option<Column>,
}

impl Field {
    /// The name of its value in rows of the API and in the header of CSV
    /// files; that of the field, if it is shown in no list.
    pub fn api(&self) -> &'static str {
        self.column.map_or(self.name, |column| column.api)
    }
}

/// Kinds of fields, in the order in which people are shown them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// How it ended.
    Outcome,
    /// Who sent to whom from where.
    Envelope,
    /// What the header of the message says.
    Header,
    /// What proves the sender.
    Authentication,
    /// What is in the message.
    Content,
    /// All attempts of one message for one person.
    Story,
    /// When.
    Time,
    /// What people did.
    Handling,
}

impl Group {
    /// What people read.
    pub const fn label(self) -> &'static str {
        match self {
            Group::Outcome => "Outcome",
            Group::Envelope => "Envelope",
            Group::Header => "Header",
            Group::Authentication => "Authentication",
            Group::Content => "Content",
            Group::Story => "Story",
            Group::Time => "Time",
            Group::Handling => "Handling",
        }
    }
}

/// What the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// An outcome or a state of the life-line.
    Is,
    /// A reason code, the beginning of one, or a label.
    Type,
    /// An address, a domain or a part of one, in this column.
    Address(TextColumn),
    /// A domain with all below it, in this column.
    Domain(TextColumn),
    /// Text, in this column.
    Text(TextColumn),
    /// One whole value of this column, or a pattern: media types, hashes.
    Exact(TextColumn),
    /// An enhanced status code, or the beginning of one.
    Enhanced,
    /// The policy or managed sender that decided.
    Policy,
    /// The TLS version, or `none`.
    Tls,
    /// One of the words of this column.
    Word(WordColumn),
    /// A number, in this unit.
    Number(NumberColumn, Unit),
    /// What a message has.
    Has,
    /// `yes` or `no`.
    YesNo(Question),
    /// A client address or network.
    Ip,
    /// An identifier or a reference.
    Id(Identified),
    /// A span of time; alone it narrows the whole search.
    Time(TimeSide),
    /// Nothing of the kind is recorded yet: every value is an error.
    NotRecorded,
}

impl FieldKind {
    /// Whether only attempts have it: a later step of a life-line is found by
    /// what was known at its attempts.
    pub(super) fn of_attempts(self) -> bool {
        matches!(
            self,
            FieldKind::Is
                | FieldKind::Type
                | FieldKind::Enhanced
                | FieldKind::Policy
                | FieldKind::Word(_)
                | FieldKind::YesNo(_)
                | FieldKind::Number(
                    NumberColumn::Code | NumberColumn::Attempts | NumberColumn::Wait,
                    _
                )
        )
    }
}

/// What a number counts, and so how people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nothing in particular.
    Plain,
    /// A reply code; `5xx` and `5*` mean all that begin so.
    Code,
    /// Octets: `5MB`, `300k`, `1GiB`.
    Octets,
    /// Milliseconds, written `10m`, `1h30m`, `45s`.
    Span,
}

/// A question about the story of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether a greylisted sender came back.
    Retried,
    /// Whether network, sender and recipient were new to each other.
    FirstContact,
}

/// What an identifier names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identified {
    /// One event, by id or reference.
    Event,
    /// One life-line, by id or reference.
    LifeLine,
    /// One session, by id.
    Session,
}

/// Which part of a span of time a field gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSide {
    /// The span itself.
    Within,
    /// From its beginning on.
    After,
    /// Before its beginning.
    Before,
}

/// How lists show a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Column {
    /// The heading.
    pub label: &'static str,
    /// The name of the value in rows of the API and in the header of CSV files.
    pub api: &'static str,
    /// How a cell is drawn.
    pub drawn: Drawn,
    /// By which stored column lists are sorted, if they can be.
    #[serde(rename = "sortable", serialize_with = "is_some")]
    #[schemars(with = "bool")]
    pub sort: Option<store::search::Column>,
}

fn is_some<S: Serializer>(
    sort: &Option<store::search::Column>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(sort.is_some())
}

/// How a cell is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Drawn {
    /// A point in time.
    Time,
    /// Shape, word and colour of an outcome.
    Outcome,
    /// The label of a reason.
    Label,
    /// Display name and address, with the envelope sender below where it differs.
    Mailbox,
    /// Words; may be long.
    Text,
    /// An address or identifier, in a fixed width.
    Code,
    /// A number, to the right.
    Number,
    /// Octets, in a readable unit.
    Octets,
    /// A span in milliseconds, in readable units.
    Duration,
    /// A list of words.
    List,
}

/// The field of this name or alias, in any case.
pub fn find(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| {
        field.name.eq_ignore_ascii_case(name)
            || field.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

/// The field somebody probably meant.
pub(super) fn nearest(name: &str) -> Option<&'static Field> {
    let names =
        FIELDS.iter().flat_map(|f| std::iter::once(f.name).chain(f.aliases.iter().copied()));
    nearest::nearest(name, names).and_then(find)
}

/// The name of a column: a field that lists show.
#[derive(Clone, Copy)]
pub struct ColumnName(&'static Field, Column);

impl ColumnName {
    /// The time of an event, by which lists are sorted unless told otherwise.
    pub const TIME: ColumnName = ColumnName(&table::TIME, table::TIME_COLUMN);

    /// Every column, in the order of the table.
    pub fn all() -> impl Iterator<Item = ColumnName> {
        FIELDS.iter().filter_map(|field| field.column.map(|column| ColumnName(field, column)))
    }

    /// The name, as it is written in addresses.
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// The field it shows.
    pub fn field(self) -> &'static Field {
        self.0
    }

    /// How it is shown.
    pub fn column(self) -> Column {
        self.1
    }
}

impl PartialEq for ColumnName {
    fn eq(&self, other: &ColumnName) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ColumnName {}

impl fmt::Debug for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ColumnName {
    type Err = CenterError;
    fn from_str(text: &str) -> Result<Self, CenterError> {
        let found = find(text).and_then(|field| Some(ColumnName(field, field.column?)));
        found.ok_or_else(|| {
            CenterError::none_of("column", text, ColumnName::all().map(|column| column.as_str()))
        })
    }
}

impl Serialize for ColumnName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ColumnName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One field as help shows it.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct FieldHelp {
    /// The name.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Where it stands.
    pub group: Group,
    /// What it finds.
    pub help: &'static str,
    /// Something to type.
    pub example: &'static str,
    /// Whether it can find something: whether anything records it.
    pub recorded: bool,
    /// How lists show it, if they do.
    pub column: Option<Column>,
}

/// The whole table, for help pages, the API and the command line.
pub fn help() -> Vec<FieldHelp> {
    let line = |field: &Field| FieldHelp {
        name: field.name,
        aliases: field.aliases,
        group: field.group,
        help: field.help,
        example: field.example,
        recorded: field.kind != FieldKind::NotRecorded,
        column: field.column,
    };
    FIELDS.iter().map(line).collect()
}
