//! The spreadsheet: written in constant memory, dates and numbers as such,
//! every text as text, so that none can become a formula.

use std::fs::File;
use std::io;
use std::path::Path;

use rust_xlsxwriter::{ColNum, Format, RowNum, Workbook, Worksheet, XlsxError};

use super::clock_text::ClockText;
use super::output::{Allowance, Movable, finish};
use super::sink::{Cell, SEPARATOR, Sink, Written};
use super::text::yes_or_no;

/// Rows of a sheet (the limit of the format), its header line among them.
const SHEET_ROWS_MAX: RowNum = 1_048_576;
/// Most characters of a cell, counted in UTF-16 units (the limit of the format).
const CELL_UNITS_MAX: usize = 32_767;
/// How often, in rows, it is asked whether to go on.
const ASK_EVERY_ROWS: u64 = 8_192;
/// How hard the file is compressed, of 9: the first steps bring most.
const COMPRESSION: u8 = 1;
/// Octets of cells in one sheet from which on the archive needs sizes of 64
/// bits; below, every reader is served.
const LARGE_SHEET_OCTETS: u64 = 1 << 30;
const WIDTH_CHARACTERS: f64 = 22.0;

/// One heading of the sheets with rows.
pub(super) struct Heading {
    /// What it says.
    pub(super) label: String,
}

/// Writes a workbook: a sheet that says what this is, then the rows.
pub(super) struct Xlsx {
    book: Workbook,
    headings: Vec<Heading>,
    about: Vec<(String, String)>,
    clock: ClockText,
    formats: Formats,
    /// The row of the sheet that is written next.
    next: RowNum,
    /// The column of the next value.
    column: ColNum,
    /// Which sheet is written, counted from one: the first says what this is.
    sheet: usize,
    rows: u64,
    sheet_rows_max: RowNum,
    /// Octets of cells in the sheet that is written.
    sheet_octets: u64,
    file: File,
    allowance: Allowance,
}

struct Formats {
    heading: Format,
    time: Format,
}

impl Xlsx {
    /// Begins the workbook. What does not fit into memory waits in files in
    /// `scratch`; they are gone when the workbook is.
    pub(super) fn begin(
        file: File,
        allowance: Allowance,
        scratch: &Path,
        headings: Vec<Heading>,
        about: Vec<(String, String)>,
        clock: ClockText,
    ) -> io::Result<Xlsx> {
        let mut book = Workbook::new();
        book.set_zip_compression_level(COMPRESSION);
        book.set_tempdir(scratch).map_err(failed)?;
        book.add_worksheet().set_name("About").map_err(failed)?;
        let formats = Formats {
            heading: Format::new().set_bold(),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
        };
        let mut xlsx = Xlsx {
            book,
            headings,
            about,
            clock,
            formats,
            next: 0,
            column: 0,
            sheet: 0,
            rows: 0,
            sheet_rows_max: SHEET_ROWS_MAX,
            sheet_octets: 0,
            file,
            allowance,
        };
        xlsx.begin_sheet().map_err(failed)?;
        Ok(xlsx)
    }

    fn begin_sheet(&mut self) -> Result<(), XlsxError> {
        self.sheet += 1;
        self.next = 1;
        self.sheet_octets = 0;
        let sheet = self.book.add_worksheet_with_constant_memory()?;
        sheet.set_name(format!("Rows {}", self.sheet))?;
        sheet.set_freeze_panes(1, 0)?;
        for (column, heading) in (0..).zip(&self.headings) {
            sheet.set_column_width(column, WIDTH_CHARACTERS)?;
            sheet.write_string_with_format(0, column, &heading.label, &self.formats.heading)?;
        }
        Ok(())
    }

    /// Ends the sheet that is being written.
    fn end_sheet(&mut self) -> Result<(), XlsxError> {
        let last_column = self.headings.len().saturating_sub(1) as ColNum;
        let last_row = self.next.saturating_sub(1);
        self.book.worksheet_from_index(self.sheet)?.autofilter(0, 0, last_row, last_column)?;
        Ok(())
    }

    fn write(&mut self, cell: Cell<'_>) -> Result<(), XlsxError> {
        if self.column == 0 && self.next == self.sheet_rows_max {
            self.end_sheet()?;
            self.begin_sheet()?;
        }
        let sheet = self.book.worksheet_from_index(self.sheet)?;
        write_cell(sheet, (self.next, self.column), &cell, &mut self.clock, &self.formats)?;
        self.sheet_octets += octets(&cell);
        self.column += 1;
        Ok(())
    }

    /// Fills the first sheet: names and values, and how many rows there are.
    fn tell(&mut self) -> Result<(), XlsxError> {
        let rows = ("Rows".to_owned(), self.rows.to_string());
        let sheet = self.book.worksheet_from_index(0)?;
        sheet.set_column_width(0, WIDTH_CHARACTERS)?.set_column_width(1, 4.0 * WIDTH_CHARACTERS)?;
        for (row, (name, value)) in (0..).zip(self.about.iter().chain([&rows])) {
            sheet.write_string_with_format(row, 0, name, &self.formats.heading)?;
            sheet.write_string(row, 1, within_cell(value))?;
        }
        Ok(())
    }
}

