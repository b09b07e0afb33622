//! People whom a sign-in service vouches for, over the real embedded store.

use store::state::audit::{AuditEntry, AuditQuery};
use types::{Caller, Permission, Permissions, Role, RoleName};

use super::tests::{House, PASSWORD, house, machine, visitor};
use super::*;

const ISSUER: &str = "https://id.corp.example";

fn rules(newcomers: Newcomers) -> ProviderRules {
    let group = |group: &str, role: Role, domains: &[&str]| GroupRole {
        group: group.into(),
        role: role.into(),
        domains: domains.iter().map(|domain| domain.parse().unwrap()).collect(),
        groups: Vec::new(),
    };
    ProviderRules {
        name: "Corp".into(),
        issuer: ISSUER.into(),
        groups: vec![
            group("owners", Role::Owner, &[]),
            group("operators", Role::Operator, &[]),
            group("desk", Role::Viewer, &["corp.example"]),
            GroupRole { groups: vec!["Clinic".into()], ..group("clinic", Role::Viewer, &[]) },
        ],
        otherwise: None,
        newcomers,
    }
}

fn with(newcomers: Newcomers) -> House {
    let house = house();
    let accounts = house.accounts.with_provider(rules(newcomers));
    House { accounts, ..house }
}

fn person(subject: &str, name: &str, groups: &[&str]) -> Identity {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Identity { subject: subject.into(), name: Ok(name.into()), groups: Ok(Some(groups)) }
}

impl House {
    fn enter(&self, identity: &Identity) -> Result<Session, IdentityRefusal> {
        let secret = self.accounts.sign_in_by_identity(identity, &visitor())?;
        Ok(self.accounts.session(secret.reveal(), visitor().address).unwrap().unwrap())
    }

    fn refused(&self, identity: &Identity) -> String {
        self.enter(identity).unwrap_err().to_string()
    }

    /// The newest entries of the audit log: who, what, to what.
    fn told(&self, count: usize) -> Vec<String> {
        let query = AuditQuery::default();
        let entries = self.accounts.audit.entries(&query, None, count).unwrap();
        let line = |entry: AuditEntry| {
            let note = entry.note;
            format!("{} {} {}", note.actor.name, note.action.slug(), note.subject)
        };
        entries.into_iter().map(line).collect()
    }
}

#[test]
fn a_group_gives_an_account_with_a_role_and_a_change_there_counts_at_the_next_sign_in() {
    let house = with(Newcomers::Welcome);
    let first = house.enter(&person("8f3", "Ana@Corp.example", &["staff", "desk"])).unwrap();
    assert_eq!(
        (&*first.caller.name, first.role),
        ("ana@corp.example", RoleName::from(Role::Viewer))
    );
    assert_eq!(first.caller.sight.domains()[0].to_string(), "corp.example");
    let clinic = house.enter(&person("c", "cid", &["clinic"])).unwrap().caller.sight;
    assert!(!clinic.is_everything() && clinic.groups() == ["Clinic"], "{clinic:?}");
    house.enter(&person("8f3", "Ana@Corp.example", &["staff", "desk"])).unwrap();
    assert_eq!(
        house.told(2),
        ["ana@corp.example sign_in.done with Corp", "cid sign_in.done with Corp"]
    );
    // Her name there may be another one by now; who she is may not.
    let again = house.enter(&person("8f3", "ana.new", &["operators"])).unwrap();
    assert_eq!(again.caller.account(), first.caller.account());
    assert_eq!(again.role, Role::Operator);
    assert!(again.caller.sight.is_everything() && again.caller.may(Permission::QueueActions));
    assert_eq!(house.told(2)[1], "Corp account.role ana@corp.example");
    house.enter(&person("8f3", "ana", &["operators"])).unwrap();
    assert_eq!(house.told(2)[1], "ana@corp.example sign_in.done with Corp", "nothing changed");
    let rows = house.accounts.accounts(&machine()).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((&*rows[0].identities[0].subject, rows[0].identities[0].gives_role), ("8f3", true));
}

