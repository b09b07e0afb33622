//! Comparing texts: one test, over a cell or over a whole block of cells.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};
use types::AddressSet;

use super::bits::{BLOCK_ROWS, Bits};
use super::columns::TextView;
use super::fields::{fold_into, is_separator};
use crate::search::{LANES, Lanes, LanesPlan, Pattern, Required, TextMatch};

/// A compiled [`TextMatch`].
#[derive(Debug)]
pub(super) struct TextTest {
    /// What every matching cell contains, each of them; for the scan.
    needles: Vec<Needle>,
    shape: Shape,
}

/// Something that is sought in the text of many cells at once.
#[derive(Debug)]
enum Needle {
    /// These octets, which are not empty.
    One(Box<Finder<'static>>),
    /// One of several.
    OneOf(Regex),
}

#[derive(Debug)]
enum Shape {
    /// Containing the needle is all; without a needle, all cells do.
    Contains,
    /// A value is this.
    Equals(Vec<u8>),
    /// A value begins with the first piece, ends with the last, and has the
    /// others between them in order.
    Wildcard(Vec<Finder<'static>>),
    /// A value begins with this.
    StartsWith(Vec<u8>),
    /// A value ends with this.
    EndsWith(Vec<u8>),
    /// A value's domain is this, or with `below` lies under it.
    Domain { domain: Vec<u8>, below: bool },
    /// The pattern is found in a value.
    Regex(Pattern, Box<LanesPlan>),
    /// A value is an address of this set.
    Among(Arc<AddressSet>),
    /// There is a value that is not empty.
    Present,
    /// The text has a character that no cell has.
    Never,
}

impl TextTest {
    pub(super) fn new(wanted: &TextMatch) -> Self {
        let text = match wanted {
            TextMatch::Contains(text)
            | TextMatch::Equals(text)
            | TextMatch::StartsWith(text)
            | TextMatch::EndsWith(text)
            | TextMatch::Wildcard(text)
            | TextMatch::Domain { domain: text, .. } => text.as_str(),
            TextMatch::Regex(_) | TextMatch::Among(_) => "",
        };
        if text.bytes().any(is_separator) {
            return TextTest { needles: Vec::new(), shape: Shape::Never };
        }
        let whole = folded(text);
        let mut needles = vec![Needle::one(&whole)];
        let shape = match wanted {
            TextMatch::Contains(_) => Shape::Contains,
            TextMatch::Equals(_) => Shape::Equals(whole),
            TextMatch::StartsWith(_) => Shape::StartsWith(whole),
            TextMatch::EndsWith(_) => Shape::EndsWith(whole),
            TextMatch::Domain { below, .. } => Shape::Domain { domain: whole, below: *below },
            TextMatch::Wildcard(pattern) if !pattern.contains('*') => Shape::Equals(whole),
            TextMatch::Wildcard(pattern) => {
                let pieces: Vec<Vec<u8>> = pattern.split('*').map(folded).collect();
                needles = pieces.iter().map(|piece| Needle::one(piece)).collect();
                let finders = pieces.iter().map(|piece| Finder::new(piece).into_owned());
                Shape::Wildcard(finders.collect())
            }
            TextMatch::Regex(pattern) => {
                needles = pattern.required().iter().map(Needle::required).collect();
                Shape::Regex(pattern.clone(), Box::new(LanesPlan::new(pattern)))
            }
            TextMatch::Among(set) => Shape::Among(Arc::clone(set)),
        };
        TextTest { needles: needles.into_iter().flatten().collect(), shape }
    }

    /// A test for cells with a text.
    pub(super) fn present() -> Self {
        TextTest { needles: Vec::new(), shape: Shape::Present }
    }

    /// How dear a look at a cell is, in rough nanoseconds.
    pub(super) fn cost(&self) -> usize {
        match (&self.shape, self.needles.as_slice()) {
            (Shape::Never, _) => 0,
            (Shape::Present, _) => 2,
            (Shape::Regex(..) | Shape::Among(_), []) => 50,
            (Shape::Regex(..), _) => 20,
            (_, []) => 10,
            (_, _) => 5,
        }
    }

    /// Whether one cell matches.
    pub(super) fn matches(&self, cell: &[u8]) -> bool {
        match &self.shape {
            Shape::Contains => self.needles.iter().all(|needle| needle.find(cell).is_some()),
            Shape::Never => false,
            Shape::Present => cell.iter().any(|&octet| !is_separator(octet)),
            // Nearly all cells have one value.
            _ if !has_separator(cell) => self.is_value(cell),
            _ => cell.split(|&octet| is_separator(octet)).any(|value| self.is_value(value)),
        }
    }

