//! What people do: search and understand attempts, keep policies and senders,
//! steer queue and greylist, and what the house does for them every day: the
//! daily log, retention, the conservation sum, the numbers of its metrics.
//!
//! Everything stands behind [`Center`], whose functions each take a
//! [`Caller`](types::Caller) and ask for its permission first. Web pages, the
//! API and the command line show what is made here and add nothing to it.
//! All functions block for disk or database; asynchronous callers keep them
//! off their workers. This crate must not know HTTP, SMTP, the receiver, the
//! delivery or the checks.

pub mod accounts;
pub mod alerts;
mod attempts;
pub mod audit;
#[cfg(test)]
mod audit_tests;
mod auto_allow;
pub mod bulk;
pub mod command;
mod conservation;
mod csv_columns;
pub mod daily_log;
mod definitions;
mod directories;
mod directory_groups;
mod effects;
mod error;
mod expecting;
pub mod explain;
mod exports;
mod follow;
mod greylist;
mod groups;
mod hours;
pub mod importing;
mod input;
pub mod letting;
pub mod metrics;
mod next_hops;
mod observing;
pub mod overview;
mod policies;
pub mod precision;
mod present;
mod proofs;
pub mod query;
mod queue;
mod races;
mod recipients;
mod refusals;
pub mod replay;
mod reputation;
mod requests;
mod retention;
mod returns;
mod saved_views;
mod schema;
pub mod search;
mod senders;
mod shadows;
mod sight;
#[cfg(test)]
mod sight_tests;
mod simulate;
mod status;
pub mod submitters;
mod versions;
pub mod views;
mod waiting;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use policy::{PolicySet, SenderChange};
use store::search::EventSearch;
use store::state::{AuditState, PolicyState, ReviewRequestState, SavedViewState};
use store::{CorrespondenceTable, EventLog, MessageQueue, TripletTable};
use types::policy::BasePolicies;
use types::{Caller, NodeName, Permission};
use world::{Chance, Clock};

pub use auto_allow::{AutoAllowImported, AutoAllowRow, AutoAllowSearch};
pub use conservation::{Conservation, SessionCounters, SessionCounts};
pub use definitions::{
    DefinitionGround, DefinitionRow, WrittenDefinition, blank_definition, definition_example,
    definition_text, read_definition,
};
pub use directories::{DirectoryDomain, DirectoryReading, ReadDirectory, SyncedDirectory};
pub use directory_groups::DirectoryGroups;
pub use error::{CenterError, Problem};
pub use expecting::{EXPECTED_FOR, Expectation, NewExpectation};
pub use explain::Explanation;
pub use exports::{
    EXPORT_KEPT_FOR, EXPORTS_AT_ONCE, EXPORTS_KEPT_MAX, EXPORTS_WAITING_MAX, ExportFile,
    ExportFormat, ExportJob, ExportParts, ExportRequest, ExportRows, ExportState,
};
pub use follow::FollowedRows;
pub use greylist::{GreylistPair, GreylistPairSearch, GreylistRow, GreylistShown, GreylistSize};
pub use groups::{AttributeRow, GroupRow, GroupSource, Pasted};
pub use hours::{HOURS_MAX, HourCounts, HourRow};
pub use next_hops::{NextHopState, NextHops};
pub use observing::ObservedPolicy;
pub use policies::{ChangeResult, PolicyList, PolicyRow};
pub use policy::possible_actions;
pub use present::{presentable, presentable_lines, presentable_within};
pub use queue::{
    QUEUE_NOTE_CHARS_MAX, QueueCommand, QueueDone, QueueOffer, QueueOrder, QueuePlan, QueuePlanRow,
    QueueRecipientRow, QueueRow, QueueShape, QueueStanding, QueueUnchanged, QueuedNotice,
    QueuedNotices, RowQueue, ShapeRow,
};
pub use recipients::importing::{RecipientImport, RecipientsImported};
pub use recipients::{
    DirectoryRow, RecipientBook, RecipientDomain, RecipientSearch, RecipientShown,
};
pub use reputation::{ReputationBook, ReputationRow};
pub use requests::{
    HandedIn, NewRequest, REQUEST_CHARS_MAX, REQUEST_CONTACT_CHARS_MAX, REQUEST_NOTE_CHARS_MAX,
    REQUESTS_PAGE_MAX, RequestAnswer, RequestList, RequestedAttempt, ReviewRequest,
};
pub use returns::{DelayRow, DelaySuggestion, GreylistDelays, ReturnPrior, ReturnState, RowReturn};
pub use saved_views::{NewView, SavedView};
pub use search::{Cursor, PAGE_ROWS_MAX, Row, SearchPage, SearchRequest};
pub use senders::file::{ImportHow, Imported};
pub use senders::{SenderRow, SenderSearch};
pub use simulate::{Simulated, SimulatedMail};
pub use status::{Readiness, ReadyCheck, Status};
pub use versions::{VersionDifference, VersionRow};
pub use views::View;
pub use waiting::{LastTry, StillQueued};

