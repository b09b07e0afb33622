//! The routes of the API, and what their handlers share: reading what was
//! sent, and keeping what blocks off the asynchronous workers.

mod answers;
pub(crate) mod attempts;
mod audit;
mod auto_allow;
mod bulk;
pub(crate) mod definitions;
mod expecting;
mod exports;
mod letting;
mod policies;
mod queue;
mod recipients;
mod reputation;
mod requests;
mod senders;
pub(crate) mod streams;
mod submitters;
pub(crate) mod system;
mod views;

use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use center::accounts::Accounts;
use center::{Center, CenterError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::openapi::Routes;
use crate::problem::ApiProblem;

/// Largest imported file: a million entries fit.
const IMPORT_OCTETS_MAX: usize = 100_000_000;

/// Everything that changes nothing.
pub(crate) fn reading() -> Routes {
    Routes::new()
        .get("/attempts", "A page of attempts.", attempts::list)
        .get("/attempts/count", "How many attempts match.", attempts::count)
        .get("/attempts/counts", "The same query counted in every list.", attempts::counts)
        .get("/attempts/histogram", "Matches by time and outcome.", attempts::histogram)
        .get("/attempts/facets", "The commonest values among the matches.", attempts::facets)
        .get("/attempts/hints", "Ways out of an empty list.", attempts::hints)
        .get("/attempts/completion", "What the query could go on with.", attempts::completion)
        .get("/attempts/rows", "All matches as one NDJSON or CSV stream.", attempts::rows)
        .get("/attempts/stream", "Matches as they come.", attempts::stream)
        .get("/attempts/{name}", "Why an attempt ended as it did.", attempts::why)
        .get("/attempts/{name}/event", "The event as it was stored.", attempts::event)
        .get("/attempts/{name}/senders", "What can be meant by its sender.", letting::offer)
        .get("/lifelines/{name}", "All that happened to one message.", attempts::life)
        .get("/search-fields", "The fields of the search language.", attempts::fields)
        .get("/views", "The built-in lists.", attempts::views)
        .get("/saved-views", "Saved views: one's own and shared ones.", views::saved)
        .get("/saved-views/{number}", "One saved view.", views::one)
        .get("/overview", "How it goes, on one page.", views::overview)
        .get("/compare", "What two attempts differ in.", views::compare)
        .get("/policies", "All policies.", policies::list)
        .get("/policies/{number}", "One policy.", policies::show)
        .get("/policies/{number}/observed", "What it would have done.", policies::observed)
        .get("/policies/export", "Policies, groups and senders as TOML.", policies::export)
        .get("/policies/versions", "Versions of the policy set.", policies::versions)
        .get("/policies/precision", "What was taken back of refusals.", policies::precision)
        .get("/policies/differences", "What two versions differ in.", policies::differences)
        .get("/attributes", "Attributes that policies can name.", policies::attributes)
        .get("/groups", "All groups.", policies::groups)
        .get("/groups/{name}", "One group.", policies::group)
        .get("/definitions", "All definitions.", definitions::list)
        .get("/definitions/{name}", "One definition.", definitions::show)
        .get("/senders", "Managed senders.", senders::list)
        .get("/senders/auto", "Who may answer whom.", auto_allow::list)
        .get("/senders/auto/export", "Who may answer whom, as CSV.", auto_allow::export)
        .get("/senders/{number}", "One managed sender.", senders::show)
        .get("/senders/export", "Managed senders as CSV.", senders::export)
        .get("/bulk", "The jobs since the start.", bulk::list)
        .get("/bulk/{number}", "One job as it stands.", bulk::show)
        .get("/expecting", "Who expects a mail.", expecting::list)
        .get("/queue", "Messages waiting to leave.", queue::list)
        .get("/queue/shape", "The queue by domain and age.", queue::shape)
        .get("/queue/{id}", "One message of the queue.", queue::show)
        .get("/greylist", "Triplets, newest first.", queue::greylist)
        .get("/greylist/pair", "Greylisting of a sender and a recipient.", queue::greylist_pair)
        .get("/greylist/delays", "How long greylisting delayed mail.", queue::greylist_delays)
        .get("/reputation", "The clients with the worst reputation.", reputation::worst)
        .get("/reputation/{ip}", "What was learned of a client.", reputation::show)
        .get("/recipients", "Recipients known by name.", recipients::known)
        .get("/recipients/{address}", "What is known of a recipient.", recipients::show)
        .get("/recipient-domains", "How each domain knows its recipients.", recipients::domains)
        .get("/recipient-directories", "Directories on servers.", recipients::directories)
        .get("/requests", "What refused senders wrote, newest first.", requests::list)
        .get("/requests/{number}", "One request of a refused sender.", requests::one)
        .get("/daily-logs", "The daily logs.", system::daily_logs)
        .get("/daily-logs/range", "The daily logs of several days.", system::daily_log_range)
        .get("/daily-logs/{name}", "One daily log.", system::daily_log)
        .get("/exports", "One's exports, newest first.", exports::list)
        .get("/exports/{id}", "One export as it stands.", exports::show)
        .get("/exports/{id}/progress", "How far an export is, until it is over.", exports::progress)
        .get("/exports/{id}/file", "The file of an export that is done.", exports::file)
        .get("/audit", "The audit log, newest first.", audit::list)
        .get("/audit/{number}", "One entry of the audit log.", audit::entry)
        .get("/audit/export", "The audit log as CSV or NDJSON.", audit::export)
        .get("/audit/verify", "Whether the audit log is what was written.", audit::verify)
        .get("/status", "How the gateway is.", system::status)
        .get("/conservation", "Attempts in and out.", system::conservation)
        .get("/conservation/hours", "The same by the hour.", system::conservation_hours)
        .get("/openapi.json", "This document.", crate::openapi::openapi)
}

/// Everything that changes something.
pub(crate) fn writing() -> Routes {
    let large = || DefaultBodyLimit::max(IMPORT_OCTETS_MAX);
    let imports = Routes::new()
        .post("/policies/check", "Check a document of policies.", policies::check)
        .post("/policies/import", "Put a document in place of all policies.", policies::import)
        .post("/policies/replay", "What a change would have changed.", policies::replay)
        .post("/senders/auto/import", "Take over who may answer whom.", auto_allow::import)
        .post("/senders/import", "Import a list of senders or clients.", senders::import)
        .post("/recipients/import", "Import a list of recipients.", recipients::import)
        .with(|router| router.layer(large()));
    Routes::new()
        .post("/policies", "Add a policy.", policies::add)
        .put("/policies/{number}", "Replace a policy.", policies::change)
        .delete("/policies/{number}", "Remove a policy.", policies::remove)
        .post("/policies/{number}/enforce", "Enforce what is observed.", policies::enforce)
        .post("/policies/rollback", "Go back to an older version.", policies::roll_back)
        .post("/policies/undo", "Undo one version.", letting::undo)
        .post("/attempts/{name}/senders", "Permit or block its sender.", letting::decide)
        .post("/attempts/{name}/senders/preview", "What that would do to it.", letting::preview)
        .post("/attempts/{name}/let-in", "Let its triplet pass.", letting::let_in)
        .put("/groups/{name}", "Make or replace a group.", policies::put_group)
        .delete("/groups/{name}", "Remove a group.", policies::remove_group)
        .post("/groups/{name}/members", "Add and remove members.", policies::members)
        .put("/definitions/{name}", "Make or replace a definition.", definitions::put)
        .delete("/definitions/{name}", "Remove a definition.", definitions::remove)
        .post("/groups/{name}/paste", "Add members from a text.", policies::paste)
        .post("/policies/simulate", "Which policies apply to a mail.", policies::simulate)
        .post("/senders", "Permit or block a sender.", senders::put)
        .delete("/senders/auto", "Forget who may answer whom.", auto_allow::purge)
        .delete("/senders/{number}", "Remove a managed sender.", senders::remove)
        .post("/bulk", "Permit, block or let in many rows.", bulk::start)
        .post("/bulk/preview", "What that would do.", bulk::preview)
        .post("/bulk/{number}/cancel", "Stop a job before it stores.", bulk::cancel)
        .post("/expecting", "Expect a mail for a quarter of an hour.", expecting::begin)
        .delete("/expecting/{number}", "Expect it no longer.", expecting::end)
        .delete("/reputation/{ip}", "Forget what a client did.", reputation::reset)
        .post(
            "/recipient-directories/{name}",
            "Read a directory from its server now.",
            recipients::read_directory,
        )
        .delete("/recipients/{address}", "Forget a recipient known by name.", recipients::forget)
        .delete(
            "/recipient-domains/{domain}",
            "Forget everybody of a domain that is no more in the settings.",
            recipients::forget_domain,
        )
        .post(
            "/recipients/accept-file/{domain}",
            "Take a directory file as it is, though nobody is in it.",
            recipients::accept_file,
        )
        .post(
            "/recipients/learn-anew/{domain}",
            "Forget what a domain learned, and learn anew.",
            recipients::learn_anew,
        )
        .post("/requests/{number}/answer", "Mark a request as dealt with.", requests::answer)
        .post("/requests/{number}/reopen", "Take a request up again.", requests::reopen)
        .post("/saved-views", "Save a list under a name.", views::save)
        .delete("/saved-views/{number}", "Remove a saved view.", views::remove)
        .put("/saved-views/{number}/alert", "Set its alert.", views::set_alert)
        .delete("/saved-views/{number}/alert", "Remove its alert.", views::remove_alert)
        .post("/saved-views/{number}/alert/test", "Send a test of its alert.", views::test_alert)
        .post("/exports", "Ask for an export.", exports::start)
        .post("/exports/{id}/cancel", "Stop an export.", exports::cancel)
        .delete("/exports/{id}", "Remove an export and its file.", exports::remove)
        .merge(imports)
        .merge(steering())
}

/// What is done to mail that waits, here or at its sender.
fn steering() -> Routes {
    Routes::new()
        .post("/queue/actions", "Hold, release, retry or delete messages; a deletion needs a note and is refused with 422 without one.", queue::act)
        .post("/queue/preview", "What that would do to rows.", queue::preview)
        .post("/greylist/pass", "Let triplets pass.", queue::greylist_pass)
        .post("/greylist/forget", "Forget triplets.", queue::greylist_forget)
}

/// The whole API.
pub(crate) fn all() -> Routes {
    reading().merge(writing()).merge(submitters::routes()).merge(crate::auth::api::routes())
}

/// How many there were to forget.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Forgotten {
    forgotten: usize,
}

