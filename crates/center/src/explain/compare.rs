//! Two attempts side by side, field by field.

use serde::{Deserialize, Serialize};
use types::{Caller, Permission};

use super::{Explanation, Fact};
use crate::{Center, CenterError, permit};

/// Two attempts compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Comparison {
    /// The first.
    pub a: Explanation,
    /// The second.
    pub b: Explanation,
    /// Every field that either has, in reading order.
    pub rows: Vec<CompareRow>,
}

/// One field of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CompareRow {
    /// What it belongs to: *Message*, *Ledger*.
    pub group: String,
    /// The field.
    pub name: String,
    /// Its value in the first; empty if it has none.
    pub a: String,
    /// Its value in the second.
    pub b: String,
    /// Whether they are the same.
    pub same: bool,
}

impl Center {
    /// Compares two attempts, each named by its id or reference.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more) of one name.
    pub fn compare(&self, caller: &Caller, a: &str, b: &str) -> Result<Comparison, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let (a, b) = (self.why(caller, a)?, self.why(caller, b)?);
        let rows = rows(&a, &b);
        Ok(Comparison { a, b, rows })
    }
}

/// The fields of one explanation, in groups.
fn fields(why: &Explanation) -> Vec<(&'static str, Vec<Fact>)> {
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let end = vec![
        fact("Time", why.time.to_string()),
        fact("Outcome", why.outcome.map_or(String::new(), |outcome| outcome.slug().to_owned())),
        fact("Type", why.label.clone()),
        fact("Reason", why.reason.map_or(String::new(), |reason| reason.slug().to_owned())),
        fact("Stage", why.stage.map_or(String::new(), |stage| stage.slug().to_owned())),
        fact("Decided by", optional(&why.decider)),
        fact("Reply", optional(&why.reply)),
        fact("Policy set version", why.policy_version.to_string()),
        fact("Life-line", why.story.head.clone()),
    ];
    let ledger = why
        .ledger
        .iter()
        .map(|line| fact(&line.check, format!("{}: {}", line.result.title(), line.observed)));
    let policies = why.policies.iter().map(|line| {
        fact(&line.kind, line.winner.clone().unwrap_or_else(|| "none matched".to_owned()))
    });
    vec![
        ("End", end),
        ("Message", why.facts.clone()),
        ("Remote server", why.remote.clone()),
        ("Greylist triplet", why.greylist.clone()),
        ("Ledger", ledger.collect()),
        ("Policies", policies.collect()),
    ]
}

fn rows(a: &Explanation, b: &Explanation) -> Vec<CompareRow> {
    let mut rows = Vec::new();
    for ((group, one), (_, other)) in fields(a).into_iter().zip(fields(b)) {
        let mut others = other;
        let mut add = |name: String, a: String, b: String| {
            if !(a.is_empty() && b.is_empty()) {
                rows.push(CompareRow { group: group.to_owned(), same: a == b, name, a, b });
            }
        };
        for fact in one {
            // A check can have two lines, one per stage: in order.
            let found = others.iter().position(|other| other.name == fact.name);
            let other = found.map_or(String::new(), |place| others.remove(place).value);
            add(fact.name, fact.value, other);
        }
        for fact in others {
            add(fact.name, String::new(), fact.value);
        }
    }
    rows
}
