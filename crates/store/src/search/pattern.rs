//! Regular expressions that a person may bring: linear in the length of the
//! text, limited in their own size.

mod lanes;
mod required;

use std::fmt;
use std::sync::Arc;

pub(crate) use lanes::{LANES, Lanes, LanesPlan};
pub(crate) use required::Required;

/// Longest pattern, in octets.
const PATTERN_OCTETS_MAX: usize = 512;
/// Most octets of the compiled program and of its cache, each: enough for
/// what a person writes, too little for `(\w{1,500}){1,500}`.
const COMPILED_OCTETS_MAX: usize = 256 * 1024;
/// Deepest nesting of groups and repetitions.
const NEST_MAX: u32 = 50;

/// A regular expression, compiled and without case.
///
/// The engine never backtracks: a search costs at most pattern × text, and a
/// search with one is ended like every other by its [`super::Stop`].
#[derive(Clone)]
pub struct Pattern {
    regex: regex::bytes::Regex,
    required: Arc<[Required]>,
}

/// The text is no regular expression that is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Longer than 512 octets, or it compiles to too much.
    #[error("the regular expression is too large")]
    TooLarge,
    /// Its syntax is wrong; the text says where.
    #[error("{0}")]
    Syntax(String),
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    /// Wrong syntax, or a size beyond the limits.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_OCTETS_MAX {
            return Err(PatternError::TooLarge);
        }
        regex::bytes::RegexBuilder::new(text)
            .case_insensitive(true)
            .size_limit(COMPILED_OCTETS_MAX)
            .dfa_size_limit(COMPILED_OCTETS_MAX)
            .nest_limit(NEST_MAX)
            .build()
            .map(|regex| Pattern { regex, required: required::of(text).into() })
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
                other => PatternError::Syntax(other.to_string()),
            })
    }

    /// The text it was made from.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether it is found in `value`.
    pub(crate) fn is_in(&self, value: &[u8]) -> bool {
        self.regex.is_match(value)
    }

    /// What every folded text in which it is found contains: each of these.
    pub(crate) fn required(&self) -> &[Required] {
        &self.required
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Patterns of pieces that are easily got wrong, and texts they may match.
    fn any_pattern() -> impl Strategy<Value = String> {
        let pieces = vec![
            "a",
            "B",
            "s",
            "K",
            "ß",
            "É",
            "İ",
            "1",
            " ",
            "[a-c]",
            "[Ss]",
            "[^a]",
            ".",
            "a?",
            "b+",
            "(ab)*",
            "1{2}",
            "(x|Y)",
            "(foo|b|ks)",
            "(ab|)",
            "(?-i:A)",
            "(?-i:a)",
            r"\b",
            "^",
            "$",
            "|",
            ".*",
            r"\w",
            r"(?-u:\xc3)",
        ];
        proptest::collection::vec(proptest::sample::select(pieces), 1..7)
            .prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn short_cuts_find_what_the_pattern_finds(
            pattern in any_pattern(),
            texts in proptest::collection::vec("[aAbBsSſkK\u{212a}xyYfo1 ßéÉİi\u{307}]{0,12}", 20),
        ) {
            let Ok(regex) = Pattern::new(&pattern) else { return Ok(()) };
            let folded = |text: &String| {
                let mut folded = Vec::new();
                crate::events::fold_into(&mut folded, text);
                folded
            };
            let texts: Vec<_> = texts.iter().map(folded).collect();
            let plan = LanesPlan::new(&regex);
            let mut lanes = plan.lanes();
            for texts in texts.as_chunks().0 {
                let found = texts.each_ref().map(|text| regex.is_in(text));
                prop_assert_eq!(lanes.are_in(texts.each_ref().map(Vec::as_slice)), found, "{}", pattern);
            }
            for folded in texts {
                let has = |octets: &Vec<u8>| memchr::memmem::find(&folded, octets).is_some();
                let has_what_it_requires = regex.required().iter().all(|required| match required {
                    Required::Literal(octets) => has(octets),
                    Required::OneOf(literals) => literals.iter().any(has),
                });
                prop_assert!(!regex.is_in(&folded) || has_what_it_requires, "{pattern} {folded:?}");
            }
        }
    }

    #[test]
    fn patterns_have_limits_and_no_case() {
        assert!(Pattern::new(r"^in\w+ce \d+$").unwrap().is_in(b"Invoice 17"));
        let syntax = Pattern::new("a(b").unwrap_err();
        assert!(matches!(&syntax, PatternError::Syntax(text) if text.contains("unclosed")));
        for large in ["(\\w{1,500}){1,500}", &"x".repeat(513)] {
            assert_eq!(Pattern::new(large), Err(PatternError::TooLarge));
        }
    }
}
