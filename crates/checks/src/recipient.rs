//! Whether the recipient exists.

use std::time::Duration;

use types::finding::RecipientAnswer;
use types::policy::RecipientValidation;
use types::{
    EmailAddress, ForwardPath, Inconclusive, Observed, ReversePath, Source, Timestamp, Unproven,
};
use world::RecipientProbe;

use crate::directory::{Directories, Found};
use crate::known::{KnownLimits, KnownRecipients};
use crate::{Seen, TransactionView};

/// What recipients are looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientSettings {
    /// How recipients known by name are learned and forgotten.
    pub known: KnownLimits,
    /// From what age on a directory is not believed when it lacks somebody.
    pub stale_after: Duration,
    /// What is done then.
    pub when_stale: WhenStale,
}

/// What is done with a recipient that is not in a directory which is too old.
/// It is never refused for good: it may have come since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenStale {
    /// The sender is asked to come back.
    Defer,
    /// It is taken.
    Accept,
}

/// Where recipients are looked up.
#[derive(Clone, Copy)]
pub(crate) struct RecipientSources<'a> {
    pub(crate) directories: &'a Directories,
    pub(crate) known: &'a KnownRecipients,
    pub(crate) settings: RecipientSettings,
}

/// Looks the recipient up in the way the policy says.
pub(crate) async fn look(
    validation: RecipientValidation,
    transaction: &TransactionView<'_>,
    sources: RecipientSources<'_>,
    probe: &dyn RecipientProbe,
) -> Seen {
    // Every server takes mail for its postmaster (RFC 5321 section 4.5.1).
    let ForwardPath::Address(recipient) = transaction.recipient else {
        return (answer_of(validation, RecipientAnswer::Known), Source::Settings);
    };
    match validation {
        RecipientValidation::CallForward => {
            ask(validation, transaction.reverse_path, transaction, probe).await
        }
        RecipientValidation::CallForwardNull => {
            ask(validation, &ReversePath::Null, transaction, probe).await
        }
        RecipientValidation::AcceptAll
        | RecipientValidation::Directory
        | RecipientValidation::Known => sources.look(validation, recipient, transaction.at),
    }
}

impl RecipientSources<'_> {
    /// Looks a recipient up in what is here; who has to be asked is not.
    pub(crate) fn look(
        &self,
        validation: RecipientValidation,
        recipient: &EmailAddress,
        at: Timestamp,
    ) -> Seen {
        match validation {
            RecipientValidation::AcceptAll => {
                (answer_of(validation, RecipientAnswer::Known), Source::Settings)
            }
            // Nobody has to list it; a next hop that is asked speaks for itself.
            RecipientValidation::Directory | RecipientValidation::Known
                if recipient.is_postmaster() =>
            {
                (answer_of(validation, RecipientAnswer::Known), Source::Settings)
            }
            RecipientValidation::Directory => self.in_directory(recipient, at),
            RecipientValidation::Known => {
                let answer = self.known.answer(recipient, at, self.settings.known);
                (answer_of(validation, answer), Source::Memory)
            }
            RecipientValidation::CallForward | RecipientValidation::CallForwardNull => {
                (Observed::Inconclusive(Inconclusive::NotConfigured), Source::Settings)
            }
        }
    }

    fn in_directory(&self, recipient: &EmailAddress, at: Timestamp) -> Seen {
        let answer = |answer| answer_of(RecipientValidation::Directory, answer);
        let imported = self.known.is_imported(recipient);
        match (self.directories.look(recipient), imported) {
            (_, Some(true)) => (answer(RecipientAnswer::Known), Source::Memory),
            (None, Some(false)) => (answer(RecipientAnswer::Unknown), Source::Memory),
            (None, None) => (Observed::Inconclusive(Inconclusive::NotConfigured), Source::Settings),
            (Some(Found { known, confirmed }), _) => {
                let age = confirmed.map(|confirmed| at.since(confirmed));
                let is_old = age.is_none_or(|age| age > self.settings.stale_after);
                let observed = match (known, is_old) {
                    (true, _) => answer(RecipientAnswer::Known),
                    (false, false) => answer(RecipientAnswer::Unknown),
                    (false, true) => match self.settings.when_stale {
                        WhenStale::Defer => Observed::Inconclusive(Inconclusive::Unreachable),
                        WhenStale::Accept => answer(RecipientAnswer::Unproven(Unproven::Stale)),
                    },
                };
                let source = match age {
                    Some(age) => Source::Directory { age_s: age.as_secs() },
                    // There is no age of what never was.
                    None => Source::Memory,
                };
                (observed, source)
            }
        }
    }
}

fn answer_of(validation: RecipientValidation, answer: RecipientAnswer) -> Observed {
    Observed::Recipient { validation, answer }
}

/// Asks the next hop, in the name of `reverse_path`.
async fn ask(
    validation: RecipientValidation,
    reverse_path: &ReversePath,
    transaction: &TransactionView<'_>,
    probe: &dyn RecipientProbe,
) -> Seen {
    let recipient = transaction.recipient;
    let probed = probe.probe(recipient.domain_key(), reverse_path, recipient).await;
    let observed = match probed.answer {
        Ok(answer) => answer_of(validation, answer),
        Err(inconclusive) => Observed::Inconclusive(inconclusive),
    };
    let source = match probed.age_s {
        Some(age_s) => Source::Cache { age_s },
        None => Source::NextHop { host: probed.host, ip: probed.ip },
    };
    (observed, source)
}
