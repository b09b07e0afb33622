//! Managed senders.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::importing::{ListFormat, ListText};
use center::{ChangeResult, ImportHow, Imported, SenderRow, SenderSearch};
use serde::Deserialize;
use types::lists::{ManagedSender, SenderAction};
use types::{Caller, EmailAddress, PolicyId};

use super::answers::Csv;
use super::{Body, Params, working};
use crate::Api;
use crate::problem::ApiProblem;

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<SenderSearch>,
) -> Result<Json<Vec<SenderRow>>, ApiProblem> {
    working(&api, move |center| center.senders(&caller, &search)).await.map(Json)
}

pub(crate) async fn export(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<SenderSearch>,
) -> Result<Csv, ApiProblem> {
    let written = working(&api, move |center| {
        let mut csv = Vec::new();
        center.export_senders(&caller, &search, &mut csv).map(|()| csv)
    });
    written.await.map(Csv)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct SenderBody {
    sender: ManagedSender,
    #[serde(default)]
    note: String,
}

pub(crate) async fn put(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(SenderBody { sender, note }): Body<SenderBody>,
) -> Result<Json<ChangeResult>, ApiProblem> {
    working(&api, move |center| center.put_sender(&caller, sender, &note)).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct NoteParams {
    #[serde(default)]
    note: String,
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
    Params(NoteParams { note }): Params<NoteParams>,
) -> Result<Json<ChangeResult>, ApiProblem> {
    let id = PolicyId(number);
    working(&api, move |center| center.remove_sender(&caller, id, &note)).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct ImportParams {
    /// Whether good lines are stored even if others are not.
    #[serde(default)]
    partial: bool,
    /// Whether it is only said what would be stored.
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    note: String,
    /// Whose list it is; our own CSV if absent.
    #[serde(default)]
    format: ListFormat,
    /// What the lines of a plain list do.
    #[serde(default)]
    action: Option<SenderAction>,
    /// Whose list a plain list goes into; everyone's if absent.
    #[serde(default)]
    recipient: Option<EmailAddress>,
}

pub(crate) async fn import(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(asked): Params<ImportParams>,
    list: Bytes,
) -> Result<Json<Imported>, ApiProblem> {
    let ImportParams { partial, dry_run, note, format, action, recipient } = asked;
    let how = ImportHow { partial, dry_run };
    let work = move |center: &center::Center| {
        if format == ListFormat::Managed {
            return center.import_senders(&caller, &mut list.as_ref(), how, &note);
        }
        // Old lists are in old character sets; what is no UTF-8 in them is a
        // comment or a bad line.
        let text = String::from_utf8_lossy(&list);
        let list = ListText { format, text: &text, action, recipient };
        center.import_list(&caller, &list, how, &note)
    };
    working(&api, work).await.map(Json)
}

pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Result<Json<SenderRow>, ApiProblem> {
    working(&api, move |center| center.sender(&caller, PolicyId(number))).await.map(Json)
}
