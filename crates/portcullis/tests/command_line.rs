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
fn a_policy_file_that_names_systems_that_no_file_knows_is_warned_of() {
    let folder = folder(&GOOD.replace("[server]\n", "[server]\npolicy_file = \"policies.toml\"\n"));
    let policies = "[[definition]]\nname = \"One\"\n[definition.set.geographical_restriction]\n\
                    action = \"permit\"\nnetworks = [64500]\n";
    std::fs::write(folder.path().join("policies.toml"), policies).unwrap();
    let checked = run(&["check-config", "--config", "p.toml"], folder.path());
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    assert!(text(&checked.stdout).contains("nobody is restricted by them"), "{checked:?}");
}

#[test]
fn a_policy_file_that_weighs_a_permitted_list_is_warned_of() {
    let settings = GOOD.replace("[server]\n", "[server]\npolicy_file = \"policies.toml\"\n");
    let settings = settings
        + "[[list]]\nname = \"good.example\"\npermitted = true\npermitted_answers = [\"127.0.0.2\"]\n";
    let folder = folder(&settings);
    let check = |more: &str| {
        let policies = format!(
            "[[definition]]\nname = \"Lists\"\n[definition.set.reputation]\n\
             lists = [{{ list = \"good.example\" }}]\n{more}"
        );
        std::fs::write(folder.path().join("policies.toml"), policies).unwrap();
        let checked = run(&["check-config", "--config", "p.toml"], folder.path());
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
        text(&checked.stdout)
    };
    let said = check("");
    assert!(said.contains("\"Lists\" weighs good.example against clients"), "{said}");
    assert!(!check("global_permitted_list = false\n").contains("good.example"));
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
fn a_sign_in_service_is_looked_at_and_asked_where_that_is_wanted() {
    let service = |issuer: &str| {
        let server = "[server]\npublic_url = \"https://gate.corp.example\"\n";
        format!(
            "{}[sign_in]\nissuer = \"{issuer}\"\nclient_id = \"p\"\notherwise_role = \"viewer\"\n",
            GOOD.replace("[server]\n", server)
        )
    };
    let checked = |settings: &str, online: &[&str]| {
        let folder = folder(settings);
        let words = [&["check-config", "--config", "p.toml"], online].concat();
        text(&run(&words, folder.path()).stdout)
    };
    let open = checked(&service("http://id.corp.example"), &[]);
    assert!(open.contains("sign_in.issuer: an issuer is an https:// address"), "{open}");
    let here = service("http://127.0.0.1:1");
    let all = checked(&here, &[]);
    assert!(all.contains("sign_in.otherwise_role: everybody whom the service knows"), "{all}");
    let known = format!("{here}newcomers = \"refused\"\n");
    assert!(!checked(&known, &[]).contains("sign_in"));
    let gone = checked(&here, &["--online"]);
    assert!(gone.contains("sign_in.issuer: 127.0.0.1 cannot be reached"), "{gone}");
}

#[test]
fn lists_and_databases_that_cannot_be_used_are_named() {
    let more = "[[list]]\nname = \"bad.example\"\nfile = \"bad.txt\"\n\
                [geo]\ndatabase = [\"places.mmdb\"]\n";
    let bad = folder(&format!("{GOOD}{more}"));
    std::fs::write(bad.path().join("bad.txt"), "192.0.2.1\n192.0.2.999\n").unwrap();
    std::fs::write(bad.path().join("places.mmdb"), "nothing").unwrap();
    let checked = run(&["check-config", "--config", "p.toml"], bad.path());
    assert_eq!(checked.status.code(), Some(1));
    let said = text(&checked.stdout);
    assert!(said.contains("list.0.file: bad.txt:2: \"192.0.2.999\" is no address"), "{said}");
    assert!(said.contains("geo.database: places.mmdb is no database of places"), "{said}");
}

#[test]
fn a_map_of_places_is_imported_and_shown() {
    let folder = folder(GOOD);
    let file = "2|ripencc|1764457199|2|19830705|20261129|+0100\n\
                ripencc|DE|ipv4|192.0.2.0|256|20200101|allocated|x\n\
                ripencc|NL|ipv6|2001:db8::|32|20200101|allocated|z\n";
    std::fs::write(folder.path().join("delegated"), file).unwrap();
    std::fs::write(folder.path().join("page.html"), "<html>\n").unwrap();
    let geo = |arguments: &[&str]| {
        let options = ["--config", "p.toml", "--yes"];
        run(&[&["geo"][..], arguments, &options].concat(), folder.path())
    };
    let none = geo(&["show", "192.0.2.1"]);
    assert_eq!(none.status.code(), Some(3), "{none:?}");
    let refused = geo(&["import", "delegated", "page.html"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("page.html:1: \"<html>\" is no record"), "{refused:?}");
    let imported = geo(&["import", "delegated"]);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    let shown = geo(&["show", "192.0.2.1", "2001:db8::1", "198.51.100.1"]);
    let shown = text(&shown.stdout);
    let rows: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split('\t').take(2).collect()).collect();
    assert_eq!(rows[0], ["Address", "Country"], "every table has its heads");
    assert_eq!(rows[1..], [["192.0.2.1", "DE"], ["2001:db8::1", "NL"], ["198.51.100.1", ""]]);
    assert!(shown.contains("places.map"), "{shown}");
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
fn failures_are_json_where_json_is_asked_for() {
    let folder = folder(GOOD);
    for (arguments, kind, code) in [
        (&["status", "--json", "--data-dir", "nowhere"][..], "not_running", 4),
        (&["--json", "no-such-command"], "usage", 2),
        (&["trace", "--limit", "0", "--json"], "usage", 2),
        (&["config", "help", "smtp.idle_timeot", "--json"], "not_found", 3),
    ] {
        let output = run(arguments, folder.path());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        let said: serde_json::Value = serde_json::from_str(text(&output.stderr).trim()).unwrap();
        assert_eq!((&said["type"], &said["exit"]), (&kind.into(), &code.into()), "{said}");
        assert!(said["detail"].as_str().unwrap().len() > 10, "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn what_is_typed_wrongly_is_said_without_the_server() {
    let folder = folder(GOOD);
    for (arguments, part) in [
        (&["senders", "add", "permit", "a b", "bob@corp.example"][..], "sender \"a b\""),
        (&["senders", "add", "permit", "a.b", "bob"], "recipient \"bob\""),
        (
            &["senders", "add", "permit", "a.b", "b@c.d", "--until", "tomorrow"],
            "--until \"tomorrow\"",
        ),
        (&["senders", "add", "allow", "a.b", "b@c.d"], "permit, block, disabled"),
        (&["group", "add", "Team", "a@b@c"], "member \"a@b@c\""),
    ] {
        let arguments = [arguments, &["--yes", "--data-dir", "nowhere"]].concat();
        let output = run(&arguments, folder.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let said = text(&output.stderr);
        assert!(said.contains(part) && !said.contains("at line"), "{said}");
    }
}

#[test]
fn one_policy_is_checked_in_the_form_that_adds_it() {
    let folder = folder(GOOD);
    let bare = "narrative = \"No x\"\noption = { type = \"blocked_senders\", set = \"block\" }\n\
                from = { domain = \"x.example\" }\n";
    std::fs::write(folder.path().join("bare.toml"), bare).unwrap();
    std::fs::write(folder.path().join("document.toml"), format!("[[policy]]\n{bare}")).unwrap();
    for file in ["bare.toml", "document.toml"] {
        let checked = run(&["policy", "check", file, "--config", "p.toml"], folder.path());
        assert_eq!(checked.status.code(), Some(0), "{file}: {checked:?}");
    }
    std::fs::write(folder.path().join("bare.toml"), bare.replace("No x", " ")).unwrap();
    let checked = run(&["policy", "check", "bare.toml", "--config", "p.toml"], folder.path());
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    assert!(text(&checked.stdout).contains("it has no narrative"), "{checked:?}");
}

/// Somebody who greets with this line, `connections` times; the address.
fn greeter(line: &'static str, connections: usize) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(connections) {
            let mut stream = stream.unwrap();
            std::io::Write::write_all(&mut stream, line.as_bytes()).unwrap();
            // Until the other side hangs up, so that what it says is read.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    address
}

#[test]
fn next_hops_and_resolvers_are_asked_where_that_is_wanted() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent_dns = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let dns = silent_dns.local_addr().unwrap();
    let settings = |hop: &str| {
        format!(
            "[server]\ndata_dir = \"data\"\n[dns]\nresolver = [\"{dns}\"]\ntimeout = \"100ms\"\n\
             [[domain]]\nname = \"corp.example\"\nnext_hop = [\"{hop}\"]\n"
        )
    };
    let check = |hop: &str| {
        let folder = folder(&settings(hop));
        let offline = run(&["check-config", "--config", "p.toml"], folder.path());
        assert_eq!(offline.status.code(), Some(0), "{offline:?}");
        let online = run(&["check-config", "--online", "--config", "p.toml"], folder.path());
        assert_eq!(online.status.code(), Some(1), "the resolver is silent: {online:?}");
        text(&online.stdout)
    };
    let good = greeter("220 hop.example ESMTP\r\n", 1);
    let said = check(&good.to_string());
    assert!(said.contains(&format!("{good} greets: 220 hop.example ESMTP\n")), "{said}");
    assert!(said.contains(&format!("dns.resolver: {dns} does not answer")), "{said}");
    assert!(!said.contains("domain.0.next_hop"), "{said}");
    let closed = greeter("554 5.3.2 not today\r\n", 1);
    assert!(check(&closed.to_string()).contains("domain.0.next_hop"));
    let said = check(&nobody.to_string());
    assert!(said.contains("domain.0.next_hop") && said.contains("refused"), "{said}");
}

#[test]
fn a_settings_file_of_an_older_format_is_migrated_beside() {
    let folder = folder(GOOD);
    let migrated = run(&["config", "migrate", "p.toml"], folder.path());
    assert_eq!(migrated.status.code(), Some(0), "{migrated:?}");
    let checked = run(&["check-config", "--config", "p.toml.new"], folder.path());
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let again = run(&["config", "migrate", "p.toml"], folder.path());
    assert_eq!(again.status.code(), Some(5), "{again:?}");
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
