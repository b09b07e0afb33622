//! Lists that are files of ours: sets of rbldnsd and plain text, one entry a
//! line.
//!
//! A file is read as a whole and swapped in; one that cannot be read or has a
//! bad line leaves the old content in force, because half a list lies.

use std::borrow::Cow;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets};
use types::Domain;

use super::entries::Entries;

/// Largest file that is read.
const OCTETS_MAX: u64 = 512 << 20;
/// What a listing is answered with where the file does not say.
const ANSWER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// Addresses, networks and domains, one a line; what follows an entry is
    /// a remark.
    Text,
    /// Addresses and networks as rbldnsd reads them, with answers and texts.
    Ip4set,
    /// Domains as rbldnsd reads them, with answers and texts.
    Dnset,
}

/// Why a file cannot be taken. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum ListFileError {
    /// The file cannot be read.
    #[error("cannot read the list {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: std::io::Error,
    },
    /// The file is larger than any list.
    #[error("the list {path} is larger than {} MiB", OCTETS_MAX >> 20)]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// A line is no entry.
    #[error("{path}:{line}: {text:?} is no {wanted}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// The entry, cut.
        text: String,
        /// What it should be.
        wanted: &'static str,
    },
}

/// Reads a list.
///
/// # Errors
/// The file cannot be read, or a line is wrong.
pub(super) fn read(path: &Path, format: ListFormat) -> Result<Entries, ListFileError> {
    let unreadable = |error| ListFileError::Unreadable { path: path.to_path_buf(), error };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut octets = Vec::new();
    file.take(OCTETS_MAX + 1).read_to_end(&mut octets).map_err(unreadable)?;
    if octets.len() as u64 > OCTETS_MAX {
        return Err(ListFileError::TooLarge { path: path.to_path_buf() });
    }
    parse(path, &octets, format)
}

/// Reads the content of a list. Texts may be in any encoding; entries are
/// ASCII.
pub(super) fn parse(
    path: &Path,
    octets: &[u8],
    format: ListFormat,
) -> Result<Entries, ListFileError> {
    let mut reader = LineReader { format, entries: Entries::default(), default: Value::default() };
    for (index, line) in octets.split(|octet| *octet == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        reader.line(line.trim()).map_err(|wrong| ListFileError::Line {
            path: path.to_path_buf(),
            line: index + 1,
            text: wrong.text.chars().take(60).collect(),
            wanted: wrong.wanted,
        })?;
    }
    Ok(reader.entries)
}

/// Reads the octets as lists of all formats; for fuzzing.
pub fn read_any_list(octets: &[u8]) {
    for format in [ListFormat::Text, ListFormat::Ip4set, ListFormat::Dnset] {
        let _ = parse(Path::new("list"), octets, format);
    }
}

/// What a listing says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Value {
    pub(super) answer: Ipv4Addr,
    /// A `$` stands for what was looked up.
    pub(super) text: Option<Box<str>>,
}

impl Default for Value {
    fn default() -> Self {
        Value { answer: ANSWER, text: None }
    }
}

struct LineReader {
    format: ListFormat,
    entries: Entries,
    /// What entries say that say nothing themselves.
    default: Value,
}

struct Wrong<'a> {
    text: Cow<'a, str>,
    wanted: &'static str,
}

