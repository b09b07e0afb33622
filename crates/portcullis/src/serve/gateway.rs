//! The gateway put together from its settings: the policies are compiled, and
//! every part gets the others it works with. Nothing listens yet.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use center::accounts::Accounts;
use center::alerts::AlertParts;
use center::metrics::{Metrics, MetricsFromEvents};
use center::submitters::{SubmitterParts, Submitters};
use center::{Center, DirectoryGroups, RecipientBook};
use checks::{Checks, Directories};
use deliver::Deliverer;
use receive::{Engine, EngineParts, Tls, TlsFiles, self_signed};
use store::search::EventSearch;
use store::state::{
    AccountState, AlertState, AuditState, PolicyState, RecipientState, SubmitterState,
    TransportPolicyState,
};
use store::{CorrespondenceTable, EventLog, MessageQueue, Store, TripletTable};
use types::{NodeName, Timestamp};
use world::ldap::Ldap;
use world::{Chance, Clock, Dial, DnsResolver, FolderSpace, HttpClient, Resolver};

use super::directories::DirectoriesWatch;
use super::dkim::DkimWatch;
use super::health::{Health, Watched};
use super::inspect::{directories, tls_files, whole};
use super::kept::SubmittersWatch;
use super::lists::ListsWatch;
use super::measured_dns::MeasuredResolver;
use super::names::NamesWatch;
use super::next_hops::DelivererHops;
use super::open_files::Connections;
pub(crate) use super::opened::{Opened, World};
use super::places::PlacesWatch;
use super::policies::Policies;
use super::recipients::RecipientsWatch;
use super::reputation::LearnedReputation;
use super::submitters::Passwords;
use super::{convert, kept, open_files};
use crate::notices::ReportWriter;
use crate::settings::Settings;
use crate::telemetry::watched::Watchers;
use crate::telemetry::{Log, Message};

/// The folder of the daily CSV files, in the data folder.
const DAILY_FOLDER: &str = "daily";
/// The folder of exports, in the data folder.
const EXPORTS_FOLDER: &str = "exports";
/// The folder of the certificate that is made at first start.
const TLS_FOLDER: &str = "tls";

/// All parts, joined.
pub(crate) struct Gateway {
    pub(crate) store: Arc<Store>,
    pub(crate) state: Arc<dyn PolicyState>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log: Arc<Log>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) checks: Arc<Checks>,
    pub(crate) lists: Arc<ListsWatch>,
    pub(crate) places: Arc<PlacesWatch>,
    pub(crate) recipients: Arc<RecipientsWatch>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) deliverer: Deliverer,
    pub(crate) health: Arc<Health>,
    pub(crate) center: Arc<Center>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) metrics: Metrics,
    pub(crate) tls: Option<Arc<Tls>>,
    /// The certificate of the console.
    pub(crate) http_tls: Option<Arc<Tls>>,
}

