//! The evidence ledger: every check in the order in which checks are made,
//! with its result and evidence; for one that did not run, why not.

use serde::{Deserialize, Serialize};
use types::{
    CheckName, Consulted, Decision, Event, Finding, Micros, Outcome, OutcomeKind, PolicyRef,
    PolicyType, Reason, Stage,
};

pub use super::evidence::check_title;
use super::evidence::{observed, source, spared_because};
use super::listings;
use super::sentence::loss;
use crate::presentable;

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

/// Every check in order: place, stage, check, and what is known of it where
/// it looked and found nothing worth a finding.
#[rustfmt::skip] // A table: one check a line.
const ORDER: &[(u8, Stage, CheckName, &str)] = &[
    (10, Stage::Connect, CheckName::Proxy, "none was due, or it was valid"),
    (11, Stage::Connect, CheckName::Connections, ""),
    (12, Stage::Connect, CheckName::Rate, "within the limit, or none is set"),
    (13, Stage::Connect, CheckName::EarlyTalk, "the client waited for the greeting"),
    (14, Stage::Connect, CheckName::Outbound, ""),
    (15, Stage::Connect, CheckName::Place, ""),
    (16, Stage::Connect, CheckName::HostName, ""),
    (20, Stage::Helo, CheckName::Tls, ""),
    (21, Stage::Helo, CheckName::Protocol, "commands in order"),
    (22, Stage::Helo, CheckName::Helo, ""),
    (23, Stage::Helo, CheckName::Submission, ""),
    (30, Stage::Mail, CheckName::Size, "not announced"),
    (31, Stage::Mail, CheckName::SenderDomain, ""),
    (32, Stage::Mail, CheckName::Certificate, ""),
    (33, Stage::Mail, CheckName::SecureReceipt, ""),
    (40, Stage::Rcpt, CheckName::Relay, ""),
    (40, Stage::Rcpt, CheckName::Harvest, ""),
    (41, Stage::Rcpt, CheckName::Recipient, ""),
    (42, Stage::Rcpt, CheckName::Smtputf8, ""),
    (44, Stage::Rcpt, CheckName::Spf, "no policy asks for it"),
    (45, Stage::Rcpt, CheckName::Spoofing, ""),
    (46, Stage::Rcpt, CheckName::Senders, ""),
    (47, Stage::Rcpt, CheckName::AutoAllow, ""),
    (48, Stage::Rcpt, CheckName::Rbl, ""),
    (49, Stage::Rcpt, CheckName::Rate, "no limit is set"),
    (50, Stage::Rcpt, CheckName::History, ""),
    (51, Stage::Rcpt, CheckName::Greylist, ""),
    (60, Stage::Data, CheckName::DataFormat, "lines end with CR LF and are not too long"),
    (61, Stage::Data, CheckName::Size, ""),
    (62, Stage::Data, CheckName::Hops, ""),
    (63, Stage::Data, CheckName::HeaderFrom, ""),
    (64, Stage::Data, CheckName::Dkim, "no policy asks for it"),
    (65, Stage::Data, CheckName::Dmarc, "no policy asks for it"),
    (66, Stage::Data, CheckName::Arc, ""),
    (67, Stage::Data, CheckName::Spoofing, ""),
    (68, Stage::Data, CheckName::DisplayName, ""),
    (69, Stage::Data, CheckName::Signing, ""),
    (80, Stage::Content, CheckName::System, "written and flushed"),
];

/// The ledger of an event; empty for what is no attempt.
pub(super) fn lines(event: &Event) -> Vec<LedgerLine> {
    let Some(outcome) = event.outcome() else { return Vec::new() };
    let case = Case::of(event, outcome);
    let mut used = Vec::new();
    let mut lines: Vec<LedgerLine> = ORDER
        .iter()
        .filter_map(|&(place, stage, check, quiet)| {
            let finding = case.finding(stage, check, &mut used);
            case.line(place, stage, check, finding, quiet)
        })
        .collect();
    // What the table does not know is shown all the same, after its stage.
    for (number, finding) in event.record.findings().iter().enumerate() {
        if !used.contains(&number) {
            lines.push(case.found(stage_end(finding.stage), finding));
        }
    }
    lines.sort_by_key(|line| line.place);
    case.mark(&mut lines);
    lines
}

