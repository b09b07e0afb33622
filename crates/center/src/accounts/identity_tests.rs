//! People whom a sign-in service vouches for, over the real embedded store.

use store::state::audit::{AuditEntry, AuditQuery};
use types::{Caller, Permission, Role, RoleName};

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
        "Corp knows you, but none of your groups there has a role here; an owner can grant it: \
         root-anna"
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
    assert!(refused.contains("you have no account here; an owner can grant it: olga"), "{refused}");
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
