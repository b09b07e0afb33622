//! What one decision costs with few and with very many policies and managed
//! senders: `cargo run --release -p policy --example decision_cost`.
//!
//! Prints microseconds per decision at RCPT, evidence complete, and the
//! ratio of the large set to the small one. Senders and recipients vary, so
//! that a large set is met with a cold cache as in life.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use ::policy::{PolicyObjects, PolicySet, SenderChange, Step, StoredPolicy};
use types::evidence::{Evidence, Parties};
use types::finding::{Finding, RecipientAnswer, TripletFacts, TripletState};
use types::lists::{Group, ManagedSender, SenderAction, SenderPattern};
use types::policy::*;
use types::*;

type Failure = Box<dyn Error>;

const DECISIONS: usize = 100_000;
const ROUNDS: usize = 7;
const SENT: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn main() -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let small = measure("10 policies, 10 senders", 10, 10, &mut out)?;
    let large = measure("10,000 policies, 1,000,000 senders", 10_000, 1_000_000, &mut out)?;
    writeln!(out, "ratio {:.2}", large / small)?;
    Ok(())
}

/// Compiles a set of this size and returns microseconds per decision.
fn measure(name: &str, policies: u64, senders: u64, out: &mut impl Write) -> Result<f64, Failure> {
    let base = BasePolicies {
        size_max_octets: 200_000_000,
        greylist: GreylistTimes::default(),
        reputation: Default::default(),
        permitted_lists: Vec::new(),
        lists: Vec::new(),
        limits_recipient_rate: false,
        domains: vec![("corp.example".parse()?, RecipientValidation::Directory)],
    };
    let objects = objects(policies, senders)?;
    let (set, compiling) = timed(|| PolicySet::compile(1, objects, &base));
    let set = set?;
    let (mails, evidence) = (mails(senders)?, evidence());
    // The best of several rounds, because other work disturbs.
    let rounds = (0..ROUNDS).map(|_| timed(|| decide_all(&set, &mails, &evidence)));
    let (refused, deciding) = rounds.min_by_key(|(_, took)| *took).unwrap_or_default();
    let each = deciding.as_secs_f64() * 1e6 / DECISIONS as f64;
    let octets = set.managed_sender_octets() as f64 / set.managed_senders().max(1) as f64;
    writeln!(
        out,
        "{name}: {each:.2} us a decision ({refused} of {DECISIONS} blocked), compiled in {:.2} s, \
         {octets:.0} octets an entry",
        compiling.as_secs_f64(),
    )?;
    let change = SenderChange::Put(entry(senders + 1)?);
    let (changed, changing) = timed(|| set.with_senders(2, &[change]));
    changed?;
    writeln!(out, "  one sender changed in {:.1} us", changing.as_secs_f64() * 1e6)?;
    Ok(each)
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let done = work();
    (done, begin.elapsed())
}

/// Decides on every mail in turn; returns how many were refused.
fn decide_all(set: &PolicySet, mails: &[(ReversePath, ForwardPath)], evidence: &Evidence) -> usize {
    let mut refused = 0;
    for (reverse_path, recipient) in mails.iter().cycle().take(DECISIONS) {
        let who = Parties {
            ip: [192, 0, 2, 1].into(),
            host_name: None,
            tls: None,
            reverse_path: Some(reverse_path),
            recipient: Some(recipient),
            header_from: &[],
        };
        let ruling = set.decide(Stage::Rcpt, SENT, &who, evidence);
        refused += usize::from(matches!(ruling.step, Step::Decided(Verdict::Reject(_))));
    }
    refused
}

/// 100,000 mails, of which every second one has one of the entries.
fn mails(senders: u64) -> Result<Vec<(ReversePath, ForwardPath)>, Failure> {
    let mail = |place: u64| {
        let n = place * 7_919 % senders + 1;
        let strange = if place.is_multiple_of(2) { "" } else { "other." };
        let sender = format!("s{n}@{strange}d{}.sender.example", n % 50_000).parse()?;
        let recipient = format!("u{}@corp.example", n % 20_000).parse()?;
        Ok((ReversePath::Address(sender), ForwardPath::Address(recipient)))
    };
    (0..100_000).map(mail).collect()
}

