//! Whoever is limited to some domains or to the members of a group sees
//! nothing of others, whichever way they ask.

mod sent;

use std::cell::Cell;
use std::sync::Arc;

use store::{Acceptance, QueuedMessage, QueuedRecipient, RecipientState};
use types::lists::{ManagedSender, SenderAction};
use types::{
    AddressSet, Caller, CheckName, Decision, Event, EventKind, ForwardPath, Limit, Outcome,
    Permission, PolicyId, PolicyRef, Reason, Sight,
};

use crate::search::SearchRequest;
use crate::tests::{Gateway, at, queue_id, sample};
use crate::views::View;
use crate::{
    CenterError, ExportFormat, ExportRequest, NewExpectation, NewRequest, QueueCommand,
    RequestList, SenderSearch,
};

const OWN: &str = "bob@corp.example";
const OTHER: &str = "eve@labs.example";

fn owner() -> Caller {
    Caller::with_all("root")
}

thread_local! {
    /// Whether the desk of this test is limited to a group.
    static BY_GROUP: Cell<bool> = const { Cell::new(false) };
}

/// A help desk for some recipients: those of one domain, or where a test says
/// so the same by their addresses, as members of a group.
fn desk() -> Caller {
    owner().seeing(match BY_GROUP.get() {
        false => Sight::of(vec!["corp.example".parse().unwrap()]).unwrap(),
        true => group(&[OWN, "ANN@corp.example", "cid@corp.example"]),
    })
}

/// What a group of these leaves.
fn group(members: &[&str]) -> Sight {
    let members: Vec<types::lists::Pattern> =
        members.iter().map(|member| member.parse().unwrap()).collect();
    let limit = Limit::new(Vec::new(), vec!["Desk".to_owned()]).unwrap();
    Sight::within(limit, Arc::new(AddressSet::new(&members, "")))
}

/// Every rule of this file holds for a group as for a domain.
#[test]
fn the_members_of_a_group_are_seen_as_the_recipients_of_a_domain() {
    BY_GROUP.set(true);
    lists_counts_and_pictures_have_the_same_rows();
    asking_for_others_by_name_finds_nothing();
    no_link_leads_to_others();
    the_other_recipients_of_a_message_are_not_named();
    exports_have_the_same_rows();
    names_of_policies_are_told_to_those_who_may_see_policies();
    the_live_tail_has_the_same_rows();
    the_overview_counts_the_same_rows();
    managed_senders_are_those_of_ones_own_recipients();
    requests_are_those_about_ones_own_recipients();
    of_a_queued_message_everybody_sees_and_moves_their_own_recipients();
    who_expects_a_mail_is_a_recipient_of_ones_own();
}

#[test]
fn of_a_domain_only_the_members_are_seen() {
    let (gateway, _) = gateway();
    let one = owner().seeing(group(&["ann@corp.example", "labs.example", "*.corp.example"]));
    let page = gateway.center.search(&one, &all()).unwrap();
    let mut to: Vec<String> = page.rows.iter().filter_map(|row| row.to.clone()).collect();
    to.sort_unstable();
    let expected =
        ["Ann@CORP.example", "eve@labs.example", "eve@labs.example", "eve@sub.corp.example"];
    assert_eq!(to, expected);
    assert_eq!(gateway.center.count(&one, &all()).unwrap().count, 4);
    let emptied = owner().seeing(group(&[]));
    assert_eq!(gateway.center.count(&emptied, &all()).unwrap().count, 0, "never everything");
    assert!(gateway.center.search(&emptied, &all()).unwrap().rows.is_empty());
}

