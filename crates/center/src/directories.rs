//! Directories on servers: how each is, and reading one now.

use serde::{Deserialize, Serialize};
use serde_json::json;
use types::{
    AuditAction, Caller, Domain, GroupsKnown, GroupsLeftOut, GroupsReading, GroupsTaken,
    Permission, Timestamp, spoken,
};

use crate::{Center, CenterError};

/// One directory that is read from a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SyncedDirectory {
    /// Its name in the settings.
    pub name: String,
    /// Its servers, in the order in which they are tried.
    pub servers: Vec<String>,
    /// What it has of each domain that asks it.
    pub domains: Vec<DirectoryDomain>,
    /// How many recipients it has.
    pub recipients: usize,
    /// When that was seen, for the domain for which it is the longest ago;
    /// nothing if it never was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
    /// Whether it is too old to be believed when it lacks somebody.
    pub stale: bool,
    /// The last reading that was taken since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<DirectoryReading>,
    /// When it was last tried since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<Timestamp>,
    /// Why that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether its answer waits for somebody to accept it.
    pub waits: bool,
    /// How many recipients are gone in that answer.
    pub gone: usize,
    /// How often it failed since the start.
    pub failures: u64,
    /// When it is read next.
    pub next: Timestamp,
    /// Its groups, if they are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupsKnown>,
    /// Why they are not those of the last reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_problem: Option<String>,
    /// Whether what it says of them waits for somebody to accept it.
    pub groups_wait: bool,
    /// How many memberships are gone in that answer.
    pub groups_gone: usize,
}

/// What a directory has of one domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DirectoryDomain {
    /// The domain.
    pub domain: Domain,
    /// How many recipients.
    pub recipients: usize,
    /// When that was seen; nothing if it never was read for this domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
    /// Whether what it last said of this domain waits for somebody to accept it.
    pub waits: bool,
}

/// What reading a directory came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DirectoryReading {
    /// When.
    pub at: Timestamp,
    /// Entries that the server gave.
    pub entries: usize,
    /// In how many pages.
    pub pages: usize,
    /// Recipients in them.
    pub recipients: usize,
    /// Recipients that are new.
    pub added: usize,
    /// Recipients that are gone.
    pub removed: usize,
    /// Entries left out because their account is switched off.
    pub switched_off: usize,
    /// Entries without an address of ours.
    pub without_address: usize,
    /// Values left out because they are no address.
    pub no_address: usize,
    /// Addresses left out because no domain that asks the directory has them.
    pub elsewhere: usize,
    /// Referrals to other servers, which are not followed.
    pub referrals: usize,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Why it would not be taken without being accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Why it could not be kept on the disk for the next start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unkept: Option<String>,
    /// What reading its groups came to, if they are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupsReading>,
    /// Why its groups stay as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_problem: Option<String>,
}

/// How a directory is read now.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(default)]
pub struct ReadDirectory {
    /// What comes is taken although it names nobody, or far fewer than before,
    /// as long as no more recipients than this are gone: as many as somebody has
    /// seen and found right.
    pub accept: Option<usize>,
    /// The same for its groups, as long as no more memberships than this are
    /// gone.
    pub accept_groups: Option<usize>,
    /// Nothing is changed.
    pub dry_run: bool,
}

impl SyncedDirectory {
    /// How it is, in words.
    pub fn words(&self, now: Timestamp) -> String {
        let old =
            if self.stale && self.confirmed.is_some() { ", too old to be believed" } else { "" };
        let groups = match &self.groups {
            None => String::new(),
            Some(GroupsKnown { read: None, .. }) => "; its groups were never read".to_owned(),
            Some(GroupsKnown { groups, members, values, holders, read: Some(at) }) => {
                let ago = spoken(now.since(*at));
                let values = words_of_values(*values, *holders);
                format!("; {groups} groups with {members} members{values}, read {ago} ago")
            }
        };
        has(self.recipients, self.confirmed, now) + old + &groups
    }

    /// What would be accepted of recipients, behind "accept"; nothing if
    /// nothing of them waits.
    pub fn accept_words(&self) -> Option<String> {
        self.waits.then(|| match self.gone {
            0 => "it as it is".to_owned(),
            gone => format!("that {gone} are gone"),
        })
    }

    /// The same of its groups.
    pub fn accept_groups_words(&self) -> Option<String> {
        self.groups_wait.then(|| match self.groups_gone {
            0 => "its groups as they are".to_owned(),
            gone => format!("that {gone} memberships in groups are gone"),
        })
    }
}

impl DirectoryDomain {
    /// How it is, in words.
    pub fn words(&self, now: Timestamp) -> String {
        let waits = if self.waits { "; what it says now waits to be accepted" } else { "" };
        has(self.recipients, self.confirmed, now) + waits
    }
}

fn has(recipients: usize, confirmed: Option<Timestamp>, now: Timestamp) -> String {
    match confirmed {
        None => "was never read".to_owned(),
        Some(at) => format!("{recipients} recipients, read {} ago", spoken(now.since(at))),
    }
}

