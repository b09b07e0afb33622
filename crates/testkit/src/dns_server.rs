//! A name server on loopback, for tests of the real binary: a table, a count
//! of questions, and every way to fail.

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// What the server knows: names in lower case without the final dot, and the
/// data of their records. A name that is not in it does not exist.
#[derive(Clone, Debug, Default)]
pub struct DnsTable {
    records: HashMap<String, Vec<RData>>,
    failing: HashMap<String, Failure>,
    kept_texts: HashSet<String>,
}

/// How a name is not answered.
#[derive(Clone, Copy, Debug)]
enum Failure {
    /// With SERVFAIL.
    Servfail,
    /// Not at all.
    Silent,
    /// With octets that are no DNS.
    Garbage,
    /// As the table says, but not before answers are let go.
    Kept,
}

impl DnsTable {
    /// A server that knows nothing.
    pub fn new() -> Self {
        DnsTable::default()
    }

    /// Enters an address of `name`.
    #[must_use]
    pub fn address(self, name: &str, ip: IpAddr) -> Self {
        let data = match ip {
            IpAddr::V4(ip) => RData::A(A(ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
        };
        self.record(name, data)
    }

    /// Enters a mail exchanger of `name`.
    ///
    /// # Panics
    /// `host` is no name.
    #[must_use]
    pub fn mx(self, name: &str, preference: u16, host: &str) -> Self {
        self.record(name, RData::MX(MX::new(preference, host_name(host))))
    }

    /// Enters a text of `name`.
    #[must_use]
    pub fn txt(self, name: &str, text: &str) -> Self {
        self.record(name, RData::TXT(TXT::new(vec![text.to_owned()])))
    }

    /// Enters the name that `ip` claims.
    ///
    /// # Panics
    /// `name` is no name.
    #[must_use]
    pub fn reverse(self, ip: IpAddr, name: &str) -> Self {
        let at = Name::from(ip).to_ascii();
        self.record(&at, RData::PTR(PTR(host_name(name))))
    }

    /// Enters any record.
    #[must_use]
    pub fn record(mut self, name: &str, data: RData) -> Self {
        self.records.entry(key(name)).or_default().push(data);
        self
    }

    /// Lets questions about `name` fail with SERVFAIL.
    #[must_use]
    pub fn servfail(self, name: &str) -> Self {
        self.fails(name, Failure::Servfail)
    }

    /// Lets questions about `name` be answered by nothing.
    #[must_use]
    pub fn silent(self, name: &str) -> Self {
        self.fails(name, Failure::Silent)
    }

    /// Lets questions about `name` be answered by octets that are no DNS.
    #[must_use]
    pub fn garbage(self, name: &str) -> Self {
        self.fails(name, Failure::Garbage)
    }

    /// Lets questions about `name` be answered late: not before
    /// [`DnsServer::let_go`], so that no test depends on how fast it runs.
    #[must_use]
    pub fn kept(self, name: &str) -> Self {
        self.fails(name, Failure::Kept)
    }

    /// Lets questions for the texts of `name`, and no others, be answered that
    /// late.
    #[must_use]
    pub fn kept_texts(mut self, name: &str) -> Self {
        self.kept_texts.insert(key(name));
        self
    }

    fn fails(mut self, name: &str, how: Failure) -> Self {
        self.failing.insert(key(name), how);
        self
    }
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn host_name(text: &str) -> Name {
    let name = Name::from_ascii(format!("{}.", text.trim_end_matches('.')));
    name.unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A running server; it ends with the runtime of its test.
#[derive(Debug)]
pub struct DnsServer {
    at: SocketAddr,
    table: Arc<Mutex<DnsTable>>,
    shared: Arc<Shared>,
}

/// What a server shares with its test.
#[derive(Debug, Default)]
struct Shared {
    questions: AtomicUsize,
    /// Of them, those whose answers were kept.
    kept: AtomicUsize,
    /// Whether answers are kept no more.
    let_go: watch::Sender<bool>,
}

impl DnsServer {
    /// Starts a server for `table` on a free port of loopback.
    ///
    /// # Errors
    /// No socket can be had.
    pub async fn start(table: DnsTable) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let at = socket.local_addr()?;
        let shared = Arc::<Shared>::default();
        let table = Arc::new(Mutex::new(table));
        tokio::spawn(serve(socket, Arc::clone(&table), Arc::clone(&shared)));
        Ok(DnsServer { at, table, shared })
    }

    /// Where it answers, for the setting of the resolver.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Answers from another table from now on.
    pub fn replace(&self, table: DnsTable) {
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = table;
    }

    /// Packets received so far.
    pub fn questions(&self) -> usize {
        self.shared.questions.load(Ordering::Relaxed)
    }

    /// Questions so far whose answers were kept, or are.
    pub fn kept(&self) -> usize {
        self.shared.kept.load(Ordering::Relaxed)
    }

    /// Sends the answers that were kept, and keeps none from now on.
    pub fn let_go(&self) {
        self.shared.let_go.send_replace(true);
    }
}

async fn serve(socket: Arc<UdpSocket>, table: Arc<Mutex<DnsTable>>, shared: Arc<Shared>) {
    let mut packet = [0; 1_500];
    while let Ok((length, from)) = socket.recv_from(&mut packet).await {
        shared.questions.fetch_add(1, Ordering::Relaxed);
        let Some(packet) = packet.get(..length) else { continue };
        let answer = {
            let table = table.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&table, packet)
        };
        let Some((reply, sent)) = answer else { continue };
        if sent == Sent::AtOnce {
            // Who asked may be gone; that is no failure of the server.
            let _sent = socket.send_to(&reply, from).await;
            continue;
        }
        shared.kept.fetch_add(1, Ordering::Relaxed);
        let (socket, mut let_go) = (Arc::clone(&socket), shared.let_go.subscribe());
        tokio::spawn(async move {
            if let_go.wait_for(|gone| *gone).await.is_ok() {
                let _sent = socket.send_to(&reply, from).await;
            }
        });
    }
}

/// When an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    AtOnce,
    WhenLetGo,
}

/// The octets to answer with, and when.
fn answer(table: &DnsTable, packet: &[u8]) -> Option<(Vec<u8>, Sent)> {
    let question = Message::from_vec(packet).ok()?;
    let query = question.queries.first()?.clone();
    let name = key(&query.name().to_ascii());
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    reply.metadata.recursion_desired = true;
    reply.metadata.recursion_available = true;
    reply.add_query(query.clone());
    let mut sent = Sent::AtOnce;
    match table.failing.get(&name) {
        Some(Failure::Silent) => return None,
        Some(Failure::Garbage) => return Some((packet.get(..3)?.to_vec(), sent)),
        Some(Failure::Servfail) => {
            reply.metadata.response_code = ResponseCode::ServFail;
            return reply.to_vec().ok().map(|octets| (octets, sent));
        }
        Some(Failure::Kept) => sent = Sent::WhenLetGo,
        None => {}
    }
    if query.query_type() == RecordType::TXT && table.kept_texts.contains(&name) {
        sent = Sent::WhenLetGo;
    }
    match table.records.get(&name) {
        None => reply.metadata.response_code = ResponseCode::NXDomain,
        Some(records) => {
            let asked = |data: &&RData| {
                data.record_type() == query.query_type() || data.record_type() == RecordType::CNAME
            };
            for data in records.iter().filter(asked) {
                reply.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
            }
        }
    }
    reply.to_vec().ok().map(|octets| (octets, sent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use types::Domain;
    use world::{DnsError, DnsResolver, MxAnswer, Resolver, ResolverSettings};

    #[tokio::test]
    async fn the_real_resolver_finds_what_is_in_the_table() {
        let table = DnsTable::new()
            .mx("corp.example", 10, "mx.corp.example")
            .address("mx.corp.example", "192.0.2.1".parse().unwrap())
            .reverse("192.0.2.1".parse().unwrap(), "mx.corp.example")
            .servfail("broken.example");
        let server = DnsServer::start(table).await.unwrap();
        let settings = ResolverSettings {
            servers: vec![server.at()],
            timeout: Duration::from_secs(15),
            concurrent_max: 8,
        };
        let resolver = DnsResolver::new(&settings).unwrap();
        let corp: Domain = "corp.example".parse().unwrap();
        assert!(matches!(resolver.mx(&corp).await, Ok(MxAnswer::Hosts(hosts)) if hosts.len() == 1));
        let name = resolver.host_name("192.0.2.1".parse().unwrap()).await;
        assert_eq!(name, Ok(Some("mx.corp.example".into())));
        let broken = "broken.example".parse().unwrap();
        assert_eq!(resolver.mx(&broken).await, Err(DnsError::ServerFailure));
        assert!(server.questions() >= 4);
    }
}
