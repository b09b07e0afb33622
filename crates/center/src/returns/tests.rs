//! Counting, over a real event log whose clock is ours.

use std::sync::Arc;

use types::event::FollowUp;
use types::finding::{TripletFacts, TripletState};
use types::policy::ClientIdentity;
use types::{
    Caller, CheckName, Decision, Detail, Event, EventKind, Finding, ForwardPath, Micros, Observed,
    Outcome, ReversePath, Source, Stage,
};

use super::*;
use crate::tests::{Gateway, at, sample};

fn root() -> Caller {
    Caller::with_all("root")
}

/// The attempt `number` that came back after so many seconds; `story` is
/// `from@sender.example to@corp.example 192.0.2.1`.
pub(crate) fn returned(number: u64, story: &str, began_s: i64, after_s: i64) -> Event {
    let event = of(sample(number, Reason::Accepted), story, began_s + after_s);
    with_triplet(event, TripletState::Passed, began_s)
}

/// The attempt `number`, which was asked to come back after a minute.
fn asked_back(number: u64, story: &str, began_s: i64) -> Event {
    let reason = Reason::GreylistFirstSeen;
    let detail = Detail::RetryIn { seconds: 60 };
    let decision = Decision { detail, ..Decision::new(reason, CheckName::Greylist) };
    let mut event = of(sample(number, reason), story, began_s);
    event.kind = EventKind::Attempt(Outcome::Deferred(decision));
    with_triplet(event, TripletState::FirstSeen, began_s)
}

fn with_triplet(mut event: Event, state: TripletState, began_s: i64) -> Event {
    let observed = Observed::Triplet(TripletFacts {
        identity: ClientIdentity::Network,
        client: "192.0.2.0/24".into(),
        sender: "ann@sender.example".into(),
        state,
        life_line: event.life_line,
        first_seen: at(began_s),
        first_event: event.id,
        attempts: 2,
        let_in: false,
        no_pool: None,
    });
    let finding = Finding {
        check: CheckName::Greylist,
        stage: Stage::Rcpt,
        observed,
        source: Source::Memory,
        took: Micros(7),
    };
    event.record.evidence = [finding].into_iter().collect();
    event
}

/// The end of a window to which nobody came back.
fn never(number: u64, story: &str, closed_s: i64) -> Event {
    let mut event = of(sample(number, Reason::GreylistFirstSeen), story, closed_s);
    let what = FollowUp::GreylistExpired { attempts: 1 };
    event.kind = EventKind::FollowUp { of: event.id, what };
    event
}

fn of(event: Event, story: &str, seconds: i64) -> Event {
    let mut words = story.split(' ');
    let from = words.next().unwrap().parse().map_or(ReversePath::Null, ReversePath::Address);
    let to = ForwardPath::Address(words.next().unwrap().parse().unwrap());
    let mut event = Event { at: at(seconds), started: at(seconds), ..event };
    event.subject.reverse_path = Some(Arc::new(from));
    event.subject.recipient = Some(to);
    Arc::make_mut(&mut event.subject.client).client.ip = words.next().unwrap().parse().unwrap();
    event
}

const SHOP: &str = "news@shop.example ann@corp.example 198.51.100.7";

/// A gateway two hours later, with 30 mails of a shop that came back after
/// six to fifteen minutes, one of a stranger that did to another domain of
/// ours, and one that did not.
fn counted() -> Gateway {
    let gateway = Gateway::new(at(7_300));
    let mut events: Vec<Event> =
        (1..=30).map(|n| returned(n, SHOP, 0, 350 + 18 * n as i64)).collect();
    events.push(returned(31, "eve@one.example bob@other.example 203.0.113.9", 0, 90));
    events.push(never(32, "bot@flood.example bob@corp.example 203.0.113.66", 60));
    // Of the hour that is not over yet.
    events.push(returned(33, SHOP, 7_000, 90));
    gateway.center.memory.of_house().record(events).unwrap();
    gateway.center.keep_returns().unwrap();
    gateway
}

fn told(delays: &GreylistDelays) -> Vec<String> {
    let row = |row: &DelayRow| {
        format!(
            "{}: {} back, {} never, {} / {}",
            row.domain, row.returned, row.never, row.p50, row.p95
        )
    };
    delays.rows.iter().map(row).collect()
}

