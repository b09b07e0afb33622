//! What an administrator does: start, reload, stop, and get it wrong.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustix::process::Signal;

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED, STRANGER};
use crate::sink::Sink;
use crate::waiting::{free_port, wait_for};

const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";
const SOON: Duration = Duration::from_secs(20);
/// How long it takes at most that a file of recipients is read again.
const REREAD: Duration = Duration::from_secs(60);

#[test]
fn a_reload_takes_new_recipients_and_refuses_a_bad_file() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "").start();
    // A session from before goes on.
    let mut client = Client::hello(gateway.smtp).unwrap();
    let dora = "dora@corp.example";
    assert_eq!(client.deliver(PERMITTED, dora, LETTER).unwrap().code, 550);

    gateway.write("recipients.txt", "bob\ndora\n");
    gateway.signal(Signal::HUP);
    gateway.wait_logged("reloaded");
    wait_for(REREAD, "the file is taken", || {
        let shown = gateway.ask(&["recipients", "show", dora]);
        shown.out.contains("the address exists").then_some(())
    });
    assert_eq!(client.deliver(PERMITTED, dora, LETTER).unwrap().code, 250);
    // What is left of an export that failed is not, unless somebody says so.
    gateway.write("recipients.txt", "");
    assert_eq!(gateway.ask(&["reload"]).code, 0);
    assert_eq!(client.deliver(PERMITTED, dora, LETTER).unwrap().code, 250);
    let said = gateway.ask(&["--yes", "recipients", "accept-file", "corp.example"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(client.deliver(PERMITTED, dora, LETTER).unwrap().code, 550);
    gateway.write("recipients.txt", "bob\ndora\n");
    let said = gateway.ask(&["--yes", "recipients", "accept-file", "corp.example"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);

    gateway.write_settings("[smtp]\nno_such_setting = 1");
    gateway.signal(Signal::HUP);
    gateway.wait_logged("reload_refused");
    assert!(gateway.log().contains("smtp.no_such_setting"), "the log names the mistake");
    assert_eq!(client.deliver(PERMITTED, dora, LETTER).unwrap().code, 250);

    gateway.write_settings("");
    let said = gateway.ask(&["reload"]);
    assert_eq!(said.code, 0, "{}", said.err);

    // What needs a restart is said by the command itself, as long as it does.
    for _ in 0..2 {
        gateway.write_settings("[retention]\nmetadata = \"8d\"");
        let said = gateway.ask(&["reload"]);
        assert_eq!(said.code, 0, "{}", said.err);
        let text = "a restart is needed before these changes count: retention.metadata";
        assert!(said.out.contains(text), "{}", said.out);
    }
    let status = gateway.ask(&["status"]);
    assert!(status.out.contains("warn settings"), "{}", status.out);
    assert_eq!(status.code, 0, "mail is taken all the same");
}

/// A policy file that is in order beside a certificate that is not.
#[test]
fn a_reload_that_is_refused_leaves_the_policies_alone_too() {
    let gateway = Gateway::before(&Sink::start(), "").start();
    let key = gateway.data().join("tls/self-signed.key");
    let in_order = std::fs::read(&key).unwrap();
    let permitted = "[[group]]\nname = \"Permitted Senders\"\nmembers = [\"stranger.example\"]\n";
    gateway.write("policy.toml", permitted);
    std::fs::write(&key, "not a key").unwrap();
    let version = || gateway.log().matches("\"policy_file_applied\"").count();
    assert_eq!(version(), 1, "at the start");

    assert_ne!(gateway.ask(&["reload"]).code, 0);
    let mut client = Client::hello(gateway.smtp).unwrap();
    assert_eq!(client.deliver(STRANGER, BOB, LETTER).unwrap().code, 451, "nobody permits it");
    assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250, "as before");
    assert_eq!(version(), 1, "nothing is stored either");

    std::fs::write(&key, in_order).unwrap();
    let said = gateway.ask(&["reload"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let carla = "carla@corp.example";
    assert_eq!(client.deliver(STRANGER, carla, LETTER).unwrap().code, 250);
    assert_eq!(version(), 2);
}

#[test]
fn mail_for_a_dead_next_hop_says_so_and_goes_at_once_when_a_person_retries() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let gateway = Gateway::before_address(address, "[delivery]\nback_off_first = \"5m\"").start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    let accepted = client.deliver(PERMITTED, BOB, LETTER).unwrap();
    assert_eq!(accepted.code, 250);
    let why = wait_for(SOON, "the first try has failed", || {
        let listed = gateway.ask(&["queue", "list"]).out;
        listed.contains("try 1 at").then_some(listed)
    });
    for part in ["takes no connection", "refused", "left alone until", "next try"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let explained = gateway.ask(&["why", accepted.reference().unwrap()]).out;
    assert!(explained.contains("still in the queue"), "{explained}");
    assert!(explained.contains("portcullis queue retry"), "{explained}");
    let status = gateway.ask(&["status"]);
    assert!(
        status.out.contains(&format!("warn next_hops  {address} takes no connection")),
        "{}",
        status.out
    );
    assert_eq!((status.code, gateway.get(gateway.metrics, "/readyz").unwrap().0), (0, 200));

    let held = gateway.ask(&["queue", "hold", "--all", "--yes"]);
    assert_eq!(held.code, 0, "{}", held.err);
    let refused = gateway.ask(&["queue", "retry", "--all", "--yes"]);
    assert_eq!(refused.code, 5, "{}", refused.out);
    assert!(refused.out.contains("a release lets it go"), "{}", refused.out);

    let sink = Sink::start_at(address);
    let released = gateway.ask(&["queue", "release", "--all", "--yes"]);
    assert_eq!(released.code, 0, "{}{}", released.out, released.err);
    sink.wait(1, SOON);
    gateway.wait_queue_empty(SOON);
    let empty = gateway.ask(&["queue", "list"]);
    assert_eq!((empty.code, empty.out.as_str()), (0, ""));
    assert!(empty.err.contains("the queue is empty"), "{}", empty.err);
}

#[test]
fn settings_are_checked_before_a_start() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "");
    let said = gateway.ask(&["check-config"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    gateway.write_settings("[smtp]\nidle_timeot = \"5m\"");
    let said = gateway.ask(&["check-config"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    let text = said.out + &said.err;
    assert!(text.contains("did you mean smtp.idle_timeout?"), "{text}");
    let said = gateway.ask(&["serve"]);
    assert_ne!(said.code, 0);
    assert!((said.out + &said.err).contains("smtp.idle_timeot"));
}

#[test]
fn pages_beyond_loopback_are_refused() {
    let gateway = Gateway::before(&Sink::start(), "");
    let settings = std::fs::read_to_string(gateway.path("portcullis.toml")).unwrap();
    let port = gateway.http.port();
    let open = settings.replace(&gateway.http.to_string(), &format!("0.0.0.0:{port}"));
    gateway.write("portcullis.toml", &open);
    for verb in ["check-config", "serve"] {
        let said = gateway.ask(&[verb]);
        assert_ne!(said.code, 0, "{verb}");
        let text = said.out + &said.err;
        assert!(text.contains("http.listen") && text.contains("loopback"), "{verb}: {text}");
    }
}

#[test]
fn a_second_instance_on_one_data_folder_is_refused() {
    let sink = Sink::start();
    let first = Gateway::before(&sink, "").start();
    let second = Gateway::before(&sink, "");
    let said = second.ask(&["serve", "--data-dir", first.data().to_str().unwrap()]);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("in use by another instance"), "{}", said.err);
    // The first has not noticed.
    let mut client = Client::hello(first.smtp).unwrap();
    assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);
}

#[test]
fn an_open_transaction_is_finished_before_the_end() {
    let sink = Sink::start();
    let mut gateway = Gateway::before(&sink, "").start();
    let mut busy = Client::hello(gateway.smtp).unwrap();
    assert_eq!(busy.envelope(PERMITTED, BOB).unwrap().code, 250);
    assert_eq!(busy.say("DATA").unwrap().code, 354);
    let mut idle = Client::hello(gateway.smtp).unwrap();

    gateway.signal(Signal::TERM);
    gateway.wait_logged("stopping");
    // Who is between transactions is told to go; who is inside one may end it.
    assert_eq!(idle.reply().unwrap().code, 421);
    wait_for(SOON, "nobody new is let in", || Client::hello(gateway.smtp).is_err().then_some(()));
    busy.send(LETTER.as_bytes()).unwrap();
    let accepted = busy.say(".").unwrap();
    assert_eq!(accepted.code, 250, "{accepted}");
    assert!(gateway.wait_ended().success(), "{}", gateway.log());

    // What was promised is kept: delivered before the end, or after the next start.
    gateway.launch();
    sink.wait(1, SOON);
    gateway.wait_queue_empty(SOON);
    let rows = gateway.trace(accepted.reference().unwrap());
    assert_eq!(rows[0]["reason"], "accepted.permitted");
}

#[test]
fn a_stop_and_a_start_lose_nothing() {
    let sink = Sink::start();
    sink.refuse(Some("451 4.3.2 not now"));
    let mut gateway =
        Gateway::before(&sink, "[delivery]\nretry_schedule = [\"0s\", \"1s x20\"]").start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    let deferred = client.deliver("sue@stranger.example", BOB, LETTER).unwrap();
    assert_eq!(deferred.code, 451);
    for _ in 0..5 {
        assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);
    }
    drop(client);
    gateway.stop();
    sink.refuse(None);
    gateway.launch();
    sink.wait(5, SOON);
    gateway.wait_queue_empty(SOON);
    assert_eq!(gateway.trace(deferred.reference().unwrap()).len(), 1);
    // The triplet is remembered: by now its retry passes.
    std::thread::sleep(Duration::from_secs(1));
    let mut client = Client::hello(gateway.smtp).unwrap();
    assert_eq!(client.deliver("sue@stranger.example", BOB, LETTER).unwrap().code, 250);
    assert_eq!(sink.wait(6, SOON).len(), 6, "each message once");
}
