//! Who may do what to whom, over the real embedded store and a simulated
//! clock.

use std::sync::Arc;
use std::time::Duration;

use store::state::{SqliteAccounts, SqliteAudit};
use tempfile::TempDir;
use types::{Caller, Permission, Permissions, Role};
use world::SystemChance;
use world::simulated::SimulatedClock;

use super::*;

pub(super) const PASSWORD: &str = "four quiet words here";

pub(super) struct House {
    pub(super) accounts: Accounts,
    pub(super) clock: SimulatedClock,
    pub(super) folder: TempDir,
}

pub(super) fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let clock = SimulatedClock::new("2026-11-21T10:00:00Z".parse().unwrap());
    let accounts = Accounts::new(AccountParts {
        state: Arc::new(SqliteAccounts::open(&folder.path().join("state.db")).unwrap()),
        audit: Arc::new(SqliteAudit::open(&folder.path().join("state.db")).unwrap()),
        clock: Arc::new(clock.clone()),
        chance: Arc::new(SystemChance),
        times: SessionTimes::default(),
    });
    House { accounts, clock, folder }
}

pub(super) fn machine() -> Caller {
    Caller::with_all("root")
}

pub(super) fn visitor() -> Visitor {
    Visitor { address: [192, 0, 2, 7].into(), agent: "a\u{1b}[2J".repeat(300) }
}

impl House {
    pub(super) fn person(&self, name: &str, role: impl Into<types::RoleName>) -> Caller {
        let (role, domains) = (role.into(), Vec::new());
        let person = NewPerson { name: name.into(), role, domains, groups: Vec::new() };
        self.accounts.add_account(&machine(), &person).unwrap();
        self.accounts.set_password(&machine(), name, PASSWORD, Tokens::Keep).unwrap();
        self.session(name).caller
    }

    pub(super) fn session(&self, name: &str) -> Session {
        let Ok(Step::Done(secret)) = self.accounts.sign_in(name, PASSWORD, &visitor()) else {
            panic!("{name} is not let in");
        };
        self.accounts.session(secret.reveal(), visitor().address).unwrap().unwrap()
    }
}

pub(super) fn denied<T: std::fmt::Debug>(answer: Result<T, CenterError>) -> bool {
    matches!(answer, Err(CenterError::Denied { .. }))
}

#[test]
fn nobody_gives_or_takes_more_than_they_have() {
    let house = house();
    let accounts = &house.accounts;
    let owner = house.person("ana", Role::Owner);
    let viewer = house.person("vera", Role::Viewer);
    let wants = |name: &str, role: Role| NewPerson {
        name: name.into(),
        role: role.into(),
        domains: Vec::new(),
        groups: Vec::new(),
    };
    assert!(denied(accounts.accounts(&viewer)));
    assert!(denied(accounts.add_account(&viewer, &wants("x", Role::Viewer))));
    assert!(denied(accounts.set_up_link(&viewer, None)));
    // Somebody who manages accounts and no more: what a role of issue 4 may be.
    let permissions = [Permission::ManageAccounts, Permission::ManageTokens].into_iter();
    let permissions = permissions.chain(Role::Viewer.permissions().iter()).collect();
    let clerk = Caller { permissions, ..viewer.clone() };
    assert!(accounts.add_account(&clerk, &wants("bob", Role::Viewer)).is_ok());
    assert!(denied(accounts.add_account(&clerk, &wants("eve", Role::Owner))));
    assert!(denied(accounts.set_role(&clerk, "bob", Role::Owner)));
    assert!(denied(accounts.set_password(&clerk, "ana", PASSWORD, Tokens::Keep)));
    assert!(denied(accounts.set_up_link(&clerk, Some("ana"))));
    assert!(denied(accounts.set_up_link(&clerk, None)), "a new owner");
    assert!(denied(accounts.reset_totp(&clerk, "ana")));
    assert!(denied(accounts.remove_account(&clerk, "ana")));
    assert!(accounts.remove_account(&clerk, "bob").is_ok());
    assert!(accounts.set_role(&owner, "vera", Role::Owner).is_ok());
}

