//! Whether the name system answers, for probes and for people.
//!
//! A probe must not wait for a name server, so one question is asked from
//! time to time and its answer remembered. The question is for an address that
//! is kept for documentation (RFC 5737): every resolver knows by itself that
//! it has no name (RFC 6303), so nobody else is troubled, and a clear no is
//! as good a sign of life as a yes. The addresses are asked in turn, because
//! a remembered answer is no sign of life.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use center::ReadyCheck;
use world::Resolver;

/// How long between two questions while the name system answers. All
/// addresses take six hours, longer than resolvers remember (RFC 6303
/// section 3: three hours).
const PAUSE: Duration = Duration::from_secs(30);
/// How long while it does not.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// The networks for documentation (RFC 5737).
const NETWORKS: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];

/// What is known of the name system.
pub(crate) struct NamesWatch {
    resolver: Arc<dyn Resolver>,
    /// Whether a next hop is found by its name.
    needed: AtomicBool,
    /// What the last question came to, in words if it failed; nothing before
    /// the first.
    last: Mutex<Option<Result<(), String>>>,
}

impl NamesWatch {
    pub(super) fn new(resolver: Arc<dyn Resolver>, needed: bool) -> Arc<NamesWatch> {
        let (needed, last) = (AtomicBool::new(needed), Mutex::new(None));
        Arc::new(NamesWatch { resolver, needed, last })
    }

    /// Says whether a next hop is found by its name, after a reload.
    pub(super) fn set_needed(&self, needed: bool) {
        self.needed.store(needed, Ordering::Relaxed);
    }

    /// The check as it stands. A silent name system is a failure only where
    /// mail cannot leave without it.
    pub(super) fn check(&self) -> ReadyCheck {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let needed = self.needed.load(Ordering::Relaxed);
        let (ok, text) = match last {
            None => (true, "was not asked yet".to_owned()),
            Some(Ok(())) => (true, "answers".to_owned()),
            Some(Err(problem)) if needed => (false, problem),
            Some(Err(problem)) => (false, format!("{problem}; no next hop needs it")),
        };
        ReadyCheck { name: "resolver".to_owned(), ok, needed, text }
    }

    /// Asks again and again, for ever.
    pub(super) async fn watch(self: Arc<Self>) {
        for address in addresses().cycle() {
            let pause = if self.ask(address).await { PAUSE } else { PAUSE_AFTER_FAILURE };
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks once; whether there was an answer.
    async fn ask(&self, address: IpAddr) -> bool {
        let last = match self.resolver.reverse(address).await {
            Err(error) if error.is_temporary() => Err(error.to_string()),
            Ok(_) | Err(_) => Ok(()),
        };
        let answered = last.is_ok();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        answered
    }
}

/// All addresses for documentation.
fn addresses() -> impl Iterator<Item = IpAddr> + Clone {
    let network = |[a, b, c]: [u8; 3]| (0..=255).map(move |d| Ipv4Addr::new(a, b, c, d).into());
    NETWORKS.into_iter().flat_map(network)
}

#[cfg(test)]
mod tests {
    use types::Domain;
    use world::BoxFuture;
    use world::dns::{DnsError, Family, MxAnswer};

    use super::*;

    /// Answers every question with this.
    struct Always(DnsError);

    impl Resolver for Always {
        fn mx<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Result<MxAnswer, DnsError>> {
            Box::pin(async { Err(self.0) })
        }

        fn exchangers<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>> {
            Box::pin(async { Err(self.0) })
        }

        fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
            Box::pin(async { Err(self.0) })
        }

        fn addresses_in<'a>(
            &'a self,
            _: Family,
            _: &'a str,
        ) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>> {
            Box::pin(async { Err(self.0) })
        }

        fn texts<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, DnsError>> {
            Box::pin(async { Err(self.0) })
        }

        fn reverse(&self, _: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, DnsError>> {
            Box::pin(async { Err(self.0) })
        }
    }

    #[tokio::test]
    async fn silence_keeps_mail_out_only_where_names_are_needed() {
        let address = addresses().next().unwrap();
        let silent = NamesWatch::new(Arc::new(Always(DnsError::TimedOut)), true);
        assert!(silent.check().ok, "nobody knows before the first question");
        assert!(!silent.ask(address).await && silent.check().keeps_mail_out());
        silent.set_needed(false);
        let told = silent.check();
        assert!(!told.ok && !told.keeps_mail_out(), "said, and mail goes on: {told:?}");
        assert!(told.text.contains("no name server answered"));
        let alive = NamesWatch::new(Arc::new(Always(DnsError::NoSuchName)), true);
        assert!(alive.ask(address).await && alive.check().ok, "a clear no is an answer");
        assert_eq!(addresses().count(), 768);
    }
}
