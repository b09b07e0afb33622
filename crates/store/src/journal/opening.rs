//! Finding the journal as the last process or power cut left it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, RwLock};

use super::record::Record;
use super::scan::{Scanned, scan};
use super::segment::{self, Segment};
use super::{
    AfterFlush, Appender, Journal, JournalOptions, SEGMENT_OCTETS_MIN, Shared, flush, io_error,
    preparing,
};
use crate::contract::{Position, StoreError};
use crate::disk::Disk;

/// An opened journal and what was found.
pub(crate) struct Opened {
    /// The journal, ready for appending.
    pub(crate) journal: Journal,
    /// What could not be read, in words for an operator.
    pub(crate) damage: Vec<String>,
    /// Whole records read.
    pub(crate) records: u64,
}

/// Segment files as the folder lists them.
struct Files {
    segments: Vec<Arc<Segment>>,
    spares: Vec<PathBuf>,
}

impl Journal {
    /// Opens the journal and hands every record at or after `from` to
    /// `visit`, oldest first.
    ///
    /// # Errors
    /// The folder cannot be read or the first segment not be made. Damaged
    /// records are no error: they are left out and told.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        mut options: JournalOptions,
        from: Position,
        after_flush: AfterFlush,
        visit: &mut dyn FnMut(u64, Record<'_>),
    ) -> Result<Opened, StoreError> {
        options.segment_octets = options.segment_octets.max(SEGMENT_OCTETS_MIN);
        let io = |error| io_error("opening the journal", error);
        disk.create_folder(&options.folder).map_err(io)?;
        let files = find(&*disk, &options).map_err(io)?;
        let mut read = read(&files.segments, from, visit);
        let (active, position, next) = place_tail(&*disk, &options, &mut read, from).map_err(io)?;
        let segments: BTreeMap<_, _> = read.segments.into_iter().map(|s| (s.base, s)).collect();
        let left = segments.values().cloned().collect();
        let appender = Appender { active, position, along: Vec::new(), left, failed: None };
        let shared = Arc::new(Shared {
            disk,
            appender: Mutex::new(appender),
            flushing: Mutex::new(()),
            flushed: AtomicU64::new(0),
            unflushed: AtomicBool::new(false),
            segments: RwLock::new(segments),
            waiting: flush::Waiting::default(),
            preparing: preparing::Preparing::new(next, files.spares),
            after_flush,
            options,
        });
        // What the last process wrote and did not flush was read just now,
        // and will be acted upon: it must not vanish any more.
        shared.flush_now()?;
        let threads = start_threads(&shared).map_err(io)?;
        shared.ask_to_prepare();
        let journal = Journal { shared, threads: Mutex::new(threads) };
        Ok(Opened { journal, damage: read.damage, records: read.records })
    }
}

fn start_threads(shared: &Arc<Shared>) -> io::Result<Vec<std::thread::JoinHandle<()>>> {
    if !shared.options.threads {
        return Ok(Vec::new());
    }
    let (flushing, preparing) = (Arc::clone(shared), Arc::clone(shared));
    let interval = shared.options.flush_interval;
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    Ok(vec![
        thread("journal-flush").spawn(move || flush::run(&flushing, interval))?,
        thread("journal-next").spawn(move || preparing::run(&preparing))?,
    ])
}

/// Sorts the files of the folder; half-made segments are removed.
fn find(disk: &dyn Disk, options: &JournalOptions) -> io::Result<Files> {
    let mut files = Files { segments: Vec::new(), spares: Vec::new() };
    for name in disk.list(&options.folder)? {
        let path = options.folder.join(&name);
        if name.ends_with(".spare") {
            if disk.open(&path)?.octets()? == options.segment_octets {
                files.spares.push(path);
            } else {
                disk.remove(&path)?;
            }
        } else if let Some(number) = segment::number_of(&name) {
            match segment::open(disk, &path, number)? {
                Some(segment) => files.segments.push(Arc::new(segment)),
                None => disk.remove(&path)?,
            }
        }
    }
    files.segments.sort_by_key(|segment| segment.base);
    Ok(files)
}

