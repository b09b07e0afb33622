//! Recipients in a real slapd: read in pages over TLS, kept while it is away,
//! and guarded against answers that can hardly be meant.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::client::Client;
use crate::gateway::{Gateway, PERMITTED};
use crate::peer::{self, Peer};
use crate::sink::Sink;
use crate::waiting::{free_port, wait_for};

pub(crate) const SOON: Duration = Duration::from_secs(20);
/// More than a page of slapd, and than it gives at once.
const CROWD: usize = 130;

/// An authority, and a server's certificate of it with its key, PEM.
fn certificates() -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server_key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(names).unwrap();
    let server = params.signed_by(&server_key, &issuer).unwrap().pem();
    (authority, server, server_key.serialize_pem())
}

/// What slapd has at first.
fn people() -> String {
    let mut ldif = "dn: dc=ldap,dc=example\nobjectClass: domain\ndc: ldap\n\n\
         dn: cn=reader,dc=ldap,dc=example\nobjectClass: organizationalRole\n\
         objectClass: simpleSecurityObject\ncn: reader\nuserPassword: reading\n\n\
         dn: cn=Ann,dc=ldap,dc=example\nobjectClass: inetOrgPerson\nobjectClass: adPerson\n\
         objectClass: inetLocalMailRecipient\ncn: Ann\nsn: A\nmail: ann@ldap.example\n\
         proxyAddresses: SMTP:ann@ldap.example\nproxyAddresses: smtp:a.second@ldap.example\n\
         proxyAddresses: X500:/o=Corp/cn=ann\nproxyAddresses: sip:sip-only@ldap.example\n\
         mailLocalAddress: local@ldap.example\nuserAccountControl: 512\n\n\
         dn: cn=Gone,dc=ldap,dc=example\nobjectClass: inetOrgPerson\nobjectClass: adPerson\n\
         cn: Gone\nsn: G\nmail: gone@ldap.example\nuserAccountControl: 514\n\n\
         dn: cn=Odd,dc=ldap,dc=example\nobjectClass: inetOrgPerson\nobjectClass: adPerson\n\
         cn: Odd\nsn: O\nmail: odd@ldap.example\nrawMail:: //5Ab2RkLmV4YW1wbGU=\n\
         rawMail: *)(uid=*\nrawMail: raw@ldap.example\nmail: eve@elsewhere.example\n\n"
        .to_owned();
    for n in 0..CROWD {
        write!(
            ldif,
            "dn: cn=p{n},dc=ldap,dc=example\nobjectClass: inetOrgPerson\ncn: p{n}\nsn: P\n\
             mail: p{n}@ldap.example\n\n"
        )
        .unwrap();
    }
    ldif
}

/// Two free ports, one behind the other.
fn ports() -> u16 {
    wait_for(SOON, "two free ports", || {
        let port = free_port();
        // Another test may have been given the one between.
        (free_port() == port + 1).then_some(port)
    })
}

pub(crate) struct House {
    pub(crate) slapd: Peer,
    port: u16,
    pub(crate) gateway: Gateway,
    _sink: Sink,
}

/// A slapd, and a gateway that reads it over LDAPS.
fn house(layers: &Path) -> House {
    house_with(layers, "", "")
}

/// The same with more entries, and more said of the directory.
pub(crate) fn house_with(layers: &Path, entries: &str, more: &str) -> House {
    let (authority, server, key) = certificates();
    let port = ports();
    let files: [(&str, &[u8]); 4] = [
        ("people.ldif", &(people() + entries).into_bytes()),
        ("server.crt", server.as_bytes()),
        ("server.key", key.as_bytes()),
        ("ca.crt", authority.as_bytes()),
    ];
    let slapd = Peer::start(layers, "slapd", &port.to_string(), &files);
    let sink = Sink::start();
    let mut gateway = Gateway::before(&sink, "");
    gateway.write("ldap.secret", "reading\n");
    gateway.write("ca.crt", &authority);
    gateway.write("other-ca.crt", &certificates().0);
    gateway.write("wrong.secret", "guessing\n");
    gateway.write_settings(&settings(&gateway, &ldaps(port), "ldap.secret", "ca.crt", more));
    gateway.launch();
    House { slapd, port, gateway, _sink: sink }
}

fn ldaps(port: u16) -> String {
    format!("url = [\"ldaps://127.0.0.1:{}\"]", port + 1)
}

