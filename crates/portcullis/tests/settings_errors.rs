//! What the settings say when something is wrong: the texts people read.

use std::path::Path;

use portcullis::settings::{self, Sources};

/// The problems of a text, one line each.
fn problems(text: &str) -> Vec<String> {
    let loaded = settings::load_text(Path::new("p.toml"), text);
    assert_eq!(loaded.has_errors(), loaded.settings.is_none());
    loaded.problems.iter().map(ToString::to_string).collect()
}

/// The problems of a text that protects a domain, so that only what is under
/// test is wrong.
fn check(text: &str, expected: &[&str]) {
    let domain = "\n[[domain]]\nname = \"corp.example\"\nnext_hop = [\"127.0.0.1:26\"]\n";
    assert_eq!(problems(&format!("{text}{domain}")), expected, "{text}");
}

#[test]
fn values_are_refused_with_their_line_and_an_example() {
    check(
        "[smtp]\nidle_timeout = 600",
        &["p.toml:2: smtp.idle_timeout: needs a unit: write \"600s\" if that is what is meant"],
    );
    check(
        "[smtp]\nmessage_size_max = \"25 MB\"",
        &[
            "p.toml:2: smtp.message_size_max: \"25 MB\" is not a size, such as \"25MB\" or \"64KiB\"",
        ],
    );
    check(
        "[smtp]\nrecipients_max = \"many\"",
        &["p.toml:2: smtp.recipients_max: must be a whole number, such as 100, not a text"],
    );
    check(
        "[smtp]\nrecipients_max = 0",
        &["p.toml:2: smtp.recipients_max: must be between 1 and 50000"],
    );
    check("[log]\nformat = \"xml\"", &["p.toml:2: log.format: \"xml\" is not one of json, text"]);
    check("config_version = 2", &["p.toml:1: config_version: must be between 1 and 1"]);
}

#[test]
fn unknown_keys_are_refused_with_a_suggestion() {
    check(
        "[smtp]\nidle_timeot = \"5m\"",
        &["p.toml:2: smtp.idle_timeot: unknown setting; did you mean smtp.idle_timeout?"],
    );
    check("[smtp]\n\"a.b\" = 1", &["p.toml:2: smtp.\"a.b\": unknown setting"]);
    check(
        "[smtp.listener]\nlisten = \"[::]:25\"",
        &[
            "p.toml:2: smtp.listener.listen: is a table that can be repeated: write [[smtp.listener]]",
        ],
    );
}

#[test]
fn what_comes_later_is_not_silently_accepted() {
    check(
        "[store]\nstate = \"postgres://db/p\"\nsegments = \"s3://bucket/prefix\"",
        &[
            "p.toml:2: store.state: a PostgreSQL store is not available in this version",
            "p.toml:3: store.segments: an S3-compatible object store is not available in this version",
        ],
    );
}

#[test]
fn an_outbound_listener_is_never_an_open_relay() {
    let listener = "[[domain]]\nname = \"a.example\"\nnext_hop = [\"mx\"]\n\
                    [[smtp.listener]]\nlisten = \"127.0.0.1:26\"\n";
    let with = |lines: &str| format!("{listener}{lines}");
    check(&with("role = \"outbound\"\nallow_from = [\"192.0.2.0/28\", \"2001:db8::/32\"]"), &[]);
    check(
        &with("role = \"outbound\""),
        &[
            "p.toml:6: smtp.listener.0.role: an outbound listener needs allow_from, the networks of your own servers, or auth = true",
        ],
    );
    check(
        &with("allow_from = [\"192.0.2.0/28\"]"),
        &[
            "p.toml:6: smtp.listener.0.allow_from: is for an outbound listener: anybody may bring mail for your domains",
        ],
    );
    for net in ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3"] {
        check(
            &with(&format!("role = \"outbound\"\nallow_from = [\"{net}\"]")),
            &[&format!(
                "p.toml:7: smtp.listener.0.allow_from: {net} is more than anybody's own network (at least /8, or /19 of IPv6): this would be an open relay"
            )],
        );
    }
}

#[test]
fn passwords_are_taken_inside_tls_on_outbound_listeners_alone() {
    let listener = "[[domain]]\nname = \"a.example\"\nnext_hop = [\"mx\"]\n\
                    [[smtp.listener]]\nlisten = \"127.0.0.1:26\"\n";
    let with = |lines: &str| format!("{listener}{lines}");
    check(
        &with("auth = true"),
        &[
            "p.toml:6: smtp.listener.0.auth: is for an outbound listener: nobody authenticates to bring mail for your domains",
        ],
    );
    check(
        &with("role = \"outbound\"\nauth = true\n[smtp.tls]\nenabled = false"),
        &[
            "p.toml:7: smtp.listener.0.auth: passwords are taken inside TLS alone, and smtp.tls.enabled is false",
        ],
    );
    check(
        &with("role = \"outbound\"\nauth = true"),
        &[
            "p.toml:7: smtp.listener.0.auth: needs smtp.tls.certificate_file and key_file: behind the certificate that is made at first start, no client can tell this server from one that wants its password",
        ],
    );
}

