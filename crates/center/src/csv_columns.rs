//! CSV files of our own: the first line names the columns, in any order, and
//! a cell is read as it was before it was made safe for spreadsheets.

use crate::daily_log::spreadsheet_safe;
use crate::{CenterError, Problem, presentable_within};

/// Where each column of a file stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns<const N: usize>([Option<usize>; N]);

impl<const N: usize> Columns<N> {
    /// Finds the columns of these names; the first `needed` have to be there.
    pub(crate) fn find(
        header: &csv::StringRecord,
        names: [&str; N],
        needed: usize,
    ) -> Result<Columns<N>, CenterError> {
        let is = |title: &str, name: &str| name.eq_ignore_ascii_case(title);
        let wrong =
            |message: String| CenterError::Invalid { problems: vec![Problem::at_line(1, message)] };
        let unknown = header.iter().find(|title| !names.iter().any(|name| is(title, name)));
        if let Some(title) = unknown {
            let (title, known) = (shown(title), names.join(", "));
            return Err(wrong(format!("unknown column {title:?}; known are {known}")));
        }
        let places = names.map(|name| header.iter().position(|title| is(title, name)));
        if places.iter().take(needed).any(Option::is_none) {
            let (last, before) = names.get(..needed).and_then(<[_]>::split_last).unzip();
            let (last, before) = (last.copied().unwrap_or_default(), before.unwrap_or_default());
            let before = before.join(", ");
            return Err(wrong(format!("the first line must name the columns {before} and {last}")));
        }
        Ok(Columns(places))
    }

    /// The cells of a line, in the order of the names; one that is not there
    /// is empty.
    pub(crate) fn cells<'r>(&self, record: &'r csv::StringRecord) -> [&'r str; N] {
        self.0.map(|place| {
            let text = place.and_then(|place| record.get(place)).unwrap_or("");
            match text.strip_prefix('\'') {
                Some(rest) if spreadsheet_safe(rest).len() > rest.len() => rest,
                _ => text,
            }
        })
    }
}

/// As much of a cell as belongs in an error: a file of strangers can have
/// megabytes in one.
pub(crate) fn shown(cell: &str) -> String {
    presentable_within(cell, SHOWN_CHARS_MAX)
}

/// Most characters of a cell that an error quotes.
const SHOWN_CHARS_MAX: usize = 80;

/// That a file is no CSV.
pub(crate) fn csv_error(error: &csv::Error) -> CenterError {
    let line = error.position().map(|at| usize::try_from(at.line()).unwrap_or(0));
    CenterError::Invalid { problems: vec![Problem { line, ..Problem::new(error.to_string()) }] }
}

/// The line at which a record begins.
pub(crate) fn csv_line(record: &csv::StringRecord) -> usize {
    // Of lines that end with CR LF the reader counts the LF to the next one.
    let line = record.position().map_or(0, |at| at.line().max(at.record() + 1));
    usize::try_from(line).unwrap_or(0)
}
