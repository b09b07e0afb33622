//! Following along: nothing is left out, whatever happens meanwhile.

use std::collections::HashSet;

use types::EventId;

use super::*;
use crate::search::{Arrival, EventSearch, FollowPosition};

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

/// What a look from `after` hands over, for each filter by time, and where
/// it is then. It is looked at the time of event `now`.
fn look(
    index: &EventIndex,
    filters: &[Filter],
    after: &mut Arrival,
    now: &Event,
) -> Vec<Vec<EventId>> {
    let mut found = vec![Vec::new(); filters.len()];
    let mut last = vec![Timestamp::EPOCH; filters.len()];
    let arrival = index.follow_each(filters, after, now.at, &mut |place, at, id| {
        assert!(at >= last[place], "by time");
        last[place] = at;
        found[place].push(id);
        ControlFlow::Continue(())
    });
    *after = arrival.unwrap();
    found
}

fn ids<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<EventId> {
    events.into_iter().map(|event| event.id).collect()
}

#[test]
fn who_looks_again_and_again_gets_from_the_columns_what_is_new() {
    let events = events(0..6_000, start(), Duration::from_millis(40));
    let index = open(&SimulatedDisk::new());
    let filters =
        [Filter::Everything, Filter::Outcome(OutcomeKind::Rejected), Filter::Reason(Vec::new())];
    let mut after = index.arrived(start());
    let mut looked = 0;
    for (number, event) in events.iter().enumerate() {
        index.push(Position(number as u64 + 1), Arc::new(event.clone()));
        // Across chunks, in the middle of one, and nothing at all.
        if [10, 10, 700, 1_023, 1_024, 1_900, 5_000, 5_999].contains(&number) {
            let new = &events[looked..=number];
            let found = look(&index, &filters, &mut after, event);
            assert_eq!(found[0], ids(new));
            let rejected = new.iter().filter(|event| naive::matches(&filters[1], event, &[]));
            assert_eq!(found[1], ids(rejected));
            assert!(found[2].is_empty());
            assert!(after.is_where(&index.arrived(event.at)));
            looked = number + 1;
        }
    }
    let last = &events[5_999];
    assert!(look(&index, &filters, &mut after, last).iter().all(Vec::is_empty));
    // One that is written late, with the time of one that was looked at.
    let late = synthetic::event(77_777, last.at.before(Duration::from_secs(20)));
    index.push(Position(6_001), Arc::new(late.clone()));
    assert_eq!(look(&index, &filters, &mut after, last)[0], [late.id]);
}

#[test]
fn what_is_sealed_or_merged_between_two_looks_is_not_missed() {
    let events = events(0..9_000, start(), Duration::from_millis(300));
    let index = open(&SimulatedDisk::new());
    let filters = [Filter::Everything];
    push_all(&index, &events[..1_500]);
    let mut after = index.arrived(events[1_499].at);
    push_all(&index, &events[1_500..2_200]);
    index.seal(SealWhat::All, start()).unwrap();
    push_all(&index, &events[2_200..3_000]);
    let found = look(&index, &filters, &mut after, &events[2_999]);
    // The sealed rows are looked at as a whole.
    assert_eq!(found[0], ids(&events[..3_000]));
    let found = look(&index, &filters, &mut after, &events[2_999]);
    assert!(found[0].is_empty());
    // More sealings than are remembered, and all of them merged.
    for part in events[3_000..].chunks(200) {
        push_all(&index, part);
        index.seal(SealWhat::All, start()).unwrap();
    }
    let seen = after.seen_before();
    assert!(index.merge(events[8_999].at + 48 * HOUR).unwrap() > 0);
    let found = look(&index, &filters, &mut after, &events[8_999]);
    assert_eq!(found[0], ids(events.iter().filter(|event| event.at >= seen)));
    assert!(events.iter().filter(|event| event.at >= seen).count() < 6_200, "the margin only");
}

#[test]
fn a_place_in_time_is_followed_up_to_what_a_clock_that_was_ahead_wrote() {
    let events = events(0..3_000, start(), Duration::from_millis(100));
    let index = open(&SimulatedDisk::new());
    push_all(&index, &events);
    index.seal(SealWhat::All, start()).unwrap();
    let ahead = synthetic::event(77_777, events[2_999].at + HOUR);
    index.push(Position(3_001), Arc::new(ahead));
    let mut after = Arrival::at(events[500].at);
    let found = look(&index, &[Filter::Everything], &mut after, &events[2_999]);
    assert_eq!(found[0], ids(&events[500..]));
    // Broken off, it has got nowhere.
    let from = Arrival::at(events[500].at);
    let broken =
        index.follow_each(&[Filter::Everything], &from, events[2_999].at, &mut |_, _, _| {
            ControlFlow::Break(())
        });
    assert_eq!(broken.unwrap(), from);
}

#[test]
fn what_became_of_it_is_asked_of_all_rows() {
    let events = events(0..2_000, start(), Duration::from_millis(10));
    let index = open(&SimulatedDisk::new());
    push_all(&index, &events);
    let filter = Filter::Story(Box::new(Filter::Everything));
    let mut after = Arrival::at(start());
    let found = look(&index, &[filter], &mut after, &events[1_999]);
    assert_eq!(found[0], ids(&events), "each is on its own life-line");
}
