//! Deciding again on every attempt, on several threads.
//!
//! A thread takes one part of the memory at a time. What it makes of each
//! attempt is small and is handed over part by part, in the order of time;
//! no thread runs more than a part ahead, so memory holds two parts per
//! thread and not the week.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::thread;

use policy::PolicySet;
use policy::replay::{End, EndKind, Forecast, TripletKey, TripletKeys, forecast, recorded_triplet};
use store::search::EventPart;
use types::finding::TripletState;
use types::{Event, EventId, Outcome, Timestamp};

/// Most threads of one replay: the mail needs some too.
const WORKERS_MAX: usize = 4;
/// Attempts after which a thread asks whether to go on.
const ASKED_EVERY: u64 = 1_024;

/// What decides again.
pub(super) struct Looker<'a> {
    live: &'a PolicySet,
    changed: Option<&'a PolicySet>,
    keys: TripletKeys,
    /// For life-lines and pairs; keyed by chance.
    hashing: RandomState,
}

/// What one set makes of an attempt, and the triplet it asks about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prospect {
    pub(super) forecast: Forecast,
    pub(super) wanted: Option<TripletKey>,
}

/// One attempt whose end may differ or depends on the triplet table.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) at: Timestamp,
    pub(super) started: Timestamp,
    pub(super) id: EventId,
    pub(super) life: u64,
    pub(super) pair: u64,
    /// The version of the set that decided.
    pub(super) version: u64,
    pub(super) recorded: End,
    pub(super) triplet: Option<(TripletKey, TripletState)>,
    pub(super) live: Prospect,
    /// Nothing where it is what the live set makes of it.
    pub(super) changed: Option<Prospect>,
}

/// What a thread made of one part.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// To be settled in the order of time.
    pub(super) seen: Vec<Seen>,
    /// Attempts that end as they did, whatever the table says, by kind.
    pub(super) same: [u64; EndKind::ALL.len()],
    /// How often each pair of sender and recipient was accepted.
    pub(super) accepted_pairs: HashMap<u64, u32>,
    /// Life-lines with a message whose content was taken.
    pub(super) accepted_lives: HashSet<u64>,
    unreadable: u64,
    /// Whether the time was over before its end.
    stopped: bool,
}

/// How looking at all parts went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looked {
    /// Records that could not be read.
    pub(super) unreadable: u64,
    /// Whether the time was over before the end.
    pub(super) stopped: bool,
}

impl<'a> Looker<'a> {
    pub(super) fn new(live: &'a PolicySet, changed: Option<&'a PolicySet>, seed: u64) -> Self {
        Looker { live, changed, keys: TripletKeys::new(seed), hashing: RandomState::new() }
    }

    fn part(&self, part: &dyn EventPart, over: &(dyn Fn() -> bool + Sync)) -> Part {
        let mut made = Part::default();
        let mut looked_at = 0_u64;
        made.unreadable = part.attempts(&mut |event| {
            self.attempt(&event, &mut made);
            looked_at += 1;
            made.stopped = looked_at.is_multiple_of(ASKED_EVERY) && over();
            if made.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        made
    }

    fn attempt(&self, event: &Event, made: &mut Part) {
        let Some(outcome) = event.outcome() else { return };
        let Some(live) = self.prospect(self.live, event) else { return };
        let changed = self.changed.and_then(|set| self.prospect(set, event));
        let changed = changed.filter(|changed| *changed != live);
        let recorded = End::recorded(outcome);
        let life = self.hashing.hash_one(event.life_line.as_bytes());
        let pair = self.pair(event);
        if matches!(
            outcome,
            Outcome::Accepted { .. } | Outcome::Passed { .. } | Outcome::Held { .. }
        ) {
            *made.accepted_pairs.entry(pair).or_default() += 1;
            made.accepted_lives.insert(life);
        }
        let triplet = recorded_triplet(event)
            .and_then(|facts| Some((self.keys.of(event, facts.identity)?, facts.state)));
        let settled = changed.is_none()
            && live.forecast.greylist.is_none()
            && triplet.is_none()
            && live.forecast.passing.is_same(&recorded);
        if settled {
            if let Some(count) = made.same.get_mut(recorded.kind as usize) {
                *count += 1;
            }
            return;
        }
        made.seen.push(Seen {
            at: event.at,
            started: event.started,
            id: event.id,
            life,
            pair,
            version: event.record.policy_version,
            recorded,
            triplet,
            live,
            changed,
        });
    }

    fn prospect(&self, set: &PolicySet, event: &Event) -> Option<Prospect> {
        let forecast = forecast(set, event)?;
        let asked = forecast.greylist;
        let wanted = asked.and_then(|greylist| self.keys.of(event, greylist.identity));
        Some(Prospect { forecast, wanted })
    }

    fn pair(&self, event: &Event) -> u64 {
        let subject = &event.subject;
        let from = subject.reverse_path.as_deref().map(types::ReversePath::key);
        let to = subject.recipient.as_ref().map(types::ForwardPath::key);
        self.hashing.hash_one((from, to))
    }
}

/// Looks at every part, and hands what was made of each to `take`, in their
/// order, with the time before which no later part has anything.
pub(super) fn look_at_all(
    parts: &[Box<dyn EventPart>],
    looker: &Looker<'_>,
    over: &(dyn Fn() -> bool + Sync),
    take: &mut dyn FnMut(Part, Timestamp),
) -> Looked {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
    let turns = Turns::new(workers * 2);
    let next = AtomicUsize::new(0);
    let (sender, made) = mpsc::channel();
    let work = |sender: mpsc::Sender<(usize, Part)>| {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(place) else { return };
            turns.wait_for(place);
            if sender.send((place, looker.part(part.as_ref(), over))).is_err() {
                return;
            }
        }
    };
    let mut looked = Looked::default();
    thread::scope(|scope| {
        let mut started = 0;
        for _ in 0..workers {
            let (work, sender) = (&work, sender.clone());
            let thread = thread::Builder::new().name("replay".to_owned());
            started += usize::from(thread.spawn_scoped(scope, move || work(sender)).is_ok());
        }
        if started == 0 {
            // Without a thread of its own it takes longer, that is all.
            turns.all_at_once();
            work(sender.clone());
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (place, part) in made {
            waiting.insert(place, part);
            while let Some(part) = waiting.remove(&due) {
                due += 1;
                looked.unreadable += part.unreadable;
                looked.stopped |= part.stopped;
                let end = Timestamp::from_millis(i64::MAX);
                take(part, parts.get(due).map_or(end, |part| part.oldest()));
                turns.done(due);
            }
        }
    });
    looked
}

/// Keeps threads from running ahead of what has been taken.
struct Turns {
    taken: Mutex<usize>,
    changed: Condvar,
    ahead_max: usize,
    unbound: AtomicBool,
}

impl Turns {
    fn new(ahead_max: usize) -> Self {
        let (taken, changed) = (Mutex::new(0), Condvar::new());
        Turns { taken, changed, ahead_max, unbound: AtomicBool::new(false) }
    }

    fn wait_for(&self, place: usize) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = |taken: &mut usize| {
            place >= *taken + self.ahead_max && !self.unbound.load(Ordering::Relaxed)
        };
        drop(self.changed.wait_while(taken, ahead));
    }

    fn done(&self, taken: usize) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = taken;
        self.changed.notify_all();
    }

    fn all_at_once(&self) {
        self.unbound.store(true, Ordering::Relaxed);
    }
}
