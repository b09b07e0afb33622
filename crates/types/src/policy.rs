//! Policy objects as people make and store them. How they are selected and
//! what follows from them is the `policy` crate's business.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::address::{Domain, EmailAddress};
use crate::attribute::DirectoryAttribute;
use crate::definition::{DefinitionChoice, ListQuestion, LocalReputation, PermittedList};
use crate::time::Timestamp;

/// The number of a stored object, never used again. People see `#30`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct PolicyId(pub u64);

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

macro_rules! policy_types {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $title:literal;)*) => {
        /// The types of policy that exist.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum PolicyType { $($(#[$doc])* $name,)* }

        impl PolicyType {
            /// Every type, in console order.
            pub const ALL: &'static [PolicyType] = &[$(PolicyType::$name),*];

            /// The name in files, API and command line.
            pub const fn slug(self) -> &'static str {
                match self { $(PolicyType::$name => $slug,)* }
            }

            /// The name people see.
            pub const fn title(self) -> &'static str {
                match self { $(PolicyType::$name => $title,)* }
            }
        }

        impl FromStr for PolicyType {
            type Err = UnknownPolicyType;
            fn from_str(text: &str) -> Result<Self, UnknownPolicyType> {
                match text {
                    $($slug => Ok(PolicyType::$name),)*
                    _ => Err(UnknownPolicyType { named: text.chars().take(60).collect() }),
                }
            }
        }
    };
}

policy_types! {
    /// Who is let past greylisting, reputation and spam scanning.
    PermittedSenders = "permitted_senders", "Permitted Senders";
    /// Who is refused.
    BlockedSenders = "blocked_senders", "Blocked Senders";
    /// Whether those to whom somebody wrote may answer without a wait.
    AutoAllow = "auto_allow", "Auto Allow";
    /// From whose outbound mail it is learned who may answer.
    AutoAllowCreation = "auto_allow_creation", "Auto Allow Creation";
    /// Whether first contacts have to come back.
    Greylisting = "greylisting", "Greylisting";
    /// Whose mail is expected, so that proven senders need not come back.
    ExpectedMail = "expected_mail", "Expected Mail";
    /// Which lists are consulted, and what of them refuses mail.
    Reputation = "reputation", "Reputation";
    /// From where in the world mail is taken.
    GeographicalRestriction = "geographical_restriction", "Geographical Restriction";
    /// Whether mail in the name of our own domains may come from outside.
    AntiSpoofing = "anti_spoofing", "Anti-Spoofing";
    /// What the results of SPF, DKIM and DMARC mean.
    DnsAuthentication = "dns_authentication", "DNS Authentication";
    /// How large a message may be.
    EmailSizeLimits = "email_size_limits", "Email Size Limits";
    /// How it is found out whether a recipient exists.
    RecipientValidation = "recipient_validation", "Recipient Validation";
    /// Whose mail is taken over an encrypted connection alone.
    SecureReceipt = "secure_receipt", "Secure Receipt";
    /// A user's own entries; not a policy, but consulted like one.
    ManagedSenders = "managed_senders", "Managed Senders";
}

/// The text names no policy type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown policy type {named:?}; there are {}", slugs())]
pub struct UnknownPolicyType {
    named: String,
}

fn slugs() -> String {
    PolicyType::ALL.iter().map(|kind| kind.slug()).collect::<Vec<_>>().join(", ")
}

/// One rule of one type. Field order is that of the editor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The number; nothing in a document that makes a new policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PolicyId>,
    /// What it is for, in its author's words; required.
    pub narrative: String,
    /// What it does; the type follows from it.
    pub option: PolicyOption,
    /// Which of the sender's addresses its `from` looks at.
    #[serde(default)]
    pub based_on: AddressBasis,
    /// Senders it applies to.
    #[serde(default)]
    pub from: Scope,
    /// Recipients it applies to.
    #[serde(default)]
    pub to: Scope,
    /// Client networks it is restricted to; empty means any. An address alone
    /// is read as the network of that one address.
    #[schemars(with = "Vec<String>")]
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::network::networks_or_addresses"
    )]
    pub source_ips: Vec<IpNet>,
    /// Host names (with everything below them) it is restricted to; they
    /// must be forward-confirmed. Empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_hosts: Vec<Domain>,
    /// When it applies.
    #[serde(default, skip_serializing_if = "Validity::is_perpetual")]
    pub validity: Validity,
    /// On, off, or evaluated and recorded but never enforced.
    #[serde(default)]
    pub mode: PolicyMode,
    /// Considered before every policy of its type that has it not.
    #[serde(default, rename = "override", skip_serializing_if = "std::ops::Not::not")]
    pub overrides: bool,
    /// Also with `from` and `to` exchanged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bidirectional: bool,
}

