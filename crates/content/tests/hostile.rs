//! Messages nobody should send: reading them ends, within limits, and never
//! in a panic.

use content::facts::HEADER_FROM_MAX;
use content::{Limits, comparable_addresses, read};
use proptest::prelude::*;
use types::MessageFacts;
use types::message::{ATTACHMENTS_MAX, SUBJECT_CHARS_MAX};

/// Reads the message and checks what holds for every message.
fn check(message: &[u8]) -> MessageFacts {
    let facts = read(message, &Limits::default());
    assert_eq!(facts.size_octets, message.len() as u64);
    assert!(facts.header_from.len() <= HEADER_FROM_MAX + 1);
    assert!(facts.header_from.iter().all(|mailbox| mailbox.address.len() <= 998));
    assert!(comparable_addresses(&facts).len() <= facts.header_from.len());
    assert!(facts.subject.as_ref().is_none_or(|s| s.chars().count() <= SUBJECT_CHARS_MAX));
    assert!(facts.message_id.as_ref().is_none_or(|id| id.len() <= 998));
    assert!(facts.attachments.len() <= ATTACHMENTS_MAX);
    assert!(facts.attachments.iter().all(|a| a.sha256.len() == 64));
    facts
}

#[test]
fn a_subject_of_four_megabytes_is_cut() {
    let facts = check(format!("Subject: {}\r\n\r\nx", "a".repeat(4 << 20)).as_bytes());
    assert_eq!(facts.subject.map(|s| s.len()), Some(SUBJECT_CHARS_MAX));
    assert_eq!(facts.unread.as_deref(), Some("the header is larger than the limit"));
    let folded = check(format!("Subject: {}\r\n\r\nx", "a\r\n ".repeat(1 << 20)).as_bytes());
    assert!(folded.unread.is_some());
}

#[test]
fn a_from_field_of_a_megabyte_ends() {
    for piece in ["a@b.example, ", "(", "\"", "<", "=?utf-8?q?x?= ", "g: ", "\\", ",", "\r\n "] {
        check(format!("From: {}\r\n\r\n", piece.repeat((1 << 20) / piece.len())).as_bytes());
    }
}

#[test]
fn a_header_without_end_and_a_message_of_nothing_are_read() {
    check(b"");
    check(b"\r\n");
    check(b"\0\0\0\0:\0\0");
    let facts = check(b"From: a@b.example\r\nSubject: no end");
    assert_eq!(facts.subject.as_deref(), Some("no end"));
    check(&vec![b'\n'; 1 << 20]);
    check(&b"A:\r\n".repeat(1 << 18));
}

#[test]
fn a_thousand_multiparts_one_inside_the_other_stop_at_the_limit() {
    let mut message = String::new();
    for level in 0..1_000 {
        message.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
        ));
    }
    assert!(check(message.as_bytes()).unread.is_some());
}

#[test]
fn a_thousand_attached_messages_one_inside_the_other_stop_at_the_limit() {
    let mut message = "Content-Type: message/rfc822\r\n\r\n".repeat(1_000);
    message.push_str(&"x".repeat(1 << 20));
    assert!(check(message.as_bytes()).unread.is_some());
}

#[test]
fn thousands_of_parts_stop_at_the_limit() {
    for part in ["--b\r\n\r\nx\r\n", "--b\r\nContent-Disposition: attachment\r\n\r\n", "--b\r\n"] {
        let header = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
        let facts = check(format!("{header}{}", part.repeat(20_000)).as_bytes());
        assert!(facts.unread.is_some(), "{part:?}");
    }
}

/// Lines that steer a MIME parser, to be put together at random.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("--b".to_owned()),
        Just("--b--".to_owned()),
        Just(String::new()),
        Just("Content-Type: multipart/mixed; boundary=b".to_owned()),
        Just("Content-Type: message/rfc822".to_owned()),
        Just("Content-Type: application/pdf; name*0*=utf-8''a%2; name*1=\"b".to_owned()),
        Just("Content-Transfer-Encoding: base64".to_owned()),
        Just("Content-Disposition: attachment; filename=\"=?utf-8?b?YQ==?=\"".to_owned()),
        Just("From: =?utf-8?q?=?= <a@b.example>, g: (c;".to_owned()),
        "[A-Za-z:;=\"<>@ \t-]{0,40}",
        "\\PC{0,20}",
    ]
}

proptest! {
    // A failing case goes into a test of its own, not into a file.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_are_read(message in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        check(&message);
    }

    #[test]
    fn any_structure_is_read(lines in proptest::collection::vec(line(), 0..60)) {
        check(lines.join("\r\n").as_bytes());
    }
}
