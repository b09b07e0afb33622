//! Databases of places in the format of MaxMind, whoever made them.

use std::net::IpAddr;
use std::path::Path;

use maxminddb::{LookupResult, PathElement, Reader};
use types::definition::Country;
use types::{Inconclusive, PlaceFacts, Timestamp};

use super::registry::PlacesError;

/// A database, read into memory.
pub(super) struct Database {
    reader: Reader<Vec<u8>>,
}

/// Where databases have the country: first where the address is, then who
/// holds it.
const COUNTRY: &[&[PathElement<'static>]] = &[
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[PathElement::Key("registered_country"), PathElement::Key("iso_code")],
    &[PathElement::Key("country_code")],
];
/// Records that are looked at to find out what a database has.
const RECORDS_LOOKED_AT: usize = 10_000;
/// Where they have the number of the autonomous system.
const NETWORK: &[PathElement<'static>] = &[PathElement::Key("autonomous_system_number")];

impl Database {
    /// Takes the content of a file.
    pub(super) fn open(path: &Path, octets: Vec<u8>) -> Result<Database, PlacesError> {
        match Reader::from_source(octets) {
            Ok(reader) => Ok(Database { reader }),
            Err(error) => {
                Err(PlacesError::Broken { path: path.to_path_buf(), problem: error.to_string() })
            }
        }
    }

    /// Whether it has numbers of autonomous systems; databases of countries
    /// have none. The first thousands of records tell.
    pub(super) fn knows_systems(&self) -> bool {
        let Ok(records) = self.reader.networks(Default::default()) else { return false };
        let number =
            |record: LookupResult<'_, _>| record.decode_path::<u32>(NETWORK).ok().flatten();
        records.take(RECORDS_LOOKED_AT).flatten().any(|record| number(record).is_some())
    }

    /// When it was made.
    pub(super) fn built(&self) -> Option<Timestamp> {
        let seconds = i64::try_from(self.reader.metadata().build_epoch).ok()?;
        seconds.checked_mul(1_000).map(Timestamp::from_millis)
    }

    /// What it says of an address. A record that cannot be read is no answer.
    pub(super) fn of(&self, ip: IpAddr) -> Result<PlaceFacts, Inconclusive> {
        let ip = ip.to_canonical();
        if ip.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(PlaceFacts::default());
        }
        let found = self.reader.lookup(ip).map_err(|_| Inconclusive::Malformed)?;
        let mut country = None;
        for path in COUNTRY {
            // Another kind of database has something else there, or nothing.
            let text: Option<&str> = found.decode_path(path).unwrap_or_default();
            country = country.or(text.and_then(|text| text.parse::<Country>().ok()));
        }
        let network = found.decode_path(NETWORK).map_err(|_| Inconclusive::Malformed)?;
        Ok(PlaceFacts { country, network })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    use ipnet::Ipv4Net;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.push(2 << 5 | u8::try_from(text.len()).unwrap());
        out.extend_from_slice(text.as_bytes());
    }

    fn map(out: &mut Vec<u8>, entries: u8) {
        out.push(7 << 5 | entries);
    }

    fn number(out: &mut Vec<u8>, kind: u8, octets: &[u8]) {
        let length = u8::try_from(octets.len()).unwrap();
        match kind {
            1..=7 => out.push(kind << 5 | length),
            _ => out.extend([length, kind - 7]),
        }
        out.extend_from_slice(octets);
    }

    /// A database of IPv4 in the smallest form the format has.
    fn made(entries: &[(&str, &[u8])]) -> Vec<u8> {
        const FREE: u32 = u32::MAX;
        let mut nodes: Vec<[u32; 2]> = vec![[FREE; 2]];
        let mut data: Vec<u8> = Vec::new();
        let mut leaves: Vec<(usize, usize, u32)> = Vec::new();
        for (network, record) in entries {
            let network: Ipv4Net = network.parse().unwrap();
            let offset = u32::try_from(data.len()).unwrap();
            data.extend_from_slice(record);
            let mut node = 0;
            for depth in 0..network.prefix_len() {
                let bit = (u32::from(network.network()) >> (31 - depth) & 1) as usize;
                if depth + 1 == network.prefix_len() {
                    leaves.push((node, bit, offset));
                } else {
                    if nodes[node][bit] == FREE {
                        nodes[node][bit] = u32::try_from(nodes.len()).unwrap();
                        nodes.push([FREE; 2]);
                    }
                    node = nodes[node][bit] as usize;
                }
            }
        }
        let count = u32::try_from(nodes.len()).unwrap();
        for (node, bit, offset) in leaves {
            nodes[node][bit] = count + 16 + offset;
        }
        let mut out = Vec::new();
        for record in nodes.iter().flatten() {
            let value = if *record == FREE { count } else { *record };
            out.extend_from_slice(&value.to_be_bytes()[1..]);
        }
        out.extend([0; 16]);
        out.extend(data);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        map(&mut out, 9);
        for (key, value) in [
            ("binary_format_major_version", 2_u32),
            ("binary_format_minor_version", 0),
            ("ip_version", 4),
            ("record_size", 24),
        ] {
            text(&mut out, key);
            number(&mut out, 5, &u16::try_from(value).unwrap().to_be_bytes());
        }
        text(&mut out, "node_count");
        number(&mut out, 6, &count.to_be_bytes());
        text(&mut out, "build_epoch");
        number(&mut out, 9, &1_764_457_200_u64.to_be_bytes());
        text(&mut out, "database_type");
        text(&mut out, "Test-Country");
        text(&mut out, "description");
        map(&mut out, 0);
        text(&mut out, "languages");
        out.extend([0, 4]);
        out
    }

    fn country(code: &str) -> Vec<u8> {
        let mut out = Vec::new();
        map(&mut out, 1);
        text(&mut out, "country");
        map(&mut out, 1);
        text(&mut out, "iso_code");
        text(&mut out, code);
        out
    }

    fn system(asn: u32) -> Vec<u8> {
        let mut out = Vec::new();
        map(&mut out, 1);
        text(&mut out, "autonomous_system_number");
        number(&mut out, 6, &asn.to_be_bytes());
        out
    }

    fn open(octets: Vec<u8>) -> Result<Database, PlacesError> {
        Database::open(Path::new("test.mmdb"), octets)
    }

    #[test]
    fn countries_and_systems_are_found() {
        let (germany, own) = (country("DE"), system(64_500));
        let database =
            open(made(&[("192.0.2.0/24", &germany), ("198.51.100.0/25", &own)])).unwrap();
        let of = |ip: &str| database.of(ip.parse().unwrap()).unwrap();
        assert_eq!(of("192.0.2.9").country.unwrap().as_str(), "DE");
        assert_eq!(of("198.51.100.1").network, Some(64_500));
        for unknown in ["198.51.100.200", "203.0.113.1", "2001:db8::1", "127.0.0.1"] {
            assert_eq!(of(unknown), PlaceFacts::default(), "{unknown}");
        }
        assert_eq!(of("::ffff:192.0.2.9").country.unwrap().as_str(), "DE");
        assert!(database.built().unwrap().to_string().starts_with("2025-11-29T"));
        assert!(database.knows_systems());
        assert!(!open(made(&[("192.0.2.0/24", &germany)])).unwrap().knows_systems());
    }

    #[test]
    fn what_is_no_database_is_refused() {
        assert!(open(Vec::new()).is_err());
        let error = open(b"not a database".to_vec()).err().unwrap().to_string();
        assert!(error.starts_with("test.mmdb is no database of places"), "{error}");
    }

    /// Whatever the octets are, looking ends and nothing panics.
    #[test]
    fn a_broken_database_is_refused_or_says_nothing_wrong() {
        let germany = country("DE");
        let whole = made(&[("192.0.2.0/24", &germany), ("0.0.0.0/1", &germany)]);
        for place in 0..whole.len() {
            for change in [0x00, 0x01, 0x7f, 0xff, 0xe1] {
                let mut octets = whole.clone();
                octets[place] ^= change;
                if let Ok(database) = open(octets) {
                    for last in [1_u8, 200] {
                        let _ = database.of(Ipv4Addr::new(192, 0, 2, last).into());
                        let _ = database.of(Ipv4Addr::new(10, 0, 0, last).into());
                    }
                }
            }
            let _ = open(whole[..place].to_vec());
        }
    }
}
