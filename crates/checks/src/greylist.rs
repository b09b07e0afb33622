//! Whether network, sender and recipient were seen together before.

use std::sync::Arc;

use store::contract::TripletAttempt;
use store::{StoreError, TripletTable};
use types::finding::{HistoryFacts, NoPool, TripletFacts, TripletState, Unavailable};
use types::policy::{ClientIdentity, GreylistTimes};
use types::triplet::{Identified, identified, network_text, normalised};
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
    wanted: ClientIdentity,
    times: GreylistTimes,
    transaction: &TransactionView<'_>,
    triplets: &dyn TripletTable,
) -> Seen {
    let (found, mut attempt) = identified_attempt(wanted, times, transaction);
    let no_pool = found.no_pool.or_else(|| by_its_network(&found, &mut attempt, triplets));
    let observed = match triplets.enter(&attempt) {
        Ok(facts) => Observed::Triplet(TripletFacts { no_pool, ..facts }),
        Err(StoreError::TableFull) => Observed::Inconclusive(Inconclusive::Limited),
        Err(StoreError::Full) => Observed::Unavailable(Unavailable::Disk),
        Err(_) => Observed::Unavailable(Unavailable::Store),
    };
    (observed, Source::Memory)
}

/// Counts the pairs with which the client has come back. A triplet of a client
/// that is known is used by this, as if it had been looked up: it must neither
/// be forgotten because its client is spared, nor count as one that nobody
/// came back to. A first contact opens no window by this, though.
pub(crate) fn history(
    wanted: ClientIdentity,
    times: GreylistTimes,
    transaction: &TransactionView<'_>,
    triplets: &dyn TripletTable,
    score: u8,
) -> Seen {
    let (Identified { mut identity, mut client, mut no_pool }, attempt) =
        identified_attempt(wanted, times, transaction);
    let mut pairs = triplets.pairs_of(identity, &client);
    if identity == ClientIdentity::Pool {
        let network = network_text(transaction.subject.client.client.ip);
        let by_network = triplets.pairs_of(ClientIdentity::Network, &network);
        if by_network > pairs {
            (identity, client, pairs) = (ClientIdentity::Network, network, by_network);
            no_pool = Some(NoPool::SeenBefore);
        }
    }
    let facts = HistoryFacts { identity, client, pairs, score, no_pool };
    if facts.is_known() {
        let attempt = TripletAttempt { identity, client: Arc::clone(&facts.client), ..attempt };
        if matches!(triplets.stands(&attempt), TripletState::Known | TripletState::Passed) {
            // What cannot be written is forgotten a little earlier; a window
            // is closed once the mail is accepted.
            let _ = triplets.enter(&attempt);
        }
    }
    (Observed::History(facts), Source::Memory)
}

/// The attempt as the table wants it, with its client identified.
fn identified_attempt<'a>(
    wanted: ClientIdentity,
    times: GreylistTimes,
    transaction: &TransactionView<'a>,
) -> (Identified, TripletAttempt<'a>) {
    let ip = transaction.subject.client.client.ip;
    let found = identified(ip, wanted, transaction.reverse_path, transaction.spf);
    let attempt = TripletAttempt {
        identity: found.identity,
        client: Arc::clone(&found.client),
        sender: Arc::from(normalised(transaction.reverse_path)),
        recipient: transaction.recipient,
        at: transaction.at,
        times,
        life_line: transaction.life_line,
        event: transaction.event,
        session: transaction.session,
        subject: transaction.subject,
    };
    (found, attempt)
}

/// Where the table holds the network of a client and not yet its pool, the
/// network goes on counting: a sender that has passed, or waits, does not
/// begin anew because a policy now asks for pools, or because SPF could not
/// be asked at its first attempt.
fn by_its_network(
    found: &Identified,
    attempt: &mut TripletAttempt<'_>,
    triplets: &dyn TripletTable,
) -> Option<NoPool> {
    let is_new = |attempt: &TripletAttempt<'_>| triplets.stands(attempt) == TripletState::FirstSeen;
    if found.identity != ClientIdentity::Pool || !is_new(attempt) {
        return None;
    }
    let by_network = TripletAttempt {
        identity: ClientIdentity::Network,
        client: network_text(attempt.subject.client.client.ip),
        ..attempt.clone()
    };
    if is_new(&by_network) {
        return None;
    }
    *attempt = by_network;
    Some(NoPool::SeenBefore)
}
