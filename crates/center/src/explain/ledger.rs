//! The evidence ledger: every check in the order in which checks are made,
//! with its result and evidence; for one that did not run, why not.

mod order;
mod unseen;

use serde::{Deserialize, Serialize};
use types::{
    CheckName, Consulted, Decision, Detail, Direction, Event, Finding, Micros, Outcome, PolicyRef,
    PolicyType, Stage,
};

pub use super::evidence::check_title;
use super::evidence::{observed, source};
use super::listings;
use super::sentence::loss;
use crate::{presentable, reputation};
use order::{Row, last_asked, rows, stage_end, stage_place};

/// One check in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LedgerLine {
    /// Its place in the order of checks; tens are stages.
    #[serde(default)]
    pub place: u8,
    /// When in the session.
    pub stage: Stage,
    /// The check.
    pub check: String,
    /// What came of it.
    pub result: LedgerResult,
    /// What it saw, or why it did not look.
    pub observed: String,
    /// Where it saw it; empty if it did not look.
    pub source: String,
    /// How long looking took, in microseconds.
    pub took_us: u32,
    /// The same in words; empty if it did not look.
    #[serde(default)]
    pub took: String,
    /// Whether this check decided.
    pub decided: bool,
    /// Whether the check could not finish.
    pub degraded: bool,
    /// What it would have decided, had policies in observe mode been on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<String>,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerResult {
    /// Nothing spoke against going on.
    Passed,
    /// It decided to refuse.
    Rejected,
    /// It decided to put off.
    Deferred,
    /// It decided to keep back.
    Held,
    /// It could not finish, and did not decide.
    Degraded,
    /// It was not reached: something before it decided.
    NotReached,
    /// There was no content to look at.
    NoContent,
    /// A permit skipped it.
    SkippedByPermit,
    /// Nothing asked for it.
    NotNeeded,
}

impl LedgerResult {
    /// What people read.
    pub const fn title(self) -> &'static str {
        match self {
            LedgerResult::Passed => "passed",
            LedgerResult::Rejected => "rejected",
            LedgerResult::Deferred => "deferred",
            LedgerResult::Held => "held",
            LedgerResult::Degraded => "source down",
            LedgerResult::NotReached => "not reached",
            LedgerResult::NoContent => "no content",
            LedgerResult::SkippedByPermit => "skipped by permit",
            LedgerResult::NotNeeded => "not needed",
        }
    }

    /// Whether the check looked.
    pub const fn ran(self) -> bool {
        matches!(
            self,
            LedgerResult::Passed
                | LedgerResult::Rejected
                | LedgerResult::Deferred
                | LedgerResult::Held
                | LedgerResult::Degraded
        )
    }
}

/// The ledger of an event; empty for what is no attempt.
pub(super) fn lines(event: &Event) -> Vec<LedgerLine> {
    let Some(outcome) = event.outcome() else { return Vec::new() };
    let case = Case::of(event, outcome);
    let mut used = Vec::new();
    let mut lines: Vec<LedgerLine> = rows(case.direction)
        .iter()
        .filter_map(|row| {
            let finding = case.finding(row, &mut used);
            case.line(row, finding)
        })
        .collect();
    // What the table does not know is shown all the same, after its stage.
    for (number, finding) in event.record.findings().iter().enumerate() {
        if !used.contains(&number) {
            lines.push(case.found(stage_end(finding.stage), finding));
        }
    }
    lines.extend(case.decider_without_line(&lines));
    lines.sort_by_key(|line| line.place);
    case.mark(&mut lines);
    lines
}

/// An attempt, with what its lines need of it.
struct Case<'a> {
    event: &'a Event,
    outcome: &'a Outcome,
    decision: Option<&'a Decision>,
    direction: Direction,
    /// How far it came: the last stage of which anything was asked.
    ended: Stage,
    /// The last place of that stage that was.
    last_asked: u8,
    /// The row of the check that decided, if it has one.
    decider: Option<&'static Row>,
}

