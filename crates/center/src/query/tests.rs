use ipnet::IpNet;
use proptest::prelude::*;
use store::Filter;
use store::contract::{TextColumn, TextMatch};
use types::{OutcomeKind, Reason, Timestamp};

use super::*;

fn moment() -> Moment {
    Moment::utc("2026-11-21T10:04:15Z".parse().unwrap())
}

fn filter(text: &str) -> Filter {
    search(text, &moment()).unwrap_or_else(|e| panic!("{text}: {e}")).filter
}

fn contains(column: TextColumn, text: &str) -> Filter {
    Filter::Text(column, TextMatch::Contains(text.to_owned()))
}

#[test]
fn the_tree_is_printed_in_full() {
    for (text, tree) in [
        ("", ""),
        ("  is:rejected   invoice ", "is:rejected invoice"),
        ("a AND b OR c d", "a b OR c d"),
        ("a (b OR c)", "a (b OR c)"),
        ("-type:rbl", "NOT type:rbl"),
        ("NOT (a b)", "NOT (a b)"),
        ("- x", "!"),
        ("-(a OR -b)", "NOT (a OR NOT b)"),
        ("((a))", "a"),
        ("(a b) c", "(a b) c"),
        ("Outcome:held,deferred", "is:held,deferred"),
        ("from: ann@x.example, bob@x.example", "from:ann@x.example,bob@x.example"),
        ("from:\"\"", "from:\"\""),
        ("subject:\"a \\\"b\\\" (c)\"", "subject:\"a \\\"b\\\" (c)\""),
        ("time:2026-11-20..2026-11-21", "time:2026-11-20..2026-11-21"),
        ("time:>=2026-11-20", "time:>=2026-11-20"),
        ("time:2026-11-20..", "time:2026-11-20.."),
        (
            "time:\"2026-11-20 10:00\"..\"2026-11-20 11:00\"",
            "time:\"2026-11-20 10:00\"..\"2026-11-20 11:00\"",
        ),
        ("2001:db8::/48", "2001:db8::/48"),
        ("and or", "and or"),
    ] {
        let printed = parse(text).map_or_else(|_| "!".to_owned(), |query| query.to_string());
        assert_eq!(printed, tree, "{text}");
    }
}

#[test]
fn errors_say_where_and_what_instead() {
    for (text, at, message) in [
        ("sujbect:x", 0..8, "unknown field `sujbect:`, did you mean `subject:`?"),
        ("a colour:red", 2..9, "unknown field `colour:`"),
        ("is:rejectd", 3..10, "`rejectd` is no outcome or state, did you mean `rejected`?"),
        ("type:grelist", 5..12, "`grelist` is no reason code or label, did you mean `greylist`?"),
        ("ip:300.1.2.3", 3..12, "`300.1.2.3` is no address or network"),
        ("from:", 5..5, "a value is missing after `from:`"),
        ("from: OR x", 6..8, "a value is missing after `from:`"),
        ("(a", 0..1, "this `(` is never closed"),
        ("a)", 1..2, "this `)` closes nothing"),
        ("()", 1..2, "something is missing before this `)`"),
        ("a OR", 4..4, "the query ends too early"),
        ("OR a", 0..2, "`OR` needs something on both sides; quote it to search for it"),
        ("\"open", 0..5, "the quotation has no end: a `\"` is missing"),
        (
            "time:tody",
            5..9,
            "`tody` is no time (try last24h, today or 2026-11-21), did you mean `today`?",
        ),
        ("time:2026-13-01", 5..15, "`2026-13-01` is no time (try last24h, today or 2026-11-21)"),
        ("time:2026-11-21..2026-11-20", 17..27, "the range ends before it begins"),
        ("time:..", 5..7, "a range needs at least one end"),
        (
            "a OR time:today",
            5..15,
            "`time:` narrows the whole query; take it out of OR, NOT and parentheses",
        ),
        ("from:>a", 0..7, "`from:` cannot be compared with `>`"),
        ("ip:1.2.3.4..1.2.3.5", 0..19, "`ip:` has no ranges"),
    ] {
        let error = search(text, &moment()).unwrap_err();
        assert_eq!((error.at.clone(), error.message.as_str()), (at, message), "{text}");
    }
}

