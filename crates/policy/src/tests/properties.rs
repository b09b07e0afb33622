//! What holds for every policy set: the index finds what a plain scan
//! finds, nothing panics, and what does not match does not matter.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::groups::GroupTree;
use crate::index::PolicyIndex;
use crate::patterns::Rank;
use crate::senders::SenderMatch;
use crate::sources::host_domain;

const ADDRESSES: &[&str] = &[
    "a@corp.example",
    "b@corp.example",
    "a@sub.corp.example",
    "a@open.example",
    "a@x.example",
    "b@x.example",
    "a@y.x.example",
    "c@z.y.x.example",
    "a@[192.0.2.1]",
    "a@other",
];
const SCOPES: &[&str] = &[
    "everyone",
    "internal",
    "external",
    "corp.example",
    "x.example",
    "*.example",
    "*.x.example",
    "*.y.x.example",
    "group:G",
    "group:H",
    "unit=sales",
    "a@corp.example",
    "a@x.example",
    "c@z.y.x.example",
];
const OPTIONS: &[&str] = &[
    "permit",
    "no_permit",
    "block",
    "no_block",
    "greylist",
    "no_greylist",
    "greylist_by_address",
    "10",
    "20",
    "accept_all",
    "call_forward",
];
const WORDS: &[&str] = &[
    "override",
    "bidirectional",
    "observe",
    "off",
    "header",
    "both",
    "ip 192.0.2.0/24",
    "ip 192.0.0.0/16",
    "ip 2001:db8::/32",
    "host x.example",
    "host mx.x.example",
    "until 2026-01-01T00:00:00Z",
    "since 2026-01-01T00:00:00Z",
];
const IPS: &[&str] = &["192.0.2.1", "192.0.9.9", "203.0.113.1", "2001:db8::1", "2001:db9::1"];
const HOSTS: &[Option<&str>] = &[None, Some("mx.x.example"), Some("x.example."), Some("-bad-")];

/// A policy line without its number.
fn policy_line() -> impl Strategy<Value = String> {
    let words = subsequence(WORDS, 0..4);
    (select(OPTIONS), select(SCOPES), select(SCOPES), words).prop_map(
        |(option, from, to, words)| format!("{option} from {from} to {to} {}", words.join(" ")),
    )
}

pub(super) fn policies() -> impl Strategy<Value = Vec<StoredPolicy>> {
    let lines = proptest::collection::vec(policy_line(), 0..14);
    lines.prop_map(|lines| {
        (1..).zip(&lines).map(|(id, line)| policy(&format!("#{id} {line}"))).collect()
    })
}

/// `G`, `H` below it, and those whose unit is Sales in two directories.
pub(super) fn groups() -> impl Strategy<Value = Vec<Group>> {
    let members = || {
        subsequence(&SCOPES[3..], 0..4).prop_map(|names| {
            let plain = names.into_iter().filter(|name| !name.contains([':', '=']));
            plain.map(|name| name.parse().unwrap()).collect::<Vec<Pattern>>()
        })
    };
    (members(), members(), members(), members()).prop_map(|(g, h, held, elsewhere)| {
        vec![
            Group { name: "G".into(), parent: None, members: g },
            Group { name: "H".into(), parent: Some("G".into()), members: h },
            Group { name: "corp::unit=Sales".into(), parent: None, members: held },
            Group { name: "other::Unit=SALES".into(), parent: None, members: elsewhere },
        ]
    })
}

pub(super) fn senders() -> impl Strategy<Value = Vec<ManagedSender>> {
    let action = select(&["permit", "block", "auto", "disabled"][..]);
    let recipient = select(&ADDRESSES[..3]);
    let sender = select(SENDERS);
    let words = select(&["", "until 2026-01-01T00:00:00Z", "if_authenticated"][..]);
    proptest::collection::vec((action, recipient, sender, words), 0..12).prop_map(|entries| {
        let line = |(id, (action, recipient, sender, words))| {
            // A block of authenticated mail alone is refused.
            let is_refused = action == "block" && words == "if_authenticated";
            let words = if is_refused { "" } else { words };
            format!("#{id} {action} for {recipient} from {sender} {words}")
        };
        (100..).zip(entries).map(|entry| managed(&line(entry))).collect()
    })
}

