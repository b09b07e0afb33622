use super::*;

use store::state::LearningDomain;

const LIMITS: KnownLimits = KnownLimits {
    learn_for: Duration::from_secs(3_600),
    remember: Duration::from_secs(86_400 * 30),
    max: 4,
};

fn at(hour: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + hour * 3_600_000)
}

fn address(text: &str) -> EmailAddress {
    text.parse().unwrap()
}

/// A book for corp.example, whose known recipients decide.
fn begun() -> KnownRecipients {
    let book = KnownRecipients::default();
    let domain: Domain = "corp.example".parse().unwrap();
    book.begin([(&domain, true)].into_iter(), at(0), LIMITS);
    book
}

/// How many an import added and removed.
fn changed(
    done: Result<RecipientsChange, TooManyRecipients>,
) -> Result<(usize, usize), TooManyRecipients> {
    done.map(|change| (change.added, change.removed))
}

fn listed(book: &KnownRecipients) -> Vec<String> {
    book.list(&KnownQuery::default(), 99).into_iter().map(|one| one.address).collect()
}

#[test]
fn a_domain_learns_for_a_while_and_then_knows() {
    let book = begun();
    book.exists(&address("Bob@corp.example"), at(0), LIMITS);
    let answer = |who: &str, hour| book.answer(&address(who), at(hour), LIMITS);
    let until = at(1);
    let learning = RecipientAnswer::Unproven(Unproven::Learning { until });
    assert_eq!(answer("bob@corp.example", 0), RecipientAnswer::Known);
    assert_eq!(answer("eve@corp.example", 0), learning);
    assert_eq!(answer("eve@corp.example", 1), RecipientAnswer::Unknown);
    assert_eq!(answer("bob@corp.example", 1), RecipientAnswer::Known);
    book.exists(&address("eve@other.example"), at(0), LIMITS);
    assert_eq!(book.len(), 1, "a domain that is not ours is not learned");
}

#[test]
fn who_is_refused_for_good_is_unlearned_unless_imported() {
    let book = begun();
    for who in ["ann@corp.example", "bob@corp.example"] {
        book.exists(&address(who), at(0), LIMITS);
    }
    assert_eq!(changed(book.import(&[address("ann@corp.example")], None, LIMITS)), Ok((1, 0)));
    book.does_not_exist(&address("ann@corp.example"));
    book.does_not_exist(&address("bob@corp.example"));
    assert_eq!(listed(&book), ["ann@corp.example"]);
}

#[test]
fn a_full_book_forgets_the_oldest_that_was_learned() {
    let book = begun();
    book.import(&[address("a@corp.example")], None, LIMITS).unwrap();
    for (who, hour) in [("b", 3), ("c", 2), ("d", 4), ("e", 5), ("f", 6)] {
        book.exists(&address(&format!("{who}@corp.example")), at(hour), LIMITS);
    }
    let expected = ["a", "b", "d", "e", "f"].map(|who| format!("{who}@corp.example"));
    assert_eq!(listed(&book), expected);
    // Who is missing now may exist.
    let until = at(7);
    let learning = RecipientAnswer::Unproven(Unproven::Learning { until });
    assert_eq!(book.answer(&address("c@corp.example"), at(6), LIMITS), learning);
    let told = &book.domains()[0];
    assert_eq!((told.since, told.pushed_out, told.learned), (Some(at(6)), Some(at(6)), 4));
    // Which is still told after a restart.
    let again = KnownRecipients::default();
    again.restore(book.take_changes());
    assert_eq!(&again.domains()[0], told);
    book.learn_anew("corp.example", at(7));
    assert_eq!(book.domains()[0].pushed_out, None);
}

