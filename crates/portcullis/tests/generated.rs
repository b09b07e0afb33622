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

/// How the reasons begin that no check gives: those of the protocol, of what
/// becomes of an attempt afterwards, and of what is taken.
const OF_NO_CHECK: &[&str] = &[
    "accepted",
    "client.dropped",
    "client.timed_out",
    "connection.",
    "data.ended_early",
    "delivery.",
    "greylist.expired",
    "protocol.errors",
    "recipient.malformed",
    "recipients.limited",
    "sender.malformed",
    "submission.failed",
    "tls.failed",
    "transaction.abandoned",
];

#[test]
fn the_checks_page_is_up_to_date_and_has_every_reason_that_a_check_gives() {
    let page = pages::checks::page();
    for reason in Reason::ALL {
        let elsewhere = pages::reasons::NOT_YET.contains(reason)
            || OF_NO_CHECK.iter().any(|start| reason.slug().starts_with(start));
        assert_eq!(page.contains(&format!("[`{reason}`]")), !elsewhere, "{reason}");
    }
    up_to_date("docs/reference/checks.md", &page);
}

#[test]
fn the_roles_page_is_up_to_date() {
    up_to_date("docs/reference/roles.md", &pages::roles::page());
}

/// Adds the text of every Rust file below a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *text += &std::fs::read_to_string(&path).unwrap();
        }
    }
}

#[test]
fn what_the_reasons_page_calls_reserved_is_given_by_nobody() {
    let mut text = String::new();
    for name in ["smtp", "checks", "policy", "receive", "deliver"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        sources(&folder, &mut text);
    }
    for reason in pages::reasons::NOT_YET {
        let named = format!("Reason::{reason:?}");
        assert!(!text.contains(&named), "{named} is given now: take it out of NOT_YET");
    }
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
fn the_page_of_public_lists_is_up_to_date() {
    up_to_date("docs/reference/lists.md", &pages::lists::page());
}

#[test]
fn the_metrics_page_is_up_to_date() {
    up_to_date("docs/reference/metrics.md", &pages::metrics::page());
}

#[test]
fn the_search_language_page_is_up_to_date_and_has_every_field() {
    let page = pages::query::page();
    for field in center::query::fields::help() {
        assert!(page.contains(&format!("| `{}:`", field.name)), "{} is missing", field.name);
    }
    up_to_date("docs/reference/query.md", &page);
}

#[test]
fn the_policy_document_page_is_up_to_date_and_has_every_field() {
    let page = pages::policies::page();
    // The parser itself says which fields there are.
    let unknown = toml::from_str::<types::Policy>("no_such_field = 1").unwrap_err();
    let (_, known) = unknown.message().split_once("expected one of ").unwrap();
    assert!(known.contains("`override`"), "{known}");
    for field in known.split(", ") {
        assert!(page.contains(field), "{field} is missing");
    }
    up_to_date("docs/reference/policies.md", &page);
}

#[test]
fn the_log_page_is_up_to_date() {
    up_to_date("docs/reference/log.md", &pages::log::page());
}
