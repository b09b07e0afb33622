//! Who is told of a failure, and who is not.

use deliver::{BounceLimits, Route};
use types::{ForwardPath, ReversePath};

use super::next_hop::{NextHop, say};
use super::{HOP, House, settings};

const SMART_HOST: &str = "192.0.2.60:25";

/// A house whose next hop refuses everybody and whose notices go to a smart
/// host.
fn refusing(limits: BounceLimits, refusal: &'static str) -> (House, NextHop) {
    let mut settings = settings();
    settings.bounces = limits;
    settings.routes.set_elsewhere(Route::parse(&[SMART_HOST]).unwrap());
    let mut house = House::with(settings);
    let hop =
        NextHop::scripted(move |_, at| if at.starts_with("RCPT") { say(refusal) } else { None });
    hop.listen(&house.network, HOP);
    let smart_host = NextHop::willing();
    smart_host.listen(&house.network, SMART_HOST);
    house.start();
    (house, smart_host)
}

#[tokio::test]
async fn a_refused_recipient_is_reported_to_the_sender_once() {
    let (house, smart_host) = refusing(BounceLimits::default(), "550 5.2.1 disabled");
    house.accept(&["bob@corp.example", "cid@corp.example"]);
    house.settle().await;
    assert_eq!(
        house.story(),
        [
            "bob@corp.example rejected #1 550 5.2.1 disabled",
            "bob@corp.example bounced",
            "cid@corp.example rejected #1 550 5.2.1 disabled",
            "cid@corp.example bounced",
            "ann@sender.example notice delivered #1 250 2.0.0 taken",
        ]
    );
    let notice = &smart_host.seen().messages[0];
    assert!(notice.contains("bob@corp.example 5.2.1") && notice.contains("cid@corp.example 5.2.1"));
    assert_eq!(smart_host.count("MAIL FROM:<>"), 1);
    assert_eq!(smart_host.count("RCPT TO:<ann@sender.example>"), 1);
}

/// What comes of a notice to a domain with this mail exchanger.
async fn notice_to(address: &str, by_smart_host: bool) -> (Vec<String>, usize) {
    let mut settings = settings();
    if by_smart_host {
        let route = Route::parse(&[&format!("{address}:25")]).unwrap();
        settings.routes.set_elsewhere(route);
    }
    let mut house = House::with(settings);
    let mx = "mx.sender.example".parse().unwrap();
    house.resolver.set_mx_host(&"sender.example".parse().unwrap(), &mx);
    house.resolver.set_addresses("mx.sender.example", Ok(vec![address.parse().unwrap()]));
    let hop =
        NextHop::scripted(
            |_, at| {
                if at.starts_with("RCPT") { say("550 5.2.1 disabled") } else { None }
            },
        );
    hop.listen(&house.network, HOP);
    let inside = NextHop::willing();
    inside.listen(&house.network, &format!("{address}:25"));
    house.start();
    house.accept(&["bob@corp.example"]);
    house.settle().await;
    (house.story(), inside.seen().connections)
}

#[tokio::test]
async fn a_notice_is_not_aimed_inward_by_whoever_owns_the_senders_domain() {
    for address in ["127.0.0.1", "10.0.0.7", "169.254.169.254"] {
        let (story, connections) = notice_to(address, false).await;
        assert_eq!(connections, 0, "{address}");
        let refused = "ann@sender.example notice rejected #1 - 5.4.4 mx.sender.example:25: \
                       its address is not a public one";
        assert!(story.contains(&refused.to_owned()), "{address}: {story:?}");
        // What the operator chose is as he wants it.
        let (story, connections) = notice_to(address, true).await;
        assert_eq!(connections, 1, "{address}: {story:?}");
    }
    assert_eq!(notice_to("203.0.113.25", false).await.1, 1);
}

#[tokio::test]
async fn a_failed_notice_is_answered_by_nothing() {
    let (house, smart_host) = refusing(BounceLimits::default(), "550 5.2.1 disabled");
    smart_host.listen(&house.network, "192.0.2.61:25");
    house.accept_as(&["bob@corp.example"], |message| {
        message.reverse_path = ReversePath::Null.into();
    });
    // Even one that has a reverse-path, which ours never have.
    house.accept_as(&["cid@corp.example"], |message| message.notice = true);
    house.settle().await;
    let story = house.story();
    assert!(story.contains(&"bob@corp.example suppressed NullReversePath".into()), "{story:?}");
    let refused = "cid@corp.example notice rejected #1 550 5.2.1 disabled".to_owned();
    assert!(story.contains(&refused), "{story:?}");
    assert!(!story.iter().any(|step| step.starts_with("cid@corp.example suppressed")), "{story:?}");
    assert_eq!(smart_host.seen().messages.len(), 0);
}

#[tokio::test]
async fn notices_beyond_the_rate_are_not_sent_and_that_is_recorded() {
    let limits = BounceLimits { per_minute_max: 60, per_domain_per_minute_max: 3 };
    let (house, smart_host) = refusing(limits, "550 5.2.1 disabled");
    for _ in 0..5 {
        house.accept(&["bob@corp.example"]);
    }
    house.settle().await;
    let counts = house.deliverer.status().counts;
    assert_eq!((counts.bounced, counts.bounces_suppressed), (3, 2));
    assert_eq!(smart_host.seen().messages.len(), 3);
    assert!(house.story().contains(&"bob@corp.example suppressed RateLimited".into()));
}

#[tokio::test]
async fn an_address_beyond_ascii_needs_a_next_hop_that_takes_it() {
    let (house, smart_host) = refusing(BounceLimits::default(), "250 fine");
    let address = "b\u{fc}ro@corp.example";
    house.accept_as(&["bob@corp.example", "x@corp.example"], |message| {
        message.recipients[1].path = ForwardPath::Address(address.parse().unwrap());
    });
    house.settle().await;
    let why = "rejected #1 - 5.6.7 the next hop does not offer SMTPUTF8";
    let story = house.story();
    assert!(story.contains(&format!("{address} {why}")), "{story:?}");
    assert!(story.contains(&"bob@corp.example delivered #1 250 2.0.0 taken".into()), "{story:?}");
    assert!(smart_host.seen().messages[0].contains(" 5.6.7 "));
    assert_eq!(house.deliverer.recipient_probe().smtputf8("corp.example"), Some(false));
}

#[tokio::test]
async fn an_address_beyond_ascii_goes_where_smtputf8_is_offered() {
    let mut house = House::new();
    let hop = NextHop::new(&["SMTPUTF8", "8BITMIME"], Box::new(|_, _| None));
    hop.listen(&house.network, HOP);
    house.start();
    house.accept(&["b\u{fc}ro@corp.example"]);
    house.settle().await;
    assert_eq!(hop.seen().messages.len(), 1, "{:?}", house.story());
    assert_eq!(hop.count("MAIL FROM:<ann@sender.example> SMTPUTF8"), 1);
    assert_eq!(house.deliverer.recipient_probe().smtputf8("corp.example"), Some(true));
}

#[tokio::test]
async fn a_failure_that_cannot_be_told_is_no_end() {
    let (house, smart_host) = refusing(BounceLimits::default(), "550 5.2.1 disabled");
    house.accept(&["bob@corp.example"]);
    house.store.full.store(true, std::sync::atomic::Ordering::Relaxed);
    house.settle().await;
    house.store.full.store(false, std::sync::atomic::Ordering::Relaxed);
    house.pass(std::time::Duration::from_secs(400)).await;
    let story = house.story();
    assert!(story.contains(&"bob@corp.example bounced".into()), "{story:?}");
    assert_eq!(smart_host.seen().messages.len(), 1);
}
