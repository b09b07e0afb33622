//! The gateway put together from its settings: the store is opened, the
//! policies are compiled, and every part gets the others it works with.
//! Nothing listens yet.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use center::Center;
use center::metrics::{Metrics, MetricsFromEvents};
use checks::{Checks, DirectoryFile};
use deliver::Deliverer;
use receive::{Engine, EngineParts, Tls, TlsFiles, self_signed};
use store::contract::Page;
use store::disk::RealDisk;
use store::state::{PolicyState, SqliteState};
use store::{EventLog, Filter, MessageQueue, OpenReport, Store, StoreError, TripletTable};
use types::Timestamp;
use world::{Chance, Clock, Dial, DnsResolver, Resolver, SystemChance, SystemClock, TcpDial};

use super::health::Health;
use super::inspect::{directories, tls_files, whole};
use super::notices::ReportWriter;
use super::policies::Policies;
use super::{convert, open_files};
use crate::settings::Settings;
use crate::telemetry::watched::{Watched, Watchers};
use crate::telemetry::{Log, Message};

/// The database of policies and lists, in the data folder.
const STATE_FILE: &str = "state.db";
/// The folder of the daily CSV files, in the data folder.
const DAILY_FOLDER: &str = "daily";
/// The folder of the certificate that is made at first start.
const TLS_FOLDER: &str = "tls";

/// What is not ours, for a gateway to live in: the real one, or one that is
/// simulated.
pub(crate) struct World {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) dial: Arc<dyn Dial>,
    /// Names; those of the settings' resolvers if absent.
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
}

impl World {
    /// The one we live in.
    pub(crate) fn real(clock: SystemClock) -> World {
        World {
            clock: Arc::new(clock),
            chance: Arc::new(SystemChance),
            dial: Arc::new(TcpDial),
            resolver: None,
        }
    }
}

/// The data folder, opened: whoever has this has the folder to himself.
pub(crate) struct Opened {
    pub(crate) store: Arc<Store>,
    pub(crate) state: Arc<dyn PolicyState>,
    pub(crate) world: World,
    pub(crate) report: OpenReport,
    /// When the newest event was written, if there is one.
    pub(crate) newest: Option<Timestamp>,
}

impl Opened {
    /// Opens the data folder in the real world, whose clock begins no earlier
    /// than the newest event.
    ///
    /// # Errors
    /// Another instance has it, or it cannot be read or written.
    pub(crate) fn open(settings: &Settings) -> Result<Opened, String> {
        let mut opened = Opened::open_in(settings, World::real(SystemClock::new()))?;
        let newest = opened.newest.unwrap_or(Timestamp::EPOCH);
        opened.world.clock = Arc::new(SystemClock::not_before(newest));
        Ok(opened)
    }

    /// Opens the data folder in this world.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_in(settings: &Settings, world: World) -> Result<Opened, String> {
        let folder = &settings.server.data_dir;
        let failed = |error: StoreError| match error {
            StoreError::InUse => format!(
                "{} is in use by another instance; only one can run on a data folder",
                folder.display()
            ),
            error => format!("cannot open {}: {}", folder.display(), whole(&error)),
        };
        std::fs::create_dir_all(folder)
            .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let options = convert::store(settings);
        let now = world.clock.now();
        let (store, report) = Store::open(Arc::new(RealDisk), options, now).map_err(failed)?;
        let newest = newest_event(&store).map_err(failed)?;
        let state = SqliteState::open(&folder.join(STATE_FILE)).map_err(failed)?;
        Ok(Opened { store: Arc::new(store), state: Arc::new(state), world, report, newest })
    }
}

/// When the newest event was written.
fn newest_event(store: &Store) -> Result<Option<Timestamp>, StoreError> {
    let always = Timestamp::EPOCH..Timestamp::from_millis(i64::MAX);
    let page = Page { after: None, rows_max: 1, count_max: 1 };
    let found = store.search(&Filter::Everything, always, page)?;
    Ok(found.events.first().map(|event| event.at))
}

/// All parts, joined.
pub(crate) struct Gateway {
    pub(crate) store: Arc<Store>,
    pub(crate) state: Arc<dyn PolicyState>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log: Arc<Log>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) directory: Arc<DirectoryFile>,
    pub(crate) checks: Arc<Checks>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) deliverer: Deliverer,
    pub(crate) health: Arc<Health>,
    pub(crate) center: Arc<Center>,
    pub(crate) metrics: Metrics,
    pub(crate) tls: Option<Arc<Tls>>,
}

