//! The kinds of value that only mail knows: next hops, listeners, retry
//! schedules, and the closed sets of names.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use toml::Value as Raw;
use types::Domain;
use types::definition::AnswerRange;

use super::value::{
    Kind, Shape, Value, ValueError, cut, duration, list, malformed, text, wrong_type,
};

impl Value for Domain {
    const KIND: Kind = Kind::text("a host or domain name", "\"corp.example\"", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let name = text(&Self::KIND, raw)?;
        name.parse().map_err(|_| malformed(&Self::KIND, name))
    }
}

/// The beginning of every address of an explanation page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(pub String);

impl Value for PublicUrl {
    const KIND: Kind =
        Kind::text("a web address", "\"https://gate.corp.example\"", "^https?://[!-~]+$");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let url = text(&Self::KIND, raw)?;
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        // It goes into reply lines, so it must be short and printable ASCII.
        let printable = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic());
        match rest {
            Some(rest) if printable(rest) && url.len() <= PUBLIC_URL_OCTETS_MAX => {
                Ok(PublicUrl(url.trim_end_matches('/').to_owned()))
            }
            _ => Err(malformed(&Self::KIND, url)),
        }
    }
}

/// Longest public address in octets: with text, reference and path it has to
/// fit into a reply line of 512 (RFC 5321 section 4.5.3.1.5).
const PUBLIC_URL_OCTETS_MAX: usize = 120;

impl Value for IpAddr {
    const KIND: Kind = Kind::text("an IP address", "\"192.0.2.25\" or \"2001:db8::25\"", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let address = text(&Self::KIND, raw)?;
        address.parse().map_err(|_| malformed(&Self::KIND, address))
    }
}

impl Value for SocketAddr {
    const KIND: Kind = Kind::text("an address and port", "\"[::]:25\" or \"127.0.0.1:2525\"", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let address = text(&Self::KIND, raw)?;
        address.parse().map_err(|_| malformed(&Self::KIND, address))
    }
}

/// Where a side service listens, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// At this address and port.
    At(SocketAddr),
}

impl Value for Listen {
    const KIND: Kind =
        Kind::text("an address and port, or \"off\"", "\"127.0.0.1:8080\" or \"off\"", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        match text(&Self::KIND, raw)? {
            "off" => Ok(Listen::Off),
            address => address.parse().map(Listen::At).map_err(|_| malformed(&Self::KIND, address)),
        }
    }
}

impl Listen {
    /// The address, unless it is off.
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Listen::Off => None,
            Listen::At(address) => Some(address),
        }
    }
}

impl Value for Vec<SocketAddr> {
    const KIND: Kind =
        Kind::list("a list of addresses with ports", "[\"127.0.0.1:53\", \"[::1]:53\"]", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        list(&Self::KIND, raw, |text| text.parse().ok())
    }
}

impl Value for Vec<IpNet> {
    const KIND: Kind = Kind::list("a list of networks", "[\"10.0.0.0/24\", \"2001:db8::/32\"]", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let networks = list(&Self::KIND, raw, types::network_or_address)?;
        let meant = |network| {
            types::without_host_bits(network).map_err(|why| ValueError::Because {
                text: network.to_string(),
                why: why.to_string(),
            })
        };
        networks.into_iter().map(meant).collect()
    }
}

impl Value for Vec<AnswerRange> {
    const KIND: Kind = Kind::list(
        "a list of answers of a list",
        "[\"127.0.0.2\", \"127.0.0.4/30\"]",
        "^127(\\.[0-9]{1,3}){3}(/[0-9]+)?$",
    );

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        list(&Self::KIND, raw, |text| text.parse().ok())
    }
}

/// Where the mail of a domain goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// Where the domain's MX records point, at port 25.
    Mx,
    /// To a host or address, at a port.
    Host {
        /// A host name or an address.
        host: HopHost,
        /// The port.
        port: u16,
    },
}

/// The host half of a next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HopHost {
    /// To be looked up.
    Name(Domain),
    /// As it is.
    Ip(IpAddr),
}

/// The port of mail transfer, where a next hop names none.
const SMTP_PORT: u16 = 25;

impl std::str::FromStr for NextHop {
    type Err = ();

    /// Reads `host:port`, `host` (port 25), `[2001:db8::1]:25` or `mx`.
    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "mx" {
            return Ok(NextHop::Mx);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(NextHop::Host { host: HopHost::Ip(address.ip()), port: address.port() });
        }
        if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(NextHop::Host { host: HopHost::Ip(ip), port: SMTP_PORT });
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().map_err(|_| ())?),
            None => (text, SMTP_PORT),
        };
        let name = name.parse().map_err(|_| ())?;
        Ok(NextHop::Host { host: HopHost::Name(name), port })
    }
}

impl Value for Vec<NextHop> {
    const KIND: Kind = Kind::list(
        "a list of hosts with ports, or [\"mx\"]",
        "[\"mail.corp.example:25\"]",
        "^(mx|.+)$",
    );

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        list(&Self::KIND, raw, |text| text.parse().ok())
    }
}

