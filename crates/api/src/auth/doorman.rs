//! Stands before every handler: finds out who asks, looks the route up in the
//! table, and refuses who may not or did not mean to.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use center::accounts::{FormToken, Session, TokenRefusal, Visitor};
use types::Permission;

use super::access::{self, Access};
use super::cookie::Cookie;
use super::origin::{Connection, Origin};
use super::{Signed, attach, forged, way_back};
use crate::Api;
use crate::pages::{Shell, error_page};
use crate::problem::{ApiProblem, in_words};
use crate::routes::{lacking, on_accounts};

/// What a handler of the sign-in pages and of `/me` needs beside [`Signed`].
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// Where the request comes from.
    pub(crate) origin: Origin,
    /// The same for the accounts.
    pub(crate) visitor: Visitor,
    /// The session, if somebody is signed in with one.
    pub(crate) session: Option<Arc<Session>>,
    /// The token of forms, masked for this answer: of the session, else of
    /// the visitor.
    pub(crate) csrf: Arc<str>,
}

impl FromRequestParts<Api> for Guest {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, ApiProblem> {
        let guest = parts.extensions.get::<Guest>().cloned();
        guest.ok_or_else(|| ApiProblem::malformed("this is for browsers"))
    }
}

/// Who asks.
enum Who {
    Nobody,
    /// Over the admin socket, or with a token: no page elsewhere can send
    /// either, so nothing is checked for being forged.
    Program(Signed),
    Person(Arc<Session>, Signed, FormToken),
}

/// Lets a request in, or says why not.
pub(crate) async fn admit(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Some(route) = request.extensions().get::<MatchedPath>().cloned() else {
        return nothing_there(&api, request).await;
    };
    let shown_to = ShownTo::of(&request);
    match admitted(&api, request, route.as_str(), &shown_to).await {
        Ok((request, new_visitor)) => {
            let signed = request.extensions().get::<Signed>().cloned();
            let response = next.run(request).await;
            let mut response = shown_to.readable(&api, signed, response).await;
            // A sign-in takes the visitor's cookie away; it must not come back.
            let signed_in = response.headers().contains_key(header::SET_COOKIE);
            if let Some(cookie) = new_visitor.filter(|_| !signed_in) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(refusal) => shown_to.refusal(&api, *refusal).await,
    }
}

/// Answers for an address that nobody serves; whoever is signed in keeps the
/// frame around the page that says so.
async fn nothing_there(api: &Api, request: Request) -> Response {
    let shown_to = ShownTo::of(&request);
    let connection = request.extensions().get::<Connection>().copied().unwrap_or_default();
    let origin = Origin::of(connection, request.headers(), &api.trusted_proxies);
    let signed = match who(api, None, request.headers(), &origin).await {
        Ok(Who::Program(signed) | Who::Person(_, signed, _)) => Some(signed),
        Ok(Who::Nobody) | Err(_) => None,
    };
    shown_to.refusal(api, *Refusal::new(ApiProblem::nothing_here(), signed)).await
}

/// Why a request goes no further.
struct Refusal {
    problem: ApiProblem,
    /// Who asks, for the frame of the page.
    signed: Option<Signed>,
    /// Whether signing in would help.
    sign_in: bool,
    /// When to come back, in seconds.
    retry_after_s: Option<u64>,
}

impl Refusal {
    fn new(problem: ApiProblem, signed: Option<Signed>) -> Box<Self> {
        Box::new(Refusal { problem, signed, sign_in: false, retry_after_s: None })
    }

    fn too_often(wait: Duration) -> Box<Self> {
        let seconds = wait.as_secs() + 1;
        let detail = format!("too many requests from your address; try again in {seconds} s");
        let problem = ApiProblem::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail);
        Box::new(Refusal { retry_after_s: Some(seconds), ..*Refusal::new(problem, None) })
    }
}

type Admitted = Result<(Request, Option<HeaderValue>), Box<Refusal>>;

