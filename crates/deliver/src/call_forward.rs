//! Asking the next hop about a recipient: MAIL and RCPT, never DATA.
//!
//! Questions for the same pair at the same time are asked once. What was said
//! to RCPT is remembered; what was said to MAIL is about the sender and today
//! and is not. A next hop that does not answer is no answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{self, Either, Shared as SharedFuture, WeakShared};
use quick_cache::sync::Cache;
use smtp::{CannotSend, ClientError, ClientOutput, DeliveryReport, Envelope};
use types::finding::RecipientAnswer;
use types::{EnhancedCode, ForwardPath, Inconclusive, Quoted, ReversePath, Timestamp};
use world::{BoxFuture, ProbeAnswer, RecipientProbe};

use crate::connection::{HopConnection, Lost};
use crate::hop::Hop;
use crate::opening::{self, NotOpened};
use crate::probe_line;
use crate::settings::ProbeSettings;
use crate::shared::Shared;
use crate::status::count;
use crate::tried::{Answer, Reached};

/// The sender and the recipient, in comparable form.
type Pair = (Box<str>, Box<str>);

/// A question under way, for all who wait for its answer.
type Flight = SharedFuture<BoxFuture<'static, ProbeAnswer>>;

/// Questions under way of which nobody waits any more are forgotten when
/// there are more than this.
const FLIGHTS_SWEPT_AT: usize = 1_000;

/// Asks next hops about recipients.
pub(crate) struct CallForward {
    shared: Arc<Shared>,
    remembered: Arc<Cache<Pair, Remembered>>,
    flights: Mutex<HashMap<Pair, WeakShared<BoxFuture<'static, ProbeAnswer>>>>,
}

/// An answer and when it was given.
#[derive(Clone)]
struct Remembered {
    answer: ProbeAnswer,
    at: Timestamp,
}

impl CallForward {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let answers_max = shared.settings().probe.answers_max;
        let remembered = Arc::new(Cache::new(answers_max));
        CallForward { shared, remembered, flights: Mutex::default() }
    }

    /// An earlier answer that is still good.
    fn recall(&self, pair: &Pair) -> Option<ProbeAnswer> {
        let found = self.remembered.get(pair)?;
        let age = self.shared.parts.clock.now().since(found.at);
        let kept = kept_for(&found.answer.answer, &self.shared.settings().probe);
        if age >= kept {
            return None;
        }
        count(&self.shared.counters.probes_remembered);
        Some(ProbeAnswer { age_s: Some(age.as_secs()), ..found.answer })
    }

    /// The question for this pair that is under way, or a new one.
    fn flight(&self, pair: Pair, question: Question) -> Flight {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(&pair).and_then(WeakShared::upgrade) {
            return flight;
        }
        if flights.len() > FLIGHTS_SWEPT_AT {
            flights.retain(|_, flight| flight.upgrade().is_some());
        }
        let (shared, remembered) = (Arc::clone(&self.shared), Arc::clone(&self.remembered));
        let key = pair.clone();
        let flight = async move {
            let answer = question.ask(&shared).await;
            if kept_for(&answer.answer, &shared.settings().probe) > Duration::ZERO {
                let at = shared.parts.clock.now();
                remembered.insert(key, Remembered { answer: answer.clone(), at });
            }
            answer
        };
        let flight: Flight = (Box::pin(flight) as BoxFuture<'static, _>).shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(pair, weak);
        }
        flight
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pair, WeakShared<BoxFuture<'static, ProbeAnswer>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecipientProbe for CallForward {
    fn probe<'a>(
        &'a self,
        domain: &'a str,
        reverse_path: &'a ReversePath,
        recipient: &'a ForwardPath,
    ) -> BoxFuture<'a, ProbeAnswer> {
        Box::pin(async move {
            let pair: Pair = (reverse_path.key().into(), recipient.key().into());
            if let Some(answer) = self.recall(&pair) {
                return answer;
            }
            let question = Question {
                domain: domain.into(),
                reverse_path: reverse_path.clone(),
                recipient: recipient.clone(),
            };
            let answer = self.flight(pair.clone(), question).await;
            let mut flights = self.lock();
            // Its answer is remembered now, or not worth it.
            if flights
                .get(&pair)
                .is_some_and(|flight| flight.upgrade().is_none_or(|flight| flight.peek().is_some()))
            {
                flights.remove(&pair);
            }
            answer
        })
    }

    fn smtputf8(&self, domain: &str) -> Option<bool> {
        let next_hop = self.shared.settings().routes.of_domain(domain).ok()?;
        self.shared.hops.find(&next_hop)?.smtputf8()
    }
}

/// How long an answer is good: only what was said to RCPT, and no *later*.
fn kept_for(answer: &Result<RecipientAnswer, Inconclusive>, settings: &ProbeSettings) -> Duration {
    match answer {
        Ok(RecipientAnswer::Known) => settings.known_kept,
        Ok(RecipientAnswer::Unknown | RecipientAnswer::Refused(_)) => settings.unknown_kept,
        // A next hop takes nobody unproven.
        Ok(
            RecipientAnswer::SenderRefused(_)
            | RecipientAnswer::Deferred(_)
            | RecipientAnswer::Unproven(_),
        )
        | Err(_) => Duration::ZERO,
    }
}

/// One question.
struct Question {
    domain: Box<str>,
    reverse_path: ReversePath,
    recipient: ForwardPath,
}

