use proptest::prelude::*;
use store::search::{Column, Filter, TextColumn, TextMatch};
use types::{Reason, Timestamp};

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
        ("a colour:red", 2..9, "unknown field `colour:`; put it in quotes to search for the text"),
        ("is:rejectd", 3..10, "`rejectd` is no outcome or state, did you mean `rejected`?"),
        ("type:grelist", 5..12, "`grelist` is no reason code or label, did you mean `greylist`?"),
        ("ip:300.1.2.3", 3..12, "`300.1.2.3` is no address or network"),
        ("asn:foo", 4..7, "`foo` is no AS number (try AS64500)"),
        ("asn:AS", 4..6, "`AS` is no AS number (try AS64500)"),
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
            "a OR time:tody",
            10..14,
            "`tody` is no time (try last24h, today or 2026-11-21), did you mean `today`?",
        ),
        ("from:>a", 0..7, "`from:` cannot be compared with `>`"),
        ("ip:1.2.3.4..1.2.3.5", 0..19, "`ip:` has no ranges"),
        (
            "direction:outbuond",
            10..18,
            "mail is inbound or outbound; leave it out to find both, did you mean `outbound`?",
        ),
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

/// A filter in few words.
fn shown(filter: &Filter) -> String {
    let list = |filters: &[Filter], sign: &str| {
        let shown: Vec<String> = filters.iter().map(shown).collect();
        format!("({})", shown.join(sign))
    };
    match filter {
        Filter::Everything => "everything".to_owned(),
        Filter::All(filters) => list(filters, " & "),
        Filter::Any(filters) => list(filters, " | "),
        Filter::Not(filter) => format!("!{}", shown(filter)),
        Filter::IsAttempt => "attempt".to_owned(),
        Filter::Outcome(kind) => format!("outcome={}", kind.slug()),
        Filter::State(state) => format!("state={state}"),
        Filter::Reason(reasons) => {
            let slugs: Vec<&str> = reasons.iter().map(|reason| reason.slug()).collect();
            format!("reason={}", slugs.join(","))
        }
        Filter::Word(column, words) => format!("{}={}", column.name(), words.join(",")),
        Filter::Number(column, range) => match *range.end() {
            u64::MAX => format!("{}={}..", column.name(), range.start()),
            end => format!("{}={}..{end}", column.name(), range.start()),
        },
        Filter::Time(times) => {
            let end = |at: Timestamp| at.to_string().chars().take(16).collect::<String>();
            format!("time={}..{}", end(times.start), end(times.end))
        }
        Filter::Ip(net) => format!("ip={net}"),
        Filter::Text(column, how) => format!("{}{}", column.name(), how_shown(how)),
        Filter::Has(Column::Text(column)) => format!("has {}", column.name()),
        Filter::Has(column) => format!("has {column:?}"),
        Filter::Ids(ids) => format!("ids={}", ids.len()),
        Filter::LifeLine(life) => format!("life={}", life.reference()),
        Filter::Session(_) => "session".to_owned(),
        Filter::Story(filter) => format!("story[{}]", shown(filter)),
    }
}

fn how_shown(how: &TextMatch) -> String {
    match how {
        TextMatch::Equals(text) => format!("={text}"),
        TextMatch::Contains(text) => format!("~{text}"),
        TextMatch::StartsWith(text) => format!("^{text}"),
        TextMatch::EndsWith(text) => format!("${text}"),
        TextMatch::Wildcard(text) => format!("*{text}*"),
        TextMatch::Domain { domain, below: true } => format!("@*.{domain}"),
        TextMatch::Domain { domain, below: false } => format!("@{domain}"),
        TextMatch::Among(set) => format!("in {}", set.mark()),
        TextMatch::Regex(pattern) => format!("/{}/", pattern.as_str()),
    }
}

/// A queue with two messages waiting and one held, and one reference known.
struct SomePresent;

impl Present for SomePresent {
    fn queued(&self) -> Vec<types::EventId> {
        vec![types::EventId::new(Timestamp::EPOCH, [1; 10]); 3]
    }
    fn held(&self) -> Vec<types::EventId> {
        vec![types::EventId::new(Timestamp::EPOCH, [1; 10])]
    }
    fn referred(&self, reference: types::Reference) -> Vec<types::EventId> {
        let id = types::EventId::new(Timestamp::EPOCH, [1; 10]);
        Some(id).filter(|id| id.reference() == reference).into_iter().collect()
    }
    fn life_lines(&self, reference: types::Reference) -> Vec<types::LifeLineId> {
        let bits = u128::from(reference.as_u64());
        vec![types::LifeLineId::from_bytes(bits.to_be_bytes())]
    }
}

