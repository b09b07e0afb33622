//! Whether an answer about groups can be meant. A server that is half
//! restored, or an account that may not see members any more, answers with
//! fewer and no error; and who is missing in a group is permitted or blocked
//! no more.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use types::lists::{Group, Pattern};

/// What speaks against an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has no group.
    NoGroup {
        /// Groups before.
        was: usize,
    },
    /// A group that a policy names has nobody any more.
    Emptied(String),
    /// It has far fewer memberships than before.
    Shrunk {
        /// Memberships before.
        was: usize,
        /// Those that are gone.
        gone: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoGroup { was } => write!(f, "the answer has none of {was} groups")?,
            Refusal::Emptied(name) => {
                let what = match Group::value_of(name) {
                    Some(held) => format!("the attribute {held}"),
                    None => format!("the group {name:?}"),
                };
                write!(f, "{what}, which a policy names, has nobody in the answer")?;
            }
            Refusal::Shrunk { was, gone } => {
                write!(f, "{gone} of {was} memberships in groups are gone in the answer")?;
            }
        }
        Ok(())
    }
}

impl Refusal {
    /// What is told of it, where so many memberships were accepted to be gone.
    pub(super) fn told(&self, accepted: Option<usize>) -> String {
        match accepted {
            None => {
                format!("{self}, which is taken for a mistake until somebody accepts it")
            }
            Some(most) => format!("{self}: more are gone than the {most} that were accepted"),
        }
    }
}

/// How many memberships differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// There were before.
    was: usize,
    pub(super) added: usize,
    pub(super) removed: usize,
}

/// Counts what differs.
pub(super) fn tally(before: &[&Group], after: &BTreeMap<String, Group>) -> Tally {
    let now: usize = after.values().map(|group| group.members.len()).sum();
    let mut tally = Tally::default();
    for old in before {
        tally.was += old.members.len();
        let members = after.get(&old.name).map_or(&[][..], |group| &group.members);
        let present: HashSet<&Pattern> = members.iter().collect();
        tally.removed += old.members.iter().filter(|member| !present.contains(member)).count();
    }
    tally.added = now + tally.removed - tally.was;
    tally
}

/// What speaks against an answer.
pub(super) fn look(
    before: &[&Group],
    after: &BTreeMap<String, Group>,
    tally: Tally,
    named: &HashSet<&str>,
    shrink_percent_max: u8,
) -> Option<Refusal> {
    if after.is_empty() && !before.is_empty() {
        return Some(Refusal::NoGroup { was: before.len() });
    }
    // One that is missing altogether stays with its last members.
    let is_emptied = |old: &&&Group| {
        let now = after.get(&old.name);
        !old.members.is_empty() && now.is_some_and(|group| group.members.is_empty())
    };
    let emptied = before.iter().filter(is_emptied).find(|old| named.contains(old.name.as_str()));
    if let Some(old) = emptied {
        return Some(Refusal::Emptied(old.name.clone()));
    }
    let Tally { was, added, removed } = tally;
    let may = was.saturating_mul(usize::from(shrink_percent_max)) / 100;
    let is_empty = removed == was && added == 0;
    let is_shrunk = removed > 0 && (removed > may || is_empty);
    is_shrunk.then_some(Refusal::Shrunk { was, gone: removed })
}
