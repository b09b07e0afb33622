//! The protocol in which a mail server asks a policy service what to do with
//! a command it has got: *SMTP access policy delegation* of Postfix, which
//! Exim and others can speak too (Postfix's SMTPD_POLICY_README).
//!
//! A request is lines of `name=value` and an empty line; the answer is one
//! line `action=…` and an empty line; a connection carries any number of
//! them. Nothing here knows a policy: a request is read into typed facts, an
//! advice is written as an action.

use std::net::IpAddr;
use std::sync::Arc;

use types::{EmailAddress, ForwardPath, Reply, ReversePath, TlsFacts};

use crate::command::Malformed;
use crate::path::{self, PathError};

/// Octets of one request. Postfix itself sends well below 10,000; whoever
/// sends more is not a mail server.
pub const REQUEST_OCTETS_MAX: usize = 64 * 1024;

/// What the asking server tells of the client and the envelope when it has
/// got a RCPT command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientRequest {
    /// Names the transaction: the same for all its recipients; empty if the
    /// server gives none.
    pub instance: String,
    /// The address of the client.
    pub client_ip: IpAddr,
    /// The port of the client; 0 if the server does not tell.
    pub client_port: u16,
    /// The name of the client where its address and the name confirm each
    /// other; Postfix says `unknown` where they do not.
    pub client_name: Option<Arc<str>>,
    /// The argument of EHLO or HELO.
    pub helo: Option<Arc<str>>,
    /// Whether the client said EHLO.
    pub esmtp: bool,
    /// What STARTTLS agreed on.
    pub tls: Option<TlsFacts>,
    /// The SIZE parameter of MAIL; Postfix says 0 where there was none.
    pub declared_size: Option<u64>,
    /// MAIL FROM; a server may take what follows no syntax.
    pub reverse_path: Result<ReversePath, Malformed>,
    /// RCPT TO.
    pub recipient: ForwardPath,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyRequest {
    /// A recipient was named.
    Recipient(Box<RecipientRequest>),
    /// Another command was given, or the recipient cannot be decided on: it is
    /// no address, or the sender is a name without a domain, which only the
    /// server's own programs use.
    Other,
}

/// The peer does not speak the protocol. The documented way to say so is to
/// close the connection without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyRequestError {
    /// A line is no `name=value`.
    #[error("a line is not name=value")]
    NotAnAttribute,
    /// The request is longer than [`REQUEST_OCTETS_MAX`].
    #[error("a request of more than 65536 octets")]
    TooLong,
    /// It is no request about SMTP access.
    #[error("not a request=smtpd_access_policy")]
    NotARequest,
    /// It is about a recipient and names no client address.
    #[error("no client_address that is an address")]
    NoClient,
}

/// Collects what arrives and cuts it into requests.
#[derive(Debug, Default)]
pub struct PolicyRequestReader {
    pending: Vec<u8>,
    /// How much of `pending` is known to hold no end.
    searched: usize,
}

impl PolicyRequestReader {
    /// Takes octets as they arrived.
    pub fn push(&mut self, octets: &[u8]) {
        self.pending.extend_from_slice(octets);
    }

    /// Whether a request has begun and not ended.
    pub fn is_in_request(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The next request that is complete; nothing if more must arrive.
    ///
    /// # Errors
    /// The peer does not speak the protocol; nothing further is to be read.
    pub fn next_request(&mut self) -> Result<Option<PolicyRequest>, PolicyRequestError> {
        let octets = self.pending.as_slice();
        let from = self.searched.saturating_sub(1);
        let end = memchr::memmem::find(octets.get(from..).unwrap_or_default(), b"\n\n");
        let length = end.map(|end| from + end);
        if length.unwrap_or(octets.len()) > REQUEST_OCTETS_MAX {
            return Err(PolicyRequestError::TooLong);
        }
        let Some(length) = length else {
            self.searched = octets.len();
            return Ok(None);
        };
        let request = read(octets.get(..length).unwrap_or_default());
        self.pending.drain(..length + 2);
        self.searched = 0;
        request.map(Some)
    }
}

/// The attributes that are looked at; the protocol demands that others are
/// passed over.
#[derive(Default)]
struct Attributes<'a> {
    request: &'a str,
    protocol_state: &'a str,
    protocol_name: &'a str,
    instance: &'a str,
    client_address: &'a str,
    client_port: &'a str,
    client_name: &'a str,
    helo_name: &'a str,
    sender: &'a str,
    recipient: &'a str,
    size: &'a str,
    encryption_protocol: &'a str,
    encryption_cipher: &'a str,
}

impl<'a> Attributes<'a> {
    fn place(&mut self, name: &str) -> Option<&mut &'a str> {
        Some(match name {
            "request" => &mut self.request,
            "protocol_state" => &mut self.protocol_state,
            "protocol_name" => &mut self.protocol_name,
            "instance" => &mut self.instance,
            "client_address" => &mut self.client_address,
            "client_port" => &mut self.client_port,
            "client_name" => &mut self.client_name,
            "helo_name" => &mut self.helo_name,
            "sender" => &mut self.sender,
            "recipient" => &mut self.recipient,
            "size" => &mut self.size,
            "encryption_protocol" => &mut self.encryption_protocol,
            "encryption_cipher" => &mut self.encryption_cipher,
            _ => return None,
        })
    }
}

