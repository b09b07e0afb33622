//! A disk in memory that knows what was flushed and what was only written,
//! and that fails on request: full, failing, or gone at the n-th operation.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::ruins::{Chance, Content};
use super::{Disk, DiskFile, DiskLock};

/// How a simulated machine went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process died (`kill -9`): what was written is still there.
    Kill,
    /// The power went: only what was synced is sure to be there. Of the
    /// rest, the seed says which writes survived, which did not and which
    /// were torn, and how many of the unsynced renamings happened.
    PowerCut {
        /// The same seed gives the same ruins.
        seed: u64,
    },
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Machine>);

#[derive(Debug, Default)]
struct Machine {
    state: Mutex<State>,
}

type Inode = u64;

#[derive(Debug, Default)]
struct State {
    contents: BTreeMap<Inode, Content>,
    /// The names as the running system sees them.
    names: BTreeMap<PathBuf, Inode>,
    /// The names that survive a power cut.
    names_durable: BTreeMap<PathBuf, Inode>,
    /// Changes to names since the last sync of their folder, in order.
    names_pending: Vec<(PathBuf, Option<Inode>)>,
    locks: BTreeSet<PathBuf>,
    inode_next: Inode,
    operations: u64,
    crash_at: Option<u64>,
    capacity_octets: Option<u64>,
    writes_fail: bool,
    syncs_fail: bool,
}

