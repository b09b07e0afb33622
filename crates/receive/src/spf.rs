//! SPF of one transaction, asked while the dialogue goes on.

use std::sync::Arc;

use checks::SpfQuestion;
use types::{Finding, Observed, ReversePath, SpfFacts};

use crate::engine::Engine;
use crate::pending::{About, Pending};

/// What the answer depends on within one session: the name in EHLO and the
/// reverse-path.
pub(crate) type SpfSubject = (Option<Arc<str>>, Arc<ReversePath>);

/// A question that is under way, or answered.
pub(crate) type AskedSpf = About<SpfSubject>;

/// Asks, and goes on asking whether anybody waits or not.
pub(crate) fn ask(engine: &Arc<Engine>, question: SpfQuestion) -> Pending<Arc<Finding>> {
    let engine = Arc::clone(engine);
    Pending::begin(async move {
        let parts = &engine.parts;
        Arc::new(parts.checks.spf(&question, &*parts.resolver).await)
    })
}

/// The facts in a finding of SPF.
pub(crate) fn facts(finding: &Finding) -> Option<&SpfFacts> {
    match &finding.observed {
        Observed::Spf(facts) => Some(facts),
        _ => None,
    }
}
