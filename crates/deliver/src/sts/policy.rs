//! A policy as its domain publishes it (RFC 8461 section 3.2). Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use types::Domain;

/// Longest document, in octets (RFC 8461 section 3.3).
pub const POLICY_OCTETS_MAX: usize = 64 * 1024;
/// Most patterns of hosts in one policy. The RFC has no such limit; large
/// providers name fewer than ten.
const PATTERNS_MAX: usize = 100;
/// Longest time that a policy may ask to be kept, which is about a year.
const MAX_AGE_MAX_S: u64 = 31_557_600;
/// Most digits of that time.
const MAX_AGE_DIGITS_MAX: usize = 10;

/// What a domain asks of those who send to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether it counts.
    pub mode: Mode,
    /// How long it may be kept.
    pub max_age: Duration,
    /// Its mail exchangers, at most a hundred.
    pub mx: Vec<MxPattern>,
}

/// Whether a policy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The domain has a policy no more.
    None,
    /// Mail goes on, and what would fail is recorded.
    Testing,
    /// Mail goes to verified hosts or waits.
    Enforce,
}

impl Mode {
    /// The word in the document.
    pub fn slug(self) -> &'static str {
        match self {
            Mode::None => "none",
            Mode::Testing => "testing",
            Mode::Enforce => "enforce",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Mode::None, Mode::Testing, Mode::Enforce].into_iter().find(|mode| mode.slug() == text)
    }
}

/// One or more hosts: `mx.corp.example`, or `*.corp.example` for those with
/// exactly one label more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxPattern {
    any_label: bool,
    host: Domain,
}

impl MxPattern {
    /// Whether it stands for this host (RFC 8461 section 4.1).
    pub fn matches(&self, host: &Domain) -> bool {
        match self.any_label {
            true => host.parent() == Some(self.host.as_str()),
            false => *host == self.host,
        }
    }

    /// Its length as text, in octets.
    pub(super) fn octets(&self) -> usize {
        self.host.as_str().len()
    }

    fn read(text: &str) -> Option<Self> {
        let (any_label, host) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        // A literal is no host that a certificate could name.
        let host = host.parse().ok().filter(|_| !host.starts_with('['))?;
        Some(MxPattern { any_label, host })
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.any_label { "*." } else { "" }, self.host)
    }
}

impl Policy {
    /// Whether mail may go to this host.
    pub fn lists(&self, host: &Domain) -> bool {
        self.mx.iter().any(|pattern| pattern.matches(host))
    }

    /// Reads a document as it was fetched.
    ///
    /// # Errors
    /// It is no policy. Fields that nobody knows are no error.
    pub fn read(document: &[u8]) -> Result<Self, PolicyError> {
        let text = std::str::from_utf8(document).map_err(|_| PolicyError::NoText)?;
        text.parse()
    }
}

/// Why a document is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It is not UTF-8.
    #[error("it is no text")]
    NoText,
    /// A line has no `:`.
    #[error("line {0} is no field")]
    NoField(usize),
    /// The version is absent or another.
    #[error("it does not say version: STSv1")]
    Version,
    /// The mode is absent or unknown.
    #[error("it has no mode of none, testing and enforce")]
    Mode,
    /// The time is absent or no number.
    #[error("it has no max_age in seconds")]
    MaxAge,
    /// A pattern is no host.
    #[error("line {0} names no host")]
    Host(usize),
    /// There are too many patterns.
    #[error("it names more than {PATTERNS_MAX} hosts")]
    TooManyHosts,
    /// Hosts are needed and none is named.
    #[error("it names no host")]
    NoHost,
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (mut version, mut mode, mut max_age) = (None, None, None);
        let mut mx = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let blank = [' ', '\t'];
            if line.trim_matches(blank).is_empty() {
                continue;
            }
            let (name, value) = line.split_once(':').ok_or(PolicyError::NoField(number))?;
            let value = value.trim_matches(blank);
            // Of a field that is there twice the first counts.
            match name {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => max_age = max_age.or(Some(value)),
                "mx" if mx.len() >= PATTERNS_MAX => return Err(PolicyError::TooManyHosts),
                "mx" => mx.push(MxPattern::read(value).ok_or(PolicyError::Host(number))?),
                _ => {}
            }
        }
        version.filter(|&version| version == "STSv1").ok_or(PolicyError::Version)?;
        let mode = mode.and_then(Mode::read).ok_or(PolicyError::Mode)?;
        let max_age = max_age.and_then(seconds).ok_or(PolicyError::MaxAge)?;
        if mode != Mode::None && mx.is_empty() {
            return Err(PolicyError::NoHost);
        }
        Ok(Policy { mode, max_age, mx })
    }
}

