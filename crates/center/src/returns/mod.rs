//! How soon the servers of each sender domain and each network come back, and
//! how many never do: counted by the hour, kept for a month, which is longer
//! than the events are.
//!
//! An hour is counted from the columns of the event log once it is over, as
//! [`crate::refusals`] does; no page looks at events for this. What is counted
//! is kept by recipient domain too, so that whoever sees only some domains
//! sees what was counted of those.

mod estimate;
mod marks;
mod report;
mod rows;
mod waits;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::{Bound, ControlFlow};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::events::ScannedRow;
use store::search::{Direction, Filter, NumberColumn, Query, Stop, TextColumn, WordColumn};
use types::triplet::network_text;
use types::{EmailAddress, Reason, Sight, Timestamp};

use crate::hours::{HOUR, hour_of};
use crate::{Center, CenterError};

pub use estimate::ReturnPrior;
pub(crate) use estimate::Whose as WhoseReturns;
use marks::Marks;
pub use report::{DelayRow, DelaySuggestion, GreylistDelays};
pub use rows::{ReturnState, RowReturn};
use waits::Waits;

/// Days kept.
const DAYS_KEPT: u32 = 30;
const DAY: Duration = Duration::from_secs(86_400);
/// How long after its end an hour is counted: the clock writes expiries a
/// little late.
const SETTLE: Duration = Duration::from_secs(120);
/// Most counts of one day; later ones of that day are left out, and their
/// number is told.
const COUNTS_MAX: usize = 4_000;
/// Room among these for those that begin with somebody who never came back,
/// and for no others: what is made up to fill the table must not shut out
/// those who come back, nor many of these whoever stays away.
const NEVER_MAX: usize = 1_000;
/// Under which name a day is kept in the state database, before its number.
const FACT: &str = "returns_of_day_";

/// Whose servers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    /// Those that send for a domain; empty for the null reverse-path.
    Domain(String),
    /// Those of a network.
    Network(String),
}

/// Whose servers, and to which domain of ours.
type Counts = BTreeMap<(Of, String), Waits>;

/// What was counted of one day.
#[derive(Clone, Debug, Default, PartialEq)]
struct Day {
    /// Which of its hours were counted, by bits.
    hours: u32,
    counts: Counts,
    /// How many of these began with somebody who never came back.
    began_never: usize,
    /// What found no place.
    left_out: u64,
    /// Of whom that is who never came back.
    stayed_away: Marks,
}

/// The same as it is written.
#[derive(Default, Serialize, Deserialize)]
struct StoredDay {
    hours: u32,
    counts: Vec<(Of, String, Waits)>,
    #[serde(default)]
    began_never: usize,
    left_out: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stayed_away: Option<String>,
    /// Whether that was noted, or nobody knows who it was.
    #[serde(default)]
    notes_who: bool,
}

/// The days by their numbers since 1970.
type Days = BTreeMap<i64, Day>;

/// What was counted; nothing before it was first asked for.
#[derive(Default)]
pub(crate) struct Returns(Mutex<Option<Days>>);

impl Center {
    /// Counts the hours that are over; to be called from time to time. Cheap
    /// if none has ended since.
    ///
    /// # Errors
    ///
    /// An event log or a state database that cannot be read or written; the
    /// next call takes it up again.
    pub fn keep_returns(&self) -> Result<(), CenterError> {
        let over = hour_of(self.parts.clock.now().before(SETTLE));
        let Some(oldest) = self.remembered_from() else { return Ok(()) };
        let first_day = day_of(over) - i64::from(DAYS_KEPT) + 1;
        let from = hour_of(oldest).max(day_begin(first_day));
        let uncounted = self.uncounted(from, over)?;
        let is_news = !uncounted.is_empty();
        for (number, hours) in uncounted {
            // In a copy and without the lock: a first count reads days of the
            // event log, and pages ask for estimates meanwhile. What fails
            // leaves the day as it was.
            let counted = self.counted_days()?.as_ref().and_then(|days| days.get(&number).cloned());
            let mut day = counted.unwrap_or_default();
            for hour in hours {
                self.count_hour(hour, &mut day)?;
                day.hours |= bit_of(hour);
            }
            let kept = serde_json::to_string(&StoredDay::of(&day));
            let kept = kept.map_err(|error| CenterError::invalid(error.to_string()))?;
            self.parts.policies.set_fact(&fact_of(number), Some(&kept))?;
            if let Some(days) = self.counted_days()?.as_mut() {
                days.insert(number, day);
            }
        }
        self.forget_day_to_come(day_of(oldest))?;
        // With an hour that was counted and not with every call: while the
        // clock is ahead, calls must not take day after day.
        if is_news { self.forget_oldest_day() } else { Ok(()) }
    }

