//! Delivered, later, never: what becomes of recipients over hours and days.

use std::time::Duration;

use store::{MessageQueue, RecipientState};
use world::Clock;

use super::next_hop::{Do, NextHop, say};
use super::{HOP, House, settings};

#[tokio::test]
async fn a_message_is_delivered_with_its_trace_fields_first() {
    let mut house = House::new();
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    house.start();
    house.accept(&["bob@corp.example"]);
    house.settle().await;
    assert_eq!(house.story(), ["bob@corp.example delivered #1 250 2.0.0 taken"]);
    assert_eq!(hop.seen().messages, ["Received: here\r\nSubject: x\r\n\r\n.dot\r\n"]);
    assert_eq!(
        hop.seen().commands,
        [
            "CONNECT",
            "EHLO gate.example",
            "MAIL FROM:<ann@sender.example> SIZE=36",
            "RCPT TO:<bob@corp.example>",
            "DATA",
            "CONTENT"
        ]
    );
    assert_eq!(house.store.depth().messages(), 0);
    assert_eq!(house.deliverer.status().counts.delivered, 1);
}

#[tokio::test]
async fn what_is_deferred_comes_again_by_the_schedule() {
    let mut house = House::new();
    let mut refusals = 3;
    let hop = NextHop::scripted(move |_, at| {
        if at == "CONTENT" && refusals > 0 {
            refusals -= 1;
            return say("451 4.3.0 not now");
        }
        None
    });
    hop.listen(&house.network, HOP);
    house.start();
    house.accept(&["bob@corp.example"]);
    house.pass_until_empty().await;
    let times: Vec<_> = house
        .store
        .events()
        .iter()
        .map(|event| event.at.since(super::START).as_secs() / 60)
        .collect();
    assert_eq!(times, [0, 1, 6, 15]);
    assert_eq!(house.story()[0], "bob@corp.example deferred #1 451 4.3.0 not now");
    assert_eq!(house.story()[3], "bob@corp.example delivered #4 250 2.0.0 taken");
}

#[tokio::test]
async fn recipients_of_one_message_end_each_in_its_own_way() {
    let mut house = House::new();
    let hop = NextHop::scripted(|_, at| match at {
        "RCPT TO:<no@corp.example>" => say("550 5.1.1 no such user"),
        "RCPT TO:<later@corp.example>" => say("450 4.2.1 busy"),
        _ => None,
    });
    hop.listen(&house.network, HOP);
    house.start();
    let id = house.accept(&["yes@corp.example", "no@corp.example", "later@corp.example"]);
    house.settle().await;
    // What follows is about the notice, whose sender has no mail exchanger.
    assert_eq!(
        house.story()[..4],
        [
            "yes@corp.example delivered #1 250 2.0.0 taken",
            "no@corp.example rejected #1 550 5.1.1 no such user",
            "no@corp.example bounced",
            "later@corp.example deferred #1 450 4.2.1 busy",
        ]
    );
    let message = house.store.message(id).unwrap();
    let states: Vec<_> = message.recipients.iter().map(|r| r.state).collect();
    let due = super::START + Duration::from_secs(60);
    let waiting = RecipientState::Waiting { attempts: 1, due, warned: false };
    assert_eq!(states, [RecipientState::Done, RecipientState::Done, waiting]);
    house.pass(Duration::from_secs(61)).await;
    // Only who is left is offered again.
    assert_eq!(hop.count("RCPT TO:<yes"), 1);
    assert_eq!(hop.count("RCPT TO:<later"), 2);
}

