//! Whole documents against the stored set: the policy file and the import.

use std::collections::{HashMap, HashSet};

use types::lists::ManagedSender;
use types::{Policy, PolicyId};

use super::database::refused;
use super::draft::Draft;
use super::objects::{Object, ObjectKey, Origin, PolicyDocument};
use super::rows;
use crate::contract::StoreError;

/// What is stored, divided by where it comes from.
#[derive(Default)]
struct Stored {
    /// Policies of the origin in question.
    policies: Vec<Policy>,
    groups: HashSet<String>,
    definitions: HashSet<String>,
    senders: HashMap<(String, String), ManagedSender>,
}

/// What an import leaves alone.
const MANAGED: [Origin; 3] = [Origin::File, Origin::Directory, Origin::Gone];

/// Makes the objects of `origin` those of `document`.
///
/// Objects keep their numbers where they can be recognised: a policy by its
/// number or its content, a group by its name, a sender by its pair. What
/// is not in the document goes. With [`Origin::People`], what is managed
/// elsewhere is left as it is, even if the document names it. With
/// [`Origin::File`], what people made and the document repeats becomes the
/// file's: an export that is used as policy file must not double what is there.
pub(super) fn replace(
    draft: &mut Draft<'_>,
    document: PolicyDocument,
    origin: Origin,
) -> Result<(), StoreError> {
    let stored = stored(draft, &[origin])?;
    let others = match origin {
        Origin::People => Some(self::stored(draft, &MANAGED)?),
        Origin::File | Origin::Directory | Origin::Gone => None,
    };
    let to_adopt = match origin {
        Origin::File => self::stored(draft, &[Origin::People])?,
        Origin::People | Origin::Directory | Origin::Gone => Stored::default(),
    };
    let others_policies: HashSet<PolicyId> =
        others.iter().flat_map(|others| &others.policies).filter_map(|policy| policy.id).collect();
    let is_others_policy =
        |policy: &Policy| policy.id.is_some_and(|id| others_policies.contains(&id));
    let is_others_group =
        |name: &str| others.as_ref().is_some_and(|others| others.groups.contains(name));
    let is_others_sender = |sender: &ManagedSender| {
        others.as_ref().is_some_and(|others| others.senders.contains_key(&rows::pair(sender)))
    };

    let policies = document.policies.into_iter().filter(|policy| !is_others_policy(policy));
    let (kept, mut policies) = recognise(policies.collect(), &stored.policies)?;
    adopt(&mut policies, &to_adopt.policies)?;
    let groups: Vec<_> =
        document.groups.into_iter().filter(|group| !is_others_group(&group.name)).collect();
    let is_others_definition =
        |name: &str| others.as_ref().is_some_and(|others| others.definitions.contains(name));
    let definitions: Vec<_> = document
        .definitions
        .into_iter()
        .filter(|definition| !is_others_definition(&definition.name))
        .collect();
    let mut senders = HashMap::new();
    for sender in document.senders.into_iter().filter(|sender| !is_others_sender(sender)) {
        // The last of two entries of a pair counts, as when made by hand.
        senders.insert(rows::pair(&sender), sender);
    }

    // What goes goes first, so that a pair that changed its entry is free.
    for id in stored.policies.iter().filter_map(|p| p.id).filter(|id| !kept.contains(id)) {
        draft.remove(&ObjectKey::Policy(id))?;
    }
    let names: HashSet<_> = groups.iter().map(|group| group.name.as_str()).collect();
    for name in stored.groups.iter().filter(|name| !names.contains(name.as_str())) {
        draft.remove(&ObjectKey::Group(name.clone()))?;
    }
    let names: HashSet<_> = definitions.iter().map(|d| d.name.as_str()).collect();
    for name in stored.definitions.iter().filter(|name| !names.contains(name.as_str())) {
        draft.remove(&ObjectKey::Definition(name.clone()))?;
    }
    for (pair, sender) in &stored.senders {
        if let Some(id) = sender.id.filter(|_| !senders.contains_key(pair)) {
            draft.remove(&ObjectKey::Sender(id))?;
        }
    }
    for policy in policies {
        draft.put(Object::Policy(policy), origin)?;
    }
    for group in groups {
        draft.put(Object::Group(group), origin)?;
    }
    for definition in definitions {
        draft.put(Object::Definition(definition), origin)?;
    }
    let mut senders: Vec<_> = senders.into_iter().collect();
    senders.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (pair, sender) in senders {
        let old = stored.senders.get(&pair).or_else(|| to_adopt.senders.get(&pair));
        put_sender(draft, old, sender, origin)?;
    }
    Ok(())
}