#[test]
fn who_expects_a_mail_is_a_recipient_of_ones_own() {
    let (gateway, _) = gateway();
    let expect = |caller: &Caller, recipient: &str| {
        let (recipient, note) = (recipient.parse().unwrap(), String::new());
        gateway.center.expect(caller, &NewExpectation { recipient, note, row: None })
    };
    let out = expect(&desk(), "eve@labs.example");
    assert!(out.is_err(), "{out:?}");
    expect(&desk(), OWN).unwrap();
    assert_eq!(gateway.center.expectations(&desk()).unwrap().len(), 1);
    let elsewhere = owner().seeing(group(&["cid@corp.example"]));
    assert!(gateway.center.expectations(&elsewhere).unwrap().is_empty());
    let out = expect(&elsewhere, OWN).unwrap_err().to_string();
    assert_eq!(
        out,
        "you do not see the mail of bob@corp.example; you see that of the group \"Desk\""
    );
}

fn to(number: u64, reason: Reason, recipient: Option<&str>) -> Event {
    let mut event = sample(number, reason);
    let path = |text: &str| ForwardPath::Address(text.parse().unwrap());
    event.subject.recipient = recipient.map(path);
    event
}

/// Three attempts to the desk's domain, four to another, one to nobody.
fn gateway() -> (Gateway, Vec<Event>) {
    let gateway = Gateway::new(at(5));
    let events = vec![
        to(1, Reason::RecipientUnknown, Some(OWN)),
        to(2, Reason::GreylistFirstSeen, Some("Ann@CORP.example")),
        to(3, Reason::RecipientUnknown, Some(OWN)),
        to(11, Reason::RecipientUnknown, Some(OTHER)),
        to(12, Reason::GreylistFirstSeen, Some("eve@sub.corp.example")),
        to(13, Reason::RecipientUnknown, Some("eve@notcorp.example")),
        to(14, Reason::SpamSignature, Some(OTHER)),
        to(15, Reason::RelayDenied, None),
    ];
    gateway.center.memory.of_house().record(events.clone()).unwrap();
    (gateway, events)
}

fn all() -> SearchRequest {
    SearchRequest { from: "now-24h".into(), to: "now".into(), ..SearchRequest::default() }
}

fn is_own(row: &crate::Row) -> bool {
    row.to.as_deref().is_some_and(|to| to.to_lowercase().ends_with("@corp.example"))
}

fn missing<T: std::fmt::Debug>(answer: Result<T, CenterError>) -> bool {
    matches!(answer, Err(CenterError::NotFound(_)))
}

#[test]
fn lists_counts_and_pictures_have_the_same_rows() {
    let (gateway, events) = gateway();
    let center = &gateway.center;
    let (owner, desk) = (owner(), desk());
    assert_eq!(center.search(&owner, &all()).unwrap().rows.len(), events.len());
    let page = center.search(&desk, &all()).unwrap();
    assert_eq!(page.rows.len(), 3);
    assert!(page.rows.iter().all(is_own));
    assert_eq!(center.count(&desk, &all()).unwrap().count, 3);
    let of_view = |view| {
        let counts = center.view_counts(&desk, &all()).unwrap();
        counts.into_iter().find(|count| count.view == view).unwrap().count.count
    };
    assert_eq!((of_view(View::All), of_view(View::Rejected), of_view(View::Deferred)), (3, 2, 1));
    let sum: u64 = center.histogram(&desk, &all(), 0).unwrap().series.iter().map(|s| s.sum).sum();
    assert_eq!(sum, 3);
    for facet in center.facets(&desk, &all()).unwrap() {
        let named: u64 = facet.values.iter().map(|value| value.count).sum();
        assert!(named + facet.others <= 3, "{facet:?}");
        assert!(facet.values.iter().all(|value| !value.value.contains("labs")), "{facet:?}");
    }
    let typed = SearchRequest { query: "to:".into(), ..all() };
    let proposed = center.complete(&desk, &typed, 3).unwrap();
    assert!(!proposed.items.is_empty());
    assert!(proposed.items.iter().all(|item| !item.label.contains("labs")), "{proposed:?}");
}

