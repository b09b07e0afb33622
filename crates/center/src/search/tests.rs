//! The services over the real embedded store: what they answer, and that they
//! agree with each other.

use std::sync::Arc;
use std::time::Duration;

use store::state::SqliteViews;
use types::event::{RelayAnswer, RelayAttempt, Subject};
use types::{
    Caller, Event, EventKind, FollowUp, Micros, Permission, Permissions, Reason, Timestamp,
};

use super::*;
use crate::overview::OverviewSpan;
use crate::tests::{Gateway, at, event_id, sample};
use crate::views::View;
use crate::{Center, CenterError, NewView};

fn root() -> Caller {
    Caller::with_all("root")
}

/// Thirty attempts, a minute apart until now: ten of each, from three
/// networks, sizes growing; every accepted one delivered half a minute later.
fn filled() -> Gateway {
    let gateway = Gateway::new(at(1_800));
    let reasons = [Reason::RecipientUnknown, Reason::GreylistFirstSeen, Reason::Accepted];
    let mut events = Vec::new();
    for number in 0..30 {
        let reason = reasons[number as usize % 3];
        let event = Event { at: at(60 * number as i64), ..sample(number, reason) };
        if reason == Reason::Accepted {
            events.push(delivered(&event, 1_000 + number));
        }
        events.push(event);
    }
    gateway.center.memory.of_house().record(events).unwrap();
    gateway
}

fn delivered(of: &Event, number: u64) -> Event {
    let relay = RelayAttempt {
        number: 1,
        host: "mx.corp.example:25".into(),
        ip: None,
        tls: None,
        tls_policy: None,
        policy_refused: false,
        answer: RelayAnswer::NoReply("250 ok".to_owned()),
        took: Micros(5),
    };
    Event {
        id: event_id(number),
        at: of.at + Duration::from_secs(30),
        kind: EventKind::FollowUp { of: of.id, what: FollowUp::Delivered(relay) },
        record: types::event::Record::default(),
        ..of.clone()
    }
}

fn request(query: &str) -> SearchRequest {
    SearchRequest { query: query.to_owned(), ..SearchRequest::default() }
}

fn found(center: &Center, request: &SearchRequest) -> SearchPage {
    center.search(&root(), request).unwrap_or_else(|e| panic!("{request:?}: {e}"))
}

#[test]
fn rows_counts_bars_and_facets_agree() {
    let gateway = filled();
    let center = &gateway.center;
    for (view, query, wanted) in [
        (View::All, "", 30),
        (View::Rejected, "", 10),
        (View::Deferred, "type:greylist", 10),
        (View::Accepted, "", 10),
        (View::Delivered, "", 10),
        (View::Delivered, "is:accepted from:ann@sender.example", 10),
        (View::All, "is:delivered", 10),
        (View::All, "is:deferred is:delivered", 0),
        (View::Bounced, "", 0),
        (View::Queue, "", 0),
        (View::All, "550", 10),
        (View::All, "code:5xx stage:rcpt -is:deferred", 10),
        (View::All, "size:>1k", 30),
        (View::All, "from:ann+x@sender.example OR to:@corp.example", 30),
        (View::All, "after:2026-11-21T10:10:00", 20),
    ] {
        let request = SearchRequest { view, ..request(query) };
        let page = found(center, &request);
        assert_eq!(page.rows.len(), wanted, "{view:?} {query}");
        let count = center.count(&root(), &request).unwrap();
        assert_eq!((count.count, count.exact), (wanted as u64, true), "{view:?} {query}");
        let histogram = center.histogram(&root(), &request, 0).unwrap();
        let bars: u64 = histogram.series.iter().map(|series| series.sum).sum();
        assert_eq!(bars, wanted as u64, "{view:?} {query}");
        for series in &histogram.series {
            assert_eq!(series.counts.len(), histogram.buckets);
            assert_eq!(series.counts.iter().sum::<u64>(), series.sum);
        }
        let facets = center.facets(&root(), &request).unwrap();
        let domain = facets.iter().find(|facet| facet.key == FacetKey::FromDomain).unwrap();
        let sum: u64 = domain.values.iter().map(|value| value.count).sum();
        assert_eq!(sum, wanted as u64, "{view:?} {query}");
    }
}

