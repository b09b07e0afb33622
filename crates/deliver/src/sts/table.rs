//! Policies that were fetched, by domain, within limits. Pure.
//!
//! Whoever owns domains can make us send to them (a bounce to a forged
//! sender), and so fill this table. What must not happen is that he pushes out
//! the policy of somebody whose mail he then waits for. So what goes first is
//! what was used on the fewest days: a domain that people write to all along
//! stays, however many others are seen once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use store::state::StoredTransportPolicy;
use types::{Domain, Timestamp};

use super::policy::Policy;
use super::record::PolicyId;

/// Policies kept.
const POLICIES_MAX: usize = 10_000;
/// What they may have together, in octets.
const OCTETS_MAX: usize = 16 * 1024 * 1024;
/// What one has apart from its names, in octets.
const OVERHEAD_OCTETS: usize = 256;

/// A policy is kept for a minute at least, so that none is asked for at every
/// connection.
const KEPT_MIN: Duration = Duration::from_secs(60);
/// When a policy is asked for again before it ends: after half its time, but
/// once a day (RFC 8461 section 10.2) and not more often than hourly.
const RENEWED_AFTER: (Duration, Duration) =
    (Duration::from_secs(3_600), Duration::from_secs(86_400));
/// When it is tried again where that failed.
const RENEWED_AGAIN_AFTER: Duration = Duration::from_secs(3_600);
/// A policy that no mail went by for so long ends when its time is over.
const UNUSED_MAX: Duration = Duration::from_secs(30 * 86_400);

/// A policy as it is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its version.
    pub id: PolicyId,
    /// What it says.
    pub policy: Arc<Policy>,
    /// When it was fetched.
    pub fetched: Timestamp,
    /// When it was last used.
    used: Timestamp,
    /// On how many days.
    days: u32,
    renew_at: Timestamp,
}

impl Kept {
    /// As it was stored; nothing if that cannot be read.
    pub fn restored(stored: &StoredTransportPolicy) -> Option<Self> {
        let id = PolicyId::read(&stored.id)?;
        let policy = stored.document.parse().ok()?;
        let kept = Kept::new(id, policy, stored.fetched);
        Some(Kept { used: stored.used, days: stored.days, ..kept })
    }

    fn new(id: PolicyId, policy: Policy, fetched: Timestamp) -> Self {
        let (soonest, latest) = RENEWED_AFTER;
        let renew_at = fetched + (policy.max_age / 2).clamp(soonest, latest);
        Kept { id, policy: Arc::new(policy), fetched, used: fetched, days: 1, renew_at }
    }

    /// When its time is over.
    pub fn ends(&self) -> Timestamp {
        self.fetched + self.policy.max_age.max(KEPT_MIN)
    }

    fn octets(&self, domain: &Domain) -> usize {
        let patterns = self.policy.mx.iter().map(|pattern| pattern.octets() + size_of_val(pattern));
        OVERHEAD_OCTETS + domain.as_str().len() + patterns.sum::<usize>()
    }
}

/// The number of the day.
fn day(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(86_400_000)
}

/// Policies by domain.
#[derive(Debug)]
pub(super) struct Table {
    kept: HashMap<Domain, Kept>,
    octets: usize,
    /// Those that are not stored as they are here, or no more.
    changed: HashSet<Domain>,
    policies_max: usize,
    octets_max: usize,
}

impl Default for Table {
    fn default() -> Self {
        Table::of(POLICIES_MAX, OCTETS_MAX)
    }
}

impl Table {
    fn of(policies_max: usize, octets_max: usize) -> Self {
        let (kept, octets, changed) = Default::default();
        Table { kept, octets, changed, policies_max, octets_max }
    }

    /// Takes in what was stored. What cannot be read is forgotten there too.
    pub(super) fn restore(&mut self, stored: &[StoredTransportPolicy]) {
        for one in stored {
            let Ok(domain) = one.domain.parse() else { continue };
            match Kept::restored(one) {
                Some(kept) => self.insert(domain, kept),
                None => drop(self.changed.insert(domain)),
            }
        }
        self.make_room(Timestamp::EPOCH);
    }