/// A query that names the others is answered as if they were not there.
#[test]
fn asking_for_others_by_name_finds_nothing() {
    let (gateway, events) = gateway();
    let center = &gateway.center;
    let other = &events[3];
    for query in [
        "to:labs.example".to_owned(),
        "labs.example".to_owned(),
        OTHER.to_owned(),
        "-to:corp.example".to_owned(),
        "to:corp.example OR to:labs.example -to:corp.example".to_owned(),
        "type:spam.signature".to_owned(),
        format!("life:{}", other.life_line.reference()),
        other.id.to_string(),
        other.reference().to_string(),
    ] {
        let request = SearchRequest { query: query.clone(), ..all() };
        let page = center.search(&desk(), &request).unwrap();
        assert!(page.rows.iter().all(is_own), "{query}: {:?}", page.rows);
        assert!(!center.search(&owner(), &request).unwrap().rows.is_empty(), "{query}");
        if !query.contains("OR") {
            assert_eq!(center.count(&desk(), &request).unwrap().count, 0, "{query}");
        }
        let hints = format!("{:?}", center.hints(&desk(), &request).unwrap());
        assert!(!hints.contains("count: 4") && !hints.contains("count: 8"), "{query}: {hints}");
    }
}

#[test]
fn no_link_leads_to_others() {
    let (gateway, events) = gateway();
    let center = &gateway.center;
    let desk = desk();
    for event in &events {
        let own = desk.sight.sees(event);
        for name in [event.id.to_string(), event.reference().to_string()] {
            assert_eq!(missing(center.why(&desk, &name)), !own, "{name}");
            assert_eq!(missing(center.event(&desk, &name)), !own, "{name}");
            assert_eq!(missing(center.life(&desk, &name)), !own, "{name}");
            assert_eq!(missing(center.compare(&desk, &name, &events[0].id.to_string())), !own);
            let verdict = crate::letting::SenderVerdict::Permit;
            assert_eq!(missing(center.sender_offer(&desk, &name, verdict)), !own, "{name}");
            if !own {
                assert!(missing(center.let_in(&desk, &name)), "{name}");
            }
        }
        let life = event.life_line;
        assert_eq!(missing(center.life(&desk, &life.to_string())), !own);
        assert_eq!(missing(center.life_events(&desk, life)), !own);
        assert_eq!(missing(center.beside(&desk, &all(), event.id)), !own);
    }
}

/// Another recipient of the same transaction is not named beside one's own.
#[test]
fn the_other_recipients_of_a_message_are_not_named() {
    let (gateway, events) = gateway();
    let mut beside = to(21, Reason::RecipientUnknown, Some(OTHER));
    beside.session = events[0].session;
    let mut third = to(22, Reason::RecipientUnknown, Some("cid@corp.example"));
    third.session = events[0].session;
    gateway.center.memory.of_house().record(vec![beside, third]).unwrap();
    let lanes = |caller: &Caller| {
        gateway.center.why(caller, &events[0].id.to_string()).unwrap().story.lanes.len()
    };
    assert_eq!((lanes(&owner()), lanes(&desk())), (3, 2));
}

#[test]
fn exports_have_the_same_rows() {
    let (gateway, _) = gateway();
    let export = |caller: &Caller| {
        let request = ExportRequest { format: ExportFormat::Csv, search: all(), raw: false };
        let mut file = Vec::new();
        gateway.center.export_rows(caller, &request).unwrap().write(&mut file).unwrap();
        String::from_utf8(file).unwrap()
    };
    let (all, own) = (export(&owner()), export(&desk()));
    assert!(all.contains(OTHER) && all.contains(OWN));
    assert!(own.contains(OWN) && !own.contains("labs.example"), "{own}");
    assert_eq!(own.lines().count(), 1 + 3);
    for request in [desk(), owner()] {
        let denied = !request.may(Permission::DailyLogs);
        assert_eq!(gateway.center.daily_logs(&request).is_err(), denied);
    }
}

