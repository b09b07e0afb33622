//! Thousands of real messages through a real Postfix into the gateway and on.
//! Postfix sends each message twice, to us and to a sink of its own; what
//! comes out behind us must be what that sink got, octet for octet, below the
//! one field we add.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::gateway::{BOB, Gateway, PERMITTED};
use crate::peer::{self, Peer};
use crate::sink::Sink;
use crate::waiting::{free_port, skip, wait_for};

const ARCHIVES: [&str; 2] = ["spamassassin-train.tar.zst", "mime-messages.tar.zst"];
/// How long Postfix and we may take for all of it.
const THROUGH: Duration = Duration::from_secs(240);

/// Unpacks the archives, or says why not.
fn unpacked(into: &Path) -> Option<()> {
    let Some(folder) = std::env::var_os("INTEROP_CORPORA").map(PathBuf::from) else {
        skip("real messages through Postfix", "INTEROP_CORPORA names no folder with them");
        return None;
    };
    for archive in ARCHIVES {
        let status = Command::new("tar")
            .args(["--zstd", "--extract", "--file"])
            .arg(folder.join(archive))
            .arg("--directory")
            .arg(into)
            .status()
            .unwrap();
        assert!(status.success(), "{archive} cannot be unpacked");
    }
    Some(())
}

#[test]
fn real_messages_pass_unchanged() {
    let Some(layers) = peer::layers("real messages through Postfix") else { return };
    let (behind_us, reference) = (Sink::start(), Sink::start());
    // Old mail has travelled far; the loop check is tested elsewhere.
    let gateway = Gateway::before(&behind_us, "[smtp]\nreceived_fields_max = 1000").start();
    let transport = format!(
        "corp.example smtp:[127.0.0.1]:{}\nreference.example smtp:[127.0.0.1]:{}\n",
        gateway.smtp.port(),
        reference.address.port()
    );
    let files: [(&str, &[u8]); 1] = [("transport", transport.as_bytes())];
    let mut postfix = Peer::start(&layers, "postfix", &free_port().to_string(), &files);
    let folder = postfix.folder().join("messages");
    std::fs::create_dir(&folder).unwrap();
    if unpacked(&folder).is_none() {
        return;
    }
    let order = format!("send {PERMITTED} {BOB},bob@reference.example /peer/messages");
    let sent = postfix.order(&order);
    assert!(sent > 2_882, "the corpora have more messages than {sent}");
    wait_for(THROUGH, "Postfix is done with every message", || {
        let log = postfix.log("maillog");
        let done = log
            .lines()
            .filter(|line| line.contains("status=sent") || line.contains("status=bounced"));
        (done.count() >= 2 * sent).then_some(())
    });
    gateway.wait_queue_empty(THROUGH);
    compare(&postfix, &behind_us, &reference, sent);
    gateway.audit_conservation();
}

fn compare(postfix: &Peer, behind_us: &Sink, reference: &Sink, sent: usize) {
    let log = postfix.log("maillog");
    let refused: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("to=<bob@") && line.contains("status=bounced"))
        .collect();
    let mut expected: HashMap<Vec<u8>, usize> = HashMap::new();
    for letter in reference.letters() {
        *expected.entry(letter.content).or_default() += 1;
    }
    assert_eq!(reference.count(), sent, "the sink beside us got every message");
    let letters = behind_us.letters();
    for letter in &letters {
        let content = letter.below_trace();
        let Some(count) = expected.get_mut(content) else {
            panic!("Postfix did not send this:\n{}", String::from_utf8_lossy(content));
        };
        *count -= 1;
        if *count == 0 {
            expected.remove(content);
        }
    }
    println!("{} of {sent} messages passed; {} refused", letters.len(), refused.len());
    assert_eq!(letters.len(), sent, "refused:\n{}", refused.join("\n"));
    assert!(expected.is_empty());
}
