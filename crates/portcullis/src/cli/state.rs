//! `status` and `reload`: the server as a whole.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use center::{HourRow, Status};
use serde_json::{Value as Json, json};
use types::time::spoken;

use super::arguments::Global;
use super::exit::{Exit, Failure};
use super::output::Output;
use super::server::{Server, socket_of};
use crate::serve::SETTINGS_CHECK;

/// `status`: prints how the server is doing.
///
/// # Errors
/// The server cannot be asked.
pub(super) fn status(global: &Global) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    let status: Status = server.get("/status")?;
    match global.json {
        true => output.object(&json!(status))?,
        false => output.text(&text(&status))?,
    }
    Ok(if status.ready { Exit::Ok } else { Exit::Error })
}

fn text(status: &Status) -> String {
    let ready = if status.ready { "accepting mail" } else { "NOT accepting mail" };
    let mut text = format!(
        "Portcullis {} on {}: {ready}, running since {}\n",
        status.program_version, status.node, status.started
    );
    for check in &status.checks {
        let mark = match (check.ok, check.keeps_mail_out()) {
            (true, _) => "ok  ",
            (false, false) => "warn",
            (false, true) => "FAIL",
        };
        text += &format!("  {mark} {:<10} {}\n", check.name, check.text);
    }
    let sum = &status.conservation;
    let recorded: Vec<String> =
        sum.recorded.iter().map(|(kind, count)| format!("{count} {}", kind.slug())).collect();
    text += &format!(
        "sessions: {} open, {} since start\nattempts: {} open, {} since start; {}\n",
        sum.sessions_open,
        sum.counts.sessions_opened,
        sum.attempts_open,
        sum.counts.attempts_opened,
        recorded.join(", ")
    );
    text += &format!(
        "accounted for: {}\n",
        match (sum.difference, sum.counts.attempts_unrecorded) {
            (0, 0) => "all".to_owned(),
            (0, lost) => format!(
                "all but {lost} that the store could not record; their senders were asked to come back"
            ),
            (other, _) => format!("{other} attempts differ (a few may be on their way)"),
        }
    );
    text += &format!(
        "queue: {}\ngreylist: {} waiting, {} known\n",
        queue_line(status.queue_messages, status.queue_held, status.queue_oldest_age_s),
        status.greylist.waiting,
        status.greylist.known
    );
    text += &format!("policy set: version {}", status.policy_version.unwrap_or(0));
    text
}

/// How many messages wait, how long the oldest has, and how many are held.
fn queue_line(waiting: usize, held: usize, oldest_s: Option<u64>) -> String {
    let age = oldest_s.map(|age| spoken(Duration::from_secs(age)));
    let waiting = match (waiting, age) {
        (1, Some(age)) => format!("1 message waits, here for {age}"),
        (many, Some(age)) => format!("{many} messages wait, the oldest here for {age}"),
        _ => "nothing waits".to_owned(),
    };
    match held {
        0 => waiting,
        held => format!("{waiting}; {held} held back until somebody releases them"),
    }
}

/// `status --hours`: prints the conservation sum by the hour.
///
/// # Errors
/// The server cannot be asked.
pub(super) fn hours(global: &Global, hours: u16) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    let rows: Vec<HourRow> = server.get(&format!("/conservation/hours?hours={hours}"))?;
    if global.json {
        let rows: Vec<Json> = rows.iter().map(|row| json!(row)).collect();
        output.list(&[], &rows)?;
    } else {
        let heading = HOUR_COLUMNS.map(str::to_owned);
        output.table(&heading, &rows.iter().map(hour_cells).collect::<Vec<_>>())?;
    }
    Ok(Exit::Ok)
}

/// The columns of the sum by the hour: four outcomes as the event log keeps
/// them, then what this process counted.
const HOUR_COLUMNS: [&str; 10] = [
    "Hour (UTC)",
    "Accepted",
    "Held",
    "Deferred",
    "Rejected",
    "Opened",
    "Recorded",
    "Unrecorded",
    "Open",
    "Difference",
];

/// An hour as a row: `-` where this process counted nothing, because it did
/// not run yet, and `?` where the event log could not be read.
fn hour_cells(row: &HourRow) -> Vec<Json> {
    let mut cells = vec![json!(row.hour.to_string())];
    cells.extend(row.kept.iter().map(|(_, count)| match row.missing {
        true => json!(format!("{count}?")),
        false => json!(count),
    }));
    match &row.counted {
        None => cells.extend(std::iter::repeat_n(json!("-"), 5)),
        Some(counted) => cells.extend([
            json!(counted.attempts_opened),
            json!(counted.recorded),
            json!(counted.attempts_unrecorded),
            json!(counted.attempts_open),
            json!(counted.difference),
        ]),
    }
    cells
}

/// `reload`: sends the server the signal and tells what came of it.
///
/// # Errors
/// The server cannot be reached, or refuses the settings.
pub(super) fn reload(global: &Global) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let before = settings_check(&server)?;
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::NotRunning, format!("cannot signal the server: {error}"))
    };
    // The kernel says who listens on the socket; a file with a number in it
    // could name anybody.
    let stream = UnixStream::connect(socket_of(global)?).map_err(|error| failed(&error))?;
    let peer = rustix::net::sockopt::socket_peercred(&stream).map_err(|error| failed(&error))?;
    rustix::process::kill_process(peer.pid, rustix::process::Signal::HUP)
        .map_err(|error| failed(&error))?;
    for _ in 0..POLLS_MAX {
        std::thread::sleep(POLL);
        let now = settings_check(&server)?;
        if now != before {
            let output = Output::new(global.json);
            let refused = now.contains(crate::serve::REFUSED);
            match global.json {
                true => output.object(&json!({ "reloaded": !refused, "text": now }))?,
                false => output.text(&now)?,
            }
            return Ok(if refused { Exit::Refused } else { Exit::Ok });
        }
    }
    Err(Failure::new(Exit::Error, "the server did not say in time whether it reloaded"))
}

/// What the server says of its settings.
fn settings_check(server: &Server) -> Result<String, Failure> {
    let status: Status = server.get("/status")?;
    let check = status.checks.into_iter().find(|check| check.name == SETTINGS_CHECK);
    Ok(check.map(|check| check.text).unwrap_or_default())
}

/// How long between two looks.
const POLL: Duration = Duration::from_millis(100);
/// Looks before giving up: a minute in all.
const POLLS_MAX: u32 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_as_people_say_them() {
        assert_eq!(queue_line(0, 0, None), "nothing waits");
        assert_eq!(queue_line(1, 0, Some(38)), "1 message waits, here for 38 s");
        let three = "3 messages wait, the oldest here for 6 d 18 h";
        assert_eq!(queue_line(3, 0, Some(583_308)), three);
    }

    #[test]
    fn held_mail_does_not_wait_and_nothing_is_the_oldest_where_nothing_waits() {
        let held = "2 held back until somebody releases them";
        assert_eq!(queue_line(0, 2, None), format!("nothing waits; {held}"));
        assert_eq!(queue_line(1, 2, Some(38)), format!("1 message waits, here for 38 s; {held}"));
    }
}
