//! What a row of the table of settings is, and how a row becomes a field.
//!
//! The macro [`settings!`] turns the table into the structs the program reads
//! and, from the same lines, into [`Row`]s from which the parser, the
//! environment, the reference page, the schema and the example file come. So
//! a setting cannot exist without its documentation, or the other way round.

use super::read::Reader;
use super::value::Kind;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The last part of its key.
    pub name: &'static str,
    /// Of which kind its values are.
    pub kind: Kind,
    /// The default as TOML; nothing for a setting that may be left out.
    pub default: Option<&'static str>,
    /// Whether it has to be given.
    pub required: bool,
    /// The least and the most allowed, as TOML.
    pub range: Option<(&'static str, &'static str)>,
    /// An example, as TOML.
    pub example: &'static str,
    /// What it does, a line at a time.
    pub doc: &'static [&'static str],
}

/// A table of the settings file.
#[derive(Clone, Copy, Debug)]
pub struct SectionRows {
    /// Its key, `smtp.tls`; empty for the top of the file.
    pub key: &'static str,
    /// Whether it can stand there several times, `[[smtp.listener]]`.
    pub repeated: bool,
    /// What it is about, a line at a time.
    pub doc: &'static [&'static str],
    /// Its settings.
    pub rows: &'static [Row],
}

impl SectionRows {
    /// The whole key of a row: `smtp.idle_timeout`, `domain[].name`.
    pub fn key_of(&self, row: &Row) -> String {
        match (self.key, self.repeated) {
            ("", _) => row.name.to_owned(),
            (key, false) => format!("{key}.{}", row.name),
            (key, true) => format!("{key}[].{}", row.name),
        }
    }

    /// The environment variable of a row; `0` stands for the first of several.
    pub fn variable_of(&self, row: &Row) -> String {
        let key = self.key_of(row).replace("[]", ".0");
        format!("{}{}", super::environment::PREFIX, key.to_ascii_uppercase().replace('.', "__"))
    }
}

/// A struct made of one section of the settings.
pub(super) trait Section: Sized {
    /// What the table says of it.
    const ROWS: SectionRows;

    /// Reads it; problems go to the reader. Nothing if a value that has no
    /// default is missing or wrong.
    fn read(reader: &mut Reader<'_>, at: &str) -> Option<Self>;
}

/// The default of a row as an option: `none` and `required` have none.
macro_rules! default_of {
    (none) => {
        None
    };
    (required) => {
        None
    };
    ($default:tt) => {
        Some(stringify!($default))
    };
}

/// Whether a default says that a value has to be given.
macro_rules! is_required {
    (required) => {
        true
    };
    ($default:tt) => {
        false
    };
}

/// The example of a row: its own, or its default.
macro_rules! example_of {
    ($default:tt) => {
        stringify!($default)
    };
    ($default:tt $example:tt) => {
        stringify!($example)
    };
}

/// A range, if the row has one.
macro_rules! range_of {
    () => {
        None
    };
    ($low:literal $high:literal) => {
        Some((stringify!($low), stringify!($high)))
    };
}

/// The type of a field: one section, or several of a kind.
macro_rules! field_of {
    (one $section:ident) => {
        $section
    };
    (many $section:ident) => {
        Vec<Numbered<$section>>
    };
}

/// Makes the sections and the whole from the table.
///
/// A row is `name: Type = default, within low..=high, like example;` where the
/// range and the example may be missing; `none` is the default of what may be
/// left out, `required` of what may not.
macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])+
        $many:ident $field:ident: $section:ident at $at:literal {$(
            $(#[doc = $doc:literal])+
            $name:ident: $type:ty = $default:tt
                $(, within $low:literal..=$high:literal)? $(, like $example:tt)?;
        )*}
    )*) => {
        /// Every value the program is steered by, checked and with its unit.
        #[derive(Clone, Debug)]
        pub struct Settings {$(
            $(#[doc = $section_doc])+
            pub $field: field_of!($many $section),
        )*}

        impl Settings {
            /// Every section of the table, in the order of the reference page.
            pub const SECTIONS: &'static [SectionRows] = &[$($section::ROWS),*];

            /// Reads all sections; problems go to the reader.
            pub(super) fn read(reader: &mut Reader<'_>) -> Option<Settings> {
                $(let $field = read_section!($many $section, reader, $at);)*
                Some(Settings { $($field: $field?),* })
            }
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug)]
            pub struct $section {$(
                $(#[doc = $doc])+
                pub $name: $type,
            )*}

            impl Section for $section {
                const ROWS: SectionRows = SectionRows {
                    key: $at,
                    repeated: is_many!($many),
                    doc: &[$($section_doc),+],
                    rows: &[$(Row {
                        name: stringify!($name),
                        kind: <$type as Value>::KIND,
                        default: default_of!($default),
                        required: is_required!($default),
                        range: range_of!($($low $high)?),
                        example: example_of!($default $($example)?),
                        doc: &[$($doc),+],
                    }),*],
                };

                fn read(reader: &mut Reader<'_>, at: &str) -> Option<Self> {
                    let mut rows = Self::ROWS.rows.iter();
                    // All are read before any is missed, so that one run
                    // shows every problem.
                    $(let $name = rows.next().and_then(|row| reader.value::<$type>(at, row));)*
                    Some($section { $($name: $name?),* })
                }
            }
        )*
    };
}

/// Reads one section, or all of a kind.
macro_rules! read_section {
    (one $section:ident, $reader:ident, $at:literal) => {
        $section::read($reader, $at)
    };
    (many $section:ident, $reader:ident, $at:literal) => {
        $reader.entries::<$section>($at)
    };
}

/// Whether a section can stand in the file several times.
macro_rules! is_many {
    (one) => {
        false
    };
    (many) => {
        true
    };
}

pub(super) use {
    default_of, example_of, field_of, is_many, is_required, range_of, read_section, settings,
};
