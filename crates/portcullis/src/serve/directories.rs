//! Directories on servers while the gateway runs: they are read when their
//! time has come, and the log, monitoring and people hear how that went.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use center::metrics::Sample;
use center::{
    DirectoryDomain, DirectoryGroups, DirectoryReading, DirectoryRow, ReadDirectory,
    SyncedDirectory,
};
use checks::{
    Checks, Directory, GroupBook, GroupSettings, SyncError, SyncHow, SyncPart, SyncReport,
    SyncSettings, SyncStatus, SyncedDirectories,
};
use tokio::runtime::Handle;
use tokio::sync::watch;
use types::{
    Domain, GroupsKnown, GroupsProblem, GroupsRead, GroupsReading, GroupsTaken, Timestamp,
};
use world::ldap::{LdapDial, LdapServer};

use super::sign_in::secret;
use crate::settings::Settings;
use crate::telemetry::{Log, Message};

/// The folder of their last contents, in the data folder.
const FOLDER: &str = "directories";
/// How often it is looked whether one's time has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is known of directories on servers.
pub(super) struct DirectoriesWatch {
    checks: Arc<Checks>,
    synced: SyncedDirectories,
    log: Arc<Log>,
    /// What the log was told of each that fails.
    told: Mutex<BTreeMap<String, String>>,
    /// Where connections live. All else of a reading, looking at it and
    /// writing it down, is done by the thread that wants it, which is none of
    /// those that take mail.
    runtime: Handle,
    /// Ends what people asked for when it becomes true.
    stop: watch::Sender<bool>,
}

impl DirectoriesWatch {
    /// The directories of the settings, with what was kept of them. Must be
    /// called inside the runtime.
    ///
    /// # Errors
    /// A password cannot be read. A sentence for the operator.
    pub(super) fn new(
        settings: &Settings,
        checks: &Arc<Checks>,
        dial: Arc<dyn LdapDial>,
        groups: DirectoryGroups,
        log: &Arc<Log>,
    ) -> Result<DirectoriesWatch, String> {
        let folder = settings.server.data_dir.join(FOLDER);
        let (clock, looked_up) = (Arc::clone(checks.clock()), Arc::clone(checks.directories()));
        let watch = DirectoriesWatch {
            checks: Arc::clone(checks),
            synced: SyncedDirectories::new(
                clock,
                dial,
                looked_up,
                Arc::new(Groups(groups)),
                &folder,
            ),
            log: Arc::clone(log),
            told: Mutex::default(),
            runtime: Handle::current(),
            stop: watch::channel(false).0,
        };
        watch.put(directories(settings)?, None);
        watch.let_groups_go();
        Ok(watch)
    }

    /// Puts new settings in force, and at the same moment these directories
    /// from files.
    pub(super) fn replace(&self, settings: Vec<SyncSettings>, files: HashMap<Domain, Directory>) {
        self.put(settings, Some(files));
    }

    fn put(&self, settings: Vec<SyncSettings>, files: Option<HashMap<Domain, Directory>>) {
        for problem in self.synced.replace(settings, files) {
            self.log.say(&Message::Damaged { problem });
        }
    }

    /// Lets go of the groups of directories that are not read any more. That
    /// is a version of the policy set, so it must not be called while other
    /// settings are put below the policies.
    pub(super) fn let_groups_go(&self) {
        if let Some(problem) = self.synced.let_groups_go() {
            self.log.say(&Message::Damaged { problem });
        }
    }

    /// Reads each when its time has come, until `stopped`. Blocks.
    pub(super) fn watch(&self, stopped: impl Future<Output = ()>) {
        let reading = self.synced.keep_reading(LOOK_EVERY, |name, came| self.tell(name, came));
        self.runtime.block_on(async {
            tokio::select! { () = reading => {}, () = stopped => {} }
        });
    }