#[test]
fn without_a_role_nobody_comes_in_and_what_they_had_ends() {
    let house = with(Newcomers::Welcome);
    house.person("root-anna", Role::Owner);
    let refused = house.refused(&person("1", "eve", &["staff"]));
    assert_eq!(
        refused,
        "Corp knows you, but none of your groups there has a role here; an owner can grant it"
    );
    assert!(house.accounts.accounts(&machine()).unwrap().iter().all(|row| row.name != "eve"));
    assert_eq!(house.told(1), [" sign_in.failed eve with Corp: no role"]);
    let session = house.enter(&person("1", "eve", &["owners"])).unwrap();
    let token = NewToken {
        name: "t".into(),
        account: None,
        permissions: vec![Permission::SeeMetadata].into_iter().collect(),
        networks: Vec::new(),
        expires: None,
    };
    let token = house.accounts.add_token(&session.caller, &token).unwrap();
    assert!(house.refused(&person("1", "eve", &["staff"])).contains("none of your groups"));
    assert!(house.accounts.sessions(&session.caller).unwrap().is_empty());
    let shown = house.accounts.token(&token.secret, visitor().address);
    assert!(shown.is_err(), "the token is revoked");
    assert_eq!(house.told(2)[1], "Corp account.withdrawn eve");
    // What she set up goes on with nothing: an alert that asks who she is now.
    let eve = session.caller.account().unwrap();
    let now = house.accounts.as_it_is_now(eve, None).unwrap().unwrap();
    assert_eq!(now.permissions, Permissions::NONE);
    assert_eq!(house.accounts.owners().unwrap(), ["root-anna"], "she counts for nothing");
    assert!(house.refused(&person("1", "eve", &["staff"])).contains("none of your groups"));
    assert_eq!(house.told(2)[1], " sign_in.failed eve with Corp: no role", "told once");
    let made = RoleBody { permissions: Permissions::all(), note: String::new() };
    let wrong = house.accounts.put_role(&machine(), &RoleName::withdrawn(), &made);
    assert!(wrong.is_err(), "nobody makes something of it");
    // The same form with nothing changed, and closing it, still work.
    let role = Some(RoleName::withdrawn());
    let closed = AccountChange { role, disabled: Some(true), ..AccountChange::default() };
    house.accounts.change_account(&machine(), "eve", &closed).unwrap();
    let open = AccountChange { disabled: Some(false), ..AccountChange::default() };
    house.accounts.change_account(&machine(), "eve", &open).unwrap();
    let back = house.enter(&person("1", "eve", &["operators"])).unwrap();
    assert_eq!(back.role, Role::Operator, "a group gives it back");
}

#[test]
fn a_claim_that_is_missing_or_broken_gives_nothing_and_takes_nothing() {
    let house = house();
    let rules = ProviderRules { otherwise: Some(Role::Viewer.into()), ..rules(Newcomers::Welcome) };
    let house = House { accounts: house.accounts.with_provider(rules), ..house };
    let limited = house.enter(&person("1", "ana", &["desk"])).unwrap();
    for groups in [Ok(None), Err("it is no list".to_owned())] {
        let refused = house.refused(&Identity { groups, ..person("1", "ana", &[]) });
        assert!(refused.contains("does not say your groups"), "{refused}");
        let rows = house.accounts.accounts(&machine()).unwrap();
        assert_eq!(rows[0].domains.len(), 1, "she does not see more than before");
        assert_eq!(house.accounts.sessions(&limited.caller).unwrap().len(), 1);
    }
    // A service that says nothing of groups to whoever has none.
    let nothing = Identity { groups: Ok(None), ..person("2", "bob", &[]) };
    assert_eq!(house.enter(&nothing).unwrap().role, Role::Viewer);
    assert_eq!(house.enter(&nothing).unwrap().role, Role::Viewer);
    house.enter(&person("2", "bob", &["operators"])).unwrap();
    assert!(house.refused(&nothing).contains("does not say your groups"));
}

