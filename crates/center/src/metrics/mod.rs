//! The numbers of the product: one table of metrics, counters fed by events,
//! and a snapshot that a renderer turns into text.
//!
//! Labels come from enumerations only (stage, outcome, reason, check), never
//! from addresses, so the number of series is bounded whatever senders do.

mod events;
mod histogram;
mod hops;
mod table;

use std::sync::Arc;

pub use events::MetricsFromEvents;
pub use histogram::{Histogram, HistogramValue};
pub use table::{METRICS, Metric, MetricKind, metric};

use crate::Center;

/// Anything that has numbers to show.
pub trait MetricSource: Send + Sync {
    /// Adds its samples as they are now.
    fn collect(&self, out: &mut Vec<Sample>);
}

/// One number with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The row of the table.
    pub metric: &'static Metric,
    /// Values in the order of [`Metric::labels`].
    pub labels: Vec<String>,
    /// The number.
    pub value: Value,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A counter or a gauge.
    Number(f64),
    /// A distribution.
    Histogram(HistogramValue),
}

impl Sample {
    /// A number of the metric called `name` in the table; nothing if there is
    /// no such row or the labels are not as many as it has.
    pub fn number(name: &str, labels: &[&str], value: f64) -> Option<Sample> {
        Sample::of(name, labels, Value::Number(value))
    }

    fn of(name: &str, labels: &[&str], value: Value) -> Option<Sample> {
        let metric = metric(name).filter(|metric| metric.labels.len() == labels.len());
        debug_assert!(metric.is_some(), "{name} is not in the table with {} labels", labels.len());
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        metric.map(|metric| Sample { metric, labels, value })
    }
}

/// All sources of numbers; what the metrics listener shows.
#[derive(Clone, Default)]
pub struct Metrics {
    sources: Vec<Arc<dyn MetricSource>>,
}

impl Metrics {
    /// Nothing yet.
    pub fn new() -> Self {
        Metrics::default()
    }

    /// The same with one more source.
    #[must_use]
    pub fn with(mut self, source: Arc<dyn MetricSource>) -> Self {
        self.sources.push(source);
        self
    }

    /// The numbers as they are now, in the order of the table.
    pub fn snapshot(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for source in &self.sources {
            source.collect(&mut samples);
        }
        let place = |sample: &Sample| METRICS.iter().position(|row| row.name == sample.metric.name);
        samples.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.labels.cmp(&b.labels)));
        samples
    }
}

/// Most next hops that are labels: they come from the settings, and a series
/// for each of thousands of domains helps nobody.
const NEXT_HOPS_MAX: usize = 100;

/// What the message center itself can say: queue, triplets, versions.
impl MetricSource for Center {
    fn collect(&self, out: &mut Vec<Sample>) {
        let now = self.parts.clock.now();
        let queue = self.parts.queue.depth();
        let oldest = queue.oldest_waiting;
        let age = oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
        let size = self.greylist_size();
        let counts = self.parts.sessions.counts();
        let open = counts.sessions_opened.saturating_sub(counts.sessions_finished);
        let sum = self.conservation_sum();
        let mut add = |name: &str, labels: &[&str], value: f64| {
            out.extend(Sample::number(name, labels, value));
        };
        add("portcullis_build_info", &[self.parts.program_version], 1.0);
        add("portcullis_smtp_sessions_open", &[], open as f64);
        add("portcullis_smtp_sessions_total", &[], counts.sessions_opened as f64);
        add("portcullis_attempts_opened_total", &[], counts.attempts_opened as f64);
        add("portcullis_attempts_unaccounted", &[], sum.difference as f64);
        add("portcullis_queue_messages", &["waiting"], queue.waiting as f64);
        add("portcullis_queue_messages", &["held"], queue.held as f64);
        add("portcullis_held_messages", &["queue"], queue.held as f64);
        add("portcullis_queue_oldest_age_seconds", &[], age);
        add("portcullis_greylist_open", &[], size.waiting as f64);
        add("portcullis_greylist_known", &[], size.known as f64);
        let correspondences = &self.parts.correspondences;
        add("portcullis_auto_allow_pairs", &[], correspondences.count() as f64);
        let store::contract::NotLearned { no_room, unwritten } = correspondences.not_learned();
        add("portcullis_auto_allow_left_out_total", &["no_room"], no_room as f64);
        add("portcullis_auto_allow_left_out_total", &["unwritten"], unwritten as f64);
        if let Ok(version) = self.parts.policies.version() {
            add("portcullis_policy_version", &[], version as f64);
        }
        let ours = self.next_hops.all().into_iter().filter(|hop| hop.ours);
        for hop in ours.take(NEXT_HOPS_MAX) {
            let up = hop.alone_until(now).is_none();
            add("portcullis_next_hop_up", &[&hop.name], if up { 1.0 } else { 0.0 });
            add("portcullis_next_hop_connections", &[&hop.name], hop.connections as f64);
        }
        for check in self.readiness() {
            add("portcullis_ready", &[&check.name], if check.ok { 1.0 } else { 0.0 });
        }
        if let Some(alerts) = &self.alerts {
            alerts.collect(out);
        }
    }
}