/// Tables of the settings for the directory.
fn settings(gateway: &Gateway, url: &str, secret: &str, authority: &str, more: &str) -> String {
    let (secret, authority) = (gateway.path(secret), gateway.path(authority));
    let pages = if more.contains("page_size") { "" } else { "page_size = 50\n" };
    format!(
        "[[domain]]\nname = \"ldap.example\"\nnext_hop = [\"127.0.0.1:9\"]\ndirectory = \"corp\"\n\
         [[directory]]\nname = \"corp\"\n{url}\nbase = \"dc=ldap,dc=example\"\n\
         bind_dn = \"cn=reader,dc=ldap,dc=example\"\npassword_file = \"{}\"\nca_file = \"{}\"\n\
         attributes = [\"mail\", \"proxyAddresses\", \"mailLocalAddress\", \"rawMail\"]\n\
         timeout = \"5s\"\ndisabled_accounts = false\n{pages}{more}\n",
        secret.display(),
        authority.display(),
    )
}

impl House {
    /// What RCPT to somebody is answered.
    fn code(&self, recipient: &str) -> u16 {
        let mut client = Client::hello(self.gateway.smtp).unwrap();
        assert_eq!(client.say(&format!("MAIL FROM:<{PERMITTED}>")).unwrap().code, 250);
        client.say(&format!("RCPT TO:<{recipient}>")).unwrap().code
    }

    pub(crate) fn sync(&self, more: &[&str]) -> (i32, String) {
        let said = self.gateway.ask(&[&["recipients", "sync", "corp", "--yes"], more].concat());
        (said.code, said.out + &said.err)
    }

    pub(crate) fn wait_read(&self) {
        wait_for(SOON, "the directory is read", || {
            (self.code("ann@ldap.example") == 250).then_some(())
        });
    }

    pub(crate) fn modify(&mut self, ldif: &str) {
        std::fs::write(self.slapd.folder().join("change.ldif"), ldif).unwrap();
        self.slapd.order("modify /peer/change.ldif");
    }

    /// Reloads with something else said of the directory.
    pub(crate) fn set(&self, more: &str) {
        let text = settings(&self.gateway, &ldaps(self.port), "ldap.secret", "ca.crt", more);
        self.gateway.write_settings(&text);
        let reloaded = self.gateway.ask(&["reload"]);
        assert_eq!(reloaded.code, 0, "{}", reloaded.err);
    }

    /// Another slapd with entries of its own, and the settings that name both,
    /// this one behind the first.
    pub(crate) fn another(&self, layers: &Path, entries: &str, more: &str) -> Peer {
        let port = ports();
        let file = |name: &str| std::fs::read(self.slapd.folder().join(name)).unwrap();
        let files: [(&str, &[u8]); 3] = [
            ("people.ldif", &(people() + entries).into_bytes()),
            ("server.crt", &file("server.crt")),
            ("server.key", &file("server.key")),
        ];
        let second = Peer::start(layers, "slapd", &port.to_string(), &files);
        let (one, two) = (self.port + 1, port + 1);
        let urls = format!("url = [\"ldaps://127.0.0.1:{one}\", \"ldaps://127.0.0.1:{two}\"]");
        let text = settings(&self.gateway, &urls, "ldap.secret", "ca.crt", more);
        self.gateway.write_settings(&text);
        let reloaded = self.gateway.ask(&["reload"]);
        assert_eq!(reloaded.code, 0, "{}", reloaded.err);
        second
    }

    /// Reads it with other settings; what that says.
    fn with(&self, url: &str, secret: &str, authority: &str, more: &str) -> (i32, String) {
        self.gateway.write_settings(&settings(&self.gateway, url, secret, authority, more));
        let reloaded = self.gateway.ask(&["reload"]);
        match reloaded.code {
            0 => self.sync(&["--dry-run"]),
            code => (code, reloaded.out + &reloaded.err),
        }
    }
}

#[test]
fn people_of_a_real_slapd_are_known_and_others_are_not() {
    let Some(layers) = peer::layers("recipients in slapd") else { return };
    let mut house = house(&layers);
    house.wait_read();
    for known in ["a.second", "local", "odd", "raw", "p0", "p129", "ANN"] {
        assert_eq!(house.code(&format!("{known}@ldap.example")), 250, "{known}");
    }
    for unknown in ["nobody", "gone", "sip-only", "\"*)(uid=*\"", "\"*\""] {
        assert_eq!(house.code(&format!("{unknown}@ldap.example")), 550, "{unknown}");
    }
    let rows = house.gateway.trace("to:nobody@ldap.example");
    assert_eq!(rows[0]["reason"], "recipient.unknown", "{rows:?}");
    let status = house.gateway.ask_json(&["recipients", "directories"]).remove(0);
    assert_eq!(status["recipients"], CROWD + 5, "{status}");
    assert_eq!(status["last"]["pages"], 3, "{status}");
    for (what, count) in [("switched_off", 1), ("no_address", 2), ("elsewhere", 1)] {
        assert_eq!(status["last"][what], count, "{what} of {status}");
    }
    // Somebody comes, and is known after the next reading.
    house.modify("dn: cn=New,dc=ldap,dc=example\nchangetype: add\nobjectClass: inetOrgPerson\ncn: New\nsn: N\nmail: new@ldap.example\n");
    assert_eq!(house.code("new@ldap.example"), 550);
    let (code, said) = house.sync(&[]);
    assert!(code == 0 && said.contains("1 are new, 0 are gone"), "{said}");
    assert_eq!(house.code("new@ldap.example"), 250);
}

