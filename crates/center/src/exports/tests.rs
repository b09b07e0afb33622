//! Exports over the real store in a temporary folder.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use calamine::{Data, Reader, open_workbook_auto_from_rs};
use types::{AccountId, Event, HeaderMailbox, Reason, Timestamp, Via};

use super::*;
use crate::search::SearchRequest;
use crate::tests::{Gateway, at, event_id, sample};

/// A disk that can be full, become full, and make everybody wait.
struct Disk {
    free_octets: AtomicU64,
    /// It is full after so many questions.
    questions: AtomicU64,
    held: AtomicBool,
}

impl Disk {
    fn roomy() -> Arc<Disk> {
        Arc::new(Disk {
            free_octets: AtomicU64::new(u64::MAX),
            questions: AtomicU64::new(u64::MAX),
            held: AtomicBool::new(false),
        })
    }
}

impl DiskSpace for Disk {
    fn free_octets(&self) -> io::Result<u64> {
        while self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let left = self.questions.fetch_sub(1, Ordering::SeqCst);
        Ok(if left == 0 { 0 } else { self.free_octets.load(Ordering::SeqCst) })
    }
}

fn parts(gateway: &Gateway, disk: &Arc<Disk>) -> ExportParts {
    let folder = gateway.logs().with_file_name("exports");
    let folder_octets_max = u64::MAX;
    ExportParts { folder, space: disk.clone(), reserve_octets: 1_000, folder_octets_max }
}

struct House {
    gateway: Gateway,
    center: Center,
    disk: Arc<Disk>,
}

impl House {
    fn with(events: Vec<Event>) -> House {
        let gateway = Gateway::new(at(60));
        gateway.center.memory.of_house().record(events).unwrap();
        let disk = Disk::roomy();
        let center = gateway.another_process().with_exports(parts(&gateway, &disk));
        House { gateway, center, disk }
    }

    fn start(&self, request: ExportRequest) -> ExportJob {
        self.center.start_export(&ana(), request).unwrap()
    }