    fn is_value(&self, value: &[u8]) -> bool {
        match &self.shape {
            Shape::Equals(whole) => value == whole,
            Shape::StartsWith(start) => value.starts_with(start),
            Shape::EndsWith(end) => value.ends_with(end),
            Shape::Regex(pattern, _) => pattern.is_in(value),
            Shape::Wildcard(pieces) => fits(value, pieces),
            Shape::Domain { domain: wanted, below } => {
                let domain = value.rsplit(|&octet| octet == b'@').next().unwrap_or_default();
                let is_under =
                    || domain.strip_suffix(&**wanted).is_some_and(|front| front.ends_with(b"."));
                domain == wanted || (*below && is_under())
            }
            Shape::Among(set) => std::str::from_utf8(value).is_ok_and(|value| set.has(value)),
            Shape::Contains | Shape::Never | Shape::Present => false,
        }
    }

    /// The test as it is best carried out on `text`.
    pub(super) fn prepare<'a>(&'a self, text: TextView<'a>) -> TextScan<'a> {
        let needle = match (&self.shape, self.needles.as_slice()) {
            (Shape::Contains, [only]) => Some(only),
            (_, several) => {
                let sample = sample_of(text.octets);
                let hits = several.iter().map(|needle| (needle.hits_in(sample), needle));
                let rarest = hits.min_by_key(|(hits, _)| *hits);
                // What every second cell has spares no look at the cells.
                let cells = sample.len() * text.cells() / text.octets.len().max(1);
                rarest.filter(|(hits, _)| hits * 2 <= cells).map(|(_, needle)| needle)
            }
        };
        let lanes = match (&self.shape, needle) {
            (Shape::Regex(_, plan), None) => Some(RefCell::new(plan.lanes())),
            _ => None,
        };
        TextScan { text, test: self, needle, lanes }
    }

    /// Which cells of a legend match, one after the other.
    pub(super) fn cells(&self, legend: TextView<'_>) -> Vec<bool> {
        let scan = self.prepare(TextView { keys: None, ..legend });
        let cells = legend.cells();
        let mut matching = Vec::with_capacity(cells);
        while matching.len() < cells {
            let rows = BLOCK_ROWS.min(cells - matching.len());
            let found = scan.matching(matching.len(), rows, &Bits::first(rows));
            matching.extend((0..rows).map(|cell| found.has(cell)));
        }
        matching
    }
}

/// Octets of a column in which the needles of a test are tried.
const SAMPLE_OCTETS: usize = 8 * 1024;

/// Some of the text of a column, from its middle.
fn sample_of(octets: &[u8]) -> &[u8] {
    let start = octets.len().saturating_sub(SAMPLE_OCTETS) / 2;
    octets.get(start..octets.len().min(start + SAMPLE_OCTETS)).unwrap_or_default()
}

impl Needle {
    /// Nothing if it is empty: that is everywhere.
    fn one(octets: &[u8]) -> Option<Needle> {
        (!octets.is_empty()).then(|| Needle::One(Box::new(Finder::new(octets).into_owned())))
    }

    fn required(required: &Required) -> Option<Needle> {
        match required {
            Required::Literal(octets) => Needle::one(octets),
            Required::OneOf(literals) => {
                let octet = |octet: &u8| format!("\\x{octet:02x}");
                let literal = |literal: &Vec<u8>| literal.iter().map(octet).collect::<String>();
                let any = literals.iter().map(literal).collect::<Vec<_>>().join("|");
                let regex = RegexBuilder::new(&any).unicode(false).build();
                // Without it, each cell is looked at.
                regex.ok().map(Needle::OneOf)
            }
        }
    }

    /// Where the first begins and ends.
    fn find(&self, octets: &[u8]) -> Option<Range<usize>> {
        match self {
            Needle::One(finder) => {
                finder.find(octets).map(|start| start..start + finder.needle().len())
            }
            Needle::OneOf(regex) => regex.find(octets).map(|hit| hit.range()),
        }
    }

    fn hits_in(&self, octets: &[u8]) -> usize {
        match self {
            Needle::One(finder) => finder.find_iter(octets).count(),
            Needle::OneOf(regex) => regex.find_iter(octets).count(),
        }
    }
}

/// A [`TextTest`] on one column of a chunk or segment.
#[derive(Debug)]
pub(super) struct TextScan<'a> {
    text: TextView<'a>,
    test: &'a TextTest,
    /// The rarest needle there, if it is rare.
    needle: Option<&'a Needle>,
    /// For a pattern, if no needle is.
    lanes: Option<RefCell<Lanes<'a>>>,
}

impl TextScan<'_> {
    /// As [`TextTest::cost`].
    pub(super) fn cost(&self) -> usize {
        self.test.cost()
    }

