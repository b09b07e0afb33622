//! What delivery knows of the next hops, as the message center asks it.

use serde::{Deserialize, Serialize};
use store::QueuedMessage;
use types::{ForwardPath, Timestamp};

/// Knows the next hops. The binary implements it over the deliverer.
pub trait NextHops: Send + Sync {
    /// The next hop of this recipient of a queued message as it is now.
    ///
    /// # Errors
    /// A sentence: why no route leads anywhere.
    fn of(&self, message: &QueuedMessage, to: &ForwardPath) -> Result<NextHopState, String>;

    /// Every next hop in use or remembered, by name.
    fn all(&self) -> Vec<NextHopState>;

    /// Ends the back-off of the next hop of this recipient of a queued message,
    /// so that what is due there is tried at once.
    fn try_now(&self, message: &QueuedMessage, to: &ForwardPath);
}

/// One next hop at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NextHopState {
    /// Its hosts, or the domain whose mail exchangers it is.
    pub name: String,
    /// Whether the settings name it; else a sender's domain did.
    #[serde(default)]
    pub ours: bool,
    /// Failures in a row to take a connection.
    pub failures: u32,
    /// Until when it is left alone because of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_alone_until: Option<Timestamp>,
    /// Connections open for delivery.
    pub connections: usize,
    /// What it answered last, or what kept it from answering, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_answer: Option<(Timestamp, String)>,
}

impl NextHopState {
    /// Until when it is left alone, if it is at `now`: then it is down, and once
    /// its pause is over it is up until the next try says otherwise. Metrics,
    /// health, the overview and every message that waits go by this.
    pub fn alone_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.left_alone_until.filter(|until| *until > now)
    }
}

/// For a message center without delivery beside it.
pub(crate) struct NoNextHops;

impl NextHops for NoNextHops {
    fn of(&self, _: &QueuedMessage, _: &ForwardPath) -> Result<NextHopState, String> {
        Err("nothing is delivered from here".to_owned())
    }

    fn all(&self) -> Vec<NextHopState> {
        Vec::new()
    }

    fn try_now(&self, _: &QueuedMessage, _: &ForwardPath) {}
}
