//! Exceptions that can be made from what a policy did to one attempt: a policy
//! of the same type that is more specific and does nothing, filled in as far
//! as the attempt tells. Offering it stores nothing.
//!
//! What must never be passed over has none: anti-virus, relay control, and
//! whether a recipient exists.

use std::net::IpAddr;

use ipnet::IpNet;
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
    /// nothing, so an exception for the name would be one for whoever forges
    /// it.
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
        (GreylistFirstSeen | GreylistTooEarly, _) => (Greylisting, Envelope, SenderOrServer),
        (Reason::SizeExceeded, _) => (EmailSizeLimits, Envelope, SenderOrServer),
        (TlsRequired, _) => (SecureReceipt, Envelope, SenderOrServer),
        (BlockedPolicyEnvelope, _) => (BlockedSenders, Envelope, Sender),
        (BlockedPolicyHeader, _) => (BlockedSenders, Header, Sender),
        (SpoofingEnvelope, _) => (AntiSpoofing, Envelope, SenderAtServer),
        (SpoofingHeader, _) => (AntiSpoofing, Header, SenderAtServer),
        (AuthSpf, _) => (DnsAuthentication, Envelope, SenderAtServer),
        (AuthDkim | AuthDmarc | HoldDmarcQuarantine, _) => (DnsAuthentication, Header, SenderAtServer),
        (AuthTemporary | HoldAuthentication, CheckName::Spf) => (DnsAuthentication, Envelope, SenderAtServer),
        (AuthTemporary | HoldAuthentication, CheckName::Dkim | CheckName::Dmarc) => (DnsAuthentication, Header, SenderAtServer),
        (AuthTemporary | HoldAuthentication, CheckName::Spoofing) => (AntiSpoofing, Header, SenderAtServer),
        _ => return None,
    })
}

