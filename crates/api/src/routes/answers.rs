//! Answers that are no JSON: documents, files, streams.

use std::io::{Read, Write};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use serde_json::json;

use crate::openapi::{Draft, Given, text};

/// Octets of a file read at once.
const PIECE_OCTETS: usize = 64 * 1024;
/// Pieces read ahead of the client.
const PIECES_AHEAD: usize = 4;
/// How long a client may take to read a piece before it is given up.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// A document of TOML.
pub(crate) struct Toml(pub(crate) String);

impl IntoResponse for Toml {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/toml; charset=utf-8")], self.0).into_response()
    }
}

impl Given for Toml {
    fn describe(draft: &mut Draft<'_>) {
        draft.answer(200, "A document of TOML.", &[("application/toml", text())]);
    }
}

/// CSV that is small enough to be made before it is sent.
pub(crate) struct Csv(pub(crate) Vec<u8>);

impl IntoResponse for Csv {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], self.0).into_response()
    }
}

impl Given for Csv {
    fn describe(draft: &mut Draft<'_>) {
        draft.answer(200, "CSV, RFC 4180.", &[("text/csv", text())]);
    }
}

/// Done; there is nothing to say.
pub(crate) struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Given for Done {
    fn describe(draft: &mut Draft<'_>) {
        draft.answer(204, "Done.", &[]);
    }
}

/// A file to be saved under a name.
pub(crate) struct Download {
    /// Of a closed list, so it is plain enough for a field.
    pub(crate) name: String,
    pub(crate) media_type: &'static str,
    /// Octets, if they are known.
    pub(crate) size_octets: Option<u64>,
    /// SHA-256 in hexadecimal, if it is known.
    pub(crate) sha256: Option<String>,
    pub(crate) body: Body,
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        let disposition = format!("attachment; filename=\"{}\"", self.name);
        let kind = self.media_type.to_owned();
        let mut fields =
            vec![(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)];
        if let Some(octets) = self.size_octets {
            fields.push((header::CONTENT_LENGTH, octets.to_string()));
        }
        if let Some(hash) = self.sha256 {
            fields.push((header::ETAG, format!("\"{hash}\"")));
        }
        let mut response = Response::new(self.body);
        for (name, value) in fields {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl Given for Download {
    fn describe(draft: &mut Draft<'_>) {
        let content =
            [("application/octet-stream", json!({ "type": "string", "format": "binary" }))];
        draft.answer(200, "The file, with its name in Content-Disposition.", &content);
    }
}

/// What is read as a body, piece by piece, off the asynchronous workers.
pub(crate) fn streamed(mut source: impl Read + Send + 'static) -> Body {
    written(move |out| {
        let mut buffer = vec![0; PIECE_OCTETS];
        loop {
            match source.read(&mut buffer)? {
                0 => return Ok(()),
                read => out.write_all(buffer.get(..read).unwrap_or(&[]))?,
            }
        }
    })
}

/// What `work` writes as a body. It runs off the asynchronous workers and
/// waits for the client, but not for one that has stopped reading. If it
/// fails the body is cut off, which the client sees.
pub(crate) fn written(
    work: impl FnOnce(&mut dyn Write) -> std::io::Result<()> + Send + 'static,
) -> Body {
    let (out, body) = Channel::<Bytes, std::io::Error>::new(PIECES_AHEAD);
    let workers = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { out: Some(out), workers, piece: Vec::new() };
        let done = work(&mut pieces).and_then(|()| pieces.flush());
        if let (Err(error), Some(out)) = (done, pieces.out.take()) {
            out.abort(error);
        }
    });
    Body::new(body.boxed())
}

/// Hands on what is written, a piece at a time.
struct Pieces {
    out: Option<Sender<Bytes, std::io::Error>>,
    workers: tokio::runtime::Handle,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.piece.extend_from_slice(octets);
        if self.piece.len() >= PIECE_OCTETS {
            self.flush()?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        let Some(out) = self.out.as_mut().filter(|_| !piece.is_empty()) else { return Ok(()) };
        let sent = async { tokio::time::timeout(READ_WITHIN, out.send_data(piece)).await };
        match self.workers.block_on(sent) {
            Ok(Ok(())) => Ok(()),
            // Nobody listens any more once the client has gone.
            Ok(Err(_)) | Err(_) => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }
}
