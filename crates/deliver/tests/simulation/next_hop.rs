//! A next hop that follows a script.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio_rustls::TlsAcceptor;
use world::Stream;
use world::simulated::{SimulatedListener, SimulatedNetwork};

/// What the next hop does at one step.
#[derive(Clone)]
pub(crate) enum Do {
    /// Replies with these lines.
    Say(String),
    /// Closes the connection.
    Drop,
    /// Replies with these lines and closes the connection.
    SayAndDrop(&'static str),
    /// Says nothing any more.
    Hang,
    /// Writes this without end.
    Flood(&'static str),
}

pub(crate) fn say(line: &str) -> Option<Do> {
    Some(Do::Say(line.into()))
}

/// Called at each step with the number of the connection, the number of the
/// transaction on it, and `CONNECT`, a command line, or `CONTENT`.
pub(crate) type Script = Box<dyn FnMut(usize, &str) -> Option<Do> + Send>;

#[derive(Clone)]
pub(crate) struct NextHop {
    state: Arc<Mutex<State>>,
    tls: Option<TlsAcceptor>,
}

struct State {
    script: Script,
    extensions: Vec<&'static str>,
    seen: Seen,
    open: usize,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    pub(crate) open_max: usize,
    pub(crate) commands: Vec<String>,
    pub(crate) messages: Vec<String>,
}

impl NextHop {
    pub(crate) fn new(extensions: &[&'static str], script: Script) -> Self {
        let seen = Seen::default();
        let state = State { script, extensions: extensions.to_vec(), seen, open: 0 };
        NextHop { state: Arc::new(Mutex::new(state)), tls: None }
    }

    /// Takes everything.
    pub(crate) fn willing() -> Self {
        NextHop::new(&["PIPELINING", "SIZE 10000000", "8BITMIME"], Box::new(|_, _| None))
    }

    pub(crate) fn scripted(script: impl FnMut(usize, &str) -> Option<Do> + Send + 'static) -> Self {
        NextHop::new(&["PIPELINING", "8BITMIME"], Box::new(script))
    }

    pub(crate) fn with_tls(mut self, acceptor: TlsAcceptor) -> Self {
        self.tls = Some(acceptor);
        self
    }

    pub(crate) fn seen(&self) -> Seen {
        self.state.lock().unwrap().seen.clone()
    }

    /// Commands that begin with `verb`.
    pub(crate) fn count(&self, verb: &str) -> usize {
        self.seen().commands.iter().filter(|c| c.starts_with(verb)).count()
    }

    pub(crate) fn listen(
        &self,
        network: &SimulatedNetwork,
        at: &str,
    ) -> tokio::task::JoinHandle<()> {
        let listener = network.listen(at.parse().unwrap());
        tokio::spawn(self.clone().serve(listener))
    }

    async fn serve(self, mut listener: SimulatedListener) {
        while let Some((stream, _)) = listener.accept().await {
            let hop = self.clone();
            let number = {
                let mut state = hop.state.lock().unwrap();
                state.open += 1;
                state.seen.open_max = state.seen.open_max.max(state.open);
                state.seen.connections += 1;
                state.seen.connections
            };
            tokio::spawn(async move {
                let _ = hop.session(Box::new(stream), number).await;
                hop.state.lock().unwrap().open -= 1;
            });
        }
    }

    /// The reply of the script or the usual one; nothing if it is over.
    async fn reply(
        &self,
        stream: &mut BufStream<Box<dyn Stream>>,
        number: usize,
        at: &str,
        usual: &str,
    ) -> std::io::Result<String> {
        let scripted = {
            let mut state = self.state.lock().unwrap();
            state.seen.commands.push(at.to_owned());
            (state.script)(number, at)
        };
        let line = match scripted {
            None => usual.to_owned(),
            Some(Do::Say(line)) => line,
            Some(Do::SayAndDrop(line)) => {
                stream.write_all(line.as_bytes()).await?;
                stream.write_all(b"\r\n").await?;
                stream.flush().await?;
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            Some(Do::Drop) => return Err(std::io::ErrorKind::BrokenPipe.into()),
            Some(Do::Hang) => {
                std::future::pending::<()>().await;
                String::new()
            }
            Some(Do::Flood(text)) => loop {
                stream.write_all(text.as_bytes()).await?;
                stream.flush().await?;
                tokio::task::yield_now().await;
            },
        };
        stream.write_all(line.as_bytes()).await?;
        stream.write_all(b"\r\n").await?;
        stream.flush().await?;
        Ok(line)
    }

    async fn session(&self, stream: Box<dyn Stream>, number: usize) -> std::io::Result<()> {
        let mut stream = BufStream::new(stream);
        let greeting = self.reply(&mut stream, number, "CONNECT", "220 hop").await?;
        if !greeting.starts_with('2') {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            match line.split([' ', ':']).next().unwrap_or("") {
                "EHLO" => {
                    let extensions = self.state.lock().unwrap().extensions.clone();
                    let lines: Vec<_> = std::iter::once("hop").chain(extensions).collect();
                    let reply = format!("250-{}", lines.join("\r\n250-"));
                    let at = reply.rfind("250-").unwrap();
                    let reply = format!("{}250 {}", &reply[..at], &reply[at + 4..]);
                    self.reply(&mut stream, number, line, &reply).await?;
                }
                "STARTTLS" => {
                    let reply = self.reply(&mut stream, number, line, "220 go ahead").await?;
                    if reply.starts_with("220") {
                        let inner = stream.into_inner();
                        let acceptor = self.tls.clone().unwrap();
                        let tls = acceptor.accept(inner).await?;
                        let boxed: Box<dyn Stream> = Box::new(tls);
                        stream = BufStream::new(boxed);
                    }
                }
                "DATA" => {
                    let reply = self.reply(&mut stream, number, line, "354 go ahead").await?;
                    if reply.starts_with("354") {
                        self.content(&mut stream, number).await?;
                    }
                }
                "MAIL" | "RCPT" | "RSET" => {
                    self.reply(&mut stream, number, line, "250 2.0.0 OK").await?;
                }
                "QUIT" => {
                    self.reply(&mut stream, number, line, "221 bye").await?;
                    return Ok(());
                }
                _ => {
                    self.reply(&mut stream, number, line, "500 what").await?;
                }
            };
        }
    }

    async fn content(
        &self,
        stream: &mut BufStream<Box<dyn Stream>>,
        number: usize,
    ) -> std::io::Result<()> {
        let mut content = Vec::new();
        while !content.ends_with(b"\r\n.\r\n") && content != b".\r\n" {
            content.push(stream.read_u8().await?);
        }
        content.truncate(content.len() - 3);
        let text = String::from_utf8_lossy(&content).replace("\r\n..", "\r\n.");
        let reply = self.reply(stream, number, "CONTENT", "250 2.0.0 taken").await?;
        if reply.starts_with('2') {
            self.state.lock().unwrap().seen.messages.push(text);
        }
        Ok(())
    }
}