/// The exceptions that can be made from an attempt, the narrower first; none
/// where no policy helps. `size_max_octets` is the limit of the settings, over
/// which no policy raises it.
pub(crate) fn exceptions(event: &Event, size_max_octets: u64) -> Vec<OfferedException> {
    let Some(decision) = event.outcome().and_then(types::Outcome::decision) else {
        return Vec::new();
    };
    let Some((kind, based_on, whose)) = excepted(decision.reason, decision.check) else {
        return Vec::new();
    };
    let Some(option) = option(kind, decision, size_max_octets) else { return Vec::new() };
    let sender = named(event, based_on);
    let ip = event.subject.client.client.ip;
    let (by_name, at_server) = match whose {
        Whose::SenderOrServer => (true, true),
        Whose::Sender => (true, false),
        Whose::SenderAtServer => {
            let parties = Parties { sender, server: Some(ip) };
            return vec![offered(event, option, based_on, parties)];
        }
    };
    let sender = sender.filter(|_| by_name).map(|one| Parties { sender: Some(one), server: None });
    let server = at_server.then_some(Parties { sender: None, server: Some(ip) });
    let parties = sender.into_iter().chain(server);
    parties.map(|parties| offered(event, option.clone(), based_on, parties)).collect()
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
    let recipient = event.subject.recipient.as_ref().and_then(|path| path.address().cloned());
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

/// The option by which nothing is done; of sizes, one that is large enough.
fn option(kind: PolicyType, decision: &Decision, size_max_octets: u64) -> Option<PolicyOption> {
    match kind {
        PolicyType::SecureReceipt => {
            Some(PolicyOption::SecureReceipt(SecureReceiptOption::Opportunistic))
        }
        PolicyType::EmailSizeLimits => match (&decision.detail, decision.policy) {
            // What the settings say is the most there is.
            (Detail::Limit { observed, .. }, Some(PolicyRef::Policy { .. })) => {
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
mod tests {
    use types::{EventKind, Outcome, PolicyId, ReasonKind};

    use super::*;
    use crate::tests::{queue_id, sample};

    fn refused(decision: Decision) -> Event {
        let mut event = sample(7, decision.reason);
        event.kind = EventKind::Attempt(match decision.reason.kind() {
            ReasonKind::Hold => Outcome::Held { queue: queue_id(7), decision },
            ReasonKind::Deferral => Outcome::Deferred(decision),
            _ => Outcome::Rejected(decision),
        });
        event
    }

    fn of(reason: Reason, check: CheckName) -> Vec<(String, PolicyOption, String)> {
        let offered = exceptions(&refused(Decision::new(reason, check)), 1_000_000);
        let row = |one: OfferedException| {
            let Policy { option, from, source_ips, to, narrative, mode, overrides, .. } =
                one.policy;
            assert_eq!((mode, overrides), (PolicyMode::On, false));
            assert_eq!(to, Scope::Address("bob@corp.example".parse().unwrap()));
            let ips: Vec<_> = source_ips.iter().map(ToString::to_string).collect();
            let from = match from {
                Scope::Address(address) => address.to_string(),
                _ => "-".to_owned(),
            };
            assert!(narrative.ends_with(&event_reference()), "{narrative}");
            (one.whom, option, format!("{from} {}", ips.join(",")))
        };
        offered.into_iter().map(row).collect()
    }

    fn event_reference() -> String {
        sample(7, Reason::GeoBlocked).reference().to_string()
    }

    #[test]
    fn what_an_administrator_can_except_from_is_filled_in() {
        let (sender, server) = ("ann@sender.example ", "- 192.0.2.8/32");
        for (reason, check) in [
            (Reason::GeoBlocked, CheckName::Place),
            (Reason::HoldGeo, CheckName::Place),
            (Reason::RblListed, CheckName::Rbl),
            (Reason::ReputationTemporary, CheckName::Reputation),
            (Reason::GreylistFirstSeen, CheckName::Greylist),
            (Reason::TlsRequired, CheckName::SecureReceipt),
        ] {
            let offered = of(reason, check);
            let told: Vec<_> = offered.iter().map(|(whom, _, who)| (&**whom, &**who)).collect();
            assert_eq!(told, [("this sender", sender), ("this server", server)], "{reason}");
            let is_nothing =
                |option: &PolicyOption| option.is_no_action() || reason == Reason::TlsRequired;
            assert!(offered.iter().all(|(_, option, _)| is_nothing(option)), "{reason}");
        }
        assert_eq!(of(Reason::BlockedPolicyEnvelope, CheckName::Senders).len(), 1);
    }

    #[test]
    fn a_name_that_proved_nothing_is_excepted_at_its_server_alone() {
        for (reason, check) in [
            (Reason::SpoofingEnvelope, CheckName::Spoofing),
            (Reason::SpoofingHeader, CheckName::Spoofing),
            (Reason::AuthSpf, CheckName::Spf),
            (Reason::AuthDmarc, CheckName::Dmarc),
            (Reason::HoldDmarcQuarantine, CheckName::Dmarc),
            (Reason::HoldAuthentication, CheckName::Dkim),
            (Reason::AuthTemporary, CheckName::Spoofing),
        ] {
            let offered = of(reason, check);
            let who: Vec<_> = offered.iter().map(|(.., who)| who.as_str()).collect();
            assert_eq!(who, ["ann@sender.example 192.0.2.8/32"], "{reason}");
        }
        let mut nobody = refused(Decision::new(Reason::AuthSpf, CheckName::Spf));
        nobody.subject.reverse_path = Some(types::ReversePath::Null.into());
        let [one]: [OfferedException; 1] = exceptions(&nobody, 0).try_into().unwrap();
        let OfferedException { whom, policy } = one;
        assert_eq!((whom.as_str(), policy.from), ("this server", Scope::Everyone));
        assert_eq!(policy.source_ips.len(), 1);
    }

    #[test]
    fn a_size_is_excepted_as_far_as_the_settings_go() {
        let limit = |observed, by: PolicyRef| {
            let decision = Decision::new(Reason::SizeExceeded, CheckName::Size).by(by);
            let decision = decision.with_detail(Detail::Limit { observed, limit: 1_000 });
            let offered = exceptions(&refused(decision), 5_500_000);
            offered.into_iter().map(|one| one.policy.option).next()
        };
        let policy = PolicyRef::Policy { id: PolicyId(3), version: 1 };
        assert_eq!(limit(1_200_000, policy), Some(PolicyOption::EmailSizeLimits(2_000_000)));
        assert_eq!(limit(5_400_000, policy), Some(PolicyOption::EmailSizeLimits(5_500_000)));
        assert_eq!(limit(5_500_001, policy), None, "no policy raises what the settings say");
        assert_eq!(limit(1_200_000, PolicyRef::Base(PolicyType::EmailSizeLimits)), None);
    }

    #[test]
    fn what_must_never_be_passed_over_has_no_exception() {
        for reason in [
            Reason::VirusSignature,
            Reason::HoldVirusUnscannable,
            Reason::RelayDenied,
            Reason::RecipientUnknown,
            Reason::SenderNullMx,
            Reason::ProtocolSmuggling,
            Reason::RateLimited,
            Reason::BlockedManualEnvelope,
        ] {
            assert!(of(reason, CheckName::Recipient).is_empty(), "{reason}");
        }
        assert!(exceptions(&sample(7, Reason::Accepted), 0).is_empty());
    }
}