fn write_cell(
    sheet: &mut Worksheet,
    (row, column): (RowNum, ColNum),
    cell: &Cell<'_>,
    clock: &mut ClockText,
    formats: &Formats,
) -> Result<(), XlsxError> {
    match *cell {
        Cell::Nothing => return Ok(()),
        Cell::Text("") => return Ok(()),
        Cell::Text(text) => sheet.write_string(row, column, within_cell(text))?,
        Cell::Texts(texts) => {
            let list = texts.replace(SEPARATOR, ", ");
            sheet.write_string(row, column, within_cell(&list))?
        }
        Cell::Number(number) => sheet.write_number(row, column, number as f64)?,
        Cell::Flag(yes) => sheet.write_string(row, column, yes_or_no(yes))?,
        Cell::Time(time) => {
            let days = clock.spreadsheet_days(time);
            sheet.write_number_with_format(row, column, days, &formats.time)?
        }
    };
    Ok(())
}

/// About how many octets a cell becomes before compression.
fn octets(cell: &Cell<'_>) -> u64 {
    const AROUND: u64 = 60;
    AROUND
        + match cell {
            Cell::Text(text) | Cell::Texts(text) => text.len() as u64,
            Cell::Nothing | Cell::Number(_) | Cell::Flag(_) | Cell::Time(_) => 0,
        }
}

/// As much of a text as a cell can hold.
fn within_cell(text: &str) -> &str {
    if text.len() <= CELL_UNITS_MAX {
        return text;
    }
    let mut units = 0;
    let end = text.char_indices().find(|(_, letter)| {
        units += letter.len_utf16();
        units > CELL_UNITS_MAX
    });
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

impl Sink for Xlsx {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        self.write(cell).map_err(failed)
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.column = 0;
        self.next += 1;
        self.rows += 1;
        if self.sheet_octets > LARGE_SHEET_OCTETS {
            self.book.use_zip_large_file(true);
        }
        match self.rows.is_multiple_of(ASK_EVERY_ROWS) {
            true => self.allowance.check(),
            false => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<Written> {
        self.end_sheet().and_then(|()| self.tell()).map_err(failed)?;
        let file = self.file.try_clone()?;
        let out = Movable::new(file, self.allowance.clone());
        self.book.save_to_writer(out).map_err(failed)?;
        drop(self.book);
        finish(self.file, &self.allowance)
    }
}

/// The failure below the library's own, where it can be had.
fn failed(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_sheet_begins_where_one_is_full() {
        use calamine::{Reader, open_workbook_auto_from_rs};
        let folder = tempfile::tempdir().unwrap();
        let file = tempfile::tempfile_in(folder.path()).unwrap();
        let mut read = file.try_clone().unwrap();
        let allowance = Allowance {
            space: std::sync::Arc::new(world::simulated::SimulatedDisk::new(u64::MAX)),
            reserve_octets: 0,
            stop: Default::default(),
            full: Default::default(),
            folder: folder.path().into(),
            folder_octets_max: u64::MAX,
            crowded: Default::default(),
        };
        let headings = vec![Heading { label: "Number".to_owned() }];
        let clock = ClockText::utc();
        let begun = Xlsx::begin(file, allowance, folder.path(), headings, Vec::new(), clock);
        let mut book = Box::new(begun.unwrap());
        book.sheet_rows_max = 3;
        for number in 0..5 {
            book.cell(Cell::Number(number)).unwrap();
            book.end_row().unwrap();
        }
        let written = book.finish().unwrap();
        let mut octets = Vec::new();
        io::Seek::seek(&mut read, io::SeekFrom::Start(0)).unwrap();
        io::Read::read_to_end(&mut read, &mut octets).unwrap();
        assert_eq!(written.size_octets, octets.len() as u64);
        let mut book = open_workbook_auto_from_rs(io::Cursor::new(octets)).unwrap();
        assert_eq!(book.sheet_names(), ["About", "Rows 1", "Rows 2", "Rows 3"]);
        let mut cells = |sheet| {
            let range = book.worksheet_range(sheet).unwrap();
            range.rows().map(|row| row[0].to_string()).collect::<Vec<_>>()
        };
        assert_eq!(cells("Rows 1"), ["Number", "0", "1"]);
        assert_eq!(cells("Rows 3"), ["Number", "4"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no scratch stays");
    }

    #[test]
    fn a_cell_holds_what_the_format_allows() {
        assert_eq!(within_cell("abc"), "abc");
        let long = "x".repeat(CELL_UNITS_MAX + 1);
        assert_eq!(within_cell(&long).len(), CELL_UNITS_MAX);
        let wide = "\u{1f600}".repeat(20_000);
        assert_eq!(within_cell(&wide).encode_utf16().count(), CELL_UNITS_MAX - 1);
    }
}
