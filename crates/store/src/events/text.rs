//! Comparing texts: one test, over a cell or over a whole block of cells.

use memchr::memmem::Finder;

use super::bits::Bits;
use super::columns::TextView;
use super::fields::{VALUE_SEPARATOR, fold_into};
use crate::contract::TextMatch;

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
    Wildcard(Vec<Vec<u8>>),
    /// A value's domain is the needle, or with `below` lies under it.
    Domain { below: bool },
    /// The text has a character that no cell has.
    Never,
}

impl TextTest {
    pub(super) fn new(wanted: &TextMatch) -> Self {
        let (text, shape) = match wanted {
            TextMatch::Contains(text) => (folded(text), Shape::Contains),
            TextMatch::Equals(text) => (folded(text), Shape::Equals),
            TextMatch::Domain { domain, below } => {
                (folded(domain), Shape::Domain { below: *below })
            }
            TextMatch::Wildcard(pattern) => {
                let pieces: Vec<_> = pattern.split('*').map(folded).collect();
                let longest = pieces.iter().max_by_key(|piece| piece.len()).cloned();
                let whole = pieces.len() == 1;
                let shape = if whole { Shape::Equals } else { Shape::Wildcard(pieces) };
                (longest.unwrap_or_default(), shape)
            }
        };
        let raw = match wanted {
            TextMatch::Contains(text) | TextMatch::Equals(text) | TextMatch::Wildcard(text) => text,
            TextMatch::Domain { domain, .. } => domain,
        };
        let shape = if raw.as_bytes().contains(&VALUE_SEPARATOR) { Shape::Never } else { shape };
        TextTest { needle: Finder::new(&text).into_owned(), shape }
    }

    /// Whether one cell matches.
    pub(super) fn matches(&self, cell: &[u8]) -> bool {
        match &self.shape {
            Shape::Contains => self.needle.find(cell).is_some(),
            Shape::Never => false,
            _ => cell.split(|&octet| octet == VALUE_SEPARATOR).any(|value| self.is_value(value)),
        }
    }

    fn is_value(&self, value: &[u8]) -> bool {
        let needle = self.needle.needle();
        match &self.shape {
            Shape::Equals => value == needle,
            Shape::Wildcard(pieces) => fits(value, pieces),
            Shape::Domain { below } => {
                let domain = value.rsplit(|&octet| octet == b'@').next().unwrap_or_default();
                let is_under =
                    || domain.strip_suffix(needle).is_some_and(|front| front.ends_with(b"."));
                domain == needle || (*below && is_under())
            }
            Shape::Contains | Shape::Never => false,
        }
    }

    /// The rows among `among` whose cell matches, in a block of `rows` rows
    /// from `start`.
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
            if self.matches(text.cell(row)) {
                found.set(row - start);
            }
            at = cell_end;
        }
        found.and(among)
    }
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
fn fits(value: &[u8], pieces: &[Vec<u8>]) -> bool {
    let [first, middle @ .., last] = pieces else { return false };
    let Some(mut rest) = value.strip_prefix(first.as_slice()) else { return false };
    for piece in middle {
        let Some(found) = memchr::memmem::find(rest, piece) else { return false };
        rest = rest.get(found + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}
