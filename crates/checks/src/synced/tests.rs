use std::time::Duration;

use futures_util::future::poll_immediate;
use types::finding::RecipientAnswer;
use types::{EmailAddress, GroupsKnown, GroupsProblem, GroupsRead, GroupsTaken, Timestamp};
use world::ldap::{LdapEntry, LdapError, LdapServer};
use world::simulated::{LdapFault, SimulatedClock, SimulatedLdap};

use super::*;

pub(super) const FILTER: &str = "(mail=*)";

pub(super) struct House {
    pub(super) clock: Arc<SimulatedClock>,
    pub(super) server: Arc<SimulatedLdap>,
    directories: Arc<Directories>,
    pub(super) groups: Arc<Book>,
    pub(super) synced: SyncedDirectories,
    folder: tempfile::TempDir,
}

pub(super) fn settings(domains: &[&str]) -> SyncSettings {
    SyncSettings {
        name: "corp".to_owned(),
        server: LdapServer {
            urls: vec!["ldap://127.0.0.1".parse().unwrap()],
            start_tls: false,
            ca_file: None,
            sign_in: None,
            timeout: Duration::from_secs(30),
        },
        base: "dc=corp,dc=example".to_owned(),
        filter: FILTER.parse().unwrap(),
        attributes: vec!["mail".to_owned(), "proxyAddresses".to_owned()],
        page_size: 500,
        refresh: Duration::from_secs(3_600),
        entries_max: 1_000,
        shrink_percent_max: 50,
        disabled_accounts: true,
        domains: domains.iter().map(|domain| domain.parse().unwrap()).collect(),
        groups: None,
        policy_attributes: Vec::new(),
    }
}

pub(super) fn people(addresses: &[&str]) -> Vec<LdapEntry> {
    let entry = |address: &&str| LdapEntry {
        name: format!("cn={address}"),
        attributes: vec![("mail".to_owned(), vec![address.as_bytes().to_vec()])],
    };
    addresses.iter().map(entry).collect()
}

impl House {
    pub(super) fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        House::in_folder(folder, Arc::new(SimulatedLdap::new()), Timestamp::EPOCH)
    }

    fn in_folder(folder: tempfile::TempDir, server: Arc<SimulatedLdap>, at: Timestamp) -> House {
        let clock = Arc::new(SimulatedClock::new(at));
        let directories = Arc::new(Directories::default());
        let dial = Arc::clone(&server) as _;
        let shared = Arc::clone(&directories);
        let groups = Arc::new(Book::default());
        let book = Arc::clone(&groups) as _;
        let synced =
            SyncedDirectories::new(Arc::clone(&clock) as _, dial, shared, book, folder.path());
        House { clock, server, directories, groups, synced, folder }
    }

    /// The same data folder after a restart.
    fn restarted(self) -> House {
        let at = self.clock.now();
        House::in_folder(self.folder, self.server, at)
    }

    pub(super) fn put(&self, settings: Vec<SyncSettings>) -> Vec<String> {
        self.synced.replace(settings, None)
    }

    /// Reads all whose time has come.
    pub(super) async fn turn(&self) -> Vec<Result<SyncReport, String>> {
        let due = self.synced.due().into_iter().map(|due| self.synced.read_due(due));
        let came = futures_util::future::join_all(due).await.into_iter();
        came.map(|(_, came)| came.map_err(|error| error.to_string())).collect()
    }

    pub(super) async fn sync(&self, accept: Option<usize>) -> Result<SyncReport, String> {
        let how = SyncHow { accept, ..SyncHow::default() };
        self.synced.synchronise("corp", how).await.map_err(|error| error.to_string())
    }

    /// Whether somebody is known, and whether that can be believed.
    pub(super) fn look(&self, who: &str) -> (bool, Option<u64>) {
        let found = self.directories.look(&who.parse::<EmailAddress>().unwrap()).unwrap();
        (found.known, found.confirmed.map(|at| self.clock.now().since(at).as_secs()))
    }
}

fn unreachable() -> LdapError {
    LdapError::Unreachable { at: "ldap://127.0.0.1".to_owned(), why: "refused".to_owned() }
}

