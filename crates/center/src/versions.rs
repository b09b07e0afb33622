//! The policy set as a whole: as one document, and through its versions.

use policy::{Document, ObjectName, PolicyObjects};
use serde::{Deserialize, Serialize};
use store::state::{Difference, Object, ObjectKey, PolicyDocument, Provenance, Version};
use types::lists::Group;
use types::{AuditAction, Caller, Permission, Policy, PolicyId, Timestamp};

use crate::policies::refuse;
use crate::senders::sees;
use crate::{Center, CenterError, ChangeResult, Problem, permit};

/// Most versions listed at once.
const VERSIONS_MAX: usize = 200;

/// One version of the policy set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VersionRow {
    /// Its number.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub author: String,
    /// What for.
    pub note: String,
    /// The version it brought back, if it is a rollback.
    pub restores: Option<u64>,
    /// How many objects it changed.
    pub differences: u64,
}

/// What one object was and is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VersionDifference {
    /// Which object, as people find it.
    pub object: String,
    /// Its number, unless it is a group.
    pub id: Option<PolicyId>,
    /// What it was, as TOML; nothing if it is new.
    pub before: Option<String>,
    /// What it is, as TOML; nothing if it is gone.
    pub after: Option<String>,
}

impl From<Version> for VersionRow {
    fn from(version: Version) -> Self {
        let Version { number, at, author, note, restores, differences } = version;
        VersionRow { number, at, author, note, restores, differences }
    }
}

impl From<Difference> for VersionDifference {
    fn from(difference: Difference) -> Self {
        let id = match difference.key {
            ObjectKey::Policy(id) | ObjectKey::Sender(id) => Some(id),
            ObjectKey::Group(_) | ObjectKey::Definition(_) => None,
        };
        VersionDifference {
            object: difference.key.to_string(),
            id,
            before: difference.before.as_ref().map(readable),
            after: difference.after.as_ref().map(readable),
        }
    }
}

fn readable(object: &Object) -> String {
    let text = match object {
        Object::Policy(policy) => toml::to_string(policy),
        Object::Group(group) => toml::to_string(group),
        Object::Definition(definition) => toml::to_string(definition),
        Object::Sender(sender) => toml::to_string(sender),
    };
    text.unwrap_or_else(|error| format!("# {error}"))
}

