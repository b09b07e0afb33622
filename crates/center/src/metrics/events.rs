//! Counters fed by the event stream.

use std::sync::atomic::{AtomicU64, Ordering};

use types::finding::TripletState;
use types::{
    CheckName, Event, EventKind, FollowUp, Observed, OutcomeKind, Reason, Stage, event::QueueAction,
};

use super::hops::HopCounters;
use super::{Histogram, MetricSource, Sample, Value};

/// What triplets do, in the order of the counters.
const GREYLIST: [&str; 5] = ["new", "early", "passed", "known", "expired"];

/// Counts what events say. Shared by everything that writes events; counting
/// one costs a few atomic additions.
pub struct MetricsFromEvents {
    /// Attempt events, by outcome.
    attempts: [AtomicU64; OutcomeKind::ALL.len()],
    /// By stage, outcome and reason.
    decisions: Vec<AtomicU64>,
    decision_took: Vec<Histogram>,
    check_took: Vec<Histogram>,
    inconclusive: Vec<AtomicU64>,
    greylist: [AtomicU64; GREYLIST.len()],
    hops: HopCounters,
    bounces_sent: AtomicU64,
    bounces_suppressed: AtomicU64,
    released: AtomicU64,
}

impl Default for MetricsFromEvents {
    fn default() -> Self {
        fn some<T: Default>(count: usize) -> Vec<T> {
            std::iter::repeat_with(T::default).take(count).collect()
        }
        MetricsFromEvents {
            attempts: Default::default(),
            decisions: some(Stage::ALL.len() * OutcomeKind::ALL.len() * Reason::ALL.len()),
            decision_took: some(Stage::ALL.len()),
            check_took: some(CheckName::ALL.len()),
            inconclusive: some(CheckName::ALL.len()),
            greylist: Default::default(),
            hops: HopCounters::default(),
            bounces_sent: AtomicU64::default(),
            bounces_suppressed: AtomicU64::default(),
            released: AtomicU64::default(),
        }
    }
}