#[test]
fn a_hijacked_session_does_not_lock_its_owner_out() {
    let house = house();
    let accounts = &house.accounts;
    let owner = house.person("ana", Role::Owner);
    for refused in [
        accounts.set_password(&owner, "ana", PASSWORD, Tokens::Keep).unwrap_err(),
        accounts.reset_totp(&owner, "Ana").unwrap_err(),
        accounts.set_up_link(&owner, Some("ana")).unwrap_err(),
    ] {
        assert!(refused.to_string().contains("your own account"), "{refused}");
    }
    assert!(accounts.reset_totp(&machine(), "ana").is_ok(), "the machine itself may");
}

#[test]
fn the_last_owner_stays() {
    let house = house();
    let accounts = &house.accounts;
    house.person("ana", Role::Owner);
    for refused in [
        accounts.remove_account(&machine(), "ana"),
        accounts.set_role(&machine(), "ANA", Role::Viewer),
    ] {
        assert!(refused.unwrap_err().to_string().contains("last owner"));
    }
    house.person("bob", Role::Owner);
    assert!(accounts.remove_account(&machine(), "ana").is_ok());
}

#[test]
fn a_token_is_less_than_its_owner_and_no_person() {
    let house = house();
    let accounts = &house.accounts;
    let owner = house.person("ana", Role::Owner);
    house.person("vera", Role::Viewer);
    let new = |account: &str, permission| NewToken {
        name: "robot".into(),
        account: Some(account.into()),
        permissions: Permissions::from(vec![permission]),
        networks: vec![],
        expires: None,
    };
    assert!(denied(accounts.add_token(&owner, &new("vera", Permission::ExportMetadata))));
    let made = accounts.add_token(&owner, &new("ana", Permission::ManageTokens)).unwrap();
    let robot = accounts.token(&made.secret, visitor().address).unwrap();
    assert_eq!(&*robot.name, "ana (token robot)");
    assert!(denied(accounts.add_token(&robot, &new("ana", Permission::EditPolicies))));
    let (new, from) = ("other quiet words", visitor().address);
    let change = PasswordChange { present: PASSWORD, new, tokens: Some(Tokens::Keep) };
    assert!(accounts.change_password(&robot, &change, from, None).is_err());
    assert!(accounts.sessions(&robot).is_err());
    assert!(accounts.totp_begin(&robot, PASSWORD, from).is_err());
    assert!(accounts.demo(&owner).is_err(), "only the machine opens the demo");
    accounts.set_role(&machine(), "vera", Role::Owner).unwrap();
    accounts.set_role(&machine(), "ana", Role::Viewer).unwrap();
    let robot = accounts.token(&made.secret, visitor().address).unwrap();
    assert_eq!(robot.permissions, Permissions::NONE, "what its owner lost, it lost");
    accounts.remove_account(&machine(), "ana").unwrap();
    assert!(matches!(accounts.token(&made.secret, visitor().address), Err(TokenRefusal::Unknown)));
}

#[test]
fn only_ones_own_tokens_are_revoked_without_the_permission() {
    let house = house();
    let accounts = &house.accounts;
    let (owner, viewer) = (house.person("ana", Role::Owner), house.person("vera", Role::Viewer));
    let new = |account: &str| NewToken {
        name: "robot".into(),
        account: Some(account.into()),
        permissions: Permissions::from(vec![Permission::SeeMetadata]),
        networks: vec![],
        expires: None,
    };
    let of_viewer = accounts.add_token(&owner, &new("vera")).unwrap();
    let of_owner = accounts.add_token(&owner, &new("ana")).unwrap();
    assert!(denied(accounts.remove_token(&viewer, of_owner.id)));
    assert_eq!(accounts.tokens(&viewer, false).unwrap().len(), 1);
    assert!(denied(accounts.tokens(&viewer, true)));
    accounts.remove_token(&viewer, of_viewer.id).unwrap();
    accounts.remove_token(&owner, of_owner.id).unwrap();
    assert!(accounts.tokens(&owner, true).unwrap().is_empty());
}

