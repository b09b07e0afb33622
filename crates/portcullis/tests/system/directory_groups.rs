//! Groups in a real slapd: nested ones decide mail, are read-only, and stay
//! while the server is away.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value as Json;
use store::state::{Authorship, DirectoryEdit, PolicyState, SqliteState};
use types::lists::Group;
use types::{Actor, Timestamp};

use crate::client::Client;
use crate::directories::{House, house_with};
use crate::gateway::Gateway;
use crate::peer;
use crate::sink::Sink;
use crate::waiting::wait_for;

/// Partners who are blocked, and the group in which another group is.
const GROUPS: &str = "dn: cn=Eve,dc=ldap,dc=example\nobjectClass: inetOrgPerson\ncn: Eve\nsn: E\n\
     mail: eve@partner.example\n\n\
     dn: cn=Fay,dc=ldap,dc=example\nobjectClass: inetOrgPerson\ncn: Fay\nsn: F\nuid: fay\n\
     mail: fay@partner.example\n\n\
     dn: cn=Inner,dc=ldap,dc=example\nobjectClass: groupOfNames\ncn: Inner\n\
     member: CN=eve, DC=ldap, DC=example\nmember: cn=Fay,dc=ldap,dc=example\n\
     member: cn=Outer,dc=ldap,dc=example\nmember: cn=Nobody,dc=ldap,dc=example\n\n\
     dn: cn=Outer,dc=ldap,dc=example\nobjectClass: groupOfNames\ncn: Outer\n\
     member: cn=Inner,dc=ldap,dc=example\nmember: cn=Ann,dc=ldap,dc=example\n\n\
     dn: cn=Other,dc=ldap,dc=example\nobjectClass: groupOfNames\ncn: Other\n\
     member: cn=Ann,dc=ldap,dc=example\n\n";

pub(crate) const READ_GROUPS: &str = "group_filter = \"(objectClass=groupOfNames)\"\n";

const BLOCK: &str = "narrative = \"No mail of former partners\"\n\
     option = { type = \"blocked_senders\", set = \"block\" }\nfrom = { group = \"corp:Outer\" }\n";

fn house(layers: &Path) -> House {
    house_with(layers, GROUPS, READ_GROUPS)
}

impl House {
    /// What RCPT of a mail from somebody is answered.
    fn from(&self, sender: &str) -> u16 {
        let mut client = Client::hello(self.gateway.smtp).unwrap();
        assert_eq!(client.say(&format!("MAIL FROM:<{sender}>")).unwrap().code, 250);
        client.say("RCPT TO:<ann@ldap.example>").unwrap().code
    }

    pub(crate) fn is_blocked(&self, sender: &str) -> bool {
        self.from(sender) == 550
    }

    fn group(&self, name: &str) -> Option<Json> {
        let mut rows = self.gateway.ask_json(&["group", "list"]).into_iter();
        rows.find(|row| row["group"]["name"] == name)
    }

