//! What a form holds: names and values, as the page showed them and as they
//! came back. What is wrong with a value is told with the name of its field.

use std::collections::HashSet;
use std::str::FromStr;

use center::{CenterError, Problem};

use crate::pages::list::address::Pairs;

/// What a checkbox sends.
pub(super) const ON: &str = "on";

/// Reads what was sent, field by field. A field that nobody asked for is a
/// fault too: nothing that was typed is left out unseen.
pub(super) struct Reader<'a> {
    pairs: &'a Pairs,
    known: HashSet<String>,
    faults: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(pairs: &'a Pairs) -> Reader<'a> {
        Reader { pairs, known: HashSet::new(), faults: Vec::new() }
    }

    /// Every value of a field that can be there more than once.
    pub(super) fn all(&mut self, name: &str) -> Vec<&'a str> {
        self.known.insert(name.to_owned());
        let pairs = self.pairs.iter().filter(|(other, _)| other == name);
        pairs.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field; empty where it is not there.
    pub(super) fn value(&mut self, name: &str) -> &'a str {
        let all = self.all(name);
        if all.len() > 1 {
            self.fault(name, "it was sent more than once");
        }
        all.last().copied().unwrap_or_default()
    }

    /// Whether a checkbox was ticked.
    pub(super) fn is_on(&mut self, name: &str) -> bool {
        match self.value(name) {
            "" => false,
            ON => true,
            other => {
                self.fault(name, format!("{} is not possible here", quoted(other)));
                false
            }
        }
    }

    /// The one of `all` that was chosen.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &str,
        all: &[T],
        slug: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let value = self.value(name);
        let found = all.iter().copied().find(|one| slug(*one) == value);
        if found.is_none() {
            let known: Vec<_> = all.iter().map(|one| slug(*one)).collect();
            let known = known.join(", ");
            self.fault(
                name,
                format!("{} is not possible here; possible is {known}", quoted(value)),
            );
        }
        found
    }

    /// A whole number.
    pub(super) fn number<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let value = self.value(name).trim();
        let number = value.parse().ok();
        if number.is_none() {
            let what = if value.is_empty() { "nothing".to_owned() } else { quoted(value) };
            self.fault(name, format!("write a whole number; {what} is none that is possible here"));
        }
        number
    }

    /// The names of all fields, as they came.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.pairs.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn fault(&mut self, field: &str, message: impl Into<String>) {
        self.faults.push(Problem::of_field(field, message));
    }

    /// Everything was read.
    ///
    /// # Errors
    ///
    /// All that is wrong, each with its field.
    pub(super) fn finish(mut self) -> Result<(), CenterError> {
        let mut strangers: Vec<&str> =
            self.names().filter(|name| !self.known.contains(*name)).collect();
        strangers.dedup();
        for name in strangers.into_iter().take(STRANGERS_MAX) {
            self.fault(name, format!("this form has no field {}", quoted(name)));
        }
        match self.faults.is_empty() {
            true => Ok(()),
            false => Err(CenterError::Invalid { problems: self.faults }),
        }
    }
}

/// Most unknown fields that are named.
const STRANGERS_MAX: usize = 10;

/// What somebody typed, to be told in a sentence.
pub(in super::super) fn quoted(text: &str) -> String {
    format!("\u{201c}{}\u{201d}", center::presentable_within(text, 60))
}

/// A form as it is shown: the values, and what is wrong with them.
pub(super) struct Shown<'a> {
    pub(super) pairs: &'a Pairs,
    pub(super) problems: &'a [Problem],
}

impl Shown<'_> {
    pub(super) fn value(&self, name: &str) -> &str {
        let found = self.pairs.iter().rev().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value)
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn field(&self, name: impl Into<String>) -> Field {
        let name = name.into();
        Field { value: self.value(&name).to_owned(), fault: self.fault(&name), name }
    }

    pub(super) fn fault(&self, name: &str) -> Option<String> {
        let is_here = |problem: &&Problem| problem.field.as_deref() == Some(name);
        self.problems.iter().find(is_here).map(|problem| problem.message.clone())
    }
}

/// One field of a form as it is shown. Its name is its `id` too.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) fault: Option<String>,
}

impl Field {
    pub(crate) fn is_on(&self) -> bool {
        self.value == ON
    }
}

/// One choice of a field.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) selected: bool,
}

/// The choices of a field. What was typed and is none of them stays chosen,
/// so that it is seen beside what is wrong with it.
pub(super) fn choices<'a>(
    value: &str,
    all: impl Iterator<Item = (&'static str, &'a str)>,
) -> Vec<Choice> {
    let choice = |(slug, label): (&str, &str)| Choice {
        value: slug.to_owned(),
        label: label.to_owned(),
        selected: slug == value,
    };
    let mut found: Vec<Choice> = all.map(choice).collect();
    if !found.iter().any(|choice| choice.selected) {
        let label = quoted(value);
        found.push(Choice { value: value.to_owned(), label, selected: true });
    }
    found
}
