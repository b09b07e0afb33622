//! The whole gateway over virtual weeks of bad luck: clients that come back,
//! drop or stall, next hops that die, disks that fill up, crashes and power
//! cuts at any operation of the disk. After each run the books must balance.
//!
//! `SEEDS=n` runs more of them, `SEED=n` one again.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod dice;
#[cfg(test)]
mod run;

use run::Run;

/// Seeds that run in every test.
const SEEDS: u64 = 12;
/// Things that happen in one run.
const STEPS: usize = 150;

#[cfg(test)]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[cfg(test)]
fn weeks(seed: u64) {
    testkit::simulate(async {
        let mut run = Run::new(seed).await;
        for _ in 0..STEPS {
            run.step().await;
        }
        run.end().await;
    });
}

#[test]
fn whatever_happens_the_books_balance() {
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("SEEDS").unwrap_or(SEEDS) + 1,
    };
    for seed in seeds {
        let run = std::panic::catch_unwind(|| weeks(seed));
        assert!(run.is_ok(), "the books do not balance; replay with SEED={seed}");
    }
}
