//! The organisation that the demo protects: its domains, who works there,
//! what their lists say. The server's settings, the next hop and the senders
//! all read these tables, so that they agree.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::origin::{Origin, Side};

/// The gateway's name, which its certificate bears.
pub const HOST_NAME: &str = "mx.corp.example";
/// A domain whose recipients stand in a directory file.
pub const DIRECTORY_DOMAIN: &str = "corp.example";
/// A domain whose recipients are asked for at the next hop.
pub const CALL_FORWARD_DOMAIN: &str = "clinic.example";
/// A domain whose next hop cannot be reached.
pub const UNREACHABLE_DOMAIN: &str = "branch.example";

/// What the next hop does with mail for a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Takes it.
    Takes,
    /// Says 450 at every second recipient: a moment too busy.
    OftenBusy,
    /// Says 552: the mailbox is full.
    Full,
}

use Standing::{Full, OftenBusy, Takes};

/// A mailbox: the part before the @, and its standing.
pub type Mailbox = (&'static str, Standing);

/// The mailboxes of [`DIRECTORY_DOMAIN`], the busiest first.
pub const CORP_MAILBOXES: &[Mailbox] = &[
    ("ann", Takes),
    ("bob", Takes),
    ("info", Takes),
    ("carla", Takes),
    ("sales", Takes),
    ("dmitri", Takes),
    ("accounts", Takes),
    ("erin", Takes),
    ("farid", Takes),
    ("support", OftenBusy),
    ("grace", Takes),
    ("hiro", Takes),
    ("ines", Takes),
    ("jonas", Takes),
    ("jobs", Takes),
    ("press", Takes),
    ("karin.lindqvist", Takes),
    ("luca", Takes),
    ("mei", Takes),
    ("office", Takes),
    ("frank", Full),
];

/// The mailboxes of [`CALL_FORWARD_DOMAIN`].
pub const CLINIC_MAILBOXES: &[Mailbox] = &[
    ("reception", Takes),
    ("dr.novak", Takes),
    ("dr.lee", Takes),
    ("lab", Takes),
    ("records", OftenBusy),
    ("ward1", Takes),
    ("imaging", Full),
];

/// The mailboxes of [`UNREACHABLE_DOMAIN`].
pub const BRANCH_MAILBOXES: &[Mailbox] = &[("desk", Takes), ("manager", Takes)];

/// Who of [`DIRECTORY_DOMAIN`], by mailbox, wrote to whom before the demo
/// begins: they may answer without coming back.
pub const WRITTEN_TO: &[(&str, &str)] = &[
    ("ann", "maria.rossi@customer.example"),
    ("ann", "j.smith@customer.example"),
    ("ann", "maria.rossi@supplier.example"),
    ("bob", "maria.rossi@customer.example"),
    ("bob", "office@lawyers.example"),
    ("info", "maria.rossi@supplier.example"),
    ("carla", "tomasz@university.example"),
    ("sales", "j.smith@customer.example"),
];

/// How many seats the training course of [`DIRECTORY_DOMAIN`] has, each with
/// a mailbox: more than one transaction may have recipients.
pub const COURSE_SEATS: u16 = 106;

/// The mailbox of a seat, without its domain.
pub fn course_seat(seat: u16) -> String {
    format!("course-{seat:03}")
}

/// A device or program of [`DIRECTORY_DOMAIN`] that submits mail.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    /// What it authenticates with.
    pub name: &'static str,
    /// Its password; anybody may know it, for it opens nothing but the demo.
    pub password: &'static str,
    /// The mailbox it may send as.
    pub sender: &'static str,
    /// What it is.
    pub note: &'static str,
}

/// Everything that submits.
pub const DEVICES: &[Device] = &[
    Device {
        name: "printer-2nd-floor",
        password: "three-trays-and-a-jam",
        sender: "office",
        note: "Scans to mail",
    },
    Device {
        name: "shop-software",
        password: "receipts-by-the-dozen",
        sender: "sales",
        note: "Confirms orders",
    },
];

/// A domain whose senders are permitted.
pub(crate) const PERMITTED_DOMAIN: &str = "partner.example";

/// A domain from which the next hop takes nothing.
pub const UNWANTED_DOMAIN: &str = "collector.example";

