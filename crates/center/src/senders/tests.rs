//! What entries match and count for, from the form to the file.

use types::Caller;
use types::lists::{ManagedSender, SenderAction, SenderKind};

use super::*;
use crate::ImportHow;
use crate::simulate::SimulatedMail;
use crate::tests::{Gateway, at, block, entry};

fn root() -> Caller {
    Caller::with_all("root")
}

fn proven(sender: &str) -> ManagedSender {
    ManagedSender { authenticated_only: true, ..entry(sender, SenderAction::Permit) }
}

fn rows(gateway: &Gateway, search: &SenderSearch) -> Vec<SenderRow> {
    gateway.center.senders(&root(), search).unwrap()
}

fn export(gateway: &Gateway) -> String {
    let mut csv = Vec::new();
    gateway.center.export_senders(&root(), &SenderSearch::default(), &mut csv).unwrap();
    String::from_utf8(csv).unwrap()
}

#[test]
fn what_entries_match_and_count_for_travels_as_csv() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    center.put_sender(&root(), proven("ann@sender.example"), "").unwrap();
    let signed = entry("dkim:*.bulk.example", SenderAction::Block);
    center.put_sender(&root(), signed, "").unwrap();
    let text = export(&gateway);
    assert_eq!(
        text,
        "sender,recipient,action,note,valid_until,authenticated_only\r\n\
         ann@sender.example,bob@corp.example,permit,,,true\r\n\
         dkim:*.bulk.example,bob@corp.example,block,,,\r\n"
    );
    let elsewhere = Gateway::new(at(0));
    let import = |text: &str| {
        let how = ImportHow::default();
        elsewhere.center.import_senders(&root(), &mut text.as_bytes(), how, "")
    };
    assert_eq!(import(&text).unwrap().stored, 2);
    assert_eq!(export(&elsewhere), text);
    let huge = "x".repeat(3_000_000);
    for line in [
        format!("{huge},bob@corp.example,permit,,,"),
        format!("a@a.example,{huge},permit,,,"),
        format!("a@a.example,bob@corp.example,{huge},,,"),
        format!("a@a.example,bob@corp.example,permit,,,{huge}"),
        format!("a@a.example,bob@corp.example,permit,,{huge},"),
    ] {
        let header = "sender,recipient,action,note,valid_until,authenticated_only\n";
        let error = import(&format!("{header}{line}\n")).unwrap_err().to_string();
        assert!(error.len() < 400, "an error does not repeat the file: {} octets", error.len());
    }
    // A file of an older version, and what cannot be meant.
    let old =
        "sender,recipient,action,note,valid_until\nann@sender.example,bob@corp.example,permit,,\n";
    assert_eq!(import(old).unwrap().stored, 1);
    assert!(!rows(&elsewhere, &SenderSearch::default())[1].sender.authenticated_only);
    for (line, why) in [
        ("a.example,bob@corp.example,permit,maybe", "expected true, false or nothing"),
        ("a.example,bob@corp.example,block,TRUE", "only a permit can be limited"),
        ("dkim:corp.example,bob@corp.example,permit,", "has signed"),
        ("dkim:word,bob@corp.example,block,false", "no domain with a dot"),
    ] {
        let refused = import(&format!("sender,recipient,action,authenticated_only\n{line}\n"));
        let Err(CenterError::Invalid { problems }) = refused else { panic!("{refused:?}") };
        assert!(problems[0].line == Some(2) && problems[0].message.contains(why), "{problems:?}");
    }
}

#[test]
fn entries_are_listed_by_what_they_match_and_count_for() {
    let gateway = Gateway::new(at(0));
    for one in [
        proven("ann@sender.example"),
        proven("dkim:sender.example"),
        entry("sender.example", SenderAction::Block),
    ] {
        gateway.center.put_sender(&root(), one, "").unwrap();
    }
    let found = |search: SenderSearch| -> Vec<String> {
        rows(&gateway, &search).iter().map(|row| row.sender.sender.to_string()).collect()
    };
    let of_kind = |kind| found(SenderSearch { kind: Some(kind), ..Default::default() });
    assert_eq!(of_kind(SenderKind::Address), ["ann@sender.example"]);
    assert_eq!(of_kind(SenderKind::Domain), ["sender.example"]);
    assert_eq!(of_kind(SenderKind::DkimDomain), ["dkim:sender.example"]);
    let only = |is| found(SenderSearch { authenticated_only: Some(is), ..Default::default() });
    assert_eq!(only(true), ["ann@sender.example", "dkim:sender.example"]);
    assert_eq!(only(false), ["sender.example"]);
}

