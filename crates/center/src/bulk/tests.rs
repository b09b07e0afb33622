//! Jobs over the real store.

use std::time::{Duration, Instant};

use types::lists::SenderAction;
use types::{Reason, ReversePath};

use super::*;
use crate::tests::{Gateway, at, event_id, sample};

fn root() -> Caller {
    Caller::with_all("root")
}

/// Rejected attempts of `senders`, one each, to bob.
fn rejected(gateway: &Gateway, senders: &[&str]) -> Vec<EventId> {
    let mut ids = Vec::new();
    for (number, sender) in (100..).zip(senders) {
        let mut event = sample(number, Reason::RblListed);
        let path = sender.parse().map_or(ReversePath::Null, ReversePath::Address);
        event.subject.reverse_path = Some(path.into());
        event.subject.message = None;
        ids.push(event_id(number));
        gateway.center.memory.of_house().record(vec![event]).unwrap();
    }
    ids
}

fn request(act: BulkAct, rows: Vec<EventId>) -> BulkRequest {
    let search = SearchRequest::default();
    BulkRequest { act, rows, search, until: None, leave_out_failed: false, note: "Monday".into() }
}

fn over(gateway: &Gateway, number: u64) -> BulkJob {
    let begun = Instant::now();
    loop {
        let job = gateway.center.bulk_job(&root(), number).unwrap();
        if job.state.is_over() {
            return job;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{job:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_selection_is_previewed_done_as_one_version_and_undone() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let senders = ["ann@a.example", "bea@b.example", "ann@a.example", "boss@corp.example", ""];
    let ids = rejected(&gateway, &senders);
    let wanted = request(BulkAct::Permit, ids);
    let plan = center.preview_bulk(&root(), &wanted).unwrap();
    assert_eq!(plan.text, "Permit 2 distinct senders for 1 recipients: 2 entries.");
    assert_eq!((plan.rows, plan.done, plan.pairs[0].rows), (5, 2, 2));
    assert_eq!(plan.left_out.iter().map(|(_, count)| count).sum::<u64>(), 2, "{plan:?}");
    assert!(plan.pairs.iter().all(|pair| pair.preview.is_some()));
    assert_eq!(center.senders(&root(), &Default::default()).unwrap(), [], "nothing is stored");
    let job = center.start_bulk(&root(), wanted.clone()).unwrap();
    let job = over(&gateway, job.number);
    assert_eq!((job.state, job.rows_total), (BulkState::Done, Some(5)), "{job:?}");
    let stored = center.senders(&root(), &Default::default()).unwrap();
    assert_eq!(stored.len(), 2);
    assert!(
        stored.iter().all(|row| row.sender.created_from.is_some() && row.sender.note == "Monday")
    );
    // Again there is nothing to do.
    let again = center.preview_bulk(&root(), &wanted).unwrap();
    assert_eq!((again.done, again.already), (0, 2));
    center.undo(&root(), job.version.unwrap()).unwrap();
    assert_eq!(center.senders(&root(), &Default::default()).unwrap(), []);
    let audit = center.audit(&root(), &Default::default(), None, 0).unwrap();
    assert!(audit.rows[1].note.contains("bulk permit: 5 selected rows (Monday)"), "{audit:?}");
}

/// Whoever signed a row is not meant by a job over it.
#[test]
fn a_row_of_which_only_the_signature_could_be_meant_is_left_out() {
    let gateway = Gateway::new(at(60));
    let cases = [
        (BulkAct::Permit, "boss@corp.example", "sendgrid.net", "one of your own domains"),
        (BulkAct::Block, "", "sendgrid.net", "its sender names nobody"),
    ];
    for (number, (act, sender, signer, why)) in (100..).zip(cases) {
        let mut event = sample(number, Reason::RblListed);
        let path = sender.parse().map_or(ReversePath::Null, ReversePath::Address);
        event.subject.reverse_path = Some(path.into());
        event.subject.message = None;
        event.record.evidence.add(crate::proofs::signed_by(signer));
        gateway.center.memory.of_house().record(vec![event]).unwrap();
        let wanted = request(act, vec![event_id(number)]);
        let plan = gateway.center.preview_bulk(&root(), &wanted).unwrap();
        assert_eq!((plan.done, plan.left_out.len()), (0, 1), "{plan:?}");
        assert!(plan.left_out[0].0.contains(why), "{plan:?}");
    }
}

#[test]
fn a_permit_for_authenticated_mail_is_not_widened() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let ids = rejected(&gateway, &["ann@a.example"]);
    let entry = crate::tests::entry("ann@a.example", SenderAction::Permit);
    let entry = types::lists::ManagedSender { authenticated_only: true, ..entry };
    center.put_sender(&root(), entry, "").unwrap();
    let wanted = request(BulkAct::Permit, ids);
    let plan = center.preview_bulk(&root(), &wanted).unwrap();
    assert_eq!((plan.done, plan.already), (0, 1), "{plan:?}");
    let stored = |wanted: BulkRequest| {
        let job = center.start_bulk(&root(), wanted).unwrap();
        assert_eq!(over(&gateway, job.number).state, BulkState::Done);
        center.senders(&root(), &Default::default()).unwrap().remove(0).sender
    };
    let until = Some(at(86_400));
    let entry = stored(BulkRequest { until, ..wanted.clone() });
    assert_eq!((entry.valid_until, entry.authenticated_only), (until, true));
    let entry = stored(BulkRequest { act: BulkAct::Block, ..wanted });
    assert_eq!((entry.action, entry.authenticated_only), (SenderAction::Block, false));
}

#[test]
fn mail_of_our_own_servers_is_left_out() {
    let gateway = Gateway::new(at(60));
    let mut sent = sample(5, Reason::SizeExceeded);
    let client = &mut std::sync::Arc::make_mut(&mut sent.subject.client).client;
    client.direction = types::Direction::Outbound;
    gateway.center.memory.of_house().record(vec![sent]).unwrap();
    for act in [BulkAct::Permit, BulkAct::Block] {
        let plan = gateway.center.preview_bulk(&root(), &request(act, vec![event_id(5)])).unwrap();
        let why = "mail of your own servers, for which no list counts".to_owned();
        assert_eq!((plan.done, plan.left_out), (0, vec![(why, 1)]));
    }
}

#[test]
fn rows_that_no_permit_can_help_are_left_out_of_one_and_not_of_a_block() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let mut ids = rejected(&gateway, &["ann@a.example"]);
    let unknown = sample(7, Reason::RecipientUnknown);
    ids.push(unknown.id);
    center.memory.of_house().record(vec![unknown]).unwrap();
    let plan = center.preview_bulk(&root(), &request(BulkAct::Permit, ids.clone())).unwrap();
    let why = "no permit helps against “Invalid Recipient Address”".to_owned();
    assert_eq!((plan.done, plan.left_out), (1, vec![(why, 1)]));
    let plan = center.preview_bulk(&root(), &request(BulkAct::Block, ids)).unwrap();
    assert_eq!((plan.done, plan.left_out.len()), (2, 0));
}

#[test]
fn what_the_policy_file_says_of_a_pair_leaves_it_out_and_the_others_in() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let ids = rejected(&gateway, &["ann@a.example", "bea@b.example"]);
    let job = center.start_bulk(&root(), request(BulkAct::Block, ids.clone())).unwrap();
    over(&gateway, job.number);
    let entries: Vec<_> = center.senders(&root(), &Default::default()).unwrap();
    let by_ann = |row: &&crate::SenderRow| row.sender.sender.to_string().contains("ann");
    let from_file = store::state::PolicyDocument {
        senders: entries.iter().filter(by_ann).map(|row| row.sender.clone()).collect(),
        ..Default::default()
    };
    let note = String::new();
    let actor = (&root()).into();
    let who = store::state::Authorship { actor, note, at: at(61), expected: None };
    center.parts.policies.apply_file(&who, from_file).unwrap();
    let wanted = request(BulkAct::Permit, ids);
    let plan = center.preview_bulk(&root(), &wanted).unwrap();
    let refused: Vec<_> = plan.pairs.iter().filter_map(|pair| pair.left_out.as_deref()).collect();
    assert_eq!((plan.done, refused.len()), (1, 1), "{plan:?}");
    assert!(refused[0].contains("policy file"), "{refused:?}");
    let job = center.start_bulk(&root(), wanted).unwrap();
    assert_eq!(over(&gateway, job.number).state, BulkState::Done);
}

