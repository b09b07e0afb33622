//! The console pages: one list with one search, and one message. Made on the
//! server, complete without a script; everything a sender wrote is escaped by
//! the templates and made visible by the message center before.

pub(crate) mod assets;
pub(crate) mod clock;
mod list;
mod message;
pub(crate) mod shell;

use askama::Template;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use types::{OutcomeKind, Timestamp};

use crate::Api;
use crate::problem::ApiProblem;
pub(crate) use shell::Shell;

/// The pages and what they load.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .route("/", get(list::page))
        .route("/messages", get(list::page))
        .route("/messages/{name}", get(message::page))
        .route(assets::ROUTE, get(assets::serve))
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    title: &'a str,
    detail: &'a str,
}

/// A page for people instead of problem+json.
pub(crate) fn error_page(shell: Shell, problem: &ApiProblem) -> Response {
    let page = ErrorPage { shell, title: &problem.title, detail: &problem.detail };
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

/// The shape that stands for an outcome beside its word and colour.
fn outcome_sign(outcome: Option<OutcomeKind>) -> &'static str {
    match outcome {
        Some(OutcomeKind::Accepted) => "\u{2714}",
        Some(OutcomeKind::Held) => "\u{275a}\u{275a}",
        Some(OutcomeKind::Deferred) => "\u{25d4}",
        Some(OutcomeKind::Rejected) => "\u{2716}",
        None => "\u{21e2}",
    }
}

/// The word for an outcome, also its colour class.
fn outcome_word(outcome: Option<OutcomeKind>) -> &'static str {
    outcome.map_or("step", OutcomeKind::slug)
}

/// `2026-11-21 10:04:15`, as lists show times; the zone is in the header.
fn seconds(at: Timestamp) -> String {
    at.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// A number with thin groups: `1 204`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_204, "1\u{202f}204"),
            (1_000_000, "1\u{202f}000\u{202f}000"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
