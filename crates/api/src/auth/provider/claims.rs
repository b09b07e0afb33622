//! Reading what a sign-in service says of somebody: which claim holds their
//! name and which their groups is a setting, because every service does it
//! differently.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Everything that is said, by the name of the claim.
pub(super) type Claims = Map<String, Value>;

/// Most groups looked at; the rest of a longer list is not.
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

/// The groups of a claim: a list of texts, or one text.
pub(super) fn groups(claims: &Claims, name: &str) -> BTreeSet<String> {
    match find(claims, name) {
        Some(Value::String(one)) => BTreeSet::from([one.clone()]),
        Some(Value::Array(all)) => {
            all.iter().take(GROUPS_MAX).filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => BTreeSet::new(),
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
            "groups": ["a", "b", 7, {"x": 1}],
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
            ("realm_access", ""),
            ("role.admin", ""),
            ("nothing", ""),
        ] {
            let groups: Vec<String> = groups(&claims, name).into_iter().collect();
            assert_eq!(groups.join(" "), found, "{name}");
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
