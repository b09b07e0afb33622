//! Asking a zone of the name system (RFC 5782).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::join;
use types::listing::{ANSWERS_MAX, is_listing};
use types::{Domain, ListAnswer, ListFailure, ListRefusal, Timestamp};
use world::{DnsError, Family, Resolver};

use super::guard::{Guard, Standing, Suspicion, Tested};
use super::question::{Kind, ListKey};
use super::zone_key::ZoneKey;
use super::{List, Lists};

impl Lists {
    /// One question to a zone, within its time and its share of questions.
    pub(super) async fn ask_zone(
        &self,
        list: &List,
        zone: &Domain,
        key: &ListKey,
        resolver: &dyn Resolver,
    ) -> ListAnswer {
        let Some(name) = key.in_zone(zone) else { return ListAnswer::NotAsked };
        let asked = self.clock.now();
        let Some(_turn) = list.pause.turn(asked) else {
            let refusing = list.counts.refusing().map(|refusing| refusing.answer);
            let answer = refusing.unwrap_or(Ipv4Addr::LOCALHOST);
            return ListAnswer::Failed(ListFailure::LeftAlone(answer));
        };
        let timeout = self.clock.sleep(list.settings.timeout);
        let progress = Progress::default();
        let limited = list.permits.available_permits() == 0;
        let answer = async {
            // Never closed, so it only fails if that changes.
            let Ok(_permit) = list.permits.acquire().await else {
                return ListAnswer::Failed(ListFailure::Limited);
            };
            self.ask_guarded(list, zone, key, (&name, &progress), resolver).await
        };
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            () = timeout => self.late(list, key, (asked, limited), &progress),
        };
        match &answer {
            ListAnswer::Failed(ListFailure::ErrorAnswer(error)) if refuses_us(*error) => {
                list.pause.refused(asked, self.clock.now());
            }
            ListAnswer::Listed { .. } | ListAnswer::NotListed => list.pause.answered(),
            ListAnswer::NotAsked | ListAnswer::Failed(_) => {}
        }
        answer
    }

    /// What is known when the time is over: a listing whose explanation did
    /// not come is a listing all the same, unless a test is open.
    fn late(
        &self,
        list: &List,
        key: &ListKey,
        (asked, limited): (Timestamp, bool),
        progress: &Progress,
    ) -> ListAnswer {
        let (guard, now) = (list.guard(key.kind()), self.clock.now());
        let heard = progress.heard.get();
        // What has nothing else to say either is silent.
        if heard.is_some() && self.test_had_time(list, progress) {
            guard.tested(Tested::Unknown, now);
        }
        let open = list.settings.has_test_entries && guard.is_due(asked);
        match heard {
            Some(_) if guard.suspended().is_some() => ListAnswer::Failed(ListFailure::Suspended),
            Some(ListAnswer::Listed { .. }) if open => ListAnswer::Failed(ListFailure::TimedOut),
            Some(answer) => {
                guard.answered(key, is_listed(answer), now);
                answer.clone()
            }
            None if limited => ListAnswer::Failed(ListFailure::Limited),
            None => {
                guard.silent(now);
                ListAnswer::Failed(ListFailure::TimedOut)
            }
        }
    }

    /// Whether this session asked for the test entries in vain, and early
    /// enough that they could have been answered.
    fn test_had_time(&self, list: &List, progress: &Progress) -> bool {
        let since = |began: &Duration| self.clock.elapsed().saturating_sub(*began);
        let open = progress.test_began.get().filter(|_| progress.test_ended.get().is_none());
        open.is_some_and(|began| since(began) >= list.settings.timeout / 2)
    }

    async fn ask_guarded(
        &self,
        list: &List,
        zone: &Domain,
        key: &ListKey,
        (name, progress): (&str, &Progress),
        resolver: &dyn Resolver,
    ) -> ListAnswer {
        let (kind, now) = (key.kind(), self.clock.now());
        let guard = list.guard(kind);
        let secret = list.settings.zone_key.as_ref();
        let look_up = || look_up(name, secret, resolver, &progress.heard);
        let standing = guard.standing(now, list.settings.has_test_entries);
        let answer = match standing {
            Standing::Suspended => return ListAnswer::Failed(ListFailure::Suspended),
            Standing::Silent => return ListAnswer::Failed(ListFailure::TimedOut),
            Standing::Believed => look_up().await,
            Standing::Due => {
                let test = || test_entries(kind, zone, resolver);
                self.ask_untested(guard, test, look_up(), progress).await
            }
            Standing::OnTrial => {
                guard.tested(test_entries(kind, zone, resolver).await, now);
                match guard.suspended() {
                    Some(_) => return ListAnswer::Failed(ListFailure::Suspended),
                    None => look_up().await,
                }
            }
        };
        if !matches!(answer, ListAnswer::Listed { .. } | ListAnswer::NotListed) {
            return answer;
        }
        let untested = standing == Standing::Due && guard.is_due(now);
        guard.answered(key, is_listed(&answer), now);
        match guard.suspended() {
            Some(_) => ListAnswer::Failed(ListFailure::Suspended),
            None if untested && is_listed(&answer) => ListAnswer::Failed(ListFailure::TimedOut),
            None => answer,
        }
    }

    /// The answer of a zone whose test entries are due. One session asks for
    /// them beside its own question; another waits for them if it is listed,
    /// and asks for them itself if the first ended before they came.
    async fn ask_untested<T: Future<Output = Tested>>(
        &self,
        guard: &Guard,
        test: impl Fn() -> T,
        look_up: impl Future<Output = ListAnswer>,
        progress: &Progress,
    ) -> ListAnswer {
        let now = self.clock.now();
        let ended = guard.tests_ended();
        if let Ok(_turn) = guard.turn().try_lock() {
            let _ = progress.test_began.set(self.clock.elapsed());
            let tested = async {
                let tested = test().await;
                // At once, because an explanation may be slow.
                if tested != Tested::Unknown {
                    guard.tested(tested, now);
                    let _ = progress.test_ended.set(());
                }
                tested
            };
            let (tested, answer) = join(tested, look_up).await;
            // A zone that answers nothing at all is silent, no liar.
            if tested == Tested::Unknown && !matches!(answer, ListAnswer::Failed(_)) {
                guard.tested(tested, now);
            }
            return answer;
        }
        let answer = look_up.await;
        if is_listed(&answer) {
            let _turn = guard.turn().lock().await;
            if guard.tests_ended() == ended && guard.is_due(now) {
                let _ = progress.test_began.set(self.clock.elapsed());
                guard.tested(test().await, self.clock.now());
                let _ = progress.test_ended.set(());
            }
        }
        answer
    }
}

