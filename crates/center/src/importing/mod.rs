//! Lists of other programs, read line by line into what they become here.
//!
//! | format | what its lines are | what they become |
//! |---|---|---|
//! | `managed` | our own CSV | managed senders |
//! | `mimecast` | the CSV of Mimecast's managed senders | managed senders |
//! | `plain` | an address or a domain each | managed senders of one recipient, or members of a group |
//! | `postgrey_clients` | clients that postgrey lets past | a greylisting policy by network, one by host |
//! | `postgrey_recipients` | recipients that postgrey lets past | a greylisting policy for a group |
//! | `postfix_sender` | access(5), looked up by sender | members of a group |
//! | `postfix_client` | access(5), looked up by client | policies by network and by host |
//! | `postfix_cidr` | cidr_table(5), looked up by client | policies by network |
//!
//! Reading ([`read`]) is pure and knows no store; [`made`] says what changes
//! of the policy set the good lines are. A line that cannot be kept as what
//! it meant there (a regular expression, another action) is a bad line with
//! the reason, never half of it.

mod access;
mod made;
mod postgrey;
mod sheet;
#[cfg(test)]
mod tests;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use types::lists::{Pattern, SenderAction};
use types::{Domain, EmailAddress};

use crate::input::pattern_problem;
use crate::presentable_within;

/// Characters of a line that are repeated in the report.
const SHOWN_CHARS_MAX: usize = 160;

macro_rules! formats {
    ($($(#[doc = $doc:literal])+ $name:ident = $slug:literal;)*) => {
        /// Whose list it is.
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum ListFormat { #[default] $($(#[doc = $doc])+ $name,)* }

        impl ListFormat {
            /// Every format, in the order of the choice.
            pub const ALL: &'static [ListFormat] = &[$(ListFormat::$name),*];

            /// The name on the command line and in the API.
            pub const fn slug(self) -> &'static str {
                match self { $(ListFormat::$name => $slug,)* }
            }

            /// What people read.
            pub fn doc(self) -> &'static str {
                match self { $(ListFormat::$name => concat!($($doc),+).trim(),)* }
            }
        }
    };
}

formats! {
    /// Managed senders, CSV as exported here
    Managed = "managed";
    /// Mimecast managed senders, CSV
    Mimecast = "mimecast";
    /// Plain list: an address or a domain per line
    Plain = "plain";
    /// postgrey whitelist_clients
    PostgreyClients = "postgrey_clients";
    /// postgrey whitelist_recipients
    PostgreyRecipients = "postgrey_recipients";
    /// Postfix access table, by sender
    PostfixSender = "postfix_sender";
    /// Postfix access table, by client
    PostfixClient = "postfix_client";
    /// Postfix CIDR table, by client
    PostfixCidr = "postfix_cidr";
}

impl ListFormat {
    /// The format of this name.
    pub fn named(slug: &str) -> Option<ListFormat> {
        ListFormat::ALL.iter().copied().find(|format| format.slug() == slug)
    }

    /// Whether its lines say themselves what they do and for whom.
    pub const fn says_all(self) -> bool {
        !matches!(self, ListFormat::Plain)
    }
}

/// A list, and what its lines do not say themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListText<'a> {
    /// Whose list it is.
    pub format: ListFormat,
    /// The list.
    pub text: &'a str,
    /// What the lines of a plain list do.
    pub action: Option<SenderAction>,
    /// Whose list a plain list goes into; everyone's if absent.
    pub recipient: Option<EmailAddress>,
}

/// What a client's entry means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Means {
    /// It is not greylisted.
    NotGreylisted,
    /// It is permitted.
    Permitted,
    /// It is blocked.
    Blocked,
}

/// What one line becomes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// An entry in the list of a recipient.
    Entry { sender: Pattern, recipient: EmailAddress, action: SenderAction, note: String },
    /// A sender for everyone.
    Sender(Pattern, Means),
    /// Clients by network.
    Network(IpNet, Means),
    /// Clients by the name they have, and below it.
    Host(Domain, Means),
    /// A recipient whose mail is not greylisted.
    Recipient(Pattern),
    /// A recipient part that counts in every domain of ours.
    EverywhereOurs(String),
}

/// A line that says something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Its number, from one.
    pub(crate) number: usize,
    /// What it becomes, or why nothing.
    pub(crate) read: Result<Vec<Item>, String>,
}

/// One line of an import as the report has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ImportedLine {
    /// Its number, from one.
    pub line: usize,
    /// What it says, presentable.
    pub text: String,
    /// What it becomes; nothing if it is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub becomes: Option<String>,
    /// Why it is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Reads a list of any format but our own, which is read as a stream.
