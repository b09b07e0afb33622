//! Alerts over the real embedded store: restarts, and what is told.

mod allowed;
mod whose;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::state::{AccountState, SqliteAccounts, SqliteAlerts, SqliteAudit, SqliteViews};
use types::lists::Group;
use types::{
    Actor, AuditAction, AuditNote, Caller, Event, ForwardPath, Reason, Role, RoleName, Timestamp,
};
use world::web::{Fields, Post, WebError};
use world::{BoxFuture, SystemChance, WebAddress};

use super::*;
use crate::accounts::{AccountChange, AccountParts, NewPerson, SessionTimes, Tokens};
use crate::audit::AuditSearch;
use crate::search::SearchRequest;
use crate::tests::{Gateway, at, event_id, sample};
use crate::views::View;
use crate::{Center, CenterError, NewView};

/// What was posted: to where, with which fields, and what.
type Posted = (String, Fields, Vec<u8>);

/// Takes what is posted, or says that it was not taken.
#[derive(Default)]
struct Receiver {
    posted: Mutex<Vec<Posted>>,
    refuses: Mutex<Option<u16>>,
}

impl Post for Receiver {
    fn post<'a>(
        &'a self,
        to: &'a WebAddress,
        fields: Fields,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), WebError>> {
        self.posted.lock().unwrap().push((to.to_string(), fields, body));
        let refuses = *self.refuses.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(async move { refuses.map_or(Ok(()), |code| Err(WebError::NotTaken(code))) })
    }
}

struct House {
    gateway: Gateway,
    accounts: Arc<Accounts>,
    state: Arc<SqliteAccounts>,
    receiver: Arc<Receiver>,
    center: Center,
}

impl House {
    fn new() -> House {
        let gateway = Gateway::new(at(0));
        let file = gateway.state_file();
        let state = Arc::new(SqliteAccounts::open(&file).unwrap());
        let accounts = Arc::new(Accounts::new(AccountParts {
            state: state.clone(),
            audit: Arc::new(SqliteAudit::open(&file).unwrap()),
            clock: gateway.parts().clock.clone(),
            chance: Arc::new(SystemChance),
            times: SessionTimes::default(),
        }));
        let receiver = Arc::new(Receiver::default());
        let center = process(&gateway, &accounts, &receiver);
        House { gateway, accounts, state, receiver, center }
    }

    /// The process is gone, and another begins.
    fn restart(&mut self) {
        self.center = process(&self.gateway, &self.accounts, &self.receiver);
    }

    fn owner(&self) -> Caller {
        Caller::with_all("root")
    }

    /// An operator who sees the mail of these domains.
    fn account(&self, name: &str, domains: &[&str]) -> Caller {
        self.account_of(name, Role::Operator, domains)
    }

    fn account_of(&self, name: &str, role: Role, domains: &[&str]) -> Caller {
        let domains = domains.iter().map(|domain| domain.parse().unwrap()).collect();
        let person =
            NewPerson { name: name.to_owned(), role: role.into(), domains, groups: Vec::new() };
        self.accounts.add_account(&self.owner(), &person).unwrap();
        let id = self.state.account_named(name).unwrap().unwrap().id;
        self.accounts.as_it_is_now(id, None).unwrap().unwrap()
    }

    /// A view of all that is rejected, with this alert.
    fn set(&self, caller: &Caller, alert: &NewAlert) -> (u64, SetAlert) {
        let view = self.view(caller, "rejected", View::Rejected);
        (view, self.center.set_alert(caller, view, alert).unwrap())
    }

    fn view(&self, caller: &Caller, name: &str, view: View) -> u64 {
        let request = SearchRequest { view, ..SearchRequest::default() };
        let new = NewView { name: name.to_owned(), shared: false, request };
        self.center.save_view(caller, &new).unwrap().id
    }

    fn record(&self, event: Event) {
        self.center.memory.of_house().record(vec![event]).unwrap();
    }

    fn alert(&self, caller: &Caller, view: u64) -> Alert {
        self.center.saved_view(caller, view).unwrap().alert.unwrap()
    }

