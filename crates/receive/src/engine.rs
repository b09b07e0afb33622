//! What all connections share: the world, the store, the policy in force.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use checks::{Checks, ConnectionCounts, ConnectionLimits, DataLimits};
use policy::PolicySet;
use smtp::{SessionLimits, SessionProfile};
use store::{CorrespondenceTable, EventLog, TripletTable};
use types::finding::Unavailable;
use types::id::{EventId, LifeLineId, NodeName, QueueId, SessionId};
use types::{Reference, ReplyParameters, Timestamp};
use world::{Chance, Clock, Resolver};

use crate::content_buffer::ContentBudget;
use crate::submission::Submitters;
use crate::tally::Tally;
use crate::tls::Tls;

/// What may change while the server runs.
#[derive(Clone, Debug)]
pub struct ReceiveSettings {
    /// Our name in the greeting and in Received fields.
    pub host_name: Arc<str>,
    /// Base address of the explanation pages, if there are any.
    pub public_url: Option<Arc<str>>,
    /// Whether refusals for a score have an explanation page too.
    pub explains_scores: bool,
    /// Connections held and opened.
    pub connections: ConnectionLimits,
    /// What a session is bounded by.
    pub session: SessionLimits,
    /// What the data is bounded by, beyond size and lines.
    pub data: DataLimits,
    /// How long we wait.
    pub timeouts: Timeouts,
    /// How long the greeting is held back to catch early talkers; zero for
    /// not at all.
    pub greeting_delay: Duration,
    /// Whether clients are asked for a certificate where no policy in force
    /// wants one.
    pub asks_for_certificates: bool,
    /// Octets of content, of all connections together, that may be kept in
    /// memory to be examined.
    pub examined_octets_max: usize,
}

/// How long we wait for a client (RFC 5321 section 4.5.3.2.7 asks for five
/// minutes at least).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the next command, or the next octets of content (10 min).
    pub idle: Duration,
    /// For a whole session, however busy: a client that sends an octet a
    /// minute must not hold a place for ever.
    pub session: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
}

/// The parts an engine is made of.
pub struct EngineParts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// The policy set in force; whoever changes policies swaps it.
    pub policy: Arc<ArcSwap<PolicySet>>,
    /// The checks.
    pub checks: Arc<Checks>,
    /// Who knows the names of clients.
    pub resolver: Arc<dyn Resolver>,
    /// Where events and messages go.
    pub log: Arc<dyn EventLog>,
    /// Where open greylist windows are closed.
    pub triplets: Arc<dyn TripletTable>,
    /// Who of ours wrote to whom.
    pub correspondences: Arc<dyn CorrespondenceTable>,
    /// Our name in events.
    pub node: NodeName,
    /// TLS, if STARTTLS is offered.
    pub tls: Option<Arc<Tls>>,
    /// Who knows names and passwords; without, no listener offers AUTH.
    pub submitters: Option<Arc<dyn Submitters>>,
}

/// What all connections share.
pub struct Engine {
    pub(crate) parts: EngineParts,
    pub(crate) counts: Arc<ConnectionCounts>,
    pub(crate) budget: Arc<ContentBudget>,
    live: ArcSwap<Live>,
    health: Health,
    tally: Tally,
    questions: AtomicU32,
}

/// The settings in force with what is made of them once.
pub(crate) struct Live {
    pub(crate) settings: ReceiveSettings,
    profile: Arc<SessionProfile>,
    /// That of listeners where clients can prove who they are.
    profile_with_auth: Arc<SessionProfile>,
}

impl Live {
    fn new(settings: ReceiveSettings, parts: &EngineParts, tally: &Tally) -> Self {
        let starttls = parts.tls.is_some();
        let profile = SessionProfile::new(&settings.host_name, starttls, settings.session)
            .counting(Arc::clone(tally.commands()));
        let profile_with_auth = match starttls && parts.submitters.is_some() {
            true => profile.clone().offering_auth(&settings.host_name),
            false => profile.clone(),
        };
        let (profile, profile_with_auth) = (Arc::new(profile), Arc::new(profile_with_auth));
        Live { settings, profile, profile_with_auth }
    }