/// Digits alone; a time longer than allowed is the longest that is.
fn seconds(text: &str) -> Option<Duration> {
    let digits = (1..=MAX_AGE_DIGITS_MAX).contains(&text.len())
        && text.bytes().all(|octet| octet.is_ascii_digit());
    let seconds: u64 = text.parse().ok().filter(|_| digits)?;
    Some(Duration::from_secs(seconds.min(MAX_AGE_MAX_S)))
}

impl fmt::Display for Policy {
    /// As a document that reads as the same policy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "version: STSv1\nmode: {}", self.mode.slug())?;
        self.mx.iter().try_for_each(|pattern| writeln!(f, "mx: {pattern}"))?;
        writeln!(f, "max_age: {}", self.max_age.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n\
        mx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n";

    fn read(text: &str) -> Result<Policy, PolicyError> {
        Policy::read(text.as_bytes())
    }

    #[test]
    fn the_example_of_the_rfc_is_read_with_either_line_end() {
        let policy = read(EXAMPLE).unwrap();
        assert_eq!((policy.mode, policy.max_age.as_secs()), (Mode::Enforce, 604_800));
        assert_eq!(read(&EXAMPLE.replace("\r\n", "\n")), Ok(policy.clone()));
        assert_eq!(read(EXAMPLE.trim_end()), Ok(policy.clone()));
        let lax = EXAMPLE.replace(": ", ":").replace('\r', " \r") + "later: on: \u{e9}\n\n";
        assert_eq!(read(&lax), Ok(policy.clone()));
        let twice = EXAMPLE.to_owned() + "mode: none\nmax_age: x\nversion: STSv2\n";
        assert_eq!(read(&twice), Ok(policy));
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let policy = read(EXAMPLE).unwrap();
        for (host, listed) in [
            ("mail.example.com", true),
            ("MAIL.Example.COM", true),
            ("mx.mail.example.com", false),
            ("mx.example.net", true),
            ("a.mx.example.net", false),
            ("example.net", false),
            ("mxexample.net", false),
            ("example.com", false),
        ] {
            assert_eq!(policy.lists(&host.parse().unwrap()), listed, "{host}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused_for_its_reason() {
        let with = |from: &str, to: &str| read(&EXAMPLE.replace(from, to)).unwrap_err();
        assert_eq!(with("STSv1", "STSv2"), PolicyError::Version);
        assert_eq!(with("enforce", "Enforce"), PolicyError::Mode);
        assert_eq!(with("mode: enforce\r\n", ""), PolicyError::Mode);
        for age in ["-1", "", "1.5", "+5", "12345678901", "a week"] {
            assert_eq!(with("604800", age), PolicyError::MaxAge, "{age}");
        }
        assert_eq!(with("mx: mail", "mail"), PolicyError::NoField(3));
        for host in ["*.*.example.net", "*", "mx.*.net", "a b", "[192.0.2.1]", ""] {
            assert_eq!(with("*.example.net", host), PolicyError::Host(4), "{host}");
        }
        assert_eq!(with("mx: ", "host: "), PolicyError::NoHost);
        assert_eq!(Policy::read(b"version: STSv1\xff"), Err(PolicyError::NoText));
        let many = EXAMPLE.to_owned() + &"mx: a.example\n".repeat(PATTERNS_MAX);
        assert_eq!(read(&many), Err(PolicyError::TooManyHosts));
        assert_eq!(read("<!DOCTYPE html>\n"), Err(PolicyError::NoField(1)));
        // No mail exchanger is needed where there is no policy any more.
        assert!(read("version: STSv1\nmode: none\nmax_age: 0\n").is_ok());
        let long = read(&EXAMPLE.replace("604800", "9999999999")).unwrap();
        assert_eq!(long.max_age.as_secs(), 31_557_600);
    }

    proptest! {
        #[test]
        fn no_document_is_a_problem_and_what_is_read_is_written_the_same(
            lines in prop::collection::vec(
                ("(version|mode|mx|max_age|[a-z]{0,3}):?", "[ \t]{0,2}", "(STSv1|enforce|none|\\*\\.[a-z.]{1,8}|[a-z.]{0,8}|[0-9]{0,11}|.{0,5})"),
                0..12,
            ),
            octets in prop::collection::vec(any::<u8>(), 0..60),
            valid in any::<bool>(),
        ) {
            let _ = Policy::read(&octets);
            let mut text = String::new();
            if valid {
                text += EXAMPLE;
            }
            for (name, blank, value) in &lines {
                text += &format!("{name}{blank}{value}\n");
            }
            if let Ok(policy) = read(&text) {
                prop_assert_eq!(read(&policy.to_string()), Ok(policy.clone()));
                prop_assert!(policy.mx.len() <= PATTERNS_MAX);
                prop_assert!(policy.max_age.as_secs() <= MAX_AGE_MAX_S);
            }
        }
    }
}