/// Where anybody can write to anybody, strangers choose who is learned.
#[test]
fn a_very_full_book_makes_room_in_steps_while_events_wait() {
    let book = begun();
    let full = KnownLimits { max: STEP * 150, ..LIMITS };
    let who = |number: usize| format!("{number}@corp.example");
    for number in 0..full.max {
        let at = Some(Timestamp::from_millis(1_000 + number as i64));
        let entry = Entry { imported: false, learned: at, confirmed: at };
        book.write().set(&who(number), entry);
    }
    book.exists(&address("new@corp.example"), at(0), full);
    assert_eq!(book.len(), full.max - STEP + 1, "not a hundredth, which were more");
    let is_known = |number: usize| book.read().entry(&who(number)) != Entry::default();
    assert!(!is_known(STEP - 1) && is_known(STEP), "and the oldest are gone");
}

#[test]
fn mail_to_another_domain_pushes_out_nobody_who_decides() {
    let book = KnownRecipients::default();
    let domains: Vec<Domain> =
        ["corp.example", "all.example", "any.example"].map(|name| name.parse().unwrap()).into();
    let ways = [true, false, false];
    book.begin(domains.iter().zip(ways), at(0), LIMITS);
    for who in ["ann@corp.example", "bob@corp.example", "cid@corp.example", "dan@any.example"] {
        book.exists(&address(who), at(0), LIMITS);
    }
    for number in 0..20 {
        book.exists(&address(&format!("{number}@all.example")), at(2), LIMITS);
    }
    let expected = ["19@all.example", "ann@corp.example", "bob@corp.example", "cid@corp.example"];
    assert_eq!(listed(&book), expected);
    let answer = |who| book.answer(&address(who), at(2), LIMITS);
    assert_eq!(answer("bob@corp.example"), RecipientAnswer::Known);
    assert_eq!(answer("eve@corp.example"), RecipientAnswer::Unknown, "nothing of it was lost");
    assert!(matches!(answer("dan@any.example"), RecipientAnswer::Unproven(_)), "it was lost");
}

#[test]
fn of_two_that_decide_the_larger_makes_room() {
    let book = KnownRecipients::default();
    let domains: Vec<Domain> =
        ["corp.example", "big.example"].map(|name| name.parse().unwrap()).into();
    let ways = [true, true];
    book.begin(domains.iter().zip(ways), at(0), LIMITS);
    book.exists(&address("ann@corp.example"), at(0), LIMITS);
    for number in 0..20 {
        book.exists(&address(&format!("{number}@big.example")), at(2), LIMITS);
    }
    book.exists(&address("bob@corp.example"), at(3), LIMITS);
    let corp = &book.domains()[1];
    assert_eq!((&*corp.domain, corp.learned, corp.since), ("corp.example", 2, Some(at(0))));
}

#[test]
fn what_is_old_goes_by_the_newest_mail_and_slowly() {
    let book = begun();
    let many = KnownLimits { max: 99, ..LIMITS };
    for who in ["a", "b", "c"] {
        book.exists(&address(&format!("{who}@corp.example")), at(0), many);
    }
    // A clock that is ahead by years, with no mail.
    let ahead = 24 * 2_000;
    (0..50).for_each(|hour| book.tidy(at(ahead + hour), many));
    assert_eq!(book.len(), 3);
    assert_eq!(book.answer(&address("a@corp.example"), at(ahead), many), RecipientAnswer::Known);
    // With mail for one, the others go one after the other.
    book.exists(&address("c@corp.example"), at(24 * 40), many);
    (0..9).for_each(|_| book.tidy(at(24 * 40), many));
    assert_eq!(listed(&book), ["b@corp.example", "c@corp.example"]);
    book.tidy(at(24 * 40 + 1), many);
    assert_eq!(listed(&book), ["c@corp.example"]);
    // Mail that is to come by the clock makes nobody old.
    book.exists(&address("d@corp.example"), at(24 * 50), many);
    book.exists(&address("e@corp.example"), at(ahead), many);
    book.tidy(at(24 * 51), many);
    assert_eq!(book.len(), 3);
}

