//! Finding the segments at start.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::arrival::Sealings;
use super::chunk::Chunk;
use super::follow::Recent;
use super::name::{SegmentName, UNFINISHED};
use super::segment::Segment;
use super::{DamagedSegment, Rows};
use crate::disk::Disk;

/// Opens all segments of `folder` and clears away what a crash left behind.
pub(super) fn open(disk: &dyn Disk, folder: &Path) -> io::Result<Rows> {
    disk.create_folder(folder)?;
    let files = disk.list(folder)?;
    for unfinished in files.iter().filter(|file| file.ends_with(UNFINISHED)) {
        disk.remove(&folder.join(unfinished))?;
    }
    let names: Vec<SegmentName> = files.iter().filter_map(|file| file.parse().ok()).collect();
    let mut segments = Vec::new();
    let mut damaged = Vec::new();
    for (name, opened) in open_all(disk, folder, &names) {
        match opened {
            Ok(segment) => segments.push(Arc::new(segment)),
            Err(what) => {
                damaged.push(DamagedSegment { file: name.to_string(), span: name.span(), what });
            }
        }
    }
    // A crash between writing a merged segment and removing its parts leaves
    // both; the parts' rows would be found twice.
    let replaced: HashSet<_> = segments.iter().flat_map(|s| s.replaces.clone()).collect();
    for file in files.iter().filter(|file| replaced.contains(*file)) {
        disk.remove(&folder.join(file))?;
    }
    segments.retain(|segment| !replaced.contains(&segment.name.to_string()));
    damaged.retain(|segment| !replaced.contains(&segment.file));
    let sealed_to = names.iter().map(|name| name.last).max();
    let segments = Arc::new(segments);
    let (newest, full, recent) = (Chunk::default(), Vec::new(), Recent::default());
    let sealings = Sealings::default();
    Ok(Rows { newest, full, segments, damaged, sealed_to, recent, sealings })
}

type Opened = (SegmentName, Result<Segment, String>);

/// Opens on all processors: every octet is read once for its checksum.
fn open_all(disk: &dyn Disk, folder: &Path, names: &[SegmentName]) -> Vec<Opened> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = names.len().div_ceil(workers).max(1);
    let open = |name: &SegmentName| (*name, Segment::open(disk, folder, *name));
    std::thread::scope(|scope| {
        let workers: Vec<_> = names
            .chunks(share)
            .map(|names| (names, scope.spawn(move || names.iter().map(open).collect::<Vec<_>>())))
            .collect();
        let join = |(names, worker): (&[SegmentName], std::thread::ScopedJoinHandle<'_, _>)| {
            let broken = |_| {
                let what = || "reading it broke off".to_owned();
                names.iter().map(|name| (*name, Err(what()))).collect()
            };
            worker.join().unwrap_or_else(broken)
        };
        workers.into_iter().flat_map(join).collect()
    })
}