    /// The hours that are not counted yet, by day. None after the newest
    /// event: with a clock that is ahead for a while, hours would count as
    /// over that have yet to come.
    fn uncounted(
        &self,
        from: Timestamp,
        over: Timestamp,
    ) -> Result<BTreeMap<i64, Vec<Timestamp>>, CenterError> {
        let mut found: BTreeMap<i64, Vec<Timestamp>> = BTreeMap::new();
        let mut hour = from;
        let counted = self.counted_days()?;
        while hour < over {
            let number = day_of(hour);
            let day = counted.as_ref().and_then(|days| days.get(&number));
            if day.is_none_or(|day| day.hours & bit_of(hour) == 0) {
                found.entry(number).or_default().push(hour);
            }
            hour = hour + HOUR;
        }
        drop(counted);
        if found.is_empty() {
            return Ok(found);
        }
        let newest = self.newest_within(from, over)?;
        for hours in found.values_mut() {
            hours.retain(|hour| newest.is_some_and(|newest| *hour <= newest));
        }
        found.retain(|_, hours| !hours.is_empty());
        Ok(found)
    }

    fn newest_within(
        &self,
        from: Timestamp,
        over: Timestamp,
    ) -> Result<Option<Timestamp>, CenterError> {
        let filter = Filter::All(Vec::new());
        let query = Query { filter: &filter, times: from..over, stop: Stop::never() };
        let mut newest = None;
        let mut take = |row: &ScannedRow<'_>| {
            newest = Some(row.at());
            ControlFlow::Break(())
        };
        self.memory.search_of_house().scan(&query, Direction::Descending, &mut take)?;
        Ok(newest)
    }

    /// Forgets a day that is too old beside the newest one counted that is not
    /// yet to come, and no more than one at a time: mail that came while the
    /// clock was ahead must not cost a month.
    fn forget_oldest_day(&self) -> Result<(), CenterError> {
        let mut counted = self.counted_days()?;
        let Some(days) = counted.as_mut() else { return Ok(()) };
        let today = day_of(self.parts.clock.now());
        let newest = days.range(..=today).next_back().map(|(number, _)| *number);
        match days.keys().next().copied().zip(newest) {
            Some((oldest, newest)) if newest - oldest >= i64::from(DAYS_KEPT) => {
                self.forget_day(days, oldest)
            }
            _ => Ok(()),
        }
    }

    /// Forgets a day that is yet to come: it was counted while the clock was
    /// ahead. If instead the clock is behind, the day is counted again later,
    /// which is why none goes that is as old as the oldest event.
    fn forget_day_to_come(&self, oldest: i64) -> Result<(), CenterError> {
        let mut counted = self.counted_days()?;
        let Some(days) = counted.as_mut() else { return Ok(()) };
        let today = day_of(self.parts.clock.now());
        match days.keys().next_back().copied() {
            Some(last) if last > today.max(oldest) => self.forget_day(days, last),
            _ => Ok(()),
        }
    }

    fn forget_day(&self, days: &mut Days, number: i64) -> Result<(), CenterError> {
        self.parts.policies.set_fact(&fact_of(number), None)?;
        days.remove(&number);
        Ok(())
    }

    /// What was counted so far, read once. What cannot be understood is
    /// counted anew, as far back as there are events.
    fn counted_days(&self) -> Result<MutexGuard<'_, Option<Days>>, CenterError> {
        let mut days = self.returns.0.lock().unwrap_or_else(PoisonError::into_inner);
        if days.is_none() {
            let today = day_of(self.parts.clock.now());
            let mut found = Days::new();
            // One more: a day that was kept and is too old now is forgotten.
            for number in today - i64::from(DAYS_KEPT)..=today {
                if let Some(kept) = self.parts.policies.fact(&fact_of(number))? {
                    let stored: StoredDay = serde_json::from_str(&kept).unwrap_or_default();
                    found.insert(number, stored.read());
                }
            }
            *days = Some(found);
        }
        Ok(days)
    }

    fn count_hour(&self, hour: Timestamp, day: &mut Day) -> Result<(), CenterError> {
        let passed = Filter::Word(WordColumn::Triplet, vec!["passed".to_owned()]);
        let expired = Filter::Reason(vec![Reason::GreylistExpired]);
        let filter = Filter::Any(vec![passed, expired]);
        let query = Query { filter: &filter, times: hour..hour + HOUR, stop: Stop::never() };
        let mut take = |row: &ScannedRow<'_>| {
            day.take(row);
            ControlFlow::Continue(())
        };
        self.memory.search_of_house().scan(&query, Direction::Ascending, &mut take)?;
        Ok(())
    }
}

