//! The list of definitions with who uses them.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use center::{DefinitionRow, blank_definition};
use types::{DefinitionSet, PolicyId, PolicyType};

use super::super::super::{Shell, error_page, shown};
use super::super::may_change;
use super::HERE;
use crate::Api;
use crate::auth::Signed;
use crate::client::encoded;
use crate::routes::working;

/// One line of the list.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) kind: String,
    pub(super) narrative: String,
    pub(super) used_by: Vec<PolicyId>,
    pub(super) by_file: bool,
    pub(super) changed: String,
    pub(super) changed_by: String,
    /// The global permitted lists it looks at, in a sentence; empty for a type
    /// that has none.
    pub(super) permitted: String,
    /// The lists among them that it weighs in vain.
    pub(super) in_vain: String,
}

#[derive(Template)]
#[template(path = "definitions.html")]
struct DefinitionsPage {
    shell: Shell,
    lines: Vec<Line>,
    may_change: bool,
}

pub(crate) async fn page(State(api): State<Api>, signed: Signed, shell: Shell) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    let rows = match working(&api, move |center| center.definitions(&caller)).await {
        Ok(rows) => rows,
        Err(problem) => return error_page(shell, &problem),
    };
    let lines = rows.into_iter().map(|row| line(row, &shell)).collect();
    shown(&DefinitionsPage { lines, may_change, shell })
}

/// The types of policy that have definitions.
pub(super) fn kinds() -> Vec<PolicyType> {
    let defined = |kind: &&PolicyType| blank_definition(**kind).is_some();
    PolicyType::ALL.iter().filter(defined).copied().collect()
}

pub(super) fn line(row: DefinitionRow, shell: &Shell) -> Line {
    let DefinitionRow { definition, kind, used_by, provenance, permitted_lists, weighed_in_vain } =
        row;
    Line {
        permitted: permitted_words(&definition.set, &permitted_lists),
        in_vain: weighed_in_vain.join(", "),
        name: center::presentable(&definition.name).into_owned(),
        href: href(&definition.name),
        kind,
        narrative: center::presentable_within(&definition.narrative, 300),
        used_by,
        by_file: provenance.origin.is_file(),
        changed: shell.time(provenance.changed),
        changed_by: center::presentable_within(&provenance.changed_by, 100),
    }
}

/// Which global permitted lists a definition looks at.
fn permitted_words(set: &DefinitionSet, lists: &[String]) -> String {
    let DefinitionSet::Reputation(reputation) = set else { return String::new() };
    match (reputation.global_permitted_list, lists) {
        (false, _) => "Global permitted lists are not looked at.".to_owned(),
        (true, []) => "Global permitted lists are looked at; the settings have none.".to_owned(),
        (true, lists) => format!(
            "A client on a global permitted list is spared all of it; they are {}.",
            lists.join(", ")
        ),
    }
}

pub(super) fn href(name: &str) -> String {
    format!("{HERE}/{}", encoded(name))
}
