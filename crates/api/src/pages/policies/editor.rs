//! The editor of one policy, with its replay.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use center::replay::{ReplayChange, ReplayReport, ReplayRequest};
use center::{AttributeRow, Center, CenterError};
use types::choices::choices;
use types::policy::PolicyMode;
use types::{PolicyId, PolicyType};

use super::super::list::address::Pairs;
use super::super::{Shell, error_page, sent, shown};
use super::form::{BASES, Filled, MODES, OptionChoice, PolicyForm, option_choices};
use super::scopes::SCOPES;
use super::{Report, may_change, told};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage {
    shell: Shell,
    kind: PolicyType,
    id: Option<PolicyId>,
    form: PolicyForm,
    options: Vec<OptionChoice>,
    groups: Vec<String>,
    /// What people have of attributes, as far as a form suggests it.
    attributes: Attributes,
    by_file: bool,
    /// Whether it is stored in observe mode.
    observed: bool,
    may_change: bool,
    report: Option<Report>,
    problem: Option<String>,
    scopes: &'static [(&'static str, &'static str, bool)],
    bases: &'static [(&'static str, &'static str)],
    modes: &'static [(&'static str, &'static str)],
}

/// Most values of attributes that the form suggests.
const VALUES_SUGGESTED: usize = 500;

/// Names and values of attributes that directories have.
struct Attributes {
    names: Vec<String>,
    /// Each value, with the attribute it is of.
    values: Vec<(String, String)>,
}

impl Attributes {
    fn of(rows: Vec<AttributeRow>) -> Attributes {
        let mut names: Vec<String> = rows.iter().map(|row| row.attribute.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        let rows = rows.into_iter().take(VALUES_SUGGESTED);
        let values = rows.map(|row| (row.attribute.value, row.attribute.name)).collect();
        Attributes { names, values }
    }
}

impl PolicyPage {
    fn target(&self) -> String {
        match self.id {
            Some(id) => format!("/policies/{}", id.0),
            None => format!("/policies/new/{}", self.kind.slug()),
        }
    }

    /// Whether the option is none of the choices.
    fn is_written(&self) -> bool {
        !self.options.iter().any(|choice| choice.value == self.form.option)
    }