fn evidence() -> Evidence {
    let found = |check, observed| Finding {
        check,
        stage: Stage::Rcpt,
        observed,
        source: Source::Memory,
        took: Micros(1),
    };
    let validation = RecipientValidation::Directory;
    let answer = RecipientAnswer::Known;
    let triplet = TripletFacts {
        identity: ClientIdentity::Network,
        client: "192.0.2.0/24".into(),
        sender: "s".into(),
        state: TripletState::FirstSeen,
        life_line: LifeLineId::from_bytes([0; 16]),
        first_seen: SENT,
        first_event: EventId::from_bytes([0; 16]),
        attempts: 1,
        let_in: false,
        no_pool: None,
    };
    let rate = Observed::Rate {
        exceeded: false,
        per_minute_max: 60,
        retry_in_s: 0,
        of: Default::default(),
    };
    [
        found(CheckName::Relay, Observed::Relay { internal: true, askers: false }),
        found(CheckName::Recipient, Observed::Recipient { validation, answer }),
        found(CheckName::Rate, rate),
        found(CheckName::Greylist, Observed::Triplet(triplet)),
    ]
    .into_iter()
    .collect()
}

fn objects(policies: u64, senders: u64) -> Result<PolicyObjects, Failure> {
    let group = Group {
        name: "Friends".to_owned(),
        parent: None,
        members: vec!["friend.example".parse()?],
    };
    Ok(PolicyObjects {
        policies: (1..=policies).map(policy).collect::<Result<_, Failure>>()?,
        groups: vec![group],
        definitions: Vec::new(),
        managed_senders: (1..=senders).map(entry).collect::<Result<_, Failure>>()?,
    })
}

/// Policies of all kinds of scope, most of them about single domains and
/// addresses, as long lists are.
fn policy(n: u64) -> Result<StoredPolicy, Failure> {
    let block = PolicyOption::BlockedSenders(BlockOption::Block);
    let permit = PolicyOption::PermittedSenders(PermitOption::Permit);
    let domain = |text: String| text.parse().map(Scope::Domain);
    let recipient = || format!("u{}@corp.example", n % 20_000).parse().map(Scope::Address);
    let (option, from, to) = match n % 6 {
        0 => (block, domain(format!("*.bad{n}.example"))?, Scope::Everyone),
        1 => (block, domain(format!("spam{n}.example"))?, Scope::Everyone),
        2 => (permit, domain(format!("good{n}.example"))?, recipient()?),
        3 => (PolicyOption::EmailSizeLimits(1_000_000 + n), Scope::Everyone, recipient()?),
        4 => (permit, Scope::Group("Friends".to_owned()), recipient()?),
        _ => {
            let option = PolicyOption::Greylisting(GreylistOption::NoAction);
            (option, domain(format!("partner{n}.example"))?, Scope::Internal)
        }
    };
    let network = (n % 6 == 1).then(|| format!("10.{}.{}.0/24", n / 256 % 256, n % 256).parse());
    let policy = Policy {
        id: Some(PolicyId(n)),
        narrative: format!("policy {n}"),
        option,
        based_on: AddressBasis::Envelope,
        from,
        to,
        source_ips: network.into_iter().collect::<Result<_, _>>()?,
        source_hosts: Vec::new(),
        validity: Validity::default(),
        mode: PolicyMode::On,
        overrides: false,
        bidirectional: false,
    };
    Ok(StoredPolicy { policy, version: 1, created: Timestamp::EPOCH })
}

/// Fifty entries for each of 20,000 recipients in the large set.
fn entry(n: u64) -> Result<ManagedSender, Failure> {
    let sender: SenderPattern = format!("s{n}@d{}.sender.example", n % 50_000).parse()?;
    let action = if n.is_multiple_of(3) { SenderAction::Block } else { SenderAction::Permit };
    Ok(ManagedSender {
        id: Some(PolicyId(n)),
        sender,
        recipient: format!("u{}@corp.example", n % 20_000).parse()?,
        action,
        authenticated_only: false,
        note: String::new(),
        created_by: String::new(),
        created: SENT,
        created_from: None,
        valid_until: None,
    })
}
