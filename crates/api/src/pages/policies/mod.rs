//! Policies: the list by type, the editor with its replay, the versions.

pub(super) mod definitions;
mod form;
pub(super) mod observed;

use std::collections::HashMap;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use center::precision::PrecisionRow;
use center::replay::{ReplayChange, ReplayReport, ReplayRequest};
use center::{Center, CenterError, PolicyRow, VersionDifference, VersionRow};
use serde::Deserialize;
use types::choices::choices;
use types::policy::PolicyMode;
use types::{Permission, PolicyId, PolicyRef, PolicyType, Timestamp};

use super::list::address::Pairs;
use super::{Shell, error_page, sent, shown};
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};
use form::{
    BASES, MODES, OptionChoice, PolicyForm, SCOPES, option_choices, option_words, scope_words,
};

/// How far back the list says what was taken back.
const PRECISION_DAYS: u32 = 7;
/// Versions on one page.
const VERSIONS: usize = 50;

/// One type, with its policies, the most specific first.
struct OfType {
    kind: PolicyType,
    rows: Vec<PolicyRow>,
}

#[derive(Template)]
#[template(path = "policies.html")]
struct PoliciesPage {
    shell: Shell,
    version: u64,
    types: Vec<OfType>,
    may_change: bool,
    /// What was taken back of each in the last days; absent for whoever may
    /// not see rows.
    precision: Option<HashMap<PolicyId, PrecisionRow>>,
}

impl PoliciesPage {
    /// How many refusals of it were taken back, and of how many.
    fn taken_back(&self, row: &PolicyRow) -> Option<(u64, u64, u64)> {
        let found = self.precision.as_ref()?.get(&row.policy.id?)?;
        let back = found.permits + found.let_in + found.releases;
        Some((back, found.refused, found.regret_per_mille))
    }

    fn scopes(&self, row: &PolicyRow) -> String {
        let (from, to) = (scope_words(&row.policy.from), scope_words(&row.policy.to));
        let arrow = if row.policy.bidirectional { "\u{2194}" } else { "\u{2192}" };
        center::presentable(&format!("{from} {arrow} {to}")).into_owned()
    }

    fn option(&self, row: &PolicyRow) -> String {
        option_words(&row.policy.option)
    }

    /// Networks and hosts it is restricted to.
    fn sources(&self, row: &PolicyRow) -> Option<String> {
        let networks = row.policy.source_ips.iter().map(ToString::to_string);
        let hosts = row.policy.source_hosts.iter().map(ToString::to_string);
        let all: Vec<String> = networks.chain(hosts).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }

    fn class(&self, row: &PolicyRow) -> &'static str {
        match row.standing.as_str() {
            "on" => "accepted",
            "observe" => "held",
            "future" | "expired" => "deferred",
            _ => "step",
        }
    }

    fn text(&self, text: &str) -> String {
        center::presentable_within(text, 300)
    }
}

/// How precisely a side is named, for the order of the list.
fn rank(scope: &types::policy::Scope) -> u8 {
    use types::policy::Scope;
    match scope {
        Scope::Address(_) => 6,
        Scope::Group(_) => 5,
        Scope::Domain(domain) if !domain.below => 4,
        Scope::Domain(_) => 3,
        Scope::Internal | Scope::External => 2,
        Scope::Everyone => 1,
    }
}

pub(super) async fn page(State(api): State<Api>, signed: Signed, shell: Shell) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    let look = move |center: &Center| {
        let list = center.policies(&caller)?;
        let sees_rows = caller.may(Permission::SeeMetadata);
        let precision = sees_rows.then(|| center.precision(&caller, PRECISION_DAYS)).transpose()?;
        Ok::<_, CenterError>((list, precision))
    };
    let (list, precision) = match working(&api, look).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let precision = precision.map(|report| {
        let of_policy = report.rows.into_iter().filter_map(|row| match row.policy {
            Some(PolicyRef::Policy { id, .. }) => Some((id, row)),
            _ => None,
        });
        of_policy.collect()
    });
    let editable = PolicyType::ALL.iter().filter(|kind| !choices(**kind).is_empty());
    let types = editable.map(|&kind| {
        let mut rows: Vec<PolicyRow> =
            list.policies.iter().filter(|row| row.policy.kind() == kind).cloned().collect();
        // As they are selected: override, recipients, senders, source, age.
        rows.sort_by_key(|row| {
            let policy = &row.policy;
            let restricted = !policy.source_ips.is_empty() || !policy.source_hosts.is_empty();
            let specific = (policy.overrides, rank(&policy.to), rank(&policy.from), restricted);
            (std::cmp::Reverse(specific), row.provenance.created, policy.id)
        });
        OfType { kind, rows }
    });
    let (version, types) = (list.version, types.collect());
    shown(&PoliciesPage { version, types, may_change, precision, shell })
}

