//! From the values of files and environment to the typed settings.
//!
//! Every value is read, ranged and ticked off; what is left over at the end is
//! unknown, and is answered with the key that was probably meant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use toml::Value as Raw;

use super::row::{Row, Section};
use super::value::{Value, ValueError};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The table of settings.
    Default,
    /// A line of a file, counted from one.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// An option on the command line.
    Option(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Variable(name) => f.write_str(name),
            Origin::Option(name) => f.write_str(name),
        }
    }
}

/// A value as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// As TOML.
    pub raw: Raw,
    /// Where.
    pub origin: Origin,
}

/// All values found, by key; entries of repeated tables carry their number:
/// `smtp.listener.0.listen`.
pub type FoundValues = BTreeMap<String, Found>;

/// Whether a problem keeps the server from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// Something wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// Where, if it is in one place.
    pub origin: Option<Origin>,
    /// The key; empty if it is about none.
    pub key: String,
    /// A sentence without its full stop.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin
            && *origin != Origin::Default
        {
            write!(f, "{origin}: ")?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

impl Problem {
    /// An error about a value.
    pub fn error(origin: Origin, key: &str, text: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            origin: Some(origin),
            key: key.to_owned(),
            text: text.into(),
        }
    }

    /// A warning about a value.
    pub fn warning(origin: Origin, key: &str, text: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(origin, key, text) }
    }
}

/// One entry of a repeated table, with its number, under which its values
/// are found again.
#[derive(Clone, Debug)]
pub struct Numbered<T> {
    /// Counted from zero over all files, or nothing for one that was not found but assumed.
    pub number: Option<usize>,
    /// The entry.
    pub entry: T,
}

impl<T> std::ops::Deref for Numbered<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.entry
    }
}

/// Reads rows from what was found.
pub(super) struct Reader<'a> {
    found: &'a FoundValues,
    read: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(found: &'a FoundValues) -> Self {
        Reader { found, read: BTreeSet::new(), problems: Vec::new() }
    }

    /// The value of a row: what was found, else the default. Nothing if it is
    /// wrong or missing, which is then a problem.
    pub(super) fn value<T: Value>(&mut self, at: &str, row: &Row) -> Option<T> {
        let key = join(at, row.name);
        self.read.insert(key.clone());
        let Some(found) = self.found.get(&key) else { return self.default(at, &key, row) };
        let value = T::read(&found.raw).and_then(|value| in_range(value, row));
        match value {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(Problem::error(found.origin.clone(), &key, error.to_string()));
                None
            }
        }
    }

    fn default<T: Value>(&mut self, at: &str, key: &str, row: &Row) -> Option<T> {
        match row.default {
            Some(default) => T::read(&literal(default)?).ok(),
            None if row.required => {
                let text = format!("must be given, such as {} = {}", row.name, row.example);
                let problem = Problem::error(self.origin_of_table(at), key, text);
                self.problems.push(problem);
                None
            }
            None => T::absent(),
        }
    }

    /// The place of the first value of a table, for what is missing in it.
    fn origin_of_table(&self, at: &str) -> Origin {
        let prefix = format!("{at}.");
        let first = self.found.iter().filter(|(key, _)| key.starts_with(&prefix) || *key == at);
        first.map(|(_, found)| found.origin.clone()).min().unwrap_or(Origin::Default)
    }

    /// All entries of a repeated table.
    pub(super) fn entries<S: Section>(&mut self, at: &str) -> Option<Vec<Numbered<S>>> {
        let mut entries = Some(Vec::new());
        for number in numbers(self.found, at) {
            let entry = S::read(self, &format!("{at}.{number}"));
            let numbered = entry.map(|entry| Numbered { number: Some(number), entry });
            entries = entries.zip(numbered).map(|(mut entries, numbered)| {
                entries.push(numbered);
                entries
            });
        }
        entries
    }

    /// The problems; what was found and not read is one.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        for (key, found) in self.found {
            // A table without content stands for itself; it is no value.
            let empty_table = found.raw.as_table().is_some_and(toml::Table::is_empty);
            let stands_for_itself = empty_table && super::suggest::is_section(key);
            if !self.read.contains(key) && !stands_for_itself {
                let text = super::suggest::unknown(key);
                self.problems.push(Problem::error(found.origin.clone(), key, text));
            }
        }
        self.problems.sort_by(|a, b| (&a.severity, &a.origin).cmp(&(&b.severity, &b.origin)));
        self.problems
    }
}

/// The numbers of the entries of a repeated table, in order.
pub(super) fn numbers(found: &FoundValues, at: &str) -> BTreeSet<usize> {
    let prefix = format!("{at}.");
    found
        .range(prefix.clone()..)
        .take_while(|(key, _)| key.starts_with(&prefix))
        .filter_map(|(key, _)| {
            let rest = key.get(prefix.len()..)?;
            rest.split('.').next()?.parse().ok()
        })
        .collect()
}

/// A key below another.
pub(super) fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

/// A literal of the table as a value.
pub(super) fn literal(toml: &str) -> Option<Raw> {
    let mut document: toml::Table = format!("value = {toml}").parse().ok()?;
    document.remove("value")
}

/// Refuses a value outside the range of its row.
fn in_range<T: Value>(value: T, row: &Row) -> Result<T, ValueError> {
    let Some((low, high)) = row.range else { return Ok(value) };
    let bound = |toml: &str| T::read(&literal(toml)?).ok()?.magnitude();
    let Some(magnitude) = value.magnitude() else { return Ok(value) };
    let above = bound(low).is_none_or(|low| low <= magnitude);
    let below = bound(high).is_none_or(|high| magnitude <= high);
    if above && below { Ok(value) } else { Err(ValueError::OutOfRange { low, high }) }
}
