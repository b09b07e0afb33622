//! Policy objects compiled into an index; findings to verdict.
//!
//! [`PolicySet::compile`] turns what people keep (policies, groups, managed
//! senders, and the base from the settings) into an immutable index;
//! [`PolicySet::decide`] turns evidence into a [`Ruling`]: a verdict, or the
//! one piece of evidence that is still missing. The crate looks at nothing
//! itself: no clock, no store, no network. The same evidence, time and policy
//! set give the same verdict, which is what makes [replays](replay::forecast)
//! and previews honest.
//!
//! It must not know who gathers evidence, nor what a reply looks like on the
//! wire.

mod decide;
mod definitions;
pub mod document;
mod entries;
mod groups;
mod hashing;
mod index;
mod keys;
mod objects;
mod own_domains;
mod patterns;
mod precedence;
mod proof;
mod reach;
pub mod replay;
mod rules;
mod ruling;
mod select;
mod senders;
mod set;
mod sources;
mod spans;
mod texts;
pub mod trial;
mod validate;

pub use definitions::{DefinitionFault, possible_actions, weighed_though_permitted};
pub use document::{Document, DocumentError};
pub use groups::members;
pub use objects::{PolicyObjects, STANDARD_AUTHENTICATION, SenderChange, StoredPolicy, defaults};
pub use rules::{Rule, Unknown, rules};
pub use ruling::{Permit, Ruling, Step};
pub use set::PolicySet;
pub use validate::{CompileError, ObjectName, Problem, Wrong, slips, unfit, validate};

#[cfg(test)]
mod tests;
