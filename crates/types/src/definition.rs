//! Reusable definitions: what a policy does, spelled out once under a name
//! that any number of policies refer to.
//!
//! A definition belongs to one type of policy, and a policy of that type names
//! it. A further type that has definitions is a variant of [`DefinitionSet`]
//! and an option that carries a [`DefinitionChoice`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::address::Domain;
use crate::authentication::{DkimResult, DmarcResult, SpfResult};
use crate::policy::PolicyType;

pub use crate::country::{Country, NoCountry};

/// Longest name of a definition or a list, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// Most lists one definition may name: each can cost a question per client.
pub const LISTS_MAX: usize = 32;
/// Most countries and networks one definition may name.
pub const PLACES_MAX: usize = 1_000;
/// The greatest weight of a list, either way.
pub const WEIGHT_MAX: u32 = 1_000;

/// One definition, known by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name, unique among all definitions.
    pub name: String,
    /// What it is for, in its author's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub narrative: String,
    /// What it says.
    pub set: DefinitionSet,
}

impl Definition {
    /// The type of policy it belongs to.
    pub fn kind(&self) -> PolicyType {
        self.set.kind()
    }
}

/// What a definition says; one variant per type of policy that has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionSet {
    /// Reputation.
    Reputation(ReputationDefinition),
    /// Geographical Restriction.
    GeographicalRestriction(GeographicalDefinition),
    /// DNS Authentication.
    DnsAuthentication(DnsAuthenticationDefinition),
}

impl DefinitionSet {
    /// The type of policy it belongs to.
    pub fn kind(&self) -> PolicyType {
        match self {
            DefinitionSet::Reputation(_) => PolicyType::Reputation,
            DefinitionSet::GeographicalRestriction(_) => PolicyType::GeographicalRestriction,
            DefinitionSet::DnsAuthentication(_) => PolicyType::DnsAuthentication,
        }
    }
}

/// What a policy of a type with definitions does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionChoice {
    /// What the definition of this name says.
    Apply(String),
    /// Nothing: an exception from a less specific policy.
    NoAction,
}

impl DefinitionChoice {
    /// The definition it refers to.
    pub fn definition(&self) -> Option<&str> {
        match self {
            DefinitionChoice::Apply(name) => Some(name),
            DefinitionChoice::NoAction => None,
        }
    }
}

/// Which lists are consulted, and what their answers weigh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReputationDefinition {
    /// The sum of weights from which mail is refused.
    #[serde(default = "one")]
    pub reject_weight: i32,
    /// The lists. One list may stand here several times, with other answers
    /// and other weights; it is asked once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ListUse>,
    /// What follows from what we have learned ourselves; what the settings say
    /// if it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalReputation>,
    /// Whether a client on a global permitted list ([`PermittedList`]) is
    /// spared what the lists weigh and what its score leads to.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub global_permitted_list: bool,
}

impl Default for ReputationDefinition {
    fn default() -> Self {
        ReputationDefinition {
            reject_weight: one(),
            lists: Vec::new(),
            local: None,
            global_permitted_list: yes(),
        }
    }
}

const fn yes() -> bool {
    true
}

/// Whether there is nothing to write; serde hands over references.
const fn is_yes(switch: &bool) -> bool {
    *switch
}

/// A list of the settings whose clients no Reputation definition counts
/// anything against, unless it says that it does not look at such lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermittedList {
    /// The list, and what of the client is looked up in it.
    pub question: ListQuestion,
    /// The answers that count; every listing if empty.
    pub answers: Vec<AnswerRange>,
}

/// From which score of our own reckoning ([`crate::reputation`]) mail is put
/// off, and refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LocalReputation {
    /// Put off from this score on, until a later attempt finds it no worse
    /// (50); 0 for never.
    pub defer_score: u8,
    /// Refused from this score on (85); 0 for never.
    pub reject_score: u8,
}

impl Default for LocalReputation {
    fn default() -> Self {
        LocalReputation { defer_score: 50, reject_score: 85 }
    }
}

impl LocalReputation {
    /// Nothing follows from any score.
    pub const OFF: LocalReputation = LocalReputation { defer_score: 0, reject_score: 0 };
}

/// One list and what a listing in it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListUse {
    /// The name of a list in the settings, or a DNS zone.
    pub list: Domain,
    /// What is looked up in it.
    #[serde(default)]
    pub of: ListSubject,
    /// What a listing adds to the sum; negative for a list of the good.
    #[serde(default = "one")]
    pub weight: i32,
    /// The answers that count; every listing if empty.
    #[schemars(with = "Vec<String>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<AnswerRange>,
}

const fn one() -> i32 {
    1
}

/// A list and what is looked up in it: what a policy set asks, each once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListQuestion {
    /// The name of a list in the settings, or a DNS zone.
    pub list: Domain,
    /// What is looked up.
    pub of: ListSubject,
}

/// What is looked up in a list.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ListSubject {
    /// The client's address (RFC 5782 section 2).
    #[default]
    Ip,
    /// The domain of the reverse-path (RFC 5782 section 4).
    SenderDomain,
    /// The name the client gave with EHLO or HELO.
    Helo,
    /// The confirmed name of the client's address.
    HostName,
}

impl ListSubject {
    /// Everything that can be looked up.
    pub const ALL: [ListSubject; 4] =
        [ListSubject::Ip, ListSubject::SenderDomain, ListSubject::Helo, ListSubject::HostName];

    /// The word in documents and records.
    pub const fn slug(self) -> &'static str {
        match self {
            ListSubject::Ip => "ip",
            ListSubject::SenderDomain => "sender_domain",
            ListSubject::Helo => "helo",
            ListSubject::HostName => "host_name",
        }
    }
}

