//! Sockets that take connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use types::{CheckName, Client, ClientFacts, Direction, Finding, Observed, Stage};
use world::Stream;

use crate::connection::{Arrival, Wish, serve};
use crate::desk::finding;
use crate::engine::Engine;
use crate::proxy;

/// One listener of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether `[::]` leaves IPv4 to another listener.
    pub ipv6_only: bool,
    /// Peers that must send a PROXY header; others must not.
    pub proxy_protocol_from: Vec<IpNet>,
    /// What it is for.
    pub role: DoorRole,
}

/// What a listener is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DoorRole {
    /// Mail from the world.
    #[default]
    Inbound,
    /// Mail of our own servers to the world.
    Outbound {
        /// The networks that may send.
        allow_from: Arc<[IpNet]>,
        /// Whether others may that prove who they are.
        auth: bool,
    },
}

impl DoorRole {
    fn direction(&self) -> Direction {
        match self {
            DoorRole::Inbound => Direction::Inbound,
            DoorRole::Outbound { .. } => Direction::Outbound,
        }
    }

    /// What there is to say of a client before the dialogue; of one that
    /// stands behind a balancer which does not name it, without an address.
    fn findings(&self, ip: Option<IpAddr>) -> Vec<Finding> {
        match self {
            DoorRole::Inbound => Vec::new(),
            DoorRole::Outbound { allow_from, auth } => {
                let is_listed = |ip: IpAddr| allow_from.iter().any(|net| net.contains(&ip));
                let listed = ip.is_some_and(is_listed);
                let observed = Observed::Outbound { listed, offers_auth: *auth };
                vec![finding(CheckName::Outbound, Stage::Connect, observed)]
            }
        }
    }
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// How long accepting pauses when the process is out of files or memory.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// A socket that takes connections.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    door: Door,
}

impl Listener {
    /// Binds the socket. `[::]` takes IPv4 as well unless told otherwise; any
    /// other IPv6 address takes IPv6 alone.
    ///
    /// # Errors
    /// As the operating system gives them. Must be called inside a runtime.
    pub fn bind(settings: &ListenerSettings) -> io::Result<Listener> {
        let socket =
            Socket::new(Domain::for_address(settings.listen), Type::STREAM, Some(Protocol::TCP))?;
        if settings.listen.is_ipv6() {
            socket.set_only_v6(settings.ipv6_only || !settings.listen.ip().is_unspecified())?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&settings.listen.into())?;
        socket.listen(BACKLOG)?;
        Listener::from_std(socket.into(), &settings.proxy_protocol_from, settings.role.clone())
    }

    /// Takes a socket that was bound by somebody else, such as systemd.
    ///
    /// # Errors
    /// The socket cannot be used here. Must be called inside a runtime.
    pub fn from_std(
        socket: std::net::TcpListener,
        proxy_protocol_from: &[IpNet],
        role: DoorRole,
    ) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        // Replies are small and each is waited for. Accepted sockets inherit
        // it from the one that listens, which saves a system call for each;
        // where a platform does not let them, replies only come later.
        let _undelayed = SockRef::from(&socket).set_tcp_nodelay(true);
        let socket = TcpListener::from_std(socket)?;
        let name = socket.local_addr()?.to_string().into();
        let door = Door { name, proxies: proxy_protocol_from.into(), role };
        Ok(Listener { socket, door })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the operating system gives them.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes connections until the process wants to drain or stop.
    pub async fn run(self, engine: Arc<Engine>, mut wishes: watch::Receiver<Wish>) {
        loop {
            let accepted = tokio::select! {
                biased;
                changed = wishes.changed() => match changed {
                    Ok(()) if *wishes.borrow() == Wish::Serve => continue,
                    _ => return,
                },
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.take(&engine, stream, peer, wishes.clone()),
                // Out of files or memory: the next try fails as well until
                // somebody has left, and a tight loop would help nobody.
                Err(_) => engine.parts.clock.sleep(PAUSE).await,
            }
        }
    }

    fn take(
        &self,
        engine: &Arc<Engine>,
        stream: TcpStream,
        peer: SocketAddr,
        wishes: watch::Receiver<Wish>,
    ) {
        tokio::spawn(welcome(Arc::clone(engine), stream, peer, self.door.clone(), wishes));
    }
}

/// A way in: a listener as its connections see it.
#[derive(Clone, Debug)]
pub struct Door {
    /// How events name it, as `address:port`.
    pub name: Arc<str>,
    /// Peers that must send a PROXY header; others must not.
    pub proxies: Arc<[IpNet]>,
    /// What it is for.
    pub role: DoorRole,
}

/// Serves one connection that came through `door`, from its PROXY header, if
/// one is due, to its end, and counts it for as long as it lasts.
pub async fn welcome<S: Stream>(
    engine: Arc<Engine>,
    stream: S,
    peer: SocketAddr,
    door: Door,
    wishes: watch::Receiver<Wish>,
) {
    let (ip, port) = proxy::canonical(peer);
    let proxied = door.proxies.iter().any(|net| net.contains(&ip));
    let Door { name, role, .. } = door;
    let client = Client { ip, port, listener: name, direction: role.direction() };
    if proxied {
        behind_proxy(engine, stream, client, &role, wishes).await;
    } else {
        let found = role.findings(Some(ip));
        counted(engine, stream, client, (found, Vec::new()), wishes).await;
    }
}

/// Serves a connection whose client stands behind a balancer.
async fn behind_proxy<S: Stream>(
    engine: Arc<Engine>,
    mut stream: S,
    client: Client,
    role: &DoorRole,
    wishes: watch::Receiver<Wish>,
) {
    let limit = engine.parts.clock.sleep(engine.live().settings.timeouts.handshake);
    let header = tokio::select! {
        biased;
        header = proxy::read_header(&mut stream) => header,
        () = limit => Err(io::ErrorKind::TimedOut.into()),
    };
    match header {
        Ok(header) => {
            let named = header.client.map(proxy::canonical);
            // The balancer may be in a network that may send; who is behind it need not be.
            let found = role.findings(named.map(|(ip, _)| ip));
            let (ip, port) = named.unwrap_or((client.ip, client.port));
            let client = Client { ip, port, ..client };
            counted(engine, stream, client, (found, header.rest), wishes).await;
        }
        Err(_) => {
            let invalid = finding(CheckName::Proxy, Stage::Connect, Observed::ProxyInvalid);
            let mut findings = role.findings(None);
            findings.push(invalid);
            let client = facts(client);
            let arrival = Arrival { stream, client, findings, read: Vec::new() };
            serve(engine, arrival, wishes).await;
        }
    }
}

/// Serves a connection and counts it for as long as it lasts. Public for
/// those whose connections do not come by a [`Listener`]: a simulated network
/// has no sockets. `before` is what was found and what was read of the dialogue
/// already.
pub async fn counted<S: Stream>(
    engine: Arc<Engine>,
    stream: S,
    client: Client,
    before: (Vec<Finding>, Vec<u8>),
    wishes: watch::Receiver<Wish>,
) {
    let (found, read) = before;
    let limits = engine.live().settings.connections;
    let (_held, mut findings): (_, Vec<Finding>) =
        engine.counts.enter(client.ip, engine.now(), limits);
    findings.extend(found);
    let arrival = Arrival { stream, client: facts(client), findings, read };
    serve(engine, arrival, wishes).await;
}

fn facts(client: Client) -> ClientFacts {
    ClientFacts { client, host_name: None, helo: None, esmtp: false, tls: None }
}
