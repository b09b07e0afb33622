//! How something outside is that the gateway asks: whether the last question
//! was answered, and when one was.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use center::metrics::Sample;
use types::Timestamp;

/// Stands for no success yet.
const NEVER: i64 = i64::MIN;
/// Stands for no success, though it was asked.
const FAILED: i64 = NEVER + 1;

/// One source; noted without a lock.
#[derive(Debug)]
pub(super) struct SourceState {
    up: AtomicBool,
    last_success_ms: AtomicI64,
}

impl Default for SourceState {
    /// One that was not asked yet.
    fn default() -> Self {
        SourceState { up: AtomicBool::new(false), last_success_ms: AtomicI64::new(NEVER) }
    }
}

impl SourceState {
    /// One that was well at this moment.
    pub(super) fn up_at(now: Timestamp) -> Self {
        let state = SourceState::default();
        state.note(now, true);
        state
    }

    /// Notes what a question came to.
    pub(super) fn note(&self, now: Timestamp, well: bool) {
        self.up.store(well, Ordering::Relaxed);
        if well {
            self.last_success_ms.store(now.as_millis(), Ordering::Relaxed);
        } else {
            // Tells one that fails from the first on from one that was not asked.
            let relaxed = Ordering::Relaxed;
            let _ = self.last_success_ms.compare_exchange(NEVER, FAILED, relaxed, relaxed);
        }
    }

    /// Its samples; none before the first question.
    pub(super) fn collect(&self, source: &str, out: &mut Vec<Sample>) {
        let last = self.last_success_ms.load(Ordering::Relaxed);
        if last == NEVER {
            return;
        }
        let up = if self.up.load(Ordering::Relaxed) { 1.0 } else { 0.0 };
        out.extend(Sample::number("portcullis_source_up", &[source], up));
        if last > FAILED {
            let (name, at) = ("portcullis_source_last_success_timestamp_seconds", last as f64);
            out.extend(Sample::number(name, &[source], at / 1_000.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: &SourceState) -> Vec<String> {
        let mut samples = Vec::new();
        state.collect("dns", &mut samples);
        samples.iter().map(|sample| format!("{:?}", sample.value)).collect()
    }

    #[test]
    fn a_source_tells_of_itself_once_it_was_asked() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let state = SourceState::default();
        assert_eq!(told(&state), [""; 0]);
        state.note(at(1), false);
        assert_eq!(told(&state), ["Number(0.0)"], "down, and never was up");
        state.note(at(2), true);
        assert_eq!(told(&state), ["Number(1.0)", "Number(2.0)"]);
        state.note(at(3), false);
        assert_eq!(told(&state), ["Number(0.0)", "Number(2.0)"]);
    }
}
