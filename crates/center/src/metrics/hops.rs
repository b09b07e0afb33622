//! Deliveries by next hop. Only next hops of the settings have a name here,
//! and not too many of them; what a sender's domain names counts with the
//! others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use types::event::{DeliveryStep, RelayAttempt};

use super::{Histogram, MetricSource, NEXT_HOPS_MAX, Sample, Value};

/// The label of every next hop that has no name here.
const OTHERS: &str = "others";

/// What comes of a try, in the order of [`DeliveryStep`].
const RESULTS: [&str; 4] = ["delivered", "deferred", "rejected", "expired"];

/// What one next hop did.
#[derive(Default)]
struct Hop {
    results: [AtomicU64; RESULTS.len()],
    took: Histogram,
}

/// What all next hops did.
#[derive(Default)]
pub(super) struct HopCounters {
    named: RwLock<HashMap<String, Arc<Hop>>>,
    others: Hop,
}

impl HopCounters {
    /// Names the next hops. Those that had a name and keep it go on counting.
    pub(super) fn name(&self, names: impl IntoIterator<Item = String>) {
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(NEXT_HOPS_MAX);
        let counted = names.into_iter().map(|name| {
            let hop = named.get(&name).cloned().unwrap_or_default();
            (name, hop)
        });
        *named = counted.collect();
    }

    /// Counts one try.
    pub(super) fn tried(&self, step: DeliveryStep, relay: &RelayAttempt) {
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        let hop = named.get(&*relay.host).map_or(&self.others, |hop| hop);
        if let Some(count) = hop.results.get(step as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        hop.took.count(relay.took);
    }
}

impl MetricSource for HopCounters {
    fn collect(&self, out: &mut Vec<Sample>) {
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        let named = named.iter().map(|(name, hop)| (name.as_str(), &**hop));
        for (name, hop) in named.chain([(OTHERS, &self.others)]) {
            for (result, count) in RESULTS.iter().zip(&hop.results) {
                let (labels, count) = ([name, result], count.load(Ordering::Relaxed));
                let metric = "portcullis_delivery_attempts_total";
                out.extend(Sample::number(metric, &labels, count as f64));
            }
            let took = Value::Histogram(hop.took.value());
            out.extend(Sample::of("portcullis_delivery_duration_seconds", &[name], took));
        }
    }
}

#[cfg(test)]
mod tests {
    use types::Micros;
    use types::event::RelayAnswer;

    use super::*;

    fn at(host: &str) -> RelayAttempt {
        let answer = RelayAnswer::NoReply("x".to_owned());
        let (host, tls_policy, policy_refused) = (host.into(), None, false);
        let (ip, tls, took) = (None, None, Micros(7));
        RelayAttempt { number: 1, host, ip, tls, tls_policy, policy_refused, answer, took }
    }

    fn counts(hops: &HopCounters) -> Vec<String> {
        let mut samples = Vec::new();
        hops.collect(&mut samples);
        let told = samples.iter().filter_map(|sample| match &sample.value {
            Value::Number(number) if *number > 0.0 => {
                Some(format!("{} {number}", sample.labels.join(" ")))
            }
            Value::Number(_) => None,
            Value::Histogram(value) => Some(format!("{} took {}", sample.labels[0], value.count)),
        });
        let mut told: Vec<String> = told.filter(|line| !line.ends_with(" 0")).collect();
        told.sort();
        told
    }

    #[test]
    fn only_next_hops_of_the_settings_have_a_name() {
        let hops = HopCounters::default();
        hops.name(["mx.corp.example:25".to_owned()]);
        hops.tried(DeliveryStep::Delivered, &at("mx.corp.example:25"));
        hops.tried(DeliveryStep::Deferred, &at("mx.a-sender-chose.example:25"));
        hops.tried(DeliveryStep::Rejected, &at("mx.another.example:25"));
        let wanted = [
            "mx.corp.example:25 delivered 1",
            "mx.corp.example:25 took 1",
            "others deferred 1",
            "others rejected 1",
            "others took 2",
        ];
        assert_eq!(counts(&hops), wanted);
        hops.name(["mx.corp.example:25", "b.example:25"].map(str::to_owned));
        assert_eq!(counts(&hops), wanted, "a reload forgets nothing");
        hops.name((0..1_000).map(|number| format!("h{number}.example:25")));
        assert_eq!(hops.named.read().unwrap().len(), NEXT_HOPS_MAX);
    }
}
