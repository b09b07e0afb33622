//! The marks of clients, of their networks and their systems, fading, and the
//! score that is made of them.

use std::net::IpAddr;
use std::time::Duration;

use quick_cache::unsync::Cache;
use types::reputation::{Leaning, SCORE_MAX};
use types::{
    PutOff, ReputationCount, ReputationFacts, ReputationHolder, ReputationMark, Timestamp,
    host_key, network_key,
};

/// Half of a mark is left after this time.
const HALF_LIFE: Duration = Duration::from_secs(2 * 86_400);

/// How long it counts that mail was put off: a client that has been bad again
/// a month later waits again.
const PUT_OFF_COUNTS_FOR: Duration = Duration::from_secs(14 * 86_400);

/// What less than this is left of counts as nothing.
const FAINT: f32 = 0.05;

/// Holders whose marks are kept; the least used are forgotten first. A spammer
/// with a new address each time pushes out other strangers, not those who
/// send us mail.
const HOLDERS_MAX: usize = 200_000;

/// Marks of nobody in particular that are mixed in, so that few marks say
/// little: how many it takes until what a holder did itself counts for half.
const PRIOR: [f32; 3] = [5.0, 20.0, 200.0];

/// How much of the share of those around it a holder starts with.
const INHERITED: f32 = 0.75;

const MARKS: usize = ReputationMark::ALL.len();

/// The marks of one holder.
#[derive(Clone, Copy, Debug)]
struct Marks {
    /// By place in the table of marks; what is left of them at `at`.
    counts: [f32; MARKS],
    at: Timestamp,
    since: Timestamp,
    put_off: Option<PutOff>,
}

impl Marks {
    fn none(at: Timestamp) -> Self {
        Marks { counts: [0.0; MARKS], at, since: at, put_off: None }
    }

    /// The same later. A time before the last mark changes nothing.
    fn faded(mut self, now: Timestamp) -> Self {
        let left = left_after(now.since(self.at));
        self.put_off = self.put_off.filter(|put| now.since(put.at) < PUT_OFF_COUNTS_FOR);
        self.counts =
            self.counts.map(|count| if count * left < FAINT { 0.0 } else { count * left });
        self.at = self.at.max(now);
        self
    }

    fn is_nothing(&self) -> bool {
        self.counts.iter().all(|count| *count <= 0.0)
    }

    fn add(&mut self, mark: ReputationMark, at: Timestamp) {
        if self.is_nothing() {
            self.since = at;
        }
        self.since = self.since.min(at);
        if let Some(count) = self.counts.get_mut(place(mark)) {
            // What is learned late has faded since.
            *count += left_after(self.at.since(at));
        }
    }

    fn sum(&self, leaning: Leaning) -> f32 {
        let marks = ReputationMark::ALL.iter().zip(self.counts);
        let leaning = marks.filter(|(mark, _)| mark.leaning() == leaning);
        leaning.map(|(mark, count)| mark.weight() * count).sum()
    }

    /// The bad ones of all, from 0 to 1, with `prior` marks mixed in of which
    /// `around` are bad.
    fn share(&self, prior: f32, around: f32) -> f32 {
        let (good, bad) = (self.sum(Leaning::Good), self.sum(Leaning::Bad));
        (bad + prior * around * INHERITED) / (bad + good + prior)
    }

    fn told(&self, holder: ReputationHolder) -> Option<ReputationCount> {
        let tenths = |count: f32| {
            // Saturates, and is never negative.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "see above"
            )]
            let tenths = (count * 10.0).round() as u32;
            tenths
        };
        let marks = ReputationMark::ALL.iter().copied().zip(self.counts.map(tenths));
        let marks: Vec<_> = marks.filter(|(_, tenths)| *tenths > 0).collect();
        (!marks.is_empty()).then_some(ReputationCount { holder, since: self.since, marks })
    }
}

/// What is left of a mark after this time.
fn left_after(time: Duration) -> f32 {
    (-time.as_secs_f32() / HALF_LIFE.as_secs_f32()).exp2()
}

fn place(mark: ReputationMark) -> usize {
    mark as usize
}

/// The marks of all.
pub(super) struct Ledger {
    holders: Cache<ReputationHolder, Marks>,
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger { holders: Cache::new(HOLDERS_MAX) }
    }
}

