//! What one value of one field means.

use ipnet::IpNet;
use store::search::{Column, Filter, Pattern, TextColumn, TextMatch, WordColumn};
use types::{
    ArcResult, CheckName, DkimResult, DmarcResult, Domain, OutcomeKind, Reason, Reference,
    SpfResult, Stage,
};

use super::QueryError;
use super::address::{address, domain, is_null};
use super::compile::{Present, any};
use super::fields::{FieldKind, Identified, Question};
use super::nearest::nearest;
use super::number;
use super::tree::{Comparison, Term, Text, Value};

/// The states of a life-line that `is:` knows beside the four outcomes; the
/// words are those of [`types::FollowUp::state`].
const STATES: [&str; 7] =
    ["delivered", "bounced", "expired", "queued", "released", "held", "deleted"];

/// What a value of a term means.
pub(super) fn value(
    term: &Term,
    value: &Value,
    present: &dyn Present,
) -> Result<Filter, QueryError> {
    let kind = term.field.kind;
    if let FieldKind::Number(column, unit) = kind {
        return Ok(Filter::Number(column, number::range(term, value, unit)?));
    }
    if kind == FieldKind::NotRecorded {
        return Err(not_recorded(term));
    }
    let Value::One(text) = value else {
        let message = format!("`{}:` has no ranges", term.field.name);
        return Err(QueryError::new(term.at.clone(), message));
    };
    let textual = kind != FieldKind::Exact(TextColumn::Direction)
        && matches!(kind, FieldKind::Address(_) | FieldKind::Text(_) | FieldKind::Exact(_));
    match term.comparison {
        None | Some(Comparison::Equal) => {}
        Some(Comparison::Matches) if textual => return pattern(kind, text),
        Some(sign) => {
            let message =
                format!("`{}:` cannot be compared with `{}`", term.field.name, sign.sign());
            return Err(QueryError::new(term.at.clone(), message));
        }
    }
    let whole = term.comparison == Some(Comparison::Equal);
    match kind {
        FieldKind::Is => is(text, present),
        FieldKind::Type => reasons(text),
        FieldKind::Address(column @ TextColumn::From) if is_null(text) => {
            Ok(Filter::Text(column, TextMatch::Equals("<>".to_owned())))
        }
        FieldKind::Address(column) => {
            Ok(presence(column, text).unwrap_or_else(|| in_column(column, address(text, whole))))
        }
        FieldKind::Domain(column) => domain(text, term.field.name, column),
        FieldKind::Text(column) => {
            Ok(presence(column, text).unwrap_or_else(|| words(column, text, whole)))
        }
        FieldKind::Exact(TextColumn::Direction) => direction(text),
        FieldKind::Exact(column @ TextColumn::Network) => match presence(column, text) {
            Some(filter) => Ok(filter),
            None => Ok(Filter::Text(column, number::autonomous_system(text)?)),
        },
        FieldKind::Exact(column) => {
            Ok(presence(column, text).unwrap_or_else(|| exact(column, text)))
        }
        FieldKind::Enhanced => Ok(Filter::Text(TextColumn::EnhancedCode, enhanced(&text.text))),
        FieldKind::Policy => Ok(policy(text)),
        FieldKind::Tls => tls(text),
        FieldKind::Word(column) => word(column, text),
        FieldKind::Has => has(text),
        FieldKind::YesNo(question) => yes_no(question, text),
        FieldKind::Ip => network(text),
        FieldKind::Id(what) => identified(what, text, present),
        FieldKind::Number(..) | FieldKind::Time(_) | FieldKind::NotRecorded => {
            Err(not_recorded(term))
        }
    }
}

fn not_recorded(term: &Term) -> QueryError {
    let message = format!("nothing records `{}:` yet", term.field.name);
    QueryError::new(term.at.clone(), message)
}

/// `*` asks whether there is a value, `""` whether there is none.
fn presence(column: TextColumn, text: &Text) -> Option<Filter> {
    let there = || Filter::Has(Column::Text(column));
    match (text.text.as_str(), text.quoted) {
        ("*", false) => Some(there()),
        ("", _) => Some(Filter::Not(Box::new(there()))),
        _ => None,
    }
}

/// A column matched in any of several ways.
pub(super) fn in_column(column: TextColumn, matches: Vec<TextMatch>) -> Filter {
    any(matches.into_iter().map(|how| Filter::Text(column, how)).collect())
}

