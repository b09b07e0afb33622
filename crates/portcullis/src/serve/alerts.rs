//! Drives the telling of alerts: each in a task of its own, so that a receiver
//! that keeps silent holds up no other.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use center::alerts::{AlertTold, DueTelling, TELLINGS_AT_ONCE_MAX};
use tokio::task::JoinSet;

use super::gateway::Gateway;
use super::inspect::whole;
use crate::telemetry::Message;

/// How often it is looked what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells what is due until `stopped`. What is under way then is told again
/// after the next start, under the same name.
pub(super) async fn tell(gateway: Arc<Gateway>, stopped: impl Future<Output = ()>) {
    let mut under_way = JoinSet::new();
    let mut numbers = HashSet::new();
    let mut failed = None;
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        while let Some(told) = under_way.try_join_next() {
            // One that panicked has said so; its number is forgotten below.
            let Ok((due, how)): Result<(DueTelling, AlertTold), _> = told else { continue };
            numbers.remove(&due.id());
            let noted = blocking(&gateway, move |gateway| gateway.center.told(&due, how)).await;
            say(&gateway, &mut failed, noted.err());
        }
        if under_way.is_empty() {
            numbers.clear();
        }
        match blocking(&gateway, |gateway| gateway.center.due_tellings()).await {
            Err(problem) => say(&gateway, &mut failed, Some(problem)),
            Ok(due) => {
                let room = TELLINGS_AT_ONCE_MAX.saturating_sub(under_way.len());
                let new = due.into_iter().filter(|due| !numbers.contains(&due.id())).take(room);
                for due in new.collect::<Vec<_>>() {
                    numbers.insert(due.id());
                    let gateway = Arc::clone(&gateway);
                    under_way.spawn(async move {
                        let how = gateway.center.tell(&due).await;
                        (due, how)
                    });
                }
            }
        }
    }
}

/// Works with the database off the asynchronous workers.
async fn blocking<T: Send + 'static>(
    gateway: &Arc<Gateway>,
    work: impl FnOnce(&Gateway) -> Result<T, center::CenterError> + Send + 'static,
) -> Result<T, String> {
    let gateway = Arc::clone(gateway);
    match tokio::task::spawn_blocking(move || work(&gateway)).await {
        Ok(done) => done.map_err(|error| whole(&error)),
        Err(error) => Err(error.to_string()),
    }
}

/// Says what failed, once and not every second.
fn say(gateway: &Gateway, before: &mut Option<String>, problem: Option<String>) {
    if let Some(problem) = problem
        && before.as_ref() != Some(&problem)
    {
        let work = "telling of alerts";
        gateway.log.say(&Message::WorkFailed { work, problem: problem.clone() });
        *before = Some(problem);
    }
}
