//! Following along: nothing is left out, whatever happens meanwhile.

use std::collections::HashSet;

use super::*;
use crate::search::{EventSearch, FollowPosition};

/// Follows to the end; the identifiers and whether some may have repeated.
fn follow(index: &EventIndex, position: &mut FollowPosition, most: usize) -> (Vec<Event>, bool) {
    let mut events = Vec::new();
    let mut repeated = false;
    loop {
        let found = index.follow(&Filter::Everything, position, most).unwrap();
        events.extend(found.events);
        repeated |= found.repeated;
        // What a client keeps and sends back is the text.
        *position = found.position.to_string().parse().unwrap();
        if !found.more {
            return (events, repeated);
        }
    }
}

#[test]
fn a_follower_gets_every_event_once_in_the_order_of_arrival() {
    let events = events(0..300, start(), Duration::from_millis(500));
    let index = open(&SimulatedDisk::new());
    index.push(Position(1), Arc::new(events[0].clone()));
    let mut position = index.now_at();
    let mut seen = Vec::new();
    for (n, pair) in events[1..].chunks(2).enumerate() {
        // The later of two arrives first.
        for event in pair.iter().rev() {
            index.push(Position(1), Arc::new(event.clone()));
        }
        if n % 7 == 0 {
            index.seal(SealWhat::All, start()).unwrap();
        }
        let (some, repeated) = follow(&index, &mut position, 1);
        assert!(!repeated);
        seen.extend(some);
    }
    let expected: Vec<_> = events[1..].chunks(2).flat_map(|pair| pair.iter().rev()).collect();
    assert_eq!(seen.iter().collect::<Vec<_>>(), expected);
    let filter = Filter::Outcome(OutcomeKind::Rejected);
    let at = FollowPosition { at: events[0].at, id: Some(events[0].id), by_time: false };
    let found = index.follow(&filter, &at, 1_000).unwrap();
    let rejected = expected.iter().filter(|e| naive::matches(&filter, e, &[])).copied();
    assert_eq!(found.events.iter().collect::<Vec<_>>(), rejected.collect::<Vec<_>>());
    assert_eq!(found.position, index.now_at(), "what does not match is passed over");
}

#[test]
fn who_was_away_for_long_misses_nothing_and_knows_what_may_repeat() {
    let events = events(0..12_000, start(), Duration::from_millis(100));
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    push_all(&index, &events[..2_000]);
    let (last, seen) = (&events[1_900], &events[..1_900]);
    let mut position = FollowPosition { at: last.at, id: Some(last.id), by_time: false };
    push_all(&index, &events[2_000..7_000]);
    index.seal(SealWhat::All, start()).unwrap();
    push_all(&index, &events[7_000..]);
    let (found, repeated) = follow(&index, &mut position, 700);
    assert!(repeated, "it is beyond what is kept in order of arrival");
    let ids: HashSet<_> = found.iter().map(|event| event.id).collect();
    assert!(events[1_900..].iter().all(|event| ids.contains(&event.id)));
    assert!(found.len() < events.len() - seen.len() + 1_000, "{} of them", found.len());
    let (rest, repeated) = follow(&index, &mut position, 700);
    assert!(rest.is_empty() && !repeated);

    // After a restart with everything sealed, and one more event.
    index.seal(SealWhat::All, start()).unwrap();
    let again = open(&disk);
    let more = synthetic::event(77_777, events[11_999].at + Duration::from_secs(1));
    let (found, _) = follow(&again, &mut position.clone(), 700);
    assert!(found.len() <= 301, "the margin only: {}", found.len());
    again.push(Position(u64::MAX), Arc::new(more.clone()));
    let (found, _) = follow(&again, &mut position, 700);
    assert!(found.contains(&more));
    let (rest, _) = follow(&again, &mut position, 700);
    assert!(rest.is_empty());
}

#[test]
fn a_position_before_all_that_is_kept_is_too_old() {
    let events = events(0..40, start(), Duration::from_secs(900));
    let index = open(&SimulatedDisk::new());
    for event in &events {
        index.push(Position(1), Arc::new(event.clone()));
        index.seal(SealWhat::Due, event.at).unwrap();
    }
    let first = FollowPosition { at: events[0].at, id: Some(events[0].id), by_time: false };
    assert!(!index.follow(&Filter::Everything, &first, 10).unwrap().too_old);
    let id = Some(synthetic::event(99_999, start()).id);
    let gone = FollowPosition { at: start().before(HOUR), id, by_time: true };
    assert!(index.follow(&Filter::Everything, &gone, 10).unwrap().too_old);
}

#[test]
fn an_empty_store_can_be_followed() {
    let index = open(&SimulatedDisk::new());
    let mut position = index.now_at();
    assert!(follow(&index, &mut position, 10).0.is_empty());
    let event = synthetic::event(1, start());
    index.push(Position(1), Arc::new(event.clone()));
    assert_eq!(follow(&index, &mut position, 10).0, [event]);
}

#[test]
fn several_filters_are_answered_from_one_look_as_each_is_alone() {
    let events = events(0..2_500, start(), Duration::from_millis(40));
    let index = open(&SimulatedDisk::new());
    push_all(&index, &events);
    let after = FollowPosition { at: events[9].at, id: Some(events[9].id), by_time: false };
    let filters =
        [Filter::Everything, Filter::Outcome(OutcomeKind::Rejected), Filter::Reason(Vec::new())];
    let each = index.follow_each(&filters, &after, 10_000).unwrap();
    assert!(!each.more && each.events.len() == 2_490);
    for (filter, places) in filters.iter().zip(&each.matching) {
        let alone = index.follow(filter, &after, 10_000).unwrap();
        let found: Vec<_> = places.iter().map(|&place| (*each.events[place]).clone()).collect();
        assert_eq!(found, alone.events);
        assert_eq!(each.position, alone.position);
    }
    let first = index.follow_each(&filters, &after, 10).unwrap();
    assert!(first.more && first.matching[0] == (0..10).collect::<Vec<_>>());
}
