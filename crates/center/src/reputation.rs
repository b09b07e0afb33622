//! What was learned of clients: shown, reset, and learned again at a start.
//!
//! The ledger itself is kept where mail is received, in memory. Its source is
//! what is stored anyway: the events, and what people did about refusals.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::events::ScannedRow;
use store::search::{Direction, Filter, Query, Stop, TextColumn, WordColumn};
use types::reputation::{Leaning, SCORE_MAX};
use types::{
    AuditAction, Caller, CheckName, Observed, Permission, PutOff, Reason, ReputationFacts,
    ReputationMark, Timestamp, host_key,
};

use crate::precision::TakenBack;
use crate::{Center, CenterError, permit};

/// How far back events are learned again: after that an eleventh is left of a
/// mark.
const LEARNED_AGAIN: Duration = Duration::from_secs(7 * 86_400);
/// Most clients shown at once.
const SHOWN_MAX: usize = 200;
/// Where resets are kept, so that a start does not undo them.
const FACT: &str = "reputation_resets";

/// Knows what was learned of clients. The binary implements it over the
/// checks.
pub trait ReputationBook: Send + Sync {
    /// What is known of a client.
    fn facts(&self, ip: IpAddr) -> ReputationFacts;

    /// The worst clients, at most `count`, the worst first.
    fn worst(&self, count: usize) -> Vec<(IpAddr, ReputationFacts)>;

    /// Forgets what a client did itself; false if there was nothing.
    fn reset(&self, ip: IpAddr) -> bool;

    /// Marks a client.
    fn mark(&self, ip: IpAddr, mark: ReputationMark, at: Timestamp);

    /// Notes that mail of a client was put off for its score.
    fn put_off(&self, ip: IpAddr, put_off: PutOff);
}

/// For a message center without a receiver beside it.
pub(crate) struct NoReputation;

impl ReputationBook for NoReputation {
    fn facts(&self, _: IpAddr) -> ReputationFacts {
        ReputationFacts::default()
    }

    fn worst(&self, _: usize) -> Vec<(IpAddr, ReputationFacts)> {
        Vec::new()
    }

    fn reset(&self, _: IpAddr) -> bool {
        false
    }

    fn mark(&self, _: IpAddr, _: ReputationMark, _: Timestamp) {}

    fn put_off(&self, _: IpAddr, _: PutOff) {}
}

/// Until when people's acts were learned.
#[derive(Default)]
pub(crate) struct ActsLearned(Mutex<Option<Timestamp>>);

impl ActsLearned {
    fn until(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReputationRow {
    /// The client: its address, or the first of its IPv6 network.
    pub ip: IpAddr,
    /// What is known.
    #[serde(flatten)]
    pub facts: ReputationFacts,
    /// What was counted, in words.
    pub text: String,
}

impl ReputationRow {
    fn new(ip: IpAddr, facts: ReputationFacts) -> Self {
        let text = counted(&facts, &|at| at.to_string());
        ReputationRow { ip, facts, text }
    }

    /// What was counted, in words, with times as `when` shows them.
    pub fn told(&self, when: &dyn Fn(Timestamp) -> String) -> String {
        counted(&self.facts, when)
    }
}

/// A client whose marks were forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reset {
    ip: IpAddr,
    at: Timestamp,
}

impl Center {
    /// What is known of one client.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn reputation(&self, caller: &Caller, ip: IpAddr) -> Result<ReputationRow, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        Ok(ReputationRow::new(host_key(ip), self.reputation.facts(ip)))
    }

