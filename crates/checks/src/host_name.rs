//! The client's name: the one its address claims, if it leads back there.

use std::net::IpAddr;

use types::{Inconclusive, ReverseFacts};
use world::Resolver;
use world::dns::REVERSE_NAMES_MAX;

use crate::sender_domain::inconclusive;

/// The names that `ip` claims, and the first of them that is confirmed.
pub(crate) async fn look(
    ip: IpAddr,
    resolver: &dyn Resolver,
) -> Result<ReverseFacts, Inconclusive> {
    let names = match resolver.reverse(ip).await {
        Ok(names) => names,
        Err(error) if error.is_temporary() => return Err(inconclusive(error)),
        Err(_) => return Ok(ReverseFacts::default()),
    };
    let mut facts = ReverseFacts::default();
    let mut unanswered = None;
    for name in names.into_iter().take(REVERSE_NAMES_MAX) {
        facts.claimed.push(name.as_str().to_owned());
        match resolver.addresses(name.as_str()).await {
            Ok(found) if found.contains(&ip) => {
                facts.confirmed = Some(name.as_str().to_owned());
                return Ok(facts);
            }
            Ok(_) => {}
            Err(error) if error.is_temporary() => unanswered = Some(inconclusive(error)),
            Err(_) => {}
        }
    }
    // One that was not answered may be the one that leads back.
    unanswered.map_or(Ok(facts), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::DnsError;
    use world::simulated::SimulatedResolver;

    #[tokio::test]
    async fn a_name_counts_if_it_leads_back_and_is_told_if_it_does_not() {
        let names = SimulatedResolver::new();
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(look(ip, &names).await, Ok(ReverseFacts::default()));
        let claimed = ["liar.example", "out.sender.example"];
        names.set_reverse(ip, Ok(claimed.iter().map(|name| name.parse().unwrap()).collect()));
        names.set_addresses("liar.example", Ok(vec!["192.0.2.9".parse().unwrap()]));
        let facts = look(ip, &names).await.unwrap();
        assert_eq!(
            (facts.claimed.as_slice(), facts.confirmed),
            (&claimed.map(str::to_owned)[..], None)
        );
        names.set_addresses("out.sender.example", Err(DnsError::TimedOut));
        assert_eq!(look(ip, &names).await, Err(Inconclusive::TimedOut));
        names.set_addresses("out.sender.example", Ok(vec![ip]));
        let confirmed = look(ip, &names).await.unwrap().confirmed;
        assert_eq!(confirmed.as_deref(), Some("out.sender.example"));
        names.set_reverse(ip, Err(DnsError::ServerFailure));
        assert_eq!(look(ip, &names).await, Err(Inconclusive::Unreachable));
    }
}
