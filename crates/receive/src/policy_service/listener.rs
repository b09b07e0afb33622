//! Sockets at which mail servers ask.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{AdviceMode, AskingError, Counter, attend};
use crate::connection::Wish;
use crate::engine::Engine;
use crate::listener::PAUSE;
use crate::proxy;

/// One policy service of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyServiceSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who may ask; others are closed at once.
    pub allow_from: Vec<IpNet>,
    /// Whether advice is meant.
    pub mode: AdviceMode,
    /// Connections held at once; further ones wait in the kernel.
    pub connections_max: u32,
}

/// What is said of a connection that ended badly: who it was, and why.
pub type Complaint = Arc<dyn Fn(SocketAddr, &AskingError) + Send + Sync>;

/// A socket at which mail servers ask.
pub struct PolicyService {
    socket: TcpListener,
    counter: Counter,
    allow_from: Arc<[IpNet]>,
    places: Arc<Semaphore>,
}

impl PolicyService {
    /// Binds the socket.
    ///
    /// # Errors
    /// As the operating system gives them.
    pub async fn bind(settings: &PolicyServiceSettings) -> io::Result<PolicyService> {
        let socket = TcpListener::bind(settings.listen).await?;
        // Answers are small and each is waited for; without it they only come later.
        let _undelayed = SockRef::from(&socket).set_tcp_nodelay(true);
        let counter =
            Counter { name: socket.local_addr()?.to_string().into(), mode: settings.mode };
        let places = usize::try_from(settings.connections_max).unwrap_or(usize::MAX);
        Ok(PolicyService {
            socket,
            counter,
            allow_from: settings.allow_from.as_slice().into(),
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the operating system gives them.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes connections until the process wants to drain or stop; `complain`
    /// hears of those that ended badly.
    pub async fn run(
        self,
        engine: Arc<Engine>,
        mut wishes: watch::Receiver<Wish>,
        complain: Complaint,
    ) {
        loop {
            let next = tokio::select! {
                biased;
                changed = wishes.changed() => match changed {
                    Ok(()) if *wishes.borrow() == Wish::Serve => continue,
                    _ => return,
                },
                next = self.next() => next,
            };
            match next {
                Ok((place, stream, peer)) => {
                    let (engine, counter) = (Arc::clone(&engine), self.counter.clone());
                    let (wishes, complain) = (wishes.clone(), Arc::clone(&complain));
                    tokio::spawn(async move {
                        let _place = place;
                        if let Err(error) = attend(engine, stream, counter, wishes).await {
                            complain(peer, &error);
                        }
                    });
                }
                // Out of files or memory: the next try fails as well until
                // somebody has left.
                Err(_) => engine.parts.clock.sleep(PAUSE).await,
            }
        }
    }

    /// The next connection of somebody who may ask, once there is a place.
    async fn next(&self) -> io::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
        let closed = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(closed)?;
        loop {
            let (stream, peer) = self.socket.accept().await?;
            let (ip, _) = proxy::canonical(peer);
            if self.allow_from.iter().any(|net| net.contains(&ip)) {
                return Ok((place, stream, peer));
            }
        }
    }
}
