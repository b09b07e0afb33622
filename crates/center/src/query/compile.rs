//! Tree to [`store::Filter`]: what each field and each kind of bare word
//! means.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;
use store::Filter;
use store::contract::{TextColumn, TextMatch};
use types::{Domain, EmailAddress, EventId, OutcomeKind, Reason, Reference, Timestamp};

use super::QueryError;
use super::fields::{Field, FieldKind};
use super::nearest::nearest;
use super::tree::{Comparison, Part, Query, Term, Text, Value};
use super::when::{self, Moment};

/// A query, ready for the event log.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Which events.
    pub filter: Filter,
    /// Within which time, the end exclusive.
    pub times: Range<Timestamp>,
    /// What the whole query names, if it is an id or could be a reference.
    /// Twelve letters can also be a word: search for it if nothing is there.
    pub open: Option<Open>,
    /// Whether it says which outcomes or states it wants.
    pub names_state: bool,
}

/// Something that is opened rather than searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An event.
    Event(EventId),
    /// What replies quote.
    Reference(Reference),
}

/// The states of a life-line that `is:` knows beside the four outcomes; the
/// words are those of [`types::FollowUp::state`].
const STATES: [&str; 7] =
    ["delivered", "bounced", "expired", "queued", "released", "held", "deleted"];

/// Compiles a parsed query.
///
/// # Errors
///
/// A value its field cannot have, or `time:` where it does not narrow the
/// whole query.
pub fn compile(query: &Query, moment: &Moment) -> Result<Search, QueryError> {
    let mut compiler = Compiler { moment, times: when::ALWAYS, names_state: false };
    let mut filters = Vec::new();
    let outermost = match &query.root {
        Some(Part::All(parts)) => parts.as_slice(),
        Some(part) => std::slice::from_ref(part),
        None => &[],
    };
    for part in outermost {
        match part {
            Part::Term(term) if matches!(term.field.kind, FieldKind::Time(_)) => {
                compiler.narrow(term)?;
            }
            part => filters.push(compiler.part(part)?),
        }
    }
    let open = match &query.root {
        Some(Part::Word(word)) => opens(word),
        _ => None,
    };
    let filter = if filters.is_empty() { Filter::Everything } else { all(filters) };
    Ok(Search { filter, times: compiler.times, open, names_state: compiler.names_state })
}

fn opens(word: &Text) -> Option<Open> {
    let event = word.text.parse().ok().map(Open::Event);
    event.or_else(|| word.text.parse().ok().map(Open::Reference)).filter(|_| !word.quoted)
}

struct Compiler<'a> {
    moment: &'a Moment,
    times: Range<Timestamp>,
    names_state: bool,
}

impl Compiler<'_> {
    fn narrow(&mut self, term: &Term) -> Result<(), QueryError> {
        let [value] = term.values.as_slice() else {
            let message = "one span of time at a time; write a range with `..`";
            return Err(QueryError::new(term.at.clone(), message));
        };
        let span = when::span(value, term.comparison, self.moment)?;
        let start = self.times.start.max(span.start);
        self.times = start..self.times.end.min(span.end).max(start);
        Ok(())
    }

    fn part(&mut self, part: &Part) -> Result<Filter, QueryError> {
        Ok(match part {
            Part::Any(parts) => any(self.parts(parts)?),
            Part::All(parts) => all(self.parts(parts)?),
            Part::Not(part) => Filter::Not(Box::new(self.part(part)?)),
            Part::Word(word) => bare(word),
            Part::Term(term) => any(self.term(term)?),
        })
    }

    fn parts(&mut self, parts: &[Part]) -> Result<Vec<Filter>, QueryError> {
        parts.iter().map(|part| self.part(part)).collect()
    }

    fn term(&mut self, term: &Term) -> Result<Vec<Filter>, QueryError> {
        if matches!(term.field.kind, FieldKind::Time(_)) {
            let message = "`time:` narrows the whole query; take it out of OR, NOT and parentheses";
            return Err(QueryError::new(term.at.clone(), message));
        }
        if let Some(comparison) = term.comparison.filter(|&sign| sign != Comparison::Equal) {
            let message =
                format!("`{}:` cannot be compared with `{}`", term.field.name, comparison.sign());
            return Err(QueryError::new(term.at.clone(), message));
        }
        term.values.iter().map(|value| self.value(term, value)).collect()
    }

    fn value(&mut self, term: &Term, value: &Value) -> Result<Filter, QueryError> {
        let Value::One(text) = value else {
            let message = format!("`{}:` has no ranges", term.field.name);
            return Err(QueryError::new(term.at.clone(), message));
        };
        let whole = term.comparison == Some(Comparison::Equal);
        match term.field.kind {
            FieldKind::Is => {
                self.names_state = true;
                is(text)
            }
            FieldKind::Type => reasons(text),
            FieldKind::Address(columns @ [TextColumn::From]) if is_null(text) => {
                Ok(in_columns(columns, &[TextMatch::Equals("<>".to_owned())]))
            }
            FieldKind::Address(columns) => Ok(in_columns(columns, &address(text, whole))),
            FieldKind::Domain(columns) => domain(text, term.field, columns),
            FieldKind::Text(column) => Ok(Filter::Text(column, words(text, whole))),
            FieldKind::Ip => network(&text.text).map(any).ok_or_else(|| {
                let message = format!("`{}` is no address or network", text.text);
                QueryError::new(text.at.clone(), message)
            }),
            // Answered above; there is nothing to filter by.
            FieldKind::Time(_) => Ok(Filter::Everything),
            FieldKind::NotRecorded => {
                let message = format!("nothing records `{}:` yet", term.field.name);
                Err(QueryError::new(term.at.clone(), message))
            }
        }
    }
}

