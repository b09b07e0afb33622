//! A network in memory.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::BoxFuture;
use crate::clock::Clock;
use crate::dial::{Connection, Dial, DialOptions};

/// Octets that one end may be ahead of the other, as in a socket buffer.
const BUFFER_OCTETS: usize = 64 * 1024;
/// Connections that may wait to be accepted, as in a listen queue.
const BACKLOG: usize = 1_024;
/// Clients get the upper half of the port numbers, in turn.
const EPHEMERAL_PORTS: u16 = 32_768;

/// Hosts that are entries of a table: a dialled address is served by whoever
/// listens there, refuses where nobody does, and keeps silent where it was
/// told to. Clones share one network.
#[derive(Clone)]
pub struct SimulatedNetwork {
    clock: Arc<dyn Clock>,
    hosts: Arc<Mutex<Hosts>>,
    next_port: Arc<AtomicU16>,
}

#[derive(Default)]
struct Hosts {
    listeners: HashMap<SocketAddr, mpsc::Sender<(DuplexStream, SocketAddr)>>,
    silent: HashSet<SocketAddr>,
}

impl SimulatedNetwork {
    /// A network without hosts, whose time-outs follow `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        SimulatedNetwork { clock, hosts: Arc::default(), next_port: Arc::default() }
    }

    /// Listens at `at`, in place of whoever did.
    pub fn listen(&self, at: SocketAddr) -> SimulatedListener {
        let (offer, offered) = mpsc::channel(BACKLOG);
        let mut hosts = self.lock();
        hosts.silent.remove(&at);
        hosts.listeners.insert(at, offer);
        SimulatedListener { at, offered }
    }

    /// From now on `at` answers nothing: who dials it waits until it gives
    /// up. Ended by listening there.
    pub fn silence(&self, at: SocketAddr) {
        self.lock().silent.insert(at);
    }

    fn lock(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address a client dials from.
    fn local(&self, to: SocketAddr, source: Option<IpAddr>) -> SocketAddr {
        let loopback = match to {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        let turn = self.next_port.fetch_add(1, Ordering::Relaxed) % EPHEMERAL_PORTS;
        SocketAddr::new(source.unwrap_or(loopback), EPHEMERAL_PORTS + turn)
    }
}

impl Dial for SimulatedNetwork {
    fn dial(&self, to: SocketAddr, options: DialOptions) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(async move {
            let (silent, offer) = {
                let hosts = self.lock();
                (hosts.silent.contains(&to), hosts.listeners.get(&to).cloned())
            };
            if silent {
                self.clock.sleep(options.timeout).await;
                return Err(io::ErrorKind::TimedOut.into());
            }
            let offer = offer.ok_or(io::ErrorKind::ConnectionRefused)?;
            let local = self.local(to, options.source);
            let (ours, theirs) = tokio::io::duplex(BUFFER_OCTETS);
            // A full queue refuses at once rather than waiting for a clock
            // that only moves when everyone waits.
            let refused = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
            offer.try_send((theirs, local)).map_err(refused)?;
            Ok(Connection { stream: Box::new(ours), peer: to, local })
        })
    }
}

/// Takes the connections to one address of a [`SimulatedNetwork`]. Once it is
/// dropped, the address refuses.
pub struct SimulatedListener {
    at: SocketAddr,
    offered: mpsc::Receiver<(DuplexStream, SocketAddr)>,
}

impl SimulatedListener {
    /// Waits for the next connection: the other end, and where it was dialled
    /// from. Nothing once another listener has taken the address over.
    pub async fn accept(&mut self) -> Option<(DuplexStream, SocketAddr)> {
        self.offered.recv().await
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::SimulatedClock;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use types::Timestamp;

    fn network() -> (SimulatedNetwork, SimulatedClock, SocketAddr) {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let network = SimulatedNetwork::new(Arc::new(clock.clone()));
        (network, clock, "192.0.2.25:25".parse().unwrap())
    }

    #[tokio::test]
    async fn who_listens_is_reached_and_sees_the_source() {
        let (network, _, to) = network();
        let mut listener = network.listen(to);
        let source = Some("203.0.113.9".parse().unwrap());
        let options = DialOptions { source, ..DialOptions::default() };
        let mut ours = network.dial(to, options).await.unwrap();
        let (mut theirs, from) = listener.accept().await.unwrap();
        assert_eq!(Some(from.ip()), source);
        theirs.write_all(b"220").await.unwrap();
        let mut greeting = [0; 3];
        ours.stream.read_exact(&mut greeting).await.unwrap();
        drop(listener);
        let refused = network.dial(to, options).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn silence_lasts_until_the_dialler_gives_up() {
        let (network, clock, to) = network();
        network.silence(to);
        let timeout = Duration::from_secs(300);
        let dialler = network.clone();
        let dialled = tokio::spawn(async move {
            dialler.dial(to, DialOptions { source: None, timeout }).await.map(|_| ())
        });
        while clock.advance_to_next().is_none() {
            tokio::task::yield_now().await;
        }
        let error = dialled.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), clock.elapsed()), (io::ErrorKind::TimedOut, timeout));
    }
}