fn meaning(text: &str, rows: RowsAre) -> String {
    let query = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let search = compile::compile(&query, rows, &moment(), &SomePresent);
    shown(&search.unwrap_or_else(|e| panic!("{text}: {e}")).filter)
}

#[test]
fn every_query_means_what_people_mean() {
    for (text, wanted) in MEANINGS {
        assert_eq!(meaning(text, RowsAre::Attempts), *wanted, "{text}");
    }
}

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[rustfmt::skip]
const MEANINGS: &[(&str, &str)] = &[
    // Bare words, as the table of the specification has them.
    ("192.0.2.7", "ip=192.0.2.7/32"),
    ("192.0.2.0/24", "ip=192.0.2.0/24"),
    ("192.0.2.9/24", "ip=192.0.2.0/24"),
    ("2001:db8::/48", "ip=2001:db8::/48"),
    ("[2001:db8::1]", "ip=2001:db8::1/128"),
    ("ana@corp.example", "(address=ana@corp.example | address*ana+*@corp.example*)"),
    ("ana+x@corp.example", "address=ana+x@corp.example"),
    ("corp.example", "(host@*.corp.example | host@corp.example | words~corp.example)"),
    ("*.corp.example", "(host@*.corp.example | words~.corp.example)"),
    ("*@corp.example", "address@corp.example"),
    ("<abc@host>", "message_id~<abc@host>"),
    ("550", "code=550..550"),
    ("5.7.1", "enhanced_code=5.7.1"),
    ("192.0.2", "words~192.0.2"),
    ("1000", "words~1000"),
    ("7", "words~7"),
    ("invoice", "words~invoice"),
    ("inv*ce", "words**inv*ce**"),
    ("\"inv*ce\"", "words~inv*ce"),
    ("\"192.0.2.7\"", "words~192.0.2.7"),
    ("\"550\"", "words~550"),
    ("and", "words~and"),
    ("AS64500", "asn=AS64500"),
    ("ask ana", "(words~ask & words~ana)"),
    ("-invoice", "!words~invoice"),
    ("a OR b c", "(words~a | (words~b & words~c))"),
    ("direction:outbound", "has direction"),
    ("direction:Inbound", "!has direction"),
    ("-direction:inbound", "!!has direction"),
    // A time is a condition like any other; alone it is the range searched.
    ("time:today is:rejected", "outcome=rejected"),
    ("time:yesterday OR is:rejected", "(time=2026-11-20T00:00..2026-11-21T00:00 | outcome=rejected)"),
    ("-time:today", "!time=2026-11-21T00:00..2026-11-22T00:00"),
    ("(time:today invoice) OR invoice", "((time=2026-11-21T00:00..2026-11-22T00:00 & words~invoice) | words~invoice)"),
    ("time:2026-11-05,2026-11-07", "(time=2026-11-05T00:00..2026-11-06T00:00 | time=2026-11-07T00:00..2026-11-08T00:00)"),
    ("is:rejected OR after:2026-11-05", "(outcome=rejected | time=2026-11-05T00:00..9999-12-30T22:00)"),
    // Outcome.
    ("is:Rejected", "outcome=rejected"),
    ("is:rejected,deferred", "(outcome=rejected | outcome=deferred)"),
    ("is:held", "(outcome=held | ids=1)"),
    ("is:queued", "ids=3"),
    ("is:delivered", "story[state=delivered]"),
    ("is:expired", "story[state=expired]"),
    ("stage:rcpt,data", "(stage=rcpt | stage=data)"),
    ("check:greylist", "check=greylist"),
    ("type:greylist", "reason=greylist.expired,greylist.first_seen,greylist.too_early"),
    ("type:greylist.*", "reason=greylist.expired,greylist.first_seen,greylist.too_early"),
    ("type:*.expired", "reason=greylist.expired,delivery.expired"),
    ("type:greylist.expired", "reason=greylist.expired"),
    ("type:\"attempt greylisting\"", "reason=greylist.first_seen,greylist.too_early"),
    ("-type:rbl,recipient.unknown", "!(reason=rbl.listed | reason=recipient.unknown)"),
    ("code:550", "code=550..550"),
    ("code:5xx", "code=500..599"),
    ("code:55*", "code=550..559"),
    ("code:>=500", "code=500.."),
    ("code:450..499", "code=450..499"),
    ("ecode:5.7", "enhanced_code^5.7."),
    ("ecode:4", "enhanced_code^4."),
    ("ecode:5.*.1", "enhanced_code*5.*.1*"),
    ("zone:bl.example", "lists=bl.example"),
    ("geo:DE", "country=DE"),
    ("would:reject", "would=reject"),
    ("would:#3", "would=#3"),
    ("would:*", "has would"),
    ("country:*", "has country"),
    ("asn:AS64500", "asn=AS64500"),
    ("asn:64500", "asn=AS64500"),
    ("asn:as645*", "asn*AS645**"),
    ("asn:*", "has asn"),
    ("policy:3", "policy=#3"),
    ("policy:#3", "policy=#3"),
    ("policy:\"sender 7\"", "policy=sender #7"),
    ("policy:settings", "policy~settings"),
    ("policy:*", "has policy"),
    ("policy:\"\"", "!has policy"),
    // Envelope.
    ("from:\"\"", "from=<>"),
    ("from:<>", "from=<>"),
    ("from:corp", "from~corp"),
    ("from:*news*", "from**news**"),
    ("from:\"*news\"", "from~*news"),
    ("from:@corp.example", "from@corp.example"),
    ("from:*.corp.example", "from@*.corp.example"),
    ("from:=corp", "from=corp"),
    ("from:~^a.b", "from/^a.b/"),
    ("from:ann@corp.example", "(from=ann@corp.example | from*ann+*@corp.example*)"),
    ("to:sales@", "(to^sales@ | to*sales+*@**)"),
    ("to:\"\"", "!has to"),
    ("from:@b\u{fc}cher.example", "from@xn--bcher-kva.example"),
    ("from:b\u{fc}cher", "(from~b\u{fc}cher | from~xn--bcher-kva)"),
    ("from:XN--bcher-kva", "(from~XN--bcher-kva | from~b\u{fc}cher)"),
    ("domain:corp.example", "(host@*.corp.example | host@corp.example)"),
    ("helo:*.acme.example", "helo**.acme.example*"),
    ("rdns:acme", "host_name~acme"),
    ("ip:192.0.*", "ip=192.0.0.0/16"),
    ("ip:192.0.2.1,192.0.2.2", "(ip=192.0.2.1/32 | ip=192.0.2.2/32)"),
    ("net:192.0.2.0/24", "ip=192.0.2.0/24"),
    ("port:>1024", "port=1025.."),
    ("listener:2525", "listener~2525"),
    // Header and content.
    ("hfrom:*@corp.example", "header_from@corp.example"),
    ("name:\"Ana Ruiz\"", "display_name~Ana Ruiz"),
    ("subject:invoice", "subject~invoice"),
    ("subject:inv*ce", "subject**inv*ce**"),
    ("subject:=invoice", "subject=invoice"),
    ("subject:~\"in(v|w)\"", "subject/in(v|w)/"),
    ("subject:\"\"", "!has subject"),
    ("subject:*", "has subject"),
    ("msgid:<abc@host>", "message_id~<abc@host>"),
    ("tls:none", "!has tls"),
    ("tls:1.3", "tls=tlsv1.3"),
    ("tls:TLSv1.2", "tls=tlsv1.2"),
    ("size:>5MB", "size=5000001.."),
    ("size:<1KiB", "size=0..1023"),
    ("size:1k..2k", "size=1000..2000"),
    ("size:..2k", "size=0..2000"),
    ("has:attachment", "has hash"),
    ("att:*.pdf", "attachments***.pdf**"),
    ("ext:.zip", "extension=zip"),
    ("mime:application/*", "media_type*application/**"),
    // Story.
    ("attempts:>3", "attempts=4.."),
    ("wait:>10m", "wait=600001.."),
    ("wait:1h30m..2h", "wait=5400000..7200000"),
    ("retried:yes", "story[attempts=2..]"),
    ("retried:no", "(attempts=1.. & !story[attempts=2..])"),
    ("first-contact:yes", "triplet=first_seen,too_early,passed"),
    ("first-contact:no", "triplet=known"),
    ("life:L-7K2M4QX9B0TA", "life=7K2M4QX9B0TA"),
    ("by:kim", "by~kim"),
    ("node:mx1", "node~mx1"),
    ("any:x", "anything~x"),
];

