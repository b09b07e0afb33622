//! Keeping definitions, which policies refer to by name.

mod writing;

use serde::{Deserialize, Serialize};
use store::state::{Edit, Object, ObjectKey, Provenance, StoredDefinition};
use types::definition::{PermittedList, ReputationDefinition};
use types::{Caller, Definition, DefinitionSet, Permission, PolicyId};

use crate::{Center, CenterError, ChangeResult, Problem, permit};

pub use writing::{
    DefinitionGround, WrittenDefinition, blank_definition, definition_example, definition_text,
    read_definition,
};

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
    /// Of a Reputation definition, the global permitted lists it looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permitted_lists: Vec<String>,
    /// The lists that it weighs against clients although they are such lists,
    /// so that their weight counts for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weighed_in_vain: Vec<String>,
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
        let permitted = self.parts.activator.base().permitted_lists;
        Ok(stored.into_iter().map(|stored| row(stored, &content.policies, &permitted)).collect())
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
            let object = Some(format!("definition {name:?}"));
            let problem = Problem { object, ..Problem::new(message) };
            return Err(CenterError::Invalid { problems: vec![problem] });
        }
        let edit = Edit::Remove(ObjectKey::Definition(name.to_owned()));
        // What was seen to be unused is what is removed.
        self.edit_policies(caller, vec![edit], expected.or(Some(content.version)), note)
    }
}

fn row(
    stored: StoredDefinition,
    policies: &[store::state::StoredPolicy],
    permitted: &[PermittedList],
) -> DefinitionRow {
    let (permitted_lists, weighed_in_vain) = match &stored.definition.set {
        DefinitionSet::Reputation(reputation) => permits_of(reputation, permitted),
        DefinitionSet::GeographicalRestriction(_) | DefinitionSet::DnsAuthentication(_) => {
            Default::default()
        }
    };
    DefinitionRow {
        permitted_lists,
        weighed_in_vain,
        kind: stored.definition.kind().title().to_owned(),
        used_by: users(&stored.definition.name, policies),
        definition: stored.definition,
        provenance: stored.provenance,
    }
}

/// The global permitted lists a definition looks at, and those among them that
/// it weighs in vain.
fn permits_of(
    reputation: &ReputationDefinition,
    permitted: &[PermittedList],
) -> (Vec<String>, Vec<String>) {
    let looked_at = permitted.iter().filter(|_| reputation.global_permitted_list);
    let mut lists: Vec<String> = looked_at.map(|one| one.question.list.to_string()).collect();
    lists.sort_unstable();
    lists.dedup();
    let in_vain = policy::weighed_though_permitted(reputation, permitted);
    (lists, in_vain.iter().map(ToString::to_string).collect())
}

/// The policies that refer to a definition.
fn users(name: &str, policies: &[store::state::StoredPolicy]) -> Vec<PolicyId> {
    let refers = policies.iter().filter(|stored| stored.policy.option.definition() == Some(name));
    refers.filter_map(|stored| stored.policy.id).collect()
}

#[cfg(test)]
mod tests {
    use policy::Document;
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

    #[test]
    fn a_document_is_not_refused_for_a_slip_of_the_policy_file() {
        let gateway = Gateway::new(at(60));
        let center = &gateway.center;
        let places = |name: &str, country: &str| {
            format!(
                "[[definition]]\nname = \"{name}\"\n[definition.set.geographical_restriction]\n\
                 action = \"hold\"\ncountries = [\"DE\", \"{country}\"]\n"
            )
        };
        let definitions = Document::parse(&places("of the file", "ZZ")).unwrap().definitions;
        let of_file = store::state::PolicyDocument { definitions, ..Default::default() };
        let (actor, note) = ((&root()).into(), String::new());
        let who = store::state::Authorship { actor, note, at: at(61), expected: None };
        center.parts.policies.apply_file(&who, of_file).unwrap();
        center.import_policies(&root(), &places("mine", "FR"), None, "").unwrap();
        let refused = center.import_policies(&root(), &places("mine", "ZZ"), None, "").unwrap_err();
        assert!(refused.to_string().contains("no country"), "{refused}");
    }
}
