//! What a caller may do: one table from which routes, pages and documentation
//! take their permissions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $slug:literal;)*) => {
        /// One thing a caller may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Permission { $($(#[$doc])* $name,)* }

        impl Permission {
            /// Every permission, in table order.
            pub const ALL: &'static [Permission] = &[$(Permission::$name),*];

            /// The name in API, roles and error messages.
            pub const fn slug(self) -> &'static str {
                match self { $(Permission::$name => $slug,)* }
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
    /// Health, conservation and sizes.
    SystemStatus = "system_status";
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
}

const fn bit(permission: Permission) -> u32 {
    1 << permission as u32
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Permissions(permissions.into_iter().fold(0, |bits, permission| bits | bit(permission)))
    }
}

/// Who asks, and what they may do. Every function of the message center takes
/// one, so that no way in can forget to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name that goes into versions, follow-ups and the audit log.
    pub name: Arc<str>,
    /// What they may do.
    pub permissions: Permissions,
}

impl Caller {
    /// A caller with every permission: the machine's own administrator.
    pub fn with_all(name: &str) -> Self {
        Caller { name: name.into(), permissions: Permissions::all() }
    }

    /// A caller who may look at everything and change nothing.
    pub fn read_only(name: &str) -> Self {
        Caller { name: name.into(), permissions: Permissions::read_only() }
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
                || matches!(permission, Permission::ExportMetadata | Permission::SystemStatus);
            assert_eq!(reader.may(*permission), reads, "{}", permission.slug());
            assert!(Caller::with_all("root").may(*permission));
        }
    }
}
