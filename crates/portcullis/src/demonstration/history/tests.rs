//! A short week through the whole gateway: nothing is lost, and what the
//! demo promises to show is there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use center::overview::OverviewSpan;
use center::replay::{ReplayReport, ReplayRequest};
use store::contract::Page;
use store::state::PolicySetContent;
use store::{EventLog, Filter};
use types::{Caller, Event, OutcomeKind, Reason, Stage};

use super::*;

#[test]
fn each_day_that_is_over_has_its_line() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let mut day = None;
    assert_eq!(day_over(&mut day, at("2026-11-14T10:00:00Z"), 0), None);
    assert_eq!(day_over(&mut day, at("2026-11-14T23:59:59Z"), 70), None);
    let line = day_over(&mut day, at("2026-11-15T00:00:01Z"), 75).unwrap();
    assert_eq!(line, "  2026-11-14: 75 attempts");
    let line = day_over(&mut day, at("2026-11-17T00:00:01Z"), 100).unwrap();
    assert_eq!(line, "  2026-11-15: 25 attempts");
}
use crate::demonstration::place::Place;
use crate::serve::open_log;

/// What else a week of this length has for certain.
const BEYOND: &[Reason] = &[
    Reason::Accepted,
    Reason::AcceptedPermitted,
    Reason::AcceptedAutoAllowed,
    Reason::DeliveryRejected,
];

/// All that comes before the content is looked at, by the table of reasons, so
/// that a new one needs its story here.
fn expected() -> impl Iterator<Item = Reason> {
    let early = Reason::ALL.iter().copied().filter(|reason| reason.stage() <= Stage::Data);
    early.chain(BEYOND.iter().copied())
}

const NOW: &str = "2026-11-21T12:34:56Z";
const ATTEMPTS: u32 = 3_000;

/// What is left of short weeks.
struct Left {
    made: Made,
    events: Vec<Event>,
    policies: PolicySetContent,
    /// Refusals of the last seven days, and of the seven before.
    refused: Vec<(u64, Option<u64>)>,
    /// Days that have a daily log.
    days: BTreeSet<String>,
    /// What the policy set makes of everything that was recorded.
    replayed: ReplayReport,
}

/// Makes weeks of so many attempts in a new folder.
fn short_weeks(weeks: u32, attempts: u32) -> Left {
    let folder = tempfile::tempdir().unwrap();
    let arguments = crate::cli::DemoArguments {
        smtp: "127.0.0.1:2525".parse().unwrap(),
        http: "127.0.0.1:8080".parse().unwrap(),
        messages: None,
        history: attempts,
        weeks,
        rate: 0,
        seed: 1,
    };
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let hops = Hops { sink: at(2500), old_sink: at(2501), nowhere: at(1) };
    let mut place = Place::set_up(folder.path(), &arguments, hops).unwrap();
    // A journal that is small is read quickly when it is opened.
    place.settings.store.journal_segment_size.0 = 4 << 20;
    let now: Timestamp = NOW.parse().unwrap();
    let clock = Arc::new(SimulatedClock::new(now));
    let (log, writer) = open_log(&place.loaded(), clock).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let wanted = Wanted { attempts, weeks, seed: 1, messages: None, hops, now };
    let made = runtime.block_on(make(&place.settings, wanted, &log)).unwrap();
    let world = World {
        clock: Arc::new(SimulatedClock::new(now)),
        chance: Arc::new(SystemChance),
        dial: Arc::new(SimulatedNetwork::new(Arc::new(SimulatedClock::new(now)))),
        resolver: None,
    };
    let opened = Opened::open_in(&place.settings, world).unwrap();
    let page = Page { after: None, rows_max: 100_000, count_max: 100_000 };
    let always = Timestamp::EPOCH..Timestamp::from_millis(i64::MAX);
    let found = opened.store.search(&Filter::Everything, always, page).unwrap();
    assert!(!found.more && found.missing.is_empty());
    let policies = opened.state.read(&mut |_| {}).unwrap();
    let (refused, days, replayed) = runtime.block_on(async {
        let gateway = Gateway::join(&place.settings, opened, Arc::clone(&log), vec![]).unwrap();
        let root = Caller::with_all("root");
        let bars = gateway.center.overview_refused(&root, OverviewSpan::Week).unwrap();
        let logs = gateway.center.daily_logs(&root).unwrap();
        let refused = bars.iter().map(|bar| (bar.now.count, bar.week_before)).collect();
        let replayed = gateway.center.replay(&root, &ReplayRequest::default()).unwrap();
        (refused, logs.into_iter().map(|log| log.day).collect(), replayed)
    });
    writer.close();
    Left { made, events: found.events, policies, refused, days, replayed }
}

#[test]
fn of_the_week_before_its_daily_logs_and_what_to_compare_with_are_left() {
    let left = short_weeks(2, 700);
    assert_eq!((left.made.tally.open(), left.made.tally.unrecorded), (0, 0));
    let now: Timestamp = NOW.parse().unwrap();
    let kept = now - WEEK - Duration::from_secs(26 * 3_600);
    // Retention drops whole segments, but for what is still held.
    let is_held = |event: &&Event| event.outcome_kind() == Some(OutcomeKind::Held);
    let held: BTreeSet<_> = left.events.iter().filter(is_held).map(|one| one.life_line).collect();
    assert!(left.events.iter().all(|one| one.at >= kept || held.contains(&one.life_line)));
    assert_eq!(left.days.len(), 15, "{:?}", left.days);
    let (last, before): (Vec<u64>, Vec<Option<u64>>) = left.refused.into_iter().unzip();
    let before: u64 = before.into_iter().map(|count| count.expect("each has its figure")).sum();
    let last: u64 = last.into_iter().sum();
    assert!(before * 2 > last && last * 2 > before, "{before} before, {last} in the last week");
}

#[test]
fn a_week_is_conserved_and_shows_every_reason() {
    let Left { made, events, policies, replayed, .. } = short_weeks(1, ATTEMPTS);
    let ended: u64 = made.tally.ended.iter().sum();
    assert_eq!((made.tally.open(), made.tally.unrecorded), (0, 0), "{:?}", made.tally);
    let attempts = events.iter().filter(|event| event.outcome().is_some()).count() as u64;
    assert_eq!(attempts, ended, "every attempt has its event");
    // The generator counts what it sees, which is close to the truth.
    let counted = made.report.counts.attempts;
    assert!(counted.abs_diff(ended) * 20 <= ended, "{counted} {ended}");
    assert!(u64::from(ATTEMPTS).abs_diff(ended) * 4 <= u64::from(ATTEMPTS), "{ended}");

    let hits: u64 = policies.policies.iter().map(|stored| stored.hits.count).sum();
    assert!(hits * 4 > ended, "what each policy decided is counted: {hits} of {ended}");

    let now: Timestamp = NOW.parse().unwrap();
    assert!(events.iter().all(|event| event.at <= now && event.at >= now - WEEK));
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in events.iter().filter_map(Event::reason) {
        *reasons.entry(reason.slug()).or_default() += 1;
    }
    let missing: Vec<&str> =
        expected().map(Reason::slug).filter(|slug| !reasons.contains_key(slug)).collect();
    assert!(missing.is_empty(), "missing {missing:?} among {reasons:?}");

    assert!(!replayed.stopped && replayed.missing.is_empty(), "{replayed:?}");
    assert_eq!((replayed.attempts, replayed.unreadable), (attempts, 0));
    // The policies of the demo are as they were made, so all is decided again as it was.
    let check = &replayed.self_check;
    assert_eq!((check.same, check.different, replayed.unknown), (attempts, 0, 0), "{check:?}");
}
