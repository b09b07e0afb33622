//! The parts of the server that run until it stops: listeners, delivery, the
//! doors of the API, the watches. Whoever ends before that is noticed here. A
//! server that takes mail and has nobody left to deliver it must not go on
//! saying 250.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

/// The tasks of all parts. Dropped, it ends them.
#[derive(Default)]
pub(super) struct Parts {
    tasks: JoinSet<Result<(), String>>,
    names: HashMap<Id, &'static str>,
}

/// A part that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Which.
    pub(super) part: &'static str,
    /// Why, as far as it is known.
    pub(super) problem: String,
}

impl Parts {
    /// Runs one.
    pub(super) fn run(
        &mut self,
        part: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.serve(part, async {
            task.await;
            Ok(())
        });
    }

    /// Runs one that can fail for good.
    pub(super) fn serve(
        &mut self,
        part: &'static str,
        task: impl Future<Output = std::io::Result<()>> + Send + 'static,
    ) {
        let task = self.tasks.spawn(async { task.await.map_err(|error| error.to_string()) });
        self.names.insert(task.id(), part);
    }

    /// Runs one that blocks, on a thread of its own.
    pub(super) fn block(&mut self, part: &'static str, work: impl FnOnce() + Send + 'static) {
        let task = self.tasks.spawn_blocking(|| {
            work();
            Ok(())
        });
        self.names.insert(task.id(), part);
    }

    /// Waits until one ends; for ever if there is none. May be dropped and
    /// asked again.
    pub(super) async fn ended(&mut self) -> Ended {
        match self.next().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Waits until all have ended that were asked to. The `patient` one has a
    /// grace time of its own; the others are given up after `at_most`.
    pub(super) async fn end(mut self, patient: &'static str, at_most: Duration) {
        while self.names.values().any(|part| *part == patient) && self.next().await.is_some() {}
        let others = async { while self.next().await.is_some() {} };
        // A page that is still being read must not keep us.
        let _ = tokio::time::timeout(at_most, others).await;
    }

    async fn next(&mut self) -> Option<Ended> {
        let ended = self.tasks.join_next_with_id().await?;
        let (id, problem) = match ended {
            Ok((id, Ok(()))) => (id, "it ended by itself".to_owned()),
            Ok((id, Err(problem))) => (id, problem),
            Err(error) => (error.id(), broken(error)),
        };
        let part = self.names.remove(&id).unwrap_or("a part");
        Some(Ended { part, problem })
    }
}

/// What is known of a task that did not come to its end.
fn broken(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => panicked(&*panic),
        Err(error) => error.to_string(),
    }
}

/// What a panic said, if it said anything. Where it was is on standard error.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("without a word"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs beside these, for ever.
    fn beside() -> Parts {
        let mut parts = Parts::default();
        parts.run("watch", std::future::pending());
        parts
    }

    #[tokio::test]
    async fn whoever_ends_before_the_stop_is_named_with_the_reason() {
        let mut parts = beside();
        parts.run("delivery", async { panic!("no {}", "queue") });
        let ended = parts.ended().await;
        assert_eq!(ended, Ended { part: "delivery", problem: "it panicked: no queue".to_owned() });
        parts.serve("console", async { Err(std::io::Error::other("no socket")) });
        let ended = parts.ended().await;
        assert_eq!(ended, Ended { part: "console", problem: "no socket".to_owned() });
        parts.block("directories", || {});
        let ended = parts.ended().await;
        assert_eq!((ended.part, &*ended.problem), ("directories", "it ended by itself"));
    }

    #[tokio::test]
    async fn the_patient_one_is_waited_for_and_the_others_are_not() {
        let mut parts = beside();
        let (said, heard) = tokio::sync::oneshot::channel();
        parts.run("delivery", async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let _ = said.send(());
        });
        parts.end("delivery", Duration::from_millis(1)).await;
        heard.await.unwrap();
    }
}
