//! What becomes of a form that was sent: it is done, or it is shown again
//! with what is wrong with it, or it could not be done at all.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::{Shell, error_page};
use crate::problem::ApiProblem;

/// The status of a form that is shown again with this problem; nothing for
/// what nobody can mend by typing something else: a permission that is
/// missing, something that is gone, a failure of ours.
fn again_with(problem: &ApiProblem) -> Option<StatusCode> {
    match problem.status {
        400 | 403 | 422 if problem.lacking.is_none() => Some(StatusCode::UNPROCESSABLE_ENTITY),
        409 => Some(StatusCode::CONFLICT),
        _ => None,
    }
}

/// Answers a form: `then` says where to go on, `again` shows it with what is
/// wrong.
pub(super) async fn answer<T>(
    shell: Shell,
    done: Result<T, ApiProblem>,
    then: impl FnOnce(T) -> String,
    again: impl AsyncFnOnce(Shell, ApiProblem) -> Response,
) -> Response {
    let there = async |_, done| Redirect::to(&then(done)).into_response();
    shown(shell, done, there, again).await
}

/// The same for a form whose answer is a page: `then` makes it.
pub(super) async fn shown<T>(
    shell: Shell,
    done: Result<T, ApiProblem>,
    then: impl AsyncFnOnce(Shell, T) -> Response,
    again: impl AsyncFnOnce(Shell, ApiProblem) -> Response,
) -> Response {
    let problem = match done {
        Ok(done) => return then(shell, done).await,
        Err(problem) => problem,
    };
    let Some(status) = again_with(&problem) else { return error_page(shell, &problem) };
    let mut page = again(shell, problem).await;
    // What the page itself could not do comes first.
    if page.status() == StatusCode::OK {
        *page.status_mut() = status;
    }
    page
}

#[cfg(test)]
mod tests {
    use types::{Caller, Permission};

    use super::*;

    #[test]
    fn what_nobody_can_mend_by_typing_is_no_fault() {
        let of = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            again_with(&ApiProblem::new(status, "x", "y")).map(|status| status.as_u16())
        };
        assert_eq!([400, 403, 409, 422].map(of), [Some(422), Some(422), Some(409), Some(422)]);
        assert_eq!([401, 404, 413, 500, 503].map(of), [None; 5]);
        let denied = ApiProblem::denied(Permission::EditLists, &Caller::read_only("ana"));
        assert_eq!(again_with(&denied), None);
    }
}