#[test]
fn a_domain_that_comes_back_after_long_learns_anew() {
    let domain: Domain = "corp.example".parse().unwrap();
    let ours = || [(&domain, true)].into_iter();
    let none = || [].into_iter();
    let book = begun();
    book.exists(&address("bob@corp.example"), at(0), LIMITS);
    book.begin(none(), at(1), LIMITS);
    book.begin(ours(), at(2), LIMITS);
    assert_eq!(book.domains()[0].since, Some(at(0)), "it was away for an hour");
    book.begin(ours(), at(24 * 31), LIMITS);
    assert_eq!(book.domains()[0].since, Some(at(0)), "it was not away");
    book.begin(none(), at(24 * 31), LIMITS);
    book.begin(ours(), at(24 * 31 + 1), LIMITS);
    assert_eq!(book.domains()[0].since, Some(at(24 * 31 + 1)));
    // One that stays away is forgotten with all that is known of it.
    book.begin(none(), at(24 * 32), LIMITS);
    book.take_changes();
    book.tidy(at(24 * 62), LIMITS);
    let changes = book.take_changes();
    assert_eq!(
        (changes.forgotten, changes.ended),
        (vec!["bob@corp.example".to_owned()], vec!["corp.example".to_owned()])
    );
    assert_eq!(book.domains(), []);
    book.begin(ours(), at(24 * 90), LIMITS);
    assert_eq!(book.domains()[0].since, None, "nobody of it is known");
}

#[test]
fn more_than_there_may_be_are_not_imported() {
    let book = begun();
    let people = |names: &str| -> Vec<EmailAddress> {
        names.chars().map(|name| address(&format!("{name}@corp.example"))).collect()
    };
    let import = |names: &str, of: Option<&str>| changed(book.import(&people(names), of, LIMITS));
    assert_eq!(import("abcabc", None), Ok((3, 0)));
    assert_eq!(import("de", None), Err(TooManyRecipients { max: 4 }));
    assert_eq!(book.len(), 3, "nothing of it is there");
    assert_eq!(import("cdef", Some("corp.example")), Ok((3, 2)), "room is made first");
    assert_eq!(import("cdefg", Some("corp.example")), Err(TooManyRecipients { max: 4 }));
    book.exists(&address("z@corp.example"), at(0), LIMITS);
    assert_eq!(book.len(), 5, "who is imported takes no room from who is learned");
    assert_eq!((book.domains()[0].imported, book.domains()[0].learned), (4, 1));
}

#[test]
fn long_lists_are_given_in_order_and_piece_by_piece() {
    let book = begun();
    let many = KnownLimits { max: 9_999, ..LIMITS };
    let people: Vec<EmailAddress> = (0..3 * STEP)
        .map(|number| address(&format!("{number:05}@{}.example", ["corp", "all"][number % 2])))
        .collect();
    book.import(&people, None, many).unwrap();
    let look = |query: KnownQuery, max| -> Vec<String> {
        book.list(&query, max).into_iter().map(|one| one.address).collect()
    };
    let all = look(KnownQuery::default(), 3 * STEP);
    assert!(all.is_sorted() && all.len() == 3 * STEP);
    let after = Some(all[99].clone());
    assert_eq!(look(KnownQuery { after, ..KnownQuery::default() }, 7), all[100..107]);
    let text = Some("05999@".to_owned());
    assert_eq!(look(KnownQuery { text, ..KnownQuery::default() }, 7), ["05999@all.example"]);
    let domain = Some("corp.example".to_owned());
    assert_eq!(look(KnownQuery { domain, ..KnownQuery::default() }, 9_999).len(), 3 * STEP / 2);
}

