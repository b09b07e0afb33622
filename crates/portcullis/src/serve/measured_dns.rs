//! The resolver with a clock beside it: how long questions take, for
//! monitoring. Names never become labels.

use std::net::IpAddr;
use std::sync::Arc;

use center::metrics::{Histogram, MetricSource, Sample, Value, metric};
use types::{Domain, Micros};
use world::{BoxFuture, Clock, DnsError, Family, MxAnswer, Resolver};

use super::sources::SourceState;

/// The name of the metric.
const METRIC: &str = "portcullis_dns_lookup_duration_seconds";
/// What is asked for, in the order of the histograms.
const KINDS: [&str; 4] = ["mx", "address", "reverse", "text"];
/// What comes of it: an answer, a clear no, or nothing that counts as either.
const RESULTS: [&str; 3] = ["found", "none", "failed"];

/// A resolver whose questions are timed.
pub(super) struct MeasuredResolver {
    inner: Arc<dyn Resolver>,
    clock: Arc<dyn Clock>,
    took: [[Histogram; RESULTS.len()]; KINDS.len()],
    /// Whether the last question was answered, be it with a no.
    state: SourceState,
}

impl MeasuredResolver {
    pub(super) fn new(inner: Arc<dyn Resolver>, clock: Arc<dyn Clock>) -> Arc<MeasuredResolver> {
        let (took, state) = Default::default();
        Arc::new(MeasuredResolver { inner, clock, took, state })
    }

    /// Waits for an answer and counts how long it took.
    async fn timed<T>(
        &self,
        kind: usize,
        question: impl Future<Output = Result<T, DnsError>> + Send,
    ) -> Result<T, DnsError> {
        let began = self.clock.elapsed();
        let answer = question.await;
        let took = Micros::from(self.clock.elapsed().saturating_sub(began));
        let result = match &answer {
            Ok(_) => 0,
            Err(error) if error.is_temporary() => 2,
            Err(_) => 1,
        };
        self.state.note(self.clock.now(), result < 2);
        if let Some(histogram) = self.took.get(kind).and_then(|of_kind| of_kind.get(result)) {
            histogram.count(took);
        }
        answer
    }
}

impl Resolver for MeasuredResolver {
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<MxAnswer, DnsError>> {
        Box::pin(self.timed(0, self.inner.mx(domain)))
    }

    fn exchangers<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
        Box::pin(self.timed(0, self.inner.exchangers(name)))
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(self.timed(1, self.inner.addresses(host)))
    }

    fn addresses_in<'a>(
        &'a self,
        family: Family,
        host: &'a str,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
        Box::pin(self.timed(1, self.inner.addresses_in(family, host)))
    }

    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, DnsError>> {
        Box::pin(self.timed(3, self.inner.texts(name)))
    }

    fn reverse(&self, ip: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, DnsError>> {
        Box::pin(self.timed(2, self.inner.reverse(ip)))
    }
}

impl MetricSource for MeasuredResolver {
    fn collect(&self, out: &mut Vec<Sample>) {
        self.state.collect("dns", out);
        let Some(metric) = metric(METRIC) else { return };
        for (kind, of_kind) in KINDS.iter().zip(&self.took) {
            for (result, histogram) in RESULTS.iter().zip(of_kind) {
                let value = histogram.value();
                if value.count > 0 {
                    let labels = vec![(*kind).to_owned(), (*result).to_owned()];
                    out.push(Sample { metric, labels, value: Value::Histogram(value) });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use world::simulated::{SimulatedClock, SimulatedResolver};

    use super::*;

    #[tokio::test]
    async fn questions_are_counted_by_kind_and_result() {
        let names = SimulatedResolver::new();
        names.set_addresses("hop.example", Ok(vec!["192.0.2.1".parse().unwrap()]));
        names.set_mx(&"down.example".parse().unwrap(), Err(DnsError::TimedOut));
        let clock = Arc::new(SimulatedClock::new(types::Timestamp::EPOCH));
        let measured = MeasuredResolver::new(Arc::new(names), clock);
        assert!(measured.addresses("hop.example").await.is_ok());
        assert!(measured.addresses("nobody.example").await.is_err());
        assert!(measured.mx(&"down.example".parse().unwrap()).await.is_err());
        let mut samples = Vec::new();
        measured.collect(&mut samples);
        let labels: Vec<_> = samples.iter().map(|sample| sample.labels.join(" ")).collect();
        assert_eq!(samples[0].value, Value::Number(0.0), "the last question was not answered");
        assert_eq!(labels[..2], ["dns"; 2]);
        assert_eq!(labels[2..], ["mx failed", "address found", "address none"]);
    }
}
