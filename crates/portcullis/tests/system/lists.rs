//! Lists and places in the running program: read again when their files
//! change, and told of in log, status and metrics.

use std::time::Duration;

use testkit::{DnsServer, DnsTable};

use crate::client::Client;
use crate::gateway::{BOB, Gateway};
use crate::sink::Sink;
use crate::waiting::wait_for;

const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";
/// Files are looked at every ten seconds.
const REREAD: Duration = Duration::from_secs(30);

const POLICIES: &str = r#"
[[policy]]
narrative = "Ask lists"
option = { type = "reputation", set = { apply = "Lists" } }

[[definition]]
name = "Lists"
[definition.set.reputation]
lists = [
    { list = "mine.example", of = "sender_domain" },
    { list = "empty.example", of = "sender_domain" },
]
"#;

fn code_of(gateway: &Gateway, from: &str) -> u16 {
    let mut client = Client::hello(gateway.smtp).unwrap();
    client.deliver(from, BOB, LETTER).unwrap().code
}

#[test]
fn lists_and_places_are_read_again_and_told_of() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "");
    gateway.write("bad.txt", "spam.example\n");
    gateway.write("policy.toml", POLICIES);
    let list = gateway.path("bad.txt");
    gateway.write_settings(&format!("[[list]]\nname = \"mine.example\"\nfile = {list:?}\n"));
    let gateway = gateway.start();
    assert_eq!(code_of(&gateway, "eve@spam.example"), 550);
    assert_eq!(code_of(&gateway, "eve@other.example"), 451, "greylisted like anybody");

    // The name server knows no names, so that the other list has no test entry.
    gateway.wait_logged("list_suspended");
    let status = gateway.ask(&["status"]);
    assert!(status.out.contains("empty.example is suspended since"), "{}", status.out);
    assert_eq!(status.code, 0, "mail is taken all the same");
    let (_, metrics) = gateway.get(gateway.metrics, "/metrics").unwrap();
    for line in [
        "portcullis_list_up{list=\"empty.example\"} 0",
        "portcullis_list_up{list=\"mine.example\"} 1",
        "portcullis_list_answers_total{list=\"mine.example\",result=\"listed\"} 1",
        "portcullis_list_entries{list=\"mine.example\"} 1",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} in {metrics}");
    }
    let rows = gateway.trace("zone:mine.example");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["lists"][0], &rows[0]["reason"]),
        (&"mine.example".into(), &"rbl.listed".into())
    );

    assert_eq!(rows[0]["spf"], "none", "{:#}", rows[0]);

    gateway.write("bad.txt", "other.example\n");
    gateway.write("delegated", "x|XA|ipv4|127.0.0.0|256|20200101|allocated\n");
    let file = gateway.path("delegated").display().to_string();
    let imported = gateway.ask(&["--yes", "geo", "import", &file]);
    assert_eq!(imported.code, 0, "{}", imported.err);
    wait_for(REREAD, "the new list counts", || {
        (code_of(&gateway, "eve@other.example") == 550).then_some(())
    });
    wait_for(REREAD, "the new map counts", || {
        code_of(&gateway, "eve@other.example");
        (!gateway.trace("geo:XA").is_empty()).then_some(())
    });
    let status = gateway.ask(&["status"]);
    assert!(status.out.contains("places.map is "), "{}", status.out);

    // One that is broken leaves the old content, and is told of.
    gateway.write("data/geo/places.map", "rubbish\n");
    wait_for(REREAD, "the broken map is told of", || {
        let status = gateway.ask(&["status"]);
        status.out.contains("places.map cannot be used; what was read").then_some(())
    });
    assert_eq!(gateway.ask(&["check-config"]).code, 1, "nor is it fit for a start");
    code_of(&gateway, "eve@broken.example");
    assert_eq!(gateway.trace("geo:XA from:broken.example").len(), 1);
    gateway.write("bad.txt", "192.0.2.999\n");
    let told = "the file of mine.example cannot be used; what was read of it before counts on";
    wait_for(REREAD, "the broken list is told of", || {
        let status = gateway.ask_json(&["status"]).remove(0);
        let checks = status["checks"].as_array().unwrap().clone();
        let says = |text: &serde_json::Value| text.as_str().is_some_and(|text| text.contains(told));
        checks.iter().any(|check| says(&check["text"]) && check["ok"] == false).then_some(())
    });
    assert!(gateway.ask(&["status"]).out.contains(told));
    assert_eq!(code_of(&gateway, "eve@other.example"), 550, "the old content counts");
    gateway.audit_conservation();
}

