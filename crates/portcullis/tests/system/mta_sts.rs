//! MTA-STS: a domain of the world with a policy at a web host of its own, and
//! a mail server that does not always prove who it is.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use testkit::{DnsServer, DnsTable};

use crate::client::Client;
use crate::gateway::{BOB, Gateway};
use crate::sink::Sink;
use crate::waiting::{free_port, wait_for};

const SOON: Duration = Duration::from_secs(30);
const SUE: &str = "sue@world.example";
const TEXT: &str = "From: Bob <bob@corp.example>\r\nSubject: Lunch\r\n\r\nAt one?\r\n";
const FORBIDDEN: &str = "the MTA-STS policy of world.example forbids it: ";

/// A server's side of TLS with a certificate for `name`, and that as PEM.
fn certified(name: &str) -> (Arc<ServerConfig>, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), cert.pem())
}

/// A web host that answers every request with this policy; without one it
/// closes the connection.
fn web_host(tls: Arc<ServerConfig>, policy: Arc<Mutex<Option<String>>>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Some(policy) = policy.lock().unwrap().clone() else { continue };
            let session = ServerConnection::new(Arc::clone(&tls)).unwrap();
            let mut stream = StreamOwned::new(session, stream);
            let mut asked = Vec::new();
            let mut octets = [0; 1_024];
            while !asked.ends_with(b"\r\n\r\n") {
                let Ok(read @ 1..) = stream.read(&mut octets) else { break };
                asked.extend_from_slice(&octets[..read]);
            }
            if !asked.starts_with(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n") {
                continue;
            }
            let length = policy.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n\
                 {policy}"
            );
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.flush();
        }
    });
    port
}

/// The names of the world, with a record of the policy if there is one.
fn names(id: Option<&str>) -> DnsTable {
    let here = Ipv4Addr::LOCALHOST.into();
    let table = DnsTable::new()
        .mx("world.example", 10, "mx.world.example")
        .address("mx.world.example", here)
        .address("mta-sts.world.example", here);
    match id {
        Some(id) => table.txt("_mta-sts.world.example", &format!("v=STSv1; id={id};")),
        None => table,
    }
}

/// Everything around the gateway.
struct World {
    gateway: Gateway,
    outbound: SocketAddr,
    mx: Sink,
    dns: DnsServer,
    policy: Arc<Mutex<Option<String>>>,
    /// The certificate that is trusted.
    good: Arc<ServerConfig>,
    /// What the name server runs in.
    _runtime: tokio::runtime::Runtime,
}

impl World {
    fn start(mode: &str) -> World {
        World::logging(mode, "info")
    }

    fn logging(mode: &str, level: &str) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
        let dns = runtime.block_on(DnsServer::start(names(Some("1")))).unwrap();
        let (good, mx_certificate) = certified("mx.world.example");
        let (web_tls, web_certificate) = certified("mta-sts.world.example");
        let text = format!("version: STSv1\nmode: {mode}\nmx: *.world.example\nmax_age: 604800\n");
        let policy = Arc::new(Mutex::new(Some(text)));
        let web_port = web_host(web_tls, Arc::clone(&policy));
        let (inside, mx) = (Sink::start(), Sink::start());
        mx.show(Some(Arc::clone(&good)));
        let outbound = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let gateway = Gateway::before(
            &inside,
            &format!("[dns]\nresolver = [\"{}\"]\n[log]\nlevel = \"{level}\"", dns.at()),
        );
        gateway.write("ca.pem", &(mx_certificate + &web_certificate));
        let delivery = format!(
            "[delivery]\nmx_port = {}\nmta_sts_port = {web_port}\nmx_inward = [\"127.0.0.0/8\"]\n\
             ca_file = \"{}\"\nkeep_open = \"100ms\"\n[[smtp.listener]]\nlisten = \"{outbound}\"\n\
             role = \"outbound\"\nallow_from = [\"127.0.0.0/8\"]",
            mx.address.port(),
            gateway.path("ca.pem").display(),
        );
        gateway.write_settings(&delivery);
        World { gateway: gateway.start(), outbound, mx, dns, policy, good, _runtime: runtime }
    }

    /// Sends one message; its life-line once something like this happened.
    fn send(&self, happened: &str) -> String {
        let mut server = Client::hello(self.outbound).unwrap();
        let taken = server.deliver(BOB, SUE, TEXT).unwrap();
        assert_eq!(taken.code, 250, "{taken}");
        let reference = taken.reference().unwrap();
        wait_for(SOON, happened, || {
            let life = self.gateway.ask(&["--json", "life", reference]).out;
            life.contains(happened).then_some(life)
        })
    }

    /// Whether so many sessions with TLS 1.3 were opened, verified or not.
    fn sessions(&self, verified: &str, count: u64) -> bool {
        let labels = format!("direction=\"out\",version=\"TLSv1.3\",verified=\"{verified}\"");
        self.metric(&format!("portcullis_tls_sessions_total{{{labels}}} {count}"))
    }

    fn metric(&self, line: &str) -> bool {
        let (_, text) = self.gateway.get(self.gateway.metrics, "/metrics").unwrap();
        text.lines().any(|other| other == line)
    }
}