    /// The rows among `among` whose cell matches, in a block of `rows` rows
    /// from `start`, each of which has its own cell.
    ///
    /// The needle is sought in the text of all cells at once: one call that
    /// runs at memory speed, instead of one per cell.
    pub(super) fn matching(&self, start: usize, rows: usize, among: &Bits) -> Bits {
        let TextScan { text, test, .. } = self;
        if matches!(test.shape, Shape::Never) {
            return Bits::none();
        }
        let are_many = among.count() * 16 >= rows;
        match (self.needle, &self.lanes) {
            (Some(needle), _) if are_many => self.sought(needle, start, rows).and(among),
            (_, Some(lanes)) if are_many => {
                self.side_by_side(&mut lanes.borrow_mut(), start, rows, among)
            }
            _ => {
                let mut found = Bits::none();
                for row in among.rows().filter(|&row| test.matches(text.cell(start + row))) {
                    found.set(row);
                }
                found
            }
        }
    }

    /// A pattern that no needle helps, on many cells at once.
    fn side_by_side(&self, lanes: &mut Lanes<'_>, start: usize, rows: usize, among: &Bits) -> Bits {
        let TextScan { text, test, .. } = self;
        let all = text.octets.get(text.start(start)..text.start(start + rows));
        let have_one_value = !has_separator(all.unwrap_or_default());
        let mut found = Bits::none();
        let mut by_length = ByLength::default();
        for row in among.rows() {
            let cell = text.cell(start + row);
            if have_one_value || !has_separator(cell) {
                by_length.push(row, cell.len());
            } else if test.matches(cell) {
                found.set(row);
            }
        }
        let rows = by_length.sorted();
        for some in rows.chunks(LANES) {
            let mut texts: [&[u8]; LANES] = [&[]; LANES];
            texts.iter_mut().zip(some).for_each(|(to, &row)| *to = text.cell(start + row));
            let matching = some.iter().zip(lanes.are_in(texts));
            matching.filter(|(_, is_in)| *is_in).for_each(|(&row, _)| found.set(row));
        }
        found
    }

    fn sought(&self, needle: &Needle, start: usize, rows: usize) -> Bits {
        let TextScan { text, test, .. } = self;
        let needle_is_all = matches!(test.shape, Shape::Contains);
        let mut found = Bits::none();
        let end = text.start(start + rows);
        let mut at = text.start(start);
        let mut row = start;
        while let Some(hit) = text.octets.get(at..end).and_then(|rest| needle.find(rest)) {
            row = row_of(*text, row, start + rows, at + hit.start);
            let cell_end = text.start(row + 1);
            // No cell before this one has a needle. What lies across the end
            // of this one is in neither; of several needles, which differ in
            // length, another may be in it all the same.
            let is_match = match needle_is_all {
                true => at + hit.end <= cell_end,
                false => test.matches(text.at(row)),
            };
            if is_match {
                found.set(row - start);
            }
            at = cell_end;
        }
        found
    }
}

/// Lengths that are told apart; longer cells are seldom.
const LENGTHS: usize = 256;

/// Rows in the order of the lengths of their cells, so that those that are
/// stepped through side by side end together.
struct ByLength {
    rows: Vec<(usize, u8)>,
    counts: [usize; LENGTHS],
}

impl Default for ByLength {
    fn default() -> Self {
        ByLength { rows: Vec::with_capacity(BLOCK_ROWS), counts: [0; LENGTHS] }
    }
}

impl ByLength {
    fn push(&mut self, row: usize, length: usize) {
        let length = u8::try_from(length).unwrap_or(u8::MAX);
        self.rows.push((row, length));
        if let Some(count) = self.counts.get_mut(usize::from(length)) {
            *count += 1;
        }
    }

    /// The rows in order: each length has its place, after all shorter ones.
    fn sorted(mut self) -> Vec<usize> {
        let mut next = 0;
        for count in &mut self.counts {
            next += std::mem::replace(count, next);
        }
        let mut sorted = vec![0; self.rows.len()];
        for (row, length) in self.rows {
            if let Some(place) = self.counts.get_mut(usize::from(length)) {
                if let Some(slot) = sorted.get_mut(*place) {
                    *slot = row;
                }
                *place += 1;
            }
        }
        sorted
    }
}

fn has_separator(cell: &[u8]) -> bool {
    // Without a way out of the loop it is done many octets at a time.
    cell.iter().fold(false, |found, &octet| found | is_separator(octet))
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
