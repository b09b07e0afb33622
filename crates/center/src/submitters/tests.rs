//! Who may make submitters, and what their passwords are worth, over the real
//! embedded store and a simulated clock.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use store::StoreError;
use store::state::audit::AuditQuery;
use store::state::{AuditState, SqliteAudit, SqliteSubmitters, SubmitterUse};
use tempfile::TempDir;
use types::{Permissions, ReversePath};
use world::SystemChance;
use world::simulated::SimulatedClock;

use super::*;
use crate::tests::Activator;

/// A store whose disk is full, or not any more.
struct Disk {
    inner: SqliteSubmitters,
    is_full: AtomicBool,
    writes: AtomicUsize,
}

impl SubmitterState for Disk {
    fn submitters(&self) -> Result<Vec<StoredSubmitter>, StoreError> {
        self.inner.submitters()
    }

    fn submitter(&self, name: &str) -> Result<Option<StoredSubmitter>, StoreError> {
        self.inner.submitter(name)
    }

    fn change_submitters(
        &self,
        note: &AuditNote,
        change: &SubmitterChange,
    ) -> Result<bool, StoreError> {
        self.inner.change_submitters(note, change)
    }

    fn keep_uses(&self, uses: &[SubmitterUse]) -> Result<(), StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        match self.is_full.load(Ordering::SeqCst) {
            true => Err(StoreError::Full),
            false => self.inner.keep_uses(uses),
        }
    }
}