#[tokio::test]
async fn who_comes_and_goes_on_the_server_is_known_after_the_next_reading() {
    let house = House::new();
    house
        .server
        .set(FILTER, people(&["Ann@corp.example", "bob@corp.example", "eve@other.example"]));
    assert!(house.put(vec![settings(&["corp.example"])]).is_empty());
    assert_eq!(house.look("ann@corp.example"), (false, None), "never read");
    let report = house.turn().await.remove(0).unwrap();
    assert_eq!((report.entries, report.recipients, report.added, report.removed), (3, 2, 2, 0));
    assert_eq!(report.left_out.elsewhere, 1);
    assert_eq!(house.look("ANN@corp.example"), (true, Some(0)));
    assert_eq!(house.look("\"*)(uid=*\"@corp.example"), (false, Some(0)));
    house.server.set(FILTER, people(&["ann@corp.example", "cid@corp.example"]));
    assert!(house.turn().await.is_empty(), "it is not time yet");
    house.clock.advance(Duration::from_secs(3_600));
    let report = house.turn().await.remove(0).unwrap();
    assert_eq!((report.added, report.removed), (1, 1));
    assert_eq!(house.look("cid@corp.example"), (true, Some(0)));
    assert_eq!(house.look("bob@corp.example"), (false, Some(0)));
}