/// The waits before the tries at the next hop, the first included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule(pub Vec<Duration>);

/// Most tries of one schedule.
const TRIES_MAX: usize = 1_000;

impl Value for RetrySchedule {
    const KIND: Kind = Kind {
        name: "a list of waits",
        example: "[\"0s\", \"5m\", \"1h x9\"]",
        shape: Shape::Sequence,
        pattern: "^([0-9]+(ms|s|m|h|d|w))+( x[0-9]+)?$",
        names: &[],
    };

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let steps = list(&Self::KIND, raw, wait)?;
        let tries: usize = steps.iter().map(|(_, times)| times).sum();
        if tries == 0 || tries > TRIES_MAX {
            return Err(ValueError::OutOfRange { low: "1 try", high: "1000 tries" });
        }
        let repeated = |(wait, times)| std::iter::repeat_n(wait, times);
        Ok(RetrySchedule(steps.into_iter().flat_map(repeated).collect()))
    }
}

/// Reads `1h x9`: a wait and how often it comes.
fn wait(text: &str) -> Option<(Duration, usize)> {
    match text.split_once(" x") {
        None => Some((duration(text)?, 1)),
        Some((wait, times)) => {
            let times = times.parse().ok().filter(|times| (1..=TRIES_MAX).contains(times))?;
            Some((duration(wait)?, times))
        }
    }
}

/// Until somebody deletes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forever;

impl Value for Forever {
    const KIND: Kind = Kind::text("the word \"forever\"", "\"forever\"", "^forever$");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        match text(&Self::KIND, raw)? {
            "forever" => Ok(Forever),
            other if duration(other).is_some() => {
                Err(ValueError::NotAvailable("removing daily CSV files after a time"))
            }
            other => Err(malformed(&Self::KIND, other)),
        }
    }
}

/// The number of the settings format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigVersion;

impl Value for ConfigVersion {
    const KIND: Kind =
        Kind { name: "the number 1", example: "1", shape: Shape::Integer, pattern: "", names: &[] };

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        match raw.as_integer() {
            Some(1) => Ok(ConfigVersion),
            Some(_) => Err(ValueError::OutOfRange { low: "1", high: "1" }),
            None => Err(wrong_type(&Self::KIND, raw)),
        }
    }
}

