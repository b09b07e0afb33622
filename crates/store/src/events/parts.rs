//! Chunks and segments, each to be read by a thread of its own.

use std::fmt;
use std::ops::{ControlFlow, Range};

use types::{Event, Timestamp};

use super::filter::Test;
use super::scan;
use super::story::StoryTest;
use super::unit::{Unit, Window};
use crate::search::{Direction, EventPart, Filter, Stop};

/// The rows of one unit inside a window.
struct Part {
    unit: Unit,
    window: Window,
}

/// The units with rows in `times`, by their oldest row.
pub(super) fn parts(units: Vec<Unit>, times: &Range<Timestamp>) -> Vec<Box<dyn EventPart>> {
    let window = Window::new(times);
    let mut inside: Vec<_> = units.into_iter().filter(|unit| window.touches(unit)).collect();
    inside.sort_by_key(Unit::oldest);
    inside.into_iter().map(|unit| Box::new(Part { unit, window }) as Box<dyn EventPart>).collect()
}

impl EventPart for Part {
    fn oldest(&self) -> Timestamp {
        Timestamp::from_millis(self.unit.oldest().0)
    }

    fn rows(&self) -> usize {
        self.unit.rows()
    }

    fn attempts(&self, visit: &mut dyn FnMut(Event) -> ControlFlow<()>) -> u64 {
        let units = std::slice::from_ref(&self.unit);
        let (window, stop) = (self.window, Stop::never());
        let test = Test::new(&Filter::IsAttempt, &|inner| {
            StoryTest::new(inner, units, window, &Stop::never())
        });
        let mut unreadable = 0;
        scan::scan(
            units,
            &test,
            window,
            Direction::Ascending,
            &stop,
            &mut |row| match row.event() {
                Some(event) => visit(event),
                None => {
                    unreadable += 1;
                    ControlFlow::Continue(())
                }
            },
        );
        unreadable
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({} rows)", self.unit.rows())
    }
}