#[test]
fn hashes_identifiers_and_references_are_recognised() {
    assert_eq!(meaning(HASH, RowsAre::Attempts), format!("hash={HASH}"));
    assert_eq!(meaning(&format!("hash:sha256:{HASH}"), RowsAre::Attempts), format!("hash={HASH}"));
    let id = types::EventId::new(Timestamp::EPOCH, [1; 10]);
    assert!(meaning(&format!("x {id}"), RowsAre::Attempts).contains("ids=1 | life="));
    assert_eq!(
        meaning(&format!("x ref:{}", id.reference()), RowsAre::Attempts),
        "(words~x & ids=1)"
    );
    assert_eq!(meaning("x ref:7K2M4QX9B0TA", RowsAre::Attempts), "(words~x & ids=0)");
    assert!(meaning("ip:internal", RowsAre::Attempts).contains("ip=192.168.0.0/16"));
}

#[test]
fn later_steps_are_found_by_what_was_known_at_their_attempts() {
    for (text, wanted) in [
        ("from:a code:550", "(from~a & story[code=550..550])"),
        ("first-contact:yes", "story[triplet=first_seen,too_early,passed]"),
        ("size:>1k", "size=1001.."),
        ("is:deferred", "story[outcome=deferred]"),
        ("type:greylist.expired", "story[reason=greylist.expired]"),
        ("is:delivered", "story[state=delivered]"),
        ("code:550,551", "(story[code=550..550] | story[code=551..551])"),
        ("retried:no", "(story[attempts=1..] & !story[attempts=2..])"),
        ("-stage:rcpt", "!story[stage=rcpt]"),
    ] {
        assert_eq!(meaning(text, RowsAre::LaterSteps), wanted, "{text}");
    }
}

