//! SPF of one transaction, asked while the dialogue goes on.

use std::sync::Arc;

use checks::SpfQuestion;
use types::{Finding, Observed, SpfFacts};

use crate::engine::Engine;
use crate::pending::Pending;

/// A question that is under way, or answered. It ends with the transaction.
pub(crate) struct PendingSpf(Pending<Arc<Finding>>);

impl PendingSpf {
    /// Asks, and goes on asking whether anybody waits or not.
    pub(crate) fn ask(engine: &Arc<Engine>, question: SpfQuestion) -> Self {
        let engine = Arc::clone(engine);
        PendingSpf(Pending::begin(async move {
            let parts = &engine.parts;
            Arc::new(parts.checks.spf(&question, &*parts.resolver).await)
        }))
    }

    /// The answer, when it is there.
    pub(crate) async fn finding(&self) -> Finding {
        Finding::clone(&*self.0.answer().await)
    }
}

/// The facts in a finding of SPF.
pub(crate) fn facts(finding: &Finding) -> Option<&SpfFacts> {
    match &finding.observed {
        Observed::Spf(facts) => Some(facts),
        _ => None,
    }
}
