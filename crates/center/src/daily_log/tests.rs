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
    let log = &gateway.center.memory.of_house();
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

#[test]
fn a_closed_file_has_its_hash_beside_it_and_several_days_are_one_archive() {
    let gateway = Gateway::new(midnight());
    let at = |seconds: u64| midnight() + Duration::from_secs(seconds);
    let log = &gateway.center.memory.of_house();
    log.record(vec![event(1, at(10), Reason::RecipientUnknown)]).unwrap();
    log.record(vec![event(2, at(86_410), Reason::RelayDenied)]).unwrap();
    gateway.center.daily_log().keep(at(2 * 86_400 + 200)).unwrap();
    let caller = Caller::with_all("root");
    let listed = gateway.center.daily_logs(&caller).unwrap();
    let first = listed.iter().find(|file| file.name == "rejected-2026-11-21.csv").unwrap();
    let octets = fs::read(gateway.logs().join(&first.name)).unwrap();
    let sum: String = {
        use sha2::Digest;
        sha2::Sha256::digest(&octets).iter().map(|octet| format!("{octet:02x}")).collect()
    };
    assert_eq!(first.sha256.as_deref(), Some(&*sum));
    assert!(listed.iter().all(|file| file.closed == file.sha256.is_some()), "{listed:?}");
    let beside = gateway.logs().join("rejected-2026-11-21.csv.sha256");
    assert_eq!(fs::read_to_string(&beside).unwrap(), format!("{sum}  rejected-2026-11-21.csv\n"));
    // One that is missing, as after a crash or of an older version, is made at start.
    fs::remove_file(&beside).unwrap();
    gateway.another_process().daily_log().keep(at(2 * 86_400 + 300)).unwrap();
    assert!(beside.exists());

    let center = &gateway.center;
    let archive = center.daily_log_archive(&caller, LogKind::Rejected, "2026-11-21", "2026-11-23");
    let archive = archive.unwrap();
    assert_eq!(archive.name, "rejected-2026-11-21-to-2026-11-23.zip");
    let mut made = Vec::new();
    archive.write_to(&mut made).unwrap();
    let mut read = zip::ZipArchive::new(std::io::Cursor::new(made)).unwrap();
    let names: Vec<String> = read.file_names().map(|name| name.unwrap().into_owned()).collect();
    let running = "rejected-2026-11-23.csv.part";
    assert_eq!(
        names,
        ["rejected-2026-11-21.csv", "rejected-2026-11-22.csv", running, "SHA256SUMS"]
    );
    let mut text = |name: &str| {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut read.by_name(name).unwrap(), &mut text).unwrap();
        text
    };
    assert_eq!(text("rejected-2026-11-21.csv").into_bytes(), octets);
    assert!(text("SHA256SUMS").starts_with(&format!("{sum}  rejected-2026-11-21.csv\n")));
    let none = center.daily_log_archive(&caller, LogKind::Rejected, "2020-01-01", "2020-01-02");
    assert!(matches!(none, Err(CenterError::NotFound(_))));
    assert!(center.daily_log_archive(&caller, LogKind::Rejected, "x", "2020-01-02").is_err());
}

#[test]
fn an_archive_whose_reader_goes_away_ends_with_that_error() {
    struct Gone(usize);
    impl std::io::Write for Gone {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(octets.len()).ok_or(std::io::ErrorKind::BrokenPipe)?;
            Ok(octets.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let gateway = Gateway::new(midnight());
    let at = midnight() + Duration::from_secs(10);
    gateway.center.memory.of_house().record(vec![event(1, at, Reason::GreylistFirstSeen)]).unwrap();
    gateway.center.daily_log().keep(midnight() + Duration::from_secs(86_400 + 200)).unwrap();
    let caller = Caller::with_all("root");
    let (kind, day) = (LogKind::Deferred, "2026-11-21");
    let archive = gateway.center.daily_log_archive(&caller, kind, day, day).unwrap();
    let error = archive.write_to(&mut Gone(60)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}
