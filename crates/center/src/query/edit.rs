//! Changing a query by its chips and facets: pure functions from query to
//! query, so that every change is a link and works without script.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::parser::parse;
use super::tree::{Part, Term, Text, Value};
use super::{QueryError, fields};

/// One of the things a query asks for together with the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Chip {
    /// As it stands in the query, the negation included.
    pub text: String,
    /// What people read, without the negation: `type: rbl`.
    pub label: String,
    /// Whether what it says is excluded.
    pub negated: bool,
    /// The octets of the query it takes.
    pub range: Range<usize>,
}

/// The chips of a query, in order.
///
/// # Errors
///
/// What is wrong with the query.
pub fn chips(query: &str) -> Result<Vec<Chip>, QueryError> {
    let parsed = parse(query)?;
    let chip = |range: &Range<usize>| {
        let text = query.get(range.clone()).unwrap_or("").to_owned();
        let part = parse(&text)?.root;
        let (negated, part) = match part {
            Some(Part::Not(part)) => (true, Some(*part)),
            part => (false, part),
        };
        let label = part.as_ref().map_or(String::new(), label);
        Ok(Chip { text, label, negated, range: range.clone() })
    };
    parsed.tops.iter().map(chip).collect()
}

fn label(part: &Part) -> String {
    let shown = match part {
        Part::Term(Term { field, comparison, values, .. }) => {
            let values: Vec<String> = values.iter().map(value_label).collect();
            let sign = comparison.map_or("", |sign| sign.sign());
            format!("{}: {sign}{}", field.name, values.join(", "))
        }
        Part::Word(word) => format!("\u{201c}{}\u{201d}", word.text),
        part => part.to_string(),
    };
    crate::presentable_within(&shown, 120)
}

fn value_label(value: &Value) -> String {
    let end = |end: &Option<Text>| end.as_ref().map_or(String::new(), |text| text.text.clone());
    match value {
        Value::One(text) if text.text.is_empty() => "<>".to_owned(),
        Value::One(text) => text.text.clone(),
        Value::Range(from, to) => format!("{} \u{2013} {}", end(from), end(to)),
    }
}

/// The query without its chip number `chip`, counted from zero. A query that
/// cannot be parsed, or has no such chip, stays as it is.
pub fn without(query: &str, chip: usize) -> String {
    changed(query, chip, |_| None)
}

/// The query with its chip number `chip` negated, or no longer negated.
pub fn toggled(query: &str, chip: usize) -> String {
    changed(query, chip, |chip| Some(opposite(chip)))
}

fn changed(query: &str, number: usize, change: impl Fn(&Chip) -> Option<String>) -> String {
    let Ok(chips) = chips(query) else { return query.to_owned() };
    let text = |(place, chip): (usize, &Chip)| match place == number {
        true => change(chip),
        false => Some(chip.text.clone()),
    };
    let kept: Vec<String> = chips.iter().enumerate().filter_map(text).collect();
    kept.join(" ")
}

fn opposite(chip: &Chip) -> String {
    if chip.negated {
        let inner = chip.text.strip_prefix('-').or_else(|| chip.text.strip_prefix("NOT"));
        return inner.unwrap_or(&chip.text).trim_start().to_owned();
    }
    format!("-{}", enclosed(&chip.text))
}

/// In parentheses if it would fall apart beside something else.
fn enclosed(text: &str) -> String {
    match parse(text).map(|query| query.root) {
        Ok(Some(Part::Any(_) | Part::All(_) | Part::Not(_))) if !is_enclosed(text) => {
            format!("({text})")
        }
        _ => text.to_owned(),
    }
}

/// Whether the parentheses at both ends belong to each other.
fn is_enclosed(text: &str) -> bool {
    let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    inner.is_some_and(|inner| parse(inner).is_ok())
}

/// The query narrowed to what `term` matches too. A chip that excludes the
/// same is taken out; one that says the same is not doubled.
pub fn and(query: &str, term: &str) -> String {
    joined(query, term, false)
}