#[tokio::test]
async fn a_server_that_is_away_leaves_the_old_content_which_ages_and_is_asked_again() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example"]));
    house.put(vec![settings(&["corp.example"])]);
    house.turn().await.remove(0).unwrap();
    house.server.fail(Some(unreachable()));
    house.clock.advance(Duration::from_secs(3_600));
    let problem = house.turn().await.remove(0).unwrap_err();
    assert_eq!(problem, "no connection to ldap://127.0.0.1: refused");
    assert_eq!(house.look("ann@corp.example"), (true, Some(3_600)));
    for wait in [30, 60, 120] {
        assert!(house.turn().await.is_empty(), "not before the wait of {wait} s is over");
        house.clock.advance(Duration::from_secs(wait));
        assert!(house.turn().await.remove(0).is_err());
    }
    let status = house.synced.status().remove(0);
    assert_eq!((status.failures, status.recipients(), status.waits), (4, 1, None));
    house.server.fail(None);
    house.clock.advance(Duration::from_secs(240));
    assert!(house.turn().await.remove(0).is_ok());
    assert_eq!(house.look("bob@corp.example"), (false, Some(0)));
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example", "bob@corp.example"]));
    house.put(vec![settings(&["corp.example"])]);
    house.turn().await.remove(0).unwrap();
    house.server.fault("ldap://127.0.0.1", Some(LdapFault::BreaksAfter(1)));
    assert!(house.sync(None).await.is_err());
    assert!(house.look("bob@corp.example").0);
    house.server.fault("ldap://127.0.0.1", None);
    let many: Vec<String> = (0..1_001).map(|n| format!("p{n}@corp.example")).collect();
    house.server.set(FILTER, people(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    let error = house.sync(None).await.unwrap_err();
    assert!(error.contains("more than 1000 entries"), "{error}");
    assert!(house.look("bob@corp.example").0);
}

#[tokio::test]
async fn an_answer_that_can_hardly_be_meant_waits_for_somebody_who_accepts_it() {
    let house = House::new();
    let four = ["ann@corp.example", "bob@corp.example", "cid@corp.example", "dan@corp.example"];
    house.server.set(FILTER, people(&four));
    house.put(vec![settings(&["corp.example"])]);
    house.turn().await.remove(0).unwrap();
    house.server.set(FILTER, people(&four[..1]));
    let error = house.sync(None).await.unwrap_err();
    assert!(error.starts_with("3 of 4 recipients of corp.example are gone"), "{error}");
    assert_eq!(house.synced.status()[0].waits, Some(3));
    assert!(house.look("dan@corp.example").0);
    let dry_run = SyncHow { dry_run: true, ..SyncHow::default() };
    let seen = house.synced.synchronise("corp", dry_run).await.unwrap();
    assert!(seen.refusal.is_some() && house.look("dan@corp.example").0);
    let done = house.sync(Some(3)).await.unwrap();
    assert_eq!((done.removed, house.look("dan@corp.example").0), (3, false));
    assert_eq!(house.synced.status()[0].waits, None);
    house.server.set(FILTER, Vec::new());
    let error = house.sync(None).await.unwrap_err();
    assert!(error.starts_with("the answer names nobody of corp.example"), "{error}");
    assert!(house.look("ann@corp.example").0);
}

#[tokio::test]
async fn no_more_is_accepted_than_somebody_has_seen() {
    let house = House::new();
    let five: Vec<String> = (0..5).map(|n| format!("p{n}@corp.example")).collect();
    let five: Vec<&str> = five.iter().map(String::as_str).collect();
    house.server.set(FILTER, people(&five));
    house.put(vec![settings(&["corp.example"])]);
    house.turn().await.remove(0).unwrap();
    house.server.set(FILTER, people(&five[..2]));
    assert!(house.sync(None).await.unwrap_err().starts_with("3 of 5"));
    // Meanwhile even more go.
    house.server.set(FILTER, people(&five[..1]));
    let error = house.sync(Some(3)).await.unwrap_err();
    let expected = "4 of 5 recipients of corp.example are gone in the answer: 4 are gone now, more \
                    than the 3 that were accepted, so it waits again";
    assert_eq!(error, expected);
    assert!(house.look("p4@corp.example").0, "nothing is taken");
    // Fewer than were accepted are no surprise.
    house.server.set(FILTER, people(&five[..2]));
    assert!(house.sync(Some(4)).await.is_ok());
}

#[tokio::test]
async fn a_domain_without_anybody_holds_up_no_other() {
    let house = House::new();
    let of = |who: &[&str]| house.server.set(FILTER, people(who));
    of(&["ann@corp.example", "eve@sister.example"]);
    house.put(vec![settings(&["corp.example", "sister.example", "never.example"])]);
    let error = house.turn().await.remove(0).unwrap_err();
    let expected = "the answer names nobody of never.example, which is taken for a mistake until \
                    somebody accepts it; the 2 other domains were taken";
    assert_eq!(error, expected);
    assert_eq!(house.look("ann@corp.example"), (true, Some(0)));
    assert_eq!(house.look("x@never.example"), (false, None), "it is not known to have nobody");
    house.clock.advance(Duration::from_secs(3_600));
    of(&["bob@corp.example", "ann@corp.example"]);
    assert!(house.turn().await.remove(0).is_err());
    assert_eq!(house.look("bob@corp.example"), (true, Some(0)));
    assert_eq!(house.look("eve@sister.example"), (true, Some(3_600)), "it stays, and ages");
    let status = house.synced.status().remove(0);
    let told = |part: &SyncPart| (part.recipients, part.confirmed.is_some(), part.waits);
    let parts: Vec<_> = status.parts.iter().map(told).collect();
    assert_eq!(parts, [(2, true, false), (1, true, true), (0, false, true)]);
    assert_eq!((status.recipients(), status.waits), (3, Some(1)));
    assert_eq!(status.confirmed(), Some(Timestamp::EPOCH), "the oldest part");
    let house = house.restarted();
    house.put(vec![settings(&["corp.example", "sister.example", "never.example"])]);
    assert_eq!(house.look("eve@sister.example"), (true, Some(3_600)), "kept with its own age");
    assert!(house.sync(Some(1)).await.is_ok());
    assert_eq!(house.look("eve@sister.example"), (false, Some(0)));
    assert_eq!(house.look("x@never.example"), (false, Some(0)));
}

pub(super) fn with_two_servers() -> SyncSettings {
    let mut settings = settings(&["corp.example"]);
    settings.server.urls.push("ldap://[::1]".parse().unwrap());
    settings
}

#[tokio::test]
async fn a_server_that_takes_us_and_breaks_is_followed_by_the_next_from_the_beginning() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example", "bob@corp.example"]));
    house.put(vec![with_two_servers()]);
    house.server.fault("ldap://127.0.0.1", Some(LdapFault::BreaksAfter(1)));
    let report = house.turn().await.remove(0).unwrap();
    assert_eq!((report.entries, report.recipients), (2, 2));
    assert_eq!(house.server.opened(), 2);
    house.server.fault("ldap://[::1]", Some(LdapFault::BreaksAfter(0)));
    let error = house.sync(None).await.unwrap_err();
    let expected = "the connection to ldap://127.0.0.1 broke: it ended early; the connection to \
                    ldap://[::1] broke: it ended early";
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_server_that_goes_on_for_ever_is_followed_by_the_next() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example"]));
    house.put(vec![with_two_servers()]);
    house.server.fault("ldap://127.0.0.1", Some(LdapFault::Silent));
    let time = async {
        while house.clock.next_deadline().is_none() {
            tokio::task::yield_now().await;
        }
        house.clock.advance_to_next();
    };
    let (came, ()) = tokio::join!(house.turn(), time);
    assert_eq!(came[0].as_ref().unwrap().recipients, 1);
}

