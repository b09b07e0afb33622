//! Signing in: who asks, whether they may, and whether they meant to.
//!
//! ```text
//! request ─ headers ─ count ─ host ─ who (socket, token, cookie) ─ table ─ forged? ─ handler
//! ```
//!
//! - [`access`] is the one table of routes with what each needs. A new route
//!   is one line there; without it the answer is 403.
//! - [`Signed`] is what handlers take; `Extension<Caller>` is there too.
//! - A form must hold the field `csrf` with [`Signed::csrf`]; a script sends
//!   it as `X-CSRF-Token`.

pub(crate) mod access;
pub(crate) mod api;
mod by_provider;
mod codes;
mod cookie;
mod doorman;
mod forged;
#[cfg(test)]
mod matrix;
mod me;
pub(crate) mod origin;
pub(crate) mod provider;
mod set_up;
mod sign_in;
mod signed;
pub(crate) mod way_back;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use doorman::{Guest, admit};
pub(crate) use signed::{Signed, attach};

use crate::Api;

/// The pages of this part.
pub(crate) fn pages() -> Router<Api> {
    Router::new()
        .route("/sign-in", get(sign_in::page).post(sign_in::password))
        .route("/sign-in/code", get(sign_in::code_page).post(sign_in::code))
        .route("/sign-in/link/{link}", get(sign_in::link_page).post(sign_in::link))
        .route("/sign-in/provider", get(by_provider::begin))
        .route(provider::BACK, get(by_provider::back))
        .route("/set-up/{link}", get(set_up::page).post(set_up::done))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/sign-out/provider", get(by_provider::sign_out))
        .route("/signed-out", get(sign_in::signed_out))
        .route("/me", get(me::page))
        .route("/me/preferences", post(me::preferences))
        .route("/me/density", post(me::density))
        .route("/me/password", post(me::password))
        .route("/me/sessions", post(me::end_session))
        .route("/me/codes", get(codes::page).post(codes::on))
        .route("/me/codes/begin", post(codes::begin))
        .route("/me/codes/off", post(me::codes_off))
        .route("/me/codes/recovery", post(me::new_recovery))
        .route("/me/identities", post(by_provider::link))
        .route("/me/identities/remove", post(me::unlink))
        .route("/me/tokens", post(me::add_token))
        .route("/me/tokens/revoke", post(me::revoke_token))
}