fn read(octets: &[u8]) -> Result<PolicyRequest, PolicyRequestError> {
    let mut attributes = Attributes::default();
    for line in octets.split(|octet| *octet == b'\n') {
        let equals = memchr::memchr(b'=', line).ok_or(PolicyRequestError::NotAnAttribute)?;
        let (name, value) = line.split_at(equals);
        let name = std::str::from_utf8(name).map_err(|_| PolicyRequestError::NotAnAttribute)?;
        if let Some(place) = attributes.place(name) {
            // What is not UTF-8 is nothing we can look at, and no address.
            *place = std::str::from_utf8(value.get(1..).unwrap_or_default()).unwrap_or("\u{fffd}@");
        }
    }
    if attributes.request != "smtpd_access_policy" {
        return Err(PolicyRequestError::NotARequest);
    }
    if attributes.protocol_state != "RCPT" {
        return Ok(PolicyRequest::Other);
    }
    let Ok(client_ip) = attributes.client_address.parse::<IpAddr>() else {
        return Err(PolicyRequestError::NoClient);
    };
    Ok(recipient_request(&attributes, client_ip).unwrap_or(PolicyRequest::Other))
}

/// The request about a recipient, if that is an address. A server takes `root`
/// without a domain from its own programs; such mail is not what a gateway
/// decides on.
fn recipient_request(attributes: &Attributes<'_>, client_ip: IpAddr) -> Option<PolicyRequest> {
    let address = |text: &str| text.parse::<EmailAddress>().ok();
    let reverse_path = match attributes.sender {
        "" => Ok(ReversePath::Null),
        sender if !sender.contains('@') => return None,
        sender => sender.parse().map(ReversePath::Address).map_err(|error| Malformed {
            given: path::shown(sender.as_bytes()),
            error: PathError::Address(error),
        }),
    };
    let recipient = match attributes.recipient {
        text if text.eq_ignore_ascii_case("postmaster") => ForwardPath::Postmaster,
        text => ForwardPath::Address(address(text)?),
    };
    let given = |text: &str| (!text.is_empty()).then(|| Arc::from(text));
    let tls = given(attributes.encryption_protocol)
        .map(|version| TlsFacts { version, cipher: Arc::from(attributes.encryption_cipher) });
    Some(PolicyRequest::Recipient(Box::new(RecipientRequest {
        instance: attributes.instance.to_owned(),
        client_ip: client_ip.to_canonical(),
        client_port: attributes.client_port.parse().unwrap_or(0),
        client_name: given(attributes.client_name).filter(|name| **name != *"unknown"),
        helo: given(attributes.helo_name),
        esmtp: attributes.protocol_name == "ESMTP",
        tls,
        declared_size: attributes.size.parse().ok().filter(|size| *size > 0),
        reverse_path,
        recipient,
    })))
}

/// The code with which Postfix says `DEFER_IF_PERMIT` to its client.
pub const DEFERRED_CODE: u16 = 450;

/// What the asking server is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyAdvice {
    /// To go on with its own restrictions.
    GoOn,
    /// To refuse with this reply. One that asks to come back takes effect
    /// only where nothing later refuses for good, and then with code 450.
    Refuse(Reply),
}