#[test]
fn an_error_points_into_the_query() {
    let text = "is:rejected sujbect:x";
    let shown = search(text, &moment()).unwrap_err().pointing_into(text);
    assert_eq!(
        shown,
        "is:rejected sujbect:x\n            ^^^^^^^^\nunknown field `sujbect:`, did you mean `subject:`?"
    );
}

#[test]
fn outcomes_states_and_reasons() {
    assert_eq!(filter("is:Rejected"), Filter::Outcome(OutcomeKind::Rejected));
    assert_eq!(filter("is:delivered"), Filter::State("delivered"));
    let held = vec![Filter::Outcome(OutcomeKind::Held), Filter::State("held")];
    assert_eq!(filter("is:held"), Filter::Any(held));
    let greylist =
        vec![Reason::GreylistExpired, Reason::GreylistFirstSeen, Reason::GreylistTooEarly];
    assert_eq!(filter("type:greylist"), Filter::Reason(greylist));
    assert_eq!(filter("type:greylist.expired"), Filter::Reason(vec![Reason::GreylistExpired]));
    let labelled = vec![Reason::GreylistFirstSeen, Reason::GreylistTooEarly];
    assert_eq!(filter("type:\"attempt greylisting\""), Filter::Reason(labelled));
    for reason in Reason::ALL {
        let Filter::Reason(found) = filter(&format!("type:{reason}")) else { panic!("{reason}") };
        assert!(found.contains(reason), "{reason}");
        let Filter::Reason(found) = filter(&format!("type:\"{}\"", reason.label())) else {
            panic!("{reason}")
        };
        assert!(found.contains(reason), "{reason} by label");
    }
}

#[test]
fn addresses_are_found_in_every_form() {
    let from = |how| Filter::Text(TextColumn::From, how);
    assert_eq!(filter("from:\"\""), from(TextMatch::Equals("<>".to_owned())));
    assert_eq!(filter("from:<>"), from(TextMatch::Equals("<>".to_owned())));
    assert_eq!(filter("from:corp"), from(TextMatch::Contains("corp".to_owned())));
    assert_eq!(filter("from:*news*"), from(TextMatch::Wildcard("*news*".to_owned())));
    let domain = |below| TextMatch::Domain { domain: "corp.example".to_owned(), below };
    assert_eq!(filter("from:@corp.example"), from(domain(false)));
    assert_eq!(filter("from:*.corp.example"), from(domain(true)));
    let tagged = Filter::Any(vec![
        from(TextMatch::Equals("ann@corp.example".to_owned())),
        from(TextMatch::Wildcard("ann+*@corp.example".to_owned())),
    ]);
    assert_eq!(filter("from:ann@corp.example"), tagged);
    let both = format!("{:?}", filter("from:ann@b\u{fc}cher.example"));
    assert!(both.contains("xn--bcher-kva.example") && both.contains("b\u{fc}cher.example"));
    let both = format!("{:?}", filter("from:ann@xn--bcher-kva.example"));
    assert!(both.contains("b\u{fc}cher.example"), "{both}");
}

#[test]
fn bare_words_are_what_they_look_like() {
    let net = |text: &str| Filter::Ip(text.parse::<IpNet>().unwrap());
    assert_eq!(filter("192.0.2.7"), net("192.0.2.7/32"));
    assert_eq!(filter("192.0.2.0/24"), net("192.0.2.0/24"));
    assert_eq!(filter("2001:db8::/48"), net("2001:db8::/48"));
    assert_eq!(filter("ip:192.0.*"), net("192.0.0.0/16"));
    assert_eq!(filter("<abc@host>"), contains(TextColumn::MessageId, "<abc@host>"));
    assert_eq!(filter("invoice"), contains(TextColumn::Anything, "invoice"));
    assert_eq!(filter("\"192.0.2.7\""), contains(TextColumn::Anything, "192.0.2.7"));
    assert!(format!("{:?}", filter("ana@corp.example")).contains("HeaderFrom"));
    assert!(format!("{:?}", filter("corp.example")).contains("Domain"));
}

#[test]
fn references_open_and_words_of_twelve_letters_still_search() {
    let found = search("7k2m4qx9b0ta", &moment()).unwrap();
    assert!(matches!(found.open, Some(Open::Reference(_))));
    let word = search("notification", &moment()).unwrap();
    assert!(word.open.is_some());
    assert_eq!(word.filter, contains(TextColumn::Anything, "notification"));
    assert_eq!(search("\"notification\"", &moment()).unwrap().open, None);
    assert_eq!(search("7k2m4qx9b0ta x", &moment()).unwrap().open, None);
}

