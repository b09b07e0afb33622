//! The pages that sign people in and out.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use center::accounts::{LinkPurpose, Secret, SignInRefusal, Step};
use serde::Deserialize;

use super::cookie::Cookie;
use super::{Guest, way_back};
use crate::Api;
use crate::client::path_with;
use crate::pages::{assets, shown};
use crate::problem::ApiProblem;
use crate::routes::{Params, on_accounts};

/// The parameters of the pages: where to go on.
#[derive(Default, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    pub(super) next: String,
}

#[derive(Template)]
#[template(path = "auth/sign_in.html")]
pub(super) struct SignInPage<'a> {
    pub(super) css: String,
    pub(super) csrf: &'a str,
    pub(super) next: &'a str,
    pub(super) name: &'a str,
    pub(super) fault: Option<String>,
    /// What people call the sign-in service, if there is one.
    pub(super) provider: Option<&'a str>,
}

impl SignInPage<'_> {
    /// The link that leads to the service, and later on to the same page.
    fn by_provider(&self) -> String {
        let next = Some(self.next).filter(|next| *next != "/");
        path_with("/sign-in/provider", &[("next", next)])
    }
}

#[derive(Template)]
#[template(path = "auth/code.html")]
struct CodePage<'a> {
    css: String,
    csrf: &'a str,
    next: &'a str,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "auth/link.html")]
struct LinkPage<'a> {
    css: String,
    csrf: &'a str,
    name: &'a str,
}

#[derive(Template)]
#[template(path = "auth/plain_words.html")]
pub(super) struct WordsPage<'a> {
    pub(super) css: String,
    pub(super) title: &'static str,
    pub(super) words: &'a str,
    /// The sign-in service, where whoever reads this may still be signed in.
    pub(super) provider: Option<&'a str>,
}

fn css() -> String {
    assets::path("console.css")
}

