//! What the gateway itself has learned of a client: its marks, each with a
//! weight, and the score that is made of them.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::authentication::{DmarcResult, SpfResult};
use crate::event::{Event, EventKind, FollowUp, QueueAction};
use crate::evidence::Evidence;
use crate::finding::{CheckName, Observed};
use crate::outcome::Outcome;
use crate::reason::Reason;
use crate::time::Timestamp;

/// The worst score; the best is 0.
pub const SCORE_MAX: u8 = 100;

/// Whether a mark speaks for a client or against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaning {
    /// For it.
    Good,
    /// Against it.
    Bad,
}

macro_rules! marks {
    ($($(#[doc = $doc:literal])+ $name:ident = $slug:literal, $leaning:ident $weight:literal, $words:literal;)*) => {
        /// Something that a client did, or that people did to its mail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ReputationMark { $($(#[doc = $doc])+ $name,)* }

        impl ReputationMark {
            /// Every mark, in table order.
            pub const ALL: &'static [ReputationMark] = &[$(ReputationMark::$name),*];

            /// The name in records and documents.
            pub const fn slug(self) -> &'static str {
                match self { $(ReputationMark::$name => $slug,)* }
            }

            /// For or against.
            pub const fn leaning(self) -> Leaning {
                match self { $(ReputationMark::$name => Leaning::$leaning,)* }
            }

            /// How much one counts.
            pub const fn weight(self) -> f32 {
                match self { $(ReputationMark::$name => $weight,)* }
            }

            /// What people read before a number: `unknown recipients`.
            pub const fn words(self) -> &'static str {
                match self { $(ReputationMark::$name => $words,)* }
            }

            /// What people read in a table: one sentence.
            pub fn doc(self) -> &'static str {
                match self { $(ReputationMark::$name => concat!($($doc),+).trim(),)* }
            }
        }
    };
}

marks! {
    /// Mail for a recipient that does not exist.
    UnknownRecipient = "unknown_recipient", Bad 0.5, "unknown recipients";
    /// Mail for a domain that is not ours.
    Relaying = "relaying", Bad 1.0, "attempts to relay";
    /// Mail in the name of one of our own domains, or of one that disowns it.
    Spoofing = "spoofing", Bad 1.0, "forged senders";
    /// A first contact that never came back.
    NeverReturned = "never_returned", Bad 0.5, "first contacts that never came back";
    /// Speech before the greeting.
    EarlyTalk = "early_talk", Bad 1.0, "times spoken before the greeting";
    /// Data with line ends that smuggle.
    Smuggling = "smuggling", Bad 1.0, "malformed line ends";
    /// Spam, or content that a rule refuses.
    Spam = "spam", Bad 2.0, "spam messages";
    /// A virus, or a link to one.
    Virus = "virus", Bad 4.0, "viruses or malicious links";
    /// Mail that was accepted.
    Accepted = "accepted", Good 1.0, "accepted messages";
    /// A message that was held and that somebody released.
    Released = "released", Good 5.0, "released messages";
    /// A refusal that somebody answered with a permit.
    Permitted = "permitted", Good 5.0, "permits made from its refusals";
    /// A deferral that somebody let pass.
    LetIn = "let_in", Good 2.0, "deferrals that were let in";
}

impl ReputationMark {
    /// What an event says of its client, if it says anything.
    pub fn of(event: &Event) -> Option<ReputationMark> {
        match &event.kind {
            // Whom a service in observe mode does not stop is not praised for it,
            // and no policy on trial makes a client worse: what is left are facts.
            EventKind::Attempt(Outcome::Passed { .. }) if event.record.would.is_some() => {
                let would = event.record.would.as_ref()?;
                (would.reason == Reason::RecipientUnknown)
                    .then_some(ReputationMark::UnknownRecipient)
            }
            EventKind::Attempt(outcome) => {
                let (reason, evidence) = (outcome.reason(), &event.record.evidence);
                ReputationMark::of_reason(reason).filter(|_| !is_no_forgery(reason, evidence))
            }
            EventKind::FollowUp {
                what: FollowUp::Queue { action: QueueAction::Release, of_notice: false, .. },
                ..
            } => Some(ReputationMark::Released),
            EventKind::FollowUp { what, .. } => what.reason().and_then(ReputationMark::of_reason),
        }
    }