/// Works on the message center off the asynchronous workers.
pub(crate) async fn working<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce(&Center) -> Result<T, CenterError> + Send + 'static,
) -> Result<T, ApiProblem> {
    let center = std::sync::Arc::clone(&api.center);
    whole(api, answered(tokio::task::spawn_blocking(move || work(&center)).await)).await
}

/// The answer; one that says what is missing also says who can grant it.
async fn whole<T>(api: &Api, answer: Result<T, ApiProblem>) -> Result<T, ApiProblem> {
    match answer {
        Err(problem) if problem.lacking.is_some() => Err(lacking(api, problem).await),
        answer => answer,
    }
}

/// Names who can grant the permission that is missing.
pub(crate) async fn lacking(api: &Api, problem: ApiProblem) -> ApiProblem {
    let accounts = std::sync::Arc::clone(&api.accounts);
    let owners = answered(tokio::task::spawn_blocking(move || accounts.owners()).await);
    problem.granted_by(owners.unwrap_or_default())
}

/// Works on the accounts off the asynchronous workers.
pub(crate) async fn on_accounts<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce(&Accounts) -> Result<T, CenterError> + Send + 'static,
) -> Result<T, ApiProblem> {
    let accounts = std::sync::Arc::clone(&api.accounts);
    whole(api, answered(tokio::task::spawn_blocking(move || work(&accounts)).await)).await
}

