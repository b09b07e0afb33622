//! Everything that is listened on: SMTP, policy services, the admin socket,
//! pages, metrics.

use std::net::SocketAddr;

use listenfd::ListenFd;
use receive::policy_service::PolicyService;
use receive::{DoorRole, Listener};
use tokio::net::{TcpListener, UnixListener};

use super::convert;
use crate::settings::Settings;
use crate::telemetry::{Log, Message};

/// The SMTP listeners, bound and not yet taking connections.
pub(super) struct SmtpDoors(Vec<(Listener, SocketAddr)>);

impl SmtpDoors {
    /// Binds the listeners of the settings. Where systemd handed a socket of
    /// the same address over, that one is used; others it handed over are
    /// taken beside.
    ///
    /// # Errors
    /// An address is taken or may not be used.
    pub(super) fn bind(settings: &Settings) -> Result<SmtpDoors, String> {
        let mut given = given_by_systemd();
        let mut doors = Vec::new();
        for wanted in convert::listeners(settings) {
            let failed = |error| {
                format!("cannot listen for SMTP on {}: {error}{}", wanted.listen, hint(&error))
            };
            let place = given.iter().position(|(_, address)| *address == wanted.listen);
            let listener = match place.map(|place| given.remove(place)) {
                Some((socket, _)) => {
                    Listener::from_std(socket, &wanted.proxy_protocol_from, wanted.role.clone())
                }
                None => Listener::bind(&wanted),
            };
            let listener = listener.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            doors.push((listener, address));
        }
        for (socket, address) in given {
            let listener = Listener::from_std(socket, &[], DoorRole::Inbound)
                .map_err(|error| format!("cannot use the socket of systemd: {error}"))?;
            doors.push((listener, address));
        }
        Ok(SmtpDoors(doors))
    }

    /// Where they listen.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|(_, address)| *address).collect()
    }

    /// The listeners, each said to the log.
    pub(super) fn open(self, log: &Log) -> Vec<Listener> {
        let open = |(listener, address): (Listener, SocketAddr)| {
            log.say(&Message::Listening { service: "smtp", address: address.to_string() });
            listener
        };
        self.0.into_iter().map(open).collect()
    }
}

/// The policy services, bound and said to the log.
///
/// # Errors
/// An address is taken or may not be used.
pub(super) async fn policy_services(
    settings: &Settings,
    log: &Log,
) -> Result<Vec<PolicyService>, String> {
    let mut services = Vec::new();
    for wanted in convert::policy_services(settings) {
        let failed = |error| {
            format!(
                "cannot listen for policy requests on {}: {error}{}",
                wanted.listen,
                hint(&error)
            )
        };
        let service = PolicyService::bind(&wanted).await.map_err(failed)?;
        let address = service.local_addr().map_err(failed)?.to_string();
        log.say(&Message::Listening { service: "policy requests", address });
        services.push(service);
    }
    Ok(services)
}

/// What an operator usually has to do about a socket that cannot be bound.
fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need CAP_NET_BIND_SERVICE, which the systemd unit gives"
        }
        std::io::ErrorKind::AddrInUse => "; another program, or another instance, listens there",
        _ => "",
    }
}

/// TCP sockets that systemd opened for us (socket activation).
fn given_by_systemd() -> Vec<(std::net::TcpListener, SocketAddr)> {
    let mut given = ListenFd::from_env();
    let sockets = (0..given.len()).filter_map(|place| given.take_tcp_listener(place).ok()?);
    let sockets: Vec<_> = sockets.collect();
    let addressed = |socket: std::net::TcpListener| {
        let address = socket.local_addr().ok()?;
        Some((socket, address))
    };
    sockets.into_iter().filter_map(addressed).collect()
}

/// The sockets of the API.
pub(super) struct HttpDoors {
    /// Pages, unless they are off.
    pub(super) console: Option<TcpListener>,
    /// Numbers and health, unless they are off.
    pub(super) metrics: Option<TcpListener>,
    /// The command line's way in.
    pub(super) admin: UnixListener,
}

impl HttpDoors {
    /// Binds them.
    ///
    /// # Errors
    /// An address is taken, goes beyond loopback without being guarded, or
    /// the socket cannot be made in the data folder.
    pub(super) async fn bind(settings: &Settings, log: &Log) -> Result<HttpDoors, String> {
        let socket = settings.server.data_dir.join(crate::cli::SOCKET);
        let admin = api::bind_admin(&socket).map_err(|error| error.to_string())?;
        let address = socket.display().to_string();
        log.say(&Message::Listening { service: "control", address });
        let guarded =
            super::accounts::files(settings).is_some() || !settings.http.trusted_proxy.is_empty();
        let console = tcp("http", settings.http.listen.address(), guarded, log).await?;
        let metrics = tcp("metrics", settings.metrics.listen.address(), false, log).await?;
        Ok(HttpDoors { console, metrics, admin })
    }
}

async fn tcp(
    service: &'static str,
    address: Option<SocketAddr>,
    guarded: bool,
    log: &Log,
) -> Result<Option<TcpListener>, String> {
    let Some(address) = address else { return Ok(None) };
    let listener = api::bind_console(address, guarded).await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    log.say(&Message::Listening { service, address: address.to_string() });
    Ok(Some(listener))
}
