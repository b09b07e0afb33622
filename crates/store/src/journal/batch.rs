//! What a batch record says: changes that happened together or not at all.
//!
//! Batches are MessagePack maps with field names, so that a later version can
//! add fields and still read what an earlier one wrote.

use serde::{Deserialize, Serialize};
use types::{Event, EventId, QueueId};

use super::record::{self, Kind};
use crate::contract::{QueueStep, StoreError};
use crate::correspondence::CorrespondenceChange;
use crate::message::QueuedMessage;
use crate::spool::Piece;
use crate::triplets::{Key, TripletChange};

/// A batch to be written.
#[derive(Debug, Default, Serialize)]
pub struct BatchRef<'a> {
    /// Events that happened.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub events: &'a [Event],
    /// A message that was taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<AcceptRef<'a>>,
    /// What came of delivering one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle: Option<SettleRef<'a>>,
    /// A change of a triplet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triplet: Option<&'a TripletChange>,
    /// A change of who wrote to whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correspondence: Option<&'a CorrespondenceChange>,
    /// Windows whose expiry is now told by an event of this batch.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub expired: &'a [(Key, EventId)],
}

/// A batch that was read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Batch {
    /// Events that happened.
    pub events: Vec<Event>,
    /// A message that was taken over.
    pub accept: Option<Accept>,
    /// What came of delivering one.
    pub settle: Option<Settle>,
    /// A change of a triplet.
    pub triplet: Option<TripletChange>,
    /// A change of who wrote to whom.
    pub correspondence: Option<CorrespondenceChange>,
    /// Windows whose expiry is told by an event of this batch.
    pub expired: Vec<(Key, EventId)>,
}

/// A message with the place of its content, to be written.
#[derive(Debug, Serialize)]
pub struct AcceptRef<'a> {
    /// The envelope.
    pub message: &'a QueuedMessage,
    /// Its pieces in the journal but the last.
    pub pieces: &'a [Piece],
    /// Octets of content in the record right before this one; 0 if the
    /// record before is none of ours.
    pub last_octets: u32,
    /// Whether the content is in a file of its own instead.
    pub own_file: bool,
}

/// A message with the place of its content.
#[derive(Debug, Deserialize)]
pub struct Accept {
    /// The envelope.
    pub message: QueuedMessage,
    /// Its pieces in the journal but the last.
    #[serde(default)]
    pub pieces: Vec<Piece>,
    /// Octets of content in the record right before this one.
    #[serde(default)]
    pub last_octets: u32,
    /// Whether the content is in a file of its own instead.
    #[serde(default)]
    pub own_file: bool,
}

/// New states of recipients, to be written.
#[derive(Debug, Serialize)]
pub struct SettleRef<'a> {
    /// The message.
    pub id: QueueId,
    /// Where its recipients stand.
    pub steps: &'a [QueueStep],
}

/// New states of recipients.
#[derive(Debug, Deserialize)]
pub struct Settle {
    /// The message.
    pub id: QueueId,
    /// Where its recipients stand.
    #[serde(default)]
    pub steps: Vec<QueueStep>,
}

impl BatchRef<'_> {
    /// Appends the batch to `buffer` as one record without a position.
    pub fn encode(&self, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let start = record::begin(buffer);
        let written = to_message_pack(self, buffer);
        record::finish(buffer, start, Kind::Batch);
        written
    }
}

impl Batch {
    /// Reads the payload of a batch record; nothing if it is none.
    pub fn decode(payload: &[u8]) -> Option<Batch> {
        rmp_serde::from_slice(payload).ok()
    }
}

/// Appends `value` to `buffer` as MessagePack with field names.
pub fn to_message_pack<T: Serialize>(value: &T, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
    let mut serializer = rmp_serde::Serializer::new(buffer).with_struct_map();
    value.serialize(&mut serializer).map_err(|error| StoreError::Io {
        doing: "encoding a record",
        error: std::sync::Arc::new(std::io::Error::other(error)),
    })
}
