//! Evidence: one file per check.
//!
//! A check looks at the world or at what we remember and returns what it saw.
//! It cannot decide: this crate does not know the policy crate. What to look
//! at is asked by policy through [`Need`], one piece at a time, so that a
//! costly or stateful check runs only where it can still matter.

mod connections;
mod data;
mod directory;
mod greylist;
mod host_name;
mod network;
mod normalised;
mod rate;
mod recipient;
mod relay;
mod smtputf8;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use store::TripletTable;
use types::policy::GreylistTimes;
use types::{
    CheckName, EventId, Finding, ForwardPath, Inconclusive, LifeLineId, Micros, Need, Observed,
    ReversePath, SessionId, Source, Stage, Subject, Timestamp,
};
use world::{Clock, RecipientProbe, Resolver};

pub use connections::{ConnectionCounts, ConnectionLimits, Held};
pub use data::{DataLimits, message_findings, unavailable};
pub use directory::{Directory, DirectoryError, DirectoryFile};
pub use network::host_key;
pub use normalised::normalised;
pub use rate::RateLimit;
pub use relay::{NamedBy, relay_finding};

/// What one attempt shows to the checks.
#[derive(Clone, Copy, Debug)]
pub struct TransactionView<'a> {
    /// When the attempt is judged.
    pub at: Timestamp,
    /// MAIL FROM.
    pub reverse_path: &'a ReversePath,
    /// RCPT TO.
    pub recipient: &'a ForwardPath,
    /// All that is known of the attempt, for what is written later.
    pub subject: &'a Subject,
    /// The event the attempt will become.
    pub event: EventId,
    /// The life-line to open if the attempt continues no other.
    pub life_line: LifeLineId,
    /// The session.
    pub session: SessionId,
}

/// What may change while the server runs.
#[derive(Clone, Debug)]
pub struct CheckSettings {
    /// The three times of greylisting.
    pub greylist: GreylistTimes,
    /// Recipients one network may offer.
    pub rate: RateLimit,
    /// How long a look-up may take before it counts as not answered.
    pub deadline: Duration,
}

/// All checks that answer a [`Need`].
pub struct Checks {
    clock: Arc<dyn Clock>,
    settings: ArcSwap<CheckSettings>,
    directory: Arc<DirectoryFile>,
    probe: Arc<dyn RecipientProbe>,
    triplets: Arc<dyn TripletTable>,
    rates: rate::Rates,
}

impl Checks {
    /// The checks over these parts of the world and the store.
    pub fn new(
        clock: Arc<dyn Clock>,
        settings: CheckSettings,
        directory: Arc<DirectoryFile>,
        probe: Arc<dyn RecipientProbe>,
        triplets: Arc<dyn TripletTable>,
    ) -> Self {
        let settings = ArcSwap::from_pointee(settings);
        Checks { clock, settings, directory, probe, triplets, rates: rate::Rates::default() }
    }

    /// Puts new settings in force for the next attempt.
    pub fn reload(&self, settings: CheckSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// Looks at what policy asks for.
    pub async fn look(&self, need: Need, transaction: &TransactionView<'_>) -> Finding {
        let began = self.clock.elapsed();
        let settings = self.settings.load();
        let (check, (observed, source)) = match need {
            Need::Recipient(way) => {
                let answer = recipient::look(way, transaction, &self.directory, &*self.probe);
                (CheckName::Recipient, self.in_time(settings.deadline, answer).await)
            }
            Need::Smtputf8 => {
                (CheckName::Smtputf8, smtputf8::look(transaction.recipient, &*self.probe))
            }
            Need::Rate => {
                let ip = transaction.subject.client.client.ip;
                (CheckName::Rate, self.rates.look(ip, transaction.at, settings.rate))
            }
            Need::Triplet(identity) => {
                let times = settings.greylist;
                (CheckName::Greylist, greylist::look(identity, times, transaction, &*self.triplets))
            }
        };
        let took = Micros::from(self.clock.elapsed().saturating_sub(began));
        Finding { check, stage: Stage::Rcpt, observed, source, took }
    }

    /// The confirmed name of a client, or the finding that it could not be
    /// had. No [`Need`] asks for it, because it belongs to the session: it is
    /// looked up once for all its attempts.
    ///
    /// # Errors
    /// DNS did not answer, or not in time.
    pub async fn host_name(
        &self,
        ip: IpAddr,
        resolver: &dyn Resolver,
    ) -> Result<Option<Arc<str>>, Finding> {
        let began = self.clock.elapsed();
        let deadline = self.settings.load().deadline;
        let found = tokio::select! {
            biased;
            found = host_name::look(ip, resolver) => found,
            () = self.clock.sleep(deadline) => Err(Inconclusive::TimedOut),
        };
        found.map_err(|why| Finding {
            check: CheckName::HostName,
            stage: Stage::Rcpt,
            observed: Observed::Inconclusive(why),
            source: Source::Session,
            took: Micros::from(self.clock.elapsed().saturating_sub(began)),
        })
    }

    /// The answer of a look-up, or that it took too long.
    async fn in_time(&self, deadline: Duration, answer: impl Future<Output = Seen>) -> Seen {
        tokio::select! {
            biased;
            seen = answer => seen,
            () = self.clock.sleep(deadline) => {
                (Observed::Inconclusive(Inconclusive::TimedOut), Source::Session)
            }
        }
    }
}

/// What was seen, and where.
type Seen = (Observed, Source);
