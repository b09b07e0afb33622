//! A disk as full as a test says.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk_space::DiskSpace;

/// A disk as full as it is told to be.
#[derive(Debug)]
pub struct SimulatedDisk {
    free_octets: AtomicU64,
}

impl SimulatedDisk {
    /// A disk with this much space left.
    pub fn new(free_octets: u64) -> Self {
        SimulatedDisk { free_octets: AtomicU64::new(free_octets) }
    }

    /// From now on, this much is left.
    pub fn set_free_octets(&self, free_octets: u64) {
        self.free_octets.store(free_octets, Ordering::Relaxed);
    }
}

impl DiskSpace for SimulatedDisk {
    fn free_octets(&self) -> io::Result<u64> {
        Ok(self.free_octets.load(Ordering::Relaxed))
    }
}
