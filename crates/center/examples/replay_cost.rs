//! What a replay costs: seconds, CPU seconds and memory for a week of
//! `ATTEMPTS` attempts (first argument, 1,000,000), decided by a set of 300
//! policies and 10,000 managed senders, replayed under a change.
//!
//! `cargo run --release -p center --example replay_cost -- 1000000`

#[path = "../src/replay/tests/made.rs"]
#[expect(clippy::unwrap_used, reason = "a test module outside of a test")]
mod made;
mod quiet;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use center::replay::{ReplayChange, ReplayRequest};
use policy::{PolicyObjects, PolicySet, StoredPolicy};
use store::contract::Position;
use store::disk::RealDisk;
use store::events::{EventIndex, SealWhat};
use types::lists::{ManagedSender, SenderAction};
use types::policy::{
    BasePolicies, BlockOption, GreylistOption, PolicyOption, RecipientValidation, Scope,
};
use types::{Caller, Policy, PolicyId, Timestamp};

use made::{Mail, Maker};

/// Attempts that are made before what is in memory is sealed.
const PART: u64 = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    let attempts: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |number| number.parse())?;
    let folder = tempfile::tempdir()?;
    let from: Timestamp = "2026-11-14T00:00:00Z".parse()?;
    let until = from + Duration::from_secs(7 * 86_400);
    let set = Arc::new(set()?);
    let index = filled(folder.path(), attempts, from, until, &set)?;
    let center = quiet::center(folder.path(), index, until, Arc::clone(&set))?;
    let option = PolicyOption::Greylisting(GreylistOption::NoAction);
    let change = ReplayChange::Policy(Box::new(policy(None, "sender7.example", option)?));
    for (name, change) in [("self-check", ReplayChange::Nothing), ("a policy added", change)] {
        let request = ReplayRequest { from: Some(from), to: Some(until), change };
        let (before, began) = (quiet::cpu(), Instant::now());
        let report = center.replay(&Caller::with_all("bench"), &request)?;
        quiet::say(&format!(
            "{name}: {} attempts in {:.2} s, {:.2} s of CPU, at most {} MiB of memory in all; \
             {} as recorded, {} not; {} certain, {} simulated, {} unknown",
            report.attempts,
            began.elapsed().as_secs_f64(),
            (quiet::cpu() - before).as_secs_f64(),
            quiet::status_mib("VmHWM"),
            report.self_check.same,
            report.self_check.different,
            report.exact,
            report.simulated,
            report.unknown,
        ));
    }
    Ok(())
}

fn policy(id: Option<u64>, domain: &str, option: PolicyOption) -> Result<Policy, Box<dyn Error>> {
    Ok(Policy {
        id: id.map(PolicyId),
        narrative: format!("about {domain}"),
        option,
        based_on: Default::default(),
        from: Scope::Domain(domain.parse()?),
        to: Scope::Everyone,
        source_ips: Vec::new(),
        source_hosts: Vec::new(),
        validity: Default::default(),
        mode: Default::default(),
        overrides: false,
        bidirectional: false,
    })
}

fn set() -> Result<PolicySet, Box<dyn Error>> {
    let base = BasePolicies {
        size_max_octets: 50_000_000,
        greylist: Default::default(),
        reputation: Default::default(),
        permitted_lists: Vec::new(),
        lists: Vec::new(),
        limits_recipient_rate: false,
        domains: vec![("corp.example".parse()?, RecipientValidation::Directory)],
    };
    let mut objects = PolicyObjects::default();
    for number in 1..=300 {
        let option = PolicyOption::BlockedSenders(BlockOption::Block);
        let policy = policy(Some(number), &format!("sender{}.example", number * 10), option)?;
        objects.policies.push(StoredPolicy { policy, version: 1, created: Timestamp::EPOCH });
    }
    for number in 0..10_000 {
        objects.managed_senders.push(ManagedSender {
            id: Some(PolicyId(1_000 + number)),
            sender: format!("news@sender{number}.example").parse()?,
            recipient: format!("user{}@corp.example", number % 3_000).parse()?,
            action: SenderAction::Permit,
            authenticated_only: false,
            note: String::new(),
            created_by: String::new(),
            created: Timestamp::EPOCH,
            created_from: None,
            valid_until: None,
        });
    }
    Ok(PolicySet::compile(1, objects, &base)?)
}

/// A week of attempts, sealed and merged. Senders and recipients vary in a
/// fixed order; every third attempt repeats one of some minutes before.
fn filled(
    folder: &std::path::Path,
    attempts: u64,
    from: Timestamp,
    until: Timestamp,
    set: &PolicySet,
) -> Result<EventIndex, Box<dyn Error>> {
    let index = EventIndex::open(Arc::new(RealDisk), folder.join("events"))?;
    let mut maker = Maker::new(set);
    let step = Duration::from_micros(7 * 86_400_000_000 / attempts.max(1));
    for number in 0..attempts {
        let which = if number % 3 == 0 { number.saturating_sub(2_000) } else { number };
        let mixed = which.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let mail = Mail {
            from: &format!("user{}@sender{}.example", mixed % 97, mixed % 20_000),
            to: &format!("user{}@corp.example", (mixed >> 14) % 3_000),
            ip: &format!("203.0.{}.{}", (mixed >> 6) % 113, mixed % 250 + 1),
            at: from + step * u32::try_from(number)?,
        };
        let event = maker.attempt(&mail);
        let now = event.at;
        index.push(Position(number + 1), Arc::new(event));
        if number % PART == PART - 1 {
            index.seal(SealWhat::Due, now)?;
        }
    }
    index.seal(SealWhat::All, until)?;
    index.merge(until)?;
    Ok(index)
}