/// The query without what `term` matches.
pub fn and_not(query: &str, term: &str) -> String {
    joined(query, term, true)
}

fn joined(query: &str, term: &str, negated: bool) -> String {
    let parts = chips(term).unwrap_or_default();
    match parts.as_slice() {
        // What is said negated is the opposite of what it negates.
        [one] if one.negated => one_joined(query, &opposite(one), !negated),
        [] | [_] => one_joined(query, term.trim(), negated),
        _ if negated => one_joined(query, term.trim(), negated),
        several => several.iter().fold(query.to_owned(), |query, part| and(&query, &part.text)),
    }
}

fn one_joined(query: &str, term: &str, negated: bool) -> String {
    let wanted = match negated {
        true => format!("-{}", enclosed(term)),
        false => or_enclosed(term),
    };
    let Ok(chips) = chips(query) else { return format!("{} {wanted}", query.trim()) };
    let same = |chip: &Chip| {
        let plain = if chip.negated { opposite(chip) } else { chip.text.clone() };
        means(&plain) == means(term)
    };
    if chips.iter().any(|chip| same(chip) && chip.negated == negated) {
        return query.to_owned();
    }
    let mut texts: Vec<String> =
        chips.iter().filter(|chip| !same(chip)).map(|chip| or_enclosed(&chip.text)).collect();
    texts.push(wanted);
    texts.join(" ")
}

/// What a text means: its canonical form; itself where it means nothing.
fn means(text: &str) -> String {
    parse(text).map_or_else(|_| text.to_owned(), |query| query.to_string())
}

/// In parentheses if an OR stands outermost.
fn or_enclosed(text: &str) -> String {
    match parse(text).map(|query| query.root) {
        Ok(Some(Part::Any(_))) if !is_enclosed(text) => format!("({text})"),
        _ => text.to_owned(),
    }
}

/// Whether the query requires `term` (`Some(true)`), excludes it
/// (`Some(false)`), or says nothing of it.
pub fn chosen(query: &str, term: &str) -> Option<bool> {
    let chips = chips(query).ok()?;
    chips.iter().find_map(|chip| {
        let plain = if chip.negated { opposite(chip) } else { chip.text.clone() };
        (means(&plain) == means(term)).then_some(!chip.negated)
    })
}

/// `field:value`, quoted where the value needs it.
pub fn term(field: &str, value: &str) -> String {
    let name = fields::find(field).map_or(field, |field| field.name);
    let plain = format!("{name}:{value}");
    let text = |query: super::Query| match query.root {
        Some(Part::Term(term)) => match term.values.as_slice() {
            [Value::One(text)] if term.comparison.is_none() && term.field.name == name => {
                Some(text.text.clone())
            }
            _ => None,
        },
        _ => None,
    };
    match parse(&plain).ok().and_then(text) {
        Some(read) if read == value && !value.starts_with('"') => plain,
        _ => format!("{name}:{}", quoted(value)),
    }
}

/// `field:value` for a value that is no pattern, even if it contains `*`.
pub fn literal_term(field: &str, value: &str) -> String {
    match value.contains('*') {
        true => {
            format!("{}:{}", fields::find(field).map_or(field, |field| field.name), quoted(value))
        }
        false => term(field, value),
    }
}

/// `field:=value`: the whole value, which is no pattern.
pub fn exact_term(field: &str, value: &str) -> String {
    let plain = literal_term(field, value);
    match plain.split_once(':') {
        Some((name, value)) => format!("{name}:={value}"),
        None => plain,
    }
}

/// A bare word that is searched for as text, quoted where it needs it.
pub fn word(text: &str) -> String {
    match parse(text).map(|query| query.root) {
        Ok(Some(Part::Word(word))) if word.text == text && !word.quoted => text.to_owned(),
        _ => quoted(text),
    }
}

