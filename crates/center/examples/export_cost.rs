//! What exports cost: CPU seconds, peak memory and size of the file for each
//! format over `ROWS` synthetic events (first argument, 1,000,000).
//!
//! `cargo run --release -p center --example export_cost -- 1000000`

#[path = "../../store/src/events/tests/synthetic.rs"]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test module outside of a test")]
mod synthetic;

mod quiet;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use center::{ExportFormat, ExportRequest, SearchRequest};
use policy::PolicySet;
use quiet::{cpu, say, status_mib};
use store::contract::Position;
use store::disk::RealDisk;
use store::events::{EventIndex, SealWhat};
use types::policy::BasePolicies;
use types::{Caller, Timestamp};

/// Different events that are pushed again and again under new identifiers.
const PART: u64 = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |rows| rows.parse())?;
    let folder = tempfile::tempdir()?;
    let from: Timestamp = "2026-11-14T00:00:00Z".parse()?;
    let until = from + Duration::from_secs(7 * 86_400);
    let index = filled(folder.path(), rows, from)?;
    let base = BasePolicies {
        size_max_octets: 1,
        greylist: Default::default(),
        reputation: Default::default(),
        permitted_lists: Vec::new(),
        lists: Vec::new(),
        limits_recipient_rate: false,
        domains: Vec::new(),
    };
    let (set, _) = PolicySet::compile_fitting(0, Default::default(), &base);
    let center = quiet::center(folder.path(), index, until, Arc::new(set))?;
    let caller = Caller::with_all("bench");
    for format in ExportFormat::ALL {
        let request = ExportRequest { format, search: SearchRequest::default(), raw: false };
        let (before, began, idle) = (cpu(), Instant::now(), status_mib("RssAnon"));
        let mut peak = idle;
        let mut job = center.start_export(&caller, request)?;
        while !job.state.is_over() {
            std::thread::sleep(Duration::from_millis(20));
            peak = peak.max(status_mib("RssAnon"));
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