/// Answers of a list: one address of 127.0.0.0/8 or a range of them, written
/// `127.0.0.2` or `127.0.0.4/30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnswerRange(Ipv4Net);

impl AnswerRange {
    /// Whether an answer is one of these.
    pub fn contains(self, answer: Ipv4Addr) -> bool {
        self.0.contains(&answer)
    }

    /// Whether some answer is one of both.
    pub fn meets(self, other: AnswerRange) -> bool {
        // Prefixes either hold one another or have nothing in common.
        self.contains(other.0.network()) || other.contains(self.0.network())
    }
}

/// The text is no range of answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no answer of a list: write 127.0.0.2, or 127.0.0.4/30 for four of them")]
pub struct NoAnswerRange(String);

impl FromStr for AnswerRange {
    type Err = NoAnswerRange;
    fn from_str(text: &str) -> Result<Self, NoAnswerRange> {
        let network = match text.contains('/') {
            true => text.parse::<Ipv4Net>().ok(),
            false => text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from),
        };
        // Anything outside is an error of the list and never a listing.
        let loopback =
            network.filter(|network| network.network().is_loopback() && network.prefix_len() >= 8);
        let range = loopback.map(|network| AnswerRange(network.trunc()));
        range.ok_or_else(|| NoAnswerRange(text.chars().take(60).collect()))
    }
}

impl fmt::Display for AnswerRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.prefix_len() {
            32 => self.0.addr().fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

impl Serialize for AnswerRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AnswerRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// From where mail is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeographicalDefinition {
    /// What happens to mail from these places.
    pub action: GeographicalAction,
    /// Countries by their ISO 3166 codes of two letters.
    #[schemars(with = "Vec<String>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<Country>,
    /// Networks by their autonomous system numbers (RFC 6793).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<u32>,
}

/// What a place means for mail that comes from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GeographicalAction {
    /// Mail comes only from these places; from others it is refused.
    Permit,
    /// Mail from these places is taken and held.
    Hold,
    /// Mail from these places is refused.
    Block,
}

impl GeographicalAction {
    /// All of them.
    pub const ALL: [GeographicalAction; 3] =
        [GeographicalAction::Permit, GeographicalAction::Hold, GeographicalAction::Block];

    /// The word in documents.
    pub const fn slug(self) -> &'static str {
        match self {
            GeographicalAction::Permit => "permit",
            GeographicalAction::Hold => "hold",
            GeographicalAction::Block => "block",
        }
    }
}

/// What the results of sender authentication mean. A result that is not
/// named leads to nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsAuthenticationDefinition {
    /// By the result of SPF.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spf: BTreeMap<SpfResult, AuthenticationAction>,
    /// By the result of DKIM, over all signatures.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dkim: BTreeMap<DkimResult, AuthenticationAction>,
    /// By the result of DMARC.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dmarc: BTreeMap<DmarcResult, AuthenticationAction>,
}

/// What one result of sender authentication leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthenticationAction {
    /// Nothing.
    NoAction,
    /// No permit counts: the sender is checked like anybody else.
    IgnorePermitted,
    /// The sender is asked to come back; for `temperror` only.
    Defer,
    /// The message is taken and held.
    Hold,
    /// The message is refused.
    Reject,
    /// What the author's domain asks for; for `fail` of DMARC only.
    HonourRecord,
}

impl AuthenticationAction {
    /// All of them, the mildest first.
    pub const ALL: [AuthenticationAction; 6] = [
        AuthenticationAction::NoAction,
        AuthenticationAction::IgnorePermitted,
        AuthenticationAction::Defer,
        AuthenticationAction::Hold,
        AuthenticationAction::Reject,
        AuthenticationAction::HonourRecord,
    ];

    /// The word in documents.
    pub const fn slug(self) -> &'static str {
        match self {
            AuthenticationAction::NoAction => "no_action",
            AuthenticationAction::IgnorePermitted => "ignore_permitted",
            AuthenticationAction::Defer => "defer",
            AuthenticationAction::Hold => "hold",
            AuthenticationAction::Reject => "reject",
            AuthenticationAction::HonourRecord => "honour_record",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_addresses_of_127_or_ranges_of_them() {
        let range = |text: &str| text.parse::<AnswerRange>();
        let four = range("127.0.0.4/30").unwrap();
        assert!(four.contains(Ipv4Addr::new(127, 0, 0, 7)));
        assert!(!four.contains(Ipv4Addr::new(127, 0, 0, 8)));
        for (text, written) in [
            ("127.0.0.2", "127.0.0.2"),
            ("127.0.0.5/30", "127.0.0.4/30"),
            ("127.0.0.0/8", "127.0.0.0/8"),
        ] {
            assert_eq!(range(text).unwrap().to_string(), written);
        }
        for wrong in ["", "127.0.0", "192.0.2.1", "126.0.0.0/7", "127.0.0.1/33", "::1"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_words_of_documents_are_those_that_are_stored() {
        fn check<T: Serialize + Copy>(all: &[T], slug: impl Fn(T) -> &'static str) {
            let stored = all.iter().map(|one| serde_json::to_value(one).unwrap());
            let words = all.iter().map(|one| serde_json::Value::from(slug(*one)));
            assert!(stored.eq(words));
        }
        check(&ListSubject::ALL, ListSubject::slug);
        check(&GeographicalAction::ALL, GeographicalAction::slug);
        check(&AuthenticationAction::ALL, AuthenticationAction::slug);
    }
}
