//! Where the domain of a sender takes its mail.

use types::{Domain, Inconclusive, Observed, SenderDomainFacts, TakesMail};
use world::{DnsError, MxAnswer, Resolver};

/// Asks for the exchangers of a domain and, if it has none, for its address.
pub(crate) async fn look(domain: &Domain, resolver: &dyn Resolver) -> Observed {
    let found = match resolver.mx(domain).await {
        Ok(MxAnswer::Hosts(_)) => Ok(TakesMail::Exchangers),
        Ok(MxAnswer::Null) => Ok(TakesMail::NullMx),
        Err(DnsError::NoSuchName) => Ok(TakesMail::NoSuchDomain),
        Err(DnsError::NoRecords) => match resolver.addresses(domain.as_str()).await {
            Ok(_) => Ok(TakesMail::OwnAddress),
            Err(DnsError::NoSuchName | DnsError::NoRecords) => Ok(TakesMail::Nowhere),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match found {
        Ok(takes_mail) => {
            let domain = domain.as_str().to_owned();
            Observed::SenderDomain(SenderDomainFacts { domain, takes_mail })
        }
        Err(error) => Observed::Inconclusive(inconclusive(error)),
    }
}

/// Why a question to the name system has no answer.
pub(crate) fn inconclusive(error: DnsError) -> Inconclusive {
    match error {
        DnsError::TimedOut => Inconclusive::TimedOut,
        DnsError::Malformed => Inconclusive::Malformed,
        DnsError::ServerFailure | DnsError::NoSuchName | DnsError::NoRecords => {
            Inconclusive::Unreachable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::simulated::SimulatedResolver;

    #[tokio::test]
    async fn each_kind_of_domain_is_told_from_the_others() {
        let names = SimulatedResolver::new();
        let domain = |name: &str| name.parse::<Domain>().unwrap();
        names.set_mx_host(&domain("hosts.example"), &domain("mx.hosts.example"));
        names.set_mx(&domain("null.example"), Ok(MxAnswer::Null));
        names.set_addresses("alone.example", Ok(vec!["192.0.2.1".parse().unwrap()]));
        names.add_text("texts.example", "only a text");
        names.set_mx(&domain("down.example"), Err(DnsError::ServerFailure));
        names.set_mx(&domain("half.example"), Err(DnsError::NoRecords));
        names.set_addresses("half.example", Err(DnsError::TimedOut));
        for (name, expected) in [
            ("hosts.example", Ok(TakesMail::Exchangers)),
            ("null.example", Ok(TakesMail::NullMx)),
            ("alone.example", Ok(TakesMail::OwnAddress)),
            ("texts.example", Ok(TakesMail::Nowhere)),
            ("nobody.example", Ok(TakesMail::NoSuchDomain)),
            ("down.example", Err(Inconclusive::Unreachable)),
            ("half.example", Err(Inconclusive::TimedOut)),
        ] {
            let found = match look(&domain(name), &names).await {
                Observed::SenderDomain(facts) => Ok(facts.takes_mail),
                Observed::Inconclusive(why) => Err(why),
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{name}");
        }
    }
}
