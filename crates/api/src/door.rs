//! Binding: the admin socket in the data folder, and TCP; beyond loopback
//! only where what is sent cannot be read on the way.

use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

/// Why a door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is reachable from elsewhere.
    #[error(
        "refusing to listen on {0}: this is served on loopback addresses only (127.0.0.1 or [::1])"
    )]
    BeyondLoopback(SocketAddr),
    /// Passwords would cross the network in clear text.
    #[error(
        "refusing to listen on {0} without HTTPS: name a certificate in [http.tls], or the proxy \
         in front as http.trusted_proxy"
    )]
    NotEncrypted(SocketAddr),
    /// The operating system refused.
    #[error("cannot listen on {on}: {error}")]
    Bind {
        /// Address or path.
        on: String,
        /// What it said.
        #[source]
        error: std::io::Error,
    },
    /// Something that is not a socket is in the way.
    #[error("{0} is in the way and is no socket")]
    InTheWay(PathBuf),
}

/// Binds a TCP address, if it is one of loopback.
///
/// # Errors
///
/// An address beyond loopback, or one that is taken.
pub async fn bind_loopback(address: SocketAddr) -> Result<TcpListener, ServeError> {
    if !address.ip().is_loopback() {
        return Err(ServeError::BeyondLoopback(address));
    }
    let failed = |error| ServeError::Bind { on: address.to_string(), error };
    TcpListener::bind(address).await.map_err(failed)
}

/// Binds the address of the console; `guarded` says that there is a
/// certificate or a trusted proxy.
///
/// # Errors
///
/// An address beyond loopback that is not guarded, or one that is taken.
pub async fn bind_console(address: SocketAddr, guarded: bool) -> Result<TcpListener, ServeError> {
    check_reach(address, guarded)?;
    let failed = |error| ServeError::Bind { on: address.to_string(), error };
    TcpListener::bind(address).await.map_err(failed)
}

/// Refuses an address beyond loopback that is not guarded.
pub(crate) fn check_reach(address: SocketAddr, guarded: bool) -> Result<(), ServeError> {
    match guarded || address.ip().is_loopback() {
        true => Ok(()),
        false => Err(ServeError::NotEncrypted(address)),
    }
}

/// Binds the admin socket, which only its owner may open; a socket left
/// behind by a process that died is replaced. The data folder's lock, taken
/// before, keeps two instances from doing this at once.
///
/// # Errors
///
/// A path that is taken by something else or cannot be written.
pub fn bind_admin(path: &Path) -> Result<UnixListener, ServeError> {
    let failed = |error| ServeError::Bind { on: path.display().to_string(), error };
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path).map_err(failed)?,
        Ok(_) => return Err(ServeError::InTheWay(path.to_owned())),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // Between bind and here anybody could connect, but not get an answer:
    // who it is is asked of the kernel at every connection.
    let owner_only = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, owner_only).map_err(failed)?;
    Ok(listener)
}
