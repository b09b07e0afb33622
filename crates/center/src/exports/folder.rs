//! The folder of exports: `{id}.json` says what a job is, `{id}.csv` (or
//! `.xlsx`, `.ndjson`) is its file. Either is written under another name and
//! renamed when it is whole; whatever else lies here is swept away at start.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use types::ExportId;

use super::job::{ExportFormat, ExportJob};

/// The end of names of files that are not whole.
const PART: &str = ".part";

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Opens the folder, making it where it is not, and removes what is half
    /// done or belongs to no job. Gives the jobs that were kept.
    pub(super) fn open(path: &Path) -> io::Result<(Folder, Vec<ExportJob>)> {
        // Rows are metadata of people's mail: nobody else may look.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let folder = Folder(path.to_owned());
        let mut jobs = Vec::new();
        let mut files = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.strip_suffix(".json").map(|_| read(&entry.path())) {
                Some(Some(job)) => jobs.push(job),
                Some(None) | None => files.push((name, entry)),
            }
        }
        for (name, entry) in files {
            let kept = jobs
                .iter()
                .any(|job| job.file.is_some() && name == file_name(job.id, job.request.format));
            if !kept {
                let path = entry.path();
                let folder = entry.file_type()?.is_dir();
                if folder { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
            }
        }
        Ok((folder, jobs))
    }

    /// Where the scratch files of workbooks lie.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Begins the file of a job, under the name of what is not whole.
    pub(super) fn create(&self, job: &ExportJob) -> io::Result<File> {
        private(&self.0.join(file_name(job.id, job.request.format) + PART))
    }

    /// Gives the complete file its name.
    pub(super) fn publish(&self, job: &ExportJob) -> io::Result<()> {
        let name = file_name(job.id, job.request.format);
        fs::rename(self.0.join(name.clone() + PART), self.0.join(name))?;
        File::open(&self.0)?.sync_all()
    }

    /// Removes what there is of the file of a job.
    pub(super) fn discard(&self, job: &ExportJob) -> io::Result<()> {
        let name = file_name(job.id, job.request.format);
        remove(&self.0.join(name.clone() + PART))?;
        remove(&self.0.join(name))
    }

    /// Opens the complete file of a job.
    pub(super) fn read(&self, job: &ExportJob) -> io::Result<File> {
        File::open(self.0.join(file_name(job.id, job.request.format)))
    }

    /// Writes down what a job is.
    pub(super) fn note(&self, job: &ExportJob) -> io::Result<()> {
        let name = format!("{}.json", job.id);
        let part = self.0.join(name.clone() + PART);
        let file = private(&part)?;
        serde_json::to_writer(&file, job)?;
        file.sync_all()?;
        fs::rename(part, self.0.join(name))
    }

    /// Forgets a job and its file.
    pub(super) fn forget(&self, job: &ExportJob) -> io::Result<()> {
        self.discard(job)?;
        remove(&self.0.join(format!("{}.json", job.id)))
    }
}

/// `0199….csv`: of our own making, so no name from outside reaches the disk.
fn file_name(id: ExportId, format: ExportFormat) -> String {
    format!("{id}.{}", format.slug())
}

/// What the files in the folder have in all, in octets; a folder that is not
/// there has none.
pub(super) fn octets_in(folder: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut octets = 0;
    for entry in entries {
        match entry?.metadata() {
            Ok(about) if about.is_file() => octets += about.len(),
            // Removed meanwhile, or scratch of a workbook.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(octets)
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A job as it was written down; nothing if it cannot be read (any more).
fn read(path: &Path) -> Option<ExportJob> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
