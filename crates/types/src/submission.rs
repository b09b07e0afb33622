//! Who of ours submits mail by name and password: a printer, a program, a
//! mail server behind an address that changes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::ReversePath;
use crate::lists::Pattern;

/// Somebody who has proved to be a submitter, as far as mail is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitter {
    /// Its name.
    pub name: Arc<str>,
    /// What it may send as.
    pub senders: Vec<Pattern>,
    /// Another one as soon as its password is, so that what an old one proved
    /// counts for nothing on connections that are still open.
    pub proof: u64,
}

impl Submitter {
    /// Whether it may send as this sender. Bounces have the null
    /// reverse-path, and a mail server must be able to send those.
    pub fn may_send_as(&self, sender: &ReversePath) -> bool {
        sender.address().is_none_or(|address| {
            self.senders.iter().any(|allowed| match allowed {
                Pattern::Address(allowed) => allowed == address,
                Pattern::Domain(allowed) => allowed.matches(address.domain_key()),
            })
        })
    }
}

/// What there is to say about names and passwords on a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SubmissionFacts {
    /// The submitter that proved itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<str>>,
    /// Whether it may send as the sender of the mail.
    #[serde(default)]
    pub may_send: bool,
    /// Names and passwords that were wrong on this connection.
    #[serde(default, skip_serializing_if = "is_none")]
    pub failed: u32,
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submitter_sends_as_what_it_was_given() {
        let senders = ["app@corp.example", "shop.example", "*.mail.example"];
        let senders = senders.map(|text| text.parse().unwrap()).to_vec();
        let submitter = Submitter { name: "app".into(), senders, proof: 0 };
        let may = |text: &str| submitter.may_send_as(&ReversePath::Address(text.parse().unwrap()));
        for allowed in ["App@Corp.Example", "anybody@shop.example", "x@a.mail.example"] {
            assert!(may(allowed), "{allowed}");
        }
        for denied in
            ["ann@corp.example", "x@sub.shop.example", "x@mail.example", "x@notmail.example"]
        {
            assert!(!may(denied), "{denied}");
        }
        assert!(submitter.may_send_as(&ReversePath::Null), "bounces");
    }
}
