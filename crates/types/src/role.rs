//! What accounts may do: the roles there are from the start, as one table of
//! permissions by role, and those somebody made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::permission::{Permission, Permissions, UnknownName};

/// Longest name of a role that somebody made, in characters.
pub const ROLE_NAME_CHARS_MAX: usize = 40;

/// Whether a role has a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    /// Always.
    Has,
    /// Unless it is switched off.
    Unless,
    /// If it is switched on.
    If,
    /// Never.
    Lacks,
}

macro_rules! roles {
    (
        $($(#[doc = $doc:literal])+ $name:ident = $slug:literal, $label:literal;)*
        table $($permission:ident $($grant:ident)*;)*
    ) => {
        /// A role there is from the start.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Role { $($(#[doc = $doc])+ $name,)* }

        impl Role {
            /// Every role, in the order of the table.
            pub const ALL: &'static [Role] = &[$(Role::$name),*];

            /// The name in storage, API and command line.
            pub const fn slug(self) -> &'static str {
                match self { $(Role::$name => $slug,)* }
            }

            /// What people read.
            pub const fn label(self) -> &'static str {
                match self { $(Role::$name => $label,)* }
            }

            /// Whom it is for, one line.
            pub fn doc(self) -> &'static str {
                match self { $(Role::$name => concat!($($doc),+).trim(),)* }
            }
        }

        const TABLE: &[(Permission, &[Grant])] =
            &[$((Permission::$permission, &[$(Grant::$grant),*])),*];
    };
}

roles! {
    /// The help desk: looks things up and changes nothing.
    Viewer = "viewer", "Viewer";
    /// Keeps mail flowing: queue, held mail, greylisting.
    Operator = "operator", "Operator";
    /// Makes the rules.
    PolicyAdmin = "policy_admin", "Policy admin";
    /// Looks into attacks.
    Analyst = "analyst", "Security analyst";
    /// Decides on held mail that may be a danger.
    ProtectedAdmin = "protected_content_admin", "Protected Content Admin";
    /// Sees what everybody did.
    Auditor = "auditor", "Auditor";
    /// May do everything, accounts and roles included.
    Owner = "owner", "Owner";

    //               Viewer Operator PolicyAdmin Analyst ProtectedAdmin Auditor Owner
    table
    SeeMetadata      Has    Has      Has         Has     Has            Has     Has;
    SeeSubjects      Unless Has      Has         Has     Has            Has     Has;
    ExportMetadata   Lacks  Has      Has         Has     Has            Has     Has;
    DailyLogs        Lacks  Has      Has         Has     Has            Has     Has;
    SeePolicies      Has    Has      Has         Has     Has            Has     Has;
    EditPolicies     Lacks  Lacks    Has         Lacks   Lacks          Lacks   Has;
    EditLists        Lacks  Lacks    Has         Has     Lacks          Lacks   Has;
    SeeSenders       Has    Has      Has         Has     Has            Has     Has;
    EditSenders      If     Has      Has         Has     Lacks          Lacks   Has;
    SeeQueue         Has    Has      Has         Has     Has            Has     Has;
    QueueActions     Lacks  Has      Lacks       Lacks   Lacks          Lacks   Has;
    ReleaseHarmless  Lacks  Has      Has         Has     Has            Lacks   Has;
    ReleaseDangerous Lacks  Lacks    Lacks       Has     Has            Lacks   Has;
    SeeGreylist      Has    Has      Has         Has     Has            Has     Has;
    SteerGreylist    Lacks  Has      Has         Lacks   Lacks          Lacks   Has;
    AnswerRequests   Lacks  Has      Has         Has     Lacks          Lacks   Has;
    SystemStatus     Has    Has      Has         Has     Has            Has     Has;
    ManageAccounts   Lacks  Lacks    Lacks       Lacks   Lacks          Lacks   Has;
    ManageTokens     Lacks  Lacks    Lacks       Lacks   Lacks          Lacks   Has;
    SeeAudit         Lacks  Lacks    Lacks       Lacks   Lacks          Has     Has;
}

impl Role {
    /// What it always allows.
    pub fn fixed(self) -> Permissions {
        self.granted(|grant| grant == Grant::Has)
    }

    /// What can be switched on and off.
    pub fn optional(self) -> Permissions {
        self.granted(|grant| matches!(grant, Grant::Unless | Grant::If))
    }

    /// What it allows as long as nothing was switched.
    pub fn permissions(self) -> Permissions {
        self.granted(|grant| matches!(grant, Grant::Has | Grant::Unless))
    }

    /// What it allows with these switched on, of those that can be.
    pub fn with(self, on: Permissions) -> Permissions {
        self.fixed().or(self.optional().and(on))
    }

    fn granted(self, wanted: impl Fn(Grant) -> bool) -> Permissions {
        let row = |(permission, grants): &(Permission, &[Grant])| {
            let grant = grants.get(self as usize).copied()?;
            wanted(grant).then_some(*permission)
        };
        TABLE.iter().filter_map(row).collect()
    }
}

impl FromStr for Role {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Role::ALL.iter().find(|role| role.slug() == text);
        found.copied().ok_or(UnknownName::Role)
    }
}

/// The name of a role: of one there is from the start, or of one that
/// somebody made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleName {
    /// From the start.
    BuiltIn(Role),
    /// Made by somebody; up to [`ROLE_NAME_CHARS_MAX`] small letters, digits,
    /// `-` and `_`, beginning with a letter.
    Custom(Box<str>),
}

/// The name of the role that allows nothing.
const WITHDRAWN: &str = "withdrawn";

