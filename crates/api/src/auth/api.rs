//! Accounts and tokens for programs and the command line.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::accounts::{
    AccountChange, AccountRow, Accounts, MadeToken, NewPerson, NewToken, Preferences, RoleRow,
    TokenRow, Tokens,
};
use serde::{Deserialize, Serialize};
use types::policy::DomainPattern;
use types::{Caller, Permissions, RoleName, TokenId};

use super::Signed;
use crate::Api;
use crate::openapi::Routes;
use crate::problem::ApiProblem;
use crate::routes::{Body, Params, on_accounts};

/// The routes, below `/api/v1`.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/me", "Who asks, and what they may do.", me)
        .get("/accounts", "All accounts.", list)
        .post("/accounts", "Add an account.", add)
        .delete("/accounts/{name}", "Remove an account.", remove)
        .put("/accounts/{name}", "Change what an account may do and see.", change)
        .put("/accounts/{name}/role", "Give an account another role.", role)
        .put("/accounts/{name}/password", "Set the password of an account.", password)
        .delete("/accounts/{name}/codes", "Turn an account's codes off.", reset_codes)
        .post("/accounts/{name}/links", "Link an account to the sign-in service.", link)
        .delete("/accounts/{name}/links/{number}", "Unlink an account.", unlink)
        .get("/roles", "All roles with what they allow.", roles)
        .put("/roles/{name}", "Make or change a role.", put_role)
        .delete("/roles/{name}", "Remove a role, or undo what was switched.", remove_role)
        .post("/emergency-account", "Make the account for emergencies.", emergency)
        .post("/set-up-links", "Make a link that sets an account up.", set_up_link)
        .get("/tokens", "One's tokens, or all.", tokens)
        .post("/tokens", "Make a token.", add_token)
        .delete("/tokens/{number}", "Revoke a token.", remove_token)
}

type Answer<T> = Result<Json<T>, ApiProblem>;

/// Nothing but that it was done.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Done {
    done: bool,
}

pub(crate) const DONE: Json<Done> = Json(Done { done: true });

/// Who asks.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Me {
    name: String,
    permissions: Permissions,
    /// The recipient domains whose mail they see; everybody's if there are
    /// neither domains nor groups.
    domains: Vec<DomainPattern>,
    /// The groups whose members' mail they see, by name.
    groups: Vec<String>,
    preferences: Preferences,
}

pub(crate) async fn me(signed: Signed) -> Json<Me> {
    let Signed { caller, preferences, .. } = signed;
    let (name, permissions) = (caller.name.to_string(), caller.permissions);
    let (domains, groups) = (caller.sight.domains().to_vec(), caller.sight.groups().to_vec());
    Json(Me { name, permissions, domains, groups, preferences: (*preferences).clone() })
}

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Answer<Vec<AccountRow>> {
    on_accounts(&api, move |accounts| accounts.accounts(&caller)).await.map(Json)
}

