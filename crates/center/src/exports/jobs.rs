//! The jobs: which wait, which are written, which are over. A few threads
//! write them, each taking the next that waits, and end when none does.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use types::{AccountId, Caller, ExportId, Timestamp};
use world::Clock;

use super::folder::Folder;
use super::job::{ExportFile, ExportJob, ExportRequest, ExportState};
use super::output::Allowance;
use super::rows::Plan;
use super::work::{self, Ended, Work};
use super::{
    EXPORT_KEPT_FOR, EXPORTS_AT_ONCE, EXPORTS_KEPT_MAX, EXPORTS_KEPT_OF_ONE_MAX,
    EXPORTS_WAITING_MAX, EXPORTS_WAITING_OF_ONE_MAX, ExportParts,
};
use crate::CenterError;

/// What is left free beyond the reserve of the store, in octets: mail goes on
/// while exports have long stopped.
const MARGIN_OCTETS: u64 = 64 << 20;

/// How far a job is, told by the thread that writes it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Rows written.
    pub(super) rows: AtomicU64,
    /// Rows there are, plus one; zero while they are not counted.
    pub(super) total: AtomicU64,
    /// It is not wanted any more.
    pub(super) stop: Arc<AtomicBool>,
}

/// A job in memory.
struct Entry {
    job: ExportJob,
    progress: Arc<Progress>,
    /// What is to be done, until a thread has taken it.
    plan: Option<Plan>,
}

#[derive(Default)]
struct State {
    folder: Option<Folder>,
    entries: BTreeMap<ExportId, Entry>,
    waiting: VecDeque<ExportId>,
    threads: usize,
    stopping: bool,
}

/// All exports of a gateway.
pub(crate) struct Jobs {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    allowance: Allowance,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// A thread has ended.
    ended: Condvar,
}

impl Jobs {
    /// Nothing is read or written before it is needed.
    pub(crate) fn new(parts: ExportParts, clock: Arc<dyn Clock>) -> Self {
        let allowance = Allowance {
            space: parts.space,
            reserve_octets: parts.reserve_octets.saturating_add(MARGIN_OCTETS),
            stop: Arc::default(),
            full: Arc::default(),
            folder: parts.folder.as_path().into(),
            folder_octets_max: parts.folder_octets_max,
            crowded: Arc::default(),
        };
        let (state, ended) = (Mutex::default(), Condvar::new());
        let path = parts.folder;
        Jobs { shared: Arc::new(Shared { path, allowance, clock, state, ended }) }
    }

    /// Queues a job.
    pub(super) fn start(
        &self,
        id: ExportId,
        caller: &Caller,
        request: ExportRequest,
        plan: Plan,
    ) -> Result<ExportJob, CenterError> {
        let shared = &self.shared;
        let mut state = shared.opened()?;
        if state.stopping {
            return Err(CenterError::invalid("the gateway is stopping"));
        }
        let owner = caller.account();
        state.check_room(owner)?;
        if !shared.allowance.folder_has_room().map_err(failed)? {
            return Err(CenterError::invalid(work::CROWDED));
        }
        let job = ExportJob {
            id,
            by: caller.name.to_string(),
            owner,
            request,
            domains: plan.sight().domains().to_vec(),
            groups: plan.sight().groups().to_vec(),
            members: plan.sight().mark().to_owned(),
            state: ExportState::Queued,
            created: shared.clock.now(),
            started: None,
            ended: None,
            times: (plan.times.start, plan.times.end),
            columns: plan.names(),
            rows: 0,
            rows_total: None,
            rows_per_s: 0,
            problem: None,
            missing: Vec::new(),
            file: None,
        };
        shared.note(&state, &job)?;
        let entry = Entry { job: job.clone(), progress: Arc::default(), plan: Some(plan) };
        state.entries.insert(id, entry);
        state.waiting.push_back(id);
        Shared::hire(shared, &mut state)?;
        Ok(job)
    }

