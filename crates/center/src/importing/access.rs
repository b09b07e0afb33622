//! Postfix's tables: access(5) by sender and by client, and cidr_table(5).
//!
//! A logical line begins with what is not white space; lines that begin with
//! white space go on with it, and comments between them do not end it. What
//! stands right of the pattern is kept where it means permit or block; other
//! actions have no counterpart and make a bad line.

use super::{Item, Line, Means, SHOWN_CHARS_MAX, domain, network, pattern};
use crate::presentable_within;

/// Reads the logical lines of a table.
pub(super) fn read(text: &str, one: fn(&str, Means) -> Result<Vec<Item>, String>) -> Vec<Line> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let meant = line.trim();
        if meant.is_empty() || meant.starts_with('#') {
            continue;
        }
        match (line.starts_with([' ', '\t']), lines.last_mut()) {
            (true, Some((_, before))) => {
                before.push(' ');
                before.push_str(meant);
            }
            _ => lines.push((number, meant.to_owned())),
        }
    }
    let mut inside = 0_usize;
    let mut read = |line: &str| {
        let (key, action) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let word = key.to_ascii_lowercase();
        match (word.as_str(), inside) {
            ("if", _) => inside += 1,
            ("endif", _) => inside = inside.saturating_sub(1),
            (_, 0) => {
                return match means(action.trim())? {
                    Some(means) => one(key, means),
                    None => Ok(Vec::new()),
                };
            }
            _ => {}
        }
        Err("what stands inside an if counts only under its condition, which no list has"
            .to_owned())
    };
    lines.into_iter().map(|(number, line)| Line { number, read: read(&line) }).collect()
}

/// What an action means; nothing for DUNNO, which leaves it to what follows.
fn means(action: &str) -> Result<Option<Means>, String> {
    let word = action.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    let is_number =
        |length| word.len() == length && word.bytes().all(|octet| octet.is_ascii_digit());
    match word.as_str() {
        "" => Err("no action stands beside it".to_owned()),
        "OK" | "RELAY" => Ok(Some(Means::Permitted)),
        "REJECT" | "DISCARD" => Ok(Some(Means::Blocked)),
        "DUNNO" => Ok(None),
        _ if is_number(3) && word.starts_with('5') => Ok(Some(Means::Blocked)),
        _ if is_number(3) && word.starts_with('4') => {
            Err(format!("{word} asks to come back, which no list does here"))
        }
        _ if word.bytes().all(|octet| octet.is_ascii_digit()) => Ok(Some(Means::Permitted)),
        _ => Err(format!(
            "the action {:?} is neither a permit nor a block",
            presentable_within(&word, SHOWN_CHARS_MAX)
        )),
    }
}

/// By sender: `user@domain`, `domain` with everything below it, `.domain` for
/// what is below it.
pub(super) fn sender(key: &str, means: Means) -> Result<Vec<Item>, String> {
    match key {
        "<>" => {
            Err("the null reverse-path cannot be in a list; make a policy by client".to_owned())
        }
        _ if key.ends_with('@') => Err(format!(
            "{:?} means any domain, which no list does",
            presentable_within(key, SHOWN_CHARS_MAX)
        )),
        _ if key.contains('@') => Ok(vec![Item::Sender(pattern(key)?, means)]),
        _ => {
            let below = key.strip_prefix('.');
            let named = domain(below.unwrap_or(key))?;
            let mut items = vec![Item::Sender(pattern(&format!("*.{named}"))?, means)];
            if below.is_none() {
                items.insert(0, Item::Sender(pattern(named.as_str())?, means));
            }
            Ok(items)
        }
    }
}

/// By client: an address, the beginning of one, or a name with everything
/// below it.
pub(super) fn client(key: &str, means: Means) -> Result<Vec<Item>, String> {
    match (network(key), key.strip_prefix('.')) {
        (Some(network), _) => Ok(vec![Item::Network(network, means)]),
        (None, Some(below)) => Err(format!(
            "{:?} means only what is below the name; name {below} to include it",
            presentable_within(key, SHOWN_CHARS_MAX)
        )),
        (None, None) => Ok(vec![Item::Host(domain(key)?, means)]),
    }
}

/// By client in a CIDR table: addresses and networks.
pub(super) fn cidr(key: &str, means: Means) -> Result<Vec<Item>, String> {
    let shown = || presentable_within(key, SHOWN_CHARS_MAX);
    match key {
        _ if key.starts_with('!') => Err(format!("{:?}: an exception has no counterpart", shown())),
        _ => match network(key) {
            Some(network) => Ok(vec![Item::Network(network, means)]),
            None => Err(format!("{:?} is no address and no network", shown())),
        },
    }
}
