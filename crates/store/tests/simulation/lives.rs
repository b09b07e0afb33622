//! One store through several lives on one simulated disk.

use std::sync::Arc;

use store::disk::{Crash, SimulatedDisk};
use store::{Store, StoreOptions};

use crate::audit;
use crate::samples::at;
use crate::work::Worker;

/// Seeds that are run each time, unless `SEEDS` says how many.
const SEEDS: u64 = 60;
/// Crashes per seed.
const LIVES: u64 = 5;

#[tokio::test]
async fn nothing_promised_is_lost_and_nothing_is_there_twice() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => {
            let seeds = std::env::var("SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
            (0..seeds).collect()
        }
    };
    for seed in seeds {
        println!("SEED={seed}");
        run(seed).await;
    }
}

async fn run(seed: u64) {
    let mut worker = Worker::new(seed);
    let mut disk = SimulatedDisk::new();
    for life in 0..LIVES {
        let last = life + 1 == LIVES;
        if !last {
            disk.crash_after(1 + worker.chance(600));
        }
        // The machine can go down while it starts, too.
        if let Ok((store, report)) = open(&disk, worker.now) {
            worker.check_report(&report);
            worker.opened();
            audit::check(&mut worker, &store);
            worker.work(&store, &disk, if last { 100 } else { 100_000 }).await;
            if last {
                audit::settle_triplets(&mut worker, &store);
                audit::check(&mut worker, &store);
                store.close(at(worker.now)).unwrap();
            }
        }
        assert!(disk.is_down() || last, "seed {seed}: an error without a crash");
        let power_cut = worker.chance(2) == 0;
        let crash = match power_cut {
            true => Crash::PowerCut { seed: worker.chance(u64::MAX) },
            false => Crash::Kill,
        };
        worker.crashed(power_cut && !last);
        disk = disk.restart(crash);
    }
    let (store, report) = open(&disk, worker.now).unwrap();
    worker.check_report(&report);
    audit::check(&mut worker, &store);
}

pub(crate) fn open(
    disk: &SimulatedDisk,
    now: i64,
) -> Result<(Store, store::OpenReport), store::StoreError> {
    Store::open(Arc::new(disk.clone()), StoreOptions::simulated("/data"), at(now))
}
