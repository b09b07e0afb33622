//! What became of first contacts like an open one: how many senders came
//! back, and how soon. From our own events, with the size of the sample.

use std::ops::Range;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use store::search::{Column, Filter, Order, Query, RowsPage, TextColumn, TextMatch};
use types::{Event, Reason, Timestamp, spoken};

use super::joins::triplet;
use crate::CenterError;
use crate::sight::Seen;

/// Fewest first contacts from which something is said: with fewer, one more
/// or less would change it by more than five of a hundred.
const SAMPLE_MIN: usize = 20;
/// Most first contacts that are looked at, the newest: their life-lines are
/// read one by one, which keeps the cost the same however much is recorded.
const SAMPLE_MAX: usize = 200;
/// How far back is looked.
const LOOKED_BACK: Duration = Duration::from_secs(7 * 86_400);

/// What became of first contacts like this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReturnPrior {
    /// What they have in common with this one: `from 192.0.2.0/24`.
    pub like: String,
    /// How many were looked at: the newest whose window is over, at most 200,
    /// of the last 7 days.
    pub sample: usize,
    /// Of these, those whose sender tried again inside the window.
    pub returned: usize,
    /// Half of those came back within this many milliseconds; nothing if
    /// nobody did.
    pub median_wait_ms: Option<u64>,
    /// The same as a sentence.
    pub text: String,
}

impl Seen<'_> {
    /// What is to be expected of the sender of `event`, a first contact or a
    /// retry that came too early; nothing if too few are known. Looks at
    /// what is most like it first: the same network, then the same sender
    /// domain, then the same kind of connection and sender, then all.
    pub(super) fn return_prior(&self, event: &Event) -> Result<Option<ReturnPrior>, CenterError> {
        let now = self.parts.clock.now();
        let window = self.greylist_times().retry_within;
        // Only windows that are over: of the others nobody knows.
        let back = LOOKED_BACK.min(self.parts.metadata_kept);
        let times = now.before(back)..now.before(window);
        if times.is_empty() {
            return Ok(None);
        }
        for (like, filter) in likenesses(event) {
            let found = self.first_contacts(filter, times.clone())?;
            if found.len() < SAMPLE_MIN {
                continue;
            }
            let mut waits = Vec::new();
            for first in &found {
                let line = self.events.life_line(first.life_line)?;
                waits.extend(wait(first, &line));
            }
            return Ok(Some(prior(like, found.len(), waits)));
        }
        Ok(None)
    }

    /// The newest first contacts that match.
    fn first_contacts(
        &self,
        like: Option<Filter>,
        times: Range<Timestamp>,
    ) -> Result<Vec<Event>, CenterError> {
        let mut filters = vec![Filter::IsAttempt, Filter::Reason(vec![Reason::GreylistFirstSeen])];
        filters.extend(like);
        let filter = Filter::All(filters);
        let query = Query { filter: &filter, times, stop: self.patience() };
        let page = RowsPage { after: None, rows_max: SAMPLE_MAX };
        Ok(self.events.rows(&query, Order::NEWEST, &page)?.events)
    }
}

/// What a first contact can have in common with others, the closest first.
fn likenesses(event: &Event) -> Vec<(String, Option<Filter>)> {
    let mut found = Vec::new();
    let client = &event.subject.client;
    let network = match client.client.ip {
        std::net::IpAddr::V4(ip) => Ipv4Net::new(ip, 24).map(|net| IpNet::V4(net.trunc())),
        std::net::IpAddr::V6(ip) => Ipv6Net::new(ip, 64).map(|net| IpNet::V6(net.trunc())),
    };
    if let Ok(network) = network {
        found.push((format!("from {network}"), Some(Filter::Ip(network))));
    }
    let sender = event.subject.reverse_path.as_deref();
    let domain = sender.and_then(|path| path.as_str().rsplit_once('@')).map(|(_, domain)| domain);
    if let Some(domain) = domain {
        let is = TextMatch::Domain { domain: domain.to_ascii_lowercase(), below: false };
        let words = format!("from senders of {}", crate::presentable_within(domain, 80));
        found.push((words, Some(Filter::Text(TextColumn::From, is))));
    }
    let encrypted = Filter::Has(Column::Text(TextColumn::TlsVersion));
    let null = Filter::Text(TextColumn::From, TextMatch::Equals("<>".to_owned()));
    let (is_encrypted, is_null) = (client.tls.is_some(), domain.is_none());
    let kind = format!(
        "{} TLS and {} sender",
        if is_encrypted { "with" } else { "without" },
        if is_null { "without a" } else { "with a" },
    );
    let either = |filter: Filter, is: bool| if is { filter } else { Filter::Not(Box::new(filter)) };
    let both = Filter::All(vec![either(encrypted, is_encrypted), either(null, is_null)]);
    found.push((kind, Some(both)));
    found.push(("of all kinds".to_owned(), None));
    found
}

