//! What needs attention: sentences made from health, queue, next hops,
//! conservation, damage and jumps. At most five, worst first.

use std::time::Duration;

use store::search::{Filter, TallyPlan};
use types::{Caller, Permission, Reason, Timestamp, spoken};

use super::{Attention, AttentionLevel, ListLink};
use crate::query::edit;
use crate::search::SearchRequest;
use crate::sight::Seen;
use crate::views::View;
use crate::{Center, CenterError, ReadyCheck, permit, presentable_within};

/// Most sentences.
const SENTENCES_MAX: usize = 5;
/// From this age on the oldest message of the queue is worth a sentence.
const QUEUE_AGE: Duration = Duration::from_secs(15 * 60);
/// Longest answer of a next hop that is repeated, in characters.
const ANSWER_CHARS_MAX: usize = 120;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// A jump has at least so many in the hour, and so many times the usual.
const JUMP_MIN: u64 = 20;
const JUMP_TIMES: u64 = 3;
/// Attempts a day from which a silence is unusual.
const BUSY_MIN: u64 = 100;
/// A silence is at least this long, and so many times the usual gap.
const SILENCE_MIN: Duration = Duration::from_secs(10 * 60);
const SILENCE_TIMES: u64 = 20;
/// Attempts that may be counted and not yet recorded while mail arrives.
const BEING_WRITTEN_MAX: u64 = 100;

fn sentence(level: AttentionLevel, text: String) -> Attention {
    Attention { level, text, link: None }
}

impl Center {
    /// What needs attention, worst first; at most five sentences.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn overview_attention(&self, caller: &Caller) -> Result<Vec<Attention>, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let seen = self.seen_by(caller);
        let mut found = self.broken();
        found.extend(seen.waiting_long());
        // These name the next hops of all domains, and count all attempts.
        if caller.sight.is_everything() {
            found.extend(self.next_hops_down());
            found.extend(self.unrecorded());
        }
        found.extend(seen.unreadable()?);
        found.extend(seen.silence()?);
        found.extend(seen.known_refused()?);
        found.extend(seen.jumps()?);
        found.sort_by_key(|attention| attention.level);
        found.truncate(SENTENCES_MAX);
        Ok(found)
    }

    fn broken(&self) -> Vec<Attention> {
        let checks = self.readiness().into_iter().filter(|check| !check.ok);
        let level = |needed: bool| match needed {
            true => AttentionLevel::Broken,
            false => AttentionLevel::Warning,
        };
        let text = |check: &ReadyCheck| match check.text.is_empty() {
            true => format!("{} does not work.", check.name),
            false => format!("{}: {}.", check.name, check.text.trim_end_matches('.')),
        };
        checks.map(|check| sentence(level(check.needed), text(&check))).collect()
    }

    fn next_hops_down(&self) -> Vec<Attention> {
        let now = self.parts.clock.now();
        let hops = self.next_hops.all().into_iter();
        let down = hops.filter(|hop| hop.alone_until(now).is_some());
        down.map(|hop| {
            let answer = hop.last_answer.map_or(String::new(), |(_, answer)| {
                format!(": {}", presentable_within(&answer, ANSWER_CHARS_MAX))
            });
            let name = presentable_within(&hop.name, ANSWER_CHARS_MAX);
            let text = format!(
                "Next hop {name} takes no connections ({} failures in a row){answer}",
                hop.failures
            );
            sentence(AttentionLevel::Warning, text)
        })
        .collect()
    }

    fn unrecorded(&self) -> Option<Attention> {
        let sum = self.conservation_sum();
        let lost = sum.difference.unsigned_abs();
        let text = match (sum.counts.attempts_unrecorded, lost) {
            (0, lost) if lost > BEING_WRITTEN_MAX => {
                format!("{lost} attempts differ between what was counted and what was recorded.")
            }
            (0, _) => return None,
            (1, _) => "1 attempt could not be recorded since the start; its sender was asked to \
                       come back."
                .to_owned(),
            (unrecorded, _) => format!(
                "{unrecorded} attempts could not be recorded since the start; their senders were \
                 asked to come back."
            ),
        };
        Some(sentence(AttentionLevel::Warning, text))
    }
}

