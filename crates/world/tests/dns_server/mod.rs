//! A name server on loopback for these tests: a table, a count of questions,
//! and the three ways to fail.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// Names in lower case with the final dot, and the data of their records.
pub(crate) type Table = HashMap<&'static str, Vec<RData>>;

/// A running server; it ends with the runtime of its test.
pub(crate) struct DnsServer {
    /// Where it answers.
    pub(crate) at: SocketAddr,
    questions: Arc<AtomicUsize>,
    silent: Arc<AtomicBool>,
}

impl DnsServer {
    /// Starts a server for `table`. A name that begins with `servfail.`
    /// fails, one with `silent.` is never answered, one with `garbage.` with
    /// octets that are no DNS, and one that is not in the table does not exist,
    /// which may be kept for a minute unless it begins with `bare.`.
    pub(crate) async fn start(table: Table) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let questions = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&questions);
        let silent = Arc::new(AtomicBool::new(false));
        let says_nothing = Arc::clone(&silent);
        tokio::spawn(async move {
            let mut packet = [0; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                counted.fetch_add(1, Ordering::Relaxed);
                if says_nothing.load(Ordering::Relaxed) {
                    continue;
                }
                if let Some(reply) = answer(&table, &packet[..length]) {
                    let _ = socket.send_to(&reply, from).await;
                }
            }
        });
        DnsServer { at, questions, silent }
    }

    /// Answers nothing from now on, or again.
    pub(crate) fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// Packets received so far.
    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }
}

fn answer(table: &Table, packet: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(packet).ok()?;
    let query = question.queries.first()?.clone();
    let name = query.name().to_ascii().to_ascii_lowercase();
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    reply.metadata.recursion_desired = true;
    reply.metadata.recursion_available = true;
    reply.add_query(query.clone());
    match (name.split('.').next()?, table.get(name.as_str())) {
        ("silent", _) => return None,
        ("garbage", _) => {
            let mut octets = packet.to_vec();
            octets.truncate(3);
            return Some(octets);
        }
        ("servfail", _) => reply.metadata.response_code = ResponseCode::ServFail,
        ("bare", None) => reply.metadata.response_code = ResponseCode::NXDomain,
        (_, None) => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            let zone = SOA::new(Name::root(), Name::root(), 1, 60, 60, 60, 60);
            reply.add_authority(Record::from_rdata(Name::root(), 60, RData::SOA(zone)));
        }
        (_, Some(records)) => {
            let asked = |data: &&RData| {
                data.record_type() == query.query_type() || data.record_type() == RecordType::CNAME
            };
            for data in records.iter().filter(asked) {
                reply.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
            }
        }
    }
    reply.to_vec().ok()
}
