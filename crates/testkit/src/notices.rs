//! Bounces and delay warnings in the words the product uses.

use content::{DeliveryStatus, Limits, RecipientStatus, Report};
use deliver::{Notice, NoticeKind, NoticeRecipient, NoticeText, NoticeWriter};
use types::EmailAddress;
use types::event::RelayAnswer;

/// Writes notices in the name of the gateway's postmaster.
pub(crate) struct Reports {
    pub(crate) host_name: String,
    pub(crate) postmaster: EmailAddress,
}

impl NoticeWriter for Reports {
    fn write(&self, notice: &Notice<'_>) -> NoticeText {
        let recipients: Vec<RecipientStatus<'_>> =
            notice.recipients.iter().map(|entry| status(entry, notice)).collect();
        let unique = notice.id.to_string();
        let report = match notice.kind {
            NoticeKind::Failed => Report::Failed,
            NoticeKind::Delayed { retry_until } => Report::Delayed { retry_until },
        };
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

fn status<'a>(entry: &'a NoticeRecipient<'a>, notice: &Notice<'_>) -> RecipientStatus<'a> {
    RecipientStatus {
        recipient: &entry.recipient.path,
        status: entry.status,
        diagnostic: match &entry.attempt.answer {
            RelayAnswer::Reply(quoted) => Some(quoted),
            RelayAnswer::NoReply(_) => None,
        },
        remote_mta: Some(&entry.attempt.host),
        last_attempt: Some(notice.at),
    }
}
