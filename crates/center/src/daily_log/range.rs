//! The files of several days as one, read one after the other.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use types::{AuditAction, Caller, Permission};

use super::LogKind;
use super::files::read_name;
use crate::{Center, CenterError, permit};

/// The rows of all daily logs of a kind in a range of days, oldest first,
/// below one header line. Holds one file open at a time.
#[derive(Debug)]
pub struct LogRange {
    /// The name a person saves it under.
    pub name: String,
    folder: PathBuf,
    /// Names of the files that are not read yet, the next last.
    waiting: Vec<String>,
    open: Option<BufReader<File>>,
    begun: bool,
}

impl Center {
    /// The daily logs of one kind from a day to a day, both inclusive, as
    /// one file. The running day is in it as far as it is written.
    ///
    /// # Errors
    ///
    /// Days that are none; [`CenterError::NotFound`] if there is no file.
    pub fn daily_log_range(
        &self,
        caller: &Caller,
        kind: LogKind,
        from: &str,
        to: &str,
    ) -> Result<LogRange, CenterError> {
        let mut waiting = self.daily_log_days(caller, kind, from, to)?;
        waiting.reverse();
        let name = format!("{}-{from}-to-{to}.csv", kind.slug());
        let folder = self.parts.daily_log_folder.clone();
        Ok(LogRange { name, folder, waiting, open: None, begun: false })
    }

    /// The names of the files of one kind in a range of days, oldest first.
    pub(super) fn daily_log_days(
        &self,
        caller: &Caller,
        kind: LogKind,
        from: &str,
        to: &str,
    ) -> Result<Vec<String>, CenterError> {
        permit(caller, Permission::DailyLogs)?;
        permit(caller, Permission::SeeSubjects)?;
        for day in [from, to] {
            let date = day.parse::<jiff::civil::Date>().ok().filter(|_| day.len() == 10);
            date.ok_or_else(|| CenterError::invalid("a day is written 2026-11-21"))?;
        }
        let mut names: Vec<String> = self
            .daily_logs(caller)?
            .into_iter()
            .filter(|file| {
                file.kind == kind && from <= file.day.as_str() && file.day.as_str() <= to
            })
            .map(|file| file.name)
            .collect();
        // A day that has just been closed may still be there twice.
        names.sort();
        names.dedup_by(|a, b| day_of(a) == day_of(b));
        if names.is_empty() {
            return Err(CenterError::NotFound(format!("daily log from {from} to {to}")));
        }
        let subject = format!("{} from {from} to {to}", kind.slug());
        let details = serde_json::json!({ "files": names });
        self.record(caller, AuditAction::DailyLogTaken, &subject, &details)?;
        Ok(names)
    }
}

fn day_of(name: &str) -> Option<&str> {
    read_name(name).map(|(_, day, _)| day)
}

impl Read for LogRange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(open) = &mut self.open {
                match open.read(buffer)? {
                    0 => self.open = None,
                    read => return Ok(read),
                }
            }
            let Some(name) = self.waiting.pop() else { return Ok(0) };
            let mut file = BufReader::new(File::open(self.folder.join(name))?);
            if self.begun {
                // The header line, which has no line end inside.
                file.skip_until(b'\n')?;
            }
            self.begun = true;
            self.open = Some(file);
        }
    }
}
