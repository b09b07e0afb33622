//! Replays over the real store.

mod made;

use std::sync::Arc;

use policy::PolicySet;
use types::lists::SenderAction;
use types::policy::{GreylistOption, PolicyOption, Scope};
use types::{Caller, Event, Permission, Permissions, Policy};

use super::*;
use crate::CenterError;
use crate::tests::{Gateway, at, block, entry};
use made::{Mail, Maker};

const ANN: &str = "ann@sender.example";
const BOB: &str = "bob@corp.example";

fn root() -> Caller {
    Caller::with_all("root")
}

/// Mails as (seconds after ten, sender), decided by the set in force and
/// recorded.
fn recorded(gateway: &Gateway, mails: &[(i64, &str)]) -> Vec<Event> {
    let live = gateway.center.parts.activator.in_force();
    let mut maker = Maker::new(&live);
    let mails = mails.iter().map(|&(seconds, from)| Mail {
        from,
        to: BOB,
        ip: "192.0.2.7",
        at: at(seconds),
    });
    let events: Vec<Event> = mails.map(|mail| maker.attempt(&mail)).collect();
    gateway.center.memory.of_house().record(events.clone()).unwrap();
    events
}

fn replay(gateway: &Gateway, change: ReplayChange) -> ReplayReport {
    let request = ReplayRequest { change, ..ReplayRequest::default() };
    gateway.center.replay(&root(), &request).unwrap()
}

/// `deferred->accepted 1, …` for every cell.
fn cells(report: &ReplayReport) -> String {
    let cell = |cell: &ReplayCell| format!("{}->{} {}", cell.before, cell.after, cell.count);
    report.cells.iter().map(cell).collect::<Vec<_>>().join(", ")
}

fn exempt(domain: &str) -> ReplayChange {
    let option = PolicyOption::Greylisting(GreylistOption::NoAction);
    ReplayChange::Policy(Box::new(Policy { option, ..block("Partners come in", domain) }))
}

#[test]
fn the_set_in_force_decides_as_was_recorded() {
    let gateway = Gateway::new(at(5_000));
    recorded(&gateway, &[(0, ANN), (20, ANN), (90, ANN), (4_000, ANN), (50, "eve@x.example")]);
    let report = replay(&gateway, ReplayChange::Nothing);
    assert_eq!((report.attempts, report.exact, report.unknown), (5, 5, 0), "{report:?}");
    assert_eq!((report.self_check.same, report.self_check.different), (5, 0));
    assert_eq!(report.table[0].counts(), [2, 0, 0, 0, 0]);
    assert_eq!(report.table[2].counts(), [0, 0, 3, 0, 0]);
    assert_eq!(report.cells, []);
}

#[test]
fn a_partner_without_greylisting_is_accepted_where_a_retry_tells_so() {
    let gateway = Gateway::new(at(5_000));
    let gone = "gone@sender.example";
    let events = recorded(&gateway, &[(0, ANN), (90, ANN), (50, gone), (51, "eve@x.example")]);
    let report = replay(&gateway, exempt("sender.example"));
    assert_eq!(cells(&report), "deferred->accepted 1, deferred->unknown 1");
    let [accepted, unknown] = &report.cells[..] else { panic!("{report:?}") };
    assert_eq!((accepted.by_retry, unknown.by_retry), (1, 0));
    assert_eq!(accepted.rows[0].attempt.id, events[0].id);
    assert_eq!(accepted.rows[0].accepted_before, 1);
    assert_eq!(accepted.rows[0].after, "Accepted at once, as its retry was");
    assert_eq!(unknown.rows[0].attempt.id, events[2].id);
    assert!(report.unknown_because[0].text.contains("content was never sent"));
    assert_eq!(gateway.center.policies(&root()).unwrap().policies, [], "nothing is stored");
}