    fn wait(&self, id: ExportId, wanted: impl Fn(&ExportJob) -> bool) -> ExportJob {
        for _ in 0..5_000 {
            let job = self.center.export(&ana(), id).unwrap();
            if wanted(&job) {
                return job;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("{:?}", self.center.export(&ana(), id));
    }

    fn done(&self, request: ExportRequest) -> (ExportJob, Vec<u8>) {
        let job = self.start(request);
        let job = self.wait(job.id, |job| job.state.is_over());
        assert_eq!(job.state, ExportState::Done, "{job:?}");
        let (told, mut file) = self.center.open_export(&ana(), job.id).unwrap();
        let mut octets = Vec::new();
        file.read_to_end(&mut octets).unwrap();
        assert_eq!(told.size_octets, octets.len() as u64);
        let hash: String = sha2_of(&octets).iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(told.sha256, hash);
        (job, octets)
    }

    fn files(&self) -> BTreeSet<String> {
        names(&parts(&self.gateway, &self.disk).folder)
    }
}

fn sha2_of(octets: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    Sha256::digest(octets).to_vec()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn person(name: &str, account: u64) -> Caller {
    Caller { via: Via::Account(AccountId(account)), ..Caller::read_only(name) }
}

fn ana() -> Caller {
    person("ana", 1)
}

fn request(format: ExportFormat, columns: &str) -> ExportRequest {
    let columns = columns.split(',').map(|name| name.parse().unwrap()).collect();
    ExportRequest { format, search: SearchRequest { columns, ..Default::default() }, raw: false }
}

/// Refusals whose subjects and names are these.
fn with_subjects(subjects: &[&str]) -> Vec<Event> {
    let event = |(number, subject): (usize, &&str)| {
        let mut event = sample(number as u64, Reason::RecipientUnknown);
        event.at = at(number as i64);
        let message = Arc::make_mut(event.subject.message.as_mut().unwrap());
        message.subject = Some((*subject).to_owned());
        message.size_octets = 1_000 - number as u64;
        message.header_from = vec![HeaderMailbox {
            name: Some((*subject).to_owned()),
            address: "a@b.example".into(),
        }];
        event
    };
    subjects.iter().enumerate().map(event).collect()
}

const HOSTILE: [&str; 8] = [
    "=HYPERLINK(\"http://x.example\")",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\tTAB",
    "\rCR",
    "plain, \"quoted\"\nand broken",
    "exe.\u{202e}cod",
];

#[test]
fn csv_is_read_back_and_holds_no_formula() {
    let house = House::with(with_subjects(&HOSTILE));
    let ExportRequest { search, .. } = request(ExportFormat::Csv, "time,subject,size,hfrom");
    let search = SearchRequest { sort: "time".parse().unwrap(), ..search };
    let wanted = ExportRequest { format: ExportFormat::Csv, search, raw: false };
    let (job, octets) = house.done(wanted.clone());
    assert_eq!((job.rows, job.rows_total), (8, Some(8)));
    let mut reader = csv::Reader::from_reader(octets.as_slice());
    assert_eq!(reader.headers().unwrap(), vec!["time", "subject", "size", "header_from"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let subjects: Vec<&str> = rows.iter().map(|row| &row[1]).collect();
    assert_eq!(
        subjects,
        [
            "'=HYPERLINK(\"http://x.example\")",
            "'+1+1",
            "'-2+3",
            "'@SUM(A1)",
            "\u{2039}09\u{203a}TAB",
            "\u{2039}0D\u{203a}CR",
            "plain, \"quoted\"\u{2039}0A\u{203a}and broken",
            "exe.\u{2039}202E\u{203a}cod",
        ]
    );
    assert_eq!(&rows[0][0], "2026-11-21T10:00:00.000Z");
    assert_eq!(&rows[1][2], "999");
    assert_eq!(&rows[1][3], "\"+1+1\" <a@b.example>", "a name in quotes is no formula");
    let text = String::from_utf8(octets).unwrap();
    let mut cells = text.lines().skip(1).flat_map(|line| line.split(','));
    assert!(!cells.any(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r'])));
    // Raw: exactly what was written.
    let (_, octets) = house.done(ExportRequest { raw: true, ..wanted });
    let mut reader = csv::Reader::from_reader(octets.as_slice());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.iter().map(|row| row[1].to_owned()).collect::<Vec<_>>(), HOSTILE);
}

#[test]
fn a_workbook_has_typed_cells_and_says_what_it_is() {
    let house = House::with(with_subjects(&HOSTILE));
    let columns = request(ExportFormat::Xlsx, "time,type,subject,size").search.columns;
    let zone = "Europe/Berlin".to_owned();
    let query = "is:rejected".to_owned();
    let sort = "time".parse().unwrap();
    let search = SearchRequest { columns, zone, query, sort, ..Default::default() };
    let wanted = ExportRequest { format: ExportFormat::Xlsx, search, raw: true };
    let (job, octets) = house.done(wanted);
    let name = job.file.unwrap().name;
    assert_eq!(name, "all-2026-11-21-100100.xlsx");
    let mut book = open_workbook_auto_from_rs(Cursor::new(octets)).unwrap();
    let about = book.worksheet_range("About").unwrap();
    let about: Vec<(String, String)> =
        about.rows().map(|row| (row[0].to_string(), row[1].to_string())).collect();
    for told in [
        ("Query", "is:rejected"),
        ("Time zone", "Europe/Berlin"),
        ("Made for", "ana"),
        ("Rows", "8"),
    ] {
        assert!(
            about.iter().any(|(name, value)| (&**name, &**value) == told),
            "{told:?} {about:?}"
        );
    }
    let rows = book.worksheet_range("Rows 1").unwrap();
    assert_eq!(rows.height(), 9);
    let heading: Vec<String> = rows.rows().next().unwrap().iter().map(Data::to_string).collect();
    assert_eq!(heading, ["Time", "Type", "Subject", "Size"]);
    let first = rows.rows().nth(1).unwrap();
    let Data::DateTime(when) = &first[0] else { panic!("{:?}", first[0]) };
    // 10:00 UTC is 11:00 in Berlin.
    assert!((when.as_f64().fract() - 11.0 / 24.0).abs() < 1e-9, "{when:?}");
    assert_eq!(first[1], Data::String(Reason::RecipientUnknown.label().to_owned()));
    assert_eq!(first[2], Data::String(HOSTILE[0].to_owned()), "a text, not a formula");
    assert_eq!(first[3], Data::Float(1_000.0));
    let formulas = book.worksheet_formula("Rows 1").unwrap();
    assert!(formulas.used_cells().all(|(_, _, formula)| formula.is_empty()));
}

#[test]
fn ndjson_has_the_names_and_values_of_the_api() {
    let mut events = with_subjects(&HOSTILE);
    events.push(sample(50, Reason::GreylistFirstSeen));
    let mut bounce = sample(51, Reason::Accepted);
    bounce.subject.reverse_path = Some(Arc::new(types::ReversePath::Null));
    events.push(bounce);
    let house = House::with(events);
    let names =
        "time,is,type,from,to,info,ip,subject,hfrom,helo,code,ecode,stage,size,ref,life,node,port";
    let wanted = request(ExportFormat::Ndjson, names);
    let page = house.center.search(&ana(), &wanted.search).unwrap();
    let (_, octets) = house.done(wanted.clone());
    let text = String::from_utf8(octets).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 10);
    for (line, row) in lines.iter().zip(&page.rows) {
        let row = serde_json::to_value(row).unwrap();
        for (name, value) in line.as_object().unwrap() {
            assert_eq!(value, &row[name], "{name}: {line} {row}");
        }
    }
    // Sorted by something else it is the same, by another way.
    let search = SearchRequest { sort: "size".parse().unwrap(), ..wanted.search.clone() };
    let (_, octets) = house.done(ExportRequest { search, ..wanted.clone() });
    let sorted = String::from_utf8(octets).unwrap();
    let sizes: Vec<i64> = sorted
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["size"].as_i64().unwrap()
        })
        .collect();
    assert!(sizes.is_sorted() && sizes.len() == 10, "{sizes:?}");
    // Straight to a reader it is the same as well.
    let mut direct = Vec::new();
    house.center.export_rows(&ana(), &wanted).unwrap().write(&mut direct).unwrap();
    assert_eq!(String::from_utf8(direct).unwrap(), text);
}

#[test]
fn two_are_written_at_once_and_the_others_wait_their_turn() {
    let house = House::with(with_subjects(&["x"]));
    house.disk.held.store(true, Ordering::SeqCst);
    let wanted = request(ExportFormat::Csv, "time");
    let jobs: Vec<ExportJob> = (0..4).map(|_| house.start(wanted.clone())).collect();
    house.wait(jobs[1].id, |job| job.state == ExportState::Running);
    std::thread::sleep(Duration::from_millis(20));
    let states = || jobs.iter().map(|job| house.center.export(&ana(), job.id).unwrap().state);
    use ExportState::{Cancelled, Done, Queued, Running};
    assert_eq!(states().collect::<Vec<_>>(), [Running, Running, Queued, Queued]);
    let cancelled = house.center.cancel_export(&ana(), jobs[2].id).unwrap();
    assert_eq!(cancelled.state, Cancelled, "one that waits is stopped at once");
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| house.center.cancel_export(&ana(), jobs[0].id).unwrap());
        // Long enough for the other thread to have asked, on a busy machine too.
        std::thread::sleep(Duration::from_millis(500));
        house.disk.held.store(false, Ordering::SeqCst);
        assert_eq!(stopped.join().unwrap().state, Cancelled);
    });
    house.wait(jobs[3].id, |job| job.state == Done);
    house.wait(jobs[1].id, |job| job.state == Done);
    let files = house.files();
    let whole: Vec<&String> = files.iter().filter(|name| !name.ends_with(".json")).collect();
    assert_eq!(whole.len(), 2, "no half file stays: {files:?}");
    house.disk.held.store(true, Ordering::SeqCst);
    let start = |caller: &Caller| house.center.start_export(caller, wanted.clone());
    for _ in 0..EXPORTS_AT_ONCE {
        let job = start(&ana()).unwrap();
        house.wait(job.id, |job| job.state == Running);
    }
    for account in 1..=EXPORTS_WAITING_MAX / EXPORTS_WAITING_OF_ONE_MAX {
        let caller = person("somebody", account as u64);
        for _ in 0..EXPORTS_WAITING_OF_ONE_MAX {
            start(&caller).unwrap();
        }
        let refused = start(&caller).unwrap_err().to_string();
        assert!(refused.contains("5 exports of yours are waiting already"), "{refused}");
    }
    let refused = start(&person("one more", 99)).unwrap_err().to_string();
    assert!(refused.contains("20 exports are waiting already"), "{refused}");
    house.disk.held.store(false, Ordering::SeqCst);
}