#[test]
fn times_narrow_the_query() {
    let times = |text: &str| {
        let times = search(text, &moment()).unwrap_or_else(|e| panic!("{text}: {e}")).times;
        format!("{}/{}", &times.start.to_string()[..19], &times.end.to_string()[..19])
    };
    let end = "9999-12-30T22:00:00";
    for (text, from, to) in [
        ("time:today", "2026-11-21T00:00:00", "2026-11-22T00:00:00"),
        ("time:yesterday", "2026-11-20T00:00:00", "2026-11-21T00:00:00"),
        ("time:2026-11-05", "2026-11-05T00:00:00", "2026-11-06T00:00:00"),
        ("time:2026-11-05..2026-11-06", "2026-11-05T00:00:00", "2026-11-07T00:00:00"),
        ("time:2026-11-05T10:00", "2026-11-05T10:00:00", "2026-11-05T10:01:00"),
        ("time:2026-11-05T10:00..2026-11-05T11:30", "2026-11-05T10:00:00", "2026-11-05T11:30:00"),
        (
            "time:\"2026-11-05 10:00\"..\"2026-11-05 11:00\"",
            "2026-11-05T10:00:00",
            "2026-11-05T11:00:00",
        ),
        ("time:2026-11-05T10:00:00Z", "2026-11-05T10:00:00", "2026-11-05T10:00:01"),
        ("time:<2026-11-05", "1970-01-01T00:00:00", "2026-11-05T00:00:00"),
        ("time:<=2026-11-05", "1970-01-01T00:00:00", "2026-11-06T00:00:00"),
        ("time:now-2h..now-1h", "2026-11-21T08:04:15", "2026-11-21T09:04:15"),
        ("time:today time:last15m", "2026-11-21T09:49:15", "2026-11-22T00:00:00"),
    ] {
        assert_eq!(times(text), format!("{from}/{to}"), "{text}");
    }
    for (text, from) in [
        ("time:last15m", "2026-11-21T09:49:15"),
        ("time:LAST24H", "2026-11-20T10:04:15"),
        ("time:last7d", "2026-11-14T10:04:15"),
    ] {
        assert!(times(text).starts_with(from), "{text} {end}");
    }
    let disjoint = search("time:today time:yesterday", &moment()).unwrap().times;
    assert!(disjoint.is_empty());
}

#[test]
fn days_begin_in_the_zone_of_the_asker() {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
    let moment = Moment { zone, now: "2026-11-21T23:00:00Z".parse().unwrap() };
    let times = search("time:today", &moment).unwrap().times;
    assert_eq!(times.start, "2026-11-21T22:00:00Z".parse::<Timestamp>().unwrap());
}

#[test]
fn limits_hold() {
    assert!(parse(&"a ".repeat(QUERY_OCTETS_MAX)).is_err());
    assert!(parse(&"(".repeat(1_000)).is_err());
    assert!(parse(&format!("from:{}", "a,".repeat(VALUES_MAX + 1))).is_err());
}

#[test]
fn every_example_of_the_table_compiles_to_its_own_field() {
    for field in FIELDS {
        let example = field.example;
        search(example, &moment()).unwrap_or_else(|e| panic!("{example}: {e}"));
        let query = parse(example).unwrap();
        let Some(tree::Part::Term(term)) = query.root else { panic!("{example}") };
        assert_eq!(term.field.name, field.name);
        for alias in field.aliases {
            assert_eq!(fields::find(alias).map(|f| f.name), Some(field.name), "{alias} is unique");
        }
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_printing_is_faithful(
        text in "([a-z]{1,3}|is:|from:|time:|type:|ip:|[-().,:*\"\\\\<>=~@ \u{fc}0-9]|OR|AND|NOT| ){0,24}"
    ) {
        if let Ok(query) = parse(&text) {
            let printed = query.to_string();
            let again = parse(&printed);
            prop_assert_eq!(again.as_ref(), Ok(&query), "{:?} printed as {:?}", text, printed);
            let _ = compile::compile(&query, &moment());
        }
    }

    #[test]
    fn any_text_at_all_is_answered(text in "\\PC{0,200}") {
        match search(&text, &moment()) {
            Ok(_) => {}
            Err(error) => {
                prop_assert!(error.at.end <= text.len());
                let _ = error.pointing_into(&text);
            }
        }
    }
}