impl Default for SimulatedDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimulatedDisk {
    /// An empty disk without limits or faults.
    pub fn new() -> Self {
        SimulatedDisk(Arc::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Operations done so far, reads not counted.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the machine go down at the `nth` operation from now on (1 is the
    /// next); that operation and all after it fail.
    pub fn crash_after(&self, nth: u64) {
        let mut state = self.state();
        state.crash_at = Some(state.operations + nth);
    }

    /// Whether the machine is down.
    pub fn is_down(&self) -> bool {
        self.state().is_down()
    }

    /// The room for all files together; `None` is no limit.
    pub fn set_capacity(&self, octets: Option<u64>) {
        self.state().capacity_octets = octets;
    }

    /// Octets of all files that have a name.
    pub fn used_octets(&self) -> u64 {
        self.state().used()
    }

    /// Lets every write fail with an I/O error.
    pub fn fail_writes(&self, fail: bool) {
        self.state().writes_fail = fail;
    }

    /// Lets every sync fail with an I/O error.
    pub fn fail_syncs(&self, fail: bool) {
        self.state().syncs_fail = fail;
    }

    /// Flips bits of the octet at `offset` of a file, as a bad disk does.
    pub fn damage(&self, path: &Path, offset: u64, bits: u8) {
        let mut state = self.state();
        let Some(inode) = state.names.get(path).copied() else { return };
        let Some(content) = state.contents.get_mut(&inode) else { return };
        let Ok(offset) = usize::try_from(offset) else { return };
        for octets in [&mut content.written, &mut content.durable] {
            if let Some(octet) = octets.get_mut(offset) {
                *octet ^= bits;
            }
        }
    }

    /// Every file with its length, in the order of the paths.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.state();
        let octets = |inode| state.contents.get(inode).map_or(0, |c| c.written.len() as u64);
        state.names.iter().map(|(path, inode)| (path.clone(), octets(inode))).collect()
    }

    /// The disk as the next process finds it. This one stays down, whoever
    /// still holds it.
    #[must_use]
    pub fn restart(&self, crash: Crash) -> SimulatedDisk {
        let mut old = self.state();
        old.crash_at = Some(old.operations);
        let mut new = State { inode_next: old.inode_next, ..State::default() };
        new.capacity_octets = old.capacity_octets;
        match crash {
            Crash::Kill => {
                new.names = old.names.clone();
                new.contents = old.contents.clone();
                new.names_durable = old.names_durable.clone();
                new.names_pending = old.names_pending.clone();
            }
            Crash::PowerCut { seed } => old.after_power_cut(seed, &mut new),
        }
        SimulatedDisk(Arc::new(Machine { state: Mutex::new(new) }))
    }
}

impl State {
    fn is_down(&self) -> bool {
        self.crash_at.is_some_and(|at| self.operations >= at)
    }

    fn used(&self) -> u64 {
        let octets = |inode| self.contents.get(inode).map_or(0, |c: &Content| c.written.len());
        self.names.values().map(|inode| octets(inode) as u64).sum()
    }

    /// Counts an operation that changes something.
    fn operate(&mut self) -> io::Result<()> {
        self.alive()?;
        self.operations += 1;
        self.alive()
    }

    fn alive(&self) -> io::Result<()> {
        if self.is_down() { Err(io::Error::other("the machine is down")) } else { Ok(()) }
    }

    fn room_for(&self, octets: usize) -> io::Result<()> {
        match self.capacity_octets {
            Some(capacity) if self.used() + octets as u64 > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    fn inode(&self, path: &Path) -> io::Result<Inode> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn set_name(&mut self, path: &Path, inode: Option<Inode>) {
        match inode {
            Some(inode) => self.names.insert(path.to_owned(), inode),
            None => self.names.remove(path),
        };
        self.names_pending.push((path.to_owned(), inode));
    }

    fn after_power_cut(&self, seed: u64, new: &mut State) {
        let mut chance = Chance(seed);
        new.names = self.names_durable.clone();
        let happened = chance.below(self.names_pending.len() as u64 + 1);
        for (path, inode) in self.names_pending.iter().take(happened as usize) {
            match inode {
                Some(inode) => new.names.insert(path.clone(), *inode),
                None => new.names.remove(path),
            };
        }
        new.names_durable = new.names.clone();
        for (inode, content) in &self.contents {
            let octets = content.after_power_cut(&mut chance);
            let content = Content { written: octets.clone(), durable: octets, pending: Vec::new() };
            new.contents.insert(*inode, content);
        }
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    inode: Inode,
}

#[derive(Debug)]
struct SimulatedLock {
    disk: SimulatedDisk,
    path: PathBuf,
}

impl DiskLock for SimulatedLock {
    fn is_in_place(&self) -> bool {
        // Nobody moves a simulated folder.
        true
    }
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.state();
        state.alive()?;
        let content = state.contents.get(&self.inode).map_or(&[][..], |c| &c.written);
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..));
        let rest = rest.unwrap_or(&[]);
        let read = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..read), rest.get(..read)) {
            to.copy_from_slice(from);
        }
        Ok(read)
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate()?;
        if state.writes_fail {
            return Err(io::Error::other("simulated write error"));
        }
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let now = state.contents.get(&self.inode).map_or(0, |c| c.written.len());
        state.room_for((offset + octets.len()).saturating_sub(now))?;
        let content = state.contents.entry(self.inode).or_default();
        Content::write(&mut content.written, offset, octets);
        content.pending.push((offset, octets.to_vec()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate()?;
        if state.syncs_fail {
            return Err(io::Error::other("simulated sync error"));
        }
        if let Some(content) = state.contents.get_mut(&self.inode) {
            for (offset, data) in std::mem::take(&mut content.pending) {
                Content::write(&mut content.durable, offset, &data);
            }
        }
        Ok(())
    }

    fn octets(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.alive()?;
        Ok(state.contents.get(&self.inode).map_or(0, |c| c.written.len() as u64))
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        state.alive()?;
        let inode = state.inode(path)?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn create(&self, path: &Path, octets: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.operate()?;
        if state.writes_fail {
            return Err(io::Error::other("simulated write error"));
        }
        let octets = usize::try_from(octets).map_err(io::Error::other)?;
        state.room_for(octets)?;
        let inode = state.inode_next;
        state.inode_next += 1;
        let zeros = vec![0; octets];
        let content =
            Content { written: zeros.clone(), durable: Vec::new(), pending: vec![(0, zeros)] };
        state.contents.insert(inode, content);
        state.set_name(path, Some(inode));
        Ok(Arc::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn map(&self, path: &Path) -> io::Result<Bytes> {
        self.read(path).map(Bytes::from)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        let inode = state.inode(from)?;
        state.set_name(to, Some(inode));
        state.set_name(from, None);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.inode(path)?;
        state.set_name(path, None);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        let here = state.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(here.filter_map(|p| p.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        self.state().operate()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        if state.syncs_fail {
            return Err(io::Error::other("simulated sync error"));
        }
        let pending = std::mem::take(&mut state.names_pending);
        for (path, inode) in pending {
            if path.parent() != Some(folder) {
                state.names_pending.push((path, inode));
                continue;
            }
            match inode {
                Some(inode) => state.names_durable.insert(path, inode),
                None => state.names_durable.remove(&path),
            };
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let mut state = self.state();
        state.operate()?;
        if !state.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimulatedLock { disk: self.clone(), path: path.to_owned() })))
    }

    fn free_octets(&self, _: &Path) -> io::Result<u64> {
        let state = self.state();
        state.alive()?;
        let capacity = state.capacity_octets.unwrap_or(1 << 50);
        Ok(capacity.saturating_sub(state.used()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_what_was_synced() {
        let disk = SimulatedDisk::new();
        let folder = Path::new("/d");
        let file = disk.create(&folder.join("a"), 4096).unwrap();
        file.write_at(0, b"kept").unwrap();
        file.sync_data().unwrap();
        disk.sync_folder(folder).unwrap();
        file.write_at(2048, &[7; 1024]).unwrap();
        let mut survived = BTreeSet::new();
        for seed in 0..40 {
            let after = disk.restart(Crash::PowerCut { seed }).read(&folder.join("a")).unwrap();
            assert_eq!(after.get(..4).unwrap(), b"kept");
            survived.insert(after.iter().filter(|&&octet| octet == 7).count());
        }
        assert!(survived.contains(&0) && survived.contains(&512) && survived.contains(&1024));
    }

    #[test]
    fn an_unsynced_name_may_be_gone() {
        let disk = SimulatedDisk::new();
        disk.create(Path::new("/d/a"), 0).unwrap();
        let listed =
            |seed| disk.restart(Crash::PowerCut { seed }).list(Path::new("/d")).unwrap().len();
        let seen: BTreeSet<usize> = (0..20).map(listed).collect();
        assert_eq!(seen, BTreeSet::from([0, 1]));
    }

    #[test]
    fn the_machine_goes_down_at_the_chosen_operation() {
        let disk = SimulatedDisk::new();
        let file = disk.create(Path::new("/d/a"), 8).unwrap();
        disk.crash_after(2);
        file.write_at(0, b"1").unwrap();
        assert!(file.write_at(1, b"2").is_err());
        assert!(disk.is_down());
        let again = disk.restart(Crash::Kill);
        assert_eq!(again.read(Path::new("/d/a")).unwrap().first(), Some(&b'1'));
    }
}
