//! Decisions from rows, over the real store.

use store::contract::TripletAttempt;
use types::evidence::{Consulted, Evidence};
use types::finding::{TripletFacts, TripletState};
use types::lists::{Group, SenderAction};
use types::policy::{ClientIdentity, PermitOption, PolicyOption, Scope};
use types::{
    CheckName, Event, Finding, Micros, Observed, PolicyId, PolicyRef, PolicyType, Reason,
    ReversePath, Source, Stage, Timestamp,
};

use super::*;
use crate::audit::AuditSearch;
use crate::tests::{Gateway, at, block, sample};

fn root() -> Caller {
    Caller::with_all("root")
}

fn helpdesk() -> Caller {
    let may = vec![Permission::SeeMetadata, Permission::SeeSenders, Permission::EditSenders];
    Caller::new("helpdesk", may.into())
}

/// A greylisted first contact of `from`, with the evidence it left.
pub(crate) fn greylisted(gateway: &Gateway, from: &str) -> Event {
    let mut event = sample(1, Reason::GreylistFirstSeen);
    let path = from.parse().map_or(ReversePath::Null, ReversePath::Address);
    event.subject.reverse_path = Some(path.into());
    let rate = Observed::Rate {
        exceeded: false,
        per_minute_max: 60,
        retry_in_s: 0,
        of: Default::default(),
    };
    let triplet = TripletFacts {
        identity: ClientIdentity::Network,
        client: "192.0.2.0/24".into(),
        sender: from.into(),
        state: TripletState::FirstSeen,
        life_line: event.life_line,
        first_seen: event.started,
        first_event: event.id,
        attempts: 1,
        let_in: false,
        no_pool: None,
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

/// The triplet of that attempt waits for its retry.
pub(crate) fn waits(gateway: &Gateway, refused: &Event) {
    let waiting = TripletAttempt {
        identity: ClientIdentity::Network,
        client: "192.0.2.0/24".into(),
        sender: "ann@sender.example".into(),
        recipient: refused.subject.recipient.as_ref().unwrap(),
        at: refused.started,
        times: Default::default(),
        life_line: refused.life_line,
        event: refused.id,
        session: refused.session,
        subject: &refused.subject,
    };
    gateway.center.parts.triplets.enter(&waiting).unwrap();
}

fn decision(verdict: SenderVerdict, sender: &str, whom: Whom) -> SenderDecision {
    let (authenticated_only, note) = (false, String::new());
    let sender = sender.parse().unwrap();
    SenderDecision { verdict, sender, whom, authenticated_only, until: None, note }
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
fn what_was_removed_comes_back_under_its_number() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    center.put_policy(&root(), crate::tests::block("No x", "x.example"), None, "").unwrap();
    center.put_sender(&root(), crate::tests::entry("y.example", SenderAction::Block), "").unwrap();
    let numbers = || {
        let policies = center.policies(&root()).unwrap().policies;
        let senders = center.senders(&root(), &Default::default()).unwrap();
        let policies = policies.into_iter().map(|row| row.policy);
        (policies.collect::<Vec<_>>(), senders.into_iter().map(|r| r.sender).collect::<Vec<_>>())
    };
    let before = numbers();
    let policy = center.remove_policy(&root(), before.0[0].id.unwrap(), None, "").unwrap();
    let sender = center.remove_sender(&root(), before.1[0].id.unwrap(), "").unwrap();
    assert_eq!(numbers(), (Vec::new(), Vec::new()));
    center.undo(&root(), policy.version).unwrap();
    center.undo(&root(), sender.version).unwrap();
    assert_eq!(numbers(), before);
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

/// The same sender a minute later, accepted because of `by`.
fn accepted(gateway: &Gateway, number: u64, by: Option<Consulted>) -> Event {
    let reason = if by.is_some() { Reason::AcceptedPermitted } else { Reason::Accepted };
    let first = sample(1, Reason::GreylistFirstSeen);
    let mut event = sample(number, reason);
    (event.started, event.at, event.life_line) = (at(120), at(120), first.life_line);
    event.record.consulted = by.into_iter().collect();
    event.record.policy_version = 1;
    gateway.center.memory.of_house().record(vec![event.clone()]).unwrap();
    event
}

/// What a type of policies came to, where nothing else matched.
fn won(kind: PolicyType, winner: Option<PolicyRef>) -> Consulted {
    Consulted {
        kind,
        winner,
        no_action: false,
        losers: Vec::new(),
        observing: Vec::new(),
        permitted_list: None,
    }
}

#[test]
fn an_accepted_row_leads_to_the_permit_its_entry_and_what_came_of_it() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let refused = greylisted(&gateway, "ann@sender.example");
    let permit = decision(SenderVerdict::Permit, "ann@sender.example", Whom::Recipient);
    center.decide_sender(&helpdesk(), &refused.reference().to_string(), &permit).unwrap();
    let winner = Some(PolicyRef::ManagedSender { id: PolicyId(1) });
    let kind = PolicyType::ManagedSenders;
    let by = won(kind, winner);
    let let_in = accepted(&gateway, 7, Some(by));
    let why = center.why(&root(), &let_in.id.to_string()).unwrap();
    let view = why.permit.as_ref().unwrap();
    assert_eq!(view.name, "managed sender #1 (permit)");
    assert_eq!(
        (view.made_from, view.page.as_deref()),
        (Some(refused.reference()), Some("/senders/1"))
    );
    let [deed] = &why.deeds[..] else { panic!("{:?}", why.deeds) };
    assert_eq!((deed.who.as_str(), deed.row), ("helpdesk", Some(refused.reference())));
    assert!(why.to_string().contains("Who did what") && why.to_string().contains("helpdesk"));
    let entry = center.audit_entry(&root(), deed.number).unwrap();
    let [effect] = &center.audit_effects(&root(), &entry).unwrap()[..] else { panic!() };
    assert_eq!((effect.since, effect.standing.as_str()), (Some(1), "as it was left"));
    assert_eq!(effect.query.as_deref(), Some("policy:\"sender 1\""));
    // Who may not see the log is told nothing of it.
    assert_eq!(center.why(&helpdesk(), &let_in.id.to_string()).unwrap().deeds, []);
    // The undoing is noted on the row of what it undoes.
    center.undo(&root(), 1).unwrap();
    let why = center.why(&root(), &refused.id.to_string()).unwrap();
    assert_eq!(why.deeds.len(), 2, "{:?}", why.deeds);
}

#[test]
fn a_triplet_that_was_let_in_says_so_and_whether_it_came() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let refused = greylisted(&gateway, "ann@sender.example");
    waits(&gateway, &refused);
    center.let_in(&root(), &refused.id.to_string()).unwrap();
    let of_row = AuditSearch { row: Some(refused.reference()), ..AuditSearch::default() };
    let entry = center.audit(&root(), &of_row, None, 0).unwrap().rows.remove(0);
    let effects = center.audit_effects(&root(), &entry).unwrap();
    assert_eq!(effects[0].standing, "nobody has come back yet");
    let came = accepted(&gateway, 7, None);
    let effects = center.audit_effects(&root(), &entry).unwrap();
    assert_eq!(effects[0].standing, format!("accepted as {}", came.reference()));
    assert_eq!(effects[0].since, Some(1));
    let why = center.why(&root(), &came.id.to_string()).unwrap();
    assert_eq!((why.permit, why.deeds[0].number), (None, entry.number));
}

#[test]
fn a_member_of_a_group_leads_to_whoever_put_it_there() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let permitted: Group = Group {
        name: "Partners".to_owned(),
        parent: None,
        members: vec!["other.example".parse().unwrap()],
    };
    center.put_group(&root(), permitted.clone(), None, "").unwrap();
    let mut policy = block("Partners come in", "sender.example");
    policy.option = PolicyOption::PermittedSenders(PermitOption::Permit);
    policy.from = Scope::Group("Partners".to_owned());
    center.put_policy(&root(), policy, None, "").unwrap();
    let members = vec!["other.example".parse().unwrap(), "sender.example".parse().unwrap()];
    let ana = Caller::with_all("ana");
    center.put_group(&ana, Group { members, ..permitted.clone() }, None, "asked for").unwrap();
    let id = center.policies(&root()).unwrap().policies[0].policy.id.unwrap();
    let winner = Some(PolicyRef::Policy { id, version: 2 });
    let kind = PolicyType::PermittedSenders;
    let by = won(kind, winner);
    let why = center.why(&root(), &accepted(&gateway, 7, Some(by)).id.to_string()).unwrap();
    let who: Vec<&str> = why.deeds.iter().map(|deed| deed.who.as_str()).collect();
    assert_eq!(who, ["ana", "root"], "{:?}", why.deeds);
    assert!(why.deeds[0].subject.contains("Partners"), "{:?}", why.deeds);
}