    /// Every job, newest first.
    pub(super) fn all(&self) -> Vec<ExportJob> {
        match self.shared.opened() {
            Ok(state) => state.entries.values().rev().map(|entry| self.now(entry)).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// One job.
    pub(super) fn one(&self, id: ExportId) -> Option<ExportJob> {
        let state = self.shared.opened().ok()?;
        state.entries.get(&id).map(|entry| self.now(entry))
    }

    /// A job with what its thread tells of it.
    fn now(&self, entry: &Entry) -> ExportJob {
        let mut job = entry.job.clone();
        if job.state == ExportState::Running {
            advance(&mut job, &entry.progress, self.shared.clock.now());
        }
        job
    }

    /// Stops a job that is not over.
    pub(super) fn cancel(&self, id: ExportId) -> Result<(), CenterError> {
        let shared = &self.shared;
        let mut state = shared.opened()?;
        state.waiting.retain(|waiting| *waiting != id);
        let Some(entry) = state.entries.get_mut(&id) else { return Ok(()) };
        entry.progress.stop.store(true, Ordering::Relaxed);
        if entry.plan.take().is_some() {
            entry.job.state = ExportState::Cancelled;
            entry.job.ended = Some(shared.clock.now());
            let job = entry.job.clone();
            return shared.note(&state, &job);
        }
        // Its thread notices within some thousand rows.
        while state.entries.get(&id).is_some_and(|entry| !entry.job.state.is_over()) {
            state = shared.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Forgets a job that is over.
    pub(super) fn remove(&self, id: ExportId) -> Result<(), CenterError> {
        let mut state = self.shared.opened()?;
        let Some(entry) = state.entries.get(&id).filter(|entry| entry.job.state.is_over()) else {
            return Ok(());
        };
        state.folder()?.forget(&entry.job).map_err(failed)?;
        state.entries.remove(&id);
        Ok(())
    }

    /// The file of a job.
    pub(super) fn open(&self, job: &ExportJob) -> Result<File, CenterError> {
        self.shared.opened()?.folder()?.read(job).map_err(failed)
    }

    /// Forgets jobs that were over longer ago than they are kept.
    pub(super) fn tidy(&self) -> Result<(), CenterError> {
        let mut state = self.shared.opened()?;
        let gone = self.shared.clock.now().before(EXPORT_KEPT_FOR);
        let old: Vec<ExportId> = state
            .entries
            .values()
            .filter(|entry| entry.job.ended.is_some_and(|ended| ended <= gone))
            .map(|entry| entry.job.id)
            .collect();
        for id in old {
            if let Some(entry) = state.entries.get(&id) {
                state.folder()?.forget(&entry.job).map_err(failed)?;
            }
            state.entries.remove(&id);
        }
        Ok(())
    }

    /// Stops everything, and waits until it has.
    pub(super) fn stop(&self) {
        let shared = &self.shared;
        let mut state = shared.state();
        state.stopping = true;
        for entry in state.entries.values() {
            entry.progress.stop.store(true, Ordering::Relaxed);
        }
        while state.threads > 0 {
            state = shared.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    /// Whether there is room for one more, of this account and at all.
    fn check_room(&self, owner: Option<AccountId>) -> Result<(), CenterError> {
        let own = || self.entries.values().filter(|entry| entry.job.owner == owner);
        let own_waiting = own().filter(|entry| entry.job.state == ExportState::Queued).count();
        for (there, most, what) in [
            (own_waiting, EXPORTS_WAITING_OF_ONE_MAX, "of yours are waiting already; wait"),
            (self.waiting.len(), EXPORTS_WAITING_MAX, "are waiting already; wait"),
            (own().count(), EXPORTS_KEPT_OF_ONE_MAX, "of yours are kept already; remove some"),
            (self.entries.len(), EXPORTS_KEPT_MAX, "are kept already; remove some"),
        ] {
            if there >= most {
                return Err(CenterError::invalid(format!("{most} exports {what}")));
            }
        }
        Ok(())
    }

    fn folder(&self) -> Result<&Folder, CenterError> {
        self.folder
            .as_ref()
            .ok_or_else(|| CenterError::NotFound("folder for exports here".to_owned()))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The jobs, read from the folder at the first call. Those that were not
    /// over when the process ended were interrupted.
    fn opened(&self) -> Result<MutexGuard<'_, State>, CenterError> {
        let mut state = self.state();
        if state.folder.is_some() {
            return Ok(state);
        }
        let (folder, jobs) = Folder::open(&self.path).map_err(failed)?;
        for mut job in jobs {
            if !job.state.is_over() {
                job.state = ExportState::Interrupted;
                job.ended = Some(self.clock.now());
                job.rows_per_s = 0;
                folder.note(&job).map_err(failed)?;
            }
            let entry = Entry { progress: Arc::default(), plan: None, job };
            state.entries.insert(entry.job.id, entry);
        }
        state.folder = Some(folder);
        Ok(state)
    }

    fn note(&self, state: &State, job: &ExportJob) -> Result<(), CenterError> {
        state.folder()?.note(job).map_err(failed)
    }

    /// Starts a thread if there is work for one more.
    fn hire(shared: &Arc<Shared>, state: &mut State) -> Result<(), CenterError> {
        if state.threads >= EXPORTS_AT_ONCE {
            return Ok(());
        }
        let worker = Arc::clone(shared);
        let thread = std::thread::Builder::new().name("export".to_owned());
        thread.spawn(move || worker.work()).map_err(failed)?;
        state.threads += 1;
        Ok(())
    }

    /// The life of a thread.
    fn work(&self) {
        let _on_duty = OnDuty(self);
        while let Some(work) = self.next() {
            let id = work.job.id;
            let ended = work::write(&work);
            self.end(id, ended);
        }
    }

    /// Takes the next job that waits.
    fn next(&self) -> Option<Work> {
        let mut state = self.state();
        if state.stopping {
            return None;
        }
        let folder = state.folder.clone()?;
        let id = state.waiting.pop_front()?;
        let entry = state.entries.get_mut(&id)?;
        let plan = entry.plan.take()?;
        entry.job.state = ExportState::Running;
        entry.job.started = Some(self.clock.now());
        let progress = Arc::clone(&entry.progress);
        let (stop, full, crowded) = (Arc::clone(&progress.stop), Arc::default(), Arc::default());
        let allowance = Allowance { stop, full, crowded, ..self.allowance.clone() };
        let job = entry.job.clone();
        Some(Work { job, plan, progress, allowance, folder })
    }

    /// Notes how a job ended. What cannot be written down is interrupted
    /// after a restart, and its file swept away.
    fn end(&self, id: ExportId, ended: Ended) {
        let mut state = self.state();
        let (now, stopping) = (self.clock.now(), state.stopping);
        if let Some(entry) = state.entries.get_mut(&id) {
            let job = &mut entry.job;
            advance(job, &entry.progress, now);
            job.ended = Some(now);
            match ended {
                Ended::Done(written, missing) => {
                    job.state = ExportState::Done;
                    job.rows_total = Some(job.rows);
                    job.missing = missing;
                    job.file = Some(ExportFile {
                        name: work::name_for_people(job),
                        size_octets: written.size_octets,
                        sha256: written.sha256,
                        expires: now + EXPORT_KEPT_FOR,
                    });
                }
                Ended::Stopped if stopping => job.state = ExportState::Interrupted,
                Ended::Stopped => job.state = ExportState::Cancelled,
                Ended::Failed(problem) => {
                    job.state = ExportState::Failed;
                    job.problem = Some(problem);
                }
            }
            let job = job.clone();
            if let Err(error) = self.note(&state, &job)
                && let Some(entry) = state.entries.get_mut(&id)
            {
                entry.job.problem.get_or_insert(error.to_string());
            }
        }
        drop(state);
        self.ended.notify_all();
    }
}

/// Says that a thread has ended, also if it panicked: whoever waits for it
/// would wait for ever.
struct OnDuty<'a>(&'a Shared);

impl Drop for OnDuty<'_> {
    fn drop(&mut self) {
        self.0.state().threads -= 1;
        self.0.ended.notify_all();
    }
}

/// Brings rows and rate of a job up to date.
fn advance(job: &mut ExportJob, progress: &Progress, now: Timestamp) {
    job.rows = progress.rows.load(Ordering::Relaxed);
    job.rows_total = progress.total.load(Ordering::Relaxed).checked_sub(1);
    let millis = job.started.map_or(0, |started| now.since(started).as_millis());
    let rate = u128::from(job.rows) * 1_000 / millis.max(1);
    job.rows_per_s = u64::try_from(rate).unwrap_or(u64::MAX);
}

fn failed(error: impl Into<std::io::Error>) -> CenterError {
    CenterError::file("keeping exports", &error.into())
}
