//! The built binary: what it prints and how it ends.

// `cfg(test)` tells the lints that all of it is test.
#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary away from any real settings.
fn run(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).current_dir(folder).env_clear();
    command.output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// A folder with this settings file.
fn folder(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.toml"), settings).unwrap();
    folder
}

const GOOD: &str = "[server]\ndata_dir = \"data\"\n\n[[domain]]\nname = \"corp.example\"\nnext_hop = [\"127.0.0.1:26\"]\n";

#[test]
fn good_settings_pass_and_warnings_fail_only_when_strict() {
    let good = folder(GOOD);
    let checked = run(&["check-config", "--config", "p.toml"], good.path());
    assert_eq!(checked.status.code(), Some(0));
    assert_eq!(text(&checked.stdout), "the settings are fine (p.toml)\n");
    let none = folder("");
    let checked = run(&["check-config", "--config", "p.toml"], none.path());
    assert_eq!(checked.status.code(), Some(0));
    assert!(text(&checked.stdout).contains("no domain is set up"), "{checked:?}");
    let strict = run(&["check-config", "--strict", "--config", "p.toml"], none.path());
    assert_eq!(strict.status.code(), Some(2));
}

#[test]
fn bad_settings_fail_with_every_problem_in_both_commands() {
    let bad = folder("[smtp]\nidle_timeot = \"5m\"\nrecipients_max = \"many\"\n");
    for arguments in [
        &["check-config", "--config", "p.toml"][..],
        &["serve", "--check-config", "--config", "p.toml"],
    ] {
        let checked = run(arguments, bad.path());
        assert_eq!(checked.status.code(), Some(1));
        assert_eq!(
            text(&checked.stdout),
            "p.toml:2: smtp.idle_timeot: unknown setting; did you mean smtp.idle_timeout?\n\
             p.toml:3: smtp.recipients_max: must be a whole number, such as 100, not a text\n\
             2 errors, 0 warnings (p.toml)\n"
        );
    }
    let json = run(&["check-config", "--json", "--config", "p.toml"], bad.path());
    let rows: Vec<serde_json::Value> =
        text(&json.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0]["origin"], "p.toml:2");
    assert_eq!(rows[1]["severity"], "error");
    let served = run(&["serve", "--config", "p.toml"], bad.path());
    assert_eq!(served.status.code(), Some(1));
    assert!(text(&served.stderr).starts_with("portcullis: p.toml:2: "), "{served:?}");
}

#[test]
fn files_that_the_settings_name_are_read_too() {
    let bad = folder(&format!("{GOOD}directory_file = \"people.txt\"\n"));
    std::fs::write(bad.path().join("people.txt"), "ann\nbob@other.example\n").unwrap();
    let checked = run(&["check-config", "--config", "p.toml"], bad.path());
    assert_eq!(checked.status.code(), Some(1));
    let said = text(&checked.stdout);
    assert!(said.contains("domain.0.directory_file: people.txt:2: "), "{said}");
    let bad = folder(&GOOD.replace("[server]\n", "[server]\npolicy_file = \"policy.toml\"\n"));
    std::fs::write(bad.path().join("policy.toml"), "[[policy]]\nnarrative = 1\n").unwrap();
    let checked = run(&["check-config", "--config", "p.toml"], bad.path());
    assert_eq!(checked.status.code(), Some(1));
    let said = text(&checked.stdout);
    assert!(said.contains("server.policy_file: policy.toml:"), "{said}");
}

#[test]
fn the_settings_in_force_are_shown_with_their_places() {
    let folder = folder(GOOD);
    let arguments = ["config", "show", "--changed", "--origin", "--config", "p.toml"];
    let shown = run(&arguments, folder.path());
    assert_eq!(
        text(&shown.stdout),
        "server.data_dir = \"data\"  # p.toml:2\n\
         domain.0.name = \"corp.example\"  # p.toml:5\n\
         domain.0.next_hop = [\"127.0.0.1:26\"]  # p.toml:6\n"
    );
    let help = run(&["config", "help", "smtp.idle_timeot"], folder.path());
    assert_eq!(help.status.code(), Some(3));
    assert_eq!(
        text(&help.stderr),
        "portcullis: smtp.idle_timeot is no setting; did you mean smtp.idle_timeout?\n"
    );
}

#[test]
fn commands_for_a_server_say_that_none_runs() {
    let folder = folder(GOOD);
    for arguments in [&["status"][..], &["trace"], &["queue", "list"], &["why", "ABCDEFGHJKMN"]] {
        let arguments = [arguments, &["--data-dir", "nowhere"]].concat();
        let output = run(&arguments, folder.path());
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {output:?}");
        assert!(text(&output.stderr).contains("the server is not running"), "{output:?}");
    }
}

#[test]
fn wrong_usage_is_told_apart() {
    let folder = folder("");
    assert_eq!(run(&["no-such-command"], folder.path()).status.code(), Some(2));
    assert_eq!(run(&["queue", "hold"], folder.path()).status.code(), Some(2));
}

#[test]
fn completions_are_made_for_every_shell() {
    let folder = folder("");
    for shell in ["bash", "zsh", "fish"] {
        let made = run(&["completions", shell], folder.path());
        assert!(made.status.success() && text(&made.stdout).contains("check-config"), "{shell}");
    }
}
