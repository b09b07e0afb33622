//! The contract of [`AccountState`], for every implementation.

use std::path::Path;
use std::time::Duration;

use types::lists::Group;
use types::{
    AccountId, Actor, AuditAction, AuditNote, Limit, Permission, Permissions, Role, RoleName,
    Timestamp, TokenId,
};

use super::accounts::{
    LinkKind, NewAccount, NewPassword, SecretHash, StoredIdentity, StoredLink, StoredRole,
    StoredSession, StoredToken,
};
use super::{
    AccountChanges, AccountState, Authorship, Edit, Object, ObjectKey, Plan, PolicyDocument,
    PolicyState, SqliteAccounts, SqliteState,
};
use crate::contract::StoreError;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + seconds * 1_000)
}

/// The accounts, whose changes all get the same entry in the audit log.
struct House(SqliteAccounts);

impl std::ops::Deref for House {
    type Target = SqliteAccounts;

    fn deref(&self) -> &SqliteAccounts {
        &self.0
    }
}

fn open(folder: &Path) -> House {
    House(SqliteAccounts::open(&folder.join("state.db")).unwrap())
}

fn note() -> AuditNote {
    AuditNote::new(Actor::machine("test"), AuditAction::AccountAdded, "somebody", at(0))
}

macro_rules! noted {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl House {
            $(fn $name(&self, $($argument: $type),*) -> Result<$result, StoreError> {
                let mut done = None;
                self.0.change(&note(), &mut |to| {
                    done = Some(to.$name($($argument),*)?);
                    Ok(true)
                })?;
                Ok(done.unwrap())
            })*
        }
    };
}

noted! {
    add_account(new: &NewAccount) -> Option<AccountId>;
    remove_account(id: AccountId) -> bool;
    set_role(id: AccountId, role: &RoleName) -> ();
    set_limit(id: AccountId, limit: Option<&Limit>) -> ();
    set_disabled(id: AccountId, disabled: bool) -> ();
    add_identity(new: &StoredIdentity) -> bool;
    remove_identity(account: AccountId, id: u64) -> bool;
    put_role(role: &StoredRole) -> ();
    remove_role(name: &RoleName) -> bool;
    set_password(id: AccountId, new: &NewPassword<'_>) -> ();
    set_preferences(id: AccountId, preferences: &str) -> ();
    set_totp(id: AccountId, secret: Option<&[u8]>, codes: &[SecretHash]) -> ();
    use_recovery_code(id: AccountId, code: &SecretHash) -> bool;
    add_session(hash: &SecretHash, session: &StoredSession, most: usize) -> u64;
    end_session(account: AccountId, id: u64) -> bool;
    end_sessions(account: AccountId, but: Option<u64>) -> usize;
    add_token(hash: &SecretHash, token: &StoredToken) -> TokenId;
    remove_token(id: TokenId) -> bool;
    put_link(hash: &SecretHash, link: &StoredLink) -> ();
    take_link(hash: &SecretHash) -> Option<StoredLink>;
}

fn add(state: &House, name: &str) -> AccountId {
    state.add_account(&new(name)).unwrap().unwrap()
}

fn new(name: &str) -> NewAccount {
    NewAccount {
        name: name.into(),
        role: Role::Viewer.into(),
        limit: None,
        emergency: false,
        password: None,
        at: at(0),
        by: "root".into(),
    }
}

fn session(account: AccountId, seconds: i64) -> StoredSession {
    StoredSession {
        id: 0,
        account,
        created: at(seconds),
        last_seen: at(seconds),
        expires: at(seconds + 1_000),
        address: "2001:db8::7".parse().unwrap(),
        agent: "Firefox 140 on Linux".into(),
    }
}

fn token(account: AccountId) -> StoredToken {
    StoredToken {
        id: TokenId(0),
        account,
        name: "grafana".into(),
        permissions: Permissions::from(vec![Permission::SystemStatus, Permission::SeeQueue]),
        networks: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        created: at(0),
        expires: Some(at(500)),
        last_used: None,
    }
}

#[test]
fn names_are_taken_once_and_numbers_never_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    assert_eq!(state.count().unwrap(), 0);
    let (ana, bob) = (add(&state, "ana"), add(&state, "bob"));
    let again = NewAccount {
        role: Role::Owner.into(),
        password: Some("x".into()),
        at: at(9),
        by: "ana".into(),
        ..new("ana")
    };
    assert_eq!(state.add_account(&again).unwrap(), None);
    assert_eq!(state.account_named("ana").unwrap().unwrap().role, Role::Viewer);
    let names: Vec<String> = state.accounts().unwrap().into_iter().map(|a| a.name).collect();
    assert_eq!((names.join(" ").as_str(), state.count().unwrap()), ("ana bob", 2));
    assert!(state.remove_account(bob).unwrap() && !state.remove_account(bob).unwrap());
    assert_eq!(state.account(bob).unwrap(), None);
    assert!(add(&state, "bob") > bob && bob > ana);
    assert!(matches!(state.set_role(bob, &Role::Owner.into()), Err(StoreError::NotFound(_))));
}

