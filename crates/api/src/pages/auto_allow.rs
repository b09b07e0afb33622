//! To whom people wrote, and who may therefore answer: the list, the form
//! that forgets, and the form that takes over. Nothing needs a script.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use center::{AutoAllowImported, AutoAllowRow, AutoAllowSearch, ImportHow};
use serde::Deserialize;
use types::{Caller, Permission, Timestamp};

use super::{Shell, error_page, sent, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

/// Where this page is.
const HERE: &str = "/senders/auto";
/// Rows shown.
const ROWS: usize = 200;

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    text: String,
}

impl Wanted {
    fn search(&self) -> AutoAllowSearch {
        let text = self.text.trim().to_owned();
        AutoAllowSearch { text, limit: ROWS, ..AutoAllowSearch::default() }
    }
}

#[derive(Template)]
#[template(path = "auto_allow.html")]
struct AutoAllowPage {
    shell: Shell,
    text: String,
    rows: Vec<AutoAllowRow>,
    /// How many pairs there are, for those who may know.
    count: Option<usize>,
    /// How many there was no room for.
    no_room: u64,
    /// How many could not be written.
    unwritten: u64,
    export: String,
    may_forget: bool,
    may_import: bool,
    list: String,
    told: Option<AutoAllowImported>,
    problems: Vec<center::Problem>,
    problem: Option<String>,
}

impl AutoAllowPage {
    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }

    fn is_cut(&self) -> bool {
        self.rows.len() == ROWS
    }
}

/// What came of the form that takes over.
#[derive(Default)]
struct Taken {
    list: String,
    told: Option<AutoAllowImported>,
    problems: Vec<center::Problem>,
    problem: Option<String>,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(wanted): Params<Wanted>,
) -> Response {
    let form = !signed.csrf.is_empty();
    listed(&api, signed.caller, form, shell, wanted, Taken::default()).await
}

async fn listed(
    api: &Api,
    caller: Caller,
    form: bool,
    shell: Shell,
    wanted: Wanted,
    taken: Taken,
) -> Response {
    let may_forget = form && caller.may(Permission::EditSenders);
    let may_import = form && caller.may(Permission::EditLists);
    let search = wanted.search();
    let found = working(api, move |center| {
        let count = center.auto_allowed_count(&caller);
        let left_out = count.map_or((0, 0), |_| center.auto_allow_not_learned());
        center.auto_allowed(&caller, &search).map(|rows| (rows, count, left_out))
    });
    let (rows, count, (no_room, unwritten)) = match found.await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let text = Some(wanted.text.trim()).filter(|text| !text.is_empty());
    let export = path_with("/api/v1/senders/auto/export", &[("text", text)]);
    let Taken { list, told, problems, problem } = taken;
    shown(&AutoAllowPage {
        shell,
        text: wanted.text,
        rows,
        count,
        no_room,
        unwritten,
        export,
        may_forget,
        may_import,
        list,
        told,
        problems,
        problem,
    })
}

/// Which pair is to be forgotten.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ForgetForm {
    sender: String,
    recipient: String,
    /// What the list was narrowed to.
    text: String,
}

pub(super) async fn forget(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(form): Form<ForgetForm>,
) -> Response {
    let done = working(&api, move |center| {
        let address = |text: &str| {
            text.parse().map_err(|e| center::CenterError::invalid(format!("{text:?}: {e}")))
        };
        let search = AutoAllowSearch {
            sender: Some(address(&form.sender)?),
            recipient: Some(address(&form.recipient)?),
            ..AutoAllowSearch::default()
        };
        center.purge_auto_allowed(&signed.caller, &search).map(|_| form.text)
    });
    match done.await {
        Ok(text) => {
            let text = Some(text.as_str()).filter(|text| !text.is_empty());
            Redirect::to(&path_with(HERE, &[("text", text)])).into_response()
        }
        Err(problem) => error_page(shell, &problem),
    }
}

/// The form that takes over.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ImportForm {
    list: String,
    /// `check`, `all` or `good`.
    how: String,
}

pub(super) async fn import(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(form): Form<ImportForm>,
) -> Response {
    let how = ImportHow { partial: form.how == "good", dry_run: form.how == "check" };
    let (caller, text) = (signed.caller.clone(), form.list.clone());
    let done =
        working(&api, move |center| center.import_auto_allowed(&caller, &mut text.as_bytes(), how));
    let done = done.await;
    let (caller, may) = (signed.caller, !signed.csrf.is_empty());
    let (again_caller, again_api) = (caller.clone(), api.clone());
    let typed = form.list.clone();
    let then = async |shell, mut told: AutoAllowImported| {
        let problems = std::mem::take(&mut told.problems);
        let list = if told.dry_run { typed } else { String::new() };
        let taken = Taken { list, told: Some(told), problems, problem: None };
        listed(&api, caller, may, shell, Wanted::default(), taken).await
    };
    let again = async |shell, problem: ApiProblem| {
        let why = "Nothing was taken over, because these lines are wrong.".to_owned();
        let lines = problem.problems.iter().any(|problem| problem.line.is_some());
        let (why, problems) = match lines {
            true => (why, problem.problems),
            false => (problem.detail, Vec::new()),
        };
        let list = form.list;
        let taken = Taken { list, told: None, problems, problem: Some(why) };
        listed(&again_api, again_caller, may, shell, Wanted::default(), taken).await
    };
    sent::shown(shell, done, then, again).await
}
