//! Which policies would apply to a mail that never came.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use types::evidence::{Evidence, Parties};
use types::{
    AddressError, Caller, CheckName, Domain, ForwardPath, Permission, PolicyRef, PolicyType,
    ReversePath, Stage, Timestamp,
};

use crate::explain::{PolicyLine, policy_line};
use crate::proofs::{ANYWHERE, signed_by, spf_passes};
use crate::{Center, CenterError, permit};

/// A mail that is thought of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatedMail {
    /// The client.
    pub ip: Option<IpAddr>,
    /// Its forward-confirmed host name.
    #[serde(default)]
    pub host: String,
    /// MAIL FROM; empty for `<>`.
    #[serde(default)]
    pub from: String,
    /// The author; empty as long as the message is not there.
    #[serde(default)]
    pub header_from: String,
    /// The domain of a DKIM signature that passes; empty for none. It is known
    /// once the message is there.
    #[serde(default)]
    pub signed_by: String,
    /// Whether SPF passes for the sender.
    #[serde(default)]
    pub spf_passes: bool,
    /// RCPT TO.
    pub to: String,
    /// When; now if absent.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

/// Which policies apply to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Simulated {
    /// The version of the policy set.
    pub version: u64,
    /// For each type the one that applies, and those that lost.
    pub policies: Vec<PolicyLine>,
    /// That the recipient wrote to the sender, in words, if he did: then Auto
    /// Allow counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrote: Option<String>,
    /// Types of which nothing matches, and that the settings do not decide.
    pub none: Vec<String>,
}

impl Center {
    /// That the recipient wrote to the sender, in words for whoever sees it.
    fn wrote_words(
        &self,
        caller: &Caller,
        sender: &ReversePath,
        recipient: &ForwardPath,
        at: Timestamp,
    ) -> Option<String> {
        let (own, other) = (recipient.address()?, sender.address()?);
        let pair = self.parts.correspondences.between(own, other, at)?;
        let is_seen = caller.sight.sees_path(recipient);
        is_seen.then(|| crate::presentable(&crate::explain::wrote_words(&pair)).into_owned())
    }

    /// Which policy of each type would apply to a mail, which lost, and why.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for what is no address.
    pub fn simulate(
        &self,
        caller: &Caller,
        mail: &SimulatedMail,
    ) -> Result<Simulated, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        permit(caller, Permission::SeeSenders)?;
        let wrong = |what: &str, text: &str, error: AddressError| {
            let text = crate::presentable_within(text, 80);
            CenterError::invalid(format!("{what} {text:?}: {error}"))
        };
        let reverse_path = match mail.from.trim() {
            "" | "<>" => ReversePath::Null,
            text => ReversePath::Address(text.parse().map_err(|e| wrong("from", text, e))?),
        };
        let to = mail.to.trim();
        let recipient = ForwardPath::Address(to.parse().map_err(|e| wrong("to", to, e))?);
        let author = mail.header_from.trim();
        let authors: Vec<String> = match author {
            "" => Vec::new(),
            text => {
                let author: types::EmailAddress =
                    text.parse().map_err(|e| wrong("header from", text, e))?;
                vec![author.key().to_owned()]
            }
        };
        let evidence =
            proofs(mail, &reverse_path).map_err(|e| wrong("DKIM", &mail.signed_by, e))?;
        let is_there = !authors.is_empty() || evidence.latest(CheckName::Dkim).is_some();
        let stage = if is_there { Stage::Data } else { Stage::Rcpt };
        let who = Parties {
            ip: mail.ip.unwrap_or(ANYWHERE),
            host_name: Some(mail.host.trim()).filter(|host| !host.is_empty()),
            tls: None,
            reverse_path: Some(&reverse_path),
            recipient: Some(&recipient),
            header_from: &authors,
        };
        let set = self.parts.activator.in_force();
        let at = mail.at.unwrap_or_else(|| self.parts.clock.now());
        let chosen = set.selections(stage, at, &who, &evidence);
        let mut policies = Vec::with_capacity(chosen.len());
        for consulted in &chosen {
            let mut line = policy_line(consulted);
            if let Some(PolicyRef::Policy { id, .. }) = consulted.winner
                && let Some(stored) = self.parts.policies.policy(id)?
            {
                let narrative = crate::presentable_within(&stored.policy.narrative, 200);
                line.winner =
                    line.winner.map(|winner| format!("{winner}: \u{201c}{narrative}\u{201d}"));
            }
            policies.push(line);
        }
        let missing = |kind: &&PolicyType| chosen.iter().all(|consulted| consulted.kind != **kind);
        let none = PolicyType::ALL.iter().filter(missing).map(|kind| kind.title().to_owned());
        let none = none.collect();
        let wrote = self.wrote_words(caller, &reverse_path, &recipient, at);
        Ok(Simulated { version: set.version(), policies, wrote, none })
    }
}

/// What sender authentication is said to find.
fn proofs(mail: &SimulatedMail, sender: &ReversePath) -> Result<Evidence, AddressError> {
    let sender = sender.address().filter(|_| mail.spf_passes);
    let mut evidence: Evidence =
        sender.map(|address| spf_passes(address.domain_key())).into_iter().collect();
    let signer = mail.signed_by.trim();
    if !signer.is_empty() {
        evidence.add(signed_by(signer.parse::<Domain>()?.as_str()));
    }
    Ok(evidence)
}
