//! Takes the connections of the console: plain on loopback or behind a
//! proxy, encrypted everywhere else. Each has a bounded time for its
//! handshake, for each header and for reading what we say, and there is a
//! bounded number of them, of one address and in all, so that a stranger who
//! says or reads nothing keeps nobody else out.

mod patience;
mod places;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::auth::origin::Connection;
use patience::{Patient, READ_WITHIN};
use places::Places;

/// Gives the certificate in force, anew for each connection, so that a
/// reload needs no restart.
pub type Certificate = Arc<dyn Fn() -> Arc<tokio_rustls::rustls::ServerConfig> + Send + Sync>;

/// Connections at once; more wait in the system's queue.
const OPEN_MAX: usize = 512;
/// Longest TLS handshake, and longest wait for a whole header.
const SPEAK_WITHIN: Duration = Duration::from_secs(15);
/// After a failure to accept, which is a lack of something that comes back.
const PAUSE: Duration = Duration::from_millis(100);
/// How long open answers may go on after the end was asked for.
const END_WITHIN: Duration = Duration::from_secs(2);

/// Serves until `stop` resolves, then lets answers under way finish. The
/// proxies in `trusted` may have any part of the connections.
pub(crate) async fn serve(
    listener: TcpListener,
    certificate: Option<Certificate>,
    trusted: Arc<[IpNet]>,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let open = Arc::new(Semaphore::new(OPEN_MAX));
    let places = Arc::new(Places::default());
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&open).acquire_owned() => permit,
            () = &mut stop => break,
        };
        let Ok(permit) = permit else { break };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let connection = Connection { peer: peer.ip(), tls: certificate.is_some() };
        // Behind a proxy are many.
        let peer = connection.peer.to_canonical();
        let proxy = trusted.iter().any(|network| network.contains(&peer));
        let place = if proxy { None } else { places.take(peer) };
        if place.is_none() && !proxy {
            continue;
        }
        let stream = Patient::new(stream, READ_WITHIN);
        let acceptor = certificate.as_ref().map(|certificate| TlsAcceptor::from(certificate()));
        let (router, watcher) = (router.clone(), graceful.watcher());
        tokio::spawn(async move {
            let speaking = Speaking { connection, router, watcher };
            match acceptor {
                None => speaking.to(stream).await,
                Some(acceptor) => encrypted(acceptor, stream, speaking).await,
            }
            drop((permit, place));
        });
    }
    drop(listener);
    // A stream of events never ends by itself.
    let _ = tokio::time::timeout(END_WITHIN, graceful.shutdown()).await;
    Ok(())
}

async fn encrypted(acceptor: TlsAcceptor, stream: Patient<TcpStream>, speaking: Speaking) {
    // Who does not finish the handshake in time has wanted nothing of us.
    let handshake = tokio::time::timeout(SPEAK_WITHIN, acceptor.accept(stream));
    if let Ok(Ok(stream)) = handshake.await {
        speaking.to(stream).await;
    }
}

/// One connection, once it is known whether it is encrypted.
struct Speaking {
    connection: Connection,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
}

impl Speaking {
    async fn to(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Speaking { connection, router, watcher } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(connection);
            router.clone().oneshot(request)
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(SPEAK_WITHIN)
            .serve_connection(TokioIo::new(stream), service);
        // A client that breaks off has its reasons.
        let _ = watcher.watch(served).await;
    }
}
