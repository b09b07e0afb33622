//! What must hold for every row of the table of settings.

// `cfg(test)` tells the lints that all of it is test.
#![cfg(test)]

use std::path::Path;

use portcullis::settings::value::{Kind, Shape, Value};
use portcullis::settings::{self, Loaded, Row, SectionRows, Settings, Sources};

/// Every row with its section.
fn rows() -> impl Iterator<Item = (&'static SectionRows, &'static Row)> {
    Settings::SECTIONS.iter().flat_map(|section| section.rows.iter().map(move |row| (section, row)))
}

/// Loads a file that sets one row, and whatever else its table demands.
fn load_one(section: &SectionRows, row: &Row, value: &str) -> Loaded {
    let header = match (section.key, section.repeated) {
        ("", _) => String::new(),
        (key, false) => format!("[{key}]\n"),
        (key, true) => format!("[[{key}]]\n"),
    };
    let mut text = format!("{header}{} = {value}\n", row.name);
    for other in section.rows.iter().filter(|other| other.required && other.name != row.name) {
        text += &format!("{} = {}\n", other.name, other.example);
    }
    settings::load_text(Path::new("test.toml"), &text)
}

/// Problems of this very row that its kind or range is the cause of.
fn refusals(loaded: &Loaded, row: &Row) -> Vec<String> {
    let mine = |key: &str| key.rsplit('.').next() == Some(row.name);
    let of_value = |text: &str| {
        ["must be", "needs a unit", "is not one of", "is not a", "unknown", "not available"]
            .iter()
            .any(|part| text.contains(part))
    };
    let problems = loaded.problems.iter().filter(|p| mine(&p.key) && of_value(&p.text));
    problems.map(ToString::to_string).filter(|text| !text.contains("must be shorter")).collect()
}

#[test]
fn every_setting_has_its_documentation() {
    for (section, row) in rows() {
        let key = section.key_of(row);
        let text = row.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        assert!(text.ends_with('.') && text.len() > 10, "{key}: {text:?}");
        assert!(text.starts_with(char::is_uppercase), "{key}: {text:?}");
    }
}

#[test]
fn names_are_plain_and_unique_and_say_their_direction() {
    let mut seen = std::collections::HashSet::new();
    for (section, row) in rows() {
        let key = section.key_of(row);
        assert!(seen.insert(key.clone()), "{key} twice");
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        assert!(row.name.bytes().all(plain), "{key}");
        assert!(!row.name.contains("__"), "{key} cannot be a variable");
        assert!(!row.name.starts_with("max_"), "{key}: units and bounds last");
    }
}

#[test]
fn every_default_and_example_is_read_back() {
    for (section, row) in rows() {
        for value in row.default.into_iter().chain([row.example]) {
            let loaded = load_one(section, row, value);
            let key = section.key_of(row);
            assert_eq!(refusals(&loaded, row), Vec::<String>::new(), "{key} = {value}");
        }
    }
}

#[test]
fn no_file_at_all_makes_settings() {
    let loaded = settings::load_text(Path::new("empty.toml"), "");
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    let settings = loaded.settings.unwrap();
    assert_eq!(settings.listeners[0].listen.to_string(), "127.0.0.1:2525");
    assert_eq!(settings.delivery.retry_schedule.0.len(), 30);
    assert_eq!(settings.smtp.message_size_max.0, 200_000_000);
}

/// A value just below and just above a range, as TOML.
fn just_outside(kind: &Kind, low: &str, high: &str) -> Vec<String> {
    let raw = |text: &str| {
        format!("value = {text}").parse::<toml::Table>().unwrap().remove("value").unwrap()
    };
    let magnitude = |text: &str| -> u128 {
        match kind.name {
            "a whole number" => u32::read(&raw(text)).unwrap().magnitude().unwrap(),
            "a size" => settings::value::Octets::read(&raw(text)).unwrap().magnitude().unwrap(),
            _ => std::time::Duration::read(&raw(text)).unwrap().magnitude().unwrap(),
        }
    };
    let written = |number: u128| match kind.name {
        "a whole number" => number.to_string(),
        "a size" => format!("\"{number}B\""),
        _ => format!("\"{number}ms\""),
    };
    let below = magnitude(low).checked_sub(1);
    below.into_iter().chain([magnitude(high) + 1]).map(written).collect()
}

#[test]
fn ranges_hold_at_their_ends_and_not_beyond() {
    for (section, row) in rows() {
        let Some((low, high)) = row.range else { continue };
        let key = section.key_of(row);
        for end in [low, high] {
            assert_eq!(refusals(&load_one(section, row, end), row), Vec::<String>::new(), "{key}");
        }
        for value in just_outside(&row.kind, low, high) {
            let refused = refusals(&load_one(section, row, &value), row);
            assert_eq!(refused.len(), 1, "{key} = {value}: {refused:?}");
            assert!(refused[0].contains(&format!("must be between {low} and {high}")));
        }
    }
}

/// A value as somebody would write it into a variable.
fn as_variable(row: &Row, toml: &str) -> String {
    let bare = |text: &str| text.trim_matches('"').to_owned();
    match row.kind.shape {
        Shape::List => {
            toml.trim_matches(['[', ']']).split(", ").map(bare).collect::<Vec<_>>().join(",")
        }
        _ => bare(toml),
    }
}

#[test]
fn every_setting_can_be_given_as_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.toml");
    std::fs::write(&file, "").unwrap();
    for (section, row) in rows() {
        let variable = section.variable_of(row);
        let mut variables = vec![(variable.clone(), as_variable(row, row.example))];
        for other in section.rows.iter().filter(|other| other.required && other.name != row.name) {
            variables.push((section.variable_of(other), as_variable(other, other.example)));
        }
        let sources = Sources { file: Some(file.clone()), variables, options: Vec::new() };
        let loaded = settings::load(&sources);
        assert_eq!(refusals(&loaded, row), Vec::<String>::new(), "{variable}");
        let key = section.key_of(row).replace("[]", ".0");
        assert_eq!(loaded.found[&key].origin.to_string(), variable);
    }
}

#[test]
fn every_setting_can_be_asked_for_help() {
    for (section, row) in rows() {
        let key = section.key_of(row);
        let help = settings::reference::help(&key).unwrap();
        assert!(help.contains(&section.variable_of(row)), "{help}");
    }
}

#[test]
fn every_setting_that_an_explanation_names_is_there() {
    let keys: Vec<String> =
        rows().map(|(section, row)| format!("{}.{}", section.key, row.name)).collect();
    for named in center::explain::settings_named() {
        assert!(keys.iter().any(|key| key == named), "{named}");
    }
}
