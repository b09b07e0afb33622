//! The running server: everything the other crates offer, joined together,
//! started, reloaded and stopped.
//!
//! ```text
//! run ─ Opened (data folder) ─ Joined (bound, parts of the Gateway) ─ Running ─┐
//!                                              ▲                              │
//!                                    reload ───┘        signals ◄─────────────┘
//! ```

mod accounts;
mod alerts;
pub(crate) mod chores;
pub(crate) mod convert;
mod directories;
pub(crate) mod dkim;
mod doors;
pub(crate) mod gateway;
mod health;
pub mod inspect;
mod joined;
pub mod kept;
mod lists;
mod measured_dns;
mod names;
mod next_hops;
pub mod online;
mod open_files;
pub(crate) mod opened;
mod parts;
mod places;
mod policies;
mod recipients;
mod reload;
mod reputation;
mod running;
mod sign_in;
mod sources;
pub mod submitters;
mod systemd;

use std::sync::Arc;

use world::{Clock, SystemClock};

pub(crate) use health::{REFUSED, SETTINGS_CHECK};
pub(crate) use joined::{Addresses, Joined};
pub(crate) use kept::SUBMITTERS_CHECK;
pub(crate) use opened::STATE_FILE;

use crate::settings::{Loaded, Severity};
use crate::telemetry::{Log, LogOptions, LogWriter, Message};
use gateway::Opened;

/// Reads the settings again, as at the start.
pub(crate) type Again = Box<dyn Fn() -> Loaded + Send + Sync>;

/// Runs the server until it is asked to stop.
///
/// # Errors
/// It could not start: a sentence for the operator.
pub(crate) fn run(loaded: Loaded, again: Again) -> Result<(), String> {
    let Some(settings) = loaded.settings.clone() else {
        return Err("the settings have errors".to_owned());
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let began = clock.elapsed();
    let (log, writer) = open_log(&loaded, Arc::clone(&clock))?;
    let started = start(loaded, &log).and_then(|(runtime, opened)| {
        runtime.block_on(async {
            let joined = Joined::join(settings, opened, Arc::clone(&log)).await?;
            let mut running = joined.open()?;
            running.tell_first_link();
            let took = clock.elapsed().saturating_sub(began);
            let after_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            log.say(&Message::Ready { after_ms });
            running.until_stopped(again).await
        })
    });
    writer.close();
    started
}

/// What has to be done before anything runs asynchronously.
fn start(loaded: Loaded, log: &Log) -> Result<(tokio::runtime::Runtime, Opened), String> {
    let Some(settings) = &loaded.settings else {
        return Err("the settings have errors".to_owned());
    };
    log.say(&Message::Starting {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_dir: settings.server.data_dir.display().to_string(),
    });
    for problem in loaded.problems.iter().filter(|p| p.severity == Severity::Warning) {
        log.say(&Message::SettingsWarning { problem: problem.to_string() });
    }
    let opened = Opened::open(settings)?;
    for problem in &opened.report.damage {
        log.say(&Message::Damaged { problem: problem.clone() });
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Ok(threads @ 1..) = usize::try_from(settings.server.threads) {
        runtime.worker_threads(threads);
    }
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the threads: {error}"))?;
    Ok((runtime, opened))
}

/// Opens the log that the settings name.
pub(crate) fn open_log(
    loaded: &Loaded,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<Log>, LogWriter), String> {
    let Some(settings) = &loaded.settings else {
        return Err("the settings have errors".to_owned());
    };
    let log = &settings.log;
    let options = LogOptions {
        format: log.format,
        level: log.level,
        file: log.file.clone(),
        waiting_max: usize::try_from(log.waiting_max).unwrap_or(usize::MAX),
    };
    let to = log.file.as_ref().map(|file| file.display().to_string());
    Log::open(options, clock).map_err(|error| {
        format!("cannot open the log {}: {error}", to.unwrap_or_else(|| "thread".to_owned()))
    })
}