#[test]
fn delays_are_told_by_sender_domain_from_hours_that_are_over() {
    let gateway = counted();
    let delays = gateway.center.greylist_delays(&root(), 7, 0).unwrap();
    assert_eq!(
        told(&delays),
        [
            "shop.example: 30 back, 0 never, 12 min / 15 min",
            "one.example: 1 back, 0 never, 1 min 30 s / 1 min 30 s",
            "flood.example: 0 back, 1 never, - / -",
        ]
    );
    assert_eq!((delays.from, delays.to), (Some(at(0)), Some(at(3_600))));
    let suggested = delays.rows[0].suggestion.as_ref().unwrap();
    let text = "All 30 mails of shop.example came back; consider \u{201c}no action\u{201d} for it.";
    assert_eq!((&*suggested.text, &*suggested.domain), (text, "shop.example"));
    assert!(delays.rows[1..].iter().all(|row| row.suggestion.is_none()));
    let first = gateway.center.greylist_delays(&root(), 0, 1).unwrap();
    assert_eq!((first.rows.len(), first.more), (1, 2));
}

#[test]
fn what_was_counted_is_kept_and_no_hour_is_counted_twice() {
    let gateway = counted();
    let before = gateway.center.greylist_delays(&root(), 7, 0).unwrap();
    gateway.center.keep_returns().unwrap();
    assert_eq!(gateway.center.greylist_delays(&root(), 7, 0).unwrap(), before);
    let again = gateway.another_process();
    assert_eq!(again.greylist_delays(&root(), 7, 0).unwrap(), before);
    again.keep_returns().unwrap();
    assert_eq!(again.greylist_delays(&root(), 7, 0).unwrap(), before);
}

#[test]
fn whoever_sees_some_domains_is_told_of_their_mail_alone() {
    let gateway = counted();
    let some = Sight::of(vec!["other.example".parse().unwrap()]).unwrap();
    let caller = root().seeing(some);
    let delays = gateway.center.greylist_delays(&caller, 7, 0).unwrap();
    assert_eq!(told(&delays), ["one.example: 1 back, 0 never, 1 min 30 s / 1 min 30 s"]);
    let event = of(sample(1, Reason::GreylistFirstSeen), SHOP, 7_290);
    let seen = |caller: &Caller| gateway.center.seen_by(caller).return_prior(&event).unwrap();
    assert_eq!((seen(&caller).returned, seen(&caller).usual_from_s), (1, None));
    assert_eq!(seen(&root()).returned, 30);
}

#[test]
fn an_estimate_comes_from_the_nearest_of_which_enough_is_known() {
    let gateway = counted();
    let prior = |story: &str| {
        let event = of(sample(1, Reason::GreylistFirstSeen), story, 7_290);
        gateway.center.seen_by(&root()).return_prior(&event).unwrap()
    };
    let by_network = prior("somebody@new.example ann@corp.example 198.51.100.200");
    assert_eq!(
        by_network.text,
        "Servers of 198.51.100.0/24 usually return after 6\u{2013}15 minutes (from 30 returns in \
         30 days; none stayed away)."
    );
    let by_domain = prior("other@shop.example ann@corp.example 192.0.2.1");
    assert_eq!(by_domain.like, "Servers that send for shop.example");
    let of_all = prior("other@new.example ann@corp.example 192.0.2.1");
    assert_eq!((&*of_all.like, of_all.returned, of_all.never), ("Servers of all senders", 31, 1));
    let nothing = Gateway::new(at(0));
    let event = of(sample(1, Reason::GreylistFirstSeen), SHOP, 0);
    let unknown = nothing.center.seen_by(&root()).return_prior(&event).unwrap();
    assert!(unknown.text.starts_with("How soon it comes back cannot be said"), "{}", unknown.text);
    assert_eq!((unknown.returned, unknown.usual_to_s), (0, None));
}

