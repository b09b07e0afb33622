//! A name server that knows no names: every question is answered at once, so
//! that no test waits for a network that is not there.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::OnceLock;

/// Octets of the header of a DNS message (RFC 1035 section 4.1.1).
const HEADER_OCTETS: usize = 12;
/// Type and class behind the name of a question.
const QUESTION_TAIL_OCTETS: usize = 4;

/// Where it answers; one for all tests of the process.
pub(crate) fn nobody_known() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || serve(&socket));
        address
    })
}

fn serve(socket: &UdpSocket) {
    let mut octets = [0; 4_096];
    while let Ok((length, peer)) = socket.recv_from(&mut octets) {
        if let Some(answer) = no_such_name(&octets[..length]) {
            let _ = socket.send_to(&answer, peer);
        }
    }
}

/// The question alone with NXDOMAIN.
fn no_such_name(query: &[u8]) -> Option<Vec<u8>> {
    let name = query.get(HEADER_OCTETS..)?.iter().position(|octet| *octet == 0)? + 1;
    let mut answer = query.get(..HEADER_OCTETS + name + QUESTION_TAIL_OCTETS)?.to_vec();
    // An answer, recursion available, no such name; one question, nothing else.
    answer[2] |= 0x80;
    answer[3] = 0x83;
    answer[4..HEADER_OCTETS].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    Some(answer)
}