impl Policy {
    /// The type its option belongs to.
    pub fn kind(&self) -> PolicyType {
        self.option.kind()
    }
}

/// What a policy does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "type", content = "set")]
pub enum PolicyOption {
    /// Permitted Senders.
    PermittedSenders(PermitOption),
    /// Blocked Senders.
    BlockedSenders(BlockOption),
    /// Auto Allow.
    AutoAllow(AutoAllowOption),
    /// Auto Allow Creation.
    AutoAllowCreation(AutoAllowCreationOption),
    /// Greylisting.
    Greylisting(GreylistOption),
    /// Expected Mail.
    ExpectedMail(ExpectedMailOption),
    /// Reputation.
    Reputation(DefinitionChoice),
    /// Geographical Restriction.
    GeographicalRestriction(DefinitionChoice),
    /// Anti-Spoofing.
    AntiSpoofing(AntiSpoofingOption),
    /// DNS Authentication.
    DnsAuthentication(DefinitionChoice),
    /// Email Size Limits: octets as RFC 1870 counts them.
    EmailSizeLimits(u64),
    /// Recipient Validation.
    RecipientValidation(RecipientValidation),
    /// Secure Receipt.
    SecureReceipt(SecureReceiptOption),
}

impl PolicyOption {
    /// The type this option belongs to.
    pub fn kind(&self) -> PolicyType {
        match self {
            PolicyOption::PermittedSenders(_) => PolicyType::PermittedSenders,
            PolicyOption::BlockedSenders(_) => PolicyType::BlockedSenders,
            PolicyOption::AutoAllow(_) => PolicyType::AutoAllow,
            PolicyOption::AutoAllowCreation(_) => PolicyType::AutoAllowCreation,
            PolicyOption::Greylisting(_) => PolicyType::Greylisting,
            PolicyOption::ExpectedMail(_) => PolicyType::ExpectedMail,
            PolicyOption::Reputation(_) => PolicyType::Reputation,
            PolicyOption::GeographicalRestriction(_) => PolicyType::GeographicalRestriction,
            PolicyOption::AntiSpoofing(_) => PolicyType::AntiSpoofing,
            PolicyOption::DnsAuthentication(_) => PolicyType::DnsAuthentication,
            PolicyOption::EmailSizeLimits(_) => PolicyType::EmailSizeLimits,
            PolicyOption::RecipientValidation(_) => PolicyType::RecipientValidation,
            PolicyOption::SecureReceipt(_) => PolicyType::SecureReceipt,
        }
    }

    /// Whether it says that nothing is to be done: an exception from a less
    /// specific policy, or from the settings.
    pub fn is_no_action(&self) -> bool {
        match self {
            PolicyOption::PermittedSenders(option) => *option == PermitOption::NoAction,
            PolicyOption::BlockedSenders(option) => *option == BlockOption::NoAction,
            PolicyOption::AutoAllow(option) => *option == AutoAllowOption::NoAction,
            PolicyOption::AutoAllowCreation(option) => {
                *option == AutoAllowCreationOption::DoNotCreate
            }
            PolicyOption::Greylisting(option) => *option == GreylistOption::NoAction,
            PolicyOption::ExpectedMail(option) => *option == ExpectedMailOption::NoAction,
            PolicyOption::AntiSpoofing(option) => *option == AntiSpoofingOption::NoAction,
            PolicyOption::Reputation(choice)
            | PolicyOption::GeographicalRestriction(choice)
            | PolicyOption::DnsAuthentication(choice) => choice.definition().is_none(),
            PolicyOption::EmailSizeLimits(_)
            | PolicyOption::RecipientValidation(_)
            | PolicyOption::SecureReceipt(_) => false,
        }
    }

