//! What a decision answers.

use types::evidence::{Consulted, Need};
use types::{Decision, PolicyRef, Verdict};

/// The answer to one question at one stage, with how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruling {
    /// The verdict, or what is needed for one.
    pub step: Step,
    /// The policies consulted at this stage up to the decision. Where the
    /// settings decide because no policy matched, they are the winner.
    pub consulted: Vec<Consulted>,
    /// What would have been decided had the policies in observe mode been
    /// on, where that differs; known as far as the evidence reaches.
    pub would: Option<Decision>,
    /// What lets the sender past greylisting (and reputation and spam
    /// scanning), if something does; it makes an acceptance
    /// `accepted.permitted` or `accepted.auto_allowed`.
    pub permit: Option<Permit>,
    /// Whether sender authentication failed so that no permit counts, and
    /// none that counted before does any more.
    pub permits_ignored: bool,
}

/// A verdict, or the way to one.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing more is needed.
    Decided(Verdict),
    /// The first rule that is left cannot answer without this. The caller
    /// runs that check, adds its finding (an inconclusive one too) and asks
    /// again; a replay answers *unknown*.
    Ask(Need),
}

/// What lets a sender past the checks that a permit skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The policy or managed sender.
    pub by: PolicyRef,
    /// Whether it was learned from outbound mail rather than made by a
    /// person.
    pub auto: bool,
}
