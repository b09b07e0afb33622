//! The console pages: one list with one search, and one message. Made on the
//! server, complete without a script; everything a sender wrote is escaped by
//! the templates and made visible by the message center before.

mod access;
mod alerts;
pub(crate) mod assets;
mod audit;
mod auto_allow;
mod bulk;
mod chart;
pub(crate) mod clock;
mod compare;
mod days;
mod delays;
mod downloads;
pub(crate) mod escape;
mod exception;
mod expecting;
mod groups;
mod letting;
mod life_line;
mod list;
mod live;
mod message;
mod overview;
mod policies;
mod precision;
mod pulse;
mod queue;
mod recipients;
mod refusal;
mod reputation;
mod requests;
mod senders;
mod sent;
pub(crate) mod shell;
mod simulator;
pub(crate) mod sizes;
pub(crate) mod told;
mod views;

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use types::OutcomeKind;

use crate::Api;
use crate::problem::ApiProblem;
pub(crate) use list::Pace;
pub use list::address::read_any as read_any_address;
pub(crate) use pulse::Looks;
pub use refusal::RefusalPages;
pub(crate) use shell::Shell;

/// The lists of senders.
fn senders_router() -> Router<Api> {
    Router::new()
        .route("/senders", get(senders::page))
        .route("/senders/new", get(senders::new).post(senders::save_new))
        .route("/senders/import", get(senders::import_form).post(senders::import))
        .route("/senders/auto", get(auto_allow::page))
        .route("/senders/auto/forget", post(auto_allow::forget))
        .route("/senders/auto/import", post(auto_allow::import))
        .route("/senders/{number}", get(senders::edit).post(senders::save_edited))
        .route("/senders/{number}/remove", post(senders::remove))
}

/// The pages and what they load.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .merge(senders_router())
        .route("/", get(overview::page))
        .route("/messages", get(list::page))
        .route("/messages/figures", get(list::tools::figures))
        .route("/messages/complete", get(list::tools::complete))
        .route("/messages/newer", get(list::tools::newer))
        .route("/messages/chosen", get(list::tools::chosen))
        .route("/messages/live", get(live::page))
        .route("/console/pulse", get(pulse::pulse))
        .route("/messages/{name}", get(message::details))
        .route("/messages/{name}/life", get(message::life))
        .route("/messages/{name}/verdict", get(message::verdict))
        .route("/messages/{name}/raw", get(message::raw))
        .route("/groups", get(groups::page).post(groups::add))
        .route("/groups/{name}", get(groups::show))
        .route("/groups/{name}/paste", post(groups::paste))
        .route("/groups/{name}/members", post(groups::remove_members))
        .route("/groups/{name}/move", post(groups::move_below))
        .route("/groups/{name}/remove", post(groups::remove))
        .route("/groups/{name}/export", get(groups::export))
        .route("/policies/simulator", get(simulator::page))
        .route("/lifelines/{name}", get(life_line::page))
        .route("/compare", get(compare::page))
        .route("/requests", get(requests::page))
        .route("/requests/{id}/answer", post(requests::answer))
        .route("/requests/{id}/reopen", post(requests::reopen))
        .route(
            "/r/{reference}",
            get(refusal::page)
                .post(refusal::hand_in)
                .layer(DefaultBodyLimit::max(refusal::REQUEST_OCTETS_MAX)),
        )
        .route("/system/access", get(access::accounts::page).post(access::accounts::add))
        .route("/system/access/{name}", get(access::accounts::one).post(access::accounts::change))
        .route("/system/access/{name}/link", post(access::accounts::link))
        .route("/system/access/{name}/identities", post(access::accounts::link_identity))
        .route("/system/access/{name}/unlink", post(access::accounts::unlink_identity))
        .route("/system/access/{name}/remove", post(access::accounts::remove))
        .route("/system/roles", get(access::roles::page).post(access::roles::add))
        .route("/system/roles/{name}", get(access::roles::one).post(access::roles::change))
        .route("/system/roles/{name}/remove", post(access::roles::remove))
        .merge(submitters())
        .route("/system/audit", get(audit::page))
        .route("/system/audit/{number}", get(audit::entry))
        .route(assets::ROUTE, get(assets::serve))
        .merge(acting())
        .merge(reports())
        .merge(saved_views())
        .merge(policies())
        .merge(definitions())
        .merge(recipients())
}

/// Devices and programs that send mail with a name and password.
fn submitters() -> Router<Api> {
    use access::submitters::{add, change, one, page, password, remove};
    Router::new()
        .route("/system/submitters", get(page).post(add))
        .route("/system/submitters/{name}", get(one).post(change))
        .route("/system/submitters/{name}/password", post(password))
        .route("/system/submitters/{name}/remove", post(remove))
}

/// Which recipients there are. A list of them may be long.
fn recipients() -> Router<Api> {
    let large = DefaultBodyLimit::max(recipients::LIST_OCTETS_MAX);
    Router::new()
        .route("/reports/recipients", get(recipients::page))
        .route("/reports/recipients/import", post(recipients::import).layer(large))
        .route("/reports/recipients/forget", post(recipients::forget))
        .route("/reports/recipients/learn-anew", post(recipients::learn_anew))
        .route("/reports/recipients/read-directory", post(recipients::read_directory))
}

