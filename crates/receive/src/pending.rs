//! A look-up that goes on while the dialogue does.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::task::AbortHandle;

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

impl<T: Clone> Drop for Pending<T> {
    fn drop(&mut self) {
        self.driven.abort();
    }
}