    /// What all sessions of a listener have in common.
    pub(crate) fn profile(&self, offers_auth: bool) -> &Arc<SessionProfile> {
        if offers_auth { &self.profile_with_auth } else { &self.profile }
    }

    pub(crate) fn reply_parameters(&self, reference: Reference) -> ReplyParameters<'_> {
        ReplyParameters {
            reference: Some(reference),
            public_url: self.settings.public_url.as_deref(),
            explains_scores: self.settings.explains_scores,
            ..ReplyParameters::default()
        }
    }
}

impl Engine {
    /// An engine of these parts.
    pub fn new(parts: EngineParts, settings: ReceiveSettings) -> Arc<Engine> {
        let budget = Arc::new(ContentBudget::new(settings.examined_octets_max));
        let tally = Tally::default();
        let live = ArcSwap::from_pointee(Live::new(settings, &parts, &tally));
        Arc::new(Engine {
            parts,
            counts: Arc::default(),
            budget,
            live,
            health: Health::default(),
            tally,
            questions: AtomicU32::new(0),
        })
    }

    /// Puts new settings in force for connections to come.
    pub fn reload(&self, settings: ReceiveSettings) {
        let live = Live::new(settings, &self.parts, &self.tally);
        self.live.store(Arc::new(live));
    }

    /// Whether mail can be taken.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Attempts opened and ended: what goes in must come out.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Connections open now.
    pub fn connections_open(&self) -> u32 {
        self.counts.open()
    }

    /// Questions of other mail servers that have no answer yet.
    pub fn questions_open(&self) -> u32 {
        self.questions.load(Ordering::Relaxed)
    }

    /// Counts a question for as long as what this gives is kept.
    pub(crate) fn question(self: &Arc<Self>) -> OpenQuestion {
        self.questions.fetch_add(1, Ordering::Relaxed);
        OpenQuestion(Arc::clone(self))
    }

    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// The time by the clock that its attempts go by.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(crate) fn new_event_id(&self, at: Timestamp) -> EventId {
        EventId::new(at, self.parts.chance.id_bytes())
    }

    pub(crate) fn new_session_id(&self, at: Timestamp) -> SessionId {
        SessionId::new(at, self.parts.chance.id_bytes())
    }

    pub(crate) fn new_life_line_id(&self, at: Timestamp) -> LifeLineId {
        LifeLineId::new(at, self.parts.chance.id_bytes())
    }

    pub(crate) fn new_queue_id(&self, at: Timestamp) -> QueueId {
        QueueId::new(at, self.parts.chance.id_bytes())
    }
}

/// A question of another mail server that has no answer yet.
pub(crate) struct OpenQuestion(Arc<Engine>);

impl Drop for OpenQuestion {
    fn drop(&mut self) {
        self.0.questions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What keeps us from taking mail, if anything does. Set by whoever watches
/// the disk and the signals, read at each connection and MAIL.
#[derive(Debug, Default)]
pub struct Health(AtomicU8);

impl Health {
    const STATES: [Option<Unavailable>; 4] =
        [None, Some(Unavailable::Store), Some(Unavailable::Disk), Some(Unavailable::Stopping)];

    /// Says what is missing now; nothing if all is well.
    pub fn set(&self, unavailable: Option<Unavailable>) {
        let state = Self::STATES.iter().position(|state| *state == unavailable).unwrap_or(1);
        self.0.store(u8::try_from(state).unwrap_or(1), Ordering::Relaxed);
    }

    /// What is missing now.
    pub fn unavailable(&self) -> Option<Unavailable> {
        Self::STATES.get(usize::from(self.0.load(Ordering::Relaxed))).copied().flatten()
    }
}