#[test]
fn where_the_service_makes_all_owners_others_can_still_be_closed() {
    let house = with(Newcomers::Welcome);
    house.enter(&person("1", "olga", &["owners"])).unwrap();
    house.enter(&person("2", "bob", &["operators"])).unwrap();
    let closed = AccountChange { disabled: Some(true), ..AccountChange::default() };
    house.accounts.change_account(&machine(), "bob", &closed).unwrap();
    assert!(house.refused(&person("2", "bob", &["operators"])).contains("disabled"));
    // By a second link her role would hang on no group.
    let refused = house.accounts.link_account(&machine(), "olga", "9").unwrap_err();
    assert!(refused.to_string().contains("decides about this account"), "{refused}");
}

#[test]
fn a_local_account_is_never_taken_over_by_its_name() {
    let house = with(Newcomers::Welcome);
    let ana = house.person("ana@corp.example", Role::Viewer);
    let thief = person("666", "ANA@corp.example", &["owners"]);
    let refused = house.refused(&thief);
    assert!(refused.contains("nobody has said that it is yours"), "{refused}");
    assert_eq!(house.session("ana@corp.example").role, Role::Viewer);
    // She says it herself, with her password; her role stays what it is here.
    let here = visitor().address;
    assert!(house.accounts.may_link(&ana, "not her password", here).is_err());
    house.accounts.may_link(&ana, PASSWORD, here).unwrap();
    house.accounts.link_oneself(&ana, "8f3").unwrap();
    let session = house.enter(&person("8f3", "somebody", &["owners"])).unwrap();
    assert_eq!(
        (session.caller.account(), session.role),
        (ana.account(), RoleName::from(Role::Viewer))
    );
    assert!(house.enter(&person("8f3", "somebody", &[])).is_ok(), "no group is needed");
    assert!(house.refused(&thief).contains("nobody has said"));
    let bob = house.person("bob", Role::Viewer);
    let taken = house.accounts.link_oneself(&bob, "8f3").unwrap_err().to_string();
    assert!(taken.contains("has an account here already"), "{taken}");
    let id = house.accounts.identities(&ana).unwrap()[0].id;
    assert!(house.accounts.unlink_oneself(&bob, id).is_err(), "somebody else's");
    house.accounts.unlink_oneself(&ana, id).unwrap();
    assert!(house.refused(&person("8f3", "bob", &["owners"])).contains("nobody has said"));
}

#[test]
fn somebody_who_manages_accounts_links_them() {
    let house = with(Newcomers::Refused);
    let owner = house.person("olga", Role::Owner);
    let vera = house.person("vera", Role::Viewer);
    let refused = house.refused(&person("v", "vera2", &["owners"]));
    assert!(refused.contains("you have no account here; an owner can grant it"), "{refused}");
    assert!(house.accounts.link_account(&vera, "olga", "v").is_err(), "may not");
    assert!(house.accounts.link_account(&owner, "olga", "v").is_err(), "not one's own");
    for wrong in ["", "a\nb", &*"x".repeat(256)] {
        assert!(house.accounts.link_account(&owner, "vera", wrong).is_err(), "{wrong:?}");
    }
    house.accounts.link_account(&owner, "vera", "v").unwrap();
    let session = house.enter(&person("v", "whoever", &[])).unwrap();
    assert_eq!(session.caller.account(), vera.account());
    house.accounts.emergency_account(&machine(), "emergency").unwrap();
    assert!(house.accounts.link_account(&machine(), "emergency", "e").is_err());
    let closed = AccountChange { disabled: Some(true), ..AccountChange::default() };
    house.accounts.change_account(&owner, "vera", &closed).unwrap();
    assert!(house.refused(&person("v", "vera", &["owners"])).contains("disabled"));
    let id = house.accounts.accounts(&owner).unwrap().pop().unwrap().identities[0].id;
    house.accounts.unlink_account(&owner, "vera", id).unwrap();
    assert!(house.accounts.accounts(&owner).unwrap().iter().all(|row| row.identities.is_empty()));
}

