//! The accounts of people: the list, one account, and what can be done to it.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use center::CenterError;
use center::accounts::{AccountChange, AccountRow, Accounts, NewPerson, RoleRow, Secret};
use serde::Deserialize;
use types::policy::DomainPattern;
use types::{Caller, RoleName, Timestamp};

use crate::Api;
use crate::auth::Signed;
use crate::client::encoded;
use crate::pages::{Shell, error_page, sent, shown};
use crate::problem::ApiProblem;
use crate::routes::on_accounts;

/// Where this page is.
const HERE: &str = "/system/access";

/// What is typed about an account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::pages) struct AccountForm {
    name: String,
    role: String,
    domains: String,
    groups: String,
    /// A checkbox: absent if it is not ticked.
    disabled: String,
}

impl AccountForm {
    fn role(&self) -> Result<RoleName, CenterError> {
        self.role.parse().map_err(|error: types::role::RoleNameError| invalid(&error))
    }

    fn domains(&self) -> Result<Vec<DomainPattern>, CenterError> {
        let words = self.domains.split([',', ' ', '\n', '\r', '\t']);
        let words = words.filter(|word| !word.is_empty());
        let read = |word: &str| {
            word.parse().map_err(|error: types::AddressError| {
                CenterError::invalid(format!("{word:?} is no domain: {error}"))
            })
        };
        words.map(read).collect()
    }
}

/// The names of groups, one a line: they can have spaces.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

fn invalid(error: &impl ToString) -> CenterError {
    CenterError::invalid(error.to_string())
}

/// A link for somebody's first sign-in, shown once.
struct Made {
    name: String,
    url: String,
}

#[derive(Template)]
#[template(path = "access.html")]
struct AccountsPage {
    shell: Shell,
    rows: Vec<AccountRow>,
    roles: Vec<RoleRow>,
    wanted: AccountForm,
    fault: Option<String>,
    made: Option<Made>,
}

impl AccountsPage {
    fn when(&self, at: Option<&Timestamp>) -> String {
        at.map_or_else(|| "never".to_owned(), |at| self.shell.time(*at))
    }
}

fn href(name: &str) -> String {
    format!("{HERE}/{}", encoded(name))
}

/// The domains and groups of an account, for people.
fn seen(row: &AccountRow) -> String {
    let domains = row.domains.iter().map(ToString::to_string);
    let group = |name: &String| match row.groups_missing.contains(name) {
        true => format!("group {name} (which is gone)"),
        false => format!("group {name}"),
    };
    let names: Vec<String> = domains.chain(row.groups.iter().map(group)).collect();
    if names.is_empty() { "everything".to_owned() } else { names.join(", ") }
}

pub(in crate::pages) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
) -> Response {
    list(&api, signed.caller, shell, AccountForm::default(), None, None).await
}

async fn list(
    api: &Api,
    caller: Caller,
    shell: Shell,
    wanted: AccountForm,
    fault: Option<String>,
    made: Option<Made>,
) -> Response {
    let look =
        move |accounts: &Accounts| Ok((accounts.accounts(&caller)?, accounts.roles(&caller)?));
    match on_accounts(api, look).await {
        Ok((rows, roles)) => shown(&AccountsPage { shell, rows, roles, wanted, fault, made }),
        Err(problem) => error_page(shell, &problem),
    }
}

/// Adds an account and shows the link with which the person chooses a
/// password.
pub(in crate::pages) async fn add(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(form): Form<AccountForm>,
) -> Response {
    let (caller, wanted) = (signed.caller.clone(), form.clone());
    let work = move |accounts: &Accounts| {
        let (role, domains) = (wanted.role()?, wanted.domains()?);
        let (name, groups) = (wanted.name.clone(), lines(&wanted.groups));
        let person = NewPerson { name, role, domains, groups };
        accounts.add_account(&caller, &person)?;
        accounts.set_up_link(&caller, Some(&wanted.name))
    };
    let (by, name) = (signed.caller.clone(), form.name.clone());
    let then = async |shell, link: Secret| {
        let made = Made { name, url: set_up_url(&api, link.reveal()) };
        list(&api, by, shell, AccountForm::default(), None, Some(made)).await
    };
    let again = async |shell, problem: ApiProblem| {
        list(&api, signed.caller, shell, form, Some(problem.detail), None).await
    };
    sent::shown(shell, on_accounts(&api, work).await, then, again).await
}

fn set_up_url(api: &Api, secret: &str) -> String {
    format!("{}/set-up/{secret}", api.console_url.trim_end_matches('/'))
}

#[derive(Template)]
#[template(path = "access_account.html")]
struct AccountPage {
    shell: Shell,
    row: AccountRow,
    href: String,
    roles: Vec<RoleRow>,
    /// Whether its role is none of these: withdrawn, or gone.
    role_gone: bool,
    wanted: AccountForm,
    /// Whether it is the reader's own.
    own: bool,
    /// Whether there is a sign-in service.
    provider: bool,
    fault: Option<String>,
    made: Option<Made>,
}

pub(in crate::pages) async fn one(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    account(&api, signed.caller, shell, name, Said::default()).await
}

