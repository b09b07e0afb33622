//! The content of a message on its way out.
//!
//! The first piece is read where it is asked for: it is nearly always all
//! there is, and in memory. Whatever follows may wait for the disk, and does
//! so on a thread where nobody else waits.

use bytes::Bytes;
use store::contract::ContentReader;
use store::message::LeftOut;
use store::{QueuedMessage, StoreError};

use crate::connection::Lost;
use crate::shared::Shared;

/// The content of one message.
pub(super) struct Content {
    reader: Box<dyn ContentReader>,
    first: Option<Bytes>,
    octets_left: u64,
    /// Where the next piece stands.
    at: u64,
    left_out: Vec<LeftOut>,
}

impl Content {
    pub(super) fn open(shared: &Shared, message: &QueuedMessage) -> Result<Self, StoreError> {
        let mut reader = shared.parts.queue.read(message.id)?;
        let first = Some(reader.next_piece()?);
        let left_out = message.left_out.clone();
        Ok(Content { reader, first, octets_left: message.content_octets, at: 0, left_out })
    }

    /// Whether everything was handed out.
    pub(super) fn is_at_end(&self) -> bool {
        self.octets_left == 0
    }

    /// The next piece, without what is left out of it; only before the end.
    pub(super) async fn next_piece(&mut self) -> Result<Bytes, Lost> {
        let piece = match self.first.take() {
            Some(first) => first,
            None => self.read().await?,
        };
        let octets = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        // Half a message must never pass for a whole one.
        let left = self.octets_left.checked_sub(octets);
        match left {
            Some(left) if octets > 0 || left == 0 => self.octets_left = left,
            _ => return Err(Lost::Content("its size is not the recorded one".into())),
        }
        let at = self.at;
        self.at += octets;
        Ok(store::message::given(&self.left_out, at, piece))
    }

    async fn read(&mut self) -> Result<Bytes, Lost> {
        let mut reader = std::mem::replace(&mut self.reader, Box::new(NoContent));
        let read = tokio::task::spawn_blocking(move || {
            let piece = reader.next_piece();
            (reader, piece)
        });
        let (reader, piece) = read.await.map_err(|error| Lost::Content(error.to_string()))?;
        self.reader = reader;
        Ok(piece?)
    }
}

/// Stands in while the reader is away.
struct NoContent;

impl ContentReader for NoContent {
    fn next_piece(&mut self) -> Result<Bytes, StoreError> {
        Ok(Bytes::new())
    }
}

impl From<StoreError> for Lost {
    fn from(error: StoreError) -> Self {
        Lost::Content(error.to_string())
    }
}
