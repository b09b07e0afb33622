//! What an empty list says, and what it offers instead.

use center::ReadyCheck;
use center::search::{BeyondRetention, Hint};

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

/// The checks of a first start, if nothing was ever recorded.
pub(super) fn nothing_yet(found: &Found) -> Option<Vec<ReadyCheck>> {
    found.hints.contains(&Hint::NothingYet).then(|| found.checks.clone())
}

/// What of the range is older than what is kept.
pub(super) fn beyond(beyond: &BeyondRetention, shell: &Shell) -> String {
    format!(
        "Metadata is kept {} days, so this list begins at {}.",
        beyond.kept_days,
        shell.zone.end(beyond.kept_from)
    )
}

/// What the list offers instead of rows, best first.
pub(super) fn offers(address: &Address, found: &Found, shell: &Shell) -> Vec<Offer> {
    found.hints.iter().flat_map(|hint| of_hint(address, hint, shell)).collect()
}

fn of_hint(address: &Address, hint: &Hint, shell: &Shell) -> Vec<Offer> {
    match hint {
        Hint::NothingYet => Vec::new(),
        Hint::Wider { from, label, count } => vec![Offer {
            text: format!("{} in {label}.", figures::shown(count)),
            action: format!("Search {label}"),
            href: address.with(|address| {
                address.from.clone_from(from);
                address.to.clear();
            }),
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
        Hint::Beyond(older) => older
            .logs
            .iter()
            .map(|log| Offer {
                text: beyond(older, shell),
                action: format!("Daily log {}", log.name),
                href: format!("/api/v1/daily-logs/{}", encoded(&log.name)),
            })
            .collect(),
    }
}
