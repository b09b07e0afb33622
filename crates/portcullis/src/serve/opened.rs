//! The data folder, opened, and the world in which a gateway lives.

use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use store::contract::Page;
use store::disk::RealDisk;
use store::state::{PolicyState, SqliteState};
use store::{EventLog, Filter, OpenReport, Store, StoreError};
use types::Timestamp;
use world::{Chance, Clock, Dial, Resolver, SystemChance, SystemClock, TcpDial};

use super::convert;
use super::inspect::whole;
use crate::settings::Settings;

/// The database of policies and lists, in the data folder.
const STATE_FILE: &str = "state.db";

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
