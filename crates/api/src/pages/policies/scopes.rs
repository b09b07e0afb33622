//! Whom a side of a policy covers, as the form and the list have it.

use center::CenterError;
use serde_json::{Value as Json, json};
use types::DirectoryAttribute;
use types::policy::{DomainPattern, Scope};

/// Whom a side can cover: value in the form, label, and whether it is spelled
/// out beside it.
pub(super) const SCOPES: &[(&str, &str, bool)] = &[
    ("everyone", "everyone", false),
    ("internal", "internal addresses", false),
    ("external", "external addresses", false),
    ("domain", "a domain (*. with those below)", true),
    ("group", "a group", true),
    ("attribute", "an attribute in a directory", true),
    ("address", "an address", true),
];

/// A scope as the list shows it.
pub(super) fn scope_words(scope: &Scope) -> String {
    let (kind, name, value) = scope_parts(scope);
    match kind {
        "attribute" => format!("{name} = {value}"),
        "group" => format!("group \u{201c}{name}\u{201d}"),
        kind if name.is_empty() => kind.to_owned(),
        _ => name,
    }
}

/// Its kind, what it names, and of an attribute the value.
pub(super) fn scope_parts(scope: &Scope) -> (&'static str, String, String) {
    let plain = |kind, name| (kind, name, String::new());
    match scope {
        Scope::Everyone => plain("everyone", String::new()),
        Scope::Internal => plain("internal", String::new()),
        Scope::External => plain("external", String::new()),
        Scope::Domain(domain) => plain("domain", domain.to_string()),
        Scope::Group(name) => plain("group", name.clone()),
        Scope::Attribute(held) => ("attribute", held.name.clone(), held.value.clone()),
        Scope::Address(address) => plain("address", address.to_string()),
    }
}

/// A side as it was typed, as policies have it.
///
/// # Errors
/// It names nobody. A sentence for who typed it.
pub(super) fn scope(side: &str, kind: &str, name: &str, value: &str) -> Result<Json, CenterError> {
    let wrong = |error: &dyn std::fmt::Display| {
        CenterError::invalid(format!("applies {side} {kind} {:?}: {error}", name.trim()))
    };
    let name = name.trim();
    match kind {
        "domain" => {
            name.parse::<DomainPattern>().map_err(|error| wrong(&error))?;
        }
        "address" => {
            name.parse::<types::EmailAddress>().map_err(|error| wrong(&error))?;
        }
        "attribute" => {
            let held = DirectoryAttribute::new(name, value).map_err(|error| wrong(&error))?;
            return Ok(json!({ "attribute": held }));
        }
        "group" if name.is_empty() => return Err(wrong(&"name the group")),
        _ => {}
    }
    let spelled = SCOPES.iter().any(|(known, _, spelled)| *known == kind && *spelled);
    Ok(if spelled { json!({ kind: name }) } else { json!(kind) })
}
