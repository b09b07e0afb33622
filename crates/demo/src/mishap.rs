//! How a transaction breaks off.

/// Where the sender is when it breaks off, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// The connection is gone after a recipient was accepted.
    DropAfterRecipient,
    /// The connection is gone in the middle of the content.
    DropInContent,
    /// Nothing comes after a recipient was accepted.
    SilentAfterRecipient,
    /// Nothing comes in the middle of the content.
    SilentInContent,
}

impl Mishap {
    /// Whether it happens inside the content.
    pub(crate) fn is_in_content(self) -> bool {
        matches!(self, Mishap::DropInContent | Mishap::SilentInContent)
    }

    /// Whether the connection stays open and nothing comes over it.
    pub(crate) fn is_silence(self) -> bool {
        matches!(self, Mishap::SilentAfterRecipient | Mishap::SilentInContent)
    }
}
