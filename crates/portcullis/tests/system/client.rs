//! A mail client that says exactly what it is told to, and knows nothing.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// Longer than any test waits for a reply.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The code.
    pub(crate) code: u16,
    /// The texts of its lines, without the code.
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// The reference it quotes: `[ref XXXXXXXXXXXX]`.
    pub(crate) fn reference(&self) -> Option<&str> {
        let text = self.lines.last()?;
        let (_, rest) = text.rsplit_once("[ref ")?;
        rest.split(']').next()
    }

    /// Whether any line is this keyword, alone or with parameters.
    pub(crate) fn announces(&self, keyword: &str) -> bool {
        self.lines.iter().any(|line| line.split(' ').next() == Some(keyword))
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.lines.join(" / "))
    }
}

enum Wire {
    Plain(BufReader<TcpStream>),
    Tls(Box<BufReader<StreamOwned<ClientConnection, TcpStream>>>),
    Gone,
}

/// One connection.
pub(crate) struct Client(Wire);

impl Client {
    /// Connects and reads nothing yet.
    pub(crate) fn open(server: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        stream.set_nodelay(true)?;
        Ok(Client(Wire::Plain(BufReader::new(stream))))
    }

    /// Connects, reads the greeting and says EHLO.
    pub(crate) fn hello(server: SocketAddr) -> io::Result<Client> {
        let mut client = Client::open(server)?;
        let greeting = client.reply()?;
        if greeting.code != 220 {
            return Err(io::Error::other(format!("greeted with {greeting}")));
        }
        client.say("EHLO client.example")?;
        Ok(client)
    }

    /// Sends octets as they are.
    pub(crate) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Wire::Plain(wire) => wire.get_mut().write_all(octets),
            Wire::Tls(wire) => {
                wire.get_mut().write_all(octets)?;
                wire.get_mut().flush()
            }
            Wire::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Sends a line and reads its reply.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<Reply> {
        self.send(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    /// Reads one reply.
    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            let malformed = || io::Error::other(format!("not a reply: {line:?}"));
            let code = line.get(..3).and_then(|code| code.parse().ok()).ok_or_else(malformed)?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.get(3..4) != Some("-") {
                return Ok(Reply { code, lines });
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let count = match &mut self.0 {
            Wire::Plain(wire) => wire.read_line(&mut line)?,
            Wire::Tls(wire) => wire.read_line(&mut line)?,
            Wire::Gone => 0,
        };
        match line.strip_suffix("\r\n") {
            Some(text) => Ok(text.to_owned()),
            None if count == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
            None => Err(io::Error::other(format!("a line without CR LF: {line:?}"))),
        }
    }

    /// MAIL and RCPT; the reply to RCPT, or to MAIL where that is refused.
    pub(crate) fn envelope(&mut self, from: &str, to: &str) -> io::Result<Reply> {
        let mail = self.say(&format!("MAIL FROM:<{from}>"))?;
        if mail.code != 250 {
            return Ok(mail);
        }
        self.say(&format!("RCPT TO:<{to}>"))
    }

    /// A whole transaction; the last reply, which is the first refusal or the
    /// reply to the content. Lines of `content` end in CR LF and none begins
    /// with a dot.
    pub(crate) fn deliver(&mut self, from: &str, to: &str, content: &str) -> io::Result<Reply> {
        let envelope = self.envelope(from, to)?;
        if envelope.code != 250 {
            self.say("RSET")?;
            return Ok(envelope);
        }
        let data = self.say("DATA")?;
        if data.code != 354 {
            return Ok(data);
        }
        self.send(content.as_bytes())?;
        self.say(".")
    }

    /// STARTTLS and EHLO again; gives the client and the certificate it saw.
    pub(crate) fn start_tls(
        mut self,
        config: Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<(Client, Vec<u8>)> {
        let reply = self.say("STARTTLS")?;
        let wire = std::mem::replace(&mut self.0, Wire::Gone);
        let Wire::Plain(plain) = wire else { return Err(io::Error::other("TLS already")) };
        if reply.code != 220 {
            return Err(io::Error::other(format!("STARTTLS was answered with {reply}")));
        }
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let stream = StreamOwned::new(session, plain.into_inner());
        self.0 = Wire::Tls(Box::new(BufReader::new(stream)));
        self.say("EHLO client.example")?;
        let Wire::Tls(wire) = &self.0 else { return Err(io::ErrorKind::NotConnected.into()) };
        let chain = wire.get_ref().conn.peer_certificates().unwrap_or_default();
        let certificate = chain.first().map(|first| first.to_vec()).unwrap_or_default();
        Ok((self, certificate))
    }

    /// Whether the server has closed, with nothing more said.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let read = match &mut self.0 {
            Wire::Plain(wire) => wire.read_to_end(&mut rest),
            Wire::Tls(wire) => wire.read_to_end(&mut rest),
            Wire::Gone => Ok(0),
        };
        rest.is_empty() && !read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}
