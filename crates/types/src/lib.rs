//! The vocabulary every other crate speaks: plain values, no behaviour that
//! needs a clock, a socket or a file.
//!
//! One chain of four types carries the product: a [`Finding`] is a fact, a
//! [`Verdict`] is a decision, an [`Outcome`] is what really happened and an
//! [`Event`] is what is remembered. Nothing in this crate knows who produces
//! or consumes them.

pub mod address;
pub mod advice;
mod attribute;
pub mod audit;
pub mod authentication;
pub mod certificate;
pub mod choices;
pub mod client;
pub mod correspondence;
mod country;
pub mod definition;
mod directory;
pub mod event;
pub mod evidence;
pub mod finding;
mod hexadecimal;
pub mod id;
pub mod identity;
pub mod information;
pub mod listing;
pub mod lists;
pub mod message;
mod network;
pub mod outcome;
pub mod permission;
pub mod place;
pub mod policy;
pub mod rate;
pub mod reason;
mod recipient;
pub mod reply;
pub mod reputation;
pub mod role;
mod schema;
mod sender_pattern;
pub mod sight;
pub mod signing;
pub mod stage;
pub mod submission;
pub mod time;
mod transport;
pub mod triplet;
pub mod verdict;

pub use address::{AddressError, Domain, EmailAddress, ForwardPath, ReversePath};
pub use advice::Exposure;
pub use attribute::{
    ATTRIBUTE_NAME_OCTETS_MAX, ATTRIBUTE_VALUE_OCTETS_MAX, AttributeFault, DirectoryAttribute,
    is_attribute_name,
};
pub use audit::{Actor, AuditAction, AuditNote};
pub use authentication::{
    ArcFacts, ArcResult, DkimFacts, DkimResult, DmarcFacts, DmarcRequest, DmarcResult, Flaw,
    SignatureFacts, SpfFacts, SpfIdentity, SpfResult,
};
pub use certificate::{CertificateFlaw, CertificateNames, ClientCertificate, HostCoverage};
pub use client::{Client, ClientFacts, Direction, TlsFacts, host_key, network_key};
pub use correspondence::{Correspondence, Lesson, Untaught};
pub use definition::{Definition, DefinitionSet, ListQuestion, ListSubject};
pub use directory::{
    GroupsKnown, GroupsLeftOut, GroupsProblem, GroupsRead, GroupsReading, GroupsTaken, GroupsWanted,
};
pub use event::{Event, EventKind, FollowUp, RelayAttempt, Subject};
pub use evidence::{Consulted, Evidence, Loss, Need, Parties};
pub use finding::{CheckName, Finding, Inconclusive, Observed, Source};
pub use hexadecimal::hexadecimal;
pub use id::{EventId, ExportId, LifeLineId, NodeName, QueueId, Reference, SessionId};
pub use identity::{HeloForm, ReverseFacts, SenderDomainFacts, TakesMail};
pub use listing::{ListAnswer, ListFacts, ListFailure, ListRefusal};
pub use message::{AttachmentFacts, HeaderMailbox, MessageFacts};
pub use network::{NetworkError, network_or_address, without_host_bits, written_network};
pub use outcome::{Attempt, Outcome, OutcomeKind};
pub use permission::{
    AccountId, Caller, Permission, Permissions, Reach, TokenId, UnknownName, Via,
};
pub use place::PlaceFacts;
pub use policy::{Policy, PolicyId, PolicyRef, PolicyType};
pub use rate::Rate;
pub use reason::{Reason, ReasonKind};
pub use recipient::{KnownRecipient, RecipientsChange, Unproven};
pub use reply::{EnhancedCode, Quoted, Reply, ReplyParameters};
pub use reputation::{PutOff, ReputationCount, ReputationFacts, ReputationHolder, ReputationMark};
pub use role::{Role, RoleName};
pub use sight::{AddressSet, Limit, LimitError, Limited, Sight};
pub use signing::{OwnSignature, Selector, SelectorError, SigningFacts, Unsigned};
pub use stage::Stage;
pub use submission::{SubmissionFacts, Submitter};
pub use time::{Micros, Timestamp, awaited, spoken};
pub use transport::TlsPolicy;
pub use verdict::{Decision, Detail, Verdict};
