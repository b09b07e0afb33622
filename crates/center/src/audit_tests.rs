//! What the message center notes, and who may read it.

use types::event::QueueAction;
use types::lists::SenderAction;
use types::{AccountId, Caller, Permission, Permissions, Via};

use crate::audit::{AuditFormat, AuditPage, AuditSearch};
use crate::tests::{Gateway, at, block, entry};
use crate::{CenterError, ExportFormat, ExportRequest, SearchRequest};

fn root() -> Caller {
    Caller::with_all("root")
}

fn person(name: &str, number: u64, permissions: Permissions) -> Caller {
    let via = Via::Account(AccountId(number));
    Caller { via, ..Caller::new(name, permissions) }.from_address([192, 0, 2, 7].into())
}

fn all(gateway: &Gateway, caller: &Caller) -> AuditPage {
    gateway.center.audit(caller, &AuditSearch::default(), None, 0).unwrap()
}

fn told(page: &AuditPage) -> Vec<String> {
    page.rows.iter().map(|row| format!("{} {}: {}", row.who, row.action, row.subject)).collect()
}

#[test]
fn everything_that_is_done_is_noted_with_who_where_and_from_which_row() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    let row = "7K2M4QX9B0TA".parse().unwrap();
    let ana = person("ana", 3, Permissions::all()).on_row(row);
    center.put_sender(&ana, entry("x.example", SenderAction::Permit), "on the telephone").unwrap();
    center.put_policy(&ana, block("No y", "y.example"), None, "").unwrap();
    center.queue_command(&ana, &crate::QueueOrder::of(QueueAction::Hold, &[])).unwrap();
    center.greylist_pass(&ana, "supplier.example").unwrap();
    center.export_policies(&ana).unwrap();
    center.export_senders(&ana, &Default::default(), &mut Vec::new()).unwrap();
    let rows =
        ExportRequest { format: ExportFormat::Csv, search: SearchRequest::default(), raw: false };
    center.export_rows(&ana, &rows).unwrap();
    let page = all(&gateway, &root());
    assert_eq!(
        told(&page),
        [
            "ana export.rows: everything",
            "ana export.senders: managed senders",
            "ana export.policies: policy set",
            "ana greylist.pass: supplier.example",
            "ana queue.hold: 0 messages",
            "ana policy.changed: policy #2: No y",
            "ana sender.changed: managed sender #1: permit x.example for bob@corp.example",
        ]
    );
    let permit = page.rows.last().unwrap();
    assert_eq!((permit.row, permit.version), (Some(row), Some(1)));
    assert_eq!(permit.address.as_deref(), Some("192.0.2.7"));
    assert_eq!((permit.via.as_str(), permit.note.as_str()), ("account", "on the telephone"));
    let of_row = AuditSearch { row: Some(row), action: "sender".to_owned(), ..Default::default() };
    assert_eq!(center.audit(&root(), &of_row, None, 0).unwrap().rows.len(), 1);
    let effects = center.audit_effects(&root(), permit).unwrap();
    assert_eq!((effects.len(), effects[0].standing.as_str()), (1, "as it was left"));
    center.remove_sender(&ana, types::PolicyId(1), "").unwrap();
    let effects = center.audit_effects(&root(), permit).unwrap();
    assert_eq!(effects[0].standing, "it is gone");
    let verified = center.verify_audit(&root(), None).unwrap();
    assert_eq!((verified.number, verified.broken), (8, None));
}

