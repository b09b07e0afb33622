//! One job: from the rows to the file.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use store::StoreError;
use store::search::Stop;

use super::clock_text::ClockText;
use super::folder::Folder;
use super::job::{ExportFormat, ExportJob};
use super::jobs::Progress;
use super::output::{Allowance, Stream};
use super::rows::{Missing, Plan, Trouble};
use super::sink::{Sink, Written};
use super::text::{Csv, Ndjson};
use super::workbook::{Heading, Xlsx};

/// How often, in rows, it is told how far the job is and asked whether to go on.
const TELL_EVERY_ROWS: u64 = 4_096;

/// Why an export fails where the disk has no room for it.
const FULL: &str = "the disk is nearly full: exports stop before mail has to; make \
                               room, or ask for fewer rows";
/// Why it fails where the folder has none.
pub(super) const CROWDED: &str = "the exports that are kept take all the room they may have \
                                  (http.exports_size_max); remove some, or ask for fewer rows";

/// All that a thread needs to write a job.
pub(super) struct Work {
    pub(super) job: ExportJob,
    pub(super) plan: Plan,
    pub(super) progress: Arc<Progress>,
    pub(super) allowance: Allowance,
    pub(super) folder: Folder,
}

/// How a job ended.
pub(super) enum Ended {
    /// The file has its name. Some spans could not be read.
    Done(Written, Missing),
    /// It was not wanted any more.
    Stopped,
    /// A sentence for people.
    Failed(String),
}

/// Writes the job. However it ends, no half file stays behind.
pub(super) fn write(work: &Work) -> Ended {
    let outcome = whole_file(work);
    match outcome {
        Ok((written, missing)) => Ended::Done(written, missing),
        Err(trouble) => {
            let ended = explained(work, &trouble);
            // What cannot be removed now is swept away at the next start.
            drop(work.folder.discard(&work.job));
            ended
        }
    }
}

fn explained(work: &Work, trouble: &Trouble) -> Ended {
    if work.progress.stop.load(Ordering::Relaxed) {
        return Ended::Stopped;
    }
    if work.allowance.crowded.load(Ordering::Relaxed) {
        return Ended::Failed(CROWDED.to_owned());
    }
    let no_space = work.allowance.full.load(Ordering::Relaxed);
    match trouble {
        Trouble::File(error) if no_space || error.kind() == io::ErrorKind::StorageFull => {
            Ended::Failed(FULL.to_owned())
        }
        Trouble::Store(StoreError::Full) => Ended::Failed(FULL.to_owned()),
        Trouble::File(error) => Ended::Failed(format!("the file cannot be written: {error}")),
        Trouble::Store(error) => Ended::Failed(format!("the events cannot be read: {error}")),
    }
}

fn whole_file(work: &Work) -> Result<(Written, Missing), Trouble> {
    let Work { plan, progress, allowance, .. } = work;
    allowance.check_folder().map_err(Trouble::File)?;
    let asked = Arc::clone(&progress.stop);
    let stop = Stop::when(move || asked.load(Ordering::Relaxed));
    let total = plan.count(stop.clone()).map_err(Trouble::Store)?;
    progress.total.store(total + 1, Ordering::Relaxed);
    let mut sink = sink(work).map_err(Trouble::File)?;
    let mut rows = 0_u64;
    let missing = plan.write(stop, &mut *sink, &mut || {
        rows += 1;
        if !rows.is_multiple_of(TELL_EVERY_ROWS) {
            return Ok(());
        }
        progress.rows.store(rows, Ordering::Relaxed);
        allowance.check()
    })?;
    progress.rows.store(rows, Ordering::Relaxed);
    // A search that was stopped ends as if there were no more rows.
    allowance.check().map_err(Trouble::File)?;
    let written = sink.finish().map_err(Trouble::File)?;
    work.folder.publish(&work.job).map_err(Trouble::File)?;
    Ok((written, missing))
}

/// The file of the job, begun.
fn sink(work: &Work) -> io::Result<Box<dyn Sink>> {
    let Work { job, plan, allowance, folder, .. } = work;
    let file = folder.create(job)?;
    let clock = ClockText::new(plan.zone.clone());
    Ok(match job.request.format {
        ExportFormat::Csv => {
            let out = Box::new(Stream::new(file, allowance.clone()));
            Box::new(Csv::begin(out, &plan.api_names(), clock, job.request.raw)?)
        }
        ExportFormat::Ndjson => {
            let out = Box::new(Stream::new(file, allowance.clone()));
            Box::new(Ndjson::begin(out, &plan.api_names())?)
        }
        ExportFormat::Xlsx => {
            let headings = plan.labels().map(|label| Heading { label: label.to_owned() });
            let about = about(job, plan);
            let (scratch, headings) = (folder.path(), headings.collect());
            Box::new(Xlsx::begin(file, allowance.clone(), scratch, headings, about, clock)?)
        }
    })
}

/// What the first sheet of a workbook says.
fn about(job: &ExportJob, plan: &Plan) -> Vec<(String, String)> {
    let query = match job.request.search.query.trim() {
        "" => "everything".to_owned(),
        query => crate::presentable(query).into_owned(),
    };
    let zone = plan.zone.iana_name().unwrap_or("UTC");
    let rows = [
        ("Query", query),
        ("List", job.request.search.view.info().label.to_owned()),
        ("From", job.times.0.to_string()),
        ("Until", job.times.1.to_string()),
        ("Time zone", zone.to_owned()),
        ("Made for", job.by.clone()),
        ("Made", job.started.unwrap_or(job.created).to_string()),
        ("Made by", format!("Portcullis on {}", plan.node)),
    ];
    rows.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// The name under which people save the file: `rejected-2026-11-21-100405.csv`.
pub(super) fn name_for_people(job: &ExportJob) -> String {
    let at = job.started.unwrap_or(job.created).to_string();
    let mut digits = at.replace(':', "").replace('T', "-");
    digits.truncate("2026-11-21-100405".len());
    let (view, format) = (job.request.search.view.info().key, job.request.format.slug());
    format!("{view}-{digits}.{format}")
}