async fn admitted(api: &Api, request: Request, route: &str, shown_to: &ShownTo) -> Admitted {
    let method = request.method().clone();
    let Some(access) = access::access(&method, route) else {
        return Err(Refusal::new(unlisted(&method, route), None));
    };
    let connection = request.extensions().get::<Connection>().copied().unwrap_or_default();
    let origin = Origin::of(connection, request.headers(), &api.trusted_proxies);
    let known = request.extensions().get::<Signed>().cloned();
    let who = who(api, known, request.headers(), &origin)
        .await
        .map_err(|problem| Refusal::new(problem, None))?;
    let signed = match &who {
        Who::Nobody => None,
        Who::Program(signed) | Who::Person(_, signed, _) => Some(signed.clone()),
    };
    if let Some(refusal) = refused(api, access, signed.as_ref(), shown_to).await {
        return Err(refusal);
    }
    if signed.is_none()
        && access == Access::Entrance
        && let Some(wait) = api.entering.over(origin.address)
    {
        return Err(Refusal::too_often(wait));
    }
    let Forms { token, shown: csrf, cookie: fresh } =
        forms(api, access, &who, request.headers(), &origin);
    let octets_max = match who {
        Who::Person(..) => forged::FORM_OCTETS_MAX,
        Who::Nobody | Who::Program(_) => forged::STRANGERS_FORM_OCTETS_MAX,
    };
    let mut request = match (&who, access) {
        _ if method.is_safe() => request,
        (Who::Program(_), _) => request,
        (Who::Nobody, Access::Public) => {
            let checked = forged::comes_from_us(request.headers(), &origin);
            checked.map_err(|problem| Refusal::new(problem, None))?;
            let arrived = forged::whole(request, octets_max).await;
            arrived.map_err(|problem| Refusal::new(problem, None))?
        }
        _ => forged::check(request, &origin, token.as_ref(), octets_max)
            .await
            .map_err(|problem| Refusal::new(problem, signed.clone()))?,
    };
    let agent = request.headers().get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("").to_owned();
    let visitor = Visitor { address: origin.address, agent };
    let session = match who {
        Who::Person(session, ..) => Some(session),
        Who::Nobody | Who::Program(_) => None,
    };
    let extensions = request.extensions_mut();
    if let Some(signed) = signed {
        attach(extensions, signed);
    }
    extensions.insert(Guest { origin, visitor, session, csrf });
    Ok((request, fresh))
}

/// What the forms of an answer need.
#[derive(Default)]
struct Forms {
    /// What a form that was sent has to hold; nothing where none can be sent.
    token: Option<FormToken>,
    /// The same as it stands in pages.
    shown: Arc<str>,
    /// The cookie to set if the token needs one.
    cookie: Option<HeaderValue>,
}

fn forms(api: &Api, access: Access, who: &Who, headers: &HeaderMap, origin: &Origin) -> Forms {
    match (who, access) {
        (Who::Person(_, signed, token), _) => {
            Forms { token: Some(token.clone()), shown: Arc::clone(&signed.csrf), cookie: None }
        }
        (Who::Nobody, Access::Entrance) => {
            let (token, cookie) = match Cookie::Visitor.find(headers, origin) {
                Some(secret) => (FormToken::of(secret), None),
                None => {
                    let secret = api.accounts.visitor_secret();
                    let cookie = Cookie::Visitor.set(Some(secret.reveal()), origin);
                    (FormToken::of(secret.reveal()), cookie)
                }
            };
            let shown = api.accounts.masked(&token).into();
            Forms { token: Some(token), shown, cookie }
        }
        _ => Forms::default(),
    }
}

/// Whether the table lets them in.
async fn refused(
    api: &Api,
    access: Access,
    signed: Option<&Signed>,
    shown_to: &ShownTo,
) -> Option<Box<Refusal>> {
    if matches!(access, Access::Public | Access::Entrance) {
        return None;
    }
    let needed = access.permissions();
    let Some(signed) = signed else {
        let mut refusal = Refusal::new(nobody(&needed), None);
        refusal.sign_in = shown_to.page;
        return Some(refusal);
    };
    let first = needed.first()?;
    if needed.iter().any(|permission| signed.caller.may(*permission)) {
        return None;
    }
    let problem = lacking(api, ApiProblem::denied(*first, &signed.caller)).await;
    Some(Refusal::new(problem, Some(signed.clone())))
}

/// Whoever the door knows already (the admin socket), the token, or the
/// cookie.
async fn who(
    api: &Api,
    known: Option<Signed>,
    headers: &HeaderMap,
    origin: &Origin,
) -> Result<Who, ApiProblem> {
    if let Some(signed) = known {
        return Ok(Who::Program(signed));
    }
    if let Some(field) = headers.get(header::AUTHORIZATION) {
        return bearer(api, field, origin).await.map(Who::Program);
    }
    let Some(secret) = Cookie::Session.find(headers, origin) else {
        return Ok(Who::Nobody);
    };
    let (secret, from) = (secret.to_owned(), origin.address);
    let token = FormToken::of(&secret);
    let found = on_accounts(api, move |accounts| accounts.session(&secret, from)).await?;
    Ok(found.map_or(Who::Nobody, |session| {
        let caller = session.caller.clone();
        let preferences = Arc::new(session.preferences.clone());
        let csrf = api.accounts.masked(&token).into();
        Who::Person(Arc::new(session), Signed { caller, preferences, csrf }, token)
    }))
}

