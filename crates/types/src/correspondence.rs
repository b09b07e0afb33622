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

/// What a mail of our own people teaches of one of its recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lesson {
    /// That he may answer.
    Taught(Correspondence),
    /// Nothing, and why.
    Nothing(Untaught),
}

macro_rules! untaught {
    ($($(#[$doc:meta])* $name:ident = $words:literal,)*) => {
        /// Why a mail that left us teaches nothing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Untaught { $($(#[$doc])* $name,)* }

        impl Untaught {
            /// For people: lower case, no full stop.
            pub const fn words(self) -> &'static str {
                match self { $(Untaught::$name => $words,)* }
            }
        }
    };
}

untaught! {
    /// The null reverse-path: a bounce, which nobody answers.
    NoSender = "it has the null reverse-path, to which nobody answers",
    /// A reverse-path that was made for this message.
    SenderOfOneMessage = "its reverse-path was made for this message alone",
    /// The sender is none of our people.
    SenderNotOurs = "its sender is of none of our domains",
    /// An automatic reply or a mailing, which no person wrote to its recipient.
    Automatic = "it is an automatic reply or a mailing",
    /// It may be one of those.
    Unread = "its header could not be read, so it may be an automatic reply or a mailing",
    /// The recipient is one of our people, or has no address.
    RecipientOurs = "its recipient is one of our own",
    /// An Auto Allow Creation policy takes it out.
    Policy = "a policy says so",
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