    /// Ends what people asked for and is still read; all stays as it is.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Tells the log; a failure once, not at every try.
    fn tell(&self, name: &str, came_of_it: &Result<SyncReport, SyncError>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = name.to_owned();
        match came_of_it {
            Ok(report) => {
                told.remove(name);
                let SyncReport { recipients, added, removed, .. } = *report;
                self.log.say(&Message::DirectoryRead { directory, recipients, added, removed });
                if let Some(problem) = report.unkept.clone() {
                    self.log.say(&Message::WorkFailed { work: "directories", problem });
                }
                if let Some(groups) = &report.groups {
                    self.tell_groups(&mut told, name, groups);
                }
            }
            // It is read again at once, or still read by somebody who is told.
            Err(SyncError::Replaced | SyncError::BeingRead) => {}
            Err(error) => {
                let problem = error.to_string();
                if is_news(&mut told, name, &problem) {
                    self.log.say(&Message::DirectoryFailed { directory, problem });
                }
                if let SyncError::Refused { groups: Some(groups), .. } = error {
                    self.tell_groups(&mut told, name, groups);
                }
            }
        }
    }

    /// The same about its groups, of which only what is new is told.
    fn tell_groups(
        &self,
        told: &mut BTreeMap<String, String>,
        name: &str,
        came_of_it: &Result<GroupsReading, GroupsProblem>,
    ) {
        // No directory is called so.
        let key = format!("{name}:");
        let directory = name.to_owned();
        match came_of_it {
            Ok(reading) => {
                told.remove(&key);
                let GroupsTaken { groups, members, values, added, removed, .. } = reading.taken;
                if added + removed > 0 {
                    self.log.say(&Message::DirectoryGroupsRead {
                        directory,
                        groups,
                        members,
                        values,
                        added,
                        removed,
                    });
                }
            }
            Err(problem) => {
                let problem = problem.to_string();
                if is_news(told, &key, &problem) {
                    self.log.say(&Message::DirectoryGroupsFailed { directory, problem });
                }
            }
        }
    }

    /// Reads one now, and waits for it. Must not be called on a worker of the
    /// runtime.
    pub(super) fn read(&self, name: &str, how: ReadDirectory) -> Result<DirectoryReading, String> {
        let ReadDirectory { accept, accept_groups, dry_run } = how;
        let how = SyncHow { accept, accept_groups, dry_run };
        let mut stopped = self.stop.subscribe();
        let came_of_it = self.runtime.block_on(async {
            tokio::select! {
                came_of_it = self.synced.synchronise(name, how) => Ok(came_of_it),
                _ = stopped.wait_for(|stop| *stop) => Err("the server is stopping"),
            }
        })?;
        if !dry_run {
            self.tell(name, &came_of_it);
        }
        came_of_it.map(|report| reading(name, &report)).map_err(|error| why_not(name, &error))
    }

    fn is_stale(&self, confirmed: Option<Timestamp>) -> bool {
        let stale_after = self.checks.recipient_settings().stale_after;
        let is_old = |at| self.checks.now().since(at) > stale_after;
        confirmed.is_none_or(is_old)
    }

    /// How each is.
    pub(super) fn rows(&self) -> Vec<SyncedDirectory> {
        let row = |status: SyncStatus| SyncedDirectory {
            last: status.last.as_ref().map(|report| reading(&status.name, report)),
            recipients: status.recipients(),
            confirmed: status.confirmed(),
            stale: self.is_stale(status.confirmed()),
            name: status.name,
            servers: status.servers,
            domains: status.parts.into_iter().map(part).collect(),
            tried: status.tried,
            problem: status.problem,
            waits: status.waits.is_some(),
            gone: status.waits.unwrap_or(0),
            failures: status.failures,
            next: status.next,
            groups: status.groups,
            groups_wait: matches!(status.groups_problem, Some(GroupsProblem::Refused { .. })),
            groups_gone: status.groups_problem.as_ref().map_or(0, gone),
            groups_problem: status.groups_problem.map(|problem| problem.to_string()),
        };
        self.synced.status().into_iter().map(row).collect()
    }

