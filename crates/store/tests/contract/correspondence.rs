//! The contract of who wrote to whom.

use store::CorrespondenceTable;
use store::contract::Learned;
use types::{Correspondence, Timestamp};

use crate::backend::Backend;
use crate::samples::at;

const DAY: u64 = 24 * 60 * 60;

fn days(days: u64) -> Timestamp {
    at(i64::try_from(days * DAY).unwrap())
}

fn pair(own: &str, other: &str, wrote: Timestamp) -> Correspondence {
    Correspondence { own: own.parse().unwrap(), other: other.parse().unwrap(), wrote }
}

fn learned(new: usize, renewed: usize) -> Learned {
    Learned { new, renewed, left_out: 0 }
}

fn wrote<S: CorrespondenceTable>(
    store: &S,
    own: &str,
    other: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let (own, other) = (own.parse().unwrap(), other.parse().unwrap());
    store.between(&own, &other, now).map(|pair| pair.wrote)
}

const BOB: &str = "bob@corp.example";
const ANN: &str = "ann@sender.example";

pub(crate) async fn who_was_written_to_is_known_for_120_days_after_the_last_mail(
    mut backend: impl Backend,
) {
    let store = backend.open(days(0));
    assert_eq!(store.wrote(&[pair(BOB, ANN, days(0))]).unwrap(), learned(1, 0));
    assert_eq!(store.wrote(&[pair(BOB, ANN, days(50))]).unwrap(), learned(0, 1));
    // What is older teaches nothing, neither does the same again.
    assert_eq!(store.wrote(&[pair(BOB, ANN, days(3))]).unwrap(), learned(0, 0));
    assert_eq!(store.wrote(&[pair(BOB, ANN, days(50))]).unwrap(), learned(0, 0));
    assert_eq!(wrote(&store, BOB, ANN, days(169)), Some(days(50)));
    assert_eq!(wrote(&store, BOB, ANN, days(170)), None);
    // The one and the other are not exchanged, and case does not matter.
    assert_eq!(wrote(&store, ANN, BOB, days(60)), None);
    assert_eq!(wrote(&store, "BOB@Corp.example", "Ann@SENDER.example", days(60)), Some(days(50)));
    assert_eq!(wrote(&store, "cid@corp.example", ANN, days(60)), None);
}

pub(crate) async fn who_wrote_to_whom_survives_checkpoints_and_restarts(mut backend: impl Backend) {
    let store = backend.open(days(0));
    let first: Vec<_> = (0..300).map(|n| pair(BOB, &format!("{n}@x.example"), days(1))).collect();
    assert_eq!(store.wrote(&first).unwrap(), learned(300, 0));
    backend.tidy(&store, days(1));
    store.wrote(&[pair(BOB, "7@x.example", days(2)), pair(BOB, ANN, days(2))]).unwrap();
    assert_eq!(store.forget(&[pair(BOB, "8@x.example", days(1))]).unwrap(), 1);
    assert_eq!(store.forget(&[pair(BOB, "8@x.example", days(1))]).unwrap(), 0);
    drop(store);
    for _ in 0..2 {
        let store = backend.open(days(2));
        assert_eq!(store.count(), 300);
        assert_eq!(wrote(&store, BOB, "7@x.example", days(2)), Some(days(2)));
        assert_eq!(wrote(&store, BOB, "8@x.example", days(2)), None);
        assert_eq!(wrote(&store, BOB, ANN, days(2)), Some(days(2)));
        backend.tidy(&store, days(2));
    }
}

pub(crate) async fn pairs_are_found_newest_first(mut backend: impl Backend) {
    let store = backend.open(days(0));
    let pairs = [
        pair(BOB, ANN, days(2)),
        pair("cid@corp.example", ANN, days(3)),
        pair(BOB, "eve@other.example", days(1)),
    ];
    store.wrote(&pairs).unwrap();
    let all = store.find(&|_| true, days(4), 10);
    assert_eq!(all, [pairs[1].clone(), pairs[0].clone(), pairs[2].clone()]);
    assert_eq!(store.find(&|_| true, days(4), 1), [pairs[1].clone()]);
    let bobs = store.find(&|pair| pair.own.key() == BOB, days(4), 10);
    assert_eq!(bobs, [pairs[0].clone(), pairs[2].clone()]);
    // What counts no more is not shown, though it is still there.
    assert_eq!(store.find(&|_| true, days(122), 10), [pairs[1].clone()]);
}

pub(crate) async fn answers_to_mail_that_was_let_go_teach_nothing(mut backend: impl Backend) {
    let store = backend.open(days(0));
    let eve = "eve@other.example";
    store.wrote(&[pair(BOB, eve, days(0))]).unwrap();
    store.released(&[pair(BOB, ANN, days(1)), pair(BOB, eve, days(1))]).unwrap();
    let later = |store: &_| {
        let at = days(2);
        let all = [pair(BOB, ANN, at), pair(BOB, eve, at), pair("cid@corp.example", ANN, at)];
        CorrespondenceTable::wrote(store, &all).unwrap()
    };
    // Somebody else may write to her; a pair that was known ends when it did.
    assert_eq!(later(&store), learned(1, 0));
    assert_eq!(wrote(&store, BOB, eve, days(119)), Some(days(0)));
    assert_eq!(wrote(&store, BOB, eve, days(120)), None);
    drop(store);
    // By the journal, then by a checkpoint.
    for _ in 0..2 {
        let store = backend.open(days(3));
        assert_eq!(later(&store), learned(0, 0));
        backend.tidy(&store, days(3));
    }
    let store = backend.open(days(3));
    assert_eq!(store.wrote(&[pair(BOB, ANN, days(120))]).unwrap(), learned(0, 0));
    assert_eq!(store.wrote(&[pair(BOB, ANN, days(121))]).unwrap(), learned(1, 0));
}