    /// Who made the newest version.
    fn newest_author(&self) -> String {
        let versions = self.gateway.ask_json(&["policy", "versions"]);
        versions[0]["author"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_group_in_a_group_of_slapd_blocks_until_its_member_is_taken_out_there() {
    let Some(layers) = peer::layers("groups in slapd") else { return };
    let mut house = house(&layers);
    house.wait_read();
    assert!(!house.is_blocked("fay@partner.example"), "no policy names the group yet");
    house.gateway.write("block.toml", BLOCK);
    let block = house.gateway.path("block.toml");
    let added = house.gateway.ask(&["policy", "add", block.to_str().unwrap(), "--yes"]);
    assert_eq!(added.code, 0, "{}", added.err);
    for blocked in ["eve@partner.example", "fay@partner.example", "ANN@ldap.example"] {
        assert!(house.is_blocked(blocked), "{blocked}");
    }
    let row = house.gateway.trace("from:fay@partner.example is:rejected").remove(0);
    assert_eq!(row["reason"], "blocked.policy.envelope", "{row}");
    let status = house.gateway.ask_json(&["recipients", "directories"]).remove(0);
    assert_eq!(status["groups"]["groups"], 3, "{status}");
    assert_eq!(status["last"]["groups"]["members_unknown"], 2, "{status}");
    let outer = house.group("corp:Outer").unwrap();
    assert_eq!(outer["provenance"]["origin"], "directory", "{outer}");
    // Ann has three addresses.
    assert_eq!(outer["group"]["members"].as_array().unwrap().len(), 5, "{outer}");
    // Somebody is taken out of the inner group.
    house.modify(
        "dn: cn=Inner,dc=ldap,dc=example\nchangetype: modify\ndelete: member\n\
         member: cn=Fay,dc=ldap,dc=example\n",
    );
    let (code, said) = house.sync(&["--dry-run"]);
    assert!(code == 0 && said.contains("2 would be gone"), "{said}");
    assert!(house.is_blocked("fay@partner.example"), "a dry run changes nothing");
    let (code, said) = house.sync(&[]);
    assert!(code == 0 && said.contains("3 groups"), "{said}");
    assert!(!house.is_blocked("fay@partner.example"));
    assert!(house.is_blocked("eve@partner.example"));
    assert_eq!(house.newest_author(), "directory corp");
    house.gateway.wait_logged("directory_groups_read");
    // It is changed there, and nowhere else.
    for arguments in [
        &["group", "add", "corp:Outer", "x.example", "--yes"][..],
        &["group", "remove", "corp:Outer", "--yes"],
        &["group", "set", "corp:New", "x.example", "--yes"],
    ] {
        let said = house.gateway.ask(arguments);
        assert!(said.code != 0 && said.err.contains("directory"), "{arguments:?}: {}", said.err);
    }
    let exported = house.gateway.ask(&["policy", "export"]).out;
    assert!(exported.contains("corp:Outer") && !exported.contains("eve@partner"), "{exported}");
}

#[test]
fn groups_stay_while_slapd_is_away_and_while_a_policy_names_them() {
    let Some(layers) = peer::layers("groups in slapd that is away") else { return };
    let mut house = house(&layers);
    house.wait_read();
    house.gateway.write("block.toml", BLOCK);
    let block = house.gateway.path("block.toml");
    let added = house.gateway.ask(&["policy", "add", block.to_str().unwrap(), "--yes"]);
    assert_eq!(added.code, 0, "{}", added.err);
    house.slapd.order("stop");
    assert_ne!(house.sync(&[]).0, 0);
    assert!(house.is_blocked("eve@partner.example"));
    house.gateway.kill();
    house.gateway.launch();
    assert!(house.is_blocked("eve@partner.example"), "after a restart without slapd");
    house.slapd.order("start");
    house.modify("dn: cn=Outer,dc=ldap,dc=example\nchangetype: delete\n");
    let (code, said) = house.sync(&[]);
    assert!(code != 0 && said.contains("8 of 13 memberships in groups are gone"), "{said}");
    let (code, said) = house.sync(&["--accept", "8"]);
    assert!(code != 0 && said.contains("--accept-groups 8"), "recipients were meant: {said}");
    let (code, said) = house.sync(&["--accept-groups", "7"]);
    assert!(code != 0 && said.contains("than the 7 that were accepted"), "{said}");
    wait_for(crate::directories::SOON, "/readyz names the way out", || {
        let (_, ready) = house.gateway.get(house.gateway.metrics, "/readyz")?;
        ready.contains("the groups of corp").then_some(())
    });
    let (code, said) = house.sync(&["--accept-groups", "8"]);
    assert_eq!(code, 0, "{said}");
    assert!(house.is_blocked("eve@partner.example"), "a policy names it");
    assert_eq!(house.group("corp:Outer").unwrap()["provenance"]["origin"], "gone");
    // The settings read no groups any more: nothing that is named is lost.
    let limited = ["account", "add", "vera", "--role", "viewer", "--group", "corp:Other", "--yes"];
    let limited = house.gateway.ask(&limited);
    assert_eq!(limited.code, 0, "{}", limited.err);
    house.set("");
    assert!(house.is_blocked("eve@partner.example"));
    assert_eq!(house.group("corp:Other").unwrap()["provenance"]["origin"], "gone");
    assert!(house.group("corp:Inner").is_none(), "nothing names it");
    let policies = house.gateway.ask_json(&["policy", "list"]);
    let id = policies.iter().find(|row| row["policy"]["from"]["group"] == "corp:Outer").unwrap();
    let id = id["policy"]["id"].to_string();
    assert_eq!(house.gateway.ask(&["policy", "remove", &id, "--yes"]).code, 0);
    house.set(READ_GROUPS);
    wait_for(crate::directories::SOON, "the group goes once nothing names it", || {
        house.group("corp:Outer").is_none().then_some(())
    });
    assert!(house.group("corp:Inner").is_some());
}

/// A directory where nobody answers.
const AWAY: &str = "[[directory]]\nname = \"corp\"\nurl = [\"ldap://127.0.0.1:9\"]\n\
     base = \"dc=ldap,dc=example\"\ngroup_filter = \"(objectClass=group)\"\n";

/// Stores a group as if it had been read.
fn was_read(gateway: &Gateway, name: &str) {
    let state = SqliteState::open(&gateway.data().join("state.db")).unwrap();
    let members = vec!["eve@partner.example".parse().unwrap()];
    let group = Group { name: name.to_owned(), parent: None, members };
    let (actor, at) = (Actor::machine("directory corp"), Timestamp::EPOCH);
    let who = Authorship { actor, note: String::new(), at, expected: None };
    state.take_groups(&who, vec![DirectoryEdit::Put(group)]).unwrap();
}

#[test]
fn a_reload_lets_groups_go_whose_directory_is_read_no_more_and_policies_can_still_change() {
    let sink = Sink::start();
    let mut gateway = Gateway::before(&sink, "").start();
    gateway.kill();
    was_read(&gateway, "corp:Sales");
    gateway.write_settings(AWAY);
    let gateway = gateway.start_unready();
    wait_for(crate::directories::SOON, "it stays while its directory is away", || {
        gateway.ask(&["group", "list"]).out.contains("corp:Sales").then_some(())
    });
    gateway.write_settings("");
    gateway.signal(Signal::HUP);
    gateway.wait_logged("reloaded");
    let listed = gateway.ask(&["group", "list"]);
    assert!(listed.code == 0 && !listed.out.contains("corp:Sales"), "{listed:?}");
    let set = gateway.ask(&["group", "set", "Partners", "partner.example", "--yes"]);
    assert_eq!(set.code, 0, "{}", set.err);
}