#[test]
fn what_is_set_of_an_account_is_kept_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ana = {
        let state = open(folder.path());
        let ana = add(&state, "ana");
        state.set_role(ana, &Role::Owner.into()).unwrap();
        state.set_password(ana, &password("$argon2id$x")).unwrap();
        state.set_preferences(ana, "{\"theme\":\"dark\"}").unwrap();
        state.set_totp(ana, Some(b"secret"), &[[1; 32], [2; 32]]).unwrap();
        ana
    };
    let found = open(folder.path()).account(ana).unwrap().unwrap();
    assert_eq!(found.role, Role::Owner);
    assert_eq!(found.password.as_deref(), Some("$argon2id$x"));
    assert_eq!(found.totp_secret.as_deref(), Some(&b"secret"[..]));
    assert_eq!((found.recovery_codes_left, found.signed_in), (2, None));
    assert_eq!((found.created, found.created_by.as_str()), (at(0), "root"));
    assert_eq!(found.preferences, "{\"theme\":\"dark\"}");
}

/// A new password that ends as little as one can.
fn password(hash: &str) -> NewPassword<'_> {
    NewPassword { hash, keep_session: None, end_tokens: false, end_identities: false }
}

#[test]
fn a_new_password_ends_sessions_and_links_and_tokens_if_wished() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let (ana, bob) = (add(&state, "ana"), add(&state, "bob"));
    let kept = state.add_session(&[1; 32], &session(ana, 0), 10).unwrap();
    state.add_session(&[2; 32], &session(ana, 0), 10).unwrap();
    state.add_session(&[3; 32], &session(bob, 0), 10).unwrap();
    for (hash, kind) in [(4, LinkKind::Password(ana)), (5, LinkKind::Owner)] {
        state.put_link(&[hash; 32], &StoredLink { kind, expires: at(60) }).unwrap();
    }
    state.add_token(&[6; 32], &token(ana)).unwrap();
    state.add_token(&[7; 32], &token(bob)).unwrap();
    let new = NewPassword { keep_session: Some(kept), ..password("$x") };
    state.set_password(ana, &new).unwrap();
    let there = |hash: u8| state.session(&[hash; 32]).unwrap().is_some();
    assert_eq!([1, 2, 3].map(there), [true, false, true]);
    assert!(state.link(&[4; 32]).unwrap().is_none() && state.link(&[5; 32]).unwrap().is_some());
    assert!(state.token(&[6; 32]).unwrap().is_some());
    state.set_password(ana, &NewPassword { end_tokens: true, ..password("$y") }).unwrap();
    assert!(!there(1) && there(3));
    assert!(state.token(&[6; 32]).unwrap().is_none() && state.token(&[7; 32]).unwrap().is_some());
    let nobody = state.set_password(AccountId(99), &password("$z"));
    assert!(matches!(nobody, Err(StoreError::NotFound(_))));
}