#[test]
fn names_of_policies_are_told_to_those_who_may_see_policies() {
    let gateway = Gateway::new(at(5));
    let center = &gateway.center;
    let policy = crate::tests::block("Told to nobody", "sender.example");
    center.put_policy(&owner(), policy, None, "because of Eve").unwrap();
    let mut event = to(1, Reason::BlockedPolicyEnvelope, Some(OWN));
    let by = PolicyRef::Policy { id: PolicyId(1), version: 1 };
    let decision = Decision::new(Reason::BlockedPolicyEnvelope, CheckName::Senders).by(by);
    event.kind = EventKind::Attempt(Outcome::Rejected(decision));
    center.memory.of_house().record(vec![event.clone()]).unwrap();
    let why = |caller: &Caller| center.why(caller, &event.id.to_string()).unwrap();
    let (all, own) = (why(&owner()), why(&desk()));
    assert!(all.sentence.contains("Told to nobody"), "{}", all.sentence);
    let told = serde_json::to_string(&own).unwrap();
    for hidden in ["Told to nobody", "because of Eve", "/policies/", "policy show"] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
    assert!(own.sentence.starts_with(Reason::BlockedPolicyEnvelope.explanation()));
    assert!(own.sentence.contains("Decided by policy #1."), "{}", own.sentence);
}

#[test]
fn the_live_tail_has_the_same_rows() {
    let gateway = Gateway::new(at(5));
    let center = &gateway.center;
    let begun = center.follow(&desk(), &all(), None).unwrap();
    let begin = begun.position;
    let events: Vec<Event> = vec![
        to(1, Reason::RecipientUnknown, Some(OTHER)),
        to(2, Reason::GreylistFirstSeen, Some(OWN)),
        to(3, Reason::RecipientUnknown, Some(OTHER)),
    ];
    let (own, newest) = (events[1].id.to_string(), events[2].id.to_string());
    center.memory.of_house().record(events).unwrap();
    // Where to come back names nothing that is not theirs to see.
    assert!(!begun.resume.contains('_'), "{}", begun.resume);
    let told = center.follow(&desk(), &all(), Some(&begin)).unwrap();
    assert!(told.resume.contains(&own) && !told.resume.contains(&newest), "{}", told.resume);
    let quiet = center.follow(&desk(), &all(), Some(&told.position)).unwrap();
    assert_eq!((quiet.rows.len(), quiet.resume.as_str()), (0, ""));
    assert!(center.follow(&desk(), &all(), Some(&told.resume)).unwrap().rows.is_empty());
    let all_of_it = center.follow(&owner(), &all(), Some(&begin)).unwrap();
    assert!(all_of_it.resume.contains(&newest));
    let came = center.follow(&desk(), &all(), Some(&begin)).unwrap();
    let to: Vec<&str> = came.rows.iter().filter_map(|(_, row)| row.to.as_deref()).collect();
    assert_eq!(to, [OWN]);
    assert_eq!(center.follow(&owner(), &all(), Some(&begin)).unwrap().rows.len(), 3);
}

#[test]
fn the_overview_counts_the_same_rows() {
    let (gateway, _) = gateway();
    let center = &gateway.center;
    let span = crate::overview::OverviewSpan::Day;
    let overview = center.overview(&desk(), span, "").unwrap();
    assert_eq!((overview.now.attempts_per_minute, overview.now.sessions_open), (3, None));
    let refused: u64 = overview.refused.iter().map(|bar| bar.now.count).sum();
    assert_eq!(refused, 2);
    assert_eq!(overview.greylist.first_contacts, 1);
    let shown = format!("{:?}", overview);
    assert!(!shown.contains("labs.example"), "{shown}");
    assert!(format!("{:?}", center.overview(&owner(), span, "").unwrap()).contains("labs.example"));
    for denied in [Permission::SystemStatus, Permission::SeePolicies, Permission::SeeAudit] {
        assert!(!desk().may(denied));
    }
    assert!(center.status(&desk()).is_err() && center.conservation(&desk()).is_err());
    assert!(center.policies(&desk()).is_err() && center.groups(&desk()).is_err());
}

fn entry(sender: &str, recipient: &str) -> ManagedSender {
    ManagedSender {
        id: None,
        sender: sender.parse().unwrap(),
        recipient: recipient.parse().unwrap(),
        action: SenderAction::Permit,
        authenticated_only: false,
        note: String::new(),
        created_by: String::new(),
        created: at(0),
        created_from: None,
        valid_until: None,
    }
}