/// An entry that says the same as the stored one is left as it is, whoever
/// is named as its author.
fn put_sender(
    draft: &mut Draft<'_>,
    stored: Option<&ManagedSender>,
    sender: ManagedSender,
    origin: Origin,
) -> Result<(), StoreError> {
    let (id, old) = match stored {
        // Another action is another entry: an old event that names the
        // number of this one must not seem to have done the opposite.
        Some(old) if old.action == sender.action => (old.id, old),
        _ => {
            let new = ManagedSender { id: None, ..sender };
            return draft.put(Object::Sender(new), origin).map(drop);
        }
    };
    let (created, created_by) = (old.created, old.created_by.clone());
    let created_from = old.created_from.or(sender.created_from);
    let same = ManagedSender { id, created, created_by, created_from, ..sender };
    draft.put(Object::Sender(same), origin).map(drop)
}

/// Gives each policy of a document the number of the stored one that it is,
/// first by number, then by content. Returns the numbers that are in use.
fn recognise(
    document: Vec<Policy>,
    stored: &[Policy],
) -> Result<(HashSet<PolicyId>, Vec<Policy>), StoreError> {
    let known: HashSet<PolicyId> = stored.iter().filter_map(|policy| policy.id).collect();
    let mut kept: HashSet<PolicyId> = HashSet::new();
    let mut policies: Vec<Policy> = document
        .into_iter()
        .map(|policy| {
            let id = policy.id.filter(|id| known.contains(id) && kept.insert(*id));
            Policy { id, ..policy }
        })
        .collect();
    let mut by_content: HashMap<String, Vec<PolicyId>> = HashMap::new();
    for policy in stored.iter().rev() {
        if let Some(id) = policy.id.filter(|id| !kept.contains(id)) {
            by_content.entry(content(policy)?).or_default().push(id);
        }
    }
    for policy in policies.iter_mut().filter(|policy| policy.id.is_none()) {
        policy.id = by_content.get_mut(&content(policy)?).and_then(Vec::pop);
        kept.extend(policy.id);
    }
    Ok((kept, policies))
}

/// Gives policies that are not recognised yet the numbers of those that people
/// made and that say the same.
fn adopt(document: &mut [Policy], of_people: &[Policy]) -> Result<(), StoreError> {
    let mut by_content: HashMap<String, Vec<PolicyId>> = HashMap::new();
    for policy in of_people.iter().rev() {
        if let Some(id) = policy.id {
            by_content.entry(content(policy)?).or_default().push(id);
        }
    }
    for policy in document.iter_mut().filter(|policy| policy.id.is_none()) {
        policy.id = by_content.get_mut(&content(policy)?).and_then(Vec::pop);
    }
    Ok(())
}

/// What a policy says, whatever its number.
fn content(policy: &Policy) -> Result<String, StoreError> {
    rows::json(&Policy { id: None, ..policy.clone() })
}

fn stored(draft: &Draft<'_>, origins: &[Origin]) -> Result<Stored, StoreError> {
    let connection = draft.connection();
    let words: Vec<_> =
        origins.iter().map(|origin| format!("'{}'", rows::origin_word(*origin))).collect();
    let words = words.join(", ");
    let bodies = |table: &str| -> Result<Vec<String>, StoreError> {
        let order = if matches!(table, "groups" | "definitions") { "name" } else { "id" };
        let sql = format!("SELECT body FROM {table} WHERE origin IN ({words}) ORDER BY {order}");
        let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(refused)?;
        rows.collect::<Result<_, _>>().map_err(refused)
    };
    let policies: Result<Vec<Policy>, _> =
        bodies("policies")?.iter().map(|body| rows::parse(body, "stored policy")).collect();
    let mut stored = Stored { policies: policies?, ..Stored::default() };
    for body in bodies("groups")? {
        let group: types::lists::Group = rows::parse(&body, "stored group")?;
        stored.groups.insert(group.name);
    }
    for body in bodies("definitions")? {
        let definition: types::Definition = rows::parse(&body, "stored definition")?;
        stored.definitions.insert(definition.name);
    }
    for body in bodies("senders")? {
        let sender: ManagedSender = rows::parse(&body, "stored managed sender")?;
        stored.senders.insert(rows::pair(&sender), sender);
    }
    Ok(stored)
}
