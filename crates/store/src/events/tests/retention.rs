//! What retention leaves.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use types::Event;

use super::{EventIndex, HOUR, SealWhat, events, found, open, start};
use crate::contract::Position;
use crate::disk::SimulatedDisk;
use crate::search::Filter;

#[test]
fn retention_leaves_the_life_lines_of_queued_messages_and_nothing_else() {
    let events = events(0..40, start(), Duration::from_secs(900));
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    for event in &events {
        index.push(Position(1), Arc::new(event.clone()));
        index.seal(SealWhat::Due, event.at).unwrap();
    }
    let octets = |index: &EventIndex| {
        let segments = Arc::clone(&index.read().segments);
        segments.iter().map(|segment| segment.octets()).sum::<usize>()
    };
    let before = octets(&index);
    let held = [events[4].life_line, events[13].life_line];
    let queued = held.into_iter().collect();
    let lines = |index: &EventIndex| {
        let lines = held.iter().map(|held| index.life_line(*held).unwrap());
        lines.collect::<Vec<Vec<Event>>>()
    };
    let story = lines(&index);
    let stays = events[..36].iter().filter(|event| held.contains(&event.life_line)).count();
    let late = start() + HOUR * 9;
    let dropped = index.drop_before(late, &queued).unwrap();
    assert_eq!(dropped + stays as u64, 36, "{stays} stay");
    assert!(octets(&index) < before / 3, "and of the others nothing is left");
    for index in [&index, &open(&disk)] {
        assert_eq!(lines(index), story);
        assert_eq!(index.event(events[9].id).unwrap(), None);
    }
    assert_eq!(found(&index, &Filter::Everything).len(), 4 + stays);
    assert_eq!(
        index.drop_before(late, &queued).unwrap(),
        0,
        "what was carried over stays as it is"
    );
    index.merge(start() + HOUR * 48).unwrap();
    let one_left = HashSet::from([held[0]]);
    index.drop_before(late, &one_left).unwrap();
    assert_eq!(index.event(events[4].id).unwrap(), Some(events[4].clone()));
    assert_eq!(index.event(events[13].id).unwrap(), None);
    index.drop_before(late, &HashSet::new()).unwrap();
    assert_eq!(found(&index, &Filter::Everything).len(), 4);
}

/// A disk that takes nothing more is relieved by what goes as a whole, however
/// many segments are in the way that cannot be carried over.
#[test]
fn a_full_disk_is_relieved_by_all_that_can_go_as_a_whole() {
    let events = events(0..40, start(), Duration::from_secs(900));
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    for event in &events {
        index.push(Position(1), Arc::new(event.clone()));
        index.seal(SealWhat::Due, event.at).unwrap();
    }
    let late = start() + HOUR * 9;
    let held: HashSet<_> = [events[4].life_line, events[13].life_line].into();
    let is_held = |event: &Event| held.contains(&event.life_line);
    let hours: Vec<(&[Event], bool)> =
        events[..36].chunks(4).map(|hour| (hour, hour.iter().any(is_held))).collect();
    let first_that_stays = hours.iter().position(|(_, stays)| *stays);
    assert!(first_that_stays < hours.iter().rposition(|(_, stays)| !stays), "in the way");
    let used = disk.used_octets();
    disk.fail_writes(true);
    index.drop_before(late, &held).unwrap_err();
    assert!(disk.used_octets() < used, "{} of {used} are left", disk.used_octets());
    let is_there = |event: &Event| index.event(event.id).unwrap().is_some();
    for (hour, stays) in &hours {
        assert!(hour.iter().all(|event| is_there(event) == *stays));
    }
    disk.fail_writes(false);
    index.drop_before(late, &held).unwrap();
    assert!(events[..36].iter().all(|event| is_there(event) == is_held(event)));
}
