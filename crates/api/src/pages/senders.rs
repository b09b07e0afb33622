//! Managed senders: the list, one entry, import.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::importing::{ListFormat, ListText};
use center::{Center, CenterError, ChangeResult, ImportHow, Imported, SenderRow, SenderSearch};
use serde::Deserialize;
use types::lists::{ManagedSender, SenderAction};
use types::{Caller, Permission, PolicyId, Timestamp};

use super::{Shell, error_page, sent, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

/// Where this page is.
const HERE: &str = "/senders";
/// Rows of one page.
const ROWS: usize = 100;
/// Days after which an entry can be called unused.
const UNUSED_DAYS: &[(&str, &str)] =
    &[("", "any"), ("30", "30 days"), ("90", "90 days"), ("365", "a year")];
/// What an entry can do, in the order of the choice.
const ACTIONS: [SenderAction; 4] =
    [SenderAction::Permit, SenderAction::Block, SenderAction::Auto, SenderAction::Disabled];

/// What the list is narrowed to, as the form sends it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Narrowed {
    text: String,
    action: String,
    unused: String,
    after: String,
}

impl Narrowed {
    fn search(&self) -> SenderSearch {
        SenderSearch {
            text: Some(self.text.trim().to_owned()).filter(|text| !text.is_empty()),
            action: action(&self.action),
            unused_days: self.unused.parse().ok(),
            after: self.after.parse().ok().map(PolicyId),
            limit: ROWS,
            ..SenderSearch::default()
        }
    }

    fn is_narrowed(&self) -> bool {
        !(self.text.is_empty() && self.action.is_empty() && self.unused.is_empty())
    }

    fn parameters(&self) -> [(&'static str, Option<&str>); 3] {
        let given = |text: &'_ str| !text.is_empty();
        [
            ("text", Some(self.text.as_str()).filter(|text| given(text))),
            ("action", Some(self.action.as_str()).filter(|text| given(text))),
            ("unused", Some(self.unused.as_str()).filter(|text| given(text))),
        ]
    }
}

fn action(slug: &str) -> Option<SenderAction> {
    ACTIONS.into_iter().find(|action| action.slug() == slug)
}

#[derive(Template)]
#[template(path = "senders.html")]
struct SendersPage {
    shell: Shell,
    narrowed: Narrowed,
    rows: Vec<SenderRow>,
    /// The page after this one.
    next: Option<String>,
    export: String,
    may_change: bool,
    may_import: bool,
    unused: &'static [(&'static str, &'static str)],
    actions: [SenderAction; 4],
}

impl SendersPage {
    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }

    fn until(&self, at: &Timestamp) -> String {
        self.shell.zone.end(*at)
    }

    /// The class of the badge of an action.
    fn class(&self, row: &SenderRow) -> &'static str {
        class(row.sender.action)
    }

    fn text(&self, text: &str) -> String {
        center::presentable_within(text, 300)
    }
}

fn class(action: SenderAction) -> &'static str {
    match action {
        SenderAction::Permit => "accepted",
        SenderAction::Block => "rejected",
        SenderAction::Auto => "queued",
        SenderAction::Disabled => "step",
    }
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(narrowed): Params<Narrowed>,
) -> Response {
    let (caller, search) = (signed.caller.clone(), narrowed.search());
    let rows = match working(&api, move |center| center.senders(&caller, &search)).await {
        Ok(rows) => rows,
        Err(problem) => return error_page(shell, &problem),
    };
    let last = rows.last().and_then(|row| row.sender.id).filter(|_| rows.len() == ROWS);
    let [text, action, unused] = narrowed.parameters();
    let next =
        last.map(|id| path_with(HERE, &[text, action, unused, ("after", Some(&id.0.to_string()))]));
    let days = ("unused_days", unused.1);
    shown(&SendersPage {
        next,
        export: path_with("/api/v1/senders/export", &[text, action, days]),
        may_change: may_change(&signed),
        may_import: signed.caller.may(Permission::EditLists) && !signed.csrf.is_empty(),
        rows,
        narrowed,
        unused: UNUSED_DAYS,
        actions: ACTIONS,
        shell,
    })
}

fn may_change(signed: &Signed) -> bool {
    signed.caller.may(Permission::EditSenders) && !signed.csrf.is_empty()
}

/// The form of one entry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EntryForm {
    sender: String,
    recipient: String,
    action: String,
    /// A day, `2026-12-31`; the entry counts up to its end.
    until: String,
    note: String,
}

#[derive(Template)]
#[template(path = "sender.html")]
struct SenderPage {
    shell: Shell,
    id: Option<PolicyId>,
    form: EntryForm,
    row: Option<SenderRow>,
    problem: Option<String>,
    actions: [SenderAction; 4],
}

impl SenderPage {
    fn target(&self) -> String {
        self.id.map_or("/senders/new".to_owned(), |id| format!("{HERE}/{}", id.0))
    }

    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }

    fn is_by_file(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.provenance.origin.is_file())
    }
}

impl EntryForm {
    fn of(entry: &ManagedSender) -> EntryForm {
        EntryForm {
            sender: entry.sender.to_string(),
            recipient: entry.recipient.to_string(),
            action: entry.action.slug().to_owned(),
            until: entry.valid_until.map(|at| at.to_string()).unwrap_or_default(),
            note: entry.note.clone(),
        }
    }