/// A part of a text; with `=` the whole of it. A `*` in the middle of free
/// text stands for anything within, in names and identifiers the pattern is
/// the whole value.
pub(super) fn words(column: TextColumn, text: &Text, whole: bool) -> Filter {
    let value = text.text.clone();
    let is_pattern = value.contains('*') && !text.quoted;
    let free = TextColumn::Words.parts().contains(&column)
        || matches!(column, TextColumn::Words | TextColumn::Anything);
    let how = match (is_pattern, whole) {
        (true, false) if free => TextMatch::Wildcard(format!("*{value}*")),
        (true, _) => TextMatch::Wildcard(value),
        (false, true) => TextMatch::Equals(value),
        (false, false) => TextMatch::Contains(value),
    };
    Filter::Text(column, how)
}

fn exact(column: TextColumn, text: &Text) -> Filter {
    let value = text.text.trim();
    let value = match column {
        TextColumn::Extension => value.trim_start_matches('.'),
        TextColumn::Hash => value.strip_prefix("sha256:").unwrap_or(value),
        _ => value,
    };
    let how = match value.contains('*') && !text.quoted {
        true => TextMatch::Wildcard(value.to_owned()),
        false => TextMatch::Equals(value.to_owned()),
    };
    Filter::Text(column, how)
}

/// Which way mail goes. Only one of them is recorded: what has none came in.
fn direction(text: &Text) -> Result<Filter, QueryError> {
    let outbound = || Filter::Has(Column::Text(TextColumn::Direction));
    let word = text.text.trim().to_lowercase();
    match word.as_str() {
        "outbound" => Ok(outbound()),
        "inbound" => Ok(Filter::Not(Box::new(outbound()))),
        _ => {
            let message = "mail is inbound or outbound; leave it out to find both".to_owned();
            let near = nearest(&word, DIRECTIONS.into_iter()).map(str::to_owned);
            Err(QueryError::new(text.at.clone(), message).proposing(near))
        }
    }
}

/// The ways mail goes, as they are written.
pub(crate) const DIRECTIONS: [&str; 2] = ["inbound", "outbound"];

fn pattern(kind: FieldKind, text: &Text) -> Result<Filter, QueryError> {
    let (FieldKind::Address(column) | FieldKind::Text(column) | FieldKind::Exact(column)) = kind
    else {
        return Ok(Filter::Everything);
    };
    match Pattern::new(&text.text) {
        Ok(pattern) => Ok(Filter::Text(column, TextMatch::Regex(pattern))),
        Err(error) => Err(QueryError::new(text.at.clone(), one_line(&error.to_string()))),
    }
}

/// The last line of a message of several, which says what is wrong.
fn one_line(message: &str) -> String {
    let last = message.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(message);
    format!("the pattern is not right: {}", last.trim().trim_start_matches("error: "))
}

fn is(text: &Text, present: &dyn Present) -> Result<Filter, QueryError> {
    let word = text.text.trim().to_lowercase();
    let outcome = OutcomeKind::ALL.into_iter().find(|kind| kind.slug() == word);
    let state = STATES.into_iter().find(|state| *state == word);
    match (outcome, state) {
        (Some(OutcomeKind::Held), _) => Ok(held(present)),
        (Some(kind), _) => Ok(Filter::Outcome(kind)),
        (None, Some("queued")) => Ok(Filter::Ids(present.queued())),
        (None, Some(state)) => Ok(Filter::Story(Box::new(Filter::State(state)))),
        (None, None) => {
            let known = OutcomeKind::ALL.map(OutcomeKind::slug).into_iter().chain(STATES);
            Err(no_such(text, "outcome or state", known))
        }
    }
}

/// What a policy held, and what somebody holds in the queue now.
fn held(present: &dyn Present) -> Filter {
    let mut filters = vec![Filter::Outcome(OutcomeKind::Held)];
    filters.extend(Some(present.held()).filter(|ids| !ids.is_empty()).map(Filter::Ids));
    any(filters)
}

fn no_such<'a>(text: &Text, what: &str, known: impl Iterator<Item = &'a str>) -> QueryError {
    let message = format!("`{}` is no {what}", text.text);
    let proposal = nearest(&text.text, known).map(str::to_owned);
    QueryError::new(text.at.clone(), message).proposing(proposal)
}

