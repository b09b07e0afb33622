//! What exports cost: CPU seconds, peak memory and size of the file for each
//! format over `ROWS` synthetic events (first argument, 1,000,000).
//!
//! `cargo run --release -p center --example export_cost -- 1000000`

#[path = "../../store/src/events/tests/synthetic.rs"]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test module outside of a test")]
mod synthetic;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use center::metrics::MetricsFromEvents;
use center::{
    Activation, Center, ExportFormat, ExportParts, ExportRequest, Parts, PolicyActivator,
    Readiness, ReadyCheck, SearchRequest, SessionCounters, SessionCounts,
};
use store::contract::Position;
use store::disk::RealDisk;
use store::events::{EventIndex, SealWhat};
use store::state::{SqliteAudit, SqliteState};
use store::{Store, StoreOptions};
use types::policy::BasePolicies;
use types::{Caller, NodeName, Timestamp};
use world::simulated::SimulatedClock;
use world::{FolderSpace, SystemChance};

/// Different events that are pushed again and again under new identifiers.
const PART: u64 = 20_000;

struct Quiet;

impl PolicyActivator for Quiet {
    fn base(&self) -> BasePolicies {
        BasePolicies { size_max_octets: 1, greylist: Default::default(), domains: Vec::new() }
    }

    fn activate(&self, _version: u64, _change: Activation) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

impl SessionCounters for Quiet {
    fn counts(&self) -> SessionCounts {
        SessionCounts::default()
    }
}

impl Readiness for Quiet {
    fn checks(&self) -> Vec<ReadyCheck> {
        Vec::new()
    }
}

#[expect(clippy::print_stdout, reason = "its output is its purpose")]
fn say(text: &str) {
    println!("{text}");
}

/// CPU time of this process so far; the kernel counts in hundredths.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// Memory in use that is not a file's, in MiB.
fn memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |rows| rows.parse())?;
    let folder = tempfile::tempdir()?;
    let from: Timestamp = "2026-11-14T00:00:00Z".parse()?;
    let until = from + Duration::from_secs(7 * 86_400);
    let index = filled(folder.path(), rows, from)?;
    let center = center(folder.path(), index, until)?;
    let caller = Caller::with_all("bench");
    for format in ExportFormat::ALL {
        let request = ExportRequest { format, search: SearchRequest::default(), raw: false };
        let (before, began, idle) = (cpu(), Instant::now(), memory_mib());
        let mut peak = idle;
        let mut job = center.start_export(&caller, request)?;
        while !job.state.is_over() {
            std::thread::sleep(Duration::from_millis(20));
            peak = peak.max(memory_mib());
            job = center.export(&caller, job.id)?;
        }
        let cpu_s = (cpu() - before).as_secs_f64();
        let octets = job.file.as_ref().map_or(0, |file| file.size_octets);
        say(&format!(
            "{}: {} rows, {cpu_s:.2} s of CPU, {:.2} s, {} MiB, at most {} MiB of memory more, {}",
            format.slug(),
            job.rows,
            began.elapsed().as_secs_f64(),
            octets >> 20,
            peak.saturating_sub(idle),
            job.problem.as_deref().unwrap_or(job.state.slug()),
        ));
        center.remove_export(&caller, job.id)?;
    }
    Ok(())
}

/// The events, sealed and merged as after a week.
fn filled(folder: &Path, rows: u64, from: Timestamp) -> Result<EventIndex, Box<dyn Error>> {
    let index = EventIndex::open(Arc::new(RealDisk), folder.join("events"))?;
    let step = Duration::from_micros(7 * 86_400_000_000 / rows.max(1));
    let mut next = 0;
    while next < rows {
        let end = rows.min(next + PART);
        let mut now = from;
        for number in next..end {
            let event = synthetic::event(number, from + step * u32::try_from(number)?);
            now = event.at;
            index.push(Position(number + 1), Arc::new(event));
        }
        next = end;
        index.seal(SealWhat::Due, now)?;
    }
    let until = from + Duration::from_secs(7 * 86_400);
    index.seal(SealWhat::All, until)?;
    index.merge(until)?;
    Ok(index)
}

fn center(folder: &Path, index: EventIndex, now: Timestamp) -> Result<Center, Box<dyn Error>> {
    let options = StoreOptions::simulated(folder.join("store"));
    let (store, _) = Store::open(Arc::new(RealDisk), options, now)?;
    let store = Arc::new(store);
    let parts = Parts {
        log: store.clone(),
        search: Arc::new(index),
        queue: store.clone(),
        triplets: store,
        policies: Arc::new(SqliteState::open(&folder.join("state.db"))?),
        audit: Arc::new(SqliteAudit::open(&folder.join("state.db"))?),
        activator: Arc::new(Quiet),
        sessions: Arc::new(Quiet),
        events: Arc::new(MetricsFromEvents::new()),
        readiness: Arc::new(Quiet),
        clock: Arc::new(SimulatedClock::new(now)),
        chance: Arc::new(SystemChance),
        node: NodeName("mx1".into()),
        daily_log_folder: folder.join("daily"),
        metadata_kept: Duration::from_secs(7 * 86_400),
        program_version: "0",
    };
    let space = Arc::new(FolderSpace::new(folder));
    let exports = ExportParts { folder: folder.join("exports"), space, reserve_octets: 0 };
    Ok(Center::new(parts).with_exports(exports))
}
