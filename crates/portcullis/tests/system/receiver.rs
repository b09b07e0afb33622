//! A program that is told: an HTTP server of the few lines a webhook needs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was posted.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    /// The first line.
    pub(crate) request: String,
    fields: Vec<(String, String)>,
    /// What was sent.
    pub(crate) body: Vec<u8>,
}

impl Posted {
    /// A field, empty if it is not there.
    pub(crate) fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

/// Takes what is posted and answers with a status.
#[derive(Clone)]
pub(crate) struct Receiver {
    /// Where.
    pub(crate) address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
    status: Arc<Mutex<&'static str>>,
}

impl Receiver {
    pub(crate) fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Receiver {
            address: listener.local_addr().unwrap(),
            posted: Arc::default(),
            status: Arc::new(Mutex::new("204 No Content")),
        };
        let serving = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serving.serve(stream);
            }
        });
        receiver
    }

    /// From now on answers so.
    pub(crate) fn answer(&self, status: &'static str) {
        *self.status.lock().unwrap() = status;
    }

    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = || -> std::io::Result<String> {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            Ok(line.trim_end().to_owned())
        };
        let request = line()?;
        let mut fields = Vec::new();
        while let Some((name, value)) = line()?.split_once(':') {
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut posted = Posted { request, fields, body: Vec::new() };
        let octets = posted.field("content-length").parse().unwrap_or(0);
        reader.take(octets).read_to_end(&mut posted.body)?;
        self.posted.lock().unwrap().push(posted);
        let status = *self.status.lock().unwrap();
        write!(&stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }
}
