//! Whether mail can be taken, for the listeners, for probes and for people.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use center::metrics::{MetricSource, Sample};
use center::{Readiness, ReadyCheck, SessionCounters, SessionCounts};
use deliver::{Deliverer, HopState};
use receive::Engine;
use store::{Store, StoreError};
use types::Timestamp;
use types::finding::Unavailable;
use world::{DiskSpace, FolderSpace};

use super::names::NamesWatch;

/// The name of the check that tells of the settings.
pub(crate) const SETTINGS_CHECK: &str = "settings";
/// What the text of that check contains after a reload was refused.
pub(crate) const REFUSED: &str = "refused";

/// What is looked at.
pub(crate) struct Health {
    store: Arc<Store>,
    deliverer: Deliverer,
    engine: Arc<Engine>,
    /// Whether the name system answers.
    pub(super) names: Arc<NamesWatch>,
    /// Which folder the data folder was at the start: device and number.
    folder: Option<(u64, u64)>,
    /// What became of the last reload, in words.
    settings: Mutex<String>,
    /// Whether that was well.
    settings_taken: AtomicBool,
}

impl Health {
    pub(super) fn new(
        store: Arc<Store>,
        deliverer: Deliverer,
        engine: Arc<Engine>,
        names: Arc<NamesWatch>,
        now: Timestamp,
    ) -> Arc<Health> {
        let settings = Mutex::new(format!("read at {now}"));
        let folder = identity(store.folder());
        Arc::new(Health {
            store,
            deliverer,
            engine,
            names,
            folder,
            settings,
            settings_taken: AtomicBool::new(true),
        })
    }

    /// Notes what became of a reload.
    pub(super) fn reloaded(&self, now: Timestamp, came_of_it: Result<(), &str>) {
        self.settings_taken.store(came_of_it.is_ok(), Ordering::Relaxed);
        let text = match came_of_it {
            Ok(()) => format!("read at {now}"),
            Err(problem) => format!("the reload at {now} was {REFUSED}: {problem}"),
        };
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// Tells the listeners whether the store can take mail, and gives what
    /// is missing. A server that is stopping goes on stopping.
    pub(super) fn look(&self) -> Option<(Unavailable, String)> {
        let missing = self.store_problem();
        if self.engine.health().unavailable() != Some(Unavailable::Stopping) {
            self.engine.health().set(missing.as_ref().map(|(what, _)| *what));
        }
        missing
    }

    /// What keeps the store from taking mail.
    fn store_problem(&self) -> Option<(Unavailable, String)> {
        // Files that are open can be written for ever after their folder was
        // moved or unmounted; the next start would not find them.
        if identity(self.store.folder()) != self.folder {
            let folder = self.store.folder().display();
            return Some((Unavailable::Store, format!("{folder} is not the folder it was")));
        }
        match self.store.ready() {
            Ok(()) => None,
            Err(error @ StoreError::Full) => Some((Unavailable::Disk, error.to_string())),
            Err(error) => Some((Unavailable::Store, error.to_string())),
        }
    }

    fn store_check(&self) -> ReadyCheck {
        match self.store_problem() {
            None => check("store", true, "can be written"),
            Some((_, problem)) => check("store", false, &problem),
        }
    }

    /// Next hops that take no connection are told of, but mail is still
    /// taken: that is what the queue is for.
    fn next_hops_check(&self) -> ReadyCheck {
        let hops = self.deliverer.status().hops;
        let down: Vec<String> = hops
            .iter()
            .filter(|hop| matches!(hop.state, HopState::BackingOff { .. }))
            .map(|hop| hop.name.to_string())
            .collect();
        match down.is_empty() {
            true => check("next_hops", true, "all that were tried answer"),
            false => check("next_hops", true, &format!("waiting for {}", down.join(", "))),
        }
    }

    fn listening_check(&self) -> ReadyCheck {
        match self.engine.health().unavailable() {
            Some(Unavailable::Stopping) => check("listeners", false, "stopping"),
            _ => {
                let open = self.engine.connections_open();
                check("listeners", true, &format!("{open} connections open"))
            }
        }
    }
}

impl Readiness for Health {
    fn checks(&self) -> Vec<ReadyCheck> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        vec![
            self.store_check(),
            self.listening_check(),
            self.next_hops_check(),
            self.names.check(),
            // A refused reload keeps nobody from taking mail: the old
            // settings are in force.
            check(SETTINGS_CHECK, true, &settings),
        ]
    }
}

impl SessionCounters for Health {
    fn counts(&self) -> SessionCounts {
        let tally = self.engine.tally().snapshot();
        let open = u64::from(self.engine.connections_open());
        SessionCounts {
            sessions_opened: tally.sessions,
            sessions_finished: tally.sessions.saturating_sub(open),
            attempts_opened: tally.opened,
            attempts_finished: tally.ended.iter().sum(),
            attempts_unrecorded: tally.unrecorded,
        }
    }
}

impl MetricSource for Health {
    fn collect(&self, out: &mut Vec<Sample>) {
        let taken = if self.settings_taken.load(Ordering::Relaxed) { 1.0 } else { 0.0 };
        out.extend(Sample::number("portcullis_config_last_reload_success", &[], taken));
        let folder = self.store.folder();
        if let Ok(free) = FolderSpace::new(folder).free_octets() {
            let path = folder.display().to_string();
            out.extend(Sample::number("portcullis_disk_free_bytes", &[&path], free as f64));
        }
    }
}

/// Device and number of a folder; nothing if it is not there.
fn identity(folder: &Path) -> Option<(u64, u64)> {
    let found = std::fs::metadata(folder).ok()?;
    Some((found.dev(), found.ino()))
}

fn check(name: &str, ok: bool, text: &str) -> ReadyCheck {
    ReadyCheck { name: name.to_owned(), ok, text: text.to_owned() }
}
