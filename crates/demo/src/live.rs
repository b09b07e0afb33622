//! Live traffic: the same errands as in the simulated week, one by one as
//! time passes, over real connections from addresses of 127.0.0.0/8.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use types::Timestamp;
use world::{Clock, Dial};

use crate::agenda::{Agenda, Planned};
use crate::conversation::{Doors, Venue, visit};
use crate::dice::Dice;
use crate::floor::Floor;
use crate::folder::Messages;
use crate::origin::Side;
use crate::traffic::{Counters, Source, errands_for};

/// Visits that may be open at once, silent ones included.
const OPEN_MAX: usize = 200;

/// Turns that everybody has before chance decides.
const TURNS: usize = 3;

/// What live traffic to make.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// The ways into the gateway, at addresses of 127.0.0.0/8.
    pub doors: Doors,
    /// About how many attempts a minute; 0 for none.
    pub rate: u32,
    /// What every draw follows from.
    pub seed: u64,
    /// Real messages to send in place of letters.
    pub messages: Option<Arc<Messages>>,
}

/// Makes traffic until `shutdown` is ready, then hangs up.
pub async fn live(
    settings: LiveSettings,
    dial: Arc<dyn Dial>,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let Some(gap) = gap(settings.rate) else { return shutdown.await };
    let venue = Venue {
        doors: settings.doors,
        side: Side::Loopback,
        dial,
        clock: Arc::clone(&clock),
        counters: Counters::default(),
    };
    let (left, returned) = mpsc::unbounded_channel();
    let source = Source::new(settings.seed, settings.messages).after_turns(TURNS).hurried();
    let generator = Generator {
        venue: Arc::new(venue),
        source,
        dice: Dice::new(settings.seed.wrapping_add(1)),
        gap,
        floor: Arc::default(),
        agenda: Agenda::default(),
        visits: JoinSet::new(),
        left,
        returned,
    };
    tokio::select! {
        () = shutdown => {}
        () = generator.run() => {}
    }
}

/// The mean time between two errands.
fn gap(rate: u32) -> Option<Duration> {
    // Counted in thousands of minutes, so that a slow rate is not rounded to
    // nothing.
    let errands = errands_for(rate.saturating_mul(1_000));
    (errands > 0).then(|| Duration::from_secs(60_000) / errands)
}

struct Generator {
    venue: Arc<Venue>,
    source: Source,
    dice: Dice,
    gap: Duration,
    floor: Arc<Floor>,
    agenda: Agenda,
    visits: JoinSet<()>,
    left: mpsc::UnboundedSender<Planned>,
    returned: mpsc::UnboundedReceiver<Planned>,
}

impl Generator {
    async fn run(mut self) {
        let clock = Arc::clone(&self.venue.clock);
        let mut arrival = clock.now();
        loop {
            let next = self.agenda.next_due().map_or(arrival, |due| due.min(arrival));
            tokio::select! {
                biased;
                Some(planned) = self.returned.recv() => self.agenda.enter(planned),
                () = clock.sleep_until(next) => {
                    if next == arrival {
                        let errand = self.source.next();
                        self.agenda.enter(Planned { began: arrival, turn: 0, errand });
                        arrival = self.after(arrival);
                    }
                    self.make_due(clock.now());
                }
            }
        }
    }

    /// Arrivals that know nothing of each other: the gaps between them are
    /// distributed exponentially.
    fn after(&self, arrival: Timestamp) -> Timestamp {
        let waits = -(1.0 - self.dice.fraction()).ln();
        arrival + self.gap.mul_f64(waits.clamp(0.01, 6.0))
    }

    fn make_due(&mut self, now: Timestamp) {
        while self.visits.try_join_next().is_some() {}
        while self.agenda.next_due().is_some_and(|due| due <= now) {
            let Some(mut planned) = self.agenda.take() else { return };
            let Some(&turn) = planned.errand.tries.get(planned.turn) else { continue };
            // A gateway that does not keep up gets no more.
            if self.visits.len() >= OPEN_MAX {
                continue;
            }
            let (venue, left) = (Arc::clone(&self.venue), self.left.clone());
            let mut pass = self.floor.enter();
            self.visits.spawn(async move {
                if let Some(act) = visit(&venue, &planned.errand, turn, &mut pass).await {
                    planned.errand.act = act;
                    planned.turn += 1;
                    let _ = left.send(planned);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_gap_and_none_is_none() {
        assert_eq!(gap(0), None);
        let minute = Duration::from_secs(60);
        let per_minute = minute.as_secs_f64() / gap(60).unwrap().as_secs_f64();
        assert!((20.0..60.0).contains(&per_minute), "{per_minute}");
        assert!(gap(1).unwrap() > minute);
    }
}
