//! The space left in the data folder: what is too full must answer 452 before
//! it promises anything.

use std::io;
use std::path::PathBuf;

/// How much can still be written.
pub trait DiskSpace: Send + Sync + 'static {
    /// Octets that this process may still write. Asks the file system: a
    /// system call of about a microsecond.
    ///
    /// # Errors
    /// The folder is gone or the file system does not answer.
    fn free_octets(&self) -> io::Result<u64>;
}

/// The file system that holds a folder.
#[derive(Clone, Debug)]
pub struct FolderSpace {
    folder: PathBuf,
}

impl FolderSpace {
    /// The file system that holds `folder`, which must exist when asked.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        FolderSpace { folder: folder.into() }
    }
}

impl DiskSpace for FolderSpace {
    fn free_octets(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.folder)?;
        // `f_bavail`, not `f_bfree`: what is kept for root is not ours.
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_space_and_a_missing_one_is_an_error() {
        assert!(FolderSpace::new(std::env::temp_dir()).free_octets().is_ok_and(|free| free > 0));
        let missing = FolderSpace::new("/no such folder/at all").free_octets();
        assert_eq!(missing.map_err(|e| e.kind()), Err(io::ErrorKind::NotFound));
    }
}
