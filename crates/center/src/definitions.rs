//! Keeping definitions, which policies refer to by name.

use serde::{Deserialize, Serialize};
use store::state::{Edit, Object, ObjectKey, Provenance, StoredDefinition};
use types::{Caller, Definition, Permission, PolicyId};

use crate::{Center, CenterError, ChangeResult, Problem, permit};

/// A definition with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DefinitionRow {
    /// The definition.
    pub definition: Definition,
    /// The type of policy it belongs to, as people see it.
    pub kind: String,
    /// The policies that refer to it.
    pub used_by: Vec<PolicyId>,
    /// Who made it and when.
    pub provenance: Provenance,
}

impl Center {
    /// All definitions, by name.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn definitions(&self, caller: &Caller) -> Result<Vec<DefinitionRow>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let mut content = self.parts.policies.read(&mut |_| {})?;
        let stored = std::mem::take(&mut content.definitions);
        Ok(stored.into_iter().map(|stored| row(stored, &content.policies)).collect())
    }

    /// One definition.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`].
    pub fn definition(&self, caller: &Caller, name: &str) -> Result<DefinitionRow, CenterError> {
        let all = self.definitions(caller)?;
        let found = all.into_iter().find(|row| row.definition.name == name);
        found.ok_or_else(|| CenterError::NotFound(format!("definition {name:?}")))
    }

    /// Adds a definition, or replaces the one of its name, for all policies
    /// that refer to it at once.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`].
    pub fn put_definition(
        &self,
        caller: &Caller,
        definition: Definition,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let edit = Edit::Put(Object::Definition(definition));
        self.edit_policies(caller, vec![edit], expected, note)
    }

    /// Removes a definition; refused while a policy refers to it.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`], and [`CenterError::NotFound`].
    pub fn remove_definition(
        &self,
        caller: &Caller,
        name: &str,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let content = self.parts.policies.read(&mut |_| {})?;
        let users = users(name, &content.policies);
        if !users.is_empty() {
            let users: Vec<String> = users.iter().map(|id| format!("policy {id}")).collect();
            let message = format!("it is still used by {}; change that first", users.join(", "));
            let problem =
                Problem { line: None, object: Some(format!("definition {name:?}")), message };
            return Err(CenterError::Invalid { problems: vec![problem] });
        }
        let edit = Edit::Remove(ObjectKey::Definition(name.to_owned()));
        // What was seen to be unused is what is removed.
        self.edit_policies(caller, vec![edit], expected.or(Some(content.version)), note)
    }
}

fn row(stored: StoredDefinition, policies: &[store::state::StoredPolicy]) -> DefinitionRow {
    DefinitionRow {
        kind: stored.definition.kind().title().to_owned(),
        used_by: users(&stored.definition.name, policies),
        definition: stored.definition,
        provenance: stored.provenance,
    }
}

/// The policies that refer to a definition.
fn users(name: &str, policies: &[store::state::StoredPolicy]) -> Vec<PolicyId> {
    let refers = policies.iter().filter(|stored| stored.policy.option.definition() == Some(name));
    refers.filter_map(|stored| stored.policy.id).collect()
}

#[cfg(test)]
mod tests {
    use types::definition::DefinitionChoice;
    use types::policy::PolicyOption;
    use types::{Policy, PolicyType};

    use super::*;
    use crate::tests::{Gateway, at, block};

    fn root() -> Caller {
        Caller::with_all("root")
    }

    fn strict(name: &str, action: &str) -> Definition {
        let text = format!(
            "name = {name:?}\nset = {{ dns_authentication = {{ dkim = {{ fail = {action:?} }} }} }}"
        );
        toml::from_str(&text).unwrap()
    }

    fn using(name: &str) -> Policy {
        let choice = DefinitionChoice::Apply(name.to_owned());
        Policy { option: PolicyOption::DnsAuthentication(choice), ..block("strict", "x.example") }
    }

    #[test]
    fn a_definition_is_made_used_changed_and_removed_once_nobody_uses_it() {
        let gateway = Gateway::new(at(0));
        let center = &gateway.center;
        let missing = center.put_policy(&root(), using("Far"), None, "").unwrap_err();
        assert!(missing.to_string().contains("there is no definition \"Far\""), "{missing}");
        center.put_definition(&root(), strict("Far", "reject"), None, "").unwrap();
        let made = center.put_policy(&root(), using("Far"), None, "").unwrap();
        let id = made.differences[0].id.unwrap();
        let row = center.definition(&root(), "Far").unwrap();
        assert_eq!((row.kind.as_str(), row.used_by), ("DNS Authentication", vec![id]));
        let used = center.remove_definition(&root(), "Far", None, "").unwrap_err();
        assert!(used.to_string().contains(&format!("still used by policy {id}")), "{used}");
        let before =
            center.put_definition(&root(), strict("Far", "hold"), None, "").unwrap().version;
        let text = center.export_policies(&root()).unwrap();
        assert!(text.contains("[[definition]]") && text.contains("hold"), "{text}");
        assert_eq!(center.import_policies(&root(), &text, None, "").unwrap().version, before);
        center.remove_policy(&root(), id, None, "").unwrap();
        center.remove_definition(&root(), "Far", None, "").unwrap();
        assert!(matches!(center.definition(&root(), "Far"), Err(CenterError::NotFound(_))));
        center.roll_back(&root(), before, None, "").unwrap();
        assert_eq!(center.definition(&root(), "Far").unwrap().definition, strict("Far", "hold"));
        assert_eq!(PolicyType::DnsAuthentication.slug(), "dns_authentication");
    }

    #[test]
    fn a_definition_of_another_type_cannot_be_used() {
        let gateway = Gateway::new(at(0));
        let center = &gateway.center;
        center.put_definition(&root(), strict("Far", "reject"), None, "").unwrap();
        let option = PolicyOption::Reputation(DefinitionChoice::Apply("Far".to_owned()));
        let wrong = Policy { option, ..block("lists", "x.example") };
        let error = center.put_policy(&root(), wrong, None, "").unwrap_err().to_string();
        assert!(error.contains("one of DNS Authentication"), "{error}");
    }
}
