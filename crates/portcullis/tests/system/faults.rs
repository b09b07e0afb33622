//! What we depend on fails: the disk fills, the database is locked. Our
//! failure is always 4xx, nothing is lost, and it passes by itself.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::gateway::{BOB, Gateway, PERMITTED, STRANGER};
use crate::sink::Sink;
use crate::waiting::{can_mount, skip, wait_for};

const LETTER: &str = "Subject: hello\r\n\r\ntext\r\n";
const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_full_disk_defers_until_there_is_space_again() {
    if !can_mount() {
        skip("the full disk", "to mount a small file system needs root");
        return;
    }
    const DISK_OCTETS: u64 = 48 << 20;
    let sink = Sink::start();
    let settings = "[store]\ndisk_reserve = \"4MiB\"\njournal_segment_size = \"2MiB\"\n\
                    journal_segments_max = 4";
    let gateway = Gateway::before(&sink, settings).on_small_disk(DISK_OCTETS).start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);

    // Something else fills the disk to the last octet.
    let filler = gateway.data_inside().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    let chunk = vec![0_u8; 64 << 10];
    while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
    let refused = wait_for(SOON, "mail is refused", || {
        let mut client = Client::hello(gateway.smtp).ok()?;
        let reply = client.deliver(PERMITTED, BOB, LETTER).unwrap();
        (reply.code != 250).then_some(reply)
    });
    assert_eq!(refused.code, 452, "{refused}");
    // What probes are told is looked up once a second.
    wait_for(SOON, "not ready", || {
        gateway.get(gateway.metrics, "/readyz").filter(|(status, _)| *status == 503)
    });
    assert_eq!(gateway.get(gateway.metrics, "/healthz").unwrap().0, 200, "alive it is");

    drop(file);
    std::fs::remove_file(&filler).unwrap();
    let accepted = wait_for(SOON, "mail is taken again", || {
        let mut client = Client::hello(gateway.smtp).ok()?;
        let reply = client.deliver(PERMITTED, BOB, LETTER).unwrap();
        (reply.code == 250).then_some(reply)
    });
    assert!(accepted.reference().is_some());
    wait_for(SOON, "ready again", || {
        gateway.get(gateway.metrics, "/readyz").filter(|(status, _)| *status == 200)
    });
}

#[test]
fn below_the_reserve_nothing_is_taken() {
    let sink = Sink::start();
    // More than any disk of a test machine has free.
    let settings = "[store]\ndisk_reserve = \"1TiB\"\njournal_segment_size = \"4MiB\"";
    let gateway = Gateway::before(&sink, settings);
    let free = rustix::fs::statvfs(gateway.data()).unwrap();
    if free.f_bavail * free.f_frsize > 1 << 40 {
        skip("the disk reserve", "more than 1 TiB is free");
        return;
    }
    let gateway = gateway.start_unready();
    let mut client = Client::hello(gateway.smtp).unwrap();
    let reply = client.deliver(PERMITTED, BOB, LETTER).unwrap();
    assert_eq!(reply.code, 452, "{reply}");
    assert_eq!(sink.count(), 0);
}

#[test]
fn a_locked_database_stops_changes_and_not_mail() {
    let sink = Sink::start();
    let gateway = Gateway::before(&sink, "").start();
    let other = rusqlite::Connection::open(gateway.data().join("state.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();

    let mut client = Client::hello(gateway.smtp).unwrap();
    assert_eq!(client.deliver(STRANGER, BOB, LETTER).unwrap().code, 451);
    assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);
    sink.wait(1, SOON);
    let begun = Instant::now();
    let add = ["senders", "add", "block", "spam@junk.example", BOB, "--yes"];
    let said = gateway.ask(&add);
    assert_ne!(said.code, 0, "nobody is told that a change was kept: {}", said.out);
    assert!(!said.err.trim().is_empty());
    assert!(begun.elapsed() < SOON, "the answer does not hang");

    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    let said = gateway.ask(&add);
    assert_eq!(said.code, 0, "{}", said.err);
    let reply = client.deliver("spam@junk.example", BOB, LETTER).unwrap();
    assert_eq!(reply.code, 550, "{reply}");
}

#[test]
fn without_its_folder_nothing_is_promised() {
    let sink = Sink::start();
    sink.refuse(Some("451 4.3.2 later"));
    let gateway = Gateway::before(&sink, "").start();
    let mut client = Client::hello(gateway.smtp).unwrap();
    assert_eq!(client.deliver(PERMITTED, BOB, LETTER).unwrap().code, 250);
    let aside = gateway.path("aside");
    std::fs::rename(gateway.data(), &aside).unwrap();
    let refused = wait_for(SOON, "mail is refused", || {
        let mut client = Client::hello(gateway.smtp).ok()?;
        let reply = client.deliver(PERMITTED, BOB, LETTER).unwrap();
        (reply.code != 250).then_some(reply)
    });
    assert!(matches!(refused.code, 451 | 452), "{refused}");
    std::fs::rename(&aside, gateway.data()).unwrap();
    wait_for(SOON, "mail is taken again", || {
        let mut client = Client::hello(gateway.smtp).ok()?;
        let reply = client.deliver(PERMITTED, BOB, LETTER).unwrap();
        (reply.code == 250).then_some(())
    });
}
