//! What the embedded store can be told, with the defaults of the product.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the embedded store works. Sizes are octets.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The data folder. It is made if it is not there.
    pub folder: PathBuf,
    /// One journal segment (64 MiB, at least 1 MiB). Three exist from the
    /// start: one in use, one ready, one to be used again.
    pub segment_octets: u64,
    /// Journal segments after which a checkpoint is made early (4).
    pub segments_max: usize,
    /// Content gathered before it is written to the journal (64 KiB).
    pub piece_octets: usize,
    /// Messages larger than this get a file of their own (1 MiB).
    pub own_file_octets: u64,
    /// Content kept in memory until it is delivered (64 MiB); what is beyond
    /// is read back from the disk.
    pub content_memory_octets: u64,
    /// Free disk space below which no message is taken any more (256 MiB).
    /// Refusals are still recorded.
    pub reserve_octets: u64,
    /// Triplets at most, open and remembered together (4 million). At this
    /// number a first attempt opens no window: [`StoreError::TableFull`].
    ///
    /// [`StoreError::TableFull`]: crate::StoreError::TableFull
    pub triplets_max: usize,
    /// Pairs of who wrote to whom at most (2 million). At this number no new
    /// one is learned.
    pub correspondences_max: usize,
    /// Longest time until a refusal is flushed (40 ms, so that it is durable
    /// within 50).
    pub flush_interval: Duration,
    /// Time between checkpoints (one hour).
    pub checkpoint_interval: Duration,
    /// How long events are kept (7 days); nothing keeps them for ever.
    pub retention: Option<Duration>,
    /// Whether flushing and preparing have threads of their own (yes). A
    /// repeatable simulation says no; then both happen in the caller.
    pub threads: bool,
}

impl StoreOptions {
    /// The defaults for a data folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        StoreOptions {
            folder: folder.into(),
            segment_octets: 64 << 20,
            segments_max: 4,
            piece_octets: 64 << 10,
            own_file_octets: 1 << 20,
            content_memory_octets: 64 << 20,
            reserve_octets: 256 << 20,
            triplets_max: 4_000_000,
            correspondences_max: 2_000_000,
            flush_interval: Duration::from_millis(40),
            checkpoint_interval: Duration::from_secs(60 * 60),
            retention: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            threads: true,
        }
    }

    /// Small segments and no threads: every test of the same seed does the
    /// same disk operations in the same order.
    pub fn simulated(folder: impl Into<PathBuf>) -> Self {
        StoreOptions {
            segment_octets: crate::journal::SEGMENT_OCTETS_MIN,
            piece_octets: 4 << 10,
            own_file_octets: 64 << 10,
            content_memory_octets: 64 << 10,
            reserve_octets: 0,
            threads: false,
            ..StoreOptions::new(folder)
        }
    }

    pub(crate) fn journal_folder(&self) -> PathBuf {
        self.folder.join("journal")
    }

    pub(crate) fn spool_folder(&self) -> PathBuf {
        self.folder.join("spool")
    }

    pub(crate) fn checkpoint_folder(&self) -> PathBuf {
        self.folder.join("checkpoint")
    }

    pub(crate) fn events_folder(&self) -> PathBuf {
        self.folder.join("events")
    }

    pub(crate) fn lock_file(&self) -> PathBuf {
        Path::new(&self.folder).join("lock")
    }
}
