//! Permit against block: who prevails when administrators' policies and a
//! user's own entries name the same sender.

use types::evidence::{Consulted, Loss};
use types::policy::{BlockOption, PermitOption, PolicyOption};
use types::{PolicyRef, PolicyType};

use crate::entries::{Doubt, Entry};
use crate::index::Match;
use crate::ruling::Permit;
use crate::select::{Selection, less_specific, lose};

/// A block that stands, and what of the sender it names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) by: PolicyRef,
    pub(crate) by_envelope: bool,
    /// Why it cannot be said that it really stands.
    pub(crate) doubt: Option<Doubt>,
}

/// What policies and entries make of a sender, each layer for itself, so
/// that it can be said what would have decided had the layer above not.
#[derive(Clone, Debug)]
pub(crate) struct Opinion {
    /// The administrators' block, where it stands.
    pub(crate) administrators: Option<Block>,
    /// The recipient's block, where no envelope permit of an administrator
    /// stands above it.
    pub(crate) recipient: Option<Block>,
    /// The uppermost permit.
    permit: Option<Permit>,
    /// The types that had something to say.
    pub(crate) consulted: Vec<Consulted>,
}

impl Opinion {
    /// What lets the sender past the checks a permit skips. Where a block
    /// stands as well, this is what would, had the block not been.
    pub(crate) fn permit(&self) -> Option<Permit> {
        self.permit
    }

    /// Notes entries that did not count, and why.
    pub(crate) fn note_ignored(&mut self, ignored: Vec<(PolicyRef, Loss)>) {
        if ignored.is_empty() {
            return;
        }
        let kind = PolicyType::ManagedSenders;
        let losers = ignored.into_iter();
        match self.consulted.iter_mut().find(|consulted| consulted.kind == kind) {
            Some(consulted) => losers.for_each(|(entry, why)| lose(consulted, entry, why)),
            None => self.consulted.push(Consulted {
                kind,
                winner: None,
                no_action: false,
                losers: losers.take(types::evidence::LOSERS_MAX).collect(),
                observing: Vec::new(),
                permitted_list: None,
            }),
        }
    }

    /// Whether a block stands.
    pub(crate) fn is_blocked(&self) -> bool {
        self.administrators.is_some() || self.recipient.is_some()
    }
}

/// Weighs the selected policies of the two types and the recipient's
/// entries.
///
/// The order is that of precedence: a block with the override flag; then the
/// more specific of the administrators' permit and block, on a tie the
/// block; then the more specific of the recipient's entries, on a tie the
/// block; then what was learned from outbound mail. An administrator's block
/// is not undone by a user's permit, and an administrator's permit of the
/// envelope sender is not undone by a user's block; a permit of the author
/// alone, which anybody can write, gives way to it.
///
/// `doubtful` are entries without a proof that may yet count. A block of the
/// recipient's that would give way to one that the end of the data can prove is
/// left until then, and so is what it stands before; else it stands with the
/// doubt.
pub(crate) fn weigh<'a>(
    mut permitted: Selection<'a>,
    mut blocked: Selection<'a>,
    entries: &[Entry],
    doubtful: &[(Entry, Doubt)],
    learned: Option<Permit>,
) -> Opinion {
    let permit = permitted.winner.filter(permits);
    let block = blocked.winner.filter(blocks);
    let block_stands = match (permit, block) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(permit), Some(block)) => contest(permit, block, &mut permitted, &mut blocked),
    };
    let best = entries.iter().max_by_key(|entry| entry.standing());
    let shielded = permit.is_some_and(|permit| permit.by_envelope);
    let entry_blocks = best.filter(|entry| entry.blocks() && !shielded);
    let doubt = entry_blocks.and_then(|block| doubt_of(block, doubtful));
    let left = doubt == Some(Doubt::Later);
    let recipient = entry_blocks.filter(|_| !left).map(|entry| Block {
        by: entry.reference(),
        by_envelope: entry.by_envelope,
        doubt,
    });
    let administrators_decide =
        block_stands || shielded || (permit.is_some() && !left && recipient.is_none());
    let lost = match (administrators_decide, left) {
        (true, _) => Some(Loss::BelowAdministrator),
        (false, true) => Some(Loss::LessSpecificFrom),
        (false, false) => None,
    };
    let managed = managed_consulted(entries, best, lost);
    let users_permit = || entries_permit(entries).or(learned).filter(|_| !left);
    Opinion {
        administrators: block.filter(|_| block_stands).map(|block| Block {
            by: block.compiled.reference,
            by_envelope: block.by_envelope,
            doubt: None,
        }),
        recipient,
        permit: permit.map(administrators_permit).or_else(users_permit),
        consulted: [Some(permitted.consulted), Some(blocked.consulted), managed]
            .into_iter()
            .flatten()
            .filter(has_something)
            .collect(),
    }
}