impl Center {
    /// Policies, groups, definitions and managed senders as one TOML document.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn export_policies(&self, caller: &Caller) -> Result<String, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        permit(caller, Permission::SeeSenders)?;
        let details = serde_json::json!({ "version": self.parts.policies.version()? });
        self.record(caller, AuditAction::PoliciesTaken, "policy set", &details)?;
        let stored = self.parts.policies.export()?;
        let document = Document {
            policies: stored.policies,
            groups: stored.groups,
            definitions: stored.definitions,
            managed_senders: stored.senders,
        };
        document.to_text().map_err(|error| CenterError::invalid(error.to_string()))
    }

    /// What is wrong with a document, without changing anything.
    ///
    /// # Errors
    ///
    /// Only a caller without permission or a failing store.
    pub fn check_policies(&self, caller: &Caller, text: &str) -> Result<Vec<Problem>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        // The form that adds one policy is checked too.
        let checked = Document::parse_any(text)
            .map_err(unreadable)
            .and_then(|document| self.checked(&document, text));
        match checked {
            Ok(()) => Ok(Vec::new()),
            Err(CenterError::Invalid { problems }) => Ok(problems),
            Err(other) => Err(other),
        }
    }

    /// Replaces everything that does not belong to the policy file by what
    /// the document says, in one version.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`]; problems have lines.
    pub fn import_policies(
        &self,
        caller: &Caller,
        text: &str,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        permit(caller, Permission::EditLists)?;
        permit(caller, Permission::EditSenders)?;
        let document = Document::parse(text).map_err(unreadable)?;
        self.checked(&document, text)?;
        let document = stored_document(document);
        let who = self.author(caller, expected, note);
        self.activated(self.parts.policies.import(&who, document)?)
    }

    /// Versions, newest first, below `before`.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn versions(
        &self,
        caller: &Caller,
        before: Option<u64>,
        rows_max: usize,
    ) -> Result<Vec<VersionRow>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let versions = self.parts.policies.history(before, rows_max.clamp(1, VERSIONS_MAX))?;
        Ok(versions.into_iter().map(VersionRow::from).collect())
    }

    /// What differs between two versions.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] for a version there is not.
    pub fn differences(
        &self,
        caller: &Caller,
        from: u64,
        to: u64,
    ) -> Result<Vec<VersionDifference>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let differences = self.parts.policies.differences(from, to)?;
        Ok(differences.into_iter().map(VersionDifference::from).collect())
    }

    /// What a version changed, as far as the caller may see it: whoever does
    /// not see policies sees the managed senders of recipients they see.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] for a version there is not, or of which they
    /// see nothing.
    pub fn changed_in(
        &self,
        caller: &Caller,
        version: u64,
    ) -> Result<Vec<VersionDifference>, CenterError> {
        let missing = || CenterError::NotFound(format!("version {version}"));
        let before = version.checked_sub(1).ok_or_else(missing)?;
        if caller.may(Permission::SeePolicies) {
            return self.differences(caller, before, version);
        }
        permit(caller, Permission::SeeSenders)?;
        let mut made = self.parts.policies.differences(before, version)?;
        made.retain(|made| {
            let both = [&made.before, &made.after];
            both.into_iter().flatten().all(|object| match object {
                Object::Sender(entry) => sees(caller, entry),
                _ => false,
            })
        });
        match made.is_empty() {
            true => Err(missing()),
            false => Ok(made.into_iter().map(VersionDifference::from).collect()),
        }
    }

    /// Brings back the content of a version, as a new version. What the policy
    /// file or a directory manages, or managed then, stays as it is and is
    /// named.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`], and [`CenterError::NotFound`].
    pub fn roll_back(
        &self,
        caller: &Caller,
        number: u64,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        permit(caller, Permission::EditLists)?;
        permit(caller, Permission::EditSenders)?;
        let who = self.author(caller, expected, note);
        let changed = self.activated(self.parts.policies.roll_back(&who, number)?)?;
        let rest = self.parts.policies.differences(number, changed.version)?;
        let is_directorys = |rest: &Difference| match &rest.key {
            ObjectKey::Group(name) => Group::directory_of(name).is_some(),
            _ => false,
        };
        let names = |of: Vec<Difference>| of.iter().map(|rest| rest.key.to_string()).collect();
        let (directorys, files): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_directorys);
        let (kept_by_file, kept_by_directory) = (names(files), names(directorys));
        Ok(ChangeResult { kept_by_file, kept_by_directory, ..changed })
    }

    /// Checks a document together with what the policy file and directories
    /// gave.
    pub(crate) fn checked(&self, document: &Document, text: &str) -> Result<(), CenterError> {
        let stored = self.parts.policies.read(&mut |_| {})?;
        let is_managed = |provenance: &Provenance| provenance.origin.is_managed();
        let is_there = |name: &str| stored.groups.iter().any(|other| other.group.name == name);
        refuse_names(document, text, is_there)?;
        let mut objects = PolicyObjects {
            policies: document.policies.iter().cloned().map(new_policy).collect(),
            groups: document.groups.clone(),
            definitions: document.definitions.clone(),
            managed_senders: document.managed_senders.clone(),
        };
        let named = |name: &str| document.groups.iter().any(|group| group.name == name);
        let kept =
            stored.groups.iter().filter(|g| is_managed(&g.provenance) && !named(&g.group.name));
        objects.groups.extend(kept.map(|group| group.group.clone()));
        let named = |name: &str| document.definitions.iter().any(|other| other.name == name);
        let kept = stored
            .definitions
            .iter()
            .filter(|d| is_managed(&d.provenance) && !named(&d.definition.name));
        objects.definitions.extend(kept.map(|stored| stored.definition.clone()));
        // What others wrote is not the document's fault, as long as it can be
        // compiled with it.
        let mut problems = policy::unfit(&objects, &self.parts.activator.base());
        problems.extend(policy::slips(&document.policies, &document.definitions));
        refuse(problems, Some(text))
    }
}

/// Refuses new groups that are called as those of a directory are.
fn refuse_names(
    document: &Document,
    text: &str,
    is_there: impl Fn(&str) -> bool,
) -> Result<(), CenterError> {
    let mut problems = Vec::new();
    for (place, group) in (1..).zip(&document.groups) {
        let Some(directory) = Group::directory_of(&group.name).filter(|_| !is_there(&group.name))
        else {
            continue;
        };
        let object = ObjectName::Group(group.name.clone(), place);
        problems.push(Problem {
            line: Document::line_of(text, &object),
            object: Some(object.to_string()),
            field: Some("name".to_owned()),
            message: format!(
                "groups of the directory {directory} are called so, and come from there: give it \
                 another name"
            ),
        });
    }
    if problems.is_empty() { Ok(()) } else { Err(CenterError::Invalid { problems }) }
}

/// A document as the store takes it.
pub(crate) fn stored_document(document: Document) -> PolicyDocument {
    PolicyDocument {
        policies: document.policies,
        groups: document.groups,
        definitions: document.definitions,
        senders: document.managed_senders,
    }
}

pub(crate) fn unreadable(error: policy::DocumentError) -> CenterError {
    CenterError::Invalid { problems: vec![Problem::at_line(error.line, error.message)] }
}

fn new_policy(policy: Policy) -> policy::StoredPolicy {
    policy::StoredPolicy { policy, version: 0, created: Timestamp::EPOCH }
}