impl PolicyAdvice {
    /// Appends the answer as it goes over the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        let action = match self {
            PolicyAdvice::GoOn => "DUNNO".to_owned(),
            PolicyAdvice::Refuse(reply) if reply.is_temporary() => match reply.enhanced {
                Some(enhanced) => format!("DEFER_IF_PERMIT {enhanced} {}", reply.text),
                None => format!("DEFER_IF_PERMIT {}", reply.text),
            },
            PolicyAdvice::Refuse(reply) => reply.to_string(),
        };
        out.extend_from_slice(format!("action={action}\n\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::EnhancedCode;

    const REQUEST: &str = "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n\
        client_address=192.0.2.7\nclient_name=mta.sender.example\nclient_port=4711\n\
        reverse_client_name=mta.sender.example\nhelo_name=mta.sender.example\n\
        sender=ann@sender.example\nrecipient=bob@corp.example\nrecipient_count=0\nqueue_id=\n\
        instance=1f3a.5e1c.0\nsize=12345\nencryption_protocol=TLSv1.3\n\
        encryption_cipher=TLS_AES_256_GCM_SHA384\npolicy_context=\na_new_attribute=x=y\n\n";

    fn one(text: &str) -> Result<Option<PolicyRequest>, PolicyRequestError> {
        let mut reader = PolicyRequestReader::default();
        reader.push(text.as_bytes());
        reader.next_request()
    }

    fn recipient(text: &str) -> RecipientRequest {
        match one(text) {
            Ok(Some(PolicyRequest::Recipient(request))) => *request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_of_postfix_is_read_whole() {
        let request = recipient(REQUEST);
        assert_eq!(request.client_ip.to_string(), "192.0.2.7");
        assert_eq!(request.client_port, 4711);
        assert_eq!(request.client_name.as_deref(), Some("mta.sender.example"));
        assert_eq!(request.reverse_path.unwrap().as_str(), "ann@sender.example");
        assert_eq!(request.recipient.as_str(), "bob@corp.example");
        assert_eq!(request.declared_size, Some(12_345));
        assert_eq!(request.instance, "1f3a.5e1c.0");
        assert_eq!(request.tls.unwrap().version.as_ref(), "TLSv1.3");
        assert!(request.esmtp);
    }

    #[test]
    fn requests_arrive_in_pieces_of_any_size_and_several_at_once() {
        let stream = REQUEST.repeat(3);
        for size in [1, 2, 7, 64, 4_096] {
            let mut reader = PolicyRequestReader::default();
            let mut read = 0;
            for piece in stream.as_bytes().chunks(size) {
                reader.push(piece);
                while let Some(request) = reader.next_request().unwrap() {
                    assert!(matches!(request, PolicyRequest::Recipient(_)));
                    read += 1;
                }
            }
            assert_eq!((read, reader.is_in_request()), (3, false), "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_unknown_or_absent_is_nothing() {
        let bare = "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_name=unknown\n\
                    client_address=::ffff:192.0.2.7\nsender=\nrecipient=Postmaster\nsize=0\n\n";
        let request = recipient(bare);
        assert_eq!(request.client_ip.to_string(), "192.0.2.7");
        assert_eq!((request.client_name, request.helo), (None, None));
        assert_eq!((request.declared_size, request.tls), (None, None));
        assert_eq!(request.reverse_path, Ok(ReversePath::Null));
        assert_eq!(request.recipient, ForwardPath::Postmaster);
    }

    #[test]
    fn other_commands_and_local_names_are_not_decided_on() {
        for state in ["CONNECT", "EHLO", "MAIL", "DATA", "END-OF-MESSAGE", "VRFY"] {
            let text = REQUEST.replace("=RCPT", &format!("={state}"));
            assert_eq!(one(&text), Ok(Some(PolicyRequest::Other)), "{state}");
        }
        let text = REQUEST.replace("sender=ann@sender.example", "sender=root");
        assert_eq!(one(&text), Ok(Some(PolicyRequest::Other)));
        for name in ["recipient=root", "recipient=", "recipient=a@b@", "recipient=\u{1}@b.example"]
        {
            let text = REQUEST.replace("recipient=bob@corp.example", name);
            assert_eq!(one(&text), Ok(Some(PolicyRequest::Other)), "{name}");
        }
    }

    #[test]
    fn a_sender_that_is_no_address_is_decided_on_as_such() {
        for sender in ["a..b@x.example", "a@x..example", "a\0@x.example", "@", "a@b@"] {
            let text = REQUEST.replace("ann@sender.example", sender);
            let malformed = recipient(&text).reverse_path.unwrap_err();
            assert!(!malformed.given.contains('\0'), "{sender:?}");
        }
        let mut octets = REQUEST.replace("ann@sender.example", "ann#").into_bytes();
        let at = octets.iter().position(|octet| *octet == b'#').unwrap();
        octets[at] = 0xff;
        let mut reader = PolicyRequestReader::default();
        reader.push(&octets);
        let Ok(Some(PolicyRequest::Recipient(request))) = reader.next_request() else { panic!() };
        assert!(request.reverse_path.is_err());
    }

    #[test]
    fn what_is_not_the_protocol_is_an_error() {
        use PolicyRequestError::*;
        assert_eq!(one("EHLO me.example\n\n"), Err(NotAnAttribute));
        assert_eq!(one("\n\n"), Err(NotAnAttribute));
        assert_eq!(one("protocol_state=RCPT\n\n"), Err(NotARequest));
        let text = REQUEST.replace("client_address=192.0.2.7", "client_address=somebody");
        assert_eq!(one(&text), Err(NoClient));
        let endless = "a=".to_owned() + &"x".repeat(REQUEST_OCTETS_MAX);
        assert_eq!(one(&endless), Err(TooLong));
        assert_eq!(one(&(endless + "\n\n")), Err(TooLong));
    }

    #[test]
    fn advice_is_written_as_an_action() {
        let written = |advice: PolicyAdvice| {
            let mut out = Vec::new();
            advice.write(&mut out);
            String::from_utf8(out).unwrap()
        };
        let reply =
            |code, text| Reply::fixed(code, Some(EnhancedCode((code / 100) as u8, 7, 1)), text);
        assert_eq!(written(PolicyAdvice::GoOn), "action=DUNNO\n\n");
        let later = PolicyAdvice::Refuse(reply(451, "Greylisted"));
        assert_eq!(written(later), "action=DEFER_IF_PERMIT 4.7.1 Greylisted\n\n");
        let never = PolicyAdvice::Refuse(reply(550, "No"));
        assert_eq!(written(never), "action=550 5.7.1 No\n\n");
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in proptest::collection::vec(0_u8.., 0..2_000)) {
            let mut reader = PolicyRequestReader::default();
            reader.push(&octets);
            while let Ok(Some(_)) = reader.next_request() {}
        }
    }
}
