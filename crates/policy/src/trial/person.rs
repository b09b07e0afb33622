//! Who is in which group, and has which attribute, while tests run.

use serde::Deserialize;
use types::lists::{Group, Pattern};
use types::{DirectoryAttribute, EmailAddress};

/// The directory that people of a test have their attributes in: which one it
/// is makes no difference.
const DIRECTORY: &str = "test";

/// Somebody whom a directory would know.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialPerson {
    /// The address.
    pub address: EmailAddress,
    /// The groups it is in, those of directories (`corp:Sales`) as well as those of
    /// the document.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The values it has of attributes.
    #[serde(default)]
    pub attributes: Vec<DirectoryAttribute>,
}

impl TrialPerson {
    /// Puts the person where these groups have it.
    ///
    /// # Errors
    /// A group is not there, or an attribute is none. A sentence.
    pub(super) fn enter(&self, groups: &mut Vec<Group>) -> Result<(), String> {
        for name in &self.groups {
            // Of a directory's groups only those are there that a policy names.
            let is_there = groups.iter().any(|group| group.name == *name);
            if !is_there && Group::directory_of(name).is_none() {
                return Err(format!("there is no group {name:?}"));
            }
            self.join(groups, name);
        }
        for held in &self.attributes {
            let held = DirectoryAttribute::new(&held.name, &held.value);
            let held = held.map_err(|fault| fault.to_string())?;
            self.join(groups, &Group::name_of_value(DIRECTORY, &held));
        }
        Ok(())
    }

    fn join(&self, groups: &mut Vec<Group>, name: &str) {
        let member = Pattern::Address(self.address.clone());
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.members.push(member),
            None => {
                groups.push(Group { name: name.to_owned(), parent: None, members: vec![member] });
            }
        }
    }
}