fn all(mut filters: Vec<Filter>) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => Filter::All(filters),
    }
}

fn any(mut filters: Vec<Filter>) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => Filter::Any(filters),
    }
}

fn is(text: &Text) -> Result<Filter, QueryError> {
    let word = text.text.to_lowercase();
    let outcome = OutcomeKind::ALL.into_iter().find(|kind| kind.slug() == word);
    let state = STATES.into_iter().find(|state| *state == word);
    let found = [outcome.map(Filter::Outcome), state.map(Filter::State)];
    let found: Vec<Filter> = found.into_iter().flatten().collect();
    if found.is_empty() {
        let known = || OutcomeKind::ALL.map(OutcomeKind::slug).into_iter().chain(STATES);
        let message = format!("`{}` is no outcome or state", text.text);
        let proposal = nearest(&word, known()).map(str::to_owned);
        return Err(QueryError::new(text.at.clone(), message).proposing(proposal));
    }
    Ok(any(found))
}

/// A reason code, the part of one before a dot, or a label, in any case.
fn reasons(text: &Text) -> Result<Filter, QueryError> {
    let wanted = text.text.trim().trim_end_matches(".*").to_lowercase();
    let matches = |test: &dyn Fn(&Reason) -> bool| -> Vec<Reason> {
        Reason::ALL.iter().copied().filter(|reason| test(reason)).collect()
    };
    let begins = |reason: &Reason| {
        let rest = reason.slug().strip_prefix(wanted.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let label = |reason: &Reason| reason.label().to_lowercase();
    let mut found = matches(&begins);
    if found.is_empty() {
        found = matches(&|reason| label(reason) == wanted);
    }
    if found.is_empty() && wanted.chars().count() >= 3 {
        found = matches(&|reason| label(reason).contains(&wanted));
    }
    if !found.is_empty() {
        return Ok(Filter::Reason(found));
    }
    let groups = Reason::ALL.iter().filter_map(|reason| reason.slug().split('.').next());
    let known = Reason::ALL.iter().map(|reason| reason.slug()).chain(groups);
    let message = format!("`{}` is no reason code or label", text.text);
    Err(QueryError::new(text.at.clone(), message)
        .proposing(nearest(&wanted, known).map(str::to_owned)))
}

fn in_columns(columns: &[TextColumn], matches: &[TextMatch]) -> Filter {
    let filters = columns
        .iter()
        .flat_map(|&column| matches.iter().map(move |how| Filter::Text(column, how.clone())));
    any(filters.collect())
}

/// How a value of an address field is compared: any of these.
fn address(text: &Text, whole: bool) -> Vec<TextMatch> {
    let value = text.text.trim();
    let inner = value.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(value);
    if inner.is_empty() || whole {
        return vec![TextMatch::Equals(inner.to_owned())];
    }
    let below = inner.strip_prefix("*.").or_else(|| inner.strip_prefix("@*."));
    let exactly = inner.strip_prefix('@');
    let named = below.or(exactly).and_then(|domain| domain.parse::<Domain>().ok());
    if let Some(domain) = named {
        let domain = domain.as_str().to_owned();
        return vec![TextMatch::Domain { domain, below: below.is_some() }];
    }
    if inner.contains('*') {
        return vec![TextMatch::Wildcard(inner.to_owned())];
    }
    match inner.parse::<EmailAddress>() {
        Ok(address) => one_mailbox(&address),
        Err(_) => vec![TextMatch::Contains(inner.to_owned())],
    }
}

/// Whether the null reverse-path is meant: `""` or `<>`. An event without a
/// MAIL has no sender at all, which is something else.
fn is_null(text: &Text) -> bool {
    matches!(text.text.trim(), "" | "<>")
}

/// One mailbox in each of the forms it may have been written in: with and
/// without a `+tag`, with the domain in both IDN forms.
fn one_mailbox(address: &EmailAddress) -> Vec<TextMatch> {
    let mut domains = vec![address.domain().to_owned()];
    for form in [address.domain_key().to_owned(), idna::domain_to_unicode(address.domain_key()).0] {
        if !domains.iter().any(|known| known.eq_ignore_ascii_case(&form)) {
            domains.push(form);
        }
    }
    let local = address.local();
    let mut forms = Vec::new();
    for domain in domains {
        forms.push(TextMatch::Equals(format!("{local}@{domain}")));
        if !local.contains(['+', '*']) {
            forms.push(TextMatch::Wildcard(format!("{local}+*@{domain}")));
        }
    }
    forms
}

fn domain(text: &Text, field: &Field, columns: &[TextColumn]) -> Result<Filter, QueryError> {
    let name = text.text.trim();
    let plain = name.strip_prefix("*.").unwrap_or(name).trim_start_matches('@');
    let domain: Domain = plain.parse().map_err(|_| {
        let message = format!("`{name}` is no domain; `{}:` takes whole domains", field.name);
        QueryError::new(text.at.clone(), message)
    })?;
    let domain = domain.as_str().to_owned();
    let mut matches = vec![TextMatch::Domain { domain: domain.clone(), below: true }];
    if !name.starts_with("*.") {
        matches.push(TextMatch::Domain { domain, below: false });
    }
    let helo = Filter::Text(TextColumn::Helo, TextMatch::Contains(plain.to_owned()));
    Ok(Filter::Any(vec![in_columns(columns, &matches), helo]))
}

fn words(text: &Text, whole: bool) -> TextMatch {
    let value = text.text.clone();
    match (whole || value.is_empty(), value.contains('*') && !text.quoted) {
        (true, _) => TextMatch::Equals(value),
        (false, true) => TextMatch::Wildcard(value),
        (false, false) => TextMatch::Contains(value),
    }
}

/// An address, a network, or the beginning of an IPv4 address with `*`.
fn network(text: &str) -> Option<Vec<Filter>> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    let net = text
        .parse::<IpNet>()
        .ok()
        .map(|net| net.trunc())
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        .or_else(|| beginning(text))?;
    Some(vec![Filter::Ip(net)])
}

fn beginning(text: &str) -> Option<IpNet> {
    let numbers = text.strip_suffix(".*")?.trim_end_matches(".*");
    let count = numbers.split('.').count();
    let zeros = ".0".repeat(4_usize.checked_sub(count)?);
    format!("{numbers}{zeros}/{}", count * 8).parse().ok()
}

/// What a word without a field means, by what it looks like.
fn bare(word: &Text) -> Filter {
    let anything = || Filter::Text(TextColumn::Anything, words(word, false));
    if word.quoted {
        return anything();
    }
    let text = word.text.as_str();
    if let Some(networks) = network(text) {
        return any(networks);
    }
    if text.starts_with('<') && text.ends_with('>') && text.contains('@') {
        return Filter::Text(TextColumn::MessageId, TextMatch::Contains(text.to_owned()));
    }
    let columns = [TextColumn::From, TextColumn::To, TextColumn::HeaderFrom];
    if text.parse::<EmailAddress>().is_ok() && !text.contains('*') {
        return in_columns(&columns, &address(word, false));
    }
    // A file name looks like a domain too, so text is searched as well.
    match looks_like_a_domain(text) {
        true => Filter::Any(vec![
            in_columns(&columns, &both_forms(text)),
            Filter::Text(TextColumn::Anything, TextMatch::Contains(text.replace("*.", "."))),
        ]),
        false if text.contains('*') => {
            Filter::Text(TextColumn::Anything, TextMatch::Wildcard(format!("*{text}*")))
        }
        false => anything(),
    }
}

fn looks_like_a_domain(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or("");
    name.contains('.') && last.chars().any(char::is_alphabetic) && name.parse::<Domain>().is_ok()
}

fn both_forms(text: &str) -> Vec<TextMatch> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let Ok(domain) = name.parse::<Domain>() else { return Vec::new() };
    let domain = domain.as_str().to_owned();
    let below = TextMatch::Domain { domain: domain.clone(), below: true };
    match text.starts_with("*.") {
        true => vec![below],
        false => vec![below, TextMatch::Domain { domain, below: false }],
    }
}
