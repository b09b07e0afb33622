//! What a caller may do: one table from which routes, pages and documentation
//! take their permissions.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::audit::AuditAction;
use crate::id::Reference;
use crate::role::Role;
use crate::sight::Sight;

macro_rules! permissions {
    ($($(#[doc = $doc:literal])+ $name:ident = $slug:literal, $reach:ident;)*) => {
        /// One thing a caller may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Permission { $($(#[doc = $doc])+ $name,)* }

        impl Permission {
            /// Every permission, in table order.
            pub const ALL: &'static [Permission] = &[$(Permission::$name),*];

            /// The name in API, roles and error messages.
            pub const fn slug(self) -> &'static str {
                match self { $(Permission::$name => $slug,)* }
            }

            /// What it is for, one line.
            pub fn doc(self) -> &'static str {
                match self { $(Permission::$name => concat!($($doc),+).trim(),)* }
            }

            /// How far it reaches.
            pub const fn reach(self) -> Reach {
                match self { $(Permission::$name => Reach::$reach,)* }
            }
        }
    };
}

/// What a permission is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Recipients: whoever is limited to some domains or groups has it for those.
    Recipients,
    /// The gateway as a whole: whoever is limited to some domains or groups has it not.
    House,
}

permissions! {
    /// Attempts, life-lines and verdict records, without subjects.
    SeeMetadata = "see_metadata", Recipients;
    /// The subjects of messages: in rows, in searches and in exports.
    SeeSubjects = "see_subjects", Recipients;
    /// Lists of attempts as files.
    ExportMetadata = "export_metadata", Recipients;
    /// The daily logs: files of everything that was refused.
    DailyLogs = "daily_logs", House;
    /// Policies, groups and their versions, for reading.
    SeePolicies = "see_policies", House;
    /// Policies and definitions, for changing and trying out; a permit or block for everyone.
    EditPolicies = "edit_policies", House;
    /// Groups, and importing managed senders.
    EditLists = "edit_lists", House;
    /// Managed senders, for reading.
    SeeSenders = "see_senders", Recipients;
    /// Permit, block and let in for one recipient.
    EditSenders = "edit_senders", Recipients;
    /// The delivery queue, for reading.
    SeeQueue = "see_queue", Recipients;
    /// Holding, retrying and deleting queued messages.
    QueueActions = "queue_actions", Recipients;
    /// Releasing held messages that are no danger.
    ReleaseHarmless = "release_harmless", Recipients;
    /// Releasing held messages that may be a danger.
    ReleaseDangerous = "release_dangerous", Recipients;
    /// The triplet table, for reading.
    SeeGreylist = "see_greylist", Recipients;
    /// Letting any triplets pass and forgetting them.
    SteerGreylist = "steer_greylist", Recipients;
    /// Marking what refused senders ask as dealt with.
    AnswerRequests = "answer_requests", Recipients;
    /// Health, conservation and sizes.
    SystemStatus = "system_status", House;
    /// Accounts of other people, roles and submitters: adding, changing, removing, new set-up links.
    ManageAccounts = "manage_accounts", House;
    /// Tokens for programs, and those of other people.
    ManageTokens = "manage_tokens", House;
    /// The audit log of everybody; what one did oneself can be read without.
    SeeAudit = "see_audit", House;
}

impl FromStr for Permission {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Permission::ALL.iter().find(|permission| permission.slug() == text);
        found.copied().ok_or(UnknownName::Permission)
    }
}

/// There is no permission, role or action of this name; says which there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownName {
    /// Of a permission.
    #[error("there is no permission of this name; there are {}", listed(Permission::ALL.iter().map(|one| one.slug())))]
    Permission,
    /// Of a role there is from the start.
    #[error("there is no role of this name; from the start there are {}", listed(Role::ALL.iter().map(|one| one.slug())))]
    Role,
    /// Of an action of the audit log; these are many, so their kinds are named.
    #[error(
        "there is no action of the audit log of this name; its kinds are {}",
        listed(AuditAction::kinds())
    )]
    Action,
}

fn listed(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// A set of permissions; stored and shown as the list of their names.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(from = "Vec<Permission>", into = "Vec<Permission>")]
pub struct Permissions(u32);

impl Permissions {
    /// None at all.
    pub const NONE: Permissions = Permissions(0);

    /// Every permission there is.
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// What a reader has who must not change anything.
    pub fn read_only() -> Self {
        use Permission::{
            DailyLogs, ExportMetadata, SeeGreylist, SeeMetadata, SeePolicies, SeeQueue, SeeSenders,
            SeeSubjects, SystemStatus,
        };
        [
            SeeMetadata,
            SeeSubjects,
            ExportMetadata,
            DailyLogs,
            SeePolicies,
            SeeSenders,
            SeeQueue,
            SeeGreylist,
            SystemStatus,
        ]
        .into_iter()
        .collect()
    }

    /// What is left of them for somebody who sees this much only.
    #[must_use]
    pub fn within(self, sight: &Sight) -> Permissions {
        match sight {
            Sight::Everything => self,
            Sight::Limited(_) => self.of_recipients(),
        }
    }

    /// Those that are about recipients: what is left for whoever is limited.
    #[must_use]
    pub fn of_recipients(self) -> Permissions {
        let reaches = |permission: &Permission| permission.reach() == Reach::Recipients;
        self.iter().filter(reaches).collect()
    }

    /// Those that are in either set.
    #[must_use]
    pub const fn or(self, other: Permissions) -> Permissions {
        Permissions(self.0 | other.0)
    }

    /// Whether `permission` is among them.
    pub fn has(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }

    /// Those that are in both sets: a token never may more than its owner.
    pub const fn and(self, other: Permissions) -> Permissions {
        Permissions(self.0 & other.0)
    }

    /// Each of them, in table order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.has(*permission))
    }
}

