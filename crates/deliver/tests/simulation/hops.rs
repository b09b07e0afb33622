//! How next hops are used: connections, limits, and every way in which one
//! can misbehave.

use std::time::Duration;

use deliver::Route;
use store::MessageQueue;

use super::next_hop::{Do, NextHop, say};
use super::{HOP, House, settings};

#[tokio::test]
async fn one_connection_serves_many_messages_and_closes_when_idle() {
    let mut house = House::new();
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    house.start();
    for _ in 0..10 {
        house.accept(&["bob@corp.example"]);
        house.pass(Duration::from_secs(10)).await;
    }
    assert_eq!((hop.seen().messages.len(), hop.seen().connections), (10, 1));
    assert_eq!(hop.count("QUIT"), 0);
    house.pass(Duration::from_secs(40)).await;
    assert_eq!(hop.count("QUIT"), 1);
    assert_eq!(house.deliverer.status().hops[0].connections, 0);
}

#[tokio::test]
async fn a_connection_is_closed_after_its_share_of_messages() {
    let mut settings = settings();
    settings.hop.messages_per_connection_max = 4;
    let mut house = House::with(settings);
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    house.start();
    for _ in 0..10 {
        house.accept(&["bob@corp.example"]);
        house.settle().await;
    }
    assert_eq!((hop.seen().messages.len(), hop.seen().connections), (10, 3));
}

#[tokio::test]
async fn no_more_connections_than_the_limit() {
    let mut settings = settings();
    settings.hop.connections_max = 7;
    let mut house = House::with(settings);
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    house.start();
    for _ in 0..500 {
        house.accept(&["bob@corp.example"]);
    }
    for _ in 0..20 {
        house.settle().await;
    }
    assert_eq!(hop.seen().messages.len(), 500);
    assert!(hop.seen().open_max <= 7, "{}", hop.seen().open_max);
}

