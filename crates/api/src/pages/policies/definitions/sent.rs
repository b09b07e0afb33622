//! The page of a definition as it is sent: on which side it was written, what
//! is to be done with it, and what was written.

use center::{CenterError, DefinitionGround, Problem, WrittenDefinition, read_definition};
use serde::Deserialize;
use types::{Definition, PolicyType};

use super::form::{self, Read, View, quoted};
use super::kinds;
use crate::pages::list::address::Pairs;
use crate::problem::ApiProblem;

/// How a definition is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// In fields.
    #[default]
    Form,
    /// As the policy document has it.
    Text,
}

/// What is to be done with what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Act {
    #[default]
    Save,
    Replay,
    /// To go on in fields.
    Form,
    /// To go on as a text.
    Text,
    /// To take what is looked for into the list.
    Add,
    /// To have more rows.
    Rows,
}

/// What the buttons send.
const ACTS: [(&str, Act); 7] = [
    ("", Act::Save),
    ("save", Act::Save),
    ("replay", Act::Replay),
    ("form", Act::Form),
    ("text", Act::Text),
    ("add", Act::Add),
    ("rows", Act::Rows),
];

/// What was sent.
#[derive(Clone, Debug)]
pub(super) struct SentForm {
    pub(super) kind: PolicyType,
    side: Side,
    pub(super) act: Act,
    /// The version of the definition that was opened; nothing for a new one.
    pub(super) expected: String,
    pub(super) note: String,
    /// What was written, on the side of the text.
    pub(super) text: String,
    /// What was written in fields.
    fields: Pairs,
}

impl SentForm {
    /// What is changed in fields.
    pub(super) fn of_fields(kind: PolicyType, fields: Pairs, expected: String) -> SentForm {
        SentForm { side: Side::Form, fields, ..SentForm::empty(kind, expected) }
    }

    /// What is changed as a text.
    pub(super) fn of_text(kind: PolicyType, text: String, expected: String) -> SentForm {
        SentForm { side: Side::Text, text, ..SentForm::empty(kind, expected) }
    }

    fn empty(kind: PolicyType, expected: String) -> SentForm {
        SentForm {
            kind,
            side: Side::Form,
            act: Act::Save,
            expected,
            note: String::new(),
            text: String::new(),
            fields: Pairs::new(),
        }
    }

    /// Reads what the page sends beside the fields themselves.
    ///
    /// # Errors
    ///
    /// A value that no page sends, with the name of its field.
    pub(super) fn received(pairs: Pairs) -> Result<SentForm, ApiProblem> {
        let mut form = SentForm::empty(PolicyType::Reputation, String::new());
        // A page that was opened before there were fields has only the text.
        let (mut kind, mut side) = (None, "text".to_owned());
        for (name, value) in pairs {
            match name.as_str() {
                "csrf" => {}
                "expected" => form.expected = value,
                "note" => form.note = value,
                "text" => form.text = value,
                "as" => side = value,
                "kind" => kind = Some(value),
                "do" => form.act = known("do", &value, &ACTS)?,
                _ => form.fields.push((name, value)),
            }
        }
        form.side = known("as", &side, &[("form", Side::Form), ("text", Side::Text)])?;
        let defined: Vec<_> = kinds().into_iter().map(|kind| (kind.slug(), kind)).collect();
        match kind {
            Some(kind) => form.kind = known("kind", &kind, &defined)?,
            None if form.side == Side::Form => return Err(wrong("kind", "it is missing")),
            None => {}
        }
        if !form.expected.is_empty() && form.expected.parse::<u64>().is_err() {
            return Err(wrong("expected", "it is no number of a version"));
        }
        match (form.side, form.fields.first()) {
            (Side::Text, Some((name, _))) => {
                Err(wrong(name, "there is no such field beside the text"))
            }
            _ => Ok(form),
        }
    }

    /// The definition that was written.
    ///
    /// # Errors
    ///
    /// All that cannot be read, with lines or fields.
    pub(super) fn read(&self, stored: Option<&Definition>) -> Result<Read, CenterError> {
        match self.side {
            // Within a text of several lines, an end of a line is content.
            Side::Text => read_definition(&form::lines(&self.text)).map(Read::of_text),
            Side::Form => form::read(self.kind, &self.fields, stored),
        }
    }

    /// The definition with the version that was looked at.
    pub(super) fn wanted(&self, definition: Definition) -> WrittenDefinition {
        WrittenDefinition { definition, looked_at: self.expected.parse().ok() }
    }

    /// The same, to go on with in fields.
    pub(super) fn as_fields(&self, definition: &Definition) -> SentForm {
        let (kind, fields) = (definition.kind(), form::typed(definition));
        let note = self.note.clone();
        SentForm { note, ..SentForm::of_fields(kind, fields, self.expected.clone()) }
    }

    /// The same, to go on with as a text.
    pub(super) fn as_text(&self, kind: PolicyType, text: String) -> SentForm {
        let note = self.note.clone();
        SentForm { note, ..SentForm::of_text(kind, text, self.expected.clone()) }
    }

    /// The fields as the page shows them; nothing on the side of the text.
    pub(super) fn view(&self, problems: &[Problem], ground: &DefinitionGround) -> Option<View> {
        let wants_more = self.act == Act::Rows;
        let view = || form::view(self.kind, &self.fields, problems, ground, wants_more);
        (self.side == Side::Form).then(view)
    }
}

/// The one of `all` that a field of ours says.
fn known<T: Copy>(field: &str, value: &str, all: &[(&str, T)]) -> Result<T, ApiProblem> {
    let found = all.iter().find(|(word, _)| *word == value).map(|(_, known)| *known);
    found.ok_or_else(|| {
        let words: Vec<_> =
            all.iter().map(|(word, _)| *word).filter(|word| !word.is_empty()).collect();
        wrong(
            field,
            &format!("{} is not possible; possible is {}", quoted(value), words.join(", ")),
        )
    })
}

/// What no page of ours sends: there is nothing to show again.
fn wrong(field: &str, why: &str) -> ApiProblem {
    ApiProblem::malformed(format!("the field {}: {why}", quoted(field)))
}
