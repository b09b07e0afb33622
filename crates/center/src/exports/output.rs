//! The file an export is written to: it keeps the reserve of the disk, is
//! hashed as it goes where it is written from front to back, and notices
//! that somebody does not want it any more.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};
use world::DiskSpace;

use super::folder::octets_in;
use super::sink::Written;

/// Octets gathered before they are written, hashed and counted.
const BUFFER_OCTETS: usize = 256 * 1024;
/// How often the space left is asked for, in octets written.
const ASK_EVERY_OCTETS: u64 = 8 << 20;

/// How much may be written, and whether at all.
#[derive(Clone)]
pub(super) struct Allowance {
    /// The space left.
    pub(super) space: Arc<dyn DiskSpace>,
    /// What must be left, in octets: the reserve of the store, where mail
    /// stops being accepted, and a margin, so that an export stops first.
    pub(super) reserve_octets: u64,
    /// Somebody wants it no more.
    pub(super) stop: Arc<AtomicBool>,
    /// Whether the disk was ever found full: libraries in between do not
    /// always pass on why a write failed.
    pub(super) full: Arc<AtomicBool>,
    /// The folder of all exports.
    pub(super) folder: Arc<Path>,
    /// What the files in it may have in all, in octets.
    pub(super) folder_octets_max: u64,
    /// Whether they were ever found to have more.
    pub(super) crowded: Arc<AtomicBool>,
}

impl Allowance {
    /// Whether there is space and a wish to go on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::StorageFull`], or [`NotWanted`] as
    /// [`io::ErrorKind::Other`].
    pub(super) fn check(&self) -> io::Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other(NotWanted));
        }
        if self.space.free_octets()? < self.reserve_octets {
            self.full.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// The same, and whether the folder has room: asked less often, because
    /// every file in it is looked at.
    ///
    /// # Errors
    ///
    /// As [`Allowance::check`], or [`Crowded`] as [`io::ErrorKind::Other`].
    pub(super) fn check_folder(&self) -> io::Result<()> {
        self.check()?;
        match self.folder_has_room()? {
            true => Ok(()),
            false => Err(io::Error::other(Crowded)),
        }
    }

    /// Whether the files in the folder have less than they may.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub(super) fn folder_has_room(&self) -> io::Result<bool> {
        let room = octets_in(&self.folder)? <= self.folder_octets_max;
        if !room {
            self.crowded.store(true, Ordering::Relaxed);
        }
        Ok(room)
    }
}

/// The folder of exports has all it may have.
#[derive(Debug, thiserror::Error)]
#[error("the folder is full")]
pub(super) struct Crowded;

/// Somebody stopped the export.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
pub(super) struct NotWanted;

/// Writes octets that are counted and watched.
struct Watched {
    file: File,
    allowance: Allowance,
    unasked_octets: u64,
}

impl Watched {
    fn new(file: File, allowance: Allowance) -> Self {
        Watched { file, allowance, unasked_octets: ASK_EVERY_OCTETS }
    }

    fn ask(&mut self, octets: usize) -> io::Result<()> {
        self.unasked_octets += octets as u64;
        if self.unasked_octets >= ASK_EVERY_OCTETS {
            self.unasked_octets = 0;
            self.allowance.check_folder()?;
        }
        Ok(())
    }
}

/// A file written from front to back.
pub(super) struct Stream(BufWriter<Hashed>);

struct Hashed {
    watched: Watched,
    hash: Sha256,
    octets: u64,
}

impl Write for Hashed {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.watched.ask(octets.len())?;
        let written = self.watched.file.write(octets)?;
        self.hash.update(octets.get(..written).unwrap_or(octets));
        self.octets += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.watched.file.flush()
    }
}

/// Where rows of a text format go.
pub(super) trait Output {
    /// Appends octets.
    fn put(&mut self, octets: &[u8]) -> io::Result<()>;

    /// All is written: makes it durable, where it is kept.
    fn finish(self: Box<Self>) -> io::Result<Written>;
}

impl Stream {
    /// Writes to this file, which is empty.
    pub(super) fn new(file: File, allowance: Allowance) -> Self {
        let watched = Watched::new(file, allowance);
        let hashed = Hashed { watched, hash: Sha256::new(), octets: 0 };
        Stream(BufWriter::with_capacity(BUFFER_OCTETS, hashed))
    }
}

/// A reader who is waiting: nothing is kept.
pub(super) struct Passed<'a>(pub(super) &'a mut dyn Write);

impl Output for Passed<'_> {
    fn put(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.write_all(octets)
    }

    fn finish(self: Box<Self>) -> io::Result<Written> {
        self.0.flush()?;
        Ok(Written { size_octets: 0, sha256: String::new() })
    }
}

impl Output for Stream {
    fn put(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.write_all(octets)
    }

    fn finish(self: Box<Self>) -> io::Result<Written> {
        let hashed = self.0.into_inner().map_err(io::IntoInnerError::into_error)?;
        hashed.watched.allowance.check_folder()?;
        hashed.watched.file.sync_all()?;
        Ok(Written {
            size_octets: hashed.octets,
            sha256: types::hexadecimal(&hashed.hash.finalize()),
        })
    }
}

/// A file in which the writer moves about; hashed when it is complete.
pub(super) struct Movable(Watched);

impl Movable {
    /// Writes to this file, which is empty.
    pub(super) fn new(file: File, allowance: Allowance) -> Self {
        Movable(Watched::new(file, allowance))
    }
}

impl Write for Movable {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.ask(octets.len())?;
        self.0.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.file.flush()
    }
}

impl Seek for Movable {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.file.seek(to)
    }
}

/// Makes a complete file durable, and reads it once for its hash.
pub(super) fn finish(mut file: File, allowance: &Allowance) -> io::Result<Written> {
    allowance.check_folder()?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER_OCTETS];
    let mut size_octets = 0;
    loop {
        allowance.check()?;
        match file.read(&mut buffer)? {
            0 => break,
            read => {
                hash.update(buffer.get(..read).unwrap_or(&[]));
                size_octets += read as u64;
            }
        }
    }
    Ok(Written { size_octets, sha256: types::hexadecimal(&hash.finalize()) })
}
