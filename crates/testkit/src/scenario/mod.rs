//! Scenarios: stories about the gateway that a person can read, as files.
//!
//! The author writes comments, what happens around the gateway, and what
//! clients say (`C:`). What follows from it is generated: replies (`S:`),
//! events (`event`), what arrives at a next hop (`=>`, `M:`). A run compares
//! the generated lines with those in the file, or rewrites them.
//!
//! | line | meaning |
//! |---|---|
//! | `clock 2026-01-05T09:00:00Z` | when the story begins |
//! | `clock +61s` | time passes, everybody wakes at his hour |
//! | `wall-clock -2h` | the wall clock is set; seen at the next start |
//! | `settings key=value …` | see [`crate::GatewaySettings::set`] |
//! | `domain clinic.example call_forward` | a domain and how it is validated |
//! | `recipients corp.example: bob cid` | a directory |
//! | `policy` … `end` | policies, groups, managed senders as TOML; replaces the last block |
//! | `next-hop RCPT bob@corp.example 550 5.1.1 Who?` | see [`crate::NextHop::behave`] |
//! | `senders-host dead` | the same for the server of `sender.example` |
//! | `reverse 192.0.2.1 out.example`, `reverse 192.0.2.1 fails` | the name an address claims |
//! | `address out.example 192.0.2.1`, `… fails`, `… none` | the address a name has |
//! | `mx a.example mx.a.example`, `mx a.example null`, `mx a.example fails` | where a domain takes its mail |
//! | `place 203.0.113.0-203.0.113.255 XA` | where clients are |
//! | `text k1._domainkey.a.example v=DKIM1; …`, `text a.example fails` | one text more at a name |
//! | `submitter printer letters-and-pages printer@corp.example` | a name, its password, what it may send as |
//! | `connect 192.0.2.1 as a` | a client connects; the last one speaks |
//! | `outbound 10.0.0.5 as a` | one of our own connects, at the outbound listener |
//! | `asks as a` | a mail server asks about recipients (`check_policy_service`); `C:` says its lines |
//! | `with a` | another client speaks |
//! | `tls` | the client shakes hands, after the reply to STARTTLS |
//! | `tls trusted mx.a.example *.b.example`, `tls expired …`, `tls unknown …` | the same, with such a certificate to show |
//! | `C: line` | sends a line; `\r`, `\n`, `\0`, `\xNN`, `\\`; a final `\` sends no line end |
//! | `C+: line` | the same, but held back and sent together with the next |
//! | `C*100: line` | the same, a hundred times at once |
//! | `drop` | the client closes the connection without a word |
//! | `drain`, `stop`, `restart`, `kill`, `power-cut 7` | what becomes of the gateway |
//! | `disk full`, `disk failing`, `disk ok` | what becomes of the disk |
//! | `missing store`, `missing nothing` | a part of us is away |
//! | `show content` | from now on, messages that arrive are shown whole |
//! | `tally open=0 unrecorded=1` | the conservation sum as it must be |
//!
//! At its end every scenario closes its connections and checks that no
//! attempt is open and none was lost.

mod difference;
mod line;
mod show;
mod story;

pub use difference::difference;
pub use story::tell;

/// Why a scenario cannot be told. The author's mistake, or a broken sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The line, from one.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl std::fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ScenarioError {}
