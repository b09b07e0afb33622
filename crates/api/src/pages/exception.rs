//! The exceptions that can be made from a message, as links to the editor in
//! which each is filled in.

use center::Explanation;
use center::explain::OfferedException;

use super::policies::editor_with;

/// One exception that can be made.
pub(super) struct Exception {
    /// For whom.
    pub(super) whom: String,
    /// The editor in which it is filled in.
    pub(super) href: String,
    /// Whether it has the override flag, because it would lose without.
    pub(super) overrides: bool,
}

impl Exception {
    /// Those of a message.
    pub(super) fn all(why: &Explanation) -> Vec<Exception> {
        let of = |one: &OfferedException| Exception {
            whom: one.whom.clone(),
            href: editor_with(&one.policy, why.reference),
            overrides: one.policy.overrides,
        };
        why.exceptions.iter().map(of).collect()
    }
}