#[test]
fn a_full_disk_fails_an_export_with_a_sentence_and_leaves_nothing() {
    for format in ExportFormat::ALL {
        let house = House::with(with_subjects(&HOSTILE));
        // Full from the start, full while it is written, full at the end.
        for questions in [0, 1, 2] {
            house.disk.questions.store(questions, Ordering::SeqCst);
            let job = house.start(request(format, "time,subject"));
            let job = house.wait(job.id, |job| job.state.is_over());
            if questions == 2 && job.state == ExportState::Done {
                continue;
            }
            assert_eq!(job.state, ExportState::Failed, "{format:?} {questions}");
            let problem = job.problem.unwrap();
            assert!(problem.contains("the disk is nearly full"), "{problem}");
            assert_eq!(job.file, None);
            let files = house.files();
            assert!(files.iter().all(|name| name.ends_with(".json")), "{files:?}");
        }
    }
}

#[test]
fn a_crash_interrupts_and_leaves_no_half_file() {
    let house = House::with(with_subjects(&["x"]));
    let wanted = request(ExportFormat::Csv, "time");
    let (done, _) = house.done(wanted.clone());
    let folder = parts(&house.gateway, &house.disk).folder;
    // What a process that was killed leaves: a record that says running, a
    // half file, a file that was renamed but not noted, scratch.
    let id = ExportId::new(at(61), [7; 10]);
    let killed = ExportJob { id, state: ExportState::Running, file: None, ..done.clone() };
    std::fs::write(folder.join(format!("{id}.json")), serde_json::to_vec(&killed).unwrap())
        .unwrap();
    for name in [format!("{id}.csv.part"), format!("{id}.csv"), "x.tmp".to_owned()] {
        std::fs::write(folder.join(name), "half").unwrap();
    }
    std::fs::write(folder.join("broken.json"), "{").unwrap();
    let again = house.gateway.another_process().with_exports(parts(&house.gateway, &house.disk));
    again.tidy_exports().unwrap();
    let jobs = again.exports_of(&ana()).unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [id, done.id], "newest first");
    assert_eq!(jobs[0].state, ExportState::Interrupted);
    assert!(again.open_export(&ana(), id).is_err());
    assert!(again.open_export(&ana(), done.id).is_ok(), "what was whole is still there");
    let kept = [format!("{id}.json"), format!("{}.json", done.id), format!("{}.csv", done.id)];
    assert_eq!(names(&folder), kept.into_iter().collect());
    // Stopping in good order interrupts too.
    house.disk.held.store(true, Ordering::SeqCst);
    let job = again.start_export(&ana(), wanted.clone()).unwrap();
    while again.export(&ana(), job.id).unwrap().state == ExportState::Queued {
        std::thread::yield_now();
    }
    std::thread::scope(|scope| {
        let stop = scope.spawn(|| again.stop_exports());
        std::thread::sleep(Duration::from_millis(20));
        house.disk.held.store(false, Ordering::SeqCst);
        stop.join().unwrap();
    });
    assert_eq!(again.export(&ana(), job.id).unwrap().state, ExportState::Interrupted);
    assert!(again.start_export(&ana(), wanted).is_err(), "no new ones after that");
}