#[test]
fn managed_senders_are_those_of_ones_own_recipients() {
    let (gateway, _) = gateway();
    let center = &gateway.center;
    let (owner, desk) = (owner(), desk());
    let lab =
        Caller::with_all("lab").seeing(Sight::of(vec!["labs.example".parse().unwrap()]).unwrap());
    let made = center.put_sender(&owner, entry("a@x.example", OWN), "").unwrap();
    let list = |caller: &Caller| center.senders(caller, &SenderSearch::default()).unwrap();
    assert_eq!((list(&owner).len(), list(&desk).len(), list(&lab).len()), (1, 1, 0));
    let id = list(&owner)[0].sender.id.unwrap();
    assert!(center.sender(&desk, id).is_ok() && missing(center.sender(&lab, id)));
    assert!(missing(center.remove_sender(&lab, id, "")));
    let export = |caller: &Caller| {
        let mut file = Vec::new();
        center.export_senders(caller, &SenderSearch::default(), &mut file).unwrap();
        String::from_utf8(file).unwrap()
    };
    assert!(export(&desk).contains(OWN) && !export(&lab).contains(OWN));
    let out = center.put_sender(&lab, entry("c@x.example", OWN), "");
    assert!(
        matches!(&out, Err(CenterError::OutOfSight { recipient, .. }) if recipient == OWN),
        "{out:?}"
    );
    let id = list(&owner)[0].sender.id;
    let theirs = ManagedSender { id, ..entry("c@x.example", "x@labs.example") };
    assert!(missing(center.put_sender(&lab, theirs, "")), "it would take the place of another's");
    assert!(missing(center.undo(&lab, made.version)), "as if there were none");
    assert!(missing(center.changed_in(&lab, made.version)));
    assert_eq!(center.changed_in(&desk, made.version).unwrap().len(), 1);
    let own = center.put_sender(&desk, entry("c@x.example", OWN), "").unwrap();
    center.undo(&desk, own.version).unwrap();
    assert_eq!(list(&owner).len(), 1);
}

#[test]
fn requests_are_those_about_ones_own_recipients() {
    let (gateway, events) = gateway();
    let center = &gateway.center;
    let address = "192.0.2.9".parse().unwrap();
    for event in [&events[0], &events[3]] {
        let reference = event.reference().to_string();
        let new = NewRequest { reference, text: "why".into(), contact: String::new() };
        center.hand_in(address, &new).unwrap();
    }
    let seen = |caller: &Caller| center.requests(caller, RequestList::All, "", None).unwrap();
    assert_eq!((seen(&owner()).len(), seen(&desk()).len()), (2, 1));
    let other =
        seen(&owner()).into_iter().find(|one| one.reference == events[3].reference().to_string());
    let other = other.unwrap().id;
    assert!(missing(center.request(&desk(), other)));
    assert!(missing(center.answer_request(&desk(), other, "done")));
    assert_eq!(center.waiting_requests(&desk(), None).unwrap().0, 1);
}

