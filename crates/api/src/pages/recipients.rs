//! Which recipients there are: how each domain knows it, who is known by name,
//! what is known of one address, how directories on servers are, and the form
//! that imports a list. Nothing needs a script.

use std::fmt::Display;
use std::str::FromStr;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use center::{
    Center, CenterError, DirectoryReading, ReadDirectory, RecipientDomain, RecipientImport,
    RecipientSearch, RecipientShown, RecipientsImported, SyncedDirectory,
};
use serde::Deserialize;
use types::{Caller, Domain, EmailAddress, KnownRecipient, Permission};

use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

/// Where this page is.
const HERE: &str = "/reports/recipients";

/// Longest list that a form brings: some hundred thousand addresses. The
/// command line takes more.
pub(super) const LIST_OCTETS_MAX: usize = 16 << 20;

/// What the address says.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    address: String,
    text: String,
    after: String,
}

/// A list as it was typed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    text: String,
    /// The domain whose imported recipients it takes the place of.
    domain: String,
    /// `check`, `all` or `good`.
    how: String,
    /// Whether most of that domain's imported recipients may go.
    accept_removals: Option<String>,
}

/// That most of what was imported for a domain would go.
struct Removal {
    removed: usize,
    before: usize,
}

impl Removal {
    /// What has to be accepted before the list is taken.
    fn of(told: &RecipientsImported) -> Option<Removal> {
        let RecipientsImported { removed, before, .. } = *told;
        (told.dry_run && told.removes_most).then_some(Removal { removed, before })
    }
}

/// Which one a button is about.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    name: String,
}

/// One domain, with what there is in words.
struct DomainLine {
    domain: RecipientDomain,
    way: String,
    has: String,
}

/// One directory on a server, with how it is in words.
struct DirectoryLine {
    directory: SyncedDirectory,
    /// What it has, and how old that is.
    has: String,
    /// Each domain, with what it has of it.
    domains: Vec<(Domain, String)>,
    /// What the last reading came to.
    last: String,
}

/// What the page shows of the book.
struct Seen {
    domains: Vec<DomainLine>,
    directories: Vec<DirectoryLine>,
    known: Vec<KnownRecipient>,
    asked: Option<RecipientShown>,
}

#[derive(Template)]
#[template(path = "recipients.html")]
struct RecipientsPage {
    shell: Shell,
    wanted: Wanted,
    seen: Seen,
    more: Option<String>,
    form: Typed,
    told: Option<RecipientsImported>,
    asks: Option<Removal>,
    read: Option<String>,
    problem: Option<String>,
    may_edit: bool,
}

/// Rows of one page.
const ROWS: usize = 100;

impl Wanted {
    fn see(&self, center: &Center, caller: &Caller) -> Result<Seen, CenterError> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let search = RecipientSearch {
            domain: None,
            text: given(&self.text),
            after: given(&self.after),
            limit: ROWS,
        };
        let now = center.now();
        let line = |domain: RecipientDomain| {
            let way = serde_json::json!(domain.validation);
            let way = way.as_str().unwrap_or_default().replace('_', " ");
            DomainLine { way, has: domain.words(now), domain }
        };
        let of = |directory: SyncedDirectory| DirectoryLine {
            has: directory.words(now),
            domains: (directory.domains.iter())
                .map(|one| (one.domain.clone(), one.words(now)))
                .collect(),
            last: directory.last.as_ref().map_or_else(String::new, DirectoryReading::words),
            directory,
        };
        let asked = match given(&self.address) {
            None => None,
            Some(text) => {
                let address: EmailAddress = text
                    .parse()
                    .map_err(|error| CenterError::invalid(format!("{text:?}: {error}")))?;
                Some(center.recipient(caller, &address)?)
            }
        };
        Ok(Seen {
            domains: center.recipient_domains(caller)?.into_iter().map(line).collect(),
            directories: center.synced_directories(caller)?.into_iter().map(of).collect(),
            known: center.known_recipients(caller, &search)?,
            asked,
        })
    }

    /// Where the rows go on.
    fn more(&self, seen: &Seen) -> Option<String> {
        let last = seen.known.last().filter(|_| seen.known.len() == ROWS)?;
        let text = Some(self.text.as_str()).filter(|text| !text.is_empty());
        Some(path_with(HERE, &[("text", text), ("after", Some(last.address.as_str()))]))
    }
}

impl Typed {
    fn how(&self) -> Result<RecipientImport, CenterError> {
        let in_place_of = match self.domain.trim() {
            "" => None,
            text => Some(text.parse::<Domain>().map_err(|error| {
                CenterError::invalid(format!("{text:?} is no domain: {error}"))
            })?),
        };
        Ok(RecipientImport {
            in_place_of,
            partial: self.how == "good",
            accept_removals: self.accept_removals.is_some(),
            dry_run: self.how == "check",
        })
    }

    fn import(&self, center: &Center, caller: &Caller) -> Result<RecipientsImported, CenterError> {
        center.import_recipients(caller, &self.text, &self.how()?)
    }

