//! What block lists and allow lists said: each question with its answer. What
//! an answer weighs is policy's business.
//!
//! The explanations were written by whoever keeps the list, and the names
//! looked up by whoever sends: both are hostile wherever they are shown.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::address::Domain;
use crate::definition::{ListQuestion, ListSubject};
use crate::reply::Quoted;
use crate::time::Micros;

/// Most answers of one question that are kept.
pub const ANSWERS_MAX: usize = 8;

/// One question to one list, with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ListFacts {
    /// The list, by the name that definitions use.
    pub list: Domain,
    /// What was looked up.
    pub of: ListSubject,
    /// The address or domain itself; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What the list said.
    pub answer: ListAnswer,
    /// Seconds since a local list was read; nothing for one that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_ago_s: Option<u64>,
    /// How long it took.
    pub took: Micros,
}

impl ListFacts {
    /// Whether this answers `question`.
    pub fn answers(&self, question: &ListQuestion) -> bool {
        self.list == question.list && self.of == question.of
    }
}

/// What a list said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListAnswer {
    /// Nothing was looked up: there is no such name, or the address is one
    /// that only means something in its own network.
    NotAsked,
    /// It is not on the list.
    NotListed,
    /// It is.
    Listed {
        /// The addresses the list answered with, all of 127.0.0.0/8; at most
        /// [`ANSWERS_MAX`].
        answers: Vec<Ipv4Addr>,
        /// The list's own explanation, printable ASCII.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// Nobody knows; never a listing.
    Failed(ListFailure),
}

impl ListAnswer {
    /// A listing; what is no printable ASCII in the explanation becomes `?`.
    pub fn listed(answers: Vec<Ipv4Addr>, text: Option<&str>) -> ListAnswer {
        let clean = |text: &str| Quoted::new(None, None, text).text().to_owned();
        let text = text.map(clean).filter(|text| !text.is_empty());
        ListAnswer::Listed { answers, text }
    }
}

/// Why a list has no answer that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListFailure {
    /// No answer in time.
    TimedOut,
    /// The servers failed.
    Unreachable,
    /// The answer could not be read.
    Malformed,
    /// The list answered with an error rather than a listing: an address
    /// outside 127.0.0.0/8, or of 127.255.255.0/24.
    ErrorAnswer(Ipv4Addr),
    /// Too many questions to this list were under way.
    Limited,
    /// The list is not believed at present.
    Suspended,
    /// The settings name a file for it, and none was read.
    NotRead,
    /// It was not asked: it refused us several times, last with this answer,
    /// and is left alone for a while.
    LeftAlone(Ipv4Addr),
}

impl fmt::Display for ListFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListFailure::TimedOut => f.write_str("no answer in time"),
            ListFailure::Unreachable => f.write_str("its servers fail"),
            ListFailure::Malformed => f.write_str("its answer could not be read"),
            ListFailure::ErrorAnswer(answer) => {
                write!(f, "it {}", ListRefusal::of(*answer).told(*answer))
            }
            ListFailure::Limited => f.write_str("too many questions were under way"),
            ListFailure::Suspended => f.write_str("it is suspended"),
            ListFailure::NotRead => f.write_str("its file was not read"),
            ListFailure::LeftAlone(answer) => {
                let told = ListRefusal::of(*answer).told(*answer);
                write!(f, "it was not asked, for it {told}")
            }
        }
    }
}

/// What an answer says that is no listing. The codes of 127.255.255.0/24 are
/// those of Spamhaus, which others took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListRefusal {
    /// 127.255.255.252: there is no such zone.
    NoSuchZone,
    /// 127.255.255.254: the resolver is one for everybody, or nobody knows
    /// whose it is.
    PublicResolver,
    /// 127.255.255.255: more questions than are free.
    TooMany,
    /// Another of them, or 127.0.0.1.
    Unexplained,
    /// An address outside 127.0.0.0/8: whoever answers is no list.
    NoList,
}

