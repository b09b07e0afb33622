//! Puts delivery's notices into words: joins `deliver`, which knows what
//! failed, to `content`, which knows how a report is written. Neither may know
//! the other, so it stands here; the test kit writes with it too.

use content::{DeliveryStatus, Limits, RecipientStatus, Report};
use deliver::{Notice, NoticeKind, NoticeText, NoticeWriter};
use types::EmailAddress;
use types::event::RelayAnswer;

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
        let recipients: Vec<RecipientStatus<'_>> = notice
            .recipients
            .iter()
            .map(|entry| RecipientStatus {
                recipient: &entry.recipient.path,
                status: entry.status,
                diagnostic: match &entry.attempt.answer {
                    RelayAnswer::Reply(reply) => Some(reply),
                    RelayAnswer::NoReply(_) => None,
                },
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
