//! Sign-ins that are under way: whoever was sent to the service, until they
//! come back with its answer.
//!
//! What comes back is believed only in the browser that was sent (a cookie
//! with a secret), and only with the words it was sent with (`state`): nobody
//! can have somebody else signed in as themselves, or pass on an answer that
//! was meant for another place (RFC 9700 section 4.7).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::{AccountId, Timestamp};

/// How long somebody may take at the service.
pub(crate) const BACK_WITHIN: Duration = Duration::from_secs(600);
/// Most people on the way at once; whoever was sent first gives way.
const UNDER_WAY_MAX: usize = 2_000;

/// What somebody was sent for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To sign in, and go on to this page.
    SignIn(String),
    /// To link this account, in which they are signed in.
    Link(AccountId),
}

/// One sign-in under way.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) purpose: Purpose,
    /// What comes back in the address.
    pub(super) state: String,
    /// What stands in the ID token.
    pub(super) nonce: String,
    /// What proves that it was us who sent them (RFC 7636).
    pub(super) verifier: String,
    until: Timestamp,
}

impl Flow {
    pub(super) fn new(
        purpose: Purpose,
        (state, nonce, verifier): (String, String, String),
        now: Timestamp,
    ) -> Self {
        Flow { purpose, state, nonce, verifier, until: now + BACK_WITHIN }
    }
}

/// All of them, by the secret of the browser's cookie.
#[derive(Default)]
pub(super) struct Flows(Mutex<HashMap<String, Flow>>);

impl Flows {
    pub(super) fn begin(&self, secret: &str, flow: Flow, now: Timestamp) {
        let mut flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flows.retain(|_, flow| flow.until > now);
        if flows.len() >= UNDER_WAY_MAX {
            let oldest = flows.iter().min_by_key(|(_, flow)| flow.until);
            if let Some(secret) = oldest.map(|(secret, _)| secret.clone()) {
                flows.remove(&secret);
            }
        }
        flows.insert(secret.to_owned(), flow);
    }

    /// Takes the one of this browser that was begun with this state: an
    /// answer counts once. Another answer does not end it.
    pub(super) fn take(&self, secret: &str, state: &str, now: Timestamp) -> Option<Flow> {
        let mut flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let flow = flows.get(secret)?;
        if flow.until <= now || flow.state != state {
            return None;
        }
        flows.remove(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + seconds * 1_000)
    }

    fn flow(state: &str, now: Timestamp) -> Flow {
        let purpose = Purpose::SignIn("/".to_owned());
        Flow::new(purpose, (state.to_owned(), "n".to_owned(), "v".to_owned()), now)
    }

    #[test]
    fn an_answer_counts_once_in_the_browser_that_was_sent() {
        let flows = Flows::default();
        flows.begin("ana's", flow("one", at(0)), at(0));
        flows.begin("eve's", flow("two", at(0)), at(0));
        assert!(flows.take("ana's", "two", at(1)).is_none(), "an answer of somebody else");
        assert!(flows.take("nobody's", "one", at(1)).is_none());
        assert!(flows.take("ana's", "one", at(1)).is_some(), "which did not end hers");
        assert!(flows.take("ana's", "one", at(1)).is_none(), "once");
        assert!(flows.take("eve's", "two", at(600)).is_none(), "too late");
    }

    #[test]
    fn memory_is_bounded() {
        let flows = Flows::default();
        for number in 0..2_500_i64 {
            flows.begin(&number.to_string(), flow("s", at(number / 10)), at(number / 10));
        }
        assert_eq!(flows.0.lock().unwrap().len(), UNDER_WAY_MAX);
        assert!(flows.take("0", "s", at(250)).is_none());
        assert!(flows.take("2499", "s", at(250)).is_some());
    }
}
