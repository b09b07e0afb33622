//! The form of a definition of DNS Authentication: for each mechanism and
//! each result what follows, as a table.

use std::collections::BTreeMap;

use center::possible_actions;
use types::definition::{AuthenticationAction, DnsAuthenticationDefinition};
use types::{DkimResult, DmarcResult, SpfResult};

use super::reader::{Choice, Field, Reader, Shown, choices};
use crate::pages::list::address::Pairs;

/// A mechanism: name of the field, name for people, whether a word is one of its
/// results.
type Mechanism = (&'static str, &'static str, fn(&str) -> bool);

const MECHANISMS: [Mechanism; 3] = [
    ("spf", "SPF", |word| SpfResult::ALL.iter().any(|result| result.slug() == word)),
    ("dkim", "DKIM", |word| DkimResult::ALL.iter().any(|result| result.slug() == word)),
    ("dmarc", "DMARC", |word| DmarcResult::ALL.iter().any(|result| result.slug() == word)),
];

/// The results of all mechanisms, for people.
const RESULTS: [(&str, &str); 8] = [
    ("pass", "Passed"),
    ("fail", "Failed"),
    ("softfail", "Probably failed"),
    ("neutral", "Undecided"),
    ("none", "Nothing to check"),
    ("policy", "A signature we do not take"),
    ("temperror", "Not known for now"),
    ("permerror", "A record that cannot be used"),
];

/// What a choice of an action is called.
fn words(action: AuthenticationAction) -> &'static str {
    match action {
        AuthenticationAction::NoAction => "No action, expressly",
        AuthenticationAction::IgnorePermitted => "Ignore permitted entries",
        AuthenticationAction::Defer => "Defer",
        AuthenticationAction::Hold => "Hold",
        AuthenticationAction::Reject => "Reject",
        AuthenticationAction::HonourRecord => "Honour the record",
    }
}

/// The definition as the fields of the form.
pub(super) fn typed(definition: &DnsAuthenticationDefinition) -> Pairs {
    let DnsAuthenticationDefinition { spf, dkim, dmarc } = definition;
    let spf = spf.iter().map(|(result, action)| ("spf", result.slug(), action));
    let dkim = dkim.iter().map(|(result, action)| ("dkim", result.slug(), action));
    let dmarc = dmarc.iter().map(|(result, action)| ("dmarc", result.slug(), action));
    let all = spf.chain(dkim).chain(dmarc);
    all.map(|(mechanism, result, action)| {
        (format!("{mechanism}.{result}"), action.slug().to_owned())
    })
    .collect()
}

/// The definition that the fields say.
pub(super) fn read(reader: &mut Reader<'_>) -> DnsAuthenticationDefinition {
    DnsAuthenticationDefinition {
        spf: results(reader, "spf", SpfResult::ALL, SpfResult::slug),
        dkim: results(reader, "dkim", DkimResult::ALL, DkimResult::slug),
        dmarc: results(reader, "dmarc", DmarcResult::ALL, DmarcResult::slug),
    }
}

/// What follows from the results of one mechanism. A result without a choice
/// is one that the definition does not name.
fn results<R: Copy + Ord>(
    reader: &mut Reader<'_>,
    mechanism: &str,
    all: &[R],
    slug: fn(R) -> &'static str,
) -> BTreeMap<R, AuthenticationAction> {
    let mut found = BTreeMap::new();
    for result in all {
        let name = format!("{mechanism}.{}", slug(*result));
        if reader.value(&name).is_empty() {
            continue;
        }
        let action = reader.choice(&name, &AuthenticationAction::ALL, AuthenticationAction::slug);
        found.extend(action.map(|action| (*result, action)));
    }
    found
}

/// One row of the table: a result, and the fields of the mechanisms that
/// have it.
pub(crate) struct ResultRow {
    pub(crate) slug: &'static str,
    pub(crate) words: &'static str,
    pub(crate) cells: Vec<ResultCell>,
}

/// One cell: nothing where the mechanism has no such result.
pub(crate) struct ResultCell {
    pub(crate) mechanism: &'static str,
    pub(crate) select: Option<(Field, Vec<Choice>)>,
}

/// The table.
pub(super) fn table(shown: &Shown<'_>) -> Vec<ResultRow> {
    let cell =
        |slug: &'static str,
         (mechanism, title, has): (&'static str, &'static str, fn(&str) -> bool)| {
            let select = has(slug).then(|| {
                let field = shown.field(format!("{mechanism}.{slug}"));
                let choices = offered(mechanism, slug, &field.value);
                (field, choices)
            });
            ResultCell { mechanism: title, select }
        };
    let row = |(slug, words)| ResultRow {
        slug,
        words,
        cells: MECHANISMS.into_iter().map(|mechanism| cell(slug, mechanism)).collect(),
    };
    RESULTS.into_iter().map(row).collect()
}

/// What can be chosen for one result. `no_action` does what nothing does; it
/// is only shown where a definition has it.
fn offered(mechanism: &'static str, result: &'static str, value: &str) -> Vec<Choice> {
    let is_offered = |action: &AuthenticationAction| {
        *action != AuthenticationAction::NoAction || value == action.slug()
    };
    let possible = possible_actions(mechanism, result).filter(is_offered);
    let default = std::iter::once(("", "No action (default)"));
    choices(value, default.chain(possible.map(|action| (action.slug(), words(action)))))
}