    /// Tells what is due, as the driver does.
    async fn tell(&self) {
        for due in self.center.due_tellings().unwrap() {
            let how = self.center.tell(&due).await;
            self.center.told(&due, how).unwrap();
        }
    }

    fn posted(&self) -> Vec<Posted> {
        std::mem::take(&mut self.receiver.posted.lock().unwrap())
    }
}

fn process(gateway: &Gateway, accounts: &Arc<Accounts>, receiver: &Arc<Receiver>) -> Center {
    with_alerts(gateway.another_process(), gateway, accounts, receiver)
}

fn with_alerts(
    center: Center,
    gateway: &Gateway,
    accounts: &Arc<Accounts>,
    receiver: &Arc<Receiver>,
) -> Center {
    let file = gateway.state_file();
    let views = Arc::new(SqliteViews::open(&file).unwrap());
    center.with_saved_views(views).with_alerts(AlertParts {
        state: Arc::new(SqliteAlerts::open(&file).unwrap()),
        accounts: accounts.clone(),
        post: receiver.clone(),
        host_name: "mx.corp.example".to_owned(),
        public_url: Some("https://gate.corp.example".to_owned()),
    })
}

/// Rejection `number` at this second, to this recipient.
fn rejected(number: u64, second: i64, to: &str) -> Event {
    let mut event = sample(number, Reason::RecipientUnknown);
    let time: Timestamp = at(second);
    event.id = types::EventId::new(time, {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        random
    });
    (event.at, event.started) = (time, time);
    event.subject.recipient = Some(ForwardPath::Address(to.parse().unwrap()));
    event
}

const BOB: &str = "bob@corp.example";

fn more_than(count: u32, minutes: u32) -> NewAlert {
    NewAlert {
        when: AlertWhen::MoreThan { count, minutes },
        quiet_minutes: minutes,
        mail: Vec::new(),
        webhook: Some("https://hooks.example/x".to_owned()),
        new_secret: false,
    }
}

#[tokio::test]
async fn what_comes_is_told_once_signed_and_with_a_link() {
    let house = House::new();
    let owner = house.owner();
    let (view, set) = house.set(&owner, &more_than(2, 5));
    let secret = set.secret.unwrap();
    let secret = secret.strip_prefix("whsec_").unwrap();
    for number in 1..=2 {
        house.record(rejected(number, number as i64, BOB));
    }
    house.center.watch_alerts().unwrap();
    assert_eq!(house.alert(&owner, view).fired, None, "two are as expected");
    house.record(rejected(3, 3, BOB));
    house.record(sample(9, Reason::Accepted));
    house.center.watch_alerts().unwrap();
    house.center.watch_alerts().unwrap();
    assert_eq!(house.alert(&owner, view).fired, Some(at(3)));
    house.tell().await;
    house.tell().await;
    let posted = house.posted();
    let [(to, fields, body)] = &posted[..] else { panic!("{posted:?}") };
    assert_eq!(to, "https://hooks.example/x");
    let message: AlertMessage = serde_json::from_slice(body).unwrap();
    let data = &message.data;
    assert_eq!((message.kind.as_str(), data.count, data.exact), ("alert.fired", 3, true));
    assert_eq!(data.newest[0].reference, rejected(3, 3, BOB).reference());
    let link = data.link.as_deref().unwrap();
    assert!(link.starts_with("https://gate.corp.example/messages?view=rejected&q=&from="));
    // What a receiver does: the time is near, and the signature is of id, time and body.
    let field = |name: &str| fields.iter().find(|field| field.0 == name).unwrap().1.clone();
    assert_eq!(field("webhook-id"), message.id);
    let sent_s: i64 = field("webhook-timestamp").parse().unwrap();
    let octets = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(secret).unwrap()
    };
    assert_eq!(field("webhook-signature"), signature(&octets, &message.id, sent_s, body));
    assert!(!String::from_utf8_lossy(body).contains("sender.example"), "nothing of senders");
    let alert = house.alert(&owner, view);
    assert_eq!((alert.waiting, alert.told.is_some(), alert.failure), (0, true, None));
}

