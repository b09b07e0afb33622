//! The parts of a triplet's key: the client and the reverse-path as the
//! triplet table compares them.
//!
//! Mailing lists, bounce trackers and forwarders write something new into
//! each message's reverse-path; without this every one of their messages
//! would be a first contact. For the key only: events keep the raw value.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::address::{EmailAddress, ReversePath};
use crate::authentication::{SpfFacts, SpfIdentity, SpfResult};
use crate::finding::NoPool;
use crate::policy::ClientIdentity;

/// The client part of a triplet's key, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// How the client is identified.
    pub identity: ClientIdentity,
    /// As people read it: the address, its /24 (IPv4) or /64 (IPv6), or the
    /// domain that lets it send.
    pub client: Arc<str>,
    /// Why it is the network, where the pool was asked for.
    pub no_pool: Option<NoPool>,
}

/// Identifies the client of an attempt; `spf` is what SPF said of it, and is
/// looked at only where pools are asked for.
pub fn identified(
    ip: IpAddr,
    wanted: ClientIdentity,
    reverse_path: &ReversePath,
    spf: Option<&SpfFacts>,
) -> Identified {
    let no_pool = match wanted {
        ClientIdentity::Address | ClientIdentity::Network => None,
        ClientIdentity::Pool => match (reverse_path.address(), spf) {
            (None, _) => Some(NoPool::NullReversePath),
            (Some(sender), Some(facts))
                if facts.result == SpfResult::Pass && facts.identity == SpfIdentity::MailFrom =>
            {
                let client = sender.domain_key().into();
                return Identified { identity: wanted, client, no_pool: None };
            }
            // What was not asked could not be found out.
            (Some(_), facts) => {
                Some(NoPool::Spf(facts.map_or(SpfResult::TempError, |facts| facts.result)))
            }
        },
    };
    match wanted {
        ClientIdentity::Address => {
            Identified { identity: wanted, client: ip.to_string().into(), no_pool }
        }
        ClientIdentity::Network | ClientIdentity::Pool => {
            Identified { identity: ClientIdentity::Network, client: network_text(ip), no_pool }
        }
    }
}

/// The network of an address as the triplet table names it: its /24 (IPv4) or
/// /64 (IPv6).
pub fn network_text(ip: IpAddr) -> Arc<str> {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{}/24", Ipv4Addr::new(a, b, c, 0)).into()
        }
        IpAddr::V6(v6) => format!("{}/64", prefix_v6(v6)).into(),
    }
}

/// The first address of the /64 this address is in.
pub fn prefix_v6(ip: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))
}

/// The comparable form of a reverse-path; empty for the null one.
///
/// `prvs=` tags (BATV) and SRS rewriting are undone, `+` and `=` tails (VERP)
/// are dropped, runs of three digits and more become `#`.
pub fn normalised(reverse_path: &ReversePath) -> String {
    let Some((local, domain)) = reverse_path.key().rsplit_once('@') else {
        return String::new();
    };
    let (local, domain) = without_srs(without_prvs(local), domain);
    format!("{}@{domain}", without_numbers(without_tail(local)))
}

/// Whether a reverse-path was made for one message: tagged (`prvs=`, BATV),
/// rewritten by a forwarder (SRS), or with the recipient in it (VERP). Digits
/// and `+` tails of people do not count: they write from those again.
pub fn is_of_one_message(reverse_path: &ReversePath) -> bool {
    let Some((local, domain)) = reverse_path.key().rsplit_once('@') else { return false };
    without_srs(without_prvs(local), domain) != (local, domain) || local.contains('=')
}

/// The address behind a `prvs=` tag (BATV), which the sender's own server put
/// before it for one message; nothing, and nothing allotted, for an address
/// without one. SRS is not undone: there the domain is another's, so that
/// whoever can send for any domain could pass for somebody else by it.
pub fn untagged(address: &EmailAddress) -> Option<EmailAddress> {
    let (local, domain) = address.key().rsplit_once('@')?;
    let plain = without_prvs(local);
    if plain == local { None } else { format!("{plain}@{domain}").parse().ok() }
}

