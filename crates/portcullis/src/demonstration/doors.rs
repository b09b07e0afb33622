//! The ways into the simulated gateway: what a listener of the settings does
//! with a socket, done with a simulated network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use demo::Doors;
use futures_util::future::poll_immediate;
use receive::policy_service::{AdviceMode, Counter, attend};
use receive::{Door, DoorRole, Engine, ListenerSettings, Wish, welcome};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use types::{Client, Direction};
use world::simulated::{SimulatedListener, SimulatedNetwork};

use crate::serve::Addresses;
use crate::serve::inspect::tls_files;
use crate::settings::Settings;

/// Where the simulated listeners are (RFC 5737).
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 25));

/// The doors of the gateway in the simulated world.
///
/// # Errors
/// The certificate cannot be read. A sentence for whoever typed the command.
pub(super) fn simulated(settings: &Settings) -> Result<Doors, String> {
    let at = |port| SocketAddr::new(HOST, port);
    Doors::new(at(25), at(587), at(10_023), &certificate(settings)?)
}

/// The doors of the gateway that runs; its listeners stand in the order of the
/// settings.
///
/// # Errors
/// The certificate cannot be read. A sentence for whoever typed the command.
pub(super) fn real(settings: &Settings, addresses: &Addresses) -> Result<Doors, String> {
    let (&[inbound, submission], &[policy_service]) =
        (addresses.smtp.as_slice(), addresses.policy_services.as_slice())
    else {
        return Err("the listeners are not those of the demo".to_owned());
    };
    Doors::new(inbound, submission, policy_service, &certificate(settings)?)
}

fn certificate(settings: &Settings) -> Result<PathBuf, String> {
    let files = tls_files(settings).ok_or("the demo has no certificate")?;
    Ok(files.certificate)
}

/// Serves whoever comes, as the listeners of the settings would: the first
/// takes mail from the world, the second that of our own.
pub(super) fn open(
    doors: &Doors,
    listeners: Vec<ListenerSettings>,
    network: &SimulatedNetwork,
    engine: &Arc<Engine>,
    wished: &watch::Receiver<Wish>,
) -> Vec<JoinHandle<()>> {
    let at = [doors.inbound, doors.submission];
    let mut tasks: Vec<JoinHandle<()>> = at
        .into_iter()
        .zip(listeners)
        .map(|(at, ListenerSettings { proxy_protocol_from, role, .. })| {
            let name = at.to_string().into();
            let door = Door { name, proxies: proxy_protocol_from.into(), role };
            let (engine, wished) = (Arc::clone(engine), wished.clone());
            tokio::spawn(take_mail(network.listen(at), engine, door, wished))
        })
        .collect();
    let asked = network.listen(doors.policy_service);
    tasks.push(tokio::spawn(advise(asked, Arc::clone(engine), wished.clone())));
    tasks
}

async fn take_mail(
    mut listener: SimulatedListener,
    engine: Arc<Engine>,
    door: Door,
    wished: watch::Receiver<Wish>,
) {
    while let Some((stream, peer)) = listener.accept().await {
        let (engine, wished, door) = (Arc::clone(&engine), wished.clone(), door.clone());
        let proxied = door.proxies.iter().any(|net| net.contains(&peer.ip()));
        if proxied || door.role != DoorRole::Inbound {
            tokio::spawn(welcome(engine, stream, peer, door, wished));
            continue;
        }
        let (ip, port) = (peer.ip(), peer.port());
        let client = Client { ip, port, listener: door.name, direction: Direction::Inbound };
        tokio::spawn(greet(engine, stream, client, wished));
    }
}

/// Serves one client of its own connection, and sees who speaks first.
async fn greet(
    engine: Arc<Engine>,
    mut stream: DuplexStream,
    client: Client,
    wished: watch::Receiver<Wish>,
) {
    // Who speaks first has spoken by now: there is no wire between.
    tokio::task::yield_now().await;
    let mut read = Vec::new();
    let _ = poll_immediate(stream.read_buf(&mut read)).await;
    receive::counted(engine, stream, client, (Vec::new(), read), wished).await;
}

async fn advise(
    mut listener: SimulatedListener,
    engine: Arc<Engine>,
    wished: watch::Receiver<Wish>,
) {
    let name: Arc<str> = listener.local_addr().to_string().into();
    while let Some((stream, _)) = listener.accept().await {
        let counter = Counter { name: Arc::clone(&name), mode: AdviceMode::Enforce };
        let asked = attend(Arc::clone(&engine), stream, counter, wished.clone());
        tokio::spawn(async move { drop(asked.await) });
    }
}
