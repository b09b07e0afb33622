//! `dns mx`.

use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use types::Domain;
use world::{DnsError, MxAnswer, MxHost, Resolver};

use super::super::exit::{Exit, Failure};
use super::super::output::{Column, Output};
use super::failure;

const HOSTS: &[Column] =
    &[("Preference", "/preference"), ("Host", "/host"), ("Addresses", "/addresses")];

/// The mail servers of a domain with their addresses.
pub(super) fn show(
    output: Output,
    runtime: &Runtime,
    resolver: &dyn Resolver,
    domain: &Domain,
) -> Result<Exit, Failure> {
    let rows = runtime.block_on(rows(resolver, domain))?;
    output.list(HOSTS, &rows)?;
    Ok(Exit::Ok)
}

async fn rows(resolver: &dyn Resolver, domain: &Domain) -> Result<Vec<Json>, Failure> {
    let hosts = match resolver.mx(domain).await {
        Ok(MxAnswer::Hosts(hosts)) => hosts,
        Ok(MxAnswer::Null) => {
            let text = format!("{domain} accepts no mail: it has a null MX (RFC 7505)");
            return Err(Failure::new(Exit::NotFound, text));
        }
        // RFC 5321 section 5.1: the domain is its own mail server.
        Err(DnsError::NoRecords) => vec![MxHost { preference: 0, host: domain.clone() }],
        Err(DnsError::NoSuchName) => {
            return Err(Failure::new(Exit::NotFound, format!("there is no {domain}")));
        }
        Err(error) => return Err(failure(format!("looking up {domain}: {error}"))),
    };
    let mut rows = Vec::new();
    for MxHost { preference, host } in hosts {
        let addresses = match resolver.addresses(host.as_str()).await {
            Ok(found) => found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Err(error) => format!("none: {error}"),
        };
        rows.push(json!({ "preference": preference, "host": host, "addresses": addresses }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use world::simulated::SimulatedResolver;

    use super::*;

    #[tokio::test]
    async fn mail_servers_come_best_first_with_their_addresses() {
        let names = SimulatedResolver::new();
        let domain: Domain = "corp.example".parse().unwrap();
        let host = |preference, name: &str| MxHost { preference, host: name.parse().unwrap() };
        let hosts = vec![host(10, "mx1.corp.example"), host(20, "mx2.corp.example")];
        names.set_mx(&domain, Ok(MxAnswer::Hosts(hosts)));
        let ip = "192.0.2.1".parse().unwrap();
        names.set_addresses("mx1.corp.example", Ok(vec![ip]));
        let found = rows(&names, &domain).await.unwrap();
        assert_eq!(found[0]["addresses"], "192.0.2.1");
        assert_eq!(found[1]["preference"], 20);
        assert!(found[1]["addresses"].as_str().unwrap().starts_with("none: "));
        names.set_mx(&domain, Ok(MxAnswer::Null));
        assert_eq!(rows(&names, &domain).await.unwrap_err().exit, Exit::NotFound);
        names.set_mx(&domain, Err(DnsError::NoRecords));
        assert_eq!(rows(&names, &domain).await.unwrap()[0]["host"], "corp.example");
        names.set_mx(&domain, Err(DnsError::TimedOut));
        assert_eq!(rows(&names, &domain).await.unwrap_err().exit, Exit::Error);
    }
}