    /// The name of the definition it refers to, if it does.
    pub fn definition(&self) -> Option<&str> {
        match self {
            PolicyOption::Reputation(choice)
            | PolicyOption::GeographicalRestriction(choice)
            | PolicyOption::DnsAuthentication(choice) => choice.definition(),
            PolicyOption::PermittedSenders(_)
            | PolicyOption::BlockedSenders(_)
            | PolicyOption::AutoAllow(_)
            | PolicyOption::AutoAllowCreation(_)
            | PolicyOption::Greylisting(_)
            | PolicyOption::ExpectedMail(_)
            | PolicyOption::AntiSpoofing(_)
            | PolicyOption::EmailSizeLimits(_)
            | PolicyOption::RecipientValidation(_)
            | PolicyOption::SecureReceipt(_) => None,
        }
    }
}

/// Options of Permitted Senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PermitOption {
    /// Skip greylisting, reputation and spam scanning.
    Permit,
    /// Make an exception from a less specific permit.
    NoAction,
}

/// Options of Blocked Senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockOption {
    /// Refuse.
    Block,
    /// Make an exception from a less specific block.
    NoAction,
}

/// Options of Auto Allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoAllowOption {
    /// What was learned from outbound mail lets answers past what a permit skips.
    Apply,
    /// It does not.
    NoAction,
}

/// Options of Auto Allow Creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoAllowCreationOption {
    /// Outbound mail teaches who may answer.
    Create,
    /// It teaches nothing.
    DoNotCreate,
}

/// Options of Greylisting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GreylistOption {
    /// First contacts have to come back; the client is identified like this.
    Apply(ClientIdentity),
    /// The same, but neither for clients that came back with five pairs of
    /// sender and recipient before and are in good standing, nor for those on
    /// an allow list of the Reputation definition that applies.
    ApplyToStrangers(ClientIdentity),
    /// No greylisting.
    NoAction,
}

impl GreylistOption {
    /// How it identifies clients; nothing if it takes no action.
    pub fn identity(self) -> Option<ClientIdentity> {
        match self {
            GreylistOption::Apply(identity) | GreylistOption::ApplyToStrangers(identity) => {
                Some(identity)
            }
            GreylistOption::NoAction => None,
        }
    }
}

/// Options of Expected Mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedMailOption {
    /// No greylisting of senders whose domain lets their client send (SPF):
    /// all that can be proven before the content is there.
    PassWhenAuthenticated,
    /// Make an exception from a less specific policy.
    NoAction,
}

/// Options of Anti-Spoofing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AntiSpoofingOption {
    /// Refuse, whatever proves the sender.
    Apply,
    /// Make an exception from a less specific policy.
    NoAction,
    /// Refuse unless SPF or DKIM proves that the domain stands behind it.
    PassWhenAuthenticated,
}

/// What counts as the same client when it comes back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ClientIdentity {
    /// The very address.
    Address,
    /// The /24 (IPv4) or /64 (IPv6), because large senders retry from a
    /// neighbouring machine.
    #[default]
    Network,
    /// The domain of the reverse-path where SPF says that this client may
    /// send for it, so that all machines of a large sender are one client;
    /// else the network.
    Pool,
}

/// How it is found out whether a recipient exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecipientValidation {
    /// Every address of the domain is taken.
    AcceptAll,
    /// The directory says.
    Directory,
    /// Those are known that the next hop took mail for, and those that somebody imported.
    Known,
    /// The next hop is asked, with the real reverse-path.
    CallForward,
    /// The next hop is asked with the null reverse-path.
    CallForwardNull,
}

/// Options of Secure Receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecureReceiptOption {
    /// Take mail over TLS of version 1.2 or newer alone.
    RequireTls,
    /// The same, and only from a client whose certificate is verified and
    /// names the sender's domain or the client's host.
    RequireVerified,
    /// Take what the client offers: an exception from a less specific policy.
    Opportunistic,
}

