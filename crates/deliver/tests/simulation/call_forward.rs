//! Asking next hops about recipients.

use std::sync::Arc;
use std::time::Duration;

use types::finding::RecipientAnswer;
use types::{ForwardPath, Inconclusive, ReversePath};
use world::{Clock, ProbeAnswer, RecipientProbe};

use super::next_hop::{Do, NextHop};
use super::{HOP, House, settings};

/// Asks for `recipient` and lets time pass as far as that takes.
async fn ask_as(house: &House, sender: &str, recipient: &str) -> ProbeAnswer {
    let probe = house.deliverer.recipient_probe();
    let recipient = ForwardPath::Address(recipient.parse().unwrap());
    let reverse_path = match sender {
        "" => ReversePath::Null,
        sender => ReversePath::Address(sender.parse().unwrap()),
    };
    let task = tokio::spawn(async move {
        probe.probe(recipient.domain_key(), &reverse_path, &recipient).await
    });
    house.settle().await;
    while !task.is_finished() {
        house.clock.advance_to_next();
        house.settle().await;
    }
    task.await.unwrap()
}

async fn ask(house: &House, recipient: &str) -> ProbeAnswer {
    ask_as(house, "ann@sender.example", recipient).await
}

/// The answer in short.
fn short(answer: &ProbeAnswer) -> String {
    match &answer.answer {
        Ok(RecipientAnswer::Known) => "known".into(),
        Ok(RecipientAnswer::Unknown) => "unknown".into(),
        Ok(RecipientAnswer::Unproven(why)) => format!("unproven: {why:?}"),
        Ok(RecipientAnswer::SenderRefused(quoted)) => format!("sender refused: {quoted}"),
        Ok(RecipientAnswer::Refused(quoted)) => format!("refused: {quoted}"),
        Ok(RecipientAnswer::Deferred(quoted)) => format!("deferred: {quoted}"),
        Err(why) => format!("{why:?}"),
    }
}

/// What a reply at a step means.
async fn check(step: &'static str, what: Do, expected: &str) {
    let house = House::new();
    let hop = NextHop::scripted(move |_, at| at.starts_with(step).then(|| what.clone()));
    hop.listen(&house.network, HOP);
    assert_eq!(short(&ask(&house, "bob@corp.example").await), expected, "{step}");
    assert_eq!(hop.count("DATA"), 0);
}

#[tokio::test]
async fn replies_mean_what_the_table_of_reasons_says() {
    let say = |line: &str| Do::Say(line.into());
    check("MAIL", say("250 ok"), "known").await;
    check("MAIL", say("550 5.7.1 not you"), "sender refused: 550 5.7.1 not you").await;
    check("MAIL", say("451 4.3.0 wait"), "deferred: 451 4.3.0 wait").await;
    for unknown in ["550 5.1.1 who", "550 5.1.10 who", "550 who", "551 who", "553 who"] {
        check("RCPT", say(unknown), "unknown").await;
    }
    check("RCPT", say("550 5.7.1 no"), "refused: 550 5.7.1 no").await;
    check("RCPT", say("552 5.2.2 full"), "refused: 552 5.2.2 full").await;
    check("RCPT", say("554 no"), "refused: 554 no").await;
    check("RCPT", say("450 4.2.1 busy"), "deferred: 450 4.2.1 busy").await;
    check("RCPT", say("421 4.3.2 closing"), "deferred: 421 4.3.2 closing").await;
    check("CONNECT", say("554 no service"), "Unreachable").await;
    check("CONNECT", say("what?"), "Malformed").await;
    check("RCPT", say("what?"), "Malformed").await;
    check("RCPT", Do::Drop, "Unreachable").await;
    check("RCPT", Do::Hang, "TimedOut").await;
}

#[tokio::test]
async fn who_cannot_be_reached_gives_no_answer_in_time() {
    let house = House::new();
    assert_eq!(short(&ask(&house, "bob@corp.example").await), "Unreachable");
    house.network.silence(HOP.parse().unwrap());
    let before = house.clock.now();
    let answer = ask(&house, "bob@corp.example").await;
    assert_eq!(answer.answer, Err(Inconclusive::TimedOut));
    assert_eq!(house.clock.now().since(before), Duration::from_secs(10));
}

