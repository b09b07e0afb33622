//! The last week, lived through by the same gateway in a simulated world; and
//! the week before, of which only that is left which outlives its events: the
//! daily logs, and what the last week is compared with.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use demo::corp::{self, Hops};
use demo::{DemoNames, DemoWorld, Doors, Messages, Sink, Timers, WeekPlan, WeekReport, week};
use receive::{ListenerSettings, Wish};
use store::{CorrespondenceTable, MessageQueue};
use tokio::sync::{oneshot, watch};
use types::{Correspondence, Timestamp};
use world::simulated::{SimulatedClock, SimulatedListener, SimulatedNetwork};
use world::{BoxFuture, Clock, SystemChance};

use super::{devices, doors, say};
use crate::serve::chores::note_hits;
use crate::serve::convert;
use crate::serve::gateway::{Gateway, Opened, World};
use crate::serve::inspect::whole;
use crate::settings::Settings;
use crate::telemetry::Log;

const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// How long a silent client is kept in the simulated world.
const IDLE: Duration = Duration::from_secs(600);
/// How long delivery and sessions may take to come to rest, in real time.
const REST_MAX: Duration = Duration::from_secs(5);

/// What history to make.
pub(crate) struct Wanted {
    /// About how many attempts a week has.
    pub(crate) attempts: u32,
    /// How many weeks go by.
    pub(crate) weeks: u32,
    pub(crate) seed: u64,
    pub(crate) messages: Option<Arc<Messages>>,
    /// The next hops in the settings.
    pub(crate) hops: Hops,
    /// When it ends.
    pub(crate) now: Timestamp,
}

/// What was made, for whoever checks it.
pub(crate) struct Made {
    /// As the senders counted.
    pub(crate) report: WeekReport,
    /// As the gateway counted: opened and ended.
    pub(crate) tally: receive::TallySnapshot,
}

/// Makes the week in the data folder of the settings, which must be new.
///
/// # Errors
/// A sentence for whoever typed the command.
pub(crate) async fn make(
    settings: &Settings,
    wanted: Wanted,
    log: &Arc<Log>,
) -> Result<Made, String> {
    let what = match wanted.weeks {
        1 => "the last week".to_owned(),
        weeks => format!("the last {weeks} weeks"),
    };
    let attempts = wanted.attempts.saturating_mul(wanted.weeks);
    say(&format!("Making {what}: about {attempts} attempts through this engine …"));
    let started = Instant::now();
    let start = wanted.now - WEEK * wanted.weeks;
    let clock = SimulatedClock::new(start);
    let network = SimulatedNetwork::new(Arc::new(clock.clone()));
    let mut settings = settings.clone();
    // The simulated clock stands still while a conversation goes on.
    settings.smtp.greeting_delay = Duration::ZERO;
    settings.smtp.unknown_recipients_delay = Duration::ZERO;
    // And it may run ahead of one by minutes.
    settings.smtp.idle_timeout = IDLE;
    let world = World {
        clock: Arc::new(clock.clone()),
        chance: Arc::new(SystemChance),
        dial: Arc::new(network.clone()),
        resolver: Some(Arc::new(DemoNames)),
    };
    let opened = Opened::open_in(&settings, world)?;
    let doors = doors::simulated(&settings)?;
    let own = vec![doors.inbound, doors.submission];
    let gateway = Gateway::join(&settings, opened, Arc::clone(log), own)?;
    write_before(&gateway, start)?;
    devices::know(&gateway.center)?;
    let gateway = Arc::new(gateway);
    let listeners = convert::listeners(&settings);
    let past = Past::begin(Arc::clone(&gateway), &network, wanted.hops, (&doors, listeners));
    let plan =
        WeekPlan { seed: wanted.seed, start, end: wanted.now, attempts, messages: wanted.messages };
    let world = DemoWorld { clock: clock.clone(), dial: Arc::new(network), doors };
    let report = week(plan, world, &past).await;
    past.end(&clock).await?;
    let made = Made { report, tally: gateway.engine.tally().snapshot() };
    release(gateway).await?;
    let seconds = started.elapsed().as_secs_f64();
    let attempts: u64 = made.tally.ended.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = attempts as f64 / seconds.max(0.001);
    let lost = match made.tally.open() + made.tally.unrecorded {
        0 => "all accounted for".to_owned(),
        lost => format!("{lost} of them not accounted for"),
    };
    let connections = made.report.counts.connections;
    say(&format!(
        "Made {attempts} attempts over {connections} connections in {seconds:.1} s \
         ({rate:.0} a second), {lost}."
    ));
    Ok(made)
}

/// What people wrote before the demo begins.
pub(super) fn write_before(gateway: &Gateway, at: Timestamp) -> Result<(), String> {
    let pair = |&(mailbox, other): &(&str, &str)| {
        let own = format!("{mailbox}@{}", corp::DIRECTORY_DOMAIN).parse().ok()?;
        Some(Correspondence { own, other: other.parse().ok()?, wrote: at })
    };
    let pairs: Vec<Correspondence> = corp::WRITTEN_TO.iter().filter_map(pair).collect();
    gateway.store.wrote(&pairs).map(drop).map_err(|error| whole(&error))
}

