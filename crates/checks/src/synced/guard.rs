//! Whether an answer can be meant: a server that is half restored, or a wrong
//! filter, answers with fewer people and no error, and everybody who is missing
//! would be refused for good. Each domain is looked at by itself.

use std::fmt;

use types::Domain;

use super::snapshot::Content;
use crate::directory::Directory;

/// What speaks against the answer about one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) domain: Domain,
    /// Recipients before.
    was: usize,
    /// Recipients of then that are gone.
    gone: usize,
    /// Whether it names nobody.
    names_nobody: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { domain, was, gone, names_nobody } = self;
        match (names_nobody, was) {
            (true, 0) => write!(f, "the answer names nobody of {domain}"),
            (true, was) => write!(f, "the answer names nobody of {domain}, which had {was}"),
            (false, was) => {
                write!(f, "{gone} of {was} recipients of {domain} are gone in the answer")
            }
        }
    }
}

/// What speaks against an answer, and how it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Not empty where an answer was refused.
    pub(super) refusals: Vec<Refusal>,
    /// Domains that were taken out of the same answer.
    pub(super) taken: usize,
    /// How many gone recipients somebody accepted, if somebody did.
    pub(super) accepted: Option<usize>,
}

impl Refused {
    /// How many recipients are gone in it, of the domains that were not taken.
    pub fn gone(&self) -> usize {
        self.refusals.iter().map(|refusal| refusal.gone).sum()
    }

    pub(super) fn is_about(&self, domain: &Domain) -> bool {
        self.refusals.iter().any(|refusal| refusal.domain == *domain)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for refusal in &self.refusals {
            write!(f, "{between}{refusal}")?;
            between = "; ";
        }
        match self.accepted {
            None => f.write_str(", which is taken for a mistake until somebody accepts it")?,
            Some(most) => write!(
                f,
                ": {} are gone now, more than the {most} that were accepted, so it waits again",
                self.gone()
            )?,
        }
        match self.taken {
            0 => Ok(()),
            1 => f.write_str("; the one other domain was taken"),
            others => write!(f, "; the {others} other domains were taken"),
        }
    }
}

/// What speaks against taking each domain's part of this content in the place
/// of the old one.
pub(super) fn look(old: &Content, new: &Content, shrink_percent_max: u8) -> Vec<Refusal> {
    let look = |(domain, now)| one(domain, old.get(domain), now, shrink_percent_max);
    new.iter().filter_map(look).collect()
}

fn one(
    domain: &Domain,
    before: Option<&Directory>,
    now: &Directory,
    shrink_percent_max: u8,
) -> Option<Refusal> {
    let was = before.map_or(0, Directory::len);
    let gone = before.map_or(0, |before| before.addresses().difference(now.addresses()).count());
    // A domain that was accepted without anybody stays as it is.
    let names_nobody = now.is_empty() && before.is_none_or(|before| !before.is_empty());
    let may = was.saturating_mul(usize::from(shrink_percent_max)) / 100;
    // Where one is the only one, another in their place is no mistake.
    let may = may.max(usize::from(shrink_percent_max > 0));
    let shrank = gone > may;
    (names_nobody || shrank).then(|| Refusal { domain: domain.clone(), was, gone, names_nobody })
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;

    /// What is said where these take the place of those.
    fn told(old: &[&str], new: &[&str], shrink_percent_max: u8) -> String {
        let domain: Domain = "corp.example".parse().unwrap();
        let of = |people: &[&str]| {
            let all = people.iter().map(|who| format!("{who}@corp.example").into());
            let directory = Directory::of(all, Timestamp::EPOCH);
            Content::from([(domain.clone(), directory)])
        };
        let refusals = look(&of(old), &of(new), shrink_percent_max);
        refusals.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn how_much_may_be_gone_is_a_part_of_what_there_was() {
        assert_eq!(told(&["a", "b", "c", "d"], &["c", "d", "e"], 50), "");
        let most = "3 of 4 recipients of corp.example are gone in the answer";
        assert_eq!(told(&["a", "b", "c", "d"], &["d"], 50), most);
        assert_eq!(told(&["a"], &["b"], 50), "", "another in the place of the only one");
        assert!(!told(&["a"], &["b"], 0).is_empty());
        assert_eq!(told(&["a"], &["a", "b"], 0), "");
        let nobody = "the answer names nobody of corp.example, which had 1";
        assert_eq!(told(&["a"], &[], 100), nobody);
        assert_eq!(told(&[], &[], 50), "", "it was accepted without anybody");
    }
}
