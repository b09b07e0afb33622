//! The form of a definition: every field of every type that has them. What is
//! typed becomes the same definition that a text would, and goes the same way;
//! what is wrong with it says the message center.

pub(super) mod authentication;
pub(super) mod places;
mod reader;
pub(super) mod reputation;
#[cfg(test)]
mod tests;

use center::{CenterError, DefinitionGround, Problem, presentable_lines};
use types::{Definition, DefinitionSet, PolicyType};

use crate::pages::list::address::Pairs;
use authentication::ResultRow;
use places::Places;
pub(super) use reader::quoted;
use reader::{Field, Reader, Shown};
use reputation::Reputation;

const NAME: &str = "name";
const NARRATIVE: &str = "narrative";

/// A definition as the fields of its form.
pub(super) fn typed(definition: &Definition) -> Pairs {
    let Definition { name, narrative, set } = definition;
    let mut pairs =
        vec![(NAME.to_owned(), name.clone()), (NARRATIVE.to_owned(), narrative.clone())];
    pairs.extend(match set {
        DefinitionSet::Reputation(set) => reputation::typed(set),
        DefinitionSet::GeographicalRestriction(set) => places::typed(set),
        DefinitionSet::DnsAuthentication(set) => authentication::typed(set),
    });
    pairs
}

/// What somebody wrote, with the way from its fields to those of the form.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) definition: Definition,
    /// Of Reputation, the rows in which its lists stand.
    rows: Vec<u16>,
}

impl Read {
    /// What the message center says is wrong, with the fields of this form.
    pub(super) fn placed(&self, problems: &mut [Problem]) {
        for field in problems.iter_mut().filter_map(|problem| problem.field.as_mut()) {
            *field = match self.definition.set {
                DefinitionSet::Reputation(_) => reputation::place(field, &self.rows),
                DefinitionSet::GeographicalRestriction(_) => places::place(field),
                DefinitionSet::DnsAuthentication(_) => continue,
            };
        }
    }

    /// A definition that comes from no form.
    pub(super) fn of_text(definition: Definition) -> Read {
        Read { definition, rows: Vec::new() }
    }
}

/// The definition that the fields say. What cannot be shown in a field as it
/// is stays as `stored` has it, where nobody changed it.
///
/// # Errors
///
/// [`CenterError::Invalid`]: all that cannot be read, each with its field.
pub(super) fn read(
    kind: PolicyType,
    pairs: &Pairs,
    stored: Option<&Definition>,
) -> Result<Read, CenterError> {
    let mut reader = Reader::new(pairs);
    let name = kept(stored.map(|stored| stored.name.as_str()), reader.value(NAME), one_line);
    let stored_narrative = stored.map(|stored| stored.narrative.as_str());
    let narrative = kept(stored_narrative, reader.value(NARRATIVE), lines);
    let mut rows = Vec::new();
    let set = match kind {
        PolicyType::Reputation => {
            let (set, used) = reputation::read(&mut reader);
            rows = used;
            DefinitionSet::Reputation(set)
        }
        PolicyType::GeographicalRestriction => {
            DefinitionSet::GeographicalRestriction(places::read(&mut reader))
        }
        PolicyType::DnsAuthentication => {
            DefinitionSet::DnsAuthentication(authentication::read(&mut reader))
        }
        other => {
            let message = format!("{} has no definitions", other.title());
            return Err(CenterError::Invalid {
                problems: vec![Problem::of_field("kind", message)],
            });
        }
    };
    reader.finish()?;
    Ok(Read { definition: Definition { name, narrative, set }, rows })
}

/// What was typed; or what is stored, where the field showed it and nobody
/// changed anything. `sent` is what a browser makes of what a field shows.
fn kept(stored: Option<&str>, typed: &str, sent: fn(&str) -> String) -> String {
    let typed = sent(typed);
    // What acts unseen is made visible in a field.
    let is_unchanged = |stored: &&str| sent(&presentable_lines(stored)) == typed;
    stored.filter(is_unchanged).map_or(typed, str::to_owned)
}

/// Browsers end lines with CR LF; a document does not.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// A field of one line has no ends of lines.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], "").trim().to_owned()
}

/// The fields of one type as the page shows them.
pub(super) enum Fields {
    Authentication(Vec<ResultRow>),
    Reputation(Box<Reputation>),
    Places(Box<Places>),
    /// The type has no definitions.
    None,
}

/// A form as the page shows it.
pub(super) struct View {
    pub(super) name: Field,
    pub(super) narrative: Field,
    pub(super) fields: Fields,
}

impl View {
    /// Whether the page has this field.
    pub(super) fn has(&self, name: &str) -> bool {
        let is = |field: &Field| field.name == name;
        let of_kind = match &self.fields {
            Fields::Authentication(rows) => {
                let cells = rows.iter().flat_map(|row| &row.cells);
                cells.filter_map(|cell| cell.select.as_ref()).any(|(field, _)| is(field))
            }
            Fields::Reputation(fields) => fields.all().any(is),
            Fields::Places(places) => {
                [&places.action, &places.add, &places.networks].into_iter().any(is)
            }
            Fields::None => false,
        };
        is(&self.name) || is(&self.narrative) || of_kind
    }
}

/// The form of what was typed, with what is wrong with it beside its fields.
pub(super) fn view(
    kind: PolicyType,
    pairs: &Pairs,
    problems: &[Problem],
    ground: &DefinitionGround,
    wants_more: bool,
) -> View {
    let shown = Shown { pairs, problems };
    let fields = match kind {
        PolicyType::Reputation => {
            Fields::Reputation(Box::new(reputation::view(&shown, ground, wants_more)))
        }
        PolicyType::GeographicalRestriction => Fields::Places(Box::new(places::view(&shown))),
        PolicyType::DnsAuthentication => Fields::Authentication(authentication::table(&shown)),
        _ => Fields::None,
    };
    View { name: shown.field(NAME), narrative: shown.field(NARRATIVE), fields }
}
