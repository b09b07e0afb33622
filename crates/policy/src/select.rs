//! Which policy of one type applies, and why the others do not.

use types::evidence::{Consulted, LOSERS_MAX, Loss};
use types::{PolicyRef, PolicyType};

use crate::index::{Match, Specificity, Standing};

/// The selection inside one type.
#[derive(Clone, Debug)]
pub(crate) struct Selection<'a> {
    /// The one that applies.
    pub(crate) winner: Option<Match<'a>>,
    /// For the record.
    pub(crate) consulted: Consulted,
}

/// Selects among the matching policies of one type: those with the override
/// flag before the others, then the most specific recipient, the most
/// specific sender, a source restriction before none, and at last the older.
///
/// Policies in observe mode are only named, unless `observing`: then they
/// take part as if they were on.
pub(crate) fn select<'a>(
    matches: &[Match<'a>],
    kind: PolicyType,
    observing: bool,
) -> Selection<'a> {
    let of_kind = || matches.iter().filter(|found| found.compiled.policy.kind() == kind);
    let takes_part = |found: &&Match<'a>| observing || !found.compiled.is_observed();
    let winner = of_kind().filter(takes_part).max_by_key(|found| found.standing).copied();
    let mut consulted = Consulted {
        kind,
        winner: winner.map(|found| found.compiled.reference),
        no_action: winner.is_some_and(|found| found.compiled.policy.option.is_no_action()),
        losers: Vec::new(),
        observing: Vec::new(),
        permitted_list: None,
    };
    for found in of_kind() {
        let reference = found.compiled.reference;
        if !takes_part(&found) {
            consulted.observing.push(reference);
        } else if let Some(winner) = winner.filter(|w| w.compiled.reference != reference) {
            consulted.losers.push((reference, loss(&winner.standing, &found.standing)));
        }
    }
    // The order in which the index was searched must not show.
    consulted.losers.sort_unstable_by_key(|(reference, _)| *reference);
    consulted.losers.truncate(LOSERS_MAX);
    consulted.observing.sort_unstable();
    consulted.observing.truncate(LOSERS_MAX);
    Selection { winner, consulted }
}

/// The first respect in which one of a type stands behind the winner.
fn loss(winner: &Standing, loser: &Standing) -> Loss {
    if winner.overrides != loser.overrides {
        return Loss::NoOverride;
    }
    less_specific(winner.specific, loser.specific).unwrap_or(Loss::Newer)
}

/// The first respect in which one is less specific, if it is.
pub(crate) fn less_specific(winner: Specificity, loser: Specificity) -> Option<Loss> {
    match () {
        () if winner.to != loser.to => Some(Loss::LessSpecificTo),
        () if winner.from != loser.from => Some(Loss::LessSpecificFrom),
        () if winner.source != loser.source => Some(Loss::LessSpecificSource),
        () => None,
    }
}

impl Selection<'_> {
    /// Notes that the winner lost to something outside its type.
    pub(crate) fn lost(&mut self, why: Loss) {
        if let Some(reference) = self.consulted.winner.take() {
            self.consulted.no_action = false;
            lose(&mut self.consulted, reference, why);
        }
    }
}

/// Puts a loser first, where a person reads.
pub(crate) fn lose(consulted: &mut Consulted, reference: PolicyRef, why: Loss) {
    consulted.losers.insert(0, (reference, why));
    consulted.losers.truncate(LOSERS_MAX);
}