impl Gateway {
    /// Joins the parts; `own` is where the listeners are bound. Must be
    /// called inside the runtime that will run it.
    ///
    /// # Errors
    /// A file of the settings cannot be used, or the store not be read. A
    /// sentence for the operator.
    pub(crate) fn join(
        settings: &Settings,
        opened: Opened,
        log: Arc<Log>,
        own: Vec<SocketAddr>,
    ) -> Result<Gateway, String> {
        let Opened { store, state, world, .. } = opened;
        let from_events = Arc::new(MetricsFromEvents::new());
        from_events.name_next_hops(convert::next_hop_names(settings));
        let watchers = Watchers::new(Arc::clone(&log), Arc::clone(&from_events));
        store.watch(Arc::clone(&watchers) as _);
        let shared = Shared::new(settings, &store, opened.audit, &world)?;
        let now = shared.clock.now();
        let base = convert::base_policies(settings);
        let policies = Policies::open(Arc::clone(&state), Arc::clone(&log), base, now)?;
        apply_policy_file(settings, &policies, &log, now)?;
        let accounts = shared.accounts(settings, &opened.accounts, &log);
        let http_tls = super::accounts::certificate(settings)?;
        let alerts = shared.alerts(settings, opened.alerts, &accounts, &world)?;
        let deliverer = shared.deliverer(settings, world, opened.transport, own)?;
        let files = Arc::new(Directories::new(directories(settings, now)?));
        let checks = Arc::new(Checks::new(
            Arc::clone(&shared.clock),
            convert::checks(settings),
            files,
            deliverer.recipient_probe(),
            Arc::clone(&shared.triplets),
        ));
        let submitters = shared.submitters(opened.submitters, &policies);
        let kept = (opened.recipients, &submitters);
        let watched = shared.watched(settings, &checks, &policies, kept, &state, &log)?;
        let tls = tls(settings)?;
        let allowed = open_files::allow(settings.smtp.connections_max);
        tell_lowered(settings, allowed, &log);
        let engine = Engine::new(
            shared.engine_parts(&policies, &checks, tls.clone(), &submitters, &log),
            convert::receive(settings, allowed.max),
        );
        let (delivery, reception) = (deliverer.clone(), Arc::clone(&engine));
        let health = Health::new(Arc::clone(&store), delivery, reception, watched.clone(), now);
        let clock = Arc::clone(&shared.clock);
        let hops = DelivererHops(deliverer.clone());
        let measured = Arc::clone(&shared.measured);
        let center = shared.center(settings, &state, &policies, &health, &from_events);
        let center = center.with_next_hops(Arc::new(hops)).with_exports(exports(settings));
        let center = center.with_saved_views(opened.views).with_requests(opened.requests);
        let center = center.with_reputation(Arc::new(LearnedReputation(Arc::clone(&checks))));
        let center = center.with_recipients(Arc::clone(&watched.recipients) as _);
        let center = center.with_alerts(alerts).with_submitters(submitters);
        let center = Arc::new(center);
        restore_reputation(&center, &log);
        watchers.teach(&checks);
        let metrics = Metrics::new().with(from_events).with(Arc::clone(&center) as _);
        let metrics = metrics.with(Arc::clone(&log) as _).with(Arc::clone(&health) as _);
        let metrics = watched.told_in(metrics.with(measured as _));
        Ok(Gateway {
            store,
            state,
            clock,
            log,
            watchers,
            policies,
            checks,
            lists: watched.lists,
            places: watched.places,
            recipients: watched.recipients,
            engine,
            deliverer,
            health,
            center,
            accounts,
            metrics,
            tls,
            http_tls,
        })
    }
}

/// What several parts are given.
struct Shared {
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    dial: Arc<dyn Dial>,
    node: NodeName,
    resolver: Arc<dyn Resolver>,
    /// The same, as a source of numbers.
    measured: Arc<MeasuredResolver>,
    /// The store, once for each thing it is.
    events: Arc<dyn EventLog>,
    search: Arc<dyn EventSearch>,
    queue: Arc<dyn MessageQueue>,
    triplets: Arc<dyn TripletTable>,
    correspondences: Arc<dyn CorrespondenceTable>,
    audit: Arc<dyn AuditState>,
}

impl Shared {
    fn accounts(
        &self,
        settings: &Settings,
        state: &Arc<dyn AccountState>,
        log: &Arc<Log>,
    ) -> Arc<Accounts> {
        let (audit, clock, chance) = (&self.audit, &self.clock, &self.chance);
        super::accounts::accounts(settings, state, audit, clock, chance, log)
    }

    fn new(
        settings: &Settings,
        store: &Arc<Store>,
        audit: Arc<dyn AuditState>,
        world: &World,
    ) -> Result<Shared, String> {
        let resolver = match &world.resolver {
            Some(resolver) => Arc::clone(resolver),
            None => resolver_of(settings)?,
        };
        let measured = MeasuredResolver::new(resolver, Arc::clone(&world.clock));
        Ok(Shared {
            resolver: Arc::clone(&measured) as _,
            measured,
            clock: Arc::clone(&world.clock),
            chance: Arc::clone(&world.chance),
            dial: Arc::clone(&world.dial),
            node: convert::node(settings),
            events: Arc::clone(store) as _,
            search: Arc::clone(store) as _,
            queue: Arc::clone(store) as _,
            triplets: Arc::clone(store) as _,
            correspondences: Arc::clone(store) as _,
            audit,
        })
    }

