//! The demo as people start it, seen by its live traffic alone: no week was
//! made before.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portcullis::pages::reasons::NOT_YET;
use rustix::process::{Pid, Signal};
use serde_json::Value as Json;
use tempfile::TempDir;
use types::{Reason, Stage};

use crate::waiting::{free_port, wait_for};

/// How long the traffic may take to show all that it is made to show: the
/// longest wait is that of a client who is silent for a minute and another
/// who comes back after as long.
const SHOWN_WITHIN: Duration = Duration::from_secs(300);
/// How long the end may take.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Attempts a minute, so that everybody has had his turns soon.
const RATE: &str = "600";

/// What is seen in the week alone, and why.
const NOT_LIVE: &[(Reason, &str)] = &[
    (Reason::GreylistExpired, "a window is open for twelve hours"),
    (Reason::SystemStopping, "said while the demo ends; looked at then"),
];

/// What else there is for certain.
const BEYOND: &[Reason] = &[
    Reason::Accepted,
    Reason::AcceptedPermitted,
    Reason::AcceptedAutoAllowed,
    Reason::DeliveryRejected,
];

/// What only comes when something fails, which nothing does in the demo; the
/// README names them.
const NEEDS_A_FAILURE: &[Reason] =
    &[Reason::DeliveryExpired, Reason::SystemUnavailable, Reason::SystemStorageFull];

struct Demo {
    folder: TempDir,
    program: Child,
}

impl Demo {
    fn start() -> Demo {
        let folder = tempfile::Builder::new().prefix("portcullis-demo-").tempdir().unwrap();
        let smtp = format!("127.0.0.1:{}", free_port());
        let mut command = program(&folder);
        command.args(["demo", "--smtp", &smtp, "--http", "127.0.0.1:0", "--history", "0"]);
        let program = command.args(["--rate", RATE]).stdout(Stdio::null()).spawn().unwrap();
        Demo { folder, program }
    }

    /// The events in the log, the newest of each reason.
    fn seen(&self) -> BTreeMap<String, Json> {
        let log = std::fs::read_to_string(self.folder.path().join("portcullis.log"));
        let log = log.unwrap_or_default();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let reason = |event: Json| Some((event["reason"].as_str()?.to_owned(), event));
        events.filter_map(reason).collect()
    }

    fn stop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.program.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        let status = wait_for(STOP_MAX, "the demo ends", || self.program.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let output = program(&self.folder).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}{said}");
        said
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn program(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_clear().stdin(Stdio::null()).stderr(Stdio::piped());
    command.arg("--data-dir").arg(folder.path());
    command
}

/// Everything before the content is looked at, by the table of reasons.
fn expected() -> impl Iterator<Item = Reason> {
    let live = |reason: &Reason| NOT_LIVE.iter().all(|(other, _)| other != reason);
    let early = Reason::ALL.iter().copied().filter(|reason| reason.stage() <= Stage::Data);
    early.filter(move |reason| live(reason)).chain(BEYOND.iter().copied())
}

#[test]
fn every_reason_is_shown_or_it_is_said_why_not() {
    let readme = include_str!("../../../../README.md");
    for reason in Reason::ALL {
        let places = [
            expected().any(|one| one == *reason),
            NOT_LIVE.iter().any(|(one, _)| one == reason),
            NEEDS_A_FAILURE.contains(reason),
            NOT_YET.contains(reason),
        ];
        let count = places.iter().filter(|is_there| **is_there).count();
        assert_eq!(count, 1, "{reason} has to be in one of the lists here");
    }
    for reason in NEEDS_A_FAILURE {
        let named = format!("`{}`", reason.slug());
        assert!(readme.contains(&named), "the README promises {reason} without a word");
    }
}

#[test]
fn live_traffic_shows_every_reason_that_needs_no_hours_and_each_is_found_and_explained() {
    let mut demo = Demo::start();
    let missing = |demo: &Demo| -> Vec<&str> {
        let seen = demo.seen();
        expected().map(Reason::slug).filter(|slug| !seen.contains_key(*slug)).collect()
    };
    let began = std::time::Instant::now();
    while !missing(&demo).is_empty() && began.elapsed() < SHOWN_WITHIN {
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(missing(&demo), Vec::<&str>::new(), "among {:?}", demo.seen().keys());
    for (slug, event) in demo.seen() {
        let found = demo.ask(&["trace", &format!("type:{slug}"), "--limit", "1"]);
        assert!(!found.trim().is_empty(), "nothing is found by type:{slug}");
        // What came later is told with its attempt, whose reason is another one.
        let attempt = event["of"].as_str();
        let why = demo.ask(&["why", attempt.or(event["ref"].as_str()).unwrap()]);
        assert!(attempt.is_some() || why.contains(&slug), "{slug}: {why}");
    }
    demo.stop();
    let stopping = Reason::SystemStopping.slug();
    assert!(demo.seen().contains_key(stopping), "nobody was told that it stops");
}
