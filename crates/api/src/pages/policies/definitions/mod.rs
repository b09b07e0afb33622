//! Definitions: the list with who uses them, and one of them as a form or as
//! the text it is written in, with its replay. Both sides lead to the same
//! definition, which is tried out and stored in one way.

mod form;
mod list;
mod sent;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use center::replay::ReplayReport;
use center::{
    Center, CenterError, DefinitionRow, Problem, blank_definition, definition_example,
    definition_text,
};
use serde::Deserialize;
use types::PolicyType;

use super::super::list::address::Pairs;
use super::super::{Shell, error_page, sent as answered, shown};
use super::{Report, may_change, told};
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};
use form::{Fields, View};
pub(crate) use list::page;
use list::{Line, href, kinds};
use sent::{Act, SentForm, Side};

/// Where this page is.
const HERE: &str = "/definitions";

#[derive(Template)]
#[template(path = "definition_kinds.html")]
struct KindsPage {
    shell: Shell,
    kinds: Vec<PolicyType>,
}

#[derive(Template)]
#[template(path = "definition.html")]
struct DefinitionPage {
    shell: Shell,
    /// What the page is of; nothing for a new one.
    row: Option<Line>,
    kind: PolicyType,
    target: String,
    sent: SentForm,
    /// The fields; nothing on the side of the text.
    view: Option<View>,
    may_change: bool,
    report: Option<Report>,
    problems: Vec<Problem>,
}

impl DefinitionPage {
    /// Whether it can only be changed in the policy file.
    fn is_by_file(&self) -> bool {
        self.row.as_ref().is_some_and(|line| line.by_file)
    }

    /// Whether what is shown can be changed here.
    fn is_editable(&self) -> bool {
        self.may_change && !self.is_by_file()
    }

    fn is_text(&self) -> bool {
        self.view.is_none()
    }

    /// What the Enter key does in a field: where countries are looked for, it
    /// takes what was found into the list.
    fn first_act(&self) -> &'static str {
        let fields = self.view.as_ref().map(|view| &view.fields);
        if let Some(Fields::Places(_)) = fields { "add" } else { "replay" }
    }

    /// The other side, for whoever can only look.
    fn side_target(&self, side: &str) -> String {
        match &self.row {
            Some(_) => format!("{}?as={side}", self.target),
            None => format!("{}?kind={}&as={side}", self.target, self.kind.slug()),
        }
    }

    /// The field that a problem is told beside, if the page has it.
    fn place<'a>(&self, problem: &'a Problem) -> Option<&'a str> {
        let field = problem.field.as_deref()?;
        let view = self.view.as_ref()?;
        view.has(field).then_some(field)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewParams {
    kind: String,
    #[serde(rename = "as")]
    side: Side,
}