///
/// # Errors
///
/// A sentence, where not even the lines can be told: a CSV without the
/// columns that are needed, a plain list of which nobody says what it does.
pub(crate) fn read(list: &ListText<'_>) -> Result<Vec<Line>, String> {
    let text = list.text.trim_start_matches('\u{feff}');
    Ok(match list.format {
        ListFormat::Managed => return Err("this format is read elsewhere".to_owned()),
        ListFormat::Mimecast => return sheet::read(text),
        ListFormat::Plain => {
            let action = list.action.ok_or("say whether the list is permitted or blocked")?;
            plain(text, action, list.recipient.as_ref())
        }
        ListFormat::PostgreyClients => said(text, postgrey::client),
        ListFormat::PostgreyRecipients => said(text, postgrey::recipient),
        ListFormat::PostfixSender => access::read(text, access::sender),
        ListFormat::PostfixClient => access::read(text, access::client),
        ListFormat::PostfixCidr => access::read(text, access::cidr),
    })
}

/// Reads any text as any format: the whole of it for a fuzzer.
pub fn read_anything(text: &str) {
    for format in ListFormat::ALL.iter().copied() {
        let action = Some(SenderAction::Permit);
        let read = read(&ListText { format, text, action, recipient: None });
        for line in read.into_iter().flatten() {
            let words: Vec<String> =
                line.read.into_iter().flatten().map(|item| item.words()).collect();
            drop(words);
        }
    }
}

/// One thing per line; empty lines and comments are none.
fn said(text: &str, one: fn(&str) -> Result<Vec<Item>, String>) -> Vec<Line> {
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    let meant = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    meant.map(|(number, line)| Line { number, read: one(line) }).collect()
}

fn plain(text: &str, action: SenderAction, recipient: Option<&EmailAddress>) -> Vec<Line> {
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    let meant = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', ';']));
    let one = |line: &str| {
        let word = line.split([',', ';', '\t', ' ']).next().unwrap_or_default().trim_matches('"');
        let sender = pattern(word)?;
        Ok(vec![match (recipient, action) {
            (Some(recipient), _) => {
                Item::Entry { sender, recipient: recipient.clone(), action, note: String::new() }
            }
            (None, SenderAction::Permit) => Item::Sender(sender, Means::Permitted),
            (None, SenderAction::Block) => Item::Sender(sender, Means::Blocked),
            (None, SenderAction::Auto | SenderAction::Disabled) => {
                return Err(format!("{} takes a recipient", action.slug()));
            }
        }])
    };
    meant.map(|(number, line)| Line { number, read: one(line) }).collect()
}

/// An address or a domain that can be meant.
fn pattern(text: &str) -> Result<Pattern, String> {
    let shown = || presentable_within(text, SHOWN_CHARS_MAX);
    let pattern: Pattern = text.parse().map_err(|error| format!("{:?}: {error}", shown()))?;
    pattern_problem(&pattern)
        .map_or(Ok(pattern), |problem| Err(format!("{:?}: {problem}", shown())))
}

/// A domain that is no single word.
fn domain(text: &str) -> Result<Domain, String> {
    let shown = || presentable_within(text, SHOWN_CHARS_MAX);
    let domain: Domain = text.parse().map_err(|error| format!("{:?}: {error}", shown()))?;
    match domain.as_str().contains('.') {
        true => Ok(domain),
        false => Err(format!("{:?} is neither an address nor a domain with a dot", shown())),
    }
}

/// An IPv4 address or the beginning of one (`10.2`), as a network.
fn network_by_beginning(text: &str) -> Option<IpNet> {
    let parts: Vec<&str> = text.trim_end_matches('.').split('.').collect();
    let is_part =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !(1..=4).contains(&parts.len()) || !parts.iter().all(is_part) {
        return None;
    }
    let mut octets = [0u8; 4];
    for (octet, part) in octets.iter_mut().zip(&parts) {
        *octet = part.parse().ok()?;
    }
    let length = u8::try_from(parts.len() * 8).ok()?;
    ipnet::Ipv4Net::new(octets.into(), length).ok().map(IpNet::V4)
}

/// An address or a network in any of the forms that lists have.
fn network(text: &str) -> Option<IpNet> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let of_address = || bare.parse::<std::net::IpAddr>().ok().map(IpNet::from);
    let of_network = || bare.replace("]/", "/").parse::<IpNet>().ok().map(|net| net.trunc());
    of_address().or_else(of_network).or_else(|| network_by_beginning(text))
}

impl Item {
    /// What people read.
    pub(crate) fn words(&self) -> String {
        let means = |means: Means| match means {
            Means::NotGreylisted => "not greylisted",
            Means::Permitted => "permitted",
            Means::Blocked => "blocked",
        };
        let text = match self {
            Item::Entry { sender, recipient, action, .. } => {
                format!("{} {sender} for {recipient}", action.slug())
            }
            Item::Sender(sender, what) => format!("{} for everyone: {sender}", means(*what)),
            Item::Network(network, what) => format!("{}: clients in {network}", means(*what)),
            Item::Host(host, what) => format!("{}: clients named {host} or below", means(*what)),
            Item::Recipient(pattern) => format!("not greylisted: mail for {pattern}"),
            Item::EverywhereOurs(local) => {
                format!("not greylisted: mail for {local}@ in every domain of yours")
            }
        };
        presentable_within(&text, 2 * SHOWN_CHARS_MAX)
    }
}
