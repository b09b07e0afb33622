//! The disk of the operating system.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{Disk, DiskFile, DiskLock};

/// Files of the machine. They are made readable for the service's user only
/// (mode 0600), because mail and addresses are in them.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// Octets written at once when a file is filled with zeros. File systems keep
/// what was written at once in one folio of the page cache and walk all of its
/// blocks at every later write into it, however short: with a mebibyte at a
/// time, an appended refusal pays for 256 blocks instead of four.
const ZEROS_OCTETS: usize = 16 << 10;
/// Read and write for the owner, nothing for others.
const PRIVATE: u32 = 0o600;

#[derive(Debug)]
struct RealFile(File);

#[derive(Debug)]
struct RealLock {
    /// Closing it ends the lock.
    file: File,
    path: PathBuf,
}

impl DiskLock for RealLock {
    fn is_in_place(&self) -> bool {
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let there = std::fs::metadata(&self.path).map(identity);
        let held = self.file.metadata().map(identity);
        matches!((there, held), (Ok(there), Ok(held)) if there == held)
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.0.write_all_at(octets, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn octets(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn create(&self, path: &Path, octets: u64) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE)
            .open(path)?;
        let filled = fill(&file, octets);
        if filled.is_err() {
            // A file that is too short must not be taken for a whole one,
            // and its space is wanted back when the disk is full.
            drop(std::fs::remove_file(path));
        }
        filled.map(|()| Arc::new(RealFile(file)) as Arc<dyn DiskFile>)
    }

    fn map(&self, path: &Path) -> io::Result<Bytes> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Bytes::new());
        }
        #[expect(
            unsafe_code,
            reason = "mapped files are written once, renamed into place and never changed or cut; \
                      the data folder is locked against other instances"
        )]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Bytes::from_owner(map))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            // Names that are no text are not ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(RealLock { file, path: path.to_owned() }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn free_octets(&self, folder: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(folder)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

fn fill(file: &File, octets: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_OCTETS.min(usize::try_from(octets).unwrap_or(ZEROS_OCTETS))];
    let mut offset = 0;
    while offset < octets {
        let rest = usize::try_from(octets - offset).unwrap_or(ZEROS_OCTETS);
        let piece = zeros.get(..rest.min(zeros.len())).unwrap_or(&zeros);
        file.write_all_at(piece, offset)?;
        offset += piece.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_mapped_renamed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        let disk = RealDisk;
        let file = disk.create(&a, 3 << 20).unwrap();
        file.write_at(5, b"hello").unwrap();
        file.sync_data().unwrap();
        disk.rename(&a, &b).unwrap();
        disk.sync_folder(folder.path()).unwrap();
        assert_eq!(disk.list(folder.path()).unwrap(), ["b"]);
        let map = disk.map(&b).unwrap();
        disk.remove(&b).unwrap();
        assert_eq!(map.get(4..11).unwrap(), b"\0hello\0");
        assert_eq!(map.len(), 3 << 20);
    }

    #[test]
    fn a_lock_is_held_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = RealDisk.lock(&path).unwrap();
        assert!(first.is_some());
        assert!(RealDisk.lock(&path).unwrap().is_none());
        drop(first);
        assert!(RealDisk.lock(&path).unwrap().is_some());
    }

    #[test]
    fn free_space_is_known() {
        let folder = tempfile::tempdir().unwrap();
        assert!(RealDisk.free_octets(folder.path()).unwrap() > 0);
    }

    #[test]
    fn a_lock_knows_that_its_folder_was_moved() {
        let folder = tempfile::tempdir().unwrap();
        let (here, aside) = (folder.path().join("here"), folder.path().join("aside"));
        std::fs::create_dir(&here).unwrap();
        let lock = RealDisk.lock(&here.join("lock")).unwrap().unwrap();
        assert!(lock.is_in_place());
        std::fs::rename(&here, &aside).unwrap();
        assert!(!lock.is_in_place());
        // Another folder of that name is not ours.
        std::fs::create_dir(&here).unwrap();
        std::fs::write(here.join("lock"), "").unwrap();
        assert!(!lock.is_in_place());
        std::fs::remove_dir_all(&here).unwrap();
        std::fs::rename(&aside, &here).unwrap();
        assert!(lock.is_in_place());
    }
}