    /// The option in its own words, for the field in which it can be written.
    fn written(&self) -> String {
        if !self.form.written.is_empty() || !self.is_written() {
            return self.form.written.clone();
        }
        let option: Option<serde_json::Value> = serde_json::from_str(&self.form.option).ok();
        option.and_then(|option| option.get("set").map(ToString::to_string)).unwrap_or_default()
    }
}

pub(crate) async fn new(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(kind): Path<String>,
    Params(filled): Params<Filled>,
) -> Response {
    match kind.parse::<PolicyType>() {
        Ok(kind) if !choices(kind).is_empty() => {
            let form = Some(PolicyForm::filled(filled));
            opened(&api, signed, shell, kind, None, form, Outcome::default()).await
        }
        _ => error_page(shell, &ApiProblem::nothing_here()),
    }
}

/// What came of what was sent before.
#[derive(Default)]
struct Outcome {
    report: Option<ReplayReport>,
    problem: Option<ApiProblem>,
}

/// The editor: of what was sent, or of what is stored.
async fn opened(
    api: &Api,
    signed: Signed,
    shell: Shell,
    kind: PolicyType,
    id: Option<PolicyId>,
    form: Option<PolicyForm>,
    outcome: Outcome,
) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    let look = move |center: &Center| {
        let list = center.policies(&caller)?;
        let rows = center.groups(&caller)?.into_iter();
        let groups: Vec<String> = rows.map(|row| row.group.name).collect();
        let attributes = Attributes::of(center.attributes(&caller)?);
        let defined = center.definitions(&caller)?.into_iter();
        let defined = defined.filter(|row| row.definition.kind() == kind);
        let names: Vec<String> = defined.map(|row| row.definition.name).collect();
        let stored = list.policies.into_iter().find(|row| row.policy.id == id && id.is_some());
        Ok::<_, CenterError>((groups, attributes, names, stored))
    };
    let (groups, attributes, names, stored) = match working(api, look).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let observed = stored.as_ref().is_some_and(|row| row.policy.mode == PolicyMode::Observe);
    let by_file = stored.as_ref().is_some_and(|row| row.provenance.origin.is_file());
    let form = form.unwrap_or_else(|| match &stored {
        Some(row) => PolicyForm::of(&row.policy, row.provenance.version),
        None => PolicyForm::new(),
    });
    let status = match &outcome.problem {
        Some(problem) if problem.status == 409 => StatusCode::CONFLICT,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = PolicyPage {
        kind,
        id,
        form,
        options: option_choices(kind, &names),
        groups,
        attributes,
        by_file,
        observed,
        may_change: may_change && !by_file,
        report: outcome.report.map(|report| Report::of(report, &shell)),
        problem: outcome.problem.map(|problem| problem.detail),
        scopes: SCOPES,
        bases: BASES,
        modes: MODES,
        shell,
    };
    (status, shown(&page)).into_response()
}

pub(crate) async fn edit(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    let (caller, id) = (signed.caller.clone(), PolicyId(number));
    match working(&api, move |center| center.policy(&caller, id)).await {
        Ok(row) => {
            let kind = row.policy.kind();
            opened(&api, signed, shell, kind, Some(id), None, Outcome::default()).await
        }
        Err(problem) => error_page(shell, &problem),
    }
}

pub(crate) async fn save_new(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(kind): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Response {
    match kind.parse() {
        Ok(kind) => act(&api, signed, shell, kind, None, &pairs).await,
        Err(_) => error_page(shell, &ApiProblem::nothing_here()),
    }
}

pub(crate) async fn save_edited(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
    Form(pairs): Form<Pairs>,
) -> Response {
    let (caller, id) = (signed.caller.clone(), PolicyId(number));
    match working(&api, move |center| center.policy(&caller, id)).await {
        Ok(row) => act(&api, signed, shell, row.policy.kind(), Some(id), &pairs).await,
        Err(problem) => error_page(shell, &problem),
    }
}

/// Replays what was typed, or stores it.
async fn act(
    api: &Api,
    signed: Signed,
    shell: Shell,
    kind: PolicyType,
    id: Option<PolicyId>,
    pairs: &Pairs,
) -> Response {
    let form = PolicyForm::read(pairs);
    let is_replay = pairs.iter().any(|(name, value)| name == "do" && value == "replay");
    let (caller, wanted) = (signed.caller.clone(), form.clone());
    let done = working(api, move |center| {
        let mut policy = wanted.policy(kind, id)?;
        if is_replay {
            // What it would do were it enforced, whatever it is to be.
            policy.mode = PolicyMode::On;
            let change = ReplayChange::Policy(Box::new(policy));
            let request = ReplayRequest { change, ..ReplayRequest::default() };
            let report = center.replay(&caller, &request)?;
            return Ok(Done::Replayed(Box::new(report)));
        }
        let version = unchanged(center, &caller, id, &wanted)?;
        let caller = match wanted.row.as_str() {
            "" => caller,
            row => center.acting_on(&caller, row)?,
        };
        center.put_policy(&caller, policy, Some(version), &wanted.note).map(|change| {
            if change.differences.is_empty() { Done::Nothing } else { Done::Stored(change.version) }
        })
    });
    let (by, typed) = (signed.clone(), form.clone());
    let then = async |shell, done| match done {
        Done::Stored(version) => {
            // Back from there leads to the message it was made from.
            let row = Some(typed.row.as_str()).filter(|row| !row.is_empty());
            Redirect::to(&path_with(&format!("/changes/{version}"), &[("from", row)]))
                .into_response()
        }
        Done::Nothing => Redirect::to("/policies").into_response(),
        Done::Replayed(report) => {
            let outcome = Outcome { report: Some(*report), problem: None };
            opened(api, by, shell, kind, id, Some(typed), outcome).await
        }
    };
    let again = async |shell, problem| {
        let outcome = Outcome { report: None, problem: Some(told(problem)) };
        opened(api, signed, shell, kind, id, Some(form), outcome).await
    };
    sent::shown(shell, done.await, then, again).await
}

/// The version of the set, unless the policy was changed while its form was
/// open; what happens to others meanwhile is no conflict.
fn unchanged(
    center: &Center,
    caller: &types::Caller,
    id: Option<PolicyId>,
    form: &PolicyForm,
) -> Result<u64, CenterError> {
    let list = center.policies(caller)?;
    let stored = list.policies.iter().find(|row| id.is_some() && row.policy.id == id);
    match (stored.map(|row| row.provenance.version), form.expected()) {
        (Some(found), Some(expected)) if found != expected => {
            Err(CenterError::Conflict { expected, found })
        }
        _ => Ok(list.version),
    }
}

enum Done {
    Stored(u64),
    Nothing,
    Replayed(Box<ReplayReport>),
}

pub(crate) async fn remove(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    let caller = signed.caller;
    let done = working(&api, move |center| {
        center.remove_policy(&caller, PolicyId(number), None, "by hand")
    });
    match done.await {
        Ok(done) => Redirect::to(&format!("/changes/{}", done.version)).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}