/// Makes a stored change of the policy set take effect. The binary implements
/// it: it compiles and swaps.
pub trait PolicyActivator: Send + Sync {
    /// What the settings say, over which stored policies stand.
    fn base(&self) -> BasePolicies;

    /// The policy set in force.
    fn in_force(&self) -> Arc<PolicySet>;

    /// Version `version` was stored; decisions made after this returns follow
    /// it, except for the objects it gives: those no longer fit the settings
    /// and are left out, a sentence for each.
    ///
    /// # Errors
    ///
    /// A sentence for the operator. The change stays stored and the version
    /// before stays in force.
    fn activate(&self, version: u64, change: Activation) -> Result<Vec<String>, String>;
}

/// What of the policy set changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Activation {
    /// Read everything anew.
    Everything,
    /// Policies and groups; the managed senders are as they were.
    Policies,
    /// Some managed senders, and nothing else.
    Senders(Vec<SenderChange>),
}

/// What a message center is made of.
#[derive(Clone)]
pub struct Parts {
    /// The memory of all that happened.
    pub log: Arc<dyn EventLog>,
    /// The same memory, for searching it.
    pub search: Arc<dyn EventSearch>,
    /// Accepted messages that have not left.
    pub queue: Arc<dyn MessageQueue>,
    /// The triplet table.
    pub triplets: Arc<dyn TripletTable>,
    /// Who of ours wrote to whom.
    pub correspondences: Arc<dyn CorrespondenceTable>,
    /// Policies, groups and managed senders with their history.
    pub policies: Arc<dyn PolicyState>,
    /// The audit log.
    pub audit: Arc<dyn AuditState>,
    /// What puts changes into force.
    pub activator: Arc<dyn PolicyActivator>,
    /// What the listeners counted.
    pub sessions: Arc<dyn SessionCounters>,
    /// What was counted of every event written; its
    /// [`observe`](metrics::MetricsFromEvents::observe) is called once for
    /// each, after it was recorded.
    pub events: Arc<metrics::MetricsFromEvents>,
    /// Whether mail can be taken.
    pub readiness: Arc<dyn Readiness>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Random octets for the identifiers of follow-up events.
    pub chance: Arc<dyn Chance>,
    /// The name of this machine in events.
    pub node: NodeName,
    /// The folder of the daily logs.
    pub daily_log_folder: PathBuf,
    /// How long events are kept.
    pub metadata_kept: Duration,
    /// The version of the program, for the status.
    pub program_version: &'static str,
}

/// The parts without the memory of events, which is asked through
/// [`sight`] only.
struct Kept {
    queue: Arc<dyn MessageQueue>,
    triplets: Arc<dyn TripletTable>,
    correspondences: Arc<dyn CorrespondenceTable>,
    policies: Arc<dyn PolicyState>,
    audit: Arc<dyn AuditState>,
    activator: Arc<dyn PolicyActivator>,
    sessions: Arc<dyn SessionCounters>,
    events: Arc<metrics::MetricsFromEvents>,
    readiness: Arc<dyn Readiness>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    node: NodeName,
    daily_log_folder: PathBuf,
    metadata_kept: Duration,
    program_version: &'static str,
}

impl Parts {
    fn apart(self) -> (sight::Memory, Kept) {
        let kept = Kept {
            queue: self.queue,
            triplets: self.triplets,
            correspondences: self.correspondences,
            policies: self.policies,
            audit: self.audit,
            activator: self.activator,
            sessions: self.sessions,
            events: self.events,
            readiness: self.readiness,
            clock: self.clock,
            chance: self.chance,
            node: self.node,
            daily_log_folder: self.daily_log_folder,
            metadata_kept: self.metadata_kept,
            program_version: self.program_version,
        };
        (sight::Memory::new(self.log, self.search), kept)
    }
}

