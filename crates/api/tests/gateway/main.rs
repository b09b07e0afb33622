//! The HTTP side as a whole: doors, pages, API and client.

#[cfg(test)]
mod doors;
#[cfg(test)]
mod encrypted;
#[cfg(test)]
mod signing_in;