#[tokio::test]
async fn a_directory_that_is_slow_delays_no_other() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example"]));
    let url = "ldap://192.0.2.1".parse().unwrap();
    let mut slow = SyncSettings { name: "slow".to_owned(), ..settings(&["slow.example"]) };
    slow.server.urls = vec![url];
    house.server.fault("ldap://192.0.2.1", Some(LdapFault::Silent));
    house.put(vec![slow.clone()]);
    let told = Mutex::new(Vec::new());
    let reading = house.synced.keep_reading(Duration::from_secs(1), |name, came_of_it| {
        told.lock().unwrap().push((name.to_owned(), came_of_it.is_ok()));
    });
    let time = async {
        while house.clock.next_deadline().is_none() {
            tokio::task::yield_now().await;
        }
        // It comes while the other is read.
        house.put(vec![slow, settings(&["corp.example"])]);
        while told.lock().unwrap().is_empty() {
            house.clock.advance_to_next();
            tokio::task::yield_now().await;
        }
    };
    // In this order, or time would go on while the other has no chance to begin.
    tokio::select! { biased; () = reading => {}, () = time => {} }
    assert_eq!(*told.lock().unwrap(), [("corp".to_owned(), true)]);
    assert_eq!(house.clock.now(), Timestamp::EPOCH + Duration::from_secs(1));
}

#[tokio::test]
async fn whoever_asks_for_what_somebody_has_asked_for_is_told_so_at_once() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example"]));
    house.put(vec![settings(&["corp.example"])]);
    // A reading whose time had come is waited for, by one.
    let due = house.synced.due();
    let mut first = Box::pin(house.sync(None));
    assert!(poll_immediate(&mut first).await.is_none());
    let at_once = poll_immediate(Box::pin(house.sync(None))).await.expect("nobody waits");
    assert!(at_once.unwrap_err().contains("is being read"));
    drop(due);
    assert_eq!(first.await.unwrap().recipients, 1);
    // Whoever gives up leaves it to the next.
    house.server.fault("ldap://127.0.0.1", Some(LdapFault::Silent));
    assert!(poll_immediate(Box::pin(house.sync(None))).await.is_none());
    house.server.fault("ldap://127.0.0.1", None);
    assert!(house.sync(None).await.is_ok());
}

#[tokio::test]
async fn what_was_asked_with_other_settings_is_not_taken() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example"]));
    house.put(vec![settings(&["corp.example"])]);
    let due = house.synced.due().remove(0);
    house.put(vec![SyncSettings { base: "dc=other".to_owned(), ..settings(&["corp.example"]) }]);
    assert_eq!(house.synced.read_due(due).await.1, Err(SyncError::Replaced));
    assert_eq!(house.look("ann@corp.example"), (false, None));
    assert!(house.turn().await.remove(0).is_ok());
}

