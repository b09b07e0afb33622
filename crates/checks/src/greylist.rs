//! Whether network, sender and recipient were seen together before.

use std::sync::Arc;

use store::contract::TripletAttempt;
use store::{StoreError, TripletTable};
use types::finding::Unavailable;
use types::policy::{ClientIdentity, GreylistTimes};
use types::triplet::{identity_text, normalised};
use types::{Inconclusive, Observed, Source};

use crate::{Seen, TransactionView};

/// Enters the attempt into the triplet table and says where it stands.
///
/// A table that cannot be written is not the sender's fault, and letting the
/// mail pass unrecorded would break the promise that nothing is lost: it is
/// reported as unavailable, which defers. A table that is full answers
/// nothing, which lets first contacts pass: whoever floods it with names
/// must not be able to shut out everybody else.
pub(crate) fn look(
    identity: ClientIdentity,
    times: GreylistTimes,
    transaction: &TransactionView<'_>,
    triplets: &dyn TripletTable,
) -> Seen {
    let attempt = TripletAttempt {
        identity,
        client: identity_text(transaction.subject.client.client.ip, identity),
        sender: Arc::from(normalised(transaction.reverse_path)),
        recipient: transaction.recipient,
        at: transaction.at,
        times,
        life_line: transaction.life_line,
        event: transaction.event,
        session: transaction.session,
        subject: transaction.subject,
    };
    let observed = match triplets.enter(&attempt) {
        Ok(facts) => Observed::Triplet(facts),
        Err(StoreError::TableFull) => Observed::Inconclusive(Inconclusive::Limited),
        Err(StoreError::Full) => Observed::Unavailable(Unavailable::Disk),
        Err(_) => Observed::Unavailable(Unavailable::Store),
    };
    (observed, Source::Memory)
}
