//! Whether mail arrives: the indicator in the header of every page.
//!
//! The number is that of the attempts that ended between two looks, at most a
//! few minutes apart; how mail flows over longer times is on the overview.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use types::{Caller, Permission, Timestamp};

use super::sizes::span;
use crate::Api;
use crate::problem::ApiProblem;
use crate::routes::working;

/// Over how long attempts are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Looks closer together than this are one.
const APART: Duration = Duration::from_secs(2);
/// Silence that is shown as trouble.
const SILENCE_S: u64 = 300;
/// Age of the oldest message in the queue that is shown as trouble.
const QUEUE_AGE_S: u64 = 900;

/// One look at the counter of attempts.
struct Look {
    at: Instant,
    attempts: u64,
}

/// The looks of the last minutes, shared by all pages.
#[derive(Clone, Default)]
pub(crate) struct Looks(Arc<Mutex<VecDeque<Look>>>);

impl Looks {
    /// Attempts a minute, once there were two looks.
    fn rate(&self, at: Instant, attempts: u64) -> Option<u64> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while looks.len() > 1 && looks.get(1).is_some_and(|look| at - look.at > WINDOW) {
            looks.pop_front();
        }
        let rate = looks.front().filter(|look| at - look.at >= APART).map(|look| {
            let grown = attempts.saturating_sub(look.attempts) as f64;
            (grown * 60.0 / (at - look.at).as_secs_f64()).round() as u64
        });
        if looks.back().is_none_or(|look| at - look.at >= APART) {
            looks.push_back(Look { at, attempts });
        }
        rate
    }
}

/// What the indicator shows.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Pulse {
    /// Its class: nothing, `slow` or `none-now`.
    state: &'static str,
    /// What it says.
    text: String,
}

/// What is known of the moment.
struct Moment {
    ready: bool,
    queue_oldest_s: u64,
    rate: Option<u64>,
    silent_s: u64,
}

fn told(moment: &Moment) -> Pulse {
    let pulse = |state, text: String| Pulse { state, text };
    match moment {
        Moment { ready: false, .. } => pulse("none-now", "not ready".to_owned()),
        Moment { silent_s, .. } if *silent_s >= SILENCE_S => {
            pulse("none-now", format!("nothing received for {}", span(*silent_s)))
        }
        Moment { queue_oldest_s, .. } if *queue_oldest_s >= QUEUE_AGE_S => {
            pulse("slow", format!("queue waits {}", span(*queue_oldest_s)))
        }
        Moment { rate: Some(rate), .. } => pulse("", format!("receiving, {rate}/min")),
        Moment { rate: None, .. } => pulse("", "receiving".to_owned()),
    }
}

/// What it shows to whoever does not see the gateway as a whole.
fn told_to_all(center: &center::Center) -> Pulse {
    let is_ready = !center.readiness().iter().any(center::ReadyCheck::keeps_mail_out);
    let pulse = |state, text: &str| Pulse { state, text: text.to_owned() };
    if is_ready { pulse("", "receiving") } else { pulse("none-now", "not ready") }
}

/// What the indicator shows now.
pub(super) async fn pulse(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Pulse>, ApiProblem> {
    let looks = api.looks.clone();
    let work = move |center: &center::Center| {
        if !caller.may(Permission::SystemStatus) {
            return Ok(told_to_all(center));
        }
        let status = center.status(&caller)?;
        let newest = center::SearchRequest { rows_max: 1, ..center::SearchRequest::default() };
        let last = center.search(&caller, &newest)?.rows.first().map(|row| row.time);
        let since = |at: Timestamp| status.now.since(at).as_secs();
        let attempts = status.conservation.counts.attempts_opened;
        Ok(told(&Moment {
            ready: status.ready,
            queue_oldest_s: status.queue_oldest_age_s.unwrap_or(0),
            rate: looks.rate(Instant::now(), attempts),
            silent_s: since(last.unwrap_or(status.started).max(status.started)),
        }))
    };
    working(&api, work).await.map(Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_minute() {
        let looks = Looks::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(looks.rate(at(0), 100), None);
        assert_eq!(looks.rate(at(1), 100), None);
        assert_eq!(looks.rate(at(30), 121), Some(42));
        assert_eq!(looks.rate(at(60), 130), Some(30));
        // The look half a minute in is the oldest that is kept.
        assert_eq!(looks.rate(at(95), 130), Some(8));
    }

    #[test]
    fn trouble_is_said_before_numbers() {
        let moment = Moment { ready: true, queue_oldest_s: 0, rate: Some(42), silent_s: 3 };
        assert_eq!(told(&moment).text, "receiving, 42/min");
        assert_eq!(told(&Moment { queue_oldest_s: 960, ..moment }).text, "queue waits 16 min");
        let silent = Moment { ready: true, queue_oldest_s: 960, rate: Some(0), silent_s: 360 };
        assert_eq!(
            told(&silent),
            Pulse { state: "none-now", text: "nothing received for 6 min".into() }
        );
        assert_eq!(told(&Moment { ready: false, ..silent }).text, "not ready");
    }
}