/// The message center: every function people have, behind permissions.
pub struct Center {
    parts: Kept,
    memory: sight::Memory,
    daily_log: daily_log::DailyLog,
    hours: hours::Hours,
    refusals: refusals::Refusals,
    recent_precision: precision::RecentPrecision,
    returns: returns::Returns,
    next_hops: Arc<dyn NextHops>,
    exports: Option<exports::Jobs>,
    saved_views: Option<Arc<dyn SavedViewState>>,
    requests: Option<Arc<dyn ReviewRequestState>>,
    submitters: Option<Arc<submitters::Submitters>>,
    alerts: Option<alerts::Alerts>,
    reputation: Arc<dyn ReputationBook>,
    recipients: Arc<dyn RecipientBook>,
    acts_learned: reputation::ActsLearned,
    started: types::Timestamp,
    /// One list of recipients at a time.
    importing_recipients: Mutex<()>,
    /// One replay at a time: it takes all processors it can get.
    replaying: Mutex<()>,
    bulk: bulk::Jobs,
}

impl Center {
    /// Opens the message center over its parts; nothing is read or written.
    pub fn new(parts: Parts) -> Self {
        let daily_log = daily_log::DailyLog::new(
            Arc::clone(&parts.log),
            parts.daily_log_folder.clone(),
            parts.metadata_kept,
        );
        let started = parts.clock.now();
        let next_hops = Arc::new(next_hops::NoNextHops);
        let hours = hours::Hours::default();
        let again = parts.clone();
        let bulk = bulk::Jobs::new(move || Center::new(again.clone()));
        let (memory, parts) = parts.apart();
        Center {
            parts,
            memory,
            daily_log,
            hours,
            refusals: refusals::Refusals::default(),
            recent_precision: precision::RecentPrecision::default(),
            returns: returns::Returns::default(),
            next_hops,
            exports: None,
            saved_views: None,
            requests: None,
            submitters: None,
            alerts: None,
            reputation: Arc::new(reputation::NoReputation),
            recipients: Arc::new(recipients::NoRecipients),
            acts_learned: reputation::ActsLearned::default(),
            started,
            importing_recipients: Mutex::new(()),
            replaying: Mutex::new(()),
            bulk,
        }
    }

    /// The same, with delivery beside it: it then says of next hops how they
    /// are, and a retry does not wait for their back-off.
    #[must_use]
    pub fn with_next_hops(self, next_hops: Arc<dyn NextHops>) -> Self {
        Center { next_hops, ..self }
    }

    /// The same, with a receiver beside it that learns of clients.
    #[must_use]
    pub fn with_reputation(self, reputation: Arc<dyn ReputationBook>) -> Self {
        Center { reputation, ..self }
    }

    /// The same, with a receiver beside it that knows recipients.
    #[must_use]
    pub fn with_recipients(self, recipients: Arc<dyn RecipientBook>) -> Self {
        Center { recipients, ..self }
    }

    /// The same, with a folder for exports: without one there are none.
    #[must_use]
    pub fn with_exports(self, parts: ExportParts) -> Self {
        let clock = Arc::clone(&self.parts.clock);
        Center { exports: Some(exports::Jobs::new(parts, clock)), ..self }
    }

    /// The same, with a place for saved views.
    #[must_use]
    pub fn with_saved_views(self, state: Arc<dyn SavedViewState>) -> Self {
        Center { saved_views: Some(state), ..self }
    }

    /// The same, with a place for what refused senders write.
    #[must_use]
    pub fn with_requests(self, state: Arc<dyn ReviewRequestState>) -> Self {
        Center { requests: Some(state), ..self }
    }

    /// The same, with alerts of saved views.
    #[must_use]
    pub fn with_alerts(self, parts: alerts::AlertParts) -> Self {
        Center { alerts: Some(alerts::Alerts::new(parts)), ..self }
    }

    /// The daily log, for the driver that keeps it.
    pub fn daily_log(&self) -> &daily_log::DailyLog {
        &self.daily_log
    }

    /// The present moment, as the gateway has it.
    pub fn now(&self) -> types::Timestamp {
        self.parts.clock.now()
    }

    /// The table of search fields, for help; everybody may read it.
    pub fn search_fields(&self) -> Vec<query::fields::FieldHelp> {
        query::fields::help()
    }
}

/// Refuses a caller who lacks the permission.
fn permit(caller: &Caller, permission: Permission) -> Result<(), CenterError> {
    if caller.may(permission) { Ok(()) } else { Err(CenterError::Denied { permission }) }
}

#[cfg(test)]
mod tests;
