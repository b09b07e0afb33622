//! A look-up that goes on while the dialogue does.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::task::AbortHandle;
use types::{Finding, Observed, SpfResult};

/// A question that is under way, or answered. It ends with its owner.
pub(crate) struct Pending<T: Clone> {
    answer: Shared<BoxFuture<'static, T>>,
    driven: AbortHandle,
}

impl<T: Clone + Send + Sync + 'static> Pending<T> {
    /// Asks, and goes on asking whether anybody waits or not.
    pub(crate) fn begin(question: impl Future<Output = T> + Send + 'static) -> Self {
        let answer = question.boxed().shared();
        let driven = tokio::spawn(answer.clone()).abort_handle();
        Pending { answer, driven }
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
        self.driven.abort();
    }
}