#[test]
fn an_export_has_as_many_columns_as_a_list() {
    let house = House::with(with_subjects(&["x"]));
    let wide = request(ExportFormat::Csv, &["to"; 65].join(","));
    let refused = house.gateway.center.start_export(&ana(), wide).unwrap_err();
    assert!(refused.to_string().contains("at most 64 columns"), "{refused}");
}

#[test]
fn files_go_after_seven_days_and_belong_to_who_asked() {
    let house = House::with(with_subjects(&["x"]));
    let (job, _) = house.done(request(ExportFormat::Csv, "time"));
    assert_eq!(job.file.as_ref().unwrap().expires, at(60) + EXPORT_KEPT_FOR);
    let other = person("ana", 2);
    assert!(house.center.export(&other, job.id).is_err(), "the same name, another account");
    assert!(house.center.open_export(&other, job.id).is_err());
    assert!(house.center.exports_of(&other).unwrap().is_empty());
    assert_eq!(house.center.exports_of(&Caller::with_all("root")).unwrap().len(), 1);
    let nobody = Caller { permissions: Permissions::NONE, ..ana() };
    assert!(house.center.exports_of(&nobody).is_err());
    house.gateway.advance(EXPORT_KEPT_FOR - Duration::from_secs(1));
    house.center.tidy_exports().unwrap();
    assert_eq!(house.files().len(), 2);
    house.gateway.advance(Duration::from_secs(2));
    house.center.tidy_exports().unwrap();
    assert!(house.files().is_empty());
    assert!(house.center.export(&ana(), job.id).is_err());
}

