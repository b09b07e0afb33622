//! Lists while the server runs: their files are read again when they change,
//! and what becomes of each is told in the log, in metrics and to people.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use center::ReadyCheck;
use center::metrics::{MetricSource, Sample};
use checks::{Checks, LIST_RESULTS, ListSettings, ListStatus};
use policy::PolicySet;

use super::convert;
use super::gateway::Gateway;
use super::inspect::whole;
use crate::settings::Settings;
use crate::telemetry::{Log, Message};

/// What fails where a file cannot be used.
const WORK: &str = "files of lists";

/// What is known of the lists.
pub(crate) struct ListsWatch {
    checks: Arc<Checks>,
    policy: Arc<ArcSwap<PolicySet>>,
    /// Those that the log was told of, with the words.
    told: Mutex<BTreeMap<String, String>>,
}

impl ListsWatch {
    pub(super) fn new(checks: Arc<Checks>, policy: Arc<ArcSwap<PolicySet>>) -> Arc<ListsWatch> {
        Arc::new(ListsWatch { checks, policy, told: Mutex::default() })
    }

    /// Puts the lists of the settings in force at the start. A file that
    /// cannot be used lists nobody until it can: mail that is not kept out is
    /// the smaller harm than a server that does not start after a power cut.
    pub(super) fn start(&self, lists: Vec<ListSettings>, log: &Log) {
        for error in self.checks.lists().replace(lists) {
            log.say(&Message::WorkFailed { work: WORK, problem: whole(&error) });
        }
    }

    /// Reads the files again that have changed; what cannot be used is left
    /// as it was.
    ///
    /// # Errors
    /// The first of them.
    pub(super) fn reread(&self) -> Result<(), String> {
        self.checks.lists().reread().first().map_or(Ok(()), |error| Err(whole(error)))
    }

    /// Tells the log which lists are suspended since it was told last, and
    /// which no more.
    pub(super) fn tell(&self, log: &Log) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeMap::new();
        for status in self.checks.lists().status() {
            if let Some((why, _)) = status.suspended {
                now.insert(status.name.to_string(), why.words().to_owned());
            }
        }
        for (list, problem) in now.iter().filter(|(list, words)| told.get(*list) != Some(words)) {
            let (list, problem) = (list.clone(), problem.clone());
            log.say(&Message::ListSuspended { list, problem });
        }
        for list in told.keys().filter(|list| !now.contains_key(*list)) {
            log.say(&Message::ListRestored { list: list.clone() });
        }
        *told = now;
    }

    /// The lists of the settings and those that the policies in force ask.
    fn in_use(&self) -> Vec<ListStatus> {
        let policy = self.policy.load();
        let asked = |status: &ListStatus| {
            let names = policy.lists().iter().any(|question| question.list == status.name);
            names || status.file.is_some()
        };
        self.checks.lists().status().into_iter().filter(asked).collect()
    }

    /// Whether all of them count. One that does not keeps no mail out.
    pub(super) fn check(&self) -> ReadyCheck {
        let all = self.in_use();
        let problems: Vec<String> = all.iter().filter_map(problem).collect();
        let text = match (all.is_empty(), problems.is_empty()) {
            (true, _) => "none is asked".to_owned(),
            (false, true) => "all that were asked answer".to_owned(),
            (false, false) => problems.join("; "),
        };
        ReadyCheck { name: "lists".to_owned(), ok: problems.is_empty(), needed: false, text }
    }
}

/// What is wrong with a list, in words.
fn problem(status: &ListStatus) -> Option<String> {
    let name = &status.name;
    match (status.suspended, status.answered, status.file) {
        (Some((why, since)), _, _) => {
            Some(format!("{name} is suspended since {since}: {}", why.words()))
        }
        (None, _, Some(None)) => Some(format!("the file of {name} was not read")),
        (None, Some(false), _) => Some(format!("{name} did not answer the last question")),
        (None, _, _) => None,
    }
}

impl MetricSource for ListsWatch {
    fn collect(&self, out: &mut Vec<Sample>) {
        for status in self.in_use() {
            let name = status.name.to_string();
            let mut add = |metric: &str, labels: &[&str], value: f64| {
                out.extend(Sample::number(metric, labels, value));
            };
            if let Some(answered) = status.answered {
                let up = answered && status.suspended.is_none();
                add("portcullis_list_up", &[&name], if up { 1.0 } else { 0.0 });
            }
            for (result, count) in LIST_RESULTS.iter().zip(status.answers) {
                if count > 0 {
                    add("portcullis_list_answers_total", &[&name, result], count as f64);
                }
            }
            if let Some(Some((entries, read_ago_s))) = status.file {
                add("portcullis_list_entries", &[&name], entries as f64);
                add("portcullis_list_read_age_seconds", &[&name], read_ago_s as f64);
            }
        }
    }
}

/// Puts the lists of new settings in force. Their files were checked with
/// the settings; one that has become unreadable since leaves the old content.
pub(super) fn replace(gateway: &Gateway, settings: &Settings) {
    gateway.lists.start(convert::lists(settings), &gateway.log);
}