#[test]
fn who_may_not_see_subjects_finds_nothing_by_them() {
    let (gateway, events) = gateway();
    let center = &gateway.center;
    let mut blind = owner();
    blind.permissions =
        blind.permissions.iter().filter(|one| *one != Permission::SeeSubjects).collect();
    let page = center.search(&blind, &all()).unwrap();
    assert_eq!(page.rows.len(), events.len());
    assert!(page.rows.iter().all(|row| row.subject.is_none()));
    let why = format!("{:?}", center.why(&blind, &events[0].id.to_string()).unwrap());
    assert!(!why.contains("Hello"), "{why}");
    let stored = center.event(&blind, &events[0].id.to_string()).unwrap();
    assert_eq!(stored.subject.message.unwrap().subject, None);
    let count = |caller: &Caller, query: &str| {
        let request = SearchRequest { query: query.to_owned(), ..all() };
        center.count(caller, &request).map(|count| count.count)
    };
    assert_eq!(count(&owner(), "hello").unwrap(), events.len() as u64);
    assert_eq!(count(&blind, "hello").unwrap(), 0, "a word is looked for elsewhere only");
    let proposed = |caller: &Caller| {
        let request = SearchRequest { query: "subject:".to_owned(), ..all() };
        center.complete(caller, &request, request.query.len()).unwrap().items.len()
    };
    assert!(proposed(&owner()) > 0);
    assert_eq!(proposed(&blind), 0, "nor are they proposed");
    for query in ["subject:hello", "-subject:hello", "is:rejected OR subject:h"] {
        let denied = count(&blind, query);
        assert!(
            matches!(denied, Err(CenterError::Denied { permission: Permission::SeeSubjects })),
            "{query}: {denied:?}"
        );
    }
    let export = |columns: &[&str]| {
        let columns = columns.iter().map(|name| name.parse().unwrap()).collect();
        let search = SearchRequest { columns, view: View::All, ..all() };
        let request = ExportRequest { format: ExportFormat::Csv, search, raw: false };
        let mut file = Vec::new();
        center.export_rows(&blind, &request).map(|rows| rows.write(&mut file).unwrap())?;
        Ok::<_, CenterError>(String::from_utf8(file).unwrap())
    };
    assert!(export(&["time", "subject"]).is_err());
    assert!(!export(&["time", "to", "size"]).unwrap().contains("Hello"));
    let asked = crate::replay::ReplayRequest::default();
    let told = |caller: &Caller| format!("{:?}", center.replay(caller, &asked).unwrap().cells);
    assert!(!told(&blind).contains("Hello"));
    let day = ("2026-11-21", "2026-11-21");
    let archive = |caller: &Caller| {
        center.daily_log_archive(caller, crate::daily_log::LogKind::Rejected, day.0, day.1)
    };
    let needs = |permission| {
        matches!(permission, CenterError::Denied { permission: Permission::SeeSubjects })
    };
    assert!(archive(&blind).is_err_and(needs) && !archive(&owner()).is_err_and(needs));
    assert!(center.open_daily_log(&blind, "rejected-2026-11-21.csv").is_err_and(needs));
    let begin = center.follow(&blind, &all(), None).unwrap().position;
    center.memory.of_house().record(vec![sample(30, Reason::RecipientUnknown)]).unwrap();
    let came = center.follow(&blind, &all(), Some(&begin)).unwrap();
    assert!(came.rows.iter().all(|(_, row)| row.subject.is_none()) && came.rows.len() == 1);
}

/// Where the message of [`queued`] wants answers to go.
const DESK: &str = "desk@elsewhere.example";

/// Puts one message to both into the queue: one recipient waits, the other's
/// is held because it may be forged.
pub(crate) async fn queued(gateway: &Gateway) {
    let own = to(7, Reason::Accepted, Some(OWN));
    enqueue(gateway, own, to(8, Reason::HoldAuthentication, Some(OTHER))).await;
}

/// Puts one message to both into the queue, as [`queued`].
async fn enqueue(gateway: &Gateway, own: Event, other: Event) {
    let log = gateway.center.memory.of_house();
    let id = queue_id(7);
    let [own, other] = [own, other].map(|mut event| {
        if let EventKind::Attempt(Outcome::Accepted { queue, .. } | Outcome::Held { queue, .. }) =
            &mut event.kind
        {
            *queue = id;
        }
        event
    });
    let mut content = log.content(id);
    content.write(b"Subject: Hello\r\n\r\nHi\r\n").await.unwrap();
    let recipient = |event: &Event, state| QueuedRecipient {
        path: event.subject.recipient.clone().unwrap(),
        event: event.id,
        life_line: event.life_line,
        state,
    };
    let waiting = RecipientState::Waiting { attempts: 2, due: at(900), warned: false };
    let message = QueuedMessage {
        id,
        arrived: at(0),
        reverse_path: own.subject.reverse_path.clone().unwrap(),
        smtputf8: false,
        eight_bit: false,
        trace: String::new(),
        content_octets: content.octets(),
        left_out: Vec::new(),
        session: own.session,
        client: std::sync::Arc::clone(&own.subject.client),
        facts: std::sync::Arc::new(types::MessageFacts {
            reply_to: vec![types::HeaderMailbox { name: None, address: DESK.to_owned() }],
            ..own.subject.message.as_deref().cloned().unwrap()
        }),
        notice: false,
        recipients: vec![
            recipient(&own, waiting),
            recipient(&other, RecipientState::Held { attempts: 0 }),
        ],
    };
    let acceptance = Acceptance { message: Some(message), events: vec![own, other] };
    let position = log.commit(Some(content), acceptance).await.unwrap();
    log.flushed(position).await.unwrap();
}

