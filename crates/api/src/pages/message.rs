//! One message: sentence, evidence, policy, life-line, what can be done.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use center::Explanation;
use center::explain::life_line::{StoryStep, span};
use types::{Caller, Reason, Stage};

use super::{Shell, error_page, outcome_sign, outcome_word, seconds, shown};
use crate::Api;
use crate::routes::working;

struct Step<'a> {
    step: &'a StoryStep,
    time: String,
    after: String,
    word: &'static str,
    sign: &'static str,
    this: bool,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    shell: Shell,
    why: &'a Explanation,
    time: String,
    sign: &'static str,
    word: &'static str,
    stage: &'static str,
    reason: &'static str,
    took: String,
    steps: Vec<Step<'a>>,
    total: String,
    ours: String,
    theirs: String,
}

pub(super) async fn page(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let why = match working(&api, move |center| center.why(&caller, &name)).await {
        Ok(why) => why,
        Err(problem) => return error_page(shell, &problem),
    };
    let story = &why.story;
    let page = MessagePage {
        shell,
        time: seconds(why.time),
        sign: outcome_sign(why.outcome),
        word: outcome_word(why.outcome),
        stage: why.stage.map_or("-", Stage::slug),
        reason: why.reason.map_or("-", Reason::slug),
        took: milliseconds(why.took_us),
        steps: story.steps.iter().map(|step| shown_step(step, &why)).collect(),
        total: span(story.total_ms / 1_000),
        ours: span(story.ours_ms / 1_000),
        theirs: span(story.theirs_ms / 1_000),
        why: &why,
    };
    shown(&page)
}

fn shown_step<'a>(step: &'a StoryStep, why: &Explanation) -> Step<'a> {
    let after = match step.after_ms {
        0 => String::new(),
        millis if millis < 1_000 => format!("+{millis} ms"),
        millis => format!("+{}", span(millis / 1_000)),
    };
    Step {
        time: seconds(step.at),
        after,
        word: outcome_word(step.outcome),
        sign: outcome_sign(step.outcome),
        this: step.id == why.id,
        step,
    }
}

fn milliseconds(micros: u32) -> String {
    match micros {
        0..1_000 => format!("{micros} \u{b5}s"),
        _ => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
    }
}
