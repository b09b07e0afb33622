//! Countries from the delegation files of the address registries, which
//! anybody may use: they say to which country's holder a block was given.
//!
//! The files are turned once into a map of ranges, a text that is read
//! quickly and that a person can look into.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use types::Timestamp;
use types::definition::Country;

/// The first line of a map.
const TITLE: &str = "# portcullis places 1";
/// Before the day to which the data of a map belong.
const DATA_OF: &str = "# data of ";

/// Why a file of places cannot be taken. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: std::io::Error,
    },
    /// A line cannot be read.
    #[error("{path}:{line}: {text:?} is no {wanted}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// The line, cut.
        text: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// The file holds no places at all.
    #[error("{path} holds no {wanted}")]
    Empty {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The database is broken.
    #[error("{path} is no database of places that can be used: {problem}")]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// Ranges of addresses with their countries, in order and apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceMap {
    v4: Vec<Range<u32>>,
    v6: Vec<Range<u128>>,
    /// The oldest day of the files it was made from.
    data_of: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range<T> {
    first: T,
    last: T,
    country: Country,
}

impl PlaceMap {
    /// Reads the text of one delegation file and adds what it delegates.
    ///
    /// # Errors
    /// A line that is no record of such a file, or no record at all.
    pub fn add_delegations(&mut self, path: &Path, text: &str) -> Result<(), PlacesError> {
        let before = self.len();
        for (index, line) in text.lines().enumerate() {
            let wrong = |wanted| wrong(path, index + 1, line, wanted);
            let fields: Vec<&str> = line.trim().split('|').collect();
            match fields.as_slice() {
                [""] => {}
                [comment, ..] if comment.starts_with('#') => {}
                // Of the first line, the last day that the file covers.
                [version, _, _, _, _, end, ..]
                    if version.parse::<f32>().is_ok() && end.len() == 8 =>
                {
                    let end = day(end).ok_or_else(|| wrong("date"))?;
                    self.data_of = Some(self.data_of.map_or(end, |other| other.min(end)));
                }
                [_, _, _, _, _, "summary", ..] => {}
                [_, country, kind, start, value, _, status, ..] => {
                    let given = matches!(*status, "allocated" | "assigned");
                    if let Ok(country) = country.parse::<Country>()
                        && given
                        && country.as_str() != "ZZ"
                    {
                        self.delegated(kind, start, value, country)
                            .ok_or_else(|| wrong("delegated range"))?;
                    }
                }
                _ => return Err(wrong("record of a delegation file")),
            }
        }
        if self.len() == before {
            let wanted = "delegations; it should be a file like delegated-ripencc-extended-latest";
            return Err(PlacesError::Empty { path: path.to_path_buf(), wanted });
        }
        Ok(())
    }

    fn delegated(&mut self, kind: &str, start: &str, value: &str, country: Country) -> Option<()> {
        match kind {
            // How many addresses, which need not be a power of two.
            "ipv4" => {
                let first = u32::from(start.parse::<Ipv4Addr>().ok()?);
                let more = value.parse::<u32>().ok()?.checked_sub(1)?;
                let last = first.checked_add(more)?;
                self.v4.push(Range { first, last, country });
            }
            // The length of the prefix.
            "ipv6" => {
                let start = start.parse::<Ipv6Addr>().ok()?;
                let network = ipnet::Ipv6Net::new(start, value.parse().ok()?).ok()?;
                let (first, last) = (network.network(), network.broadcast());
                self.v6.push(Range { first: first.into(), last: last.into(), country });
            }
            "asn" => {}
            _ => return None,
        }
        Some(())
    }

    /// Puts the ranges in order and joins neighbours of one country. Where
    /// two overlap, which registries avoid, the one that begins first counts.
    pub fn settle(&mut self) {
        settle(&mut self.v4, |last| last.checked_add(1));
        settle(&mut self.v6, |last| last.checked_add(1));
    }

    /// How many ranges it has.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// To which day its data belong.
    pub fn data_of(&self) -> Option<Timestamp> {
        self.data_of
    }

    /// The country of an address.
    pub fn country(&self, ip: IpAddr) -> Option<Country> {
        match ip.to_canonical() {
            IpAddr::V4(ip) => found(&self.v4, u32::from(ip)),
            IpAddr::V6(ip) => found(&self.v6, u128::from(ip)),
        }
    }

    /// The map as text; `made` is said in it.
    pub fn to_text(&self, made: Timestamp) -> String {
        let mut text = format!("{TITLE}\n# made {made} by portcullis geo import\n");
        // Writing to a String cannot fail.
        if let Some(data_of) = self.data_of {
            let _ = writeln!(text, "{DATA_OF}{data_of}");
        }
        for range in &self.v4 {
            let (first, last) = (Ipv4Addr::from(range.first), Ipv4Addr::from(range.last));
            let _ = writeln!(text, "{first}-{last} {}", range.country);
        }
        for range in &self.v6 {
            let (first, last) = (Ipv6Addr::from(range.first), Ipv6Addr::from(range.last));
            let _ = writeln!(text, "{first}-{last} {}", range.country);
        }
        text
    }

    /// Reads the text of a map.
    ///
    /// # Errors
    /// It is no such text, or a line is wrong.
    pub fn parse(path: &Path, text: &str) -> Result<PlaceMap, PlacesError> {
        let mut map = PlaceMap::default();
        if text.lines().next() != Some(TITLE) {
            let first = text.lines().next().unwrap_or_default();
            return Err(wrong(path, 1, first, "beginning of a map; make one by geo import"));
        }
        for (index, line) in text.lines().enumerate() {
            if let Some(data_of) = line.strip_prefix(DATA_OF) {
                map.data_of = data_of.parse().ok();
            }
            if !line.is_empty() && !line.starts_with('#') {
                map.line(line).ok_or_else(|| wrong(path, index + 1, line, "range of a map"))?;
            }
        }
        map.settle();
        Ok(map)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let (range, country) = line.split_once(' ')?;
        let (first, last) = range.split_once('-')?;
        let country = country.trim().parse().ok()?;
        match (first.parse().ok()?, last.parse().ok()?) {
            (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
                self.v4.push(Range { first: first.into(), last: last.into(), country });
            }
            (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
                self.v6.push(Range { first: first.into(), last: last.into(), country });
            }
            _ => return None,
        }
        Some(())
    }
}

fn wrong(path: &Path, line: usize, text: &str, wanted: &'static str) -> PlacesError {
    let text = text.chars().take(60).collect();
    PlacesError::Line { path: path.to_path_buf(), line, text, wanted }
}

/// `20261130` as an instant.
fn day(digits: &str) -> Option<Timestamp> {
    let (year, month, day) = (digits.get(..4)?, digits.get(4..6)?, digits.get(6..8)?);
    format!("{year}-{month}-{day}T00:00:00Z").parse().ok()
}

fn found<T: Copy + Ord>(ranges: &[Range<T>], ip: T) -> Option<Country> {
    let after = ranges.partition_point(|range| range.first <= ip);
    let range = ranges.get(after.checked_sub(1)?)?;
    (ip <= range.last).then_some(range.country)
}

fn settle<T: Copy + Ord>(ranges: &mut Vec<Range<T>>, next: impl Fn(T) -> Option<T>) {
    ranges.sort_by_key(|range| range.first);
    let mut settled: Vec<Range<T>> = Vec::with_capacity(ranges.len());
    for mut range in ranges.drain(..) {
        if let Some(before) = settled.last_mut() {
            let Some(free) = next(before.last) else { break };
            range.first = range.first.max(free);
            if range.first > range.last {
                continue;
            }
            if range.first == free && range.country == before.country {
                before.last = range.last;
                continue;
            }
        }
        settled.push(range);
    }
    *ranges = settled;
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "2|ripencc|1764457199|4|19830705|20261129|+0100\n\
        # remark\n\
        ripencc|*|ipv4|*|3|summary\n\
        ripencc|DE|ipv4|192.0.2.0|128|20200101|allocated|x\n\
        ripencc|DE|ipv4|192.0.2.128|128|20200101|assigned|y\n\
        ripencc|FR|ipv4|198.51.100.0|768|20200101|allocated\n\
        ripencc|NL|ipv6|2001:db8::|32|20200101|allocated|z\n\
        ripencc|SE|asn|64500|1|20200101|allocated|z\n\
        ripencc||ipv4|203.0.113.0|256||available|\n\
        ripencc|ZZ|ipv4|203.0.113.0|256||reserved|\n";

    fn map(text: &str) -> Result<PlaceMap, PlacesError> {
        let mut map = PlaceMap::default();
        map.add_delegations(Path::new("delegated"), text)?;
        map.settle();
        Ok(map)
    }

    fn of(map: &PlaceMap, ip: &str) -> String {
        map.country(ip.parse().unwrap()).map_or("-".to_owned(), |country| country.to_string())
    }

    #[test]
    fn delegations_become_ranges_and_survive_writing() {
        let map = map(FILE).unwrap();
        assert_eq!(map.len(), 3, "neighbours of one country are one range");
        let read = PlaceMap::parse(Path::new("map"), &map.to_text(Timestamp::EPOCH)).unwrap();
        assert_eq!(read, map);
        for map in [&map, &read] {
            for (ip, country) in [
                ("192.0.2.0", "DE"),
                ("192.0.2.255", "DE"),
                ("192.0.3.0", "-"),
                ("198.51.102.255", "FR"),
                ("198.51.103.0", "-"),
                ("::ffff:192.0.2.7", "DE"),
                ("2001:db8:ffff::1", "NL"),
                ("2001:db9::", "-"),
                ("203.0.113.1", "-"),
                ("0.0.0.0", "-"),
            ] {
                assert_eq!(of(map, ip), country, "{ip}");
            }
        }
        assert_eq!(map.data_of().unwrap().to_string(), "2026-11-29T00:00:00.000Z");
    }

    #[test]
    fn the_oldest_of_several_files_says_how_old_the_map_is() {
        let mut map = map(FILE).unwrap();
        let older = "2.3|apnic|20261101|1|19830613|20261101|+1000\napnic|AU|ipv4|1.0.0.0|256|20110811|assigned\n";
        map.add_delegations(Path::new("apnic"), older).unwrap();
        map.settle();
        assert_eq!(of(&map, "1.0.0.1"), "AU");
        assert!(map.data_of().unwrap().to_string().starts_with("2026-11-01"));
    }

    #[test]
    fn of_ranges_that_overlap_the_first_counts() {
        let text = "x|DE|ipv4|10.0.0.0|256|0|allocated\nx|FR|ipv4|10.0.0.128|256|0|allocated\n\
                    x|IT|ipv4|10.0.0.130|2|0|allocated\nx|ES|ipv4|255.255.255.0|256|0|allocated\n\
                    x|PT|ipv4|255.255.255.9|1|0|allocated\n";
        let map = map(text).unwrap();
        assert_eq!(of(&map, "10.0.0.131"), "DE");
        assert_eq!(of(&map, "10.0.1.1"), "FR");
        assert_eq!(of(&map, "255.255.255.9"), "ES");
    }

    #[test]
    fn what_is_no_delegation_file_is_refused_with_its_line() {
        for (text, words) in [
            ("<html>", "delegated:1: \"<html>\" is no record"),
            ("x|DE|ipv4|192.0.2.0|0|0|allocated", "is no delegated range"),
            ("x|DE|ipv4|255.255.255.255|9|0|allocated", "is no delegated range"),
            ("x|DE|ipv4|192.0.2|9|0|allocated", "is no delegated range"),
            ("x|DE|ipv6|2001:db8::|129|0|allocated", "is no delegated range"),
            ("x|DE|ipv9|1|2|0|allocated", "is no delegated range"),
            ("2|x|1|1|19830705|2026113|+1", "holds no delegations"),
            ("2|x|1|1|19830705|20261399|+1", "is no date"),
            ("", "holds no delegations"),
        ] {
            let error = map(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        for text in ["", "192.0.2.0-192.0.2.9 DE", "# portcullis places 1\n192.0.2.9-192.0.2.1 DE"]
        {
            assert!(PlaceMap::parse(Path::new("map"), text).is_err(), "{text}");
        }
    }
}
