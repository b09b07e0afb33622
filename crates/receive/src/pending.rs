//! A look-up that goes on while the dialogue does.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::task::AbortHandle;
use types::{Finding, Observed, SpfResult};

/// A question that is under way, or answered. It ends with its owner.
pub(crate) struct Pending<T: Clone> {
    answer: Shared<BoxFuture<'static, T>>,
    /// Who drives it, unless it was answered at once.
    driven: Option<AbortHandle>,
}

impl<T: Clone + Send + Sync + 'static> Pending<T> {
    /// Asks, and goes on asking whether anybody waits or not. What is known
    /// already, as most answers are, needs no task.
    pub(crate) fn begin(question: impl Future<Output = T> + Send + 'static) -> Self {
        let answer = question.boxed().shared();
        let driven = match answer.clone().now_or_never() {
            Some(_) => None,
            None => Some(tokio::spawn(answer.clone()).abort_handle()),
        };
        Pending { answer, driven }
    }

    /// The answer, if it is there.
    pub(crate) fn answered(&self) -> Option<T> {
        self.answer.peek().cloned()
    }

    /// The answer, when it is there.
    pub(crate) fn answer(&self) -> impl Future<Output = T> + Send + use<T> {
        self.answer.clone()
    }
}

/// A look-up with what it is about. The next transaction of a session that is
/// about the same does not ask again.
pub(crate) struct About<Q> {
    question: Q,
    pending: Pending<Arc<Finding>>,
}

impl<Q: PartialEq> About<Q> {
    /// What was asked before, if it is the same question and has not failed;
    /// else asks.
    pub(crate) fn once(
        before: Option<Self>,
        question: Q,
        ask: impl FnOnce(&Q) -> Pending<Arc<Finding>>,
    ) -> Self {
        match before.filter(|before| before.question == question && !before.has_failed()) {
            Some(before) => before,
            None => About { pending: ask(&question), question },
        }
    }

    /// The answer, when it is there.
    pub(crate) async fn finding(&self) -> Finding {
        Finding::clone(&*self.pending.answer().await)
    }

    /// Whether it is answered, and by nothing that is known.
    fn has_failed(&self) -> bool {
        self.pending.answer.peek().is_some_and(|finding| match &finding.observed {
            Observed::Inconclusive(_) => true,
            Observed::Spf(facts) => facts.result == SpfResult::TempError,
            _ => false,
        })
    }
}

impl<T: Clone> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Some(driven) = &self.driven {
            driven.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_known_needs_no_task_and_all_else_goes_on_by_itself() {
        let known = Pending::begin(async { 7 });
        assert!(known.driven.is_none());
        assert_eq!(known.answered(), Some(7));
        let (say, heard) = tokio::sync::oneshot::channel();
        let asked = Pending::begin(async { heard.await.unwrap_or(0) });
        assert_eq!(asked.answered(), None);
        say.send(8).unwrap();
        tokio::task::yield_now().await;
        assert_eq!(asked.answered(), Some(8), "nobody waited");
        assert_eq!(asked.answer().await, 8);
    }
}