/// Unknown recipients that one client may ask for in an hour.
pub const UNKNOWN_RECIPIENTS_MAX: u32 = 20;

/// Largest message that `jobs@` of [`DIRECTORY_DOMAIN`] takes, in octets.
pub const JOBS_SIZE_MAX_OCTETS: usize = 65_536;

/// The policies, groups and managed senders of the demo, as the document that
/// `portcullis policy import` and the setting `server.policy_file` read.
pub const POLICIES: &str = include_str!("policies.toml");

/// The directory file of [`DIRECTORY_DOMAIN`].
pub fn directory() -> String {
    let mut text = format!("# The recipients of {DIRECTORY_DOMAIN}, one a line.\npostmaster\n");
    for (mailbox, _) in CORP_MAILBOXES {
        text.push_str(mailbox);
        text.push('\n');
    }
    for seat in 1..=COURSE_SEATS {
        text.push_str(&course_seat(seat));
        text.push('\n');
    }
    text
}

/// Where the mail of the organisation goes.
#[derive(Clone, Copy, Debug)]
pub struct Hops {
    /// A [`Sink`](crate::Sink).
    pub sink: SocketAddr,
    /// One that is [older](crate::Sink::of_old).
    pub old_sink: SocketAddr,
    /// Where connections are refused.
    pub nowhere: SocketAddr,
}

/// The `[[domain]]` tables of the settings file: what is protected, and where
/// its mail goes. `directory_file` names the file of [`directory`].
pub fn domain_settings(hops: Hops, directory_file: &str) -> String {
    let mut text = String::new();
    for (name, hop) in [
        (DIRECTORY_DOMAIN, hops.sink),
        (CALL_FORWARD_DOMAIN, hops.old_sink),
        (UNREACHABLE_DOMAIN, hops.nowhere),
    ] {
        let _ = writeln!(text, "[[domain]]\nname = \"{name}\"\nnext_hop = [\"{hop}\"]");
        match name {
            DIRECTORY_DOMAIN => {
                let _ = writeln!(text, "directory_file = {directory_file:?}\n");
            }
            _ => text.push_str("recipients = \"call_forward\"\n\n"),
        }
    }
    text
}

/// The networks of the balancer, which names its clients.
pub fn balancers() -> Vec<String> {
    let network = |side| format!("{}/24", Origin { host: 0, ..Origin::BALANCER }.address(side));
    [Side::Simulated, Side::Loopback].map(network).into()
}

/// What the next hop does with mail for this address.
pub(crate) fn standing(local: &str, domain: &str) -> Option<Standing> {
    let table = match domain {
        DIRECTORY_DOMAIN => CORP_MAILBOXES,
        CALL_FORWARD_DOMAIN => CLINIC_MAILBOXES,
        _ => return Some(Takes),
    };
    let found = table.iter().find(|(mailbox, _)| mailbox.eq_ignore_ascii_case(local));
    let seated = domain == DIRECTORY_DOMAIN && local.starts_with("course-");
    let always = seated || local.eq_ignore_ascii_case("postmaster");
    found.map(|(_, standing)| *standing).or(always.then_some(Takes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_in_the_directory_is_known_to_the_next_hop() {
        let text = directory();
        let listed: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(listed.len() > 120);
        for local in listed {
            assert!(standing(local, DIRECTORY_DOMAIN).is_some(), "{local}");
        }
        assert_eq!(standing("nobody", DIRECTORY_DOMAIN), None);
        assert_eq!(standing("imaging", CALL_FORWARD_DOMAIN), Some(Full));
        assert_eq!(standing("anybody", "elsewhere.example"), Some(Takes));
    }

    #[test]
    fn all_addresses_are_addresses() {
        let tables = [
            (CORP_MAILBOXES, DIRECTORY_DOMAIN),
            (CLINIC_MAILBOXES, CALL_FORWARD_DOMAIN),
            (BRANCH_MAILBOXES, UNREACHABLE_DOMAIN),
        ];
        for (table, domain) in tables {
            for (mailbox, _) in table {
                format!("{mailbox}@{domain}").parse::<types::EmailAddress>().unwrap();
            }
        }
    }
}