#[test]
fn an_export_is_of_what_its_maker_sees_and_no_longer_theirs_once_they_see_less() {
    let mut events = with_subjects(&["mine", "other"]);
    let path = types::ForwardPath::Address("eve@labs.example".parse().unwrap());
    events[1].subject.recipient = Some(path);
    let house = House::with(events);
    let (whole, octets) = house.done(request(ExportFormat::Csv, "to,subject"));
    assert!(String::from_utf8(octets).unwrap().contains("labs.example"));
    let sight = types::Sight::of(vec!["corp.example".parse().unwrap()]).unwrap();
    let limited = ana().seeing(sight);
    assert!(house.center.export(&limited, whole.id).is_err(), "made when they saw more");
    assert!(house.center.open_export(&limited, whole.id).is_err());
    assert!(house.center.exports_of(&limited).unwrap().is_empty());
    let own = house.center.start_export(&limited, request(ExportFormat::Csv, "to,subject"));
    let own = house.wait(own.unwrap().id, |job| job.state.is_over());
    assert_eq!(own.rows, 1);
    let (_, mut file) = house.center.open_export(&limited, own.id).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert!(text.contains("mine") && !text.contains("labs") && !text.contains("other"), "{text}");
    let rest = ana().permissions.iter().filter(|one| *one != Permission::SeeSubjects).collect();
    let blind = Caller { permissions: rest, ..ana() };
    assert!(house.center.export(&blind, whole.id).is_err(), "it has subjects");
    assert!(
        house.center.export(&ana(), whole.id).is_ok()
            && house.center.export(&ana(), own.id).is_ok()
    );
}

#[test]
fn an_export_of_a_groups_members_is_theirs_while_the_group_has_them() {
    let house = House::with(with_subjects(&["one"]));
    let desk = |domains: &[&str], mark: &str| {
        let domains = domains.iter().map(|domain| domain.parse().unwrap()).collect();
        let members = ["bob@corp.example".parse().unwrap()];
        let set = types::AddressSet::new(&members, mark);
        let limit = types::Limit::new(domains, vec!["Desk".to_owned()]).unwrap();
        ana().seeing(types::Sight::within(limit, Arc::new(set)))
    };
    let limited = desk(&[], "as it was");
    let job = house.center.start_export(&limited, request(ExportFormat::Csv, "to")).unwrap();
    let job = house.wait(job.id, |job| job.state.is_over());
    assert_eq!((&*job.groups, &*job.members), (&["Desk".to_owned()][..], "as it was"));
    assert!(house.center.export(&limited, job.id).is_ok());
    assert!(house.center.export(&ana(), job.id).is_ok(), "whoever sees everything");
    for other in [desk(&[], "as it is now"), desk(&["corp.example"], "as it is now")] {
        assert!(house.center.export(&other, job.id).is_err(), "somebody in it is gone");
        assert!(house.center.open_export(&other, job.id).is_err());
    }
}