/// Which of the sender's addresses a policy looks at.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AddressBasis {
    /// MAIL FROM.
    #[default]
    Envelope,
    /// The From field.
    Header,
    /// Either may match.
    Both,
}

/// Whom a side of a policy covers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Anybody, the null reverse-path included.
    #[default]
    Everyone,
    /// Addresses of the configured domains.
    Internal,
    /// All other addresses, the null reverse-path included.
    External,
    /// One domain; with a leading `*.`, everything below it.
    Domain(DomainPattern),
    /// The members of a group, by name.
    Group(String),
    /// Whoever has a value of an attribute in a directory, whichever
    /// directory that is.
    Attribute(DirectoryAttribute),
    /// One address.
    Address(EmailAddress),
}

/// A domain, or everything below one (`*.corp.example`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DomainPattern {
    /// The domain.
    pub domain: Domain,
    /// Whether its subdomains are meant, and not itself.
    pub below: bool,
}

impl DomainPattern {
    /// Whether a domain in its comparable form is meant.
    pub fn matches(&self, domain: &str) -> bool {
        match self.below {
            false => domain == self.domain.as_str(),
            true => domain
                .strip_suffix(self.domain.as_str())
                .is_some_and(|before| before.ends_with('.')),
        }
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.domain)
    }
}

impl FromStr for DomainPattern {
    type Err = crate::address::AddressError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (below, domain) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        Ok(DomainPattern { domain: domain.parse()?, below })
    }
}

impl Serialize for DomainPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DomainPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// When a policy applies.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// From this instant on; open if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Up to and not including this instant; open if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Validity {
    /// Whether it has no bounds.
    pub fn is_perpetual(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    /// Whether `at` lies inside.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// Whether a policy is enforced.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PolicyMode {
    /// Enforced.
    #[default]
    On,
    /// Ignored.
    Off,
    /// Evaluated and recorded, never enforced.
    Observe,
}

/// What decided, named so that it can be found again.
#[derive(
    Clone,
    Copy,
    Debug,
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
pub enum PolicyRef {
    /// A stored policy in a version of the set.
    Policy {
        /// Its number.
        id: PolicyId,
        /// The version of the policy set in which it was last changed.
        version: u64,
    },
    /// A managed sender.
    ManagedSender {
        /// Its number.
        id: PolicyId,
    },
    /// The settings file, which is the base of this type.
    Base(PolicyType),
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyRef::Policy { id, version } => write!(f, "policy {id} (version {version})"),
            PolicyRef::ManagedSender { id } => write!(f, "managed sender {id}"),
            PolicyRef::Base(kind) => write!(f, "{} from the settings", kind.title()),
        }
    }
}

/// What the settings file says, over which stored policies win.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasePolicies {
    /// Default size limit in octets; a policy can only lower it.
    pub size_max_octets: u64,
    /// Times of greylisting.
    pub greylist: GreylistTimes,
    /// What follows from the score of a client, where no policy says so.
    pub reputation: LocalReputation,
    /// Lists of clients against which neither lists nor scores count.
    pub permitted_lists: Vec<PermittedList>,
    /// Every list of the settings, with what is looked up in it as a rule; a
    /// definition can name any other zone too.
    pub lists: Vec<ListQuestion>,
    /// Whether the recipients of anybody are counted against a rate: where
    /// none is limited, nobody has to look.
    pub limits_recipient_rate: bool,
    /// Our domains and how their recipients are validated.
    pub domains: Vec<(Domain, RecipientValidation)>,
}

/// The three times of greylisting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GreylistTimes {
    /// Earliest retry that passes, after the first attempt (60 s).
    pub retry_after: Duration,
    /// Latest retry that passes, after the first attempt (12 h).
    pub retry_within: Duration,
    /// How long a passed triplet is remembered after its last use (36 days).
    pub remember: Duration,
}

impl Default for GreylistTimes {
    fn default() -> Self {
        GreylistTimes {
            retry_after: Duration::from_secs(60),
            retry_within: Duration::from_secs(12 * 60 * 60),
            remember: Duration::from_secs(36 * 24 * 60 * 60),
        }
    }
}
