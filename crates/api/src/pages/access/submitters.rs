//! Devices and programs that send mail with a name and password: the list,
//! one of them, and what can be done to it.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use center::submitters::{MadePassword, NewSubmitter, SubmitterEdit, SubmitterRow};
use center::{Center, CenterError};
use ipnet::IpNet;
use serde::Deserialize;
use types::{Caller, Timestamp};

use crate::Api;
use crate::auth::Signed;
use crate::client::encoded;
use crate::pages::{Shell, error_page, sent, shown};
use crate::problem::ApiProblem;
use crate::routes::working;

/// Where this page is.
const HERE: &str = "/system/submitters";

/// What is typed about a submitter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::pages) struct SubmitterForm {
    name: String,
    senders: String,
    networks: String,
    note: String,
    /// A checkbox: absent if it is not ticked.
    disabled: String,
}

impl SubmitterForm {
    /// A submitter as it would be typed.
    fn of(row: &SubmitterRow) -> Self {
        let networks: Vec<String> = row.networks.iter().map(ToString::to_string).collect();
        SubmitterForm {
            name: row.name.clone(),
            senders: row.senders.join("\n"),
            networks: networks.join("\n"),
            note: row.note.clone(),
            disabled: if row.disabled { "on".to_owned() } else { String::new() },
        }
    }

    fn senders(&self) -> Vec<String> {
        words(&self.senders).map(str::to_owned).collect()
    }

    fn networks(&self) -> Result<Vec<IpNet>, CenterError> {
        let read = |word: &str| {
            let alone = || word.parse::<std::net::IpAddr>().map(IpNet::from);
            word.parse().or_else(|_| alone()).map_err(|_| {
                CenterError::invalid(format!("{word:?} is no network, such as 192.0.2.0/24"))
            })
        };
        words(&self.networks).map(read).collect()
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\n', '\r', '\t']).filter(|word| !word.is_empty())
}

fn href(name: &str) -> String {
    format!("{HERE}/{}", encoded(name))
}

#[derive(Template)]
#[template(path = "submitters.html")]
struct SubmittersPage {
    shell: Shell,
    rows: Vec<SubmitterRow>,
    wanted: SubmitterForm,
    fault: Option<String>,
    made: Option<MadePassword>,
}

impl SubmittersPage {
    fn when(&self, at: Option<&Timestamp>) -> String {
        at.map_or_else(|| "never".to_owned(), |at| self.shell.time(*at))
    }
}

pub(in crate::pages) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
) -> Response {
    list(&api, signed.caller, shell, SubmitterForm::default(), None, None).await
}

async fn list(
    api: &Api,
    caller: Caller,
    shell: Shell,
    wanted: SubmitterForm,
    fault: Option<String>,
    made: Option<MadePassword>,
) -> Response {
    match working(api, move |center| center.submitters()?.list(&caller)).await {
        Ok(rows) => shown(&SubmittersPage { shell, rows, wanted, fault, made }),
        Err(problem) => error_page(shell, &problem),
    }
}

/// Makes one and shows its password.
pub(in crate::pages) async fn add(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(form): Form<SubmitterForm>,
) -> Response {
    let (caller, typed) = (signed.caller.clone(), form.clone());
    let work = move |center: &Center| {
        let (senders, networks) = (typed.senders(), typed.networks()?);
        let SubmitterForm { name, note, .. } = typed;
        let new = NewSubmitter { name, senders, networks, note, password: None };
        center.submitters()?.add(&caller, &new)
    };
    let by = signed.caller.clone();
    let then = async |shell, made: MadePassword| {
        list(&api, by, shell, SubmitterForm::default(), None, Some(made)).await
    };
    let again = async |shell, problem: ApiProblem| {
        list(&api, signed.caller, shell, form, Some(problem.detail), None).await
    };
    sent::shown(shell, working(&api, work).await, then, again).await
}

#[derive(Template)]
#[template(path = "submitter.html")]
struct SubmitterPage {
    shell: Shell,
    row: SubmitterRow,
    href: String,
    wanted: SubmitterForm,
    fault: Option<String>,
    made: Option<MadePassword>,
}

pub(in crate::pages) async fn one(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    submitter(&api, signed.caller, shell, name, Said::default()).await
}

/// What the page of one submitter says beside what it shows.
#[derive(Default)]
struct Said {
    /// What was typed; without it the form shows the submitter as it is.
    typed: Option<SubmitterForm>,
    /// Why something was not done.
    fault: Option<String>,
    made: Option<MadePassword>,
}

async fn submitter(api: &Api, caller: Caller, shell: Shell, name: String, said: Said) -> Response {
    let look = move |center: &Center| {
        let rows = center.submitters()?.list(&caller)?;
        let found = rows.into_iter().find(|row| row.name == name);
        found.ok_or_else(|| CenterError::NotFound("submitter of this name".to_owned()))
    };
    let row = match working(api, look).await {
        Ok(row) => row,
        Err(problem) => return error_page(shell, &problem),
    };
    let Said { typed, fault, made } = said;
    let wanted = typed.unwrap_or_else(|| SubmitterForm::of(&row));
    let href = href(&row.name);
    shown(&SubmitterPage { shell, row, href, wanted, fault, made })
}

pub(in crate::pages) async fn change(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(form): Form<SubmitterForm>,
) -> Response {
    let (caller, named, typed) = (signed.caller.clone(), name.clone(), form.clone());
    let work = move |center: &Center| {
        let edit = SubmitterEdit {
            senders: Some(typed.senders()),
            networks: Some(typed.networks()?),
            note: Some(typed.note),
            disabled: Some(!typed.disabled.is_empty()),
        };
        center.submitters()?.change(&caller, &named, &edit)
    };
    let again = async |shell, problem: ApiProblem| {
        let said = Said { typed: Some(form), fault: Some(problem.detail), ..Said::default() };
        submitter(&api, signed.caller, shell, name, said).await
    };
    sent::answer(shell, working(&api, work).await, |()| HERE.to_owned(), again).await
}

/// Gives it a new password and shows that.
pub(in crate::pages) async fn password(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let (caller, named) = (signed.caller.clone(), name.clone());
    let work = move |center: &Center| center.submitters()?.set_password(&caller, &named, None);
    let by = signed.caller.clone();
    let then = async |shell, made: MadePassword| {
        let said = Said { made: Some(made), ..Said::default() };
        submitter(&api, by, shell, name.clone(), said).await
    };
    let again = async |shell, problem: ApiProblem| {
        let said = Said { fault: Some(problem.detail), ..Said::default() };
        submitter(&api, signed.caller, shell, name.clone(), said).await
    };
    sent::shown(shell, working(&api, work).await, then, again).await
}

pub(in crate::pages) async fn remove(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let (caller, named) = (signed.caller.clone(), name.clone());
    let work = move |center: &Center| center.submitters()?.remove(&caller, &named);
    let again = async |shell, problem: ApiProblem| {
        let said = Said { fault: Some(problem.detail), ..Said::default() };
        submitter(&api, signed.caller, shell, name, said).await
    };
    sent::answer(shell, working(&api, work).await, |()| HERE.to_owned(), again).await
}
