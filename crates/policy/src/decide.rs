//! Placeholder while the index is written.
use types::evidence::{Evidence, Parties};
use types::{Event, Stage, Timestamp, Verdict};
use crate::replay::Replayed;
use crate::ruling::{Ruling, Step};
use crate::set::PolicySet;
pub(crate) fn decide(_: &PolicySet, _: Stage, _: Timestamp, _: &Parties<'_>, _: &Evidence) -> Ruling {
    Ruling { step: Step::Decided(Verdict::Proceed), consulted: Vec::new(), would: None, permit: None }
}
pub(crate) fn size_max_octets(set: &PolicySet, _: Stage, _: Timestamp, _: &Parties<'_>) -> u64 { set.base().size_max_octets }
pub(crate) fn replayed(_: &PolicySet, _: &Event) -> Replayed { Replayed::Same }
