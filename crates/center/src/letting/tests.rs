//! Decisions from rows, over the real store.

use types::evidence::Evidence;
use types::finding::{TripletFacts, TripletState};
use types::lists::SenderAction;
use types::policy::ClientIdentity;
use types::{
    CheckName, Event, Finding, Micros, Observed, Reason, ReversePath, Source, Stage, Timestamp,
};

use super::*;
use crate::tests::{Gateway, at, block, sample};

fn root() -> Caller {
    Caller::with_all("root")
}

fn helpdesk() -> Caller {
    let may = vec![Permission::SeeMetadata, Permission::SeeSenders, Permission::EditSenders];
    Caller::new("helpdesk", may.into())
}

/// A greylisted first contact of `from`, with the evidence it left.
fn greylisted(gateway: &Gateway, from: &str) -> Event {
    let mut event = sample(1, Reason::GreylistFirstSeen);
    let path = from.parse().map_or(ReversePath::Null, ReversePath::Address);
    event.subject.reverse_path = Some(path.into());
    let rate = Observed::Rate { exceeded: false, per_minute_max: 60, retry_in_s: 0 };
    let triplet = TripletFacts {
        identity: ClientIdentity::Network,
        client: "192.0.2.0/24".into(),
        sender: from.into(),
        state: TripletState::FirstSeen,
        life_line: event.life_line,
        first_seen: event.started,
        first_event: event.id,
        attempts: 1,
    };
    let observed = [(CheckName::Rate, rate), (CheckName::Greylist, Observed::Triplet(triplet))];
    let findings = observed.into_iter().map(|(check, observed)| Finding {
        check,
        stage: Stage::Rcpt,
        observed,
        source: Source::Memory,
        took: Micros(1),
    });
    event.record.evidence = findings.collect::<Evidence>();
    gateway.center.memory.of_house().record(vec![event.clone()]).unwrap();
    event
}

fn decision(verdict: SenderVerdict, sender: &str, whom: Whom) -> SenderDecision {
    let note = String::new();
    SenderDecision { verdict, sender: sender.parse().unwrap(), whom, until: None, note }
}

#[test]
fn a_permit_says_what_it_does_is_stored_and_is_undone() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let event = greylisted(&gateway, "ann@sender.example");
    let name = event.reference().to_string();
    let permit = decision(SenderVerdict::Permit, "ann@sender.example", Whom::Recipient);
    let preview = center.preview_sender(&helpdesk(), &name, &permit).unwrap();
    assert!(preview.helps && preview.text.contains("content was never sent"), "{preview:?}");
    assert_eq!(center.senders(&root(), &Default::default()).unwrap(), [], "nothing is stored");
    let done = center.decide_sender(&helpdesk(), &name, &permit).unwrap();
    assert_eq!(done.text, "Permitted ann@sender.example for bob@corp.example.");
    let stored = center.senders(&root(), &Default::default()).unwrap();
    assert_eq!(stored[0].sender.created_from, Some(event.id));
    assert_eq!(stored[0].sender.created_by, "helpdesk");
    // A block for the pair replaces it, and undoing that brings it back.
    let block = decision(SenderVerdict::Block, "ann@sender.example", Whom::Recipient);
    let blocked = center.decide_sender(&helpdesk(), &name, &block).unwrap();
    assert!(blocked.preview.helps, "{blocked:?}");
    let actions = || {
        let rows = center.senders(&root(), &Default::default()).unwrap();
        rows.iter().map(|row| row.sender.action).collect::<Vec<_>>()
    };
    assert_eq!(actions(), [SenderAction::Block]);
    let refused = center.undo(&helpdesk(), done.change.version);
    assert!(matches!(refused, Err(CenterError::Conflict { .. })), "{refused:?}");
    center.undo(&helpdesk(), blocked.change.version).unwrap();
    assert_eq!(actions(), [SenderAction::Permit]);
    assert!(matches!(center.undo(&helpdesk(), 99), Err(CenterError::NotFound(_))));
}