#[test]
fn all_that_a_query_finds_is_blocked() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    rejected(&gateway, &["ann@a.example", "bea@b.example", "cid@a.example"]);
    let search = SearchRequest {
        query: "from:a.example".to_owned(),
        view: crate::views::View::All,
        ..SearchRequest::default()
    };
    let wanted = BulkRequest { search, ..request(BulkAct::Block, Vec::new()) };
    let job = center.start_bulk(&root(), wanted).unwrap();
    let job = over(&gateway, job.number);
    assert_eq!(job.state, BulkState::Done, "{job:?}");
    let stored = center.senders(&root(), &Default::default()).unwrap();
    assert_eq!(stored.len(), 2);
    assert!(stored.iter().all(|row| row.sender.action == SenderAction::Block));
    assert_eq!(center.bulk_jobs(&root()).unwrap().len(), 1);
}

#[test]
fn what_comes_after_the_plan_is_not_in_it() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    rejected(&gateway, &["ann@a.example"]);
    let search = |from: String, to: String| SearchRequest {
        from,
        to,
        view: crate::views::View::All,
        ..SearchRequest::default()
    };
    let wanted = |search| BulkRequest { search, ..request(BulkAct::Block, Vec::new()) };
    let relative = wanted(search("now-1h".to_owned(), String::new()));
    let plan = center.preview_bulk(&root(), &relative).unwrap();
    let (from, to) = (plan.times.from.unwrap(), plan.times.to.unwrap());
    assert_eq!((from, plan.rows), (at(60).before(Duration::from_secs(3_600)), 1));
    gateway.advance(Duration::from_secs(30 * 60));
    let mut late = sample(200, Reason::RblListed);
    late.at = at(90);
    gateway.center.memory.of_house().record(vec![late]).unwrap();
    let frozen = wanted(search(from.to_string(), to.to_string()));
    assert_eq!(center.preview_bulk(&root(), &frozen).unwrap().rows, 1);
    assert_eq!(center.preview_bulk(&root(), &relative).unwrap().rows, 2);
}

