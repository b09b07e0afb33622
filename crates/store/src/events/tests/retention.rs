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
