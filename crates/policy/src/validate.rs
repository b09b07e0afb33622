//! What a policy set may not contain, and whose fault it is: each problem
//! names the object, so that a person finds it in the console or the file.

use std::collections::{HashMap, HashSet};
use std::fmt;

use types::lists::{Group, ManagedSender};
use types::policy::{
    AddressBasis, AntiSpoofingOption, BasePolicies, PermitOption, Policy, PolicyOption, Scope,
};
use types::{AttributeFault, Definition, NetworkError, PolicyId, PolicyType};

use crate::definitions::{DefinitionFault, definition_problems, unassigned_countries};
use crate::objects::{PolicyObjects, SenderChange};
use crate::own_domains::OwnDomains;

/// One thing that is wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {wrong}")]
pub struct Problem {
    /// Which object.
    pub object: ObjectName,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// How people find an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectName {
    /// A policy: its number, or its place in the document, from one.
    Policy(Option<PolicyId>, usize),
    /// A group: its name and its place, from one.
    Group(String, usize),
    /// A definition: its name and its place, from one.
    Definition(String, usize),
    /// A managed sender: its number, or its place, from one.
    ManagedSender(Option<PolicyId>, usize),
}

impl ObjectName {
    /// Its place among the policies, if it is one.
    pub(crate) fn policy_place(&self) -> Option<usize> {
        if let ObjectName::Policy(_, place) = self { Some(*place) } else { None }
    }

    /// Its place among the groups, if it is one.
    pub(crate) fn group_place(&self) -> Option<usize> {
        if let ObjectName::Group(_, place) = self { Some(*place) } else { None }
    }

    /// Its place among the definitions, if it is one.
    pub(crate) fn definition_place(&self) -> Option<usize> {
        if let ObjectName::Definition(_, place) = self { Some(*place) } else { None }
    }

    /// Its place among the managed senders, if it is one.
    pub(crate) fn sender_place(&self) -> Option<usize> {
        if let ObjectName::ManagedSender(_, place) = self { Some(*place) } else { None }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectName::Policy(Some(id), _) => write!(f, "policy {id}"),
            ObjectName::Policy(None, place) => write!(f, "policy {place} of the document"),
            ObjectName::Group(name, _) => write!(f, "group {name:?}"),
            ObjectName::Definition(name, _) => write!(f, "definition {name:?}"),
            ObjectName::ManagedSender(Some(id), _) => write!(f, "managed sender {id}"),
            ObjectName::ManagedSender(None, place) => {
                write!(f, "managed sender {place} of the document")
            }
        }
    }
}

/// What can be wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Events could not name it.
    #[error("it has no number")]
    NoId,
    /// Two objects of one kind share a number.
    #[error("its number is used twice")]
    DuplicateId,
    /// Nobody could tell what it is for.
    #[error("it has no narrative")]
    NoNarrative,
    /// Its scope names a group that is not there.
    #[error("there is no group {0:?}")]
    UnknownGroup(String),
    /// Its scope names what no directory can say of anybody.
    #[error(transparent)]
    Attribute(#[from] AttributeFault),
    /// It refers to a definition that is not there.
    #[error("there is no definition {0:?}")]
    UnknownDefinition(String),
    /// It refers to a definition of another type of policy.
    #[error("the definition {name:?} is one of {kind} and cannot be used here")]
    OtherDefinition {
        /// The definition.
        name: String,
        /// The type it belongs to.
        kind: &'static str,
    },
    /// What a definition says makes no sense.
    #[error(transparent)]
    Definition(#[from] DefinitionFault),
    /// An address or a network that is meant to be the other.
    #[error("source_ips: {0}")]
    SourceNetwork(NetworkError),
    /// No instant lies between its start and its end.
    #[error("its validity ends before it begins")]
    EmptyValidity,
    /// It would refuse every message.
    #[error("a size limit of 0 octets would refuse every message")]
    NoSize,
    /// Its type is decided at RCPT, where the header is not known yet.
    #[error("{0} is decided before the message is seen and cannot be based on the header")]
    HeaderUnknown(&'static str),
    /// It would let anybody who forges one of our own addresses past the
    /// checks.
    #[error(
        "it permits {0}, one of the organisation's own domains: forged mail in its name would \
         skip greylisting, reputation and spam scanning; restrict the permit to source addresses \
         or hosts, in a policy"
    )]
    OwnDomain(String),
    /// It would let a message of ours that somebody sends again past the
    /// checks, whoever sends it.
    #[error(
        "it permits what {0}, one of the organisation's own domains, has signed: a message of yours \
         that anybody sends again would skip greylisting, reputation and spam scanning; restrict \
         the permit to source addresses or hosts, in a policy"
    )]
    OwnSignature(String),
    /// A block that forged mail gets past is of no use.
    #[error(
        "it blocks authenticated mail alone, so that mail which is forged in the sender's name \
         would pass: a block counts for all mail, and only a permit can be limited to what is \
         authenticated"
    )]
    AuthenticatedBlock,
    /// Anti-spoofing is about addresses of ours.
    #[error(
        "anti-spoofing refuses mail in the name of our own domains: its senders are `internal`, a \
         domain, a group or an address, not everybody and not those outside"
    )]
    NobodysOwn,
    /// It is decided at MAIL.
    #[error(
        "secure receipt is decided at MAIL, before a recipient is named: it applies to everyone, \
         and not with both sides exchanged"
    )]
    RecipientUnknown,
    /// A group without a name cannot be referred to.
    #[error("it has no name")]
    NoName,
    /// Two groups share a name.
    #[error("its name is used twice")]
    DuplicateName,
    /// Its parent is not there.
    #[error("its parent {0:?} does not exist")]
    UnknownParent(String),
    /// It stands below itself.
    #[error("it stands below itself")]
    Cycle,
}