    /// Whether the reason alone does not say which mark an attempt makes, so
    /// that [`ReputationMark::of`] has to be asked about the whole event.
    pub const fn depends_on_findings(reason: Reason) -> bool {
        matches!(reason, Reason::AuthSpf | Reason::AuthDmarc)
    }

    /// What an event says that is filed under `reason`, as far as its findings
    /// say nothing else.
    pub fn of_reason(reason: Reason) -> Option<ReputationMark> {
        use Reason as R;
        Some(match reason {
            R::RecipientUnknown => ReputationMark::UnknownRecipient,
            R::GreylistExpired => ReputationMark::NeverReturned,
            R::RelayDenied => ReputationMark::Relaying,
            R::SpoofingEnvelope | R::SpoofingHeader | R::AuthSpf | R::AuthDmarc => {
                ReputationMark::Spoofing
            }
            R::ClientEarlyTalker => ReputationMark::EarlyTalk,
            R::ProtocolSmuggling => ReputationMark::Smuggling,
            R::SpamSignature | R::ContentExamined | R::Impersonation => ReputationMark::Spam,
            R::VirusSignature | R::UrlMalicious | R::UrlMaliciousQr => ReputationMark::Virus,
            R::Accepted | R::AcceptedPermitted | R::AcceptedAutoAllowed | R::AcceptedPassed => {
                ReputationMark::Accepted
            }
            _ => return None,
        })
    }
}

/// Whether a policy refused for a result of authentication that says nothing
/// against the sender: a record that is broken or missing is no forgery, for
/// only a record that can be read disowns anybody.
fn is_no_forgery(reason: Reason, evidence: &Evidence) -> bool {
    match reason {
        Reason::AuthSpf => match evidence.latest(CheckName::Spf) {
            Some(Observed::Spf(facts)) => {
                !matches!(facts.result, SpfResult::Fail | SpfResult::SoftFail)
            }
            _ => false,
        },
        Reason::AuthDmarc => match evidence.latest(CheckName::Dmarc) {
            Some(Observed::Dmarc(facts)) => facts.result != DmarcResult::Fail,
            _ => false,
        },
        _ => false,
    }
}

/// Whose marks are counted together.
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
pub enum ReputationHolder {
    /// The client: its IPv4 address, or its IPv6 network of 64 bits.
    Address(IpAddr),
    /// Its neighbourhood, by the first address: 24 bits of IPv4, 48 of IPv6.
    Network(IpAddr),
    /// Its autonomous system (RFC 6793).
    System(u32),
}

impl fmt::Display for ReputationHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReputationHolder::Address(ip) if ip.is_ipv6() => write!(f, "{ip}/64"),
            ReputationHolder::Address(ip) => write!(f, "{ip}"),
            ReputationHolder::Network(ip) if ip.is_ipv6() => write!(f, "{ip}/48"),
            ReputationHolder::Network(ip) => write!(f, "{ip}/24"),
            ReputationHolder::System(number) => write!(f, "AS{number}"),
        }
    }
}

/// The marks of one holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReputationCount {
    /// Whose they are.
    pub holder: ReputationHolder,
    /// When the first of them was made.
    pub since: Timestamp,
    /// How many of each there are, in tenths: a mark fades with time.
    pub marks: Vec<(ReputationMark, u32)>,
}

/// When mail of a client was last put off for its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PutOff {
    /// When.
    pub at: Timestamp,
    /// The score then.
    pub score: u8,
}

/// A score this much above that of before is no worse: some marks of a session
/// are learned while the next one has begun.
const NO_WORSE_WITHIN: u8 = 5;

impl PutOff {
    /// Whether `score` is no worse than it was then.
    pub fn is_no_worse(&self, score: u8) -> bool {
        score <= self.score.saturating_add(NO_WORSE_WITHIN)
    }
}

/// What is known of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReputationFacts {
    /// How bad it is, from 0 to [`SCORE_MAX`].
    pub score: u8,
    /// The same by its own marks alone: nobody is refused for his neighbours.
    #[serde(default)]
    pub own: u8,
    /// Of what it is made: the client, its network, its autonomous system, as
    /// far as there are marks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<ReputationCount>,
    /// When its mail was last put off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_off: Option<PutOff>,
}
