//! A name server on loopback, for tests of the real binary: a table, a count
//! of questions, and every way to fail.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// What the server knows: names in lower case without the final dot, and the
/// data of their records. A name that is not in it does not exist.
#[derive(Clone, Debug, Default)]
pub struct DnsTable {
    records: HashMap<String, Vec<RData>>,
    failing: HashMap<String, Failure>,
    late_texts: HashMap<String, Duration>,
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
    /// As the table says, but only after this time.
    Slow(Duration),
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

    /// Lets questions about `name` be answered late.
    #[must_use]
    pub fn slow(self, name: &str, wait: Duration) -> Self {
        self.fails(name, Failure::Slow(wait))
    }

    /// Lets questions for the texts of `name`, and no others, be answered late.
    #[must_use]
    pub fn late_texts(mut self, name: &str, wait: Duration) -> Self {
        self.late_texts.insert(key(name), wait);
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
    questions: Arc<AtomicUsize>,
}

impl DnsServer {
    /// Starts a server for `table` on a free port of loopback.
    ///
    /// # Errors
    /// No socket can be had.
    pub async fn start(table: DnsTable) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let at = socket.local_addr()?;
        let questions = Arc::new(AtomicUsize::new(0));
        let table = Arc::new(Mutex::new(table));
        tokio::spawn(serve(socket, Arc::clone(&table), Arc::clone(&questions)));
        Ok(DnsServer { at, table, questions })
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
        self.questions.load(Ordering::Relaxed)
    }
}

async fn serve(socket: Arc<UdpSocket>, table: Arc<Mutex<DnsTable>>, questions: Arc<AtomicUsize>) {
    let mut packet = [0; 1_500];
    while let Ok((length, from)) = socket.recv_from(&mut packet).await {
        questions.fetch_add(1, Ordering::Relaxed);
        let Some(packet) = packet.get(..length) else { continue };
        let answer = {
            let table = table.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&table, packet)
        };
        let Some((reply, wait)) = answer else { continue };
        let socket = Arc::clone(&socket);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // Who asked may be gone; that is no failure of the server.
            let _sent = socket.send_to(&reply, from).await;
        });
    }
}

/// The octets to answer with, and after which time.
fn answer(table: &DnsTable, packet: &[u8]) -> Option<(Vec<u8>, Duration)> {
    let question = Message::from_vec(packet).ok()?;
    let query = question.queries.first()?.clone();
    let name = key(&query.name().to_ascii());
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    reply.metadata.recursion_desired = true;
    reply.metadata.recursion_available = true;
    reply.add_query(query.clone());
    let mut wait = Duration::ZERO;
    match table.failing.get(&name) {
        Some(Failure::Silent) => return None,
        Some(Failure::Garbage) => return Some((packet.get(..3)?.to_vec(), wait)),
        Some(Failure::Servfail) => {
            reply.metadata.response_code = ResponseCode::ServFail;
            return reply.to_vec().ok().map(|octets| (octets, wait));
        }
        Some(Failure::Slow(late)) => wait = *late,
        None => {}
    }
    if let Some(late) = table.late_texts.get(&name)
        && query.query_type() == RecordType::TXT
    {
        wait = *late;
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
    reply.to_vec().ok().map(|octets| (octets, wait))
}

#[cfg(test)]
mod tests {
    use super::*;
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
            timeout: Duration::from_secs(2),
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