const SENDERS: &[&str] = &[
    "a@x.example",
    "x.example",
    "*.x.example",
    "y.x.example",
    "*.example",
    "dkim:x.example",
    "dkim:*.x.example",
    "dkim:y.x.example",
];
/// Who signs.
const SIGNERS: &[&str] = &["x.example", "y.x.example", "z.y.x.example", "example"];

/// Senders none of whom is a permit for our own domains, or learned for one.
fn allowed_senders() -> impl Strategy<Value = Vec<ManagedSender>> {
    senders().prop_map(|mut entries| {
        entries.retain(|entry| {
            let lets_past = matches!(entry.action, SenderAction::Permit | SenderAction::Auto);
            !lets_past || entry.sender.to_string() != "*.example"
        });
        entries
    })
}

fn mails() -> impl Strategy<Value = Mail> {
    let from = proptest::option::of(select(ADDRESSES));
    let to = proptest::option::of(select(ADDRESSES));
    let authors = subsequence(ADDRESSES, 0..3);
    let stage = select(&[Stage::Rcpt, Stage::Data][..]);
    let facts = (select(IPS), select(HOSTS), any::<bool>());
    (from, to, authors, stage, facts).prop_map(|(from, to, authors, stage, (ip, host, new))| {
        let mut mail = mail("<> to <postmaster>");
        if let Some(from) = from {
            mail.from = ReversePath::Address(from.parse().unwrap());
        }
        if let Some(to) = to {
            mail.to = ForwardPath::Address(to.parse().unwrap());
        }
        mail.header = authors.into_iter().map(str::to_owned).collect();
        mail.ip = ip.parse().unwrap();
        mail.host = host.map(str::to_owned);
        mail.triplet = if new { TripletState::FirstSeen } else { TripletState::Known };
        mail.stage = stage;
        mail
    })
}

/// The address a side of a mail has, if any, and whether it is ours.
type Side<'a> = (Option<&'a str>, bool);

fn is_ours(address: &str) -> bool {
    let domain = address.rsplit_once('@').unwrap().1;
    base().domains.iter().any(|(own, _)| own.as_str() == domain)
}

fn pattern_covers(pattern: &Pattern, address: &str) -> bool {
    let domain = address.rsplit_once('@').unwrap().1;
    match pattern {
        Pattern::Address(own) => own.key() == address,
        Pattern::Domain(own) if own.below => {
            !domain.starts_with('[') && domain.ends_with(&format!(".{}", own.domain))
        }
        Pattern::Domain(own) => own.domain.as_str() == domain,
    }
}

/// Whether a scope covers a side, and how precisely; by the words of the
/// specification, without any index.
fn covers(scope: &Scope, (address, ours): Side<'_>, groups: &[Group]) -> Option<Rank> {
    let by = |pattern: Pattern| address.is_some_and(|address| pattern_covers(&pattern, address));
    let (covered, rank) = match scope {
        Scope::Everyone => (true, Rank::Everyone),
        Scope::Internal => (ours, Rank::Side),
        Scope::External => (!ours, Rank::Side),
        Scope::Address(own) => (by(Pattern::Address(own.clone())), Rank::Address),
        Scope::Domain(own) => {
            let labels = own.domain.as_str().split('.').count() as u8;
            let rank = if own.below { Rank::Below(labels) } else { Rank::Domain };
            (by(Pattern::Domain(own.clone())), rank)
        }
        Scope::Group(name) => {
            let members = GroupTree::new(groups).members(name);
            (members.into_iter().any(|member| by(member.clone())), Rank::Group)
        }
        Scope::Attribute(_) => {
            let held = groups.iter().filter(|group| group.name.contains("::"));
            let mut members = held.flat_map(|group| &group.members);
            (members.any(|member| by(member.clone())), Rank::Attribute)
        }
    };
    covered.then_some(rank)
}