impl Question {
    /// Asks, for as long as one question may take.
    async fn ask(&self, shared: &Arc<Shared>) -> ProbeAnswer {
        let settings = shared.settings();
        let hop = match settings.routes.of_domain(&self.domain) {
            Ok(next_hop) => shared.hops.entry(next_hop, &settings),
            Err(_) => {
                let at = Reached::only((*self.domain).into());
                return answer(at, Err(Inconclusive::NotConfigured));
            }
        };
        let timeout = shared.parts.clock.sleep(settings.probe.timeout);
        match future::select(std::pin::pin!(self.ask_hop(shared, &hop)), timeout).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => {
                let at = Reached::only(Arc::clone(&hop.name));
                answer(at, Err(Inconclusive::TimedOut))
            }
        }
    }

    async fn ask_hop(&self, shared: &Arc<Shared>, hop: &Arc<Hop>) -> ProbeAnswer {
        let Ok(_permit) = hop.probes.permits.acquire().await else {
            return answer(Reached::only(Arc::clone(&hop.name)), Err(Inconclusive::Limited));
        };
        count(&shared.counters.probes_asked);
        // A connection that was kept may be closed: then once more with a new one.
        if let Some(mut line) = hop.probes.take(shared.parts.clock.now()) {
            match self.exchange(&mut line).await {
                Err(lost) if lost.is_unanswered(line.session.awaits()) => {}
                Ok(report) if is_stale(&line, &report) => {}
                said => return self.settle(shared, hop, line, said),
            }
        }
        match opening::open(shared, hop, &shared.settings()).await {
            Ok(mut line) => {
                let said = self.exchange(&mut line).await;
                self.settle(shared, hop, line, said)
            }
            // There is no way to a next hop of ours: that says nothing of the
            // recipient, and our mistake must not become his refusal.
            Err(NotOpened { at, answer: Answer::Impossible(..), .. }) => {
                answer(at, Err(Inconclusive::NotConfigured))
            }
            Err(NotOpened { at, nonsense: true, .. }) => answer(at, Err(Inconclusive::Malformed)),
            Err(NotOpened { at, .. }) => answer(at, Err(Inconclusive::Unreachable)),
        }
    }

    /// MAIL and RCPT, and RSET before the next.
    async fn exchange(&self, line: &mut HopConnection) -> Result<Said, Lost> {
        let envelope = Envelope {
            reverse_path: &self.reverse_path,
            recipients: std::slice::from_ref(&self.recipient),
            size_octets: 0,
            eight_bit: false,
            smtputf8: false,
        };
        line.used = line.used.saturating_add(1);
        if let Err(cannot) = line.session.probe(&envelope, &mut line.out) {
            return Ok(Said::Cannot(cannot));
        }
        let latest = line.now() + line.timeouts.envelope;
        loop {
            if let ClientOutput::Done(report) = line.turn(latest).await? {
                return Ok(Said::Report(report));
            }
        }
    }

    /// Keeps the connection if it still is one, and gives the answer.
    fn settle(
        &self,
        shared: &Arc<Shared>,
        hop: &Arc<Hop>,
        line: HopConnection,
        said: Result<Said, Lost>,
    ) -> ProbeAnswer {
        let at = line.reached.clone();
        if said.is_ok() && line.session.is_ready() {
            probe_line::keep(shared, hop, line);
        }
        answer(
            at,
            match said {
                Ok(Said::Report(report)) => Ok(meaning(&report)),
                Ok(Said::Cannot(CannotSend::NeedsSmtputf8)) => {
                    let why = "the next hop does not offer SMTPUTF8";
                    let status = Some(EnhancedCode(5, 6, 7));
                    Ok(RecipientAnswer::Refused(Quoted::new(None, status, why)))
                }
                Ok(Said::Cannot(_)) => Err(Inconclusive::Limited),
                Err(Lost::Peer(ClientError::Malformed(_) | ClientError::Unasked(_))) => {
                    Err(Inconclusive::Malformed)
                }
                Err(Lost::Peer(ClientError::TimedOut(_))) => Err(Inconclusive::TimedOut),
                Err(_) => Err(Inconclusive::Unreachable),
            },
        )
    }
}

/// What came of MAIL and RCPT.
enum Said {
    Report(DeliveryReport),
    Cannot(CannotSend),
}

/// A kept connection that had timed out: 421 is its answer to anything.
fn is_stale(line: &HopConnection, said: &Said) -> bool {
    matches!(said, Said::Report(report) if report.mail.code == 421) && !line.session.is_ready()
}

fn answer(at: Reached, answer: Result<RecipientAnswer, Inconclusive>) -> ProbeAnswer {
    ProbeAnswer { answer, host: at.host, ip: at.ip, age_s: None }
}

/// What the replies to MAIL and RCPT mean (spec: reasons, call-forward).
fn meaning(report: &DeliveryReport) -> RecipientAnswer {
    if report.mail.is_permanent() {
        return RecipientAnswer::SenderRefused(report.mail.quoted.clone());
    }
    let reply = report.decisive(0);
    let quoted = reply.quoted.clone();
    if reply.is_positive() {
        RecipientAnswer::Known
    } else if !reply.is_permanent() {
        RecipientAnswer::Deferred(quoted)
    } else {
        match (quoted.enhanced, reply.code) {
            (Some(EnhancedCode(5, 1, _)), _) | (None, 550 | 551 | 553) => RecipientAnswer::Unknown,
            _ => RecipientAnswer::Refused(quoted),
        }
    }
}
