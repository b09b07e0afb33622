//! What came after so many events, as rows to be searched, in memory or
//! already sealed.
//!
//! Who follows from second to second would have to look at the last half
//! minute again and again if it went by times alone, because events are
//! written somewhat out of order. So chunks know how many events came before
//! them, and it is remembered for a while which segments the last ones became.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Weak};

use super::Rows;
use super::chunk::Chunk;
use super::segment::Segment;
use super::unit::Unit;

/// Sealings that are remembered: under the heaviest load some half a minute.
const SEALINGS_MAX: usize = 16;

/// The last sealings.
#[derive(Debug, Default)]
pub(super) struct Sealings(VecDeque<Sealing>);

/// Chunks that became segments.
#[derive(Debug)]
struct Sealing {
    chunks: Vec<Range<u64>>,
    /// Those that were merged meanwhile are gone.
    segments: Vec<Weak<Segment>>,
}

impl Sealings {
    pub(super) fn push(&mut self, chunks: &[Arc<Chunk>], segments: &[Arc<Segment>]) {
        if self.0.len() >= SEALINGS_MAX {
            self.0.pop_front();
        }
        let chunks = chunks.iter().map(|chunk| chunk.arrived()).collect();
        self.0
            .push_back(Sealing { chunks, segments: segments.iter().map(Arc::downgrade).collect() });
    }
}

/// Units with all that came after the first `number` events, and possibly
/// some that came before; nothing if it is not known any more where that is.
pub(super) fn units_after(rows: &Rows, number: u64) -> Option<Vec<Unit>> {
    let mut units = Vec::new();
    let mut spans = Vec::new();
    let is_new = |span: &Range<u64>| span.end > number;
    for sealing in rows.sealings.0.iter().filter(|sealing| sealing.chunks.iter().any(is_new)) {
        for segment in &sealing.segments {
            units.push(Unit::Sealed(segment.upgrade()?));
        }
        spans.extend(sealing.chunks.iter().cloned());
    }
    for chunk in rows.full.iter().filter(|chunk| is_new(&chunk.arrived())) {
        spans.push(chunk.arrived());
        units.push(Unit::Memory(match chunk.arrived().start >= number {
            true => Arc::clone(chunk),
            false => Arc::new(chunk.after(number)),
        }));
    }
    if is_new(&rows.newest.arrived()) {
        spans.push(rows.newest.arrived());
        units.push(Unit::Memory(Arc::new(rows.newest.after(number))));
    }
    covers(spans, number..rows.arrived()).then_some(units)
}

/// Whether `spans` leave no gap in `all`.
fn covers(mut spans: Vec<Range<u64>>, all: Range<u64>) -> bool {
    spans.sort_by_key(|span| span.start);
    let reach = spans.iter().fold(all.start, |reach, span| match span.start <= reach {
        true => reach.max(span.end),
        false => reach,
    });
    reach >= all.end
}