fn stage_place(stage: Stage) -> u8 {
    match stage {
        Stage::Connect => 10,
        Stage::Helo => 20,
        Stage::Mail => 30,
        Stage::Rcpt => 40,
        Stage::Data => 60,
        Stage::Content => 80,
        Stage::Deliver => 90,
    }
}

/// The place behind all checks of a stage.
fn stage_end(stage: Stage) -> u8 {
    match stage {
        Stage::Rcpt | Stage::Data => stage_place(stage) + 19,
        _ => stage_place(stage) + 9,
    }
}

/// An attempt, with what its lines need of it.
struct Case<'a> {
    event: &'a Event,
    outcome: &'a Outcome,
    decision: Option<&'a Decision>,
    /// Where it ended.
    ended: Stage,
    /// The place of the check that decided.
    decided_at: u8,
}

impl<'a> Case<'a> {
    fn of(event: &'a Event, outcome: &'a Outcome) -> Self {
        let decision = outcome.decision();
        let ended = event.record.stage.unwrap_or(outcome.reason().stage());
        let place = decision.and_then(|decision| {
            let own = |&&(_, stage, check, _): &&(u8, Stage, CheckName, &str)| {
                check == decision.check && stage <= ended
            };
            ORDER.iter().rev().find(own).map(|row| row.0)
        });
        let last = stage_end(ended);
        Case { event, outcome, decision, ended, decided_at: place.unwrap_or(last) }
    }

