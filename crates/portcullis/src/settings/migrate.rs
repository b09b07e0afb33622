//! Settings files of older formats, brought into the present one.
//!
//! One step per format, from each to the next; a step changes the text, so
//! that an author's remarks and order stay. A file without `config_version`
//! is the format from before there was one, which is called 0 here.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The format that this program writes.
pub const PRESENT: i64 = 1;

/// What makes a text of format `N` one of format `N + 1`, by `N`.
const STEPS: &[fn(&str) -> String] = &[name_the_version];

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Migrated {
    /// The file is in the present format already.
    Present,
    /// It is now, in this file.
    Written {
        /// The new file.
        to: PathBuf,
        /// The format it had.
        from: i64,
    },
}

/// Writes the file anew in the present format, beside the old one and with
/// `.new` after its name.
///
/// # Errors
/// A sentence: the file cannot be read, is no TOML, is newer than this
/// program, or there is such a new file already.
pub fn migrate(file: &Path) -> Result<Migrated, String> {
    let shown = file.display();
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let from = version(&text).map_err(|problem| format!("{shown}: {problem}"))?;
    if from == PRESENT {
        return Ok(Migrated::Present);
    }
    let steps = usize::try_from(from).ok().and_then(|from| STEPS.get(from..));
    let Some(steps) = steps.filter(|steps| !steps.is_empty()) else {
        return Err(format!(
            "{shown}: config_version is {from}, and this program knows formats up to {PRESENT}"
        ));
    };
    let new = steps.iter().fold(text, |text, step| step(&text));
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let to = PathBuf::from(name);
    // Never over a file that somebody may have edited.
    std::fs::File::create_new(&to)
        .and_then(|mut written| written.write_all(new.as_bytes()))
        .map_err(|error| format!("cannot write {}: {error}", to.display()))?;
    Ok(Migrated::Written { to, from })
}

/// The format of a text; 0 where it does not say.
fn version(text: &str) -> Result<i64, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        error.message().lines().next().unwrap_or("not TOML").to_owned()
    })?;
    match table.get("config_version") {
        None => Ok(0),
        Some(toml::Value::Integer(version)) => Ok(*version),
        Some(other) => Err(format!("config_version must be a whole number, not {other}")),
    }
}

/// From 0 to 1: the version is named. It stands first, because a key after a
/// heading would belong to that table.
fn name_the_version(text: &str) -> String {
    format!("config_version = 1\n\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_step_from_every_older_format() {
        assert_eq!(i64::try_from(STEPS.len()), Ok(PRESENT));
    }

    #[test]
    fn an_old_file_is_written_anew_beside_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("p.toml");
        let text = "# ours\n[smtp]\nidle_timeout = \"5m\" # long\n";
        std::fs::write(&old, text).unwrap();
        let to = folder.path().join("p.toml.new");
        assert_eq!(migrate(&old), Ok(Migrated::Written { to: to.clone(), from: 0 }));
        assert_eq!(std::fs::read_to_string(&old).unwrap(), text);
        let new = std::fs::read_to_string(&to).unwrap();
        assert_eq!(new, format!("config_version = 1\n\n{text}"));
        let loaded = crate::settings::load_text(&to, &new);
        assert!(!loaded.has_errors(), "{:?}", loaded.problems);
        assert_eq!(migrate(&to), Ok(Migrated::Present));
        assert!(migrate(&old).unwrap_err().contains("p.toml.new"), "nothing is written over");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.toml");
        for (text, part) in [
            ("config_version = 7", "knows formats up to 1"),
            ("config_version = -1", "knows formats up to 1"),
            ("config_version = \"1\"", "must be a whole number"),
            ("[smtp", "p.toml: "),
        ] {
            std::fs::write(&file, text).unwrap();
            let problem = migrate(&file).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }
}