#[tokio::test]
async fn a_next_hop_that_takes_few_connections_gets_few() {
    let mut house = House::new();
    let hop = NextHop::scripted(|number, at| {
        (at == "CONNECT" && number > 2).then(|| Do::Say("421 4.7.0 too many connections".into()))
    });
    hop.listen(&house.network, HOP);
    house.start();
    for _ in 0..100 {
        house.accept(&["bob@corp.example"]);
    }
    for _ in 0..10 {
        house.settle().await;
    }
    let counts = house.deliverer.status().counts;
    assert_eq!(counts.delivered, 100, "{counts:?}");
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_no_attempt() {
    for goodbye in ["", "421 4.4.2 idle for too long"] {
        let mut house = House::new();
        let hop = NextHop::scripted(move |number, at| {
            (number == 1 && at.starts_with("MAIL") && at.contains("second"))
                .then(|| if goodbye.is_empty() { Do::Drop } else { Do::Say(goodbye.into()) })
        });
        hop.listen(&house.network, HOP);
        house.start();
        house.accept(&["bob@corp.example"]);
        house.settle().await;
        house.accept_as(&["bob@corp.example"], |message| {
            message.reverse_path =
                types::ReversePath::Address("second@sender.example".parse().unwrap()).into();
        });
        house.settle().await;
        assert_eq!(hop.seen().connections, 2, "{goodbye}");
        assert_eq!(house.deliverer.status().counts.delivered, 2, "{:?}", house.story());
    }
}

#[tokio::test]
async fn a_kept_connection_that_breaks_during_the_content_costs_an_attempt() {
    let mut house = House::new();
    let mut transactions = 0;
    let hop = NextHop::scripted(move |_, at| {
        transactions += usize::from(at == "DATA");
        (at == "DATA" && transactions == 2).then_some(Do::SayAndDrop("354 go ahead"))
    });
    hop.listen(&house.network, HOP);
    house.start();
    house.accept(&["bob@corp.example"]);
    house.settle().await;
    house.accept(&["cid@corp.example"]);
    house.settle().await;
    assert_eq!(hop.seen().connections, 1);
    let story = house.story();
    assert!(
        story[1].starts_with("cid@corp.example deferred #1 - the connection broke"),
        "{story:?}"
    );
    house.pass_until_empty().await;
    assert!(house.story()[2].contains("cid@corp.example delivered #2"), "{:?}", house.story());
}

/// What the first attempt comes to if the next hop does this at this step,
/// as the event says, within so many seconds.
async fn check(step: &'static str, what: Do, expected: &str, within_s: u64) {
    let mut house = House::new();
    let mut done = false;
    let hop = NextHop::scripted(move |_, at| {
        if at.starts_with(step) && !done {
            done = true;
            return Some(what.clone());
        }
        None
    });
    hop.listen(&house.network, HOP);
    house.start();
    house.accept(&["bob@corp.example"]);
    house.pass(Duration::from_secs(within_s)).await;
    let story = house.story();
    let first = story.first().cloned().unwrap_or_default();
    assert_eq!(first, format!("bob@corp.example deferred #1 {expected}"), "{step}");
    house.pass_until_empty().await;
    assert!(house.story().last().unwrap().contains("delivered #2"), "{step}");
}

#[tokio::test]
async fn a_connection_lost_anywhere_is_a_deferral() {
    let owed =
        |step: &str| format!("- the peer closed the connection while it owed a reply to {step}");
    check("CONNECT", Do::Drop, &owed("the connection"), 0).await;
    check("EHLO", Do::Drop, &owed("EHLO"), 0).await;
    check("MAIL", Do::Drop, &owed("MAIL"), 0).await;
    check("RCPT", Do::Drop, &owed("RCPT"), 0).await;
    check("DATA", Do::Drop, &owed("DATA"), 0).await;
    // The next hop may have taken it: it is sent again rather than lost.
    check("CONTENT", Do::Drop, &owed("the content"), 0).await;
}

#[tokio::test]
async fn silence_anywhere_ends() {
    let owed =
        |step: &str| format!("- the peer was silent for too long while it owed a reply to {step}");
    check("CONNECT", Do::Hang, &owed("the connection"), 300).await;
    check("EHLO", Do::Hang, &owed("EHLO"), 300).await;
    check("MAIL", Do::Hang, &owed("MAIL"), 300).await;
    check("RCPT", Do::Hang, &owed("RCPT"), 300).await;
    check("DATA", Do::Hang, &owed("DATA"), 120).await;
    check("CONTENT", Do::Hang, &owed("the content"), 600).await;
}

#[tokio::test]
async fn refusals_anywhere_are_recorded_as_what_they_are() {
    let say = |line: &str| Do::Say(line.into());
    check("CONNECT", say("421 4.3.2 closing"), "421 4.3.2 closing", 0).await;
    check("CONNECT", say("554 no service"), "554 no service", 0).await;
    check("EHLO", say("421 closing"), "421 closing", 0).await;
    check("MAIL", say("452 4.3.1 no space"), "452 4.3.1 no space", 0).await;
    check("RCPT", say("421 4.3.2 closing"), "421 4.3.2 closing", 0).await;
    check("DATA", say("451 4.3.0 wait"), "451 4.3.0 wait", 0).await;
    check("CONTENT", say("421 4.3.2 closing"), "421 4.3.2 closing", 0).await;
}

#[tokio::test]
async fn a_hostile_next_hop_is_bounded() {
    let garbage = "- a reply of the peer has no reply code";
    check("CONNECT", Do::Flood("x\r\n"), garbage, 0).await;
    check("MAIL", Do::Flood("\0\0\0\n"), garbage, 0).await;
    let endless = "- a reply line of the peer is too long";
    check("CONNECT", Do::Flood("220 aaaaaaaaaaaaaaaaaaaaaaaa"), endless, 0).await;
    let lines = "- a reply of the peer has too many lines";
    check("RCPT", Do::Flood("250-more\r\n"), lines, 0).await;
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_answer() {
    let mut settings = settings();
    let hosts = ["dead.example:25", "192.0.2.31:25", "192.0.2.32:25"];
    settings.routes.insert(&"corp.example".parse().unwrap(), Route::parse(&hosts).unwrap());
    let mut house = House::with(settings);
    let dead = ["192.0.2.41", "192.0.2.42"].map(|ip| ip.parse().unwrap());
    house.resolver.set_addresses("dead.example", Ok(dead.to_vec()));
    let refusing =
        NextHop::scripted(|_, at| if at == "CONNECT" { say("554 not me") } else { None });
    refusing.listen(&house.network, "192.0.2.31:25");
    let hop = NextHop::willing();
    hop.listen(&house.network, "192.0.2.32:25");
    house.start();
    house.accept(&["bob@corp.example"]);
    house.settle().await;
    assert_eq!(hop.seen().messages.len(), 1, "{:?}", house.story());
}

#[tokio::test]
async fn recipients_are_split_by_the_limit_of_the_next_hop() {
    let mut house = House::new();
    let extensions = ["PIPELINING", "LIMITS RCPTMAX=3"];
    let hop = NextHop::new(&extensions, Box::new(|_, _| None));
    hop.listen(&house.network, HOP);
    house.start();
    let recipients: Vec<_> = (0..8).map(|n| format!("user{n}@corp.example")).collect();
    house.accept(&recipients.iter().map(String::as_str).collect::<Vec<_>>());
    house.settle().await;
    assert_eq!(hop.seen().messages.len(), 3);
    assert_eq!((hop.seen().connections, house.store.settled()), (1, 1));
    assert_eq!(house.deliverer.status().counts.delivered, 8);
}

#[tokio::test]
async fn too_many_recipients_for_the_next_hop_are_asked_again_at_once() {
    let mut house = House::new();
    let mut taken = 0;
    let hop = NextHop::scripted(move |_, at| {
        if at.starts_with("MAIL") {
            taken = 0;
        }
        if at.starts_with("RCPT") {
            taken += 1;
        }
        (at.starts_with("RCPT") && taken > 2).then(|| Do::Say("452 4.5.3 too many".into()))
    });
    hop.listen(&house.network, HOP);
    house.start();
    house.accept(&["a@corp.example", "b@corp.example", "c@corp.example", "d@corp.example"]);
    house.settle().await;
    assert_eq!(house.deliverer.status().counts.delivered, 4, "{:?}", house.story());
    assert_eq!(hop.seen().messages.len(), 2);
}

#[tokio::test]
async fn a_large_message_arrives_whole_and_dots_doubled() {
    let mut house = House::new();
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    house.start();
    let content = ".leading dot and more\r\n".repeat(40_000);
    let id = house.accept(&[]);
    let mut message = (*house.store.message(id).unwrap()).clone();
    message.content_octets = content.len() as u64;
    message.recipients.push(store::QueuedRecipient {
        path: types::ForwardPath::Address("bob@corp.example".parse().unwrap()),
        event: types::EventId::from_bytes([1; 16]),
        life_line: types::LifeLineId::from_bytes([2; 16]),
        state: store::RecipientState::Waiting { attempts: 0, due: super::START, warned: false },
    });
    house.store.put(message, content.as_bytes());
    // Pieces after the first are read on another thread: time must not pass.
    while house.store.depth().messages() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(hop.seen().messages[0] == format!("Received: here\r\n{content}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_forgotten_when_many_work_at_once() {
    let mut settings = settings();
    settings.hop.messages_per_connection_max = 50;
    let mut house = House::with(settings);
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    house.start();
    for _ in 0..2_000 {
        house.accept(&["bob@corp.example"]);
        tokio::task::yield_now().await;
    }
    // The clock stands still: what waits for time to pass would never go.
    for _ in 0..30_000 {
        if house.store.depth().messages() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(house.store.depth().messages(), 0);
    let counts = house.deliverer.status().counts;
    assert_eq!((counts.delivered, counts.put_off, hop.seen().messages.len()), (2_000, 0, 2_000));
}
