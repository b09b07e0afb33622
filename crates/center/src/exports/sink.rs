//! What the three formats have in common: cells go in, a file comes out.

use std::io;

use types::Timestamp;

/// Stands between the texts of one cell. The store takes it out of what
/// senders write.
pub(super) const SEPARATOR: char = '\u{1e}';

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// There is none.
    Nothing,
    /// Text, mostly of strangers.
    Text(&'a str),
    /// Several texts, with [`SEPARATOR`] between them.
    Texts(&'a str),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A point in time.
    Time(Timestamp),
}

/// Writes rows into a file of one format. Nothing it holds grows with the
/// number of rows.
pub(super) trait Sink {
    /// Writes the next value of the row: one for each column.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()>;

    /// Ends the row.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    fn end_row(&mut self) -> io::Result<()>;

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    fn finish(self: Box<Self>) -> io::Result<Written>;
}

/// A file that is complete, though neither durable nor named yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Octets.
    pub(super) size_octets: u64,
    /// SHA-256 in hexadecimal digits.
    pub(super) sha256: String,
}
