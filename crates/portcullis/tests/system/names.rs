//! A name server that knows no names but what a test enters: every
//! question is answered, at once unless a test wants it late, so that no test
//! waits for a network that is not there.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

/// Octets of the header of a DNS message (RFC 1035 section 4.1.1).
const HEADER_OCTETS: usize = 12;
/// The types of records: an address, the name of an address, texts.
const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
/// Type and class behind the name of a question.
const QUESTION_TAIL_OCTETS: usize = 4;

/// What was asked: the name and the number of the record type.
pub(crate) type Asked = (String, u16);

/// A name server; it answers until the process ends.
pub(crate) struct NameServer {
    /// Where it answers.
    pub(crate) address: SocketAddr,
    told: Arc<Told>,
}

/// What a server shares with its test.
#[derive(Default)]
struct Told {
    asked: Mutex<Vec<Asked>>,
    /// The data at names.
    records: Mutex<HashMap<Asked, Vec<u8>>>,
    /// Whether late answers are kept back still.
    kept: Mutex<bool>,
    let_go: Condvar,
}

impl Told {
    fn wait_until_let_go(&self) {
        let kept = self.kept.lock().unwrap();
        drop(self.let_go.wait_while(kept, |kept| *kept).unwrap());
    }
}

impl NameServer {
    /// A server that answers questions about a name after `wait`. An answer
    /// has no SOA beside it, so that nobody may keep it (RFC 2308 section 5).
    pub(crate) fn start(wait: fn(&str) -> Duration) -> NameServer {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let told = Arc::<Told>::default();
        let shared = Arc::clone(&told);
        std::thread::spawn(move || serve(&socket, wait, &shared));
        NameServer { address, told }
    }

    /// All questions so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.told.asked.lock().unwrap().clone()
    }

    /// Enters the text at a name, in strings that are short enough (RFC 1035
    /// section 3.3.14).
    pub(crate) fn set_text(&self, name: &str, text: &str) {
        let strings = text.as_bytes().chunks(255);
        self.enter(name, TXT, strings.flat_map(|s| [&[s.len() as u8][..], s].concat()).collect());
    }

    /// Enters the name of an address, and the address at that name.
    pub(crate) fn set_host(&self, ip: Ipv4Addr, name: &str) {
        let [a, b, c, d] = ip.octets();
        let labels = name.split('.').chain([""]);
        let written = labels.flat_map(|l| [&[l.len() as u8][..], l.as_bytes()].concat()).collect();
        self.enter(&format!("{d}.{c}.{b}.{a}.in-addr.arpa"), PTR, written);
        self.enter(name, A, ip.octets().to_vec());
    }

    fn enter(&self, name: &str, kind: u16, data: Vec<u8>) {
        self.told.records.lock().unwrap().insert((name.to_ascii_lowercase(), kind), data);
    }

    /// Keeps late answers back, however late, until they are let go.
    pub(crate) fn keep_late_answers(&self, kept: bool) {
        *self.told.kept.lock().unwrap() = kept;
        self.told.let_go.notify_all();
    }
}

/// Where one answers at once; the same for all tests of the process.
pub(crate) fn nobody_known() -> SocketAddr {
    static SERVER: OnceLock<NameServer> = OnceLock::new();
    SERVER.get_or_init(|| NameServer::start(|_| Duration::ZERO)).address
}

fn serve(socket: &UdpSocket, wait: fn(&str) -> Duration, told: &Arc<Told>) {
    let mut octets = [0; 4_096];
    while let Ok((length, peer)) = socket.recv_from(&mut octets) {
        let Some((question, mut answer)) = no_such_name(&octets[..length]) else { continue };
        if let Some(data) = told.records.lock().unwrap().get(&question) {
            add(&mut answer, question.1, data);
        }
        let late = wait(&question.0);
        told.asked.lock().unwrap().push(question);
        if late.is_zero() {
            let _ = socket.send_to(&answer, peer);
            continue;
        }
        let (socket, told) = (socket.try_clone().unwrap(), Arc::clone(told));
        std::thread::spawn(move || {
            std::thread::sleep(late);
            told.wait_until_let_go();
            let _ = socket.send_to(&answer, peer);
        });
    }
}

/// The question, and itself alone with NXDOMAIN.
fn no_such_name(query: &[u8]) -> Option<(Asked, Vec<u8>)> {
    let mut labels = Vec::new();
    let mut rest = query.get(HEADER_OCTETS..)?;
    while let Some((length @ 1.., tail)) = rest.split_first() {
        let (label, tail) = tail.split_at_checked(usize::from(*length))?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        rest = tail;
    }
    let kind = u16::from_be_bytes(rest.get(1..3)?.try_into().ok()?);
    let end = query.len() - rest.len() + 1 + QUESTION_TAIL_OCTETS;
    let mut answer = query.get(..end)?.to_vec();
    // An answer, recursion available, no such name; one question, nothing else.
    answer[2] |= 0x80;
    answer[3] = 0x83;
    answer[4..HEADER_OCTETS].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    Some(((labels.join("."), kind), answer))
}

/// Makes of "no such name" an answer with one record.
fn add(answer: &mut Vec<u8>, kind: u16, data: &[u8]) {
    answer[3] = 0x80;
    answer[7] = 1;
    // The name of the question; its type, IN, not to be kept.
    answer.extend([0xC0, HEADER_OCTETS as u8, 0, kind as u8, 0, 1, 0, 0, 0, 0]);
    answer.extend((data.len() as u16).to_be_bytes());
    answer.extend(data);
}