    /// The clients with the highest scores, the worst first; 0 rows mean 50.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn worst_reputations(
        &self,
        caller: &Caller,
        rows_max: usize,
    ) -> Result<Vec<ReputationRow>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let rows_max = if rows_max == 0 { 50 } else { rows_max.min(SHOWN_MAX) };
        let worst = self.reputation.worst(rows_max);
        Ok(worst.into_iter().map(|(ip, facts)| ReputationRow::new(ip, facts)).collect())
    }

    /// Forgets what a client did itself; its network keeps its marks. False
    /// if there was nothing.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn reset_reputation(&self, caller: &Caller, ip: IpAddr) -> Result<bool, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let before = self.reputation.facts(ip);
        let details = json!({ "score": before.score, "was": words(&before) });
        self.record(caller, AuditAction::ReputationReset, &host_key(ip).to_string(), &details)?;
        // One reset at a time, and none while acts are learned: each reads what the other writes.
        let _alone = self.acts_learned.until();
        let now = self.parts.clock.now();
        let mut resets = self.resets(now.before(LEARNED_AGAIN))?;
        resets.push(Reset { ip: host_key(ip), at: now });
        let kept = serde_json::to_string(&resets);
        let kept = kept.map_err(|error| CenterError::invalid(error.to_string()))?;
        self.parts.policies.set_fact(FACT, Some(&kept))?;
        Ok(self.reputation.reset(ip))
    }

    /// The resets since `from`. What cannot be understood is forgotten.
    fn resets(&self, from: Timestamp) -> Result<Vec<Reset>, CenterError> {
        let kept = self.parts.policies.fact(FACT)?.unwrap_or_default();
        let resets: Vec<Reset> = serde_json::from_str(&kept).unwrap_or_default();
        Ok(resets.into_iter().filter(|reset| reset.at >= from).collect())
    }

    /// Learns again what the stored events say, and what people did; to be
    /// called once, before anything new is learned.
    ///
    /// # Errors
    ///
    /// The events or the state cannot be read.
    pub fn restore_reputation(&self) -> Result<(), CenterError> {
        let now = self.parts.clock.now();
        let from = now.before(LEARNED_AGAIN);
        // In the order in which they were done, as the events are.
        let mut resets = self.resets(from)?.into_iter().peekable();
        let marks = Words::new();
        let mut learn = |row: &ScannedRow<'_>| {
            let (ip, at) = (row.ip(), row.at());
            while let Some(reset) = resets.next_if(|reset| reset.at < at) {
                self.reputation.reset(reset.ip);
            }
            if let Some(said) = marks.of(row) {
                self.learn_row(ip, at, said, row);
            }
            ControlFlow::Continue(())
        };
        // Events of this very moment are learned as they are written.
        let query = Query { filter: &Filter::Everything, times: from..now, stop: Stop::default() };
        self.memory.search_of_house().scan(&query, Direction::Ascending, &mut learn)?;
        for reset in resets {
            self.reputation.reset(reset.ip);
        }
        self.learn_acts()
    }

    fn learn_row(&self, ip: IpAddr, at: Timestamp, said: Said, row: &ScannedRow<'_>) {
        match said {
            Said::Mark(mark) => self.reputation.mark(ip, mark, at),
            Said::InFindings => {
                let event = row.event();
                if let Some(mark) = event.as_ref().and_then(ReputationMark::of) {
                    self.reputation.mark(ip, mark, at);
                }
            }
            Said::PutOff => {
                let event = row.event();
                let finding =
                    event.as_ref().and_then(|e| e.record.evidence.latest(CheckName::Reputation));
                if let Some(Observed::Reputation(facts)) = finding {
                    self.reputation.put_off(ip, PutOff { at, score: facts.score });
                }
            }
        }
    }

    /// Learns from what people did about refusals since this was called last:
    /// permits made from a row, rows let in. To be called from time to time.
    ///
    /// # Errors
    ///
    /// The audit log or the events cannot be read.
    pub fn learn_acts(&self) -> Result<(), CenterError> {
        let now = self.parts.clock.now();
        let mut learned = self.acts_learned.until();
        let from = learned.unwrap_or(now.before(LEARNED_AGAIN));
        let resets = self.resets(from)?;
        let is_reset = |ip: IpAddr, at: Timestamp| {
            resets.iter().any(|reset| reset.ip == host_key(ip) && at <= reset.at)
        };
        let house = self.seen_by(&Caller::with_all("portcullis")).events;
        for act in self.acts(&(from..now))? {
            let mark = match act.how {
                TakenBack::Permit => ReputationMark::Permitted,
                TakenBack::LetIn => ReputationMark::LetIn,
                // Its step on the life-line was learned as an event.
                TakenBack::Release => continue,
            };
            let client = act.row.event(&house)?.map(|event| event.subject.client.client.ip);
            if let Some(ip) = client.filter(|ip| !is_reset(*ip, act.at)) {
                self.reputation.mark(ip, mark, act.at);
            }
        }
        // Never back: what was learned would be learned twice.
        *learned = Some(now.max(from));
        Ok(())
    }
}

/// What a stored row says of its client.
#[derive(Clone, Copy)]
enum Said {
    Mark(ReputationMark),
    /// Its record has to be read to know.
    InFindings,
    PutOff,
}

