//! What is typed and what it says are the same, for every kind.

use types::definition::{
    AuthenticationAction, DnsAuthenticationDefinition, GeographicalDefinition, ReputationDefinition,
};
use types::{DkimResult, DmarcResult, SpfResult};

use super::*;

const KINDS: [PolicyType; 3] =
    [PolicyType::Reputation, PolicyType::GeographicalRestriction, PolicyType::DnsAuthentication];

fn defined(text: &str) -> Definition {
    center::read_definition(&format!("[[definition]]\n{text}")).unwrap()
}

/// A definition of each kind with every field the type has, each with another
/// value than what it has where nothing is said.
fn full() -> [Definition; 3] {
    let every = || AuthenticationAction::ALL.into_iter().cycle();
    let authentication = DnsAuthenticationDefinition {
        spf: SpfResult::ALL.iter().copied().zip(every()).collect(),
        dkim: DkimResult::ALL.iter().copied().zip(every().skip(1)).collect(),
        dmarc: DmarcResult::ALL.iter().copied().zip(every().skip(2)).collect(),
    };
    [
        defined(
            r#"name = "Lists"
narrative = "What is\nlisted"
[definition.set.reputation]
reject_weight = 7
global_permitted_list = false
local = { defer_score = 0, reject_score = 99 }
lists = [
    { list = "bl.example.net", weight = 3, answers = ["127.0.0.2", "127.0.0.4/30"] },
    { list = "bl.example.net", of = "helo", weight = 5 },
    { list = "names.example.net", of = "sender_domain", weight = -2 },
    { list = "hosts.example.net", of = "host_name" },
]
"#,
        ),
        defined(
            r#"name = "Places"
narrative = "Where from"
[definition.set.geographical_restriction]
action = "permit"
countries = ["DE", "AT", "XA", "DE", "ZZ"]
networks = [64500, 64500, 0, 4294967295]
"#,
        ),
        Definition {
            name: "Proofs".to_owned(),
            narrative: "\nAll of them ".to_owned(),
            set: DefinitionSet::DnsAuthentication(authentication),
        },
    ]
}

/// The least that each kind can hold.
fn least() -> [Definition; 3] {
    let sets = [
        DefinitionSet::Reputation(ReputationDefinition::default()),
        DefinitionSet::GeographicalRestriction(GeographicalDefinition {
            action: types::definition::GeographicalAction::Block,
            countries: Vec::new(),
            networks: Vec::new(),
        }),
        DefinitionSet::DnsAuthentication(DnsAuthenticationDefinition::default()),
    ];
    sets.map(|set| Definition { name: "x".to_owned(), narrative: String::new(), set })
}

fn ground() -> DefinitionGround {
    let list = |name: &str| types::ListQuestion {
        list: name.parse().unwrap(),
        of: types::ListSubject::SenderDomain,
    };
    DefinitionGround {
        lists: vec![list("bl.example.net"), list("mine.example")],
        local: Default::default(),
    }
}

#[test]
fn what_is_stored_is_typed_and_read_back_as_it_was() {
    let begun = KINDS.map(|kind| center::blank_definition(kind).unwrap());
    for definition in full().into_iter().chain(least()).chain(begun) {
        let pairs = typed(&definition);
        for stored in [None, Some(&definition)] {
            let read = read(definition.kind(), &pairs, stored).unwrap();
            assert_eq!(read.definition, definition);
        }
    }
}

/// What a browser would send of the form as it is shown: every field that the
/// view has, with what the settings know beside what the definition says.
fn as_shown(definition: &Definition) -> Pairs {
    let pairs = typed(definition);
    let view = view(definition.kind(), &pairs, &[], &ground(), true);
    let mut sent: Pairs = vec![
        ("name".to_owned(), view.name.value.clone()),
        ("narrative".to_owned(), view.narrative.value.replace('\n', "\r\n")),
    ];
    let mut send = |field: &Field| sent.push((field.name.clone(), field.value.clone()));
    match &view.fields {
        Fields::Authentication(rows) => {
            for (field, choices) in
                rows.iter().flat_map(|row| &row.cells).filter_map(|cell| cell.select.as_ref())
            {
                let chosen: Vec<_> = choices.iter().filter(|choice| choice.selected).collect();
                assert_eq!(chosen.len(), 1, "{}", field.name);
                assert_eq!(chosen[0].value, field.value);
                send(field);
            }
        }
        Fields::Reputation(fields) => {
            let is_sent = |field: &&Field| match field.name.as_str() {
                "lists" => false,
                name if name.ends_with(".use") || name.starts_with("global") => field.is_on(),
                _ => true,
            };
            fields.all().filter(is_sent).for_each(send);
        }
        Fields::Places(places) => {
            [&places.action, &places.add, &places.networks].into_iter().for_each(send);
            sent.extend(
                places.chosen.iter().map(|(code, _)| ("countries".to_owned(), code.clone())),
            );
        }
        Fields::None => panic!("{:?}", definition.kind()),
    }
    sent
}

