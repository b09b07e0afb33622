//! What a definition may not say.

use std::collections::HashSet;

use types::definition::{
    GeographicalDefinition, LISTS_MAX, ListUse, NAME_CHARS_MAX, PLACES_MAX, ReputationDefinition,
    WEIGHT_MAX,
};
use types::{Definition, DefinitionSet};

use crate::validate::{ObjectName, Problem, Wrong};

/// What makes no sense in a definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionFault {
    /// A name nobody can type or read.
    #[error("a name has at most {NAME_CHARS_MAX} characters")]
    LongName,
    /// Each list can cost a question per client.
    #[error("it names {0} lists; at most {LISTS_MAX} are allowed")]
    ManyLists(usize),
    /// It would count for nothing.
    #[error("the weight of {0:?} is 0, so that a listing would change nothing")]
    NoWeight(String),
    /// It outweighs everything by mistake.
    #[error("the weight of {0:?} lies beyond {WEIGHT_MAX}")]
    GreatWeight(String),
    /// Everybody would be refused, listed or not.
    #[error("mail is refused from weight {0} on; the least is 1, or everybody would be refused")]
    LowThreshold(i32),
    /// No sum of weights reaches it.
    #[error(
        "mail is refused from weight {threshold} on, but the lists weigh {sum} together at most"
    )]
    UnreachableThreshold {
        /// The weight from which mail is refused.
        threshold: i32,
        /// All that the lists can add.
        sum: i32,
    },
    /// It would do nothing, or refuse everybody.
    #[error("it names no country and no network")]
    NoPlaces,
    /// A list nobody reads.
    #[error("it names {0} countries and networks; at most {PLACES_MAX} are allowed")]
    ManyPlaces(usize),
}

/// What is wrong with the definitions, each for itself.
pub(crate) fn definition_problems(definitions: &[Definition]) -> Vec<Problem> {
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for (place, definition) in (1..).zip(definitions) {
        let name = &definition.name;
        let mut wrong: Vec<Wrong> = faults(definition).into_iter().map(Wrong::from).collect();
        if name.trim().is_empty() {
            wrong.push(Wrong::NoName);
        }
        if !seen.insert(name) {
            wrong.push(Wrong::DuplicateName);
        }
        let object = |wrong| Problem { object: ObjectName::Definition(name.clone(), place), wrong };
        problems.extend(wrong.into_iter().map(object));
    }
    problems
}

fn faults(definition: &Definition) -> Vec<DefinitionFault> {
    let mut faults = match &definition.set {
        DefinitionSet::Reputation(reputation) => reputation_faults(reputation),
        DefinitionSet::GeographicalRestriction(places) => place_faults(places),
    };
    if definition.name.chars().count() > NAME_CHARS_MAX {
        faults.push(DefinitionFault::LongName);
    }
    faults
}

fn reputation_faults(reputation: &ReputationDefinition) -> Vec<DefinitionFault> {
    let ReputationDefinition { reject_weight: threshold, lists } = reputation;
    let mut faults: Vec<DefinitionFault> = lists.iter().filter_map(list_fault).collect();
    if lists.len() > LISTS_MAX {
        faults.push(DefinitionFault::ManyLists(lists.len()));
    }
    let sum = lists.iter().fold(0_i32, |sum, list| sum.saturating_add(list.weight.max(0)));
    match *threshold {
        threshold if threshold < 1 => faults.push(DefinitionFault::LowThreshold(threshold)),
        threshold if !lists.is_empty() && threshold > sum => {
            faults.push(DefinitionFault::UnreachableThreshold { threshold, sum });
        }
        _ => {}
    }
    faults
}

fn list_fault(list: &ListUse) -> Option<DefinitionFault> {
    let name = || list.list.to_string();
    match list.weight {
        0 => Some(DefinitionFault::NoWeight(name())),
        weight if weight.unsigned_abs() > WEIGHT_MAX => Some(DefinitionFault::GreatWeight(name())),
        _ => None,
    }
}

fn place_faults(places: &GeographicalDefinition) -> Vec<DefinitionFault> {
    match places.countries.len() + places.networks.len() {
        0 => vec![DefinitionFault::NoPlaces],
        count if count > PLACES_MAX => vec![DefinitionFault::ManyPlaces(count)],
        _ => Vec::new(),
    }
}
