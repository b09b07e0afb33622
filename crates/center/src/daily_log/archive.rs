//! The files of several days as one archive, made while it is sent: nothing of
//! it is ever whole in memory or on the disk.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use types::Caller;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::files::read_name;
use super::{LogKind, sums};
use crate::{Center, CenterError};

/// From this size on an entry needs the larger form of the format.
const LARGE_OCTETS: u64 = u32::MAX as u64;
/// The entry with the hashes of the others.
const SUMS: &str = "SHA256SUMS";

/// The daily logs of a kind in a range of days as they are, a file each, with
/// their hashes in the form that `sha256sum --check` reads.
#[derive(Debug)]
pub struct LogArchive {
    /// The name a person saves it under.
    pub name: String,
    folder: PathBuf,
    /// Names of the files, oldest first.
    files: Vec<String>,
}

impl Center {
    /// The daily logs of one kind from a day to a day, both inclusive, as one
    /// archive. The running day is in it as far as it is written.
    ///
    /// # Errors
    ///
    /// Days that are none; [`CenterError::NotFound`] if there is no file.
    pub fn daily_log_archive(
        &self,
        caller: &Caller,
        kind: LogKind,
        from: &str,
        to: &str,
    ) -> Result<LogArchive, CenterError> {
        let files = self.daily_log_days(caller, kind, from, to)?;
        let name = format!("{}-{from}-to-{to}.zip", kind.slug());
        Ok(LogArchive { name, folder: self.parts.daily_log_folder.clone(), files })
    }
}

impl LogArchive {
    /// Writes the archive. Holds one file open at a time.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or `out` that cannot be written; what was
    /// written then is no archive.
    pub fn write_to(self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = Guarded { out, failed: None };
        let written = self.written(&mut out);
        match out.failed {
            Some(error) => Err(error),
            None => written,
        }
    }

    fn written(self, out: &mut Guarded<'_>) -> io::Result<()> {
        let mut archive = ZipWriter::new_stream(out);
        let mut all_sums = String::new();
        for name in &self.files {
            let file = File::open(self.folder.join(name))?;
            let size = file.metadata()?.len();
            let day = read_name(name).map_or("", |(_, day, _)| day);
            archive.start_file(name.as_str(), options(day, size))?;
            // No more than there was: the file of the running day grows.
            let sum = sums::copied(&mut file.take(size), &mut archive)?;
            all_sums += &sums::line(&sum, name);
        }
        let last = self.files.last().and_then(|name| read_name(name)).map_or("", |(_, day, _)| day);
        archive.start_file(SUMS, options(last, 0))?;
        archive.write_all(all_sums.as_bytes())?;
        archive.finish()?.flush()
    }
}

/// How an entry is written; its time is the beginning of its day.
fn options(day: &str, size_octets: u64) -> SimpleFileOptions {
    let date = day.parse::<jiff::civil::Date>().ok();
    let date = date.and_then(|date| {
        let part = |number: i8| u8::try_from(number).ok();
        let year = u16::try_from(date.year()).ok()?;
        let (month, day) = (part(date.month())?, part(date.day())?);
        zip::DateTime::from_date_and_time(year, month, day, 0, 0, 0).ok()
    });
    SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(date.unwrap_or_default())
        .unix_permissions(0o600)
        .large_file(size_octets >= LARGE_OCTETS)
}

/// Remembers the first failure and takes what comes after it for nothing: an
/// archive that is dropped half done writes its end, and complains on
/// standard error if it cannot.
struct Guarded<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Write for Guarded<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.failed.is_some() {
            return Ok(octets.len());
        }
        self.out.write(octets).map_err(|error| self.fail(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failed.is_some() {
            return Ok(());
        }
        self.out.flush().map_err(|error| self.fail(error))
    }
}

impl Guarded<'_> {
    fn fail(&mut self, error: io::Error) -> io::Error {
        let told = io::Error::new(error.kind(), "the archive could not be written");
        self.failed = Some(error);
        told
    }
}
