//! The kinds of value that only the sign-in service needs: its address, words
//! of its making, roles, domains, and a secret that no page, file or error
//! shows.

use std::fmt;

use toml::Value as Raw;
use types::RoleName;
use types::policy::DomainPattern;

use super::value::{Kind, Shape, Value, ValueError, list, malformed, text, wrong_type};

/// Most characters of a word or a name.
const CHARS_MAX: usize = 200;

/// The address of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress(pub String);

impl Value for WebAddress {
    const KIND: Kind =
        Kind::text("the address of a service", "\"https://id.corp.example\"", "^https?://[!-~]+$");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let address = text(&Self::KIND, raw)?;
        let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
        let printable = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic());
        match rest.is_some_and(printable) {
            // Its last slash counts: the service writes it, or does not.
            true => Ok(WebAddress(address.to_owned())),
            false => Err(malformed(&Self::KIND, address)),
        }
    }
}

/// A name or word of somebody else's making, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(pub String);

fn words(text: &str) -> Option<Words> {
    let plain = !text.is_empty() && !text.chars().any(char::is_control);
    (plain && text.trim() == text && text.chars().count() <= CHARS_MAX)
        .then(|| Words(text.to_owned()))
}

impl Value for Words {
    const KIND: Kind = Kind::text("a name", "\"portcullis\"", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let name = text(&Self::KIND, raw)?;
        words(name).ok_or_else(|| malformed(&Self::KIND, name))
    }
}

impl Value for Vec<Words> {
    const KIND: Kind = Kind {
        name: "a list of names",
        example: "[\"profile\", \"email\"]",
        shape: Shape::Sequence,
        pattern: "",
        names: &[],
    };

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        list(&Self::KIND, raw, words)
    }
}

impl Value for RoleName {
    const KIND: Kind = Kind::text("a role", "\"viewer\"", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let name = text(&Self::KIND, raw)?;
        name.parse().map_err(|_| malformed(&Self::KIND, name))
    }
}

impl Value for Vec<DomainPattern> {
    const KIND: Kind =
        Kind::list("a list of domains", "[\"corp.example\", \"*.corp.example\"]", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        list(&Self::KIND, raw, |text| text.parse().ok())
    }
}

/// A secret, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl Value for SecretText {
    const KIND: Kind = Kind::text(SECRET, "\"hidden\"", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        match raw {
            Raw::String(secret) if !secret.is_empty() => Ok(SecretText(secret.clone())),
            // What was written is not quoted.
            Raw::String(_) => Err(malformed(&Self::KIND, "")),
            other => Err(wrong_type(&Self::KIND, other)),
        }
    }
}

/// The name of the kind whose values are hidden wherever settings are shown.
pub(super) const SECRET: &str = "a secret";