#[tokio::test]
async fn the_last_content_survives_a_restart_with_its_age_and_a_broken_one_is_told() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example"]));
    house.put(vec![settings(&["corp.example"])]);
    house.turn().await.remove(0).unwrap();
    house.server.fail(Some(unreachable()));
    house.clock.advance(Duration::from_secs(100));
    let house = house.restarted();
    // A domain that was not looked for then is not known to have nobody.
    let both = settings(&["corp.example", "sister.example"]);
    assert!(house.put(vec![both.clone()]).is_empty());
    assert_eq!(house.look("ann@corp.example"), (true, Some(100)));
    assert_eq!(house.look("ann@sister.example"), (false, None));
    assert!(house.turn().await.remove(0).is_err());
    assert_eq!(house.look("ann@corp.example"), (true, Some(100)));
    let house = house.restarted();
    std::fs::write(house.folder.path().join("corp.people"), "half").unwrap();
    let problems = house.put(vec![both]);
    assert!(problems[0].contains("is not used: it is not whole"), "{problems:?}");
    assert_eq!(house.look("ann@corp.example"), (false, None));
}

#[tokio::test]
async fn new_settings_keep_what_is_known_until_they_are_read() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example"]));
    house.put(vec![settings(&["corp.example"])]);
    house.turn().await.remove(0).unwrap();
    std::fs::remove_file(house.folder.path().join("corp.people")).unwrap();
    let other = SyncSettings { base: "dc=other".to_owned(), ..settings(&["corp.example"]) };
    house.put(vec![other.clone()]);
    assert!(house.look("ann@corp.example").0);
    assert_eq!(house.turn().await.len(), 1, "it is read at once");
    house.put(vec![other]);
    assert!(house.turn().await.is_empty(), "the same settings change nothing");
    house.synced.replace(Vec::new(), Some(HashMap::new()));
    house.directories.reread(house.clock.now());
    assert_eq!(house.directories.look(&"ann@corp.example".parse().unwrap()), None);
    let unknown = house.synced.synchronise("corp", SyncHow::default()).await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no directory \"corp\" in the settings");
}

#[test]
fn one_that_never_was_read_refuses_nobody_for_good() {
    let (known, directories) = (crate::KnownRecipients::default(), Directories::default());
    let domain: Domain = "corp.example".parse().unwrap();
    directories.replace_synced(HashMap::from([(domain, Directory::never_read())]));
    let look = |when_stale| {
        let known_limits =
            crate::KnownLimits { learn_for: Duration::ZERO, remember: Duration::ZERO, max: 1 };
        let settings = crate::RecipientSettings {
            known: known_limits,
            stale_after: Duration::from_secs(1),
            when_stale,
        };
        let sources =
            crate::RecipientSources { directories: &directories, known: &known, settings };
        let who = "ann@corp.example".parse().unwrap();
        let way = types::policy::RecipientValidation::Directory;
        sources.look(way, &who, Timestamp::EPOCH).0
    };
    let unreachable = types::Observed::Inconclusive(types::Inconclusive::Unreachable);
    assert_eq!(look(crate::WhenStale::Defer), unreachable);
    let types::Observed::Recipient { answer, .. } = look(crate::WhenStale::Accept) else {
        panic!()
    };
    assert_eq!(answer, RecipientAnswer::Unproven(types::Unproven::Stale));
}

/// A book that remembers what it was given, and refuses what it is told to.
#[derive(Default)]
pub(super) struct Book {
    pub(super) taken: Mutex<Vec<GroupsRead>>,
    pub(super) kept: Mutex<Vec<String>>,
    pub(super) refuses: Mutex<Option<GroupsProblem>>,
}

impl GroupBook for Book {
    fn take(&self, read: GroupsRead) -> Result<GroupsTaken, GroupsProblem> {
        if let Some(problem) = self.refuses.lock().unwrap().clone() {
            return Err(problem);
        }
        let members = read.groups.iter().map(|(_, members)| members.len()).sum();
        let taken = GroupsTaken { groups: read.groups.len(), members, ..GroupsTaken::default() };
        self.taken.lock().unwrap().push(read);
        Ok(taken)
    }

    fn known(&self, _: &str) -> Result<GroupsKnown, String> {
        let read = Some(Timestamp::EPOCH);
        Ok(GroupsKnown { groups: 7, members: 8, read, ..GroupsKnown::default() })
    }

    fn keep_only(&self, directories: &[String]) -> Result<(), String> {
        *self.kept.lock().unwrap() = directories.to_vec();
        Ok(())
    }
}
