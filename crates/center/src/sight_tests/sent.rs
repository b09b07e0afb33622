//! What people send out is seen by whoever sees those people.

use types::event::FollowUp;
use types::{Direction, ReversePath};

use super::*;

const OUTSIDE: &str = "zoe@elsewhere.example";

/// An attempt of one of our own servers to send.
fn sent(number: u64, reason: Reason, from: &str, recipient: Option<&str>) -> Event {
    let mut event = to(number, reason, recipient);
    let sender = from.parse().map_or(ReversePath::Null, ReversePath::Address);
    event.subject.reverse_path = Some(Arc::new(sender));
    Arc::make_mut(&mut event.subject.client).client.direction = Direction::Outbound;
    event
}

/// What the desk's people send, what others send, and what came in under
/// their name.
fn sending() -> (Gateway, Vec<Event>) {
    let gateway = Gateway::new(at(5));
    let mut delivered = sent(7, Reason::Accepted, "Bob@CORP.example", Some(OUTSIDE));
    delivered.kind = EventKind::FollowUp { of: delivered.id, what: FollowUp::DelayWarned };
    let mut forged = to(8, Reason::RecipientUnknown, Some(OTHER));
    forged.subject.reverse_path = sent(8, Reason::Accepted, OWN, None).subject.reverse_path;
    let events = vec![
        sent(1, Reason::RelayDenied, OWN, Some(OUTSIDE)),
        sent(2, Reason::RelayDenied, "ann@corp.example", Some(OTHER)),
        sent(3, Reason::RelayDenied, OWN, None),
        sent(4, Reason::RelayDenied, OTHER, Some(OUTSIDE)),
        sent(5, Reason::RelayDenied, OTHER, Some(OWN)),
        sent(6, Reason::RelayDenied, "<>", Some(OUTSIDE)),
        delivered,
        forged,
    ];
    gateway.center.memory.of_house().record(events.clone()).unwrap();
    (gateway, events)
}

#[test]
fn outbound_mail_is_its_senders_and_its_recipients() {
    let (gateway, events) = sending();
    for caller in [desk(), owner().seeing(group(&[OWN, "ann@corp.example"]))] {
        let seen: Vec<bool> = events.iter().map(|event| caller.sight.sees(event)).collect();
        assert_eq!(seen, [true, true, true, false, true, false, true, false]);
        let page = gateway.center.search(&caller, &all()).unwrap();
        let mut found: Vec<_> = page.rows.iter().map(|row| row.id).collect();
        found.sort_unstable();
        let attempts = [0, 1, 2, 4];
        assert_eq!(found, attempts.map(|place: usize| events[place].id));
        assert_eq!(gateway.center.count(&caller, &all()).unwrap().count, 4);
    }
    let below = owner().seeing(Sight::of(vec!["*.corp.example".parse().unwrap()]).unwrap());
    assert_eq!(gateway.center.count(&below, &all()).unwrap().count, 0, "not the domain itself");
}

#[test]
fn nothing_is_permitted_for_a_recipient_outside() {
    let (gateway, events) = sending();
    let center = &gateway.center;
    let why = center.why(&desk(), &events[0].id.to_string()).unwrap();
    assert_eq!(why.story.steps.len(), 1);
    let out = center.put_sender(&desk(), entry("a@x.example", OUTSIDE), "");
    assert!(matches!(out, Err(CenterError::OutOfSight { .. })), "{out:?}");
    assert!(missing(center.why(&desk(), &events[3].id.to_string())));
}

#[tokio::test]
async fn what_people_send_is_theirs_in_the_queue_too() {
    let gateway = Gateway::new(at(60));
    let own = sent(7, Reason::Accepted, OWN, Some(OUTSIDE));
    let other = sent(8, Reason::HoldAuthentication, OWN, Some(OTHER));
    enqueue(&gateway, own, other).await;
    let (center, id) = (&gateway.center, queue_id(7));
    let of = |domain: &str| owner().seeing(Sight::of(vec![domain.parse().unwrap()]).unwrap());
    let seen = |caller: &Caller| {
        let rows = center.queue_list(caller, None, 0).unwrap();
        rows.iter().map(|row| row.recipients.len()).sum::<usize>()
    };
    let lab = of("labs.example");
    assert_eq!((seen(&desk()), seen(&lab), seen(&of("elsewhere.example"))), (2, 1, 1));
    assert_eq!(center.queue_shape(&desk()).unwrap().rows.len(), 2);
    let done = center
        .queue_command(&lab, &crate::QueueOrder::of(QueueCommand::Delete, &[id]).because("junk"))
        .unwrap();
    assert_eq!(done.recipients, 1);
    let done = center
        .queue_command(&desk(), &crate::QueueOrder::of(QueueCommand::Delete, &[id]).because("junk"))
        .unwrap();
    assert_eq!(done.recipients, 1);
}
