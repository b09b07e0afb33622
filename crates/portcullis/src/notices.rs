//! Puts delivery's notices into words: joins `deliver`, which knows what
//! failed, to `content`, which knows how a report is written. Neither may know
//! the other, so it stands here; the test kit writes with it too.

use content::{DeliveryStatus, Limits, RecipientStatus, Report};
use deliver::{Notice, NoticeKind, NoticeRecipient, NoticeText, NoticeWriter};
use types::event::RelayAnswer;
use types::{EmailAddress, EnhancedCode, Quoted};

/// Writes bounces and delay warnings in our name.
pub struct ReportWriter {
    host_name: String,
    postmaster: EmailAddress,
}

impl ReportWriter {
    /// A writer for the server of this name.
    ///
    /// # Errors
    /// The name makes no address.
    pub fn new(host_name: &str) -> Result<Self, String> {
        let postmaster = format!("postmaster@{host_name}")
            .parse()
            .map_err(|error| format!("postmaster@{host_name}: {error}"))?;
        Ok(ReportWriter { host_name: host_name.to_owned(), postmaster })
    }
}

impl NoticeWriter for ReportWriter {
    fn write(&self, notice: &Notice<'_>) -> NoticeText {
        let notes: Vec<_> = notice.recipients.iter().map(note).collect();
        let recipients: Vec<RecipientStatus<'_>> = notice
            .recipients
            .iter()
            .zip(&notes)
            .map(|(entry, note)| RecipientStatus {
                recipient: &entry.recipient.path,
                status: entry.status,
                diagnostic: match &entry.attempt.answer {
                    RelayAnswer::Reply(reply) => Some(reply),
                    RelayAnswer::NoReply(_) => None,
                },
                note: note.as_ref(),
                remote_mta: Some(&entry.attempt.host),
                last_attempt: Some(notice.at),
            })
            .collect();
        let report = match notice.kind {
            NoticeKind::Failed => Report::Failed,
            NoticeKind::Delayed { retry_until } => Report::Delayed { retry_until },
        };
        let unique = notice.id.to_string();
        let status = DeliveryStatus {
            report,
            reporting_mta: &self.host_name,
            postmaster: &self.postmaster,
            to: notice.to,
            unique: &unique,
            at: notice.at,
            arrived: notice.message.arrived,
            recipients: &recipients,
            original: notice.original,
        };
        let octets = status.to_message();
        let facts = content::read(&octets, &Limits::default());
        NoticeText { octets, facts }
    }
}

/// Why a recipient's domain keeps us from handing the message over. Other
/// reasons of ours speak of our own hosts, which are not for the world.
fn note(entry: &NoticeRecipient<'_>) -> Option<Quoted> {
    match (&entry.attempt.answer, entry.status) {
        // Security or policy status (RFC 3463 section 3.8).
        (RelayAnswer::NoReply(why), EnhancedCode(_, 7, _)) => Some(Quoted::new(None, None, why)),
        _ => None,
    }
}
