//! Devices and programs that send mail with a name and password.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::submitters::{MadePassword, NewSubmitter, SubmitterEdit, SubmitterRow};
use serde::Deserialize;
use types::Caller;

use super::{Body, working};
use crate::Api;
use crate::auth::api::{DONE, Done};
use crate::openapi::Routes;
use crate::problem::ApiProblem;

/// The routes, below `/api/v1`.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/submitters", "Devices and programs that send with a password.", list)
        .post("/submitters", "Add a submitter.", add)
        .put("/submitters/{name}", "Change what a submitter may.", change)
        .put("/submitters/{name}/password", "Give a submitter a new password.", password)
        .delete("/submitters/{name}", "Remove a submitter.", remove)
}

type Answer<T> = Result<Json<T>, ApiProblem>;

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Answer<Vec<SubmitterRow>> {
    working(&api, move |center| center.submitters()?.list(&caller)).await.map(Json)
}

pub(crate) async fn add(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewSubmitter>,
) -> Answer<MadePassword> {
    working(&api, move |center| center.submitters()?.add(&caller, &new)).await.map(Json)
}

pub(crate) async fn change(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(edit): Body<SubmitterEdit>,
) -> Answer<Done> {
    let work = move |center: &center::Center| center.submitters()?.change(&caller, &name, &edit);
    working(&api, work).await.map(|()| DONE)
}

/// A password for a submitter.
#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct SubmitterPassword {
    /// The password; one is made and told if there is none.
    #[serde(default)]
    password: Option<String>,
}

pub(crate) async fn password(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(SubmitterPassword { password }): Body<SubmitterPassword>,
) -> Answer<MadePassword> {
    let work = move |center: &center::Center| {
        center.submitters()?.set_password(&caller, &name, password.as_deref())
    };
    working(&api, work).await.map(Json)
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answer<Done> {
    let work = move |center: &center::Center| center.submitters()?.remove(&caller, &name);
    working(&api, work).await.map(|()| DONE)
}