    /// The policy of `domain` whose time is not over.
    pub(super) fn get(&self, domain: &Domain, now: Timestamp) -> Option<&Kept> {
        self.kept.get(domain).filter(|kept| now < kept.ends())
    }

    /// The same, which mail goes by now.
    pub(super) fn used(&mut self, domain: &Domain, now: Timestamp) -> Option<Arc<Policy>> {
        let kept = self.kept.get_mut(domain).filter(|kept| now < kept.ends())?;
        if day(kept.used) != day(now) {
            kept.days = kept.days.saturating_add(1);
            self.changed.insert(domain.clone());
        }
        kept.used = now;
        Some(Arc::clone(&kept.policy))
    }

    /// Keeps what was fetched just now.
    pub(super) fn put(&mut self, domain: &Domain, id: PolicyId, policy: Policy, now: Timestamp) {
        let mut kept = Kept::new(id, policy, now);
        if let Some(before) = self.kept.get(domain) {
            (kept.used, kept.days) = (before.used, before.days);
        }
        self.changed.insert(domain.clone());
        self.insert(domain.clone(), kept);
        self.make_room(now);
    }

    fn insert(&mut self, domain: Domain, kept: Kept) {
        self.octets += kept.octets(&domain);
        if let Some(before) = self.kept.insert(domain.clone(), kept) {
            self.octets -= before.octets(&domain);
        }
    }

    /// Forgets what is over, and then what was used least, until all fits.
    fn make_room(&mut self, now: Timestamp) {
        while self.kept.len() > self.policies_max || self.octets > self.octets_max {
            let worth = |kept: &Kept| (now < kept.ends(), kept.days, kept.used);
            let least = self.kept.iter().min_by_key(|(_, kept)| worth(kept));
            let Some(domain) = least.map(|(domain, _)| domain.clone()) else { return };
            self.remove(domain);
        }
    }

    fn remove(&mut self, domain: Domain) {
        if let Some(kept) = self.kept.remove(&domain) {
            self.octets -= kept.octets(&domain);
            self.changed.insert(domain);
        }
    }

    /// When the next policy is to be asked for again.
    pub(super) fn next_renewal(&self) -> Option<Timestamp> {
        self.kept.values().map(|kept| kept.renew_at).min()
    }

    /// The domains whose policies are to be asked for again now; what is over
    /// is forgotten. If nothing comes of it, their turn comes again later.
    pub(super) fn take_renewals(&mut self, now: Timestamp) -> Vec<Domain> {
        let over = self.kept.iter().filter(|(_, kept)| kept.ends() <= now);
        let over: Vec<_> = over.map(|(domain, _)| domain.clone()).collect();
        over.into_iter().for_each(|domain| self.remove(domain));
        let mut due = Vec::new();
        for (domain, kept) in &mut self.kept {
            if kept.renew_at > now {
                continue;
            }
            kept.renew_at = now + RENEWED_AGAIN_AFTER;
            if now < kept.used + UNUSED_MAX {
                due.push(domain.clone());
            }
        }
        due.sort();
        due
    }

    /// What is to be stored, and the domains to be forgotten there.
    pub(super) fn take_changes(&mut self) -> (Vec<StoredTransportPolicy>, Vec<String>) {
        let (mut stored, mut forgotten) = (Vec::new(), Vec::new());
        for domain in self.changed.drain() {
            let name = domain.as_str().to_owned();
            match self.kept.get(&domain) {
                Some(kept) => stored.push(StoredTransportPolicy {
                    domain: name,
                    id: kept.id.as_str().to_owned(),
                    document: kept.policy.to_string(),
                    fetched: kept.fetched,
                    used: kept.used,
                    days: kept.days,
                }),
                None => forgotten.push(name),
            }
        }
        (stored, forgotten)
    }

