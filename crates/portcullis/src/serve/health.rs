//! Whether mail can be taken, for the listeners, for probes and for people.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use center::metrics::{MetricSource, Metrics, Sample};
use center::{NextHopState, Readiness, ReadyCheck, SessionCounters, SessionCounts, presentable};
use deliver::Deliverer;
use receive::Engine;
use store::{Store, StoreError};
use types::Timestamp;
use types::finding::Unavailable;
use world::{DiskSpace, FolderSpace};

use super::dkim::DkimWatch;
use super::kept::SubmittersWatch;
use super::lists::ListsWatch;
use super::names::NamesWatch;
use super::next_hops;
use super::places::PlacesWatch;
use super::recipients::RecipientsWatch;
use super::sources::SourceState;

/// The name of the check that tells of the settings.
pub(crate) const SETTINGS_CHECK: &str = "settings";
/// What the text of that check contains after a reload was refused.
pub(crate) const REFUSED: &str = "refused";

/// What it contains while some settings wait for a restart.
const RESTART_NEEDED: &str = "a restart is needed";

/// What is asked outside, and how it is.
#[derive(Clone)]
pub(super) struct Watched {
    /// Whether the name system answers.
    pub(super) names: Arc<NamesWatch>,
    /// Whether lists answer.
    pub(super) lists: Arc<ListsWatch>,
    /// How old the files of places are.
    pub(super) places: Arc<PlacesWatch>,
    /// Whether directories of recipients can be believed.
    pub(super) recipients: Arc<RecipientsWatch>,
    /// Whether outbound mail is signed.
    pub(super) dkim: Arc<DkimWatch>,
    /// Whether submitters have a listener, and listeners a submitter.
    pub(super) submitters: Arc<SubmittersWatch>,
}

impl Watched {
    /// The metrics with those of all of it that has any.
    pub(super) fn told_in(&self, metrics: Metrics) -> Metrics {
        let metrics = metrics.with(Arc::clone(&self.lists) as _);
        let metrics = metrics.with(Arc::clone(&self.dkim) as _);
        metrics.with(Arc::clone(&self.places) as _).with(Arc::clone(&self.recipients) as _)
    }
}

/// What is looked at.
pub(crate) struct Health {
    store: Arc<Store>,
    deliverer: Deliverer,
    engine: Arc<Engine>,
    /// What is asked outside.
    pub(super) watched: Watched,
    /// Which folder the data folder was at the start: device and number.
    folder: Option<(u64, u64)>,
    /// What became of the last reload, in words.
    settings: Mutex<String>,
    /// Whether everything in them is in force.
    settings_whole: AtomicBool,
    /// Whether that was well.
    settings_taken: AtomicBool,
    /// The files that recipients are looked up in.
    directories: SourceState,
}

impl Health {
    pub(super) fn new(
        store: Arc<Store>,
        deliverer: Deliverer,
        engine: Arc<Engine>,
        watched: Watched,
        now: Timestamp,
    ) -> Arc<Health> {
        let settings = Mutex::new(format!("read at {now}"));
        let folder = identity(store.folder());
        Arc::new(Health {
            store,
            deliverer,
            engine,
            watched,
            folder,
            settings,
            settings_whole: AtomicBool::new(true),
            settings_taken: AtomicBool::new(true),
            // Without them there had been no start.
            directories: SourceState::up_at(now),
        })
    }

    /// Notes whether the files of recipients could be read.
    pub(super) fn directories_read(&self, now: Timestamp, well: bool) {
        self.directories.note(now, well);
    }

    /// Notes what became of a reload: taken, but for these keys, which need a
    /// restart, or refused.
    pub(super) fn reloaded(&self, now: Timestamp, came_of_it: Result<&[String], &str>) {
        self.settings_taken.store(came_of_it.is_ok(), Ordering::Relaxed);
        let whole = came_of_it.is_ok_and(<[String]>::is_empty);
        self.settings_whole.store(whole, Ordering::Relaxed);
        let text = match came_of_it {
            Ok([]) => format!("read at {now}"),
            Ok(keys) => format!(
                "read at {now}; {RESTART_NEEDED} before these changes count: {}",
                keys.join(", ")
            ),
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
            None => needed("store", true, "can be written"),
            Some((_, problem)) => needed("store", false, &problem),
        }
    }