fn source_matches(policy: &Policy, mail: &Mail) -> bool {
    let ip = policy.source_ips.is_empty()
        || policy.source_ips.iter().any(|network| network.contains(&mail.ip));
    let name = mail.host.as_deref().and_then(host_domain);
    let host = policy.source_hosts.is_empty()
        || name.is_some_and(|name| policy.source_hosts.iter().any(|host| name.is_within(host)));
    ip && host
}

/// What the index must find: number, ranks of recipient and sender, and
/// whether the envelope matched.
type Found = (PolicyId, Rank, Rank, bool);

fn scan(policies: &[StoredPolicy], groups: &[Group], mail: &Mail) -> Vec<Found> {
    let side =
        |address: Option<&'_ str>| (address.map(str::to_owned), address.is_some_and(is_ours));
    let to = match &mail.to {
        ForwardPath::Postmaster => (None, true),
        ForwardPath::Address(address) => side(Some(address.key())),
    };
    let mut senders = vec![(side(mail.from.address().map(EmailAddress::key)), true)];
    if mail.stage >= Stage::Data {
        let none = mail.header.is_empty().then(|| (side(None), false));
        senders.extend(none);
        senders.extend(mail.header.iter().map(|author| (side(Some(author)), false)));
    }
    let mut all: Vec<Found> = Vec::new();
    for stored in policies.iter().filter(|stored| stored.policy.mode != PolicyMode::Off) {
        let policy = &stored.policy;
        if !policy.validity.covers(NOW) || !source_matches(policy, mail) {
            continue;
        }
        let mut best: Option<Found> = None;
        for (sender, envelope) in &senders {
            let looked_at = match policy.based_on {
                AddressBasis::Envelope => *envelope,
                AddressBasis::Header => !envelope,
                AddressBasis::Both => true,
            };
            let exchanged = policy.bidirectional.then_some((&policy.to, &policy.from));
            for (from, into) in [(&policy.from, &policy.to)].into_iter().chain(exchanged) {
                let from = covers(from, (sender.0.as_deref(), sender.1), groups);
                let into = covers(into, (to.0.as_deref(), to.1), groups);
                if let (true, Some(from), Some(into)) = (looked_at, from, into) {
                    let found = (policy.id.unwrap(), into, from, *envelope);
                    best = Some(match best {
                        None => found,
                        Some(old) => {
                            let ranks = (old.1, old.2).max((into, from));
                            (old.0, ranks.0, ranks.1, old.3 || *envelope)
                        }
                    });
                }
            }
        }
        all.extend(best);
    }
    all.sort();
    all
}

fn indexed(policies: &[StoredPolicy], groups: &[Group], mail: &Mail) -> Vec<Found> {
    let index = PolicyIndex::compile(
        PolicyObjects {
            policies: policies.to_vec(),
            groups: groups.to_vec(),
            ..Default::default()
        },
        &base(),
    );
    let matches = index.matches(NOW, &mail.parties(), mail.stage >= Stage::Data);
    let mut all: Vec<Found> = matches
        .iter()
        .map(|found| {
            let specific = found.standing.specific;
            let id = found.compiled.policy.id.unwrap();
            (id, specific.to, specific.from, found.by_envelope)
        })
        .collect();
    all.sort();
    all
}

/// Objects that compile: what is refused is left out, as a caller may.
fn compiled(mut objects: PolicyObjects) -> PolicySet {
    for problem in validate(&objects, &base()) {
        match problem.object {
            ObjectName::Policy(id, _) => objects.policies.retain(|p| p.policy.id != id),
            ObjectName::ManagedSender(id, _) => objects.managed_senders.retain(|m| m.id != id),
            ObjectName::Group(..) | ObjectName::Definition(..) => panic!("{problem}"),
        }
    }
    compile(objects)
}

proptest! {
    // A match by several ways at once is rare, so many sets are tried.
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn the_index_finds_what_a_scan_finds(
        policies in policies(), groups in groups(), mail in mails(),
    ) {
        prop_assert_eq!(indexed(&policies, &groups, &mail), scan(&policies, &groups, &mail));
    }
}