pub(crate) async fn add(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewPerson>,
) -> Answer<Done> {
    on_accounts(&api, move |accounts| accounts.add_account(&caller, &new)).await.map(|()| DONE)
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answer<Done> {
    let work = move |accounts: &Accounts| accounts.remove_account(&caller, &name);
    on_accounts(&api, work).await.map(|()| DONE)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct RoleBody {
    role: RoleName,
}

pub(crate) async fn role(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(RoleBody { role }): Body<RoleBody>,
) -> Answer<Done> {
    let work = move |accounts: &Accounts| accounts.set_role(&caller, &name, role);
    on_accounts(&api, work).await.map(|()| DONE)
}

pub(crate) async fn change(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(change): Body<AccountChange>,
) -> Answer<Done> {
    let work = move |accounts: &Accounts| accounts.change_account(&caller, &name, &change);
    on_accounts(&api, work).await.map(|()| DONE)
}

pub(crate) async fn roles(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Answer<Vec<RoleRow>> {
    on_accounts(&api, move |accounts| accounts.roles(&caller)).await.map(Json)
}

pub(crate) async fn put_role(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(body): Body<center::accounts::RoleBody>,
) -> Answer<Done> {
    let name = role_name(&name)?;
    let work = move |accounts: &Accounts| accounts.put_role(&caller, &name, &body);
    on_accounts(&api, work).await.map(|()| DONE)
}

pub(crate) async fn remove_role(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answer<Done> {
    let name = role_name(&name)?;
    let work = move |accounts: &Accounts| accounts.remove_role(&caller, &name);
    on_accounts(&api, work).await.map(|()| DONE)
}

/// A role out of an address.
pub(crate) fn role_name(name: &str) -> Result<RoleName, ApiProblem> {
    name.parse().map_err(|error: types::role::RoleNameError| {
        ApiProblem::from(center::CenterError::invalid(error.to_string()))
    })
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct EmergencyBody {
    /// What it signs in with.
    name: String,
}

/// The account for emergencies, just made.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct EmergencyMade {
    name: String,
    /// Shown this once.
    password: String,
}

pub(crate) async fn emergency(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(EmergencyBody { name }): Body<EmergencyBody>,
) -> Answer<EmergencyMade> {
    let named = name.clone();
    let work = move |accounts: &Accounts| accounts.emergency_account(&caller, &named);
    let password = on_accounts(&api, work).await?.reveal().to_owned();
    Ok(Json(EmergencyMade { name, password }))
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct PasswordBody {
    password: String,
    /// What becomes of the account's tokens.
    #[serde(default)]
    tokens: Tokens,
}

pub(crate) async fn password(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(PasswordBody { password, tokens }): Body<PasswordBody>,
) -> Answer<Done> {
    let work = move |accounts: &Accounts| accounts.set_password(&caller, &name, &password, tokens);
    on_accounts(&api, work).await.map(|()| DONE)
}

pub(crate) async fn reset_codes(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answer<Done> {
    let work = move |accounts: &Accounts| accounts.reset_totp(&caller, &name);
    on_accounts(&api, work).await.map(|()| DONE)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct IdentityBody {
    /// Who the person is at the sign-in service: its claim `sub`.
    subject: String,
}

pub(crate) async fn link(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(IdentityBody { subject }): Body<IdentityBody>,
) -> Answer<Done> {
    let work = move |accounts: &Accounts| accounts.link_account(&caller, &name, &subject);
    on_accounts(&api, work).await.map(|()| DONE)
}

pub(crate) async fn unlink(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, u64)>,
) -> Answer<Done> {
    let work = move |accounts: &Accounts| accounts.unlink_account(&caller, &name, number);
    on_accounts(&api, work).await.map(|()| DONE)
}

#[derive(Default, Deserialize, schemars::JsonSchema)]
pub(crate) struct LinkBody {
    /// Whose password; a new owner if absent.
    #[serde(default)]
    name: Option<String>,
}

/// A link that works once.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Link {
    /// Below the address of the console.
    path: String,
    /// The same with the address, as far as it is known.
    url: String,
    /// How long it works, in seconds.
    valid_s: u64,
}

pub(crate) async fn set_up_link(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(LinkBody { name }): Body<LinkBody>,
) -> Answer<Link> {
    let work = move |accounts: &Accounts| accounts.set_up_link(&caller, name.as_deref());
    let secret = on_accounts(&api, work).await?;
    let path = format!("/set-up/{}", secret.reveal());
    let url = format!("{}{path}", api.console_url.trim_end_matches('/'));
    Ok(Json(Link { path, url, valid_s: center::accounts::LINK_VALID.as_secs() }))
}

#[derive(Default, Deserialize, schemars::JsonSchema)]
pub(crate) struct TokensParams {
    /// Everybody's, not the caller's own.
    #[serde(default)]
    all: bool,
}

pub(crate) async fn tokens(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(TokensParams { all }): Params<TokensParams>,
) -> Answer<Vec<TokenRow>> {
    on_accounts(&api, move |accounts| accounts.tokens(&caller, all)).await.map(Json)
}

pub(crate) async fn add_token(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewToken>,
) -> Answer<MadeToken> {
    on_accounts(&api, move |accounts| accounts.add_token(&caller, &new)).await.map(Json)
}

pub(crate) async fn remove_token(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Answer<Done> {
    let work = move |accounts: &Accounts| accounts.remove_token(&caller, TokenId(number));
    on_accounts(&api, work).await.map(|()| DONE)
}