#[test]
fn mail_of_our_own_servers_is_beyond_every_list() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let mut sent = sample(5, Reason::Accepted);
    let client = &mut std::sync::Arc::make_mut(&mut sent.subject.client).client;
    client.direction = types::Direction::Outbound;
    center.memory.of_house().record(vec![sent.clone()]).unwrap();
    let named = sent.reference().to_string();
    for verdict in [SenderVerdict::Permit, SenderVerdict::Block] {
        let wanted = decision(verdict, "ann@sender.example", Whom::Recipient);
        for refused in [
            center.sender_offer(&root(), &named, verdict).unwrap_err(),
            center.preview_sender(&root(), &named, &wanted).unwrap_err(),
            center.decide_sender(&root(), &named, &wanted).unwrap_err(),
        ] {
            assert_eq!(refused.to_string(), NOT_FROM_THE_WORLD);
        }
    }
    let why = center.why(&root(), &named).unwrap();
    assert_eq!((why.direction.as_deref(), why.commands.len()), (Some("outbound"), 0));
    assert_eq!(why.story.direction.as_deref(), Some("outbound"));
    let from_the_world = greylisted(&gateway, "ann@sender.example").reference().to_string();
    let why = center.why(&root(), &from_the_world).unwrap();
    assert_eq!((why.direction, why.commands.len()), (None, 2));
}

