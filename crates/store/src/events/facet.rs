//! Counting the values of one column over matching rows.

use std::collections::HashMap;

use super::bits::Bits;
use super::columns::{TextView, View, first_spelling};
use super::fields::{VALUE_SEPARATOR, WideField, ip_of};
use crate::search::{Facet, FacetBy};

/// Most different values of one facet that are kept apart. Beyond, the rarest
/// are forgotten and counting goes on: the most frequent are still right
/// unless a sender makes them up faster than that.
const DISTINCT_MAX: usize = 1 << 18;

/// The values of one facet so far.
pub(super) struct Counting {
    by: FacetBy,
    texts: HashMap<Box<[u8]>, u64>,
    numbers: HashMap<u128, u64>,
    empty: u64,
    distinct: u64,
}

impl Counting {
    pub(super) fn new(by: FacetBy) -> Self {
        Counting { by, texts: HashMap::new(), numbers: HashMap::new(), empty: 0, distinct: 0 }
    }

    /// Counts the rows of `blocks`, each with its first row.
    pub(super) fn unit(&mut self, view: &View<'_>, blocks: &[(usize, &Bits)]) {
        let rows = || blocks.iter().flat_map(|(start, bits)| bits.rows().map(move |r| start + r));
        match self.by {
            FacetBy::Text(column) => self.texts(view.text(column), rows(), first_spelling),
            FacetBy::Domain(column) => self.texts(view.text(column), rows(), domain_of),
            FacetBy::Word(column) => {
                let codes = view.codes(column);
                let mut counts = [0; 256];
                for row in rows() {
                    if let Some(count) = counts.get_mut(usize::from(codes.code(row))) {
                        *count += 1;
                    }
                }
                let counted = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
                counted.for_each(|(code, count)| self.number(code as u128, count));
            }
            FacetBy::Number(column) => {
                let numbers = view.numbers(column);
                let number = |row: usize| numbers.get(row).copied().unwrap_or(0);
                self.numbers(rows().map(|row| u128::from(number(row))));
            }
            FacetBy::Ip | FacetBy::Network => {
                let ips = view.wide(WideField::Ip);
                let is_network = self.by == FacetBy::Network;
                let number = |row: usize| {
                    let ip = u128::from_be_bytes(ips.get(row).copied().unwrap_or_default());
                    if is_network { network(ip) } else { ip }
                };
                self.numbers(rows().map(number));
            }
        }
        self.forget_rare();
    }

    fn texts(
        &mut self,
        text: TextView<'_>,
        rows: impl Iterator<Item = usize>,
        value_of: fn(&[u8]) -> &[u8],
    ) {
        if text.is_empty() {
            self.empty += rows.count() as u64;
            return;
        }
        let Some(keys) = text.keys else {
            rows.for_each(|row| self.cell(text.cell(row), 1, value_of));
            return;
        };
        let mut counts = vec![0; text.cells()];
        for row in rows {
            let key = keys.get(row).map_or(0, |&key| usize::from(key));
            if let Some(count) = counts.get_mut(key) {
                *count += 1;
            }
        }
        let counted = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
        counted.for_each(|(cell, count)| self.cell(text.at(cell), count, value_of));
    }

    fn cell(&mut self, cell: &[u8], count: u64, value_of: fn(&[u8]) -> &[u8]) {
        let mut seen: Option<&[u8]> = None;
        let mut any = false;
        for value in cell.split(|&octet| octet == VALUE_SEPARATOR).map(value_of) {
            // Twice the same in a row is one row all the same.
            if value.is_empty() || seen == Some(value) {
                continue;
            }
            any = true;
            seen = Some(value);
            match self.texts.get_mut(value) {
                Some(sum) => *sum += count,
                None => {
                    self.distinct += 1;
                    self.texts.insert(value.into(), count);
                }
            }
        }
        if !any {
            self.empty += count;
        }
    }

    /// Counts numbers one by one; runs of the same are counted at once.
    fn numbers(&mut self, numbers: impl Iterator<Item = u128>) {
        let (mut last, mut run) = (0, 0);
        for number in numbers {
            if number != last {
                self.number(last, run);
                (last, run) = (number, 0);
            }
            run += 1;
        }
        self.number(last, run);
    }

    fn number(&mut self, number: u128, count: u64) {
        if number == 0 {
            self.empty += count;
        } else if count > 0 {
            *self.numbers.entry(number).or_insert_with(|| {
                self.distinct += 1;
                0
            }) += count;
        }
    }

    fn forget_rare(&mut self) {
        while self.texts.len() > DISTINCT_MAX {
            let least = self.texts.values().min().copied().unwrap_or(0);
            self.texts.retain(|_, count| *count > least);
        }
        while self.numbers.len() > DISTINCT_MAX {
            let least = self.numbers.values().min().copied().unwrap_or(0);
            self.numbers.retain(|_, count| *count > least);
        }
    }

    /// The `values_max` most frequent; of `sample`, the rows there are and
    /// those that were looked at.
    pub(super) fn finish(self, values_max: usize, (rows, looked_at): (u64, u64)) -> Facet {
        let scale = |count: u64| match looked_at {
            0 => count,
            seen => {
                let scaled = u128::from(count) * u128::from(rows) / u128::from(seen);
                u64::try_from(scaled).unwrap_or(u64::MAX)
            }
        };
        let by = self.by;
        let texts = self.texts.into_iter().map(|(value, count)| (Name::Text(value), count));
        let numbers = self.numbers.into_iter().map(|(value, count)| (Name::Number(value), count));
        let mut all: Vec<_> = texts.chain(numbers).collect();
        let first = |a: &(Name, u64), b: &(Name, u64)| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0));
        if all.len() > values_max && values_max > 0 {
            all.select_nth_unstable_by(values_max - 1, first);
        }
        all.truncate(values_max);
        all.sort_unstable_by(first);
        let legend = match by {
            FacetBy::Word(column) => column.legend(),
            _ => Vec::new(),
        };
        let values = all.into_iter().map(|(name, count)| (name.shown(by, &legend), scale(count)));
        Facet {
            by,
            values: values.collect(),
            distinct: self.distinct,
            empty: scale(self.empty),
            sampled: looked_at < rows,
        }
    }
}

/// A value before it is shown.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Text(Box<[u8]>),
    Number(u128),
}

impl Name {
    fn shown(&self, by: FacetBy, legend: &[&'static str]) -> String {
        match (self, by) {
            (Name::Text(text), _) => String::from_utf8_lossy(text).into_owned(),
            (Name::Number(code), FacetBy::Word(_)) => {
                let code = usize::try_from(*code).unwrap_or(0);
                legend.get(code).copied().unwrap_or("").to_owned()
            }
            (Name::Number(ip), FacetBy::Ip) => ip_of(ip.to_be_bytes()).to_string(),
            (Name::Number(ip), FacetBy::Network) => {
                let bits = if is_v4(*ip) { 24 } else { 64 };
                format!("{}/{bits}", ip_of(ip.to_be_bytes()))
            }
            (Name::Number(number), _) => number.to_string(),
        }
    }
}

fn is_v4(ip: u128) -> bool {
    ip >> 32 == 0xffff
}

fn network(ip: u128) -> u128 {
    let host_bits = if is_v4(ip) { 8 } else { 64 };
    ip >> host_bits << host_bits
}

/// The domain of an address in its A-label form, which is its last spelling.
fn domain_of(value: &[u8]) -> &[u8] {
    value
        .rsplit(|&octet| octet == b'@')
        .next()
        .filter(|d| d.len() < value.len())
        .unwrap_or_default()
}
