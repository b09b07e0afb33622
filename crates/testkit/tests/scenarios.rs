//! Every scenario in `tests/scenarios` is told and compared. `UPDATE=1`
//! rewrites the generated lines, `ONLY=name` tells one.

use std::collections::BTreeSet;
use std::path::PathBuf;

use portcullis::pages::reasons::NOT_YET;
use testkit::scenario::{difference, tell};
use testkit::simulate;
use types::Reason;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios")
}

/// Path, name and text of every scenario, by name.
#[cfg(test)]
fn scenarios() -> Vec<(PathBuf, String, String)> {
    let files = std::fs::read_dir(folder()).expect("the folder of scenarios");
    let paths = files.map(|entry| entry.expect("an entry").path());
    let mut all: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "scn"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a readable scenario");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (path, name, text)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_scenario_ends_as_written() {
    let (update, only) = (std::env::var_os("UPDATE").is_some(), std::env::var("ONLY").ok());
    let mut wrong = String::new();
    for (path, name, text) in scenarios() {
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        match simulate(tell(&text)) {
            Err(error) => wrong.push_str(&format!("\n{name}.scn, {error}\n")),
            Ok(told) => match difference(&text, &told) {
                None => {}
                Some(_) if update => std::fs::write(&path, told).expect("writable"),
                Some(lines) => wrong.push_str(&format!("\n{name}.scn\n{lines}")),
            },
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_reason_there_is_has_a_scenario() {
    let mut told = BTreeSet::new();
    for (_, _, text) in scenarios() {
        let words =
            text.lines().filter(|line| line.starts_with("event ")).flat_map(str::split_whitespace);
        told.extend(words.filter_map(|word| word.strip_prefix("reason=")?.parse::<Reason>().ok()));
    }
    let due = Reason::ALL.iter().filter(|reason| !NOT_YET.contains(reason));
    let missing: Vec<_> = due.filter(|reason| !told.contains(reason)).collect();
    assert!(missing.is_empty(), "no scenario shows {missing:?}");
    let early: Vec<_> = NOT_YET.iter().filter(|reason| told.contains(reason)).collect();
    assert!(early.is_empty(), "{early:?} can be given now: take them off the list");
}

#[test]
fn every_scenario_says_first_what_it_shows() {
    for (_, name, text) in scenarios() {
        assert!(text.starts_with("# "), "{name}.scn does not begin with a comment");
    }
}