impl LineReader {
    fn line<'a>(&mut self, line: &'a str) -> Result<(), Wrong<'a>> {
        // Of the special lines of rbldnsd (`$SOA`, `$NS`, `$TTL`) none matters
        // where nothing is served.
        if line.is_empty() || line.starts_with(['#', ';', '$']) {
            return Ok(());
        }
        let is_text = self.format == ListFormat::Text;
        if !is_text && line.starts_with(':') {
            self.default = self.value(line)?;
            return Ok(());
        }
        let (entry, rest) = line.split_once([' ', '\t', ';', '#']).unwrap_or((line, ""));
        let rest = rest.trim();
        let (excluded, entry) = match entry.strip_prefix('!') {
            Some(entry) => (true, entry.trim()),
            None => (false, entry),
        };
        let value = match excluded {
            true => None,
            false if is_text || rest.is_empty() || rest.starts_with(['#', ';']) => {
                Some(self.default.clone())
            }
            false => Some(self.value(rest)?),
        };
        self.entry(entry, value)
    }

    /// `:2:text`, `:127.0.0.2:text`, or the text alone.
    fn value<'a>(&self, text: &'a str) -> Result<Value, Wrong<'a>> {
        let own = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(Box::from);
        let Some(rest) = text.strip_prefix(':') else {
            return Ok(Value { answer: self.default.answer, text: own(text) });
        };
        let (answer, text) = rest.split_once(':').unwrap_or((rest, ""));
        let answer = answer.trim();
        let last = answer.parse::<u8>().map(|last| Ipv4Addr::new(127, 0, 0, last));
        let answer = match (answer.is_empty(), last) {
            (true, _) => self.default.answer,
            (false, Ok(answer)) => answer,
            (false, Err(_)) => answer.parse().ok().filter(Ipv4Addr::is_loopback).ok_or(Wrong {
                text: answer.into(),
                wanted: "answer of a list, such as 2 or 127.0.0.2",
            })?,
        };
        Ok(Value { answer, text: own(text).or_else(|| self.default.text.clone()) })
    }

    fn entry<'a>(&mut self, entry: &'a str, value: Option<Value>) -> Result<(), Wrong<'a>> {
        let wrong = |wanted| Wrong { text: entry.into(), wanted };
        if self.format != ListFormat::Dnset
            && let Some(networks) = networks(entry, self.format)
        {
            networks.into_iter().for_each(|network| self.entries.network(network, value.as_ref()));
            return Ok(());
        }
        if self.format == ListFormat::Ip4set {
            return Err(wrong("address or network"));
        }
        let (itself, below, name) = match (entry.strip_prefix("*."), entry.strip_prefix('.')) {
            (Some(name), _) => (false, true, name),
            (None, Some(name)) => (true, true, name),
            (None, None) => (true, false, entry),
        };
        let is_text = self.format == ListFormat::Text;
        let wanted = if is_text { "address, network or domain" } else { "domain" };
        let domain: Domain = name.parse().map_err(|_| wrong(wanted))?;
        // An address that is mistyped must not become a domain.
        if domain.as_str().rsplit('.').next().is_some_and(|label| label.parse::<u32>().is_ok()) {
            return Err(wrong(wanted));
        }
        self.entries.domain(domain.as_str(), (itself, below), value.as_ref());
        Ok(())
    }
}

/// The networks of an entry: an address, a network, the first octets of one
/// (`192.0.2` or `192.0/16`), or a range (`192.0.2.1-192.0.2.9`, `192.0.2.1-9`).
/// In plain text the short forms would be mistakes; everywhere a network with
/// host bits is one (`192.0.2.7/8` means an address or sixteen million).
fn networks(entry: &str, format: ListFormat) -> Option<Vec<IpNet>> {
    if let Ok(ip) = entry.parse::<Ipv6Addr>() {
        return Some(vec![IpNet::from(IpAddr::V6(ip))]);
    }
    if let Ok(network @ IpNet::V6(_)) = entry.parse::<IpNet>() {
        return Some(vec![types::without_host_bits(network).ok()?]);
    }
    if let Some((first, last)) = entry.split_once('-') {
        let first: Ipv4Addr = first.parse().ok()?;
        let last = range_end(first, last)?;
        let subnets = (first <= last).then(|| Ipv4Subnets::new(first, last, 0))?;
        return Some(subnets.map(IpNet::V4).collect());
    }
    let (octets, length) = match entry.split_once('/') {
        Some((octets, length)) => (octets, Some(length.parse::<u8>().ok()?)),
        None => (entry, None),
    };
    let (address, given) = leading_octets(octets)?;
    if format == ListFormat::Text && given < 4 {
        return None;
    }
    let network = Ipv4Net::new(address, length.unwrap_or(given * 8)).ok()?;
    types::without_host_bits(network.into()).ok().map(|network| vec![network])
}

/// `9` or `192.0.2.9` behind the first address of a range.
fn range_end(first: Ipv4Addr, last: &str) -> Option<Ipv4Addr> {
    let [a, b, c, _] = first.octets();
    match last.parse::<u8>() {
        Ok(last) => Some(Ipv4Addr::new(a, b, c, last)),
        Err(_) => last.parse().ok(),
    }
}

