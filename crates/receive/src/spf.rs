//! SPF of one transaction, asked while the dialogue goes on.

use std::sync::Arc;

use checks::SpfQuestion;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::task::AbortHandle;
use types::{Finding, Observed, SpfFacts};

use crate::engine::Engine;

/// A question that is under way, or answered. It ends with the transaction.
pub(crate) struct PendingSpf {
    answer: Shared<BoxFuture<'static, Arc<Finding>>>,
    driven: AbortHandle,
}

impl PendingSpf {
    /// Asks, and goes on asking whether anybody waits or not.
    pub(crate) fn ask(engine: &Arc<Engine>, question: SpfQuestion) -> Self {
        let engine = Arc::clone(engine);
        let answer = async move {
            let parts = &engine.parts;
            Arc::new(parts.checks.spf(&question, &*parts.resolver).await)
        };
        let answer = answer.boxed().shared();
        let driven = tokio::spawn(answer.clone()).abort_handle();
        PendingSpf { answer, driven }
    }

    /// The answer, when it is there.
    pub(crate) async fn finding(&self) -> Finding {
        Finding::clone(&*self.answer.clone().await)
    }
}

impl Drop for PendingSpf {
    fn drop(&mut self) {
        self.driven.abort();
    }
}

/// The facts in a finding of SPF.
pub(crate) fn facts(finding: &Finding) -> Option<&SpfFacts> {
    match &finding.observed {
        Observed::Spf(facts) => Some(facts),
        _ => None,
    }
}
