//! The two files of one day: their names, and making them whole.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use types::Event;

use super::LogKind;
use super::row::{COLUMNS, write_row};
use crate::CenterError;

/// `rejected-2026-11-21.csv`, with `.part` while the day runs.
pub(super) fn file_name(kind: LogKind, date: &str, closed: bool) -> String {
    format!("{}-{date}.csv{}", kind.slug(), if closed { "" } else { ".part" })
}

/// Kind, day and whether it is closed, if this is the name of a daily log.
pub(super) fn read_name(name: &str) -> Option<(LogKind, &str, bool)> {
    let kind = LogKind::ALL.into_iter().find(|kind| name.starts_with(kind.slug()))?;
    let rest = name.strip_prefix(kind.slug())?.strip_prefix('-')?;
    let (stem, closed) = match rest.strip_suffix(".part") {
        Some(stem) => (stem, false),
        None => (rest, true),
    };
    let day = stem.strip_suffix(".csv")?;
    let is_date = day.len() == 10
        && day.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_date.then_some((kind, day, closed))
}

type CsvFile = csv::Writer<BufWriter<File>>;

/// Both files of a day, being written.
pub(super) struct DayFiles {
    folder: PathBuf,
    date: String,
    suffix: &'static str,
    rejected: CsvFile,
    deferred: CsvFile,
}

impl DayFiles {
    /// Begins both files anew, with their header lines; `suffix` follows the
    /// name until [`DayFiles::publish`].
    pub(super) fn create(
        folder: &Path,
        date: &str,
        suffix: &'static str,
    ) -> Result<Self, CenterError> {
        let open = |kind: LogKind| {
            let path = folder.join(file_name(kind, date, true) + suffix);
            let file = File::create(&path).map_err(|error| failed(&error))?;
            let mut writer = csv::WriterBuilder::new()
                .terminator(csv::Terminator::CRLF)
                .from_writer(BufWriter::new(file));
            writer.write_record(COLUMNS).map_err(|error| failed(&error.into()))?;
            Ok::<CsvFile, CenterError>(writer)
        };
        Ok(DayFiles {
            folder: folder.to_owned(),
            date: date.to_owned(),
            suffix,
            rejected: open(LogKind::Rejected)?,
            deferred: open(LogKind::Deferred)?,
        })
    }

    pub(super) fn date(&self) -> &str {
        &self.date
    }

    /// Writes an event into the file it belongs to, if it belongs to one.
    pub(super) fn write(&mut self, event: &Event) -> Result<(), CenterError> {
        let file = match LogKind::of(event) {
            Some(LogKind::Rejected) => &mut self.rejected,
            Some(LogKind::Deferred) => &mut self.deferred,
            None => return Ok(()),
        };
        write_row(file, event).map_err(|error| failed(&error.into()))
    }

    pub(super) fn flush(&mut self) -> Result<(), CenterError> {
        self.rejected.flush().and_then(|()| self.deferred.flush()).map_err(|error| failed(&error))
    }

    /// Makes both files durable and gives them their names.
    pub(super) fn publish(self) -> Result<(), CenterError> {
        let DayFiles { folder, date, suffix, rejected, deferred } = self;
        for (kind, writer) in [(LogKind::Rejected, rejected), (LogKind::Deferred, deferred)] {
            let buffered = writer.into_inner().map_err(|error| failed(error.error()))?;
            let file = buffered.into_inner().map_err(|error| failed(error.error()))?;
            file.sync_all().map_err(|error| failed(&error))?;
            let name = file_name(kind, &date, true);
            let made = folder.join(format!("{name}{suffix}"));
            fs::rename(made, folder.join(name)).map_err(|error| failed(&error))?;
        }
        // A rename is durable once the folder is.
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(&error))
    }

    /// Removes what is left of the running files of a day.
    pub(super) fn remove_parts(folder: &Path, date: &str) {
        for kind in LogKind::ALL {
            // A part that cannot be removed is a nuisance, not a loss.
            drop(fs::remove_file(folder.join(file_name(kind, date, false))));
        }
    }
}

fn failed(error: &std::io::Error) -> CenterError {
    CenterError::file("writing the daily log", error)
}