/// The value in quotes.
fn quoted(value: &str) -> String {
    Text { text: value.to_owned(), quoted: true, at: 0..0 }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_are_what_a_query_asks_for_together() {
        let text = "is:rejected -type:rbl AND \"invoice 7\" (a OR from:<>)";
        let chips = chips(text).unwrap();
        let seen: Vec<_> = chips
            .iter()
            .map(|chip| (chip.text.as_str(), chip.label.as_str(), chip.negated))
            .collect();
        assert_eq!(
            seen,
            [
                ("is:rejected", "is: rejected", false),
                ("-type:rbl", "type: rbl", true),
                ("\"invoice 7\"", "\u{201c}invoice 7\u{201d}", false),
                ("(a OR from:<>)", "a OR from:<>", false),
            ]
        );
        assert!(chips.iter().all(|chip| text[chip.range.clone()] == chip.text));
        assert_eq!(super::chips("a OR b").unwrap().len(), 1);
        assert_eq!(super::chips("  ").unwrap(), []);
    }

    #[test]
    fn a_chip_is_taken_out_or_turned_around() {
        let text = "is:rejected AND -type:rbl NOT x (a OR b)";
        assert_eq!(without(text, 0), "-type:rbl NOT x (a OR b)");
        assert_eq!(without(text, 3), "is:rejected -type:rbl NOT x");
        assert_eq!(without(text, 9), "is:rejected -type:rbl NOT x (a OR b)");
        assert_eq!(toggled(text, 0), "-is:rejected -type:rbl NOT x (a OR b)");
        assert_eq!(toggled(text, 1), "is:rejected type:rbl NOT x (a OR b)");
        assert_eq!(toggled(text, 2), "is:rejected -type:rbl x (a OR b)");
        assert_eq!(toggled(text, 3), "is:rejected -type:rbl NOT x -(a OR b)");
        assert_eq!(toggled("a OR b", 0), "-(a OR b)");
        assert_eq!(toggled("-(a OR b)", 0), "(a OR b)");
        assert_eq!(without("a OR", 0), "a OR");
    }

    #[test]
    fn a_facet_narrows_or_excludes() {
        assert_eq!(and("", "type:rbl"), "type:rbl");
        assert_eq!(and("is:rejected", "type:rbl"), "is:rejected type:rbl");
        assert_eq!(and("a OR b", "type:rbl"), "(a OR b) type:rbl");
        assert_eq!(and("type:rbl", "type:rbl"), "type:rbl");
        assert_eq!(and("-type:rbl x", "type:rbl"), "x type:rbl");
        assert_eq!(and("type:rbl x", "-type:rbl"), "x -type:rbl");
        assert_eq!(and("x", "x y"), "x y");
        assert_eq!(and_not("type:rbl x", "type:rbl"), "x -type:rbl");
        assert_eq!(and_not("x", "a OR b"), "x -(a OR b)");
        assert_eq!(chosen("x reason:rbl", "type:rbl"), Some(true));
        assert_eq!(chosen("x -reason:rbl", "type:rbl"), Some(false));
        assert_eq!(chosen("x", "type:rbl"), None);
    }

    #[test]
    fn values_are_quoted_where_they_must_be() {
        assert_eq!(term("from", "a@b.example"), "from:a@b.example");
        assert_eq!(term("helo", "two words"), "helo:\"two words\"");
        assert_eq!(term("helo", "a\"b"), "helo:\"a\\\"b\"");
        assert_eq!(term("helo", "a,b"), "helo:\"a,b\"");
        assert_eq!(term("helo", "a..b"), "helo:\"a..b\"");
        assert_eq!(term("helo", ">x"), "helo:\">x\"");
        assert_eq!(term("reason", "rbl.listed"), "type:rbl.listed");
        assert_eq!(term("helo", "*.x"), "helo:*.x");
        assert_eq!(literal_term("ehlo", "*.x"), "helo:\"*.x\"");
        assert_eq!(exact_term("helo", "*"), "helo:=\"*\"");
        assert_eq!(exact_term("from", "<>"), "from:=<>");
        assert_eq!(word("invoice"), "invoice");
        assert_eq!(word("from:x"), "\"from:x\"");
        assert_eq!(word("OR"), "\"OR\"");
        assert_eq!(word("-x"), "\"-x\"");
    }
}