#[tokio::test]
async fn nothing_is_counted_twice_and_nothing_lost_at_restarts() {
    let mut house = House::new();
    let owner = house.owner();
    let (view, _) = house.set(&owner, &more_than(2, 1));
    let fired = |house: &House| house.alert(&owner, view).fired;
    house.record(rejected(1, 1, BOB));
    house.center.watch_alerts().unwrap();
    // Two before the restart, of which one was not looked at; the third after it.
    house.record(rejected(2, 2, BOB));
    house.restart();
    house.center.watch_alerts().unwrap();
    assert_eq!(fired(&house), None);
    house.restart();
    house.record(rejected(3, 3, BOB));
    house.center.watch_alerts().unwrap();
    assert_eq!(fired(&house), Some(at(3)));
    // The same three are looked at again by the next process, and the one after.
    for _ in 0..3 {
        house.restart();
        house.center.watch_alerts().unwrap();
    }
    assert_eq!(house.center.due_tellings().unwrap().len(), 1);
    // All of it came while nobody looked: more than the minute ago when
    // somebody does.
    for number in 4..=6 {
        house.record(rejected(number, 100 + number as i64, BOB));
    }
    house.gateway.advance(Duration::from_secs(7_200));
    house.restart();
    house.record(rejected(7, 7_100, BOB));
    house.center.watch_alerts().unwrap();
    assert_eq!(fired(&house), Some(at(106)), "told late rather than never");
    assert_eq!(house.center.due_tellings().unwrap().len(), 2);
}

#[tokio::test]
async fn mail_goes_through_our_own_queue_and_makes_no_alert() {
    let house = House::new();
    let owner = house.owner();
    let view = house.view(&owner, "gr\u{fc}n\r\nBcc: x", View::Delivered);
    let alert = NewAlert {
        when: AlertWhen::First,
        quiet_minutes: 1,
        mail: vec![BOB.parse().unwrap()],
        webhook: None,
        new_secret: false,
    };
    assert_eq!(house.center.set_alert(&owner, view, &alert).unwrap().secret, None);
    house.center.test_alert(&owner, view).unwrap();
    assert!(house.center.test_alert(&owner, view).is_err(), "one at a time");
    house.tell().await;
    let queue = house.gateway.parts().queue.clone();
    let [message] = &queue.list(None, 10)[..] else { panic!("one mail is queued") };
    assert!(message.notice && message.recipients[0].path.as_str() == BOB);
    let mut content = queue.read(message.id).unwrap();
    let text = String::from_utf8(content.next_piece().unwrap().to_vec()).unwrap();
    assert!(text.contains("\r\nAuto-Submitted: auto-generated\r\n"), "{text}");
    assert!(text.contains("This is a test") && !text.contains("\r\nBcc"), "{text}");
    assert_eq!(house.alert(&owner, view).fired, None, "a test is no firing");
    // What becomes of it would match the view, and tells nobody.
    let mut event = sample(1, Reason::Accepted);
    event.subject = message.subject(&message.recipients[0].path);
    let attempt = types::RelayAttempt {
        number: 1,
        host: "hop:25".into(),
        ip: None,
        tls: None,
        tls_policy: None,
        policy_refused: false,
        answer: types::event::RelayAnswer::NoReply(String::new()),
        took: types::Micros(1),
    };
    let delivered =
        |of, attempt| types::EventKind::FollowUp { of, what: types::FollowUp::Delivered(attempt) };
    event.kind = delivered(message.recipients[0].event, attempt.clone());
    house.record(event.clone());
    house.center.watch_alerts().unwrap();
    assert_eq!(house.alert(&owner, view).fired, None);
    let other = Event { id: event_id(2), at: at(2), ..sample(2, Reason::Accepted) };
    house.record(Event { kind: delivered(event_id(2), attempt), ..other });
    house.center.watch_alerts().unwrap();
    assert_eq!(house.alert(&owner, view).fired, Some(at(2)));
}

