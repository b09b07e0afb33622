//! A next hop that keeps what it gets, octet for octet, and can be told to
//! refuse. Written apart from the server it helps to test: what both got
//! wrong in the same way would not be seen.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::waiting::{free_port, wait_for};

/// A message as the sink got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// The argument of MAIL, with its parameters.
    pub(crate) from: String,
    /// The arguments of RCPT.
    pub(crate) to: Vec<String>,
    /// The content with CR LF, dots undone.
    pub(crate) content: Vec<u8>,
}

impl Letter {
    /// The content below the fields the gateway put on top: what it found
    /// about the sender, and its trace.
    pub(crate) fn below_trace(&self) -> &[u8] {
        below_first_field(self.below_results())
    }

    /// The content below the results of authentication, if they are there.
    pub(crate) fn below_results(&self) -> &[u8] {
        match self.content.starts_with(b"Authentication-Results: mx.corp.example;") {
            true => below_first_field(&self.content),
            false => &self.content,
        }
    }
}

/// What follows the first header field with its folded lines.
fn below_first_field(content: &[u8]) -> &[u8] {
    let mut rest = content;
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").map_or(rest.len(), |at| at + 2);
        rest = &rest[end..];
        if !matches!(rest.first(), Some(b' ' | b'\t')) {
            return rest;
        }
    }
}

#[derive(Default)]
struct State {
    letters: Vec<Letter>,
    /// The reply to every MAIL, where it is not 250.
    refusal: Option<String>,
    /// What STARTTLS begins with, where it is offered.
    tls: Option<Arc<ServerConfig>>,
}

/// The sink. Its threads end with the process.
pub(crate) struct Sink {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Sink {
    /// Starts a sink.
    pub(crate) fn start() -> Sink {
        Sink::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())))
    }

    /// Starts a sink where nobody listens yet.
    pub(crate) fn start_at(address: SocketAddr) -> Sink {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Sink { address, state }
    }

    /// What it has got so far.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.state.lock().unwrap().letters.clone()
    }

    /// How many letters it has got so far.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().letters.len()
    }

    /// Waits until it has at least `count` letters.
    pub(crate) fn wait(&self, count: usize, limit: Duration) -> Vec<Letter> {
        wait_for(limit, &format!("{count} letters at the next hop"), || {
            (self.count() >= count).then(|| self.letters())
        })
    }

    /// From now on offers STARTTLS with this certificate, or offers none.
    pub(crate) fn show(&self, tls: Option<Arc<ServerConfig>>) {
        self.state.lock().unwrap().tls = tls;
    }

    /// From now on answers every MAIL with this, or takes mail again.
    pub(crate) fn refuse(&self, reply: Option<&str>) {
        self.state.lock().unwrap().refusal = reply.map(str::to_owned);
    }
}

/// Serves one connection; a peer that goes away ends it.
fn serve(stream: TcpStream, state: &Mutex<State>) {
    let _ = stream.set_nodelay(true);
    let tls = state.lock().unwrap().tls.clone();
    let mut wire = BufReader::new(stream);
    if wire.get_mut().write_all(b"220 sink.example ESMTP\r\n").is_err() {
        return;
    }
    if let (Ok(Ended::WantsTls), Some(tls)) = (converse(&mut wire, state, tls.is_some()), tls) {
        let session = ServerConnection::new(tls).unwrap();
        let mut wire = BufReader::new(StreamOwned::new(session, wire.into_inner()));
        let _ = converse(&mut wire, state, false);
    }
}

/// How a dialogue ended.
enum Ended {
    /// With QUIT, or because the peer has gone.
    Here,
    /// To go on over TLS.
    WantsTls,
}

fn converse<S: Read + Write>(
    wire: &mut BufReader<S>,
    state: &Mutex<State>,
    offers_tls: bool,
) -> io::Result<Ended> {
    let (mut from, mut to) = (String::new(), Vec::new());
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line)? == 0 {
            return Ok(Ended::Here);
        }
        let line = line.trim_end();
        let verb = line.get(..4).unwrap_or(line).to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" if offers_tls => format!("250-sink.example\r\n250-STARTTLS\r\n{EXTENSIONS}"),
            "EHLO" => format!("250-sink.example\r\n{EXTENSIONS}"),
            "STAR" if offers_tls => {
                wire.get_mut().write_all(b"220 2.0.0 go ahead\r\n")?;
                return Ok(Ended::WantsTls);
            }
            "MAIL" => match &state.lock().unwrap().refusal {
                Some(refusal) => format!("{refusal}\r\n"),
                None => {
                    from = argument(line);
                    "250 2.1.0 ok\r\n".to_owned()
                }
            },
            "RCPT" if from.is_empty() => "503 5.5.1 no sender\r\n".to_owned(),
            "RCPT" => {
                to.push(argument(line));
                "250 2.1.5 ok\r\n".to_owned()
            }
            "DATA" if to.is_empty() => "503 5.5.1 no recipients\r\n".to_owned(),
            "DATA" => {
                wire.get_mut().write_all(b"354 go ahead\r\n")?;
                wire.get_mut().flush()?;
                let content = content(wire)?;
                let (from, to) = (std::mem::take(&mut from), std::mem::take(&mut to));
                state.lock().unwrap().letters.push(Letter { from, to, content });
                "250 2.0.0 taken\r\n".to_owned()
            }
            "RSET" | "NOOP" | "HELO" => {
                (from, to) = (String::new(), Vec::new());
                "250 2.0.0 ok\r\n".to_owned()
            }
            "QUIT" => {
                wire.get_mut().write_all(b"221 2.0.0 bye\r\n")?;
                wire.get_mut().flush()?;
                return Ok(Ended::Here);
            }
            _ => "500 5.5.2 what?\r\n".to_owned(),
        };
        wire.get_mut().write_all(reply.as_bytes())?;
        wire.get_mut().flush()?;
    }
}

const EXTENSIONS: &str = "250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
                          250-SIZE 0\r\n250 ENHANCEDSTATUSCODES\r\n";

fn argument(line: &str) -> String {
    line.split_once(':').map(|(_, argument)| argument.trim().to_owned()).unwrap_or_default()
}

/// Reads content up to the line that is a dot alone.
fn content<S: Read>(input: &mut BufReader<S>) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line ends in CR LF; an LF alone is content.
        while !line.ends_with(b"\r\n") {
            if input.read_until(b'\n', &mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if line == b".\r\n" {
            return Ok(content);
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