/// After how many milliseconds the sender of a first contact tried again, if
/// it did inside the same window.
fn wait(first: &Event, line: &[Event]) -> Option<u64> {
    let opened = triplet(first)?.first_seen;
    let retries = line.iter().filter(|event| event.id != first.id && event.outcome().is_some());
    let in_window = retries.filter(|event| {
        triplet(event).is_some_and(|facts| facts.first_seen == opened && facts.attempts > 1)
    });
    let waits = in_window.map(|event| event.started.since(opened).as_millis());
    waits.min().map(|millis| u64::try_from(millis).unwrap_or(u64::MAX))
}

fn prior(like: String, sample: usize, mut waits: Vec<u64>) -> ReturnPrior {
    waits.sort_unstable();
    let returned = waits.len();
    // The lower of the two in the middle: at least half had come back then.
    let median_wait_ms = waits.get(returned.saturating_sub(1) / 2).copied();
    let percent = (returned * 100 + sample / 2) / sample.max(1);
    let share = format!(
        "Of the last {sample} first contacts {like} whose window is over, {percent} % came back"
    );
    let text = match median_wait_ms {
        Some(millis) => {
            let seconds = Duration::from_secs(millis.div_ceil(1_000));
            format!("{share}, half of them within {}.", spoken(seconds))
        }
        None => format!("{share}."),
    };
    ReturnPrior { like, sample, returned, median_wait_ms, text }
}

#[cfg(test)]
mod tests {
    use types::finding::{Finding, Source, TripletFacts, TripletState};
    use types::policy::ClientIdentity;
    use types::{Caller, CheckName, Decision, Detail, EventKind, Micros, Observed, Outcome, Stage};

    use super::*;
    use crate::tests::{Gateway, at, event_id, sample};

    /// The attempt `number` of the window that attempt `first` opened at
    /// `opened_s`, so much later.
    fn attempt(number: u64, first: u64, opened_s: i64, after_s: i64) -> Event {
        let opened = sample(first, Reason::GreylistFirstSeen);
        let start = at(opened_s);
        let retry = number != first;
        let mut event = match retry {
            true => sample(number, Reason::Accepted),
            false => opened.clone(),
        };
        if !retry {
            let decision = Decision::new(Reason::GreylistFirstSeen, CheckName::Greylist);
            let decision = decision.with_detail(Detail::RetryIn { seconds: 60 });
            event.kind = EventKind::Attempt(Outcome::Deferred(decision));
        }
        (event.started, event.at) = (at(opened_s + after_s), at(opened_s + after_s));
        event.life_line = opened.life_line;
        let observed = Observed::Triplet(TripletFacts {
            identity: ClientIdentity::Network,
            client: "192.0.2.0/24".into(),
            sender: "ann@sender.example".into(),
            state: if retry { TripletState::Passed } else { TripletState::FirstSeen },
            life_line: event.life_line,
            first_seen: start,
            first_event: event_id(first),
            attempts: if retry { 2 } else { 1 },
            let_in: false,
        });
        let check = CheckName::Greylist;
        let finding = Finding {
            check,
            stage: Stage::Rcpt,
            observed,
            source: Source::Memory,
            took: Micros(7),
        };
        event.record.evidence = [finding].into_iter().collect();
        event
    }

    #[test]
    fn an_open_window_says_what_became_of_others_like_it() {
        let two_days = 2 * 86_400;
        let gateway = Gateway::new(at(two_days + 5));
        let center = &gateway.center;
        let root = Caller::with_all("root");
        let open = attempt(1_000, 1_000, two_days, 0);
        let record = |events: Vec<Event>| center.memory.of_house().record(events).unwrap();
        record((1..=19).map(|number| attempt(number, number, 0, 0)).collect());
        record(vec![open.clone()]);
        let story = || center.why(&root, &open.id.to_string()).unwrap().story;
        assert!(story().window.is_some());
        assert_eq!(story().prior, None, "19 are too few");
        record(vec![attempt(20, 20, 0, 0)]);
        record((1..=15).map(|n| attempt(100 + n, n, 0, 60 * n as i64)).collect());
        let prior = story().prior.unwrap();
        assert_eq!((&*prior.like, prior.sample, prior.returned), ("from 192.0.2.0/24", 20, 15));
        assert_eq!(prior.median_wait_ms, Some(8 * 60_000));
        let done = center.why(&root, &event_id(1).to_string()).unwrap().story;
        assert_eq!(done.prior, None, "nobody waits for this one");
    }

    #[test]
    fn the_share_and_the_median_are_those_of_the_sample() {
        let minutes = |number: u64| number * 60_000;
        let waits = vec![minutes(9), minutes(1), minutes(7), minutes(30)];
        let found = prior("from 192.0.2.0/24".to_owned(), 24, waits);
        assert_eq!((found.returned, found.median_wait_ms), (4, Some(minutes(7))));
        assert_eq!(
            found.text,
            "Of the last 24 first contacts from 192.0.2.0/24 whose window is over, 17 % came back, \
             half of them within 7 min."
        );
        let nobody = prior("of all kinds".to_owned(), 20, Vec::new());
        assert_eq!(nobody.median_wait_ms, None);
        assert!(nobody.text.ends_with("0 % came back."), "{}", nobody.text);
    }
}