#[test]
fn for_everyone_is_a_policy_and_needs_its_permission() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let name = greylisted(&gateway, "ann@sender.example").reference().to_string();
    let permit = decision(SenderVerdict::Permit, "sender.example", Whom::Everyone);
    let denied = center.decide_sender(&helpdesk(), &name, &permit);
    assert!(matches!(denied, Err(CenterError::Denied { .. })), "{denied:?}");
    let until = SenderDecision { until: Some(at(86_400)), ..permit };
    center.decide_sender(&root(), &name, &until).unwrap();
    let policies = center.policies(&root()).unwrap().policies;
    assert_eq!(policies[0].policy.validity.until, Some(at(86_400)));
    assert!(policies[0].policy.narrative.contains(&name));
    assert_eq!(center.undo(&root(), 1).unwrap().change.differences.len(), 1);
    assert_eq!(center.policies(&root()).unwrap().policies, []);
}

#[test]
fn what_a_permit_does_not_skip_is_said() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let name = greylisted(&gateway, "ann@sender.example").reference().to_string();
    // The author alone is known too late.
    let author = decision(SenderVerdict::Permit, "author.example", Whom::Recipient);
    let preview = center.preview_sender(&root(), &name, &author).unwrap();
    assert!(!preview.helps && preview.text.contains("does not cover the envelope"), "{preview:?}");
    let own = decision(SenderVerdict::Permit, "corp.example", Whom::Recipient);
    let refused = center.preview_sender(&root(), &name, &own);
    assert!(matches!(refused, Err(CenterError::Invalid { .. })), "{refused:?}");
    center.put_policy(&root(), block("No sender", "sender.example"), None, "").unwrap();
    let past = SenderDecision { until: Some(Timestamp::EPOCH), ..author };
    assert!(matches!(
        center.preview_sender(&root(), &name, &past),
        Err(CenterError::Invalid { .. })
    ));
}

#[test]
fn the_adviser_knows_lists_services_free_mail_and_ourselves() {
    let gateway = Gateway::new(at(60));
    let offer = |number: u64, from: &str| {
        let mut event = greylisted(&gateway, from);
        event.id = crate::tests::event_id(100 + number);
        gateway.center.memory.of_house().record(vec![event.clone()]).unwrap();
        let name = event.id.to_string();
        gateway.center.sender_offer(&root(), &name, SenderVerdict::Permit).unwrap()
    };
    let advised = |offer: &SenderOffer| {
        offer.scopes.iter().find(|scope| scope.advised).map(|scope| scope.sender.clone())
    };
    let plain = offer(1, "ann@mail.sender.co.uk");
    assert_eq!(advised(&plain).as_deref(), Some("ann@mail.sender.co.uk"));
    let senders: Vec<_> = plain.scopes.iter().map(|scope| scope.sender.as_str()).collect();
    assert!(
        senders.contains(&"*.sender.co.uk") && senders.contains(&"sender.co.uk"),
        "{senders:?}"
    );
    let list = offer(2, "news+bob=corp.example@list.example");
    assert_eq!(advised(&list).as_deref(), Some("list.example"));
    assert!(list.notices[0].contains("VERP"));
    let service = offer(3, "0100-abc@eu.amazonses.com");
    assert!(service.notices.iter().any(|notice| notice.contains("Amazon SES")));
    assert!(advised(&service).unwrap().contains('@'));
    let free = offer(4, "somebody@gmail.com");
    assert_eq!(advised(&free).as_deref(), Some("somebody@gmail.com"));
    let own = offer(5, "boss@corp.example");
    assert!(own.scopes[0].refused.as_ref().unwrap().contains("one of your own domains"));
    let bounce = offer(6, "");
    assert!(bounce.notices[0].contains("<>") && bounce.gone.is_some());
}

#[test]
fn only_a_triplet_that_waits_is_let_in() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let name = greylisted(&gateway, "ann@sender.example").reference().to_string();
    // It is in the events but not in the table: it waits no longer.
    let over = center.let_in(&root(), &name);
    assert!(matches!(over, Err(CenterError::Invalid { .. })), "{over:?}");
    // It goes with a permit for one recipient.
    let over = center.let_in(&helpdesk(), &name);
    assert!(matches!(over, Err(CenterError::Invalid { .. })), "{over:?}");
    let denied = center.let_in(&Caller::read_only("reader"), &name);
    assert!(matches!(denied, Err(CenterError::Denied { .. })), "{denied:?}");
}
