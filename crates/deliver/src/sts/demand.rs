//! What a policy asks of a connection, and how it is recorded. Pure.

use std::sync::Arc;

use types::{Domain, TlsPolicy};

use super::policy::{Mode, Policy};
use crate::route::Host;

/// What connections for the mail of one domain have to meet: its policy in
/// mode `enforce` or `testing`.
#[derive(Clone, Debug)]
pub(crate) struct Demand {
    domain: Domain,
    policy: Arc<Policy>,
}

impl Demand {
    /// What this policy asks, if it asks anything.
    pub(super) fn of(domain: &Domain, policy: Arc<Policy>) -> Option<Self> {
        let domain = domain.clone();
        (policy.mode != Mode::None).then_some(Demand { domain, policy })
    }

    /// Whether mail waits rather than go otherwise.
    pub(crate) fn is_enforced(&self) -> bool {
        self.policy.mode == Mode::Enforce
    }

    /// How the log names it.
    pub(crate) fn policy(&self) -> TlsPolicy {
        match self.is_enforced() {
            true => TlsPolicy::MtaStsEnforce,
            false => TlsPolicy::MtaStsTesting,
        }
    }

    /// Whether mail may go to this host.
    pub(crate) fn lists(&self, host: &Host) -> bool {
        host.name().is_some_and(|name| self.policy.lists(name))
    }

    /// Why mail does not go by a connection that is lacking something.
    pub(crate) fn refusal(&self, lacking: &str) -> String {
        format!("the MTA-STS policy of {} forbids it: {lacking}", self.domain)
    }

    /// What is recorded of an encrypted connection beside its version:
    /// whether the certificate was verified, and whether anything else is
    /// `lacking`.
    pub(crate) fn told(&self, verified: &Result<(), String>, lacking: Option<&str>) -> String {
        let certificate = match verified {
            Ok(()) => "certificate verified",
            Err(_) => "certificate not verified",
        };
        let mode = self.policy.mode.slug();
        match lacking.or(verified.as_ref().err().map(String::as_str)) {
            None => format!("{certificate}, MTA-STS {mode}"),
            Some(why) => format!("{certificate}, MTA-STS {mode} {}: {why}", self.verb()),
        }
    }

    /// What is recorded of a connection in clear text.
    pub(crate) fn told_in_clear(&self, why: &str) -> String {
        format!("none ({why}, MTA-STS {} {} it)", self.policy.mode.slug(), self.verb())
    }

    fn verb(&self) -> &'static str {
        match self.is_enforced() {
            true => "refuses",
            false => "would refuse",
        }
    }
}

/// What is lacking of a host that a policy does not list.
pub(crate) const UNLISTED: &str = "it does not list this host";
