//! The same search done plainly over whole events: what the columns must
//! agree with.

use std::ops::Range;

use types::{Event, Timestamp};

use super::super::fields::TextField;
use crate::contract::{Filter, Page, TextColumn, TextMatch};

/// Whether an event matches.
pub(super) fn matches(filter: &Filter, event: &Event) -> bool {
    match filter {
        Filter::Everything => true,
        Filter::All(filters) => filters.iter().all(|filter| matches(filter, event)),
        Filter::Any(filters) => filters.iter().any(|filter| matches(filter, event)),
        Filter::Not(filter) => !matches(filter, event),
        Filter::IsAttempt => event.outcome().is_some(),
        Filter::Outcome(kind) => event.outcome_kind() == Some(*kind),
        Filter::State(state) => event.follow_up().is_some_and(|what| what.state() == *state),
        Filter::Reason(reasons) => event.reason().is_some_and(|reason| reasons.contains(&reason)),
        Filter::Ip(net) => net.contains(&event.subject.client.client.ip),
        Filter::Text(column, wanted) => {
            values(*column, event).iter().any(|value| text_matches(value, wanted))
        }
    }
}

fn values(column: TextColumn, event: &Event) -> Vec<String> {
    let fields: &[TextField] = match column {
        TextColumn::From => &[TextField::From],
        TextColumn::To => &[TextField::To],
        TextColumn::HeaderFrom => &[TextField::HeaderFrom],
        TextColumn::Subject => &[TextField::Subject],
        TextColumn::Information => &[TextField::Information],
        TextColumn::Helo => &[TextField::Helo],
        TextColumn::MessageId => &[TextField::MessageId],
        TextColumn::Anything => &TextField::ALL[..8],
    };
    let mut all = Vec::new();
    for field in fields {
        let mut some = Vec::new();
        field.values(event, &mut |value| some.push(value.to_lowercase().replace('\u{1e}', " ")));
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
        TextMatch::Wildcard(pattern) => {
            let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
            wildcard(&value.chars().collect::<Vec<_>>(), &pattern)
        }
        TextMatch::Domain { domain, below } => {
            let own = value.rsplit_once('@').map_or(value, |(_, own)| own);
            own == domain || (*below && own.ends_with(&format!(".{domain}")))
        }
    }
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
    let mut found: Vec<&Event> = events
        .iter()
        .filter(|event| times.contains(&event.at))
        .filter(|event| page.after.is_none_or(|after| key(event) < after))
        .filter(|event| matches(filter, event))
        .collect();
    found.sort_by_key(|event| std::cmp::Reverse(key(event)));
    let all = found.len();
    found.truncate(page.rows_max);
    (found, all)
}