impl Ledger {
    /// Marks a client and those around it.
    pub(super) fn mark(
        &mut self,
        ip: IpAddr,
        system: Option<u32>,
        mark: ReputationMark,
        at: Timestamp,
    ) {
        for holder in holders(ip, system) {
            let mut marks = self.marks(holder, at);
            marks.add(mark, at);
            self.holders.insert(holder, marks);
        }
    }

    /// Notes that mail of a client was put off for its score. If that was so
    /// before and it is no worse, the first time counts: as with greylisting,
    /// whoever comes back early must not begin anew.
    pub(super) fn put_off(&mut self, ip: IpAddr, put_off: PutOff) {
        let holder = ReputationHolder::Address(host_key(ip));
        let mut marks = self.marks(holder, put_off.at);
        let before = marks.put_off.filter(|before| before.is_no_worse(put_off.score));
        marks.put_off = Some(before.unwrap_or(put_off));
        self.holders.insert(holder, marks);
    }

    /// Forgets what the client itself did; those around it keep their marks.
    pub(super) fn reset(&mut self, ip: IpAddr) -> bool {
        self.holders.remove(&ReputationHolder::Address(host_key(ip))).is_some()
    }

    /// What is known of a client.
    pub(super) fn facts(&self, ip: IpAddr, system: Option<u32>, now: Timestamp) -> ReputationFacts {
        let (mut around, mut own, mut counted, mut put_off) = (0.0, 0.0, Vec::new(), None);
        // From the outermost inwards: each starts from those around it.
        for (holder, prior) in holders(ip, system).into_iter().zip(PRIOR).rev() {
            let marks = self.marks(holder, now);
            around = marks.share(prior, around);
            own = marks.share(prior, 0.0);
            put_off = marks.put_off;
            counted.extend(marks.told(holder));
        }
        counted.reverse();
        ReputationFacts { score: score(around), own: score(own), counted, put_off }
    }

    /// The own marks of all clients, to be looked at without the ledger.
    pub(super) fn clients(&self) -> Clients {
        let client = |(holder, marks): (&ReputationHolder, &Marks)| match holder {
            ReputationHolder::Address(ip) => Some((*ip, *marks)),
            _ => None,
        };
        Clients(self.holders.iter().filter_map(client).collect())
    }

    fn marks(&self, holder: ReputationHolder, now: Timestamp) -> Marks {
        self.holders.peek(&holder).map_or_else(|| Marks::none(now), |marks| marks.faded(now))
    }
}

/// The own marks of clients, as they were at one moment.
pub(super) struct Clients(Vec<(IpAddr, Marks)>);

impl Clients {
    /// Those whose marks are the worst, at most `count`.
    pub(super) fn worst(self, count: usize, now: Timestamp) -> Vec<IpAddr> {
        let own = |(ip, marks): (IpAddr, Marks)| (score(marks.faded(now).share(PRIOR[0], 0.0)), ip);
        let mut all: Vec<(u8, IpAddr)> = self.0.into_iter().map(own).collect();
        all.retain(|(score, _)| *score > 0);
        all.sort_unstable_by_key(|(score, ip)| (std::cmp::Reverse(*score), *ip));
        all.into_iter().take(count).map(|(_, ip)| ip).collect()
    }
}

/// The client, its network, and its system if it is known.
fn holders(ip: IpAddr, system: Option<u32>) -> Vec<ReputationHolder> {
    let address = ReputationHolder::Address(host_key(ip));
    let network = ReputationHolder::Network(network_key(ip));
    let system = system.map(ReputationHolder::System);
    [Some(address), Some(network), system].into_iter().flatten().collect()
}