#[tokio::test]
async fn one_connection_serves_many_questions() {
    let house = House::new();
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    for n in 0..5 {
        let answer = ask(&house, &format!("user{n}@corp.example")).await;
        assert_eq!((short(&answer).as_str(), answer.age_s), ("known", None));
    }
    assert_eq!((hop.seen().connections, hop.count("RSET")), (1, 4));
    house.pass(Duration::from_secs(40)).await;
    assert_eq!(hop.count("QUIT"), 1);
}

#[tokio::test]
async fn answers_to_rcpt_are_remembered_for_their_time() {
    let house = House::new();
    let hop = NextHop::scripted(|_, at| match at {
        "RCPT TO:<no@corp.example>" => Some(Do::Say("550 5.1.1 who".into())),
        "RCPT TO:<later@corp.example>" => Some(Do::Say("450 4.2.1 busy".into())),
        _ => None,
    });
    hop.listen(&house.network, HOP);
    for name in ["yes", "no", "later"] {
        ask(&house, &format!("{name}@corp.example")).await;
    }
    house.pass(Duration::from_secs(200)).await;
    assert_eq!(ask(&house, "YES@corp.example").await.age_s, Some(200));
    assert_eq!(ask(&house, "no@corp.example").await.age_s, Some(200));
    assert_eq!(ask(&house, "later@corp.example").await.age_s, None);
    // Another sender is another question.
    assert_eq!(ask_as(&house, "", "yes@corp.example").await.age_s, None);
    house.pass(Duration::from_secs(200)).await;
    assert_eq!(ask(&house, "no@corp.example").await.age_s, None);
    house.pass(Duration::from_secs(3_600)).await;
    assert_eq!(ask(&house, "yes@corp.example").await.age_s, None);
}

#[tokio::test]
async fn what_many_ask_at_once_is_asked_once() {
    let house = House::new();
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    let probe = house.deliverer.recipient_probe();
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let probe = Arc::clone(&probe);
            tokio::spawn(async move {
                let bob = ForwardPath::Address("bob@corp.example".parse().unwrap());
                probe.probe("corp.example", &ReversePath::Null, &bob).await
            })
        })
        .collect();
    house.settle().await;
    for answer in asked {
        assert_eq!(short(&answer.await.unwrap()), "known");
    }
    assert_eq!((hop.seen().connections, hop.count("RCPT")), (1, 1));
}

#[tokio::test]
async fn no_more_questions_at_once_than_the_limit() {
    let mut settings = settings();
    settings.probe.connections_max = 3;
    let house = House::with(settings);
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    let probe = house.deliverer.recipient_probe();
    let asked: Vec<_> = (0..50)
        .map(|n| {
            let probe: Arc<dyn RecipientProbe> = Arc::clone(&probe);
            tokio::spawn(async move {
                let user = format!("user{n}@corp.example").parse().unwrap();
                let user = ForwardPath::Address(user);
                probe.probe("corp.example", &ReversePath::Null, &user).await
            })
        })
        .collect();
    for _ in 0..5 {
        house.settle().await;
    }
    for answer in asked {
        assert_eq!(short(&answer.await.unwrap()), "known");
    }
    assert!(hop.seen().open_max <= 3, "{}", hop.seen().open_max);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced() {
    let house = House::new();
    let hop = NextHop::scripted(|number, at| (number == 1 && at == "RSET").then_some(Do::Drop));
    hop.listen(&house.network, HOP);
    assert_eq!(short(&ask(&house, "one@corp.example").await), "known");
    assert_eq!(short(&ask(&house, "two@corp.example").await), "known");
    assert_eq!(hop.seen().connections, 2);
}

#[tokio::test]
async fn asking_shows_whether_smtputf8_is_offered() {
    let house = House::new();
    let probe = house.deliverer.recipient_probe();
    assert_eq!(probe.smtputf8("corp.example"), None);
    let hop = NextHop::willing();
    hop.listen(&house.network, HOP);
    let answer = ask(&house, "b\u{fc}ro@corp.example").await;
    assert!(short(&answer).starts_with("refused: 5.6.7"), "{answer:?}");
    assert_eq!(probe.smtputf8("corp.example"), Some(false));
}