    /// The last finding of a check at a stage, and notes that it was shown.
    fn finding(
        &self,
        stage: Stage,
        check: CheckName,
        used: &mut Vec<usize>,
    ) -> Option<&'a Finding> {
        let findings = self.event.record.findings();
        let of_row = |finding: &Finding| finding.check == check && finding.stage == stage;
        used.extend(findings.iter().enumerate().filter(|(_, f)| of_row(f)).map(|(n, _)| n));
        findings.iter().rev().find(|finding| of_row(finding))
    }

    fn line(
        &self,
        place: u8,
        stage: Stage,
        check: CheckName,
        finding: Option<&Finding>,
        quiet: &str,
    ) -> Option<LedgerLine> {
        if let Some(finding) = finding {
            return Some(self.found(place, finding));
        }
        let (result, text) = self.unseen(place, stage, check, quiet)?;
        Some(LedgerLine {
            place,
            stage,
            check: check_title(check).to_owned(),
            result,
            observed: presentable(&text).into_owned(),
            source: String::new(),
            took_us: 0,
            took: String::new(),
            decided: false,
            degraded: false,
            would: None,
        })
    }

    /// A check with a finding.
    fn found(&self, place: u8, finding: &Finding) -> LedgerLine {
        let degraded = finding.observed.is_degraded();
        let result = if degraded { LedgerResult::Degraded } else { LedgerResult::Passed };
        LedgerLine {
            place,
            stage: finding.stage,
            check: check_title(finding.check).to_owned(),
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
                None => text,
            },
            _ => text,
        }
    }

    /// A check without a finding: what that means, or nothing if it is not
    /// worth a line.
    fn unseen(
        &self,
        place: u8,
        stage: Stage,
        check: CheckName,
        quiet: &str,
    ) -> Option<(LedgerResult, String)> {
        let because = |result, text: &str| Some((result, text.to_owned()));
        if place > self.decided_at || stage > self.ended {
            return match (stage >= Stage::Data, self.has_content()) {
                (true, false) => because(LedgerResult::NoContent, "the message was not sent"),
                _ => because(LedgerResult::NotReached, self.ended_by()),
            };
        }
        match check {
            CheckName::Tls => match &self.event.subject.client.tls {
                Some(tls) => {
                    Some((LedgerResult::Passed, format!("{} {}", tls.version, tls.cipher)))
                }
                None => because(LedgerResult::NotNeeded, "the client did not ask for encryption"),
            },
            CheckName::Recipient => because(LedgerResult::NotNeeded, self.recipient_unseen()),
            CheckName::Smtputf8 => because(LedgerResult::NotNeeded, "all addresses are ASCII"),
            CheckName::HostName => match &self.event.subject.client.host_name {
                Some(name) => Some((LedgerResult::Passed, format!("confirmed: {name}"))),
                None => because(LedgerResult::NotNeeded, "not looked up, or no answer by then"),
            },
            CheckName::Senders => {
                let lists = self.lists();
                let none = "no policy and no entry names the sender".to_owned();
                Some((LedgerResult::Passed, if lists.is_empty() { none } else { lists }))
            }
            CheckName::Greylist => Some(self.greylist_unseen()),
            CheckName::Rbl => Some(self.lists_unseen()),
            CheckName::Spoofing => match self.winner(&[PolicyType::AntiSpoofing]) {
                Some(by) => Some((LedgerResult::Passed, format!("{} applies", short(by)))),
                None => because(LedgerResult::NotNeeded, "no policy covers the sender"),
            },
            CheckName::SecureReceipt => self.secure_receipt_unseen(),
            CheckName::System if self.outcome.kind() != OutcomeKind::Accepted => None,
            _ if quiet.is_empty() => None,
            _ => because(LedgerResult::Passed, quiet),
        }
    }

    fn secure_receipt_unseen(&self) -> Option<(LedgerResult, String)> {
        let by = self.winner(&[PolicyType::SecureReceipt])?;
        let text = match &self.event.subject.client.tls {
            Some(tls) => format!("{} applies, and the connection has {}", short(by), tls.version),
            None => format!("{} applies, and the connection is not encrypted", short(by)),
        };
        Some((LedgerResult::Passed, text))
    }

    fn has_content(&self) -> bool {
        self.event.subject.message.is_some()
    }

    fn ended_by(&self) -> &'static str {
        match self.outcome {
            Outcome::Aborted(_) => "the session ended before",
            _ => "decided before",
        }
    }

    fn recipient_unseen(&self) -> &'static str {
        match self.event.subject.recipient.as_ref().map(types::ForwardPath::address) {
            Some(None) => "mail for the postmaster is always taken",
            _ => "every address of the domain is taken",
        }
    }

    fn greylist_unseen(&self) -> (LedgerResult, String) {
        self.skippable_unseen(PolicyType::Greylisting, "no greylisting applies")
    }

    fn lists_unseen(&self) -> (LedgerResult, String) {
        self.skippable_unseen(PolicyType::Reputation, "no policy asks a list")
    }

    /// Why a check that a permit skips did not look.
    fn skippable_unseen(&self, kind: PolicyType, none: &str) -> (LedgerResult, String) {
        let permitted = self.winner(&[PolicyType::PermittedSenders, PolicyType::ManagedSenders]);
        let by_permit = matches!(
            self.outcome.reason(),
            Reason::AcceptedPermitted | Reason::AcceptedAutoAllowed
        );
        if let Some(by) = expected_by(self.event) {
            let text = format!("not asked: {} expects mail, and SPF proved the sender", short(by));
            return (LedgerResult::NotNeeded, text);
        }
        if kind == PolicyType::Greylisting
            && let Some(because) = spared_because(self.event)
        {
            return (LedgerResult::NotNeeded, format!("not asked: {because}"));
        }
        match (permitted, by_permit) {
            (Some(by), _) => (LedgerResult::SkippedByPermit, format!("skipped by {}", short(by))),
            (None, true) if self.outcome.reason() == Reason::AcceptedAutoAllowed => {
                (LedgerResult::SkippedByPermit, "skipped: the recipient wrote to him".to_owned())
            }
            (None, true) => (LedgerResult::SkippedByPermit, "skipped by a permit".to_owned()),
            (None, false) => match self.winner(&[kind]) {
                Some(by) => (LedgerResult::NotNeeded, format!("no action, says {}", short(by))),
                None => (LedgerResult::NotNeeded, none.to_owned()),
            },
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
            let title = check_title(decision.check);
            let own = |line: &&mut LedgerLine| line.check == title && line.stage <= self.ended;
            if let Some(line) = lines.iter_mut().rev().find(own) {
                (line.decided, line.result) = (true, result);
            }
        }
        if let Some(would) = &self.event.record.would {
            let title = check_title(would.check);
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
