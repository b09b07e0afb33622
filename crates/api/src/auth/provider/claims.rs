//! Reading what a sign-in service says of somebody: which claim holds their
//! name and which their groups is a setting, because every service does it
//! differently.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Everything that is said, by the name of the claim.
pub(super) type Claims = Map<String, Value>;

/// Most groups of somebody. Of a longer list a part would be looked at only,
/// and what is left out could be what limits them.
const GROUPS_MAX: usize = 5_000;

/// A claim by its name, or by a path: `realm_access.roles`. A name that has
/// dots itself comes first, as that of a whole address has.
pub(super) fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(name) {
        return Some(found);
    }
    let (first, rest) = name.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

/// The groups of a claim, a list of texts or one text; nothing if there is no
/// such claim, and why what there is cannot be used.
pub(super) fn groups(claims: &Claims, name: &str) -> Result<Option<BTreeSet<String>>, String> {
    // So a service says that they are too many to be said here (OpenID Connect
    // Core section 5.6.2).
    let elsewhere = claims.get("_claim_names").and_then(|names| names.get(name)).is_some();
    match find(claims, name) {
        Some(Value::String(one)) => Ok(Some(BTreeSet::from([one.clone()]))),
        Some(Value::Array(all)) if all.len() > GROUPS_MAX => {
            Err(format!("the claim {name:?} has more than {GROUPS_MAX}"))
        }
        Some(Value::Array(all)) => {
            let texts = all.iter().map(|one| one.as_str().map(str::to_owned));
            let groups: Option<BTreeSet<String>> = texts.collect();
            groups.map(Some).ok_or_else(|| format!("the claim {name:?} has more than texts"))
        }
        None if elsewhere => Err(format!("the claim {name:?} is said to be elsewhere")),
        None => Ok(None),
        Some(_) => Err(format!("the claim {name:?} is no list of texts")),
    }
}

/// What somebody is called, or why that is not known. An address counts only
/// if the service says that it has been proved to be theirs.
pub(super) fn name(claims: &Claims, name: &str) -> Result<String, String> {
    let Some(found) = find(claims, name).and_then(Value::as_str) else {
        return Err(format!("the claim {name:?} is missing or no text"));
    };
    let verified = claims.get("email_verified") == Some(&Value::Bool(true));
    match name == "email" && !verified {
        true => Err("it does not say that your mail address was verified".to_owned()),
        false => Ok(found.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn groups_are_found_wherever_they_are() {
        let claims = claims(json!({
            "groups": ["a", "b"],
            "mixed": ["a", 7],
            "_claim_names": { "far": "src1" },
            "role": "admin",
            "https://corp.example/roles": ["c"],
            "realm_access": { "roles": ["d"], "x.y": ["e"] },
        }));
        for (name, found) in [
            ("groups", "a b"),
            ("role", "admin"),
            ("https://corp.example/roles", "c"),
            ("realm_access.roles", "d"),
            ("realm_access.x.y", "e"),
        ] {
            let groups: Vec<String> =
                groups(&claims, name).unwrap().into_iter().flatten().collect();
            assert_eq!(groups.join(" "), found, "{name}");
        }
        for name in ["nothing", "role.admin"] {
            assert_eq!(groups(&claims, name), Ok(None), "{name}");
        }
        for name in ["mixed", "realm_access", "far"] {
            assert!(groups(&claims, name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_address_counts_only_if_it_was_verified() {
        let with = |verified: Value| {
            let claims = claims(json!({ "email": "ana@corp.example", "email_verified": verified,
                "preferred_username": "ana", "n": 7 }));
            name(&claims, "email")
        };
        assert_eq!(with(json!(true)), Ok("ana@corp.example".to_owned()));
        for not in [json!(false), json!("true"), json!(1), json!(null)] {
            assert!(with(not).unwrap_err().contains("verified"));
        }
        let plain =
            claims(json!({ "email": "ana@corp.example", "preferred_username": "ana", "n": 7 }));
        assert_eq!(name(&plain, "preferred_username"), Ok("ana".to_owned()));
        assert!(name(&plain, "email").is_err());
        assert!(name(&plain, "n").unwrap_err().contains("no text"));
        assert!(name(&plain, "upn").unwrap_err().contains("\"upn\" is missing"));
    }
}
