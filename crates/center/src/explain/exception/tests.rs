//! Every exception that is offered can be saved, and applies.

use policy::replay::{EndKind, forecast};
use policy::{PolicyObjects, StoredPolicy};
use types::finding::Finding;
use types::policy::{AntiSpoofingOption, BasePolicies, RecipientValidation};
use types::{
    EventKind, Micros, Observed, Outcome, PolicyId, ReasonKind, ReversePath, Source, Stage,
    Timestamp,
};

use super::*;
use crate::tests::{block, queue_id, sample};

/// The sample attempt, ended at the end of its data, or where its check ends it.
fn refused(decision: Decision) -> Event {
    let mut event = sample(7, decision.reason);
    event.record.stage = Some(match decision.check {
        CheckName::SecureReceipt => Stage::Mail,
        _ => Stage::Data,
    });
    let addresses = vec!["ann@sender.example".to_owned()];
    event.record.evidence.add(Finding {
        check: CheckName::HeaderFrom,
        stage: Stage::Data,
        observed: Observed::HeaderFrom { addresses },
        source: Source::Session,
        took: Micros(1),
    });
    event.kind = EventKind::Attempt(match decision.reason.kind() {
        ReasonKind::Hold => Outcome::Held { queue: queue_id(7), decision },
        ReasonKind::Deferral => Outcome::Deferred(decision),
        _ => Outcome::Rejected(decision),
    });
    event
}

fn set_with(policies: &[&Policy], size_max_octets: u64) -> PolicySet {
    let base = BasePolicies {
        size_max_octets,
        greylist: Default::default(),
        reputation: Default::default(),
        domains: vec![("corp.example".parse().unwrap(), RecipientValidation::AcceptAll)],
        permitted_lists: Vec::new(),
        lists: Vec::new(),
        limits_recipient_rate: false,
    };
    let stored = (1..).zip(policies).map(|(number, policy)| StoredPolicy {
        policy: Policy { id: Some(PolicyId(number)), ..(*policy).clone() },
        version: 1,
        created: Timestamp::EPOCH,
    });
    let objects = PolicyObjects { policies: stored.collect(), ..Default::default() };
    PolicySet::compile(1, objects, &base).unwrap_or_else(|error| panic!("{error}\n{policies:?}"))
}

fn alone(event: &Event) -> Vec<OfferedException> {
    exceptions(event, &set_with(&[], 1_000_000))
}

fn of(reason: Reason, check: CheckName) -> Vec<(String, PolicyOption, String)> {
    let row = |one: OfferedException| {
        let Policy { option, from, source_ips, to, narrative, mode, overrides, .. } = one.policy;
        assert_eq!((mode, overrides), (PolicyMode::On, false));
        let everyone = matches!(option, PolicyOption::SecureReceipt(_));
        let bob = Scope::Address("bob@corp.example".parse().unwrap());
        assert_eq!(to, if everyone { Scope::Everyone } else { bob });
        let ips: Vec<_> = source_ips.iter().map(ToString::to_string).collect();
        let from = match from {
            Scope::Address(address) => address.to_string(),
            _ => "-".to_owned(),
        };
        let reference = sample(7, Reason::GeoBlocked).reference().to_string();
        assert!(narrative.ends_with(&reference), "{narrative}");
        (one.whom, option, format!("{from} {}", ips.join(",")))
    };
    alone(&refused(Decision::new(reason, check))).into_iter().map(row).collect()
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
    ] {
        let offered = of(reason, check);
        let told: Vec<_> = offered.iter().map(|(whom, _, who)| (&**whom, &**who)).collect();
        assert_eq!(told, [("this sender", sender), ("this server", server)], "{reason}");
        assert!(offered.iter().all(|(_, option, _)| option.is_no_action()), "{reason}");
    }
    assert_eq!(of(Reason::BlockedPolicyEnvelope, CheckName::Senders).len(), 1);
}

/// As a first contact has: whoever never comes back can be spared the next time.
#[test]
fn a_window_that_closed_has_the_exceptions_of_greylisting() {
    let mut event = sample(7, Reason::GreylistExpired);
    let what = types::FollowUp::GreylistExpired { attempts: 1 };
    event.kind = EventKind::FollowUp { of: event.id, what };
    event.record = Default::default();
    event.subject.message = None;
    let offered = alone(&event);
    let whose: Vec<&str> = offered.iter().map(|one| one.whom.as_str()).collect();
    assert_eq!(whose, ["this sender", "this server"]);
    for one in &offered {
        assert_eq!(one.policy.kind(), PolicyType::Greylisting);
        assert!(one.policy.option.is_no_action());
        set_with(&[&one.policy], 1_000_000);
    }
    event.kind = EventKind::FollowUp { of: event.id, what: types::FollowUp::DelayWarned };
    assert!(alone(&event).is_empty());
}

