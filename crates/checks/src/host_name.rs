//! The client's name: the one its address claims, if it leads back there.

use std::net::IpAddr;
use std::sync::Arc;

use types::Inconclusive;
use world::{DnsError, Resolver};

/// The confirmed name of `ip`; nothing if it has none.
pub(crate) async fn look(
    ip: IpAddr,
    resolver: &dyn Resolver,
) -> Result<Option<Arc<str>>, Inconclusive> {
    resolver.host_name(ip).await.map_err(|error| match error {
        DnsError::TimedOut => Inconclusive::TimedOut,
        DnsError::Malformed => Inconclusive::Malformed,
        DnsError::ServerFailure | DnsError::NoSuchName | DnsError::NoRecords => {
            Inconclusive::Unreachable
        }
    })
}
