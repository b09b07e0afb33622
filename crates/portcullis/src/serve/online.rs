//! What can be checked of the settings only by asking others: whether the
//! resolvers answer, whether somebody greets at every next hop, and whether
//! the sign-in service is who it should be.
//!
//! A next hop is greeted and left again with QUIT: no mail is offered.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use deliver::route::hosts;
use deliver::{Host, NextHop, RouteFailure, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::{Dial, DialOptions, DnsResolver, Resolver, ResolverSettings, SystemChance, TcpDial};

use super::convert;
use crate::settings::{Loaded, Origin, Problem, Settings};

/// Longest that one next hop may take to connect and to greet, whatever the
/// settings allow for mail: a person waits for the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest greeting line read (RFC 5321 section 4.5.3.1.5).
const GREETING_OCTETS_MAX: usize = 512;

/// Asked for its name, which every resolver knows by itself (RFC 5737,
/// RFC 6303): a clear no is as good a sign of life as a yes.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// What came of asking.
#[derive(Debug, Default)]
pub struct Asked {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What answered, a sentence for each.
    pub well: Vec<String>,
}

/// Asks every resolver and every next hop of the settings, one after the
/// other.
///
/// # Errors
/// The threads for it cannot be started.
pub fn ask(loaded: &Loaded) -> std::io::Result<Asked> {
    let Some(settings) = &loaded.settings else { return Ok(Asked::default()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(Asking { loaded, asked: Asked::default() }.all(settings)))
}

struct Asking<'a> {
    loaded: &'a Loaded,
    asked: Asked,
}

impl Asking<'_> {
    async fn all(mut self, settings: &Settings) -> Asked {
        self.sign_in(settings).await;
        let resolver = self.resolvers(settings).await;
        let Some(resolver) = resolver else { return self.asked };
        let mut seen = HashSet::new();
        let routes = convert::delivery(settings, Vec::new()).routes;
        for domain in &settings.domains {
            let key = format!("domain.{}.next_hop", domain.number.unwrap_or(0));
            match routes.of_domain(domain.name.as_str()) {
                Ok(hop) => self.next_hop(settings, &resolver, &key, &hop, &mut seen).await,
                Err(failure) => self.wrong(&key, why(failure)),
            }
        }
        self.asked
    }

    /// Asks the sign-in service who it is.
    async fn sign_in(&mut self, settings: &Settings) {
        let provider = match super::sign_in::provider(settings) {
            Ok(Some(provider)) => provider,
            Ok(None) => return,
            // Said without asking anybody.
            Err(_) => return,
        };
        match provider.ask().await {
            Ok(()) => self.well("the sign-in service says who it is".to_owned()),
            Err(problem) => self.wrong("sign_in.issuer", problem),
        }
    }

    /// Asks each resolver on its own; gives the one that uses them all.
    async fn resolvers(&mut self, settings: &Settings) -> Option<DnsResolver> {
        let all = convert::resolver(settings);
        for server in &all.servers {
            let one = ResolverSettings { servers: vec![*server], ..all.clone() };
            self.resolver(&server.to_string(), &one).await;
        }
        if all.servers.is_empty() {
            self.resolver("the system's resolver", &all).await;
        }
        DnsResolver::new(&all).ok()
    }

    async fn resolver(&mut self, name: &str, settings: &ResolverSettings) {
        let answer = match DnsResolver::new(settings) {
            Ok(resolver) => resolver.reverse(NOBODY).await.map(drop),
            Err(error) => return self.wrong("dns.resolver", format!("{name}: {error}")),
        };
        match answer {
            Err(error) if error.is_temporary() => {
                self.wrong("dns.resolver", format!("{name} does not answer: {error}"));
            }
            Ok(()) | Err(_) => self.well(format!("{name} answers")),
        }
    }

    async fn next_hop(
        &mut self,
        settings: &Settings,
        resolver: &DnsResolver,
        key: &str,
        hop: &NextHop,
        seen: &mut HashSet<String>,
    ) {
        let own = convert::delivery(settings, Vec::new()).own;
        let targets = match hosts(hop, resolver, &SystemChance, &own).await {
            Ok(targets) => targets,
            Err(failure) => return self.wrong(key, why(failure)),
        };
        for target in targets {
            if !seen.insert(target.to_string()) {
                continue;
            }
            match greeting(settings, resolver, &target).await {
                Ok(line) => self.well(format!("{target} greets: {line}")),
                Err(problem) => self.wrong(key, format!("{target}: {problem}")),
            }
        }
    }

    fn wrong(&mut self, key: &str, text: String) {
        let found = self.loaded.found.get(key);
        let origin = found.map_or(Origin::Default, |found| found.origin.clone());
        self.asked.problems.push(Problem::error(origin, key, text));
    }

    fn well(&mut self, text: String) {
        self.asked.well.push(text);
    }
}

fn why(failure: RouteFailure) -> String {
    match failure {
        RouteFailure::Temporary { why } | RouteFailure::Permanent { why, .. } => why,
    }
}

/// The first line that a host says, from whichever of its addresses greets
/// first; or why none does.
async fn greeting(
    settings: &Settings,
    resolver: &DnsResolver,
    target: &Target,
) -> Result<String, String> {
    let addresses = match &target.host {
        Host::Address(ip) => vec![*ip],
        Host::Name(name) => {
            resolver.addresses(name.as_str()).await.map_err(|error| error.to_string())?
        }
    };
    let mut problem = "it has no address".to_owned();
    for ip in addresses {
        let to = SocketAddr::new(ip, target.port);
        match tokio::time::timeout(PATIENCE, greeted(settings, to)).await {
            Ok(Ok(line)) => return Ok(line),
            Ok(Err(error)) => problem = format!("{to}: {error}"),
            Err(_) => problem = format!("{to}: no greeting within {} s", PATIENCE.as_secs()),
        }
    }
    Err(problem)
}

async fn greeted(settings: &Settings, to: SocketAddr) -> Result<String, String> {
    let fits = |source: &IpAddr| source.is_ipv4() == to.is_ipv4();
    let source = settings.delivery.source.filter(fits);
    let timeout = settings.delivery.connect_timeout.min(PATIENCE);
    let connection = TcpDial.dial(to, DialOptions { source, timeout }).await;
    let mut stream = connection.map_err(|error| error.to_string())?.stream;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") && line.len() < GREETING_OCTETS_MAX {
        let mut octet = [0];
        match stream.read(&mut octet).await {
            Ok(1..) => line.extend(octet),
            Ok(0) => return Err("it closed the connection without a greeting".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
    }
    // Politeness only: what becomes of it does not matter.
    let _ = stream.write_all(b"QUIT\r\n").await;
    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
    match line.starts_with("220") {
        true => Ok(line),
        false => Err(format!("it does not greet as a mail server that takes mail: {line}")),
    }
}
