//! Exceptions that can be made from what a policy did to one attempt: a policy
//! of the same type that is more specific and does nothing, filled in as far
//! as the attempt tells. Offering it stores nothing.
//!
//! What would lose to another policy is no exception: it is offered with the
//! override flag where that is what it takes, and else not at all.
//!
//! What must never be passed over has none: anti-virus, relay control, and
//! whether a recipient exists.

use std::net::IpAddr;

use ipnet::IpNet;
use policy::PolicySet;
use policy::replay::would_apply;
use serde::{Deserialize, Serialize};
use types::choices::choices;
use types::policy::{AddressBasis, PolicyMode, PolicyOption, Scope, SecureReceiptOption, Validity};
use types::{
    CheckName, Decision, Detail, EmailAddress, Event, Policy, PolicyRef, PolicyType, Reason,
};

use crate::presentable;

/// The size of an exception is a whole number of these octets, so that the
/// same mail with a longer signature passes too.
const SIZE_STEP_OCTETS: u64 = 1_000_000;

/// One exception that can be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OfferedException {
    /// For whom: `this sender`, `this server`, `this sender at this server`.
    #[serde(rename = "for")]
    pub whom: String,
    /// The policy as it would be stored.
    pub policy: Policy,
}

/// Whose mail an exception can be for.
#[derive(Clone, Copy)]
enum Whose {
    /// The sender by name, or the server that brought it.
    SenderOrServer,
    /// The sender by name.
    Sender,
    /// The sender at that server alone: what was refused is that a name proved
    /// nothing, came in the clear, or was not verified, so an exception for the
    /// name would be one for whoever forges it.
    SenderAtServer,
}

/// The type that decided, which of the sender's addresses it looked at, and
/// for whom there can be an exception.
type Excepted = (PolicyType, AddressBasis, Whose);

/// What can be excepted from, by reason; where several checks give one, by
/// check.
#[rustfmt::skip] // A table: one kind a line.
fn excepted(reason: Reason, check: CheckName) -> Option<Excepted> {
    use AddressBasis::{Envelope, Header};
    use PolicyType::*;
    use Reason::*;
    use Whose::{Sender, SenderAtServer, SenderOrServer};
    Some(match (reason, check) {
        (GeoBlocked | HoldGeo, _) => (GeographicalRestriction, Envelope, SenderOrServer),
        (RblListed | ReputationRejected | ReputationTemporary, _) => (PolicyType::Reputation, Envelope, SenderOrServer),
        (GreylistFirstSeen | GreylistTooEarly | GreylistExpired, _) => (Greylisting, Envelope, SenderOrServer),
        (Reason::SizeExceeded, _) => (EmailSizeLimits, Envelope, SenderOrServer),
        (TlsRequired | TlsUnverified, _) => (SecureReceipt, Envelope, SenderAtServer),
        (BlockedPolicyEnvelope, _) => (BlockedSenders, Envelope, Sender),
        (BlockedPolicyHeader, _) => (BlockedSenders, Header, Sender),
        (SpoofingEnvelope, _) => (AntiSpoofing, Envelope, SenderAtServer),
        (SpoofingHeader, _) => (AntiSpoofing, Header, SenderAtServer),
        // DNS Authentication is selected at RCPT, by the envelope, whatever of it decides in the end.
        (AuthSpf | AuthDkim | AuthDmarc | HoldDmarcQuarantine, _) => (DnsAuthentication, Envelope, SenderAtServer),
        (AuthTemporary | HoldAuthentication, CheckName::Spf | CheckName::Dkim | CheckName::Dmarc) => (DnsAuthentication, Envelope, SenderAtServer),
        (AuthTemporary | HoldAuthentication, CheckName::Spoofing) => (AntiSpoofing, Header, SenderAtServer),
        _ => return None,
    })
}

/// The exceptions that can be made from an attempt, the narrower first; none
/// where no policy helps. `set` is what is in force: what its settings say of
/// sizes no policy raises, and what its policies outdo is not offered.
pub(crate) fn exceptions(event: &Event, set: &PolicySet) -> Vec<OfferedException> {
    let decision = event.outcome().and_then(types::Outcome::decision);
    // Nobody decided on a window that closed: greylisting had, before.
    let ended = event.follow_up().and(event.reason()).map(|reason| (reason, CheckName::Greylist));
    let cause = decision.map(|decision| (decision.reason, decision.check)).or(ended);
    let Some((kind, based_on, whose)) = cause.and_then(|(reason, check)| excepted(reason, check))
    else {
        return Vec::new();
    };
    let size_max_octets = set.base().size_max_octets;
    let Some(option) = option(kind, decision, size_max_octets) else { return Vec::new() };
    let parties = parties(event, based_on, whose);
    let offers = parties.into_iter().map(|one| offered(event, option.clone(), based_on, one));
    offers.filter_map(|offer| applying(offer, event, set)).collect()
}