impl Wrong {
    /// The field at fault, where it is known, as [`DefinitionFault::field`]
    /// names it.
    pub fn field(&self) -> Option<String> {
        match self {
            Wrong::Definition(fault) => Some(fault.field()),
            Wrong::NoName | Wrong::DuplicateName => Some("name".to_owned()),
            _ => None,
        }
    }
}

/// The objects cannot become a policy set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// All that is wrong; at least one problem.
    pub problems: Vec<Problem>,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.problems.split_first() else {
            return f.write_str("the policy set was refused");
        };
        first.fmt(f)?;
        if others.is_empty() { Ok(()) } else { write!(f, " (and {} more problems)", others.len()) }
    }
}

impl std::error::Error for CompileError {}

/// All that is wrong with objects that somebody writes: what keeps them from
/// being compiled, and what is a slip. Objects without a number are fine here:
/// a document that makes new ones has none.
pub fn validate(objects: &PolicyObjects, base: &BasePolicies) -> Vec<Problem> {
    let mut problems = unfit(objects, base);
    problems.extend(slips(objects.policies.iter().map(|one| &one.policy), &objects.definitions));
    problems
}

/// What is wrong with policies and definitions that somebody writes though
/// they could be compiled: only to be told to whoever writes them.
pub fn slips<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    definitions: &[Definition],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (place, policy) in (1..).zip(policies) {
        let wide = |network| types::without_host_bits(network).err();
        problems.extend(policy.source_ips.iter().copied().filter_map(wide).map(|error| Problem {
            object: ObjectName::Policy(policy.id, place),
            wrong: Wrong::SourceNetwork(error),
        }));
    }
    problems.extend(unassigned_countries(definitions));
    problems
}

/// What keeps objects from being compiled, in the order in which they stand.
pub fn unfit(objects: &PolicyObjects, base: &BasePolicies) -> Vec<Problem> {
    let mut problems = policy_problems(objects, base);
    problems.extend(group_problems(&objects.groups));
    problems.extend(definition_problems(&objects.definitions));
    problems.extend(sender_problems(&objects.managed_senders, base));
    problems
}

/// What is wrong with the policies, given the groups.
pub(crate) fn policy_problems(objects: &PolicyObjects, base: &BasePolicies) -> Vec<Problem> {
    let groups: HashMap<&str, &Group> =
        objects.groups.iter().map(|group| (group.name.as_str(), group)).collect();
    let own = OwnDomains::new(base, &objects.groups);
    let kinds: HashMap<&str, PolicyType> =
        objects.definitions.iter().map(|d| (d.name.as_str(), d.kind())).collect();
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for (place, stored) in (1..).zip(&objects.policies) {
        let policy = &stored.policy;
        let mut found = policy_faults(policy, &groups, &own);
        found.extend(reference_fault(policy, &kinds));
        if policy.id.is_some_and(|id| !seen.insert(id)) {
            found.push(Wrong::DuplicateId);
        }
        problems.extend(
            found
                .into_iter()
                .map(|wrong| Problem { object: ObjectName::Policy(policy.id, place), wrong }),
        );
    }
    problems
}

fn policy_faults(
    policy: &Policy,
    groups: &HashMap<&str, &Group>,
    own: &OwnDomains<'_>,
) -> Vec<Wrong> {
    let mut faults = Vec::new();
    if policy.narrative.trim().is_empty() {
        faults.push(Wrong::NoNarrative);
    }
    for scope in [&policy.from, &policy.to] {
        match scope {
            Scope::Group(name) if !groups.contains_key(name.as_str()) => {
                faults.push(Wrong::UnknownGroup(name.clone()));
            }
            // That nobody has the value now is no fault: somebody may tomorrow.
            Scope::Attribute(held) => faults.extend(held.fault().map(Wrong::Attribute)),
            _ => {}
        }
    }
    if let (Some(from), Some(until)) = (policy.validity.from, policy.validity.until)
        && from >= until
    {
        faults.push(Wrong::EmptyValidity);
    }
    match &policy.option {
        PolicyOption::EmailSizeLimits(0) => faults.push(Wrong::NoSize),
        PolicyOption::AutoAllow(_)
        | PolicyOption::AutoAllowCreation(_)
        | PolicyOption::Greylisting(_)
        | PolicyOption::ExpectedMail(_)
        | PolicyOption::Reputation(_)
        | PolicyOption::GeographicalRestriction(_)
        | PolicyOption::DnsAuthentication(_)
        | PolicyOption::RecipientValidation(_)
        | PolicyOption::SecureReceipt(_)
            if policy.based_on == AddressBasis::Header =>
        {
            faults.push(Wrong::HeaderUnknown(policy.kind().title()));
        }
        PolicyOption::SecureReceipt(_) if policy.to != Scope::Everyone || policy.bidirectional => {
            faults.push(Wrong::RecipientUnknown);
        }
        PolicyOption::AntiSpoofing(
            AntiSpoofingOption::Apply | AntiSpoofingOption::PassWhenAuthenticated,
        ) if matches!(policy.from, Scope::Everyone | Scope::External) => {
            faults.push(Wrong::NobodysOwn);
        }
        PolicyOption::PermittedSenders(PermitOption::Permit) => {
            faults.extend(own.permitted_by(policy).map(Wrong::OwnDomain));
        }
        _ => {}
    }
    faults
}

