//! Which recipients there are.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::{
    DirectoryReading, ReadDirectory, RecipientDomain, RecipientImport, RecipientSearch,
    RecipientShown, RecipientsImported, SyncedDirectory,
};
use serde::{Deserialize, Serialize};
use types::{Caller, Domain, EmailAddress, KnownRecipient};

use super::{Body, Forgotten, Params, working};
use crate::Api;
use crate::problem::ApiProblem;

pub(crate) async fn domains(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<RecipientDomain>>, ApiProblem> {
    working(&api, move |center| center.recipient_domains(&caller)).await.map(Json)
}

pub(crate) async fn known(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<RecipientSearch>,
) -> Result<Json<Vec<KnownRecipient>>, ApiProblem> {
    working(&api, move |center| center.known_recipients(&caller, &search)).await.map(Json)
}

pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(address): Path<EmailAddress>,
) -> Result<Json<RecipientShown>, ApiProblem> {
    working(&api, move |center| center.recipient(&caller, &address)).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct RecipientImportParams {
    /// The domain whose imported recipients the list takes the place of.
    #[serde(default)]
    in_place_of: Option<Domain>,
    #[serde(default)]
    partial: bool,
    /// Whether more than half of the imported recipients of that domain may go.
    #[serde(default)]
    accept_removals: bool,
    #[serde(default)]
    dry_run: bool,
}

pub(crate) async fn import(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(asked): Params<RecipientImportParams>,
    list: Bytes,
) -> Result<Json<RecipientsImported>, ApiProblem> {
    let RecipientImportParams { in_place_of, partial, accept_removals, dry_run } = asked;
    let how = RecipientImport { in_place_of, partial, accept_removals, dry_run };
    let work = move |center: &center::Center| {
        center.import_recipients(&caller, &String::from_utf8_lossy(&list), &how)
    };
    working(&api, work).await.map(Json)
}

pub(crate) async fn forget(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(address): Path<EmailAddress>,
) -> Result<Json<Forgotten>, ApiProblem> {
    let was_known = working(&api, move |center| center.forget_recipient(&caller, &address)).await?;
    Ok(Json(Forgotten { forgotten: usize::from(was_known) }))
}

pub(crate) async fn forget_domain(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(domain): Path<Domain>,
) -> Result<Json<Forgotten>, ApiProblem> {
    let forgotten =
        working(&api, move |center| center.forget_recipients_of(&caller, &domain)).await?;
    Ok(Json(Forgotten { forgotten }))
}

/// What is in force of a file.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct DirectoryFileAccepted {
    /// How many recipients it has.
    recipients: usize,
}

pub(crate) async fn accept_file(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(domain): Path<Domain>,
) -> Result<Json<DirectoryFileAccepted>, ApiProblem> {
    let recipients =
        working(&api, move |center| center.accept_directory_file(&caller, &domain)).await?;
    Ok(Json(DirectoryFileAccepted { recipients }))
}

pub(crate) async fn learn_anew(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(domain): Path<Domain>,
) -> Result<Json<Forgotten>, ApiProblem> {
    let forgotten =
        working(&api, move |center| center.learn_recipients_anew(&caller, &domain)).await?;
    Ok(Json(Forgotten { forgotten }))
}

pub(crate) async fn directories(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<SyncedDirectory>>, ApiProblem> {
    working(&api, move |center| center.synced_directories(&caller)).await.map(Json)
}

pub(crate) async fn read_directory(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(how): Body<ReadDirectory>,
) -> Result<Json<DirectoryReading>, ApiProblem> {
    working(&api, move |center| center.read_directory(&caller, &name, how)).await.map(Json)
}