/// The same by the words of its columns, so that few records are read.
struct Words(HashMap<&'static str, Said>);

impl Words {
    fn new() -> Self {
        let said = |reason: &Reason| match reason {
            Reason::ReputationTemporary => Some(Said::PutOff),
            reason if ReputationMark::depends_on_findings(*reason) => Some(Said::InFindings),
            reason => ReputationMark::of_reason(*reason).map(Said::Mark),
        };
        let reasons = Reason::ALL.iter();
        Words(reasons.filter_map(|reason| Some((reason.slug(), said(reason)?))).collect())
    }

    fn of(&self, row: &ScannedRow<'_>) -> Option<Said> {
        let said = match row.word(WordColumn::State) {
            "released" => Said::Mark(ReputationMark::Released),
            _ => self.0.get(row.word(WordColumn::Reason)).copied()?,
        };
        // What our own servers send says nothing of a stranger. Of mail from
        // the world the column is empty.
        row.text(TextColumn::Direction).is_empty().then_some(said)
    }
}

/// A reputation in words, with its score and what is its own of that.
pub(crate) fn words(facts: &ReputationFacts) -> String {
    let ReputationFacts { score, own, .. } = facts;
    let counted = counted(facts, &|at| at.to_string());
    format!("score {score} of {SCORE_MAX}, {own} by its own marks alone; {counted}")
}

/// The two scores of a client, as a sentence.
pub(crate) fn scores(facts: &ReputationFacts) -> String {
    let ReputationFacts { score, own, .. } = facts;
    format!("The score of the client is {score} of {SCORE_MAX}, {own} by its own marks alone.")
}

/// From which scores on something followed, as a sentence; 0 is never.
pub(crate) fn limits(defer: u8, reject: u8) -> String {
    let put_off = match defer {
        0 => "Mail is never put off for a score".to_owned(),
        defer => format!("Mail is put off from a score of {defer} on"),
    };
    match reject {
        0 => format!("{put_off}, and never refused for one."),
        reject => format!("{put_off}, and refused from {reject} on by own marks alone."),
    }
}

/// What was counted: `192.0.2.7 since …: unknown recipients 14, accepted
/// messages 2; 192.0.2.0/24 since …: …`.
fn counted(facts: &ReputationFacts, when: &dyn Fn(Timestamp) -> String) -> String {
    let holders: Vec<String> = facts
        .counted
        .iter()
        .map(|count| {
            let mut marks = count.marks.clone();
            // What speaks against it first.
            marks.sort_by_key(|(mark, _)| mark.leaning() == Leaning::Good);
            let marks: Vec<String> =
                marks.iter().map(|(mark, tenths)| some(*mark, *tenths)).collect();
            format!("{} since {}: {}", count.holder, when(count.since), marks.join(", "))
        })
        .collect();
    match holders.is_empty() {
        true => "nothing is known of it".to_owned(),
        false => holders.join("; "),
    }
}

/// `unknown recipients 14`, `spam messages 0.5`: what is left of faded marks.
fn some(mark: ReputationMark, tenths: u32) -> String {
    let (whole, rest) = (tenths / 10, tenths % 10);
    match rest {
        0 => format!("{} {whole}", mark.words()),
        rest => format!("{} {whole}.{rest}", mark.words()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use types::SpfResult;

    use super::*;
    use crate::tests::{Gateway, at, sample};

    /// Notes who was marked.
    #[derive(Default)]
    struct Noted(Mutex<Vec<IpAddr>>);

    impl ReputationBook for Noted {
        fn facts(&self, _: IpAddr) -> ReputationFacts {
            ReputationFacts::default()
        }

        fn worst(&self, _: usize) -> Vec<(IpAddr, ReputationFacts)> {
            Vec::new()
        }

        fn reset(&self, _: IpAddr) -> bool {
            false
        }

        fn mark(&self, ip: IpAddr, _: ReputationMark, _: Timestamp) {
            self.0.lock().unwrap().push(ip);
        }

        fn put_off(&self, _: IpAddr, _: PutOff) {}
    }

    #[test]
    fn times_are_told_as_the_reader_has_them() {
        let ip: IpAddr = "192.0.2.7".parse().unwrap();
        let counted = types::ReputationCount {
            holder: types::ReputationHolder::Address(ip),
            since: at(0),
            marks: vec![(ReputationMark::UnknownRecipient, 113)],
        };
        let facts = ReputationFacts { counted: vec![counted], ..ReputationFacts::default() };
        let told = ReputationRow::new(ip, facts).told(&|_| "yesterday".to_owned());
        assert_eq!(told, "192.0.2.7 since yesterday: unknown recipients 11.3");
    }

    #[test]
    fn a_record_that_cannot_be_read_is_no_forgery() {
        let gateway = Gateway::new(at(60));
        let marked = |number, result| {
            let mut event = sample(number, Reason::AuthSpf);
            let mut found = crate::proofs::spf_passes("sender.example");
            if let Observed::Spf(facts) = &mut found.observed {
                facts.result = result;
            }
            event.record.evidence.add(found);
            let mark = ReputationMark::of(&event);
            gateway.parts().log.record(vec![event]).unwrap();
            mark
        };
        for (number, result) in
            (1..).zip([SpfResult::PermError, SpfResult::TempError, SpfResult::None])
        {
            assert_eq!(marked(number, result), None, "{result:?}");
        }
        for (number, result) in (4..).zip([SpfResult::Fail, SpfResult::SoftFail]) {
            assert_eq!(marked(number, result), Some(ReputationMark::Spoofing), "{result:?}");
        }
        let noted = Arc::new(Noted::default());
        let center = gateway.another_process().with_reputation(Arc::clone(&noted) as _);
        center.restore_reputation().unwrap();
        assert_eq!(noted.0.lock().unwrap().len(), 2, "learned again as it was learned");
    }

    #[test]
    fn what_our_own_servers_sent_is_not_learned_again() {
        let gateway = Gateway::new(at(60));
        let inbound = sample(1, Reason::RelayDenied);
        let mut outbound = sample(2, Reason::RelayDenied);
        let subject = &mut outbound.subject;
        Arc::make_mut(&mut subject.client).client.direction = types::Direction::Outbound;
        let marked = inbound.subject.client.client.ip;
        gateway.parts().log.record(vec![inbound, outbound]).unwrap();
        let noted = Arc::new(Noted::default());
        let center = gateway.another_process().with_reputation(Arc::clone(&noted) as _);
        center.restore_reputation().unwrap();
        assert_eq!(*noted.0.lock().unwrap(), [marked]);
    }
}
