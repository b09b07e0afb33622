//! A replay as pages show it: the table of ends before and after.

use center::replay::ReplayReport;
use types::Timestamp;

use super::super::Shell;
use super::super::clock::Zone;

/// A replay as pages show it.
pub(crate) struct Report {
    pub(super) seen: ReplayReport,
    zone: Zone,
}

/// One line of the table of a replay.
pub(super) struct TableLine {
    pub(super) before: String,
    /// Heading, count, and whether it is a difference.
    pub(super) counts: Vec<(&'static str, u64, bool)>,
}

/// The columns of the table, as the report names them.
const COLUMNS: [&str; 5] = ["accepted", "held", "deferred", "rejected", "unknown"];

impl Report {
    pub(super) fn of(seen: ReplayReport, shell: &Shell) -> Report {
        Report { seen, zone: Zone::named(shell.zone.name()) }
    }

    pub(super) fn seconds(&self) -> String {
        format!("{:.1}", self.seen.took_ms as f64 / 1e3)
    }

    pub(super) fn when(&self, at: &Timestamp) -> String {
        self.zone.short(*at)
    }

    pub(super) fn lines(&self) -> Vec<TableLine> {
        let line = |line: &center::replay::EndCounts| {
            let counts = COLUMNS.into_iter().zip(line.counts());
            let counts = counts.map(|(after, count)| (after, count, after != line.before));
            TableLine { before: line.before.clone(), counts: counts.collect() }
        };
        self.seen.table.iter().map(line).collect()
    }
}
