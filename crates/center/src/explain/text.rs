//! An explanation as plain text for terminals, mail and tickets.

use std::fmt::{self, Display};

use super::deeds::Deed;
use super::life_line::Story;
use super::{Explanation, Fact, PolicyLine};
use crate::StillQueued;

impl Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.outcome.map_or("step", types::OutcomeKind::slug);
        let stage = self.stage.map_or("-", types::Stage::slug);
        writeln!(f, "{} \u{b7} {outcome} at {stage} \u{b7} {}", self.time, self.label)?;
        writeln!(f, "ref {}   {}", self.reference, self.reason.map_or("-", types::Reason::slug))?;
        writeln!(f, "\n{}", self.sentence)?;
        facts(f, "Message", &self.facts)?;
        facts(f, "Remote server", &self.remote)?;
        facts(f, "Greylisting", &self.greylist)?;
        self.decision(f)?;
        self.people(f)?;
        self.evidence(f)?;
        if !self.policies.is_empty() {
            writeln!(f, "\nPolicies consulted (policy set version {}):", self.policy_version)?;
        }
        for line in &self.policies {
            policies(f, line)?;
        }
        write!(f, "\n{}", self.story)?;
        if !self.remedy.is_empty() {
            writeln!(f, "\nWhat can be done: {}", self.remedy)?;
        }
        if let Some(StillQueued { message, offers, .. }) = &self.queued {
            for offer in offers.iter().filter(|offer| offer.lacks.is_none()) {
                writeln!(f, "  portcullis queue {} {message}", offer.action.slug())?;
            }
        }
        if let Some(change) = &self.change {
            writeln!(f, "Smallest change: {}", change.text)?;
            for line in change.command.iter().chain(&change.then) {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}

fn facts(f: &mut fmt::Formatter<'_>, title: &str, facts: &[Fact]) -> fmt::Result {
    if facts.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}:")?;
    for fact in facts {
        writeln!(f, "  {:<15} {}", fact.name, fact.value)?;
    }
    Ok(())
}

impl Explanation {
    fn decision(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let otherwise = self.next_decider.as_ref().filter(|text| !text.is_empty());
        let lines = [
            ("Let in by", self.permit.as_ref().map(|permit| &permit.name)),
            ("Decided by", self.decider.as_ref()),
            ("Otherwise", otherwise),
            ("Observing", self.would.as_ref()),
            ("Reply", self.reply.as_ref()),
        ];
        if lines.iter().all(|(_, value)| value.is_none()) {
            return Ok(());
        }
        writeln!(f, "\nDecision:")?;
        for (name, value) in lines {
            if let Some(value) = value {
                writeln!(f, "  {name:<15} {value}")?;
            }
        }
        Ok(())
    }

    /// Who did what, by the audit log.
    fn people(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.deeds.is_empty() {
            writeln!(f, "\nWho did what (portcullis audit show NUMBER):")?;
        }
        for deed in &self.deeds {
            let row = deed.row.map_or(String::new(), |row| format!(", from row {row}"));
            let Deed { number, at, who, did, subject, .. } = deed;
            writeln!(f, "  {number:<6} {at}  {who}: {did} ({subject}{row})")?;
        }
        Ok(())
    }

    fn evidence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ledger.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nEvidence, in order:")?;
        for line in &self.ledger {
            let mark = if line.decided { '>' } else { ' ' };
            let would =
                line.would.as_ref().map_or(String::new(), |would| format!("; would be {would}"));
            let aside: Vec<&str> = [line.source.as_str(), line.took.as_str()]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect();
            let aside = match aside.is_empty() {
                true => String::new(),
                false => format!("  [{}]", aside.join(", ")),
            };
            writeln!(
                f,
                "{mark} {:<8} {:<30} {:<18} {}{would}{aside}",
                line.stage.slug(),
                line.check,
                line.result.title(),
                line.observed,
            )?;
        }
        Ok(())
    }
}

fn policies(f: &mut fmt::Formatter<'_>, line: &PolicyLine) -> fmt::Result {
    writeln!(f, "  {}: {}", line.kind, line.winner.as_deref().unwrap_or("none matched"))?;
    for loser in &line.losers {
        writeln!(f, "    lost: {loser}")?;
    }
    for observing in &line.observing {
        writeln!(f, "    observing: {observing}")?;
    }
    if let Some(list) = &line.permitted_list {
        writeln!(f, "    spared: the client is on the global permitted list {list}")?;
    }
    Ok(())
}

impl Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Life-line: {}", self.head)?;
        let delay = self.delay.text();
        if !delay.is_empty() {
            write!(f, ", {delay}")?;
        }
        writeln!(f)?;
        if let Some(window) = &self.window {
            writeln!(f, "  {}", window.text)?;
        }
        if let Some(prior) = &self.prior {
            writeln!(f, "  {}", prior.text)?;
        }
        for step in &self.steps {
            let join = step.join.as_ref();
            let joined = join.map_or(String::new(), |join| format!(" (joined: {})", join.name()));
            writeln!(f, "  {}  {:<26} {}{joined}", step.at, step.title, step.text)?;
        }
        for lane in self.lanes.iter().filter(|lane| !lane.this) {
            writeln!(f, "  also to {}: {}, ref {}", lane.to, lane.label, lane.reference)?;
        }
        Ok(())
    }
}
