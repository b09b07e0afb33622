//! What the rest of the house may ask of the store, as traits.
//!
//! One suite of tests (`tests/contract`) runs against every implementation.
//! The embedded one keeps journals and segments in the data folder; others
//! (PostgreSQL, an object store) can follow without a change elsewhere.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use types::finding::{TripletFacts, TripletState};
use types::policy::{ClientIdentity, GreylistTimes};
use types::{
    Correspondence, EmailAddress, Event, EventId, ForwardPath, LifeLineId, QueueId, Reference,
    ReversePath, SessionId, Subject, Timestamp,
};

use crate::message::{QueuedMessage, RecipientState};
pub use crate::search::{Filter, TextColumn, TextMatch};

/// A future that may be kept in a trait object.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why the store could not do what was asked. All of it is our failure, so
/// the client is asked to come back; nothing was acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// No space, or less than the reserve.
    #[error("the disk of the data folder is full")]
    Full,
    /// The triplet table has as many entries as it may have.
    #[error("the triplet table is full")]
    TableFull,
    /// Reading or writing failed.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done, in the words of an operator.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        error: Arc<std::io::Error>,
    },
    /// A stored record cannot be read; it was skipped, the rest is usable.
    #[error("damaged record in {0}")]
    Damaged(String),
    /// The database refused.
    #[error("state database: {0}")]
    Database(String),
    /// Somebody changed the object in between.
    #[error("changed meanwhile: expected version {expected}, found {found}")]
    Conflict {
        /// The version the change was made on.
        expected: u64,
        /// The version there is.
        found: u64,
    },
    /// There is no such object to change.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The object is read-only here.
    #[error("{0} comes from the policy file and can only be changed there")]
    FileManaged(String),
    /// The object is read from elsewhere.
    #[error("{0} comes from a directory on a server and can only be changed there")]
    DirectoryManaged(String),
    /// The name is kept for a group of a directory.
    #[error(
        "{what} has the name of a group of the directory {directory}: give it another name, \
         without that in front"
    )]
    NameOfDirectory {
        /// The group.
        what: String,
        /// The directory, which need not be there.
        directory: String,
    },
    /// What a directory calls a group is taken here.
    #[error("there is {0} already, and not from the directory; remove it, or give it another name")]
    NameTaken(String),
    /// An account is limited to the group that is to go.
    #[error("the account {account} is limited to {what}; give it another limit first")]
    Needed {
        /// The group.
        what: String,
        /// The account.
        account: String,
    },
    /// More than there is room for.
    #[error("at most {max} {what}; {raise} can be raised")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
        /// The setting that says so.
        raise: &'static str,
    },
    /// What was changed counts, and a restart would undo it.
    #[error(
        "the change is in force, but could not be stored, and is tried again every minute: {0}"
    )]
    InForceOnly(Box<StoreError>),
    /// Another instance has the data folder.
    #[error("the data folder is in use by another instance")]
    InUse,
    /// Somebody removed or moved the data folder under us.
    #[error("the data folder is no longer where it was")]
    Gone,
    /// The store was closed or its writer has failed for good.
    #[error("the store is closed")]
    Closed,
}

/// A place in the journal. All before it is durable once
/// [`EventLog::flushed`] has returned for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// What is committed at the end of a transaction, in one record.
#[derive(Debug)]
pub struct Acceptance {
    /// The message, if at least one recipient was accepted or held. Its
    /// content was written through a [`ContentWriter`] of the same id.
    pub message: Option<QueuedMessage>,
    /// The attempt events, one per recipient, refused ones included.
    pub events: Vec<Event>,
}

/// Takes the content of one message as it arrives.
///
/// Dropping it without [`EventLog::commit`] forgets the content.
pub trait ContentWriter: Send {
    /// Appends octets. Waits, rather than buffering without end, while the
    /// disk is behind.
    fn write<'a>(&'a mut self, octets: &'a [u8]) -> Later<'a, Result<(), StoreError>>;

    /// Octets written so far.
    fn octets(&self) -> u64;
}

/// The write path and the memory of all that happened.
pub trait EventLog: Send + Sync {
    /// Opens the content of a new message.
    fn content(&self, id: QueueId) -> Box<dyn ContentWriter>;

