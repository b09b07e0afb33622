//! A connection whose task is dropped still ends its attempts.

use testkit::{Gateway, settle, simulate};
use types::{OutcomeKind, Reason, Stage, Timestamp};

/// The ends of a session that said `dialogue` and was then dropped.
#[cfg(test)]
fn ends_after(dialogue: &str) -> Vec<(Option<Reason>, Option<Stage>)> {
    simulate(async {
        let mut gateway = Gateway::new(Timestamp::from_millis(1_767_603_600_000), 1);
        gateway.settings.set("greylisting", "off").unwrap();
        gateway.start().await.unwrap();
        let mut client = gateway.connect("203.0.113.7".parse().unwrap());
        client.send(dialogue.as_bytes()).await;
        settle().await;
        gateway.drop_connections().await;
        gateway.flush().await;
        assert_eq!(gateway.tally().open(), 0);
        assert_eq!(gateway.tally().unrecorded, 0);
        let events = gateway.events().unwrap();
        assert!(events.iter().all(|event| event.outcome_kind() == Some(OutcomeKind::Deferred)));
        events.iter().map(|event| (event.reason(), event.record.stage)).collect()
    })
}

const RECIPIENTS: &str = "MAIL FROM:<ann@sender.example>\r\nRCPT TO:<bob@corp.example>\r\n\
                          RCPT TO:<cid@corp.example>\r\n";

#[test]
fn attempts_of_a_dropped_task_have_their_rows() {
    let end = |stage| (Some(Reason::SystemUnavailable), Some(stage));
    let hello = "EHLO mail.sender.example\r\n".to_owned();
    assert_eq!(ends_after(&hello), [end(Stage::Helo)]);
    let open = hello + RECIPIENTS;
    assert_eq!(ends_after(&open), [end(Stage::Rcpt), end(Stage::Rcpt)]);
    assert_eq!(ends_after(&(open + "DATA\r\n")), [end(Stage::Data), end(Stage::Data)]);
}
