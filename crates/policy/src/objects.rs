//! What a policy set is compiled from, and what a new installation starts
//! with.

use std::collections::HashSet;

use types::definition::{AuthenticationAction, DefinitionChoice, DnsAuthenticationDefinition};
use types::lists::{
    BLOCKED_SENDERS_GROUP, Group, ManagedSender, PERMITTED_SENDERS_GROUP, SenderPattern,
};
use types::policy::{
    AddressBasis, AntiSpoofingOption, AutoAllowCreationOption, AutoAllowOption, BlockOption,
    ClientIdentity, GreylistOption, PermitOption, Policy, PolicyOption, Scope,
};
use types::{Definition, DefinitionSet, DmarcResult, EmailAddress, SpfResult, Timestamp};

use crate::document::Document;
use crate::validate::{ObjectName, Problem};

/// Everything a version of the policy set consists of, apart from the base
/// that the settings give.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyObjects {
    /// The policies, in any order.
    pub policies: Vec<StoredPolicy>,
    /// The groups, in any order.
    pub groups: Vec<Group>,
    /// The definitions that policies refer to, in any order.
    pub definitions: Vec<Definition>,
    /// The users' own entries, in any order.
    pub managed_senders: Vec<ManagedSender>,
}

impl PolicyObjects {
    /// Takes out the objects that `problems`, found in these very objects,
    /// name.
    pub(crate) fn leave_out(&mut self, problems: &[Problem]) {
        let named = |place_of: fn(&ObjectName) -> Option<usize>| -> HashSet<usize> {
            problems.iter().filter_map(|problem| place_of(&problem.object)).collect()
        };
        leave_out(&mut self.policies, &named(ObjectName::policy_place));
        leave_out(&mut self.groups, &named(ObjectName::group_place));
        leave_out(&mut self.definitions, &named(ObjectName::definition_place));
        leave_out(&mut self.managed_senders, &named(ObjectName::sender_place));
    }
}

/// Takes out what stands at `places`, counted from one.
fn leave_out<T>(objects: &mut Vec<T>, places: &HashSet<usize>) {
    let mut place = 0;
    objects.retain(|_| {
        place += 1;
        !places.contains(&place)
    });
}

/// A policy with what the system keeps about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPolicy {
    /// The policy; its `id` is set.
    pub policy: Policy,
    /// The version of the policy set in which it was last changed; events
    /// name it together with the number.
    pub version: u64,
    /// When it was made: of two equally specific policies the older wins.
    /// Policies of the same instant are ordered by number.
    pub created: Timestamp,
}

/// One change to the managed senders of a compiled set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderChange {
    /// Adds an entry, or replaces the one for the same sender and recipient.
    Put(ManagedSender),
    /// Removes the entry for this pair, if there is one.
    Remove {
        /// Whose list it is in.
        recipient: EmailAddress,
        /// Whom it matches.
        sender: SenderPattern,
    },
}

/// The name of the definition that a new installation starts with.
pub const STANDARD_AUTHENTICATION: &str = "Standard DNS Authentication";

/// A failure of SPF takes permits out, a failure of DKIM does nothing, and a
/// failure of DMARC does what the author's domain asks for.
fn standard_authentication() -> Definition {
    let set = DnsAuthenticationDefinition {
        spf: [(SpfResult::Fail, AuthenticationAction::IgnorePermitted)].into(),
        dkim: [].into(),
        dmarc: [(DmarcResult::Fail, AuthenticationAction::HonourRecord)].into(),
    };
    Definition {
        name: STANDARD_AUTHENTICATION.to_owned(),
        narrative: "What a new installation does about SPF, DKIM and DMARC.".to_owned(),
        set: DefinitionSet::DnsAuthentication(set),
    }
}

/// The policies and groups of a new installation: a permit and a block for
/// the two groups that exist from the start, greylisting for all mail with
/// clients identified by network, anti-spoofing for our own domains, DNS
/// authentication as [`STANDARD_AUTHENTICATION`] has it, and auto allow, which
/// outbound mail teaches, for everyone.
///
/// The size limit, local reputation, the recipient validation of each domain
/// and relay control come from the settings and need no policy.
pub fn defaults() -> Document {
    let group = |name: &str| Group { name: name.to_owned(), parent: None, members: Vec::new() };
    Document {
        policies: default_policies(),
        groups: vec![group(PERMITTED_SENDERS_GROUP), group(BLOCKED_SENDERS_GROUP)],
        definitions: vec![standard_authentication()],
        managed_senders: Vec::new(),
    }
}

/// In the order of their numbers: whoever named `#3` in a note meant
/// greylisting, so a new one goes to the end.
fn default_policies() -> Vec<Policy> {
    let policy = |narrative: &str, option, from| Policy {
        id: None,
        narrative: narrative.to_owned(),
        option,
        based_on: Default::default(),
        from,
        to: Scope::Everyone,
        source_ips: Vec::new(),
        source_hosts: Vec::new(),
        validity: Default::default(),
        mode: Default::default(),
        overrides: false,
        bidirectional: false,
    };
    vec![
        policy(
            "Permit the senders in the group Permitted Senders",
            PolicyOption::PermittedSenders(PermitOption::Permit),
            Scope::Group(PERMITTED_SENDERS_GROUP.to_owned()),
        ),
        policy(
            "Block the senders in the group Blocked Senders",
            PolicyOption::BlockedSenders(BlockOption::Block),
            Scope::Group(BLOCKED_SENDERS_GROUP.to_owned()),
        ),
        policy(
            "Ask first contacts to come back",
            PolicyOption::Greylisting(GreylistOption::Apply(ClientIdentity::Network)),
            Scope::Everyone,
        ),
        Policy {
            based_on: AddressBasis::Both,
            ..policy(
                "Refuse mail from outside in the name of our own domains, unless SPF or DKIM proves it",
                PolicyOption::AntiSpoofing(AntiSpoofingOption::PassWhenAuthenticated),
                Scope::Internal,
            )
        },
        policy(
            "Check SPF, DKIM and DMARC",
            PolicyOption::DnsAuthentication(DefinitionChoice::Apply(
                STANDARD_AUTHENTICATION.to_owned(),
            )),
            Scope::Everyone,
        ),
        policy(
            "Let those answer to whom somebody here wrote",
            PolicyOption::AutoAllow(AutoAllowOption::Apply),
            Scope::Everyone,
        ),
        policy(
            "Learn from outbound mail who may answer",
            PolicyOption::AutoAllowCreation(AutoAllowCreationOption::Create),
            Scope::Everyone,
        ),
    ]
}
