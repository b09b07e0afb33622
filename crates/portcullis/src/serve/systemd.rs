//! What systemd is told: ready, reloading, stopping, alive, and one line of
//! status that `systemctl status` shows. Without systemd nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

/// Says that connections are taken.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Shows one line.
pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// Says that the settings are read again; [`ready`] ends it.
pub(super) fn reloading() {
    // Type=notify-reload wants the time of the monotonic clock with it.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// Says that the server is stopping.
pub(super) fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// How often the watchdog wants to hear from us: half of its patience.
pub(super) fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|patience| patience / 2)
}

/// Says that the server is alive.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(state: &[NotifyState<'_>]) {
    // Whoever does not listen is not told; that is no failure of ours.
    let _ = sd_notify::notify(state);
}
