//! The log: lines wait in a bounded queue and a thread of its own writes them,
//! so that a slow disk or terminal never slows a session down.
//!
//! When the queue is full, lines are lost, counted, and the count is logged.
//! That is the choice over waiting: the event itself is in the store before
//! its reply is sent, the log line is only a copy for other tools.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use center::metrics::{MetricSource, Sample};
use types::Event;
use world::Clock;

use super::line;
use super::message::{self, Message};
use crate::settings::kinds::{LogFormat, LogLevel};

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// How lines look.
    pub format: LogFormat,
    /// What is written.
    pub level: LogLevel,
    /// Where to; standard error if absent.
    pub file: Option<PathBuf>,
    /// Pieces that may wait.
    pub waiting_max: usize,
}

enum Order {
    Write(String),
    Reopen,
    Stop,
}

/// Takes lines. Cheap to call from anywhere; never waits.
pub struct Log {
    orders: SyncSender<Order>,
    /// Lines lost that the log was not told of yet.
    lost: Arc<AtomicU64>,
    /// All lines lost.
    lost_total: AtomicU64,
    clock: Arc<dyn Clock>,
    format: LogFormat,
    level: LogLevel,
}

/// The thread that writes; ends the log in order when it is closed.
pub struct LogWriter {
    orders: SyncSender<Order>,
    thread: JoinHandle<()>,
}