#[test]
fn what_the_service_decides_is_not_changed_here_and_its_owners_do_not_count_as_the_last() {
    let house = with(Newcomers::Welcome);
    let owner = house.enter(&person("o", "olga", &["owners"])).unwrap().caller;
    let viewer = || AccountChange { role: Some(Role::Viewer.into()), ..AccountChange::default() };
    let refused = house.accounts.change_account(&machine(), "olga", &viewer()).unwrap_err();
    assert!(refused.to_string().contains("decided by the sign-in service"), "{refused}");
    assert!(house.accounts.set_up_link(&machine(), Some("olga")).is_err(), "no way around it");
    assert!(house.accounts.set_password(&machine(), "olga", PASSWORD, Tokens::Keep).is_err());
    house.person("ana", Role::Owner);
    let last = house.accounts.change_account(&owner, "ana", &viewer()).unwrap_err();
    assert!(last.to_string().contains("last owner"), "{last}");
    assert_eq!(house.accounts.owners().unwrap(), ["ana", "olga"], "either can grant");
    assert!(house.accounts.may_link(&owner, "", visitor().address).is_err(), "nothing to prove it");
    let id = house.accounts.identities(&owner).unwrap()[0].id;
    assert!(house.accounts.unlink_oneself(&owner, id).is_err(), "the only way in");
}

#[test]
fn a_name_that_is_none_or_unknown_makes_no_account() {
    let house = with(Newcomers::Welcome);
    for hostile in ["", "two words", "../../etc", "ana\u{202e}", &*"x".repeat(65), "-x"] {
        let refused = house.refused(&person("h", hostile, &["owners"]));
        assert!(refused.contains("does not say what to call you"), "{hostile:?}: {refused}");
    }
    let nameless =
        Identity { name: Err("the claim is missing".into()), ..person("h", "", &["desk"]) };
    assert!(house.refused(&nameless).ends_with("the claim is missing"));
    assert!(house.enter(&person("", "ana", &["desk"])).is_err());
    assert!(house.accounts.accounts(&machine()).unwrap().is_empty());
    let without: Caller = machine();
    let plain = super::tests::house();
    assert!(plain.accounts.link_account(&without, "x", "y").is_err());
    assert!(plain.accounts.sign_in_by_identity(&person("1", "a", &["desk"]), &visitor()).is_err());
}

#[test]
fn a_new_password_by_somebody_else_ends_the_links_that_the_old_one_made() {
    let house = with(Newcomers::Refused);
    let ana = house.person("ana", Role::Viewer);
    let link = |subject: &str| {
        house.accounts.may_link(&ana, PASSWORD, visitor().address).unwrap();
        house.accounts.link_oneself(&ana, subject).unwrap();
    };
    let linked = || house.accounts.identities(&ana).unwrap().len();
    link("thief");
    house.accounts.set_password(&machine(), "ana", PASSWORD, Tokens::Keep).unwrap();
    assert_eq!(linked(), 0);
    assert!(house.refused(&person("thief", "x", &[])).contains("none of your groups"));
    link("thief");
    let secret = house.accounts.set_up_link(&machine(), Some("ana")).unwrap();
    let (keep, here) = (Tokens::Keep, visitor());
    house.accounts.set_up(secret.reveal(), "", PASSWORD, keep, &here).unwrap();
    assert_eq!(linked(), 0, "by a link");
    // Her own change leaves what she sees beside it.
    link("ana-there");
    let change = PasswordChange { present: PASSWORD, new: "five other quiet words", tokens: None };
    house.accounts.change_password(&ana, &change, here.address, None).unwrap();
    assert_eq!(linked(), 1);
    // Linked before the first password was chosen: that stays.
    let (name, role) = ("bob".to_owned(), Role::Viewer.into());
    let bob = NewPerson { name, role, domains: Vec::new(), groups: Vec::new() };
    house.accounts.add_account(&machine(), &bob).unwrap();
    house.accounts.link_account(&machine(), "bob", "bob-there").unwrap();
    house.accounts.set_password(&machine(), "bob", PASSWORD, Tokens::Keep).unwrap();
    assert!(house.enter(&person("bob-there", "bob", &[])).is_ok());
}

