//! What every match of a pattern must contain, read from its syntax: a search
//! that looks for that first runs at the speed of memory and asks the pattern
//! only where it can match.
//!
//! Texts are compared in their folded form, in which no letter has another
//! lower-case form. So of `[Tt]`, which `t` without case stands for, only `t`
//! can occur; of `[Ssſ]` two can, so that `s` ends a literal.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::NEST_MAX;

/// What a text must contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Required {
    /// These octets.
    Literal(Vec<u8>),
    /// One of these, none of which is empty.
    OneOf(Vec<Vec<u8>>),
}

/// Most literals of one [`Required::OneOf`].
const LITERALS_MAX: usize = 16;
/// Most characters of a class that are looked at one by one: a letter has at
/// most four forms.
const FORMS_MAX: usize = 8;

/// What every folded text contains in which `pattern` is found without case;
/// nothing if it is no pattern.
pub(super) fn of(pattern: &str) -> Vec<Required> {
    let mut parser = ParserBuilder::new();
    parser.case_insensitive(true).utf8(false).nest_limit(NEST_MAX);
    let mut run = Run::default();
    if let Ok(hir) = parser.build().parse(pattern) {
        run.add(&hir);
        run.end();
    }
    run.found
}

/// Literals found so far, and the one that may go on.
#[derive(Default)]
struct Run {
    literal: Vec<u8>,
    found: Vec<Required>,
}

impl Run {
    fn end(&mut self) {
        if !self.literal.is_empty() {
            self.found.push(Required::Literal(std::mem::take(&mut self.literal)));
        }
    }

    fn add(&mut self, hir: &Hir) {
        match hir.kind() {
            // They have no width: what stands around them is still joined.
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.literal.extend_from_slice(&literal.0),
            HirKind::Class(class) => match only_form(class) {
                Some(octets) => self.literal.extend(octets),
                None => self.end(),
            },
            HirKind::Capture(capture) => self.add(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.add(part)),
            HirKind::Repetition(repetition) => {
                if repetition.min > 0 {
                    self.add(&repetition.sub);
                }
                self.end();
            }
            HirKind::Alternation(ways) => {
                self.end();
                if let Some(literals) = one_of(ways) {
                    self.found.push(Required::OneOf(literals));
                }
            }
        }
    }
}

/// The longest literal of each way, if each has one.
fn one_of(ways: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut literals = Vec::new();
    for way in ways {
        let mut run = Run::default();
        run.add(way);
        run.end();
        literals.extend(best_of(run.found)?);
    }
    (literals.len() <= LITERALS_MAX).then_some(literals)
}

/// Of what is required, what is best looked for: a long literal, or else the
/// first choice.
fn best_of(found: Vec<Required>) -> Option<Vec<Vec<u8>>> {
    let length = |required: &Required| match required {
        Required::Literal(octets) => octets.len(),
        Required::OneOf(_) => 0,
    };
    found.into_iter().max_by_key(length).map(|required| match required {
        Required::Literal(octets) => vec![octets],
        Required::OneOf(literals) => literals,
    })
}

/// The octets of the one character of a class that folded text can have;
/// nothing if there are several, or none.
fn only_form(class: &Class) -> Option<Vec<u8>> {
    let forms: Vec<Vec<u8>> = match class {
        Class::Unicode(class) => {
            let characters = class.iter().flat_map(|range| range.start()..=range.end());
            let few: Vec<char> = characters.take(FORMS_MAX + 1).collect();
            if few.len() > FORMS_MAX {
                return None;
            }
            let folded = few.into_iter().filter(|c| is_folded(*c));
            folded.map(|c| c.encode_utf8(&mut [0; 4]).as_bytes().to_vec()).collect()
        }
        Class::Bytes(class) => {
            let octets = class.iter().flat_map(|range| range.start()..=range.end());
            octets
                .take(FORMS_MAX + 1)
                .filter(|o| !o.is_ascii_uppercase())
                .map(|o| vec![o])
                .collect()
        }
    };
    match <[Vec<u8>; 1]>::try_from(forms) {
        Ok([only]) => Some(only),
        Err(_) => None,
    }
}

/// Whether folding leaves a character as it is.
fn is_folded(c: char) -> bool {
    c.to_lowercase().eq([c])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Required {
        Required::Literal(text.into())
    }

    #[test]
    fn no_letter_of_a_folded_text_has_another_lower_case_form() {
        for c in '\0'..=char::MAX {
            assert!(c.to_lowercase().all(is_folded), "{c:?}");
        }
    }

    #[test]
    fn literals_are_read_from_the_syntax() {
        for (pattern, expected) in [
            ("TAX .* 77[0-9]{3}$", vec![literal("tax "), literal(" 77")]),
            // Without case `s` is also a long s, and `k` a sign for kelvin, which folds to `k`.
            ("task", vec![literal("ta"), literal("k")]),
            ("^re: (über)+fällig$", vec![literal("re: über"), literal("fällig")]),
            ("a?b*c{0,2}d", vec![literal("d")]),
            (r"\bmail\b\.", vec![literal("mail.")]),
            ("[0-9]{5}", vec![]),
            (
                "(foo|bar) end",
                vec![Required::OneOf(vec![b"foo".into(), b"bar".into()]), literal(" end")],
            ),
            ("foo|", vec![]),
            ("a(b", vec![]),
            (r"(?-u)Ab\xff", vec![Required::Literal(b"ab\xff".into())]),
        ] {
            assert_eq!(of(pattern), expected, "{pattern}");
        }
    }
}