impl RoleName {
    /// The role of an account from which a sign-in service has taken its own:
    /// it allows nothing, and nobody can make one of this name.
    pub fn withdrawn() -> Self {
        RoleName::Custom(WITHDRAWN.into())
    }

    /// Whether it is the one of [`RoleName::withdrawn`].
    pub fn is_withdrawn(&self) -> bool {
        self.as_str() == WITHDRAWN
    }

    /// As it is stored, sent and typed.
    pub fn as_str(&self) -> &str {
        match self {
            RoleName::BuiltIn(role) => role.slug(),
            RoleName::Custom(name) => name,
        }
    }

    /// What people read.
    pub fn label(&self) -> &str {
        match self {
            RoleName::BuiltIn(role) => role.label(),
            RoleName::Custom(name) => name,
        }
    }

    /// What it allows, with what is kept about it: of a role from the start
    /// what is switched on, of another all it allows. One about which nothing
    /// is kept allows what the table says, or nothing.
    pub fn permissions(&self, kept: Option<Permissions>) -> Permissions {
        match (self, kept) {
            (RoleName::BuiltIn(role), Some(on)) => role.with(on),
            (RoleName::BuiltIn(role), None) => role.permissions(),
            (RoleName::Custom(_), _) if self.is_withdrawn() => Permissions::NONE,
            (RoleName::Custom(_), kept) => kept.unwrap_or(Permissions::NONE),
        }
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        RoleName::BuiltIn(role)
    }
}

impl PartialEq<Role> for RoleName {
    fn eq(&self, other: &Role) -> bool {
        matches!(self, RoleName::BuiltIn(role) if role == other)
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a role has up to {ROLE_NAME_CHARS_MAX} small letters, digits, - and _, and \
     begins with a letter"
)]
pub struct RoleNameError;

impl FromStr for RoleName {
    type Err = RoleNameError;

    fn from_str(text: &str) -> Result<Self, RoleNameError> {
        if let Ok(role) = text.parse() {
            return Ok(RoleName::BuiltIn(role));
        }
        let sign = |octet: u8| {
            octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"-_".contains(&octet)
        };
        let fits = (1..=ROLE_NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(sign);
        match fits && text.starts_with(|first: char| first.is_ascii_lowercase()) {
            true => Ok(RoleName::Custom(text.into())),
            false => Err(RoleNameError),
        }
    }
}

impl Serialize for RoleName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RoleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let rows: Vec<Permission> = TABLE.iter().map(|(permission, _)| *permission).collect();
        assert_eq!(rows, Permission::ALL, "a row per permission, in the order of the list");
        assert!(TABLE.iter().all(|(_, grants)| grants.len() == Role::ALL.len()));
        for role in Role::ALL {
            assert_eq!(role.slug().parse(), Ok(*role));
            assert!(role.doc().ends_with('.'), "{}", role.doc());
            assert!(role.permissions().has(Permission::SeeMetadata));
        }
        assert_eq!(Role::Owner.permissions(), Permissions::all());
        assert_eq!(Role::Owner.optional(), Permissions::NONE, "nobody weakens the last one");
    }

    /// The table as the specification has it, in words.
    #[test]
    fn who_may_what() {
        use Permission::*;
        let may = |role: Role, permission| role.permissions().has(permission);
        let only = |permission| -> Vec<Role> {
            Role::ALL.iter().copied().filter(|role| may(*role, permission)).collect()
        };
        assert_eq!(only(ManageAccounts), [Role::Owner]);
        assert_eq!(only(ManageTokens), [Role::Owner]);
        assert_eq!(only(EditPolicies), [Role::PolicyAdmin, Role::Owner]);
        assert_eq!(only(QueueActions), [Role::Operator, Role::Owner]);
        assert_eq!(only(SeeAudit), [Role::Auditor, Role::Owner]);
        assert_eq!(
            only(EditSenders),
            [Role::Operator, Role::PolicyAdmin, Role::Analyst, Role::Owner]
        );
        assert_eq!(only(ReleaseDangerous), [Role::Analyst, Role::ProtectedAdmin, Role::Owner]);
        assert!(!may(Role::Viewer, ExportMetadata) && may(Role::Viewer, SeeSubjects));
    }

    #[test]
    fn what_can_be_switched_is_and_nothing_else() {
        use Permission::{EditPolicies, EditSenders, SeeSubjects};
        let viewer = RoleName::from(Role::Viewer);
        assert!(viewer.permissions(None).has(SeeSubjects));
        let on = viewer.permissions(Some(vec![EditSenders, EditPolicies].into()));
        assert!(on.has(EditSenders) && !on.has(SeeSubjects) && !on.has(EditPolicies));
        let made: RoleName = "desk-eu".parse().unwrap();
        assert_eq!(made.permissions(None), Permissions::NONE, "gone");
        assert!(made.permissions(Some(vec![EditPolicies].into())).has(EditPolicies));
        let nothing = RoleName::withdrawn();
        assert_eq!(nothing.permissions(Some(vec![EditPolicies].into())), Permissions::NONE);
        assert!("withdrawn".parse::<RoleName>().unwrap().is_withdrawn() && !made.is_withdrawn());
        for wrong in ["", "Desk", "1desk", "a b", "a.b", &"x".repeat(41), "ä"] {
            assert_eq!(wrong.parse::<RoleName>(), Err(RoleNameError), "{wrong}");
        }
        assert_eq!("owner".parse::<RoleName>().unwrap(), Role::Owner);
    }
}