#[test]
fn rows_say_who_came_back_and_when_the_others_are_expected() {
    let gateway = counted();
    let stranger = "eve@new.example ann@corp.example 192.0.2.1";
    let back = asked_back(40, SHOP, 6_000);
    let after = Event { life_line: back.life_line, ..returned(45, SHOP, 6_000, 90) };
    let events = [
        back,
        after,
        asked_back(41, SHOP, 7_290),
        asked_back(42, SHOP, 5_000),
        asked_back(43, stranger, 7_200),
        asked_back(44, SHOP, 7_200 - 13 * 3_600),
    ];
    gateway.center.memory.of_house().record(events.to_vec()).unwrap();
    let returns = |caller: &Caller, number: u64| {
        let life = sample(number, Reason::Accepted).life_line;
        let query = format!("is:deferred life:{life}");
        let request = crate::SearchRequest { query, ..Default::default() };
        let page = gateway.center.search(caller, &request).unwrap();
        page.rows.first().and_then(|row| row.returns.clone()).map(|told| (told.state, told.text))
    };
    let told = |state, text: &str| Some((state, text.to_owned()));
    use ReturnState::*;
    assert_eq!(returns(&root(), 40), told(CameBack, "came back after 1 min 30 s"));
    let not_yet = "usually back after 6\u{2013}15 minutes; not yet";
    assert_eq!(returns(&root(), 41), told(Expected, not_yet));
    assert_eq!(returns(&root(), 42), told(Late, "late: usually back after 6\u{2013}15 minutes"));
    let of_all = returns(&root(), 43).unwrap().1;
    assert!(of_all.starts_with("usually back after"), "{of_all}");
    assert_eq!(returns(&root(), 44), told(Never, "not back in time"));
    let some = Sight::of(vec!["corp.example".parse().unwrap()]).unwrap();
    assert_eq!(returns(&root().seeing(some), 41), told(Expected, not_yet));
    let nothing_counted = gateway.center.counted_days().unwrap().take();
    *gateway.center.counted_days().unwrap() = Some(Days::new());
    assert_eq!(returns(&root(), 41), told(Unknown, "not back yet; how soon is unknown"));
    *gateway.center.counted_days().unwrap() = nothing_counted;
}

#[test]
fn a_flood_that_never_comes_back_leaves_room_for_those_who_do() {
    let mut day = Day::default();
    for number in 0..3 * COUNTS_MAX {
        let of = Of::Domain(format!("{number}.example"));
        if day.place(&of, "", true).is_none() {
            day.leave_out(&of, true);
        }
    }
    assert_eq!((day.counts.len(), day.left_out), (NEVER_MAX, (3 * COUNTS_MAX - NEVER_MAX) as u64));
    for number in 0..COUNTS_MAX {
        day.place(&Of::Domain(format!("real{number}.example")), "", false);
    }
    assert_eq!(day.counts.len(), COUNTS_MAX);
    assert!(day.place(&Of::Domain("real0.example".to_owned()), "", false).is_some());
}

#[test]
fn many_who_come_back_leave_room_for_those_who_never_do() {
    let mut day = Day::default();
    for number in 0..2 * COUNTS_MAX {
        day.place(&Of::Domain(format!("real{number}.example")), "", false);
    }
    assert_eq!(day.counts.len(), COUNTS_MAX - NEVER_MAX);
    let bot = || Of::Domain("bot.example".to_owned());
    day.place(&bot(), "", true).unwrap().add_never();
    assert_eq!(day.began_never, 1);
    let kept = serde_json::to_string(&StoredDay::of(&day)).unwrap();
    let mut again = serde_json::from_str::<StoredDay>(&kept).unwrap().read();
    assert_eq!(again, day);
    assert!(again.place(&bot(), "", true).is_some_and(|waits| waits.never() == 1));
}

#[test]
fn of_whom_something_was_left_out_is_not_said_to_always_come_back() {
    let gateway = counted();
    let leave_out = |of: Of, never| {
        let mut counted = gateway.center.counted_days().unwrap();
        counted.as_mut().unwrap().values_mut().for_each(|day| day.leave_out(&of, never));
    };
    let suggests = || {
        let delays = gateway.center.greylist_delays(&root(), 7, 0).unwrap();
        assert_eq!((delays.rows[0].returned, delays.rows[0].never), (30, 0));
        (delays.left_out, delays.rows[0].suggestion.is_some())
    };
    let prior = || {
        let event = of(sample(1, Reason::GreylistFirstSeen), SHOP, 7_290);
        gateway.center.seen_by(&root()).return_prior(&event).unwrap().text
    };
    // What a stranger puts there, and what came back, is nobody else's loss.
    leave_out(Of::Domain("bot.example".to_owned()), true);
    leave_out(Of::Domain("shop.example".to_owned()), false);
    assert_eq!(suggests(), (2, true));
    leave_out(Of::Domain("shop.example".to_owned()), true);
    assert_eq!(suggests(), (3, false));
    assert!(prior().ends_with("none stayed away)."), "{}", prior());
    leave_out(Of::Network("198.51.100.0/24".to_owned()), true);
    assert!(prior().ends_with("(from 30 returns in 30 days)."), "{}", prior());
}

