//! Alerts: somebody is told when more comes into a saved view than they
//! expect, or something at all after a quiet time.
//!
//! ```text
//! events ─ follow_each ─ window ─ fires ─┬─ moment of the last firing ┐ one
//!   (as the owner sees them)             └─ tellings ─────────────────┘ transaction
//! tellings ─ due ─┬─ mail: through our own queue, to our own domains
//!                 └─ webhook: signed, tried again with growing pauses
//! ```
//!
//! **Nothing is counted twice and no alert is lost at a restart.** What is in
//! a window is a set of events, rebuilt from the event log; how far the log
//! was looked at is noted, and a bit more than that is looked at again. An
//! event looked at twice is the same member of the set, and an alert that
//! fired is quiet for at least its own window by the times of the events, so
//! no event is in two firings. When it fired and what is to be told are
//! written down together.
//!
//! Only what comes is looked at, in its columns and in one pass for all
//! alerts: the cost is that of the filters over the events that come, however
//! many are stored.

mod message;
mod setting;
mod telling;
#[cfg(test)]
mod tests;
mod watching;
mod window;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use store::state::{AlertState, StoredAlert};
use types::{EmailAddress, Timestamp};
use world::{Post, WebAddress};

use crate::accounts::Accounts;
use crate::metrics::Sample;

pub use message::{AlertMessage, AlertedRow, AlertedView, SIGNED_FIELDS, signature};
pub use telling::{AlertTold, DueTelling, TELLINGS_AT_ONCE_MAX};

/// Most alerts of all accounts together: what they hold in memory is bounded
/// by this and [`COUNT_MAX`].
pub const ALERTS_MAX: usize = 200;
/// Most alerts of one owner.
pub const ALERTS_OF_OWNER_MAX: usize = 20;
/// Most matches that are waited for.
pub const COUNT_MAX: u32 = 1_000;
/// Longest window, in minutes: a day.
pub const WINDOW_MINUTES_MAX: u32 = 24 * 60;
/// Longest quiet time, in minutes: a week.
pub const QUIET_MINUTES_MAX: u32 = 7 * 24 * 60;
/// Most addresses that one alert is mailed to.
pub const ADDRESSES_MAX: usize = 10;

/// What makes an alert fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertWhen {
    /// More than so many in so many minutes.
    MoreThan {
        /// So many are still as expected; at most 1,000.
        count: u32,
        /// Within this many minutes; at most a day.
        minutes: u32,
    },
    /// One, where none came in the quiet time before it.
    First,
}

impl AlertWhen {
    /// As people say it.
    pub fn spoken(self) -> String {
        match self {
            AlertWhen::MoreThan { count, minutes } => {
                format!("more than {count} in {}", spoken_minutes(minutes))
            }
            AlertWhen::First => "first occurrence".to_owned(),
        }
    }
}

/// An alert to be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAlert {
    /// What makes it fire.
    pub when: AlertWhen,
    /// For how many minutes it is quiet after it fired: at least its window,
    /// at most a week.
    pub quiet_minutes: u32,
    /// Whom to write to: addresses of our own domains, at most ten.
    #[serde(default)]
    pub mail: Vec<EmailAddress>,
    /// Where to post to: an `https://` address.
    #[serde(default)]
    pub webhook: Option<String>,
    /// Whether the webhook gets a new secret; it also does with a new address.
    #[serde(default)]
    pub new_secret: bool,
}

/// The alert of a saved view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Alert {
    /// What makes it fire.
    pub when: AlertWhen,
    /// The same in words.
    pub condition: String,
    /// For how many minutes it is quiet after it fired.
    pub quiet_minutes: u32,
    /// Whom it writes to.
    pub mail: Vec<EmailAddress>,
    /// Where it posts to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// What came after this counts.
    pub since: Timestamp,
    /// The time of the event at which it fired last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired: Option<Timestamp>,
    /// When somebody was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Timestamp>,
    /// What kept the last telling from being told; gone once one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<AlertFailure>,
    /// Why it does not watch any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// How much is still to be told.
    pub waiting: u32,
}

/// Why somebody was not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AlertFailure {
    /// When it was tried.
    pub at: Timestamp,
    /// Whom: an address of mail, or the host of a webhook.
    pub whom: String,
    /// Why not.
    pub why: String,
    /// Whether it was given up.
    pub given_up: bool,
}

