//! Roles: what those there are from the start allow, what of it is switched,
//! and those somebody made.

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::state::accounts::StoredRole;
use types::{AuditAction, Caller, Permissions, Role, RoleName, Timestamp};

use super::{Accounts, permit_accounts, permit_all};
use crate::{CenterError, presentable};

/// Most roles that somebody made.
pub const ROLES_MAX: usize = 100;
/// Longest note of a role, in characters.
const NOTE_CHARS_MAX: usize = 200;

/// One role, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RoleRow {
    /// Its name.
    pub name: RoleName,
    /// What people read.
    pub label: String,
    /// Whether it is there from the start.
    pub built_in: bool,
    /// Whom it is for.
    pub note: String,
    /// What it allows.
    pub permissions: Permissions,
    /// What of that can be switched, or could be added: all, of a role that
    /// somebody made.
    pub optional: Permissions,
    /// The accounts that have it.
    pub accounts: Vec<String>,
    /// When it was changed last, if somebody has.
    pub changed: Option<Timestamp>,
    /// By whom.
    pub changed_by: Option<String>,
}

/// What a role is to allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleBody {
    /// All of it; of a role there is from the start, what can be switched has
    /// to be in it to be on, and the rest cannot be taken away.
    pub permissions: Permissions,
    /// Whom it is for, one line; not of a role there is from the start.
    #[serde(default)]
    pub note: String,
}

impl Accounts {
    /// All roles: those there are from the start, then the others by name.
    ///
    /// # Errors
    ///
    /// The caller may not, or the store fails.
    pub fn roles(&self, caller: &Caller) -> Result<Vec<RoleRow>, CenterError> {
        permit_accounts(caller)?;
        let (kept, accounts) = (self.state.roles()?, self.state.accounts()?);
        let names = Role::ALL.iter().map(|role| RoleName::from(*role));
        let made = kept.iter().map(|role| role.name.clone());
        let made = made.filter(|name| matches!(name, RoleName::Custom(_)));
        let row = |name: RoleName| {
            let of_it = kept.iter().find(|kept| kept.name == name);
            let having = accounts.iter().filter(|account| account.role == name);
            row(&name, of_it, having.map(|account| account.name.clone()).collect())
        };
        Ok(names.chain(made).map(row).collect())
    }

    /// Makes or changes a role. Whoever has it may what it allows from their
    /// next request on.
    ///
    /// # Errors
    ///
    /// The caller may not, or not that much; it takes away or gives what a
    /// role from the start always or never has; or the store fails.
    pub fn put_role(
        &self,
        caller: &Caller,
        name: &RoleName,
        body: &RoleBody,
    ) -> Result<(), CenterError> {
        permit_accounts(caller)?;
        let before = self.kept_role(name)?;
        let allowed = name.permissions(before.as_ref().map(|kept| kept.permissions));
        // Nobody takes from others what they do not have themselves, either.
        permit_all(caller, allowed.or(body.permissions))?;
        check(name, body)?;
        let made = self.state.roles()?.len();
        if before.is_none() && matches!(name, RoleName::Custom(_)) && made >= ROLES_MAX {
            return Err(CenterError::invalid(format!("there are {ROLES_MAX} roles already")));
        }
        let role = StoredRole {
            name: name.clone(),
            permissions: match name {
                RoleName::BuiltIn(role) => body.permissions.and(role.optional()),
                RoleName::Custom(_) => body.permissions,
            },
            note: body.note.trim().to_owned(),
            changed: self.clock.now(),
            changed_by: caller.name.to_string(),
        };
        let details = json!({
            "before": before.as_ref().map(|_| allowed),
            "after": name.permissions(Some(role.permissions)),
        });
        let note = self.note(caller, AuditAction::RoleChanged, name.as_str());
        self.done(&note.with_details(details.to_string()), |to| to.put_role(&role))
    }