fn add(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl MetricsFromEvents {
    /// All counters at zero.
    pub fn new() -> Self {
        MetricsFromEvents::default()
    }

    /// Counts an event; called once for each that is written.
    pub fn observe(&self, event: &Event) {
        if let (Some(outcome), Some(reason)) = (event.outcome_kind(), event.reason()) {
            let stage = event.record.stage.unwrap_or(reason.stage());
            add(self.decisions.get(place(stage, outcome, reason)));
        }
        match &event.kind {
            EventKind::Attempt(outcome) => {
                add(self.attempts.get(outcome.kind() as usize));
                self.attempt(event);
            }
            EventKind::FollowUp { what, .. } => self.follow_up(what),
        }
    }

    /// Attempt events counted, by outcome in the order of
    /// [`OutcomeKind::ALL`]: the recorded side of the conservation sum.
    pub fn attempts(&self) -> [u64; OutcomeKind::ALL.len()] {
        std::array::from_fn(|place| {
            self.attempts.get(place).map_or(0, |counter| counter.load(Ordering::Relaxed))
        })
    }

    fn attempt(&self, event: &Event) {
        let stage = event.record.stage.map_or(0, |stage| stage as usize);
        if let Some(took) = self.decision_took.get(stage) {
            took.count(event.record.took);
        }
        for finding in event.record.findings() {
            let check = finding.check as usize;
            if let Some(took) = self.check_took.get(check) {
                took.count(finding.took);
            }
            match &finding.observed {
                Observed::Inconclusive(_) => add(self.inconclusive.get(check)),
                Observed::Triplet(facts) => add(self.greylist.get(match facts.state {
                    TripletState::FirstSeen => 0,
                    TripletState::TooEarly => 1,
                    TripletState::Passed => 2,
                    TripletState::Known => 3,
                })),
                _ => {}
            }
        }
    }

    fn follow_up(&self, what: &FollowUp) {
        if let Some((step, relay)) = what.delivery() {
            self.hops.tried(step, relay);
        }
        match what {
            FollowUp::GreylistExpired { .. } => add(self.greylist.last()),
            FollowUp::Bounced { .. } => add(Some(&self.bounces_sent)),
            FollowUp::BounceSuppressed { .. } => add(Some(&self.bounces_suppressed)),
            FollowUp::Queue { action: QueueAction::Release, .. } => add(Some(&self.released)),
            FollowUp::Delivered(_)
            | FollowUp::DeliveryDeferred { .. }
            | FollowUp::DeliveryRejected(_)
            | FollowUp::DeliveryExpired(_)
            | FollowUp::Notice { .. }
            | FollowUp::DelayWarned
            | FollowUp::Queue { .. } => {}
        }
    }

    /// Says which next hops have a name in metrics: those of the settings,
    /// `host:port`.
    pub fn name_next_hops(&self, names: impl IntoIterator<Item = String>) {
        self.hops.name(names);
    }
}

fn place(stage: Stage, outcome: OutcomeKind, reason: Reason) -> usize {
    let outcomes = OutcomeKind::ALL.len();
    (stage as usize * outcomes + outcome as usize) * Reason::ALL.len() + reason as usize
}

impl MetricSource for MetricsFromEvents {
    fn collect(&self, out: &mut Vec<Sample>) {
        self.collect_decisions(out);
        for (check, (took, inconclusive)) in
            CheckName::ALL.iter().zip(self.check_took.iter().zip(&self.inconclusive))
        {
            let took = took.value();
            if took.count > 0 {
                let name = "portcullis_check_duration_seconds";
                out.extend(Sample::of(name, &[check.slug()], Value::Histogram(took)));
                number(out, "portcullis_checks_inconclusive_total", &[check.slug()], inconclusive);
            }
        }
        for (event, counter) in GREYLIST.iter().zip(&self.greylist) {
            number(out, "portcullis_greylist_events_total", &[event], counter);
        }
        self.hops.collect(out);
        number(out, "portcullis_bounces_total", &["sent"], &self.bounces_sent);
        number(out, "portcullis_bounces_total", &["suppressed"], &self.bounces_suppressed);
        number(out, "portcullis_release_total", &["admin"], &self.released);
    }
}

impl MetricsFromEvents {
    /// Only what has happened at least once: of some two thousand
    /// combinations a few dozen ever do.
    fn collect_decisions(&self, out: &mut Vec<Sample>) {
        for stage in Stage::ALL {
            for outcome in OutcomeKind::ALL {
                for &reason in Reason::ALL {
                    let Some(counter) = self.decisions.get(place(stage, outcome, reason)) else {
                        continue;
                    };
                    if counter.load(Ordering::Relaxed) > 0 {
                        let labels = [stage.slug(), outcome.slug(), reason.slug()];
                        number(out, "portcullis_decisions_total", &labels, counter);
                    }
                }
            }
        }
        for (stage, took) in Stage::ALL.iter().zip(&self.decision_took) {
            let took = took.value();
            if took.count > 0 {
                let name = "portcullis_decision_duration_seconds";
                out.extend(Sample::of(name, &[stage.slug()], Value::Histogram(took)));
            }
        }
    }
}

fn number(out: &mut Vec<Sample>, name: &str, labels: &[&str], counter: &AtomicU64) {
    out.extend(Sample::number(name, labels, counter.load(Ordering::Relaxed) as f64));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stage_and_outcome_has_a_counter_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        let metrics = MetricsFromEvents::new();
        for stage in Stage::ALL {
            for outcome in OutcomeKind::ALL {
                for &reason in Reason::ALL {
                    let place = place(stage, outcome, reason);
                    assert!(place < metrics.decisions.len() && seen.insert(place));
                }
            }
        }
        for (place, check) in CheckName::ALL.iter().enumerate() {
            assert_eq!(*check as usize, place);
        }
    }
}
