//! A life-line as a page of its own, drawn and as a list.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use center::explain::beyond_permits;
use center::explain::life_line::{Story, StoryStep};
use types::{EventId, Permission, spoken};

use super::clock::Zone;
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
    match working(&api, move |center| center.life(&signed.caller, &name)).await {
        Ok(story) => {
            let drawing = Drawing::of(&story, None, &zone);
            let newest = story.steps.iter().rev().find(|step| step.attempt).filter(|_| may);
            let last = newest.map(|step| step.id);
            let beyond_permits = newest.and_then(|step| step.reason).and_then(beyond_permits);
            shown(&LifePage { shell, story, drawing, last, beyond_permits })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

/// A life-line as it is drawn: points on a line, in order, further apart the
/// longer it took, but never so far that the rest cannot be read.
pub(super) struct Drawing {
    /// The points; the first and the last where there are too many.
    pub(super) points: Vec<Point>,
    /// How many are left out in the middle.
    pub(super) left_out: usize,
    /// The height of the picture in its own units.
    pub(super) height: u32,
    /// What it shows, for those who do not see it.
    pub(super) description: String,
    /// Each step as the list shows it.
    pub(super) lines: Vec<Line>,
}

/// One point of the drawing, in the units of a picture 720 wide.
pub(super) struct Point {
    pub(super) x: u32,
    /// Whether its words stand below those of its neighbours.
    pub(super) low: bool,
    pub(super) class: String,
    pub(super) shape: &'static str,
    pub(super) time: String,
    pub(super) title: String,
    pub(super) after: String,
    /// Where the gap before it is labelled.
    pub(super) gap_x: u32,
    pub(super) anchor: &'static str,
}

impl Point {
    /// Where its words begin, end or are centred.
    pub(super) fn label_x(&self) -> u32 {
        match self.anchor {
            "start" => self.x.saturating_sub(8),
            "end" => self.x + 8,
            _ => self.x,
        }
    }
}

/// One step of the list.
pub(super) struct Line {
    pub(super) step: StoryStep,
    pub(super) time: String,
    pub(super) whole: String,
    pub(super) after: String,
    pub(super) this: bool,
}

/// The picture's width, the margin left and right, and the least room between
/// two points, in its own units.
const WIDTH: u32 = 720;
const MARGIN: u32 = 60;
/// Most points drawn; a list of more is read, not looked at.
const POINTS_MAX: usize = 8;

impl Drawing {
    pub(super) fn of(story: &Story, this: Option<EventId>, zone: &Zone) -> Self {
        let steps = &story.steps;
        let ends = POINTS_MAX / 2;
        let left_out = steps.len().saturating_sub(POINTS_MAX);
        let drawn: Vec<&StoryStep> = match left_out {
            0 => steps.iter().collect(),
            _ => steps.iter().take(ends).chain(steps.iter().skip(steps.len() - ends)).collect(),
        };
        let places = places(&drawn);
        let several = drawn.len() > 4;
        let points = drawn
            .iter()
            .zip(&places)
            .enumerate()
            .map(|(number, (step, &x))| {
                let before = number.checked_sub(1).and_then(|n| places.get(n)).copied();
                Point {
                    x,
                    low: several && number % 2 == 1,
                    class: step.class.clone(),
                    shape: shape(&step.class),
                    time: zone.hours(step.at),
                    title: step.title.clone(),
                    after: before.map_or(String::new(), |_| gap(step.after_ms)),
                    gap_x: before.map_or(x, |before| u32::midpoint(before, x)),
                    anchor: anchor(number, drawn.len()),
                }
            })
            .collect();
        Drawing {
            points,
            left_out,
            height: if several { 124 } else { 96 },
            description: description(story),
            lines: steps.iter().map(|step| line(step, this, zone)).collect(),
        }
    }

    pub(super) fn width(&self) -> u32 {
        WIDTH
    }

    /// Where the line ends.
    pub(super) fn last_x(&self) -> u32 {
        self.points.last().map_or(MARGIN, |point| point.x)
    }
}

/// Where the points stand: half of the room is shared evenly, so that words
/// do not meet, the other half by the logarithm of the time between.
fn places(steps: &[&StoryStep]) -> Vec<u32> {
    let gaps: Vec<f64> =
        steps.iter().skip(1).map(|step| (1.0 + step.after_ms as f64 / 100.0).ln()).collect();
    let whole: f64 = gaps.iter().sum();
    let room = f64::from(WIDTH - 2 * MARGIN);
    let even = room / 2.0 / gaps.len().max(1) as f64;
    let mut place = f64::from(MARGIN);
    let mut places = vec![MARGIN];
    for gap in &gaps {
        let share = if whole > 0.0 { gap / whole } else { 1.0 / gaps.len() as f64 };
        place += even + room / 2.0 * share;
        places.push(place.round() as u32);
    }
    places.truncate(steps.len());
    places
}

fn shape(class: &str) -> &'static str {
    match class {
        "accepted" | "delivered" => "disc",
        "deferred" => "ring",
        "rejected" | "expired" | "deleted" => "square",
        _ => "diamond",
    }
}

fn anchor(number: usize, of: usize) -> &'static str {
    match number {
        0 => "start",
        last if last + 1 == of => "end",
        _ => "middle",
    }
}

fn gap(millis: u64) -> String {
    match millis {
        0 => String::new(),
        millis => spoken(Duration::from_millis(millis)),
    }
}

fn line(step: &StoryStep, this: Option<EventId>, zone: &Zone) -> Line {
    Line {
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
    use types::{Reference, Timestamp};

    fn step(number: u8, after_ms: u64, class: &str) -> StoryStep {
        let at = Timestamp::from_millis(1_795_255_200_000);
        let id = EventId::new(at, [number; 10]);
        let reference: Reference = id.reference();
        StoryStep {
            id,
            reference,
            at,
            after_ms,
            outcome: None,
            reason: None,
            attempt: true,
            class: class.to_owned(),
            title: class.to_owned(),
            text: String::new(),
            notes: Vec::new(),
            join: None,
        }
    }

    #[test]
    fn points_stand_in_order_inside_the_picture_and_never_on_each_other() {
        for gaps in [vec![0], vec![0, 0, 0], vec![0, 38_000, 334_000, 900, 100], vec![0; 8]] {
            let steps: Vec<StoryStep> = gaps.iter().map(|&gap| step(1, gap, "deferred")).collect();
            let places = places(&steps.iter().collect::<Vec<_>>());
            assert_eq!(places.len(), steps.len());
            assert!(places.windows(2).all(|pair| pair[1] >= pair[0] + 30), "{places:?}");
            assert!(places.iter().all(|&x| (MARGIN..=WIDTH - MARGIN).contains(&x)), "{places:?}");
        }
    }
}
