//! What clients, balancers and asking servers send over a connection.

use std::sync::Arc;

use content::{Limits, comparable_addresses};
use receive::proxy::{Parsed, parsed};
use smtp::policy_delegation::{PolicyRequest, PolicyRequestError, PolicyRequestReader};
use smtp::{Answer, ContentLimits, ContentReader, Output, Piece};
use smtp::{Session, SessionLimits, SessionProfile};

use super::cut;

/// Any line is a command or an error.
pub fn command(line: &[u8]) {
    let _ = smtp::Command::parse(line);
}

/// However content is cut, the reader ends at the same place with the same
/// result.
pub fn content_reader(data: &[u8]) {
    let Some((whole, parts)) = cut(data) else { return };
    assert_eq!(content_of(&[whole]), content_of(&parts));
}

/// The content, if it ended as content ends.
fn content_of(parts: &[&[u8]]) -> Option<Vec<u8>> {
    let mut reader = ContentReader::data(ContentLimits::default());
    let mut content = Vec::new();
    for part in parts {
        let mut input = *part;
        loop {
            match reader.advance(&mut input) {
                Piece::Content(octets) => content.extend_from_slice(octets),
                Piece::More => break,
                Piece::End => return Some(content),
                Piece::Broken(_) => return None,
            }
        }
    }
    None
}

/// A session takes any octets without an endless loop.
pub fn session(octets: &[u8]) {
    converse(&[octets]);
}

/// The same for what stands behind AUTH, inside TLS.
pub fn auth(octets: &[u8]) {
    let said = [b"EHLO a\r\nAUTH ", octets].concat();
    converse(&[b"EHLO a\r\nSTARTTLS\r\n", &said]);
}

/// Says what there is, the next part each time the session waits.
fn converse(parts: &[&[u8]]) {
    let profile = SessionProfile::new("mx.example", true, SessionLimits::default())
        .offering_auth("mx.example");
    let mut session = Session::new(Arc::new(profile));
    let mut replies = Vec::new();
    let mut input: &[u8] = &[];
    let mut parts = parts.iter();
    loop {
        match session.advance(&mut input, &mut replies) {
            Output::Wait => match parts.next() {
                Some(part) => input = part,
                None => return,
            },
            Output::Close => return,
            Output::Ask(_) => session.answer(Answer::Proceed, &mut replies),
            Output::StartTls => session.tls_established(),
            Output::DataBegan | Output::Content(_) | Output::Ended(_) => {}
        }
    }
}

/// Reading the facts of a message ends, within limits.
pub fn message(octets: &[u8]) {
    let facts = content::read(octets, &Limits::default());
    assert!(facts.header_from.len() <= content::facts::HEADER_FROM_MAX);
    assert!(facts.attachments.len() <= types::message::ATTACHMENTS_MAX);
    assert!(comparable_addresses(&facts).len() <= facts.header_from.len());
}

/// However what a mail server sends is cut, its requests are the same, or the
/// same fault ends the connection.
pub fn policy_request(data: &[u8]) {
    let Some((whole, parts)) = cut(data) else { return };
    assert_eq!(requests_in(&[whole]), requests_in(&parts));
}

fn requests_in(parts: &[&[u8]]) -> (Vec<PolicyRequest>, Option<PolicyRequestError>) {
    let mut reader = PolicyRequestReader::default();
    let mut requests = Vec::new();
    for part in parts {
        reader.push(part);
        loop {
            match reader.next_request() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(fault) => return (requests, Some(fault)),
            }
        }
    }
    (requests, None)
}

/// A PROXY header is no longer than what came, and what stands behind it
/// changes nothing.
pub fn proxy_header(octets: &[u8]) {
    if let found @ Parsed::Whole { length, .. } = parsed(octets) {
        assert!(length <= octets.len());
        assert_eq!(octets.get(..length).map(parsed), Some(found));
    }
}
