//! However what a mail server sends is cut, its requests are the same, or the
//! same fault ends the connection. The first octet says where to cut.
#![no_main]

use smtp::policy_delegation::{PolicyRequest, PolicyRequestError, PolicyRequestReader};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((cut, octets)) = data.split_first() else { return };
    let (one, two) = octets.split_at(usize::from(*cut).min(octets.len()));
    assert_eq!(read(&[octets]), read(&[one, two]));
});

fn read(parts: &[&[u8]]) -> (Vec<PolicyRequest>, Option<PolicyRequestError>) {
    let mut reader = PolicyRequestReader::default();
    let mut requests = Vec::new();
    for part in parts {
        reader.push(part);
        loop {
            match reader.next_request() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(fault) => return (requests, Some(fault)),
            }
        }
    }
    (requests, None)
}