#[test]
fn a_name_that_proved_nothing_is_excepted_at_its_server_alone() {
    for (reason, check) in [
        (Reason::SpoofingEnvelope, CheckName::Spoofing),
        (Reason::SpoofingHeader, CheckName::Spoofing),
        (Reason::AuthSpf, CheckName::Spf),
        (Reason::AuthDkim, CheckName::Dkim),
        (Reason::AuthDmarc, CheckName::Dmarc),
        (Reason::HoldDmarcQuarantine, CheckName::Dmarc),
        (Reason::HoldAuthentication, CheckName::Dkim),
        (Reason::AuthTemporary, CheckName::Spoofing),
        (Reason::TlsRequired, CheckName::SecureReceipt),
        (Reason::TlsUnverified, CheckName::SecureReceipt),
    ] {
        let offered = of(reason, check);
        let who: Vec<_> = offered.iter().map(|(.., who)| who.as_str()).collect();
        assert_eq!(who, ["ann@sender.example 192.0.2.8/32"], "{reason}");
    }
    let mut nobody = refused(Decision::new(Reason::AuthSpf, CheckName::Spf));
    nobody.subject.reverse_path = Some(ReversePath::Null.into());
    let [one]: [OfferedException; 1] = alone(&nobody).try_into().unwrap();
    let OfferedException { whom, policy } = one;
    assert_eq!((whom.as_str(), policy.from), ("this server", Scope::Everyone));
    assert_eq!(policy.source_ips.len(), 1);
}

