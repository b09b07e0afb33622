//! `/me`: preferences, password, codes, sessions and tokens of whoever is
//! signed in.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use center::CenterError;
use center::accounts::{
    Accounts, Density, IdentityRow, NewToken, PasswordChange, Preferences, Session, SessionRow,
    Theme, TokenRow, Tokens,
};
use serde::Deserialize;
use types::{Permission, Timestamp, TokenId};

use super::{Guest, codes, way_back};
use crate::Api;
use crate::client::path_with;
use crate::pages::{Shell, error_page, shown};
use crate::problem::ApiProblem;
use crate::routes::{Params, on_accounts};

/// What can be said after something was done: key in the address, sentence.
const DONE: &[(&str, &str)] = &[
    ("preferences", "Your preferences are saved."),
    ("password", "The password is changed; you are signed out everywhere else."),
    ("codes-off", "Codes are off; signing in takes the password only."),
    ("session", "The session has ended."),
    ("sessions", "All other sessions have ended."),
    ("revoked", "The token is revoked."),
    ("linked", "The account is linked; you can sign in by the sign-in service from now on."),
    ("unlinked", "The link is gone; the password lets you in."),
];

/// Ends a token can have: value in the form, label, days.
const TOKEN_ENDS: &[(&str, &str, Option<u64>)] = &[
    ("30", "in 30 days", Some(30)),
    ("90", "in 90 days", Some(90)),
    ("365", "in one year", Some(365)),
    ("never", "never", None),
];

/// The parts of the page that can refuse something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Preferences,
    Password,
    Codes,
    Sessions,
    Identities,
    Tokens,
}

/// What was refused, and where.
struct Fault {
    part: Part,
    text: String,
    status: StatusCode,
}