/// For whom there can be exceptions, the narrower first.
fn parties(event: &Event, based_on: AddressBasis, whose: Whose) -> Vec<Parties> {
    let sender = named(event, based_on);
    let server = Some(event.subject.client.client.ip);
    let by_name = sender.clone().map(|one| Parties { sender: Some(one), server: None });
    match whose {
        Whose::SenderOrServer => {
            by_name.into_iter().chain([Parties { sender: None, server }]).collect()
        }
        Whose::Sender => by_name.into_iter().collect(),
        Whose::SenderAtServer => vec![Parties { sender, server }],
    }
}

/// The offer as it would apply to the attempt: as it is, or else before the
/// policies that have no override flag; nothing where neither helps.
fn applying(offer: OfferedException, event: &Event, set: &PolicySet) -> Option<OfferedException> {
    if would_apply(set, event, &offer.policy) {
        return Some(offer);
    }
    let policy = Policy { overrides: true, ..offer.policy };
    would_apply(set, event, &policy).then_some(OfferedException { policy, ..offer })
}

/// Whose mail one exception is for.
struct Parties {
    sender: Option<EmailAddress>,
    server: Option<IpAddr>,
}

fn offered(
    event: &Event,
    option: PolicyOption,
    based_on: AddressBasis,
    parties: Parties,
) -> OfferedException {
    // Secure Receipt is decided at MAIL, where nobody is named yet.
    let recipient = match option {
        PolicyOption::SecureReceipt(_) => None,
        _ => event.subject.recipient.as_ref().and_then(|path| path.address().cloned()),
    };
    let (whom, who) = match (&parties.sender, parties.server) {
        (Some(sender), Some(ip)) => ("this sender at this server", format!("{sender} at {ip}")),
        (Some(sender), None) => ("this sender", sender.to_string()),
        (None, Some(ip)) => ("this server", ip.to_string()),
        (None, None) => ("everyone", "everyone".to_owned()),
    };
    let narrative = format!("Exception for {who} from message {}", event.reference());
    OfferedException {
        whom: whom.to_owned(),
        policy: Policy {
            id: None,
            narrative: presentable(&narrative).into_owned(),
            option,
            based_on,
            from: parties.sender.map_or(Scope::Everyone, Scope::Address),
            to: recipient.map_or(Scope::Everyone, Scope::Address),
            source_ips: parties.server.map(IpNet::from).into_iter().collect(),
            source_hosts: Vec::new(),
            validity: Validity::default(),
            mode: PolicyMode::On,
            overrides: false,
            bidirectional: false,
        },
    }
}

/// The option by which nothing is done; of sizes, one that is large enough; of
/// encryption, what the client can do: one that cannot be verified can go on
/// encrypting.
fn option(
    kind: PolicyType,
    decision: Option<&Decision>,
    size_max_octets: u64,
) -> Option<PolicyOption> {
    match kind {
        PolicyType::SecureReceipt => {
            Some(PolicyOption::SecureReceipt(match decision.map(|one| one.reason) {
                Some(Reason::TlsUnverified) => SecureReceiptOption::RequireTls,
                _ => SecureReceiptOption::Opportunistic,
            }))
        }
        PolicyType::EmailSizeLimits => match decision.map(|one| (&one.detail, one.policy)) {
            // What the settings say is the most there is.
            Some((Detail::Limit { observed, .. }, Some(PolicyRef::Policy { .. }))) => {
                let enough = observed.div_ceil(SIZE_STEP_OCTETS).saturating_mul(SIZE_STEP_OCTETS);
                (*observed <= size_max_octets)
                    .then(|| PolicyOption::EmailSizeLimits(enough.min(size_max_octets)))
            }
            _ => None,
        },
        kind => choices(kind).into_iter().find(PolicyOption::is_no_action),
    }
}

/// The sender by the address that was looked at; nothing for `<>`, and for a
/// message without an author.
fn named(event: &Event, based_on: AddressBasis) -> Option<EmailAddress> {
    if based_on == AddressBasis::Header {
        let message = event.subject.message.as_deref()?;
        return message.header_from.iter().find_map(|author| author.address.parse().ok());
    }
    event.subject.reverse_path.as_deref()?.address().cloned()
}

#[cfg(test)]
mod tests;
