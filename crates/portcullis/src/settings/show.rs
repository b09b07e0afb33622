//! The settings in force, with where each comes from (`config show`).

use super::entering::SECRET;
use super::read::{FoundValues, Origin, numbers};
use super::row::{Row, SectionRows};
use super::table::Settings;

/// What is shown of a secret.
const HIDDEN: &str = "\"…\"";

/// One value in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its key, entries by number: `smtp.listener.0.listen`.
    pub key: String,
    /// The value as TOML; nothing where none was given and none is the default.
    pub value: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Every value in force, in the order of the table.
pub fn in_force(found: &FoundValues) -> Vec<Shown> {
    let mut shown = Vec::new();
    for section in Settings::SECTIONS {
        if section.repeated {
            for number in numbers(found, section.key) {
                let at = format!("{}.{number}", section.key);
                shown.extend(section.rows.iter().map(|row| one(found, &at, row)));
            }
        } else {
            shown.extend(section.rows.iter().map(|row| one(found, section.key, row)));
        }
    }
    shown
}

/// Every default, in the order of the table.
pub fn defaults() -> Vec<Shown> {
    let of = |section: &'static SectionRows| {
        section.rows.iter().map(|row| Shown {
            key: section.key_of(row),
            value: row.default.map(str::to_owned),
            origin: Origin::Default,
        })
    };
    Settings::SECTIONS.iter().flat_map(of).collect()
}

fn one(found: &FoundValues, at: &str, row: &Row) -> Shown {
    let key = super::read::join(at, row.name);
    match found.get(&key) {
        Some(found) => {
            let hidden = row.kind.name == SECRET;
            let value = if hidden { HIDDEN.to_owned() } else { found.raw.to_string() };
            Shown { key, value: Some(value), origin: found.origin.clone() }
        }
        None => Shown { key, value: row.default.map(str::to_owned), origin: Origin::Default },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_value_is_shown_with_its_place() {
        let text = "[smtp]\nidle_timeout = \"5m\"\n[[smtp.listener]]\nlisten = \"[::]:25\"\n";
        let loaded = super::super::load_text(Path::new("a.toml"), text);
        let shown = in_force(&loaded.found);
        let line = |key: &str| {
            let one = shown.iter().find(|one| one.key == key).unwrap();
            format!("{} ({})", one.value.as_deref().unwrap_or("-"), one.origin)
        };
        assert_eq!(line("smtp.idle_timeout"), "\"5m\" (a.toml:2)");
        assert_eq!(line("smtp.listener.0.listen"), "\"[::]:25\" (a.toml:4)");
        assert_eq!(line("smtp.listener.0.role"), "\"inbound\" (default)");
        assert_eq!(line("server.hostname"), "- (default)");
        assert!(defaults().len() >= 60);
        let text = "[sign_in]\nclient_secret = \"hunter2\"\n";
        let loaded = super::super::load_text(Path::new("a.toml"), text);
        assert!(!format!("{:?}", in_force(&loaded.found)).contains("hunter2"));
        assert!(!format!("{:?}", loaded.problems).contains("hunter2"));
        assert!(!format!("{:?}", loaded.settings).contains("hunter2"));
    }
}