#[test]
fn what_changed_is_given_once_and_taken_back() {
    let book = begun();
    book.exists(&address("bob@corp.example"), at(0), LIMITS);
    book.exists(&address("bob@corp.example"), at(1), LIMITS);
    let changes = book.take_changes();
    let (domain, since) = ("corp.example".to_owned(), at(0));
    assert_eq!(changes.begun, [LearningDomain { domain, since, pushed_out: None }]);
    assert_eq!((changes.kept.len(), changes.forgotten.len()), (1, 0));
    assert_eq!(book.take_changes(), StoredRecipients::default());
    book.give_back(changes.clone());
    assert_eq!(book.take_changes(), changes);
    let again = KnownRecipients::default();
    again.restore(changes);
    assert_eq!(again.list(&KnownQuery::default(), 9), book.list(&KnownQuery::default(), 9));
    assert_eq!(again.domains(), book.domains());
    assert_eq!(book.forget(&[address("bob@corp.example")]), 1);
    let changes = book.take_changes();
    assert_eq!((changes.forgotten.len(), changes.ended.len()), (1, 1), "nobody is left");
}

#[test]
fn a_list_that_is_imported_anew_takes_the_place_of_the_old_one() {
    let book = begun();
    let old = [address("ann@corp.example"), address("bob@corp.example")];
    book.import(&old, None, LIMITS).unwrap();
    book.exists(&address("bob@corp.example"), at(0), LIMITS);
    let new = [address("cid@corp.example")];
    let expected = RecipientsChange { added: 1, removed: 2, before: 2 };
    assert_eq!(book.would_import(&new, Some("corp.example"), LIMITS), Ok(expected));
    assert_eq!(listed(&book), ["ann@corp.example", "bob@corp.example"], "nothing is changed yet");
    assert_eq!(book.import(&new, Some("corp.example"), LIMITS), Ok(expected));
    assert_eq!(book.is_imported(&address("bob@corp.example")), Some(false));
    assert_eq!(listed(&book), ["bob@corp.example", "cid@corp.example"], "bob was learned too");
    assert_eq!(book.forget(&new), 1);
    assert_eq!(book.is_imported(&address("bob@corp.example")), None, "none is left");
    assert_eq!(book.learn_anew("corp.example", at(9)), 1);
    assert_eq!(book.domains()[0].since, None, "nobody is known any more");
}

#[test]
fn nobody_is_unknown_where_nobody_is_known_however_long_ago_the_domain_was_named() {
    let book = begun();
    let answer = |hour| book.answer(&address("eve@corp.example"), at(hour), LIMITS);
    let nobody = RecipientAnswer::Unproven(Unproven::NobodyKnown);
    assert_eq!(answer(24 * 400), nobody);
    // The first address begins the learning, and the last one gone ends it.
    book.exists(&address("bob@corp.example"), at(24 * 400), LIMITS);
    let until = at(24 * 400 + 1);
    let learning = RecipientAnswer::Unproven(Unproven::Learning { until });
    assert_eq!(answer(24 * 400), learning);
    assert_eq!(answer(24 * 400 + 1), RecipientAnswer::Unknown);
    book.does_not_exist(&address("bob@corp.example"));
    assert_eq!(answer(24 * 400 + 1), nobody);
    // An import begins it as well, from when it is next looked at.
    book.import(&[address("ann@corp.example")], None, LIMITS).unwrap();
    assert!(matches!(answer(24 * 401), RecipientAnswer::Unproven(Unproven::Learning { .. })));
    book.tidy(at(24 * 401), LIMITS);
    assert_eq!(book.domains()[0].since, Some(at(24 * 401)));
    assert_eq!(answer(24 * 401 + 1), RecipientAnswer::Unknown);
    // A beginning of an empty book, as it was once stored, is none.
    let (domain, since) = ("corp.example".to_owned(), at(0));
    let begun = vec![LearningDomain { domain, since, pushed_out: None }];
    let old = KnownRecipients::default();
    old.restore(StoredRecipients { begun, ..StoredRecipients::default() });
    assert_eq!(old.answer(&address("eve@corp.example"), at(99), LIMITS), nobody);
}