/// What is wrong with the definition a policy refers to.
fn reference_fault(policy: &Policy, kinds: &HashMap<&str, PolicyType>) -> Option<Wrong> {
    let name = policy.option.definition()?;
    match kinds.get(name) {
        None => Some(Wrong::UnknownDefinition(name.to_owned())),
        Some(kind) if *kind != policy.kind() => {
            Some(Wrong::OtherDefinition { name: name.to_owned(), kind: kind.title() })
        }
        Some(_) => None,
    }
}

fn group_problems(groups: &[Group]) -> Vec<Problem> {
    let parents: HashMap<&str, Option<&str>> =
        groups.iter().map(|group| (group.name.as_str(), group.parent.as_deref())).collect();
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for (place, group) in (1..).zip(groups) {
        let mut report = |wrong| {
            problems.push(Problem { object: ObjectName::Group(group.name.clone(), place), wrong });
        };
        if group.name.trim().is_empty() {
            report(Wrong::NoName);
        }
        if !seen.insert(group.name.as_str()) {
            report(Wrong::DuplicateName);
        }
        match &group.parent {
            Some(parent) if !parents.contains_key(parent.as_str()) => {
                report(Wrong::UnknownParent(parent.clone()));
            }
            Some(_) if stands_below_itself(&group.name, &parents) => report(Wrong::Cycle),
            _ => {}
        }
    }
    problems
}

/// Walks up at most as often as there are groups, so that a circle further
/// up, which is another group's fault, ends too.
fn stands_below_itself(name: &str, parents: &HashMap<&str, Option<&str>>) -> bool {
    let mut above = parents.get(name).copied().flatten();
    for _ in 0..parents.len() {
        match above {
            Some(parent) if parent == name => return true,
            Some(parent) => above = parents.get(parent).copied().flatten(),
            None => return false,
        }
    }
    false
}

/// What is wrong with managed senders, apart from missing numbers.
pub(crate) fn sender_problems(senders: &[ManagedSender], base: &BasePolicies) -> Vec<Problem> {
    let mut numbers: Vec<(PolicyId, usize)> =
        (1..).zip(senders).filter_map(|(place, entry)| Some((entry.id?, place))).collect();
    numbers.sort_unstable();
    let twice = numbers.windows(2).filter_map(|pair| match pair {
        [(one, _), (other, place)] if one == other => Some(Problem {
            object: ObjectName::ManagedSender(Some(*other), *place),
            wrong: Wrong::DuplicateId,
        }),
        _ => None,
    });
    let own = OwnDomains::new(base, &[]);
    let wrong = (1..).zip(senders).filter_map(|(place, entry)| {
        let wrong = own.entry_fault(entry)?;
        Some(Problem { object: ObjectName::ManagedSender(entry.id, place), wrong })
    });
    twice.chain(wrong).collect()
}

/// Everything that must have a number to be compiled and has none.
pub(crate) fn missing_numbers(objects: &PolicyObjects) -> Vec<Problem> {
    let policies = (1..).zip(&objects.policies).filter(|(_, stored)| stored.policy.id.is_none());
    let senders = (1..).zip(&objects.managed_senders).filter(|(_, entry)| entry.id.is_none());
    policies
        .map(|(place, _)| ObjectName::Policy(None, place))
        .chain(senders.map(|(place, _)| ObjectName::ManagedSender(None, place)))
        .map(|object| Problem { object, wrong: Wrong::NoId })
        .collect()
}

/// What is wrong with changes to the managed senders; places count the
/// changes.
pub(crate) fn change_problems(changes: &[SenderChange], base: &BasePolicies) -> Vec<Problem> {
    let own = OwnDomains::new(base, &[]);
    let fault = |entry: &ManagedSender| match entry.id {
        None => Some(Wrong::NoId),
        Some(_) => own.entry_fault(entry),
    };
    (1..)
        .zip(changes)
        .filter_map(|(place, change)| match change {
            SenderChange::Put(entry) => {
                let object = ObjectName::ManagedSender(entry.id, place);
                fault(entry).map(|wrong| Problem { object, wrong })
            }
            SenderChange::Remove { .. } => None,
        })
        .collect()
}
