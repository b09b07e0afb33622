//! An explanation as plain text for terminals, mail and tickets.

use std::fmt::{self, Display};

use super::life_line::{Story, span};
use super::{Explanation, PolicyLine};

impl Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.outcome.map_or("step", types::OutcomeKind::slug);
        let stage = self.stage.map_or("-", types::Stage::slug);
        writeln!(f, "{} \u{b7} {outcome} at {stage} \u{b7} {}", self.time, self.label)?;
        writeln!(f, "ref {}   {}", self.reference, self.reason.map_or("-", types::Reason::slug))?;
        writeln!(f, "\n{}\n", self.sentence)?;
        for fact in &self.facts {
            writeln!(f, "  {:<14} {}", fact.name, fact.value)?;
        }
        self.decision(f)?;
        self.evidence(f)?;
        for line in &self.policies {
            policies(f, line)?;
        }
        write!(f, "\n{}", self.story)?;
        if !self.remedy.is_empty() {
            writeln!(f, "\nWhat can be done: {}", self.remedy)?;
        }
        Ok(())
    }
}

impl Explanation {
    fn decision(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("Decided by", &self.decider),
            ("Else", &self.next_decider),
            ("Observing", &self.would),
            ("Reply", &self.reply),
        ];
        writeln!(f)?;
        for (name, value) in lines {
            if let Some(value) = value {
                writeln!(f, "  {name:<14} {value}")?;
            }
        }
        Ok(())
    }

    fn evidence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ledger.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nEvidence (policy set version {}):", self.policy_version)?;
        for line in &self.ledger {
            let mark = if line.decided { '>' } else { ' ' };
            let degraded = if line.degraded { " (degraded)" } else { "" };
            writeln!(
                f,
                "{mark} {:<8} {:<30} {}{degraded}  [{}, {} \u{b5}s]",
                line.stage.slug(),
                line.check,
                line.observed,
                line.source,
                line.took_us
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
    Ok(())
}

impl Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |millis: u64| span(millis / 1_000);
        write!(f, "Life-line: {}", self.head)?;
        if self.total_ms > 0 {
            write!(
                f,
                ", {} ({} ours, {} the sender's)",
                seconds(self.total_ms),
                seconds(self.ours_ms),
                seconds(self.theirs_ms)
            )?;
        }
        writeln!(f)?;
        for step in &self.steps {
            writeln!(f, "  {}  {:<26} {}", step.at, step.title, step.text)?;
        }
        Ok(())
    }
}