pub(super) async fn page(
    State(api): State<Api>,
    guest: Guest,
    Params(Next { next }): Params<Next>,
) -> Response {
    let next = way_back::safe(&next);
    if guest.session.is_some() {
        return Redirect::to(next).into_response();
    }
    let provider = service(&api);
    shown(&SignInPage { css: css(), csrf: &guest.csrf, next, name: "", fault: None, provider })
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn password(
    State(api): State<Api>,
    guest: Guest,
    Form(form): Form<PasswordForm>,
) -> Response {
    let PasswordForm { name, password, next } = form;
    let next = way_back::safe(&next);
    let (visitor, tried) = (guest.visitor.clone(), name.clone());
    let step = on_accounts(&api, move |accounts| Ok(accounts.sign_in(&tried, &password, &visitor)));
    let step = match step.await {
        Ok(step) => step,
        Err(problem) => return problem.into_response(),
    };
    match step {
        Ok(Step::Done(secret)) => signed_in(&guest, &secret, next),
        Ok(Step::Code(proof)) => {
            let next = Some(next).filter(|next| *next != "/");
            let to = path_with("/sign-in/code", &[("next", next)]);
            let cookie = Cookie::Code.set(Some(proof.reveal()), &guest.origin);
            with_cookies(Redirect::to(&to).into_response(), [cookie])
        }
        Err(refusal) => {
            let fault = Some(sentence(&refusal));
            let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
            let (css, csrf, provider) = (css(), &*guest.csrf, service(&api));
            let page = SignInPage { css, csrf, next, name: &name, fault, provider };
            refused(&refusal, shown(&page))
        }
    }
}

pub(super) async fn code_page(
    State(api): State<Api>,
    guest: Guest,
    headers: HeaderMap,
    Params(Next { next }): Params<Next>,
) -> Response {
    let proof = Cookie::Code.find(&headers, &guest.origin);
    if !proof.is_some_and(|proof| api.accounts.awaits_code(proof)) {
        return Redirect::to(&way_back::sign_in(&next)).into_response();
    }
    let next = way_back::safe(&next);
    shown(&CodePage { css: css(), csrf: &guest.csrf, next, fault: None })
}

#[derive(Deserialize)]
pub(super) struct CodeForm {
    code: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn code(
    State(api): State<Api>,
    guest: Guest,
    headers: HeaderMap,
    Form(CodeForm { code, next }): Form<CodeForm>,
) -> Response {
    let next = way_back::safe(&next);
    let proof = Cookie::Code.find(&headers, &guest.origin).unwrap_or("").to_owned();
    let visitor = guest.visitor.clone();
    let work = move |accounts: &center::accounts::Accounts| {
        Ok(accounts.sign_in_code(&proof, &code, &visitor))
    };
    match on_accounts(&api, work).await {
        Ok(Ok(secret)) => signed_in(&guest, &secret, next),
        Ok(Err(SignInRefusal::Over)) => Redirect::to(&way_back::sign_in(next)).into_response(),
        Ok(Err(refusal)) => {
            let fault = Some(sentence(&refusal));
            let page = CodePage { css: css(), csrf: &guest.csrf, next, fault };
            refused(&refusal, shown(&page))
        }
        Err(problem) => problem.into_response(),
    }
}

/// A link that signs in. Typed or pasted into the address line (the browser
/// says so), it does at once; a link on a page, a prefetch or a scanner gets
/// a page with a button, so that nothing but a person uses it up.
pub(super) async fn link_page(
    State(api): State<Api>,
    guest: Guest,
    method: Method,
    headers: HeaderMap,
    Path(link): Path<String>,
) -> Response {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    let typed = method == Method::GET
        && is("sec-fetch-site", "none")
        && is("sec-fetch-mode", "navigate")
        && !headers.contains_key("sec-purpose");
    let looked = link.clone();
    let found = on_accounts(&api, move |accounts| accounts.link(&looked)).await;
    match found {
        Ok(Some(LinkPurpose::SignIn(_))) if typed => use_link(&api, &guest, link).await,
        Ok(Some(LinkPurpose::SignIn(name))) => {
            shown(&LinkPage { css: css(), csrf: &guest.csrf, name: &name })
        }
        Ok(_) => used_up(&guest),
        Err(problem) => problem.into_response(),
    }
}

pub(super) async fn link(
    State(api): State<Api>,
    guest: Guest,
    Path(link): Path<String>,
) -> Response {
    use_link(&api, &guest, link).await
}

async fn use_link(api: &Api, guest: &Guest, link: String) -> Response {
    let visitor = guest.visitor.clone();
    let work =
        move |accounts: &center::accounts::Accounts| accounts.sign_in_by_link(&link, &visitor);
    match on_accounts(api, work).await {
        Ok(secret) => signed_in(guest, &secret, "/"),
        Err(problem) if problem.status == StatusCode::NOT_FOUND.as_u16() => used_up(guest),
        Err(problem) => problem.into_response(),
    }
}

/// Somebody who came in by the link and uses it again is in already.
pub(super) fn used_up(guest: &Guest) -> Response {
    if guest.session.is_some() {
        return Redirect::to("/").into_response();
    }
    let words = "This link was used already, is older than a day, or was replaced by a newer one. \
                 On the machine that Portcullis runs on, `portcullis account setup-link` makes a \
                 new one; the demo prints one at each start.";
    let title = "This link does not work any more";
    let page = WordsPage { css: css(), title, words, provider: None };
    (StatusCode::GONE, shown(&page)).into_response()
}

pub(super) async fn sign_out(State(api): State<Api>, guest: Guest) -> Response {
    if let Some(session) = guest.session.clone() {
        let ended =
            on_accounts(&api, move |accounts| accounts.end_session(&session.caller, session.id));
        // Ended by somebody else meanwhile: just as well. Anything else must
        // be said, or the person would think they are signed out.
        match ended.await {
            Err(problem) if problem.status != StatusCode::NOT_FOUND.as_u16() => {
                return problem.into_response();
            }
            _ => {}
        }
    }
    let cookie = Cookie::Session.set(None, &guest.origin);
    with_cookies(Redirect::to("/signed-out").into_response(), [cookie])
}

pub(super) async fn signed_out(State(api): State<Api>) -> Response {
    let words = "You are signed out on this device.";
    shown(&WordsPage { css: css(), title: "Signed out", words, provider: service(&api) })
}

/// What people call the sign-in service.
fn service(api: &Api) -> Option<&str> {
    api.provider.as_ref().map(|provider| provider.name())
}

/// The answer that brings a new session.
pub(super) fn signed_in(guest: &Guest, secret: &Secret, next: &str) -> Response {
    let cookies = [
        Cookie::Session.set(Some(secret.reveal()), &guest.origin),
        Cookie::Code.set(None, &guest.origin),
        Cookie::Visitor.set(None, &guest.origin),
        Cookie::Provider.set(None, &guest.origin),
    ];
    with_cookies(Redirect::to(next).into_response(), cookies)
}

pub(super) fn with_cookies<const N: usize>(
    mut response: Response,
    cookies: [Option<HeaderValue>; N],
) -> Response {
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// With the status that says why, and when to come back.
fn refused(refusal: &SignInRefusal, mut response: Response) -> Response {
    let status = match refusal {
        SignInRefusal::Wrong | SignInRefusal::WrongCode => StatusCode::UNAUTHORIZED,
        SignInRefusal::Disabled => StatusCode::FORBIDDEN,
        SignInRefusal::Over => StatusCode::GONE,
        SignInRefusal::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
        SignInRefusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        SignInRefusal::Failed(error) => {
            let problem = ApiProblem::from(error.clone());
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        }
    };
    *response.status_mut() = status;
    if let SignInRefusal::Wait(wait) = refusal {
        let seconds = HeaderValue::from(wait.as_secs() + 1);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// As a sentence on a page.
fn sentence(refusal: &SignInRefusal) -> String {
    super::me::sentence(&refusal.to_string())
}
