//! The jobs: each a thread of its own, its standing in memory.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use types::Caller;

use super::{BULK_AT_ONCE, BULK_KEPT_MAX, BulkJob, BulkRequest, BulkState};
use crate::{Center, CenterError};

/// All jobs since the start.
#[derive(Clone)]
pub(crate) struct Jobs {
    state: Arc<Mutex<State>>,
    /// Makes a center of the same parts, which a thread can keep.
    center: Arc<dyn Fn() -> Center + Send + Sync>,
}

#[derive(Default)]
struct State {
    last: u64,
    entries: BTreeMap<u64, Entry>,
}

struct Entry {
    job: BulkJob,
    stop: Arc<AtomicBool>,
}

impl Jobs {
    /// None so far.
    pub(crate) fn new(center: impl Fn() -> Center + Send + Sync + 'static) -> Self {
        Jobs { state: Arc::default(), center: Arc::new(center) }
    }

    pub(super) fn start(
        &self,
        caller: &Caller,
        request: BulkRequest,
    ) -> Result<BulkJob, CenterError> {
        let stop = Arc::new(AtomicBool::new(false));
        let center = (self.center)();
        let job = self.enter(&center, caller, request, &stop)?;
        let (jobs, caller, begun) = (self.clone(), caller.clone(), job.clone());
        let run = move || {
            jobs.run_to_its_end(&center, begun.number, || {
                super::work::run(&center, &caller, &begun, &jobs, &stop)
            });
        };
        let thread = std::thread::Builder::new().name("bulk".to_owned()).spawn(run);
        match thread {
            Ok(_) => Ok(job),
            Err(error) => {
                self.lock().entries.remove(&job.number);
                Err(CenterError::file("starting the job", &error))
            }
        }
    }

    fn enter(
        &self,
        center: &Center,
        caller: &Caller,
        request: BulkRequest,
        stop: &Arc<AtomicBool>,
    ) -> Result<BulkJob, CenterError> {
        let mut state = self.lock();
        let running = state.entries.values().filter(|entry| !entry.job.state.is_over()).count();
        if running >= BULK_AT_ONCE {
            let message = format!("{running} jobs run already; wait until one of them is over");
            return Err(CenterError::invalid(message));
        }
        state.last += 1;
        let job = BulkJob {
            number: state.last,
            by: caller.name.to_string(),
            request,
            state: BulkState::Looking,
            started: center.now(),
            ended: None,
            rows: 0,
            rows_total: None,
            result: None,
            problem: None,
            version: None,
        };
        state.entries.insert(job.number, Entry { job: job.clone(), stop: Arc::clone(stop) });
        while state.entries.len() > BULK_KEPT_MAX {
            let over = state.entries.iter().find(|(_, entry)| entry.job.state.is_over());
            let Some((&oldest, _)) = over else { break };
            state.entries.remove(&oldest);
        }
        Ok(job)
    }

    /// Changes the standing of a job.
    pub(super) fn note(&self, number: u64, change: impl FnOnce(&mut BulkJob)) {
        if let Some(entry) = self.lock().entries.get_mut(&number) {
            change(&mut entry.job);
        }
    }

    /// From here on it stores; unless it was stopped before.
    pub(super) fn begins_to_store(&self, number: u64) -> bool {
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(&number) else { return false };
        if entry.stop.load(Ordering::Acquire) {
            return false;
        }
        entry.job.state = BulkState::Storing;
        true
    }

    /// Does the work of a job, which is over after it, whatever happens: one
    /// that looks for ever would keep its place among those that may run.
    pub(super) fn run_to_its_end(
        &self,
        center: &Center,
        number: u64,
        work: impl FnOnce() -> Result<super::work::Done, CenterError>,
    ) {
        // What the work left half done is in its own hands only: the policy
        // set is changed in one transaction, and locks outlive a panic.
        let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            let stores = self.one(number).is_some_and(|job| job.state == BulkState::Storing);
            Err(CenterError::invalid(match stores {
                true => {
                    "a part of the engine failed while it stored; the audit log says whether \
                         anything was"
                }
                false => "a part of the engine failed; nothing was changed",
            }))
        });
        self.over(center, number, done);
    }

    fn over(&self, center: &Center, number: u64, done: Result<super::work::Done, CenterError>) {
        let ended = Some(center.now());
        self.note(number, |job| {
            job.ended = ended;
            match done {
                Ok(Some((result, version))) => {
                    (job.state, job.result, job.version) = (BulkState::Done, Some(result), version);
                }
                Ok(None) => job.state = BulkState::Cancelled,
                Err(error) => {
                    (job.state, job.problem) = (BulkState::Failed, Some(error.to_string()));
                }
            }
        });
    }

    pub(super) fn cancel(&self, number: u64) {
        if let Some(entry) = self.lock().entries.get_mut(&number)
            && entry.job.state == BulkState::Looking
        {
            entry.stop.store(true, Ordering::Release);
        }
    }

    pub(super) fn one(&self, number: u64) -> Option<BulkJob> {
        self.lock().entries.get(&number).map(|entry| entry.job.clone())
    }

    pub(super) fn all(&self) -> Vec<BulkJob> {
        self.lock().entries.values().rev().map(|entry| entry.job.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
