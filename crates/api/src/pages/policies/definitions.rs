//! Definitions: the list with who uses them, and one of them as the text it
//! is written in, with its replay.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use center::replay::ReplayReport;
use center::{Center, CenterError, DefinitionRow, DefinitionText, definition_example};
use serde::Deserialize;
use types::{DefinitionSet, PolicyId, PolicyType};

use super::super::{Shell, error_page, sent, shown};
use super::{Report, may_change, told};
use crate::Api;
use crate::auth::Signed;
use crate::client::encoded;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

/// Where this page is.
const HERE: &str = "/definitions";

/// One line of the list.
struct Line {
    name: String,
    href: String,
    kind: String,
    narrative: String,
    used_by: Vec<PolicyId>,
    by_file: bool,
    changed: String,
    changed_by: String,
    /// The global permitted lists it looks at, in a sentence; empty for a type
    /// that has none.
    permitted: String,
    /// The lists among them that it weighs in vain.
    in_vain: String,
}

#[derive(Template)]
#[template(path = "definitions.html")]
struct DefinitionsPage {
    shell: Shell,
    lines: Vec<Line>,
    /// The types of policy that have definitions.
    kinds: Vec<PolicyType>,
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
    shown(&DefinitionsPage { lines, kinds: kinds(), may_change, shell })
}

fn kinds() -> Vec<PolicyType> {
    let defined = |kind: &&PolicyType| definition_example(**kind).is_some();
    PolicyType::ALL.iter().filter(defined).copied().collect()
}

fn line(row: DefinitionRow, shell: &Shell) -> Line {
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
        (false, _) => {
            "Global permitted lists are not looked at: global_permitted_list = false.".to_owned()
        }
        (true, []) => "Global permitted lists are looked at; the settings have none.".to_owned(),
        (true, lists) => format!(
            "A client on a global permitted list is spared all of it; they are {}.",
            lists.join(", ")
        ),
    }
}

fn href(name: &str) -> String {
    format!("{HERE}/{}", encoded(name))
}

/// The form, as it is sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DefinitionForm {
    text: String,
    /// The version of the definition that was opened; nothing for a new one.
    expected: String,
    note: String,
    #[serde(rename = "do")]
    act: String,
}

impl DefinitionForm {
    fn wanted(&self) -> DefinitionText {
        DefinitionText { text: self.text.clone(), looked_at: self.expected.trim().parse().ok() }
    }
}

#[derive(Template)]
#[template(path = "definition.html")]
struct DefinitionPage {
    shell: Shell,
    /// What the page is of; nothing for a new one.
    row: Option<Line>,
    target: String,
    form: DefinitionForm,
    may_change: bool,
    report: Option<Report>,
    problem: Option<String>,
}

impl DefinitionPage {
    /// Whether it can only be changed in the policy file; to replay a change
    /// of it is possible here too.
    fn is_by_file(&self) -> bool {
        self.row.as_ref().is_some_and(|line| line.by_file)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewParams {
    kind: String,
}

pub(crate) async fn new(
    signed: Signed,
    shell: Shell,
    Params(NewParams { kind }): Params<NewParams>,
) -> Response {
    let kind = kind.parse::<PolicyType>().ok();
    let Some(text) = kind.and_then(definition_example) else {
        return error_page(shell, &ApiProblem::nothing_here());
    };
    let form = DefinitionForm { text: text.to_owned(), ..DefinitionForm::default() };
    shown(&DefinitionPage {
        row: None,
        target: format!("{HERE}/new"),
        form,
        may_change: may_change(&signed),
        report: None,
        problem: None,
        shell,
    })
}

pub(crate) async fn one(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    opened(&api, signed, shell, Some(name), None, Ok(None)).await
}

pub(crate) async fn save_new(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(form): Form<DefinitionForm>,
) -> Response {
    act(&api, signed, shell, None, form).await
}

pub(crate) async fn save(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(form): Form<DefinitionForm>,
) -> Response {
    act(&api, signed, shell, Some(name), form).await
}

enum Done {
    Stored(u64),
    Nothing,
    Replayed(Box<ReplayReport>),
}

/// Replays what was typed, or stores it.
async fn act(
    api: &Api,
    signed: Signed,
    shell: Shell,
    name: Option<String>,
    form: DefinitionForm,
) -> Response {
    let (caller, sent, of) = (signed.caller.clone(), form.clone(), name.clone());
    let done = working(api, move |center| {
        let wanted = sent.wanted();
        if sent.act == "replay" {
            let report = center.replay_definition(&caller, &wanted.text)?;
            return Ok(Done::Replayed(Box::new(report)));
        }
        let change = center.put_definition_text(&caller, of.as_deref(), &wanted, &sent.note)?;
        Ok(match change.differences.is_empty() {
            true => Done::Nothing,
            false => Done::Stored(change.version),
        })
    });
    let there = match done.await {
        Ok(Done::Replayed(report)) => {
            return opened(api, signed, shell, name, Some(form), Ok(Some(*report))).await;
        }
        Ok(Done::Stored(version)) => Ok(format!("/changes/{version}")),
        Ok(Done::Nothing) => Ok(HERE.to_owned()),
        Err(problem) => Err(problem),
    };
    let again = async |shell, problem: ApiProblem| {
        opened(api, signed, shell, name, Some(form), Err(told(problem))).await
    };
    sent::answer(shell, there, |there| there, again).await
}

/// The page: of what was sent, or of what is stored.
async fn opened(
    api: &Api,
    signed: Signed,
    shell: Shell,
    name: Option<String>,
    form: Option<DefinitionForm>,
    outcome: Result<Option<ReplayReport>, ApiProblem>,
) -> Response {
    let may_change = may_change(&signed);
    let (caller, wanted) = (signed.caller, name.clone());
    let look = move |center: &Center| {
        let row = wanted.map(|name| center.definition(&caller, &name)).transpose()?;
        let text = row.as_ref().map(|row| center.definition_text(row)).transpose()?;
        Ok::<_, CenterError>((row, text))
    };
    let (row, text) = match working(api, look).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let version = row.as_ref().map(|row| row.provenance.version.to_string());
    let form = form.unwrap_or_else(|| DefinitionForm {
        text: text.unwrap_or_default(),
        expected: version.unwrap_or_default(),
        ..DefinitionForm::default()
    });
    let (report, problem, status) = match outcome {
        Ok(report) => (report, None, StatusCode::OK),
        Err(problem) if problem.status == 409 => (None, Some(problem), StatusCode::CONFLICT),
        Err(problem) => (None, Some(problem), StatusCode::UNPROCESSABLE_ENTITY),
    };
    let page = DefinitionPage {
        target: name.as_deref().map_or_else(|| format!("{HERE}/new"), href),
        row: row.map(|row| line(row, &shell)),
        form,
        may_change,
        report: report.map(|report| Report::of(report, &shell)),
        problem: problem.map(|problem| problem.detail),
        shell,
    };
    (status, shown(&page)).into_response()
}

pub(crate) async fn remove(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let (caller, of) = (signed.caller.clone(), name.clone());
    let done = working(&api, move |center| center.remove_definition(&caller, &of, None, "by hand"));
    let again = async |shell, problem: ApiProblem| {
        opened(&api, signed, shell, Some(name), None, Err(problem)).await
    };
    sent::answer(shell, done.await, |done| format!("/changes/{}", done.version), again).await
}
