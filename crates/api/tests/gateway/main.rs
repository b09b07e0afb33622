//! The HTTP side as a whole: doors, pages, API and client.

#[cfg(test)]
mod doors;
