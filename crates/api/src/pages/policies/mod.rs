//! Policies: the list by type, the editor with its replay, the versions.

pub(super) mod definitions;
pub(super) mod editor;
mod form;
pub(super) mod list;
pub(super) mod observed;
mod report;
mod scopes;
pub(super) mod versions;

use types::{Permission, Policy, Reference};

use crate::auth::Signed;
use crate::problem::ApiProblem;
use report::Report;

/// The address of the editor in which a new policy is filled in, from the row
/// of a message. Following it stores nothing.
pub(super) fn editor_with(policy: &Policy, row: Reference) -> String {
    form::PolicyForm::of(policy, 0).address(policy.kind(), row)
}

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
