//! Who may come in, and what they may: accounts and roles.

pub(super) mod accounts;
pub(super) mod roles;

use axum::http::StatusCode;

use crate::problem::ApiProblem;

/// Whether a problem is one of the form, which is shown again with it.
fn is_fault(problem: &ApiProblem) -> bool {
    matches!(problem.status, 400 | 403 | 422) && problem.lacking.is_none()
}

/// The status of a page that says what is wrong, or that nothing is.
fn status(fault: Option<&str>) -> StatusCode {
    fault.map_or(StatusCode::OK, |_| StatusCode::UNPROCESSABLE_ENTITY)
}