/// The journal as it was read.
struct Read {
    segments: Vec<Arc<Segment>>,
    /// Index of the segment with the last whole record, and where that ends.
    tail: Option<(usize, u64)>,
    damage: Vec<String>,
    records: u64,
}

fn read(segments: &[Arc<Segment>], from: Position, visit: &mut dyn FnMut(u64, Record<'_>)) -> Read {
    let mut read = Read { segments: segments.to_vec(), tail: None, damage: Vec::new(), records: 0 };
    let mut scans: Vec<(usize, Scanned)> = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        if segment.end() <= from.0 {
            continue;
        }
        let records = &mut read.records;
        let scanned = scan(segment, &mut |position, record| {
            if position >= from.0 {
                *records += 1;
                visit(position, record);
            }
        });
        if let Some(end) = scanned.end {
            read.tail = Some((index, end));
        }
        scans.push((index, scanned));
    }
    for (index, scanned) in scans {
        let Some(segment) = segments.get(index) else { continue };
        let last = read.tail.is_none_or(|(tail, _)| index >= tail);
        describe(segment, &scanned, last, &mut read.damage);
    }
    read
}

/// Puts into words what is wrong with a segment. A torn record at the very
/// end is the trace of a power cut and nothing that was acknowledged.
fn describe(segment: &Segment, scanned: &Scanned, last: bool, damage: &mut Vec<String>) {
    let name = segment::file_name(segment.number);
    if let Some(error) = &scanned.unreadable {
        damage.push(format!("journal segment {name} cannot be read: {error}"));
    }
    for span in &scanned.damaged {
        damage.push(format!(
            "journal segment {name}: {} octets at {} are no record and were skipped",
            span.end - span.start,
            span.start - segment.base
        ));
    }
    let room = segment.end() - scanned.end.unwrap_or(segment.first());
    if !last && !scanned.closed && scanned.unreadable.is_none() && room >= 16 {
        damage.push(format!(
            "journal segment {name}: its last records, up to {room} octets, cannot be read"
        ));
    }
}

/// Decides where the next record goes, and which prepared segment follows.
fn place_tail(
    disk: &dyn Disk,
    options: &JournalOptions,
    read: &mut Read,
    from: Position,
) -> io::Result<(Arc<Segment>, u64, Option<Arc<Segment>>)> {
    let tail = read.tail.or_else(|| {
        // Nothing after the checkpoint was written: go on in the segment it
        // ended in, or in the first one that is still empty.
        let index = read.segments.iter().position(|s| s.end() > from.0)?;
        let position = read.segments.get(index)?.first().max(from.0);
        Some((index, position))
    });
    let Some((index, position)) = tail.map(|(index, end)| (index, end.max(from.0))) else {
        let number = read.segments.last().map_or(1, |last| last.number + 1);
        let base = read.segments.last().map_or(0, |last| last.end()).max(from.0);
        let segment = Arc::new(make_first(disk, options, number, base)?);
        read.segments.push(Arc::clone(&segment));
        let first = segment.first();
        return Ok((segment, first, None));
    };
    let after = read.segments.split_off(index + 1);
    let active = read.segments.last().cloned().ok_or(io::ErrorKind::NotFound)?;
    let mut next = None;
    for segment in after {
        if next.is_none() && segment.base == active.end() && segment.number == active.number + 1 {
            next = Some(segment);
        } else {
            disk.remove(&options.folder.join(segment::file_name(segment.number)))?;
        }
    }
    Ok((active, position, next))
}

fn make_first(
    disk: &dyn Disk,
    options: &JournalOptions,
    number: u64,
    base: u64,
) -> io::Result<Segment> {
    let octets = options.segment_octets;
    let path = options.folder.join(segment::file_name(number));
    let file = disk.create(&path, octets)?;
    file.sync_data()?;
    segment::write_header(&*file, number, base)?;
    disk.sync_folder(&options.folder)?;
    Ok(Segment { file, number, base, octets })
}
