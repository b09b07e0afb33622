//! Errors as `application/problem+json` (RFC 9457).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use center::CenterError;
use serde::{Deserialize, Serialize};
use types::{Caller, Permission, Reach};

/// Why a request was not answered, for programs and people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ApiProblem {
    /// What kind of problem, stable: `query`, `not_found`…
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// The kind in words.
    pub title: String,
    /// What is wrong this time.
    pub detail: String,
    /// Octets of the query that are meant.
    #[serde(default, rename = "position", skip_serializing_if = "Option::is_none")]
    pub at: Option<std::ops::Range<usize>>,
    /// What would be right in their place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// Everything that is wrong with what was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<center::Problem>,
    /// What the caller lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacking: Option<Box<Lacking>>,
    /// The version there is, if somebody changed the set in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_version: Option<u64>,
}

/// A permission that is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Lacking {
    /// Which one.
    pub permission: Permission,
    /// Who can grant it.
    pub granted_by: Vec<String>,
}

impl Lacking {
    fn of(permission: Permission) -> Option<Box<Lacking>> {
        Some(Box::new(Lacking { permission, granted_by: Vec::new() }))
    }
}

impl ApiProblem {
    pub(crate) fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        ApiProblem {
            kind: kind.to_owned(),
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            detail: detail.into(),
            at: None,
            proposal: None,
            problems: Vec::new(),
            lacking: None,
            found_version: None,
        }
    }

    /// The caller lacks a permission.
    pub(crate) fn denied(permission: Permission, caller: &Caller) -> Self {
        let doc = permission.doc().trim_end_matches('.');
        let over_all = !caller.sight.is_everything() && permission.reach() == Reach::House;
        let because = match over_all {
            true => ", which nobody has who sees only some domains or groups",
            false => "",
        };
        let detail =
            format!("{} lacks the permission {} ({doc}){because}", caller.name, permission.slug());
        let problem = ApiProblem::new(StatusCode::FORBIDDEN, "denied", detail);
        ApiProblem { lacking: Lacking::of(permission), ..problem }
    }

    /// The same with who can grant what is missing.
    pub(crate) fn granted_by(mut self, owners: Vec<String>) -> Self {
        self.detail += "; an owner can grant it";
        if !owners.is_empty() {
            self.detail += &format!(": {}", owners.join(", "));
        }
        if let Some(lacking) = &mut self.lacking {
            lacking.granted_by = owners;
        }
        self
    }

    /// Nobody serves this address.
    pub(crate) fn nothing_here() -> Self {
        ApiProblem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
    }

    /// What was sent cannot be read.
    pub(crate) fn malformed(detail: impl AsRef<str>) -> Self {
        ApiProblem::new(StatusCode::BAD_REQUEST, "malformed", in_words(detail.as_ref()))
    }
}

/// What a reader of an address, a form or a body says of a mistake, in the
/// words of people: what cannot be, and what could be in its place.
pub(crate) fn in_words(message: &str) -> String {
    let said = READERS.iter().find_map(|reader| message.strip_prefix(reader)).unwrap_or(message);
    let Some((before, rest)) = said.split_once("unknown variant `") else { return said.to_owned() };
    let Some((value, known)) = rest.split_once("`, expected ") else { return said.to_owned() };
    let known = known.strip_prefix("one of ").unwrap_or(known);
    format!("{before}`{value}` is not possible here; possible is {known}")
}

/// How the readers of the web framework begin.
const READERS: [&str; 3] = [
    "Failed to deserialize query string: ",
    "Failed to deserialize form body: ",
    "Failed to deserialize form: ",
];

impl From<CenterError> for ApiProblem {
    fn from(error: CenterError) -> Self {
        let (status, kind) = match &error {
            CenterError::Denied { .. } | CenterError::OutOfSight { .. } => {
                (StatusCode::FORBIDDEN, "denied")
            }
            CenterError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            CenterError::Query(_) => (StatusCode::BAD_REQUEST, "query"),
            CenterError::Invalid { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            CenterError::Conflict { .. } => (StatusCode::CONFLICT, "conflict"),
            CenterError::FileManaged(_) => (StatusCode::CONFLICT, "file_managed"),
            CenterError::DirectoryManaged(_) => (StatusCode::CONFLICT, "directory_managed"),
            CenterError::NotActivated { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "not_activated")
            }
            CenterError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store"),
            CenterError::File { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "file"),
        };
        let mut problem = ApiProblem::new(status, kind, error.to_string());
        match error {
            CenterError::Query(query) => {
                problem.at = Some(query.at);
                problem.proposal = query.proposal;
            }
            CenterError::Invalid { problems } => problem.problems = problems,
            CenterError::Conflict { found, .. } => problem.found_version = Some(found),
            CenterError::Denied { permission } => problem.lacking = Lacking::of(permission),
            _ => {}
        }
        problem
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn a_word_that_is_not_known_is_told_with_those_that_are() {
        for (said, told) in [
            (
                "Failed to deserialize query string: span: unknown variant `x`, expected `24h` or `7d`",
                "span: `x` is not possible here; possible is `24h` or `7d`",
            ),
            (
                "unknown variant `x`, expected one of `a`, `b`, `c` at line 1 column 9",
                "`x` is not possible here; possible is `a`, `b`, `c` at line 1 column 9",
            ),
            ("missing field `ids`", "missing field `ids`"),
        ] {
            assert_eq!(in_words(said), told);
        }
    }
}
