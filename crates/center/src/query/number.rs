//! Numbers as people write them: `>3`, `1..10`, `5MB`, `10m`, `5xx`.

use std::ops::RangeInclusive;

use store::search::TextMatch;

use super::QueryError;
use super::fields::Unit;
use super::tree::{Comparison, Term, Text, Value};

/// The numbers a value of a term covers.
pub(super) fn range(
    term: &Term,
    value: &Value,
    unit: Unit,
) -> Result<RangeInclusive<u64>, QueryError> {
    let covered = |text: &Text| read(text, unit);
    match (value, term.comparison) {
        (Value::One(text), sign) => {
            let covered = covered(text)?;
            let (low, high) = (*covered.start(), *covered.end());
            Ok(match sign {
                None | Some(Comparison::Equal) => covered,
                Some(Comparison::Greater) => high.saturating_add(1)..=u64::MAX,
                Some(Comparison::GreaterOrEqual) => low..=u64::MAX,
                Some(Comparison::Less) => below(low),
                Some(Comparison::LessOrEqual) => 0..=high,
                Some(Comparison::Matches) => {
                    let message = format!("`{}:` is a number, not a text", term.field.name);
                    return Err(QueryError::new(term.at.clone(), message));
                }
            })
        }
        (Value::Range(from, to), None) => {
            let low = from.as_ref().map(covered).transpose()?.map_or(0, |range| *range.start());
            let high = to.as_ref().map(covered).transpose()?;
            let high = high.map_or(u64::MAX, |range| *range.end());
            match (low > high, to.as_ref().or(from.as_ref())) {
                (true, Some(text)) => {
                    Err(QueryError::new(text.at.clone(), "the range ends before it begins"))
                }
                _ => Ok(low..=high),
            }
        }
        (Value::Range(..), Some(sign)) => {
            let message = format!("a range needs no `{}`", sign.sign());
            Err(QueryError::new(term.at.clone(), message))
        }
    }
}

/// Below `low`; below zero there is nothing.
fn below(low: u64) -> RangeInclusive<u64> {
    match low.checked_sub(1) {
        Some(high) => 0..=high,
        None => RangeInclusive::new(1, 0),
    }
}

fn read(text: &Text, unit: Unit) -> Result<RangeInclusive<u64>, QueryError> {
    let word = text.text.trim().to_lowercase();
    let one = |number: u64| number..=number;
    let found = match unit {
        Unit::Plain => word.parse().ok().map(one),
        Unit::Code => code(&word),
        Unit::Octets => octets(&word).map(one),
        Unit::Span => span_ms(&word).map(one),
    };
    found.ok_or_else(|| {
        let example = match unit {
            Unit::Plain => "3",
            Unit::Code => "550 or 5xx",
            Unit::Octets => "300k or 5MB",
            Unit::Span => "45s, 10m or 1h30m",
        };
        let message = format!("`{}` is not such a number (try {example})", text.text);
        QueryError::new(text.at.clone(), message)
    })
}

/// The number of an autonomous system, with or without `AS`, or a pattern.
pub(super) fn autonomous_system(text: &Text) -> Result<TextMatch, QueryError> {
    let word = text.text.trim().to_ascii_uppercase();
    let number = word.strip_prefix("AS").unwrap_or(&word);
    let is_pattern = |letter: char| letter.is_ascii_digit() || letter == '*';
    match number.parse::<u32>() {
        Ok(number) => Ok(TextMatch::Equals(format!("AS{number}"))),
        Err(_) if number.contains('*') && number.chars().all(is_pattern) => {
            Ok(TextMatch::Wildcard(format!("AS{number}")))
        }
        Err(_) => {
            let message = format!("`{}` is no AS number (try AS64500)", text.text);
            Err(QueryError::new(text.at.clone(), message))
        }
    }
}

/// `550`, `55x`, `5xx`, `5*`.
fn code(word: &str) -> Option<RangeInclusive<u64>> {
    let digits = word.trim_end_matches(['x', '*']);
    if digits.len() == word.len() {
        return word.parse().ok().map(|code: u64| code..=code);
    }
    let open = u32::try_from(3_usize.checked_sub(digits.len())?).ok()?;
    let step = 10_u64.checked_pow(open)?;
    let low = digits.parse::<u64>().ok()?.checked_mul(step)?;
    Some(low..=low + step - 1)
}

/// Units of octets: decimal as prefixes say, binary with an `i`.
const OCTETS: [(&str, u64); 12] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
];

fn octets(word: &str) -> Option<u64> {
    let with_unit = OCTETS
        .iter()
        .find_map(|(unit, octets)| Some((word.strip_suffix(unit)?.trim_end(), *octets)));
    let (number, unit) = with_unit.unwrap_or((word.strip_suffix('b').unwrap_or(word), 1));
    match number.split_once('.') {
        None => number.parse::<u64>().ok()?.checked_mul(unit),
        Some((whole, part)) if !part.is_empty() && part.len() <= 6 => {
            let scale = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
            let part = part.parse::<u64>().ok()?.checked_mul(unit)? / scale;
            whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(part)
        }
        Some(_) => None,
    }
}

/// `45s`, `10m`, `1h30m`, `2d`, `500ms`; a number alone means seconds.
fn span_ms(word: &str) -> Option<u64> {
    if let Ok(seconds) = word.parse::<u64>() {
        return seconds.checked_mul(1_000);
    }
    let mut rest = word;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = rest.split_at_checked(digits)?;
        let letters = unit.len() - unit.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = unit.split_at_checked(letters)?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" | "sec" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(unit_ms)?)?;
        rest = after;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (word, number) in [
            ("0", Some(0)),
            ("300k", Some(300_000)),
            ("5mb", Some(5_000_000)),
            ("1.5mib", Some(1_572_864)),
            ("2g", Some(2_000_000_000)),
            ("12b", Some(12)),
            ("1.", None),
            ("k", None),
            ("99999999999999999999", None),
            ("99999999999999gb", None),
        ] {
            assert_eq!(octets(word), number, "{word}");
        }
        for (word, ms) in [
            ("45", Some(45_000)),
            ("10m", Some(600_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("2d", Some(172_800_000)),
            ("m", None),
            ("1x", None),
            ("", Some(0)),
        ] {
            assert_eq!(span_ms(word), ms, "{word}");
        }
        for (word, range) in [
            ("550", Some(550..=550)),
            ("5xx", Some(500..=599)),
            ("55*", Some(550..=559)),
            ("x", None),
            ("5555x", None),
        ] {
            assert_eq!(code(word), range, "{word}");
        }
    }
}