    fn entry(&self, id: Option<PolicyId>) -> Result<ManagedSender, CenterError> {
        let wrong = |what: &str, text: &str, error: &dyn std::fmt::Display| {
            CenterError::invalid(format!("{what} {text:?}: {error}"))
        };
        let sender = self.sender.trim();
        let recipient = self.recipient.trim();
        let until = match self.until.trim() {
            "" => None,
            day if !day.contains('T') => {
                Some(format!("{day}T23:59:59Z").parse().map_err(|e| wrong("until", day, &e))?)
            }
            time => Some(time.parse().map_err(|e| wrong("until", time, &e))?),
        };
        Ok(ManagedSender {
            id,
            sender: sender.parse().map_err(|e| wrong("sender", sender, &e))?,
            recipient: recipient.parse().map_err(|e| wrong("recipient", recipient, &e))?,
            action: action(&self.action)
                .ok_or_else(|| CenterError::invalid("say what the entry does"))?,
            note: self.note.trim().to_owned(),
            created_by: String::new(),
            created: Timestamp::EPOCH,
            created_from: None,
            valid_until: until,
        })
    }
}

pub(super) async fn new(shell: Shell) -> Response {
    let form = EntryForm { action: "permit".to_owned(), ..EntryForm::default() };
    shown(&SenderPage { shell, id: None, form, row: None, problem: None, actions: ACTIONS })
}

pub(super) async fn edit(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    let caller = signed.caller;
    match working(&api, move |center| center.sender(&caller, PolicyId(number))).await {
        Ok(row) => {
            let (id, form) = (row.sender.id, EntryForm::of(&row.sender));
            let row = Some(row);
            shown(&SenderPage { shell, id, form, row, problem: None, actions: ACTIONS })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn save_new(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(form): Form<EntryForm>,
) -> Response {
    save(&api, signed, shell, None, form).await
}

pub(super) async fn save_edited(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
    Form(form): Form<EntryForm>,
) -> Response {
    save(&api, signed, shell, Some(PolicyId(number)), form).await
}

async fn save(
    api: &Api,
    signed: Signed,
    shell: Shell,
    id: Option<PolicyId>,
    form: EntryForm,
) -> Response {
    let (caller, wanted) = (signed.caller, form.clone());
    let done = working(api, move |center| {
        let entry = wanted.entry(id)?;
        center.put_sender(&caller, entry, "by hand")
    });
    let there = |done: ChangeResult| match done.differences.is_empty() {
        true => HERE.to_owned(),
        false => format!("/changes/{}", done.version),
    };
    let again = async |shell, problem: ApiProblem| {
        let problem = Some(problem.detail);
        shown(&SenderPage { shell, id, form, row: None, problem, actions: ACTIONS })
    };
    sent::answer(shell, done.await, there, again).await
}

pub(super) async fn remove(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    let caller = signed.caller;
    let done =
        working(&api, move |center| center.remove_sender(&caller, PolicyId(number), "by hand"));
    match done.await {
        Ok(done) => Redirect::to(&format!("/changes/{}", done.version)).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}

/// The form of an import.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ImportForm {
    text: String,
    /// Whose list it is, by the name of the format.
    format: String,
    /// What the lines of a plain list do.
    does: String,
    /// Whose list a plain list goes into.
    recipient: String,
    /// `check`, `all` or `good`.
    how: String,
}

impl ImportForm {
    fn import(&self, center: &Center, caller: &Caller) -> Result<Imported, CenterError> {
        let how = ImportHow { partial: self.how == "good", dry_run: self.how == "check" };
        let unknown = || {
            let known = ListFormat::ALL.iter().map(|format| format.slug());
            let known = known.collect::<Vec<_>>().join(", ");
            CenterError::invalid(format!("there is no such format; there are {known}"))
        };
        let recipient =
            match self.recipient.trim() {
                "" => None,
                text => Some(text.parse().map_err(|error| {
                    CenterError::invalid(format!("recipient {text:?}: {error}"))
                })?),
            };
        let list = ListText {
            format: ListFormat::named(&self.format).ok_or_else(unknown)?,
            text: &self.text,
            action: action(&self.does),
            recipient,
        };
        center.import_list(caller, &list, how, "imported")
    }
}

#[derive(Template)]
#[template(path = "senders_import.html")]
struct ImportPage {
    shell: Shell,
    form: ImportForm,
    told: Option<Imported>,
    problem: Option<String>,
    formats: &'static [ListFormat],
}

pub(super) async fn import_form(shell: Shell) -> Response {
    let text = "sender,recipient,action,note,valid_until\n".to_owned();
    let format = ListFormat::Managed.slug().to_owned();
    let form = ImportForm { text, format, does: "permit".to_owned(), ..ImportForm::default() };
    shown(&ImportPage { shell, form, told: None, problem: None, formats: ListFormat::ALL })
}

pub(super) async fn import(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(form): Form<ImportForm>,
) -> Response {
    let (caller, asked) = (signed.caller, form.clone());
    let read = move |center: &Center| asked.import(center, &caller);
    let formats = ListFormat::ALL;
    let typed = form.clone();
    let then = async |shell, told| {
        shown(&ImportPage { shell, form: typed, told: Some(told), problem: None, formats })
    };
    let again = async |shell, problem: ApiProblem| {
        let told = Imported {
            stored: 0,
            problems: problem.problems,
            dry_run: true,
            version: 0,
            lines: Vec::new(),
        };
        let why = "Nothing was stored, because these lines are wrong.".to_owned();
        let why = if told.problems.is_empty() { problem.detail } else { why };
        let told = Some(told).filter(|told| !told.problems.is_empty());
        shown(&ImportPage { shell, form, told, problem: Some(why), formats })
    };
    sent::shown(shell, working(&api, read).await, then, again).await
}
