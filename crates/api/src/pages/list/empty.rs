//! What an empty list says, and what it offers instead.

use center::search::{BeyondRetention, Hint};
use center::{ReadyCheck, View};
use types::Permission;

use super::Found;
use super::address::Address;
use super::figures;
use crate::client::encoded;
use crate::pages::Shell;

/// One way out of an empty list.
pub(super) struct Offer {
    /// One sentence.
    pub(super) text: String,
    /// What the link says.
    pub(super) action: String,
    pub(super) href: String,
}

/// What stands above an empty list.
pub(super) fn title(address: &Address) -> &'static str {
    match (address.view, address.query.is_empty()) {
        (View::Queue, true) => "Nothing waits for the next hop.",
        (View::Held, true) => "Nothing is held.",
        (View::Bounced, true) => "Nothing bounced in this time.",
        _ => "Nothing matches in this time.",
    }
}

/// The checks of a first start, if nothing was ever recorded.
pub(super) fn nothing_yet(found: &Found) -> Option<Vec<ReadyCheck>> {
    found.hints.contains(&Hint::NothingYet).then(|| found.checks.clone())
}

/// What of the range is older than what is kept, and where that is.
pub(super) struct Beyond {
    pub(super) text: String,
    /// Daily logs of the days before, for who may read them: name, address.
    pub(super) logs: Vec<(String, String)>,
    /// Whether the page with all of them is there for this reader.
    pub(super) downloads: bool,
}

/// Most daily logs that are named before the page with all of them is.
const LOGS_NAMED_MAX: usize = 4;

/// What the list says of a range that reaches further back than what is kept.
pub(super) fn beyond(beyond: &BeyondRetention, shell: &Shell) -> Beyond {
    let (days, kept_from) = (beyond.kept_days, shell.zone.end(beyond.kept_from));
    let text = match beyond.wholly {
        true => format!(
            "Metadata is kept {days} days, since {kept_from}: nothing of this time can be \
             searched here any more. What was refused or deferred in it stands in the daily logs \
             (CSV files, kept for ever)."
        ),
        false => format!(
            "Metadata is kept {days} days, so this list begins at {kept_from}. What was refused \
             or deferred before stands in the daily logs (CSV files, kept for ever)."
        ),
    };
    let logs = beyond.logs.iter().take(LOGS_NAMED_MAX);
    Beyond {
        text,
        logs: logs.map(|log| (log.name.clone(), log_href(&log.name))).collect(),
        downloads: shell.caller().is_some_and(|caller| caller.may(Permission::DailyLogs)),
    }
}

fn log_href(name: &str) -> String {
    format!("/api/v1/daily-logs/{}", encoded(name))
}

/// What the list offers instead of rows, best first.
pub(super) fn offers(address: &Address, found: &Found) -> Vec<Offer> {
    found.hints.iter().flat_map(|hint| of_hint(address, hint)).collect()
}

fn of_hint(address: &Address, hint: &Hint) -> Vec<Offer> {
    match hint {
        Hint::NothingYet => Vec::new(),
        Hint::Wider { from, label, count } => vec![Offer {
            text: format!("{} in {label}.", figures::shown(count)),
            action: format!("Search {label}"),
            href: address.ranged(from, ""),
        }],
        Hint::Without { chip, query, count } => vec![Offer {
            text: format!("Without {chip} there are {}.", figures::shown(count)),
            action: format!("Remove {chip}"),
            href: address.with(|address| address.query.clone_from(query)),
        }],
        Hint::OtherView { view, count } => vec![Offer {
            text: format!("{} in {}.", figures::shown(count), view.info().label),
            action: format!("Show {}", view.info().label),
            href: address.with(|address| address.view = *view),
        }],
        // The notice above the list says it already, with the files.
        Hint::Beyond(_) => Vec::new(),
        Hint::NoSubject { query, count } => vec![Offer {
            text: format!(
                "Mail that was deferred or refused before its content was sent has no subject \
                 here, so a word of its subject does not find it: {} in this time.",
                figures::shown(count)
            ),
            action: "Show these".to_owned(),
            href: address.with(|address| {
                address.query.clone_from(query);
                address.view = center::View::All;
            }),
        }],
    }
}
