//! One pattern, many short texts: four of them are stepped through the same
//! automaton side by side.
//!
//! Asking the engine text by text costs more for beginning and ending than for
//! the twenty octets in between; and of one text each step waits for the one
//! before, so that the processor is idle most of the time.

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchError};

use super::{COMPILED_OCTETS_MAX, NEST_MAX, Pattern};

/// Texts that are looked at side by side.
pub(crate) const LANES: usize = 4;

/// The automaton of a pattern, without the states that searches find.
#[derive(Debug)]
pub(crate) struct LanesPlan {
    pattern: Pattern,
    /// Nothing if it cannot be made within the limits: then the pattern is
    /// asked, text by text.
    automaton: Option<DFA>,
}

impl LanesPlan {
    /// The plan of a pattern.
    pub(crate) fn new(pattern: &Pattern) -> Self {
        let syntax = syntax::Config::new().case_insensitive(true).utf8(false).nest_limit(NEST_MAX);
        let nfa = thompson::Config::new().utf8(false).nfa_size_limit(Some(COMPILED_OCTETS_MAX));
        // States of other lanes must stay what they are, so it gives up where
        // it would have to forget some.
        let dfa = DFA::config().unicode_word_boundary(true).minimum_cache_clear_count(Some(0));
        let mut builder = DFA::builder();
        let automaton = builder.syntax(syntax).thompson(nfa).configure(dfa).build(pattern.as_str());
        LanesPlan { pattern: pattern.clone(), automaton: automaton.ok() }
    }

    /// Room to search in.
    pub(crate) fn lanes(&self) -> Lanes<'_> {
        let states = self.automaton.as_ref().map(|automaton| (automaton, automaton.create_cache()));
        Lanes { pattern: &self.pattern, states }
    }
}

/// A pattern at work on one thread.
#[derive(Debug)]
pub(crate) struct Lanes<'a> {
    pattern: &'a Pattern,
    states: Option<(&'a DFA, Cache)>,
}

/// The automaton does not know: it would need too many states, or the pattern
/// asks of a text beyond ASCII where words end.
struct Unknown;

impl Lanes<'_> {
    /// In which of these the pattern is found.
    pub(crate) fn are_in(&mut self, texts: [&[u8]; LANES]) -> [bool; LANES] {
        let known = self.states.as_mut().and_then(|(automaton, cache)| {
            let mut walk = Walk { automaton, cache };
            walk.all(texts).ok()
        });
        known.unwrap_or_else(|| texts.map(|text| self.pattern.is_in(text)))
    }
}

struct Walk<'a> {
    automaton: &'a DFA,
    cache: &'a mut Cache,
}

impl Walk<'_> {
    fn all(&mut self, texts: [&[u8]; LANES]) -> Result<[bool; LANES], Unknown> {
        let start = self.automaton.start_state_forward(self.cache, &Input::new(b""));
        let start = start.map_err(|_: MatchError| Unknown)?;
        let mut states = [start; LANES];
        let shortest = texts.iter().map(|text| text.len()).min().unwrap_or(0);
        let [a, b, c, d] = texts.map(|text| text.get(..shortest).unwrap_or_default());
        let mut steps = 0;
        if !start.is_tagged() {
            for (((&a, &b), &c), &d) in a.iter().zip(b).zip(c).zip(d) {
                let octets = [a, b, c, d];
                let mut next = states;
                for (state, octet) in next.iter_mut().zip(octets) {
                    *state = self.automaton.next_state_untagged(self.cache, *state, octet);
                }
                if next.iter().any(LazyStateID::is_tagged)
                    && !self.find_out(states, octets, &mut next)?
                {
                    break;
                }
                states = next;
                steps += 1;
            }
        }
        let mut found = [false; LANES];
        for ((found, state), text) in found.iter_mut().zip(states).zip(texts) {
            *found = self.one(state, text.get(steps..).unwrap_or_default())?;
        }
        Ok(found)
    }

    /// Works out states that were not known yet; whether all can go on.
    fn find_out(
        &mut self,
        states: [LazyStateID; LANES],
        octets: [u8; LANES],
        next: &mut [LazyStateID; LANES],
    ) -> Result<bool, Unknown> {
        for ((next, state), octet) in next.iter_mut().zip(states).zip(octets) {
            *next = self.automaton.next_state(self.cache, state, octet).map_err(|_| Unknown)?;
        }
        Ok(!next.iter().any(LazyStateID::is_tagged))
    }

    /// Whether the rest of a text leads from a state to a match.
    fn one(&mut self, mut state: LazyStateID, rest: &[u8]) -> Result<bool, Unknown> {
        for &octet in rest {
            if state.is_tagged() {
                match state {
                    state if state.is_match() => return Ok(true),
                    state if state.is_dead() => return Ok(false),
                    state if state.is_quit() => return Err(Unknown),
                    _ => {}
                }
            }
            state = self.automaton.next_state(self.cache, state, octet).map_err(|_| Unknown)?;
        }
        if state.is_match() {
            return Ok(true);
        }
        let end = self.automaton.next_eoi_state(self.cache, state).map_err(|_| Unknown)?;
        if end.is_quit() { Err(Unknown) } else { Ok(end.is_match()) }
    }
}