#[test]
fn every_reason_is_found_by_code_and_label() {
    for reason in Reason::ALL {
        for text in [format!("type:{reason}"), format!("type:\"{}\"", reason.label())] {
            let Filter::Reason(found) = filter(&text) else { panic!("{text}") };
            assert!(found.contains(reason), "{text}");
        }
    }
}

#[test]
fn what_nothing_records_is_never_taken_for_text() {
    for field in FIELDS.iter().filter(|field| field.kind == fields::FieldKind::NotRecorded) {
        let error = search(field.example, &moment()).unwrap_err();
        assert_eq!(error.message, format!("nothing records `{}:` yet", field.name));
        assert_eq!(error.at, 0..field.example.len(), "{}", field.name);
    }
    assert!(search("has:qr", &moment()).unwrap_err().message.contains("nothing records `has:qr`"));
}

#[test]
fn several_mistakes_are_told_at_once() {
    let told = |text: &str| -> Vec<(usize, Option<String>)> {
        let error = search(text, &moment()).unwrap_err();
        error.all().map(|error| (error.at.start, error.proposal.clone())).collect()
    };
    let wanted = vec![(0, Some("subject:".to_owned())), (12, Some("from:".to_owned()))];
    assert_eq!(told("sujbect:x a form:y"), wanted);
    let wanted = vec![(3, Some("rejected".to_owned())), (16, None)];
    assert_eq!(told("is:rejectd code:abc time:today"), wanted);
    let error = search("\u{fc} sujbect:x", &moment()).unwrap_err();
    assert_eq!(error.place_in("\u{fc} sujbect:x"), (2, 8));
    assert_eq!(error.mended("\u{fc} sujbect:x").as_deref(), Some("\u{fc} subject:x"));
}