/// What came of work off the asynchronous workers.
fn answered<T>(
    done: Result<Result<T, CenterError>, tokio::task::JoinError>,
) -> Result<T, ApiProblem> {
    match done {
        Ok(answer) => answer.map_err(ApiProblem::from),
        Err(_) => {
            let detail = "a part of the engine failed; nothing was changed";
            Err(ApiProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "engine", detail))
        }
    }
}

/// The query of the address; a mistake in it is a problem, not a bare text.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Params<T> {
    type Rejection = ApiProblem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiProblem> {
        let query = Query::<T>::from_request_parts(parts, api).await;
        query.map(|Query(params)| Params(params)).map_err(|e| ApiProblem::malformed(e.body_text()))
    }
}

/// A JSON body; a mistake in it is a problem with its place.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = ApiProblem;
    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiProblem> {
        let read = axum::body::Bytes::from_request(request, api).await;
        let octets =
            read.map_err(|error| ApiProblem::new(error.status(), "malformed", error.body_text()))?;
        serde_json::from_slice(&octets).map(Body).map_err(|e| ApiProblem::malformed(e.to_string()))
    }
}

/// What every change of the policy set may say about itself.
#[derive(Default, Deserialize, schemars::JsonSchema)]
pub(crate) struct ChangeParams {
    /// The version the change was made on.
    pub(crate) expected_version: Option<u64>,
    /// What it is for.
    #[serde(default)]
    pub(crate) note: String,
}
