//! Reading server-sent events (the HTML standard, section 9.2).

use super::ClientError;

/// Longest event, in octets: a stream that never ends a line is no stream.
const EVENT_OCTETS_MAX: usize = 4 << 20;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEvent {
    /// Its kind: `attempt`, `alive`, `cut`.
    pub kind: String,
    /// Its id, if it has one: what to come back with.
    pub id: Option<String>,
    /// Its data.
    pub data: String,
}

/// Puts events together from pieces.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    event: StreamEvent,
    octets: usize,
}

impl Reader {
    /// The events that end in this piece.
    pub(super) fn read(&mut self, piece: &[u8]) -> Result<Vec<StreamEvent>, ClientError> {
        let mut events = Vec::new();
        for part in piece.split_inclusive(|octet| *octet == b'\n') {
            self.line.extend_from_slice(part);
            self.octets += part.len();
            if self.octets > EVENT_OCTETS_MAX {
                return Err(ClientError::Broken("an event of the stream has no end".to_owned()));
            }
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line);
                events.extend(self.line(line.trim_end_matches(['\r', '\n'])));
            }
        }
        Ok(events)
    }

    /// Takes a line; an empty one ends an event.
    fn line(&mut self, line: &str) -> Option<StreamEvent> {
        if line.is_empty() {
            self.octets = 0;
            let event = std::mem::take(&mut self.event);
            return Some(event).filter(|event| !event.data.is_empty() || event.id.is_some());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.kind),
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments, `retry`, and what later versions may add.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_however_they_are_cut() {
        let stream =
            b": hello\nretry: 1000\n\nevent: attempt\nid: 7_x\ndata: {\"a\":\ndata: 1}\n\n\
                       event: cut\r\ndata: {}\r\n\r\n";
        let wanted = [("attempt", Some("7_x"), "{\"a\":\n1}"), ("cut", None, "{}")];
        for size in [1, 2, 7, stream.len()] {
            let mut reader = Reader::default();
            let pieces = stream.chunks(size);
            let events: Vec<StreamEvent> =
                pieces.flat_map(|piece| reader.read(piece).unwrap()).collect();
            let found: Vec<_> = events
                .iter()
                .map(|event| (event.kind.as_str(), event.id.as_deref(), event.data.as_str()))
                .collect();
            assert_eq!(found, wanted, "{size}");
        }
        assert!(Reader::default().read(&vec![b'x'; EVENT_OCTETS_MAX + 1]).is_err());
    }
}
