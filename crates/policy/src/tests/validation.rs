//! What a policy set may not contain.

use super::*;

/// The problems of these lines, one per line.
fn problems(lines: &str) -> String {
    let problems = validate(&objects(lines), &base());
    problems.iter().map(|problem| problem.to_string() + "\n").collect()
}

#[test]
fn each_problem_names_its_object() {
    for (lines, expected) in [
        ("#1 block from group:Nobody", "policy #1: there is no group \"Nobody\"\n"),
        ("#1 block from unit=", "policy #1: the attribute has no value\n"),
        (
            "#1 block to 1=x",
            "policy #1: the name of an attribute is a letter, then letters, digits and hyphens, 64 in all\n",
        ),
        ("#1 0", "policy #1: a size limit of 0 octets would refuse every message\n"),
        (
            "#1 10 since 2026-01-02T00:00:00Z until 2026-01-01T00:00:00Z",
            "policy #1: its validity ends before it begins\n",
        ),
        ("#1 10\n#1 20", "policy #1: its number is used twice\n"),
        (
            "#1 greylist header",
            "policy #1: Greylisting is decided before the message is seen and cannot be based on the header\n",
        ),
        (
            "#1 secure to corp.example",
            "policy #1: secure receipt is decided at MAIL, before a recipient is named: it applies to everyone, and not with both sides exchanged\n",
        ),
        ("group A below B:", "group \"A\": its parent \"B\" does not exist\n"),
        ("group A:\ngroup A:", "group \"A\": its name is used twice\n"),
        (
            "group A below B:\ngroup B below A:\ngroup C below A:",
            "group \"A\": it stands below itself\ngroup \"B\": it stands below itself\n",
        ),
        (
            "#1 block for a@corp.example from x.example\n#1 block for b@corp.example from x.example",
            "managed sender #1: its number is used twice\n",
        ),
    ] {
        assert_eq!(problems(lines), expected, "{lines}");
    }
}

#[test]
fn all_problems_are_found_at_once() {
    let lines = "#1 0\n#2 block from group:Nobody\ngroup A below B:";
    assert_eq!(problems(lines).lines().count(), 3);
    let error = PolicySet::compile(1, objects(lines), &base()).unwrap_err();
    assert_eq!(error.problems.len(), 3);
    assert!(error.to_string().ends_with("(and 2 more problems)"), "{error}");
}

#[test]
fn a_permit_for_our_own_domains_is_refused() {
    for lines in [
        "#1 permit for bob@corp.example from eve@corp.example",
        "#1 permit for bob@corp.example from corp.example",
        "#1 permit for bob@corp.example from *.example",
        "#1 permit from corp.example",
        "#1 permit from internal",
        "#1 permit from unit=sales\ngroup corp::unit=Sales: eve@corp.example",
        "#1 permit from eve@corp.example",
        "#1 permit to corp.example bidirectional",
        "#1 permit from group:Us\ngroup Us:\ngroup Staff below Us: eve@corp.example",
    ] {
        let found = problems(lines);
        assert!(found.contains("own domains") && found.contains("#1"), "{lines}: {found}");
    }
    for lines in [
        "#1 block for bob@corp.example from corp.example",
        "#1 permit for bob@corp.example from *.corp.example",
        "#1 permit from corp.example ip 192.0.2.0/24",
        "#1 permit from everyone to corp.example",
        "#1 permit from sender.example to corp.example bidirectional",
    ] {
        assert_eq!(problems(lines), "", "{lines}");
    }
}

#[test]
fn an_object_without_a_number_or_narrative_is_not_compiled() {
    let mut objects = objects("#1 10\n#2 block for bob@corp.example from x.example");
    objects.policies[0].policy.id = None;
    objects.policies[0].policy.narrative = " ".to_owned();
    objects.managed_senders[0].id = None;
    let error = PolicySet::compile(1, objects, &base()).unwrap_err();
    let texts: Vec<String> = error.problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        texts,
        [
            "policy 1 of the document: it has no number",
            "managed sender 1 of the document: it has no number",
            "policy 1 of the document: it has no narrative",
        ]
    );
}

#[test]
fn a_stored_set_is_compiled_without_what_no_longer_fits() {
    let objects = objects(
        "#1 permit from corp.example
        #2 block from spam.example
        #3 permit from group:Lost
        #4 permit for bob@corp.example from open.example
        #5 permit for bob@corp.example from sender.example
        #6 auto for bob@corp.example from open.example
        group Lost below Nowhere: friend.example",
    );
    assert!(PolicySet::compile(7, objects.clone(), &base()).is_err());
    let (set, left_out) = PolicySet::compile_fitting(7, objects, &base());
    let named: Vec<String> = left_out.iter().map(|problem| problem.object.to_string()).collect();
    let wrong =
        ["policy #1", "group \"Lost\"", "managed sender #4", "managed sender #6", "policy #3"];
    assert_eq!(named, wrong);
    assert_eq!((set.version(), set.managed_senders()), (7, 1));
}

#[test]
fn nothing_is_left_out_of_a_set_that_fits() {
    let objects = objects("#1 block from spam.example");
    let (set, left_out) = PolicySet::compile_fitting(3, objects, &base());
    assert_eq!((set.version(), left_out), (3, Vec::new()));
}