fn score(share: f32) -> u8 {
    // From 0 to 1, so the score fits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    let score = (share.clamp(0.0, 1.0) * f32::from(SCORE_MAX)).round() as u8;
    score
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "192.0.2.7";
    const NEIGHBOUR: &str = "192.0.2.8";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn hours(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000)
    }

    fn marked(marks: &[(&str, ReputationMark, usize)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (client, mark, count) in marks {
            (0..*count).for_each(|_| ledger.mark(ip(client), Some(64_500), *mark, hours(0)));
        }
        ledger
    }

    fn score_of(ledger: &Ledger, client: &str, at: Timestamp) -> u8 {
        ledger.facts(ip(client), Some(64_500), at).score
    }

    #[test]
    fn few_marks_say_little_and_many_say_all() {
        use ReputationMark as M;
        for (count, expected) in [(0, 0), (1, 11), (10, 58), (100, 96), (1_000, 100)] {
            let ledger = marked(&[(CLIENT, M::UnknownRecipient, count)]);
            assert_eq!(score_of(&ledger, CLIENT, hours(0)), expected, "{count}");
        }
    }

    #[test]
    fn good_marks_speak_against_bad_ones_and_for_the_neighbours() {
        use ReputationMark as M;
        let mixed = marked(&[(CLIENT, M::UnknownRecipient, 100), (CLIENT, M::Accepted, 1_000)]);
        assert!(score_of(&mixed, CLIENT, hours(0)) < 10);
        let bad = marked(&[(CLIENT, M::Spoofing, 500)]);
        let stranger = score_of(&bad, NEIGHBOUR, hours(0));
        assert!((50..85).contains(&stranger), "delayed at most for its neighbours: {stranger}");
        assert_eq!(score_of(&bad, "198.51.100.1", hours(0)), 40, "of the same system alone");
        let known = marked(&[(CLIENT, M::Spoofing, 500), (NEIGHBOUR, M::Accepted, 20)]);
        assert!(score_of(&known, NEIGHBOUR, hours(0)) < 20, "its own marks count first");
    }

    #[test]
    fn marks_fade_until_nothing_is_left_of_them() {
        let ledger = marked(&[(CLIENT, ReputationMark::Relaying, 10)]);
        let scores = [0, 48, 96, 480].map(|after| score_of(&ledger, CLIENT, hours(after)));
        assert!(scores.is_sorted_by(|a, b| a > b), "{scores:?}");
        assert_eq!(ledger.facts(ip(CLIENT), None, hours(480)), ReputationFacts::default());
        let told = ledger.facts(ip(CLIENT), None, hours(48)).counted;
        assert_eq!(told[0].marks, [(ReputationMark::Relaying, 50)], "half of ten, in tenths");
    }

    #[test]
    fn what_is_learned_late_has_faded_and_having_been_put_off_ends() {
        let (mark, old) = (ReputationMark::Permitted, hours(0));
        let mut ledger = Ledger::default();
        ledger.mark(ip(CLIENT), None, mark, hours(48));
        ledger.mark(ip(CLIENT), None, mark, old);
        let told = &ledger.facts(ip(CLIENT), None, hours(48)).counted[0];
        assert_eq!((told.marks[0], told.since), ((mark, 15), old), "one and a half");
        ledger.put_off(ip(CLIENT), PutOff { at: hours(48), score: 60 });
        let put_off = |after| ledger.facts(ip(CLIENT), None, hours(after)).put_off;
        assert!(put_off(48 + 13 * 24).is_some() && put_off(48 + 14 * 24).is_none());
    }

    #[test]
    fn a_reset_forgets_the_client_and_not_its_network() {
        let mut ledger = marked(&[(CLIENT, ReputationMark::Spam, 50)]);
        let put_off = PutOff { at: hours(0), score: 60 };
        ledger.put_off(ip(CLIENT), put_off);
        assert_eq!(ledger.facts(ip(CLIENT), None, hours(1)).put_off, Some(put_off));
        ledger.put_off(ip(CLIENT), PutOff { at: hours(1), score: 60 });
        assert_eq!(ledger.facts(ip(CLIENT), None, hours(1)).put_off, Some(put_off), "no worse");
        let worse = PutOff { at: hours(1), score: 66 };
        ledger.put_off(ip(CLIENT), worse);
        assert_eq!(ledger.facts(ip(CLIENT), None, hours(1)).put_off, Some(worse));
        assert_eq!(ledger.clients().worst(5, hours(0)), [ip(CLIENT)]);
        assert!(ledger.reset(ip(CLIENT)) && !ledger.reset(ip(CLIENT)));
        let facts = ledger.facts(ip(CLIENT), None, hours(1));
        assert_eq!(facts.put_off, None);
        assert_eq!(facts.counted[0].holder, ReputationHolder::Network(ip("192.0.2.0")));
        assert_eq!(ledger.clients().worst(5, hours(0)), Vec::<IpAddr>::new());
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let ledger = marked(&[("2001:db8:0:1::1", ReputationMark::Spam, 50)]);
        let of = |client| score_of(&ledger, client, hours(0));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::1"));
        assert!(of("2001:db8:0:2::1") < of("2001:db8:0:1::1"));
        assert!(of("2001:db8:0:2::1") > of("2001:db8:1::1"));
    }
}