    /// Next hops that take no connection are told of, but mail is still
    /// taken: that is what the queue is for.
    fn next_hops_check(&self) -> ReadyCheck {
        let (hops, now) = (self.deliverer.status().hops, self.engine.now());
        let is_untried = hops.is_empty();
        let hops = hops.into_iter().map(next_hops::state);
        let down: Vec<String> = hops.filter_map(|hop| takes_no_connection(&hop, now)).collect();
        match down.is_empty() {
            true if is_untried => told("next_hops", true, "none was tried yet"),
            true => told("next_hops", true, "all that were tried answer"),
            false => {
                let text = format!("{}; mail for it waits in the queue", down.join("; "));
                told("next_hops", false, &text)
            }
        }
    }

    fn listening_check(&self) -> ReadyCheck {
        match self.engine.health().unavailable() {
            Some(Unavailable::Stopping) => needed("listeners", false, "stopping"),
            _ => {
                let open = self.engine.connections_open();
                needed("listeners", true, &format!("{open} connections open"))
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
            self.watched.names.check(),
            self.watched.lists.check(),
            self.watched.places.check(),
            self.watched.recipients.check(),
            self.watched.dkim.check(),
            self.watched.submitters.check(),
            // A refused reload keeps nobody from taking mail: the old
            // settings are in force.
            told(SETTINGS_CHECK, self.settings_whole.load(Ordering::Relaxed), &settings),
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

impl Health {
    /// How commands were answered, and how many sessions were encrypted.
    fn collect_sessions(&self, out: &mut Vec<Sample>) {
        let mut add = |name: &str, labels: &[&str], value: u64| {
            out.extend(Sample::number(name, labels, value as f64));
        };
        for (verb, class, count) in self.engine.tally().commands().all() {
            if count > 0 {
                let labels = [verb.slug(), class.slug()];
                add("portcullis_smtp_commands_total", &labels, count);
            }
        }
        let (tally, sent) = (self.engine.tally().snapshot(), self.deliverer.status().counts);
        for (result, count) in receive::Proof::RESULTS.iter().zip(tally.proofs) {
            add("portcullis_authentications_total", &[result], count);
        }
        let out_tls = [sent.sessions_tls12, sent.sessions_tls13, sent.sessions_tls_other];
        let out_verified = [
            sent.sessions_verified_tls12,
            sent.sessions_verified_tls13,
            sent.sessions_verified_tls_other,
        ];
        for (direction, sessions, tls, verified) in [
            ("in", tally.sessions, tally.tls, tally.tls_verified),
            ("out", sent.connections_opened, out_tls, out_verified),
        ] {
            let clear = sessions.saturating_sub(tls.iter().sum());
            add("portcullis_tls_sessions_total", &[direction, "none", "no"], clear);
            for (version, (all, yes)) in receive::TLS_VERSIONS.iter().zip(tls.iter().zip(verified))
            {
                let no = all.saturating_sub(yes);
                for (word, count) in [("no", no), ("yes", yes)] {
                    add("portcullis_tls_sessions_total", &[direction, version, word], count);
                }
            }
        }
    }
}

impl Health {
    /// What came of the policies of other domains (MTA-STS).
    fn collect_transport_policies(&self, out: &mut Vec<Sample>) {
        let counts = self.deliverer.status().counts;
        let fetched =
            [("fetched", counts.sts_policies_fetched), ("failed", counts.sts_fetches_failed)];
        for (result, count) in fetched {
            let name = "portcullis_mta_sts_fetches_total";
            out.extend(Sample::number(name, &[result], count as f64));
        }
        let refused = counts.sts_hosts_refused as f64;
        out.extend(Sample::number("portcullis_mta_sts_refusals_total", &[], refused));
    }
}

impl MetricSource for Health {
    fn collect(&self, out: &mut Vec<Sample>) {
        self.collect_sessions(out);
        self.collect_transport_policies(out);
        self.directories.collect("recipient_directories", out);
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

/// Says of a next hop that takes no connection that it does not, why, and
/// when it is tried again.
fn takes_no_connection(hop: &NextHopState, now: Timestamp) -> Option<String> {
    let until = hop.alone_until(now)?;
    let why = hop.last_answer.as_ref().map(|(_, answer)| format!(" ({})", presentable(answer)));
    let (name, why) = (presentable(&hop.name), why.unwrap_or_default());
    Some(format!("{name} takes no connection{why} and is tried again at {until}"))
}

/// Something without which no mail is taken.
fn needed(name: &str, ok: bool, text: &str) -> ReadyCheck {
    ReadyCheck { name: name.to_owned(), ok, needed: true, text: text.to_owned() }
}

/// Something that people are told of, while mail goes on.
fn told(name: &str, ok: bool, text: &str) -> ReadyCheck {
    ReadyCheck { needed: false, ..needed(name, ok, text) }
}
