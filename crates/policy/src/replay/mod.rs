//! The decision on a stored attempt under another policy set: what makes
//! previews ("what would this change have done?") honest.
//!
//! It works because events keep what the checks saw, and because
//! [`PolicySet::decide`] is given the same instant then and now:
//! [`Event::started`]. Whoever decides must therefore pass the start of the
//! attempt and store it.
//!
//! A [`Forecast`] is made of one event alone, so many can be made side by
//! side. Only greylisting depends on what came before: [`Triplets`] goes
//! through the forecasts in the order of time and simulates its table.

mod offered;
mod triplets;

use types::evidence::{Evidence, Need};
use types::finding::{TripletFacts, TripletState};
use types::policy::ClientIdentity;
use types::{
    CheckName, Event, Finding, Micros, Observed, Outcome, PolicyRef, PolicyType, Reason,
    ReasonKind, Source, Stage, Verdict,
};

pub use offered::would_apply;
pub use triplets::{Settled, TripletKey, TripletKeys, Triplets};

use crate::ruling::Step;
use crate::set::PolicySet;
use offered::{decided_at, parties};

/// How an attempt ends, as far as a comparison needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Which of the four outcomes, or that nobody can know.
    pub kind: EndKind,
    /// The reason; nothing where nothing speaks against the message, and
    /// where it is unknown.
    pub reason: Option<Reason>,
    /// The policy that decides, where one does.
    pub policy: Option<PolicyRef>,
    /// What keeps anybody from knowing.
    pub lacks: Option<Lack>,
}

/// The columns of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndKind {
    /// Taken over.
    Accepted,
    /// Taken over and kept back.
    Held,
    /// Not now, or broken off.
    Deferred,
    /// No.
    Rejected,
    /// The record does not say.
    Unknown,
}

impl EndKind {
    /// Every kind, in the order of the columns.
    pub const ALL: [EndKind; 5] =
        [EndKind::Accepted, EndKind::Held, EndKind::Deferred, EndKind::Rejected, EndKind::Unknown];

    /// The name in files and in the API.
    pub const fn slug(self) -> &'static str {
        match self {
            EndKind::Accepted => "accepted",
            EndKind::Held => "held",
            EndKind::Deferred => "deferred",
            EndKind::Rejected => "rejected",
            EndKind::Unknown => "unknown",
        }
    }
}

/// What is not in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lack {
    /// The message would get past the stage at which it was stopped, and its
    /// content was never sent.
    Content,
    /// A check that would be asked now was not asked then.
    Evidence(Need),
}

impl End {
    /// The end that was recorded.
    pub fn recorded(outcome: &Outcome) -> End {
        let kind = match outcome {
            Outcome::Accepted { .. } | Outcome::Passed { .. } => EndKind::Accepted,
            Outcome::Held { .. } => EndKind::Held,
            // Older versions counted early talkers as deferred, and refused them
            // for good all the same: that is no change.
            Outcome::Deferred(_) | Outcome::Aborted(_)
                if outcome.reason().kind() == ReasonKind::Rejection =>
            {
                EndKind::Rejected
            }
            Outcome::Deferred(_) | Outcome::Aborted(_) => EndKind::Deferred,
            Outcome::Rejected(_) => EndKind::Rejected,
        };
        let policy = outcome.decision().and_then(|decision| decision.policy);
        End { kind, reason: Some(outcome.reason()), policy, lacks: None }
    }

    /// Nothing speaks against the message.
    pub const fn accepted() -> End {
        End { kind: EndKind::Accepted, reason: None, policy: None, lacks: None }
    }

    /// Nobody can know.
    pub const fn unknown(lacks: Lack) -> End {
        End { kind: EndKind::Unknown, reason: None, policy: None, lacks: Some(lacks) }
    }

    /// The end that a verdict makes.
    pub fn decided(verdict: &Verdict) -> End {
        let kind = match verdict {
            Verdict::Proceed => EndKind::Accepted,
            Verdict::Defer(_) => EndKind::Deferred,
            Verdict::Hold(_) => EndKind::Held,
            Verdict::Reject(_) => EndKind::Rejected,
        };
        let decision = verdict.decision();
        let (reason, policy) = (decision.map(|d| d.reason), decision.and_then(|d| d.policy));
        End { kind, reason, policy, lacks: None }
    }

    /// Whether two ends are one. Why a message was accepted is no
    /// difference, nor are waits and versions; between refusals the reason is.
    pub fn is_same(&self, other: &End) -> bool {
        self.kind == other.kind
            && (matches!(self.kind, EndKind::Accepted | EndKind::Unknown)
                || self.reason == other.reason)
    }
}

/// What a policy set makes of one attempt, but for the triplet table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// How it ends where greylisting is not asked or lets it pass.
    pub passing: End,
    /// How greylisting is asked, if it is.
    pub greylist: Option<Greylisting>,
}

/// A look into the triplet table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greylisting {
    /// How the client is identified.
    pub identity: ClientIdentity,
    /// The policy that asks.
    pub policy: Option<PolicyRef>,
}

impl Forecast {
    /// How the attempt ends if its triplet stands like this.
    pub fn end(&self, state: TripletState) -> End {
        let Some(greylist) = self.greylist else { return self.passing };
        let reason = match state {
            TripletState::FirstSeen => Reason::GreylistFirstSeen,
            TripletState::TooEarly => Reason::GreylistTooEarly,
            TripletState::Passed | TripletState::Known => return self.passing,
        };
        let policy = greylist.policy;
        End { kind: EndKind::Deferred, reason: Some(reason), policy, lacks: None }
    }
}

