//! What exists between MAIL and the end of its transaction.

use smtp::MailParameters;
use store::{ContentWriter, StoreError};
use types::{QueueId, Stage};

use crate::attempt::OpenAttempt;
use crate::content_buffer::ContentBuffer;

/// A transaction that was opened by MAIL.
pub(crate) struct Transaction {
    pub(crate) parameters: MailParameters,
    /// One per recipient that was told yes.
    pub(crate) accepted: Vec<OpenAttempt>,
    /// Whether DATA or the first BDAT was taken.
    pub(crate) data_began: bool,
    /// From the first octet of content on.
    pub(crate) content: Option<Content>,
}

impl Transaction {
    pub(crate) fn new(parameters: MailParameters) -> Box<Self> {
        Box::new(Transaction { parameters, accepted: Vec::new(), data_began: false, content: None })
    }

    /// How far it has come.
    pub(crate) fn stage(&self) -> Stage {
        if self.data_began { Stage::Data } else { Stage::Rcpt }
    }
}

/// The content as far as it has arrived.
pub(crate) struct Content {
    pub(crate) id: QueueId,
    pub(crate) writer: Box<dyn ContentWriter>,
    pub(crate) buffer: ContentBuffer,
    /// The hash of the body, where the message is to be signed.
    pub(crate) body_hash: Option<content::BodyHash>,
    /// Why writing stopped, if it did: the client is told at the end.
    pub(crate) failure: Option<StoreError>,
}

impl Content {
    /// Takes the next octets. A store that fails here is remembered, because
    /// the client goes on sending until its final dot.
    pub(crate) async fn push(&mut self, octets: &[u8]) {
        if self.failure.is_none() {
            self.buffer.push(octets).await;
            if let Some(hash) = &mut self.body_hash {
                hash.push(octets);
            }
            self.failure = self.writer.write(octets).await.err();
        }
    }
}
