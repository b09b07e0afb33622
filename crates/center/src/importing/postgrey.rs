//! The two lists of postgrey: clients and recipients that it does not
//! greylist.

use super::{Item, Means, SHOWN_CHARS_MAX, domain, network, pattern};
use crate::presentable_within;

/// A client: a regular expression between slashes, an address or the
/// beginning of one, a network, or a name with everything below it.
pub(super) fn client(line: &str) -> Result<Vec<Item>, String> {
    refuse_expressions(line)?;
    let means = Means::NotGreylisted;
    match network(line) {
        Some(network) => Ok(vec![Item::Network(network, means)]),
        None => Ok(vec![Item::Host(domain(line.trim_start_matches('.'))?, means)]),
    }
}

/// A recipient: `user@domain`, `user@` for every domain, or a domain with
/// everything below it.
pub(super) fn recipient(line: &str) -> Result<Vec<Item>, String> {
    refuse_expressions(line)?;
    match line.split_once('@') {
        Some(("", _)) => Err("nobody stands before the @".to_owned()),
        Some((local, "")) => match pattern(&format!("{local}@any.example")) {
            Ok(_) => Ok(vec![Item::EverywhereOurs(local.to_owned())]),
            Err(problem) => Err(problem),
        },
        Some(_) => Ok(vec![Item::Recipient(pattern(line)?)]),
        None => {
            let own = domain(line)?;
            Ok(vec![
                Item::Recipient(pattern(own.as_str())?),
                Item::Recipient(pattern(&format!("*.{own}"))?),
            ])
        }
    }
}

fn refuse_expressions(line: &str) -> Result<(), String> {
    let shown = || presentable_within(line, SHOWN_CHARS_MAX);
    match () {
        () if line.starts_with('/') => Err(format!(
            "{:?} is a regular expression, which no policy has; name the domains it stands for",
            shown()
        )),
        () if line.contains(char::is_whitespace) => {
            Err(format!("{:?}: one name or address per line", shown()))
        }
        () => Ok(()),
    }
}
