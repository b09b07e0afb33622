//! What the service says of itself, with its keys.
//!
//! It is asked once for everybody who waits for it. If it is silent, all of
//! them are told so when that one question is over, and nobody asks again for
//! some seconds from then on: people who sign in meanwhile do not stand in a
//! line of questions of eight seconds each.

use std::sync::Arc;
use std::time::Duration;

use openidconnect::{DiscoveryError, IssuerUrl, ProviderMetadataWithLogout};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::outside::{Outside, OutsideError};
use super::shortened;

/// How long one that does not answer is not asked again.
pub(super) const LEFT_ALONE_FOR: Duration = Duration::from_secs(5);

/// What was found out about the service.
#[derive(Default)]
pub(super) struct Known(Mutex<Answers>);

#[derive(Default)]
struct Answers {
    metadata: Option<(Instant, Arc<ProviderMetadataWithLogout>)>,
    failed: Option<(Instant, String)>,
}

impl Known {
    /// What it says of itself, or said not longer ago than this; else why
    /// that is not known.
    pub(super) async fn metadata(
        &self,
        issuer: &IssuerUrl,
        outside: &Outside,
        known_for: Duration,
    ) -> Result<Arc<ProviderMetadataWithLogout>, String> {
        let mut answers = self.0.lock().await;
        // By now somebody before us may have had an answer, or none.
        if let Some((at, metadata)) = &answers.metadata
            && at.elapsed() < known_for
        {
            return Ok(Arc::clone(metadata));
        }
        if let Some((at, why)) = &answers.failed
            && at.elapsed() < LEFT_ALONE_FOR
        {
            return Err(why.clone());
        }
        match asked(issuer, outside).await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                let known = Some((Instant::now(), Arc::clone(&metadata)));
                *answers = Answers { metadata: known, failed: None };
                Ok(metadata)
            }
            Err(why) => {
                answers.failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }
}

/// Asks the service who it is.
pub(super) async fn asked(
    issuer: &IssuerUrl,
    outside: &Outside,
) -> Result<ProviderMetadataWithLogout, String> {
    let discovered = ProviderMetadataWithLogout::discover_async(issuer.clone(), outside);
    discovered.await.map_err(|error| why_unknown(&error))
}

fn why_unknown(error: &DiscoveryError<OutsideError>) -> String {
    match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Response(status, ..) => format!("it answers with {status}"),
        error => shortened(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that takes connections and says nothing; how many it took.
    async fn silent() -> (IssuerUrl, tokio::sync::watch::Receiver<u32>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (took, taken) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push(stream);
                took.send_modify(|count| *count += 1);
            }
        });
        (IssuerUrl::new(format!("http://127.0.0.1:{port}")).unwrap(), taken)
    }

    #[tokio::test]
    async fn a_silent_service_keeps_nobody_longer_than_one_question() {
        let (issuer, taken) = silent().await;
        let (known, outside) = (Arc::new(Known::default()), Arc::new(Outside::here()));
        let asks = |issuer: IssuerUrl| {
            let (known, outside) = (Arc::clone(&known), Arc::clone(&outside));
            tokio::spawn(async move {
                known.metadata(&issuer, &outside, Duration::from_secs(300)).await.unwrap_err()
            })
        };
        let mut all: Vec<_> = (0..20).map(|_| asks(issuer.clone())).collect();
        // Late enough that it would be left alone no more, were that reckoned
        // from the beginning of the question.
        tokio::time::sleep(LEFT_ALONE_FOR + Duration::from_millis(500)).await;
        all.extend((0..20).map(|_| asks(issuer.clone())));
        for one in all {
            assert_eq!(one.await.unwrap(), "127.0.0.1 did not answer within 8 s");
        }
        assert_eq!(*taken.borrow(), 1, "one question for all");
    }
}