#[test]
fn every_facet_value_leads_to_as_many_rows_as_it_says() {
    let gateway = filled();
    let center = &gateway.center;
    let all = found(center, &request("")).rows.len() as u64;
    let facets = center.facets(&root(), &request("")).unwrap();
    assert!(facets.iter().filter(|facet| !facet.values.is_empty()).count() >= 6);
    for (facet, value) in
        facets.iter().flat_map(|facet| facet.values.iter().map(move |value| (facet, value)))
    {
        let count = |query: &str| center.count(&root(), &request(query)).unwrap().count;
        assert_eq!(count(&value.add), value.count, "{:?} {}", facet.key, value.add);
        assert_eq!(count(&value.exclude), all - value.count, "{:?} {}", facet.key, value.exclude);
        let again = center.facets(&root(), &request(&value.add)).unwrap();
        let again = again.iter().find(|other| other.key == facet.key).unwrap();
        assert_eq!(again.values[0].chosen, Some(true));
    }
}

#[test]
fn tabs_count_the_query_in_every_list() {
    let gateway = filled();
    let counts = gateway.center.view_counts(&root(), &request("to:@corp.example")).unwrap();
    let counts: Vec<(View, u64)> =
        counts.into_iter().map(|count| (count.view, count.count.count)).collect();
    assert_eq!(
        counts,
        [
            (View::Rejected, 10),
            (View::Deferred, 10),
            (View::Held, 0),
            (View::Queue, 0),
            (View::Accepted, 10),
            (View::Delivered, 10),
            (View::Bounced, 0),
            (View::All, 30),
        ]
    );
}

#[test]
fn pages_go_on_and_back_in_every_order() {
    let gateway = filled();
    let center = &gateway.center;
    for sort in ["-time", "time", "code", "-code", "ip", "-ip", "from", "size", "type", "-wait"] {
        let wanted =
            SearchRequest { sort: sort.parse().unwrap(), rows_max: 7, ..SearchRequest::default() };
        let whole = found(center, &SearchRequest { rows_max: 100, ..wanted.clone() });
        let ids = |page: &SearchPage| page.rows.iter().map(|row| row.id).collect::<Vec<_>>();
        let whole = ids(&whole);
        let mut pages = vec![found(center, &wanted)];
        while let Some(next) = pages.last().unwrap().next.clone() {
            let cursor = Some(next.to_string().parse().unwrap());
            pages.push(found(center, &SearchRequest { cursor, ..wanted.clone() }));
        }
        assert_eq!(pages.iter().flat_map(ids).collect::<Vec<_>>(), whole, "{sort}");
        assert_eq!(pages.len(), 5);
        let positions: Vec<usize> = pages.iter().map(|page| page.position).collect();
        assert_eq!(positions, [0, 7, 14, 21, 28], "{sort}");
        let mut back = pages.pop().unwrap();
        while let Some(earlier) = pages.pop() {
            let cursor = Some(back.previous.clone().unwrap());
            back = found(center, &SearchRequest { cursor, ..wanted.clone() });
            assert_eq!((ids(&back), back.position), (ids(&earlier), earlier.position), "{sort}");
            assert!(back.next.is_some());
        }
        assert_eq!(back.previous, None, "{sort}");
    }
}

#[test]
fn a_row_of_mail_that_was_taken_over_says_what_became_of_it() {
    let gateway = filled();
    let page = found(&gateway.center, &SearchRequest { view: View::Accepted, ..request("") });
    for row in &page.rows {
        assert_eq!(row.became.as_deref(), Some("delivered"));
        assert_eq!(row.became_at, Some(row.time + Duration::from_secs(30)));
        assert_eq!((row.size, row.node.as_str()), (Some(1_234), "mx1"));
    }
}

#[test]
fn references_open_and_are_searched_within_queries() {
    let gateway = filled();
    let reference = event_id(3).reference();
    let page = found(&gateway.center, &request(&format!("[ref {reference}]")));
    assert!(page.opened && page.rows.len() == 1 && page.rows[0].id == event_id(3));
    let page = found(&gateway.center, &request(&format!("ref:{reference} is:rejected")));
    assert!(!page.opened && page.rows.len() == 1);
    let life = page.rows[0].life.reference();
    assert_eq!(found(&gateway.center, &request(&format!("life:{life}"))).rows.len(), 1);
    assert!(found(&gateway.center, &request("ref:7K2M4QX9B0TA is:rejected")).rows.is_empty());
}

