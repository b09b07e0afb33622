//! A life-line as a page of its own, drawn and as a list.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use center::Center;
use center::explain::beyond_permits;
use center::explain::life_line::{Story, StoryStep};
use types::{EventId, Permission, Timestamp, spoken};

use super::clock::Zone;
use super::told::Teller;
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::routes::working;

#[derive(Template)]
#[template(path = "life_line.html")]
struct LifePage {
    shell: Shell,
    story: Story,
    drawing: Drawing,
    /// Its newest attempt, for whoever may decide about its sender.
    last: Option<EventId>,
    /// What helps instead, where no permit of its sender ever can.
    beyond_permits: Option<&'static str>,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let zone = Zone::named(&signed.preferences.time_zone);
    let may = signed.caller.may(Permission::EditSenders) && !signed.csrf.is_empty();
    let look = move |center: &Center| Ok((center.life(&signed.caller, &name)?, center.now()));
    match working(&api, look).await {
        Ok((story, now)) => {
            let drawing = Drawing::of(&story, None, &zone, now);
            // No list of senders is asked about mail of our own servers.
            let may = may && story.direction.is_none();
            let newest = story.steps.iter().rev().find(|step| step.attempt).filter(|_| may);
            let last = newest.map(|step| step.id);
            let beyond_permits = newest.and_then(|step| step.reason).and_then(beyond_permits);
            shown(&LifePage { shell, story, drawing, last, beyond_permits })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

/// A life-line as it is drawn: a row of points, further apart the longer it
/// took. Each has a column of its own in which its words wrap, so that no two
/// labels can meet, whatever the letters and however many points.
pub(super) struct Drawing {
    /// The points; the first and the last where there are too many.
    pub(super) points: Vec<Point>,
    /// How many are left out in the middle.
    pub(super) left_out: usize,
    /// What it shows, for those who do not see it.
    pub(super) description: String,
    /// Each step as the list shows it.
    pub(super) lines: Vec<Line>,
}

/// One point of the drawing, and the line to the next.
pub(super) struct Point {
    pub(super) class: String,
    pub(super) shape: &'static str,
    pub(super) time: String,
    pub(super) title: String,
    /// How long it took to the next; empty for no time, and of the last.
    pub(super) gap: String,
    /// How much room that takes: a class.
    pub(super) room: &'static str,
    /// Whether steps between it and the next are left out.
    pub(super) skips: bool,
}

/// One step of the list. `text` and `notes` are markup.
pub(super) struct Line {
    pub(super) step: StoryStep,
    pub(super) time: String,
    pub(super) whole: String,
    pub(super) after: String,
    pub(super) text: String,
    pub(super) notes: Vec<String>,
    pub(super) this: bool,
}

/// Most points drawn; a list of more is read, not looked at.
const POINTS_MAX: usize = 8;

/// Up to how many milliseconds a gap takes how much room; each step is a few
/// times what is before it, as on a logarithmic scale.
const ROOM: [(u64, &str); 4] =
    [(1_000, "near"), (60_000, "apart"), (3_600_000, "far"), (u64::MAX, "farthest")];

impl Drawing {
    pub(super) fn of(story: &Story, this: Option<EventId>, zone: &Zone, now: Timestamp) -> Self {
        let steps = &story.steps;
        let (drawn, left_out) = drawn(steps);
        let last_before = drawn.len() / 2;
        let skips = |place: usize| left_out > 0 && place + 1 == last_before;
        let points = drawn
            .iter()
            .enumerate()
            .map(|(place, step)| point(step, drawn.get(place + 1).copied(), skips(place), zone));
        let teller = Teller::new(zone, now);
        Drawing {
            points: points.collect(),
            left_out,
            description: description(story),
            lines: steps.iter().map(|step| line(step, this, zone, &teller)).collect(),
        }
    }
}

/// The steps that are drawn, and how many in their middle are not.
fn drawn(steps: &[StoryStep]) -> (Vec<&StoryStep>, usize) {
    let left_out = steps.len().saturating_sub(POINTS_MAX);
    let ends = POINTS_MAX / 2;
    let drawn = match left_out {
        0 => steps.iter().collect(),
        _ => steps.iter().take(ends).chain(steps.iter().skip(ends + left_out)).collect(),
    };
    (drawn, left_out)
}

fn point(step: &StoryStep, next: Option<&StoryStep>, skips: bool, zone: &Zone) -> Point {
    // A clock that stepped back takes no room.
    let took = next.map_or(0, |next| next.at.since(step.at).as_millis());
    let took = u64::try_from(took).unwrap_or(u64::MAX);
    let room = ROOM.iter().find(|(most, _)| took <= *most);
    Point {
        class: step.class.clone(),
        shape: shape(&step.class),
        time: zone.hours(step.at),
        title: step.title.clone(),
        gap: gap(took),
        room: room.map_or("", |(_, class)| class),
        skips,
    }
}

fn shape(class: &str) -> &'static str {
    match class {
        "accepted" | "delivered" => "disc",
        "deferred" => "ring",
        "rejected" | "expired" | "deleted" => "square",
        _ => "diamond",
    }
}

fn gap(millis: u64) -> String {
    match millis {
        0 => String::new(),
        millis => spoken(Duration::from_millis(millis)),
    }
}

fn line(step: &StoryStep, this: Option<EventId>, zone: &Zone, teller: &Teller) -> Line {
    Line {
        text: teller.told(&step.text),
        notes: step.notes.iter().map(|note| teller.told(note)).collect(),
        time: zone.short(step.at),
        whole: zone.whole(step.at),
        after: match gap(step.after_ms) {
            none if none.is_empty() => none,
            gap => format!("+{gap}"),
        },
        this: this == Some(step.id),
        step: step.clone(),
    }
}

fn description(story: &Story) -> String {
    let steps: Vec<String> = story
        .steps
        .iter()
        .map(|step| match gap(step.after_ms) {
            none if none.is_empty() => step.title.clone(),
            gap => format!("{} after {gap}", step.title),
        })
        .collect();
    format!("{}: {}.", story.head, steps.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Reference;

    /// A story of steps that came these milliseconds after each other.
    fn steps(gaps: &[u64]) -> Vec<StoryStep> {
        let mut at = Timestamp::from_millis(1_795_255_200_000);
        let step = |(number, &after_ms): (usize, &u64)| {
            at = at + Duration::from_millis(after_ms);
            let id = EventId::new(at, [u8::try_from(number).unwrap(); 10]);
            let reference: Reference = id.reference();
            StoryStep {
                id,
                reference,
                at,
                after_ms,
                outcome: None,
                reason: None,
                attempt: true,
                class: "deferred".to_owned(),
                title: format!("step {number}"),
                text: String::new(),
                notes: Vec::new(),
                join: None,
            }
        };
        gaps.iter().enumerate().map(step).collect()
    }

    fn points(gaps: &[u64]) -> (Vec<Point>, usize) {
        let steps = steps(gaps);
        let (drawn, left_out) = drawn(&steps);
        let zone = Zone::named("UTC");
        let next = |place: usize| drawn.get(place + 1).copied();
        let point = |(place, step): (usize, &&StoryStep)| point(step, next(place), false, &zone);
        (drawn.iter().enumerate().map(point).collect(), left_out)
    }

    #[test]
    fn the_longer_it_took_the_more_room_there_is_to_the_next() {
        let (points, _) = points(&[0, 900, 38_000, 334_000, 7_200_000]);
        let told: Vec<_> = points.iter().map(|one| (one.gap.as_str(), one.room)).collect();
        let expected = [
            ("900 ms", "near"),
            ("38 s", "apart"),
            ("5 min 34 s", "far"),
            ("2 h", "farthest"),
            ("", "near"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn of_many_steps_the_first_and_the_last_are_drawn_with_the_time_between() {
        let (points, left_out) = points(&[1_000; 14]);
        assert_eq!((points.len(), left_out), (POINTS_MAX, 6));
        let titles: Vec<_> = points.iter().map(|one| one.title.as_str()).collect();
        assert_eq!((titles[3], titles[4]), ("step 3", "step 10"));
        assert_eq!((&*points[2].gap, &*points[3].gap), ("1 s", "7 s"));
    }
}
