//! What a definition may not say.

use std::collections::HashSet;

use types::definition::{
    AuthenticationAction, Country, DnsAuthenticationDefinition, GeographicalDefinition, LISTS_MAX,
    ListQuestion, ListUse, NAME_CHARS_MAX, PLACES_MAX, PermittedList, ReputationDefinition,
    WEIGHT_MAX,
};
use types::reputation::SCORE_MAX;
use types::{Definition, DefinitionSet, Domain};

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
    #[error("the weight of {list:?} is 0, so that a listing would change nothing")]
    NoWeight {
        /// The list.
        list: String,
        /// Its place among those of the definition, from one.
        place: usize,
    },
    /// It outweighs everything by mistake.
    #[error("the weight of {list:?} lies beyond {WEIGHT_MAX}")]
    GreatWeight {
        /// The list.
        list: String,
        /// Its place among those of the definition, from one.
        place: usize,
    },
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
    /// No client can reach it.
    #[error("a score of {score}: scores go up to {SCORE_MAX}, and 0 means never")]
    HighScore {
        /// Which of the two, by the name of its field.
        of: &'static str,
        /// The score.
        score: u8,
    },
    /// It would do nothing, or refuse everybody.
    #[error("it names no country and no network")]
    NoPlaces,
    /// A message that passed would be punished for it.
    #[error("{0} = pass: a result of pass can lead to nothing but no_action")]
    PassPunished(&'static str),
    /// Only what could not be found out may be put off.
    #[error(
        "{0} = {1}: only temperror can be deferred, because another try cannot change the rest"
    )]
    NotTemporary(&'static str, &'static str),
    /// Only DMARC has a record that asks for something.
    #[error("{0} = {1}: only fail of dmarc can honour a record")]
    NoRecord(&'static str, &'static str),
    /// A code that no file of places has: most often a slip.
    #[error("{0} is assigned to no country (ISO 3166-1), and no registry of addresses uses it")]
    UnassignedCountry(Country),
    /// A list nobody reads.
    #[error("it names {0} countries and networks; at most {PLACES_MAX} are allowed")]
    ManyPlaces(usize),
}