#[test]
fn a_code_is_used_once_and_an_older_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let ana = add(&state, "ana");
    assert!(!state.use_totp_step(ana, 7).unwrap(), "codes are off");
    state.set_totp(ana, Some(b"secret"), &[[1; 32]]).unwrap();
    let used: Vec<bool> =
        [7, 7, 6, 8].into_iter().map(|step| state.use_totp_step(ana, step).unwrap()).collect();
    assert_eq!(used, [true, false, false, true]);
    assert!(!state.use_recovery_code(ana, &[9; 32]).unwrap());
    assert!(state.use_recovery_code(ana, &[1; 32]).unwrap());
    assert!(!state.use_recovery_code(ana, &[1; 32]).unwrap());
    state.set_totp(ana, Some(b"other"), &[[3; 32]]).unwrap();
    assert!(state.use_totp_step(ana, 1).unwrap(), "a new secret begins anew");
    state.set_totp(ana, None, &[]).unwrap();
    let found = state.account(ana).unwrap().unwrap();
    assert_eq!((found.totp_secret, found.recovery_codes_left), (None, 0));
}

#[test]
fn sessions_are_found_listed_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let (ana, bob) = (add(&state, "ana"), add(&state, "bob"));
    let first = state.add_session(&[1; 32], &session(ana, 0), 10).unwrap();
    let second = state.add_session(&[2; 32], &session(ana, 10), 10).unwrap();
    let other = state.add_session(&[3; 32], &session(bob, 20), 10).unwrap();
    let (found, account) = state.session(&[1; 32]).unwrap().unwrap();
    assert_eq!(found, StoredSession { id: first, ..session(ana, 0) });
    assert_eq!((account.name.as_str(), account.signed_in), ("ana", Some(at(10))));
    state.touch_session(first, at(30), "192.0.2.1".parse().unwrap()).unwrap();
    let ids = |account| -> Vec<u64> {
        state.sessions(account).unwrap().into_iter().map(|session| session.id).collect()
    };
    assert_eq!(ids(ana), [first, second], "seen last comes first");
    assert!(!state.end_session(ana, other).unwrap(), "somebody else's");
    assert_eq!(state.end_sessions(ana, Some(first)).unwrap(), 1);
    assert_eq!((ids(ana), ids(bob)), (vec![first], vec![other]));
    assert!(state.end_session(ana, first).unwrap());
    assert!(state.session(&[1; 32]).unwrap().is_none());
    state.remove_account(bob).unwrap();
    assert!(state.session(&[3; 32]).unwrap().is_none(), "gone with its account");
}

#[test]
fn the_oldest_session_gives_way() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let ana = add(&state, "ana");
    for number in 0..4_u8 {
        state.add_session(&[number; 32], &session(ana, number.into()), 3).unwrap();
    }
    assert_eq!(state.sessions(ana).unwrap().len(), 3);
    assert!(state.session(&[0; 32]).unwrap().is_none());
    assert!(state.add_session(&[9; 32], &session(AccountId(99), 0), 3).is_err());
}

#[test]
fn what_is_over_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let ana = add(&state, "ana");
    state.add_session(&[1; 32], &session(ana, 0), 9).unwrap();
    state.add_session(&[2; 32], &session(ana, 900), 9).unwrap();
    state.put_link(&[3; 32], &StoredLink { kind: LinkKind::Owner, expires: at(500) }).unwrap();
    state.remove_expired(at(499), at(499) - Duration::from_secs(600)).unwrap();
    assert!(state.session(&[1; 32]).unwrap().is_some() && state.link(&[3; 32]).unwrap().is_some());
    state.remove_expired(at(1_000), at(0)).unwrap();
    assert!(state.session(&[1; 32]).unwrap().is_none() && state.link(&[3; 32]).unwrap().is_none());
    state.remove_expired(at(1_000), at(901)).unwrap();
    assert!(state.session(&[2; 32]).unwrap().is_none(), "idle");
}

