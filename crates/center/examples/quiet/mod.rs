//! A message center without a gateway around it, and what a process costs:
//! shared by the examples that measure.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use center::metrics::MetricsFromEvents;
use center::{
    Activation, Center, ExportParts, Parts, PolicyActivator, Readiness, ReadyCheck,
    SessionCounters, SessionCounts,
};
use policy::PolicySet;
use store::disk::RealDisk;
use store::events::EventIndex;
use store::state::{SqliteAudit, SqliteState};
use store::{Store, StoreOptions};
use types::policy::BasePolicies;
use types::{NodeName, Timestamp};
use world::simulated::SimulatedClock;
use world::{FolderSpace, SystemChance};

/// Says that nothing happens, and has one policy set.
struct Quiet(Arc<PolicySet>);

impl PolicyActivator for Quiet {
    fn base(&self) -> BasePolicies {
        self.0.base().clone()
    }

    fn in_force(&self) -> Arc<PolicySet> {
        Arc::clone(&self.0)
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
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// CPU time of this process so far; the kernel counts in hundredths.
pub(crate) fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// A line of the kernel's account of this process, in MiB.
pub(crate) fn status_mib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

/// A message center over these events, at `now`.
pub(crate) fn center(
    folder: &Path,
    index: EventIndex,
    now: Timestamp,
    set: Arc<PolicySet>,
) -> Result<Center, Box<dyn Error>> {
    let options = StoreOptions::simulated(folder.join("store"));
    let (store, _) = Store::open(Arc::new(RealDisk), options, now)?;
    let store = Arc::new(store);
    let quiet = Arc::new(Quiet(set));
    let parts = Parts {
        log: store.clone(),
        search: Arc::new(index),
        queue: store.clone(),
        triplets: store.clone(),
        correspondences: store,
        policies: Arc::new(SqliteState::open(&folder.join("state.db"))?),
        audit: Arc::new(SqliteAudit::open(&folder.join("state.db"))?),
        activator: quiet.clone(),
        sessions: quiet.clone(),
        events: Arc::new(MetricsFromEvents::new()),
        readiness: quiet,
        clock: Arc::new(SimulatedClock::new(now)),
        chance: Arc::new(SystemChance),
        node: NodeName("mx1".into()),
        daily_log_folder: folder.join("daily"),
        metadata_kept: Duration::from_secs(7 * 86_400),
        program_version: "0",
    };
    let space = Arc::new(FolderSpace::new(folder));
    let (folder, folder_octets_max) = (folder.join("exports"), u64::MAX);
    let exports = ExportParts { folder, space, reserve_octets: 0, folder_octets_max };
    Ok(Center::new(parts).with_exports(exports))
}