#[test]
fn a_slapd_that_is_away_or_half_empty_costs_nobody_their_mail() {
    let Some(layers) = peer::layers("recipients in slapd that is away") else { return };
    let mut house = house(&layers);
    house.wait_read();
    let deleted: String = (0..CROWD)
        .map(|n| format!("dn: cn=p{n},dc=ldap,dc=example\nchangetype: delete\n\n"))
        .collect();
    house.modify(&deleted);
    let (code, said) = house.sync(&[]);
    assert!(code != 0 && said.contains("130 of 135 recipients of ldap.example are gone"), "{said}");
    assert_eq!(house.code("p7@ldap.example"), 250, "the old content stays");
    // It is looked at again once a second or so.
    wait_for(SOON, "/readyz names the way out", || {
        let (_, ready) = house.gateway.get(house.gateway.metrics, "/readyz")?;
        ready.contains("recipients sync corp --accept 130").then_some(())
    });
    let (code, said) = house.sync(&["--dry-run"]);
    assert!(code == 0 && said.contains("130 would be gone"), "{said}");
    house.slapd.order("stop");
    let (code, said) = house.sync(&[]);
    assert!(code != 0 && said.contains("no connection to ldaps://127.0.0.1"), "{said}");
    assert_eq!(house.code("p7@ldap.example"), 250);
    house.gateway.kill();
    house.gateway.launch();
    assert_eq!(house.code("p7@ldap.example"), 250, "what was kept answers after a restart");
    assert_eq!(house.code("nobody@ldap.example"), 550, "and it is not old yet");
    house.slapd.order("start");
    let (code, said) = house.sync(&["--accept", "129"]);
    assert!(code != 0 && said.contains("more than the 129 that were accepted"), "{said}");
    assert_eq!(house.code("p7@ldap.example"), 250, "more than somebody has seen");
    let (code, said) = house.sync(&["--accept", "130"]);
    assert!(code == 0 && said.contains("130 are gone"), "{said}");
    assert_eq!(house.code("p7@ldap.example"), 550);
    let audit = house.gateway.ask_json(&["audit", "list"]);
    let accepted = |entry: &serde_json::Value| entry["action"] == "recipients.synchronised";
    assert!(audit.iter().any(accepted), "{audit:?}");
    let (_, numbers) = house.gateway.get(house.gateway.metrics, "/metrics").unwrap();
    for wanted in [
        "portcullis_directory_failures_total{directory=\"corp\"}",
        "portcullis_directory_recipients{domain=\"ldap.example\",directory=\"corp\"} 5",
        "portcullis_source_up{source=\"directory:corp\"} 1",
    ] {
        assert!(numbers.contains(wanted), "{wanted} in {numbers}");
    }
}

#[test]
fn a_slapd_that_does_not_prove_itself_or_refuses_us_is_named() {
    let Some(layers) = peer::layers("signing in to slapd") else { return };
    let house = house(&layers);
    house.wait_read();
    let (secure, clear) =
        (ldaps(house.port), format!("url = [\"ldap://127.0.0.1:{}\"]", house.port));
    let start_tls = format!("{clear}\nstart_tls = true");
    for fine in [&secure, &clear, &start_tls] {
        let (code, said) = house.with(fine, "ldap.secret", "ca.crt", "");
        assert!(code == 0 && said.contains("0 would be gone"), "{fine}: {said}");
    }
    for (url, secret, authority, more, expected) in [
        (&secure, "ldap.secret", "other-ca.crt", "", "TLS with ldaps://127.0.0.1"),
        (&start_tls, "ldap.secret", "other-ca.crt", "", "TLS with ldap://127.0.0.1"),
        (&secure, "wrong.secret", "ca.crt", "", "the name or password is wrong (result 49"),
        (&secure, "ldap.secret", "ca.crt", "page_size = 0", "gives this account no more entries"),
        (&secure, "ldap.secret", "ca.crt", "entries_max = 100", "more than 100 entries"),
        (&secure, "no.secret", "ca.crt", "", "cannot read"),
        (&secure, "ldap.secret", "ldap.secret", "", "there is no certificate in"),
    ] {
        let (code, said) = house.with(url, secret, authority, more);
        assert!(code != 0 && said.contains(expected), "{expected}: {said}");
        assert_eq!(house.code("ann@ldap.example"), 250, "what is known stays: {expected}");
    }
    assert!(!house.gateway.log().contains("reading\""), "no password in the log");
}
