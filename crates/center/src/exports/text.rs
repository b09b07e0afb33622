//! The text formats: CSV and one JSON object per line.

use std::io::{self, Write};

use types::Timestamp;

use super::clock_text::ClockText;
use super::output::Stream;
use super::sink::{Cell, SEPARATOR, Sink, Written};
use crate::daily_log::spreadsheet_safe;

/// Octets of a row gathered before they are handed on.
const ROW_OCTETS: usize = 4 * 1024;

/// Writes CSV (RFC 4180): UTF-8, lines that end in CR LF, a header line.
pub(super) struct Csv {
    out: Stream,
    row: Vec<u8>,
    clock: ClockText,
    raw: bool,
}

impl Csv {
    /// Begins the file with its header line. `raw` leaves out the apostrophe
    /// that keeps a spreadsheet from taking a text for a formula.
    pub(super) fn begin(
        out: Stream,
        header: &[&str],
        clock: ClockText,
        raw: bool,
    ) -> io::Result<Csv> {
        let mut csv = Csv { out, row: Vec::with_capacity(ROW_OCTETS), clock, raw };
        let cells: Vec<Cell<'_>> = header.iter().map(|name| Cell::Text(name)).collect();
        csv.row(&cells)?;
        Ok(csv)
    }

    fn text(&mut self, text: &str) {
        match self.raw {
            true => quote(&mut self.row, text),
            false => quote(&mut self.row, &spreadsheet_safe(text)),
        }
    }
}

impl Sink for Csv {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.row.clear();
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                self.row.push(b',');
            }
            match *cell {
                Cell::Nothing => {}
                Cell::Text(text) => self.text(text),
                Cell::Texts(texts) => self.text(&texts.replace(SEPARATOR, ", ")),
                Cell::Number(number) => write!(self.row, "{number}")?,
                Cell::Time(time) => self.clock.push(time, &mut self.row),
            }
        }
        self.row.extend_from_slice(b"\r\n");
        self.out.put(&self.row)
    }

    fn finish(self: Box<Self>) -> io::Result<Written> {
        self.out.finish()
    }
}

/// Appends a cell, in quotes where RFC 4180 section 2 wants them.
fn quote(row: &mut Vec<u8>, text: &str) {
    let octets = text.as_bytes();
    let needs = |octet: &u8| matches!(octet, b',' | b'"' | b'\r' | b'\n');
    if !octets.iter().any(needs) {
        row.extend_from_slice(octets);
        return;
    }
    row.push(b'"');
    for piece in octets.split_inclusive(|octet| *octet == b'"') {
        row.extend_from_slice(piece);
        if piece.ends_with(b"\"") {
            row.push(b'"');
        }
    }
    row.push(b'"');
}

/// Writes one JSON object per line, with the names of the API.
pub(super) struct Ndjson {
    out: Stream,
    row: Vec<u8>,
    /// `"name":` of each column, ready to be written.
    names: Vec<Vec<u8>>,
}

impl Ndjson {
    /// Begins the file; these are the names.
    pub(super) fn begin(out: Stream, names: &[&str]) -> io::Result<Ndjson> {
        let ready = |name: &&str| {
            let mut ready = serde_json::to_vec(name)?;
            ready.push(b':');
            Ok(ready)
        };
        let names = names.iter().map(ready).collect::<Result<_, serde_json::Error>>()?;
        Ok(Ndjson { out, row: Vec::with_capacity(ROW_OCTETS), names })
    }
}

impl Sink for Ndjson {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let row = &mut self.row;
        row.clear();
        row.push(b'{');
        for (name, cell) in self.names.iter().zip(cells) {
            if row.len() > 1 {
                row.push(b',');
            }
            row.extend_from_slice(name);
            match *cell {
                Cell::Nothing => row.extend_from_slice(b"null"),
                Cell::Text(text) => serde_json::to_writer(&mut *row, text)?,
                Cell::Texts(texts) => {
                    let list: Vec<&str> = texts.split(SEPARATOR).collect();
                    serde_json::to_writer(&mut *row, &list)?;
                }
                Cell::Number(number) => write!(row, "{number}")?,
                Cell::Time(time) => quoted_time(time, row),
            }
        }
        row.extend_from_slice(b"}\n");
        self.out.put(row)
    }

    fn finish(self: Box<Self>) -> io::Result<Written> {
        self.out.finish()
    }
}

/// The time as the API writes it: in UTC.
fn quoted_time(time: Timestamp, row: &mut Vec<u8>) {
    row.push(b'"');
    ClockText::utc().push(time, row);
    row.push(b'"');
}
