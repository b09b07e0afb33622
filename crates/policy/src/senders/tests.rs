//! How changes above the table add up.

use super::*;

fn entry(number: u64, sender: &str, action: SenderAction) -> SenderChange {
    SenderChange::Put(ManagedSender {
        id: Some(PolicyId(number)),
        recipient: "bob@corp.example".parse().unwrap(),
        sender: sender.parse().unwrap(),
        action,
        authenticated_only: false,
        note: String::new(),
        created_by: String::new(),
        created: Timestamp::EPOCH,
        created_from: None,
        valid_until: None,
    })
}

fn permit(number: u64) -> SenderChange {
    entry(number, &format!("u{number}@sender.example"), SenderAction::Permit)
}

fn found(index: &SenderIndex, sender: &str) -> Option<u64> {
    let list = index.list("bob@corp.example");
    list.of_address(Timestamp::EPOCH, sender).next().map(|found| found.facts.id.0)
}

#[test]
fn changes_of_one_recipient_are_compiled_as_those_of_many_are() {
    let mut index = SenderIndex::compile(&[]);
    let mut compilations = 0;
    for number in 1..=8_200 {
        let before = Arc::as_ptr(&index.table);
        index = index.changed(&[permit(number)]);
        compilations += usize::from(Arc::as_ptr(&index.table) != before);
        assert!(!index.changes.are_many(), "{number}");
    }
    assert_eq!((index.len(), compilations), (8_200, 2), "neither never nor for each");
    for number in [1, 4_097, 8_200] {
        let sender = format!("u{number}@sender.example");
        assert_eq!(found(&index, &sender), Some(number));
    }
}

#[test]
fn an_import_for_one_recipient_leaves_no_changes_above_the_table() {
    let all: Vec<SenderChange> = (1..=50_000).map(permit).collect();
    let index = SenderIndex::compile(&[]).changed(&all);
    assert_eq!(index.len(), 50_000);
    assert!(index.changes.list("bob@corp.example").is_none());
    assert_eq!(found(&index, "u49999@sender.example"), Some(49_999));
}

#[test]
fn a_list_knows_what_it_looks_at_when_entries_come_and_go() {
    let now = Timestamp::from_millis(0);
    let looks = |index: &SenderIndex| index.list("bob@corp.example").names_signatures(now);
    let sender = "dkim:sender.example";
    let on = SenderIndex::compile(&[]).changed(&[entry(1, sender, SenderAction::Block)]);
    assert!(looks(&on));
    let twice = on.changed(&[entry(2, sender, SenderAction::Block)]);
    assert!(looks(&twice) && twice.len() == 1);
    let off = twice.changed(&[entry(2, sender, SenderAction::Disabled)]);
    assert!(!looks(&off), "what is disabled costs no look");
    let recipient = "bob@corp.example".parse().unwrap();
    let gone = SenderChange::Remove { recipient, sender: sender.parse().unwrap() };
    let gone = twice.changed(&[gone.clone(), gone]);
    assert_eq!((looks(&gone), gone.len()), (false, 0));
}