#[test]
fn completion_proposes_values_of_the_present_result_with_counts() {
    let gateway = filled();
    let complete = |query: &str| {
        let request = request(query);
        let done = gateway.center.complete(&root(), &request, query.len()).unwrap();
        done.items.into_iter().map(|item| (item.insert, item.count)).collect::<Vec<_>>()
    };
    assert_eq!(complete("is:rejected type:rec")[0], ("recipient.unknown".to_owned(), Some(10)));
    assert_eq!(complete("is:rejected type:gre")[0].1, None, "none of them is rejected");
    assert_eq!(complete("from:an"), [("ann@sender.example".to_owned(), Some(30))]);
    assert_eq!(complete("code:"), [("451".to_owned(), Some(10)), ("550".to_owned(), Some(10))]);
    assert_eq!(complete("( is:x from:an").len(), 1, "the rest need not be right yet");
    assert_eq!(complete("tls:")[0].0, "1.2");
    assert_eq!(complete("subj")[0].0, "subject:");
}

#[test]
fn an_empty_list_says_what_to_do() {
    let empty = Gateway::new(at(0));
    assert_eq!(empty.center.hints(&root(), &request("x")).unwrap(), [Hint::NothingYet]);
    let gateway = filled();
    let center = &gateway.center;
    let wanted =
        SearchRequest { from: "now-1m".to_owned(), ..request("is:rejected type:greylist") };
    let hints = center.hints(&root(), &wanted).unwrap();
    assert!(!hints.iter().any(|hint| matches!(hint, Hint::Wider { .. })), "{hints:?}");
    let wanted = SearchRequest { from: String::new(), ..wanted };
    let hints = center.hints(&root(), &wanted).unwrap();
    let without: Vec<(&str, u64)> = hints
        .iter()
        .filter_map(|hint| match hint {
            Hint::Without { query, count, .. } => Some((query.as_str(), count.count)),
            _ => None,
        })
        .collect();
    assert_eq!(without, [("type:greylist", 10), ("is:rejected", 10)]);
    let wanted = SearchRequest { to: "now-1h".to_owned(), ..request("") };
    let hints = center.hints(&root(), &wanted).unwrap();
    assert!(
        matches!(&hints[0], Hint::Wider { from, count, .. } if from == "now-24h" && count.count == 30),
        "{hints:?}"
    );
    let old = SearchRequest { from: "2026-11-01".into(), to: "2026-11-03".into(), ..request("") };
    let hints = center.hints(&root(), &old).unwrap();
    assert!(
        matches!(&hints[0], Hint::Beyond(beyond) if beyond.kept_days == 7 && beyond.wholly),
        "{hints:?}"
    );
    let week = SearchRequest { from: "now-7d".into(), ..request("") };
    assert_eq!(found(center, &week).beyond, None, "exactly what is kept");
    let part = SearchRequest { to: String::new(), ..old };
    let beyond = found(center, &part).beyond.expect("a part of it is older");
    assert!(!beyond.wholly, "the rest can be searched");
    let other = SearchRequest { view: View::Bounced, ..request("is:rejected") };
    let hints = center.hints(&root(), &other).unwrap();
    assert!(hints.iter().any(|hint| matches!(hint, Hint::OtherView { view: View::All, .. })));
}

#[test]
fn a_search_for_a_subject_says_that_mail_without_content_has_none() {
    let gateway = filled();
    let center = &gateway.center;
    let early = (40..45).map(|number| {
        let event = sample(number, Reason::GreylistFirstSeen);
        let subject = Subject { message: None, ..event.subject.clone() };
        Event { at: at(1_200), subject, ..event }
    });
    center.memory.of_house().record(early.collect()).unwrap();
    let of = |query: &str| {
        let hints = center.hints(&root(), &request(query)).unwrap();
        hints.into_iter().find_map(|hint| match hint {
            Hint::NoSubject { query, count } => Some((query, count.count)),
            _ => None,
        })
    };
    let no_subject = "-subject:* is:deferred,rejected".to_owned();
    assert_eq!(of("offer-nobody-made"), Some((no_subject.clone(), 5)));
    assert_eq!(of("subject:offer-nobody-made"), Some((no_subject.clone(), 5)));
    let to = "to:bob@corp.example offer-nobody-made";
    assert_eq!(of(to), Some((format!("to:bob@corp.example {no_subject}"), 5)));
    assert_eq!(of("to:nobody@elsewhere.example offer-nobody-made"), None, "none of these either");
    for other in ["to:nobody@elsewhere.example", "ip:198.51.100.9", "-subject:offer code:221"] {
        assert_eq!(of(other), None, "{other} asks for no subject");
    }
}