    /// Keeps the groups of directories in the policy set.
    fn groups(&self, state: &Arc<dyn PolicyState>, policies: &Arc<Policies>) -> DirectoryGroups {
        let (state, activator) = (Arc::clone(state), Arc::clone(policies));
        DirectoryGroups::new(state, activator as _, Arc::clone(&self.clock))
    }

    /// What is asked outside, begun.
    fn watched(
        &self,
        settings: &Settings,
        checks: &Arc<Checks>,
        policies: &Arc<Policies>,
        (recipients, submitters): (Arc<dyn RecipientState>, &Arc<Submitters>),
        state: &Arc<dyn PolicyState>,
        log: &Arc<Log>,
    ) -> Result<Watched, String> {
        let resolver = Arc::clone(&self.resolver);
        let ldap = Arc::new(Ldap::new(Arc::clone(&resolver), Arc::clone(&self.dial)));
        let names = NamesWatch::new(resolver, convert::needs_names(settings));
        let lists = ListsWatch::new(Arc::clone(checks), policies.shared());
        lists.start(super::lists::all(settings)?, log);
        let places = PlacesWatch::new(Arc::clone(checks), policies.shared());
        places.start(convert::places(settings), log);
        let groups = self.groups(state, policies);
        let directories = DirectoriesWatch::new(settings, checks, ldap, groups, log)?;
        let recipients =
            RecipientsWatch::new(Arc::clone(checks), recipients, policies.shared(), directories);
        recipients.start()?;
        kept::tell_waiting(&recipients.domains(), log);
        let dkim = DkimWatch::new(Arc::clone(checks));
        dkim.start(settings, log);
        let submitters = SubmittersWatch::new(settings, submitters);
        Ok(Watched { names, lists, places, recipients, dkim, submitters })
    }

    fn alerts(
        &self,
        settings: &Settings,
        state: Arc<dyn AlertState>,
        accounts: &Arc<Accounts>,
        world: &World,
    ) -> Result<AlertParts, String> {
        let (resolver, dial) = (Arc::clone(&self.resolver), Arc::clone(&world.dial));
        Ok(AlertParts {
            state,
            accounts: Arc::clone(accounts),
            post: Arc::new(HttpClient::new(resolver, dial, convert::posting(settings)?)?),
            host_name: convert::host_name(settings),
            public_url: settings.server.public_url.as_ref().map(|url| url.0.clone()),
        })
    }

    fn deliverer(
        &self,
        settings: &Settings,
        world: World,
        policies: Arc<dyn TransportPolicyState>,
        own: Vec<SocketAddr>,
    ) -> Result<Deliverer, String> {
        let web = convert::fetching(settings)?;
        let (reach, authorities) = (web.reach.clone(), web.authorities.clone());
        let (resolver, dial) = (Arc::clone(&self.resolver), Arc::clone(&world.dial));
        let parts = deliver::Parts {
            queue: Arc::clone(&self.queue),
            log: Arc::clone(&self.events),
            notices: Arc::new(ReportWriter::new(&convert::host_name(settings))?),
            clock: world.clock,
            chance: world.chance,
            dial: world.dial,
            resolver: Arc::clone(&self.resolver),
            reach,
            fetch: Arc::new(HttpClient::new(resolver, dial, web)?),
            policies,
            authorities,
            node: self.node.clone(),
        };
        let deliverer = Deliverer::new(parts, convert::delivery(settings, own));
        deliverer.restore_policies().map_err(|error| whole(&error))?;
        Ok(deliverer)
    }