/// A token in the form `Bearer …` (RFC 6750 section 2.1).
async fn bearer(api: &Api, field: &HeaderValue, origin: &Origin) -> Result<Signed, ApiProblem> {
    let unauthorized = |detail: String| ApiProblem::new(StatusCode::UNAUTHORIZED, "token", detail);
    let text = field.to_str().ok().and_then(|text| text.split_once(' '));
    let Some((_, secret)) = text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        return Err(unauthorized("only bearer tokens are understood".to_owned()));
    };
    let (secret, from) = (secret.trim().to_owned(), origin.address);
    let found = on_accounts(api, move |accounts| match accounts.token(&secret, from) {
        Err(TokenRefusal::Failed(error)) => Err(error),
        answer => Ok(answer),
    });
    match found.await? {
        Ok(caller) => Ok(Signed::of_machine(caller)),
        Err(refusal) => Err(unauthorized(refusal.to_string())),
    }
}

/// What the table does not know is not served.
fn unlisted(method: &Method, route: &str) -> ApiProblem {
    let known = access::ROUTES.iter().any(|listed| listed.path == route);
    match known {
        true => {
            let detail = format!("{method} cannot be done here");
            ApiProblem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
        }
        false => {
            let detail = "this route is not in the table of permissions, so nobody may use it";
            ApiProblem::new(StatusCode::FORBIDDEN, "denied", detail)
        }
    }
}

fn nobody(needed: &[Permission]) -> ApiProblem {
    let detail = match needed.first() {
        None => "this needs a sign-in, or a token as `Authorization: Bearer …`".to_owned(),
        Some(permission) => format!(
            "this needs a sign-in, or a token as `Authorization: Bearer …`, with the permission {}",
            permission.slug()
        ),
    };
    ApiProblem::new(StatusCode::UNAUTHORIZED, "sign_in", detail)
}

/// Longest problem that is read to be made a page.
const PROBLEM_OCTETS_MAX: usize = 64 * 1024;

/// What has to be known of a request to answer with a page or a problem,
/// after it is gone.
struct ShownTo {
    /// Whether a person looks at the answer.
    page: bool,
    safe: bool,
    path: String,
    parts: Parts,
}

impl ShownTo {
    fn of(request: &Request) -> Self {
        let headers = request.headers();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
        let document = headers.get("sec-fetch-dest").is_none_or(|dest| dest == "document");
        let accepts = text(header::ACCEPT)
            .is_none_or(|kinds| kinds.contains("text/html") || kinds.contains("*/*"));
        let api = path.starts_with("/api/") || path == "/status";
        let mut shell = Request::new(());
        *shell.uri_mut() = request.uri().clone();
        *shell.headers_mut() = headers.clone();
        let (parts, ()) = shell.into_parts();
        let page = document && accepts && !api;
        ShownTo { page, safe: request.method().is_safe(), path, parts }
    }

    async fn refusal(self, api: &Api, refusal: Refusal) -> Response {
        let retry_after_s = refusal.retry_after_s;
        let mut response = self.told(api, refusal).await;
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    /// The answer of a handler as whoever asked can read it: a mistake in an
    /// address or a form that was found before the page could say so becomes a
    /// page, for a person.
    async fn readable(self, api: &Api, signed: Option<Signed>, response: Response) -> Response {
        if !self.page || !(response.status().is_client_error()) {
            return response;
        }
        let status = response.status();
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        let is_problem = kind.starts_with("application/problem+json");
        if !is_problem && !kind.starts_with("text/plain") {
            return response;
        }
        let (parts, body) = response.into_parts();
        let Ok(octets) = axum::body::to_bytes(body, PROBLEM_OCTETS_MAX).await else {
            return parts.status.into_response();
        };
        let problem = match is_problem {
            true => serde_json::from_slice(&octets).ok(),
            false => {
                let text = String::from_utf8_lossy(&octets);
                Some(ApiProblem::new(status, "malformed", in_words(&text)))
            }
        };
        let problem = problem.unwrap_or_else(|| ApiProblem::new(status, "malformed", ""));
        self.refusal(api, *Refusal::new(problem, signed)).await
    }

    async fn told(mut self, api: &Api, refusal: Refusal) -> Response {
        let Refusal { problem, signed, sign_in, .. } = refusal;
        if sign_in && self.safe {
            return Redirect::to(&way_back::sign_in(&self.path)).into_response();
        }
        if sign_in {
            return Redirect::to("/sign-in").into_response();
        }
        if !self.page {
            let mut response = problem.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                let scheme = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            }
            return response;
        }
        if let Some(signed) = signed {
            self.parts.extensions.insert(signed);
        }
        match Shell::from_request_parts(&mut self.parts, api).await {
            Ok(shell) => error_page(shell, &problem),
            Err(never) => match never {},
        }
    }
}