proptest! {
    #[test]
    fn the_table_of_senders_finds_what_a_scan_finds(
        before in allowed_senders(), after in allowed_senders(), mail in mails(), signer in select(SIGNERS),
    ) {
        let set = compile(PolicyObjects { managed_senders: before.clone(), ..Default::default() });
        let changes: Vec<SenderChange> = after.iter().cloned().map(SenderChange::Put).collect();
        let set = set.with_senders(2, &changes).unwrap();
        let mut list: Vec<&ManagedSender> = Vec::new();
        for entry in before.iter().chain(&after) {
            list.retain(|other| (&other.recipient, &other.sender) != (&entry.recipient, &entry.sender));
            list.push(entry);
        }
        let (recipient, sender) = (mail.to.key(), mail.from.key());
        let applies = |entry: &&&ManagedSender| {
            entry.action != SenderAction::Disabled
                && entry.valid_until.is_none_or(|until| NOW < until)
                && entry.recipient.key() == recipient
        };
        let ids = |covers: &dyn Fn(&SenderPattern) -> bool| {
            let covering = list.iter().filter(applies).filter(|entry| covers(&entry.sender));
            let mut ids: Vec<PolicyId> = covering.filter_map(|entry| entry.id).collect();
            ids.sort();
            ids
        };
        let found = |matches: &mut dyn Iterator<Item = SenderMatch>| {
            let mut ids: Vec<PolicyId> = matches.map(|found| found.facts.id).collect();
            ids.sort();
            ids
        };
        let in_list = set.senders().list(recipient);
        let by_address = |pattern: &SenderPattern| {
            let named = pattern.named().filter(|_| !sender.is_empty());
            named.is_some_and(|named| pattern_covers(named, sender))
        };
        prop_assert_eq!(found(&mut in_list.of_address(NOW, sender)), ids(&by_address));
        let by_signature = |pattern: &SenderPattern| match pattern {
            SenderPattern::Signed(domain) => domain.matches(signer),
            SenderPattern::Named(_) => false,
        };
        let at_signer = format!("@{signer}");
        prop_assert_eq!(found(&mut in_list.of_signature(NOW, &at_signer)), ids(&by_signature));
        let of_recipient = || list.iter().filter(|entry| entry.recipient.key() == recipient);
        let looks = of_recipient().any(|entry| {
            let looks = entry.authenticated_only || matches!(entry.sender, SenderPattern::Signed(_));
            let is_over = entry.valid_until.is_some_and(|until| until <= NOW);
            looks && entry.action != SenderAction::Disabled && !is_over
        });
        prop_assert!(!looks || set.list_authenticates(NOW, &mail.to));
        prop_assert_eq!(set.managed_senders(), list.len());
    }

    #[test]
    fn deciding_never_panics_and_ends(
        policies in policies(), groups in groups(), managed_senders in senders(), mut mail in mails(),
    ) {
        let set = compiled(PolicyObjects { policies, groups, managed_senders, ..Default::default() });
        let (ruling, asked) = mail.decide(&set);
        prop_assert!(asked.len() <= 6);
        let again = set.decide(mail.stage, NOW, &mail.parties(), &mail.evidence);
        prop_assert_eq!(&again, &ruling, "the same evidence gives the same ruling");
        for stage in Stage::ALL {
            let _ = set.decide(stage, NOW, &Parties { recipient: None, ..mail.parties() }, &Evidence::new());
            let _ = set.decide(stage, NOW, &Parties { reverse_path: None, ..mail.parties() }, &mail.evidence);
        }
    }

    #[test]
    fn what_does_not_match_does_not_matter(
        policies in policies(), groups in groups(), mut mail in mails(), line in policy_line(),
    ) {
        let unrelated = policy(&format!("#999 {line}"));
        prop_assume!(scan(std::slice::from_ref(&unrelated), &groups, &mail).is_empty());
        let set = compiled(PolicyObjects { policies: policies.clone(), groups: groups.clone(), ..Default::default() });
        let policies = policies.into_iter().chain([unrelated]).collect();
        let more = compiled(PolicyObjects { policies, groups, ..Default::default() });
        let (before, _) = mail.decide(&set);
        let (after, _) = mail.decide(&more);
        prop_assert_eq!(before, after);
    }
}
