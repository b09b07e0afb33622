//! What a caller may do: one table from which routes, pages and documentation
//! take their permissions.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::Reference;

macro_rules! permissions {
    ($($(#[doc = $doc:literal])+ $name:ident = $slug:literal;)*) => {
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
        }
    };
}

permissions! {
    /// Attempts, life-lines and verdict records, without content.
    SeeMetadata = "see_metadata";
    /// The daily log and other files of metadata.
    ExportMetadata = "export_metadata";
    /// Policies, groups and their versions, for reading.
    SeePolicies = "see_policies";
    /// Policies and groups, for changing.
    EditPolicies = "edit_policies";
    /// Managed senders, for reading.
    SeeSenders = "see_senders";
    /// Managed senders, for changing.
    EditSenders = "edit_senders";
    /// The delivery queue, for reading.
    SeeQueue = "see_queue";
    /// Holding, releasing, retrying and deleting queued messages.
    QueueActions = "queue_actions";
    /// The triplet table, for reading.
    SeeGreylist = "see_greylist";
    /// Letting triplets pass and forgetting them.
    SteerGreylist = "steer_greylist";
    /// Marking what refused senders ask as dealt with.
    AnswerRequests = "answer_requests";
    /// Health, conservation and sizes.
    SystemStatus = "system_status";
    /// Accounts of other people: adding, removing, new set-up links.
    ManageAccounts = "manage_accounts";
    /// Tokens for programs, and those of other people.
    ManageTokens = "manage_tokens";
    /// The audit log of everybody; what one did oneself can be read without.
    SeeAudit = "see_audit";
}

impl FromStr for Permission {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Permission::ALL.iter().find(|permission| permission.slug() == text);
        found.copied().ok_or(UnknownName("permission"))
    }
}

/// There is no permission or role of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {0} of this name")]
pub struct UnknownName(pub(crate) &'static str);

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
            ExportMetadata, SeeGreylist, SeeMetadata, SeePolicies, SeeQueue, SeeSenders,
            SystemStatus,
        };
        [SeeMetadata, ExportMetadata, SeePolicies, SeeSenders, SeeQueue, SeeGreylist, SystemStatus]
            .into_iter()
            .collect()
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

/// What an account may do, as one of a few sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks things up and changes nothing: the help desk.
    Viewer,
    /// Everything.
    Owner,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Role; 2] = [Role::Viewer, Role::Owner];

    /// The name in storage, API and command line.
    pub const fn slug(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Owner => "owner",
        }
    }

    /// What people read.
    pub const fn label(self) -> &'static str {
        match self {
            Role::Viewer => "Viewer",
            Role::Owner => "Owner",
        }
    }

    /// What it allows. A viewer does not export: lists that leave the console
    /// are an operator's business.
    pub fn permissions(self) -> Permissions {
        use Permission::{
            SeeGreylist, SeeMetadata, SeePolicies, SeeQueue, SeeSenders, SystemStatus,
        };
        match self {
            Role::Viewer => {
                [SeeMetadata, SeePolicies, SeeSenders, SeeQueue, SeeGreylist, SystemStatus]
                    .into_iter()
                    .collect()
            }
            Role::Owner => Permissions::all(),
        }
    }
}

impl FromStr for Role {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Role::ALL.into_iter().find(|role| role.slug() == text).ok_or(UnknownName("role"))
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
        Caller { name: name.into(), permissions, via: Via::Machine, from: None, row: None }
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
                || matches!(permission, Permission::ExportMetadata | Permission::SystemStatus);
            assert_eq!(reader.may(*permission), reads, "{}", permission.slug());
            assert!(Caller::with_all("root").may(*permission));
            assert!(reads || !Role::Viewer.permissions().has(*permission));
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
    fn a_viewer_does_not_export_and_an_owner_may_all() {
        assert!(!Role::Viewer.permissions().has(Permission::ExportMetadata));
        for role in Role::ALL {
            assert_eq!(role.slug().parse(), Ok(role));
        }
        assert_eq!(Role::Owner.permissions(), Permissions::all());
    }
}
