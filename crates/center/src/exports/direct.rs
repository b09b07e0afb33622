//! All rows of a list, handed straight to a reader who waits for them: for
//! programs. What is too long to wait for is a job.

use std::io;

use store::search::Stop;
use types::{AuditAction, Caller, Permission};

use super::clock_text::ClockText;
use super::job::{ExportFormat, ExportRequest};
use super::output::Passed;
use super::rows::{Plan, Trouble};
use super::sink::Sink;
use super::text::{Csv, Ndjson};
use crate::{Center, CenterError, permit};

/// Rows that can be written to a reader, once.
pub struct ExportRows {
    plan: Plan,
    format: ExportFormat,
    raw: bool,
}

impl Center {
    /// All rows of a list, to be written as CSV or NDJSON.
    ///
    /// # Errors
    ///
    /// As [`Center::start_export`]; a spreadsheet, which cannot be written
    /// from front to back.
    pub fn export_rows(
        &self,
        caller: &Caller,
        request: &ExportRequest,
    ) -> Result<ExportRows, CenterError> {
        permit(caller, Permission::ExportMetadata)?;
        let (format, raw) = (request.format, request.raw);
        if format == ExportFormat::Xlsx {
            let text = "a spreadsheet cannot be sent while it is made: ask for an export";
            return Err(CenterError::invalid(text));
        }
        let plan = Plan::of(&self.seen_by(caller), request)?;
        let subject = super::described(request);
        self.record(caller, AuditAction::RowsTaken, &subject, request)?;
        Ok(ExportRows { plan, format, raw })
    }
}

impl ExportRows {
    /// Writes them all. Blocks for the disk and for the reader.
    ///
    /// # Errors
    ///
    /// A reader that has gone, or events that cannot be read: what was
    /// written is not all there is then.
    pub fn write(self, out: &mut dyn io::Write) -> io::Result<()> {
        let ExportRows { plan, format, raw } = self;
        let out = Box::new(Passed(out));
        let names = plan.api_names();
        let mut sink: Box<dyn Sink + '_> = match format {
            ExportFormat::Csv => {
                Box::new(Csv::begin(out, &names, ClockText::new(plan.zone.clone()), raw)?)
            }
            ExportFormat::Ndjson | ExportFormat::Xlsx => Box::new(Ndjson::begin(out, &names)?),
        };
        match plan.write(Stop::never(), &mut *sink, &mut || Ok(())) {
            Ok(missing) if missing.is_empty() => sink.finish().map(drop),
            Ok(_) => Err(io::Error::other("some spans of time cannot be read")),
            Err(Trouble::File(error)) => Err(error),
            Err(Trouble::Store(error)) => Err(io::Error::other(error)),
        }
    }
}