#[cfg(test)]
mod tests {
    use store::state::Authorship;
    use types::lists::SenderAction;

    use super::*;
    use crate::tests::{Gateway, at, block, entry};

    fn root() -> Caller {
        Caller::with_all("root")
    }

    /// A center whose policy file gave one policy and one group.
    fn with_policy_file() -> Gateway {
        let gateway = Gateway::new(at(0));
        let who = Authorship {
            actor: types::Actor::machine("settings"),
            note: String::new(),
            at: at(0),
            expected: None,
        };
        let group = Group { name: "Team".to_owned(), parent: None, members: Vec::new() };
        let from_file = PolicyDocument {
            policies: vec![block("from file", "file.example")],
            groups: vec![group],
            ..PolicyDocument::default()
        };
        gateway.center.parts.policies.apply_file(&who, from_file).unwrap();
        gateway
    }

    #[test]
    fn what_the_policy_file_manages_is_changed_there_only() {
        let gateway = with_policy_file();
        let center = &gateway.center;
        let id = center.policies(&root()).unwrap().policies.remove(0).policy.id.unwrap();
        // A policy that names the group would make its removal wrong too.
        let named = Policy {
            from: types::policy::Scope::Group("Team".to_owned()),
            ..block("names it", "x.example")
        };
        center.put_policy(&root(), named, None, "").unwrap();
        let refused = [
            center.remove_group(&root(), "Team", None, "").err(),
            center.change_members(&root(), "Team", vec!["a.b".parse().unwrap()], &[], "").err(),
            center.remove_policy(&root(), id, None, "").err(),
            center
                .put_policy(&root(), Policy { id: Some(id), ..block("x", "y.z") }, None, "")
                .err(),
        ];
        for error in refused {
            assert!(matches!(error, Some(CenterError::FileManaged(_))), "{error:?}");
        }
        let missing = center.remove_group(&root(), "Nobody", None, "");
        assert!(matches!(missing, Err(CenterError::NotFound(_))), "{missing:?}");
        let done = center.roll_back(&root(), 0, None, "").unwrap();
        assert_eq!(done.kept_by_file.len(), 2, "{done:?}");
        let left = center.policies(&root()).unwrap().policies;
        assert_eq!(left.len(), 1, "only the file's");
        assert_eq!(left[0].policy.narrative, "from file");
    }

    #[test]
    fn one_policy_alone_can_be_checked_but_not_imported() {
        let gateway = Gateway::new(at(0));
        let center = &gateway.center;
        let bare = toml::to_string(&block("No x", "x.example")).unwrap();
        assert_eq!(center.check_policies(&root(), &bare).unwrap(), []);
        assert!(center.import_policies(&root(), &bare, None, "").is_err());
        let wrong = bare.replace("No x", " ");
        assert_eq!(center.check_policies(&root(), &wrong).unwrap().len(), 1);
    }

    #[test]
    fn entries_that_cannot_be_meant_are_refused_by_hand_and_from_files() {
        let gateway = Gateway::new(at(0));
        let center = &gateway.center;
        let mut foreign = entry("x.example", SenderAction::Block);
        foreign.recipient = "bob@elsewhere.example".parse().unwrap();
        let mut over = entry("x.example", SenderAction::Block);
        over.valid_until = Some(at(-1));
        let word = entry("notanaddress", SenderAction::Block);
        for entry in [foreign, over, word] {
            let refused = center.put_sender(&root(), entry.clone(), "");
            assert!(matches!(refused, Err(CenterError::Invalid { .. })), "{entry:?} {refused:?}");
        }
        let csv = "sender,recipient,action\nnotanaddress,bob@corp.example,block\n\
                   x.example,bob@elsewhere.example,block\ny.example,bob@corp.example,block\n";
        let dry = crate::ImportHow { partial: false, dry_run: true };
        let told = center.import_senders(&root(), &mut csv.as_bytes(), dry, "").unwrap();
        assert_eq!((told.stored, told.problems.len(), told.dry_run), (1, 2, true));
        assert_eq!(center.senders(&root(), &Default::default()).unwrap(), []);
        let how = crate::ImportHow { partial: true, dry_run: false };
        let done = center.import_senders(&root(), &mut csv.as_bytes(), how, "").unwrap();
        let lines: Vec<_> = done.problems.iter().map(|problem| problem.line).collect();
        assert_eq!((done.stored, lines), (1, vec![Some(2), Some(3)]));
        let group = |members: &[&str]| Group {
            name: "G".to_owned(),
            parent: None,
            members: members.iter().map(|member| member.parse().unwrap()).collect(),
        };
        center.put_group(&root(), group(&["a.example", "ann@b.example"]), None, "").unwrap();
        let pasted = center.put_group(&root(), group(&["a.example", "notanaddress"]), None, "");
        assert!(matches!(pasted, Err(CenterError::Invalid { .. })), "{pasted:?}");
    }
}
