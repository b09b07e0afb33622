//! Notices to senders below the list of the queue: they have no attempt, and
//! so no row in it.

use center::QueuedNotice;

use super::Found;
use super::cells::{standing, tries};
use crate::client::encoded;
use crate::pages::Shell;

/// Those that are shown.
pub(super) struct Notices {
    pub(super) lines: Vec<NoticeLine>,
    /// How many more there are.
    pub(super) more: usize,
}

impl Notices {
    /// What was found, as the page shows it.
    pub(super) fn of(found: Option<&Found>, shell: &Shell) -> Notices {
        let lines = found.into_iter().flat_map(|found| &found.notices.rows);
        Notices {
            lines: lines.map(|notice| line(notice, shell)).collect(),
            more: found.map_or(0, |found| found.notices.more),
        }
    }
}

/// One notice.
pub(super) struct NoticeLine {
    /// When it was made: machine time, whole time, short time.
    pub(super) made: (String, String, String),
    /// Class and word of its badge.
    pub(super) class: &'static str,
    pub(super) state: &'static str,
    /// How often it was tried.
    pub(super) tries: Option<String>,
    /// Who is to be told.
    pub(super) to: String,
    /// The page of the message it is about, and its reference.
    pub(super) life: String,
    pub(super) about: String,
    /// When it is tried next: machine time and whole time, and in words.
    pub(super) next: Option<(String, String)>,
    pub(super) words: String,
    /// What the next hop said last.
    pub(super) said: Option<String>,
}

fn line(notice: &QueuedNotice, shell: &Shell) -> NoticeLine {
    let (class, state) = standing(notice.queue.standing);
    let arrived = notice.arrived;
    NoticeLine {
        made: (arrived.to_string(), shell.zone.whole(arrived), shell.time(arrived)),
        class,
        state,
        tries: tries(&notice.queue),
        to: notice.to.clone(),
        life: format!("/lifelines/{}", encoded(&notice.life.to_string())),
        about: notice.reference.to_string(),
        next: notice.queue.next.map(|at| (at.to_string(), shell.zone.whole(at))),
        words: notice.queue.text.clone(),
        said: notice.queue.answer.clone(),
    }
}
