//! What came of a replay, for people and programs.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use policy::replay::{End, EndKind, Lack};
use serde::{Deserialize, Serialize};
use types::{EventId, PolicyRef, Reference, Timestamp};

use super::change::ChangedSet;
use super::comparison::{Cause, Cell, Comparison, Row as Kept};
use super::look::Looked;
use crate::explain::decider::need_title;
use crate::sight::SeenEvents;
use crate::{Center, CenterError, Row, VersionDifference};

/// Most rows shown behind one cell.
const ROWS_MAX: usize = 200;
/// Most groups named of one cell.
const GROUPS_MAX: usize = 10;

/// What a change of the policy set would have changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReplayReport {
    /// What was changed, in words.
    pub change: String,
    /// What would differ in the policy set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<VersionDifference>,
    /// The version of the policy set in force, with which it is compared.
    pub version: u64,
    /// The first instant replayed.
    pub from: Timestamp,
    /// The end of the time replayed, exclusive.
    pub to: Timestamp,
    /// What was asked for and is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clipped: Option<String>,
    /// Attempts decided again.
    pub attempts: u64,
    /// Of these, those whose end is certain.
    pub exact: u64,
    /// Those for which the triplet table was simulated.
    pub simulated: u64,
    /// Those of which nobody can know.
    pub unknown: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether it was ended after a minute, before its end.
    pub stopped: bool,
    /// Attempts whose record could not be read.
    pub unreadable: u64,
    /// Spans of time that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Before against after: one line for each kind of end before.
    pub table: Vec<EndCounts>,
    /// What would have ended otherwise, the weightiest first.
    pub cells: Vec<ReplayCell>,
    /// Why ends are unknown, the commonest first.
    pub unknown_because: Vec<Counted>,
    /// Whether the set in force decides as was recorded.
    pub self_check: SelfCheck,
}

/// One line of the table: how often what ended so would have ended how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EndCounts {
    /// How it ended under the policy set in force.
    pub before: String,
    /// Would have been accepted.
    pub accepted: u64,
    /// Would have been held.
    pub held: u64,
    /// Would have been deferred.
    pub deferred: u64,
    /// Would have been rejected.
    pub rejected: u64,
    /// Nobody can know.
    pub unknown: u64,
}

impl EndCounts {
    /// The counts, in the order of [`EndKind::ALL`].
    pub fn counts(&self) -> [u64; 5] {
        [self.accepted, self.held, self.deferred, self.rejected, self.unknown]
    }
}

/// What ended in one way and would have ended in another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReplayCell {
    /// How it ended.
    pub before: String,
    /// How it would have ended.
    pub after: String,
    /// How many.
    pub count: u64,
    /// How many of these were accepted when they came back, and so would
    /// have been at once.
    pub by_retry: u64,
    /// The commonest clients among the rows that are shown.
    pub groups: Vec<Group>,
    /// Some of them: established senders first, then the newest.
    pub rows: Vec<ReplayRow>,
}

/// A client and how many rows are of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Group {
    /// The address.
    pub client: String,
    /// How many of the rows.
    pub count: u64,
}

/// One attempt that would have ended otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReplayRow {
    /// The attempt.
    pub attempt: Row,
    /// How it ended, and who decided.
    pub before: String,
    /// How it would have ended, and who would have decided.
    pub after: String,
    /// How often this sender was accepted for this recipient in that time.
    pub accepted_before: u32,
}

/// A count and what it is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Counted {
    /// What was counted.
    pub text: String,
    /// How often.
    pub count: u64,
    /// References of some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Reference>,
}

/// Whether the policy set in force decides as was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SelfCheck {
    /// Attempts it decides as was recorded.
    pub same: u64,
    /// Attempts it decides otherwise.
    pub different: u64,
    /// Why, the commonest first.
    pub because: Vec<Counted>,
}

/// How a replay ran.
pub(super) struct Ran {
    /// The version of the policy set in force.
    pub(super) version: u64,
    pub(super) times: Range<Timestamp>,
    pub(super) clipped: Option<String>,
    pub(super) took: Duration,
    pub(super) looked: Looked,
    pub(super) missing: Vec<Range<Timestamp>>,
}

impl Center {
    /// Puts together what is shown; the rows are read only here.
    pub(super) fn report(
        &self,
        seen: &SeenEvents,
        mut comparison: Comparison,
        ran: Ran,
        change: ChangedSet,
    ) -> Result<ReplayReport, CenterError> {
        comparison.finish();
        let table = table(&comparison);
        let attempts = table.iter().flat_map(EndCounts::counts).sum::<u64>();
        let unknown = table.iter().map(|line| line.unknown).sum::<u64>();
        let cells = std::mem::take(&mut comparison.cells);
        let mut shown = Vec::new();
        for ((before, after), cell) in cells {
            shown.push(shown_cell(seen, (before, after), cell, &comparison)?);
        }
        shown.sort_by_key(|cell| (weight(cell), std::cmp::Reverse(cell.count)));
        Ok(ReplayReport {
            change: change.what,
            differences: change.differences,
            version: ran.version,
            from: ran.times.start,
            to: ran.times.end,
            clipped: ran.clipped,
            attempts,
            exact: attempts.saturating_sub(unknown + comparison.simulated),
            simulated: comparison.simulated,
            unknown,
            took_ms: u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX),
            stopped: ran.looked.stopped,
            unreadable: ran.looked.unreadable,
            missing: ran.missing.iter().map(|s| format!("{} to {}", s.start, s.end)).collect(),
            table,
            cells: shown,
            unknown_because: unknown_because(&comparison),
            self_check: self_check(&comparison),
        })
    }
}