#[test]
fn the_key_to_a_zone_belongs_into_a_file_of_its_own() {
    check(
        "[[list]]\nname = \"bl.example\"\nzone = \"0123456789abcdefghijklmnop.bl.example\"",
        &[
            "p.toml:3: warning: list.0.zone: seems to begin with an access key, which `config show` shows; write it into a file of its own and name that as zone_key_file",
        ],
    );
    check("[[list]]\nname = \"bl.example\"\nzone = \"the-longest-name-of-a-zone.example\"", &[]);
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    check(
        &format!("[[list]]\nname = \"b.example\"\nfile = {key:?}\nzone_key_file = {key:?}"),
        &["p.toml:4: list.0.zone_key_file: is for a list that is a zone"],
    );
}

#[test]
fn a_list_that_is_permitted_is_one_of_good_clients() {
    let list = "[[list]]\nname = \"good.example\"\n";
    check(&format!("{list}permitted = true\npermitted_answers = [\"127.0.0.0/16\"]"), &[]);
    check(
        &format!("{list}permitted = true"),
        &[
            "p.toml:3: list.0.permitted: needs permitted_answers, which say by which answers the zone means a good client",
        ],
    );
    check(
        &format!("{list}permitted_answers = [\"127.0.0.0/16\"]"),
        &["p.toml:3: list.0.permitted_answers: is for a list with permitted = true"],
    );
    for zone in ["", "zone = \"zen.dq.spamhaus.net\"\n"] {
        let name = if zone.is_empty() { "zen.spamhaus.org" } else { "mine.example" };
        let line = 3 + zone.lines().count();
        let problem = format!(
            "p.toml:{line}: list.0.permitted: permits whoever is on this list, which is one of unwanted mail"
        );
        let list = format!("[[list]]\nname = \"{name}\"\n{zone}permitted = true");
        check(&list, &[problem.as_str()]);
    }
}

#[test]
fn certificates_of_clients_are_shown_inside_tls_alone() {
    let off = "[smtp.tls]\nenabled = false\n";
    let text =
        "is not looked at: smtp.tls.enabled is false, and a certificate is shown inside TLS alone";
    let problem = |line, key: &str| format!("p.toml:{line}: warning: smtp.tls.{key}: {text}");
    let (file, asked) = (problem(4, "client_ca_file"), problem(3, "client_certificates"));
    check(
        &format!("{off}client_certificates = \"ask\"\nclient_ca_file = \"/dev/null\""),
        &[file.as_str(), asked.as_str()],
    );
    check(off, &[]);
}

#[test]
fn a_domain_named_twice_names_both_places() {
    let domain = |name: &str| format!("[[domain]]\nname = \"{name}\"\nnext_hop = [\"mx\"]\n");
    assert_eq!(
        problems(&(domain("corp.example") + &domain("Corp.Example"))),
        ["p.toml:5: domain.1.name: corp.example is named twice, also at p.toml:2"]
    );
}

#[test]
fn what_is_missing_in_a_table_is_named_at_its_place() {
    assert_eq!(
        problems("\n[[domain]]\nrecipients = \"accept_all\"\n"),
        [
            "p.toml:3: domain.0.name: must be given, such as name = \"corp.example\"",
            "p.toml:3: domain.0.next_hop: must be given, such as next_hop = [\"mx-internal.corp.example:25\"]",
        ]
    );
}

#[test]
fn what_no_server_could_use_is_refused() {
    check(
        "[server]\nhostname = \"mx_1\"",
        &[
            "p.toml:2: server.hostname: \"mx_1\" is not a host name of letters, digits and hyphens, \
           such as \"mx1.corp.example\"",
        ],
    );
    let port = "nothing can be reached at port 0; mail is taken at 25 as a rule";
    for hop in ["mail.corp.example:0", "192.0.2.1:0", "[2001:db8::1]:0"] {
        assert_eq!(
            problems(&format!("[[domain]]\nname = \"a.example\"\nnext_hop = [\"{hop}\"]\n")),
            [format!("p.toml:3: domain.0.next_hop: {port}")],
            "{hop}"
        );
    }
    check(
        "[delivery]\nbounce_hop = [\"mail.corp.example:0\"]",
        &[&format!("p.toml:2: delivery.bounce_hop: {port}")],
    );
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    check(
        "[greylist]\nretry_after = \"2h\"\nretry_within = \"1h\"",
        &[
            "p.toml:2: greylist.retry_after: must be shorter than greylist.retry_within, or no retry ever passes",
        ],
    );
    check(
        "[smtp.tls]\ncertificate_file = \"/dev/null\"",
        &["p.toml:2: smtp.tls.certificate_file: needs smtp.tls.key_file beside it"],
    );
    check(
        "[delivery]\nexpire_after = \"1h\"",
        &[
            "warning: delivery.retry_schedule: the last tries come after delivery.expire_after and are never made",
        ],
    );
    check(
        "[http]\nlisten = \"0.0.0.0:8080\"",
        &["p.toml:2: http.listen: 0.0.0.0:8080 is not a loopback address: name a certificate in \
           [http.tls], or the proxy in front as http.trusted_proxy"],
    );
}