#[test]
fn tokens_keep_their_scope() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let (ana, bob) = (add(&state, "ana"), add(&state, "bob"));
    let first = state.add_token(&[1; 32], &token(ana)).unwrap();
    let lasting = StoredToken { expires: None, networks: vec![], ..token(bob) };
    let second = state.add_token(&[2; 32], &lasting).unwrap();
    let (found, account) = state.token(&[1; 32]).unwrap().unwrap();
    assert_eq!((found, account.id), (StoredToken { id: first, ..token(ana) }, ana));
    let from = "192.0.2.9".parse().unwrap();
    state.touch_token(second, at(77), from).unwrap();
    let all = state.tokens(None).unwrap();
    assert_eq!(all[0], StoredToken { id: second, last_used: Some((at(77), from)), ..lasting });
    assert_eq!((all.len(), state.tokens(Some(ana)).unwrap()[0].id), (2, first));
    assert!(state.remove_token(first).unwrap() && !state.remove_token(first).unwrap());
    assert!(state.token(&[1; 32]).unwrap().is_none());
}

#[test]
fn a_link_is_taken_once_and_replaced_by_the_next_of_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let (ana, bob) = (add(&state, "ana"), add(&state, "bob"));
    let link = |kind| StoredLink { kind, expires: at(60) };
    for (hash, kind) in [
        (1_u8, LinkKind::Owner),
        (2, LinkKind::Password(ana)),
        (3, LinkKind::Password(bob)),
        (4, LinkKind::SignIn(ana)),
        (5, LinkKind::Owner),
        (6, LinkKind::Password(ana)),
    ] {
        state.put_link(&[hash; 32], &link(kind)).unwrap();
    }
    let kinds = [1, 2, 3, 4, 5, 6].map(|hash: u8| state.link(&[hash; 32]).unwrap().map(|l| l.kind));
    let (password, sign_in) = (LinkKind::Password, LinkKind::SignIn);
    let wanted = [None, None, Some(password(bob)), Some(sign_in(ana)), Some(LinkKind::Owner)];
    assert_eq!((&kinds[..5], kinds[5]), (&wanted[..], Some(password(ana))));
    assert_eq!(state.take_link(&[5; 32]).unwrap(), Some(link(LinkKind::Owner)));
    assert_eq!(state.take_link(&[5; 32]).unwrap(), None);
    state.remove_account(bob).unwrap();
    assert_eq!(state.link(&[3; 32]).unwrap(), None);
}

#[test]
fn a_change_that_fails_or_is_not_wanted_is_undone_and_not_noted() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let ana = add(&state, "ana");
    let path = folder.path().join("state.db");
    let audit = super::SqliteAudit::open(&path).unwrap();
    let before = super::AuditState::head(&audit).unwrap();
    assert_eq!(before.number, 1);
    let half = |to: &dyn AccountChanges| {
        to.set_role(ana, &Role::Owner.into())?;
        assert_eq!(to.accounts()?[0].role, Role::Owner, "seen inside");
        to.set_role(AccountId(99), &Role::Owner.into())?;
        Ok(true)
    };
    assert!(state.change(&note(), &mut |to| half(to)).is_err());
    let unwanted = |to: &dyn AccountChanges| to.set_role(ana, &Role::Owner.into()).map(|()| false);
    assert!(!state.change(&note(), &mut |to| unwanted(to)).unwrap());
    assert_eq!(state.account(ana).unwrap().unwrap().role, Role::Viewer);
    assert_eq!(super::AuditState::head(&audit).unwrap(), before);
}

#[test]
fn a_database_of_the_first_format_is_renewed_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(include_str!("schema.sql")).unwrap();
    old.execute_batch("INSERT INTO facts VALUES ('kept', 'yes'); PRAGMA user_version = 1").unwrap();
    drop(old);
    let policies = SqliteState::open(&path).unwrap();
    assert_eq!(policies.fact("kept").unwrap().as_deref(), Some("yes"));
    add(&open(folder.path()), "ana");
    assert_eq!(open(folder.path()).count().unwrap(), 1);
}