#[test]
fn an_exception_is_offered_to_whoever_may_edit_policies() {
    let gateway = Gateway::new(at(60));
    let named = greylisted(&gateway, "ann@sender.example").reference().to_string();
    let why = gateway.center.why(&root(), &named).unwrap();
    let whose: Vec<&str> = why.exceptions.iter().map(|one| one.whom.as_str()).collect();
    assert_eq!(whose, ["this sender", "this server"]);
    assert_eq!(gateway.center.policies(&root()).unwrap().policies.len(), 0, "nothing is stored");
    assert!(gateway.center.why(&helpdesk(), &named).unwrap().exceptions.is_empty());
}

/// The same attempt again, of which more was found.
fn found_more(gateway: &Gateway, number: u64, finding: Finding) -> String {
    let mut event = greylisted(gateway, "ann@sender.example");
    event.id = crate::tests::event_id(200 + number);
    event.record.evidence.add(finding);
    gateway.center.memory.of_house().record(vec![event.clone()]).unwrap();
    event.id.to_string()
}

#[test]
fn a_permit_for_authenticated_mail_says_whether_it_would_have_counted() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let permit = SenderDecision {
        authenticated_only: true,
        ..decision(SenderVerdict::Permit, "ann@sender.example", Whom::Recipient)
    };
    let preview = |name: &str, decision: &SenderDecision| {
        center.preview_sender(&root(), name, decision).unwrap()
    };
    let unasked = greylisted(&gateway, "ann@sender.example").id.to_string();
    let said = preview(&unasked, &permit);
    assert!(!said.helps && said.text.contains("was not found out then"), "{said:?}");
    assert!(said.known_late.as_ref().unwrap().contains("Where only DKIM does"), "{said:?}");
    let proven = found_more(&gateway, 1, crate::proofs::spf_passes("sender.example"));
    let said = preview(&proven, &permit);
    assert!(said.helps && said.text.contains("It would now get past"), "{said:?}");
    let forged = found_more(&gateway, 2, crate::proofs::spf_passes("elsewhere.example"));
    let said = preview(&forged, &permit);
    assert!(!said.helps && said.text.contains("SPF did not prove its sender"), "{said:?}");
    let done = center.decide_sender(&helpdesk(), &proven, &permit).unwrap();
    assert_eq!(
        done.text,
        "Permitted ann@sender.example for bob@corp.example if it is authenticated."
    );
    assert!(center.senders(&root(), &Default::default()).unwrap()[0].sender.authenticated_only);
    let block = SenderDecision { verdict: SenderVerdict::Block, ..permit.clone() };
    let refused = center.preview_sender(&root(), &proven, &block).unwrap_err();
    assert!(refused.to_string().contains("only a permit can be limited"), "{refused}");
    let everyone = SenderDecision { whom: Whom::Everyone, ..permit };
    let refused = center.preview_sender(&root(), &proven, &everyone).unwrap_err();
    assert!(refused.to_string().contains("DNS Authentication"), "{refused}");
}

