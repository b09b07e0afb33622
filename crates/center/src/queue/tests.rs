//! Deciding about single recipients of queued messages, from the rows of
//! their attempts.

use types::event::QueueAction::{Delete, Hold, Release, Retry};
use types::{Permission, Permissions, Role};

use super::*;
use crate::audit::AuditSearch;
use crate::sight_tests::queued;
use crate::tests::{Gateway, at, event_id, queue_id, sample};

fn root() -> Caller {
    Caller::with_all("root")
}

#[tokio::test]
async fn one_recipient_is_released_from_its_row_with_a_note_that_the_story_keeps() {
    let gateway = Gateway::new(at(60));
    // Number 7 waits, number 8 is held because it may be forged.
    queued(&gateway).await;
    let center = &gateway.center;
    let rows = [event_id(7), event_id(8)];
    let order = QueueOrder::of_attempts(QueueCommand::Release, &rows, " asked her ");
    let plan = center.queue_plan(&root(), &order).unwrap();
    let told: Vec<_> = plan.rows.iter().map(|row| (row.dangerous, row.why_not.clone())).collect();
    let waits = "it is not held; a retry tries its next hop at once".to_owned();
    assert_eq!((plan.done, told), (1, vec![(false, Some(waits)), (true, None)]));
    let only = QueueOrder { attempts: vec![event_id(8)], ..order };
    let done = center.queue_command(&root(), &only).unwrap();
    assert_eq!((done.messages, done.recipients, done.unchanged.len()), (1, 1, 0));
    let states: Vec<String> = center
        .queue_show(&root(), queue_id(7))
        .unwrap()
        .recipients
        .into_iter()
        .map(|one| one.state)
        .collect();
    assert_eq!(states, ["waiting", "waiting"]);
    let reference = event_id(8).reference();
    let why = center.why(&root(), &reference.to_string()).unwrap();
    assert_eq!(why.story.steps.last().unwrap().text, "Released by root: asked her.");
    assert!(why.deeds.iter().any(|deed| deed.row == Some(reference)), "{:?}", why.deeds);
    let page = center.audit(&root(), &AuditSearch::default(), None, 0).unwrap();
    let details = page.rows[0].details.as_ref().unwrap();
    assert_eq!(
        (page.rows[0].action.as_str(), &details["note"]),
        ("queue.release", &"asked her".into())
    );
}

#[tokio::test]
async fn a_row_says_what_its_reader_may_do_and_what_they_lack() {
    let gateway = Gateway::new(at(60));
    queued(&gateway).await;
    let center = &gateway.center;
    let lacks = |role: Role, number| {
        let caller = Caller::new("somebody", role.permissions());
        let why = center.why(&caller, &event_id(number).to_string()).unwrap();
        let queued = why.queued.unwrap();
        assert_eq!((queued.message, queued.dangerous), (queue_id(7), number == 8));
        queued.offers.into_iter().map(|one| (one.action, one.lacks)).collect::<Vec<_>>()
    };
    let (acts, releases) = (Permission::QueueActions, Permission::ReleaseDangerous);
    assert_eq!(lacks(Role::Operator, 8), [(Release, Some(releases)), (Delete, None)]);
    assert_eq!(lacks(Role::Analyst, 8), [(Release, None), (Delete, Some(acts))]);
    assert_eq!(lacks(Role::Operator, 7), [(Retry, None), (Hold, None), (Delete, None)]);
    let viewer = Caller::new("viewer", Role::Viewer.permissions());
    let order = QueueOrder::of_attempts(Release, &[event_id(8)], "");
    assert!(matches!(center.queue_plan(&viewer, &order), Err(CenterError::Denied { .. })));
    let blind = Permissions::NONE.or([Permission::QueueActions].into_iter().collect());
    let blind = Caller::new("blind", blind);
    assert!(matches!(center.queue_plan(&blind, &order), Err(CenterError::Denied { .. })));
}

#[tokio::test]
async fn what_is_not_in_the_queue_is_said_and_limits_hold() {
    let gateway = Gateway::new(at(60));
    queued(&gateway).await;
    let center = &gateway.center;
    let refused = sample(3, types::Reason::RecipientUnknown);
    center.memory.of_house().record(vec![refused.clone()]).unwrap();
    let rows = [refused.id, event_id(99), event_id(8)];
    let order = QueueOrder::of_attempts(QueueCommand::Delete, &rows, "");
    let plan = center.queue_plan(&root(), &order).unwrap();
    assert_eq!((plan.rows.len(), plan.done, plan.unknown), (2, 1, 1));
    assert!(plan.rows[0].why_not.as_ref().unwrap().contains("not in the queue"));
    for none in ["", " \n"] {
        let refused = center.queue_command(&root(), &order.clone().because(none)).unwrap_err();
        assert!(refused.to_string().contains("say in a note why"), "{refused}");
    }
    assert_eq!(center.queue_plan(&root(), &order).unwrap().done, 1, "nothing was done");
    let order = order.because("junk");
    let done = center.queue_command(&root(), &order).unwrap();
    assert_eq!((done.recipients, done.missing_attempts), (1, vec![refused.id, event_id(99)]));
    let again = center.queue_command(&root(), &order).unwrap();
    assert_eq!(again.recipients, 0);
    let long = QueueOrder { note: "x".repeat(QUEUE_NOTE_CHARS_MAX + 1), ..order.clone() };
    assert!(center.queue_command(&root(), &long).is_err());
    let many = QueueOrder { attempts: vec![event_id(8); 1_001], ..order };
    assert!(center.queue_command(&root(), &many).is_err());
}

