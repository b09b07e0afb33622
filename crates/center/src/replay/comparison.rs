//! Settling attempts in the order of time, and counting what differs.

use std::collections::{BTreeMap, HashMap, HashSet};

use policy::PolicySet;
use policy::replay::{End, EndKind, Lack, Settled, Triplets};
use types::evidence::Need;
use types::{EventId, Timestamp};

use super::look::{Part, Prospect, Seen};

/// Most triplets that go another way than they really went.
const SIMULATED_MAX: usize = 2_000_000;
/// Most rows kept behind one cell; more are counted.
const ROWS_KEPT_MAX: usize = 2_000;
/// Most attempts whose fate may be told by a retry.
const LATE_MAX: usize = 2_000_000;
/// Most examples of one cause in the self-check.
const EXAMPLES_MAX: usize = 10;

/// Kinds of ends.
const KINDS: usize = EndKind::ALL.len();

/// One attempt that differs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) id: EventId,
    pub(super) pair: u64,
    pub(super) before: End,
    pub(super) after: End,
    /// Whether its retry tells that it would have been accepted.
    pub(super) by_retry: bool,
}

/// What ended in one way and would end in another.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) count: u64,
    pub(super) by_retry: u64,
    pub(super) rows: Vec<Row>,
}

/// Why the set in force does not decide as was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cause {
    /// The record was made under an older version.
    OtherVersion,
    /// The set in force asks what was not asked then.
    Lacks(Need),
    /// It would go on where the message was never sent.
    Content,
    /// The version is the same: the settings have changed, or we are wrong.
    SameVersion,
}

/// A count with examples.
#[derive(Debug, Default)]
pub(super) struct Cited {
    pub(super) count: u64,
    pub(super) examples: Vec<EventId>,
}

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Comparison {
    version: u64,
    live: Triplets,
    changed: Option<Triplets>,
    /// Not settled yet, because an earlier one may come.
    pending: Vec<Seen>,
    /// Before (rows) against after (columns).
    pub(super) table: [[u64; KINDS]; KINDS],
    pub(super) cells: BTreeMap<(EndKind, EndKind), Cell>,
    pub(super) simulated: u64,
    pub(super) unknown: HashMap<Lack, u64>,
    pub(super) reproduced: u64,
    pub(super) causes: HashMap<Cause, Cited>,
    late: Vec<Late>,
    accepted_pairs: HashMap<u64, u32>,
    accepted_lives: HashSet<u64>,
}

/// An attempt whose content was never sent; a retry of it may have been.
#[derive(Clone, Copy, Debug)]
struct Late {
    life: u64,
    row: Row,
    /// Whether what it is compared with is just as unknown.
    before_too: bool,
}

impl Comparison {
    pub(super) fn new(live: &PolicySet, changed: Option<&PolicySet>) -> Self {
        let table = |set: &PolicySet| Triplets::new(set.base().greylist, SIMULATED_MAX);
        Comparison {
            version: live.version(),
            live: table(live),
            changed: changed.map(table),
            pending: Vec::new(),
            table: [[0; KINDS]; KINDS],
            cells: BTreeMap::new(),
            simulated: 0,
            unknown: HashMap::new(),
            reproduced: 0,
            causes: HashMap::new(),
            late: Vec::new(),
            accepted_pairs: HashMap::new(),
            accepted_lives: HashSet::new(),
        }
    }

    /// Takes what was made of the next part. Nothing before `settled_to`
    /// comes any more.
    pub(super) fn take(&mut self, part: Part, settled_to: Timestamp) {
        for (kind, count) in EndKind::ALL.into_iter().zip(part.same) {
            self.count(kind, kind, count);
            self.reproduced += count;
        }
        for (pair, count) in part.accepted_pairs {
            *self.accepted_pairs.entry(pair).or_default() += count;
        }
        self.accepted_lives.extend(part.accepted_lives);
        self.pending.extend(part.seen);
        self.pending.sort_by_key(|seen| (seen.at, seen.id));
        let due = self.pending.partition_point(|seen| seen.at < settled_to);
        let later = self.pending.split_off(due);
        for seen in std::mem::replace(&mut self.pending, later) {
            self.settle(&seen);
        }
    }

    fn settle(&mut self, seen: &Seen) {
        let live = settle(&mut self.live, &seen.live, seen);
        let after = match &mut self.changed {
            Some(table) => settle(table, seen.changed.as_ref().unwrap_or(&seen.live), seen),
            None => live,
        };
        self.simulated += u64::from(after.simulated);
        // Compared with what the set in force makes of it now: where that is
        // not what was recorded, the change is not to blame.
        let before = match live.end.is_same(&seen.recorded) {
            true => {
                self.reproduced += 1;
                seen.recorded
            }
            false => {
                self.differs(seen, &live.end);
                live.end
            }
        };
        let row = Row { id: seen.id, pair: seen.pair, before, after: after.end, by_retry: false };
        if after.end.lacks == Some(Lack::Content) && self.late.len() < LATE_MAX {
            let before_too = before.lacks == Some(Lack::Content);
            self.late.push(Late { life: seen.life, row, before_too });
        } else {
            self.enter(row);
        }
    }

    fn differs(&mut self, seen: &Seen, live: &End) {
        let cause = match live.lacks {
            _ if seen.version != self.version => Cause::OtherVersion,
            Some(Lack::Evidence(need)) => Cause::Lacks(need),
            Some(Lack::Content) => Cause::Content,
            None => Cause::SameVersion,
        };
        let cited = self.causes.entry(cause).or_default();
        cited.count += 1;
        if cited.examples.len() < EXAMPLES_MAX {
            cited.examples.push(seen.id);
        }
    }

    fn count(&mut self, before: EndKind, after: EndKind, count: u64) {
        let row = self.table.get_mut(before as usize);
        if let Some(cell) = row.and_then(|row| row.get_mut(after as usize)) {
            *cell += count;
        }
    }

    fn enter(&mut self, row: Row) {
        self.count(row.before.kind, row.after.kind, 1);
        if let Some(lack) = row.after.lacks {
            *self.unknown.entry(lack).or_default() += 1;
        }
        if row.before.is_same(&row.after) {
            return;
        }
        let cell = self.cells.entry((row.before.kind, row.after.kind)).or_default();
        cell.count += 1;
        cell.by_retry += u64::from(row.by_retry);
        if cell.rows.len() < ROWS_KEPT_MAX {
            cell.rows.push(row);
        }
    }

    /// Enters what waited for a retry, now that all retries are known: a
    /// message whose next attempt was accepted would have been accepted at
    /// once.
    pub(super) fn finish(&mut self) {
        for late in std::mem::take(&mut self.late) {
            let mut row = late.row;
            if self.accepted_lives.contains(&late.life) {
                row.after = End::accepted();
                row.by_retry = true;
                if late.before_too {
                    row.before = row.after;
                }
            }
            self.enter(row);
        }
    }

    /// How often a message of this pair was accepted in the time replayed.
    pub(super) fn accepted(&self, pair: u64) -> u32 {
        self.accepted_pairs.get(&pair).copied().unwrap_or(0)
    }
}

fn settle(table: &mut Triplets, prospect: &Prospect, seen: &Seen) -> Settled {
    table.settle(&prospect.forecast, prospect.wanted, seen.triplet, seen.started)
}