#[test]
fn limits_roles_and_a_closed_account_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let limit = Limit::new(vec!["corp.example".parse().unwrap()], Vec::new()).unwrap();
    let limit = Some(limit);
    let desk: RoleName = "desk".parse().unwrap();
    let limited = NewAccount { role: desk.clone(), limit: limit.clone(), ..new("ana") };
    let ana = state.add_account(&limited).unwrap().unwrap();
    let found = || open(folder.path()).account(ana).unwrap().unwrap();
    assert_eq!((&found().limit, found().permissions()), (&limit, Permissions::NONE), "no role");
    let permissions = Permissions::from(vec![Permission::SeeMetadata, Permission::SeeAudit]);
    let (note, changed_by) = ("Help desk".to_owned(), "root".to_owned());
    let role = StoredRole { name: desk.clone(), permissions, note, changed: at(1), changed_by };
    state.put_role(&role).unwrap();
    assert_eq!(state.roles().unwrap(), [role]);
    assert_eq!(Vec::from(found().permissions()), [Permission::SeeMetadata], "within the limit");
    let grouped = Limit::new(Vec::new(), vec!["Desk".to_owned()]).unwrap();
    state.set_limit(ana, Some(&grouped)).unwrap();
    assert_eq!(found().limit, Some(grouped));
    assert_eq!(Vec::from(found().permissions()), [Permission::SeeMetadata], "by a group alone");
    state.set_limit(ana, None).unwrap();
    assert_eq!(found().permissions(), permissions);
    state.add_session(&[1; 32], &session(ana, 1), 9).unwrap();
    state.set_disabled(ana, true).unwrap();
    assert!(found().disabled && state.sessions(ana).unwrap().is_empty());
    state.set_disabled(ana, false).unwrap();
    assert!(!found().disabled && !found().emergency);
    assert!(state.remove_role(&desk).unwrap() && !state.remove_role(&desk).unwrap());
    let missing = state.set_limit(AccountId(99), limit.as_ref());
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
}

#[test]
fn a_group_that_limits_an_account_is_not_removed_by_people() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let policies = SqliteState::open(&folder.path().join("state.db")).unwrap();
    let group = |name: &str| Group { name: name.into(), parent: None, members: Vec::new() };
    let who = || Authorship {
        actor: Actor::machine("ann"),
        note: String::new(),
        at: at(1),
        expected: None,
    };
    let put = |name: &str| Edit::Put(Object::Group(group(name)));
    policies.change(&who(), vec![put("Desk"), put("Other")]).unwrap();
    let (version, groups) = state.groups(None).unwrap().unwrap();
    assert_eq!((version, groups.len()), (1, 2));
    assert_eq!(state.groups(Some(version)).unwrap(), None, "known already");
    let limit = Limit::new(Vec::new(), vec!["Desk".to_owned()]).unwrap();
    state.add_account(&NewAccount { limit: Some(limit), ..new("ana") }).unwrap();
    let remove = |name: &str| vec![Edit::Remove(ObjectKey::Group(name.into()))];
    for refused in [
        policies.change(&who(), remove("Desk")),
        policies.plan(&who(), Plan::Edits(remove("Desk"))),
        policies.import(&who(), PolicyDocument::default()),
        policies.roll_back(&who(), 0),
    ] {
        let account = match refused {
            Err(StoreError::Needed { account, .. }) => account,
            other => panic!("{other:?}"),
        };
        assert_eq!(account, "ana");
    }
    policies.change(&who(), remove("Other")).unwrap();
    // The policy file is not held up: its groups go, and ana sees nothing.
    let document = PolicyDocument { groups: vec![group("Desk")], ..PolicyDocument::default() };
    policies.apply_file(&who(), document).unwrap();
    policies.apply_file(&who(), PolicyDocument::default()).unwrap();
    let (now, groups) = state.groups(Some(version)).unwrap().unwrap();
    assert!(now > version && groups.is_empty());
}

