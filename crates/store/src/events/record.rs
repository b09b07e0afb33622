//! Events as octets: MessagePack with field names, each compressed by itself
//! against a sample of its neighbours.
//!
//! Each by itself, because fifty rows of a page may lie far apart; against a
//! sample, because one event alone is too short to compress well. The sample
//! is a raw-content dictionary of zstd, kept in the segment.

use std::sync::{Arc, OnceLock};

use types::Event;
use zstd::bulk::Compressor;
use zstd::dict::DecoderDictionary;
use zstd::zstd_safe::DCtx;

use crate::contract::StoreError;

/// Octets of sample kept per sealing; more hardly makes records smaller.
const SAMPLE_OCTETS: usize = 16 * 1024;
/// Events the sample is taken from, spread over those to be compressed.
const SAMPLE_EVENTS: usize = 12;
/// Level of zstd. Sealing costs every attempt, so it must be cheap: negative
/// levels build no Huffman table, which costs most in so short a text.
const LEVEL: i32 = -3;
/// Longest event that is believed when a stored length says so.
const EVENT_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// Turns events into records that share one sample.
pub(super) struct RecordWriter {
    compressor: Compressor<'static>,
    sample: Vec<u8>,
    plain: Vec<u8>,
}

impl RecordWriter {
    /// A writer whose sample is taken from `events`.
    pub(super) fn new(events: &[&Event]) -> Result<Self, StoreError> {
        let mut sample = Vec::new();
        let step = (events.len() / SAMPLE_EVENTS).max(1);
        for event in events.iter().step_by(step) {
            if sample.len() < SAMPLE_OCTETS {
                write(event, &mut sample)?;
            }
        }
        sample.truncate(SAMPLE_OCTETS);
        let compressor = Compressor::with_dictionary(LEVEL, &sample).map_err(unwritable)?;
        Ok(RecordWriter { compressor, sample, plain: Vec::new() })
    }

    /// Appends the record of `event` to `out`.
    pub(super) fn append(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.plain.clear();
        write(event, &mut self.plain)?;
        let start = out.len();
        out.resize(start + zstd::zstd_safe::compress_bound(self.plain.len()), 0);
        let room = out.get_mut(start..).unwrap_or_default();
        let written = self.compressor.compress_to_buffer(&self.plain, room).map_err(unwritable)?;
        out.truncate(start + written);
        Ok(())
    }

    /// The sample that readers need.
    pub(super) fn into_sample(self) -> Vec<u8> {
        self.sample
    }
}

fn write(event: &Event, out: &mut Vec<u8>) -> Result<(), StoreError> {
    rmp_serde::encode::write_named(out, event)
        .map_err(|error| StoreError::Damaged(format!("an event that cannot be written: {error}")))
}

fn unwritable(error: std::io::Error) -> StoreError {
    StoreError::Io { doing: "compressing an event", error: Arc::new(error) }
}

/// A sample as readers use it, prepared when it is first needed.
pub(super) struct Sample {
    octets: Vec<u8>,
    prepared: OnceLock<DecoderDictionary<'static>>,
}

impl Sample {
    pub(super) fn new(octets: Vec<u8>) -> Self {
        Sample { octets, prepared: OnceLock::new() }
    }

    /// The octets, for a merged segment.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }
}

/// Turns records back into events; one per search, for its buffers are reused.
#[derive(Default)]
pub(super) struct RecordReader {
    context: DCtx<'static>,
    plain: Vec<u8>,
}

impl RecordReader {
    /// The event of `record`; nothing if it is damaged.
    pub(super) fn read(&mut self, record: &[u8], sample: &Sample) -> Option<Event> {
        let octets = zstd::zstd_safe::get_frame_content_size(record).ok().flatten()?;
        if octets > EVENT_OCTETS_MAX {
            return None;
        }
        self.plain.clear();
        self.plain.reserve(usize::try_from(octets).ok()?);
        let prepared = sample.prepared.get_or_init(|| DecoderDictionary::copy(&sample.octets));
        self.context.decompress_using_ddict(&mut self.plain, record, prepared.as_ddict()).ok()?;
        rmp_serde::from_slice(&self.plain).ok()
    }
}