#[tokio::test]
async fn a_dead_next_hop_costs_thirty_attempts_and_ends_in_a_bounce() {
    let mut house = House::new();
    house.resolver.set_addresses("sender.example", Ok(vec!["192.0.2.99".parse().unwrap()]));
    house.resolver.set_mx(&"sender.example".parse().unwrap(), Err(world::DnsError::NoRecords));
    let sender = NextHop::willing();
    sender.listen(&house.network, "192.0.2.99:25");
    house.start();
    house.accept(&["bob@corp.example"]);
    house.pass_until_empty().await;
    let story = house.story();
    let count = |what: &str| story.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("bob@corp.example deferred"), 29, "{story:#?}");
    assert_eq!(count("bob@corp.example expired #30 - connecting to"), 1);
    assert_eq!(count("bob@corp.example warned"), 1);
    assert_eq!(count("bob@corp.example bounced"), 1);
    let warned = story.iter().position(|line| line.contains("warned")).unwrap();
    assert!(story[warned - 1].contains("deferred #6"), "{story:#?}");
    let notices = sender.seen().messages;
    assert!(notices[0].starts_with("delayed to ann@sender.example\r\nbob@corp.example 4.4.1"));
    assert!(notices[1].starts_with("failed to ann@sender.example\r\nbob@corp.example 4.4.7"));
    assert!(notices[1].contains("Received: here\r\nSubject: x"));
    assert_eq!(sender.count("MAIL FROM:<>"), 2);
}

#[tokio::test]
async fn a_silent_next_hop_ends_by_its_age() {
    let mut house = House::new();
    house.network.silence(HOP.parse().unwrap());
    house.start();
    // The null reverse-path: no warning, no bounce.
    house.accept_as(&["bob@corp.example"], |message| {
        message.reverse_path = types::ReversePath::Null.into();
    });
    house.pass_until_empty().await;
    let story = house.story();
    assert!(story[story.len() - 2].contains("expired"), "{story:#?}");
    assert_eq!(story[story.len() - 1], "bob@corp.example suppressed NullReversePath");
    assert!(!story.iter().any(|line| line.contains("warned")));
    let hours = house.clock.now().since(super::START).as_secs() / 3_600;
    assert!((106..=108).contains(&hours), "{hours}");
}

#[tokio::test]
async fn many_messages_for_a_dead_next_hop_share_its_attempts() {
    let mut house = House::new();
    house.start();
    for _ in 0..100 {
        house.accept(&["bob@corp.example"]);
    }
    house.pass(Duration::from_secs(25)).await;
    let tried = house.deliverer.status().counts.deferred;
    assert!((1..=20).contains(&tried), "{tried} of 100 messages spent an attempt");
    assert!(matches!(
        house.deliverer.status().hops[0].state,
        deliver::HopState::BackingOff { failures: 1, .. }
    ));
    // It comes back: everything goes, none has waited longer than a back-off.
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    house.pass(Duration::from_secs(120)).await;
    assert_eq!(house.deliverer.status().counts.delivered, 100);
    assert_eq!(house.store.depth().messages(), 0);
}

#[tokio::test]
async fn a_dead_next_hop_does_not_hold_up_another() {
    let mut settings = settings();
    let route = deliver::Route::parse(&["192.0.2.26:25"]).unwrap();
    settings.routes.insert(&"other.example".parse().unwrap(), route);
    let mut house = House::with(settings);
    house.network.silence(HOP.parse().unwrap());
    let other = NextHop::willing();
    other.listen(&house.network, "192.0.2.26:25");
    house.start();
    for _ in 0..200 {
        house.accept(&["bob@corp.example"]);
    }
    house.accept(&["cid@other.example"]);
    house.settle().await;
    assert_eq!(house.story(), ["cid@other.example delivered #1 250 2.0.0 taken"]);
}

#[tokio::test]
async fn a_full_store_neither_loses_nor_repeats() {
    let mut house = House::new();
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    house.start();
    house.store.full.store(true, std::sync::atomic::Ordering::Relaxed);
    house.accept(&["bob@corp.example"]);
    house.pass(Duration::from_secs(600)).await;
    assert_eq!((hop.seen().messages.len(), house.story().len()), (1, 0));
    house.store.full.store(false, std::sync::atomic::Ordering::Relaxed);
    house.pass(Duration::from_secs(2)).await;
    assert_eq!((hop.seen().messages.len(), house.story().len()), (1, 1));
}

