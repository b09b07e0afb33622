//! The data folder, opened, and the world in which a gateway lives.

use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Duration;

use store::contract::Page;
use store::disk::RealDisk;
use store::state::{
    AccountState, AlertState, AuditState, PolicyState, RecipientState, ReviewRequestState,
    SavedViewState, SqliteAccounts, SqliteAlerts, SqliteAudit, SqliteRecipients, SqliteRequests,
    SqliteState, SqliteSubmitters, SqliteTransportPolicies, SqliteViews, SubmitterState,
    TransportPolicyState,
};
use store::{EventLog, Filter, OpenReport, Store, StoreError};
use types::Timestamp;
use world::{Chance, Clock, Dial, Resolver, SystemChance, SystemClock, TcpDial};

use super::convert;
use super::inspect::whole;
use crate::settings::Settings;

/// The database of policies and lists, in the data folder.
pub(crate) const STATE_FILE: &str = "state.db";

/// How far ahead of the wall clock the newest event may be and still be
/// believed. More than any correction of a clock that was nearly right; less
/// than a clock that stood in another year.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

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
    pub(crate) accounts: Arc<dyn AccountState>,
    pub(crate) views: Arc<dyn SavedViewState>,
    pub(crate) alerts: Arc<dyn AlertState>,
    pub(crate) requests: Arc<dyn ReviewRequestState>,
    pub(crate) recipients: Arc<dyn RecipientState>,
    pub(crate) submitters: Arc<dyn SubmitterState>,
    pub(crate) audit: Arc<dyn AuditState>,
    pub(crate) transport: Arc<dyn TransportPolicyState>,
    pub(crate) world: World,
    pub(crate) report: OpenReport,
    /// When the newest event was written, if there is one.
    pub(crate) newest: Option<Timestamp>,
}

impl Opened {
    /// Opens the data folder in the real world, whose clock begins no earlier
    /// than the newest event, unless that lies in a future that only a wrong
    /// clock can have written: then the report says so.
    ///
    /// # Errors
    /// Another instance has it, or it cannot be read or written.
    pub(crate) fn open(settings: &Settings) -> Result<Opened, String> {
        let mut opened = Opened::open_in(settings, World::real(SystemClock::new()))?;
        let wall = opened.world.clock.now();
        match earliest(opened.newest, wall) {
            Ok(earliest) => opened.world.clock = Arc::new(SystemClock::not_before(earliest)),
            Err(problem) => opened.report.damage.push(problem),
        }
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
        // Mail is kept in it, so nobody else may look.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let options = convert::store(settings);
        let now = world.clock.now();
        let (store, report) = Store::open(Arc::new(RealDisk), options, now).map_err(failed)?;
        let newest = newest_event(&store).map_err(failed)?;
        let file = folder.join(STATE_FILE);
        let state = Arc::new(SqliteState::open(&file).map_err(failed)?);
        let accounts = Arc::new(SqliteAccounts::open(&file).map_err(failed)?);
        let views = Arc::new(SqliteViews::open(&file).map_err(failed)?);
        let alerts = Arc::new(SqliteAlerts::open(&file).map_err(failed)?);
        let requests = Arc::new(SqliteRequests::open(&file).map_err(failed)?);
        let recipients = Arc::new(SqliteRecipients::open(&file).map_err(failed)?);
        let submitters = Arc::new(SqliteSubmitters::open(&file).map_err(failed)?);
        let audit = Arc::new(SqliteAudit::open(&file).map_err(failed)?);
        let transport = Arc::new(SqliteTransportPolicies::open(&file).map_err(failed)?);
        let store = Arc::new(store);
        Ok(Opened {
            store,
            state,
            accounts,
            views,
            alerts,
            requests,
            recipients,
            submitters,
            audit,
            transport,
            world,
            report,
            newest,
        })
    }
}

/// The earliest time at which the clock may begin, or why the newest event
/// does not say: one event written while the clock stood years ahead must
/// not keep us there for ever, since whatever we write then is newer still.
fn earliest(newest: Option<Timestamp>, wall: Timestamp) -> Result<Timestamp, String> {
    match newest {
        Some(newest) if newest > wall + AHEAD_MAX => Err(format!(
            "the newest event is of {newest}, more than a day after the present time {wall}: the \
             clock was wrong then or is wrong now; the present time is used, and events with \
             later times stay before all others in lists until then"
        )),
        newest => Ok(newest.unwrap_or(Timestamp::EPOCH)),
    }
}

/// When the newest event was written.
fn newest_event(store: &Store) -> Result<Option<Timestamp>, StoreError> {
    let always = Timestamp::EPOCH..Timestamp::from_millis(i64::MAX);
    let page = Page { after: None, rows_max: 1, count_max: 1 };
    let found = store.search(&Filter::Everything, always, page)?;
    Ok(found.events.first().map(|event| event.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_begins_at_the_newest_event_unless_that_is_a_day_ahead() {
        let wall = Timestamp::from_millis(1_795_000_000_000);
        let ahead = |span: Duration| Some(wall + span);
        assert_eq!(earliest(None, wall), Ok(Timestamp::EPOCH));
        assert_eq!(earliest(Some(Timestamp::EPOCH), wall), Ok(Timestamp::EPOCH));
        assert_eq!(earliest(ahead(AHEAD_MAX), wall), Ok(wall + AHEAD_MAX));
        let refused = earliest(ahead(AHEAD_MAX + Duration::from_millis(1)), wall);
        assert!(refused.is_err_and(|why| why.contains(&wall.to_string())));
    }
}
