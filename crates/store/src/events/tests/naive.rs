//! The same search done plainly over whole events: what the columns must
//! agree with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use types::finding::{Observed, TripletFacts, TripletState};
use types::{Event, Timestamp};

use super::super::fields::TakeValue;
use crate::contract::Page;
use crate::search::{Column, Filter, NumberColumn, TextColumn, TextMatch, WordColumn};

/// Whether an event matches. `others` are all there are from the start of
/// the range on, for stories.
pub(super) fn matches(filter: &Filter, event: &Event, others: &[&Event]) -> bool {
    let inner = |filter: &Filter| matches(filter, event, others);
    match filter {
        Filter::Everything => true,
        Filter::All(filters) => filters.iter().all(inner),
        Filter::Any(filters) => filters.iter().any(inner),
        Filter::Not(filter) => !inner(filter),
        Filter::IsAttempt => event.outcome().is_some(),
        Filter::Outcome(kind) => event.outcome_kind() == Some(*kind),
        Filter::State(state) => event.follow_up().and_then(types::FollowUp::state) == Some(*state),
        Filter::Reason(reasons) => event.reason().is_some_and(|reason| reasons.contains(&reason)),
        Filter::Ip(net) => net.contains(&event.subject.client.client.ip),
        Filter::Text(column, wanted) => {
            values(*column, event).iter().any(|value| text_matches(value, wanted))
        }
        Filter::Word(column, words) => {
            word(*column, event).is_some_and(|word| words.contains(&word))
        }
        Filter::Number(column, range) => {
            number(*column, event).is_some_and(|number| range.contains(&number))
        }
        Filter::Time(times) => times.contains(&event.at),
        Filter::Has(Column::Time | Column::Ip) => true,
        Filter::Has(Column::Text(column)) => values(*column, event).iter().any(|v| !v.is_empty()),
        Filter::Has(Column::Number(column)) => number(*column, event).is_some(),
        Filter::Has(Column::Word(column)) => word(*column, event).is_some(),
        Filter::Ids(ids) => ids.contains(&event.id),
        Filter::LifeLine(id) => event.life_line == *id,
        Filter::Session(id) => event.session == *id,
        Filter::Story(filter) => others
            .iter()
            .any(|other| other.life_line == event.life_line && matches(filter, other, others)),
    }
}

pub(super) fn word(column: WordColumn, event: &Event) -> Option<String> {
    let decision = event.outcome().and_then(|outcome| outcome.decision());
    let word = match column {
        WordColumn::Kind if event.outcome().is_some() => "attempt",
        WordColumn::Kind => "follow_up",
        WordColumn::Outcome => event.outcome_kind()?.slug(),
        WordColumn::Reason => event.reason()?.slug(),
        WordColumn::State => event.follow_up()?.state()?,
        WordColumn::Stage => event.record.stage?.slug(),
        WordColumn::Check => decision?.check.slug(),
        WordColumn::Triplet => match triplet(event)?.state {
            TripletState::FirstSeen => "first_seen",
            TripletState::TooEarly => "too_early",
            TripletState::Passed => "passed",
            TripletState::Known => "known",
        },
        WordColumn::Spf => authentication(event, |seen| match seen {
            Observed::Spf(facts) => Some(facts.result.slug()),
            _ => None,
        })?,
        WordColumn::Dkim => authentication(event, |seen| match seen {
            Observed::Dkim(facts) => Some(facts.result.slug()),
            _ => None,
        })?,
        WordColumn::Dmarc => authentication(event, |seen| match seen {
            Observed::Dmarc(facts) => Some(facts.result.slug()),
            _ => None,
        })?,
        WordColumn::Arc => authentication(event, |seen| match seen {
            Observed::Arc(facts) => Some(facts.result.slug()),
            _ => None,
        })?,
        WordColumn::Align => authentication(event, |seen| match seen {
            Observed::Dmarc(facts) => Some(match (facts.spf_aligned, facts.dkim_aligned) {
                (false, false) => "no",
                (true, false) => "spf",
                (false, true) => "dkim",
                (true, true) => "both",
            }),
            _ => None,
        })?,
    };
    Some(word.to_owned())
}

fn authentication(
    event: &Event,
    word: impl Fn(&Observed) -> Option<&'static str>,
) -> Option<&'static str> {
    event.record.findings().iter().find_map(|finding| word(&finding.observed))
}

