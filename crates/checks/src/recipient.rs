//! Whether the recipient exists.

use types::finding::RecipientAnswer;
use types::policy::RecipientValidation;
use types::{ForwardPath, Inconclusive, Observed, ReversePath, Source};
use world::RecipientProbe;

use crate::directory::DirectoryFile;
use crate::{Seen, TransactionView};

/// Looks the recipient up in the way the policy says.
pub(crate) async fn look(
    validation: RecipientValidation,
    transaction: &TransactionView<'_>,
    directory: &DirectoryFile,
    probe: &dyn RecipientProbe,
) -> Seen {
    let known = |source| (answer_of(validation, RecipientAnswer::Known), source);
    // Every server takes mail for its postmaster (RFC 5321 section 4.5.1).
    let ForwardPath::Address(recipient) = transaction.recipient else {
        return known(Source::Settings);
    };
    match validation {
        RecipientValidation::AcceptAll => known(Source::Settings),
        RecipientValidation::Directory => match directory.contains(recipient, transaction.at) {
            Some((true, age_s)) => known(Source::Directory { age_s }),
            Some((false, age_s)) => {
                (answer_of(validation, RecipientAnswer::Unknown), Source::Directory { age_s })
            }
            None => (Observed::Inconclusive(Inconclusive::NotConfigured), Source::Settings),
        },
        RecipientValidation::CallForward => {
            ask(validation, transaction.reverse_path, transaction, probe).await
        }
        RecipientValidation::CallForwardNull => {
            ask(validation, &ReversePath::Null, transaction, probe).await
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