/// A cell with its rows as the caller sees them.
fn shown_cell(
    seen: &SeenEvents,
    (before, after): (EndKind, EndKind),
    cell: Cell,
    comparison: &Comparison,
) -> Result<ReplayCell, CenterError> {
    let mut kept = cell.rows;
    // Established senders first, then the newest; identifiers begin with
    // their time.
    kept.sort_by_key(|row| std::cmp::Reverse((comparison.accepted(row.pair), row.id)));
    kept.truncate(ROWS_MAX);
    let mut rows = Vec::with_capacity(kept.len());
    let mut clients: HashMap<String, u64> = HashMap::new();
    for row in &kept {
        // It may have been dropped since.
        let Some(event) = seen.event(row.id)? else { continue };
        *clients.entry(event.subject.client.client.ip.to_string()).or_default() += 1;
        rows.push(ReplayRow {
            attempt: Row::of(&event),
            before: end_text(&row.before),
            after: after_text(row),
            accepted_before: comparison.accepted(row.pair),
        });
    }
    let mut groups: Vec<Group> =
        clients.into_iter().map(|(client, count)| Group { client, count }).collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.client.cmp(&b.client)));
    groups.truncate(GROUPS_MAX);
    Ok(ReplayCell {
        before: before.slug().to_owned(),
        after: after.slug().to_owned(),
        count: cell.count,
        by_retry: cell.by_retry,
        groups,
        rows,
    })
}

/// What a person should see first: mail that would be lost, then mail that
/// would come in, then the rest.
fn weight(cell: &ReplayCell) -> u8 {
    match (cell.before.as_str(), cell.after.as_str()) {
        ("accepted", "rejected" | "held") => 0,
        ("rejected", "accepted") => 1,
        (_, "unknown") => 3,
        _ => 2,
    }
}

fn table(comparison: &Comparison) -> Vec<EndCounts> {
    let lines = EndKind::ALL.into_iter().zip(comparison.table);
    lines
        .map(|(before, [accepted, held, deferred, rejected, unknown])| EndCounts {
            before: before.slug().to_owned(),
            accepted,
            held,
            deferred,
            rejected,
            unknown,
        })
        .collect()
}

/// `Rejected: Sender blocked, by policy #30`.
pub(crate) fn end_text(end: &End) -> String {
    let mut text = match end.lacks {
        Some(lack) => return format!("Unknown: {}", lack_text(lack)),
        None => end.kind.slug().to_owned(),
    };
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if let Some(reason) = end.reason.filter(|_| end.kind != EndKind::Accepted) {
        text += &format!(": {}", reason.label());
    }
    text + &match end.policy {
        Some(PolicyRef::Policy { id, .. }) => format!(", by policy {id}"),
        Some(PolicyRef::ManagedSender { id }) => format!(", by managed sender {id}"),
        Some(PolicyRef::Base(kind)) => format!(", by {} of the settings", kind.title()),
        None => String::new(),
    }
}

fn after_text(row: &Kept) -> String {
    match row.by_retry {
        true => "Accepted at once, as its retry was".to_owned(),
        false => end_text(&row.after),
    }
}

/// Why nobody can know.
pub(crate) fn lack_text(lack: Lack) -> String {
    match lack {
        Lack::Content => {
            "it would go on, and the content was never sent, so what that would meet is not known"
                .to_owned()
        }
        Lack::Evidence(need) => format!(
            "{} would be asked now and was not asked then; it is collected from the change on",
            need_title(need)
        ),
    }
}

fn unknown_because(comparison: &Comparison) -> Vec<Counted> {
    let counted = comparison.unknown.iter().map(|(lack, count)| Counted {
        text: lack_text(*lack),
        count: *count,
        examples: Vec::new(),
    });
    commonest_first(counted.collect())
}

fn self_check(comparison: &Comparison) -> SelfCheck {
    let causes = comparison.causes.iter().map(|(cause, cited)| Counted {
        text: cause_text(*cause),
        count: cited.count,
        examples: cited.examples.iter().map(EventId::reference).collect(),
    });
    let because = commonest_first(causes.collect());
    let different = because.iter().map(|counted| counted.count).sum();
    SelfCheck { same: comparison.reproduced, different, because }
}

fn cause_text(cause: Cause) -> String {
    match cause {
        Cause::OtherVersion => {
            "decided by an older version of the policy set, which was changed since".to_owned()
        }
        Cause::Lacks(need) => format!("the record lacks {}", need_title(need)),
        Cause::Content => {
            "the policy set in force would go on, and the content was never sent".to_owned()
        }
        Cause::SameVersion => {
            "the policy set is the same: the settings were changed since, or the gateway decided wrongly"
                .to_owned()
        }
    }
}

fn commonest_first(mut counted: Vec<Counted>) -> Vec<Counted> {
    counted.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
    counted
}