impl Seen<'_> {
    fn waiting_long(&self) -> Option<Attention> {
        let age = self.parts.clock.now().since(self.queue_depth().oldest_waiting?);
        let text = format!(
            "The oldest message that waits for its next hop has waited {}.",
            spoken(Duration::from_secs(age.as_secs()))
        );
        let link = Some(ListLink { view: View::Queue, ..ListLink::default() });
        (age > QUEUE_AGE).then_some(Attention { link, ..sentence(AttentionLevel::Warning, text) })
    }

    fn unreadable(&self) -> Result<Option<Attention>, CenterError> {
        let scope = self.scope(&SearchRequest::default())?;
        let tallied = self.events.tally(&scope.query(self.patience()), &TallyPlan::default())?;
        let text = |span: &std::ops::Range<Timestamp>| {
            format!(
                "Events from {} to {} cannot be read: a file of the event log is damaged.",
                span.start, span.end
            )
        };
        let first = tallied.missing.first();
        Ok(first.map(|span| sentence(AttentionLevel::Warning, text(span))))
    }

    /// Nothing arrives where usually something does.
    fn silence(&self) -> Result<Option<Attention>, CenterError> {
        let now = self.parts.clock.now();
        let Some(last) = self.newest(&Filter::IsAttempt, now.before(WEEK)..now + HOUR)? else {
            return Ok(None);
        };
        let in_a_day = self.attempts(&Filter::IsAttempt, last.before(DAY)..last)?;
        let usual = Duration::from_secs(DAY.as_secs() / in_a_day.max(1));
        let silent = now.since(last);
        let unusual = in_a_day >= BUSY_MIN
            && silent > SILENCE_MIN
            && silent.as_secs() > usual.as_secs().max(1).saturating_mul(SILENCE_TIMES);
        let text = format!(
            "Nothing has arrived for {}; before that there was an attempt every {}.",
            spoken(Duration::from_secs(silent.as_secs())),
            spoken(Duration::from_secs(usual.as_secs().max(1)))
        );
        Ok(unusual.then(|| sentence(AttentionLevel::Warning, text)))
    }

    /// Reasons that are far more frequent in the last hour than usual.
    fn jumps(&self) -> Result<Vec<Attention>, CenterError> {
        let now = self.parts.clock.now();
        let hour_ago = now.before(HOUR);
        let oldest = self.remembered_from().unwrap_or(now).max(hour_ago.before(WEEK));
        let hours = hour_ago.since(oldest).as_secs() / HOUR.as_secs();
        // A day at least is needed to know what is usual.
        if hours < 24 {
            return Ok(Vec::new());
        }
        let refused = Filter::Not(Box::new(Filter::Outcome(types::OutcomeKind::Accepted)));
        let present = self.reasons(&refused, hour_ago..now)?;
        let before = self.reasons(&refused, oldest..hour_ago)?;
        let jump = |(reason, count): (Reason, u64)| {
            let all = before.iter().find(|(other, _)| *other == reason).map_or(0, |(_, sum)| *sum);
            let usual = all.div_ceil(hours);
            if count < JUMP_MIN || count < usual.saturating_mul(JUMP_TIMES).max(JUMP_MIN) {
                return None;
            }
            let text = format!("{}: {count} in the last hour, usually {usual}.", reason.label());
            let link = Some(ListLink {
                view: View::All,
                query: edit::term("type", reason.slug()),
                from: "now-1h".to_owned(),
                to: "now".to_owned(),
            });
            Some(Attention { link, ..sentence(AttentionLevel::Note, text) })
        };
        Ok(present.into_iter().filter_map(jump).collect())
    }
}
