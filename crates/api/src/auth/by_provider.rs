//! Signing in by the sign-in service of the organisation, linking who one is
//! there, and signing out there too.
//!
//! People are sent there by a link or a redirection of a page of ours, never
//! straight from a form: forms lead to this console only (`form-action`).

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use center::accounts::{Accounts, IdentityRefusal, Session};
use serde::Deserialize;
use types::AccountId;

use super::cookie::Cookie;
use super::me::{ProofForm, person, refused_link, sentence};
use super::provider::{Fault, Flow, Provider, Purpose};
use super::sign_in::{Next, SignInPage, WordsPage, signed_in, with_cookies};
use super::{Guest, way_back};
use crate::Api;
use crate::client::path_with;
use crate::pages::{Shell, assets, error_page, shown};
use crate::problem::ApiProblem;
use crate::routes::{Params, on_accounts};

#[derive(Template)]
#[template(path = "auth/link_on.html")]
struct LinkOnPage<'a> {
    shell: Shell,
    provider: &'a str,
    url: String,
}

/// Sends somebody to the service.
pub(super) async fn begin(
    State(api): State<Api>,
    guest: Guest,
    Params(Next { next }): Params<Next>,
) -> Response {
    let next = way_back::safe(&next);
    let Some(provider) = api.provider.clone() else {
        return Redirect::to(&way_back::sign_in(next)).into_response();
    };
    if guest.session.is_some() {
        return Redirect::to(next).into_response();
    }
    match provider.begin(Purpose::SignIn(next.to_owned()), &api.accounts).await {
        Ok((url, secret)) => {
            let cookie = Cookie::Provider.set(Some(secret.reveal()), &guest.origin);
            with_cookies(Redirect::to(&url).into_response(), [cookie])
        }
        Err(fault) => {
            note_lost(&api, &guest, fault.to_string()).await;
            faulty(&api, &guest, next, &fault)
        }
    }
}

/// What the service has the browser bring back (RFC 6749 section 4.1.2, RFC
/// 9207 section 2).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    code: String,
    state: String,
    iss: Option<String>,
    error: Option<String>,
}

/// Somebody comes back from the service.
pub(super) async fn back(
    State(api): State<Api>,
    guest: Guest,
    headers: HeaderMap,
    shell: Shell,
    Params(answer): Params<Answer>,
) -> Response {
    let Some(provider) = api.provider.clone() else {
        return Redirect::to("/sign-in").into_response();
    };
    let now = api.accounts.now();
    let secret = Cookie::Provider.find(&headers, &guest.origin).unwrap_or("");
    let Some(flow) = provider.took_back(secret, &answer.state, now) else {
        return not_sent(&api, &guest, &provider).await;
    };
    let next = match &flow.purpose {
        Purpose::SignIn(next) => next.clone(),
        Purpose::Link(_) => "/me".to_owned(),
    };
    let identity = match refusal(&provider, &answer) {
        Some(fault) => Err(fault),
        None => provider.identity(answer.code, &flow, now).await,
    };
    let identity = match identity {
        Ok(identity) => identity,
        Err(fault) => {
            note_lost(&api, &guest, fault.to_string()).await;
            return match flow.purpose {
                Purpose::SignIn(_) => faulty(&api, &guest, &next, &fault),
                Purpose::Link(_) => refused_link(&api, shell, &guest, problem(&fault)).await,
            };
        }
    };
    let visitor = guest.visitor.clone();
    match flow {
        Flow { purpose: Purpose::Link(account), .. } => {
            linked(&api, shell, &guest, account, identity.subject).await
        }
        Flow { purpose: Purpose::SignIn(_), .. } => {
            let work =
                move |accounts: &Accounts| Ok(accounts.sign_in_by_identity(&identity, &visitor));
            match on_accounts(&api, work).await {
                Ok(Ok(secret)) => signed_in(&guest, &secret, &next),
                Ok(Err(refusal)) => kept_out(&api, &guest, &next, &refusal),
                Err(problem) => problem.into_response(),
            }
        }
    }
}

/// Why an answer is not to be looked at further.
fn refusal(provider: &Provider, answer: &Answer) -> Option<Fault> {
    if provider.is_of_another(answer.iss.as_deref()) {
        let why = "it is the answer of another service".to_owned();
        return Some(Fault::Wrong(provider.name().to_owned(), why));
    }
    answer.error.as_deref().map(|error| provider.said_no(error))
}

/// An answer that this browser was not sent for: of a sign-in that took too
/// long, or one that somebody else began.
async fn not_sent(api: &Api, guest: &Guest, provider: &Provider) -> Response {
    let why = "an answer that this browser was not sent for".to_owned();
    note_lost(api, guest, why).await;
    let fault = format!(
        "This answer of {} belongs to no sign-in that was begun in this browser within the last \
         ten minutes, so it was not looked at. Begin again.",
        provider.name()
    );
    (StatusCode::BAD_REQUEST, shown(&page(api, guest, "/", fault))).into_response()
}

