//! What a store under test can do beside its traits: come and go.

use std::path::PathBuf;
use std::sync::Arc;

use store::disk::{Crash, Disk, RealDisk, SimulatedDisk};
use store::{CorrespondenceTable, EventLog, MessageQueue, Store, StoreOptions, TripletTable};
use types::Timestamp;

/// A place in which a store is, one at a time.
pub(crate) trait Backend {
    type Store: CorrespondenceTable + EventLog + MessageQueue + TripletTable;

    /// Opens what is there.
    fn open(&mut self, now: Timestamp) -> Self::Store;

    /// Does what is due, everything included that could wait.
    fn tidy(&self, store: &Self::Store, now: Timestamp);
}

/// The embedded store in a folder of this machine.
pub(crate) struct OnRealDisk(tempfile::TempDir);

impl OnRealDisk {
    pub(crate) fn new() -> Self {
        OnRealDisk(tempfile::tempdir().unwrap())
    }
}

impl Backend for OnRealDisk {
    type Store = Store;

    fn open(&mut self, now: Timestamp) -> Store {
        let mut options = StoreOptions::new(self.0.path());
        options.segment_octets = 1 << 20;
        open(Arc::new(RealDisk), options, now)
    }

    fn tidy(&self, store: &Store, now: Timestamp) {
        store.checkpoint_now(now).unwrap();
        store.maintain(now).unwrap();
    }
}

/// The embedded store on a disk in memory, restarted as by `kill -9`.
pub(crate) struct OnSimulatedDisk(SimulatedDisk);

impl OnSimulatedDisk {
    pub(crate) fn new() -> Self {
        OnSimulatedDisk(SimulatedDisk::new())
    }
}

impl Backend for OnSimulatedDisk {
    type Store = Store;

    fn open(&mut self, now: Timestamp) -> Store {
        self.0 = self.0.restart(Crash::Kill);
        open(Arc::new(self.0.clone()), StoreOptions::simulated(PathBuf::from("/data")), now)
    }

    fn tidy(&self, store: &Store, now: Timestamp) {
        store.checkpoint_now(now).unwrap();
        store.maintain(now).unwrap();
    }
}

fn open(disk: Arc<dyn Disk>, options: StoreOptions, now: Timestamp) -> Store {
    let (store, report) = Store::open(disk, options, now).unwrap();
    assert_eq!(report.damage, Vec::<String>::new());
    store
}