/// The doubt that weighs most of those that a block would give way to.
fn doubt_of(block: &Entry, doubtful: &[(Entry, Doubt)]) -> Option<Doubt> {
    let above = doubtful.iter().filter(|(one, _)| one.standing() > block.standing());
    above.map(|(_, doubt)| *doubt).min()
}

/// Takes what was learned out of the entries.
pub(crate) fn take_learned(entries: &mut Vec<Entry>) {
    entries.retain(|entry| !entry.is_learned());
}

/// Takes the permits out of the entries and gives their names.
pub(crate) fn take_permits(entries: &mut Vec<Entry>) -> Vec<PolicyRef> {
    let permits = entries.iter().filter(|entry| !entry.blocks()).map(Entry::reference).collect();
    entries.retain(Entry::blocks);
    permits
}

fn permits(found: &Match<'_>) -> bool {
    found.compiled.policy.option == PolicyOption::PermittedSenders(PermitOption::Permit)
}

fn blocks(found: &Match<'_>) -> bool {
    found.compiled.policy.option == PolicyOption::BlockedSenders(BlockOption::Block)
}

/// Whether the block stands against the permit; notes who lost, and why.
fn contest(
    permit: Match<'_>,
    block: Match<'_>,
    permitted: &mut Selection<'_>,
    blocked: &mut Selection<'_>,
) -> bool {
    if block.standing.overrides {
        permitted.lost(Loss::NoOverride);
        return true;
    }
    let (permit, block) = (permit.standing.specific, block.standing.specific);
    let why = less_specific(permit, block);
    if permit > block {
        blocked.lost(why.unwrap_or(Loss::BlockOnTie));
        return false;
    }
    permitted.lost(why.unwrap_or(Loss::BlockOnTie));
    true
}

fn administrators_permit(permit: Match<'_>) -> Permit {
    Permit { by: permit.compiled.reference, auto: false }
}

/// The most specific permit among the entries, whatever blocks beside it.
fn entries_permit(entries: &[Entry]) -> Option<Permit> {
    let permits = entries.iter().filter(|entry| !entry.blocks());
    let best = permits.max_by_key(|entry| entry.standing())?;
    Some(Permit { by: best.reference(), auto: best.is_learned() })
}

fn managed_consulted(
    entries: &[Entry],
    best: Option<&Entry>,
    lost: Option<Loss>,
) -> Option<Consulted> {
    let best = best?;
    let others = entries.iter().filter(|entry| entry.reference() != best.reference());
    let why = |entry: &Entry| match entry.found.rank == best.found.rank {
        true => Loss::BlockOnTie,
        false => Loss::LessSpecificFrom,
    };
    let mut consulted = Consulted {
        kind: PolicyType::ManagedSenders,
        winner: Some(best.reference()).filter(|_| lost.is_none()),
        no_action: false,
        losers: others.map(|entry| (entry.reference(), why(entry))).collect(),
        observing: Vec::new(),
        permitted_list: None,
    };
    if let Some(why) = lost {
        lose(&mut consulted, best.reference(), why);
    }
    consulted.losers.truncate(types::evidence::LOSERS_MAX);
    Some(consulted)
}

fn has_something(consulted: &Consulted) -> bool {
    consulted.winner.is_some() || !consulted.losers.is_empty() || !consulted.observing.is_empty()
}