#[test]
fn every_exception_that_is_offered_can_be_saved() {
    let by = PolicyRef::Policy { id: PolicyId(3), version: 1 };
    let detail = Detail::Limit { observed: 2_000, limit: 1_000 };
    let mut kinds = std::collections::BTreeSet::new();
    for &reason in Reason::ALL {
        for &check in CheckName::ALL {
            let decision = Decision::new(reason, check).by(by).with_detail(detail.clone());
            let mut event = refused(decision);
            for path in [event.subject.reverse_path.clone(), Some(ReversePath::Null.into())] {
                event.subject.reverse_path = path;
                for OfferedException { policy, .. } in alone(&event) {
                    // Panics where it cannot be compiled.
                    set_with(&[&policy], 1_000_000);
                    kinds.insert(policy.kind().slug());
                }
            }
        }
    }
    let all = [
        "anti_spoofing",
        "blocked_senders",
        "dns_authentication",
        "email_size_limits",
        "geographical_restriction",
        "greylisting",
        "reputation",
        "secure_receipt",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
}

/// What is offered beside a policy that decided: for whom, and whether it
/// takes the override flag.
fn beside(decider: &Policy, decision: Decision) -> Vec<(String, bool)> {
    let offered = exceptions(&refused(decision), &set_with(&[decider], 1_000_000));
    offered.into_iter().map(|one| (one.whom, one.policy.overrides)).collect()
}

#[test]
fn what_would_lose_takes_the_override_flag_or_is_not_offered() {
    let blocked = || Decision::new(Reason::BlockedPolicyEnvelope, CheckName::Senders);
    let told = |rows: &[(&str, bool)]| -> Vec<(String, bool)> {
        rows.iter().map(|(whom, overrides)| ((*whom).to_owned(), *overrides)).collect()
    };
    let of_domain = block("all of them", "sender.example");
    let sure = Policy { overrides: true, ..of_domain.clone() };
    let to_bob =
        Policy { to: Scope::Address("bob@corp.example".parse().unwrap()), ..of_domain.clone() };
    let of_pair =
        Policy { from: Scope::Address("ann@sender.example".parse().unwrap()), ..to_bob.clone() };
    let sure_of_pair = Policy { overrides: true, ..of_pair.clone() };
    for (decider, expected) in [
        (&of_domain, told(&[("this sender", false)])),
        (&sure, told(&[("this sender", true)])),
        (&of_pair, told(&[("this sender", true)])),
        (&sure_of_pair, told(&[])),
    ] {
        assert_eq!(beside(decider, blocked()), expected, "{decider:?}");
    }
    let by = PolicyRef::Policy { id: PolicyId(1), version: 1 };
    let detail = Detail::Limit { observed: 2_000, limit: 1_000 };
    let too_large = Decision::new(Reason::SizeExceeded, CheckName::Size).by(by).with_detail(detail);
    let small = Policy { option: PolicyOption::EmailSizeLimits(1_000), ..to_bob };
    let both = told(&[("this sender", false), ("this server", true)]);
    assert_eq!(beside(&small, too_large), both);
}

#[test]
fn an_exception_from_encryption_lets_that_server_alone_past() {
    let option = PolicyOption::SecureReceipt(SecureReceiptOption::RequireTls);
    let of_domain = Policy { option, ..block("over TLS alone", "sender.example") };
    let event = refused(Decision::new(Reason::TlsRequired, CheckName::SecureReceipt));
    let end = |policies: &[&Policy], event: &Event| {
        forecast(&set_with(policies, 1_000_000), event).unwrap().passing.kind
    };
    for decider in [&of_domain, &Policy { overrides: true, ..of_domain.clone() }] {
        assert_eq!(end(&[decider], &event), EndKind::Rejected);
        let offered = exceptions(&event, &set_with(&[decider], 1_000_000));
        let [one] = offered.as_slice() else { panic!("{offered:?}") };
        assert_ne!(end(&[decider, &one.policy], &event), EndKind::Rejected, "{:?}", one.policy);
        let mut forged = event.clone();
        let client = &mut std::sync::Arc::make_mut(&mut forged.subject.client).client;
        client.ip = "198.51.100.1".parse().unwrap();
        assert_eq!(end(&[decider, &one.policy], &forged), EndKind::Rejected);
    }
}

#[test]
fn an_exception_from_a_verified_client_still_wants_tls_and_that_server() {
    let option = PolicyOption::SecureReceipt(SecureReceiptOption::RequireVerified);
    let of_domain = Policy { option, ..block("verified alone", "sender.example") };
    let mut event = refused(Decision::new(Reason::TlsUnverified, CheckName::SecureReceipt));
    let tls = types::TlsFacts { version: "TLSv1.3".into(), cipher: "any".into() };
    std::sync::Arc::make_mut(&mut event.subject.client).tls = Some(tls);
    event.record.evidence.add(Finding {
        check: CheckName::Certificate,
        stage: Stage::Mail,
        observed: Observed::ClientCertificate(types::ClientCertificate::NotShown),
        source: Source::Session,
        took: Micros(1),
    });
    let end = |policies: &[&Policy], event: &Event| {
        forecast(&set_with(policies, 1_000_000), event).unwrap().passing.kind
    };
    let sure = Policy { overrides: true, ..of_domain.clone() };
    for decider in [&of_domain, &sure] {
        assert_eq!(end(&[decider], &event), EndKind::Rejected);
        let offered = exceptions(&event, &set_with(&[decider], 1_000_000));
        let [OfferedException { whom, policy }] = offered.as_slice() else { panic!("{offered:?}") };
        assert_eq!(
            (whom.as_str(), policy.overrides),
            ("this sender at this server", decider.overrides)
        );
        assert_eq!(policy.option, PolicyOption::SecureReceipt(SecureReceiptOption::RequireTls));
        assert_ne!(end(&[decider, policy], &event), EndKind::Rejected, "{policy:?}");
        let mut elsewhere = event.clone();
        let client = std::sync::Arc::make_mut(&mut elsewhere.subject.client);
        client.client.ip = "198.51.100.1".parse().unwrap();
        assert_eq!(end(&[decider, policy], &elsewhere), EndKind::Rejected, "anybody's server");
        let mut clear = event.clone();
        std::sync::Arc::make_mut(&mut clear.subject.client).tls = None;
        assert_eq!(end(&[decider, policy], &clear), EndKind::Rejected, "in the clear");
    }
    // One that names the sender as precisely, and must win, leaves no room.
    let from = Scope::Address("ann@sender.example".parse().unwrap());
    let at_server = vec!["192.0.2.8/32".parse().unwrap()];
    let narrow = Policy { from, source_ips: at_server, ..sure };
    assert_eq!(exceptions(&event, &set_with(&[&narrow], 1_000_000)), []);
}

#[test]
fn an_exception_from_anti_spoofing_is_for_the_author_that_was_met() {
    let option = PolicyOption::AntiSpoofing(AntiSpoofingOption::Apply);
    let ours = Policy { option, based_on: AddressBasis::Header, ..block("ours", "sender.example") };
    let decision = Decision::new(Reason::SpoofingHeader, CheckName::Spoofing);
    let one = [("this sender at this server".to_owned(), false)];
    assert_eq!(beside(&ours, decision), one);
}

#[test]
fn a_size_is_excepted_as_far_as_the_settings_go() {
    let limit = |observed, by: PolicyRef| {
        let decision = Decision::new(Reason::SizeExceeded, CheckName::Size).by(by);
        let decision = decision.with_detail(Detail::Limit { observed, limit: 1_000 });
        let offered = exceptions(&refused(decision), &set_with(&[], 5_500_000));
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
    assert!(alone(&sample(7, Reason::Accepted)).is_empty());
}