impl DefinitionFault {
    /// The field at fault, by the names of the document: `reject_weight`,
    /// `lists.2.weight` (places from one), `spf.pass`.
    pub fn field(&self) -> String {
        match self {
            DefinitionFault::LongName => "name".to_owned(),
            DefinitionFault::ManyLists(_) => "lists".to_owned(),
            DefinitionFault::NoWeight { place, .. }
            | DefinitionFault::GreatWeight { place, .. } => {
                format!("lists.{place}.weight")
            }
            DefinitionFault::LowThreshold(_) | DefinitionFault::UnreachableThreshold { .. } => {
                "reject_weight".to_owned()
            }
            DefinitionFault::HighScore { of, .. } => format!("local.{of}"),
            DefinitionFault::NoPlaces
            | DefinitionFault::ManyPlaces(_)
            | DefinitionFault::UnassignedCountry(_) => "countries".to_owned(),
            DefinitionFault::PassPunished(mechanism) => format!("{mechanism}.pass"),
            DefinitionFault::NotTemporary(mechanism, result)
            | DefinitionFault::NoRecord(mechanism, result) => format!("{mechanism}.{result}"),
        }
    }
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

/// Countries that no address can have. Only told to whoever writes one: a
/// definition that was stored with such a code goes on with its others.
pub(crate) fn unassigned_countries(definitions: &[Definition]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (place, definition) in (1..).zip(definitions) {
        let DefinitionSet::GeographicalRestriction(places) = &definition.set else { continue };
        for country in places.countries.iter().filter(|country| !country.is_used()) {
            let wrong = Wrong::from(DefinitionFault::UnassignedCountry(*country));
            let object = ObjectName::Definition(definition.name.clone(), place);
            problems.push(Problem { object, wrong });
        }
    }
    problems
}

fn faults(definition: &Definition) -> Vec<DefinitionFault> {
    let mut faults = match &definition.set {
        DefinitionSet::Reputation(reputation) => reputation_faults(reputation),
        DefinitionSet::GeographicalRestriction(places) => place_faults(places),
        DefinitionSet::DnsAuthentication(authentication) => action_faults(authentication),
    };
    if definition.name.chars().count() > NAME_CHARS_MAX {
        faults.push(DefinitionFault::LongName);
    }
    faults
}

fn reputation_faults(reputation: &ReputationDefinition) -> Vec<DefinitionFault> {
    let ReputationDefinition { reject_weight: threshold, lists, local, .. } = reputation;
    let weights = (1..).zip(lists).filter_map(|(place, list)| list_fault(place, list));
    let mut faults: Vec<DefinitionFault> = weights.collect();
    let scores = local.iter().flat_map(|local| {
        [("defer_score", local.defer_score), ("reject_score", local.reject_score)]
    });
    let high = scores.filter(|(_, score)| *score > SCORE_MAX);
    faults.extend(high.map(|(of, score)| DefinitionFault::HighScore { of, score }));
    if lists.len() > LISTS_MAX {
        faults.push(DefinitionFault::ManyLists(lists.len()));
    }
    let sum = lists.iter().fold(0_i32, |sum, list| sum.saturating_add(list.weight.max(0)));
    match *threshold {
        threshold if threshold < 1 => faults.push(DefinitionFault::LowThreshold(threshold)),
        // Lists of the good alone refuse nobody: they are there for greylisting.
        threshold if sum > 0 && threshold > sum => {
            faults.push(DefinitionFault::UnreachableThreshold { threshold, sum });
        }
        _ => {}
    }
    faults
}

/// The lists that a definition weighs against clients although the settings
/// permit whoever is on them: the permit counts, so their weight never does.
pub fn weighed_though_permitted(
    reputation: &ReputationDefinition,
    permitted: &[PermittedList],
) -> Vec<Domain> {
    let weighed = reputation.lists.iter().filter(|used| used.weight > 0);
    let weighed = weighed.filter(|_| reputation.global_permitted_list);
    let in_vain = weighed.filter(|used| permitted.iter().any(|one| is_the_same(one, used)));
    let mut lists: Vec<Domain> = in_vain.map(|used| used.list.clone()).collect();
    lists.sort_unstable();
    lists.dedup();
    lists
}

/// Whether what is weighed of a list is permitted: the same is looked up, and
/// some answer means both.
fn is_the_same(permitted: &PermittedList, used: &ListUse) -> bool {
    let ListQuestion { list, of } = &permitted.question;
    let any = permitted.answers.is_empty() || used.answers.is_empty();
    let meet = || permitted.answers.iter().any(|a| used.answers.iter().any(|b| a.meets(*b)));
    used.list == *list && used.of == *of && (any || meet())
}

fn list_fault(place: usize, used: &ListUse) -> Option<DefinitionFault> {
    let list = || used.list.to_string();
    match used.weight {
        0 => Some(DefinitionFault::NoWeight { list: list(), place }),
        weight if weight.unsigned_abs() > WEIGHT_MAX => {
            Some(DefinitionFault::GreatWeight { list: list(), place })
        }
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

/// What is done about results that cannot have it done.
fn action_faults(definition: &DnsAuthenticationDefinition) -> Vec<DefinitionFault> {
    let DnsAuthenticationDefinition { spf, dkim, dmarc } = definition;
    let spf = spf.iter().map(|(result, action)| ("spf", result.slug(), *action));
    let dkim = dkim.iter().map(|(result, action)| ("dkim", result.slug(), *action));
    let dmarc = dmarc.iter().map(|(result, action)| ("dmarc", result.slug(), *action));
    let all = spf.chain(dkim).chain(dmarc);
    all.filter_map(|(mechanism, result, action)| action_fault(mechanism, result, action)).collect()
}

fn action_fault(
    mechanism: &'static str,
    result: &'static str,
    action: AuthenticationAction,
) -> Option<DefinitionFault> {
    match action {
        AuthenticationAction::NoAction => None,
        _ if result == "pass" => Some(DefinitionFault::PassPunished(mechanism)),
        AuthenticationAction::Defer if result != "temperror" => {
            Some(DefinitionFault::NotTemporary(mechanism, result))
        }
        AuthenticationAction::HonourRecord if (mechanism, result) != ("dmarc", "fail") => {
            Some(DefinitionFault::NoRecord(mechanism, result))
        }
        _ => None,
    }
}

/// What can be done about a result (`fail`) of a mechanism (`spf`, `dkim` or
/// `dmarc`): what an editor offers.
pub fn possible_actions(
    mechanism: &'static str,
    result: &'static str,
) -> impl Iterator<Item = AuthenticationAction> {
    let possible =
        move |action: &AuthenticationAction| action_fault(mechanism, result, *action).is_none();
    AuthenticationAction::ALL.into_iter().filter(possible)
}
