//! Attributes of people in a real slapd decide mail, and its groups come from
//! the next server where the first does not give them.

use crate::directories::{House, house_with};
use crate::directory_groups::READ_GROUPS;
use crate::peer;

/// Partners with a department, and one whose department nobody can use.
const PARTNERS: &str = "dn: cn=Eve,dc=ldap,dc=example\nobjectClass: inetOrgPerson\ncn: Eve\n\
     sn: E\nmail: eve@partner.example\ndepartmentNumber: Field  Sales\ntitle: Head\n\n\
     dn: cn=Fay,dc=ldap,dc=example\nobjectClass: inetOrgPerson\ncn: Fay\nsn: F\n\
     mail: fay@partner.example\ndepartmentNumber: FIELD SALES\ndepartmentNumber: Purchase\n\n";

const READ_ATTRIBUTES: &str = "policy_attributes = [\"departmentNumber\", \"title\"]\n";

const BLOCK: &str = "narrative = \"No mail of their field sales\"\n\
     option = { type = \"blocked_senders\", set = \"block\" }\n\
     from = { attribute = { name = \"departmentnumber\", value = \"field sales\" } }\n";

/// The groups' own place, and one that blocks.
const GROUPS: &str = "dn: ou=groups,dc=ldap,dc=example\nobjectClass: organizationalUnit\n\
     ou: groups\n\n\
     dn: cn=Outer,ou=groups,dc=ldap,dc=example\nobjectClass: groupOfNames\ncn: Outer\n\
     member: cn=Eve,dc=ldap,dc=example\n\n";

impl House {
    fn add_policy(&self, text: &str) {
        self.gateway.write("added.toml", text);
        let file = self.gateway.path("added.toml");
        let added = self.gateway.ask(&["policy", "add", file.to_str().unwrap(), "--yes"]);
        assert_eq!(added.code, 0, "{}", added.err);
    }
}

#[test]
fn who_has_a_value_in_slapd_is_in_the_scope_until_it_is_changed_there() {
    let Some(layers) = peer::layers("attributes in slapd") else { return };
    let mut house = house_with(&layers, PARTNERS, READ_ATTRIBUTES);
    house.wait_read();
    assert!(!house.is_blocked("eve@partner.example"), "no policy names it yet");
    house.add_policy(BLOCK);
    for blocked in ["eve@partner.example", "FAY@partner.example"] {
        assert!(house.is_blocked(blocked), "{blocked}");
    }
    assert!(!house.is_blocked("other@partner.example"));
    let row = house.gateway.trace("from:eve@partner.example is:rejected").remove(0);
    let why = house.gateway.ask(&["why", row["id"].as_str().unwrap()]);
    let expected = "attribute departmentnumber = field sales of eve@partner.example";
    assert!(why.out.contains(expected), "{}", why.out);
    let rows = house.gateway.ask_json(&["recipients", "attributes"]);
    let told: Vec<String> = rows
        .iter()
        .map(|row| format!("{} = {}: {}", row["name"], row["value"], row["addresses"]))
        .collect();
    let expected = [
        "\"departmentNumber\" = \"FIELD SALES\": 2",
        "\"departmentNumber\" = \"Purchase\": 1",
        "\"title\" = \"Head\": 1",
    ];
    assert_eq!(told, expected);
    assert!(
        house.gateway.ask_json(&["group", "list"]).iter().all(|row| row["directory"].is_null())
    );
    house.modify(
        "dn: cn=Fay,dc=ldap,dc=example\nchangetype: modify\nreplace: departmentNumber\n\
         departmentNumber: Purchase\n",
    );
    assert!(house.is_blocked("fay@partner.example"), "it is read with the next reading");
    let (code, said) = house.sync(&[]);
    assert!(code == 0 && said.contains("3 values of attributes with 3 addresses"), "{said}");
    assert!(!house.is_blocked("fay@partner.example"));
    assert!(house.is_blocked("eve@partner.example"));
    // Nobody has it any more: that waits for somebody.
    house.modify("dn: cn=Eve,dc=ldap,dc=example\nchangetype: modify\ndelete: departmentNumber\n");
    let (code, said) = house.sync(&[]);
    assert!(code != 0 && said.contains("the attribute departmentNumber = FIELD SALES"), "{said}");
    house.slapd.order("stop");
    house.gateway.kill();
    house.gateway.launch();
    assert!(house.is_blocked("eve@partner.example"), "after a restart without slapd");
    house.slapd.order("start");
    let (code, said) = house.sync(&["--accept-groups", "1"]);
    assert_eq!(code, 0, "{said}");
    assert!(!house.is_blocked("eve@partner.example"));
}

#[test]
fn a_slapd_that_refuses_the_search_for_groups_is_followed_by_the_next() {
    let Some(layers) = peer::layers("groups in the second slapd") else { return };
    let more = format!("{READ_GROUPS}group_base = \"ou=groups,dc=ldap,dc=example\"\n");
    let house = house_with(&layers, PARTNERS, &more);
    house.wait_read();
    // The first has no such place, which is an error of the search.
    let (code, said) = house.sync(&[]);
    assert!(code != 0 && said.contains("does not answer the search"), "{said}");
    let mut second = house.another(&layers, &(PARTNERS.to_owned() + GROUPS), &more);
    let (code, said) = house.sync(&[]);
    assert!(code == 0 && said.contains("1 groups with 1 members"), "{said}");
    house.add_policy(
        "narrative = \"No partners\"\noption = { type = \"blocked_senders\", set = \"block\" }\n\
         from = { group = \"corp:Outer\" }\n",
    );
    assert!(house.is_blocked("eve@partner.example"));
    second.order("stop");
    let (code, said) = house.sync(&[]);
    assert!(code != 0, "{said}");
    for told in ["does not answer the search", "no connection to ldaps://127.0.0.1"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(house.is_blocked("eve@partner.example"), "the groups stay");
}