#[tokio::test]
async fn a_hold_by_hand_during_a_transfer_stands() {
    let mut house = House::new();
    let hop = NextHop::scripted(|_, at| if at == "CONTENT" { Some(Do::Hang) } else { None });
    hop.listen(&house.network, HOP);
    house.start();
    let id = house.accept(&["bob@corp.example"]);
    house.settle().await;
    house.store.change(id, |message| {
        message.recipients[0].state = RecipientState::Held { attempts: 0 };
    });
    house.pass(Duration::from_secs(700)).await;
    assert!(house.story()[0].contains("deferred #1 - "), "{:?}", house.story());
    let state = house.store.message(id).unwrap().recipients[0].state;
    assert_eq!(state, RecipientState::Held { attempts: 0 });
}

#[tokio::test]
async fn the_order_to_stop_lets_transfers_end_and_gives_the_rest_back() {
    let mut settings = settings();
    settings.hop.connections_max = 1;
    let mut house = House::with(settings);
    let hop = NextHop::scripted(|_, at| if at == "CONTENT" { Some(Do::Hang) } else { None });
    hop.listen(&house.network, HOP);
    house.start();
    house.accept(&["bob@corp.example"]);
    house.accept(&["cid@corp.example"]);
    house.settle().await;
    assert_eq!(house.store.leased(), 2);
    house.order_stop();
    house.settle().await;
    assert_eq!((house.store.leased(), house.is_stopped()), (1, false));
    house.pass(Duration::from_secs(21)).await;
    assert_eq!((house.store.leased(), house.is_stopped()), (0, true));
    assert_eq!(house.store.depth().messages(), 2);
}

/// Messages that wait for a next hop which is left alone for five minutes.
async fn waiting_for_a_dead_next_hop() -> (House, types::QueueId) {
    let mut settings = settings();
    settings.hop.back_off_first = Duration::from_secs(300);
    let mut house = House::with(settings);
    house.start();
    let id = house.accept(&["bob@corp.example"]);
    house.pass(Duration::from_secs(61)).await;
    assert!(house.deliverer.status().counts.put_off > 0, "it is left alone");
    (house, id)
}

#[tokio::test]
async fn a_retry_by_hand_does_not_wait_for_the_back_off() {
    let to = "bob@corp.example".parse().map(types::ForwardPath::Address).unwrap();
    for by_hand in [true, false] {
        let (house, id) = waiting_for_a_dead_next_hop().await;
        let hop = NextHop::willing();
        hop.listen(&house.network, HOP);
        if by_hand {
            house.deliverer.try_now_for(&to, deliver::Mail::Accepted);
        }
        let due = house.clock.now();
        house.store.change(id, |message| {
            message.recipients[0].state =
                RecipientState::Waiting { attempts: 1, due, warned: false };
        });
        house.pass(Duration::from_secs(1)).await;
        assert_eq!(house.deliverer.status().counts.delivered, u64::from(by_hand));
    }
}

#[tokio::test]
async fn mail_for_a_domain_that_was_removed_waits_and_goes_nowhere_else() {
    let mut house = House::new();
    house.network.silence(HOP.parse().unwrap());
    house.start();
    let id = house.accept(&["bob@corp.example"]);
    let mut settings = settings();
    settings.routes = deliver::RoutingTable::new();
    let other = "other.example".parse().unwrap();
    settings.routes.insert(&other, deliver::Route::parse(&["192.0.2.26:25"]).unwrap());
    house.deliverer.reload(settings);
    house.pass(Duration::from_secs(600)).await;
    let story = house.story();
    let last = story.last().unwrap();
    assert!(last.contains("corp.example is not among the domains of the settings"), "{story:#?}");
    assert!(house.store.message(id).is_some());
    // Set up again, it goes where it was meant to.
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    house.deliverer.reload(super::settings());
    house.pass_until_empty().await;
    assert_eq!(hop.seen().messages.len(), 1);
}
