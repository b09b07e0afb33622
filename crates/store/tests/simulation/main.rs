//! Random work on a simulated disk, crashes at random disk operations, and
//! the questions an auditor asks afterwards: is everything there that was
//! promised, is anything there twice, is anything there by half?
//!
//! `SEED=n` runs one seed again, `SEEDS=n` runs that many.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod lives;
#[cfg(test)]
#[path = "../contract/samples.rs"]
mod samples;
#[cfg(test)]
mod work;