/// What the triplet table said at a stored attempt.
pub fn recorded_triplet(event: &Event) -> Option<&TripletFacts> {
    match event.record.evidence.latest(CheckName::Greylist) {
        Some(Observed::Triplet(facts)) => Some(facts),
        _ => None,
    }
}

/// Decides again on the stored evidence of an attempt, stage by stage;
/// nothing for an event that is no attempt.
///
/// What was stopped before its content was sent is not known to be accepted,
/// whatever lets it past: then the end is unknown.
pub fn forecast(set: &PolicySet, event: &Event) -> Option<Forecast> {
    let outcome = event.outcome()?;
    let ended = decided_at(outcome, event);
    let by_session = ended_by_session(outcome);
    let mut walk = Walk::new(set, event);
    let mut held = None;
    for stage in Stage::ALL.into_iter().filter(|stage| *stage < Stage::Deliver) {
        // Of stages behind the end nothing is known, unless the content was
        // seen: all that can be found out then has been.
        let unseen = stage > ended && (by_session || ended < Stage::Data);
        // The bare connection has no recipient to decide on, and a session
        // that broke off in its data has none to look at.
        let nothing = stage >= Stage::Rcpt && event.subject.recipient.is_none();
        if unseen || nothing || (by_session && stage == ended && stage >= Stage::Data) {
            break;
        }
        match walk.decide(stage) {
            Step::Decided(Verdict::Proceed) => {}
            // As at a session: the first hold stands unless a later stage
            // refuses.
            Step::Decided(hold @ Verdict::Hold(_)) => {
                held.get_or_insert(End::decided(&hold));
            }
            Step::Decided(verdict) => return Some(walk.forecast(End::decided(&verdict))),
            // The session ended before anybody asked.
            Step::Ask(_) if by_session && stage == ended => break,
            Step::Ask(need) => return Some(walk.forecast(End::unknown(Lack::Evidence(need)))),
        }
    }
    let past = past_all(outcome, ended);
    Some(walk.forecast(held.filter(|_| past.kind == EndKind::Accepted).unwrap_or(past)))
}

/// How an attempt ends against which nothing speaks that is recorded.
fn past_all(outcome: &Outcome, ended: Stage) -> End {
    match outcome {
        Outcome::Accepted { .. } | Outcome::Passed { .. } => End::recorded(outcome),
        _ if ended_by_session(outcome) => End::recorded(outcome),
        _ if ended >= Stage::Data => End::accepted(),
        _ => End::unknown(Lack::Content),
    }
}

/// Whether policy had no part in it: what the session or the next hop ended
/// by itself, no policy set changes.
fn ended_by_session(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Aborted(_) => true,
        other => other.decision().is_some_and(|decision| {
            matches!(decision.check, CheckName::Protocol | CheckName::Tls | CheckName::Delivery)
        }),
    }
}

/// One attempt on its way through the stages.
struct Walk<'a> {
    set: &'a PolicySet,
    event: &'a Event,
    /// Findings of the stages so far, without what the triplet table said.
    known: Evidence,
    /// How many of the recorded findings have been looked at.
    looked_at: usize,
    greylist: Option<Greylisting>,
}

impl<'a> Walk<'a> {
    fn new(set: &'a PolicySet, event: &'a Event) -> Self {
        Walk { set, event, known: Evidence::new(), looked_at: 0, greylist: None }
    }

    fn forecast(&self, passing: End) -> Forecast {
        Forecast { passing, greylist: self.greylist }
    }

    /// Decides at a stage. Where the triplet table is asked, that is noted,
    /// and the walk goes on as if it let the attempt pass.
    fn decide(&mut self, stage: Stage) -> Step {
        self.take(stage);
        let ruling = self.ask(stage);
        let Step::Ask(Need::Triplet(identity)) = ruling.step else { return ruling.step };
        let mut consulted = ruling.consulted.iter();
        let policy = consulted
            .find(|consulted| consulted.kind == PolicyType::Greylisting)
            .and_then(|consulted| consulted.winner);
        self.greylist = Some(Greylisting { identity, policy });
        self.known.add(passed(self.event, stage, identity));
        self.ask(stage).step
    }

    /// Adds the recorded findings of a stage; they are in order of stages.
    fn take(&mut self, stage: Stage) {
        let findings = self.event.record.findings().iter().skip(self.looked_at);
        for finding in findings.take_while(|finding| finding.stage <= stage) {
            self.looked_at += 1;
            if !matches!(finding.observed, Observed::Triplet(_)) {
                self.known.add(finding.clone());
            }
        }
    }

    fn ask(&self, stage: Stage) -> crate::ruling::Ruling {
        let who = parties(self.event, stage, &self.known);
        self.set.decide(stage, self.event.started, &who, &self.known)
    }
}

/// What the table would say of a triplet that passes.
fn passed(event: &Event, stage: Stage, identity: ClientIdentity) -> Finding {
    let facts = TripletFacts {
        identity,
        client: "".into(),
        sender: "".into(),
        state: TripletState::Known,
        life_line: event.life_line,
        first_seen: event.started,
        first_event: event.id,
        attempts: 1,
        let_in: false,
        no_pool: None,
    };
    Finding {
        check: CheckName::Greylist,
        stage,
        observed: Observed::Triplet(facts),
        source: Source::Memory,
        took: Micros(0),
    }
}