    /// The one that a domain asks, as one of its directories.
    pub(super) fn of_domain(&self, domain: &Domain) -> Option<DirectoryRow> {
        self.synced.status().into_iter().find_map(|status| {
            let of = status.parts.into_iter().find(|part| part.domain == *domain)?;
            Some(DirectoryRow {
                name: status.name,
                entries: of.recipients,
                confirmed: of.confirmed,
                stale: self.is_stale(of.confirmed),
                waits: of.waits,
            })
        })
    }

    /// What is wrong with each, in words. How old it is, its domains say.
    pub(super) fn problems(&self) -> Vec<String> {
        let told = |status: SyncStatus| {
            let (name, problem) = (&status.name, status.problem?);
            Some(match status.waits {
                None => format!("{name} could not be read: {problem}"),
                Some(gone) => format!("{name}: {}", way_out(name, &problem, ("--accept", gone))),
            })
        };
        let groups = |status: &SyncStatus| {
            let problem = of_groups(&status.name, status.groups_problem.as_ref()?);
            Some(format!("the groups of {}: {problem}", status.name))
        };
        let all = self.synced.status();
        let groups: Vec<String> = all.iter().filter_map(groups).collect();
        all.into_iter().filter_map(told).chain(groups).collect()
    }

    /// How often each failed, and whether it was read at the last try.
    pub(super) fn collect(&self, out: &mut Vec<Sample>) {
        for status in self.synced.status() {
            let mut add = |name: &str, labels: &[&str], value: f64| {
                out.extend(Sample::number(name, labels, value));
            };
            let failures = status.failures as f64;
            add("portcullis_directory_failures_total", &[&status.name], failures);
            let source = format!("directory:{}", status.name);
            if status.tried.is_some() {
                let up = if status.problem.is_none() { 1.0 } else { 0.0 };
                add("portcullis_source_up", &[&source], up);
            }
            if let Some(groups) = status.groups {
                for (what, count) in [("groups", groups.groups), ("members", groups.members)] {
                    let labels = [status.name.as_str(), what];
                    add("portcullis_directory_groups", &labels, count as f64);
                }
            }
            if let Some(at) = status.confirmed() {
                let seconds = at.as_millis() as f64 / 1_000.0;
                add("portcullis_source_last_success_timestamp_seconds", &[&source], seconds);
            }
        }
    }
}

/// Whether the log was told something else of this before, or nothing; it is
/// noted as told.
fn is_news(told: &mut BTreeMap<String, String>, of: &str, problem: &str) -> bool {
    told.insert(of.to_owned(), problem.to_owned()).is_none_or(|before| before != problem)
}

/// Why one was not read, or not taken, in words.
fn why_not(name: &str, error: &SyncError) -> String {
    let SyncError::Refused { refused, groups } = error else { return error.to_string() };
    let people = way_out(name, &refused.to_string(), ("--accept", refused.gone()));
    match groups.as_deref() {
        None => people,
        Some(Ok(_)) => format!("{people}; its groups were taken"),
        Some(Err(problem)) => {
            format!("{people}; its groups stay as they were: {}", of_groups(name, problem))
        }
    }
}

/// What is wrong with an answer, and how it is accepted as it was seen.
fn way_out(name: &str, problem: &str, (option, gone): (&str, usize)) -> String {
    format!("{problem}: portcullis recipients sync {name} {option} {gone}")
}

/// What is wrong with its groups, and the way out if there is one.
fn of_groups(name: &str, problem: &GroupsProblem) -> String {
    match problem {
        GroupsProblem::Refused { why, gone } => way_out(name, why, ("--accept-groups", *gone)),
        GroupsProblem::Failed(problem) => problem.clone(),
    }
}

/// How many memberships are gone in an answer that is not believed.
fn gone(problem: &GroupsProblem) -> usize {
    match problem {
        GroupsProblem::Refused { gone, .. } => *gone,
        GroupsProblem::Failed(_) => 0,
    }
}

fn part(part: SyncPart) -> DirectoryDomain {
    let SyncPart { domain, recipients, confirmed, waits } = part;
    DirectoryDomain { domain, recipients, confirmed, waits }
}

