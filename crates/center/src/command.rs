//! The same question for the command line and for `curl`.

use serde::Serialize;

use crate::query::edit;
use crate::search::SearchRequest;
use crate::views::View;

/// How to ask the same elsewhere; each is one line for a POSIX shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Commands {
    /// `portcullis trace '…'`
    pub trace: String,
    /// `curl …`, which takes its token from the environment.
    pub curl: String,
}

/// A text as one word of a POSIX shell, whatever it contains.
pub fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The query that says alone what the request says with view and range.
pub fn whole_query(request: &SearchRequest) -> String {
    let mut query = request.query.trim().to_owned();
    match request.view {
        View::All => {}
        View::Queue => query = edit::and(&query, "is:queued"),
        view => query = edit::and(&query, &edit::term("is", view.key())),
    }
    for (field, bound) in [("after", &request.from), ("before", &request.to)] {
        if !bound.trim().is_empty() && bound.trim() != "now" {
            query = edit::and(&query, &edit::term(field, bound.trim()));
        }
    }
    query
}

/// The request as commands; `base_url` is where the API answers, such as
/// `https://gate.corp.example`.
pub fn as_command(request: &SearchRequest, base_url: &str) -> Commands {
    let parameters: [(&str, &str); 6] = [
        ("q", request.query.trim()),
        ("view", request.view.key()),
        ("from", request.from.trim()),
        ("to", request.to.trim()),
        ("zone", request.zone.trim()),
        ("sort", &request.sort.to_string()),
    ];
    let parameters: Vec<String> = parameters
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
        .collect();
    let url =
        format!("{}/api/v1/attempts?{}", base_url.trim_end_matches('/'), parameters.join("&"));
    let token = "-H \"Authorization: Bearer $PORTCULLIS_TOKEN\"";
    Commands {
        trace: format!("portcullis trace {}", shell_quoted(&whole_query(request))),
        curl: format!("curl -fsS {token} {}", shell_quoted(&url)),
    }
}

/// One segment of a path or one value of a query of an address: unreserved
/// characters as they are, everything else encoded (RFC 3986 section 2.3).
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(octet));
            }
            _ => encoded.push_str(&format!("%{octet:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_one_word_to_a_shell_whatever_is_searched() {
        let request = SearchRequest {
            query: "subject:\"it's $(rm) `x`\" a OR b".to_owned(),
            view: View::Rejected,
            from: "now-24h".to_owned(),
            to: "now".to_owned(),
            ..SearchRequest::default()
        };
        let commands = as_command(&request, "https://gate.example/");
        assert_eq!(
            commands.trace,
            "portcullis trace '(subject:\"it'\\''s $(rm) `x`\" a OR b) is:rejected after:now-24h'"
        );
        assert_eq!(
            commands.curl,
            "curl -fsS -H \"Authorization: Bearer $PORTCULLIS_TOKEN\" \
             'https://gate.example/api/v1/attempts?q=subject%3A%22it%27s%20%24%28rm%29%20%60x%60%22\
             %20a%20OR%20b&view=rejected&from=now-24h&to=now&sort=-time'"
        );
        assert_eq!(whole_query(&SearchRequest::default()), "");
        let held = SearchRequest { view: View::Queue, ..SearchRequest::default() };
        assert_eq!(whole_query(&held), "is:queued");
    }
}