/// The problems of a document.
fn document_problems(text: &str) -> String {
    let document = Document::parse(text).unwrap();
    let stored = |policy| StoredPolicy { policy, version: 0, created: Timestamp::EPOCH };
    let objects = PolicyObjects {
        policies: document.policies.into_iter().map(stored).collect(),
        definitions: document.definitions,
        ..PolicyObjects::default()
    };
    validate(&objects, &base()).iter().map(|problem| problem.to_string() + "\n").collect()
}

#[test]
fn a_policy_refers_to_a_definition_of_its_own_type() {
    let policy = |kind: &str, set: &str| {
        format!("[[policy]]\nnarrative = \"x\"\noption = {{ type = {kind:?}, set = {set} }}\n")
    };
    let strict = "[[definition]]\nname = \"Strict\"\n\
                  set.dns_authentication = { dkim = { fail = \"reject\" } }\n";
    let used = |kind, set| document_problems(&(policy(kind, set) + strict));
    assert_eq!(used("dns_authentication", "{ apply = \"Strict\" }"), "");
    assert_eq!(used("dns_authentication", "\"no_action\""), "");
    assert!(used("dns_authentication", "{ apply = \"strict\" }").contains("no definition"));
    let other = used("reputation", "{ apply = \"Strict\" }");
    assert!(other.contains("is one of DNS Authentication"), "{other}");
    assert!(document_problems(&(strict.to_owned() + strict)).contains("its name is used twice"));
}

#[test]
fn a_definition_must_be_able_to_do_something_and_not_too_much() {
    let lists =
        "lists = [{ list = \"a.example\", weight = 2 }, { list = \"b.example\", weight = -1 }]";
    let places = |codes: &str| {
        format!("geographical_restriction = {{ action = \"hold\", countries = [{codes}] }}")
    };
    for (set, words) in [
        (format!("reputation = {{ reject_weight = 2, {lists} }}"), ""),
        (format!("reputation = {{ reject_weight = 3, {lists} }}"), "weigh 2 together"),
        (format!("reputation = {{ reject_weight = 0, {lists} }}"), "everybody would be refused"),
        ("reputation = { lists = [{ list = \"a.example\", weight = 0 }] }".into(), "is 0"),
        ("reputation = { lists = [{ list = \"a.example\", weight = 1001 }] }".into(), "beyond"),
        ("geographical_restriction = { action = \"permit\" }".into(), "no country"),
        (places("\"XK\", \"eu\""), ""),
        (places("\"DE\", \"ZZ\""), "ZZ is assigned to no country"),
        (places("\"UK\""), "UK is assigned to no country"),
    ] {
        let found = document_problems(&format!("[[definition]]\nname = \"A\"\nset.{set}\n"));
        assert!(found.contains(words) && found.is_empty() == words.is_empty(), "{set}: {found}");
    }
}

#[test]
fn a_network_with_host_bits_is_told_to_its_author_and_what_is_stored_stays_in_force() {
    let text = "[[policy]]\nnarrative = \"A\"\nsource_ips = [\"10.0.0.5/8\", \"192.0.2.0/24\"]\n\
                option = { type = \"greylisting\", set = \"no_action\" }\n";
    let found = document_problems(text);
    let told = "source_ips: 10.0.0.5/8 has host bits; write 10.0.0.0/8 or 10.0.0.5/32";
    assert!(found.contains(told) && found.lines().count() == 1, "{found}");
    let policies = Document::parse(text).unwrap().policies;
    let stored = |policy| StoredPolicy { policy, version: 1, created: NOW };
    let mut policies: Vec<StoredPolicy> = policies.into_iter().map(stored).collect();
    policies.iter_mut().for_each(|one| one.policy.id = Some(PolicyId(1)));
    let objects = PolicyObjects { policies, ..PolicyObjects::default() };
    let (_, left_out) = PolicySet::compile_fitting(1, objects, &base());
    assert!(left_out.is_empty(), "{left_out:?}");
}

/// What an older version stored is in force as it was.
#[test]
fn a_code_of_no_country_keeps_nothing_that_is_stored_out_of_force() {
    let text = "[[definition]]\nname = \"P\"\n[definition.set.geographical_restriction]\n\
                action = \"hold\"\ncountries = [\"DE\", \"ZZ\"]\n";
    let definitions = Document::parse(text).unwrap().definitions;
    let objects = PolicyObjects { definitions, ..PolicyObjects::default() };
    assert_eq!(validate(&objects, &base()).len(), 1);
    let (_, left_out) = PolicySet::compile_fitting(1, objects, &base());
    assert!(left_out.is_empty(), "{left_out:?}");
}

#[test]
fn a_definition_survives_writing_and_reading() {
    let text = "[[definition]]\nname = \"L\"\n[definition.set.reputation]\nreject_weight = 2\n\
                [[definition.set.reputation.lists]]\nlist = \"Zen.Example\"\nof = \"helo\"\nweight = 3\n\
                answers = [\"127.0.0.2\", \"127.0.0.4/30\"]\n";
    let document = Document::parse(text).unwrap();
    let written = document.to_text().unwrap();
    assert_eq!(Document::parse(&written).unwrap(), document, "{written}");
    assert_eq!(Document::parse_definition(&written).unwrap(), document.definitions[0]);
    assert!(Document::parse_policy(&written).is_err() && Document::parse_definition("").is_err());
    let error = Document::parse(&text.replace("helo", "hello")).unwrap_err();
    assert_eq!(error.line, 7, "{error}");
}
