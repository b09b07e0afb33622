//! What systemd hears of a server that it watches.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::gateway::Gateway;
use crate::sink::Sink;

/// How long the next word may take. It is due twice a second.
const SOON: Duration = Duration::from_secs(20);

/// Files can take long to read; this one is never read to its end.
#[test]
fn a_reload_that_takes_long_is_no_reason_to_think_the_server_dead() {
    let mut gateway = Gateway::before(&Sink::start(), "");
    let socket = UnixDatagram::bind(gateway.path("notify")).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let path = gateway.path("notify").display().to_string();
    gateway.environment = vec![("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "1000000".to_owned())];
    let gateway = gateway.start();
    let hear = |word: &str| {
        let mut said = [0; 1_024];
        loop {
            let octets = socket.recv(&mut said).expect(word);
            if String::from_utf8_lossy(&said[..octets]).contains(word) {
                return;
            }
        }
    };
    hear("READY=1");
    std::fs::remove_file(gateway.path("policy.toml")).unwrap();
    let made = Command::new("mkfifo").arg(gateway.path("policy.toml")).status().unwrap();
    assert!(made.success());
    gateway.signal(Signal::HUP);
    hear("RELOADING=1");
    (0..4).for_each(|_| hear("WATCHDOG=1"));
    assert!(!gateway.log().contains("\"reloaded\""), "it is still reading");
}
