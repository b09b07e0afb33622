//! Which DMARC policy counts for a domain, for people: the names on the way up
//! the tree (RFC 9989 section 4.10) and what came of each, by the same walk
//! and the same evaluation that mail goes through.

use futures_util::FutureExt;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::dmarc::{Alignment, Policy};
use mail_auth::{AuthenticatedMessage, MessageAuthenticator, Parameters, SpfOutput};
use types::{DmarcRequest, Domain};
use world::Resolver;

use super::answers::Answers;
use super::dmarc::walk;
use super::library;

/// What the name system says of the DMARC policy of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcPolicy {
    /// The names on the way up, each with the record that stands there, if it
    /// is one of DMARC, or why nobody knows.
    pub walked: Vec<(String, Walked)>,
    /// The record that counts; nothing where DMARC does not apply.
    pub counts: Option<DmarcCounts>,
}

/// What stands at one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walked {
    /// A record of DMARC. The domain wrote it: hostile wherever it is shown.
    Record(String),
    /// None.
    Nothing,
    /// Nobody knows.
    Unknown,
}

/// The record that counts for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcCounts {
    /// The domain whose record it is.
    pub domain: String,
    /// What it asks for mail of the domain that fails.
    pub request: DmarcRequest,
    /// Whether that is asked one step more mildly, because it is on trial.
    pub on_trial: bool,
    /// Whether a signature has to be of this very domain.
    pub strict_dkim: bool,
    /// Whether the same goes for SPF.
    pub strict_spf: bool,
}

/// Finds the policy that counts for mail whose author is of `domain`.
pub async fn dmarc_policy(domain: &Domain, resolver: &dyn Resolver) -> DmarcPolicy {
    let names = walk(domain.as_str());
    let answers = Answers::policies(names.clone(), domain.as_str(), resolver).await;
    let counts = counts(domain, &names, &answers, library());
    let walked = names.into_iter().map(|name| {
        let found = answers.walked(&name);
        (name, found)
    });
    DmarcPolicy { walked: walked.collect(), counts }
}

fn counts(
    domain: &Domain,
    names: &[String],
    answers: &Answers,
    library: &MessageAuthenticator,
) -> Option<DmarcCounts> {
    // All the library reads of the message is its author.
    let header = format!("From: <author@{domain}>\r\n\r\n");
    let message = AuthenticatedMessage::parse(header.as_bytes())?;
    let spf = SpfOutput::new(String::new());
    let asked = DmarcParameters::new(&message, &[], "", &spf);
    let found = library.verify_dmarc(Parameters::new(asked).with_cache(answers)).now_or_never()?;
    let record = found.record()?;
    let place = names.iter().find(|name| answers.is_policy_at(name, record))?;
    Some(DmarcCounts {
        domain: place.strip_prefix("_dmarc.").unwrap_or(place).to_owned(),
        request: match found.policy() {
            Policy::Reject => DmarcRequest::Reject,
            Policy::Quarantine => DmarcRequest::Quarantine,
            Policy::None | Policy::Unspecified => DmarcRequest::None,
        },
        on_trial: record.t,
        strict_dkim: record.adkim == Alignment::Strict,
        strict_spf: record.aspf == Alignment::Strict,
    })
}

#[cfg(test)]
mod tests {
    use world::DnsError;
    use world::simulated::SimulatedResolver;

    use super::*;

    async fn of(domain: &str, names: &SimulatedResolver) -> DmarcPolicy {
        dmarc_policy(&domain.parse().unwrap(), names).await
    }

    #[tokio::test]
    async fn the_record_that_counts_is_named_with_whose_it_is() {
        let names = SimulatedResolver::new();
        names.add_text("_dmarc.corp.example", "v=DMARC1; p=reject; sp=quarantine; adkim=s");
        names.set_addresses("news.corp.example", Ok(vec!["192.0.2.1".parse().unwrap()]));
        let own = of("corp.example", &names).await.counts.unwrap();
        assert_eq!((own.domain.as_str(), own.request), ("corp.example", DmarcRequest::Reject));
        assert!(own.strict_dkim && !own.strict_spf && !own.on_trial);
        let below = of("news.corp.example", &names).await;
        let counts = below.counts.unwrap();
        assert_eq!(
            (counts.domain.as_str(), counts.request),
            ("corp.example", DmarcRequest::Quarantine)
        );
        let walked: Vec<(&str, bool)> = below
            .walked
            .iter()
            .map(|(name, found)| (name.as_str(), matches!(found, Walked::Record(_))))
            .collect();
        assert_eq!(
            walked,
            [
                ("_dmarc.news.corp.example", false),
                ("_dmarc.corp.example", true),
                ("_dmarc.example", false),
            ]
        );
    }

    #[tokio::test]
    async fn of_two_equal_records_the_nearer_is_named_and_none_applies_where_none_is() {
        let names = SimulatedResolver::new();
        for name in ["_dmarc.a.corp.example", "_dmarc.corp.example"] {
            names.add_text(name, "v=DMARC1; p=none; t=y");
        }
        let counts = of("a.corp.example", &names).await.counts.unwrap();
        assert_eq!((counts.domain.as_str(), counts.on_trial), ("a.corp.example", true));
        names.set_texts("_dmarc.other.example", Err(DnsError::TimedOut));
        let other = of("other.example", &names).await;
        assert_eq!((&other.walked[0].1, other.counts), (&Walked::Unknown, None));
    }
}
