//! The public page `/r/{reference}`: what a refused sender may know, and a form
//! to say that the refusal is wrong. No sign-in; the same answer for a
//! reference that does not exist and for one that is not public, whether it is
//! read or written about; so many requests per address and no more.

use std::net::IpAddr;
use std::time::Duration;

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use center::explain::public::PublicRefusal;
use center::{HandedIn, NewRequest, REQUEST_CHARS_MAX, REQUEST_CONTACT_CHARS_MAX};
use serde::Deserialize;

use super::{assets, shown};
use crate::Api;
use crate::auth::Guest;
use crate::client::encoded;
use crate::routes::working;
use crate::strangers::From;

/// Octets of a request with everything in it at its longest.
pub(super) const REQUEST_OCTETS_MAX: usize = 32 * 1024;

/// Whether there are such pages, and for which refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalPages {
    /// Whether there are any.
    pub enabled: bool,
    /// Whether refusals for a score have one too.
    pub for_scores: bool,
    /// Whether strangers may write that a refusal is wrong.
    pub requests: bool,
}

impl Default for RefusalPages {
    fn default() -> Self {
        RefusalPages { enabled: true, for_scores: false, requests: true }
    }
}

/// The form with which a stranger says that a refusal is wrong.
#[derive(Default)]
struct Writing {
    text: String,
    contact: String,
    /// What is wrong with what was sent.
    fault: Option<String>,
    /// For whoever is signed in and looks at the page.
    csrf: String,
    chars_max: usize,
    contact_chars_max: usize,
}

/// What the page is about.
enum Told {
    /// This refusal.
    Refusal(PublicRefusal),
    /// Nothing that may be told.
    Nothing,
    /// Too many requests: seconds to wait.
    Wait(u64),
    /// What was written is kept.
    HandedIn,
    /// So many about this reference wait that no more is needed.
    Enough,
    /// Requests cannot be taken at the moment.
    Full,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    css: String,
    told: Told,
    writing: Option<Writing>,
}

impl RefusalPage {
    fn of(told: Told, writing: Option<Writing>) -> Self {
        RefusalPage { css: assets::path("console.css"), told, writing }
    }

    /// `21 Nov 2026 10:04:15`, in UTC: nobody has signed in, so nobody's zone
    /// is known.
    fn time(told: &PublicRefusal) -> String {
        super::clock::Zone::named("UTC").shown(told.time, "%-d %b %Y %H:%M:%S")
    }

    fn answered(&self, status: StatusCode) -> Response {
        private((status, shown(self)).into_response())
    }
}

/// What the address says beside the reference.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    /// That something was handed in: what the browser is sent to afterwards.
    sent: Option<String>,
}

pub(super) async fn page(
    State(api): State<Api>,
    client: From,
    guest: Guest,
    Path(reference): Path<String>,
    Query(said): Query<Said>,
) -> Response {
    if let Some(wait) = api.readers.over(client.0) {
        return wait_for(wait);
    }
    if said.sent.is_some() {
        return RefusalPage::of(Told::HandedIn, None).answered(StatusCode::OK);
    }
    let writing = Writing::blank(&guest);
    explained(&api, reference, writing).await
}

/// What may be told of a refusal, above the form if there is one.
async fn explained(api: &Api, reference: String, writing: Writing) -> Response {
    let pages = api.refusal_pages;
    let found = match pages.enabled {
        true => {
            working(api, move |center| center.public_refusal(&reference, pages.for_scores)).await
        }
        false => Ok(None),
    };
    let (status, told) = match found {
        Ok(Some(told)) => (StatusCode::OK, Told::Refusal(told)),
        Ok(None) => (StatusCode::NOT_FOUND, Told::Nothing),
        // Our failure tells a stranger nothing, and is not for good.
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Told::Nothing),
    };
    let status = if writing.fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { status };
    let writing = (pages.enabled && pages.requests).then_some(writing);
    RefusalPage::of(told, writing).answered(status)
}

/// What a stranger sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    text: String,
    contact: String,
}

pub(super) async fn hand_in(
    State(api): State<Api>,
    client: From,
    guest: Guest,
    Path(reference): Path<String>,
    Form(sent): Form<Sent>,
) -> Response {
    let pages = api.refusal_pages;
    if !pages.enabled || !pages.requests {
        return RefusalPage::of(Told::Nothing, None).answered(StatusCode::NOT_FOUND);
    }
    if let Some(wait) = api.writers.over(client.0) {
        return wait_for(wait);
    }
    let writing = Writing {
        text: sent.text.clone(),
        contact: sent.contact.clone(),
        ..Writing::blank(&guest)
    };
    let new = NewRequest { reference: reference.clone(), text: sent.text, contact: sent.contact };
    match kept(&api, client.0, new).await {
        Some(HandedIn::Kept) => {
            private(Redirect::to(&format!("/r/{}?sent=1", encoded(&reference))).into_response())
        }
        Some(HandedIn::Mistaken(fault)) => {
            explained(&api, reference, Writing { fault: Some(fault), ..writing }).await
        }
        Some(HandedIn::EnoughOfOne) => {
            RefusalPage::of(Told::Enough, None).answered(StatusCode::TOO_MANY_REQUESTS)
        }
        // Nothing was kept; what was written stands in the form again.
        Some(HandedIn::Full) | None => {
            RefusalPage::of(Told::Full, Some(writing)).answered(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// What became of it; nothing if our storage failed.
async fn kept(api: &Api, from: IpAddr, new: NewRequest) -> Option<HandedIn> {
    working(api, move |center| center.hand_in(from, &new)).await.ok()
}

impl Writing {
    fn blank(guest: &Guest) -> Self {
        Writing {
            csrf: guest.csrf.to_string(),
            chars_max: REQUEST_CHARS_MAX,
            contact_chars_max: REQUEST_CONTACT_CHARS_MAX,
            ..Writing::default()
        }
    }
}

fn wait_for(wait: Duration) -> Response {
    let wait_s = wait.as_secs().max(1);
    let page = RefusalPage::of(Told::Wait(wait_s), None);
    let retry = [(header::RETRY_AFTER, wait_s.to_string())];
    private((StatusCode::TOO_MANY_REQUESTS, retry, shown(&page)).into_response())
}

/// Not for search engines, whatever the template says.
fn private(mut response: Response) -> Response {
    let noindex = HeaderValue::from_static("noindex, nofollow, noarchive");
    response.headers_mut().insert("x-robots-tag", noindex);
    response
}