impl Log {
    /// Opens the log and starts its thread.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread be started.
    pub fn open(options: LogOptions, clock: Arc<dyn Clock>) -> io::Result<(Arc<Log>, LogWriter)> {
        let output = Output::open(options.file.as_deref())?;
        let (orders, received) = sync_channel(options.waiting_max);
        let lost = Arc::new(AtomicU64::new(0));
        let log = Arc::new(Log {
            orders: orders.clone(),
            lost: Arc::clone(&lost),
            lost_total: AtomicU64::new(0),
            clock: Arc::clone(&clock),
            format: options.format,
            level: options.level,
        });
        let format = options.format;
        let thread = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_all(&received, output, &lost, &*clock, format))?;
        Ok((log, LogWriter { orders, thread }))
    }

    /// Writes one line per event.
    pub fn events(&self, events: &[Arc<Event>]) {
        if self.level < LogLevel::Info {
            return;
        }
        let (mut text, mut count) = (String::new(), 0);
        for event in events {
            // What the clock and delivery do is many lines per message.
            let is_told = event.outcome_kind().is_some() || line::kept_back_by_policy(event);
            if is_told || self.level >= LogLevel::Debug {
                text.reserve(LINE_OCTETS_USUAL);
                line::append(&mut text, event, self.format);
                count += 1;
            }
        }
        self.send(text, count);
    }

    /// Writes an operational message.
    pub fn say(&self, message: &Message) {
        if message.level() <= self.level {
            let mut text = String::new();
            message::append(&mut text, self.clock.now(), message, self.format);
            self.send(text, 1);
        }
    }

    /// Opens the file again, after it was moved away.
    pub fn reopen(&self) {
        let _ = self.orders.try_send(Order::Reopen);
    }

    /// Puts lines into the queue of the writer, or counts them as lost.
    fn send(&self, lines: String, count: u64) {
        if count == 0 {
            return;
        }
        if let Err(TrySendError::Full(_)) = self.orders.try_send(Order::Write(lines)) {
            self.lost.fetch_add(count, Ordering::Relaxed);
            self.lost_total.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl MetricSource for Log {
    fn collect(&self, out: &mut Vec<Sample>) {
        let lost = self.lost_total.load(Ordering::Relaxed);
        out.extend(Sample::number("portcullis_log_lines_lost_total", &[], lost as f64));
    }
}

impl LogWriter {
    /// Writes what waits and ends.
    pub fn close(self) {
        // A full queue is waited for: these are the last lines.
        let _ = self.orders.send(Order::Stop);
        let _ = self.thread.join();
    }
}

/// What one attempt's line usually needs, in octets.
const LINE_OCTETS_USUAL: usize = 512;
/// Octets gathered before they are written in one go.
const BATCH_OCTETS: usize = 64 * 1024;

fn write_all(
    orders: &Receiver<Order>,
    mut output: Output,
    lost: &AtomicU64,
    clock: &dyn Clock,
    format: LogFormat,
) {
    let mut batch = String::new();
    while let Ok(first) = orders.recv() {
        let mut next = Some(first);
        let mut stop = false;
        while let Some(order) = next {
            match order {
                Order::Write(lines) => batch.push_str(&lines),
                Order::Reopen => {
                    output.write(&mut batch);
                    output.reopen();
                    message::append(&mut batch, clock.now(), &Message::LogReopened, format);
                }
                Order::Stop => stop = true,
            }
            next = if batch.len() < BATCH_OCTETS && !stop { orders.try_recv().ok() } else { None };
        }
        let count = lost.swap(0, Ordering::Relaxed);
        if count > 0 {
            message::append(&mut batch, clock.now(), &Message::LinesLost { count }, format);
        }
        output.write(&mut batch);
        if stop {
            return;
        }
    }
}

/// Where lines go.
enum Output {
    File { path: PathBuf, file: File },
    StandardError,
}

impl Output {
    fn open(path: Option<&Path>) -> io::Result<Output> {
        let Some(path) = path else { return Ok(Output::StandardError) };
        Ok(Output::File { path: path.to_path_buf(), file: open(path)? })
    }

    /// Opens the file at its path again; the old one stays if that fails.
    fn reopen(&mut self) {
        if let Output::File { path, file } = self
            && let Ok(new) = open(path)
        {
            *file = new;
        }
    }

    /// Writes and empties the batch. A log that cannot be written has nobody
    /// to tell; the events themselves are in the store.
    fn write(&mut self, batch: &mut String) {
        let octets = batch.as_bytes();
        let _ = match self {
            Output::File { file, .. } => file.write_all(octets),
            Output::StandardError => io::stderr().lock().write_all(octets),
        };
        batch.clear();
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(file: &Path) -> LogOptions {
        LogOptions {
            format: LogFormat::Json,
            level: LogLevel::Info,
            file: Some(file.to_path_buf()),
            waiting_max: 16,
        }
    }

    #[test]
    fn lines_are_written_in_order_and_a_moved_file_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let (file, moved) = (folder.path().join("log"), folder.path().join("log.1"));
        let clock = Arc::new(world::SystemClock::new());
        let (log, writer) = Log::open(options(&file), clock).unwrap();
        log.say(&Message::Reloaded);
        // The first line must be in the file before the file is moved.
        while std::fs::read_to_string(&file).unwrap().is_empty() {
            std::thread::yield_now();
        }
        std::fs::rename(&file, &moved).unwrap();
        log.reopen();
        log.say(&Message::Accepting);
        writer.close();
        let events = |path: &Path| -> Vec<String> {
            let text = std::fs::read_to_string(path).unwrap();
            let json = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
            text.lines().map(|line| json(line)["event"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(events(&moved), ["reloaded"]);
        assert_eq!(events(&file), ["log_reopened", "accepting"]);
    }

    #[test]
    fn a_log_that_cannot_keep_up_loses_lines_and_says_how_many() {
        let (orders, received) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let clock: Arc<dyn Clock> = Arc::new(world::SystemClock::new());
        let log = Log {
            orders: orders.clone(),
            lost: Arc::clone(&lost),
            lost_total: AtomicU64::new(0),
            clock: Arc::clone(&clock),
            format: LogFormat::Json,
            level: LogLevel::Info,
        };
        for _ in 0..4 {
            log.say(&Message::Accepting);
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let output = Output::open(Some(&file)).unwrap();
        drop((log, orders));
        write_all(&received, output, &lost, &*clock, LogFormat::Json);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(
            text.contains("\"event\":\"lines_lost\"") && text.contains("\"count\":3"),
            "{text}"
        );
    }
}