/// One to four octets, and how many there are.
fn leading_octets(text: &str) -> Option<(Ipv4Addr, u8)> {
    let mut octets = [0_u8; 4];
    let mut given = 0_u8;
    for part in text.split('.') {
        *octets.get_mut(usize::from(given))? = part.parse().ok()?;
        given += 1;
    }
    Some((octets.into(), given))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::ListAnswer;

    fn list(format: ListFormat, text: &str) -> Entries {
        parse(Path::new("list"), text.as_bytes(), format).unwrap()
    }

    fn ip(list: &Entries, address: &str) -> String {
        show(list.of_ip(address.parse().unwrap()))
    }

    fn show(answer: ListAnswer) -> String {
        match answer {
            ListAnswer::Listed { answers, text } => {
                format!("{} {}", answers[0], text.unwrap_or_default()).trim_end().to_owned()
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn sets_of_addresses_are_read_as_rbldnsd_reads_them() {
        let list = list(
            ListFormat::Ip4set,
            "$SOA 3600 ns.example admin.example 0 600 300 86400 300\n# remark\n\
             :127.0.0.3:Listed, see https://list.example/?$\n\
             192.0.2.1\n192.0.2.8/29 :4:A network\n!192.0.2.9\n198.51.100\n203.0/16 text only\n\
             203.0.113.10-12 :5\n198.18.0.5-198.18.1.2\n2001:db8::/32 :6:six\n",
        );
        for (address, said) in [
            ("192.0.2.1", "127.0.0.3 Listed, see https://list.example/?192.0.2.1"),
            ("192.0.2.10", "127.0.0.4 A network"),
            ("192.0.2.9", "NotListed"),
            ("192.0.2.2", "NotListed"),
            ("198.51.100.77", "127.0.0.3 Listed, see https://list.example/?198.51.100.77"),
            ("203.0.5.6", "127.0.0.3 text only"),
            ("203.0.113.12", "127.0.0.5 Listed, see https://list.example/?203.0.113.12"),
            ("203.0.113.13", "127.0.0.3 text only"),
            ("198.18.0.255", "127.0.0.3 Listed, see https://list.example/?198.18.0.255"),
            ("198.18.1.3", "NotListed"),
            ("2001:db8::7", "127.0.0.6 six"),
        ] {
            assert_eq!(ip(&list, address), said, "{address}");
        }
    }

    #[test]
    fn sets_of_names_tell_a_name_from_what_is_below_it() {
        let list = list(
            ListFormat::Dnset,
            ":2:Bad name\nexact.example\n.both.example\n*.below.example :3:\n!good.both.example\n",
        );
        let name = |name: &str| show(list.of_domain(&name.parse().unwrap()));
        for (asked, said) in [
            ("exact.example", "127.0.0.2 Bad name"),
            ("a.exact.example", "NotListed"),
            ("both.example", "127.0.0.2 Bad name"),
            ("a.b.both.example", "127.0.0.2 Bad name"),
            ("good.both.example", "NotListed"),
            ("below.example", "NotListed"),
            ("x.below.example", "127.0.0.3 Bad name"),
            ("example", "NotListed"),
        ] {
            assert_eq!(name(asked), said, "{asked}");
        }
    }

    #[test]
    fn plain_text_holds_addresses_and_domains_with_remarks() {
        let list = list(
            ListFormat::Text,
            "192.0.2.0/24 ; SBL1\n\n198.51.100.1 # bad\nevil.example\n2001:db8:1::/48\n",
        );
        assert_eq!(ip(&list, "192.0.2.200"), "127.0.0.2");
        assert_eq!(ip(&list, "198.51.100.1"), "127.0.0.2");
        assert_eq!(ip(&list, "2001:db8:1::9"), "127.0.0.2");
        assert_eq!(show(list.of_domain(&"evil.example".parse().unwrap())), "127.0.0.2");
        assert_eq!(list.len(), 4);
    }

    #[test]
    fn a_bad_line_is_named_and_nothing_is_taken() {
        let refused = |format, text: &str| {
            parse(Path::new("list"), text.as_bytes(), format).unwrap_err().to_string()
        };
        let error = refused(ListFormat::Ip4set, "192.0.2.1\nevil.example\n");
        assert_eq!(error, "list:2: \"evil.example\" is no address or network");
        assert!(refused(ListFormat::Ip4set, "192.0.2.300").contains("is no address or network"));
        assert!(refused(ListFormat::Ip4set, "192.0.2.9-192.0.2.1").contains("no address"));
        for format in [ListFormat::Text, ListFormat::Ip4set] {
            for wide in ["192.0.2.1\n1.2.3.4/8", "192.0.2.1\n2001:db8::7/32"] {
                let error = refused(format, wide);
                assert!(error.starts_with("list:2: \"") && error.contains("network"), "{error}");
            }
        }
        assert!(refused(ListFormat::Ip4set, "192.0.2.1 :8.8.8.8:x").contains("answer of a list"));
        assert!(refused(ListFormat::Dnset, "a b.example\n-").contains("list:2"));
        assert!(refused(ListFormat::Text, "192.0.2.300").contains("address, network or domain"));
        assert!(read(Path::new("/nowhere/list"), ListFormat::Text).is_err());
    }

    #[test]
    fn anything_at_all_is_read_or_refused() {
        for text in ["\u{0}", "!", ":", "::", "-", "/", "1/99", "1-", ".", "*.", "!!x", "1.2.3.4.5"]
        {
            for format in [ListFormat::Text, ListFormat::Ip4set, ListFormat::Dnset] {
                let _ = parse(Path::new("list"), text.as_bytes(), format);
            }
        }
        let _ = parse(Path::new("list"), b"\xff\xfe :2:\xff", ListFormat::Dnset);
    }
}
