//! The text formats: CSV and one JSON object per line.

use std::io::{self, Write};

use super::clock_text::ClockText;
use super::output::Output;
use super::sink::{Cell, SEPARATOR, Sink, Written};
use crate::daily_log::spreadsheet_safe;

/// Octets of a row gathered before they are handed on.
const ROW_OCTETS: usize = 4 * 1024;

/// Writes CSV (RFC 4180): UTF-8, lines that end in CR LF, a header line.
pub(super) struct Csv<'a> {
    out: Box<dyn Output + 'a>,
    row: Vec<u8>,
    clock: ClockText,
    raw: bool,
}

impl<'a> Csv<'a> {
    /// Begins the file with its header line. `raw` leaves out the apostrophe
    /// that keeps a spreadsheet from taking a text for a formula.
    pub(super) fn begin(
        out: Box<dyn Output + 'a>,
        header: &[&str],
        clock: ClockText,
        raw: bool,
    ) -> io::Result<Csv<'a>> {
        let mut csv = Csv { out, row: Vec::with_capacity(ROW_OCTETS), clock, raw };
        for name in header {
            csv.cell(Cell::Text(name))?;
        }
        csv.end_row()?;
        Ok(csv)
    }

    fn text(&mut self, text: &str) {
        match self.raw {
            true => quote(&mut self.row, text),
            // Ours, and nearly all of theirs, begin with a letter or a digit.
            false if text.starts_with(|first: char| first.is_ascii_alphanumeric()) => {
                quote(&mut self.row, text);
            }
            false => quote(&mut self.row, &spreadsheet_safe(text)),
        }
    }
}

impl Sink for Csv<'_> {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        match cell {
            Cell::Nothing => {}
            Cell::Text(text) => self.text(text),
            Cell::Texts(texts) => self.text(&texts.replace(SEPARATOR, ", ")),
            Cell::Number(number) => write!(self.row, "{number}")?,
            Cell::Flag(yes) => self.text(yes_or_no(yes)),
            Cell::Time(time) => self.clock.push(time, &mut self.row),
        }
        self.row.push(b',');
        Ok(())
    }

    fn end_row(&mut self) -> io::Result<()> {
        // The comma after the last cell.
        self.row.pop();
        self.row.extend_from_slice(b"\r\n");
        self.out.put(&self.row)?;
        self.row.clear();
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<Written> {
        self.out.finish()
    }
}

/// The word for a flag.
pub(super) fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// Appends a cell, in quotes where RFC 4180 section 2 wants them.
fn quote(row: &mut Vec<u8>, text: &str) {
    let octets = text.as_bytes();
    let needs = |octet: &u8| matches!(octet, b',' | b'"' | b'\r' | b'\n');
    // Without a way out of the loop it is done many octets at a time.
    if !octets.iter().fold(false, |found, octet| found | needs(octet)) {
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
pub(super) struct Ndjson<'a> {
    out: Box<dyn Output + 'a>,
    row: Vec<u8>,
    /// `,"name":` of each column, ready to be written.
    names: Vec<Vec<u8>>,
    /// The column whose value is next.
    next: usize,
    clock: ClockText,
}

impl<'a> Ndjson<'a> {
    /// Begins the file; these are the names.
    pub(super) fn begin(out: Box<dyn Output + 'a>, names: &[&str]) -> io::Result<Ndjson<'a>> {
        let ready = |(place, name): (usize, &&str)| {
            let mut ready = vec![if place == 0 { b'{' } else { b',' }];
            serde_json::to_writer(&mut ready, name)?;
            ready.push(b':');
            Ok(ready)
        };
        let names = names.iter().enumerate().map(ready);
        let names = names.collect::<Result<_, serde_json::Error>>()?;
        let (row, clock) = (Vec::with_capacity(ROW_OCTETS), ClockText::utc());
        Ok(Ndjson { out, row, names, next: 0, clock })
    }
}

impl Sink for Ndjson<'_> {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        let row = &mut self.row;
        row.extend_from_slice(self.names.get(self.next).map_or(&[][..], Vec::as_slice));
        self.next += 1;
        match cell {
            Cell::Nothing => row.extend_from_slice(b"null"),
            Cell::Text(text) => serde_json::to_writer(row, text)?,
            Cell::Texts("") => row.extend_from_slice(b"[]"),
            Cell::Texts(texts) => {
                let list: Vec<&str> = texts.split(SEPARATOR).collect();
                serde_json::to_writer(row, &list)?;
            }
            Cell::Number(number) => write!(row, "{number}")?,
            Cell::Flag(yes) => write!(row, "{yes}")?,
            Cell::Time(time) => {
                row.push(b'"');
                self.clock.push(time, row);
                row.push(b'"');
            }
        }
        Ok(())
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.row.extend_from_slice(b"}\n");
        self.out.put(&self.row)?;
        self.row.clear();
        self.next = 0;
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<Written> {
        self.out.finish()
    }
}