fn reading(name: &str, report: &SyncReport) -> DirectoryReading {
    let left_out = report.left_out;
    let groups = report.groups.as_ref();
    let groups_problem = groups.and_then(|groups| groups.as_ref().err());
    DirectoryReading {
        at: report.at,
        entries: report.entries,
        pages: report.pages,
        recipients: report.recipients,
        added: report.added,
        removed: report.removed,
        switched_off: left_out.switched_off,
        without_address: left_out.without_address,
        no_address: left_out.no_address,
        elsewhere: left_out.elsewhere,
        referrals: report.referrals,
        took_ms: report.took_ms,
        dry_run: report.dry_run,
        refusal: report.refusal.clone(),
        unkept: report.unkept.clone(),
        groups: groups.and_then(|groups| groups.as_ref().ok()).cloned(),
        groups_problem: groups_problem.map(|problem| of_groups(name, problem)),
    }
}

/// How the directories of the settings are read.
///
/// # Errors
/// A password cannot be read. A sentence for the operator.
pub(super) fn directories(settings: &Settings) -> Result<Vec<SyncSettings>, String> {
    settings.directories.iter().map(|directory| one(directory, settings)).collect()
}

/// One of them.
pub(super) fn one(
    directory: &crate::settings::DirectorySettings,
    settings: &Settings,
) -> Result<SyncSettings, String> {
    let password = directory.password_file.as_deref().map(secret).transpose()?;
    let asks = settings
        .domains
        .iter()
        .filter(|domain| domain.directory.as_ref().is_some_and(|name| *name == directory.name));
    Ok(SyncSettings {
        name: directory.name.0.clone(),
        server: LdapServer {
            urls: directory.url.clone(),
            start_tls: directory.start_tls,
            ca_file: directory.ca_file.clone(),
            sign_in: directory.bind_dn.as_ref().map(|name| name.0.clone()).zip(password),
            timeout: directory.timeout,
        },
        base: directory.base.to_string(),
        filter: directory.filter.clone(),
        attributes: directory.attributes.iter().map(|name| name.0.clone()).collect(),
        page_size: directory.page_size,
        refresh: directory.refresh,
        entries_max: usize::try_from(directory.entries_max).unwrap_or(usize::MAX),
        shrink_percent_max: directory.shrink_max,
        disabled_accounts: directory.disabled_accounts,
        domains: asks.map(|domain| domain.name.clone()).collect(),
        policy_attributes: directory.policy_attributes.iter().map(|name| name.0.clone()).collect(),
        groups: directory.group_filter.clone().map(|filter| GroupSettings {
            base: directory.group_base.as_ref().unwrap_or(&directory.base).to_string(),
            filter,
            name: directory.group_name.0.clone(),
            members: directory.group_members.iter().map(|name| name.0.clone()).collect(),
            groups_max: usize::try_from(directory.groups_max).unwrap_or(usize::MAX),
        }),
    })
}

/// Keeps groups in the policy set.
struct Groups(DirectoryGroups);

impl GroupBook for Groups {
    fn take(&self, read: GroupsRead) -> Result<GroupsTaken, GroupsProblem> {
        self.0.take(read)
    }

    fn known(&self, directory: &str) -> Result<GroupsKnown, String> {
        self.0.known(directory)
    }

    fn keep_only(&self, directories: &[String]) -> Result<(), String> {
        self.0.keep_only(directories)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_refused_people_hears_of_the_groups_as_well() {
        let told = |groups| {
            let refused = checks::Refused::default();
            why_not("corp", &SyncError::Refused { refused, groups })
        };
        let people = told(None);
        assert!(people.ends_with("portcullis recipients sync corp --accept 0"), "{people}");
        let taken = told(Some(Box::new(Ok(GroupsReading::default()))));
        assert_eq!(taken, format!("{people}; its groups were taken"));
        let problem = GroupsProblem::Refused { why: "few".to_owned(), gone: 8 };
        let both = told(Some(Box::new(Err(problem))));
        let groups =
            "its groups stay as they were: few: portcullis recipients sync corp --accept-groups 8";
        assert_eq!(both, format!("{people}; {groups}"));
    }
}
