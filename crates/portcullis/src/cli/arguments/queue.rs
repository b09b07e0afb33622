//! Mail that waits: the queue, and greylisting.

use clap::{Args, Subcommand};

use super::row_limit;

/// `queue …`
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// List messages.
    List {
        /// Most rows to show.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Show one message with its recipients.
    Show {
        /// Its id or reference.
        id: String,
    },
    /// Keep messages back until they are released.
    Hold(Which),
    /// End a hold.
    Release(Which),
    /// Try the next hop now.
    Retry(Which),
    /// Give messages up without telling the sender. --note has to say why.
    Delete(Which),
    /// Count messages by next hop and age.
    Shape,
}

/// Messages of the queue.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// Ids or references.
    #[arg(required_unless_present = "all")]
    pub ids: Vec<String>,
    /// Every message.
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Why, for colleagues; kept in the audit log and on the life-lines.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
}

/// `greylist …`
#[derive(Debug, Subcommand)]
pub enum GreylistCommand {
    /// List triplets, newest first.
    List {
        /// Only those with this text in client, sender or recipient.
        #[arg(default_value = "")]
        text: String,
        /// Most rows to show.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Show what is known of a sender and a recipient: by what each client is
    /// known, when a retry passes, when it is expected, what would let it in.
    Show {
        /// MAIL FROM; <> for the null reverse-path.
        sender: String,
        /// RCPT TO.
        recipient: String,
        /// Only this client: its address, its network, or the domain whose
        /// servers count as one.
        #[arg(long, value_name = "CLIENT")]
        client: Option<String>,
    },
    /// Let the matching triplets pass at their next attempt.
    Pass {
        /// Text in client, sender or recipient.
        text: String,
    },
    /// Let the next attempt pass that is like this one: same client, sender and
    /// recipient.
    LetIn {
        /// The reference of the attempt that was asked to come back.
        reference: String,
    },
    /// Show how long greylisting delayed the mail of each sender domain, from
    /// counts of the last 30 days.
    Delays {
        /// Days to look back on.
        #[arg(long, default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=30))]
        days: u32,
        /// Most domains to show.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Forget the matching triplets, as if they had never been seen.
    Forget {
        /// Text in client, sender or recipient.
        text: String,
    },
}