    /// What the import would change.
    fn look(&self, center: &Center, caller: &Caller) -> Result<RecipientsImported, CenterError> {
        let how = RecipientImport { dry_run: true, ..self.how()? };
        center.import_recipients(caller, &self.text, &how)
    }
}

/// What is shown beside the book itself.
#[derive(Default)]
struct Beside {
    form: Typed,
    told: Option<RecipientsImported>,
    asks: Option<Removal>,
    /// What reading a directory came to, in words.
    read: Option<String>,
    problem: Option<String>,
}

async fn show(api: &Api, signed: Signed, shell: Shell, wanted: Wanted, beside: Beside) -> Response {
    let may_edit = signed.caller.may(Permission::EditPolicies) && !signed.csrf.is_empty();
    let asked = wanted.clone();
    let Beside { form, told, asks, read, problem } = beside;
    let look = move |center: &Center| match asked.see(center, &signed.caller) {
        // A wrong address is told, and everything else shown all the same.
        Err(CenterError::Invalid { problems }) => {
            let all = Wanted { address: String::new(), ..asked };
            let why = problems.into_iter().next().map(|problem| problem.message);
            Ok((all.see(center, &signed.caller)?, why))
        }
        seen => Ok((seen?, None)),
    };
    match working(api, look).await {
        Ok((seen, wrong)) => {
            let more = wanted.more(&seen);
            let problem = problem.or(wrong);
            shown(&RecipientsPage {
                shell,
                wanted,
                seen,
                more,
                form,
                told,
                asks,
                read,
                problem,
                may_edit,
            })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(wanted): Params<Wanted>,
) -> Response {
    show(&api, signed, shell, wanted, Beside::default()).await
}

pub(super) async fn import(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(form): Form<Typed>,
) -> Response {
    let (caller, asked) = (signed.caller.clone(), form.clone());
    let imported = working(&api, move |center| asked.import(center, &caller)).await;
    let beside = match imported {
        Ok(told) => {
            let asks = Removal::of(&told);
            Beside { form, told: Some(told), asks, ..Beside::default() }
        }
        Err(ApiProblem { detail, problems, .. }) => {
            let lines = problems.into_iter().map(|problem| match problem.line {
                Some(line) => format!("line {line}: {}", problem.message),
                None => problem.message,
            });
            let why = lines.collect::<Vec<_>>().join("; ");
            let why = if why.is_empty() { detail } else { format!("Nothing was stored: {why}") };
            let (caller, asked) = (signed.caller.clone(), form.clone());
            let asks = working(&api, move |center| asked.look(center, &caller)).await;
            let asks = asks.ok().as_ref().and_then(Removal::of);
            Beside { form, asks, problem: Some(why), ..Beside::default() }
        }
    };
    show(&api, signed, shell, Wanted::default(), beside).await
}

pub(super) async fn forget(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(Named { name }): Form<Named>,
) -> Response {
    let work = move |center: &Center| {
        center.forget_recipient(&signed.caller, &named::<EmailAddress>(&name)?)
    };
    back(shell, working(&api, work).await.map(drop))
}

pub(super) async fn learn_anew(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(Named { name }): Form<Named>,
) -> Response {
    let work = move |center: &Center| {
        center.learn_recipients_anew(&signed.caller, &named::<Domain>(&name)?)
    };
    back(shell, working(&api, work).await.map(drop))
}

/// Which directory is read, and how.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Reading {
    name: String,
    /// `check`, `accept`, `accept-groups`, or anything else for what a chore
    /// does.
    how: String,
    /// How many recipients were gone in the answer that the page showed.
    gone: usize,
    /// How many memberships in groups.
    groups_gone: usize,
}

pub(super) async fn read_directory(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(Reading { name, how, gone, groups_gone }): Form<Reading>,
) -> Response {
    let caller = signed.caller.clone();
    let accept = (how == "accept").then_some(gone);
    let accept_groups = (how == "accept-groups").then_some(groups_gone);
    let how = ReadDirectory { accept, accept_groups, dry_run: how == "check" };
    let asked = name.clone();
    let read = working(&api, move |center| center.read_directory(&caller, &asked, how)).await;
    let beside = match read {
        Ok(told) => {
            let so = if told.dry_run { "nothing is changed yet" } else { "this is in force" };
            let words = format!("{name}: {}; {so}.", told.words());
            Beside { read: Some(words), ..Beside::default() }
        }
        Err(ApiProblem { detail, .. }) => {
            Beside { problem: Some(format!("{name}: {detail}")), ..Beside::default() }
        }
    };
    show(&api, signed, shell, Wanted::default(), beside).await
}

/// Who or what a form names.
fn named<T: FromStr<Err: Display>>(name: &str) -> Result<T, CenterError> {
    name.parse().map_err(|error: T::Err| CenterError::invalid(error.to_string()))
}

fn back(shell: Shell, done: Result<(), ApiProblem>) -> Response {
    match done {
        Ok(()) => Redirect::to(HERE).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}