#[test]
fn codes_are_replayed_by_nobody_and_reset_by_an_owner() {
    let house = house();
    let accounts = &house.accounts;
    let ana = house.person("ana", Role::Owner);
    let begin = |password| accounts.totp_begin(&ana, password, visitor().address);
    let refused = begin("not the password").unwrap_err();
    assert!(refused.to_string().contains("not the present password"), "{refused}");
    let seen_by_a_thief = begin(PASSWORD).unwrap();
    let enrolment = begin(PASSWORD).unwrap();
    assert_ne!(enrolment.secret, seen_by_a_thief.secret, "each is shown once");
    let stale = totp::code_of(&seen_by_a_thief, accounts.now());
    assert!(accounts.totp_confirm(&ana, &stale, None).is_err());
    let code = totp::code_of(&enrolment, accounts.now());
    let recovery = accounts.totp_confirm(&ana, &code, None).unwrap();
    assert_eq!(recovery.0.len(), 10);
    let begin = || match accounts.sign_in("ana", PASSWORD, &visitor()) {
        Ok(Step::Code(proof)) => proof,
        other => panic!("{other:?}"),
    };
    let with = |code: &str| accounts.sign_in_code(begin().reveal(), code, &visitor());
    assert!(matches!(with(&code), Err(SignInRefusal::WrongCode)), "used at enrolment");
    house.clock.advance(Duration::from_secs(30));
    let code = totp::code_of(&enrolment, accounts.now());
    assert!(with(&code).is_ok());
    assert!(matches!(with(&code), Err(SignInRefusal::WrongCode)));
    assert!(with(&recovery.0[3].to_uppercase()).is_ok());
    assert!(matches!(with(&recovery.0[3]), Err(SignInRefusal::WrongCode)));
    let proof = begin();
    house.clock.advance(Duration::from_secs(5 * 60));
    let late = accounts.sign_in_code(proof.reveal(), &recovery.0[4], &visitor());
    assert!(matches!(late, Err(SignInRefusal::Over)));
    accounts.reset_totp(&machine(), "ana").unwrap();
    assert!(matches!(accounts.sign_in("ana", PASSWORD, &visitor()), Ok(Step::Done(_))));
}

#[test]
fn five_wrong_codes_end_a_sign_in() {
    let house = house();
    let accounts = &house.accounts;
    let ana = house.person("ana", Role::Owner);
    let enrolment = accounts.totp_begin(&ana, PASSWORD, visitor().address).unwrap();
    accounts.totp_confirm(&ana, &totp::code_of(&enrolment, accounts.now()), None).unwrap();
    let Ok(Step::Code(proof)) = accounts.sign_in("ana", PASSWORD, &visitor()) else { panic!() };
    for _ in 0..5 {
        let wrong = accounts.sign_in_code(proof.reveal(), "000000", &visitor());
        assert!(matches!(wrong, Err(SignInRefusal::WrongCode)), "{wrong:?}");
    }
    assert!(!accounts.awaits_code(proof.reveal()));
    let code = totp::code_of(&enrolment, accounts.now());
    let late = accounts.sign_in_code(proof.reveal(), &code, &visitor());
    assert!(matches!(late, Err(SignInRefusal::Over)));
}

#[test]
fn what_a_browser_says_of_itself_is_cut_and_made_visible() {
    let house = house();
    let ana = house.person("ana", Role::Owner);
    let rows = house.accounts.sessions(&ana).unwrap();
    assert!(!rows[0].agent.contains('\u{1b}') && rows[0].agent.chars().count() <= 1_000);
}