#[test]
fn a_form_that_is_sent_as_it_was_shown_changes_nothing() {
    for definition in full().into_iter().chain(least()) {
        let read = read(definition.kind(), &as_shown(&definition), Some(&definition)).unwrap();
        assert_eq!(read.definition, definition);
    }
}

#[test]
fn what_cannot_be_shown_as_it_is_stays_where_nobody_changed_it() {
    let [mut stored, ..] = least();
    stored.name = "two\nlines \u{202e}".to_owned();
    stored.narrative = "with\r\nits own\rends \u{1b}[1m".to_owned();
    let mut pairs = typed(&stored);
    pairs[0].1 = presentable_lines(&stored.name).replace('\n', "");
    pairs[1].1 = presentable_lines(&stored.narrative)
        .replace("\r\n", "\n")
        .replace('\r', "\n")
        .replace('\n', "\r\n");
    let same = read(stored.kind(), &pairs, Some(&stored)).unwrap().definition;
    assert_eq!(same, stored);
    pairs[1].1 = "another\r\none".to_owned();
    let changed = read(stored.kind(), &pairs, Some(&stored)).unwrap().definition;
    assert_eq!(changed.narrative, "another\none");
}

/// The fields that are at fault once `field` is `value`.
fn faults(definition: &Definition, field: &str, value: &str) -> Vec<(String, String)> {
    let mut pairs = typed(definition);
    pairs.retain(|(name, _)| name != field);
    pairs.push((field.to_owned(), value.to_owned()));
    match read(definition.kind(), &pairs, None) {
        Ok(_) => Vec::new(),
        Err(CenterError::Invalid { problems }) => {
            problems.into_iter().map(|one| (one.field.unwrap(), one.message)).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_cannot_be_read_is_told_with_its_field() {
    let [reputation, places, authentication] = full();
    for (definition, field, value, told) in [
        (&reputation, "reject_weight", "much", "\u{201c}much\u{201d}"),
        (&reputation, "reject_weight", "", "nothing is none"),
        (&reputation, "reject_weight", "99999999999", "whole number"),
        (&reputation, "global_permitted_list", "maybe", "not possible here"),
        (&reputation, "local", "theirs", "possible is settings, own"),
        (&reputation, "local.defer_score", "-1", "whole number"),
        (&reputation, "local.reject_score", "", "whole number"),
        (&reputation, "lists.1.list", "not a name", "no name of a list"),
        (&reputation, "lists.1.list", "", "name the list"),
        (&reputation, "lists.2.weight", "1.5", "whole number"),
        (&reputation, "lists.3.of", "<script>", "possible is ip, sender_domain"),
        (&reputation, "lists.4.answers", "127.0.0.2, 192.0.2.1", "no answer of a list"),
        (&reputation, "lists.01.weight", "1", "no field"),
        (&reputation, "lists.70000.weight", "1", "no field"),
        (&reputation, "spf.fail", "hold", "no field"),
        (&places, "action", "explode", "possible is permit, hold, block"),
        (&places, "add", "Atlantis", "is no country"),
        (&places, "networks", "AS64500\nAS", "no number of a network"),
        (&places, "networks", "4294967296", "no number of a network"),
        (&authentication, "spf.fail", "explode", "possible is no_action"),
        (&authentication, "spf.policy", "hold", "no field"),
        (&authentication, "dmarc.fail\u{202e}", "hold", "no field"),
    ] {
        let found = faults(definition, field, value);
        assert_eq!(found.len(), 1, "{field} = {value}: {found:?}");
        assert_eq!(found[0].0, field);
        assert!(found[0].1.contains(told), "{field} = {value}: {found:?}");
        assert!(!found[0].1.contains('\u{202e}'), "{found:?}");
    }
    let mut twice = typed(&authentication);
    twice.push(("spf.fail".to_owned(), "hold".to_owned()));
    let error = read(authentication.kind(), &twice, None).unwrap_err().to_string();
    assert!(error.contains("more than once"), "{error}");
}

#[test]
fn what_the_message_center_refuses_is_told_at_the_field_that_was_typed() {
    let [reputation, places, authentication] = full();
    let placed = |definition: &Definition, change: &[(&str, &str)], field: &str| {
        let mut pairs = typed(definition);
        pairs.retain(|(name, _)| !change.iter().any(|(other, _)| name == other));
        let changed = change.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        pairs.extend(changed);
        let read = read(definition.kind(), &pairs, None).unwrap();
        let mut problems = [Problem::of_field(field, "wrong")];
        read.placed(&mut problems);
        problems[0].field.clone().unwrap()
    };
    // The first row is switched off, so that the second list stands in the third row.
    assert_eq!(placed(&reputation, &[("lists.1.use", "")], "lists.2.weight"), "lists.3.weight");
    assert_eq!(placed(&reputation, &[], "reject_weight"), "reject_weight");
    assert_eq!(placed(&places, &[], "countries"), "add");
    assert_eq!(placed(&authentication, &[], "spf.pass"), "spf.pass");
}

#[test]
fn lists_of_the_settings_are_offered_and_counted_only_when_they_are_ticked() {
    let [reputation, ..] = full();
    let pairs = typed(&reputation);
    let rows =
        |pairs: &Pairs, more: bool| match view(reputation.kind(), pairs, &[], &ground(), more)
            .fields
        {
            Fields::Reputation(fields) => fields.rows,
            _ => panic!(),
        };
    let shown = rows(&pairs, false);
    let names: Vec<_> =
        shown.iter().map(|row| (row.list.value.as_str(), row.on.is_on(), row.is_known)).collect();
    assert_eq!(names[4..], [("mine.example", false, true), ("", true, false)]);
    assert_eq!((names[0], names.len()), (("bl.example.net", true, true), 6));
    assert_eq!(shown[4].of.value, "sender_domain");
    assert_eq!(rows(&pairs, true).len(), 8);
    let ticked: Pairs = as_shown(&reputation)
        .into_iter()
        .chain([("lists.5.use".to_owned(), "on".to_owned())])
        .collect();
    let read = read(reputation.kind(), &ticked, None).unwrap().definition;
    let DefinitionSet::Reputation(set) = read.set else { panic!() };
    assert_eq!(set.lists.len(), 5);
    assert_eq!((set.lists[4].list.as_str(), set.lists[4].weight), ("mine.example", 1));
}

#[test]
fn countries_are_added_by_name_and_once() {
    let [_, places, _] = full();
    let mut pairs = typed(&places);
    pairs.push(("add".to_owned(), "France, germany, ch; Kosovo (XK)".to_owned()));
    let read = read(places.kind(), &pairs, None).unwrap().definition;
    let DefinitionSet::GeographicalRestriction(set) = read.set else { panic!() };
    let codes: Vec<_> = set.countries.iter().map(ToString::to_string).collect();
    assert_eq!(codes.join(" "), "DE AT XA DE ZZ FR CH XK");
}

#[test]
fn only_what_is_possible_is_offered_and_what_was_typed_stays_chosen() {
    let offered = |mechanism: &str, slug: &str, value: &str| -> String {
        let pairs = vec![(format!("{mechanism}.{slug}"), value.to_owned())];
        let Fields::Authentication(rows) =
            view(PolicyType::DnsAuthentication, &pairs, &[], &ground(), false).fields
        else {
            panic!()
        };
        let row = rows.into_iter().find(|row| row.slug == slug).unwrap();
        let cell =
            row.cells.into_iter().find(|cell| cell.mechanism.to_lowercase() == mechanism).unwrap();
        let choices = cell.select.unwrap().1;
        let word = |choice: &reader::Choice| {
            format!("{}{}", choice.value, if choice.selected { "*" } else { "" })
        };
        choices.iter().map(word).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(offered("spf", "pass", ""), "*");
    assert_eq!(offered("spf", "pass", "no_action"), " no_action*");
    assert_eq!(offered("spf", "fail", "hold"), " ignore_permitted hold* reject");
    assert_eq!(offered("dkim", "temperror", "defer"), " ignore_permitted defer* hold reject");
    assert_eq!(offered("dmarc", "fail", ""), "* ignore_permitted hold reject honour_record");
    assert_eq!(offered("spf", "fail", "explode"), " ignore_permitted hold reject explode*");
}
