//! Requests that a page elsewhere made the browser send (CSRF).
//!
//! Two checks, both for every request that can change something and comes
//! with a cookie: the browser's own word on where it comes from, and a token
//! that only our page holds. The token follows from the cookie's secret, so
//! nothing has to be kept.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use center::accounts::FormToken;

use super::origin::Origin;
use crate::problem::ApiProblem;

/// The field a script sends the token in.
const FIELD: &str = "x-csrf-token";
/// The name it has in a form.
const NAME: &str = "csrf";
/// Largest form of a person who is signed in.
pub(super) const FORM_OCTETS_MAX: usize = 1_000_000;
/// Largest form of anybody else: a name and two passwords fit three times
/// over, with every octet of them encoded.
pub(super) const STRANGERS_FORM_OCTETS_MAX: usize = 32 * 1024;
/// Longest time a form may take to arrive: a slow one holds a turn that others
/// wait for.
const FORM_TIME_MAX: Duration = Duration::from_secs(5);

/// Refuses a request that does not come from a page of ours. Gives it back
/// whole: the form was read on the way, of at most so many octets.
pub(super) async fn check(
    request: Request,
    origin: &Origin,
    token: Option<&FormToken>,
    octets_max: usize,
) -> Result<Request, ApiProblem> {
    comes_from_us(request.headers(), origin)?;
    let is_right = |sent: &[u8]| token.is_some_and(|token| token.is(sent));
    if let Some(sent) = request.headers().get(FIELD) {
        return match is_right(sent.as_bytes()) {
            true => Ok(request),
            false => Err(stale()),
        };
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return Err(stale());
    }
    let (parts, octets) = arrived(request, octets_max).await?;
    // The token is hexadecimal, so it stands in the form as it is.
    let mut fields = octets.split(|octet| *octet == b'&');
    let right = fields.any(|field| {
        field
            .strip_prefix(NAME.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
            .is_some_and(is_right)
    });
    match right {
        true => Ok(Request::from_parts(parts, Body::from(octets))),
        false => Err(stale()),
    }
}

/// Reads the whole body, of at most so many octets, before anybody waits for
/// it in a turn that others wait for.
async fn arrived(request: Request, octets_max: usize) -> Result<(Parts, Bytes), ApiProblem> {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(FORM_TIME_MAX, to_bytes(body, octets_max)).await;
    let octets = read.map_err(|_| {
        let detail = "the form took too long to arrive";
        ApiProblem::new(StatusCode::REQUEST_TIMEOUT, "slow", detail)
    })?;
    let octets = octets.map_err(|_| {
        let detail = "the form is too large or was cut off";
        ApiProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "malformed", detail)
    })?;
    Ok((parts, octets))
}

/// The same for what needs no token, because no cookie comes with it.
pub(super) async fn whole(request: Request, octets_max: usize) -> Result<Request, ApiProblem> {
    let (parts, octets) = arrived(request, octets_max).await?;
    Ok(Request::from_parts(parts, Body::from(octets)))
}

/// The browser's word: `Sec-Fetch-Site` (Fetch Metadata) and `Origin`
/// (RFC 6454). Programs and old browsers send neither; the token is left.
pub(super) fn comes_from_us(headers: &HeaderMap, origin: &Origin) -> Result<(), ApiProblem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let site = text("sec-fetch-site");
    let same_site = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let scheme = if origin.https { "https" } else { "http" };
    let ours = format!("{scheme}://{}", origin.host);
    let same_origin = text("origin").is_none_or(|from| from.eq_ignore_ascii_case(&ours));
    match same_site && same_origin {
        true => Ok(()),
        false => {
            let detail = "this was sent by a page elsewhere, so nothing was done";
            Err(ApiProblem::new(StatusCode::FORBIDDEN, "forged", detail))
        }
    }
}

fn stale() -> ApiProblem {
    let detail = "the page this was sent from is too old, so nothing was done; \
                  go back, load it again and send it again";
    ApiProblem::new(StatusCode::FORBIDDEN, "forged", detail)
}