#[test]
fn names_are_plain_and_without_case() {
    let house = house();
    let add = |name: &str| {
        let new = NewPerson {
            name: name.into(),
            role: Role::Viewer.into(),
            domains: Vec::new(),
            groups: Vec::new(),
        };
        house.accounts.add_account(&machine(), &new)
    };
    assert!(add(" Ana@Corp.example ").is_ok());
    for name in ["ana@corp.EXAMPLE", "", " ", "ana bob", "\u{430}na", "-x", &*"a".repeat(65)] {
        assert!(add(name).is_err(), "{name:?}");
    }
}

/// What the audit log says, oldest first.
fn log(house: &House) -> Vec<String> {
    let query = store::state::audit::AuditQuery::default();
    let mut entries = house.accounts.audit.entries(&query, None, 10_000).unwrap();
    entries.reverse();
    let line = |entry: store::state::audit::AuditEntry| {
        let note = entry.note;
        format!("{} {}: {}", note.actor.name, note.action.slug(), note.subject)
    };
    entries.into_iter().map(line).collect()
}

#[test]
fn whatever_happens_to_an_account_is_in_the_audit_log() {
    let house = house();
    let accounts = &house.accounts;
    let ana = house.person("ana", Role::Owner);
    assert!(matches!(accounts.sign_in("ana", "wrong", &visitor()), Err(SignInRefusal::Wrong)));
    assert!(accounts.sign_in("my own password", "x", &visitor()).is_err());
    let bob = NewPerson {
        name: "bob".into(),
        role: Role::Viewer.into(),
        domains: Vec::new(),
        groups: Vec::new(),
    };
    accounts.add_account(&ana, &bob).unwrap();
    assert!(accounts.add_account(&ana, &bob).is_err(), "not noted");
    accounts.set_role(&ana, "bob", Role::Owner).unwrap();
    let link = accounts.set_up_link(&ana, Some("bob")).unwrap();
    accounts.set_up(link.reveal(), "", PASSWORD, Tokens::Keep, &visitor()).unwrap();
    let token = NewToken {
        name: "grafana".into(),
        account: None,
        permissions: [Permission::SystemStatus].into_iter().collect(),
        networks: vec![],
        expires: None,
    };
    let made = accounts.add_token(&ana, &token).unwrap();
    accounts.remove_token(&ana, made.id).unwrap();
    accounts.remove_account(&ana, "bob").unwrap();
    assert!(accounts.remove_account(&ana, "ana").is_err(), "the last owner, not noted");
    assert_eq!(
        log(&house),
        [
            "root account.added: ana",
            "root account.password: ana",
            "ana sign_in.done: with a password",
            " sign_in.failed: ana: wrong password",
            " sign_in.failed: a name that nobody has",
            "ana account.added: bob",
            "ana account.role: bob",
            "ana account.link: bob",
            "bob account.set_up: a new password",
            "bob sign_in.done: with a set-up link",
            "ana token.made: grafana of ana",
            "ana token.revoked: grafana of ana",
            "ana account.removed: bob",
        ]
    );
    let query = store::state::audit::AuditQuery::default();
    let entries = accounts.audit.entries(&query, None, 100).unwrap();
    let text = format!("{entries:?}");
    for secret in [PASSWORD, link.reveal(), made.secret.as_str(), "my own password"] {
        assert!(!text.contains(secret), "{secret} is a secret");
    }
    assert!(entries.iter().all(|entry| {
        entry.note.actor.name.as_ref() == "root" || entry.note.actor.from == Some(visitor().address)
    }));
}

#[test]
fn failed_sign_ins_are_noted_up_to_a_number_and_then_counted() {
    let house = house();
    for number in 0..620_u32 {
        let octets = number.to_be_bytes();
        let from = [198, 51, octets[2], octets[3]].into();
        house.accounts.note_failure(None, "password", from).unwrap();
    }
    assert_eq!(log(&house).len(), 500);
    house.accounts.tidy().unwrap();
    assert_eq!(log(&house).len(), 500, "not before the hour is over");
    house.clock.advance(Duration::from_secs(3_600));
    house.accounts.tidy().unwrap();
    house.accounts.tidy().unwrap();
    let last = log(&house).pop().unwrap();
    assert_eq!(log(&house).len(), 501);
    assert_eq!(last, "portcullis sign_in.failed_many: 120 more sign-ins failed within an hour");
}