struct House {
    submitters: Submitters,
    disk: Arc<Disk>,
    clock: SimulatedClock,
    folder: TempDir,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let clock = SimulatedClock::new("2026-11-21T10:00:00Z".parse().unwrap());
    let inner = SqliteSubmitters::open(&folder.path().join("state.db")).unwrap();
    let (is_full, writes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let disk = Arc::new(Disk { inner, is_full, writes });
    let submitters = Submitters::new(SubmitterParts {
        state: Arc::clone(&disk) as _,
        activator: Arc::new(Activator::default()),
        clock: Arc::new(clock.clone()),
        chance: Arc::new(SystemChance),
    });
    House { submitters, disk, clock, folder }
}

fn machine() -> Caller {
    Caller::with_all("root")
}

fn printer() -> NewSubmitter {
    NewSubmitter {
        name: " Printer ".to_owned(),
        senders: vec!["printer@corp.example".to_owned()],
        note: "second floor".to_owned(),
        ..NewSubmitter::default()
    }
}

fn from(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

#[test]
fn who_proves_itself_waits_for_no_disk_and_is_written_down_later() {
    let house = house();
    let submitters = &house.submitters;
    let password = submitters.add(&machine(), &printer()).unwrap().password.unwrap();
    house.disk.is_full.store(true, Ordering::SeqCst);
    submitters.prove("printer", &password, from(1)).unwrap();
    assert_eq!(house.disk.writes.load(Ordering::SeqCst), 0);
    let last_used = || submitters.list(&machine()).unwrap()[0].last_used;
    let at = house.clock.now();
    assert_eq!(last_used(), Some(at), "it is shown all the same");
    assert!(submitters.keep_uses().is_err());
    house.disk.is_full.store(false, Ordering::SeqCst);
    let stored = || house.disk.submitter("printer").unwrap().unwrap().last_used;
    assert_eq!(stored(), None);
    submitters.keep_uses().unwrap();
    assert_eq!(stored(), Some((at, from(1))));
    submitters.keep_uses().unwrap();
    assert_eq!(house.disk.writes.load(Ordering::SeqCst), 2, "once is enough");
    house.clock.advance(Duration::from_secs(3_600));
    submitters.prove("printer", &password, from(2)).unwrap();
    assert_eq!(last_used(), Some(house.clock.now()), "the newer of both");
    submitters.remove(&machine(), "printer").unwrap();
    submitters.add(&machine(), &printer()).unwrap();
    assert_eq!(last_used(), None, "another one of the same name");
}

#[test]
fn what_is_made_is_told_once_and_sends_as_what_it_was_given() {
    let house = house();
    let submitters = &house.submitters;
    let made = submitters.add(&machine(), &printer()).unwrap();
    let password = made.password.unwrap();
    assert_eq!(made.name, "printer");
    let proved = submitters.prove("PRINTER", &password, from(1)).unwrap();
    let may = |text: &str| proved.may_send_as(&ReversePath::Address(text.parse().unwrap()));
    assert!(may("printer@corp.example") && !may("boss@corp.example"));
    let row = submitters.list(&machine()).unwrap().remove(0);
    assert_eq!((row.last_used, row.last_address), (Some(house.clock.now()), Some(from(1))));
    // Another password takes the place of this one.
    let own = "four quiet words here";
    submitters.set_password(&machine(), "printer", Some(own)).unwrap();
    let refused = submitters.prove("printer", &password, from(1));
    assert!(matches!(refused, Err(SubmitRefusal::Wrong(Wrong::Password(_)))), "{refused:?}");
    assert!(submitters.prove("printer", own, from(1)).is_ok());
    // All of it is in the audit log, and no password.
    let audit = SqliteAudit::open(&house.folder.path().join("state.db")).unwrap();
    let noted = audit.entries(&AuditQuery::default(), None, 10).unwrap();
    let actions: Vec<AuditAction> = noted.iter().map(|entry| entry.note.action).collect();
    assert_eq!(actions, [AuditAction::SubmitterPassword, AuditAction::SubmitterAdded]);
    let text = format!("{noted:?}");
    assert!(!text.contains(&password) && !text.contains(own) && !text.contains("argon2"));
}

#[test]
fn whoever_is_closed_gone_elsewhere_or_unknown_is_refused() {
    let house = house();
    let submitters = &house.submitters;
    let networks = vec!["192.0.2.0/28".parse().unwrap()];
    let new = NewSubmitter { networks, ..printer() };
    let password = submitters.add(&machine(), &new).unwrap().password.unwrap();
    let wrong = |name: &str, from: IpAddr| match submitters.prove(name, &password, from) {
        Err(SubmitRefusal::Wrong(wrong)) => Some(wrong),
        _ => None,
    };
    let proved = submitters.prove("printer", &password, from(1)).unwrap();
    assert_eq!(wrong("printer", from(77)), Some(Wrong::Network("printer".to_owned())));
    assert_eq!(wrong("nobody", from(1)), Some(Wrong::Name));
    let disable = |disabled| {
        let edit = SubmitterEdit { disabled: Some(disabled), ..SubmitterEdit::default() };
        submitters.change(&machine(), "printer", &edit).unwrap();
    };
    disable(true);
    assert_eq!(wrong("printer", from(1)), Some(Wrong::Disabled("printer".to_owned())));
    let renewed = |number| submitters.as_it_is_now(&proved, from(number)).unwrap().is_some();
    assert!(!renewed(1));
    disable(false);
    assert!(renewed(1));
    assert!(!renewed(77), "it may not come from there");
    submitters.set_password(&machine(), "printer", Some("four quiet words here")).unwrap();
    assert!(!renewed(1), "what the old password proved counts no more");
    submitters.remove(&machine(), "printer").unwrap();
    assert_eq!(wrong("printer", from(1)), Some(Wrong::Name));
    assert!(matches!(submitters.remove(&machine(), "printer"), Err(CenterError::NotFound(_))));
}

#[test]
fn guessing_is_slowed_down_and_whoever_sends_already_is_not_kept_out_by_it() {
    let house = house();
    let submitters = &house.submitters;
    let password = submitters.add(&machine(), &printer()).unwrap().password.unwrap();
    submitters.prove("printer", &password, from(1)).unwrap();
    let guess = |last: u8| submitters.prove("printer", "wrong wrong wrong", from(last));
    for number in 0..31 {
        assert!(matches!(guess(100 + number), Err(SubmitRefusal::Wrong(_))), "{number}");
    }
    assert!(matches!(guess(200), Err(SubmitRefusal::Wait(_))));
    // The password is right, and from elsewhere it waits all the same.
    let elsewhere = submitters.prove("printer", &password, from(201));
    assert!(matches!(elsewhere, Err(SubmitRefusal::Wait(_))), "{elsewhere:?}");
    assert!(submitters.prove("printer", &password, from(1)).is_ok());
    // One address cannot guess at many names either.
    for number in 0..61 {
        let _ = submitters.prove(&format!("name{number}"), "wrong wrong wrong", from(250));
    }
    let many = submitters.prove("another", "wrong wrong wrong", from(250));
    assert!(matches!(many, Err(SubmitRefusal::Wait(_))), "{many:?}");
    // Neighbours who are wrong about theirs keep it out no more than strangers,
    // and somebody beside it who guesses its name is slowed down all the same.
    for number in 0..61 {
        let _ = submitters.prove(&format!("name{number}"), "wrong wrong wrong", from(1));
    }
    assert!(submitters.prove("printer", &password, from(1)).is_ok());
    let waits = |guessed| matches!(guessed, Err(SubmitRefusal::Wait(_)));
    assert!((0..40).any(|_| waits(guess(1))));
    house.clock.advance(Duration::from_secs(3_600));
    assert!(submitters.prove("printer", &password, from(201)).is_ok());
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_is_wrong() {
    let house = house();
    let add = |new: &NewSubmitter| house.submitters.add(&machine(), new).unwrap_err().to_string();
    let sends_as = |text: &str| NewSubmitter { senders: vec![text.to_owned()], ..printer() };
    assert!(add(&sends_as("other.example")).contains("neither one of the domains"));
    assert!(add(&sends_as("*.corp.example")).contains("neither one of the domains"));
    assert!(add(&sends_as("a b@corp.example")).starts_with("a b@corp.example: "));
    assert!(add(&NewSubmitter { senders: Vec::new(), ..printer() }).contains("1 to 100 senders"));
    assert!(add(&NewSubmitter { name: "a b".to_owned(), ..printer() }).contains("64 letters"));
    let easy = NewSubmitter { password: Some("short".to_owned()), ..printer() };
    assert!(add(&easy).contains("at least 12 characters"));
    let long = NewSubmitter { note: "x".repeat(201), ..printer() };
    assert!(add(&long).contains("200 characters"));
    house.submitters.add(&machine(), &printer()).unwrap();
    assert!(add(&printer()).contains("of this name already"));
    assert_eq!(house.submitters.list(&machine()).unwrap().len(), 1, "nothing else was made");
}

#[test]
fn whoever_may_not_manage_accounts_sees_and_changes_nothing() {
    let house = house();
    let viewer = Caller::new("vera", Permissions::NONE);
    let denied = |answer: Result<(), CenterError>| {
        assert!(matches!(answer, Err(CenterError::Denied { .. })), "{answer:?}");
    };
    let submitters = &house.submitters;
    denied(submitters.list(&viewer).map(drop));
    denied(submitters.add(&viewer, &printer()).map(drop));
    denied(submitters.change(&viewer, "printer", &SubmitterEdit::default()));
    denied(submitters.set_password(&viewer, "printer", None).map(drop));
    denied(submitters.remove(&viewer, "printer"));
}