/// `ann` for `prvs=0123456789=ann` and for `prvs=ann/0123456789`.
fn without_prvs(local: &str) -> &str {
    let Some(tagged) = local.strip_prefix("prvs=") else { return local };
    match (tagged.split_once('='), tagged.split_once('/')) {
        (Some((_, plain)), _) if !plain.is_empty() => plain,
        (None, Some((plain, _))) if !plain.is_empty() => plain,
        _ => local,
    }
}

/// The sender that a forwarder rewrote: local part and domain of
/// `srs0=hash=day=domain=local` and of `srs1=hash=forwarder==hash=day=domain=local`.
/// The separator after the tag may be `=`, `+` or `-`.
fn without_srs<'a>(local: &'a str, domain: &'a str) -> (&'a str, &'a str) {
    let rest = match local.split_at_checked(5) {
        Some(("srs0=" | "srs0+" | "srs0-", rest)) => Some(rest),
        Some(("srs1=" | "srs1+" | "srs1-", rest)) => {
            rest.split_once("==").or_else(|| rest.split_once("=+")).map(|(_, rest)| rest)
        }
        _ => None,
    };
    rest.and_then(original_of).unwrap_or((local, domain))
}

/// Local part and domain of `hash=day=domain=local`.
fn original_of(rest: &str) -> Option<(&str, &str)> {
    let mut parts = rest.splitn(4, '=').skip(2);
    let (domain, local) = (parts.next()?, parts.next()?);
    (!domain.is_empty() && !local.is_empty()).then_some((local, domain))
}

/// Cuts at the first `+` and at the first `=`, unless nothing were left.
fn without_tail(local: &str) -> &str {
    match local.find(['+', '=']) {
        Some(at) if at > 0 => local.get(..at).unwrap_or(local),
        _ => local,
    }
}

