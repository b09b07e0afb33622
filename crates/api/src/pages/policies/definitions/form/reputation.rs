//! The form of a definition of Reputation: the lists with what they weigh,
//! and what follows from scores.

use std::collections::BTreeSet;
use std::str::FromStr;

use center::DefinitionGround;
use types::Domain;
use types::definition::{ListSubject, ListUse, LocalReputation, ReputationDefinition};

use super::reader::{Choice, Field, ON, Reader, Shown, choices, quoted};
use crate::pages::list::address::Pairs;

/// Rows for lists that are not named yet.
const EMPTY_ROWS: u16 = 1;
/// How many more of them a press of the button gives.
const MORE_ROWS: u16 = 3;
/// The greatest number of a row; far more than a definition may have.
const ROWS_MAX: u16 = 9_999;
/// What the settings say of scores counts, or what stands here.
const LOCAL: [&str; 2] = ["settings", "own"];

/// What is looked up, for people.
fn words(subject: ListSubject) -> &'static str {
    match subject {
        ListSubject::Ip => "Address of the client",
        ListSubject::SenderDomain => "Domain of the sender",
        ListSubject::Helo => "Name in EHLO",
        ListSubject::HostName => "Confirmed name of the client",
    }
}

/// The name of a field of a row of the table of lists.
fn of_row(row: u16, field: &str) -> String {
    format!("lists.{row}.{field}")
}

/// The definition as the fields of the form.
pub(super) fn typed(definition: &ReputationDefinition) -> Pairs {
    let ReputationDefinition { reject_weight, lists, local, global_permitted_list } = definition;
    let mut pairs = vec![("reject_weight".to_owned(), reject_weight.to_string())];
    if *global_permitted_list {
        pairs.push(("global_permitted_list".to_owned(), ON.to_owned()));
    }
    let whose = if local.is_some() { "own" } else { "settings" };
    pairs.push(("local".to_owned(), whose.to_owned()));
    if let Some(LocalReputation { defer_score, reject_score }) = local {
        pairs.push(("local.defer_score".to_owned(), defer_score.to_string()));
        pairs.push(("local.reject_score".to_owned(), reject_score.to_string()));
    }
    for (row, ListUse { list, of, weight, answers }) in (1..).zip(lists) {
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        pairs.extend([
            (of_row(row, "use"), ON.to_owned()),
            (of_row(row, "list"), list.to_string()),
            (of_row(row, "of"), of.slug().to_owned()),
            (of_row(row, "weight"), weight.to_string()),
            (of_row(row, "answers"), answers.join(", ")),
        ]);
    }
    pairs
}

/// The definition that the fields say, and the rows in which its lists stand,
/// in their order.
pub(super) fn read(reader: &mut Reader<'_>) -> (ReputationDefinition, Vec<u16>) {
    let reject_weight = reader.number("reject_weight");
    let global_permitted_list = reader.is_on("global_permitted_list");
    let local = local(reader);
    let (mut lists, mut rows) = (Vec::new(), Vec::new());
    for row in rows_of(reader.names()) {
        if let Some(used) = list_use(reader, row) {
            lists.push(used);
            rows.push(row);
        }
    }
    // Where there was no number, the reader has the fault and this is not used.
    let reject_weight = reject_weight.unwrap_or_default();
    (ReputationDefinition { reject_weight, lists, local, global_permitted_list }, rows)
}

/// The rows that have a field, in order.
fn rows_of<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<u16> {
    let row = |name: &'a str| {
        let (row, _) = name.strip_prefix("lists.")?.split_once('.')?;
        // `01` would be another name of the same row.
        row.parse::<u16>().ok().filter(|number| *number <= ROWS_MAX && number.to_string() == row)
    };
    names.filter_map(row).collect()
}

/// The scores, where they are not those of the settings.
fn local(reader: &mut Reader<'_>) -> Option<LocalReputation> {
    let is_own = reader.choice("local", &LOCAL, |whose| whose) == Some("own");
    if !is_own {
        // They stand there for whoever chooses otherwise.
        reader.value("local.defer_score");
        reader.value("local.reject_score");
        return None;
    }
    let defer_score = reader.number("local.defer_score");
    let reject_score = reader.number("local.reject_score");
    Some(LocalReputation { defer_score: defer_score?, reject_score: reject_score? })
}

/// One row of the table; nothing for one that is switched off or empty.
fn list_use(reader: &mut Reader<'_>, row: u16) -> Option<ListUse> {
    let field = |of: &str| of_row(row, of);
    let is_on = reader.is_on(&field("use"));
    let list = reader.value(&field("list")).trim();
    let of = reader.choice(&field("of"), &ListSubject::ALL, ListSubject::slug);
    let weight = reader.value(&field("weight")).trim();
    let answers = reader.value(&field("answers")).trim();
    if !is_on || list.is_empty() && matches!(weight, "" | "1") && answers.is_empty() {
        return None;
    }
    let list = list.parse::<Domain>().map_err(|_| {
        let message = match list {
            "" => "name the list, or switch the row off".to_owned(),
            list => format!("{} is no name of a list or a zone", quoted(list)),
        };
        reader.fault(&field("list"), message);
    });
    let weight = reader.number(&field("weight"));
    let separated = answers.split([',', ';', ' ', '\t', '\n']).filter(|part| !part.is_empty());
    let answers: Result<Vec<_>, _> = separated.map(FromStr::from_str).collect();
    let answers = answers.map_err(|error: types::definition::NoAnswerRange| {
        let message = center::presentable_within(&error.to_string(), 200);
        reader.fault(&field("answers"), message);
    });
    Some(ListUse { list: list.ok()?, of: of?, weight: weight?, answers: answers.ok()? })
}