async fn note_lost(api: &Api, guest: &Guest, why: String) {
    let from = guest.visitor.address;
    // The answer does not hang on its entry.
    let _ = on_accounts(api, move |accounts| accounts.note_lost_on_the_way(&why, from)).await;
}

fn page<'a>(api: &'a Api, guest: &'a Guest, next: &'a str, fault: String) -> SignInPage<'a> {
    let provider = api.provider.as_ref().map(|provider| provider.name());
    let (css, csrf) = (assets::path("console.css"), &*guest.csrf);
    SignInPage { css, csrf, next, name: "", fault: Some(fault), provider }
}

fn status(fault: &Fault) -> StatusCode {
    match fault {
        Fault::Away(..) => StatusCode::SERVICE_UNAVAILABLE,
        Fault::Refused(..) => StatusCode::FORBIDDEN,
        Fault::Wrong(..) => StatusCode::BAD_GATEWAY,
    }
}

/// The sign-in page with what went wrong on the way: the other way in stays.
fn faulty(api: &Api, guest: &Guest, next: &str, fault: &Fault) -> Response {
    let text = sentence(&fault.told());
    (status(fault), shown(&page(api, guest, next, text))).into_response()
}

fn problem(fault: &Fault) -> ApiProblem {
    ApiProblem::new(status(fault), "provider", fault.to_string())
}

/// The sign-in page with why somebody whom the service knows stays outside.
fn kept_out(api: &Api, guest: &Guest, next: &str, refusal: &IdentityRefusal) -> Response {
    let status = match refusal {
        IdentityRefusal::Failed(error) => {
            let problem = ApiProblem::from(error.clone());
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        }
        _ => StatusCode::FORBIDDEN,
    };
    let text = sentence(&refusal.to_string());
    (status, shown(&page(api, guest, next, text))).into_response()
}

/// Links the account that was signed in when this was begun, if it still is.
async fn linked(
    api: &Api,
    shell: Shell,
    guest: &Guest,
    account: AccountId,
    subject: String,
) -> Response {
    let session = match person(guest) {
        Ok(session) if session.caller.account() == Some(account) => session,
        _ => {
            let detail = "somebody else is signed in now, or nobody; nothing was linked";
            return error_page(shell, &ApiProblem::new(StatusCode::FORBIDDEN, "sign_in", detail));
        }
    };
    let work = move |accounts: &Accounts| accounts.link_oneself(&session.caller, &subject);
    match on_accounts(api, work).await {
        Ok(()) => {
            let to = path_with("/me", &[("done", Some("linked"))]);
            let cookie = Cookie::Provider.set(None, &guest.origin);
            with_cookies(Redirect::to(&to).into_response(), [cookie])
        }
        Err(problem) => refused_link(api, shell, guest, problem).await,
    }
}

/// Begins to link who somebody is at the service, after their password.
pub(super) async fn link(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(ProofForm { password }): Form<ProofForm>,
) -> Response {
    let (session, account) = match whose(&guest) {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let from = guest.visitor.address;
    let work = move |accounts: &Accounts| accounts.may_link(&session.caller, &password, from);
    if let Err(problem) = on_accounts(&api, work).await {
        return refused_link(&api, shell, &guest, problem).await;
    }
    let Some(provider) = api.provider.clone() else {
        return error_page(shell, &ApiProblem::nothing_here());
    };
    match provider.begin(Purpose::Link(account), &api.accounts).await {
        Ok((url, secret)) => {
            let cookie = Cookie::Provider.set(Some(secret.reveal()), &guest.origin);
            let page = LinkOnPage { shell, provider: provider.name(), url };
            with_cookies(shown(&page), [cookie])
        }
        Err(fault) => refused_link(&api, shell, &guest, problem(&fault)).await,
    }
}

fn whose(guest: &Guest) -> Result<(std::sync::Arc<Session>, AccountId), ApiProblem> {
    let session = person(guest)?;
    let account = session.caller.account();
    let account = account.ok_or_else(|| ApiProblem::malformed("this is for people"))?;
    Ok((session, account))
}

/// Sends whoever has signed out here to the page of the service that signs
/// them out there.
pub(super) async fn sign_out(State(api): State<Api>) -> Response {
    let Some(provider) = api.provider.clone() else {
        return Redirect::to("/signed-out").into_response();
    };
    let (status, words) = match provider.way_out().await {
        Ok(Some(url)) => return Redirect::to(&url).into_response(),
        Ok(None) => {
            let words = format!("{} has no page that signs you out.", provider.name());
            (StatusCode::NOT_FOUND, words)
        }
        Err(fault) => (status(&fault), sentence(&fault.told())),
    };
    let css = assets::path("console.css");
    let title = "You are signed out here only";
    (status, shown(&WordsPage { css, title, words: &words, provider: None })).into_response()
}