#[test]
fn a_new_password_ends_what_hung_on_the_old_one() {
    let house = house();
    let accounts = &house.accounts;
    let ana = house.person("ana", Role::Owner);
    let here = house.session("ana");
    let token = |name: &str| NewToken {
        name: name.into(),
        account: None,
        permissions: Permissions::from(vec![Permission::SeeMetadata]),
        networks: vec![],
        expires: None,
    };
    let (kept, from) = (accounts.add_token(&ana, &token("robot")).unwrap(), visitor().address);
    let link = accounts.set_up_link(&machine(), Some("ana")).unwrap();
    let enrolment = accounts.totp_begin(&ana, PASSWORD, from).unwrap();
    let code = totp::code_of(&enrolment, accounts.now());
    accounts.totp_confirm(&ana, &code, Some(here.id)).unwrap();
    let Ok(Step::Code(proof)) = accounts.sign_in("ana", PASSWORD, &visitor()) else { panic!() };
    let new = "lantern river stone";
    let change = |present, new, tokens| {
        let change = PasswordChange { present, new, tokens };
        accounts.change_password(&ana, &change, from, Some(here.id))
    };
    let unsaid = change(PASSWORD, new, None).unwrap_err().to_string();
    assert!(unsaid.contains("say whether your tokens go on"), "{unsaid}");
    change(PASSWORD, new, Some(Tokens::Keep)).unwrap();
    assert!(!accounts.awaits_code(proof.reveal()), "half a sign-in with the old one");
    assert_eq!(accounts.link(link.reveal()).unwrap(), None);
    assert_eq!(accounts.sessions(&ana).unwrap().len(), 1);
    assert!(accounts.token(&kept.secret, from).is_ok());
    change(new, PASSWORD, Some(Tokens::Revoke)).unwrap();
    assert!(matches!(accounts.token(&kept.secret, from), Err(TokenRefusal::Unknown)));
}

#[test]
fn a_long_answer_asks_again_who_is_there() {
    let house = house();
    let accounts = &house.accounts;
    house.person("ana", Role::Owner);
    house.person("olga", Role::Owner);
    let here = house.session("ana");
    let new = NewToken {
        name: "robot".into(),
        account: None,
        permissions: Permissions::from(vec![Permission::SeeMetadata]),
        networks: vec![],
        expires: Some(accounts.now() + Duration::from_secs(60)),
    };
    let made = accounts.add_token(&here.caller, &new).unwrap();
    let robot = accounts.token(&made.secret, visitor().address).unwrap();
    let person = |id| accounts.again(&here.caller, id).unwrap();
    let program = || accounts.again(&robot, None).unwrap();
    assert_eq!(
        (person(Some(here.id)), program()),
        (Some(here.caller.clone()), Some(robot.clone()))
    );
    assert_eq!(accounts.again(&machine(), None).unwrap(), Some(machine()));
    assert_eq!(person(None), None, "no session, no person");
    accounts.set_role(&machine(), "ana", Role::Viewer).unwrap();
    assert_eq!(person(Some(here.id)).unwrap().permissions, Role::Viewer.permissions());
    house.clock.advance(Duration::from_secs(60));
    assert_eq!(program(), None, "expired");
    house.clock.advance(Duration::from_secs(12 * 3_600));
    assert_eq!(person(Some(here.id)), None, "idle: a stream is no request");
    let again = house.session("ana");
    accounts.end_session(&again.caller, again.id).unwrap();
    assert_eq!(person(Some(again.id)), None, "signed out");
}
