//! The decision on a stored attempt under another policy set: what makes
//! previews ("what would this change have done?") honest.

use types::evidence::Need;
use types::{Event, Verdict};

use crate::set::PolicySet;

/// What another policy set makes of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Replayed {
    /// It would have ended the same way.
    Same,
    /// It would have ended like this; [`Verdict::Proceed`] means that nothing
    /// recorded speaks against it.
    Differs(Verdict),
    /// The record lacks this evidence, so nobody can know.
    Unknown(Need),
    /// The event is no attempt.
    NotAnAttempt,
}

/// Decides again on the stored evidence of an attempt.
pub fn replay(set: &PolicySet, event: &Event) -> Replayed {
    crate::decide::replayed(set, event)
}
