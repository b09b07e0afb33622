//! Lists while the server runs: their files are read again when they change,
//! and what becomes of each is told in the log, in metrics and to people.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use center::ReadyCheck;
use center::metrics::{MetricSource, Sample};
use checks::{Checks, LIST_RESULTS, ListSettings, ListStatus, Lists, Refusing, Suspicion, ZoneKey};
use policy::PolicySet;
use types::definition::PermittedList;
use types::{ListQuestion, ListRefusal, ListSubject};

use super::convert;
use super::inspect::whole;
use super::sign_in::secret;
use crate::settings::kinds::ListFormat;
use crate::settings::{ListTableSettings, Settings};
use crate::telemetry::{Log, Message};

/// What fails where a file cannot be used.
const WORK: &str = "files of lists";

/// What is known of the lists.
pub(crate) struct ListsWatch {
    checks: Arc<Checks>,
    policy: Arc<ArcSwap<PolicySet>>,
    /// Those that the log was told of.
    told: Mutex<BTreeMap<String, Trouble>>,
}

/// Why a list counts for nobody.
#[derive(Clone, PartialEq, Eq)]
enum Trouble {
    /// It is not believed.
    Suspended(String),
    /// It refuses us, in words that stand behind its name.
    Refuses(String),
}

impl Trouble {
    fn of(status: &ListStatus) -> Option<Trouble> {
        let suspended = status.suspended.map(|(why, _)| Trouble::Suspended(doubt(status, why)));
        suspended.or_else(|| Some(Trouble::Refuses(refusal(&status.refusing?))))
    }

    fn message(&self, list: &str) -> Message {
        let list = list.to_owned();
        match self {
            Trouble::Suspended(why) => Message::ListSuspended { list, problem: why.clone() },
            Trouble::Refuses(how) => Message::ListRefuses { list, problem: how.clone() },
        }
    }
}

impl ListsWatch {
    pub(super) fn new(checks: Arc<Checks>, policy: Arc<ArcSwap<PolicySet>>) -> Arc<ListsWatch> {
        Arc::new(ListsWatch { checks, policy, told: Mutex::default() })
    }

    /// Puts the lists of settings in force. At the start, a file that cannot
    /// be used lists nobody until it can: mail that is not kept out is the
    /// smaller harm than a server that does not start after a power cut. At a
    /// reload, what was read before stays.
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

