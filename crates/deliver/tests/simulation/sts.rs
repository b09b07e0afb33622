//! MTA-STS: policies of other domains, and what they do to mail for them.

mod named;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deliver::{DeliverySettings, Route, RoutingTable, StsSettings, TlsUse};
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use types::{Direction, EventKind, FollowUp};
use world::simulated::SimulatedListener;
use world::{DnsError, MxAnswer, MxHost};

use super::House;
use super::next_hop::{Do, NextHop, Script};

const DAY: Duration = Duration::from_secs(86_400);
const FIRST: &str = "192.0.2.1:25";
const SECOND: &str = "192.0.2.2:25";
const RECORD: &str = "_mta-sts.world.example";
const VERIFIED: &str = "TLSv1.3 (certificate verified, MTA-STS enforce)";
const FORBIDDEN: &str = "the MTA-STS policy of world.example forbids it: ";

/// A server's side of TLS with a certificate for `name`, and that.
fn certified(name: &str) -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// The web host of a policy; without a document it closes connections.
#[derive(Clone, Default)]
struct Web {
    document: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Web {
    fn publish(&self, mode: &str, mx: &str, days: u32) {
        let seconds = (DAY * days).as_secs();
        let document =
            format!("version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: {seconds}\r\n");
        *self.document.lock().unwrap() = Some(document);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    async fn serve(self, mut listener: SimulatedListener, tls: TlsAcceptor) {
        while let Some((stream, _)) = listener.accept().await {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let document = self.document.lock().unwrap().clone();
            let (Some(document), tls) = (document, tls.clone()) else { continue };
            tokio::spawn(async move {
                let Ok(mut stream) = tls.accept(stream).await else { return };
                let mut asked = [0; 1_024];
                let read = stream.read(&mut asked).await.unwrap_or(0);
                assert!(asked[..read].starts_with(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n"));
                let length = document.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n\
                     {document}"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    }
}

/// A gateway that sends to `world.example`, whose exchangers are
/// `mx1.world.example` and then `mx2.world.example`.
struct World {
    house: House,
    web: Web,
    /// The certificate of the first, which is trusted.
    good: TlsAcceptor,
    _folder: TempDir,
}

fn settings() -> DeliverySettings {
    let mut routes = RoutingTable::new();
    routes.insert(&"corp.example".parse().unwrap(), Route::parse(&["mx"]).unwrap());
    let mut settings = DeliverySettings::new("gate.example", routes);
    settings.mta_sts = Some(StsSettings { port: 443 });
    settings
}

impl World {
    fn new() -> World {
        World::with(settings())
    }

    fn with(settings: DeliverySettings) -> World {
        let (good, first) = certified("mx1.world.example");
        let (web_tls, web_certificate) = certified("mta-sts.world.example");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, first + &web_certificate).unwrap();
        let house = House::trusting(Some(&file), settings);
        let names = [
            ("mx1.world.example", "192.0.2.1"),
            ("mx2.world.example", "192.0.2.2"),
            ("mta-sts.world.example", "203.0.113.80"),
        ];
        for (name, ip) in names {
            house.resolver.set_addresses(name, Ok(vec![ip.parse().unwrap()]));
        }
        let mx = |preference, host: &str| MxHost { preference, host: host.parse().unwrap() };
        let hosts = vec![mx(10, "mx1.world.example"), mx(20, "mx2.world.example")];
        house.resolver.set_mx(&"world.example".parse().unwrap(), Ok(MxAnswer::Hosts(hosts)));
        let web = Web::default();
        let listener = house.network.listen("203.0.113.80:443".parse().unwrap());
        tokio::spawn(web.clone().serve(listener, web_tls));
        World { house, web, good, _folder: folder }
    }

    /// Announces this version.
    fn announce(&self, id: &str) {
        let record = format!("v=STSv1; id={id};").into_bytes();
        self.house.resolver.set_texts(RECORD, Ok(vec![record]));
    }

    /// A policy that names the first exchanger.
    fn with_policy(mode: &str) -> World {
        let mut world = World::new();
        world.announce("1");
        world.web.publish(mode, "mx1.world.example", 7);
        world.house.start();
        world
    }

    /// The first exchanger, with its trusted certificate.
    fn first(&self) -> NextHop {
        let hop = offering(Box::new(|_, _| None)).with_tls(self.good.clone());
        hop.listen(&self.house.network, FIRST);
        hop
    }

    /// An exchanger with a certificate of nobody that is known.
    fn impostor(&self, at: &str) -> NextHop {
        let hop = offering(Box::new(|_, _| None)).with_tls(certified("mx1.world.example").0);
        hop.listen(&self.house.network, at);
        hop
    }

    /// Sends one message and lets it be tried; the last event.
    async fn send(&self) -> (Option<String>, String) {
        self.house.accept_as(&["sue@world.example"], |message| {
            Arc::make_mut(&mut message.client).client.direction = Direction::Outbound;
        });
        self.settle().await;
        self.last()
    }

    async fn settle(&self) {
        for _ in 0..8 {
            self.house.settle().await;
        }
    }

    /// What the last event says of TLS, and what it says.
    fn last(&self) -> (Option<String>, String) {
        let events = self.house.store.events();
        let tls = match &events.last().unwrap().kind {
            EventKind::FollowUp {
                what: FollowUp::Delivered(attempt) | FollowUp::DeliveryDeferred { attempt, .. },
                ..
            } => attempt.tls.as_ref().map(ToString::to_string),
            other => panic!("{other:?}"),
        };
        (tls, self.house.story().pop().unwrap())
    }

    async fn check_delivered(&self, tls: &str) {
        let (told, story) = self.send().await;
        assert!(story.contains(" delivered "), "{story}");
        assert_eq!(told.as_deref(), Some(tls));
    }

    async fn check_deferred(&self, why: &str) {
        let (_, story) = self.send().await;
        assert!(story.contains(" deferred #1 - "), "{story}");
        assert!(story.contains(why), "{story}");
        self.house.deliverer.try_now();
    }

    fn counts(&self) -> deliver::DeliveryCounts {
        self.house.deliverer.status().counts
    }
}

fn offering(script: Script) -> NextHop {
    NextHop::new(&["PIPELINING", "STARTTLS"], script)
}

#[tokio::test]
async fn mail_goes_to_a_listed_host_that_proves_who_it_is_and_the_policy_is_fetched_once() {
    let world = World::with_policy("enforce");
    let hop = world.first();
    world.check_delivered(VERIFIED).await;
    world.house.pass(Duration::from_secs(60)).await;
    world.check_delivered(VERIFIED).await;
    assert_eq!(hop.seen().connections, 2);
    assert_eq!((world.web.asked(), world.counts().sts_policies_fetched), (1, 1));
    let counts = world.counts();
    assert_eq!((counts.sessions_tls13, counts.sessions_verified_tls13), (2, 2));
    // Another version is fetched, and counts.
    world.web.publish("enforce", "*.other.example", 7);
    world.announce("2");
    world.house.pass(Duration::from_secs(60)).await;
    world.check_deferred(&format!("{FORBIDDEN}it does not list this host")).await;
    assert_eq!(world.web.asked(), 2);
}

#[tokio::test]
async fn a_wrong_certificate_defers_until_the_sender_is_told_why() {
    let world = World::with_policy("enforce");
    let hop = world.impostor(FIRST);
    world.check_deferred(&format!("{FORBIDDEN}invalid peer certificate")).await;
    let (tls, _) = world.last();
    assert!(tls.unwrap().starts_with("TLSv1.3 (certificate not verified, MTA-STS enforce refuses"));
    world.house.pass_until_empty().await;
    let story = world.house.story();
    assert!(story.iter().all(|line| !line.contains("delivered")), "{story:?}");
    let expired = story.iter().find(|line| line.contains(" expired ")).unwrap();
    assert!(expired.contains(FORBIDDEN), "{expired}");
    assert!(story.iter().any(|line| line.contains(" bounced")), "{story:?}");
    assert_eq!((hop.count("MAIL"), hop.seen().messages.len()), (0, 0));
    assert!(world.counts().sts_hosts_refused > 1);
    assert_eq!(world.counts().sessions_verified_tls13, 0);
}

#[tokio::test]
async fn only_listed_hosts_are_tried() {
    let world = World::with_policy("enforce");
    let second = world.impostor(SECOND);
    // Nobody is at the first; the second would take it.
    world.check_deferred("connecting to 192.0.2.1:25: connection refused").await;
    assert_eq!(second.seen().connections, 0);
    let hop = world.first();
    world.check_delivered(VERIFIED).await;
    assert_eq!((hop.seen().messages.len(), second.seen().connections), (1, 0));
}

#[tokio::test]
async fn that_a_listed_host_is_gone_does_not_make_a_refusal_final() {
    let world = World::with_policy("enforce");
    let second = world.impostor(SECOND);
    world.house.resolver.set_addresses("mx1.world.example", Err(DnsError::NoSuchName));
    world.check_deferred(&format!("{FORBIDDEN}it does not list this host")).await;
    assert_eq!(second.seen().connections, 0);
}

#[tokio::test]
async fn nothing_goes_in_clear_text_where_a_policy_is_enforced() {
    let world = World::with_policy("enforce");
    let silent = NextHop::willing();
    silent.listen(&world.house.network, FIRST);
    world.check_deferred(&format!("{FORBIDDEN}it does not offer TLS")).await;
    let refuse = |_: usize, at: &str| (at == "STARTTLS").then(|| Do::Say("454 not now".into()));
    let refusing = offering(Box::new(refuse));
    refusing.listen(&world.house.network, FIRST);
    world.check_deferred(&format!("{FORBIDDEN}STARTTLS refused: 454 not now")).await;
    let talk = |_: usize, at: &str| (at == "STARTTLS").then_some(Do::Flood("220 go\r\nor not\r\n"));
    let talking = offering(Box::new(talk));
    talking.listen(&world.house.network, FIRST);
    world.check_deferred(&format!("{FORBIDDEN}TLS handshake failed")).await;
    for hop in [silent, refusing, talking] {
        assert_eq!(hop.count("MAIL"), 0);
    }
}

#[tokio::test]
async fn what_was_promised_once_counts_whatever_becomes_of_record_and_web_host() {
    let world = World::with_policy("enforce");
    world.first();
    world.check_delivered(VERIFIED).await;
    world.house.pass(Duration::from_secs(60)).await;
    world.impostor(FIRST);
    *world.web.document.lock().unwrap() = None;
    for answer in [
        Err(DnsError::NoSuchName),
        Err(DnsError::TimedOut),
        Ok(vec![b"v=STSv1; id=;".to_vec()]),
        Ok(vec![b"v=STSv1; id=2;".to_vec()]),
    ] {
        world.house.resolver.set_texts(RECORD, answer);
        world.check_deferred(FORBIDDEN).await;
    }
    assert_eq!(world.counts().sts_fetches_failed, 1);
    // Only for the time it was promised for.
    world.house.resolver.set_texts(RECORD, Err(DnsError::NoSuchName));
    world.house.pass(DAY * 7).await;
    world.house.deliverer.try_now();
    world.check_delivered("TLSv1.3 (certificate not verified)").await;
}

#[tokio::test]
async fn a_policy_outlives_a_restart() {
    let mut world = World::with_policy("enforce");
    world.first();
    world.check_delivered(VERIFIED).await;
    world.house.restart(settings()).await;
    world.impostor(FIRST);
    world.house.resolver.set_texts(RECORD, Err(DnsError::NoSuchName));
    world.check_deferred(FORBIDDEN).await;
    assert_eq!(world.web.asked(), 1);
}

#[tokio::test]
async fn a_policy_on_trial_is_recorded_and_holds_nothing_up() {
    let world = World::with_policy("testing");
    world.first();
    world.check_delivered("TLSv1.3 (certificate verified, MTA-STS testing)").await;
    world.house.pass(Duration::from_secs(60)).await;
    world.impostor(FIRST);
    let (tls, story) = world.send().await;
    assert!(story.contains("delivered"), "{story}");
    let told = "TLSv1.3 (certificate not verified, MTA-STS testing would refuse: invalid peer";
    assert!(tls.as_ref().unwrap().starts_with(told), "{tls:?}");
    world.house.pass(Duration::from_secs(60)).await;
    NextHop::willing().listen(&world.house.network, FIRST);
    world.check_delivered("none (TLS not offered, MTA-STS testing would refuse it)").await;
    world.house.pass(Duration::from_secs(60)).await;
    world.web.publish("testing", "mx7.world.example", 7);
    world.announce("2");
    world.first();
    let told = "TLSv1.3 (certificate verified, MTA-STS testing would refuse: it does not list this \
                host)";
    world.check_delivered(told).await;
    assert_eq!(world.counts().sts_hosts_refused, 0);
}

#[tokio::test]
async fn without_a_policy_that_can_be_had_mail_goes_as_ever() {
    let world = World::with_policy("none");
    world.impostor(FIRST);
    let as_ever = "TLSv1.3 (certificate not verified)";
    world.check_delivered(as_ever).await;
    for (id, document) in [("2", None), ("3", Some("<html>".to_owned()))] {
        world.house.pass(Duration::from_secs(60)).await;
        *world.web.document.lock().unwrap() = document;
        world.announce(id);
        world.check_delivered(as_ever).await;
    }
    assert_eq!((world.web.asked(), world.counts().sts_fetches_failed), (3, 2));
    // The same version is not asked for again at every connection.
    world.house.pass(Duration::from_secs(60)).await;
    world.check_delivered(as_ever).await;
    assert_eq!(world.web.asked(), 3);
    world.web.publish("enforce", "mx1.world.example", 7);
    world.house.pass(Duration::from_secs(300)).await;
    world.check_deferred(FORBIDDEN).await;
}

#[tokio::test]
async fn a_policy_is_renewed_before_it_ends_without_any_mail() {
    let world = World::with_policy("enforce");
    world.first();
    world.check_delivered(VERIFIED).await;
    world.web.publish("enforce", "mx9.world.example", 7);
    world.house.pass(DAY + Duration::from_secs(3_600)).await;
    for _ in 0..3 {
        world.settle().await;
    }
    assert_eq!(world.web.asked(), 2);
    world.check_deferred(&format!("{FORBIDDEN}it does not list this host")).await;
}

#[tokio::test]
async fn a_connection_from_before_the_policy_carries_no_mail_after_it() {
    let mut world = World::new();
    // It takes its time for content, so that a second connection is needed.
    let hop = world.first();
    world.house.start();
    world.check_delivered("TLSv1.3 (certificate not verified)").await;
    world.announce("1");
    world.web.publish("enforce", "mx1.world.example", 7);
    // Two at once: one takes the connection that is there, one opens another
    // and so learns of the policy.
    let outbound = |message: &mut store::QueuedMessage| {
        Arc::make_mut(&mut message.client).client.direction = Direction::Outbound;
    };
    for _ in 0..2 {
        world.house.accept_as(&["sue@world.example"], outbound);
    }
    world.settle().await;
    assert_eq!((hop.seen().connections, hop.seen().messages.len()), (2, 3));
    assert_eq!(world.web.asked(), 1);
    for _ in 0..2 {
        world.house.accept_as(&["sue@world.example"], outbound);
    }
    world.settle().await;
    let events = world.house.store.events();
    let told: Vec<_> = events.iter().rev().take(2).collect();
    for event in told {
        let EventKind::FollowUp { what: FollowUp::Delivered(attempt), .. } = &event.kind else {
            panic!("{event:?}");
        };
        assert_eq!(attempt.tls.as_deref(), Some(VERIFIED));
    }
}

#[tokio::test]
async fn no_policy_counts_where_the_operator_chose_the_way_or_wants_none() {
    // Our own domain, by its exchangers.
    let mut world = World::new();
    world
        .house
        .resolver
        .set_mx_host(&"corp.example".parse().unwrap(), &"mx2.world.example".parse().unwrap());
    let record = b"v=STSv1; id=1;".to_vec();
    world.house.resolver.set_texts("_mta-sts.corp.example", Ok(vec![record]));
    world.impostor(SECOND);
    world.house.start();
    world.house.accept(&["bob@corp.example"]);
    world.settle().await;
    assert_eq!(world.last().0.as_deref(), Some("TLSv1.3 (certificate not verified)"));
    // Switched off, and without TLS at all.
    for (mta_sts, tls, told) in [
        (None, TlsUse::Opportunistic, Some("TLSv1.3 (certificate not verified)")),
        (Some(StsSettings { port: 443 }), TlsUse::Never, None),
    ] {
        let mut world = World::with(DeliverySettings { mta_sts, tls, ..settings() });
        world.announce("1");
        world.web.publish("enforce", "mx1.world.example", 7);
        world.impostor(FIRST);
        world.house.start();
        assert_eq!(world.send().await.0.as_deref(), told);
        assert_eq!(world.web.asked(), 0);
    }
}
