//! Signing in: who asks, whether they may, and whether they meant to.
//!
//! ```text
//! request ─ headers ─ count ─ Host ─ who (cookie, token, socket) ─ table ─ CSRF ─ handler
//! ```
//!
//! - [`access`] is the one table of routes with what each needs. A new route
//!   is one line there; without it the answer is 403.
//! - [`Signed`] is what handlers take; `Extension<Caller>` is there too.
//! - A form must hold the field `csrf` with [`Signed::csrf`].

pub(crate) mod access;
mod signed;

pub(crate) use signed::{Signed, attach};
