//! The memory of events cut into pieces that several threads read at once.
//!
//! For whoever must look at every attempt again, such as a replay: one thread
//! takes one part, and the parts come in the order of time.

use std::fmt;
use std::ops::{ControlFlow, Range};

use types::{Event, Timestamp};

/// The parts of a range of time, as of one moment.
#[derive(Debug, Default)]
pub struct EventParts {
    /// Those with rows in the range, by the time of their oldest row. Parts
    /// can overlap: one ends after the next has begun.
    pub parts: Vec<Box<dyn EventPart>>,
    /// Spans that could not be read.
    pub missing: Vec<Range<Timestamp>>,
}

/// A piece of the memory: a segment, or rows that are not sealed yet.
pub trait EventPart: Send + Sync + fmt::Debug {
    /// The time of its oldest row, whether or not that is in the range.
    fn oldest(&self) -> Timestamp;

    /// Rows, follow-ups and those outside the range included: what it costs.
    fn rows(&self) -> usize;

    /// Hands every attempt in the range to `visit`, by time, until that
    /// breaks off. Returns how many could not be read.
    fn attempts(&self, visit: &mut dyn FnMut(Event) -> ControlFlow<()>) -> u64;
}
