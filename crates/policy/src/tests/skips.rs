//! What a permit skips, and what it never does: one table.

use super::authentication::strict;
use super::geography::with_places;
use super::reputation::with_lists;
use super::*;
use types::ReputationFacts;

/// Policies, what the mail is like beside its parties, what of it the checks
/// see, the end without a permit, and whether a permit skips it.
type Row = (&'static str, &'static str, fn(Mail) -> Mail, &'static str, bool);

fn plain(mail: Mail) -> Mail {
    mail
}

fn listed(mut mail: Mail) -> Mail {
    let list = "bl.example".parse().unwrap();
    let answer = ListAnswer::listed(vec!["127.0.0.2".parse().unwrap()], None);
    let subject = mail.ip.to_string();
    let (read_ago_s, took) = (None, Micros(1));
    mail.lists = vec![ListFacts { list, of: ListSubject::Ip, subject, answer, read_ago_s, took }];
    mail
}

fn far_away(mut mail: Mail) -> Mail {
    let country = "XA".parse().ok();
    mail.place = Observed::Place(PlaceFacts { country, network: None });
    mail
}

fn silent_domain(mail: Mail) -> Mail {
    let domain = "sender.example".to_owned();
    let facts = SenderDomainFacts { domain, takes_mail: TakesMail::NullMx };
    mail.observed(CheckName::SenderDomain, Observed::SenderDomain(facts))
}

fn enormous(mail: Mail) -> Mail {
    let size = Observed::Size { declared: Some(1_001), received: None };
    mail.observed(CheckName::Size, size)
}

fn elsewhere(mail: Mail) -> Mail {
    let relay = Observed::Relay { internal: false, askers: false };
    mail.observed(CheckName::Relay, relay)
}

fn ill_reputed(mail: Mail) -> Mail {
    let facts = ReputationFacts { score: 60, ..ReputationFacts::default() };
    mail.observed(CheckName::Reputation, Observed::Reputation(facts))
}

/// By what it did itself.
fn worst_reputed(mail: Mail) -> Mail {
    let facts = ReputationFacts { score: 100, own: 100, ..ReputationFacts::default() };
    mail.observed(CheckName::Reputation, Observed::Reputation(facts))
}

fn endless(mail: Mail) -> Mail {
    let size = Observed::Size { declared: None, received: Some(1_001) };
    mail.observed(CheckName::Size, size)
}

fn smuggling(mail: Mail) -> Mail {
    mail.observed(CheckName::DataFormat, Observed::BareLineEnd)
}

fn wide(mail: Mail) -> Mail {
    mail.observed(CheckName::DataFormat, Observed::LineTooLong { max: 1_000 })
}

fn looping(mail: Mail) -> Mail {
    mail.observed(CheckName::Hops, Observed::Hops { received_fields: 101, max: 100 })
}

#[rustfmt::skip] // A table: one check a line.
const ROWS: &[Row] = &[
    ("#1 lists", "retry", listed, "reject rbl.listed", true),
    ("", "retry", ill_reputed, "defer reputation.temporary", true),
    ("", "retry", worst_reputed, "reject reputation.rejected", true),
    ("", "", plain, "defer greylist.first_seen", true),
    ("", "early", plain, "defer greylist.too_early", true),
    ("#1 places", "retry", far_away, "reject geo.blocked", false),
    ("#1 hold_places", "retry", far_away, "hold hold.geo", false),
    ("", "retry", silent_domain, "reject sender.null_mx", false),
    ("", "retry", enormous, "reject size.exceeded", false),
    ("", "retry", elsewhere, "reject relay.denied", false),
    ("", "retry", harvesting, "defer rate.limited", false),
    ("", "retry unknown", plain, "reject recipient.unknown", false),
    ("#1 secure from sender.example", "retry", plain, "reject tls.required", false),
    ("#1 verified from sender.example", "retry tls TLSv1.3", plain, "reject tls.unverified", false),
    ("", "retry fast", plain, "defer rate.limited", false),
    ("#1 authenticate", "retry spf fail", plain, "reject auth.spf", false),
    ("#1 guard_always from sender.example", "retry", plain, "reject spoofing.envelope", false),
    // At end of data.
    ("", "unauthored", smuggling, "reject protocol.smuggling", false),
    ("", "unauthored", wide, "reject protocol.line_too_long", false),
    ("", "unauthored", endless, "reject size.exceeded", false),
    ("", "unauthored", looping, "reject loop", false),
    ("#1 authenticate", "author ann@sender.example dkim fail sender.example", plain, "reject auth.dkim", false),
    ("#1 authenticate", "author ann@sender.example dkim policy sender.example", plain, "hold hold.authentication", false),
    ("#1 authenticate", "author ann@sender.example dkim temperror sender.example", plain, "defer auth.temporary", false),
    ("#1 authenticate", "author ann@sender.example dmarc fail asks reject", plain, "reject auth.dmarc", false),
    ("#1 authenticate", "author ann@sender.example dmarc fail asks quarantine", plain, "hold hold.dmarc_quarantine", false),
    ("#1 guard from internal both", "author bob@corp.example", plain, "reject spoofing.header", false),
    ("#1 guard from internal both", "author bob@corp.example dkim temperror corp.example", plain, "defer auth.temporary", false),
    ("#1 guard from internal both", "author bob@corp.example dkim neutral corp.example unseen", plain, "hold hold.authentication", false),
];

/// What a result of sender authentication leads to in these rows.
const STRICT: &str = "spf fail reject, dkim fail reject, dkim policy hold, dkim temperror defer, \
                      dmarc fail honour";

fn harvesting(mail: Mail) -> Mail {
    let seen = Observed::Harvest { unknown: 50, max: 50, by_network: false, retry_in_s: 7 };
    mail.observed(CheckName::Harvest, seen)
}

#[test]
fn a_postmaster_is_not_put_off_though_names_are_tried_out() {
    for (to, expected) in [
        ("<postmaster>", "proceed"),
        ("<Postmaster@corp.example>", "proceed"),
        ("<postmaster.of@corp.example>", "defer rate.limited"),
    ] {
        let mut mail = harvesting(mail(&format!("<ann@sender.example> to {to} retry")));
        let found = show(&mail.decide(&compile(PolicyObjects::default())).0);
        assert!(found.starts_with(expected), "{to}: {found}");
    }
}

/// Policies and entries that let the sender past, and words of the mail.
const PERMITS: &[(&str, &str)] = &[
    ("#9 permit from sender.example", ""),
    ("#9 permit from group:Friends\ngroup Friends: ann@sender.example", ""),
    ("#9 permit for bob@corp.example from ann@sender.example", ""),
    ("#9 auto for bob@corp.example from ann@sender.example", ""),
    // Learned from outbound mail: the settings apply it, or a policy does.
    ("", "wrote 119"),
    ("#9 auto_allow to bob@corp.example", "wrote 0"),
];

#[test]
fn a_permit_skips_lists_and_greylisting_and_nothing_else() {
    let end = |row: &Row, (permit, more): &(&str, &str)| {
        let (lines, words, seen, ..) = row;
        let mut objects = with_lists("1: bl.example", &format!("{lines}\n{permit}"));
        objects.definitions.extend(with_places("block XA", "").definitions);
        let held = with_places("hold XA", "").definitions.into_iter();
        objects
            .definitions
            .extend(held.map(|one| Definition { name: "Held places".to_owned(), ..one }));
        objects.definitions.extend(strict(STRICT, "").definitions);
        let line = format!("<ann@sender.example> to <bob@corp.example> {words} {more}");
        show(&seen(mail(&line)).decide(&compile(objects)).0)
    };
    for row in ROWS {
        let (.., refused, skipped) = row;
        let reason = refused.split(' ').nth(1).unwrap();
        let mut documented = [Stage::Rcpt, Stage::Data]
            .into_iter()
            .flat_map(|stage| rules(stage, Direction::Inbound))
            .filter(|rule| rule.reasons.iter().any(|one| one.slug() == reason));
        assert!(documented.all(|rule| rule.permit_skips == *skipped), "{row:?}");
        let without = end(row, &("", ""));
        assert!(without.starts_with(refused), "{row:?}: {without}");
        for permit in PERMITS {
            let expected = if *skipped { "proceed" } else { refused };
            let found = end(row, permit);
            assert!(found.starts_with(expected), "{row:?} with {permit:?}: {found}");
        }
    }
}
