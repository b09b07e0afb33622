//! Who may come in, and what they may: accounts and roles.

pub(super) mod accounts;
pub(super) mod roles;
