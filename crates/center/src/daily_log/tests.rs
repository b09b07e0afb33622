use std::fs;

use types::event::FollowUp;
use types::{EventKind, Reason};

use super::*;
use crate::tests::{Gateway, event_id, sample};

fn midnight() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().unwrap()
}

fn event(number: u64, at: Timestamp, reason: Reason) -> Event {
    Event { at, started: at, ..sample(number, reason) }
}

fn lines(gateway: &Gateway, name: &str) -> Vec<String> {
    let text =
        fs::read_to_string(gateway.logs().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(text.ends_with("\r\n"), "{name}");
    text.split_terminator("\r\n").skip(1).map(str::to_owned).collect()
}

#[test]
fn a_row_is_golden_and_safe_in_a_spreadsheet() {
    let mut rejected =
        event(1, midnight() + Duration::from_millis(1_234), Reason::RecipientUnknown);
    let facts = Arc::make_mut(rejected.subject.message.as_mut().unwrap());
    facts.subject = Some("=HYPERLINK(\"x\")\nnext, line".to_owned());
    let client = Arc::make_mut(&mut rejected.subject.client);
    client.helo = Some("@helo".into());
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    write_row(&mut writer, &rejected).unwrap();
    let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    let (reference, life) = (rejected.reference(), rejected.life_line.reference());
    assert_eq!(
        text,
        format!(
            "2026-11-21T00:00:01.234Z,{reference},{life},recipient.unknown,Invalid Recipient Address,\
             550,5.1.1,rcpt,192.0.2.2,'@helo,ann@sender.example,bob@corp.example,ann@sender.example,\
             \"'=HYPERLINK(\"\"x\"\")\nnext, line\",1234,,no such user,\
             550 5.1.1 Recipient address rejected: no such mailbox here\r\n"
        )
    );
    for (cell, safe) in
        [("+1", "'+1"), ("-1", "'-1"), ("\tx", "'\tx"), ("\rx", "'\rx"), ("a=1", "a=1"), ("", "")]
    {
        assert_eq!(spreadsheet_safe(cell), safe);
    }
}

#[test]
fn a_day_is_written_once_and_whole_also_after_downtime() {
    let gateway = Gateway::new(midnight());
    let at = |seconds: u64| midnight() + Duration::from_secs(seconds);
    let log = &gateway.center.parts.log;
    let mut expiry = event(3, at(40), Reason::GreylistFirstSeen);
    let what = FollowUp::GreylistExpired { attempts: 1 };
    expiry.kind = EventKind::FollowUp { of: event_id(2), what };
    log.record(vec![
        event(1, at(10), Reason::RecipientUnknown),
        event(2, at(20), Reason::GreylistFirstSeen),
        expiry,
        event(4, at(50), Reason::Accepted),
    ])
    .unwrap();
    let daily = gateway.center.daily_log();
    daily.keep(at(200)).unwrap();
    assert_eq!(lines(&gateway, "rejected-2026-11-21.csv.part").len(), 2);
    assert_eq!(lines(&gateway, "deferred-2026-11-21.csv.part").len(), 1);
    log.record(vec![event(5, at(210), Reason::RelayDenied)]).unwrap();
    daily.keep(at(300)).unwrap();
    assert_eq!(lines(&gateway, "rejected-2026-11-21.csv.part").len(), 3, "it grew");
    // Late: it happened before the last growth. The closed file has it.
    log.record(vec![event(6, at(250), Reason::RelayDenied)]).unwrap();
    // Down for two days: another process closes both.
    let again = gateway.another_process();
    again.daily_log().keep(at(2 * 86_400 + 100)).unwrap();
    assert_eq!(again.daily_log().written_until(), Some(at(86_400)), "the grace is kept");
    again.daily_log().keep(at(2 * 86_400 + 121)).unwrap();
    let rejected = lines(&gateway, "rejected-2026-11-21.csv");
    assert_eq!(rejected.len(), 4);
    assert!(rejected[1].contains("Sender Failed to Retry"), "{}", rejected[1]);
    assert!(!gateway.logs().join("rejected-2026-11-21.csv.part").exists());
    assert_eq!(lines(&gateway, "deferred-2026-11-22.csv").len(), 0);
    assert_eq!(again.daily_log().written_until(), Some(at(2 * 86_400)));
    again.daily_log().keep(at(2 * 86_400 + 300)).unwrap();
    assert_eq!(lines(&gateway, "rejected-2026-11-21.csv"), rejected, "closed is closed");
}

#[test]
fn files_are_listed_and_no_other_file_can_be_read() {
    let gateway = Gateway::new(midnight());
    gateway.center.daily_log().keep(midnight() + Duration::from_secs(500)).unwrap();
    fs::write(gateway.logs().join("secret.txt"), "x").unwrap();
    let caller = Caller::with_all("root");
    let names: Vec<String> =
        gateway.center.daily_logs(&caller).unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["deferred-2026-11-21.csv.part", "rejected-2026-11-21.csv.part"]);
    assert!(gateway.center.open_daily_log(&caller, &names[0]).is_ok());
    for name in
        ["secret.txt", "../daily/secret.txt", "rejected-2026-11-2x.csv", "rejected-../../../x.csv"]
    {
        assert!(gateway.center.open_daily_log(&caller, name).is_err(), "{name}");
    }
}