#[test]
fn a_subject_of_an_issuer_is_one_account_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let (ana, bob) = (add(&state, "ana"), add(&state, "bob"));
    let identity = |account: AccountId, issuer: &str, gives_role: bool| StoredIdentity {
        id: 0,
        issuer: issuer.into(),
        subject: "8f3".into(),
        account,
        gives_role,
        linked: at(3),
        linked_by: "root".into(),
    };
    assert!(state.add_identity(&identity(ana, "https://id.example", true)).unwrap());
    assert!(!state.add_identity(&identity(bob, "https://id.example", false)).unwrap(), "taken");
    assert!(state.add_identity(&identity(bob, "https://other.example", false)).unwrap());
    let found = open(folder.path()).identity("https://id.example", "8f3").unwrap().unwrap();
    assert_eq!(found, StoredIdentity { id: found.id, ..identity(ana, "https://id.example", true) });
    assert_eq!(state.identity("https://id.example", "8F3").unwrap(), None, "case counts");
    assert_eq!(
        (state.identities(None).unwrap().len(), state.identities(Some(bob)).unwrap().len()),
        (2, 1)
    );
    let given = |id: AccountId| state.account(id).unwrap().unwrap().role_is_given;
    assert!(given(ana) && !given(bob));
    assert!(!state.remove_identity(bob, found.id).unwrap(), "somebody else's");
    assert!(state.remove_identity(ana, found.id).unwrap() && !given(ana));
    state.remove_account(bob).unwrap();
    assert_eq!(state.identities(None).unwrap(), [], "gone with the account");
}

#[test]
fn damaged_domains_do_not_show_everything() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let ana = add(&state, "ana");
    let other = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    for damaged in ["", "[]", "[\"\"]", "null"] {
        other.execute("UPDATE accounts SET domains = ?1", [damaged]).unwrap();
        assert!(matches!(state.account(ana), Err(StoreError::Damaged(_))), "{damaged}");
    }
}

/// Roles came with format 7; who was there before goes on as before.
#[test]
fn accounts_and_tokens_of_an_older_format_may_what_they_could() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    let formats = [
        include_str!("schema.sql"),
        include_str!("accounts.sql"),
        include_str!("views.sql"),
        include_str!("definitions.sql"),
        include_str!("requests.sql"),
        include_str!("audit.sql"),
    ];
    formats.iter().for_each(|step| old.execute_batch(step).unwrap());
    old.execute_batch(
        "INSERT INTO accounts (name, role, preferences, created, created_by)
            VALUES ('ana', 'owner', '{}', 0, 'x'), ('vera', 'viewer', '{}', 0, 'x');
        INSERT INTO tokens (hash, account, name, permissions, networks, created)
            VALUES (x'00', 1, 't', '[\"see_metadata\",\"edit_policies\"]', '[]', 0),
                (x'01', 1, 'u', '[\"queue_actions\",\"export_metadata\"]', '[]', 0);
        PRAGMA user_version = 6",
    )
    .unwrap();
    drop(old);
    let state = open(folder.path());
    let roles: Vec<_> = state.accounts().unwrap().iter().map(|a| a.permissions()).collect();
    assert_eq!(roles, [Role::Owner.permissions(), Role::Viewer.permissions()]);
    let tokens: Vec<_> = state.tokens(None).unwrap().iter().map(|t| t.permissions).collect();
    use Permission::*;
    assert_eq!(Vec::from(tokens[1]), [SeeMetadata, SeeSubjects, EditPolicies, EditLists]);
    assert_eq!(
        Vec::from(tokens[0]),
        [ExportMetadata, DailyLogs, QueueActions, ReleaseHarmless, ReleaseDangerous]
    );
}