impl<'a> Case<'a> {
    fn of(event: &'a Event, outcome: &'a Outcome) -> Self {
        let direction = event.subject.client.client.direction;
        let decision = outcome.decision();
        let recorded = event.record.stage.unwrap_or(outcome.reason().stage());
        let (ended, last_asked) = match (outcome, decision) {
            // Keeping a message back does not end the walk, because what is
            // found later can still refuse it: whatever was taken was asked about
            // to its end.
            (Outcome::Accepted { .. } | Outcome::Held { .. }, _) => (Stage::Content, u8::MAX),
            (Outcome::Deferred(_) | Outcome::Rejected(_), Some(decision)) => {
                (recorded, last_asked(direction, recorded, decision.check))
            }
            // A message that broke off was not looked at.
            (Outcome::Aborted(_), _) if recorded >= Stage::Data => {
                (recorded, stage_place(recorded).saturating_sub(1))
            }
            _ => (recorded, u8::MAX),
        };
        let decider = decision.and_then(|decision| {
            let own = |row: &&Row| row.2 == decision.check && row.1 <= ended;
            rows(direction).iter().rev().find(own)
        });
        Case { event, outcome, decision, direction, ended, last_asked, decider }
    }

    /// The last finding of a row, and notes that it was shown.
    fn finding(&self, row: &Row, used: &mut Vec<usize>) -> Option<&'a Finding> {
        let findings = self.event.record.findings();
        let of_row = |finding: &Finding| finding.check == row.2 && finding.stage == row.1;
        used.extend(findings.iter().enumerate().filter(|(_, f)| of_row(f)).map(|(n, _)| n));
        findings.iter().rev().find(|finding| of_row(finding))
    }

    fn line(&self, row: &'static Row, finding: Option<&Finding>) -> Option<LedgerLine> {
        let &(place, stage, check, _) = row;
        if let Some(finding) = finding {
            return Some(self.found(place, finding));
        }
        let (result, text) = self.unseen(row)?;
        Some(self.without_finding((place, stage, check), result, &text))
    }

    fn without_finding(
        &self,
        (place, stage, check): (u8, Stage, CheckName),
        result: LedgerResult,
        text: &str,
    ) -> LedgerLine {
        LedgerLine {
            place,
            stage,
            check: self.title(check).to_owned(),
            result,
            observed: presentable(text).into_owned(),
            source: String::new(),
            took_us: 0,
            took: String::new(),
            decided: false,
            degraded: false,
            would: None,
        }
    }

    /// What decided, where neither a row nor a finding has it: it was the last
    /// that was asked.
    fn decider_without_line(&self, lines: &[LedgerLine]) -> Option<LedgerLine> {
        let decision = self.decision?;
        let title = self.title(decision.check);
        if lines.iter().any(|line| line.check == title && line.stage <= self.ended) {
            return None;
        }
        let place = match self.outcome {
            Outcome::Held { .. } => stage_end(self.ended),
            _ => self.last_asked.max(stage_place(self.ended)),
        };
        let text = self.said_by_decision(decision);
        Some(self.without_finding((place, self.ended, decision.check), LedgerResult::Passed, &text))
    }

    /// What a check is called. Of mail that leaves, nobody asks whether its
    /// author is permitted.
    fn title(&self, check: CheckName) -> &'static str {
        match (self.direction, check) {
            (Direction::Outbound, CheckName::HeaderFrom) => "Author",
            _ => check_title(check),
        }
    }

    /// A check with a finding.
    fn found(&self, place: u8, finding: &Finding) -> LedgerLine {
        let degraded = finding.observed.is_degraded();
        let result = if degraded { LedgerResult::Degraded } else { LedgerResult::Passed };
        LedgerLine {
            place,
            stage: finding.stage,
            check: self.title(finding.check).to_owned(),
            result,
            observed: presentable(&self.seen(finding)).into_owned(),
            source: presentable(&source(&finding.source)).into_owned(),
            took_us: finding.took.0,
            took: if finding.took == Micros(0) { String::new() } else { finding.took.spoken() },
            decided: false,
            degraded,
            would: None,
        }
    }

    fn seen(&self, finding: &Finding) -> String {
        let text = observed(&finding.observed);
        match finding.check {
            CheckName::HeaderFrom => {
                let lists = self.lists();
                if lists.is_empty() { text } else { format!("{text}; {lists}") }
            }
            CheckName::Rbl | CheckName::Reputation => match listings::spared(self.event) {
                Some(spared) => format!("{text}; nothing follows, because {spared}"),
                None => text + &self.limits_passed(finding.check),
            },
            _ => text,
        }
    }

    /// The scores from which on something followed, where one decided.
    fn limits_passed(&self, check: CheckName) -> String {
        match self.decision {
            Some(Decision { check: decided, detail: Detail::Scores { defer, reject }, .. })
                if *decided == check =>
            {
                format!(". {}", reputation::limits(*defer, *reject).trim_end_matches('.'))
            }
            _ => String::new(),
        }
    }

    fn winner(&self, kinds: &[PolicyType]) -> Option<PolicyRef> {
        let consulted = self.event.record.consulted.iter();
        consulted.filter(|one| kinds.contains(&one.kind)).find_map(|one| one.winner)
    }

    /// What the lists of senders said.
    fn lists(&self) -> String {
        const LISTS: [PolicyType; 4] = [
            PolicyType::PermittedSenders,
            PolicyType::BlockedSenders,
            PolicyType::ManagedSenders,
            PolicyType::AutoAllow,
        ];
        let named = self.event.record.consulted.iter().filter(|one| LISTS.contains(&one.kind));
        named.map(list_words).collect::<Vec<_>>().join("; ")
    }

    /// Marks the line that decided, and the one that would have.
    fn mark(&self, lines: &mut [LedgerLine]) {
        let result = match self.outcome {
            Outcome::Rejected(_) => LedgerResult::Rejected,
            Outcome::Deferred(_) => LedgerResult::Deferred,
            Outcome::Held { .. } => LedgerResult::Held,
            Outcome::Accepted { .. } | Outcome::Passed { .. } | Outcome::Aborted(_) => {
                LedgerResult::Passed
            }
        };
        if let Some(decision) = self.decision {
            let title = self.title(decision.check);
            let own = |line: &&mut LedgerLine| line.check == title && line.stage <= self.ended;
            if let Some(line) = lines.iter_mut().rev().find(own) {
                (line.decided, line.result) = (true, result);
            }
        }
        if let Some(would) = &self.event.record.would {
            let title = self.title(would.check);
            if let Some(line) = lines.iter_mut().rev().find(|line| line.check == title) {
                line.would = Some(super::would_words(would));
            }
        }
    }
}

/// The policy by which an attempt was expected and so not greylisted. One
/// that takes no action wins as well, and then its triplet was looked at.
pub(super) fn expected_by(event: &Event) -> Option<PolicyRef> {
    if event.record.evidence.latest(CheckName::Greylist).is_some() {
        return None;
    }
    let consulted = event.record.consulted.iter();
    let expects = |one: &&Consulted| one.kind == PolicyType::ExpectedMail;
    consulted.filter(expects).find_map(|one| one.winner)
}

fn list_words(one: &Consulted) -> String {
    let title = one.kind.title();
    let mut text = match one.winner {
        Some(by) => format!("{title}: {}", short(by)),
        None => format!("{title}: none applies"),
    };
    if let Some((loser, why)) = one.losers.first() {
        text.push_str(&format!(" ({} lost: {})", short(*loser), loss(*why)));
    }
    text
}

/// A policy by its number.
pub(crate) fn short(by: PolicyRef) -> String {
    match by {
        PolicyRef::Policy { id, .. } => format!("policy {id}"),
        PolicyRef::ManagedSender { id } => format!("managed sender {id}"),
        PolicyRef::Base(_) => "the settings".to_owned(),
    }
}

#[cfg(test)]
mod tests;