    /// Notes that changes could not be stored.
    pub(super) fn give_back(&mut self, stored: Vec<StoredTransportPolicy>, forgotten: Vec<String>) {
        let names = stored.into_iter().map(|one| one.domain).chain(forgotten);
        self.changed.extend(names.filter_map(|name| name.parse::<Domain>().ok()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn domain(name: &str) -> Domain {
        format!("{name}.example").parse().unwrap()
    }

    fn policy(days: u32) -> Policy {
        let seconds = (DAY * days).as_secs();
        format!("version: STSv1\nmode: enforce\nmx: mx.example\nmax_age: {seconds}")
            .parse()
            .unwrap()
    }

    fn id() -> PolicyId {
        PolicyId::read("1").unwrap()
    }

    #[test]
    fn who_is_seen_once_pushes_out_nobody_who_is_written_to_daily() {
        let mut table = Table::of(3, OCTETS_MAX);
        table.put(&domain("daily"), id(), policy(100), START);
        table.put(&domain("old"), id(), policy(100), START);
        for days in 1..5 {
            table.used(&domain("daily"), START + DAY * days);
        }
        let now = START + DAY * 5;
        for number in 0..10 {
            table.put(&domain(&format!("new{number}")), id(), policy(100), now);
        }
        assert!(table.get(&domain("daily"), now).is_some());
        assert!(table.get(&domain("old"), now).is_none(), "seen once, and long ago");
        assert_eq!(table.kept.len(), 3);
        // What is over goes before anything else.
        let later = START + DAY * 101;
        table.used(&domain("new9"), now + DAY);
        table.put(&domain("last"), id(), policy(1), later);
        assert!(!table.kept.contains_key(&domain("daily")));
        let octets: usize = table.kept.iter().map(|(domain, kept)| kept.octets(domain)).sum();
        assert_eq!(table.octets, octets);
        let (stored, forgotten) = table.take_changes();
        assert_eq!((stored.len(), forgotten.contains(&"daily.example".to_owned())), (3, true));
    }

    #[test]
    fn all_policies_together_have_a_limit() {
        let mut table = Table::of(100, 5 * (OVERHEAD_OCTETS + 60));
        for number in 0..100 {
            table.put(&domain(&format!("d{number}")), id(), policy(1), START);
        }
        assert!(table.octets <= table.octets_max && table.kept.len() >= 4, "{}", table.kept.len());
    }

    #[test]
    fn a_policy_counts_until_its_time_is_over_and_is_renewed_before() {
        let mut table = Table::default();
        table.put(&domain("corp"), id(), policy(7), START);
        table.put(&domain("brief"), id(), policy(0), START);
        assert!(table.get(&domain("brief"), START + Duration::from_secs(59)).is_some());
        assert!(table.get(&domain("brief"), START + Duration::from_secs(60)).is_none());
        assert!(table.get(&domain("corp"), START + DAY * 7).is_none());
        assert_eq!(table.next_renewal(), Some(START + Duration::from_secs(3_600)));
        assert_eq!(table.take_renewals(START + DAY), [domain("corp")]);
        assert_eq!(table.next_renewal(), Some(START + DAY + Duration::from_secs(3_600)));
        // Nobody asks for ever for what nobody uses.
        let mut table = Table::default();
        table.put(&domain("corp"), id(), policy(300), START);
        assert_eq!(table.take_renewals(START + DAY * 31), []);
    }

    #[test]
    fn what_was_stored_is_there_again_and_what_cannot_be_read_is_forgotten() {
        let mut table = Table::default();
        table.put(&domain("corp"), id(), policy(7), START);
        table.used(&domain("corp"), START + DAY);
        let (mut stored, _) = table.take_changes();
        assert_eq!(stored[0].days, 2);
        assert_eq!(table.take_changes(), (Vec::new(), Vec::new()));
        stored.push(StoredTransportPolicy { domain: "x.example".into(), ..stored[0].clone() });
        stored[1].document = "no policy".into();
        let mut again = Table::default();
        again.restore(&stored);
        let kept = again.get(&domain("corp"), START + DAY).unwrap();
        assert_eq!((kept.days, kept.used, kept.policy.as_ref()), (2, START + DAY, &policy(7)));
        assert_eq!(again.take_changes(), (Vec::new(), vec!["x.example".to_owned()]));
    }
}
