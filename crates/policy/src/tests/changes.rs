//! Managed senders changed without compiling all anew.

use super::*;

fn put(line: &str) -> SenderChange {
    SenderChange::Put(managed(line))
}

fn remove(recipient: &str, sender: &str) -> SenderChange {
    SenderChange::Remove { recipient: recipient.parse().unwrap(), sender: sender.parse().unwrap() }
}

#[track_caller]
fn shown(set: &PolicySet, expected: &str) {
    let (ruling, _) = mail("<ann@sender.example> to <bob@corp.example>").decide(set);
    assert_eq!(show(&ruling), expected);
}

#[test]
fn a_change_takes_effect_in_the_next_set_and_not_in_the_old_one() {
    let old = compile(objects("#1 block for bob@corp.example from sender.example"));
    let blocked = "reject blocked.manual.envelope by #1";
    shown(&old, blocked);
    let permit = put("#2 permit for bob@corp.example from sender.example");
    let new = old.with_senders(2, &[permit]).unwrap();
    shown(&new, "proceed permitted by #2");
    shown(&old, blocked);
    assert_eq!((new.version(), new.managed_senders()), (2, 1));
    let gone = new.with_senders(3, &[remove("bob@corp.example", "sender.example")]).unwrap();
    shown(&gone, "defer greylist.first_seen by settings");
    assert_eq!(gone.managed_senders(), 0);
    let other =
        gone.with_senders(4, &[put("#3 block for bob@corp.example from ann@sender.example")]);
    shown(&other.unwrap(), "reject blocked.manual.envelope by #3");
}

#[test]
fn many_changes_are_compiled_into_the_table() {
    let old = compile(objects("#1 block for bob@corp.example from sender.example"));
    let changes: Vec<SenderChange> = (2..6_000)
        .map(|n| put(&format!("#{n} block for u{n}@corp.example from sender.example")))
        .collect();
    let new = old.with_senders(2, &changes).unwrap();
    assert_eq!(new.managed_senders(), 5_999);
    shown(&new, "reject blocked.manual.envelope by #1");
    let (ruling, _) = mail("<ann@sender.example> to <u777@corp.example>").decide(&new);
    assert_eq!(show(&ruling), "reject blocked.manual.envelope by #777");
}

#[test]
fn of_two_entries_for_a_pair_the_later_counts() {
    let mut objects = objects(
        "#1 permit for bob@corp.example from sender.example\n\
         #2 block for bob@corp.example from sender.example",
    );
    shown(&compile(objects.clone()), "reject blocked.manual.envelope by #2");
    objects.managed_senders[0].created = NOW;
    shown(&compile(objects), "proceed permitted by #1");
}

#[test]
fn a_refused_change_names_itself() {
    let set = compile(objects(""));
    let error = set.with_senders(2, &[put("#9 permit for bob@corp.example from corp.example")]);
    let error = error.unwrap_err();
    assert!(error.to_string().starts_with("managed sender #9: it permits corp.example"), "{error}");
}

#[test]
fn other_policies_keep_the_managed_senders() {
    let set = compile(objects("#1 block for bob@corp.example from sender.example"));
    let next = objects("#1 permit from ann@sender.example");
    let set = set.with_policies(2, next).unwrap();
    shown(&set, "proceed permitted by #1");
    let set = set.with_policies(3, PolicyObjects::default()).unwrap();
    shown(&set, "reject blocked.manual.envelope by #1");
}
