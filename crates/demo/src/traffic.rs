//! The traffic as values: what is sent, what came of it, and the source that
//! draws one errand after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use types::{ForwardPath, ReversePath, Timestamp};

use crate::cast::{self, Sender};
use crate::dice::Dice;
use crate::errand::{Errand, draw};
use crate::folder::Messages;
use crate::letter::Letter;

/// One message to be handed over, with its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) reverse_path: ReversePath,
    /// Who has not been answered for good.
    pub(crate) recipients: Vec<ForwardPath>,
    pub(crate) content: Content,
}

/// What is in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A letter, written when it is sent.
    Letter(Letter),
    /// A real message, as it was read.
    Real(Arc<[u8]>),
}

impl Content {
    /// The octets as of `at`.
    pub(crate) fn write(&self, at: Timestamp) -> Arc<[u8]> {
        match self {
            Content::Letter(letter) => letter.write(at).into(),
            Content::Real(octets) => Arc::clone(octets),
        }
    }
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// What the generator has seen, counted on the sender's side.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        /// The same while it is being counted.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)* }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts! {
    /// Connections opened.
    connections;
    /// Connections that could not be opened or ended unexpectedly.
    failed;
    /// Attempts: recipients offered, and connections that offered none.
    attempts;
    /// Recipients whose message was accepted.
    accepted;
    /// Recipients asked to come back later.
    deferred;
    /// Recipients refused, and senders.
    refused;
}

pub(crate) fn add(counter: &AtomicU64, number: usize) {
    counter.fetch_add(number as u64, Ordering::Relaxed);
}

/// Draws errands, the same ones for the same seed.
#[derive(Debug)]
pub(crate) struct Source {
    dice: Dice,
    messages: Option<Arc<Messages>>,
    /// Who has a turn before anybody is drawn, the last first.
    turns: Vec<&'static Sender>,
    /// Whether those come back as soon as they are let in.
    hurried: bool,
}

/// How many attempts one errand makes on average with this cast, times 100;
/// a test of the whole gateway holds it to the truth.
const ATTEMPTS_PER_ERRAND_PERCENT: u64 = 230;

/// How many errands make about so many attempts.
pub(crate) fn errands_for(attempts: u32) -> u32 {
    let errands = u64::from(attempts) * 100 / ATTEMPTS_PER_ERRAND_PERCENT;
    u32::try_from(errands).unwrap_or(u32::MAX)
}

impl Source {
    /// A source that `seed` determines; with `messages`, ordinary senders
    /// send those instead of letters.
    pub(crate) fn new(seed: u64, messages: Option<Arc<Messages>>) -> Self {
        Source { dice: Dice::new(seed), messages, turns: Vec::new(), hurried: false }
    }

    /// The same, beginning with so many turns of everybody in the cast, so that
    /// those are seen who are seldom drawn.
    pub(crate) fn after_turns(self, count: usize) -> Self {
        let mut turns: Vec<(u64, &'static Sender)> = Vec::new();
        for round in 0..count as u64 {
            let place = |_: &Sender| (round << 32) + self.dice.below(1 << 32);
            turns.extend(cast::CAST.iter().map(|sender| (place(sender), sender)));
        }
        turns.sort_by_key(|&(place, _)| std::cmp::Reverse(place));
        Source { turns: turns.into_iter().map(|(_, sender)| sender).collect(), ..self }
    }

    /// The same for somebody who looks on: who has a turn comes back as soon as
    /// he is let in.
    pub(crate) fn hurried(self) -> Self {
        Source { hurried: true, ..self }
    }

    /// The next errand.
    pub(crate) fn next(&mut self) -> Errand {
        let dice = Dice::new(self.dice.seed());
        let turn = self.turns.pop();
        let mut errand = draw(turn.unwrap_or_else(|| drawn(&dice)), &dice);
        if turn.is_some() && self.hurried {
            errand.hurry();
        }
        if let Some(messages) = &self.messages {
            errand.carry(messages, &dice);
        }
        errand
    }
}

fn drawn(dice: &Dice) -> &'static Sender {
    let place = dice.below(cast::weight_of_all());
    cast::at_weight(place).unwrap_or_else(|| dice.pick(cast::CAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_errands() {
        let draw = |seed| {
            let mut source = Source::new(seed, None);
            (0..300).map(|_| source.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(11), draw(11));
        assert_ne!(draw(11), draw(12));
    }

    #[test]
    fn everybody_has_his_turns_before_anybody_is_drawn() {
        let source = Source::new(5, None).after_turns(2);
        let (last, first) = source.turns.split_at(cast::CAST.len());
        let order = |turns: &[&'static Sender]| -> Vec<*const Sender> {
            turns.iter().map(|sender| std::ptr::from_ref(*sender)).collect()
        };
        assert_ne!(order(first), order(last), "each round has an order of its own");
        for round in [first, last] {
            let mut all = order(round);
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), cast::CAST.len());
        }
    }
}