#[tokio::test]
async fn of_a_queued_message_everybody_sees_and_moves_their_own_recipients() {
    let gateway = Gateway::new(at(60));
    queued(&gateway).await;
    let (center, id) = (&gateway.center, queue_id(7));
    let nobody = owner().seeing(Sight::of(vec!["elsewhere.example".parse().unwrap()]).unwrap());
    let seen = |caller: &Caller| {
        let rows = center.queue_list(caller, None, 0).unwrap();
        rows.iter().map(|row| row.recipients.len()).sum::<usize>()
    };
    assert_eq!((seen(&owner()), seen(&desk()), seen(&nobody)), (2, 1, 0));
    assert!(missing(center.queue_show(&nobody, id)));
    let shape = center.queue_shape(&desk()).unwrap().rows;
    assert!(shape.iter().all(|row| row.domain == "corp.example") && shape.len() == 1);
    let depth = |caller: &Caller| {
        let now = center.overview_now(caller).unwrap();
        (now.queue_messages, now.held.count, now.queue_oldest_age_s)
    };
    assert_eq!(depth(&owner()), (1, 1, Some(60)));
    assert_eq!((depth(&desk()), depth(&nobody)), ((1, 0, Some(60)), (0, 0, None)));
    let done = center
        .queue_command(&nobody, &crate::QueueOrder::of(QueueCommand::Delete, &[id]).because("junk"))
        .unwrap();
    assert_eq!((done.recipients, done.missing), (0, vec![id]));
    let done = center
        .queue_command(&desk(), &crate::QueueOrder::of(QueueCommand::Delete, &[id]).because("junk"))
        .unwrap();
    assert_eq!((done.recipients, done.unchanged.len()), (1, 0), "the other's stays");
    assert_eq!(seen(&owner()), 1);
}

#[tokio::test]
async fn what_may_be_a_danger_is_released_by_few() {
    let gateway = Gateway::new(at(60));
    queued(&gateway).await;
    let (center, id) = (&gateway.center, queue_id(7));
    let sender = center.parts.queue.message(id).unwrap().reverse_path.address().cloned().unwrap();
    let release = |role: types::Role| {
        let caller = Caller::new("somebody", role.permissions());
        center.queue_command(&caller, &crate::QueueOrder::of(QueueCommand::Release, &[id]))
    };
    let operator = release(types::Role::Operator).unwrap();
    assert_eq!(operator.recipients, 0);
    let why = &operator.unchanged.iter().find(|one| one.to == OTHER).unwrap().why;
    assert!(why.contains("release_dangerous"), "{why}");
    let viewer = release(types::Role::Viewer);
    assert!(matches!(viewer, Err(CenterError::Denied { .. })), "{viewer:?}");
    assert_eq!(release(types::Role::Analyst).unwrap().recipients, 1);
    // His answer teaches nothing, wherever it goes; that of whose mail was not
    // held does.
    let desk: types::EmailAddress = DESK.parse().unwrap();
    for other in [&sender, &desk] {
        let answers = |own: &str| {
            let own = own.parse().unwrap();
            let pair = types::Correspondence { own, other: other.clone(), wrote: at(120) };
            center.parts.correspondences.wrote(&[pair]).unwrap().new
        };
        assert_eq!((answers(OTHER), answers(OWN)), (0, 1), "{other}");
    }
}