#[test]
fn what_comes_after_the_start_is_not_in_the_file() {
    let mut events = with_subjects(&["before"]);
    let mut late = sample(9, Reason::RecipientUnknown);
    late.at = at(61);
    events.push(late);
    let house = House::with(events);
    let (job, octets) = house.done(request(ExportFormat::Csv, "time"));
    assert_eq!(job.rows, 1, "{}", String::from_utf8_lossy(&octets));
    assert_eq!(job.times.1, at(60) + Duration::from_millis(1));
}

#[test]
fn a_wrong_request_is_refused_at_once() {
    let house = House::with(Vec::new());
    let mut wanted = request(ExportFormat::Csv, "time");
    wanted.search.query = "sujbect:x".to_owned();
    let refused = house.center.start_export(&ana(), wanted).unwrap_err();
    assert!(matches!(refused, CenterError::Query(_)), "{refused:?}");
    assert!(house.files().is_empty());
    let empty = house.done(request(ExportFormat::Csv, "time,subject"));
    assert_eq!(empty.1, b"time,subject\r\n", "nothing found is a file with a header");
}

#[test]
fn what_comes_is_followed_without_loss_or_doubles() {
    let house = House::with(with_subjects(&["old"]));
    let wanted = SearchRequest::default();
    let begun = house.center.follow(&ana(), &wanted, None).unwrap();
    assert!(begun.rows.is_empty());
    let mut position = begun.position;
    let mut seen = Vec::new();
    let log = &house.gateway.center.memory.of_house();
    for round in 0..20_u64 {
        let events = (0..37).map(|n| {
            let mut event = sample(1_000 + round * 100 + n, Reason::RecipientUnknown);
            // Not in the order of their times.
            event.at = Timestamp::from_millis(at(60).as_millis() - (n as i64 * 7) % 50);
            event
        });
        log.record(events.collect()).unwrap();
        let found = house.center.follow(&ana(), &wanted, Some(&position)).unwrap();
        assert!(!found.repeated && !found.too_old);
        // Who stops in the middle goes on from there.
        let stop = found.rows.len() / 2;
        for (place, row) in found.rows.iter().take(stop) {
            seen.push(row.id);
            position.clone_from(place);
        }
    }
    let rest = house.center.follow(&ana(), &wanted, Some(&position)).unwrap();
    seen.extend(rest.rows.iter().map(|(_, row)| row.id));
    let wanted: Vec<_> =
        (0..20).flat_map(|round| (0..37).map(move |n| event_id(1_000 + round * 100 + n))).collect();
    assert_eq!(seen, wanted);
    let refused = house.center.follow(&ana(), &SearchRequest::default(), Some("nonsense"));
    assert!(refused.is_err());
}

#[test]
fn the_files_have_no_more_than_their_part_of_the_disk() {
    let house = House::with(with_subjects(&["x"]));
    let (first, octets) = house.done(request(ExportFormat::Csv, "time,to"));
    let kept: u64 = 10_000 + octets.len() as u64;
    let crowded = ExportParts { folder_octets_max: kept, ..parts(&house.gateway, &house.disk) };
    let large = "a subject with many letters ".repeat(20);
    let events = (0..40).flat_map(|_| with_subjects(&[&large])).collect();
    house.gateway.center.memory.of_house().record(events).unwrap();
    let center = house.gateway.another_process().with_exports(crowded);
    let wanted = request(ExportFormat::Csv, "time,subject");
    let job = center.start_export(&ana(), wanted).unwrap();
    let over = || center.export(&ana(), job.id).unwrap();
    while !over().state.is_over() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let job = over();
    assert_eq!(job.state, ExportState::Failed, "{job:?}");
    assert!(job.problem.unwrap().contains("http.exports_size_max"));
    let whole = |name: &&String| !name.ends_with(".json");
    assert_eq!(house.files().iter().filter(whole).count(), 1, "no half file stays");
    let none = ExportParts { folder_octets_max: 10, ..parts(&house.gateway, &house.disk) };
    let center = house.gateway.another_process().with_exports(none);
    let refused = center.start_export(&ana(), request(ExportFormat::Csv, "time")).unwrap_err();
    assert!(refused.to_string().contains("remove some"), "{refused}");
    assert!(center.remove_export(&ana(), first.id).is_ok(), "room can be made");
}
