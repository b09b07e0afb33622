//! Lists and places in the running program: read again when their files
//! change, and told of in log, status and metrics.

use std::time::Duration;

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