#[test]
fn a_block_names_the_established_senders_first() {
    let gateway = Gateway::new(at(9_000));
    let mails =
        [(0, ANN), (90, ANN), (200, ANN), (0, "x@sender.example"), (80, "x@sender.example")];
    recorded(&gateway, &mails);
    let change = ReplayChange::Policy(Box::new(block("No more", "sender.example")));
    let report = replay(&gateway, change);
    assert_eq!(cells(&report), "accepted->rejected 3, deferred->rejected 2");
    let row = &report.cells[0].rows[0];
    assert_eq!((row.accepted_before, row.attempt.from.as_deref()), (2, Some(ANN)));
    assert!(row.after.starts_with("Rejected: "), "{}", row.after);
    assert_eq!(report.cells[0].groups[0].client, "192.0.2.7");
    let by_entry = ReplayChange::Sender(Box::new(entry(ANN, SenderAction::Block)));
    assert_eq!(cells(&replay(&gateway, by_entry)), "accepted->rejected 2, deferred->rejected 1");
}

#[test]
fn a_document_and_an_older_version_are_laid_over_the_set() {
    let gateway = Gateway::new(at(9_000));
    recorded(&gateway, &[(0, ANN), (90, ANN)]);
    let center = &gateway.center;
    center.put_policy(&root(), block("No x", "x.example"), None, "").unwrap();
    let toml = toml::to_string(&block("No ann", "sender.example")).unwrap();
    let document = toml
        .replace("[option]", "[policy.option]")
        .replace("[from]", "[policy.from]")
        .replace("[validity]", "[policy.validity]");
    let report = replay(&gateway, ReplayChange::Document(format!("[[policy]]\n{document}")));
    assert_eq!(cells(&report), "accepted->rejected 1, deferred->rejected 1");
    assert_eq!(report.differences.len(), 2, "one more, one less: {:?}", report.differences);
    let back = replay(&gateway, ReplayChange::Version(0));
    assert_eq!((cells(&back).as_str(), back.differences.len()), ("", 1));
}

#[test]
fn what_cannot_be_meant_is_refused_and_what_is_gone_is_said() {
    let gateway = Gateway::new(at(9_000));
    let center = &gateway.center;
    recorded(&gateway, &[(0, ANN)]);
    let refused = |request: ReplayRequest| center.replay(&root(), &request).unwrap_err();
    let change = ReplayChange::RemovePolicy(types::PolicyId(9));
    let missing = refused(ReplayRequest { change, ..ReplayRequest::default() });
    assert!(matches!(missing, CenterError::NotFound(_)), "{missing:?}");
    let own = ReplayChange::Sender(Box::new(entry("corp.example", SenderAction::Permit)));
    let own = refused(ReplayRequest { change: own, ..ReplayRequest::default() });
    assert!(matches!(own, CenterError::Invalid { .. }), "{own:?}");
    let backwards = ReplayRequest { from: Some(at(10)), to: Some(at(5)), ..Default::default() };
    assert!(matches!(refused(backwards), CenterError::Invalid { .. }));
    let long_ago = ReplayRequest { from: Some(at(-90 * 86_400)), ..ReplayRequest::default() };
    let report = center.replay(&root(), &long_ago).unwrap();
    assert!(report.clipped.unwrap().contains("nothing to replay before"));
    let nobody = Caller::new("nobody", Permissions::from(vec![Permission::SeeMetadata]));
    let denied = center.replay(&nobody, &ReplayRequest::default());
    assert!(matches!(denied, Err(CenterError::Denied { .. })));
}

#[test]
fn a_difference_from_what_was_recorded_has_its_cause() {
    let gateway = Gateway::new(at(9_000));
    let live = gateway.center.parts.activator.in_force();
    let blocked = {
        let mut objects = policy::PolicyObjects::default();
        let policy = Policy {
            id: Some(types::PolicyId(1)),
            from: Scope::Everyone,
            ..block("All", "x.example")
        };
        let stored = policy::StoredPolicy { policy, version: 3, created: at(-100) };
        objects.policies.push(stored);
        Arc::new(PolicySet::compile(3, objects, live.base()).unwrap())
    };
    let mut maker = Maker::new(&blocked);
    let event = maker.attempt(&Mail { from: ANN, to: BOB, ip: "192.0.2.7", at: at(0) });
    gateway.center.memory.of_house().record(vec![event.clone()]).unwrap();
    let check = replay(&gateway, ReplayChange::Nothing).self_check;
    assert_eq!((check.same, check.different), (0, 1));
    assert!(check.because[0].text.contains("older version"), "{check:?}");
    assert_eq!(check.because[0].examples, [event.reference()]);
}
