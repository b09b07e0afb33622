//! What a client waits for, and why it gives up: every error names the peer's
//! part in it.

use super::{PeerReply, ReplyError};

/// Why a session cannot go on; the connection must be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The peer does not want to talk to us: its greeting, or its reply to
    /// HELO, is negative.
    #[error("the peer refuses the connection: {}", .0.quoted)]
    Refused(PeerReply),
    /// The peer does not speak SMTP.
    #[error("{0}")]
    Malformed(#[from] ReplyError),
    /// The peer replied though nothing was asked.
    #[error("the peer sent a reply nobody asked for: {}", .0.quoted)]
    Unasked(PeerReply),
    /// The peer closed the connection.
    #[error("the peer closed the connection while it owed a reply to {0}")]
    Closed(Step),
    /// The peer was silent for too long.
    #[error("the peer was silent for too long while it owed a reply to {0}")]
    TimedOut(Step),
}

/// What the peer owes a reply to; says how long to wait
/// (RFC 5321 section 4.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The connection: its greeting (5 minutes).
    Connection,
    /// EHLO (5 minutes).
    Ehlo,
    /// HELO, after a refused EHLO (5 minutes).
    Helo,
    /// STARTTLS (5 minutes).
    StartTls,
    /// RSET before a transaction (5 minutes).
    Rset,
    /// MAIL (5 minutes).
    Mail,
    /// RCPT (5 minutes).
    Rcpt,
    /// DATA (2 minutes).
    Data,
    /// The content (10 minutes).
    Content,
    /// The empty content that ends a DATA which the peer should have refused.
    NoContent,
    /// QUIT.
    Quit,
    /// Nothing: the next move is ours.
    Nothing,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Step::Connection => "the connection",
            Step::Ehlo => "EHLO",
            Step::Helo => "HELO",
            Step::StartTls => "STARTTLS",
            Step::Rset => "RSET",
            Step::Mail => "MAIL",
            Step::Rcpt => "RCPT",
            Step::Data => "DATA",
            Step::Content | Step::NoContent => "the content",
            Step::Quit => "QUIT",
            Step::Nothing => "nothing",
        })
    }
}
