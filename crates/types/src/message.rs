//! What is known of a message once its data was seen.

use serde::{Deserialize, Serialize};

/// Facts read from a message; all texts come from the sender and are
/// hostile wherever they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MessageFacts {
    /// Octets on the wire after dot-unstuffing, without our trace fields.
    pub size_octets: u64,
    /// The mailboxes of the From field; more than one is legal and rare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub header_from: Vec<HeaderMailbox>,
    /// The mailboxes of the Reply-To field: where the author wants answers to
    /// go (RFC 5322 section 3.6.2), at most [`REPLY_TO_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reply_to: Vec<HeaderMailbox>,
    /// The decoded Subject, cut at [`SUBJECT_CHARS_MAX`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The Message-ID with its angle brackets, cut at 998 octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Number of Received fields: the hops behind the message.
    #[serde(default)]
    pub received_fields: u32,
    /// Attachments, at most [`ATTACHMENTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentFacts>,
    /// The field by which the message says that no person wrote it to its
    /// recipients: an automatic reply, a mailing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<String>,
    /// What kept a part of the message from being read, if anything did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

/// Longest subject kept in an event, in characters.
pub const SUBJECT_CHARS_MAX: usize = 1_000;
/// Most mailboxes of Reply-To fields kept in an event: as many as one
/// transaction has recipients, so that an answer to all of them is known.
pub const REPLY_TO_MAX: usize = 100;
/// Most attachments listed in an event.
pub const ATTACHMENTS_MAX: usize = 100;

/// One mailbox of an address header field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HeaderMailbox {
    /// The display name, decoded, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address as written; it need not be a valid one.
    pub address: String,
}

/// Authors whom nobody has looked at. They stand among the others as one that
/// is nobody's address, so that no rule about all of them holds for a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnseenAuthors {
    /// The header has more fields or octets than are looked at.
    HeaderTooLarge,
    /// The From field is longer than what is parsed of a field.
    FieldTooLong,
    /// There are more mailboxes than are kept.
    TooMany,
}

impl UnseenAuthors {
    /// All of them.
    pub const ALL: [UnseenAuthors; 3] =
        [UnseenAuthors::HeaderTooLarge, UnseenAuthors::FieldTooLong, UnseenAuthors::TooMany];

    /// Why nobody has, without a full stop.
    pub const fn words(self) -> &'static str {
        match self {
            UnseenAuthors::HeaderTooLarge => "the header is larger than the limit",
            UnseenAuthors::FieldTooLong => "the From field is longer than 64 KiB",
            UnseenAuthors::TooMany => "more than 8 mailboxes in the From field",
        }
    }

    /// The one that stands for them.
    pub fn mailbox(self) -> HeaderMailbox {
        HeaderMailbox { name: None, address: format!("({})", self.words()) }
    }

    /// Whom an address among the authors stands for, if it is none.
    pub fn of(address: &str) -> Option<UnseenAuthors> {
        let words = address.strip_prefix('(')?.strip_suffix(')')?;
        UnseenAuthors::ALL.into_iter().find(|unseen| unseen.words() == words)
    }
}

/// One attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AttachmentFacts {
    /// The file name the sender gave, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The declared media type.
    pub media_type: String,
    /// Decoded size in octets.
    pub size_octets: u64,
    /// SHA-256 of the decoded content, in hexadecimal.
    pub sha256: String,
}