/// Waits until nobody has the data folder any more, so that it can be opened
/// again: tasks that were ended let go of it when they next get to run.
async fn release(gateway: Arc<Gateway>) -> Result<(), String> {
    let store = Arc::downgrade(&gateway.store);
    drop(gateway);
    let patience = Instant::now();
    while store.strong_count() > 0 {
        if patience.elapsed() > REST_MAX {
            return Err("the simulated week did not end; start again, it is kept".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// What runs while the week goes by.
struct Past {
    gateway: Arc<Gateway>,
    stop_delivery: oneshot::Sender<()>,
    wishes: watch::Sender<Wish>,
    delivery: tokio::task::JoinHandle<()>,
    others: Vec<tokio::task::JoinHandle<()>>,
    /// When the store was looked after last.
    looked_after: AtomicI64,
    /// The day that goes by.
    day: Mutex<Option<Day>>,
}

/// One day of the week, for whoever watches.
struct Day {
    date: String,
    /// Attempts that had ended when it began.
    before: u64,
}

/// The line about a day that is over, once `now` lies in the next one.
fn day_over(day: &mut Option<Day>, now: Timestamp, ended: u64) -> Option<String> {
    let date: String = now.to_string().chars().take(10).collect();
    let before = match day {
        Some(running) if running.date == date => return None,
        _ => day.replace(Day { date, before: ended })?,
    };
    Some(format!("  {}: {} attempts", before.date, ended.saturating_sub(before.before)))
}

impl Past {
    fn begin(
        gateway: Arc<Gateway>,
        network: &SimulatedNetwork,
        hops: Hops,
        (doors, listeners): (&Doors, Vec<ListenerSettings>),
    ) -> Past {
        let (wishes, wished) = watch::channel(Wish::Serve);
        let (stop_delivery, stopped) = oneshot::channel();
        let delivery = tokio::spawn({
            let deliverer = gateway.deliverer.clone();
            async move { deliverer.run(async { drop(stopped.await) }).await }
        });
        let sink = Sink::new(Arc::clone(&gateway.clock));
        let old = network.listen(hops.old_sink);
        let mut others = doors::open(doors, listeners, network, &gateway.engine, &wished);
        others.push(tokio::spawn(serve_sink(old, sink.of_old())));
        others.push(tokio::spawn(serve_sink(network.listen(hops.sink), sink)));
        let looked_after = AtomicI64::new(i64::MIN);
        let day = Mutex::new(None);
        Past { gateway, stop_delivery, wishes, delivery, others, looked_after, day }
    }

    /// Says what a day had once it is over: making a week takes a while, and
    /// nobody should have to guess whether it goes on.
    fn tell_day(&self, now: Timestamp) {
        let ended = self.gateway.engine.tally().snapshot().ended.iter().sum();
        let mut day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = day_over(&mut day, now, ended) {
            say(&line);
        }
    }

    /// Lets everything come to rest, then closes the store.
    async fn end(self, clock: &SimulatedClock) -> Result<(), String> {
        self.rest().await;
        let _ = self.stop_delivery.send(());
        let _ = tokio::time::timeout(REST_MAX, self.delivery).await;
        for task in self.others {
            task.abort();
            let _ = task.await;
        }
        let now = clock.now();
        tokio::task::block_in_place(|| {
            let written = receive::write_expired(&self.gateway.engine);
            note_hits(&self.gateway)?;
            self.gateway.recipients.keep()?;
            written.and_then(|_| self.gateway.store.close(now)).map_err(|error| whole(&error))
        })
    }

    /// Waits until delivery has nothing under way and nothing due.
    async fn rest(&self) {
        let gateway = &self.gateway;
        let patience = Instant::now();
        let mut looks = 0_u32;
        while patience.elapsed() < REST_MAX {
            let now = gateway.clock.now();
            let due = MessageQueue::next_due(&*gateway.store).is_some_and(|due| due <= now);
            if !due && gateway.deliverer.leased() == 0 {
                return;
            }
            // A sleep takes a millisecond at least, a transfer less.
            looks += 1;
            match looks {
                ..100 => tokio::task::yield_now().await,
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// Whether a simulated hour has gone by since the store was looked after.
    fn is_due(&self, now: Timestamp) -> bool {
        const HOUR_MS: i64 = 3_600_000;
        let before = self.looked_after.load(Ordering::Relaxed);
        let due = now.as_millis().saturating_sub(before) >= HOUR_MS;
        if due {
            self.looked_after.store(now.as_millis(), Ordering::Relaxed);
        }
        due
    }
}

impl Timers for Past {
    fn tick(&self, now: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.rest().await;
            // A failure shows in what is missing at the end, and as the
            // answer to the next sender.
            let _ = receive::write_expired(&self.gateway.engine);
            self.tell_day(now);
            if self.is_due(now) {
                tokio::task::block_in_place(|| {
                    let _ = self.gateway.store.maintain(now);
                    // Without this the directories would be too old in a day.
                    let _ = self.gateway.recipients.reread();
                    // What cannot be written now is written at the next start.
                    let _ = self.gateway.center.daily_log().keep(now);
                    let _ = self.gateway.center.keep_refusals();
                    let _ = self.gateway.center.drop_expired();
                });
            }
        })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let _ = self.wishes.send(Wish::Stop);
            let patience = Instant::now();
            while self.gateway.engine.connections_open() > 0 && patience.elapsed() < REST_MAX {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
    }
}

async fn serve_sink(mut listener: SimulatedListener, sink: Sink) {
    while let Some((stream, _)) = listener.accept().await {
        let sink = sink.clone();
        tokio::spawn(async move { sink.serve(stream).await });
    }
}

#[cfg(test)]
mod tests;
