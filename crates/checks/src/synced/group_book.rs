//! Where the groups of directories are kept, and how they stand.

use std::sync::{Arc, PoisonError};

use types::{GroupsKnown, GroupsProblem, GroupsRead, GroupsReading, GroupsTaken, Timestamp};

use super::groups::Flat;
use super::{Service, SyncError, SyncHow, SyncedDirectories};

/// Keeps the groups of directories for policies. Calls block, and those that
/// change something wait for others who change policies.
pub trait GroupBook: Send + Sync {
    /// Takes what was read of a directory.
    ///
    /// # Errors
    /// See [`GroupsProblem`]; its groups are then what they were.
    fn take(&self, read: GroupsRead) -> Result<GroupsTaken, GroupsProblem>;

    /// What there is of a directory. Waits for nobody who changes policies.
    ///
    /// # Errors
    /// A sentence for the operator.
    fn known(&self, directory: &str) -> Result<GroupsKnown, String>;

    /// Lets go of the groups of all other directories, as far as nothing names
    /// them.
    ///
    /// # Errors
    /// A sentence for the operator.
    fn keep_only(&self, directories: &[String]) -> Result<(), String>;
}

/// How the groups of one directory stand.
#[derive(Default)]
pub(super) struct GroupsState {
    pub(super) known: Option<GroupsKnown>,
    pub(super) problem: Option<GroupsProblem>,
}

impl SyncedDirectories {
    /// Looks what there is of a directory whose groups are read. Gives why that
    /// cannot be found out.
    pub(super) fn find_groups(&self, service: &Service) -> Option<String> {
        let settings = &service.settings;
        let known = settings.feeds_policies().then(|| self.groups.known(&settings.name));
        match known.transpose() {
            Ok(known) => service.state().groups.known = known,
            Err(problem) => return Some(problem),
        }
        None
    }

    /// Lets go of the groups of directories that are not read any more. Gives
    /// why that could not be done. Must not be called by who changes what
    /// policies are in force: it waits for that.
    pub fn let_groups_go(&self) -> Option<String> {
        let _turn = self.groups_turn.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.all.load_full();
        let read = all.iter().filter(|service| service.settings.feeds_policies());
        let names: Vec<String> = read.map(|service| service.settings.name.clone()).collect();
        self.groups.keep_only(&names).err()
    }

    /// Takes groups as they were read, or notes why there are none.
    pub(super) fn take_groups(
        &self,
        service: &Arc<Service>,
        read: Result<Flat, String>,
        how: SyncHow,
    ) -> Result<GroupsReading, GroupsProblem> {
        let settings = &service.settings;
        // Groups of settings that went meanwhile must not come back. If they go
        // after this, `let_groups_go` has its turn next.
        let _turn = self.groups_turn.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_current(service) {
            return Err(GroupsProblem::Failed(SyncError::Replaced.to_string()));
        }
        let taken = read.map_err(GroupsProblem::Failed).and_then(|flat| {
            let Flat { groups, values, left_out } = flat;
            let read = GroupsRead {
                directory: settings.name.clone(),
                groups,
                values,
                wanted: settings.wanted(),
                shrink_percent_max: settings.shrink_percent_max,
                accept: how.accept_groups,
                dry_run: how.dry_run,
            };
            Ok(GroupsReading { taken: self.groups.take(read)?, left_out })
        });
        if !how.dry_run {
            service.state().groups.note(&taken, self.clock.now());
        }
        taken
    }
}

impl GroupsState {
    fn note(&mut self, taken: &Result<GroupsReading, GroupsProblem>, now: Timestamp) {
        if let Ok(reading) = taken {
            let GroupsTaken { groups, members, values, holders, .. } = reading.taken;
            self.known = Some(GroupsKnown { groups, members, values, holders, read: Some(now) });
        }
        self.problem = taken.as_ref().err().cloned();
    }
}