#[test]
fn a_beginning_that_is_yet_to_come_is_now() {
    let book = begun();
    book.exists(&address("bob@corp.example"), at(24 * 900), LIMITS);
    let answer = |hour| book.answer(&address("eve@corp.example"), at(hour), LIMITS);
    let learning = |until| RecipientAnswer::Unproven(Unproven::Learning { until });
    assert_eq!(answer(0), learning(at(1)), "the clock was ahead");
    book.take_changes();
    book.tidy(at(0), LIMITS);
    assert_eq!(book.domains()[0].since, Some(at(24 * 900)), "or it is behind, at a start");
    book.tidy(at(1), LIMITS);
    assert_eq!(book.domains()[0].since, Some(at(1)));
    assert_eq!(book.take_changes().begun[0].since, at(1));
    assert_eq!(answer(2), RecipientAnswer::Unknown);
}

#[test]
fn time_without_us_is_no_time_to_learn() {
    let book = begun();
    book.tidy(at(0), LIMITS);
    book.exists(&address("bob@corp.example"), at(0), LIMITS);
    // The clock was behind when it began.
    book.tidy(at(24 * 900), LIMITS);
    assert_eq!(book.domains()[0].since, Some(at(24 * 900)));
    book.exists(&address("bob@corp.example"), at(24 * 900), LIMITS);
    // The program is off for a month.
    let again = KnownRecipients::default();
    again.restore(book.take_changes());
    let domain: Domain = "corp.example".parse().unwrap();
    again.begin([(&domain, true)].into_iter(), at(24 * 930), LIMITS);
    again.tidy(at(24 * 930), LIMITS);
    let eve = again.answer(&address("eve@corp.example"), at(24 * 930), LIMITS);
    assert!(matches!(eve, RecipientAnswer::Unproven(Unproven::Learning { .. })), "{eve:?}");
    // What is over stays over.
    again.tidy(at(24 * 930 + 2), LIMITS);
    again.tidy(at(24 * 960), LIMITS);
    let eve = again.answer(&address("eve@corp.example"), at(24 * 960), LIMITS);
    assert_eq!(eve, RecipientAnswer::Unknown);
}

#[test]
fn a_newcomer_takes_no_place_of_one_that_is_needed_more() {
    let book = KnownRecipients::default();
    let domains: Vec<Domain> =
        ["corp.example", "all.example"].map(|name| name.parse().unwrap()).into();
    book.begin(domains.iter().zip([true, false]), at(0), LIMITS);
    let people = ["ann", "bob", "cid", "dan"].map(|who| format!("{who}@corp.example"));
    people.iter().for_each(|who| book.exists(&address(who), at(0), LIMITS));
    book.exists(&address("eve@all.example"), at(2), LIMITS);
    assert_eq!(listed(&book), people);
    let frank = book.answer(&address("frank@corp.example"), at(2), LIMITS);
    assert_eq!(frank, RecipientAnswer::Unknown, "nothing of it was lost");
    // A policy makes both equal.
    book.begin(domains.iter().zip([true, true]), at(2), LIMITS);
    book.exists(&address("eve@all.example"), at(2), LIMITS);
    assert_eq!((book.len(), listed(&book)[3].as_str()), (4, "eve@all.example"));
}

#[test]
fn imported_recipients_of_a_domain_that_is_gone_take_no_room() {
    let book = begun();
    let people = |domain: &str| ["a", "b", "c", "d"].map(|who| address(&format!("{who}@{domain}")));
    book.import(&people("corp.example"), None, LIMITS).unwrap();
    let other: Domain = "other.example".parse().unwrap();
    book.begin([(&other, true)].into_iter(), at(0), LIMITS);
    assert_eq!(changed(book.import(&people("other.example"), None, LIMITS)), Ok((4, 0)));
    assert_eq!(book.forget_all_of("corp.example"), 4);
    assert_eq!(book.len(), 4);
    book.tidy(at(1), LIMITS);
    assert_eq!(book.domains().len(), 1, "nothing is left of it");
}