/// A reason code, the part of one before a dot, a label or a part of one, or
/// a pattern over either, in any case.
fn reasons(text: &Text) -> Result<Filter, QueryError> {
    let wanted = text.text.trim().trim_end_matches(".*").to_lowercase();
    let of = |test: &dyn Fn(&str, &str) -> bool| -> Vec<Reason> {
        let test = |reason: &&Reason| test(reason.slug(), &reason.label().to_lowercase());
        Reason::ALL.iter().filter(test).copied().collect()
    };
    let begins = |slug: &str| {
        let rest = slug.strip_prefix(wanted.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let mut found = of(&|slug, _| begins(slug));
    if found.is_empty() {
        found = of(&|_, label| label == wanted);
    }
    if found.is_empty() && wanted.contains('*') {
        found = of(&|slug, label| fits(&wanted, slug) || fits(&wanted, label));
    } else if found.is_empty() && wanted.chars().count() >= 3 {
        found = of(&|_, label| label.contains(&wanted));
    }
    if !found.is_empty() {
        return Ok(Filter::Reason(found));
    }
    let groups = Reason::ALL.iter().filter_map(|reason| reason.slug().split('.').next());
    let known = Reason::ALL.iter().map(|reason| reason.slug()).chain(groups);
    let text = Text { text: text.text.trim_end_matches(".*").to_owned(), ..text.clone() };
    Err(no_such(&text, "reason code or label", known))
}

/// Whether a pattern with `*` covers the whole of a text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or(""),
            None => return false,
        }
    }
    rest.is_empty()
}

/// `5.7.1` as a whole, `5.7` and `5` as beginnings, `5.*.1` as a pattern.
pub(super) fn enhanced(code: &str) -> TextMatch {
    let code = code.trim();
    match (code.contains('*'), code.matches('.').count()) {
        (true, _) => TextMatch::Wildcard(code.to_owned()),
        (false, 2) => TextMatch::Equals(code.to_owned()),
        (false, _) => TextMatch::StartsWith(format!("{}.", code.trim_end_matches('.'))),
    }
}

fn policy(text: &Text) -> Filter {
    let column = TextColumn::Policy;
    if let Some(filter) = presence(column, text) {
        return filter;
    }
    let value = text.text.trim().to_lowercase();
    let (kind, number) = match value.strip_prefix("sender") {
        Some(rest) => ("sender ", rest.trim_start_matches([' ', '-', '_', ':'])),
        None => ("", value.as_str()),
    };
    let number = number.trim_start_matches('#');
    let is_number = !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit());
    Filter::Text(
        column,
        match is_number {
            true => TextMatch::Equals(format!("{kind}#{number}")),
            false if value.contains('*') && !text.quoted => TextMatch::Wildcard(value),
            false => TextMatch::Contains(value),
        },
    )
}

fn tls(text: &Text) -> Result<Filter, QueryError> {
    let word = text.text.trim().to_lowercase();
    let there = Filter::Has(Column::Text(TextColumn::TlsVersion));
    let number = word.trim_start_matches("tls").trim_start_matches('v');
    match word.as_str() {
        "none" | "no" => Ok(Filter::Not(Box::new(there))),
        "any" | "yes" | "*" => Ok(there),
        _ if matches!(number, "1.0" | "1.1" | "1.2" | "1.3") => {
            Ok(Filter::Text(TextColumn::TlsVersion, TextMatch::Equals(format!("tlsv{number}"))))
        }
        _ => Err(no_such(text, "TLS version", ["none", "any", "1.2", "1.3"].into_iter())),
    }
}

/// The words a column can have.
pub(crate) fn words_of(column: WordColumn) -> Vec<&'static str> {
    match column {
        WordColumn::Stage => Stage::ALL.map(Stage::slug).to_vec(),
        WordColumn::Check => CheckName::ALL.iter().map(|check| check.slug()).collect(),
        WordColumn::Outcome => OutcomeKind::ALL.map(OutcomeKind::slug).to_vec(),
        WordColumn::Reason => Reason::ALL.iter().map(|reason| reason.slug()).collect(),
        WordColumn::State => STATES.to_vec(),
        WordColumn::Kind => vec!["attempt", "follow_up"],
        WordColumn::Triplet => vec!["first_seen", "too_early", "passed", "known"],
        WordColumn::Spf => SpfResult::ALL.iter().map(|result| result.slug()).collect(),
        WordColumn::Dkim => DkimResult::ALL.iter().map(|result| result.slug()).collect(),
        WordColumn::Dmarc => DmarcResult::ALL.iter().map(|result| result.slug()).collect(),
        WordColumn::Arc => ArcResult::ALL.iter().map(|result| result.slug()).collect(),
        WordColumn::Align => vec!["no", "spf", "dkim", "both"],
    }
}

fn word(column: WordColumn, text: &Text) -> Result<Filter, QueryError> {
    let wanted = text.text.trim().to_lowercase();
    match words_of(column).contains(&wanted.as_str()) {
        true => Ok(Filter::Word(column, vec![wanted])),
        false => Err(no_such(text, column.name(), words_of(column).into_iter())),
    }
}