macro_rules! choices {
    ($(
        $(#[$doc:meta])* $name:ident, $what:literal {
            $($(#[$variant_doc:meta])* $variant:ident = $slug:literal,)*
            $(@later $later_slug:literal as $later:literal,)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl Value for $name {
            const KIND: Kind = Kind {
                name: $what,
                example: choices!(@first $($slug)*),
                shape: Shape::Text,
                pattern: "",
                names: &[$($slug),*],
            };

            fn read(raw: &Raw) -> Result<Self, ValueError> {
                match text(&Self::KIND, raw)? {
                    $($slug => Ok($name::$variant),)*
                    $(later if later.starts_with($later_slug) => Err(ValueError::NotAvailable($later)),)*
                    other => Err(ValueError::NoSuchName {
                        text: cut(other),
                        names: Self::KIND.names.join(", "),
                    }),
                }
            }
        }
    )*};
    (@first $first:literal $($rest:literal)*) => { concat!("\"", $first, "\"") };
}

choices! {
    /// How it is found out whether a recipient of a domain exists.
    Recipients, "a way of recipient validation" {
        /// Every address is taken.
        AcceptAll = "accept_all",
        /// The directory says: the file, and what was imported.
        Directory = "directory",
        /// Those are known that the next hop took mail for, and those that were imported.
        Known = "known",
        /// The next hop is asked, with the real reverse-path.
        CallForward = "call_forward",
        /// The next hop is asked, with the null reverse-path.
        CallForwardNull = "call_forward_null",
    }
    /// When clients are asked for a certificate.
    ClientCertificates, "when clients are asked" {
        /// Where a policy in force requires a verified one.
        WhenRequired = "when_required",
        /// Always.
        Ask = "ask",
    }
    /// What is done with a recipient that is not in a directory which is too old.
    WhenStale, "what is done" {
        /// The sender is asked to come back.
        Defer = "defer",
        /// It is taken.
        Accept = "accept",
    }
    /// What a listener is for.
    ListenerRole, "a role" {
        /// Mail from the world.
        Inbound = "inbound",
        /// Mail of your own servers to the world.
        Outbound = "outbound",
    }
    /// What the answers of a policy service are worth.
    PolicyServiceMode, "a mode" {
        /// The asking server is told what was decided.
        Enforce = "enforce",
        /// It is always told to go on.
        Observe = "observe",
    }
    /// How the file of a list is written.
    ListFormat, "a format of lists" {
        /// One address, network or domain a line.
        Text = "text",
        /// Addresses and networks as rbldnsd reads them.
        Ip4set = "ip4set",
        /// Domains as rbldnsd reads them.
        Dnset = "dnset",
    }
    /// What becomes of people without an account whom the sign-in service gives a role.
    SignInNewcomers, "a way with newcomers" {
        /// They get an account.
        Welcome = "welcome",
        /// They are refused.
        Refused = "refused",
    }
    /// Where small things that change are kept.
    StateStore, "a store" {
        /// In the data folder.
        Embedded = "embedded",
        @later "postgres" as "a PostgreSQL store",
    }
    /// Where content and events are kept.
    SegmentStore, "a store" {
        /// In the data folder.
        Embedded = "embedded",
        @later "s3://" as "an S3-compatible object store",
    }
    /// How log lines look.
    LogFormat, "a log format" {
        /// One JSON object per line.
        Json = "json",
        /// For a person at a terminal.
        Text = "text",
    }
    /// Which log lines are written.
    LogLevel, "a log level" {
        /// Only what needs somebody's attention.
        Error = "error",
        /// Also what may need it soon.
        Warn = "warn",
        /// Also one line per attempt.
        Info = "info",
        /// Also what delivery and the clock do.
        Debug = "debug",
    }
    /// Whether connections to a next hop are encrypted.
    HopTls, "a TLS mode" {
        /// Where the next hop offers it; its certificate is not checked.
        Opportunistic = "opportunistic",
        /// Always; its certificate is not checked.
        Required = "required",
        /// Never.
        Off = "off",
        @later "verified" as "TLS with a verified certificate",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Value>(toml: &str) -> Result<T, String> {
        let document: toml::Table = format!("value = {toml}").parse().unwrap();
        T::read(&document["value"]).map_err(|error| error.to_string())
    }

    #[test]
    fn next_hops_are_names_or_addresses_with_a_port_or_mx() {
        let hops = read::<Vec<NextHop>>(
            r#"["mx", "mail.corp.example", "mail.corp.example:26", "192.0.2.1:2526", "[2001:db8::1]:25", "2001:db8::1"]"#,
        );
        let name: Domain = "mail.corp.example".parse().unwrap();
        let six: IpAddr = "2001:db8::1".parse().unwrap();
        let hop = |host: HopHost, port| NextHop::Host { host, port };
        assert_eq!(
            hops.unwrap(),
            [
                NextHop::Mx,
                hop(HopHost::Name(name.clone()), 25),
                hop(HopHost::Name(name), 26),
                hop(HopHost::Ip("192.0.2.1".parse().unwrap()), 2526),
                hop(HopHost::Ip(six), 25),
                hop(HopHost::Ip(six), 25),
            ]
        );
        for wrong in [r#"["mail host"]"#, r#"["host:port"]"#, r#"["host:99999"]"#, r#"[""]"#] {
            assert!(read::<Vec<NextHop>>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_network_with_host_bits_is_refused_with_what_may_be_meant() {
        let refused = read::<Vec<IpNet>>(r#"["192.0.2.0/24", "10.0.0.5/8"]"#).unwrap_err();
        assert!(refused.ends_with("write 10.0.0.0/8 or 10.0.0.5/32"), "{refused}");
        assert_eq!(read::<Vec<IpNet>>(r#"["10.0.0.0/8", "10.0.0.5"]"#).unwrap().len(), 2);
    }

    #[test]
    fn a_schedule_repeats_waits() {
        let schedule = read::<RetrySchedule>(r#"["0s", "1h x3"]"#).unwrap();
        assert_eq!(schedule.0.len(), 4);
        assert_eq!(schedule.0.iter().sum::<Duration>(), Duration::from_secs(3 * 3_600));
        for wrong in ["[]", r#"["1h x0"]"#, r#"["1h x99999999999"]"#, r#"["1h x600", "2h x600"]"#] {
            assert!(read::<RetrySchedule>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_belongs_to_a_later_version_is_named_and_refused() {
        let refused = |error: Result<(), String>| error.unwrap_err();
        assert_eq!(
            refused(read::<StateStore>("\"postgres://db/portcullis\"").map(drop)),
            "a PostgreSQL store is not available in this version"
        );
        assert_eq!(
            refused(read::<SegmentStore>("\"s3://bucket/prefix\"").map(drop)),
            "an S3-compatible object store is not available in this version"
        );
        assert_eq!(
            refused(read::<LogFormat>("\"xml\"").map(drop)),
            "\"xml\" is not one of json, text"
        );
    }

    #[test]
    fn a_public_address_is_short_printable_and_without_a_slash_at_the_end() {
        let url = read::<PublicUrl>("\"https://gate.corp.example/\"").unwrap();
        assert_eq!(url.0, "https://gate.corp.example");
        for wrong in ["\"gate.corp.example\"", "\"https://\"", "\"https://a b\"", "\"https://ä\""]
        {
            assert!(read::<PublicUrl>(wrong).is_err(), "{wrong}");
        }
    }
}