#[tokio::test]
async fn a_webhook_that_does_not_take_it_is_asked_again_and_given_up() {
    let house = House::new();
    let owner = house.owner();
    let (view, _) = house.set(&owner, &more_than(0, 1));
    *house.receiver.refuses.lock().unwrap() = Some(503);
    house.record(rejected(1, 1, BOB));
    house.center.watch_alerts().unwrap();
    house.tell().await;
    let failure = house.alert(&owner, view).failure.unwrap();
    assert_eq!((failure.why.as_str(), failure.given_up), ("it answered 503", false));
    house.tell().await;
    assert_eq!(house.posted().len(), 1, "not before the pause is over");
    *house.receiver.refuses.lock().unwrap() = None;
    house.gateway.advance(Duration::from_secs(6));
    house.tell().await;
    assert_eq!(house.alert(&owner, view).failure, None);
    // One that never does.
    *house.receiver.refuses.lock().unwrap() = Some(500);
    house.gateway.advance(Duration::from_secs(100));
    house.record(rejected(2, 100, BOB));
    house.center.watch_alerts().unwrap();
    for _ in 0..20 {
        house.tell().await;
        house.gateway.advance(Duration::from_secs(4 * 3_600));
    }
    let posted = house.posted();
    assert_eq!(posted.len(), 1 + 9, "it is given up");
    let names: std::collections::BTreeSet<_> =
        posted.iter().map(|(_, fields, _)| fields[0].1.clone()).collect();
    assert_eq!(names.len(), 2, "a message keeps its name however often it is tried");
    let alert = house.alert(&owner, view);
    assert!(alert.waiting == 0 && alert.failure.unwrap().given_up);
}

#[test]
fn one_destination_that_is_slow_leaves_room_for_others() {
    let house = House::new();
    let owner = house.owner();
    for number in 0..19 {
        let view = house.view(&owner, &format!("slow {number}"), View::Rejected);
        let webhook = Some(format!("https://slow.example/{number}"));
        let alert = NewAlert { webhook, ..more_than(0, 1) };
        house.center.set_alert(&owner, view, &alert).unwrap();
    }
    let last = house.view(&owner, "other", View::Rejected);
    let both = NewAlert { mail: vec![BOB.parse().unwrap()], ..more_than(0, 1) };
    house.center.set_alert(&owner, last, &both).unwrap();
    house.record(rejected(1, 1, BOB));
    house.center.watch_alerts().unwrap();
    let due = house.center.due_tellings().unwrap();
    let slow = due.iter().filter(|due| format!("{due:?}").contains("slow.example")).count();
    assert_eq!((slow, due.len()), (2, 4), "the mail and the other webhook are due as well");
}

#[test]
fn what_a_clock_that_was_ahead_wrote_keeps_no_alert_silent() {
    let mut house = House::new();
    let owner = house.owner();
    let (early, _) = house.set(&owner, &more_than(1, 60));
    // Two days ahead: one alert fires, another is set.
    let days = 2 * 86_400;
    house.gateway.advance(Duration::from_secs(days as u64));
    (1..=2).for_each(|number| house.record(rejected(number, days, BOB)));
    house.center.watch_alerts().unwrap();
    assert_eq!(house.alert(&owner, early).fired, Some(at(days)));
    let late = house.view(&owner, "late", View::Rejected);
    house.center.set_alert(&owner, late, &more_than(1, 60)).unwrap();
    // The clock was put right and the server started again.
    let clock = world::simulated::SimulatedClock::new(at(100));
    let parts = crate::Parts { clock: Arc::new(clock), ..house.gateway.parts().clone() };
    let center = Center::new(parts);
    house.center = with_alerts(center, &house.gateway, &house.accounts, &house.receiver);
    house.record(rejected(3, 100, BOB));
    house.center.watch_alerts().unwrap();
    house.record(rejected(4, 101, BOB));
    house.record(rejected(5, 102, BOB));
    house.center.watch_alerts().unwrap();
    assert_eq!(house.alert(&owner, early).fired, Some(at(101)));
    assert_eq!(house.alert(&owner, late).fired, Some(at(102)), "100 was before it was known");
}