/// What is asked of `has:` one day, and recorded by nothing yet.
const HAS_LATER: [&str; 4] = ["link", "qr", "macro", "password"];

fn has(text: &Text) -> Result<Filter, QueryError> {
    let word = text.text.trim().to_lowercase();
    match word.as_str() {
        // Every attachment has a hash, not every one a name.
        "attachment" | "attachments" => Ok(Filter::Has(Column::Text(TextColumn::Hash))),
        later if HAS_LATER.contains(&later) => {
            Err(QueryError::new(text.at.clone(), format!("nothing records `has:{later}` yet")))
        }
        _ => Err(no_such(text, "thing a message has", ["attachment"].into_iter().chain(HAS_LATER))),
    }
}

fn yes_no(question: Question, text: &Text) -> Result<Filter, QueryError> {
    use store::search::NumberColumn::Attempts;
    let yes = match text.text.trim().to_lowercase().as_str() {
        "yes" | "true" | "1" => true,
        "no" | "false" | "0" => false,
        _ => return Err(no_such(text, "yes or no", ["yes", "no"].into_iter())),
    };
    let words = |words: &[&str]| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Filter::Word(WordColumn::Triplet, words)
    };
    let retried = || Filter::Story(Box::new(Filter::Number(Attempts, 2..=u64::MAX)));
    Ok(match (question, yes) {
        (Question::Retried, true) => retried(),
        // Only of what waited for a retry: of anything else it is no question.
        (Question::Retried, false) => Filter::All(vec![
            Filter::Number(Attempts, 1..=u64::MAX),
            Filter::Not(Box::new(retried())),
        ]),
        (Question::FirstContact, true) => words(&["first_seen", "too_early", "passed"]),
        (Question::FirstContact, false) => words(&["known"]),
    })
}

/// Networks nobody has on the Internet (RFC 1918, RFC 4193), loopback and
/// link-local ones.
const INTERNAL: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

fn network(text: &Text) -> Result<Filter, QueryError> {
    if text.text.trim().eq_ignore_ascii_case("internal") {
        let nets = INTERNAL.iter().filter_map(|net| net.parse().ok()).map(Filter::Ip).collect();
        return Ok(Filter::Any(nets));
    }
    read_network(&text.text).map(Filter::Ip).ok_or_else(|| {
        let message = format!("`{}` is no address or network", text.text);
        QueryError::new(text.at.clone(), message)
    })
}

/// An address, a network, or the beginning of an IPv4 address with `*`.
pub(super) fn read_network(text: &str) -> Option<IpNet> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    text.parse::<IpNet>()
        .ok()
        .map(|net| net.trunc())
        .or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
        .or_else(|| beginning(text))
}

fn beginning(text: &str) -> Option<IpNet> {
    let numbers = text.strip_suffix(".*")?.trim_end_matches(".*");
    let count = numbers.split('.').count();
    let zeros = ".0".repeat(4_usize.checked_sub(count)?);
    format!("{numbers}{zeros}/{}", count * 8).parse().ok()
}

fn identified(what: Identified, text: &Text, present: &dyn Present) -> Result<Filter, QueryError> {
    let named = text.text.trim().trim_start_matches("[ref ").trim_end_matches(']');
    let named = named.strip_prefix("L-").or_else(|| named.strip_prefix("l-")).unwrap_or(named);
    let reference = || named.parse::<Reference>().ok();
    let found = match what {
        Identified::Event => named
            .parse()
            .ok()
            .map(|id| Filter::Ids(vec![id]))
            .or_else(|| Some(Filter::Ids(present.referred(reference()?)))),
        Identified::LifeLine => named.parse().ok().map(Filter::LifeLine).or_else(|| {
            let lives = present.life_lines(reference()?).into_iter();
            Some(any(lives.map(Filter::LifeLine).collect()))
        }),
        Identified::Session => named.parse().ok().map(Filter::Session),
    };
    found.ok_or_else(|| {
        let message = format!("`{}` is no identifier and no reference of 12 characters", text.text);
        QueryError::new(text.at.clone(), message)
    })
}

/// Whether a text is a domain of several labels, the last of letters.
pub(super) fn looks_like_a_domain(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or("");
    name.contains('.') && last.chars().any(char::is_alphabetic) && name.parse::<Domain>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_pattern_covers_the_whole_text() {
        for (pattern, text, whole) in [
            ("*", "", true),
            ("*spam*", "hold.spam", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, text), whole, "{pattern} {text}");
        }
    }
}
