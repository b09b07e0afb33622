//! The known-good alarm: senders whose mail was taken before are suddenly
//! refused.
//!
//! A sender has a history if its mail was taken several times in the days
//! before and never refused for good. What is greylisted is no alarm: it
//! comes back by itself.

use std::ops::Range;
use std::time::Duration;

use store::search::{FacetBy, Filter, Query, TallyPlan, TextColumn};
use types::{OutcomeKind, Timestamp};

use super::{Attention, AttentionLevel, ListLink};
use crate::query::edit;
use crate::search::SearchRequest;
use crate::sight::Seen;
use crate::views::View;
use crate::{CenterError, presentable_within};

/// How far back a refusal is sudden.
const RECENT: Duration = Duration::from_secs(86_400);
/// Refused senders looked at: the commonest.
const SENDERS_MAX: usize = 40;
/// Messages taken before that make a history.
const HISTORY_MIN: u64 = 3;
/// Senders named in the sentence.
const NAMED_MAX: usize = 3;
/// Characters of a sender that are shown.
const NAME_CHARS_MAX: usize = 60;

impl Seen<'_> {
    /// One sentence about senders with a history that are refused now.
    pub(super) fn known_refused(&self) -> Result<Option<Attention>, CenterError> {
        let now = self.parts.clock.now();
        let recent = now.before(RECENT)..now;
        let before = now.before(self.parts.metadata_kept)..recent.start;
        let rejected = Filter::Outcome(OutcomeKind::Rejected);
        let mut known = Vec::new();
        for (sender, refused) in self.refused_senders(&rejected, recent)? {
            if self.has_history(&sender, &before)? {
                known.push((sender, refused));
            }
        }
        Ok(alarm(&known))
    }

    /// The senders refused most, with how often.
    fn refused_senders(
        &self,
        rejected: &Filter,
        times: Range<Timestamp>,
    ) -> Result<Vec<(String, u64)>, CenterError> {
        let plan = TallyPlan {
            facets: vec![FacetBy::Text(TextColumn::From)],
            values_max: SENDERS_MAX,
            ..TallyPlan::default()
        };
        let query = Query { filter: rejected, times, stop: self.patience() };
        let tallied = self.events.tally(&query, &plan)?;
        let values = tallied.facets.into_iter().flat_map(|facet| facet.values);
        Ok(values.filter(|(sender, _)| sender.contains('@')).collect())
    }

    fn has_history(&self, sender: &str, times: &Range<Timestamp>) -> Result<bool, CenterError> {
        let term = edit::exact_term("from", sender);
        let count = |is: &str| {
            let request = SearchRequest {
                query: format!("{term} is:{is}"),
                view: View::All,
                from: times.start.to_string(),
                to: times.end.to_string(),
                ..SearchRequest::default()
            };
            Ok::<u64, CenterError>(self.counted(&self.scope(&request)?, HISTORY_MIN + 1)?.count)
        };
        Ok(count("accepted")? >= HISTORY_MIN && count("rejected")? == 0)
    }
}

fn alarm(known: &[(String, u64)]) -> Option<Attention> {
    let refused: u64 = known.iter().map(|(_, count)| count).sum();
    let named: Vec<String> = known
        .iter()
        .take(NAMED_MAX)
        .map(|(sender, _)| presentable_within(sender, NAME_CHARS_MAX))
        .collect();
    let more = match known.len().saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let terms: Vec<String> =
        known.iter().map(|(sender, _)| edit::exact_term("from", sender)).collect();
    let senders = if known.len() == 1 { "sender" } else { "senders" };
    let text = format!(
        "{} {senders} whose mail was always taken before had {refused} attempts refused in the \
         last 24 hours: {}{more}.",
        known.len(),
        named.join(", ")
    );
    let link = ListLink {
        view: View::Rejected,
        query: terms.join(" OR "),
        from: "now-24h".to_owned(),
        to: "now".to_owned(),
    };
    (!known.is_empty()).then_some(Attention {
        level: AttentionLevel::Warning,
        text,
        link: Some(link),
    })
}

#[cfg(test)]
mod tests {
    use types::{Caller, Reason, ReversePath};

    use crate::tests::{Gateway, at, event_id, sample};

    #[test]
    fn a_sender_with_a_history_that_is_suddenly_refused_is_an_alarm() {
        let day = 86_400;
        let gateway = Gateway::new(at(3 * day));
        let center = &gateway.center;
        let happened = |number: u64, from: &str, reason: Reason, seconds: i64| {
            let mut event = sample(number, reason);
            let sender = from.parse().unwrap();
            event.subject.reverse_path = Some(ReversePath::Address(sender).into());
            (event.started, event.at) = (at(seconds), at(seconds));
            event.id = types::EventId::new(at(seconds), {
                let mut octets = [0; 10];
                octets[2..].copy_from_slice(&number.to_be_bytes());
                octets
            });
            assert_ne!(event.id, event_id(number));
            center.memory.of_house().record(vec![event]).unwrap();
        };
        let mut number = 0;
        let mut many = |from: &str, reason: Reason, seconds: i64, times: u64| {
            for step in 0..times {
                number += 1;
                happened(number, from, reason, seconds + i64::try_from(step).unwrap());
            }
        };
        many("partner@known.example", Reason::Accepted, day, 4);
        many("partner@known.example", Reason::RblListed, 3 * day - 600, 2);
        // A stranger, and one that was refused before, are no news.
        many("stranger@new.example", Reason::RblListed, 3 * day - 600, 5);
        many("mixed@known.example", Reason::Accepted, day, 4);
        many("mixed@known.example", Reason::RblListed, day + 60, 1);
        many("mixed@known.example", Reason::RblListed, 3 * day - 600, 1);
        let found = center.overview_attention(&Caller::with_all("root")).unwrap();
        let alarms: Vec<_> = found.iter().filter(|one| one.text.contains("always taken")).collect();
        let [alarm] = &alarms[..] else { panic!("{found:?}") };
        assert!(alarm.text.starts_with("1 sender"), "{}", alarm.text);
        assert!(alarm.text.contains("2 attempts") && alarm.text.contains("partner@known.example"));
        assert!(alarm.link.as_ref().unwrap().query.contains("partner@known.example"));
    }
}