fn may_change(signed: &Signed) -> bool {
    signed.caller.may(Permission::EditPolicies) && !signed.csrf.is_empty()
}

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage {
    shell: Shell,
    kind: PolicyType,
    id: Option<PolicyId>,
    form: PolicyForm,
    options: Vec<OptionChoice>,
    groups: Vec<String>,
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

/// A replay as pages show it.
pub(super) struct Report {
    seen: ReplayReport,
    zone: super::clock::Zone,
}

/// One line of the table of a replay.
struct TableLine {
    before: String,
    /// Heading, count, and whether it is a difference.
    counts: Vec<(&'static str, u64, bool)>,
}

/// The columns of the table, as the report names them.
const COLUMNS: [&str; 5] = ["accepted", "held", "deferred", "rejected", "unknown"];

impl Report {
    fn of(seen: ReplayReport, shell: &Shell) -> Report {
        Report { seen, zone: super::clock::Zone::named(shell.zone.name()) }
    }

    fn seconds(&self) -> String {
        format!("{:.1}", self.seen.took_ms as f64 / 1e3)
    }

    fn when(&self, at: &Timestamp) -> String {
        self.zone.short(*at)
    }

    fn lines(&self) -> Vec<TableLine> {
        let line = |line: &center::replay::EndCounts| {
            let counts = COLUMNS.into_iter().zip(line.counts());
            let counts = counts.map(|(after, count)| (after, count, after != line.before));
            TableLine { before: line.before.clone(), counts: counts.collect() }
        };
        self.seen.table.iter().map(line).collect()
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

pub(super) async fn new(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(kind): Path<String>,
) -> Response {
    match kind.parse::<PolicyType>() {
        Ok(kind) if !choices(kind).is_empty() => {
            opened(&api, signed, shell, kind, None, None, Outcome::default()).await
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
        let defined = center.definitions(&caller)?.into_iter();
        let defined = defined.filter(|row| row.definition.kind() == kind);
        let names: Vec<String> = defined.map(|row| row.definition.name).collect();
        let stored = list.policies.into_iter().find(|row| row.policy.id == id && id.is_some());
        Ok::<_, CenterError>((groups, names, stored))
    };
    let (groups, names, stored) = match working(api, look).await {
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

pub(super) async fn edit(
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

pub(super) async fn save_new(
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

pub(super) async fn save_edited(
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
        center.put_policy(&caller, policy, Some(version), &wanted.note).map(|change| {
            if change.differences.is_empty() { Done::Nothing } else { Done::Stored(change.version) }
        })
    });
    let (by, typed) = (signed.clone(), form.clone());
    let then = async |shell, done| match done {
        Done::Stored(version) => Redirect::to(&format!("/changes/{version}")).into_response(),
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

/// A conflict, with what to do about it.
fn told(problem: ApiProblem) -> ApiProblem {
    if problem.status != 409 {
        return problem;
    }
    let detail = format!(
        "Somebody changed this while the form was open; nothing was stored and nothing \
         is overwritten. What you typed is still here: look at what changed under Versions, open \
         it again, and make your change there. ({})",
        problem.detail
    );
    ApiProblem { detail, ..problem }
}

pub(super) async fn remove(
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

#[derive(Template)]
#[template(path = "versions.html")]
struct VersionsPage {
    shell: Shell,
    rows: Vec<VersionRow>,
    next: Option<u64>,
    may_change: bool,
}

impl VersionsPage {
    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }

    fn text(&self, text: &str) -> String {
        center::presentable_within(text, 300)
    }

    /// The version before this one, to which it can be rolled back.
    fn before(&self, row: &VersionRow) -> u64 {
        row.number.saturating_sub(1)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VersionsParams {
    before: Option<u64>,
}

pub(super) async fn versions(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(VersionsParams { before }): Params<VersionsParams>,
) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    match working(&api, move |center| center.versions(&caller, before, VERSIONS)).await {
        Ok(rows) => {
            let next = rows.last().map(|row| row.number).filter(|_| rows.len() == VERSIONS);
            shown(&VersionsPage { shell, rows, next, may_change })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

#[derive(Template)]
#[template(path = "rollback.html")]
struct RollBackPage {
    shell: Shell,
    number: u64,
    report: Option<Report>,
    differences: Vec<VersionDifference>,
    may_change: bool,
}

/// What going back would change, and what that would have done.
pub(super) async fn roll_back_form(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    let change = ReplayChange::Version(number);
    let request = ReplayRequest { change, ..ReplayRequest::default() };
    match working(&api, move |center| center.replay(&caller, &request)).await {
        Ok(report) => {
            let differences = report.differences.clone();
            let report = Some(Report::of(report, &shell));
            shown(&RollBackPage { shell, number, report, differences, may_change })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RollBackForm {
    expected: Option<u64>,
}

pub(super) async fn roll_back(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
    Form(RollBackForm { expected }): Form<RollBackForm>,
) -> Response {
    let caller = signed.caller;
    let done = working(&api, move |center| {
        center.roll_back(&caller, number, expected, &format!("back to version {number}"))
    });
    match done.await {
        Ok(done) => Redirect::to(&format!("/changes/{}", done.version)).into_response(),
        Err(problem) => error_page(shell, &told(problem)),
    }
}