#[test]
fn who_signed_a_message_can_be_meant_and_is_known_late() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let name = found_more(&gateway, 1, crate::proofs::signed_by("list.example"));
    let offer = center.sender_offer(&root(), &name, SenderVerdict::Permit).unwrap();
    let signed = offer.scopes.iter().find(|scope| scope.sender == "dkim:list.example").unwrap();
    assert!(!signed.advised && signed.refused.is_none(), "{signed:?}");
    assert!(signed.warning.as_ref().unwrap().contains("cannot skip greylisting"), "{signed:?}");
    let permit = decision(SenderVerdict::Permit, "dkim:list.example", Whom::Recipient);
    let preview = center.preview_sender(&root(), &name, &permit).unwrap();
    assert!(!preview.helps, "{preview:?}");
    assert!(preview.text.contains("a signature is known only when the message is there"));
    assert!(preview.known_late.unwrap().contains("cannot skip greylisting"));
    let everyone = SenderDecision { whom: Whom::Everyone, ..permit.clone() };
    let refused = center.preview_sender(&root(), &name, &everyone).unwrap_err();
    assert!(refused.to_string().contains("the list of one recipient"), "{refused}");
    let done = center.decide_sender(&root(), &name, &permit).unwrap();
    assert_eq!(done.text, "Permitted dkim:list.example for bob@corp.example.");
    let own = found_more(&gateway, 2, crate::proofs::signed_by("corp.example"));
    let offer = center.sender_offer(&root(), &own, SenderVerdict::Permit).unwrap();
    let signed = offer.scopes.iter().find(|scope| scope.sender == "dkim:corp.example").unwrap();
    assert!(signed.refused.as_ref().unwrap().contains("that anybody sends again"), "{signed:?}");
}

/// Whoever means all that one signature covers says so: a row does not.
#[test]
fn who_signed_a_message_is_never_advised() {
    let gateway = Gateway::new(at(60));
    let offer = |number: u64, from: &str, signer: &str, verdict: SenderVerdict| {
        let mut event = greylisted(&gateway, from);
        event.id = crate::tests::event_id(300 + number);
        event.subject.message = None;
        event.record.evidence.add(crate::proofs::signed_by(signer));
        gateway.center.memory.of_house().record(vec![event.clone()]).unwrap();
        gateway.center.sender_offer(&root(), &event.id.to_string(), verdict).unwrap()
    };
    let (permit, block) = (SenderVerdict::Permit, SenderVerdict::Block);
    for (number, from, signer, verdict, warning) in [
        (1, "boss@corp.example", "sendgrid.net", permit, "every customer of SendGrid"),
        (2, "", "list.example", block, "known only when the message is there"),
        (3, "", "gmail.com", block, "everybody with an address there"),
    ] {
        let offer = offer(number, from, signer, verdict);
        let sender = format!("dkim:{signer}");
        let signed = offer.scopes.iter().find(|scope| scope.sender == sender).unwrap();
        assert!(signed.refused.is_none(), "{signed:?}");
        assert!(signed.warning.as_ref().unwrap().contains(warning), "{signed:?}");
        assert!(offer.scopes.iter().all(|scope| !scope.advised), "{:?}", offer.scopes);
    }
    let free = offer(4, "ann@sender.example", "gmail.com", permit);
    assert!(free.scopes[0].advised && free.scopes[0].sender == "ann@sender.example");
    assert_eq!(free.scopes.last().unwrap().sender, "dkim:gmail.com");
}
