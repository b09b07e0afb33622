//! The next segment is ready before it is needed: filling 64 MiB with zeros
//! takes far longer than a client should wait.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::segment::{self, Segment};
use super::{Shared, io_error};
use crate::contract::StoreError;

/// What is prepared, and what is asked for.
#[derive(Debug, Default)]
pub(super) struct Preparing {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The segment after the active one, complete and durable.
    next: Option<Arc<Segment>>,
    /// Files of let go segments that can be used again.
    spares: Vec<PathBuf>,
    /// Number and base of the segment that is wanted.
    wanted: Option<(u64, u64)>,
    /// Whether the thread is at work on what was wanted.
    busy: bool,
    stopping: bool,
}

/// Most let go segments that are kept; more only take space.
const SPARES_MAX: usize = 1;

impl Preparing {
    pub(super) fn new(next: Option<Arc<Segment>>, spares: Vec<PathBuf>) -> Self {
        let state = State { next, spares, ..State::default() };
        Preparing { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
    }
}

/// The body of the preparing thread.
pub(super) fn run(shared: &Arc<Shared>) {
    let preparing = &shared.preparing;
    loop {
        let wanted = {
            let idle = |state: &mut State| state.wanted.is_none() && !state.stopping;
            let waited = preparing.changed.wait_while(preparing.state(), idle);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            let Some(wanted) = state.wanted.take().filter(|_| !state.stopping) else { return };
            state.busy = true;
            wanted
        };
        let made = shared.make(wanted.0, wanted.1);
        let mut state = preparing.state();
        state.busy = false;
        // A failure is met again, and told, by whoever needs the segment.
        state.next = made.ok();
        drop(state);
        preparing.changed.notify_all();
    }
}

impl Shared {
    /// The segment `number`, prepared or made now.
    pub(super) fn take_next(&self, number: u64, base: u64) -> Result<Arc<Segment>, StoreError> {
        let busy = |state: &mut State| state.busy;
        let waited = self.preparing.changed.wait_while(self.preparing.state(), busy);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let next = state.next.take().filter(|next| next.number == number && next.base == base);
        state.wanted = None;
        drop(state);
        match next {
            Some(next) => Ok(next),
            None => self.make(number, base),
        }
    }

    /// Asks the thread for the segment after `active`.
    pub(super) fn ask_to_prepare_after(&self, active: &Segment) {
        if !self.options.threads {
            return;
        }
        let mut state = self.preparing.state();
        if state.next.is_none() && !state.busy {
            state.wanted = Some((active.number + 1, active.end()));
            self.preparing.changed.notify_all();
        }
    }

    /// Asks the thread for the next segment, if it is not there.
    pub(super) fn ask_to_prepare(&self) {
        let active = Arc::clone(&self.appender().active);
        self.ask_to_prepare_after(&active);
    }

    /// Makes a segment from a spare one or from nothing, durable with its name.
    fn make(&self, number: u64, base: u64) -> Result<Arc<Segment>, StoreError> {
        let spare = self.preparing.state().spares.pop();
        let made = match spare {
            Some(spare) => self.make_from(&spare, number, base),
            None => self.make_new(number, base),
        };
        made.map(Arc::new).map_err(|error| io_error("preparing the journal", error))
    }

    fn make_new(&self, number: u64, base: u64) -> io::Result<Segment> {
        let octets = self.options.segment_octets;
        // Asked first, so that a full disk costs a question and not the
        // writing of zeros, each time somebody tries.
        if self.disk.free_octets(&self.options.folder)? < octets {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let path = self.options.folder.join(segment::file_name(number));
        let file = self.disk.create(&path, octets)?;
        file.sync_data()?;
        segment::write_header(&*file, number, base)?;
        self.disk.sync_folder(&self.options.folder)?;
        Ok(Segment { file, number, base, octets })
    }

    fn make_from(&self, spare: &Path, number: u64, base: u64) -> io::Result<Segment> {
        let path = self.options.folder.join(segment::file_name(number));
        self.disk.rename(spare, &path)?;
        let file = self.disk.open(&path)?;
        let octets = file.octets()?;
        segment::write_header(&*file, number, base)?;
        self.disk.sync_folder(&self.options.folder)?;
        Ok(Segment { file, number, base, octets })
    }

    /// Keeps the file of a segment for later, or removes it.
    pub(super) fn let_go(&self, segment: Arc<Segment>) -> io::Result<()> {
        let path = self.options.folder.join(segment::file_name(segment.number));
        let spares = self.preparing.state().spares.len();
        // Whoever reads it must not find new records in it.
        let unread = Arc::strong_count(&segment) == 1;
        if unread && spares < SPARES_MAX && segment.octets == self.options.segment_octets {
            let spare = self.options.folder.join(format!("{:016}.spare", segment.number));
            self.disk.rename(&path, &spare)?;
            self.preparing.state().spares.push(spare);
            return Ok(());
        }
        self.disk.remove(&path)
    }
}