/// Replaces each run of three digits and more by one `#`.
fn without_numbers(local: &str) -> String {
    let mut text = String::with_capacity(local.len());
    let mut rest = local;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let run = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(run);
        text.push_str(before);
        text.push_str(if run >= 3 { "#" } else { digits });
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, key: &str) {
        let path = raw.parse().map_or(ReversePath::Null, ReversePath::Address);
        assert_eq!(normalised(&path), key, "{raw}");
    }

    #[test]
    fn what_changes_from_message_to_message_is_left_out() {
        check("ann@sender.example", "ann@sender.example");
        check("Ann@Sender.EXAMPLE", "ann@sender.example");
        check("bounce-12-ann@sender.example", "bounce-12-ann@sender.example");
        check("bounce-1234-77@sender.example", "bounce-#-77@sender.example");
        check("b20261121x9@sender.example", "b#x9@sender.example");
        check("news+bob=corp.example@list.example", "news@list.example");
        check("news-bob=corp.example@list.example", "news-bob@list.example");
        check("+tail@list.example", "+tail@list.example");
        check("=tail@list.example", "=tail@list.example");
    }

    #[test]
    fn tags_and_rewriting_are_undone() {
        check("prvs=0123456789=ann@sender.example", "ann@sender.example");
        check("prvs=ann/0123456789@sender.example", "ann@sender.example");
        check("prvs=@sender.example", "prvs@sender.example");
        check("SRS0=aBcD=7K=origin.example=ann@forward.example", "ann@origin.example");
        check("SRS0+aBcD=7K=origin.example=ann+x@forward.example", "ann@origin.example");
        check(
            "SRS1=hash=first.example==aBcD=7K=origin.example=ann@second.example",
            "ann@origin.example",
        );
        check("SRS0=broken@forward.example", "srs0@forward.example");
    }

    #[test]
    fn reverse_paths_of_one_message_are_told_from_those_of_people() {
        for (raw, expected) in [
            ("ann@corp.example", false),
            ("ann+shop@corp.example", false),
            ("4711234@corp.example", false),
            ("prvs=0123456789=ann@corp.example", true),
            ("SRS0=aBcD=7K=origin.example=ann@corp.example", true),
            ("SRS0+aBcD=7K=origin.example=ann@corp.example", true),
            ("news+bob=other.example@corp.example", true),
        ] {
            let path = ReversePath::Address(raw.parse().unwrap());
            assert_eq!(is_of_one_message(&path), expected, "{raw}");
        }
        assert!(!is_of_one_message(&ReversePath::Null));
    }

    #[test]
    fn a_tag_is_taken_off_within_the_domain_alone() {
        for (raw, expected) in [
            ("prvs=0123456789=Ann@Sender.example", Some("ann@sender.example")),
            ("prvs=ann/0123456789@sender.example", Some("ann@sender.example")),
            ("PRVS=0123456789=4711ann+x@sender.example", Some("4711ann+x@sender.example")),
            ("ann@sender.example", None),
            ("prvs=@sender.example", None),
            ("ann+prvs=1=bob@sender.example", None),
            ("SRS0=aBcD=7K=origin.example=ann@forward.example", None),
            (
                "prvs=1=SRS0=aB=7K=x.example=ann@y.example",
                Some("srs0=ab=7k=x.example=ann@y.example"),
            ),
        ] {
            let found = untagged(&raw.parse().unwrap());
            assert_eq!(found.as_ref().map(EmailAddress::key), expected, "{raw}");
        }
    }

    #[test]
    fn the_null_reverse_path_has_an_empty_key() {
        assert_eq!(normalised(&ReversePath::Null), "");
    }

    #[test]
    fn a_network_is_a_24_or_a_64() {
        for (ip, address, network) in [
            ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            let ip = ip.parse().unwrap();
            let of = |wanted| identified(ip, wanted, &ReversePath::Null, None);
            assert_eq!(&*of(ClientIdentity::Address).client, address);
            assert_eq!(&*of(ClientIdentity::Network).client, network);
        }
    }

    /// How a client of 192.0.2.0/24 is identified where pools are asked for.
    fn pool_of(sender: &str, identity: SpfIdentity, result: SpfResult) -> Identified {
        let ip = "192.0.2.77".parse().unwrap();
        let path = sender.parse().map_or(ReversePath::Null, ReversePath::Address);
        let facts = SpfFacts {
            identity,
            domain: "what a stranger wrote".to_owned(),
            ip,
            result,
            flaw: None,
            questions: 1,
            explanation: None,
        };
        identified(ip, ClientIdentity::Pool, &path, Some(&facts))
    }

    #[test]
    fn a_pool_is_the_domain_that_lets_the_client_send_and_else_the_network() {
        let mail_from = |sender, result| pool_of(sender, SpfIdentity::MailFrom, result);
        let found = mail_from("Ann@Sender.EXAMPLE", SpfResult::Pass);
        let domain: Arc<str> = "sender.example".into();
        let pool = Identified { identity: ClientIdentity::Pool, client: domain, no_pool: None };
        assert_eq!(found, pool);
        let network = |no_pool| Identified {
            identity: ClientIdentity::Network,
            client: "192.0.2.0/24".into(),
            no_pool: Some(no_pool),
        };
        for &result in SpfResult::ALL.iter().filter(|result| **result != SpfResult::Pass) {
            assert_eq!(mail_from("ann@sender.example", result), network(NoPool::Spf(result)));
        }
        // A name that the client gives itself is nobody's pool.
        let greeted = pool_of("", SpfIdentity::Helo, SpfResult::Pass);
        assert_eq!(greeted, network(NoPool::NullReversePath));
        let ip = "192.0.2.77".parse().unwrap();
        let sender = ReversePath::Address("ann@sender.example".parse().unwrap());
        let unasked = identified(ip, ClientIdentity::Pool, &sender, None);
        assert_eq!(unasked, network(NoPool::Spf(SpfResult::TempError)));
    }
}
