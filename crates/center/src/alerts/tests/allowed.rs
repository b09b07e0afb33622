//! What makes no alert, who may set one, and who sees its secrets.

use super::*;

#[test]
fn what_makes_no_alert_is_refused_with_the_reason() {
    let house = House::new();
    let (owner, desk) = (house.owner(), house.account("desk", &["corp.example"]));
    let (view, set) = house.set(&owner, &more_than(1, 5));
    let refused = |alert: NewAlert| house.center.set_alert(&owner, view, &alert).unwrap_err();
    let mailed = |to: &str| NewAlert { mail: vec![to.parse().unwrap()], ..more_than(1, 5) };
    for (alert, why) in [
        (more_than(1_001, 5), "1000 at most"),
        (more_than(1, 0), "1 to 1440 minutes"),
        (more_than(1, 1_441), "1 to 1440 minutes"),
        (NewAlert { quiet_minutes: 4, ..more_than(1, 5) }, "no shorter than"),
        (NewAlert { quiet_minutes: 20_000, ..more_than(1, 5) }, "5 to 10080"),
        (NewAlert { webhook: None, ..more_than(1, 5) }, "somebody to tell"),
        (mailed("ann@elsewhere.example"), "none of our domains"),
        (NewAlert { webhook: Some("ftp://x/".to_owned()), ..more_than(1, 5) }, "https://"),
    ] {
        let error = refused(alert);
        assert!(error.to_string().contains(why), "{error}");
    }
    // Lists and queries that say only later what is in them, or when.
    for (list, query, why) in [
        (View::Queue, "", "will become of it"),
        (View::All, "is:delivered", "will become of it"),
        (View::All, "after:now-1h", "the time out"),
    ] {
        let request =
            SearchRequest { view: list, query: query.to_owned(), ..SearchRequest::default() };
        let new = NewView { name: format!("{list:?}{query}"), shared: true, request };
        let id = house.center.save_view(&owner, &new).unwrap().id;
        let error = house.center.set_alert(&owner, id, &more_than(1, 5)).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        let error = house.center.set_alert(&desk, id, &more_than(1, 5)).unwrap_err();
        assert!(error.to_string().contains("somebody else's"), "{error}");
    }
    assert!(
        house
            .center
            .set_alert(&owner, house.view(&owner, "h", View::Held), &more_than(1, 5))
            .is_ok()
    );
    assert!(matches!(house.center.remove_alert(&desk, view), Err(CenterError::NotFound(_))));
    // The help desk of one domain does not write to another.
    let own = house.view(&desk, "own", View::Rejected);
    let out = NewAlert { mail: vec!["x@labs.example".parse().unwrap()], ..more_than(1, 5) };
    assert!(house.center.set_alert(&desk, own, &out).is_err());
    // The secret is shown once; a new address has a new one.
    assert!(set.secret.is_some());
    let again = house.center.set_alert(&owner, view, &more_than(2, 5)).unwrap();
    assert_eq!(again.secret, None);
    let elsewhere = Some("https://other.example/".to_owned());
    let again = NewAlert { webhook: elsewhere, ..more_than(2, 5) };
    assert!(house.center.set_alert(&owner, view, &again).unwrap().secret.is_some());
    house.center.remove_alert(&owner, view).unwrap();
    assert_eq!(house.center.saved_view(&owner, view).unwrap().alert, None);
}

/// An alert by mail alone.
fn mailed() -> NewAlert {
    NewAlert { mail: vec![BOB.parse().unwrap()], webhook: None, ..more_than(0, 1) }
}

#[tokio::test]
async fn a_webhook_takes_mail_data_out_which_not_everybody_may() {
    let house = House::new();
    let viewer = house.account_of("vera", Role::Viewer, &[]);
    let view = house.view(&viewer, "rejected", View::Rejected);
    let denied = house.center.set_alert(&viewer, view, &more_than(0, 1)).unwrap_err();
    let export = types::Permission::ExportMetadata;
    assert!(matches!(denied, CenterError::Denied { permission } if permission == export));
    house.center.set_alert(&viewer, view, &mailed()).unwrap();
    // Who loses the permission while something is still to be told.
    let operator = house.account("otto", &[]);
    let [posts, mails] = ["posts", "mails"].map(|name| house.view(&operator, name, View::Rejected));
    house.center.set_alert(&operator, posts, &more_than(0, 1)).unwrap();
    house.center.set_alert(&operator, mails, &mailed()).unwrap();
    house.record(rejected(1, 1, BOB));
    house.center.watch_alerts().unwrap();
    let lower = AccountChange { role: Some(Role::Viewer.into()), ..AccountChange::default() };
    house.accounts.change_account(&house.owner(), "otto", &lower).unwrap();
    house.tell().await;
    assert!(house.posted().is_empty(), "no longer theirs to send out");
    let alert = house.alert(&operator, posts);
    let why = "otto has lost the permission export_metadata";
    assert_eq!((alert.stopped.as_deref(), alert.waiting), (Some(why), 0));
    let alert = house.alert(&operator, mails);
    assert_eq!((alert.stopped, alert.told.is_some()), (None, true), "mail stays in the house");
}

#[tokio::test]
async fn what_may_be_a_secret_of_a_webhook_is_shown_to_its_owner_alone() {
    let house = House::new();
    let owner = house.owner();
    let address = "https://hooks.example:8443/services/s3cret?key=s3cret";
    let alert = NewAlert { webhook: Some(address.to_owned()), ..more_than(0, 1) };
    let (view, _) = house.set(&owner, &alert);
    assert_eq!(house.alert(&owner, view).webhook.as_deref(), Some(address));
    *house.receiver.refuses.lock().unwrap() = Some(503);
    house.record(rejected(1, 1, BOB));
    house.center.watch_alerts().unwrap();
    house.tell().await;
    assert_eq!(house.alert(&owner, view).failure.unwrap().whom, "https://hooks.example:8443");
    let search = AuditSearch { action: "alert.set".to_owned(), ..AuditSearch::default() };
    let entries = house.center.audit(&owner, &search, None, 10).unwrap();
    let details = format!("{:?}", entries.rows[0].details);
    assert!(details.contains("https://hooks.example:8443") && !details.contains("s3cret"));
}