#[test]
fn a_session_by_the_service_ends_within_the_day() {
    let house = with(Newcomers::Welcome);
    house.person("ana", Role::Viewer);
    let by_password = house.session("ana");
    let secret = house.accounts.sign_in_by_identity(&person("1", "olga", &["owners"]), &visitor());
    let secret = secret.unwrap();
    let lasts = |secret: &Secret| {
        house.accounts.session(secret.reveal(), visitor().address).unwrap().is_some()
    };
    for _ in 0..9 {
        house.clock.advance(std::time::Duration::from_secs(3_600));
        assert!(lasts(&secret));
    }
    house.clock.advance(std::time::Duration::from_secs(3_600));
    assert!(!lasts(&secret), "however busy it is");
    let rows = house.accounts.sessions(&by_password.caller).unwrap();
    assert_eq!(rows.len(), 2, "one with a password goes on");
}

#[test]
fn strangers_at_the_door_of_the_service_hide_no_other_failure() {
    let house = with(Newcomers::Welcome);
    let from = visitor().address;
    for _ in 0..600 {
        house.accounts.note_lost_on_the_way("an answer nobody was sent for", from).unwrap();
    }
    let _ = house.accounts.sign_in("nobody", "wrong wrong wrong", &visitor());
    assert_eq!(house.told(1), [" sign_in.failed a name that nobody has"]);
    house.clock.advance(std::time::Duration::from_secs(3_601));
    house.accounts.tidy().unwrap();
    let told = "portcullis sign_in.failed_many 100 more came back from the sign-in service with \
                no proof within an hour";
    assert_eq!(house.told(1), [told]);
}

#[test]
fn an_owner_who_never_chose_a_password_is_not_the_last_one() {
    let house = house();
    house.person("ana", Role::Owner);
    let (name, role) = ("olga".to_owned(), Role::Owner.into());
    let new = NewPerson { name, role, domains: Vec::new(), groups: Vec::new() };
    house.accounts.add_account(&machine(), &new).unwrap();
    let closed = AccountChange { disabled: Some(true), ..AccountChange::default() };
    let last = house.accounts.change_account(&machine(), "ana", &closed).unwrap_err();
    assert!(last.to_string().contains("last owner who has a password"), "{last}");
    assert!(house.accounts.remove_account(&machine(), "ana").is_err());
    house.accounts.set_password(&machine(), "olga", PASSWORD, Tokens::Keep).unwrap();
    house.accounts.change_account(&machine(), "ana", &closed).unwrap();
}

#[test]
fn the_name_of_the_account_for_emergencies_is_kept_for_it() {
    let house = with(Newcomers::Welcome);
    let (name, role) = ("Emergency ".to_owned(), Role::Owner.into());
    let new = NewPerson { name, role, domains: Vec::new(), groups: Vec::new() };
    let kept = house.accounts.add_account(&machine(), &new).unwrap_err();
    assert!(kept.to_string().contains("is kept for the account for emergencies"), "{kept}");
    let refused = house.refused(&person("1", "emergency", &["owners"]));
    assert!(refused.contains("does not say what to call you"), "{refused}");
    let link = house.accounts.first_link().unwrap().unwrap();
    let taken =
        house.accounts.set_up(link.reveal(), "emergency", PASSWORD, Tokens::Keep, &visitor());
    assert!(taken.is_err());
    house.accounts.emergency_account(&machine(), "emergency").unwrap();
}