#[test]
fn a_sign_in_service_needs_what_people_come_back_with() {
    check(
        "[sign_in]\nissuer = \"https://id.corp.example\"\notherwise_role = \"viewer\"",
        &[
            "sign_in.client_id: is missing: it says who this gateway is there",
            "p.toml:2: sign_in.issuer: needs server.public_url: people come back from the service \
             to that address",
            "p.toml:3: warning: sign_in.otherwise_role: everybody whom the service knows gets an \
             account with the role viewer, whatever their groups; with sign_in.newcomers = \
             \"refused\" only whom you know",
        ],
    );
    check(
        "[sign_in]\nclient_secret = \"hunter2\"",
        &["p.toml:2: sign_in.client_secret: is taken from the variable \
           PORTCULLIS_SIGN_IN__CLIENT_SECRET only; write it into a file of its own and name that \
           as sign_in.client_secret_file"],
    );
    check(
        "[sign_in]\nclient_id = \"portcullis\"",
        &["warning: sign_in.issuer: is missing, so nobody signs in by a service"],
    );
    check(
        "[[sign_in.group]]\ngroup = \"x\"\nrole = \"Owner of all\"",
        &["p.toml:3: sign_in.group.0.role: \"Owner of all\" is not a role, such as \"viewer\""],
    );
}

#[test]
fn a_server_without_a_domain_is_warned_about() {
    assert_eq!(
        problems(""),
        ["warning: domain: no domain is set up, so mail for anybody is refused; add a [[domain]]"]
    );
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let problems = problems("[server]\npolicy_file = \"/nonexistent/policy.toml\"");
    assert!(
        problems[0]
            .starts_with("p.toml:2: server.policy_file: cannot read /nonexistent/policy.toml: "),
        "{problems:?}"
    );
    let sources = Sources { file: Some("/nonexistent/p.toml".into()), ..Sources::default() };
    let loaded = settings::load(&sources);
    assert!(loaded.problems[0].to_string().starts_with("cannot read /nonexistent/p.toml: "));
    assert!(loaded.settings.is_none());
}

#[test]
fn folders_are_read_in_name_order_and_variables_win() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("p.toml");
    let more = folder.path().join("conf.d");
    std::fs::create_dir(&more).unwrap();
    std::fs::write(&main, "[smtp]\nrecipients_max = 100\nidle_timeout = \"1m\"\n").unwrap();
    std::fs::write(more.join("20.toml"), "[smtp]\nidle_timeout = \"3m\"\n").unwrap();
    std::fs::write(more.join("10.toml"), "[smtp]\nidle_timeout = \"2m\"\n").unwrap();
    std::fs::write(more.join("30.toml.off"), "this is = = no toml").unwrap();
    let variables = vec![("PORTCULLIS_SMTP__RECIPIENTS_MAX".to_owned(), "500".to_owned())];
    let loaded = settings::load(&Sources { file: Some(main), variables, options: Vec::new() });
    let settings = loaded.settings.unwrap();
    assert_eq!(settings.smtp.idle_timeout.as_secs(), 180);
    assert_eq!(settings.smtp.recipients_max, 500);
    assert_eq!(loaded.files.len(), 3);
}

#[test]
fn a_server_is_found_by_settings_that_it_would_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.toml");
    let found = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let sources = Sources { file: Some(file.clone()), ..Sources::default() };
        assert!(settings::load(&sources).has_errors() || text.is_empty(), "{text}");
        settings::data_folder(&sources)
    };
    let named = Some("/srv/mail".into());
    let server = "[server]\nhostname = \"mx.corp.example\"\ndata_dir = \"/srv/mail\"\n";
    assert_eq!(found(&format!("{server}[smtp]\nidle_timeout = 600\n")), named);
    assert_eq!(found(&format!("{server}[smtp]\nidle_timeout = = 600\n")), named);
    assert_eq!(found("[server]\ndata_dir = 7\n"), None, "no path");
    assert!(found("").is_some(), "what is not named has its default");
    std::fs::remove_file(&file).unwrap();
    let sources = Sources { file: Some(file.clone()), ..Sources::default() };
    assert_eq!(settings::data_folder(&sources), None, "there is no such file");
}