#[test]
fn mail_waits_for_a_server_that_proves_who_it_is_over_a_restart() {
    let mut world = World::start("enforce");
    let life = world.send("certificate verified, MTA-STS enforce");
    assert!(life.contains("TLSv1.3 (certificate verified, MTA-STS enforce)"), "{life}");
    assert_eq!(world.mx.wait(1, SOON).len(), 1);
    assert!(world.metric("portcullis_mta_sts_fetches_total{result=\"fetched\"} 1"));
    assert!(world.sessions("yes", 1) && world.sessions("no", 0));
    let told = world.gateway.ask_json(&["dns", "mta-sts", "world.example"]).remove(0);
    assert_eq!(told["published"]["id"], "1", "{told}");
    assert_eq!(told["published"]["policy"]["mode"], "enforce", "{told}");
    assert_eq!(told["mail_servers"][0]["listed"], true, "{told}");

    // Somebody stands between us and the world: the record is gone, the web
    // host is silent, and the mail server is another.
    world.gateway.stop();
    world.dns.replace(names(None));
    *world.policy.lock().unwrap() = None;
    world.mx.show(Some(certified("mx.world.example").0));
    world.gateway.launch();
    let life = world.send(FORBIDDEN);
    assert!(life.contains("invalid peer certificate"), "{life}");
    world.gateway.wait_logged("delivery_deferred");
    let log = world.gateway.log();
    let line = log.lines().find(|line| line.contains("\"event\":\"delivery_deferred\"")).unwrap();
    assert!(line.contains("\"tls_policy\":\"mta-sts enforce\""), "{line}");
    assert!(line.contains(FORBIDDEN) && line.contains("certificate not verified"), "{line}");
    assert!(!world.metric("portcullis_mta_sts_refusals_total 0"));
    let told = world.gateway.ask_json(&["dns", "mta-sts", "world.example"]).remove(0);
    assert_eq!(told["kept"]["id"], "1", "{told}");
    assert!(told["published"]["problem"].is_string(), "{told}");
    assert!(told["delivery"].as_str().unwrap().starts_with("to listed"), "{told}");
    // Nor in clear text. A person reads why.
    world.mx.show(None);
    let ids = world.gateway.ask_json(&["queue", "list"]);
    let id = ids[0]["id"].as_str().unwrap_or_default().to_owned();
    world.gateway.ask(&["--yes", "queue", "retry", &id]);
    let reads = format!("{FORBIDDEN}it does not offer TLS");
    wait_for(SOON, &reads, || {
        let shown = world.gateway.ask(&["queue", "show", &id]).out;
        shown.contains(&reads).then_some(())
    });
    assert_eq!(world.mx.count(), 1);
    // Once it is itself again, the mail that waited goes.
    world.mx.show(Some(Arc::clone(&world.good)));
    world.gateway.ask(&["--yes", "queue", "retry", &id]);
    assert_eq!(world.mx.wait(2, SOON).len(), 2);
    world.gateway.wait_queue_empty(SOON);
    world.gateway.audit_conservation();
}

#[test]
fn a_policy_on_trial_is_told_and_holds_nothing_up() {
    let world = World::logging("testing", "debug");
    world.mx.show(Some(certified("mx.world.example").0));
    let life = world.send("MTA-STS testing would refuse: invalid peer certificate");
    assert!(life.contains("certificate not verified"), "{life}");
    assert_eq!(world.mx.wait(1, SOON).len(), 1);
    assert!(world.sessions("yes", 0) && world.sessions("no", 1));
    world.gateway.wait_logged("delivered");
    let log = world.gateway.log();
    let line = log.lines().find(|line| line.contains("\"event\":\"delivered\"")).unwrap();
    assert!(line.contains("\"tls_policy\":\"mta-sts testing\""), "{line}");
    assert!(line.contains("MTA-STS testing would refuse: invalid peer certificate"), "{line}");
    world.gateway.audit_conservation();
}
