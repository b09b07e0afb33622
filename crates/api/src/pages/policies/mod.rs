//! Policies: the list by type, the editor with its replay, the versions.

pub(super) mod definitions;
pub(super) mod editor;
mod form;
pub(super) mod list;
pub(super) mod observed;
mod report;
pub(super) mod versions;

use types::Permission;

use crate::auth::Signed;
use crate::problem::ApiProblem;
use report::Report;

fn may_change(signed: &Signed) -> bool {
    signed.caller.may(Permission::EditPolicies) && !signed.csrf.is_empty()
}

/// A conflict, with what to do about it.
fn told(problem: ApiProblem) -> ApiProblem {
    // What the policy file manages is refused with the same status.
    if problem.kind != "conflict" {
        return problem;
    }
    let detail = format!(
        "Somebody changed this while the form was open; nothing was stored and nothing \
         is overwritten. What you typed is still here: look at what changed under Versions, open \
         it again, and make your change there. ({})",
        problem.detail
    );
    ApiProblem { detail, ..problem }
}