impl Fault {
    fn new(part: Part, problem: &ApiProblem) -> Self {
        let status = StatusCode::from_u16(problem.status);
        Fault {
            part,
            text: sentence(&problem.detail),
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

#[derive(Template)]
#[template(path = "auth/me.html")]
struct MePage<'a> {
    shell: Shell,
    session: &'a Session,
    chosen: &'a Preferences,
    themes: &'static [Theme],
    densities: &'static [Density],
    columns: String,
    sessions: Vec<SessionRow>,
    identities: Vec<IdentityRow>,
    /// The sign-in service, if there is one.
    provider: Option<&'a str>,
    tokens: Vec<TokenRow>,
    may_make_tokens: bool,
    permissions: Vec<Permission>,
    ends: &'static [(&'static str, &'static str, Option<u64>)],
    done: Option<&'static str>,
    made: Option<String>,
    fault: Option<Fault>,
}

impl MePage<'_> {
    /// A time in the reader's zone.
    fn when(&self, at: &Timestamp) -> String {
        self.shell.zone.short(*at)
    }

    fn fault_of(&self, part: &str) -> Option<&str> {
        let fault = self.fault.as_ref()?;
        let name = match fault.part {
            Part::Preferences => "preferences",
            Part::Password => "password",
            Part::Codes => "codes",
            Part::Sessions => "sessions",
            Part::Identities => "identities",
            Part::Tokens => "tokens",
        };
        (name == part).then_some(fault.text.as_str())
    }
}

#[derive(Default, Deserialize)]
pub(super) struct DoneParams {
    #[serde(default)]
    done: String,
}

pub(super) async fn page(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Params(DoneParams { done }): Params<DoneParams>,
) -> Response {
    let done = DONE.iter().find(|(key, _)| *key == done).map(|(_, text)| *text);
    filled(&api, shell, &guest, Said { done, ..Said::default() }).await
}

/// What a page says beside what it shows.
#[derive(Default)]
struct Said {
    done: Option<&'static str>,
    made: Option<String>,
    fault: Option<Fault>,
}

async fn filled(api: &Api, shell: Shell, guest: &Guest, said: Said) -> Response {
    let session = match person(guest) {
        Ok(session) => session,
        Err(problem) => return error_page(shell, &problem),
    };
    let caller = session.caller.clone();
    let work = move |accounts: &Accounts| {
        let identities = accounts.identities(&caller)?;
        Ok((accounts.sessions(&caller)?, identities, accounts.tokens(&caller, false)?))
    };
    let (sessions, identities, tokens) = match on_accounts(api, work).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let status = said.fault.as_ref().map_or(StatusCode::OK, |fault| fault.status);
    let page = MePage {
        shell,
        session: &session,
        chosen: &session.preferences,
        themes: Theme::ALL,
        densities: Density::ALL,
        columns: session.preferences.columns.join(", "),
        sessions,
        identities,
        provider: api.provider.as_ref().map(|provider| provider.name()),
        tokens,
        may_make_tokens: session.caller.may(Permission::ManageTokens),
        permissions: session.caller.permissions.iter().collect(),
        ends: TOKEN_ENDS,
        done: said.done,
        made: said.made,
        fault: said.fault,
    };
    (status, shown(&page)).into_response()
}

/// The session; a token or the admin socket has no page about itself.
pub(super) fn person(guest: &Guest) -> Result<Arc<Session>, ApiProblem> {
    let session = guest.session.clone();
    session.ok_or_else(|| ApiProblem::malformed("this page is for people who are signed in"))
}

/// Does something and goes back to `/me`, which says what was done or why
/// not.
async fn change(
    api: &Api,
    shell: Shell,
    guest: &Guest,
    part: Part,
    done: &str,
    work: impl FnOnce(&Accounts, &Session) -> Result<(), CenterError> + Send + 'static,
) -> Response {
    let session = match person(guest) {
        Ok(session) => session,
        Err(problem) => return error_page(shell, &problem),
    };
    match on_accounts(api, move |accounts| work(accounts, &session)).await {
        Ok(()) => Redirect::to(&path_with("/me", &[("done", Some(done))])).into_response(),
        Err(problem) => {
            let fault = Some(Fault::new(part, &problem));
            filled(api, shell, guest, Said { fault, ..Said::default() }).await
        }
    }
}

#[derive(Deserialize)]
pub(super) struct PreferencesForm {
    theme: String,
    density: String,
    time_zone: String,
    /// A checkbox: absent if it is not ticked.
    #[serde(default)]
    shortcuts: String,
    #[serde(default)]
    columns: String,
}

pub(super) async fn preferences(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(form): Form<PreferencesForm>,
) -> Response {
    let work = move |accounts: &Accounts, session: &Session| {
        let preferences = Preferences {
            theme: form.theme.parse()?,
            density: form.density.parse()?,
            time_zone: form.time_zone.trim().to_owned(),
            shortcuts: !form.shortcuts.is_empty(),
            columns: words(&form.columns),
        };
        accounts.set_preferences(&session.caller, &preferences)
    };
    change(&api, shell, &guest, Part::Preferences, "preferences", work).await
}

#[derive(Deserialize)]
pub(super) struct DensityForm {
    density: String,
    back: String,
}

/// How much room rows take, chosen in a list, which is shown again.
pub(super) async fn density(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(form): Form<DensityForm>,
) -> Response {
    let session = match person(&guest) {
        Ok(session) => session,
        Err(problem) => return error_page(shell, &problem),
    };
    let work = move |accounts: &Accounts| {
        let density = form.density.parse()?;
        let preferences = Preferences { density, ..session.preferences.clone() };
        accounts.set_preferences(&session.caller, &preferences)?;
        Ok(form.back)
    };
    match on_accounts(&api, work).await {
        Ok(back) => Redirect::to(way_back::safe(&back)).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}

/// Words that stand apart by commas or spaces.
fn words(text: &str) -> Vec<String> {
    let words = text.split([',', ' ', '\n', '\r']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    present: String,
    new: String,
    again: String,
    /// Said by whoever has tokens; nothing is guessed.
    tokens: Option<Tokens>,
}

pub(super) async fn password(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(PasswordForm { present, new, again, tokens }): Form<PasswordForm>,
) -> Response {
    if new != again {
        let problem = ApiProblem::malformed("the two new passwords differ");
        let fault = Some(Fault::new(Part::Password, &problem));
        return filled(&api, shell, &guest, Said { fault, ..Said::default() }).await;
    }
    let from = guest.origin.address;
    let work = move |accounts: &Accounts, session: &Session| {
        let change = PasswordChange { present: &present, new: &new, tokens };
        accounts.change_password(&session.caller, &change, from, Some(session.id))
    };
    change(&api, shell, &guest, Part::Password, "password", work).await
}

#[derive(Deserialize)]
pub(super) struct SessionForm {
    /// A number, or `others`.
    session: String,
}

pub(super) async fn end_session(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(SessionForm { session: which }): Form<SessionForm>,
) -> Response {
    let one = which.parse::<u64>().ok();
    let done = if one.is_some() { "session" } else { "sessions" };
    let work = move |accounts: &Accounts, session: &Session| match one {
        Some(id) => accounts.end_session(&session.caller, id),
        None => accounts.end_sessions(&session.caller, Some(session.id)).map(drop),
    };
    change(&api, shell, &guest, Part::Sessions, done, work).await
}

/// The page again, with why nothing was linked.
pub(super) async fn refused_link(
    api: &Api,
    shell: Shell,
    guest: &Guest,
    problem: ApiProblem,
) -> Response {
    let fault = Some(Fault::new(Part::Identities, &problem));
    filled(api, shell, guest, Said { fault, ..Said::default() }).await
}

#[derive(Deserialize)]
pub(super) struct UnlinkForm {
    identity: u64,
}

pub(super) async fn unlink(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(UnlinkForm { identity }): Form<UnlinkForm>,
) -> Response {
    let work = move |accounts: &Accounts, session: &Session| {
        accounts.unlink_oneself(&session.caller, identity)
    };
    change(&api, shell, &guest, Part::Identities, "unlinked", work).await
}

#[derive(Deserialize)]
pub(super) struct ProofForm {
    pub(super) password: String,
}

pub(super) async fn codes_off(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(ProofForm { password }): Form<ProofForm>,
) -> Response {
    let from = guest.origin.address;
    let work = move |accounts: &Accounts, session: &Session| {
        accounts.totp_off(&session.caller, &password, from)
    };
    change(&api, shell, &guest, Part::Codes, "codes-off", work).await
}

pub(super) async fn new_recovery(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(ProofForm { password }): Form<ProofForm>,
) -> Response {
    let session = match person(&guest) {
        Ok(session) => session,
        Err(problem) => return error_page(shell, &problem),
    };
    let from = guest.origin.address;
    let work =
        move |accounts: &Accounts| accounts.new_recovery_codes(&session.caller, &password, from);
    match on_accounts(&api, work).await {
        Ok(codes) => codes::recovery(shell, codes),
        Err(problem) => {
            let fault = Some(Fault::new(Part::Codes, &problem));
            filled(&api, shell, &guest, Said { fault, ..Said::default() }).await
        }
    }
}

/// The form of a new token: fields `name`, `networks`, `ends`, and one field
/// `permission` for each box that is ticked.
pub(super) async fn add_token(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let session = match person(&guest) {
        Ok(session) => session,
        Err(problem) => return error_page(shell, &problem),
    };
    let made = match new_token(&fields, api.accounts.now()) {
        Ok(new) => {
            on_accounts(&api, move |accounts| accounts.add_token(&session.caller, &new)).await
        }
        Err(detail) => Err(ApiProblem::malformed(detail)),
    };
    let said = match made {
        Ok(made) => Said { made: Some(made.secret), ..Said::default() },
        Err(problem) => Said { fault: Some(Fault::new(Part::Tokens, &problem)), ..Said::default() },
    };
    filled(&api, shell, &guest, said).await
}

/// What the form asks for, or a sentence on what is wrong with it.
fn new_token(fields: &[(String, String)], now: Timestamp) -> Result<NewToken, String> {
    let values = |wanted: &'static str| {
        fields.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_str())
    };
    let permissions = values("permission")
        .map(|name| name.parse::<Permission>().map_err(|error| error.to_string()));
    let networks = values("networks").flat_map(words).map(|text| {
        let network = text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(Into::into));
        network.map_err(|_| "a network is written as 192.0.2.0/24".to_owned())
    });
    let chosen = values("ends").next().unwrap_or("");
    let end = TOKEN_ENDS.iter().find(|(value, ..)| *value == chosen);
    let (.., days) = end.ok_or("choose when the token ends")?;
    Ok(NewToken {
        name: values("name").next().unwrap_or("").to_owned(),
        account: None,
        permissions: permissions.collect::<Result<_, _>>()?,
        networks: networks.collect::<Result<_, _>>()?,
        expires: days.map(|days| now + Duration::from_secs(days * 86_400)),
    })
}

#[derive(Deserialize)]
pub(super) struct RevokeForm {
    token: u64,
}

pub(super) async fn revoke_token(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(RevokeForm { token }): Form<RevokeForm>,
) -> Response {
    let work = move |accounts: &Accounts, session: &Session| {
        accounts.remove_token(&session.caller, TokenId(token))
    };
    change(&api, shell, &guest, Part::Tokens, "revoked", work).await
}

/// An error text as a sentence on a page.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