#[test]
fn who_may_not_see_the_log_sees_their_own_part_of_it() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    let ana = person("ana", 3, Permissions::all());
    let bob = person("bob", 4, Permissions::read_only());
    center.put_sender(&ana, entry("x.example", SenderAction::Block), "").unwrap();
    center.export_senders(&bob, &Default::default(), &mut Vec::new()).unwrap();
    let own = all(&gateway, &bob);
    assert!(own.own_only && !all(&gateway, &ana).own_only);
    assert_eq!(told(&own), ["bob export.senders: managed senders"]);
    let others = own.rows[0].number - 1;
    assert!(matches!(center.audit_entry(&bob, others), Err(CenterError::NotFound(_))));
    assert!(center.audit_entry(&bob, own.rows[0].number).is_ok());
    let search = AuditSearch { who: "ana".to_owned(), ..Default::default() };
    assert!(center.audit(&bob, &search, None, 0).unwrap().rows.is_empty(), "nor by searching");
    let denied = Err(CenterError::Denied { permission: Permission::SeeAudit }.to_string());
    let reader = Caller::read_only("metrics");
    let read = center.audit(&reader, &AuditSearch::default(), None, 0).map(drop);
    assert_eq!(read.map_err(|error| error.to_string()), denied);
    let verified = center.verify_audit(&bob, None).map(drop);
    assert_eq!(verified.map_err(|error| error.to_string()), denied);
    let mut file = Vec::new();
    let export = center.export_audit(&bob, &AuditSearch::default(), AuditFormat::Ndjson).unwrap();
    export.write(&mut file).unwrap();
    let file = String::from_utf8(file).unwrap();
    assert!(
        file.lines().count() == 1 && file.contains("\"bob\"") && !file.contains("\"ana\""),
        "{file}"
    );
}

#[test]
fn a_page_ends_where_the_next_begins() {
    let gateway = Gateway::new(at(0));
    for _ in 0..5 {
        gateway.center.export_policies(&root()).unwrap();
    }
    let search = AuditSearch::default();
    let mut numbers = Vec::new();
    let mut before = None;
    loop {
        let page = gateway.center.audit(&root(), &search, before, 2).unwrap();
        numbers.extend(page.rows.iter().map(|row| row.number));
        before = page.before;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
}

#[test]
fn a_search_that_makes_no_sense_says_so() {
    let gateway = Gateway::new(at(0));
    let audit = |search: AuditSearch| gateway.center.audit(&root(), &search, None, 0);
    let wrong = [
        AuditSearch { action: "everything".to_owned(), ..Default::default() },
        AuditSearch { from: "soon".to_owned(), ..Default::default() },
        AuditSearch { from: "2026-11-22".into(), to: "2026-11-20".into(), ..Default::default() },
        AuditSearch { zone: "Europe/Nowhere".to_owned(), ..Default::default() },
        AuditSearch { q: "x".repeat(300), ..Default::default() },
    ];
    for search in wrong {
        assert!(audit(search.clone()).is_err(), "{search:?}");
    }
}

#[test]
fn what_is_hostile_is_harmless_in_every_form() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    let ana = person("=HYPERLINK(\"x\")\u{202e}", 3, Permissions::all());
    center.greylist_pass(&ana, "=cmd|' /C calc'!A0\u{1b}[2J").unwrap();
    let export = |format| {
        let mut file = Vec::new();
        let export = center.export_audit(&root(), &AuditSearch::default(), format).unwrap();
        export.write(&mut file).unwrap();
        String::from_utf8(file).unwrap()
    };
    for text in [export(AuditFormat::Csv), export(AuditFormat::Ndjson)] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
    let csv = export(AuditFormat::Csv);
    assert!(csv.contains("'=HYPERLINK") && csv.contains("'=cmd"), "{csv}");
    assert!(!csv.contains(",=") && !csv.contains(",\"="), "{csv}");
}

#[test]
fn a_head_that_was_kept_proves_that_the_log_was_not_written_anew() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    center.export_policies(&root()).unwrap();
    let kept = center.verify_audit(&root(), None).unwrap();
    center.export_policies(&root()).unwrap();
    let again = center.verify_audit(&root(), Some((kept.number, &kept.hash))).unwrap();
    assert_eq!((again.number, again.broken), (2, None));
    let other = center.verify_audit(&root(), Some((1, &again.hash))).unwrap();
    assert!(other.broken.is_some_and(|why| why.contains("entry 1")));
    let later = center.verify_audit(&root(), Some((9, &kept.hash))).unwrap();
    assert!(later.broken.is_some(), "an entry that is not there (any more)");
}