impl Day {
    fn take(&mut self, row: &ScannedRow<'_>) {
        let to = domain_of(&row.text(TextColumn::To));
        let wait = row.number(NumberColumn::Wait).map(Duration::from_millis);
        // A let-in before its time has no wait worth a number of its own.
        let never = row.word(WordColumn::Reason) == Reason::GreylistExpired.slug();
        let ways =
            [Of::Domain(domain_of(&row.text(TextColumn::From))), Of::Network(network_of(row.ip()))];
        for of in ways {
            match self.place(&of, &to, never) {
                Some(waits) if never => waits.add_never(),
                Some(waits) => waits.add(wait.unwrap_or_default()),
                None => self.leave_out(&of, never),
            }
        }
    }

    /// Of whom nothing but returns is missing can still be said that all came
    /// back.
    fn leave_out(&mut self, of: &Of, never: bool) {
        self.left_out = self.left_out.saturating_add(1);
        if never {
            self.stayed_away.add(of.name());
        }
    }

    fn place(&mut self, of: &Of, to: &str, never: bool) -> Option<&mut Waits> {
        let key = (of.clone(), to.to_owned());
        if !self.counts.contains_key(&key) {
            let (taken, room) = match never {
                true => (self.began_never, NEVER_MAX),
                false => (self.counts.len() - self.began_never, COUNTS_MAX - NEVER_MAX),
            };
            if taken >= room {
                return None;
            }
            self.began_never += usize::from(never);
        }
        Some(self.counts.entry(key).or_default())
    }
}

impl Of {
    /// A domain and a network are never spelled alike.
    fn name(&self) -> &str {
        match self {
            Of::Domain(name) | Of::Network(name) => name,
        }
    }
}

/// Whether somebody of these may have stayed away without being counted.
fn may_lack(days: &Days, of: &Of) -> bool {
    days.values().any(|day| day.stayed_away.may_have(of.name()))
}

/// All that was counted of one sender domain or network, as far as it is in
/// sight.
fn sum_of(days: &Days, of: &Of, sight: &Sight) -> Waits {
    let mut sum = Waits::default();
    for day in days.values() {
        let from = Bound::Included((of.clone(), String::new()));
        let all = day.counts.range((from, Bound::Unbounded)).take_while(|((one, _), _)| one == of);
        let seen = all.filter(|((_, to), _)| sight.sees_domain(to));
        seen.for_each(|(_, waits)| sum.merge(waits));
    }
    sum
}

impl StoredDay {
    fn of(day: &Day) -> StoredDay {
        let counts = day.counts.iter();
        let counts = counts.map(|((of, to), waits)| (of.clone(), to.clone(), waits.clone()));
        StoredDay {
            hours: day.hours,
            counts: counts.collect(),
            began_never: day.began_never,
            left_out: day.left_out,
            stayed_away: day.stayed_away.stored(),
            notes_who: true,
        }
    }

    fn read(self) -> Day {
        let counts = self.counts.into_iter().map(|(of, to, waits)| ((of, to), waits));
        let counts: Counts = counts.collect();
        let began_never = self.began_never.min(counts.len());
        let (hours, left_out) = (self.hours, self.left_out);
        let stayed_away = match &self.stayed_away {
            Some(marks) => Marks::read(marks),
            None if left_out > 0 && !self.notes_who => Marks::of_all(),
            None => Marks::default(),
        };
        Day { hours, counts, began_never, left_out, stayed_away }
    }
}

/// The domain of an address in comparable form; empty where it has none.
fn domain_of(address: &str) -> String {
    let parsed = address.parse::<EmailAddress>();
    parsed.map(|address| address.domain_key().to_owned()).unwrap_or_default()
}

fn network_of(ip: IpAddr) -> String {
    network_text(ip.to_canonical()).to_string()
}

fn day_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(day_millis())
}

fn day_begin(number: i64) -> Timestamp {
    Timestamp::from_millis(number.saturating_mul(day_millis()))
}

fn bit_of(hour: Timestamp) -> u32 {
    let hours = hour.as_millis().rem_euclid(day_millis()) / 3_600_000;
    1 << hours
}

fn day_millis() -> i64 {
    i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX)
}

fn fact_of(number: i64) -> String {
    format!("{FACT}{number}")
}

#[cfg(test)]
pub(crate) mod tests;
