//! What places lead to.

use types::definition::{Country, GeographicalAction, GeographicalDefinition};

use super::*;

/// Objects with a definition named Places, written `block XA XB 64500`.
pub(super) fn with_places(definition: &str, lines: &str) -> PolicyObjects {
    let mut objects = objects(lines);
    let mut words = definition.split(' ');
    let mut set = GeographicalDefinition {
        action: match words.next().unwrap() {
            "permit" => GeographicalAction::Permit,
            "hold" => GeographicalAction::Hold,
            _ => GeographicalAction::Block,
        },
        countries: Vec::new(),
        networks: Vec::new(),
    };
    for word in words {
        match word.parse::<Country>() {
            Ok(country) => set.countries.push(country),
            Err(_) => set.networks.push(word.parse().unwrap()),
        }
    }
    objects.definitions.push(Definition {
        name: "Places".to_owned(),
        narrative: String::new(),
        set: DefinitionSet::GeographicalRestriction(set),
    });
    objects
}

const ANN: &str = "<ann@sender.example> to <bob@corp.example> retry";

/// `place` is a country, a number of a system, `nowhere` or `no_file`.
#[track_caller]
fn check_place(definition: &str, lines: &str, place: &str, mail_line: &str, expected: &str) {
    let mut mail = mail(mail_line);
    mail.place = match place {
        "no_file" => Observed::Inconclusive(Inconclusive::NotConfigured),
        place => Observed::Place(PlaceFacts {
            country: place.split(' ').find_map(|word| word.parse().ok()),
            network: place.split(' ').find_map(|word| word.parse().ok()),
        }),
    };
    let (ruling, _) = mail.decide(&compile(with_places(definition, lines)));
    assert_eq!(show(&ruling), expected, "{definition}; {place}");
}

#[test]
fn each_action_means_its_places() {
    let check = |definition: &str, place: &str, expected: &str| {
        check_place(definition, "#1 places", place, ANN, expected);
    };
    let refused = "reject geo.blocked by #1";
    check("block XA XB", "XB", refused);
    check("block XA", "XC", "proceed");
    check("block 64500", "XC 64500", refused);
    check("block XA 64500", "XC 64501", "proceed");
    check("permit XA", "XB", refused);
    check("permit XA", "XA", "proceed");
    check("permit XA 64500", "XB 64500", "proceed");
    check("permit XA 64500", "XB 64501", refused);
    check("hold XA", "XA", "hold hold.geo by #1");
    check("hold XA", "XB", "proceed");
}

#[test]
fn who_is_nowhere_is_neither_blocked_nor_missing() {
    for definition in ["block XA", "permit XA", "hold XA", "permit XA 64500"] {
        for place in ["nowhere", "no_file"] {
            check_place(definition, "#1 places", place, ANN, "proceed");
        }
    }
    // Whether the system is one of those permitted is not known.
    check_place("permit XA 64500", "#1 places", "XB", ANN, "proceed");
}

#[test]
fn no_permit_skips_geography_and_exceptions_do() {
    let refused = "reject geo.blocked by #1";
    for permit in [
        "#2 permit from sender.example",
        "#2 permit for bob@corp.example from ann@sender.example",
        "#2 auto for bob@corp.example from ann@sender.example",
    ] {
        check_place("block XA", &format!("#1 places\n{permit}"), "XA", ANN, refused);
    }
    let exception = "#1 places\n#2 no_places ip 192.0.2.0/24";
    check_place("block XA", exception, "XA", ANN, "proceed");
    let block = "#1 places\n#2 block from sender.example";
    let next = "reject geo.blocked by #1 next blocked.policy.envelope";
    check_place("block XA", block, "XA", ANN, next);
    check_place("hold XA", block, "XA", ANN, "reject blocked.policy.envelope by #2 next hold.geo");
    check_place("block XA", "#1 places observe", "XA", ANN, "proceed");
}

#[test]
fn it_is_known_whether_a_policy_names_autonomous_systems() {
    for (definition, lines, asks) in [
        ("permit XA 64500", "#1 places", true),
        ("permit XA 64500", "#1 places observe", true),
        ("permit XA", "#1 places", false),
        ("permit XA 64500", "#1 block", false),
    ] {
        let set = compile(with_places(definition, lines));
        assert_eq!(set.asks_systems(), asks, "{definition} {lines}");
    }
}