/// The field of the form that shows a field of the definition: its lists are
/// counted there, and here by rows.
pub(super) fn place(field: &str, rows: &[u16]) -> String {
    let row = || {
        let (place, rest) = field.strip_prefix("lists.")?.split_once('.')?;
        let row = rows.get(place.parse::<usize>().ok()?.checked_sub(1)?)?;
        Some(of_row(*row, rest))
    };
    row().unwrap_or_else(|| field.to_owned())
}

/// One row of the table of lists.
pub(crate) struct ListRow {
    /// Its number, for people.
    pub(crate) number: usize,
    pub(crate) on: Field,
    pub(crate) list: Field,
    /// Whether the settings have a list of this name.
    pub(crate) is_known: bool,
    pub(crate) of: Field,
    pub(crate) subjects: Vec<Choice>,
    pub(crate) weight: Field,
    pub(crate) answers: Field,
}

impl ListRow {
    fn all(&self) -> [&Field; 5] {
        [&self.on, &self.list, &self.of, &self.weight, &self.answers]
    }
}

/// What the form shows.
pub(crate) struct Reputation {
    pub(crate) reject_weight: Field,
    pub(crate) global_permitted_list: Field,
    pub(crate) rows: Vec<ListRow>,
    /// What is wrong with the lists together.
    pub(crate) lists: Field,
    pub(crate) known: Vec<String>,
    pub(crate) local: Field,
    pub(crate) defer_score: Field,
    pub(crate) reject_score: Field,
    pub(crate) of_settings: LocalReputation,
}

impl Reputation {
    /// Every field that a problem can be told beside.
    pub(super) fn all(&self) -> impl Iterator<Item = &Field> {
        let alone = [
            &self.reject_weight,
            &self.global_permitted_list,
            &self.lists,
            &self.local,
            &self.defer_score,
            &self.reject_score,
        ];
        alone.into_iter().chain(self.rows.iter().flat_map(ListRow::all))
    }

    pub(crate) fn is_own(&self) -> bool {
        self.local.value == "own"
    }
}

/// The form: the lists that are used, then those that the settings know and
/// nothing is said of, then rows for others.
pub(super) fn view(shown: &Shown<'_>, ground: &DefinitionGround, wants_more: bool) -> Reputation {
    let mut pairs = shown.pairs.clone();
    let mut next = rows_of(shown.pairs.iter().map(|(name, _)| name.as_str()))
        .last()
        .map_or(1, |last| last.saturating_add(1));
    let mut add = |used: bool, list: &str, of: ListSubject| {
        if used {
            pairs.push((of_row(next, "use"), ON.to_owned()));
        }
        pairs.push((of_row(next, "list"), list.to_owned()));
        pairs.push((of_row(next, "of"), of.slug().to_owned()));
        pairs.push((of_row(next, "weight"), "1".to_owned()));
        next = next.saturating_add(1);
    };
    let is_named = |list: &str| {
        let is_list = |(name, value): &(String, String)| {
            name.starts_with("lists.") && name.ends_with(".list") && value == list
        };
        shown.pairs.iter().any(is_list)
    };
    let known: Vec<String> = ground.lists.iter().map(|one| one.list.to_string()).collect();
    for question in &ground.lists {
        let list = question.list.to_string();
        if !is_named(&list) {
            add(false, &list, question.of);
        }
    }
    // One that was left empty before is still there.
    let empty = match (wants_more, is_named("")) {
        (true, _) => MORE_ROWS,
        (false, true) => 0,
        (false, false) => EMPTY_ROWS,
    };
    for _ in 0..empty {
        add(true, "", ListSubject::Ip);
    }
    let shown = Shown { pairs: &pairs, problems: shown.problems };
    Reputation {
        reject_weight: shown.field("reject_weight"),
        global_permitted_list: shown.field("global_permitted_list"),
        rows: (1..)
            .zip(rows_of(pairs.iter().map(|(name, _)| name.as_str())))
            .map(|(number, row)| list_row(&shown, number, row, &known))
            .collect(),
        lists: shown.field("lists"),
        local: shown.field("local"),
        defer_score: shown.field("local.defer_score"),
        reject_score: shown.field("local.reject_score"),
        of_settings: ground.local,
        known,
    }
}

fn list_row(shown: &Shown<'_>, number: usize, row: u16, known: &[String]) -> ListRow {
    let field = |of: &str| shown.field(of_row(row, of));
    let (list, of) = (field("list"), field("of"));
    let subjects = ListSubject::ALL.iter().map(|subject| (subject.slug(), words(*subject)));
    ListRow {
        number,
        on: field("use"),
        is_known: known.contains(&list.value),
        subjects: choices(&of.value, subjects),
        list,
        of,
        weight: field("weight"),
        answers: field("answers"),
    }
}
