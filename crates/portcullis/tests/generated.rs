//! The files that are made from tables in the source are up to date.
//! `UPDATE=1 cargo test -p portcullis` rewrites them.

// `cfg(test)` tells the lints that all of it is test.
#![cfg(test)]

use std::collections::BTreeMap;
use std::path::Path;

use clap::CommandFactory;
use portcullis::cli::Arguments;
use portcullis::pages;
use portcullis::settings::{reference, schema};
use types::Reason;

/// Compares a file of the project with what it should be, or writes it.
fn up_to_date(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let line = found.lines().zip(text.lines()).position(|(a, b)| a != b).map_or(0, |at| at + 1);
    let path = path.display();
    assert!(found == text, "{path} is stale from line {line} on; UPDATE=1 rewrites it");
}

#[test]
fn the_settings_reference_is_up_to_date() {
    up_to_date("docs/reference/settings.md", &reference::page());
}

#[test]
fn the_schema_is_up_to_date() {
    let schema = serde_json::to_string_pretty(&schema::schema()).unwrap() + "\n";
    up_to_date("packaging/settings.schema.json", &schema);
}

#[test]
fn the_example_file_is_up_to_date_and_has_no_errors() {
    let example = reference::example();
    up_to_date("packaging/portcullis.toml", &example);
    let loaded = portcullis::settings::load_text(Path::new("example.toml"), &example);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
}

#[test]
fn the_reasons_page_is_up_to_date_and_has_a_section_for_each() {
    let page = pages::reasons::page();
    for reason in Reason::ALL {
        assert!(page.contains(&format!("\n### `{reason}`\n")), "{reason} has no section");
    }
    up_to_date("docs/reference/reasons.md", &page);
}

#[test]
fn the_command_line_page_is_up_to_date() {
    up_to_date("docs/reference/cli.md", &pages::commands::page());
}

/// The manual pages of a command and of all below it, by file name.
fn manual_pages(command: &clap::Command, pages: &mut BTreeMap<String, String>) {
    let mut page = Vec::new();
    // No date: a page that says the same must be the same.
    let man = clap_mangen::Man::new(command.clone()).date("").manual("Portcullis");
    man.render(&mut page).unwrap();
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.insert(format!("{name}.1"), String::from_utf8(page).unwrap());
    for below in command.get_subcommands() {
        manual_pages(below, pages);
    }
}

#[test]
fn the_manual_pages_are_up_to_date() {
    let mut root = Arguments::command().disable_help_subcommand(true);
    root.build();
    let mut pages = BTreeMap::new();
    manual_pages(&root, &mut pages);
    assert!(pages.contains_key("portcullis.1") && pages.contains_key("portcullis-queue-retry.1"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/man/man1");
    for (name, page) in &pages {
        up_to_date(&format!("packaging/man/man1/{name}"), page);
    }
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(pages.contains_key(&name), "{name} is of a command that is gone; remove it");
    }
}

#[test]
fn the_metrics_page_is_up_to_date() {
    up_to_date("docs/reference/metrics.md", &pages::metrics::page());
}

#[test]
fn the_log_page_is_up_to_date() {
    up_to_date("docs/reference/log.md", &pages::log::page());
}
