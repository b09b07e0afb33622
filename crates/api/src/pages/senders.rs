//! Managed senders: the list, one entry ([`entry`]), import.

mod entry;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::importing::{ListFormat, ListText};
use center::{Center, CenterError, ImportHow, Imported, SenderRow, SenderSearch};
use serde::Deserialize;
use types::lists::{SenderAction, SenderKind};
use types::{Caller, Permission, PolicyId, Timestamp};

use super::{Shell, error_page, sent, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

pub(super) use entry::{edit, new, save_edited, save_new};

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
    kind: String,
    /// `yes`, `no` or nothing.
    authenticated: String,
    unused: String,
    after: String,
}

/// Whether entries count for authenticated mail alone, in the order of the
/// choice.
const AUTHENTICATED: &[(&str, &str)] =
    &[("", "any mail or not"), ("yes", "authenticated mail alone"), ("no", "any mail")];

impl Narrowed {
    fn search(&self) -> SenderSearch {
        SenderSearch {
            text: Some(self.text.trim().to_owned()).filter(|text| !text.is_empty()),
            action: action(&self.action),
            kind: kind(&self.kind),
            authenticated_only: self.authenticated_only(),
            unused_days: self.unused.parse().ok(),
            after: self.after.parse().ok().map(PolicyId),
            limit: ROWS,
            ..SenderSearch::default()
        }
    }

    fn authenticated_only(&self) -> Option<bool> {
        match self.authenticated.as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    fn is_narrowed(&self) -> bool {
        self.parameters().iter().any(|(_, value)| value.is_some())
    }

    /// What is in the address of the list.
    fn parameters(&self) -> [(&'static str, Option<&str>); 5] {
        fn given(text: &str) -> Option<&str> {
            Some(text).filter(|text| !text.is_empty())
        }
        [
            ("text", given(&self.text)),
            ("action", given(&self.action)),
            ("kind", given(&self.kind)),
            ("authenticated", given(&self.authenticated)),
            ("unused", given(&self.unused)),
        ]
    }

    /// The same list as the API has it.
    fn export(&self) -> String {
        let [text, action, kind, _, (_, days)] = self.parameters();
        let authenticated = self.authenticated_only().map(|is| is.to_string());
        let authenticated = ("authenticated_only", authenticated.as_deref());
        let parameters = [text, action, kind, authenticated, ("unused_days", days)];
        path_with("/api/v1/senders/export", &parameters)
    }

    /// The page after an entry.
    fn next(&self, last: PolicyId) -> String {
        let after = last.0.to_string();
        let mut parameters = self.parameters().to_vec();
        parameters.push(("after", Some(after.as_str())));
        path_with(HERE, &parameters)
    }
}

fn kind(slug: &str) -> Option<SenderKind> {
    SenderKind::ALL.iter().copied().find(|kind| kind.slug() == slug)
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
    authenticated: &'static [(&'static str, &'static str)],
    kinds: &'static [SenderKind],
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
    shown(&SendersPage {
        next: last.map(|id| narrowed.next(id)),
        export: narrowed.export(),
        may_change: may_change(&signed),
        may_import: signed.caller.may(Permission::EditLists) && !signed.csrf.is_empty(),
        rows,
        narrowed,
        unused: UNUSED_DAYS,
        authenticated: AUTHENTICATED,
        kinds: SenderKind::ALL,
        actions: ACTIONS,
        shell,
    })
}

fn may_change(signed: &Signed) -> bool {
    signed.caller.may(Permission::EditSenders) && !signed.csrf.is_empty()
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
    let text = "sender,recipient,action,note,valid_until,authenticated_only\n".to_owned();
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