    fn engine_parts(
        &self,
        policies: &Policies,
        checks: &Arc<Checks>,
        tls: Option<Arc<Tls>>,
        submitters: &Arc<Submitters>,
        log: &Arc<Log>,
    ) -> EngineParts {
        EngineParts {
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
            policy: policies.shared(),
            checks: Arc::clone(checks),
            resolver: Arc::clone(&self.resolver),
            log: Arc::clone(&self.events),
            triplets: Arc::clone(&self.triplets),
            correspondences: Arc::clone(&self.correspondences),
            node: self.node.clone(),
            tls,
            submitters: Some(Arc::new(Passwords::logged(submitters, log))),
        }
    }

    fn submitters(
        &self,
        state: Arc<dyn SubmitterState>,
        policies: &Arc<Policies>,
    ) -> Arc<Submitters> {
        Arc::new(Submitters::new(SubmitterParts {
            state,
            activator: Arc::clone(policies) as _,
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }))
    }

    fn center(
        self,
        settings: &Settings,
        state: &Arc<dyn PolicyState>,
        policies: &Arc<Policies>,
        health: &Arc<Health>,
        from_events: &Arc<MetricsFromEvents>,
    ) -> Center {
        Center::new(center::Parts {
            log: self.events,
            search: self.search,
            queue: self.queue,
            triplets: self.triplets,
            correspondences: self.correspondences,
            policies: Arc::clone(state),
            audit: self.audit,
            activator: Arc::clone(policies) as _,
            sessions: Arc::clone(health) as _,
            readiness: Arc::clone(health) as _,
            events: Arc::clone(from_events),
            clock: self.clock,
            chance: self.chance,
            node: self.node,
            daily_log_folder: settings.server.data_dir.join(DAILY_FOLDER),
            metadata_kept: settings.retention.metadata,
            program_version: env!("CARGO_PKG_VERSION"),
        })
    }
}

/// Takes up what was learned of clients before. It only advises: without it
/// mail is taken all the same.
fn restore_reputation(center: &Center, log: &Log) {
    if let Err(error) = center.restore_reputation() {
        log.say(&Message::WorkFailed { work: "reputation", problem: whole(&error) });
    }
}

/// Where exports go, and how much of the disk they must leave alone.
fn exports(settings: &Settings) -> center::ExportParts {
    let folder = &settings.server.data_dir;
    center::ExportParts {
        folder: folder.join(EXPORTS_FOLDER),
        space: Arc::new(FolderSpace::new(folder)),
        reserve_octets: settings.store.disk_reserve.0,
        folder_octets_max: settings.http.exports_size_max.0,
    }
}

/// The resolver of the settings.
fn resolver_of(settings: &Settings) -> Result<Arc<dyn Resolver>, String> {
    let resolver = DnsResolver::new(&convert::resolver(settings))
        .map_err(|error| format!("cannot make a resolver: {error}"))?;
    Ok(Arc::new(resolver))
}

/// Applies the policy file, if there is one.
fn apply_policy_file(
    settings: &Settings,
    policies: &Policies,
    log: &Log,
    now: Timestamp,
) -> Result<(), String> {
    let Some(path) = &settings.server.policy_file else { return Ok(()) };
    if let Some(version) = policies.apply_file(path, now)? {
        tell_applied(path, version, log);
    }
    Ok(())
}

/// Says which version the policy file made.
pub(super) fn tell_applied(path: &Path, version: u64, log: &Log) {
    log.say(&Message::PolicyFileApplied { path: path.display().to_string(), version });
}

/// Says so if notably fewer connections can be taken than the settings want.
pub(super) fn tell_lowered(settings: &Settings, allowed: Connections, log: &Log) {
    let (wanted, lowered_to) = (settings.smtp.connections_max, allowed.max);
    if let Some(open_files_max) = allowed.lowered_by.filter(|_| allowed.is_notably_below(wanted)) {
        log.say(&Message::ConnectionsLowered { wanted, lowered_to, open_files_max });
    }
}

/// The certificate in use: that of the settings, else one of our own making.
fn tls(settings: &Settings) -> Result<Option<Arc<Tls>>, String> {
    if !settings.smtp_tls.enabled {
        return Ok(None);
    }
    let files = certificate(settings)?;
    let tls = Tls::load(&files).map_err(|error| whole(&error))?;
    tls.trust(convert::client_authorities(settings)?);
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
