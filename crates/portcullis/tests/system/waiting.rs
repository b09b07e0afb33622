//! Waiting for what happens in other processes, ports that are free, and the
//! sentence of a test that cannot run.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Waits until `look` finds something; panics with `what` after `limit`.
pub(crate) fn wait_for<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port nobody listens on. It lies below the ports that systems give to
/// outgoing connections, so that none of those takes it before we do.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(offset < COUNT, "no free port");
        let port = FIRST + (start + offset) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Says why a test does not run, where the test program cannot hide it.
pub(crate) fn skip(test: &str, why: &str) {
    let line = format!("    skipped: {test}, because {why}.\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Whether this process may mount something where nobody else sees it.
pub(crate) fn can_mount() -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    unshare.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