/// A list that answers nothing but that it refuses us is told of everywhere an
/// administrator looks, also while another question has an answer.
#[test]
fn a_list_that_refuses_us_is_told_of() {
    let refused = "127.255.255.254".parse().unwrap();
    let table = DnsTable::new().address("spam.example.mine.example", refused);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(DnsServer::start(table)).unwrap();
    let settings = format!(
        "[dns]\nresolver = [\"{}\"]\n[[list]]\nname = \"mine.example\"\ntest_entries = false\n",
        server.at()
    );
    let gateway = Gateway::before(&Sink::start(), &settings);
    gateway.write("policy.toml", POLICIES);
    let gateway = gateway.start();
    for from in ["eve@spam.example", "eve@other.example"] {
        assert_eq!(code_of(&gateway, from), 451, "a refusal is no listing");
    }
    let told = "mine.example refuses us: 127.255.255.254 (asked through a public resolver)";
    gateway.wait_logged("list_refuses");
    assert!(gateway.log().contains(told), "{}", gateway.log());
    let status = gateway.ask(&["status"]);
    assert!(status.out.contains(&format!("{told}, once since ")), "{}", status.out);
    let (_, metrics) = gateway.get(gateway.metrics, "/metrics").unwrap();
    for line in [
        "portcullis_list_up{list=\"mine.example\"} 0",
        "portcullis_list_refuses{list=\"mine.example\",why=\"public_resolver\"} 1",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} in {metrics}");
    }
    let rows = gateway.trace("from:eve@spam.example");
    let why = gateway.ask(&["why", rows[0]["ref"].as_str().unwrap()]).out;
    assert!(why.contains("refuses us: 127.255.255.254"), "{why}");
    gateway.audit_conservation();
}

const KEY: &str = "k3y0f0ur0wn0acc0unt0xyz";

/// The key to a zone is asked with and stands nowhere, not even where the list
/// itself repeats it; a new one counts after a reload.
#[test]
fn the_key_to_a_zone_is_shown_to_nobody() {
    let listed = format!("spam.example.{KEY}.dq.mine.example");
    let table = DnsTable::new()
        .address(&listed, "127.0.0.2".parse().unwrap())
        .txt(&listed, &format!("see https://mine.example/?q={listed}"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(DnsServer::start(table)).unwrap();
    let dns = format!("[dns]\nresolver = [\"{}\"]\n", server.at());
    let gateway = Gateway::before(&Sink::start(), &dns);
    gateway.write("policy.toml", POLICIES);
    gateway.write("list.key", &format!("{}\n", KEY.to_ascii_uppercase()));
    gateway.write_settings(&format!(
        "[[list]]\nname = \"mine.example\"\nzone = \"dq.mine.example\"\nzone_key_file = {:?}\n\
         test_entries = false\n",
        gateway.path("list.key")
    ));
    let gateway = gateway.start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    let reply = client.deliver("eve@spam.example", BOB, LETTER).unwrap();
    drop(client);
    assert_eq!(reply.code, 550, "{reply:?}");
    let rows = gateway.trace("zone:mine.example");
    let reference = rows[0]["ref"].as_str().unwrap();
    let (_, metrics) = gateway.get(gateway.metrics, "/metrics").unwrap();
    let mut shown = vec![format!("{reply:?}"), format!("{rows:?}"), gateway.log(), metrics];
    for order in [
        &["config", "show", "--origin"][..],
        &["check-config"],
        &["status"],
        &["why", reference],
        &["--json", "why", reference],
    ] {
        let said = gateway.ask(order);
        assert_eq!(said.code, 0, "{order:?}: {}", said.err);
        shown.extend([said.out, said.err]);
    }
    for text in shown {
        assert!(!text.to_ascii_lowercase().contains(KEY), "{text}");
    }

    gateway.write("list.key", "an0therkey");
    assert_eq!(gateway.ask(&["reload"]).code, 0);
    assert_eq!(code_of(&gateway, "eve@spam.example"), 451, "nothing is listed for that key");
    gateway.write("list.key", "no key at all");
    let said = gateway.ask(&["reload"]);
    assert!(said.code != 0 && said.out.contains("list.key is no key to a zone"), "{}", said.out);
    assert!(!said.out.contains("no key at all"), "{}", said.out);
    gateway.audit_conservation();
}

#[test]
fn files_that_cannot_be_used_do_not_keep_the_server_from_starting() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "");
    gateway.write("bad.txt", "spam.example\n192.0.2.999\n");
    gateway.write("places.mmdb", "nothing");
    gateway.write("policy.toml", POLICIES);
    let (list, places) = (gateway.path("bad.txt"), gateway.path("places.mmdb"));
    gateway.write_settings(&format!(
        "[[list]]\nname = \"mine.example\"\nfile = {list:?}\n[geo]\ndatabase = [{places:?}]\n"
    ));
    let gateway = gateway.start();
    assert_eq!(code_of(&gateway, "eve@spam.example"), 451, "half a list lists nobody");
    let status = gateway.ask(&["status"]);
    assert!(status.out.contains("the file of mine.example was not read"), "{}", status.out);
    assert!(status.out.contains("places.mmdb cannot be used"), "{}", status.out);
    assert_eq!(status.code, 0, "mail is taken all the same");
    gateway.wait_logged("work_failed");
    assert!(gateway.log().contains("bad.txt:2"), "{}", gateway.log());

    gateway.write("bad.txt", "spam.example\n");
    wait_for(REREAD, "the mended list counts", || {
        (code_of(&gateway, "eve@spam.example") == 550).then_some(())
    });
    gateway.audit_conservation();
}