impl Gateway {
    /// Joins the parts; `own` is where the listeners are bound. Must be
    /// called inside the runtime that will run it.
    ///
    /// # Errors
    /// A file of the settings cannot be used, or the stored policies do not
    /// fit them. A sentence for the operator.
    pub(crate) fn join(
        settings: &Settings,
        opened: Opened,
        log: Arc<Log>,
        own: Vec<SocketAddr>,
    ) -> Result<Gateway, String> {
        let Opened { store, state, world, .. } = opened;
        let World { clock, chance, dial, resolver } = world;
        let from_events = Arc::new(MetricsFromEvents::new());
        let watchers = Watchers::new(Arc::clone(&log), Arc::clone(&from_events));
        let watched = Arc::new(Watched::new(Arc::clone(&store), Arc::clone(&watchers)));
        let (events, queue, triplets): (
            Arc<dyn EventLog>,
            Arc<dyn MessageQueue>,
            Arc<dyn TripletTable>,
        ) = (Arc::clone(&watched) as _, Arc::clone(&watched) as _, watched);
        let now = clock.now();
        let policies = Policies::open(Arc::clone(&state), convert::base_policies(settings), now)?;
        apply_policy_file(settings, &policies, &log, now)?;
        let resolver = match resolver {
            Some(resolver) => resolver,
            None => resolver_of(settings)?,
        };
        let deliverer = Deliverer::new(
            deliver::Parts {
                queue: Arc::clone(&queue),
                log: Arc::clone(&events),
                notices: Arc::new(ReportWriter::new(&convert::host_name(settings))?),
                clock: Arc::clone(&clock),
                chance: Arc::clone(&chance),
                dial,
                resolver,
                node: convert::node(settings),
            },
            convert::delivery(settings, own),
        );
        let directory = Arc::new(DirectoryFile::new(directories(settings, now)?));
        let checks = Arc::new(Checks::new(
            Arc::clone(&clock),
            convert::checks(settings),
            Arc::clone(&directory),
            deliverer.recipient_probe(),
            Arc::clone(&triplets),
        ));
        let connections_max = connections_max(settings, &log);
        let tls = tls(settings)?;
        let engine = Engine::new(
            EngineParts {
                clock: Arc::clone(&clock),
                chance: Arc::clone(&chance),
                policy: policies.in_force(),
                checks: Arc::clone(&checks),
                log: Arc::clone(&events),
                triplets: Arc::clone(&triplets),
                node: convert::node(settings),
                tls: tls.clone(),
            },
            convert::receive(settings, connections_max),
        );
        let health =
            Health::new(Arc::clone(&store), deliverer.clone(), Arc::clone(&engine), now);
        let center = Arc::new(Center::new(center::Parts {
            log: events,
            queue,
            triplets,
            policies: Arc::clone(&state),
            activator: Arc::clone(&policies) as _,
            sessions: Arc::clone(&health) as _,
            readiness: Arc::clone(&health) as _,
            events: Arc::clone(&from_events),
            clock: Arc::clone(&clock),
            chance,
            node: convert::node(settings),
            daily_log_folder: settings.server.data_dir.join(DAILY_FOLDER),
            metadata_kept: settings.retention.metadata,
            program_version: env!("CARGO_PKG_VERSION"),
        }));
        let metrics = Metrics::new().with(from_events).with(Arc::clone(&center) as _);
        Ok(Gateway {
            store,
            state,
            clock,
            log,
            watchers,
            policies,
            directory,
            checks,
            engine,
            deliverer,
            health,
            center,
            metrics,
            tls,
        })
    }
}

/// The resolver of the settings.
fn resolver_of(settings: &Settings) -> Result<Arc<dyn Resolver>, String> {
    let resolver = DnsResolver::new(&convert::resolver(settings))
        .map_err(|error| format!("cannot make a resolver: {error}"))?;
    Ok(Arc::new(resolver))
}

/// Applies the policy file, if there is one.
pub(super) fn apply_policy_file(
    settings: &Settings,
    policies: &Policies,
    log: &Log,
    now: Timestamp,
) -> Result<(), String> {
    let Some(path) = &settings.server.policy_file else { return Ok(()) };
    if let Some(version) = policies.apply_file(path, now)? {
        log.say(&Message::PolicyFileApplied { path: path.display().to_string(), version });
    }
    Ok(())
}

/// How many connections can be taken, with a sentence if they are fewer than
/// wanted.
pub(super) fn connections_max(settings: &Settings, log: &Log) -> u32 {
    let wanted = settings.smtp.connections_max;
    let allowed = open_files::allow(wanted);
    if let Some(open_files_max) = allowed.lowered_by {
        let lowered_to = allowed.max;
        log.say(&Message::ConnectionsLowered { wanted, lowered_to, open_files_max });
    }
    allowed.max
}

/// The certificate in use: that of the settings, else one of our own making.
fn tls(settings: &Settings) -> Result<Option<Arc<Tls>>, String> {
    if !settings.smtp_tls.enabled {
        return Ok(None);
    }
    let files = certificate(settings)?;
    let tls = Tls::load(&files).map_err(|error| whole(&error))?;
    Ok(Some(Arc::new(tls)))
}

/// The files of the certificate in use, made first if need be.
pub(super) fn certificate(settings: &Settings) -> Result<TlsFiles, String> {
    if let Some(files) = tls_files(settings) {
        return Ok(files);
    }
    let folder: PathBuf = Path::new(&settings.server.data_dir).join(TLS_FOLDER);
    self_signed(&folder, &convert::host_name(settings)).map_err(|error| whole(&error))
}