    /// Writes events that need no flush before their reply (deferrals,
    /// rejections, follow-ups). On return they survive the death of the
    /// process; they are flushed with the next group, at most 50 ms later.
    /// They are findable at once.
    fn record(&self, events: Vec<Event>) -> Result<Position, StoreError>;

    /// Writes the commit record of a transaction, puts the message into the
    /// queue, and waits until both survive a power cut: only then may anybody
    /// say 250, and only then are the events findable. If it fails, nothing
    /// of it is known to anybody, though a record that could not be flushed
    /// may turn up at the next start: then the message was taken over after
    /// all, and is delivered.
    fn commit(
        &self,
        content: Option<Box<dyn ContentWriter>>,
        acceptance: Acceptance,
    ) -> Later<'_, Result<Position, StoreError>>;

    /// Waits until everything up to `position` survives a power cut.
    fn flushed(&self, position: Position) -> Later<'_, Result<(), StoreError>>;

    /// One event.
    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError>;

    /// Events with this reference (of the event or of its life-line), newest first; almost always one.
    fn by_reference(&self, reference: Reference) -> Result<Vec<Event>, StoreError>;

    /// All events of a life-line, oldest first.
    fn life_line(&self, id: LifeLineId) -> Result<Vec<Event>, StoreError>;

    /// Events that match, newest first, within `times`.
    fn search(
        &self,
        filter: &Filter,
        times: Range<Timestamp>,
        page: Page,
    ) -> Result<Found, StoreError>;

    /// Hands every event of `times` to `visit`, oldest first, until it says
    /// stop; for exports and the daily log, in constant memory.
    fn visit(
        &self,
        times: Range<Timestamp>,
        visit: &mut dyn FnMut(Event) -> std::ops::ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Attempt events per outcome since start and in all segments kept, for
    /// the conservation sum.
    fn totals(&self) -> Totals;

    /// Drops what ended before `before`, whole segments only. The life-lines
    /// of messages that are still in the queue stay: somebody may have to
    /// decide about them.
    fn drop_before(&self, before: Timestamp) -> Result<u64, StoreError>;
}

/// Is told of everything that happens: counts it, logs it, shows it.
pub trait EventWatcher: Send + Sync {
    /// These events are stored and findable. Called once for each, by the
    /// threads that write and flush, so it must not wait for anything.
    fn happened(&self, events: &[Arc<Event>]);
}

/// Where to go on, and how much to return.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Only events older than this one (by time, then id).
    pub after: Option<(Timestamp, EventId)>,
    /// Most rows to return.
    pub rows_max: usize,
    /// Whether to go on counting up to this many matches.
    pub count_max: usize,
}

/// One page of a search.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The rows, newest first.
    pub events: Vec<Event>,
    /// Matches counted: at most `count_max`, but never fewer than the rows.
    pub count: usize,
    /// Whether there are more than were counted.
    pub more: bool,
    /// Spans that could not be read, for the list to say so.
    pub missing: Vec<Range<Timestamp>>,
}

/// How many attempts ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Attempt events by outcome, in the order of [`OutcomeKind::ALL`].
    pub attempts: [u64; 4],
    /// Follow-up events.
    pub follow_ups: u64,
}

/// Accepted messages until they have left us.
pub trait MessageQueue: Send + Sync {
    /// Leases up to `max` messages with a recipient due at `now`. A leased
    /// message is not leased again until it is [settled](Self::settle) or
    /// given back; leases do not survive a restart, messages do.
    fn lease_due(&self, now: Timestamp, max: usize) -> Vec<Arc<QueuedMessage>>;

    /// The content of a message, in pieces.
    fn read(&self, id: QueueId) -> Result<Box<dyn ContentReader>, StoreError>;

    /// Records what came of a lease, with the follow-up events, in one
    /// journal record, and ends the lease. Recipients not named stay as they are.
    fn settle(
        &self,
        id: QueueId,
        steps: Vec<QueueStep>,
        events: Vec<Event>,
    ) -> Result<Position, StoreError>;

