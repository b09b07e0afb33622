//! What is done from time to time: the store's housekeeping, the clock's part
//! of greylisting, retention, the counts of policies.
//!
//! Each chore blocks for the disk, so it has a thread of its own and never
//! waits for another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use center::submitters::Submitters;
use store::state::PolicyState;
use types::finding::Unavailable;

use super::gateway::Gateway;
use super::inspect::whole;
use super::parts::panicked;
use crate::telemetry::watched::Watchers;
use crate::telemetry::{Log, Message};

/// The threads of all chores; they end when this is [stopped](Chores::stop).
pub(super) struct Chores {
    threads: Vec<(Sender<()>, JoinHandle<()>)>,
}

/// How often the store looks after itself, and expired triplets are written.
const OFTEN: Duration = Duration::from_secs(1);
/// How often the daily CSV files grow.
const DAILY_LOG: Duration = Duration::from_secs(5);
/// How often it is looked whether files of lists and places have changed.
const FILES: Duration = Duration::from_secs(10);
/// How often retention ends and counts are kept.
const SELDOM: Duration = Duration::from_secs(60);

impl Chores {
    /// Starts them all.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn start(gateway: &Arc<Gateway>) -> Result<Chores, String> {
        gateway.center.restore_hours().map_err(|error| whole(&error))?;
        let mut chores = Chores { threads: Vec::new() };
        let parts = Arc::clone(gateway);
        let mut accepting = true;
        chores.every(OFTEN, "store", gateway, move || {
            let maintained = parts.store.maintain(parts.clock.now());
            look_at_health(&parts, &mut accepting);
            parts.center.note_hour();
            maintained.map_err(|error| whole(&error))
        })?;
        let parts = Arc::clone(gateway);
        chores.every(OFTEN, "greylist", gateway, move || {
            receive::write_expired(&parts.engine).map(drop).map_err(|error| whole(&error))
        })?;
        let parts = Arc::clone(gateway);
        chores.every(OFTEN, "lists", gateway, move || {
            parts.lists.tell(&parts.log);
            Ok(())
        })?;
        let parts = Arc::clone(gateway);
        chores.every(FILES, "files of lists", gateway, move || parts.lists.reread())?;
        let parts = Arc::clone(gateway);
        chores.every(FILES, "files of places", gateway, move || parts.places.reread())?;
        let parts = Arc::clone(gateway);
        chores.every(FILES, "files of recipients", gateway, move || parts.recipients.reread())?;
        let parts = Arc::clone(gateway);
        chores.every(SELDOM, "recipients", gateway, move || parts.recipients.keep())?;
        let parts = Arc::clone(gateway);
        chores.every(OFTEN, "transport policies", gateway, move || {
            parts.deliverer.keep_policies().map_err(|error| whole(&error))
        })?;
        let parts = Arc::clone(gateway);
        chores.every(DAILY_LOG, "daily log", gateway, move || keep_daily_log(&parts))?;
        let parts = Arc::clone(gateway);
        chores.every(SELDOM, "retention", gateway, move || {
            let count = parts.center.drop_expired().map_err(|error| whole(&error))?;
            if count > 0 {
                parts.log.say(&Message::Dropped { what: "events", count });
            }
            Ok(())
        })?;
        let parts = Arc::clone(gateway);
        chores.every(SELDOM, "counts", gateway, move || note_hits(&parts))?;
        let parts = Arc::clone(gateway);
        chores.every(SELDOM, "reputation", gateway, move || {
            parts.center.learn_acts().map_err(|error| whole(&error))
        })?;
        let parts = Arc::clone(gateway);
        chores.every(SELDOM, "sessions", gateway, move || {
            parts.accounts.tidy().map_err(|error| whole(&error))
        })?;
        let parts = Arc::clone(gateway);
        chores.every(SELDOM, "submitters", gateway, move || note_uses(&parts))?;
        let parts = Arc::clone(gateway);
        chores.every(SELDOM, "exports", gateway, move || {
            parts.center.tidy_exports().map_err(|error| whole(&error))
        })?;
        let parts = Arc::clone(gateway);
        chores.every(OFTEN, "alerts", gateway, move || {
            parts.center.watch_alerts().map_err(|error| whole(&error))
        })?;
        let parts = Arc::clone(gateway);
        chores.every(SELDOM, "requests", gateway, move || {
            parts.center.forget_answered_requests().map(drop).map_err(|error| whole(&error))
        })?;
        Ok(chores)
    }

    /// Does `work` again and again, with `pause` between.
    fn every(
        &mut self,
        pause: Duration,
        name: &'static str,
        gateway: &Gateway,
        work: impl FnMut() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        self.begin(name, Arc::clone(&gateway.log), Turns { pause, once: false }, work)
    }

    /// Does `work` until it has succeeded once.
    pub(super) fn once(
        &mut self,
        name: &'static str,
        log: &Arc<Log>,
        work: impl FnMut() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        self.begin(name, Arc::clone(log), Turns { pause: OFTEN, once: true }, work)
    }

    fn begin(
        &mut self,
        name: &'static str,
        log: Arc<Log>,
        turns: Turns,
        work: impl FnMut() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || again_and_again(turns, name, &log, &stopped, work))
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        self.threads.push((stop, thread));
        Ok(())
    }

    /// Ends all chores; what is under way is finished.
    pub(super) fn stop(self) {
        let (stops, threads): (Vec<_>, Vec<_>) = self.threads.into_iter().unzip();
        drop(stops);
        for thread in threads {
            // A chore that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

/// When a chore is done again.
#[derive(Clone, Copy)]
struct Turns {
    /// Between two of them.
    pause: Duration,
    /// The first success is the end of it.
    once: bool,
}

/// The life of one thread. A failure is told once, not every second.
fn again_and_again(
    turns: Turns,
    work_name: &'static str,
    log: &Log,
    stopped: &Receiver<()>,
    mut work: impl FnMut() -> Result<(), String>,
) {
    let mut told = None;
    loop {
        // One that panics has its next turn like one that fails: a server whose
        // retention or counts ended unnoticed would fill its disk.
        let done = catch_unwind(AssertUnwindSafe(&mut work));
        match done.unwrap_or_else(|panic| Err(panicked(&*panic))) {
            Ok(()) if turns.once => return,
            Ok(()) => told = None,
            Err(problem) if told.as_ref() == Some(&problem) => {}
            Err(problem) => {
                log.say(&Message::WorkFailed { work: work_name, problem: problem.clone() });
                told = Some(problem);
            }
        }
        match stopped.recv_timeout(turns.pause) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Tells listeners and log when mail can no longer be taken, and when it can
/// again.
fn look_at_health(gateway: &Gateway, accepting: &mut bool) {
    match (gateway.health.look(), *accepting) {
        (Some((Unavailable::Stopping, _)), _) | (None, true) | (Some(_), false) => {}
        (Some((_, what)), true) => {
            *accepting = false;
            gateway.log.say(&Message::NotAccepting { what: what.clone() });
            super::systemd::status(&format!("not accepting mail: {what}"));
        }
        (None, false) => {
            *accepting = true;
            gateway.log.say(&Message::Accepting);
            super::systemd::status("accepting mail");
        }
    }
}

/// Lets the daily CSV files grow, and closes days that are over.
pub(super) fn keep_daily_log(gateway: &Gateway) -> Result<(), String> {
    let kept = gateway.center.daily_log().keep(gateway.clock.now());
    kept.map_err(|error| whole(&error))
}

/// Writes down when submitters were there last.
pub(super) fn note_uses(gateway: &Gateway) -> Result<(), String> {
    let submitters = gateway.center.submitters();
    submitters.and_then(Submitters::keep_uses).map_err(|error| whole(&error))
}

/// Keeps what is counted in memory: how often each policy decided, the
/// conservation sum by the hour, and the refusals and the returns of the hours
/// that are over.
pub(crate) fn note_hits(gateway: &Gateway) -> Result<(), String> {
    gateway.center.keep_hours().map_err(|error| whole(&error))?;
    gateway.center.keep_refusals().map_err(|error| whole(&error))?;
    gateway.center.keep_returns().map_err(|error| whole(&error))?;
    keep_hits(&gateway.watchers, &*gateway.state)
}

/// Keeps how often each policy decided. What cannot be stored now is stored
/// with what comes until the next time.
fn keep_hits(watchers: &Watchers, state: &dyn PolicyState) -> Result<(), String> {
    let hits = watchers.take_hits();
    if hits.is_empty() {
        return Ok(());
    }
    state.note_hits(&hits).map_err(|error| {
        watchers.give_back_hits(hits);
        whole(&error)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use center::metrics::MetricsFromEvents;
    use store::state::{HitNote, SqliteState};
    use types::{PolicyId, Timestamp};

    use super::*;
    use crate::settings::kinds::{LogFormat, LogLevel};
    use crate::telemetry::{LogOptions, LogWriter};

    const LOG: &str = "log";

    fn log(folder: &Path) -> (Arc<Log>, LogWriter) {
        let options = LogOptions {
            format: LogFormat::Json,
            level: LogLevel::Info,
            file: Some(folder.join(LOG)),
            waiting_max: 16,
        };
        Log::open(options, Arc::new(world::SystemClock::new())).unwrap()
    }

    /// Does `work`, told which try it is, until it succeeds; gives the number
    /// of tries and what the log was told.
    fn tried(mut work: impl FnMut(u32) -> Result<(), String>) -> (u32, String) {
        let folder = tempfile::tempdir().unwrap();
        let (log, writer) = log(folder.path());
        let (_stop, stopped) = channel();
        let mut tries = 0;
        let turns = Turns { pause: Duration::from_millis(1), once: true };
        again_and_again(turns, "set-up link", &log, &stopped, || {
            tries += 1;
            work(tries)
        });
        writer.close();
        (tries, std::fs::read_to_string(folder.path().join(LOG)).unwrap())
    }

    #[test]
    fn what_is_done_once_is_tried_until_it_succeeds() {
        let locked =
            |tries: u32| if tries < 4 { Err("the database is locked".to_owned()) } else { Ok(()) };
        let (tries, told) = tried(locked);
        assert_eq!((tries, told.lines().count()), (4, 1), "{told}");
    }

    #[test]
    fn work_that_panics_is_told_and_has_its_next_turn() {
        let (tries, told) = tried(|tries| if tries < 3 { panic!("no such row") } else { Ok(()) });
        assert_eq!((tries, told.lines().count()), (3, 1), "{told}");
        assert!(told.contains("it panicked: no such row"), "{told}");
    }

    #[test]
    fn counts_that_cannot_be_stored_are_stored_later() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state");
        let state = SqliteState::open(&file).unwrap();
        let (log, writer) = log(folder.path());
        let watchers = Watchers::new(Arc::clone(&log), Arc::new(MetricsFromEvents::new()));
        let note = |count, ms| HitNote { id: PolicyId(7), count, last: Timestamp::from_millis(ms) };
        watchers.give_back_hits(vec![note(3, 2_000)]);
        let other = rusqlite::Connection::open(&file).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        keep_hits(&watchers, &state).unwrap_err();
        watchers.give_back_hits(vec![note(1, 1_000)]);
        assert_eq!(watchers.take_hits(), [note(4, 2_000)]);
        other.execute_batch("ROLLBACK").unwrap();
        watchers.give_back_hits(vec![note(4, 2_000)]);
        keep_hits(&watchers, &state).unwrap();
        assert_eq!(watchers.take_hits(), []);
        writer.close();
    }
}