impl DirectoryReading {
    /// What came of it, in words.
    pub fn words(&self) -> String {
        let DirectoryReading { entries, recipients, added, removed, dry_run, .. } = self;
        let verb = if *dry_run { "would be" } else { "are" };
        let mut words = format!(
            "{entries} entries, {recipients} recipients: {added} {verb} new, {removed} {verb} gone"
        );
        for (count, what) in [
            (self.switched_off, "accounts are switched off"),
            (self.without_address, "entries have no address of these domains"),
            (self.no_address, "values are no address"),
            (self.elsewhere, "addresses are of other domains"),
            (self.referrals, "referrals were not followed"),
        ] {
            if count > 0 {
                words += &format!("; {count} {what}");
            }
        }
        let words = match &self.groups {
            None => words,
            Some(groups) => format!("{words}; {}", words_of(groups, verb)),
        };
        let words = match &self.groups_problem {
            None => words,
            Some(problem) => format!("{words}; its groups stay as they were: {problem}"),
        };
        let problems = self.refusal.iter().chain(&self.unkept);
        problems.fold(words, |words, problem| format!("{words}; {problem}"))
    }
}

/// The values that its people have of attributes, behind its groups.
fn words_of_values(values: usize, holders: usize) -> String {
    match values {
        0 => String::new(),
        _ => format!(" and {values} values of attributes with {holders} addresses"),
    }
}

/// What became of its groups, in words.
fn words_of(reading: &GroupsReading, verb: &str) -> String {
    let GroupsTaken { groups, members, values, holders, added, removed, kept, refusal } =
        &reading.taken;
    let GroupsLeftOut { nameless, members_off, members_unknown, values_unusable } =
        reading.left_out;
    let values = words_of_values(*values, *holders);
    let mut words = format!(
        "{groups} groups with {members} members{values}: {added} {verb} new, {removed} {verb} gone"
    );
    for (count, what) in [
        (nameless, "groups have no name that can be used"),
        (members_off, "members are switched off"),
        (members_unknown, "members are nobody with an address who was read"),
        (values_unusable, "values of attributes cannot be used"),
    ] {
        if count > 0 {
            words += &format!("; {count} {what}");
        }
    }
    if !kept.is_empty() {
        words += &format!("; kept because policies name them: {}", kept.join(", "));
    }
    refusal.iter().fold(words, |words, problem| format!("{words}; {problem}"))
}

impl Center {
    /// Directories that are read from servers.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn synced_directories(&self, caller: &Caller) -> Result<Vec<SyncedDirectory>, CenterError> {
        crate::permit(caller, Permission::SeePolicies)?;
        Ok(self.recipients.synced())
    }

    /// Reads a directory now, and waits until that is done.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] for a name that is in no settings;
    /// [`CenterError::Invalid`] with the reason if it could not be read, or
    /// its answer has to be accepted.
    pub fn read_directory(
        &self,
        caller: &Caller,
        name: &str,
        how: ReadDirectory,
    ) -> Result<DirectoryReading, CenterError> {
        crate::permit(caller, Permission::EditPolicies)?;
        if !self.recipients.synced().iter().any(|directory| directory.name == name) {
            let shown = crate::presentable_within(name, 80);
            return Err(CenterError::NotFound(format!("directory {shown}")));
        }
        if !how.dry_run {
            // Whoever accepts, accepts that so many go.
            let details = json!({ "accept": how.accept, "accept_groups": how.accept_groups });
            self.record(caller, AuditAction::DirectorySynchronised, name, &details)?;
        }
        self.recipients.read_directory(name, how).map_err(CenterError::invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_domain_says_how_it_is() {
        let now = Timestamp::from_millis(10_000);
        let one = DirectoryDomain {
            domain: "corp.example".parse().unwrap(),
            recipients: 12,
            confirmed: Some(Timestamp::from_millis(5_000)),
            waits: true,
        };
        let expected = "12 recipients, read 5 s ago; what it says now waits to be accepted";
        assert_eq!(one.words(now), expected);
        let never = DirectoryDomain { recipients: 0, confirmed: None, waits: false, ..one };
        assert_eq!(never.words(now), "was never read");
    }

    #[test]
    fn recipients_and_groups_are_accepted_each_by_itself() {
        let mut one: SyncedDirectory = serde_json::from_value(json!({
            "name": "corp", "servers": [], "domains": [], "recipients": 1, "stale": false,
            "waits": true, "gone": 1, "failures": 1, "next": Timestamp::EPOCH,
            "groups_wait": true, "groups_gone": 8,
        }))
        .unwrap();
        assert_eq!(one.accept_words().unwrap(), "that 1 are gone");
        let groups = "that 8 memberships in groups are gone";
        assert_eq!(one.accept_groups_words().unwrap(), groups);
        one.waits = false;
        assert_eq!(
            (one.accept_words(), one.accept_groups_words().as_deref()),
            (None, Some(groups))
        );
    }

    #[test]
    fn a_reading_is_told_in_one_line() {
        let reading = DirectoryReading {
            at: Timestamp::EPOCH,
            entries: 12,
            pages: 2,
            recipients: 10,
            added: 3,
            removed: 1,
            switched_off: 1,
            without_address: 0,
            no_address: 2,
            elsewhere: 0,
            referrals: 0,
            took_ms: 5,
            dry_run: true,
            refusal: Some("much is gone".to_owned()),
            unkept: None,
            groups: Some(GroupsReading {
                taken: GroupsTaken { groups: 2, members: 9, added: 1, ..GroupsTaken::default() },
                left_out: GroupsLeftOut { members_unknown: 4, ..GroupsLeftOut::default() },
            }),
            groups_problem: None,
        };
        assert_eq!(
            reading.words(),
            "12 entries, 10 recipients: 3 would be new, 1 would be gone; 1 accounts are switched \
             off; 2 values are no address; 2 groups with 9 members: 1 would be new, 0 would be \
             gone; 4 members are nobody with an address who was read; much is gone"
        );
    }
}