#[test]
fn a_job_that_breaks_is_over() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let ids = rejected(&gateway, &["ann@a.example"]);
    let job = center.start_bulk(&root(), request(BulkAct::Block, ids)).unwrap();
    let job = over(&gateway, job.number);
    // The same job once more, as if it had come so far.
    for (state, told) in [
        (BulkState::Looking, "a part of the engine failed; nothing was changed"),
        (BulkState::Storing, "the audit log says whether anything was"),
    ] {
        center.bulk.note(job.number, |job| job.state = state);
        center.bulk.run_to_its_end(center, job.number, || panic!("broken on purpose"));
        let failed = center.bulk_job(&root(), job.number).unwrap();
        assert_eq!(failed.state, BulkState::Failed);
        assert!(failed.problem.unwrap().contains(told));
    }
}

#[test]
fn what_makes_no_sense_or_is_not_allowed_is_refused() {
    let gateway = Gateway::new(at(60));
    let center = &gateway.center;
    let ids = rejected(&gateway, &["ann@a.example"]);
    let nothing = SearchRequest { query: "from:nobody.example".to_owned(), ..Default::default() };
    let empty = BulkRequest { search: nothing, ..request(BulkAct::Permit, Vec::new()) };
    assert!(matches!(center.start_bulk(&root(), empty), Err(CenterError::Invalid { .. })));
    let past = BulkRequest { until: Some(at(0)), ..request(BulkAct::Permit, ids.clone()) };
    assert!(matches!(center.preview_bulk(&root(), &past), Err(CenterError::Invalid { .. })));
    let many = request(BulkAct::LetIn, vec![ids[0]; BULK_LET_IN_MAX + 1]);
    assert!(matches!(center.start_bulk(&root(), many), Err(CenterError::Invalid { .. })));
    let may = vec![Permission::SeeMetadata, Permission::EditSenders, Permission::SteerGreylist];
    let helpdesk = Caller::new("helpdesk", may.into());
    let denied = center.start_bulk(&helpdesk, request(BulkAct::Permit, ids.clone()));
    assert!(matches!(denied, Err(CenterError::Denied { .. })), "{denied:?}");
    assert!(matches!(center.bulk_job(&root(), 7), Err(CenterError::NotFound(_))));
    // None of them waits for a retry: nothing is let in, and that is said.
    let plan = center.preview_bulk(&root(), &request(BulkAct::LetIn, ids)).unwrap();
    assert_eq!((plan.done, plan.left_out.len()), (0, 1), "{plan:?}");
}
