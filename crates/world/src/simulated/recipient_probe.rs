//! A next hop's word on recipients, as a table.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use types::finding::RecipientAnswer;
use types::{ForwardPath, Inconclusive, ReversePath};

use crate::BoxFuture;
use crate::recipient_probe::{ProbeAnswer, RecipientProbe};

/// What is said of a recipient.
type Answer = Result<RecipientAnswer, Inconclusive>;

/// Answers by recipient; who was never entered is unknown. Counts how often
/// it was asked, so that a test can see a cache at work.
#[derive(Debug, Default)]
pub struct SimulatedProbe {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: HashMap<String, Answer>,
    smtputf8: HashMap<String, bool>,
    asked: usize,
}

impl SimulatedProbe {
    /// A next hop that knows nobody.
    pub fn new() -> Self {
        SimulatedProbe::default()
    }

    /// From now on, this is said of `recipient`.
    pub fn set_answer(&self, recipient: &ForwardPath, answer: Answer) {
        self.lock().answers.insert(recipient.key().to_owned(), answer);
    }

    /// From now on, the next hop of `domain` is known to offer SMTPUTF8, or
    /// not to.
    pub fn set_smtputf8(&self, domain: &str, offered: bool) {
        self.lock().smtputf8.insert(domain.to_owned(), offered);
    }

    /// How often a recipient was asked for.
    pub fn asked(&self) -> usize {
        self.lock().asked
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecipientProbe for SimulatedProbe {
    fn probe<'a>(
        &'a self,
        domain: &'a str,
        _reverse_path: &'a ReversePath,
        recipient: &'a ForwardPath,
    ) -> BoxFuture<'a, ProbeAnswer> {
        let mut state = self.lock();
        state.asked += 1;
        let answer = state.answers.get(recipient.key()).cloned();
        let answer = answer.unwrap_or(Ok(RecipientAnswer::Unknown));
        let host = format!("hop.{domain}:25").into();
        Box::pin(std::future::ready(ProbeAnswer { answer, host, ip: None, age_s: None }))
    }

    fn smtputf8(&self, domain: &str) -> Option<bool> {
        self.lock().smtputf8.get(domain).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_probe_says_what_was_entered_and_counts() {
        let probe = SimulatedProbe::new();
        let bob = ForwardPath::Address("Bob@corp.example".parse().unwrap());
        let ask = || probe.probe("corp.example", &ReversePath::Null, &bob);
        assert_eq!(ask().await.answer, Ok(RecipientAnswer::Unknown));
        probe.set_answer(&bob, Err(Inconclusive::Unreachable));
        assert_eq!(ask().await.answer, Err(Inconclusive::Unreachable));
        probe.set_smtputf8("corp.example", false);
        assert_eq!(probe.asked(), 2);
        assert_eq!(probe.smtputf8("corp.example"), Some(false));
        assert_eq!(probe.smtputf8("other.example"), None);
    }
}