#[tokio::test]
async fn all_that_a_search_finds_is_planned_and_done_and_nothing_else() {
    let gateway = Gateway::new(at(60));
    // Number 7 waits, number 8 is held.
    queued(&gateway).await;
    let center = &gateway.center;
    let search = |view, query: &str| crate::SearchRequest {
        view,
        query: query.to_owned(),
        ..crate::SearchRequest::default()
    };
    let waits = QueueOrder::of_search(Hold, search(crate::View::Queue, ""), "flood");
    let plan = center.queue_plan(&root(), &waits).unwrap();
    let rows: Vec<_> = plan.rows.iter().map(|one| one.row.id).collect();
    assert_eq!((rows, plan.done, plan.more), (vec![event_id(7)], 1, 0));
    assert_eq!(plan.text, "It is mail of 1 sender for 1 recipient.");
    let none = QueueOrder::of_search(Hold, search(crate::View::Queue, "from:nobody@x.example"), "");
    assert_eq!(center.queue_plan(&root(), &none).unwrap(), QueuePlan::default());
    assert_eq!(center.queue_command(&root(), &none).unwrap(), QueueDone::default());
    // The other recipient of the same message is none of it.
    assert_eq!(center.queue_command(&root(), &waits).unwrap().recipients, 1);
    let why = center.why(&root(), &event_id(7).reference().to_string()).unwrap();
    assert_eq!(why.story.steps.last().unwrap().text, "Held back by root: flood.");
    let page = center.audit(&root(), &AuditSearch::default(), None, 0).unwrap();
    assert_eq!(page.rows[0].action, "queue.hold");
    // What is the business of others is counted, and why.
    let held = search(crate::View::Held, "");
    let release = QueueOrder::of_search(Release, held.clone(), "");
    let desk = Caller::new("desk", Role::Operator.permissions());
    let plan = center.queue_plan(&desk, &release).unwrap();
    let why = "releasing it needs the permission release_dangerous".to_owned();
    assert_eq!((plan.done, plan.left_out), (1, vec![(why, 1)]));
    let plan = center.queue_plan(&root(), &release).unwrap();
    let text = "It is mail of 1 sender for 2 recipients. 1 of it may be a danger.";
    assert_eq!((plan.done, plan.text.as_str()), (2, text));
    // A deletion wants its reason here too, and rows and a search are two orders.
    let delete = QueueOrder::of_search(Delete, held, " ");
    assert!(
        center.queue_command(&root(), &delete).unwrap_err().to_string().contains("say in a note")
    );
    let both = QueueOrder { attempts: vec![event_id(8)], ..delete.because("junk") };
    assert!(center.queue_plan(&root(), &both).is_err());
    let wrong = QueueOrder::of_search(Hold, search(crate::View::Queue, "sujbect:x"), "");
    assert!(matches!(center.queue_plan(&root(), &wrong), Err(CenterError::Query(_))));
}

#[tokio::test]
async fn the_list_of_held_mail_has_what_is_held_now_however_old() {
    let gateway = Gateway::new(at(60));
    queued(&gateway).await;
    gateway.advance(std::time::Duration::from_secs(30 * 86_400));
    let center = &gateway.center;
    let request = || crate::SearchRequest {
        view: crate::View::Held,
        from: "now-24h".to_owned(),
        ..crate::SearchRequest::default()
    };
    let ids = |request: &crate::SearchRequest| {
        let page = center.search(&root(), request).unwrap();
        assert_eq!(center.count(&root(), request).unwrap().count, page.rows.len() as u64);
        assert_eq!(page.beyond, None);
        page.rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&request()), [event_id(8)]);
    center.queue_command(&root(), &QueueOrder::of(QueueCommand::Hold, &[queue_id(7)])).unwrap();
    assert_eq!(ids(&request()).len(), 2, "what a person holds is held too");
    center.queue_command(&root(), &QueueOrder::of(QueueCommand::Release, &[queue_id(7)])).unwrap();
    assert_eq!(ids(&request()), []);
}