/// What the page of one account says beside what it shows.
#[derive(Default)]
struct Said {
    /// What was typed; without it the form shows the account as it is.
    typed: Option<AccountForm>,
    /// Why something was not done.
    fault: Option<String>,
    made: Option<Made>,
}

async fn account(api: &Api, caller: Caller, shell: Shell, name: String, said: Said) -> Response {
    let asks = caller.clone();
    let look = move |accounts: &Accounts| {
        let rows = accounts.accounts(&asks)?;
        let row = rows.into_iter().find(|row| row.name == name);
        let row = row.ok_or_else(|| CenterError::NotFound("account of this name".to_owned()))?;
        Ok((row, accounts.roles(&asks)?))
    };
    let (row, roles) = match on_accounts(api, look).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let wanted = said.typed.unwrap_or_else(|| typed(&row));
    let own = *caller.name == *row.name;
    let href = href(&row.name);
    let (fault, made) = (said.fault, said.made);
    let provider = api.provider.is_some();
    let role_gone = roles.iter().all(|role| role.name != row.role);
    shown(&AccountPage { shell, href, roles, role_gone, wanted, own, provider, fault, made, row })
}

/// An account as it would be typed.
fn typed(row: &AccountRow) -> AccountForm {
    let domains: Vec<String> = row.domains.iter().map(ToString::to_string).collect();
    AccountForm {
        name: row.name.clone(),
        role: row.role.to_string(),
        domains: domains.join("\n"),
        groups: row.groups.join("\n"),
        disabled: if row.disabled { "on".to_owned() } else { String::new() },
    }
}

pub(in crate::pages) async fn change(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(form): Form<AccountForm>,
) -> Response {
    let (caller, named, wanted) = (signed.caller.clone(), name.clone(), form.clone());
    let work = move |accounts: &Accounts| {
        let change = AccountChange {
            role: Some(wanted.role()?),
            domains: Some(wanted.domains()?),
            groups: Some(lines(&wanted.groups)),
            disabled: Some(!wanted.disabled.is_empty()),
        };
        accounts.change_account(&caller, &named, &change)
    };
    let again = async |shell, problem: ApiProblem| {
        let said = Said { typed: Some(form), fault: Some(problem.detail), ..Said::default() };
        account(&api, signed.caller, shell, name, said).await
    };
    sent::answer(shell, on_accounts(&api, work).await, |()| HERE.to_owned(), again).await
}

pub(in crate::pages) async fn link(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let (caller, named) = (signed.caller.clone(), name.clone());
    let work = move |accounts: &Accounts| accounts.set_up_link(&caller, Some(&named));
    let by = signed.caller.clone();
    let then = async |shell, link: Secret| {
        let made = Some(Made { name: name.clone(), url: set_up_url(&api, link.reveal()) });
        account(&api, by, shell, name.clone(), Said { made, ..Said::default() }).await
    };
    let again =
        async |shell, problem| refused(&api, signed.caller, shell, name.clone(), problem).await;
    sent::shown(shell, on_accounts(&api, work).await, then, again).await
}

/// The page of an account again, with why something was not done.
async fn refused(
    api: &Api,
    caller: Caller,
    shell: Shell,
    name: String,
    problem: ApiProblem,
) -> Response {
    let said = Said { fault: Some(problem.detail), ..Said::default() };
    account(api, caller, shell, name, said).await
}

#[derive(Deserialize)]
pub(in crate::pages) struct IdentityForm {
    subject: String,
}

/// Links the account to who its person is at the sign-in service.
pub(in crate::pages) async fn link_identity(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(IdentityForm { subject }): Form<IdentityForm>,
) -> Response {
    let (caller, named) = (signed.caller.clone(), name.clone());
    let work = move |accounts: &Accounts| accounts.link_account(&caller, &named, subject.trim());
    let done = on_accounts(&api, work).await;
    back_to(&api, signed, shell, name, done).await
}

#[derive(Deserialize)]
pub(in crate::pages) struct UnlinkForm {
    identity: u64,
}

pub(in crate::pages) async fn unlink_identity(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(UnlinkForm { identity }): Form<UnlinkForm>,
) -> Response {
    let (caller, named) = (signed.caller.clone(), name.clone());
    let work = move |accounts: &Accounts| accounts.unlink_account(&caller, &named, identity);
    let done = on_accounts(&api, work).await;
    back_to(&api, signed, shell, name, done).await
}

/// The page of an account, which shows what was done, or why it was not.
async fn back_to(
    api: &Api,
    signed: Signed,
    shell: Shell,
    name: String,
    done: Result<(), ApiProblem>,
) -> Response {
    let there = href(&name);
    let again = async |shell, problem| refused(api, signed.caller, shell, name, problem).await;
    sent::answer(shell, done, |()| there, again).await
}

pub(in crate::pages) async fn remove(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let (caller, named) = (signed.caller.clone(), name.clone());
    let done = on_accounts(&api, move |accounts| accounts.remove_account(&caller, &named)).await;
    let again = async |shell, problem| refused(&api, signed.caller, shell, name, problem).await;
    sent::answer(shell, done, |()| HERE.to_owned(), again).await
}