#[test]
fn a_wrong_request_is_told_and_a_caller_without_permission_learns_nothing() {
    let gateway = filled();
    let center = &gateway.center;
    let zone = SearchRequest { zone: "Europe/Atlantis".into(), ..request("") };
    let time = SearchRequest { from: "soon".into(), to: "later".into(), ..request("") };
    assert!(matches!(center.search(&root(), &request("a:b")), Err(CenterError::Query(_))));
    for (wrong, objects) in [(zone, vec!["zone"]), (time, vec!["from", "to"])] {
        let Err(CenterError::Invalid { problems }) = center.search(&root(), &wrong) else {
            panic!("{wrong:?}")
        };
        let told: Vec<_> = problems.iter().filter_map(|problem| problem.object.clone()).collect();
        assert_eq!(told, objects);
    }
    let nobody = Caller { permissions: Permissions::NONE, ..root() };
    let request = request("");
    let denied = |result: Result<(), CenterError>| {
        assert!(matches!(result, Err(CenterError::Denied { permission: Permission::SeeMetadata })));
    };
    denied(center.search(&nobody, &request).map(drop));
    denied(center.count(&nobody, &request).map(drop));
    denied(center.view_counts(&nobody, &request).map(drop));
    denied(center.histogram(&nobody, &request, 0).map(drop));
    denied(center.facets(&nobody, &request).map(drop));
    denied(center.complete(&nobody, &request, 0).map(drop));
    denied(center.hints(&nobody, &request).map(drop));
    denied(center.beside(&nobody, &request, event_id(0)).map(drop));
    denied(center.saved_views(&nobody).map(drop));
    denied(center.overview(&nobody, OverviewSpan::Day, "").map(drop));
}

#[test]
fn saved_views_are_kept_shared_and_only_changed_by_their_owner() {
    let gateway = filled();
    let state = SqliteViews::open(&gateway.logs().with_file_name("views.db")).unwrap();
    let center = gateway.another_process().with_saved_views(Arc::new(state));
    let (ann, bea) = (Caller::with_all("ann"), Caller::read_only("bea"));
    let new = |name: &str, query: &str, shared| NewView {
        name: name.to_owned(),
        shared,
        request: SearchRequest { from: "now-24h".into(), ..request(query) },
    };
    let kept = center.save_view(&ann, &new(" Spam ", "type:spam", true)).unwrap();
    assert_eq!((kept.name.as_str(), kept.mine, kept.shared), ("Spam", true, true));
    let private = center.save_view(&ann, &new("Mine", "", false)).unwrap();
    let seen: Vec<u64> = center.saved_views(&bea).unwrap().iter().map(|view| view.id).collect();
    assert_eq!(seen, [kept.id]);
    assert_eq!(center.saved_view(&bea, kept.id).unwrap().request.query, "type:spam");
    assert!(matches!(center.saved_view(&bea, private.id), Err(CenterError::NotFound(_))));
    assert!(matches!(center.remove_view(&bea, kept.id), Err(CenterError::NotFound(_))));
    let again = center.save_view(&ann, &new("Spam", "type:rbl", false)).unwrap();
    assert_eq!((again.id, again.request.query.as_str()), (kept.id, "type:rbl"));
    assert!(center.save_view(&ann, &new("", "", false)).is_err());
    assert!(center.save_view(&ann, &new("x", "a:b", false)).is_err());
    center.remove_view(&ann, kept.id).unwrap();
    assert_eq!(center.saved_views(&ann).unwrap().len(), 1);
}

#[test]
fn the_overview_counts_what_its_links_show() {
    let gateway = filled();
    let center = &gateway.center;
    let overview = center.overview(&root(), OverviewSpan::Day, "Europe/Berlin").unwrap();
    assert_eq!(overview.refused.len(), 1);
    assert_eq!((overview.refused[0].now.count, overview.refused[0].week_before), (10, None));
    assert_eq!(overview.greylist.first_contacts, 10);
    assert_eq!(overview.now.last_accepted, Some(at(60 * 29)));
    let mut figures: Vec<(u64, crate::overview::ListLink)> =
        vec![(overview.refused[0].now.count, overview.refused[0].now.link.clone())];
    let greylist = &overview.greylist;
    let numbers = [
        greylist.first_contacts,
        greylist.came_back,
        greylist.delivered,
        greylist.never_returned,
        greylist.waiting,
    ];
    figures.extend(numbers.into_iter().zip(greylist.links.iter().cloned()));
    for list in &overview.top {
        figures.extend(list.rows.iter().map(|row| (row.figure.count, row.figure.link.clone())));
    }
    assert!(figures.len() > 8);
    for (count, link) in figures {
        let found = center.count(&root(), &link.request()).unwrap();
        assert_eq!(found.count, count, "{link:?}");
    }
    let flow: u64 = overview.flow.series.iter().map(|series| series.sum).sum();
    assert_eq!(flow, 30);
    let texts: Vec<&str> = overview.attention.iter().map(|one| one.text.as_str()).collect();
    // What the test gateway is made to lack, and nothing else.
    assert_eq!(
        texts,
        [
            "next_hops does not work.",
            "1 attempt could not be recorded since the start; its sender was asked to come back.",
        ]
    );
}

