//! Files as the store needs them, behind a trait, so that a full disk, a
//! failing sync and a power cut can be tested like any other input.
//!
//! Everything the store writes goes through [`Disk`], except the database of
//! the policy state. Paths are used as given; [`RealDisk`] is the operating
//! system, [`SimulatedDisk`] a disk in memory that fails on request.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

mod real;
mod ruins;
mod simulated;

pub use real::RealDisk;
pub use simulated::{Crash, SimulatedDisk};

/// A folder tree that can be written, flushed and locked.
///
/// As with POSIX, three things are needed before a new file survives a power
/// cut: its octets are [synced](DiskFile::sync_data), it has its final name,
/// and its folder is [synced](Disk::sync_folder).
pub trait Disk: Send + Sync + Debug {
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a file of `octets` zeros, written out rather than sparse, so
    /// that overwriting it later needs no new space; an existing one is
    /// emptied first. The zeros are not yet synced.
    fn create(&self, path: &Path, octets: u64) -> io::Result<Arc<dyn DiskFile>>;

    /// The whole content of a small file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let mut octets = vec![0; usize::try_from(file.octets()?).map_err(io::Error::other)?];
        let read = file.read_at(0, &mut octets)?;
        octets.truncate(read);
        Ok(octets)
    }

    /// The content of a file that is never changed again, mapped into memory
    /// where the system can do that. It stays readable after removal.
    fn map(&self, path: &Path) -> io::Result<Bytes>;

    /// Gives a file another name in the same file system, replacing what has
    /// that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; whoever has it open can go on reading it.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, sorted; none if the folder does not exist.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes a folder and its parents, unless they are there.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;

    /// Makes the creations, renamings and removals in `folder` durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Locks the file `path` for this process until the value is dropped;
    /// nothing if another has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>>;

    /// Octets that may still be written to the file system of `folder`.
    fn free_octets(&self, folder: &Path) -> io::Result<u64>;
}

/// An open file. Reads and writes name their place, so that threads share it
/// without a cursor.
pub trait DiskFile: Send + Sync + Debug {
    /// Reads at `offset` until `into` is full or the file ends, and says how
    /// much was read.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `octets` at `offset`, growing the file if needed. After
    /// an error any part of it may have been written.
    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()>;

    /// Makes what was written survive a power cut. After an error nobody
    /// knows what of it does: never try again, start afresh.
    fn sync_data(&self) -> io::Result<()>;

    /// The length of the file in octets.
    fn octets(&self) -> io::Result<u64>;
}

/// Held as long as the lock is wanted.
pub trait DiskLock: Send + Sync + Debug {
    /// Whether the locked file is still where it was: no longer so once
    /// somebody removed or moved its folder, and what is written there can
    /// be found by nobody.
    fn is_in_place(&self) -> bool;
}