    /// Tells the log which lists are suspended or refuse us since it was told
    /// last, and which no more.
    pub(super) fn tell(&self, log: &Log) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeMap::new();
        for status in self.checks.lists().status() {
            if let Some(trouble) = Trouble::of(&status) {
                now.insert(status.name.to_string(), trouble);
            }
        }
        for (list, trouble) in now.iter().filter(|(list, new)| told.get(*list) != Some(new)) {
            log.say(&trouble.message(list));
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
        let in_vain = self.policy.load().weighed_though_permitted();
        let in_vain = in_vain.iter().map(|list| {
            format!("{list} is permitted, so that its weight in a definition counts for nothing")
        });
        let problems: Vec<String> = all.iter().filter_map(problem).chain(in_vain).collect();
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
    if let Some((why, since)) = status.suspended {
        return Some(format!("{name} is suspended since {since}: {}", doubt(status, why)));
    }
    if let Some(refusing) = &status.refusing {
        let Refusing { count, since, last, .. } = refusing;
        let times = if *count == 1 { "once" } else { &format!("{count} times") };
        let told = format!("{name} {}, {times} since {since}", refusal(refusing));
        let told = if last > since { format!("{told}, the last at {last}") } else { told };
        return Some(match refusing.left_alone_until {
            Some(until) => format!("{told}; it is not asked again before {until}"),
            None => told,
        });
    }
    match (status.answered, status.file) {
        (_, Some(None)) => Some(format!("the file of {name} was not read")),
        (_, Some(Some(_))) if status.broken => {
            Some(format!("the file of {name} cannot be used; what was read of it before counts on"))
        }
        (Some(false), _) => Some(format!("{name} did not answer the last question")),
        (_, _) => None,
    }
}

/// Why a list is not believed. Many know nobody whose key is wrong.
fn doubt(status: &ListStatus, why: Suspicion) -> String {
    let by_key = status.has_key && why == Suspicion::TestMissing;
    let key = if by_key { "; the key to it may be wrong or have run out" } else { "" };
    format!("{}{key}", why.words())
}

/// How a list refuses us, to stand behind its name.
fn refusal(refusing: &Refusing) -> String {
    ListRefusal::of(refusing.answer).told(refusing.answer)
}

impl MetricSource for ListsWatch {
    fn collect(&self, out: &mut Vec<Sample>) {
        for status in self.in_use() {
            let name = status.name.to_string();
            let mut add = |metric: &str, labels: &[&str], value: f64| {
                out.extend(Sample::number(metric, labels, value));
            };
            if let Some(answered) = status.answered {
                let up = answered && Trouble::of(&status).is_none();
                add("portcullis_list_up", &[&name], if up { 1.0 } else { 0.0 });
            }
            if let Some(refusing) = &status.refusing {
                let why = ListRefusal::of(refusing.answer).slug();
                add("portcullis_list_refuses", &[&name, why], 1.0);
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

/// The lists of the settings, with the keys to their zones.
///
/// # Errors
/// A key cannot be read. A sentence for the operator.
pub(super) fn all(settings: &Settings) -> Result<Vec<ListSettings>, String> {
    settings.lists.iter().map(|numbered| one(numbered)).collect()
}

/// The global permitted lists, by what is asked of them.
pub(super) fn permitted(settings: &Settings) -> Vec<PermittedList> {
    settings.lists.iter().flat_map(|numbered| permitted_one(numbered)).collect()
}

/// What is asked of a global permitted list, for each thing that it can have:
/// a zone has addresses, a set of domains has names, and a text has both. The
/// name of a client is its confirmed one; what it says itself anybody can say.
fn permitted_one(list: &ListTableSettings) -> Vec<PermittedList> {
    let subjects: &[ListSubject] = match (list.permitted, &list.file, list.format) {
        (false, _, _) => &[],
        (true, None, _) | (true, Some(_), ListFormat::Ip4set) => &[ListSubject::Ip],
        (true, Some(_), ListFormat::Dnset) => &[ListSubject::HostName],
        (true, Some(_), ListFormat::Text) => &[ListSubject::Ip, ListSubject::HostName],
    };
    let one = |of: &ListSubject| PermittedList {
        question: ListQuestion { list: list.name.clone(), of: *of },
        answers: list.permitted_answers.clone(),
    };
    subjects.iter().map(one).collect()
}

/// All of them, each with what a definition would have looked up in it: a set
/// of domains knows senders by their domain, everything else addresses.
pub(super) fn known(settings: &Settings) -> Vec<ListQuestion> {
    let one = |list: &ListTableSettings| {
        let of = match (&list.file, list.format) {
            (Some(_), ListFormat::Dnset) => ListSubject::SenderDomain,
            _ => ListSubject::Ip,
        };
        ListQuestion { list: list.name.clone(), of }
    };
    settings.lists.iter().map(|numbered| one(numbered)).collect()
}

/// What is wrong with one of them: by which setting, and in a sentence.
pub(super) fn fault(list: &ListTableSettings) -> Option<(&'static str, String)> {
    match one(list) {
        Err(error) => Some(("zone_key_file", error)),
        Ok(list) => Lists::check(&list).err().map(|error| ("file", whole(&error))),
    }
}

/// One of them.
///
/// # Errors
/// Its key cannot be read, or no zone can begin with it, which is said without
/// showing it.
fn one(list: &ListTableSettings) -> Result<ListSettings, String> {
    let zone = list.zone.clone().unwrap_or_else(|| list.name.clone());
    let key = match &list.zone_key_file {
        None => None,
        Some(path) => {
            let wrong = || format!("the first line of {} is no key to a zone", path.display());
            Some(ZoneKey::new(&secret(path)?, &zone).ok_or_else(wrong)?)
        }
    };
    Ok(convert::list(list, zone, key))
}
