//! `/healthz` and `/readyz`, for probes: nobody has to sign in for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use center::ReadyCheck;
use tokio::sync::Mutex;

use crate::{Api, routes};

/// How long an answer to `/readyz` is given again: looking costs a look at the
/// disk and the store, and anybody may ask.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// The last look, for all who ask.
#[derive(Clone, Default)]
pub(crate) struct LastLook(Arc<Mutex<Option<Look>>>);

/// What there was to see, and when.
struct Look {
    at: Instant,
    checks: Vec<ReadyCheck>,
}

impl LastLook {
    /// What `look` says, or said a moment ago. Only one looks at a time.
    async fn or(&self, look: impl FnOnce() -> Vec<ReadyCheck> + Send + 'static) -> Vec<ReadyCheck> {
        let mut last = self.0.lock().await;
        if let Some(look) = last.as_ref().filter(|look| look.at.elapsed() < KNOWN_FOR) {
            return look.checks.clone();
        }
        let checks = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        *last = Some(Look { at: Instant::now(), checks: checks.clone() });
        checks
    }
}

/// The routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/status", get(routes::system::status))
}

async fn ready(State(api): State<Api>) -> impl IntoResponse {
    let center = Arc::clone(&api.center);
    let checks = api.last_look.or(move || center.readiness()).await;
    let ready = !checks.is_empty() && !checks.iter().any(ReadyCheck::keeps_mail_out);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(checks))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_who_ask_at_once_make_one_look() {
        let looks = Arc::new(AtomicU32::new(0));
        let last = LastLook::default();
        for _ in 0..100 {
            let looks = Arc::clone(&looks);
            last.or(move || {
                looks.fetch_add(1, Ordering::Relaxed);
                Vec::new()
            })
            .await;
        }
        // A slow machine may have looked anew after a second.
        assert!(looks.load(Ordering::Relaxed) < 10);
    }
}
