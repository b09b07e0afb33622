//! Who may come in, and what they may: accounts and roles; and who may send.

pub(super) mod accounts;
pub(super) mod roles;
pub(super) mod submitters;