/// What is counted and summed up, and what can be taken away.
fn reports() -> Router<Api> {
    Router::new()
        .route("/reports/precision", get(precision::page))
        .route("/reports/reputation", get(reputation::page))
        .route("/reports/reputation/{ip}/forget", post(reputation::forget))
        .route("/reports/delays", get(delays::page))
        .route("/reports/downloads", get(downloads::page).post(downloads::start))
        .route("/reports/downloads/new", get(downloads::ask))
        .route("/reports/downloads/{id}/cancel", post(downloads::cancel))
        .route("/reports/downloads/{id}/remove", post(downloads::remove))
}

/// Lists under a name of their own, and what is told of them.
fn saved_views() -> Router<Api> {
    Router::new()
        .route("/views", get(views::page).post(views::save))
        .route("/views/{id}/remove", post(views::remove))
        .route("/views/{id}/alert", get(alerts::page).post(alerts::set))
        .route("/views/{id}/alert/remove", post(alerts::remove))
        .route("/views/{id}/alert/test", post(alerts::test))
}

/// The list of policies, their editor and their versions.
fn policies() -> Router<Api> {
    use policies::{editor, list, observed, versions};
    Router::new()
        .route("/policies", get(list::page))
        .route("/policies/new/{kind}", get(editor::new).post(editor::save_new))
        .route("/policies/versions", get(versions::page))
        .route(
            "/policies/rollback/{number}",
            get(versions::roll_back_form).post(versions::roll_back),
        )
        .route("/policies/{number}", get(editor::edit).post(editor::save_edited))
        .route("/policies/{number}/remove", post(editor::remove))
        .route("/policies/{number}/observed", get(observed::page))
        .route("/policies/{number}/enforce", post(observed::enforce))
}

/// What policies refer to by name.
fn definitions() -> Router<Api> {
    use policies::definitions::{new, one, page, remove, save, save_new};
    Router::new()
        .route("/definitions", get(page))
        .route("/definitions/new", get(new).post(save_new))
        .route("/definitions/{name}", get(one).post(save))
        .route("/definitions/{name}/remove", post(remove))
}

/// From rows to what is done about them.
fn acting() -> Router<Api> {
    Router::new()
        .route("/messages/bulk", get(bulk::ask).post(bulk::start))
        .route("/messages/bulk/{number}", get(bulk::job))
        .route("/messages/bulk/{number}/cancel", post(bulk::cancel))
        .route("/messages/queue", get(queue::ask).post(queue::act))
        .route("/messages/{name}/permit", get(letting::permit).post(letting::save_permit))
        .route("/messages/{name}/block", get(letting::block).post(letting::save_block))
        .route("/messages/{name}/let-in", post(letting::let_in))
        .route("/expecting", get(expecting::page).post(expecting::begin))
        .route("/expecting/{number}/end", post(expecting::end))
        .route("/changes/{version}", get(letting::change))
        .route("/changes/{version}/undo", post(letting::undo))
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    title: &'static str,
    sentence: String,
    /// What else is wrong.
    more: Vec<&'a str>,
    /// The page without what its address says too much.
    plain: Option<String>,
}

/// What is wrong, as a sentence: programs get it as a clause.
fn as_sentence(detail: &str) -> String {
    let mut text = detail.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let ends = text.is_empty() || text.ends_with(['.', '!', '?']);
    if ends { text } else { text + "." }
}

/// A text in pieces: what stands between backticks is code.
pub(crate) fn coded(text: &str) -> impl Iterator<Item = (bool, &str)> {
    [false, true].into_iter().cycle().zip(text.split('`'))
}

/// What stands above a page that says what is wrong.
fn heading(status: u16) -> &'static str {
    match status {
        400 => "This cannot be understood",
        401 => "This needs a sign-in",
        403 => "This is not allowed",
        404 | 405 => "There is nothing here",
        409 => "Somebody changed it meanwhile",
        413 => "This is too large",
        422 => "This is not possible as it stands",
        429 => "Too many requests",
        503 => "This is not possible at the moment",
        _ => "A part of the gateway failed",
    }
}

/// A page for people instead of problem+json.
pub(crate) fn error_page(shell: Shell, problem: &ApiProblem) -> Response {
    let more = problem.problems.iter().map(|problem| problem.message.as_str());
    let more = more.filter(|message| *message != problem.detail).collect();
    let misread = matches!(problem.status, 400 | 422);
    let plain = misread.then(|| shell.path().to_owned());
    let (title, sentence) = (heading(problem.status), as_sentence(&problem.detail));
    let page = ErrorPage { shell, title, sentence, more, plain };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, shown(&page)).into_response()
}

/// A filled template as an answer.
pub(crate) fn shown(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(_) => {
            let kind = [(header::CONTENT_TYPE, "text/plain")];
            (StatusCode::INTERNAL_SERVER_ERROR, kind, "the page could not be made").into_response()
        }
    }
}

/// The class and the word of a badge: of the state a follow-up led to, where
/// it says more than the outcome.
pub(crate) fn badge(outcome: Option<OutcomeKind>, state: Option<&str>) -> (&'static str, String) {
    const STATES: [&str; 6] = ["queued", "delivered", "bounced", "held", "released", "deleted"];
    let of_state = state.and_then(|state| STATES.into_iter().find(|known| *known == state));
    let class = match (outcome, of_state) {
        (None | Some(OutcomeKind::Rejected), Some(state)) => state,
        (outcome, _) => outcome_word(outcome),
    };
    let mut word = class.to_owned();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    (class, word)
}

/// The word for an outcome, also its colour class.
fn outcome_word(outcome: Option<OutcomeKind>) -> &'static str {
    outcome.map_or("step", OutcomeKind::slug)
}
