//! Policies that are never applied, because another of their type always
//! comes first.
//!
//! The more specific of two policies wins, so a broad one hides a narrow one
//! only by the override flag; two of the same scope are told apart by the
//! flag and by age. What is not found here may still be hidden by several
//! policies together.

use types::Policy;
use types::address::parent_of;
use types::policy::{DomainPattern, Scope};

use crate::PolicyRow;

/// Notes at each policy in force which other hides it.
pub(crate) fn mark(rows: &mut [PolicyRow]) {
    let found: Vec<Option<String>> = rows
        .iter()
        .map(|row| {
            let others = rows.iter().filter(|other| other.standing == "on");
            let mut hiding = others.filter_map(|other| Some((other, hides(other, row)?)));
            let (by, why) = hiding.next()?;
            let id = by.policy.id.map_or_else(String::new, |id| id.to_string());
            Some(format!("policy {id} {why}"))
        })
        .collect();
    for (row, by) in rows.iter_mut().zip(found) {
        row.shadowed_by = by.filter(|_| row.standing == "on" || row.standing == "observe");
    }
}

/// Why `other` always comes before `row`, if it does.
fn hides(other: &PolicyRow, row: &PolicyRow) -> Option<&'static str> {
    let (by, policy) = (&other.policy, &row.policy);
    let comparable = by.kind() == policy.kind()
        && by.id != policy.id
        && by.validity.is_perpetual()
        && (by.based_on == policy.based_on)
        && (by.bidirectional || !policy.bidirectional);
    if !comparable || !covers(by, policy) {
        return None;
    }
    let same = by.from == policy.from && by.to == policy.to;
    let same = same && by.source_ips == policy.source_ips && by.source_hosts == policy.source_hosts;
    match (by.overrides, policy.overrides) {
        (true, false) => Some("covers all of it and has the override flag"),
        (was, is) if was == is && same && is_older(other, row) => {
            Some("has the same scope and is older")
        }
        _ => None,
    }
}

fn is_older(other: &PolicyRow, row: &PolicyRow) -> bool {
    let age = |row: &PolicyRow| (row.provenance.created, row.policy.id);
    age(other) < age(row)
}

/// Whether every mail that `policy` is about is one that `by` is about.
fn covers(by: &Policy, policy: &Policy) -> bool {
    let unrestricted = by.source_ips.is_empty() && by.source_hosts.is_empty();
    let same_source = by.source_ips == policy.source_ips && by.source_hosts == policy.source_hosts;
    (unrestricted || same_source) && within(&policy.from, &by.from) && within(&policy.to, &by.to)
}

/// Whether everybody in `scope` is in `outer`, as far as the two say.
fn within(scope: &Scope, outer: &Scope) -> bool {
    match (scope, outer) {
        (_, Scope::Everyone) => true,
        (Scope::Address(address), Scope::Domain(outer)) => in_domain(address.domain_key(), outer),
        (Scope::Domain(domain), Scope::Domain(outer)) if !domain.below => {
            in_domain(domain.domain.as_str(), outer)
        }
        (Scope::Domain(domain), Scope::Domain(outer)) => {
            outer.below && (domain == outer || in_domain(domain.domain.as_str(), outer))
        }
        (Scope::Attribute(held), Scope::Attribute(outer)) => held.key() == outer.key(),
        (scope, outer) => scope == outer,
    }
}

fn in_domain(domain: &str, outer: &DomainPattern) -> bool {
    match outer.below {
        false => domain == outer.domain.as_str(),
        true => std::iter::successors(parent_of(domain), |above| parent_of(above))
            .any(|above| above == outer.domain.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use types::Caller;

    use crate::tests::{Gateway, at, block};

    #[test]
    fn a_policy_that_another_always_precedes_is_marked() {
        let gateway = Gateway::new(at(0));
        let center = &gateway.center;
        let root = Caller::with_all("root");
        let put = |policy| {
            let done = center.put_policy(&root, policy, None, "").unwrap();
            done.differences[0].id.unwrap()
        };
        let first = put(block("first", "x.example"));
        let second = put(block("the same again", "x.example"));
        let other = put(block("another", "y.example"));
        let marked = |id| {
            center
                .policies(&root)
                .unwrap()
                .policies
                .into_iter()
                .find(|row| row.policy.id == Some(id))
                .unwrap()
                .shadowed_by
        };
        assert_eq!(marked(first), None);
        assert_eq!(
            marked(second).unwrap(),
            format!("policy {first} has the same scope and is older")
        );
        assert_eq!(marked(other), None);
        let mut all = block("all", "z.example");
        all.from = types::policy::Scope::Everyone;
        all.overrides = true;
        put(all);
        assert!(marked(other).unwrap().contains("override"));
    }
}