/// What a question has come to, for when its time is over.
#[derive(Default)]
struct Progress {
    /// What the zone said, before its explanation was asked for.
    heard: OnceLock<ListAnswer>,
    /// When this session asked for the test entries, if it did.
    test_began: OnceLock<Duration>,
    /// That they were answered.
    test_ended: OnceLock<()>,
}

fn is_listed(answer: &ListAnswer) -> bool {
    matches!(answer, ListAnswer::Listed { .. })
}

/// The answer of a zone about one name, with its explanation if there is one
/// that may be remembered; what it says is `heard` before that is asked for.
async fn look_up(
    name: &str,
    secret: Option<&ZoneKey>,
    resolver: &dyn Resolver,
    heard: &OnceLock<ListAnswer>,
) -> ListAnswer {
    let answers = match resolver.addresses_in(Family::V4, name).await {
        Ok(found) => found,
        Err(DnsError::NoSuchName | DnsError::NoRecords) => {
            let _ = heard.set(ListAnswer::NotListed);
            return ListAnswer::NotListed;
        }
        Err(error) => return ListAnswer::Failed(failure(error)),
    };
    let v4 = answers.iter().filter_map(|ip| match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    });
    let mut answers: Vec<Ipv4Addr> = v4.collect();
    answers.sort_unstable();
    answers.dedup();
    // One error among listings makes all of them doubtful.
    if let Some(error) = answers.iter().find(|answer| !is_listing(**answer)) {
        return ListAnswer::Failed(ListFailure::ErrorAnswer(*error));
    }
    if answers.is_empty() {
        return ListAnswer::NotListed;
    }
    answers.truncate(ANSWERS_MAX);
    let _ = heard.set(ListAnswer::listed(answers.clone(), None));
    let texts = resolver.texts(name).await.unwrap_or_default();
    let text = texts.first().map(|text| String::from_utf8_lossy(text));
    // Before it is cut, or part of a key could be left at its end.
    let text = text.filter(|text| !secret.is_some_and(|secret| secret.is_in(text)));
    ListAnswer::listed(answers, text.as_deref())
}

/// Whether the list itself says no to us: an address of elsewhere comes from
/// somebody else.
fn refuses_us(error: Ipv4Addr) -> bool {
    ListRefusal::of(error) != ListRefusal::NoList
}

fn failure(error: DnsError) -> ListFailure {
    match error {
        DnsError::TimedOut => ListFailure::TimedOut,
        DnsError::Malformed => ListFailure::Malformed,
        DnsError::ServerFailure | DnsError::NoSuchName | DnsError::NoRecords => {
            ListFailure::Unreachable
        }
    }
}

/// Looks at the entry every zone has and the one none may have.
async fn test_entries(kind: Kind, zone: &Domain, resolver: &dyn Resolver) -> Tested {
    let [there, absent] = kind.test_entries(zone);
    let (there, absent) =
        join(resolver.addresses_in(Family::V4, &there), resolver.addresses_in(Family::V4, &absent))
            .await;
    match (is_there(&there), is_there(&absent)) {
        (_, Some(true)) => Tested::Wrong(Suspicion::ListsTheUnlistable),
        (Some(false), _) => Tested::Wrong(Suspicion::TestMissing),
        (Some(true), Some(false)) => Tested::Right,
        (None, _) | (_, None) => Tested::Unknown,
    }
}

/// Whether there was an answer, and whether it was a listing. An error of
/// the list is no answer.
fn is_there(found: &Result<Vec<IpAddr>, DnsError>) -> Option<bool> {
    match found {
        Ok(answers) => {
            let listing = |ip: &IpAddr| matches!(ip, IpAddr::V4(ip) if is_listing(*ip));
            let all = !answers.is_empty() && answers.iter().all(listing);
            // A domain that somebody parks answers to every name, with an
            // address outside 127/8: no answer of a list.
            all.then_some(true)
        }
        Err(DnsError::NoSuchName | DnsError::NoRecords) => Some(false),
        Err(_) => None,
    }
}