impl From<Vec<Permission>> for Permissions {
    fn from(list: Vec<Permission>) -> Self {
        list.into_iter().collect()
    }
}

impl From<Permissions> for Vec<Permission> {
    fn from(set: Permissions) -> Self {
        set.iter().collect()
    }
}

const fn bit(permission: Permission) -> u32 {
    1 << permission as u32
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Permissions(permissions.into_iter().fold(0, |bits, permission| bits | bit(permission)))
    }
}

/// By which way a caller came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// The machine itself: its chores, its command line, its tests.
    #[default]
    Machine,
    /// Nobody who is known: a stranger at the sign-in page.
    Visitor,
    /// A person, signed in with this account.
    Account(AccountId),
    /// A program, with this token.
    Token {
        /// Whose token it is.
        account: AccountId,
        /// Which one.
        token: TokenId,
    },
}

/// The number of an account; never used again.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct AccountId(pub u64);

/// The number of a token; never used again.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct TokenId(pub u64);

/// Who asks, and what they may do. Every function of the message center takes
/// one, so that no way in can forget to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name that goes into versions, follow-ups and the audit log.
    pub name: Arc<str>,
    /// What they may do.
    pub permissions: Permissions,
    /// Whose mail they see.
    pub sight: Sight,
    /// How they came in.
    pub via: Via,
    /// The address they came from; nothing for the machine itself.
    pub from: Option<IpAddr>,
    /// The attempt whose row they act on, for the audit log.
    pub row: Option<Reference>,
}

impl Caller {
    /// A caller with these permissions who came in by no account.
    pub fn new(name: &str, permissions: Permissions) -> Self {
        let sight = Sight::Everything;
        Caller { name: name.into(), permissions, sight, via: Via::Machine, from: None, row: None }
    }

    /// A caller with every permission: the machine's own administrator.
    pub fn with_all(name: &str) -> Self {
        Caller::new(name, Permissions::all())
    }

    /// A caller who may look at everything and change nothing.
    pub fn read_only(name: &str) -> Self {
        Caller::new(name, Permissions::read_only())
    }

    /// The same caller, from this address.
    #[must_use]
    pub fn from_address(self, from: IpAddr) -> Self {
        Caller { from: Some(from), ..self }
    }

    /// The same caller, acting on the row of this attempt: whatever they
    /// change says so in the audit log.
    #[must_use]
    pub fn on_row(self, row: Reference) -> Self {
        Caller { row: Some(row), ..self }
    }

    /// The same caller, who sees this much only; what reaches further than
    /// that they may no more.
    #[must_use]
    pub fn seeing(self, sight: Sight) -> Self {
        Caller { permissions: self.permissions.within(&sight), sight, ..self }
    }

    /// The account they came in with, or whose token they used.
    pub fn account(&self) -> Option<AccountId> {
        match self.via {
            Via::Machine | Via::Visitor => None,
            Via::Account(account) | Via::Token { account, .. } => Some(account),
        }
    }

    /// Whether the caller may do this.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.has(permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_changes_nothing() {
        let reader = Caller::read_only("reader");
        for permission in Permission::ALL {
            let reads = permission.slug().starts_with("see_")
                && *permission != Permission::SeeAudit
                || matches!(
                    permission,
                    Permission::ExportMetadata | Permission::DailyLogs | Permission::SystemStatus
                );
            assert_eq!(reader.may(*permission), reads, "{}", permission.slug());
            assert!(Caller::with_all("root").may(*permission));
            assert_eq!(permission.slug().parse(), Ok(*permission));
            assert!(permission.doc().ends_with('.'), "{}", permission.doc());
        }
        assert!("everything".parse::<Permission>().is_err());
    }

    #[test]
    fn a_set_is_kept_as_names() {
        let set = Permissions::from(vec![Permission::SeeQueue, Permission::SeeMetadata]);
        assert_eq!(Vec::from(set), [Permission::SeeMetadata, Permission::SeeQueue]);
        let both = set.and(Permissions::from(vec![Permission::SeeQueue]));
        assert_eq!(Vec::from(both), [Permission::SeeQueue]);
    }

    #[test]
    fn who_sees_some_domains_has_nothing_that_reaches_over_all() {
        let sight = Sight::of(vec!["corp.example".parse().unwrap()]).unwrap();
        let limited = Caller::with_all("root").seeing(sight);
        for permission in Permission::ALL {
            let reaches = permission.reach() == Reach::Recipients;
            assert_eq!(limited.may(*permission), reaches, "{}", permission.slug());
        }
        assert!(Permission::ALL.len() <= 32, "a set has 32 bits");
    }
}