#[test]
fn a_silence_and_a_jump_are_noticed() {
    let day_s = 86_400;
    let gateway = Gateway::new(at(2 * day_s));
    let mut events: Vec<Event> = (0..1_400)
        .map(|number| Event {
            at: at(number as i64 * 120),
            ..sample(number, Reason::RecipientUnknown)
        })
        .collect();
    events.extend((2_000..2_100).map(|number| Event {
        at: at(2 * day_s - 5_000 + number as i64),
        ..sample(number, Reason::RelayDenied)
    }));
    gateway.center.memory.of_house().record(events).unwrap();
    let attention = gateway.center.overview_attention(&root()).unwrap();
    let texts: Vec<&str> = attention.iter().map(|one| one.text.as_str()).collect();
    assert!(texts.iter().any(|text| text.starts_with("Nothing has arrived for")), "{texts:?}");
    assert!(texts.contains(&"Relaying Denied: 100 in the last hour, usually 0."), "{texts:?}");
    let link = attention.iter().find_map(|one| one.link.clone()).unwrap();
    assert_eq!(gateway.center.count(&root(), &link.request()).unwrap().count, 100);
}

#[test]
fn the_neighbours_of_a_row_are_those_of_its_list() {
    let gateway = filled();
    let center = &gateway.center;
    for sort in ["-time", "code", "-ip"] {
        let wanted = SearchRequest {
            sort: sort.parse().unwrap(),
            rows_max: 100,
            ..SearchRequest::default()
        };
        let rows = found(center, &wanted).rows;
        for place in [0, 1, 9, 10, 20, 29] {
            let beside = center.beside(&root(), &wanted, rows[place].id).unwrap();
            let before = place.checked_sub(1).map(|place| rows[place].id);
            assert_eq!(beside.previous, before, "{sort} {place}");
            assert_eq!(beside.next, rows.get(place + 1).map(|row| row.id), "{sort} {place}");
        }
    }
}

#[test]
fn a_scope_has_the_times_of_request_and_query() {
    let gateway = filled();
    let scope = |from: &str, query: &str| {
        let request =
            SearchRequest { from: from.into(), zone: "Europe/Berlin".into(), ..request(query) };
        gateway.center.seen_by(&root()).scope(&request).unwrap().times
    };
    let start: Timestamp = "2026-11-20T23:00:00Z".parse().unwrap();
    assert_eq!(scope("today", "").start, start);
    assert_eq!(scope("today", "after:2026-11-21T11:05").start, at(300));
    assert_eq!(scope("2026-11-21T11:05", "time:today").start, at(300));
}

#[test]
fn what_an_observed_policy_would_have_decided_is_found_by_outcome_reason_and_policy() {
    let gateway = Gateway::new(at(60));
    let mut event = sample(1, Reason::Accepted);
    let by = types::PolicyRef::Policy { id: types::PolicyId(3), version: 2 };
    let reason = Reason::BlockedPolicyEnvelope;
    event.record.would = Some(types::Decision::new(reason, types::CheckName::Senders).by(by));
    let events = vec![event, sample(2, Reason::Accepted), sample(3, reason)];
    gateway.center.memory.of_house().record(events).unwrap();
    for (query, count) in [
        ("would:reject", 1),
        ("would:rejected", 1),
        ("would:blocked", 1),
        ("would:blocked.policy.envelope", 1),
        ("would:#3", 1),
        ("would:* is:accepted", 1),
        ("would:defer", 0),
        ("would:#4", 0),
        ("would:blocked.pol", 0),
        ("-would:*", 2),
    ] {
        assert_eq!(gateway.center.count(&root(), &request(query)).unwrap().count, count, "{query}");
    }
}