/// What came of setting an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SetAlert {
    /// The alert.
    pub alert: Alert,
    /// The secret that signs what its webhook gets; shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What is kept of an alert as it was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Terms {
    when: AlertWhen,
    quiet_minutes: u32,
    mail: Vec<EmailAddress>,
    webhook: Option<String>,
    by: setting::SetBy,
}

impl Terms {
    /// The same for the audit log, which others read: what stands after the
    /// host of a webhook often is a secret.
    fn without_secrets(&self) -> Terms {
        let webhook = self.webhook.as_deref().map(origin_of);
        Terms { webhook, ..self.clone() }
    }
}

/// The part of a webhook's address that is no secret.
fn origin_of(webhook: &str) -> String {
    webhook.parse().map_or_else(|_| String::new(), |address: WebAddress| address.origin())
}

/// What alerts are made of.
pub struct AlertParts {
    /// Where they are kept.
    pub state: Arc<dyn AlertState>,
    /// Who their owners are, and what they may see.
    pub accounts: Arc<Accounts>,
    /// What reaches webhooks.
    pub post: Arc<dyn Post>,
    /// The name of this server, in whose name mail is written.
    pub host_name: String,
    /// Where people reach the console from elsewhere, for links; without it
    /// there are none.
    pub public_url: Option<String>,
}

/// All about alerts that a message center has.
pub(crate) struct Alerts {
    parts: AlertParts,
    watch: Mutex<watching::Watch>,
    /// What is left of the rate of mail, as [`types::Rate`] remembers it.
    mail_rate: Mutex<i64>,
    counts: Counts,
}

/// What is counted for the metrics.
#[derive(Default)]
struct Counts {
    fired: AtomicU64,
    /// Told, failed, given up; by mail, then by webhook.
    told: [[AtomicU64; 3]; 2],
}

impl Alerts {
    pub(crate) fn new(parts: AlertParts) -> Self {
        Alerts {
            parts,
            watch: Mutex::default(),
            mail_rate: Mutex::new(i64::MIN),
            counts: Counts::default(),
        }
    }

    /// The numbers.
    pub(crate) fn collect(&self, out: &mut Vec<Sample>) {
        let mut add = |name: &str, labels: &[&str], value: u64| {
            out.extend(Sample::number(name, labels, value as f64));
        };
        if let Ok(alerts) = self.parts.state.alerts() {
            let stopped = alerts.iter().filter(|alert| alert.stopped.is_some()).count();
            add("portcullis_alerts", &["watching"], (alerts.len() - stopped) as u64);
            add("portcullis_alerts", &["stopped"], stopped as u64);
            let waiting = alerts.iter().map(|alert| u64::from(alert.waiting)).sum();
            add("portcullis_alert_tellings_waiting", &[], waiting);
        }
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        add("portcullis_alerts_fired_total", &[], value(&self.counts.fired));
        for (way, counts) in ["mail", "webhook"].into_iter().zip(&self.counts.told) {
            for (result, count) in ["told", "failed", "given_up"].into_iter().zip(counts) {
                add("portcullis_alert_tellings_total", &[way, result], value(count));
            }
        }
    }
}

/// A stored alert for people; nothing if another program wrote it and this
/// one cannot read it.
fn shown(stored: &StoredAlert) -> Option<Alert> {
    let terms: Terms = serde_json::from_str(&stored.document).ok()?;
    Some(Alert {
        when: terms.when,
        condition: terms.when.spoken(),
        quiet_minutes: terms.quiet_minutes,
        mail: terms.mail,
        webhook: terms.webhook,
        since: stored.since,
        fired: stored.fired,
        told: stored.told,
        failure: stored.failed.as_deref().and_then(|failed| serde_json::from_str(failed).ok()),
        stopped: stored.stopped.clone(),
        waiting: stored.waiting,
    })
}

/// So many minutes, as people say it.
fn spoken_minutes(minutes: u32) -> String {
    types::time::spoken(minutes_of(minutes))
}

fn minutes_of(minutes: u32) -> std::time::Duration {
    std::time::Duration::from_secs(u64::from(minutes) * 60)
}
