//! Who of ours wrote to whom outside: what auto allow goes by.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::EmailAddress;
use crate::time::Timestamp;

/// How long somebody may answer after the last mail to him (120 days).
pub const ANSWERS_EXPECTED_FOR: Duration = Duration::from_secs(120 * 24 * 60 * 60);

/// Somebody of ours wrote to somebody outside, whose answer is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Correspondence {
    /// Who wrote.
    pub own: EmailAddress,
    /// To whom.
    pub other: EmailAddress,
    /// When he did so last.
    pub wrote: Timestamp,
}

impl Correspondence {
    /// The first moment at which it counts no more.
    pub fn ends(&self) -> Timestamp {
        self.wrote + ANSWERS_EXPECTED_FOR
    }

    /// Whether an answer at `at` is expected.
    pub fn covers(&self, at: Timestamp) -> bool {
        at < self.ends()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_expected_for_a_hundred_and_twenty_days_and_no_longer() {
        let wrote = Timestamp::from_millis(1_795_000_000_000);
        let pair = Correspondence {
            own: "bob@corp.example".parse().unwrap(),
            other: "ann@sender.example".parse().unwrap(),
            wrote,
        };
        let days = |days: u64| wrote + Duration::from_secs(days * 86_400);
        assert_eq!(pair.ends(), days(120));
        assert!(pair.covers(wrote) && pair.covers(pair.ends().before(Duration::from_millis(1))));
        assert!(!pair.covers(days(120)));
    }
}