    /// Records what a person did to a message, with the follow-up events, in
    /// one journal record. A lease goes on: nobody else may begin to transfer
    /// the message before its holder has [settled](Self::settle) it, or its
    /// recipients would get it twice.
    fn intervene(
        &self,
        id: QueueId,
        steps: Vec<QueueStep>,
        events: Vec<Event>,
    ) -> Result<Position, StoreError>;

    /// Whether somebody holds a lease of a message, to transfer it now.
    fn is_leased(&self, id: QueueId) -> bool;

    /// When the next message that is not leased is due.
    fn next_due(&self) -> Option<Timestamp>;

    /// Waits until a message was added or changed by somebody.
    fn changed(&self) -> Later<'_, ()>;

    /// One message, if it is still here.
    fn message(&self, id: QueueId) -> Option<Arc<QueuedMessage>>;

    /// Messages in order of arrival, from `after` on.
    fn list(&self, after: Option<QueueId>, max: usize) -> Vec<Arc<QueuedMessage>>;

    /// The messages that we wrote ourselves (bounces and warnings), in order of
    /// arrival, from `after` on: what [`list`](Self::list) has of them, without
    /// a look at any other.
    fn notices(&self, after: Option<QueueId>, max: usize) -> Vec<Arc<QueuedMessage>>;

    /// How many of them there are.
    fn notice_count(&self) -> usize;

    /// How many messages are in the queue.
    fn depth(&self) -> QueueDepth;
}

/// How many messages are in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages of which at least one recipient waits for the next hop.
    pub waiting: usize,
    /// Messages of which every recipient that is left waits for a person.
    pub held: usize,
    /// The arrival of the oldest message that waits for the next hop.
    pub oldest_waiting: Option<Timestamp>,
}

impl QueueDepth {
    /// Messages that have not left.
    pub fn messages(self) -> usize {
        self.waiting + self.held
    }
}

/// The new state of one recipient of a message.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct QueueStep {
    /// Which recipient, by its attempt event.
    pub recipient: EventId,
    /// Where it stands now.
    pub state: RecipientState,
}

/// Hands out the content of one message in order.
pub trait ContentReader: Send {
    /// The next piece, at most 256 KiB; empty at the end. May block for a
    /// disk read.
    fn next_piece(&mut self) -> Result<bytes::Bytes, StoreError>;
}

/// One attempt as the triplet table wants it.
#[derive(Clone, Debug)]
pub struct TripletAttempt<'a> {
    /// How the client is identified.
    pub identity: ClientIdentity,
    /// The address or network, as text and as key.
    pub client: Arc<str>,
    /// The reverse-path, normalised for the key (VERP, SRS, BATV undone).
    pub sender: Arc<str>,
    /// The recipient.
    pub recipient: &'a ForwardPath,
    /// When.
    pub at: Timestamp,
    /// The times that apply.
    pub times: GreylistTimes,
    /// The life-line to open if this is a first attempt.
    pub life_line: LifeLineId,
    /// The event of this attempt.
    pub event: EventId,
    /// The session of this attempt.
    pub session: SessionId,
    /// What the clock needs to write *Sender Failed to Retry* later.
    pub subject: &'a Subject,
}

/// A window that closed without a retry that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpiredTriplet {
    /// The table's facts at the end.
    pub facts: TripletFacts,
    /// When the window closed: the time of the event, even after a downtime.
    pub closed: Timestamp,
    /// The session of the first attempt.
    pub session: SessionId,
    /// Who sent what to whom, from the first attempt.
    pub subject: Subject,
}