/// The page of a new definition; first, of what kind it is to be.
pub(crate) async fn new(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(NewParams { kind, side }): Params<NewParams>,
) -> Response {
    if kind.is_empty() {
        return shown(&KindsPage { shell, kinds: kinds() });
    }
    let kind = kind.parse::<PolicyType>().ok();
    let begin =
        kind.and_then(|kind| Some((kind, blank_definition(kind)?, definition_example(kind)?)));
    let Some((kind, blank, example)) = begin else {
        return error_page(shell, &ApiProblem::nothing_here());
    };
    let begun = match side {
        Side::Form => SentForm::of_fields(kind, form::typed(&blank), String::new()),
        Side::Text => SentForm::of_text(kind, example.to_owned(), String::new()),
    };
    opened(&api, signed, shell, Opening::With(None, begun), Outcome::default()).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SideParams {
    #[serde(rename = "as")]
    side: Side,
}

pub(crate) async fn one(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Params(SideParams { side }): Params<SideParams>,
) -> Response {
    opened(&api, signed, shell, Opening::Stored(name, side), Outcome::default()).await
}

pub(crate) async fn save_new(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(pairs): Form<Pairs>,
) -> Response {
    act(&api, signed, shell, None, pairs).await
}

pub(crate) async fn save(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Response {
    act(&api, signed, shell, Some(name), pairs).await
}

enum Done {
    Stored(u64),
    Nothing,
    Replayed(Box<ReplayReport>),
    /// Nothing was done but to show it in another way.
    Shown(Box<SentForm>),
}

/// Replays what was typed, or stores it, or shows it in another way.
async fn act(
    api: &Api,
    signed: Signed,
    shell: Shell,
    name: Option<String>,
    pairs: Pairs,
) -> Response {
    let form = match SentForm::received(pairs) {
        Ok(form) => form,
        Err(problem) => return error_page(shell, &problem),
    };
    let (caller, sent, of) = (signed.caller.clone(), form.clone(), name.clone());
    let done = working(api, move |center| acted(center, &caller, of.as_deref(), &sent)).await;
    let (by, typed, of) = (signed.clone(), form.clone(), name.clone());
    let then = async |shell, done| {
        let (form, outcome) = match done {
            Done::Stored(version) => {
                return Redirect::to(&format!("/changes/{version}")).into_response();
            }
            Done::Nothing => return Redirect::to(HERE).into_response(),
            Done::Replayed(report) => (typed, Outcome { report: Some(*report), problem: None }),
            Done::Shown(form) => (*form, Outcome::default()),
        };
        opened(api, by, shell, Opening::With(of, form), outcome).await
    };
    let again = async |shell, problem| {
        let outcome = Outcome { report: None, problem: Some(told(problem)) };
        opened(api, signed, shell, Opening::With(name, form), outcome).await
    };
    answered::shown(shell, done, then, again).await
}

fn acted(
    center: &Center,
    caller: &types::Caller,
    of: Option<&str>,
    sent: &SentForm,
) -> Result<Done, CenterError> {
    if sent.act == Act::Rows {
        return Ok(Done::Shown(Box::new(sent.clone())));
    }
    let stored = of.map(|name| center.definition(caller, name)).transpose()?;
    let read = sent.read(stored.as_ref().map(|row| &row.definition))?;
    let definition = read.definition.clone();
    let placed = |mut error: CenterError| {
        if let CenterError::Invalid { problems } = &mut error {
            read.placed(problems);
        }
        error
    };
    match sent.act {
        Act::Replay => {
            let report = center.replay_definition(caller, definition).map_err(placed)?;
            Ok(Done::Replayed(Box::new(report)))
        }
        Act::Save => {
            let wanted = sent.wanted(definition);
            let change =
                center.put_written_definition(caller, of, &wanted, &sent.note).map_err(placed)?;
            Ok(match change.differences.is_empty() {
                true => Done::Nothing,
                false => Done::Stored(change.version),
            })
        }
        Act::Form | Act::Add | Act::Rows => Ok(Done::Shown(Box::new(sent.as_fields(&definition)))),
        Act::Text => {
            let text = definition_text(&definition)?;
            Ok(Done::Shown(Box::new(sent.as_text(definition.kind(), text))))
        }
    }
}

/// What the page is opened with.
enum Opening {
    /// The definition of this name as it is stored, on one side.
    Stored(String, Side),
    /// What was sent for the definition of this name, or what a new one begins
    /// with.
    With(Option<String>, SentForm),
}

/// What came of what was sent before.
#[derive(Default)]
struct Outcome {
    report: Option<ReplayReport>,
    problem: Option<ApiProblem>,
}

/// What is stored, as the form that changes it.
fn stored_form(row: &DefinitionRow, side: Side) -> Result<SentForm, CenterError> {
    let (kind, version) = (row.definition.kind(), row.provenance.version.to_string());
    Ok(match side {
        Side::Form => SentForm::of_fields(kind, form::typed(&row.definition), version),
        Side::Text => SentForm::of_text(kind, definition_text(&row.definition)?, version),
    })
}

/// The page: of what was sent, or of what is stored.
async fn opened(
    api: &Api,
    signed: Signed,
    shell: Shell,
    opening: Opening,
    outcome: Outcome,
) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    let look = move |center: &Center| {
        let ground = center.definition_ground(&caller)?;
        Ok::<_, CenterError>(match opening {
            Opening::Stored(name, side) => {
                let row = center.definition(&caller, &name)?;
                let form = stored_form(&row, side)?;
                (Some(row), form, ground)
            }
            Opening::With(name, form) => {
                let row = name.map(|name| center.definition(&caller, &name)).transpose()?;
                (row, form, ground)
            }
        })
    };
    let (row, sent, ground) = match working(api, look).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let status = match &outcome.problem {
        None => StatusCode::OK,
        Some(problem) if problem.status == 409 => StatusCode::CONFLICT,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let problems = outcome.problem.map(all_of).unwrap_or_default();
    let page = DefinitionPage {
        target: row
            .as_ref()
            .map_or_else(|| format!("{HERE}/new"), |row| href(&row.definition.name)),
        row: row.map(|row| list::line(row, &shell)),
        kind: sent.kind,
        view: sent.view(&problems, &ground),
        sent,
        may_change,
        report: outcome.report.map(|report| Report::of(report, &shell)),
        problems,
        shell,
    };
    (status, shown(&page)).into_response()
}

/// All that is wrong; what has no parts is one problem itself.
fn all_of(problem: ApiProblem) -> Vec<Problem> {
    match problem.problems.is_empty() {
        true => vec![Problem::new(problem.detail)],
        false => problem.problems,
    }
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
        let outcome = Outcome { report: None, problem: Some(problem) };
        opened(&api, signed, shell, Opening::Stored(name, Side::Form), outcome).await
    };
    answered::answer(shell, done.await, |done| format!("/changes/{}", done.version), again).await
}