#[test]
fn a_day_that_did_not_note_who_was_left_out_speaks_for_nobody() {
    let day = |text: &str| serde_json::from_str::<StoredDay>(text).unwrap().read();
    let old = day(r#"{"hours": 1, "counts": [], "left_out": 1}"#);
    assert!(old.stayed_away.may_have("shop.example"));
    let old = day(r#"{"hours": 1, "counts": [], "left_out": 0}"#);
    assert!(!old.stayed_away.may_have("shop.example"));
    let mut new = Day::default();
    new.leave_out(&Of::Domain("slow.example".to_owned()), false);
    assert_eq!(day(&serde_json::to_string(&StoredDay::of(&new)).unwrap()), new);
}

#[test]
fn a_clock_that_is_ahead_for_a_while_costs_nothing() {
    let gateway = counted();
    let before = gateway.center.counted_days().unwrap().clone().unwrap();
    gateway.advance(HOUR + DAY * 400);
    gateway.center.keep_returns().unwrap();
    assert_eq!(gateway.center.counted_days().unwrap().clone().unwrap(), before);
    // Mail that came meanwhile costs the oldest day, no more.
    let (first, further) =
        before.iter().next().map(|(day, counts)| (*day, counts.clone())).unwrap();
    gateway.center.counted_days().unwrap().as_mut().unwrap().insert(first + 1, further);
    let event = returned(40, SHOP, 400 * 86_400, 90);
    gateway.center.memory.of_house().record(vec![event]).unwrap();
    gateway.center.keep_returns().unwrap();
    let counted = gateway.center.counted_days().unwrap();
    let days: Vec<i64> = counted.as_ref().unwrap().keys().copied().collect();
    assert_eq!((days.first(), days.last()), (Some(&(first + 1)), Some(&(first + 400))));
}

#[test]
fn a_clock_that_was_ahead_costs_nothing_once_it_is_set_back() {
    let gateway = counted();
    let center = &gateway.center;
    let today = day_of(at(0));
    let real: Vec<i64> = (today - 5..=today).collect();
    let ahead = today + 400;
    {
        let mut counted = center.counted_days().unwrap();
        let days = counted.as_mut().unwrap();
        for number in real.iter().copied().chain([today + 3, ahead]) {
            days.entry(number).or_default();
        }
    }
    center.parts.policies.set_fact(&fact_of(ahead), Some("{}")).unwrap();
    for minute in 0..40 {
        center.keep_returns().unwrap();
        // An hour is over, and is counted, now and then.
        if minute % 8 == 0 {
            gateway.advance(HOUR);
            let event = returned(50 + minute, SHOP, 3_600 * (minute as i64 / 8 + 3), 90);
            center.memory.of_house().record(vec![event]).unwrap();
        }
    }
    let counted = center.counted_days().unwrap();
    let days: Vec<i64> = counted.as_ref().unwrap().keys().copied().collect();
    assert_eq!(days, real);
    assert_eq!(center.parts.policies.fact(&fact_of(ahead)).unwrap(), None);
}

#[test]
fn while_the_clock_is_ahead_it_costs_one_day_however_often_it_is_called() {
    let gateway = counted();
    let today = day_of(at(0));
    for number in today - 5..today {
        let mut counted = gateway.center.counted_days().unwrap();
        counted.as_mut().unwrap().insert(number, Day::default());
    }
    gateway.advance(HOUR + DAY * 400);
    let event = returned(40, SHOP, 400 * 86_400, 90);
    gateway.center.memory.of_house().record(vec![event]).unwrap();
    (0..40).for_each(|_| gateway.center.keep_returns().unwrap());
    let counted = gateway.center.counted_days().unwrap();
    let days: Vec<i64> = counted.as_ref().unwrap().keys().copied().collect();
    assert_eq!((days.first(), days.last()), (Some(&(today - 4)), Some(&(today + 400))));
}

#[test]
fn days_that_are_too_old_are_forgotten() {
    let gateway = counted();
    let fact = fact_of(day_of(at(0)));
    let kept = gateway.center.parts.policies.fact(&fact).unwrap();
    let later = Gateway::new(at(30 * 86_400));
    later.center.parts.policies.set_fact(&fact, kept.as_deref()).unwrap();
    let event = returned(1, SHOP, 30 * 86_400 - 7_200, 90);
    later.center.memory.of_house().record(vec![event]).unwrap();
    later.center.keep_returns().unwrap();
    assert_eq!(later.center.parts.policies.fact(&fact).unwrap(), None);
    let delays = later.center.greylist_delays(&root(), 0, 0).unwrap();
    assert_eq!(told(&delays), ["shop.example: 1 back, 0 never, 1 min 30 s / 1 min 30 s"]);
}
