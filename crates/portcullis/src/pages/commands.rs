//! The command line, as a page.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use crate::cli::{Arguments, Exit};

/// The page `docs/reference/cli.md`.
pub fn page() -> String {
    let mut page = String::from("# Command line\n\n");
    page += &super::generated_from("crates/portcullis/src/cli/arguments");
    page += INTRODUCTION;
    page += "\n## Exit codes\n\n| code | meaning |\n|---|---|\n";
    for (exit, meaning) in Exit::ALL {
        let _ = writeln!(page, "| {} | {meaning} |", exit.code());
    }
    let mut root = Arguments::command().term_width(WIDTH).disable_help_subcommand(true);
    root.build();
    section(&mut page, &mut root, "");
    page
}

/// One command with all below it.
fn section(page: &mut String, command: &mut Command, above: &str) {
    let name = format!("{above}{}", command.get_name());
    let help = command.render_long_help().to_string();
    let _ = write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", trimmed(&help));
    let below: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for child in below {
        if let Some(child) = command.find_subcommand_mut(&child) {
            section(page, child, &format!("{name} "));
        }
    }
}

/// Help without blanks at line ends.
fn trimmed(help: &str) -> String {
    help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// Columns of the page.
const WIDTH: usize = 100;

const INTRODUCTION: &str = "Commands are nouns, then verbs. Those that look at or change a running server reach it through the socket
`control.sock` in its data folder, so they must be run as root or as the service's user; `--data-dir` or `--config` says which
server is meant. `--json` prints one object, or one object per line for a list. Tables are for terminals: without one, lists are
tab-separated. Changes ask first at a terminal and need `--yes` without one.
";