impl ListRefusal {
    /// What an answer says that is no listing.
    pub fn of(answer: Ipv4Addr) -> ListRefusal {
        match answer.octets() {
            [127, 255, 255, 252] => ListRefusal::NoSuchZone,
            [127, 255, 255, 254] => ListRefusal::PublicResolver,
            [127, 255, 255, 255] => ListRefusal::TooMany,
            [127, ..] => ListRefusal::Unexplained,
            _ => ListRefusal::NoList,
        }
    }

    /// The name in metrics.
    pub const fn slug(self) -> &'static str {
        match self {
            ListRefusal::NoSuchZone => "no_such_zone",
            ListRefusal::PublicResolver => "public_resolver",
            ListRefusal::TooMany => "too_many",
            ListRefusal::Unexplained => "unexplained",
            ListRefusal::NoList => "no_list",
        }
    }

    /// What the list does when it answers so, to stand behind its name.
    pub fn told(self, answer: Ipv4Addr) -> String {
        let why = match self {
            ListRefusal::NoSuchZone => "the name of the zone is mistyped",
            ListRefusal::PublicResolver => "asked through a public resolver",
            ListRefusal::TooMany => "asked too often",
            ListRefusal::Unexplained => "it does not say why",
            ListRefusal::NoList => return format!("answers with {answer}, as no list does"),
        };
        format!("refuses us: {answer} ({why})")
    }
}

/// What an address that a list answered with means (RFC 5782 section 2.1 and
/// the practice of the lists): a listing lies in 127.0.0.0/8; the block
/// 127.255.255.0/24 says what is wrong with the question, and 127.0.0.1 is
/// what lists of domains answer to everything from whom they refuse.
pub fn is_listing(answer: Ipv4Addr) -> bool {
    let [a, b, c, _] = answer.octets();
    a == 127 && !(b == 255 && c == 255) && answer != Ipv4Addr::LOCALHOST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_127_without_the_error_block_are_listings() {
        for (answer, listing) in [
            ("127.0.0.2", true),
            ("127.0.0.1", false),
            ("127.255.254.1", true),
            ("127.255.255.252", false),
            ("127.255.255.255", false),
            ("192.0.2.1", false),
            ("0.0.0.0", false),
            ("128.0.0.2", false),
        ] {
            assert_eq!(is_listing(answer.parse().unwrap()), listing, "{answer}");
        }
    }

    #[test]
    fn a_list_that_refuses_us_says_why() {
        for (answer, told) in [
            (
                "127.255.255.252",
                "it refuses us: 127.255.255.252 (the name of the zone is mistyped)",
            ),
            ("127.255.255.254", "it refuses us: 127.255.255.254 (asked through a public resolver)"),
            ("127.255.255.255", "it refuses us: 127.255.255.255 (asked too often)"),
            ("127.255.255.250", "it refuses us: 127.255.255.250 (it does not say why)"),
            ("127.0.0.1", "it refuses us: 127.0.0.1 (it does not say why)"),
            ("192.0.2.80", "it answers with 192.0.2.80, as no list does"),
        ] {
            assert_eq!(ListFailure::ErrorAnswer(answer.parse().unwrap()).to_string(), told);
            let left_alone = ListFailure::LeftAlone(answer.parse().unwrap()).to_string();
            assert_eq!(left_alone, format!("it was not asked, for {told}"));
        }
    }

    #[test]
    fn an_explanation_is_cleaned_and_cut() {
        let ListAnswer::Listed { text, .. } = ListAnswer::listed(vec![], Some("a\r\nb\u{202e}c"))
        else {
            panic!("a listing")
        };
        assert_eq!(text.unwrap(), "a  b?c");
        let long = "x".repeat(64 * 1024);
        assert!(
            matches!(ListAnswer::listed(vec![], Some(&long)), ListAnswer::Listed { text: Some(text), .. } if text.len() == Quoted::OCTETS_MAX)
        );
        assert!(matches!(
            ListAnswer::listed(vec![], Some("  ")),
            ListAnswer::Listed { text: None, .. }
        ));
    }
}
