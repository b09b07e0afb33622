//! Comparing texts: one test, over a cell or over a whole block of cells.

use memchr::memmem::Finder;

use super::bits::{BLOCK_ROWS, Bits};
use super::columns::TextView;
use super::fields::{fold_into, is_separator};
use crate::search::{Pattern, TextMatch};

/// A compiled [`TextMatch`].
#[derive(Debug)]
pub(super) struct TextTest {
    /// What every matching cell contains, for the scan; may be empty.
    needle: Finder<'static>,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    /// Containing the needle is all.
    Contains,
    /// A value is the needle.
    Equals,
    /// A value begins with the first piece, ends with the last, and has the
    /// others between them in order.
    Wildcard(Vec<Finder<'static>>),
    /// A value begins with the needle.
    StartsWith,
    /// A value ends with it.
    EndsWith,
    /// A value's domain is the needle, or with `below` lies under it.
    Domain { below: bool },
    /// The pattern is found in a value; the needle is empty.
    Regex(Pattern),
    /// There is a value that is not empty.
    Present,
    /// The text has a character that no cell has.
    Never,
}

impl TextTest {
    pub(super) fn new(wanted: &TextMatch) -> Self {
        let (text, shape) = match wanted {
            TextMatch::Contains(text) => (text.as_str(), Shape::Contains),
            TextMatch::Equals(text) => (text.as_str(), Shape::Equals),
            TextMatch::StartsWith(text) => (text.as_str(), Shape::StartsWith),
            TextMatch::EndsWith(text) => (text.as_str(), Shape::EndsWith),
            TextMatch::Domain { domain, below } => {
                (domain.as_str(), Shape::Domain { below: *below })
            }
            TextMatch::Wildcard(pattern) => {
                let pieces: Vec<&str> = pattern.split('*').collect();
                let longest = pieces.iter().max_by_key(|piece| piece.len()).copied();
                let finder = |piece: &&str| Finder::new(&folded(piece)).into_owned();
                let folded = pieces.iter().map(finder).collect();
                let whole = pieces.len() == 1;
                let shape = if whole { Shape::Equals } else { Shape::Wildcard(folded) };
                (longest.unwrap_or_default(), shape)
            }
            TextMatch::Regex(pattern) => ("", Shape::Regex(pattern.clone())),
        };
        let whole = if let TextMatch::Wildcard(pattern) = wanted { pattern } else { text };
        let shape = if has_separator(whole) { Shape::Never } else { shape };
        TextTest { needle: Finder::new(&folded(text)).into_owned(), shape }
    }

    /// A test for cells with a text.
    pub(super) fn present() -> Self {
        TextTest { needle: Finder::new(b"").into_owned(), shape: Shape::Present }
    }

    /// How dear a look at a cell is, in rough nanoseconds.
    pub(super) fn cost(&self) -> usize {
        match &self.shape {
            Shape::Never => 0,
            Shape::Present => 2,
            Shape::Regex(_) => 100,
            _ if self.needle.needle().is_empty() => 10,
            _ => 5,
        }
    }

    /// Whether one cell matches.
    pub(super) fn matches(&self, cell: &[u8]) -> bool {
        match &self.shape {
            Shape::Contains => self.needle.find(cell).is_some(),
            Shape::Never => false,
            Shape::Present => cell.iter().any(|&octet| !is_separator(octet)),
            _ => cell.split(|&octet| is_separator(octet)).any(|value| self.is_value(value)),
        }
    }

    fn is_value(&self, value: &[u8]) -> bool {
        let needle = self.needle.needle();
        match &self.shape {
            Shape::Equals => value == needle,
            Shape::StartsWith => value.starts_with(needle),
            Shape::EndsWith => value.ends_with(needle),
            Shape::Regex(pattern) => pattern.is_in(value),
            Shape::Wildcard(pieces) => fits(value, pieces),
            Shape::Domain { below } => {
                let domain = value.rsplit(|&octet| octet == b'@').next().unwrap_or_default();
                let is_under =
                    || domain.strip_suffix(needle).is_some_and(|front| front.ends_with(b"."));
                domain == needle || (*below && is_under())
            }
            Shape::Contains | Shape::Never | Shape::Present => false,
        }
    }

    /// Which cells of a legend match, one after the other.
    pub(super) fn cells(&self, legend: TextView<'_>) -> Vec<bool> {
        let cells = TextView { keys: None, ..legend };
        let mut matching = Vec::with_capacity(cells.cells());
        while matching.len() < cells.cells() {
            let rows = BLOCK_ROWS.min(cells.cells() - matching.len());
            let found = self.scan(cells, matching.len(), rows, &Bits::first(rows));
            matching.extend((0..rows).map(|cell| found.has(cell)));
        }
        matching
    }

    /// The rows among `among` whose cell matches, in a block of `rows` rows
    /// from `start`, each of which has its own cell.
    ///
    /// The needle is sought in the text of all cells at once: one call that
    /// runs at memory speed, instead of one per cell.
    pub(super) fn scan(&self, text: TextView<'_>, start: usize, rows: usize, among: &Bits) -> Bits {
        if matches!(self.shape, Shape::Never) {
            return Bits::none();
        }
        let by_cell = self.needle.needle().is_empty() || among.count() * 16 < rows;
        let mut found = Bits::none();
        if by_cell {
            for row in among.rows().filter(|&row| self.matches(text.cell(start + row))) {
                found.set(row);
            }
            return found;
        }
        let end = text.start(start + rows);
        let mut at = text.start(start);
        let mut row = start;
        while let Some(hit) = text.octets.get(at..end).and_then(|rest| self.needle.find(rest)) {
            let hit = at + hit;
            row = row_of(text, row, start + rows, hit);
            let cell_end = text.start(row + 1);
            if hit + self.needle.needle().len() > cell_end {
                // The needle lies across two cells: it is in neither.
                at = hit + 1;
                continue;
            }
            // The needle is in the cell; mostly nothing more is asked.
            if matches!(self.shape, Shape::Contains) || self.matches(text.at(row)) {
                found.set(row - start);
            }
            at = cell_end;
        }
        found.and(among)
    }
}

fn has_separator(text: &str) -> bool {
    text.bytes().any(is_separator)
}

fn folded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    fold_into(&mut out, text);
    out
}

/// The row whose cell holds the octet `at`, known to lie in `from..to`.
fn row_of(text: TextView<'_>, from: usize, to: usize, at: usize) -> usize {
    let at = i32::try_from(at).unwrap_or(i32::MAX);
    let ends = text.offsets.get(from + 1..=to).unwrap_or_default();
    // Common needles hit the next rows, rare ones any.
    let near = ends.iter().take(4).take_while(|&&end| end <= at).count();
    let skipped = if near < 4 { near } else { ends.partition_point(|&end| end <= at) };
    from + skipped
}

/// Whether `value` is the pieces of a pattern with something between them.
fn fits(value: &[u8], pieces: &[Finder<'static>]) -> bool {
    let [first, middle @ .., last] = pieces else { return false };
    let Some(rest) = value.strip_prefix(first.needle()) else { return false };
    let Some(mut rest) = rest.strip_suffix(last.needle()) else { return false };
    for piece in middle.iter().filter(|piece| !piece.needle().is_empty()) {
        let Some(found) = piece.find(rest) else { return false };
        rest = rest.get(found + piece.needle().len()..).unwrap_or_default();
    }
    true
}
