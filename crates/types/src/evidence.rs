//! What a decision is made of: who takes part, what was found, which policies
//! were consulted, and what is still missing.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::{Domain, ForwardPath, ReversePath};
use crate::client::TlsFacts;
use crate::finding::{CheckName, Finding, Observed};
use crate::policy::{ClientIdentity, PolicyRef, PolicyType, RecipientValidation};

/// The parties of an attempt, as far as the session has named them.
#[derive(Clone, Copy, Debug)]
pub struct Parties<'a> {
    /// The client's address.
    pub ip: IpAddr,
    /// Its forward-confirmed reverse DNS name, if one is known.
    pub host_name: Option<&'a str>,
    /// What STARTTLS agreed on, if it did.
    pub tls: Option<&'a TlsFacts>,
    /// The reverse-path, from MAIL on.
    pub reverse_path: Option<&'a ReversePath>,
    /// The forward-path, from RCPT on.
    pub recipient: Option<&'a ForwardPath>,
    /// Comparable addresses of the From field, at end of data.
    pub header_from: &'a [String],
}

/// All findings of one attempt, in the order of the stages and, within one
/// stage, of the registry, so that no race between checks shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Evidence {
    findings: Vec<Finding>,
}

impl Evidence {
    /// Evidence with nothing in it.
    pub fn new() -> Self {
        Evidence::default()
    }

    /// Adds a finding in its place.
    pub fn add(&mut self, finding: Finding) {
        let place = self
            .findings
            .partition_point(|other| (other.stage, other.check) <= (finding.stage, finding.check));
        self.findings.insert(place, finding);
    }

    /// Puts a finding in the place of what its check saw at that stage.
    pub fn replace(&mut self, finding: Finding) {
        let place = (finding.stage, finding.check);
        self.findings.retain(|other| (other.stage, other.check) != place);
        self.add(finding);
    }

    /// The findings, in order.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What `check` saw last; later stages supersede earlier ones.
    pub fn latest(&self, check: CheckName) -> Option<&Observed> {
        self.findings.iter().rev().find(|f| f.check == check).map(|f| &f.observed)
    }
}

impl FromIterator<Finding> for Evidence {
    fn from_iter<I: IntoIterator<Item = Finding>>(findings: I) -> Self {
        let mut evidence = Evidence::new();
        for finding in findings {
            evidence.add(finding);
        }
        evidence
    }
}

/// Evidence that a decision lacks. Policy asks for it only where it matters,
/// so expensive and stateful checks run last and only if they can still
/// decide; a replay that meets a need it has no record for answers *unknown*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Whether the recipient exists, looked up in this way.
    Recipient(RecipientValidation),
    /// Whether the next hop takes internationalized addresses.
    Smtputf8,
    /// Whether the client's network is within its rate.
    Rate,
    /// What the lists say that the policies in force ask.
    Lists,
    /// Where the client is.
    Place,
    /// Whether the sender's domain lets this client send.
    Spf,
    /// DKIM, DMARC and ARC of the message, known at end of data.
    Authentication,
    /// The certificate that the client showed.
    Certificate,
    /// Whether the client has come back before, identified in this way.
    History(ClientIdentity),
    /// The triplet, with the client identified in this way. Looking enters
    /// the attempt into the table, so this is asked last.
    Triplet(ClientIdentity),
}

/// Which policy of one type applied, and which did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Consulted {
    /// The type that was consulted.
    pub kind: PolicyType,
    /// The one policy or entry that applied, if any matched.
    pub winner: Option<PolicyRef>,
    /// Whether it said that nothing is to be done: that decided as well, for
    /// another would have applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_action: bool,
    /// Those that matched and lost, at most [`LOSERS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losers: Vec<(PolicyRef, Loss)>,
    /// What policies in observe mode would have done; never enforced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observing: Vec<PolicyRef>,
    /// The global permitted list that has the client, where that kept it from
    /// being refused or put off by Reputation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permitted_list: Option<Domain>,
}

/// Most losers kept per type; a person reads the first few.
pub const LOSERS_MAX: usize = 8;

/// Why a matching policy did not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Another has the override flag.
    NoOverride,
    /// Another names its recipients more precisely.
    LessSpecificTo,
    /// Another names its senders more precisely.
    LessSpecificFrom,
    /// Another names the source address or host.
    LessSpecificSource,
    /// Another is older.
    Newer,
    /// An administrator's policy stands above a user's entry.
    BelowAdministrator,
    /// Authentication of the sender failed, so that its permits do not count.
    NotAuthenticated,
    /// A permit and a block are equally specific: block wins.
    BlockOnTie,
    /// It counts for authenticated mail alone, and nothing proved the sender.
    Unproven,
}
