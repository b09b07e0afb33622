//! Makes answers smaller for readers who can unpack them: whole pages, style,
//! scripts and JSON. What is streamed goes out as it is, so that nothing waits
//! in a buffer.

use std::io::Write;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::{Compression, GzBuilder};
use http_body_util::BodyExt;
use hyper::body::Body as _;

/// Kinds of content that become smaller.
const KINDS: [&str; 6] = [
    "text/html",
    "text/css",
    "text/javascript",
    "text/plain",
    "application/json",
    "application/problem+json",
];
/// Smaller answers fit into one packet anyway.
const OCTETS_MIN: u64 = 1_000;
/// Larger ones would take memory twice.
const OCTETS_MAX: u64 = 4_000_000;
/// Of one to nine: beyond this the time grows faster than the gain.
const LEVEL: u32 = 5;

/// Packs an answer whose size is known.
pub(crate) async fn packed(request: Request, next: Next) -> Response {
    let wanted = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let small = response.headers().get(header::CONTENT_TYPE).is_some_and(is_packable);
    if !small || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    let size = response.body().size_hint().exact();
    if !wanted || !size.is_some_and(|size| (OCTETS_MIN..=OCTETS_MAX).contains(&size)) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(whole) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return Response::from_parts(parts, Body::empty());
    };
    let Ok(packed) = gzip(&whole) else { return Response::from_parts(parts, Body::from(whole)) };
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(packed))
}

/// The whole, packed.
pub(crate) fn gzip(whole: &[u8]) -> std::io::Result<Vec<u8>> {
    let room = Vec::with_capacity(whole.len() / 4);
    let mut packer = GzBuilder::new().write(room, Compression::new(LEVEL));
    packer.write_all(whole)?;
    packer.finish()
}

fn is_packable(kind: &HeaderValue) -> bool {
    let kind = kind.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    KINDS.contains(&kind)
}

/// Whether the reader unpacks gzip (RFC 9110 section 12.5.3); one who says
/// `gzip;q=0` does not.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(header::ACCEPT_ENCODING);
    let mut codings =
        fields.iter().filter_map(|field| field.to_str().ok()).flat_map(|f| f.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|part| {
            part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
        });
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (field, takes) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, field.parse().unwrap());
            assert_eq!(takes_gzip(&headers), takes, "{field}");
        }
    }

    #[test]
    fn streams_are_left_alone() {
        for kind in ["text/event-stream", "application/x-ndjson", "text/csv; charset=utf-8"] {
            assert!(!is_packable(&HeaderValue::from_static(kind)), "{kind}");
        }
        assert!(is_packable(&HeaderValue::from_static("text/html; charset=utf-8")));
    }
}