    /// Removes a role that somebody made and nobody has; of one there is from
    /// the start, everything is switched as it was.
    ///
    /// # Errors
    ///
    /// The caller may not, there is no such role, an account has it, or the
    /// store fails.
    pub fn remove_role(&self, caller: &Caller, name: &RoleName) -> Result<(), CenterError> {
        permit_accounts(caller)?;
        let missing = || CenterError::NotFound(format!("role {name}"));
        let kept = self.kept_role(name)?.ok_or_else(missing)?;
        permit_all(caller, name.permissions(Some(kept.permissions)))?;
        // One there is from the start gets back what was switched off.
        permit_all(caller, name.permissions(None))?;
        let details = json!({ "before": kept.permissions });
        let note = self.note(caller, AuditAction::RoleRemoved, name.as_str());
        let is_made = matches!(name, RoleName::Custom(_));
        let mut has_it = None;
        let removed = self.changed(&note.with_details(details.to_string()), |to| {
            let accounts = to.accounts()?;
            has_it = accounts.into_iter().find(|account| account.role == *name && is_made);
            if has_it.is_some() {
                return Ok(None);
            }
            Ok(to.remove_role(name)?.then_some(()))
        })?;
        match has_it {
            Some(account) => Err(CenterError::invalid(format!(
                "the account {} has this role; give it another one first",
                account.name
            ))),
            None => removed.ok_or_else(missing),
        }
    }

    /// What a role allows, which must be there to be given.
    pub(super) fn allowed_by(&self, name: &RoleName) -> Result<Permissions, CenterError> {
        let kept = self.kept_role(name)?;
        match (name, &kept) {
            (RoleName::Custom(_), None) => {
                let known: Vec<&str> = Role::ALL.iter().map(|role| role.slug()).collect();
                Err(CenterError::invalid(format!(
                    "there is no role {name}; from the start there are {}",
                    known.join(", ")
                )))
            }
            _ => Ok(name.permissions(kept.map(|kept| kept.permissions))),
        }
    }

    fn kept_role(&self, name: &RoleName) -> Result<Option<StoredRole>, CenterError> {
        Ok(self.state.roles()?.into_iter().find(|kept| kept.name == *name))
    }
}

/// Refuses what a role cannot be.
fn check(name: &RoleName, body: &RoleBody) -> Result<(), CenterError> {
    let note = body.note.trim();
    if note.chars().count() > NOTE_CHARS_MAX || presentable(note) != note {
        return Err(CenterError::invalid("a note is one line of up to 200 plain characters"));
    }
    if name.is_withdrawn() {
        let text = "whoever has the role withdrawn may nothing; give yours another name";
        return Err(CenterError::invalid(text));
    }
    let RoleName::BuiltIn(role) = name else {
        return match body.permissions == Permissions::NONE {
            true => Err(CenterError::invalid("a role needs at least one permission")),
            false => Ok(()),
        };
    };
    let refused = |what: &str, permission: types::Permission| {
        Err(CenterError::invalid(format!(
            "{} {what} {}; make a role of your own for that",
            role.label(),
            permission.slug()
        )))
    };
    if let Some(missing) = role.fixed().iter().find(|fixed| !body.permissions.has(*fixed)) {
        return refused("always has", missing);
    }
    let most = role.fixed().or(role.optional());
    match body.permissions.iter().find(|wanted| !most.has(*wanted)) {
        Some(beyond) => refused("never has", beyond),
        None => Ok(()),
    }
}

fn row(name: &RoleName, kept: Option<&StoredRole>, accounts: Vec<String>) -> RoleRow {
    let (built_in, note, optional) = match name {
        RoleName::BuiltIn(role) => (true, role.doc().to_owned(), role.optional()),
        RoleName::Custom(_) => {
            (false, kept.map_or(String::new(), |kept| kept.note.clone()), Permissions::all())
        }
    };
    RoleRow {
        name: name.clone(),
        label: name.label().to_owned(),
        built_in,
        note,
        permissions: name.permissions(kept.map(|kept| kept.permissions)),
        optional,
        accounts,
        changed: kept.map(|kept| kept.changed),
        changed_by: kept.map(|kept| kept.changed_by.clone()),
    }
}