fn triplet(event: &Event) -> Option<&TripletFacts> {
    event.record.findings().iter().find_map(|finding| match &finding.observed {
        Observed::Triplet(facts) => Some(facts),
        _ => None,
    })
}

pub(super) fn number(column: NumberColumn, event: &Event) -> Option<u64> {
    let number = match column {
        NumberColumn::Code => u64::from(event.record.reply.as_ref()?.code),
        NumberColumn::Size => match &event.subject.message {
            Some(message) => message.size_octets,
            None => event.subject.declared_size?,
        },
        NumberColumn::Attempts => match event.follow_up() {
            Some(types::FollowUp::GreylistExpired { attempts }) => u64::from(*attempts),
            _ => u64::from(triplet(event)?.attempts),
        },
        NumberColumn::Wait => {
            let facts = triplet(event)?;
            let has_waited = matches!(facts.state, TripletState::TooEarly | TripletState::Passed);
            let waited = event.started.as_millis() - facts.first_seen.as_millis();
            if has_waited { waited.max(0) as u64 } else { 0 }
        }
        NumberColumn::Port => u64::from(event.subject.client.client.port),
    };
    (number != 0).then_some(number)
}

/// The values of one stored column, each with its spellings.
#[derive(Default)]
pub(super) struct Values(pub(super) Vec<Vec<String>>);

impl TakeValue for Values {
    fn value(&mut self, written: &str) {
        self.0.push(vec![written.to_owned()]);
    }

    fn spelling(&mut self, other: &str) {
        self.0.last_mut().unwrap().push(other.to_owned());
    }
}

fn values(column: TextColumn, event: &Event) -> Vec<String> {
    let mut all = Vec::new();
    for field in column.parts() {
        let mut some = Values::default();
        field.values(event, &mut some);
        let folded = |value: String| value.to_lowercase().replace(['\u{1e}', '\u{1f}'], " ");
        let mut some: Vec<String> = some.0.into_iter().flatten().map(folded).collect();
        // A cell always has a value, if only an empty one.
        if some.is_empty() {
            some.push(String::new());
        }
        all.extend(some);
    }
    all
}

fn text_matches(value: &str, wanted: &TextMatch) -> bool {
    match wanted {
        TextMatch::Equals(text) => value == text.to_lowercase(),
        TextMatch::Contains(text) => value.contains(&text.to_lowercase()),
        TextMatch::StartsWith(text) => value.starts_with(&text.to_lowercase()),
        TextMatch::EndsWith(text) => value.ends_with(&text.to_lowercase()),
        TextMatch::Regex(pattern) => compiled(pattern.as_str()).is_match(value),
        TextMatch::Wildcard(pattern) => {
            let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
            wildcard(&value.chars().collect::<Vec<_>>(), &pattern)
        }
        TextMatch::Among(set) => set.has(value),
        TextMatch::Domain { domain, below } => {
            let own = value.rsplit_once('@').map_or(value, |(_, own)| own);
            own == domain || (*below && own.ends_with(&format!(".{domain}")))
        }
    }
}

/// A pattern, compiled once: it is asked about thousands of values.
fn compiled(pattern: &str) -> regex::Regex {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, regex::Regex>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        let compile = || regex::Regex::new(&format!("(?i){pattern}")).unwrap();
        compiled.entry(pattern.to_owned()).or_insert_with(compile).clone()
    })
}

fn wildcard(value: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => value.is_empty(),
        ['*', rest @ ..] => (0..=value.len()).any(|skip| wildcard(&value[skip..], rest)),
        [c, rest @ ..] => value.first() == Some(c) && wildcard(&value[1..], rest),
    }
}

/// What a search must return: the page's events and the number of all matches.
pub(super) fn search<'a>(
    events: &'a [Event],
    filter: &Filter,
    times: &Range<Timestamp>,
    page: &Page,
) -> (Vec<&'a Event>, usize) {
    let key = |event: &Event| (event.at, event.id);
    let from = |event: &&Event| event.at >= times.start;
    let others: Vec<&Event> = events.iter().filter(from).collect();
    let mut found: Vec<&Event> = events
        .iter()
        .filter(|event| times.contains(&event.at))
        .filter(|event| page.after.is_none_or(|after| key(event) < after))
        .filter(|event| matches(filter, event, &others))
        .collect();
    found.sort_by_key(|event| std::cmp::Reverse(key(event)));
    let all = found.len();
    found.truncate(page.rows_max);
    (found, all)
}