/// Which networks, senders and recipients were seen together before.
pub trait TripletTable: Send + Sync {
    /// Enters an attempt and says where its triplet stands now. An early
    /// retry keeps the first time; a pass inside the window, and every use
    /// after it, renews the memory. A life-line is joined by every attempt
    /// inside the window of the first, until [`EventLog::commit`] accepts a
    /// message of its triplet (RFC 5321 section 4.5.4.1: the message whose
    /// transaction failed after a pass comes again).
    fn enter(&self, attempt: &TripletAttempt<'_>) -> Result<TripletFacts, StoreError>;

    /// Where the triplet of this attempt would stand; changes nothing. The
    /// table has an entry of it unless that is [`TripletState::FirstSeen`].
    fn stands(&self, attempt: &TripletAttempt<'_>) -> TripletState;

    /// How many pairs of sender and recipient of this client have come back
    /// and are remembered.
    fn pairs_of(&self, identity: ClientIdentity, client: &str) -> u32;

    /// Takes out windows that closed before `now` without a pass (at the
    /// instant of closing a retry still passes), at most `max`, oldest first. They are gone for good only once
    /// their events are recorded with [`TripletTable::expired`].
    fn due(&self, now: Timestamp, max: usize) -> Vec<ExpiredTriplet>;

    /// Records *Sender Failed to Retry* events and removes their triplets, in
    /// one journal record, so that a crash writes none twice.
    fn expired(&self, events: Vec<Event>) -> Result<Position, StoreError>;

    /// Closes the open window of this sender and recipient without a word,
    /// because a permit accepts the pair now.
    fn close_silently(
        &self,
        sender: &ReversePath,
        recipient: &ForwardPath,
    ) -> Result<(), StoreError>;

    /// Counts the open window of an attempt as one that was come back to,
    /// because nobody asks its sender to; remembered for `remember` after `at`.
    ///
    /// # Errors
    /// The change cannot be written; the window stays open.
    fn take_as_returned(
        &self,
        facts: &TripletFacts,
        recipient: &ForwardPath,
        at: Timestamp,
        remember: Duration,
    ) -> Result<(), StoreError>;

    /// Entries whose client, sender or recipient contains `text`, newest first.
    fn list(&self, text: &str, max: usize) -> Vec<TripletEntry>;

    /// Lets the matching open entries pass at their next attempt (an
    /// administrator's decision), or forgets entries.
    fn steer(&self, entries: &[TripletEntry], what: TripletSteer) -> Result<usize, StoreError>;

    /// Entries waiting for a retry, and entries remembered as passed.
    fn size(&self) -> (usize, usize);
}

/// What came of learning who wrote to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Pairs that were not known.
    pub new: usize,
    /// Known pairs that now count longer.
    pub renewed: usize,
    /// New pairs for which the table has no room.
    pub left_out: usize,
}

/// Pairs that were not learned since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotLearned {
    /// Because the table was full.
    pub no_room: u64,
    /// Because they could not be written.
    pub unwritten: u64,
}

/// Who of ours wrote to whom outside, and when last.
pub trait CorrespondenceTable: Send + Sync {
    /// Enters that somebody wrote to somebody, or renews it; what is older
    /// than what is known changes nothing. On return it survives the death of
    /// the process; it is flushed with the next group.
    fn wrote(&self, pairs: &[Correspondence]) -> Result<Learned, StoreError>;

    /// That `own` wrote to `other` so lately that at `at` an answer is
    /// expected.
    fn between(
        &self,
        own: &EmailAddress,
        other: &EmailAddress,
        at: Timestamp,
    ) -> Option<Correspondence>;

    /// Pairs that count at `at` and are wanted, newest first, at most `max`.
    fn find(
        &self,
        wanted: &dyn Fn(&Correspondence) -> bool,
        at: Timestamp,
        max: usize,
    ) -> Vec<Correspondence>;

    /// That mail of `other` to `own` was held back and somebody let it go
    /// (`wrote` says when): until that counts no more, [`Self::wrote`] takes
    /// nothing of the pair, because an answer to such mail teaches nothing.
    /// A pair that is known stays as it is. At a limit nothing more is kept.
    fn released(&self, pairs: &[Correspondence]) -> Result<(), StoreError>;

    /// As if they had never written; says how many there were.
    fn forget(&self, pairs: &[Correspondence]) -> Result<usize, StoreError>;

    /// How many pairs there are.
    fn count(&self) -> usize;

    /// How many more can be learned.
    fn room(&self) -> usize;

    /// How many were not learned since the start.
    fn not_learned(&self) -> NotLearned;
}

/// One row of the triplet table, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct TripletEntry {
    /// Its key and where it stands.
    pub facts: TripletFacts,
    /// The recipient.
    pub recipient: ForwardPath,
    /// When it was last used.
    pub last_used: Timestamp,
}

/// What a person can do to triplets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TripletSteer {
    /// As if a retry had passed.
    Pass,
    /// As if it had never been seen; an open window closes silently.
    Forget,
}