#[test]
fn a_pasted_reply_opens_what_it_names() {
    for text in [
        "[ref 7K2M4QX9B0TA]",
        "  [ref 7k2m4qx9b0ta] ",
        "550 5.7.1 This sender is refused by policy [ref 7K2M4QX9B0TA]",
        "said: 451 4.7.1 (wait) [ref 7K2M4QX9B0TA] https://gate.corp.example/r/7K2M4QX9B0TA",
        "https://gate.corp.example/r/7K2M4QX9B0TA",
        "ref:7K2M4QX9B0TA",
    ] {
        let found = search(text, &moment()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let Some(Open::Reference(reference)) = found.open else { panic!("{text}") };
        assert_eq!(reference.as_str(), "7K2M4QX9B0TA", "{text}");
        let query = parse(text).unwrap();
        assert_eq!(parse(&query.to_string()).as_ref(), Ok(&query));
    }
}

#[test]
fn references_open_and_words_of_twelve_letters_still_search() {
    let found = search("7k2m4qx9b0ta", &moment()).unwrap();
    assert!(matches!(found.open, Some(Open::Reference(_))));
    let word = search("notification", &moment()).unwrap();
    assert!(word.open.is_some());
    assert_eq!(word.filter, contains(TextColumn::Words, "notification"));
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
        ("after:2026-11-05 before:2026-11-06", "2026-11-05T00:00:00", "2026-11-06T00:00:00"),
        ("after:now-2h before:now-1h", "2026-11-21T08:04:15", "2026-11-21T09:04:15"),
        ("since:yesterday until:today", "2026-11-20T00:00:00", "2026-11-21T00:00:00"),
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
fn zones_are_known_by_name_and_shift_with_summer() {
    let zoned = |now: &str, zone: &str| Moment::in_zone(now.parse().unwrap(), zone).unwrap();
    for (now, zone, start) in [
        ("2026-07-01T12:00:00Z", "Europe/Berlin", "2026-06-30T22:00:00Z"),
        ("2026-12-01T12:00:00Z", "Europe/Berlin", "2026-11-30T23:00:00Z"),
        ("2026-12-01T12:00:00Z", "", "2026-12-01T00:00:00Z"),
    ] {
        let times = search("time:today", &zoned(now, zone)).unwrap().times;
        assert_eq!(times.start, start.parse().unwrap(), "{now} {zone}");
    }
    assert!(Moment::in_zone(Timestamp::EPOCH, "Europe/Atlantis").is_err());
}

#[test]
fn columns_and_fields_share_one_table_without_doubles() {
    let mut names: Vec<&str> = FIELDS
        .iter()
        .flat_map(|field| std::iter::once(field.name).chain(field.aliases.iter().copied()))
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    let mut apis: Vec<&str> = fields::ColumnName::all().map(|name| name.column().api).collect();
    let count = apis.len();
    apis.sort_unstable();
    apis.dedup();
    assert_eq!(apis.len(), count);
    for view in crate::View::ALL {
        let (info, listed) = (view.info(), view.info().columns);
        assert_eq!(info.key.parse::<crate::View>().unwrap(), view);
        assert!(listed.contains(&fields::ColumnName::TIME) && listed.len() >= 5, "{}", info.key);
    }
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
        if field.kind != fields::FieldKind::NotRecorded {
            search(example, &moment()).unwrap_or_else(|e| panic!("{example}: {e}"));
        }
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
            let _ = compile::compile(&query, RowsAre::LaterSteps, &moment(), &NothingPresent);
        }
    }

    #[test]
    fn editing_a_query_leaves_a_query(
        text in "((-|NOT )?([a-z]{1,3}|is:rejected|from:a,b|\"x y\"|[(]a OR b[)]|size:>1k)( | AND | OR )){0,5}z",
        chip in 0_usize..5,
    ) {
        let same = |a: &str, b: &str| parse(a).unwrap() == parse(b).unwrap();
        let chips = edit::chips(&text).unwrap();
        for place in 0..chips.len() {
            let without = edit::without(&text, place);
            prop_assert_eq!(edit::chips(&without).unwrap().len(), chips.len() - 1, "{}", text);
            let turned = edit::toggled(&text, place);
            prop_assert!(edit::chips(&turned).unwrap()[place].negated != chips[place].negated);
            let back = edit::toggled(&turned, place);
            prop_assert_eq!(
                edit::chips(&back).unwrap()[place].negated, chips[place].negated, "{}", text
            );
        }
        let term = ["type:rbl", "a OR b", "is:held", "-x", "q w"][chip];
        let more = edit::and(&text, term);
        prop_assert!(same(&edit::and(&more, term), &more), "{} & {}", text, term);
        prop_assert!(parse(&edit::and_not(&more, term)).is_ok());
    }

    #[test]
    fn any_value_survives_in_a_term(value in "\\PC{0,40}") {
        let parsed = parse(&edit::term("subject", &value)).unwrap();
        let Some(tree::Part::Term(term)) = parsed.root else { panic!("{value}") };
        prop_assert_eq!(term.field.name, "subject");
        prop_assert!(matches!(term.values.as_slice(), [tree::Value::One(text)] if text.text == value));
        prop_assert!(parse(&edit::word(&value)).is_ok());
        let form = five::FiveFilters::one("info", &value);
        prop_assert_eq!(five::FiveFilters::of_query(&form.to_query()), Some(form));
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