#[test]
fn an_entry_says_what_it_cannot_do_because_it_is_known_late() {
    let gateway = Gateway::new(at(0));
    for (entry, said) in [
        (entry("a.example", SenderAction::Permit), None),
        (entry("b.example", SenderAction::Block), None),
        (entry("dkim:c.example", SenderAction::Permit), Some("cannot skip greylisting")),
        (entry("dkim:d.example", SenderAction::Block), Some("refused after its content")),
        (entry("dkim:e.example", SenderAction::Disabled), None),
        (proven("f.example"), Some("Where only DKIM does")),
    ] {
        gateway.center.put_sender(&root(), entry.clone(), "").unwrap();
        let search = SenderSearch { sender: Some(entry.sender.key()), ..Default::default() };
        let row = rows(&gateway, &search).remove(0);
        assert_eq!(row.known_late.is_some(), said.is_some(), "{row:?}");
        assert!(row.known_late.unwrap_or_default().contains(said.unwrap_or_default()), "{entry:?}");
    }
}

#[test]
fn what_is_refused_is_refused_with_its_reason() {
    let gateway = Gateway::new(at(0));
    for (entry, why) in [
        (
            ManagedSender { action: SenderAction::Block, ..proven("a.example") },
            "only a permit can be limited to what is authenticated",
        ),
        (proven("corp.example"), "one of the organisation's own domains"),
        (entry("dkim:corp.example", SenderAction::Permit), "has signed"),
    ] {
        let refused = gateway.center.put_sender(&root(), entry, "").unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
    assert_eq!(rows(&gateway, &SenderSearch::default()), []);
}

#[test]
fn that_nothing_proved_it_yet_does_not_shadow_an_entry() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    for one in [proven("sender.example"), entry("dkim:*.sender.example", SenderAction::Permit)] {
        center.put_sender(&root(), one, "").unwrap();
    }
    let shadows = || -> Vec<Option<String>> {
        gateway.enforce();
        rows(&gateway, &SenderSearch::default()).into_iter().map(|row| row.shadowed_by).collect()
    };
    assert_eq!(shadows(), [None, None]);
    // Who signs is not who sends, so only the first is never applied.
    center.put_policy(&root(), block("No sender", "sender.example"), None, "").unwrap();
    let shadows = shadows();
    assert!(shadows[0].as_ref().is_some_and(|by| by.contains("stands above")), "{shadows:?}");
    assert_eq!(shadows[1], None);
}

#[test]
fn the_simulator_is_told_what_authentication_would_say() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    center.put_sender(&root(), proven("ann@sender.example"), "").unwrap();
    center.put_sender(&root(), entry("dkim:list.example", SenderAction::Block), "").unwrap();
    gateway.enforce();
    let applied = |mail: SimulatedMail| {
        let mail = SimulatedMail {
            from: "ann@sender.example".to_owned(),
            to: "bob@corp.example".to_owned(),
            ..mail
        };
        let told = center.simulate(&root(), &mail).unwrap();
        let own = told.policies.into_iter().find(|line| line.kind == "Managed Senders").unwrap();
        (own.winner, own.losers.join("; "))
    };
    let (winner, lost) = applied(SimulatedMail::default());
    assert_eq!(winner, None);
    assert!(lost.contains("its sender was not authenticated"), "{lost}");
    let spf = SimulatedMail { spf_passes: true, ..Default::default() };
    assert_eq!(applied(spf).0.as_deref(), Some("managed sender #1"));
    let signed = SimulatedMail { signed_by: "List.example".to_owned(), ..Default::default() };
    assert_eq!(applied(signed).0.as_deref(), Some("managed sender #2"));
    let wrong = SimulatedMail {
        to: "bob@corp.example".to_owned(),
        signed_by: "no domain".to_owned(),
        ..Default::default()
    };
    assert!(center.simulate(&root(), &wrong).is_err());
}
