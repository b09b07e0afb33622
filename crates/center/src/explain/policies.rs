//! What is kept about the policy, entry or setting that decided: as it was
//! when it decided, and what became of it since.

use store::state::{Difference, Object, ObjectKey, Origin, StoredGroup, StoredPolicy};
use types::lists::{Group, ManagedSender, Pattern};
use types::policy::Scope;
use types::{EmailAddress, Event, OutcomeKind, Policy, PolicyId, PolicyRef, PolicyType, Reason};

use super::change::shell_word;
use super::decider::{GroupMember, PolicyView, Since, scope_words};
use super::ledger::expected_by;
use crate::sight::Seen;
use crate::{Center, CenterError, presentable, presentable_within};

/// Longest narrative or note shown, in characters.
const TEXT_CHARS_MAX: usize = 400;
/// How deep groups may stand in groups before the search for a member ends.
const GROUPS_DEEP_MAX: usize = 32;

fn text(value: &str) -> Option<String> {
    Some(presentable_within(value, TEXT_CHARS_MAX)).filter(|text| !text.is_empty())
}

impl Seen<'_> {
    /// What is kept about what decided on an event, as far as the caller may
    /// see it.
    pub(crate) fn policy_view(&self, event: &Event) -> Result<Option<PolicyView>, CenterError> {
        let decision = event.outcome().and_then(types::Outcome::decision);
        let decided = decision.and_then(|decision| decision.policy);
        decided.map(|reference| self.view_of(event, reference)).transpose()
    }

    /// What is kept about the permit that let an attempt in.
    pub(crate) fn permit_view(&self, event: &Event) -> Result<Option<PolicyView>, CenterError> {
        permit_of(event).map(|reference| self.view_of(event, reference)).transpose()
    }

    fn view_of(&self, event: &Event, reference: PolicyRef) -> Result<PolicyView, CenterError> {
        if !self.sees_object(reference) {
            return Ok(PolicyView::veiled(reference));
        }
        let view = PolicyView::named(reference);
        Ok(match reference {
            PolicyRef::Policy { id, version } => self.policy_of(event, view, id, version)?,
            PolicyRef::ManagedSender { id } => self.entry_of(event, view, id)?,
            PolicyRef::Base(_) => view,
        })
    }
}

/// The member of a group that covers a sender.
struct FoundMember {
    group: String,
    member: Pattern,
    /// Whence the group has its members.
    origin: Origin,
}

impl Center {
    fn policy_of(
        &self,
        event: &Event,
        view: PolicyView,
        id: PolicyId,
        version: u64,
    ) -> Result<PolicyView, CenterError> {
        let stored = self.parts.policies.policy(id)?;
        let since = match &stored {
            Some(stored) if stored.provenance.version == version => Since::Unchanged,
            Some(_) => Since::Changed,
            None => Since::Removed,
        };
        let origin = stored.as_ref().map(|stored| stored.provenance.origin);
        let Some(policy) = self.policy_at(id, version, stored)? else {
            return Ok(PolicyView { since, ..view });
        };
        let change = self.parts.policies.history(version.checked_add(1), 1)?.into_iter().next();
        let change = change.filter(|change| change.number == version);
        let found = self.member(event, &policy)?;
        // The member is what is taken out, so its place counts before the policy's.
        let of = found.as_ref().map(|found| found.origin).or(origin).unwrap_or_default();
        let (from_file, from_directory) = (of.is_file(), of.is_directory());
        let member = found.map(|found| (found.group, found.member));
        let member_named = member.as_ref().map(|(group, member)| GroupMember {
            group: group.clone(),
            member: member.to_string(),
        });
        let page = policy_page(id, since);
        let command = match (of.is_managed(), &member) {
            // What is managed elsewhere is changed there.
            (true, _) | (_, None) => view.command,
            (false, Some((group, member))) => Some(format!(
                "portcullis group remove {} {}",
                shell_word(group),
                shell_word(&member.to_string())
            )),
        };
        Ok(PolicyView {
            name: format!("{} policy {id}", policy.kind().title()),
            narrative: text(&policy.narrative),
            scope: text(&format!(
                "from {} to {}",
                scope_words(&policy.from),
                scope_words(&policy.to)
            )),
            matched: match member {
                Some((group, member)) => Some(format!(
                    "{} in the group \u{201c}{}\u{201d}",
                    presentable(&member.to_string()),
                    presentable(&group)
                )),
                None => self.attribute_match(event, &policy)?.or_else(|| scope_match(&policy)),
            },
            changed: change.as_ref().map(|change| change.at),
            changed_by: change.as_ref().and_then(|change| text(&change.author)),
            note: change.as_ref().and_then(|change| text(&change.note)),
            since,
            command,
            page,
            member: member_named,
            from_file,
            from_directory,
            ..view
        })
    }

    /// The policy as it was when it decided.
    fn policy_at(
        &self,
        id: PolicyId,
        version: u64,
        stored: Option<StoredPolicy>,
    ) -> Result<Option<Policy>, CenterError> {
        if let Some(stored) = stored.filter(|stored| stored.provenance.version == version) {
            return Ok(Some(stored.policy));
        }
        let made = self.parts.policies.differences(version.saturating_sub(1), version)?;
        Ok(made.into_iter().find_map(|difference| match (difference.key, difference.after) {
            (ObjectKey::Policy(other), Some(Object::Policy(policy))) if other == id => Some(policy),
            _ => None,
        }))
    }

    /// The group and its member that cover the sender of an event, where the
    /// policy names its senders by a group.
    fn member(&self, event: &Event, policy: &Policy) -> Result<Option<FoundMember>, CenterError> {
        let Scope::Group(named) = &policy.from else { return Ok(None) };
        let senders = senders_of(event);
        let groups = self.parts.policies.read(&mut |_| {})?.groups;
        let mut names = vec![named.clone()];
        let mut place = 0;
        // Members of a group count as members of the groups above it.
        while let Some(name) = names.get(place).cloned().filter(|_| place < GROUPS_DEEP_MAX) {
            for stored in &groups {
                let group = &stored.group;
                let is_below = group.parent.as_deref() == Some(name.as_str());
                if is_below && !names.contains(&group.name) {
                    names.push(group.name.clone());
                }
                let covers =
                    |member: &&Pattern| senders.iter().any(|sender| covers(member, sender));
                let member = group.members.iter().find(covers).filter(|_| group.name == name);
                if let Some(member) = member {
                    let (member, origin) = (member.clone(), stored.provenance.origin);
                    return Ok(Some(FoundMember { group: name, member, origin }));
                }
            }
            place += 1;
        }
        Ok(None)
    }

    /// Whose attribute covers an event, where the policy names its senders or
    /// its recipients by one: `attribute department = Sales of ann@corp.example`.
    fn attribute_match(
        &self,
        event: &Event,
        policy: &Policy,
    ) -> Result<Option<String>, CenterError> {
        let recipient = event.subject.recipient.as_ref().and_then(|path| path.address().cloned());
        let (senders, recipients) = (senders_of(event), Vec::from_iter(recipient));
        let mut words = Vec::new();
        for (scope, first, other) in
            [(&policy.from, &senders, &recipients), (&policy.to, &recipients, &senders)]
        {
            let Scope::Attribute(held) = scope else { continue };
            let exchanged = if policy.bidirectional { &other[..] } else { &[] };
            let groups = self.parts.policies.read(&mut |_| {})?.groups;
            let holds = |address: &&EmailAddress| {
                let with = |group: &&StoredGroup| {
                    Group::value_of(&group.group.name).is_some_and(|one| one.key() == held.key())
                };
                let mut members = groups.iter().filter(with).flat_map(|one| &one.group.members);
                members.any(|member| covers(member, address))
            };
            if let Some(holder) = first.iter().chain(exchanged).find(holds) {
                words.extend(text(&format!("attribute {held} of {holder}")));
            }
        }
        Ok((!words.is_empty()).then(|| words.join(", ")))
    }

    fn entry_of(
        &self,
        event: &Event,
        view: PolicyView,
        id: PolicyId,
    ) -> Result<PolicyView, CenterError> {
        let stored = self.parts.policies.sender(id)?;
        let (since, version) = match &stored {
            Some(stored) if stored.provenance.version <= event.record.policy_version => {
                (Since::Unchanged, Some(stored.provenance.version))
            }
            Some(stored) => (Since::Changed, Some(stored.provenance.version)),
            None => (Since::Removed, None),
        };
        let changed_by = stored.as_ref().and_then(|stored| text(&stored.provenance.changed_by));
        let changed = stored.as_ref().map(|stored| stored.provenance.changed);
        let from_file =
            stored.as_ref().is_some_and(|stored| stored.provenance.origin == Origin::File);
        let entry = match stored {
            Some(stored) => Some(stored.sender),
            None => self.removed_entry(event, id)?,
        };
        let Some(entry) = entry else { return Ok(PolicyView { since, ..view }) };
        let ManagedSender {
            sender,
            recipient,
            action,
            authenticated_only,
            note,
            created,
            created_by,
            created_from,
            ..
        } = entry;
        let only = if authenticated_only { ", if authenticated" } else { "" };
        Ok(PolicyView {
            name: format!("managed sender {id} ({})", action.slug()),
            scope: text(&format!("from {sender} to {recipient}{only}")),
            matched: text(&format!("the entry {sender} of {recipient}")),
            note: text(&note),
            version,
            changed: changed.or(Some(created)),
            changed_by: changed_by.or_else(|| text(&created_by)),
            since,
            made_from: created_from.map(|event| event.reference()),
            page: (since != Since::Removed).then(|| format!("/senders/{}", id.0)),
            command: match since {
                Since::Removed => None,
                _ if from_file => None,
                _ => Some(format!("portcullis senders remove {}", id.0)),
            },
            from_file,
            ..view
        })
    }

    /// An entry that is gone, from the history since the event.
    fn removed_entry(
        &self,
        event: &Event,
        id: PolicyId,
    ) -> Result<Option<ManagedSender>, CenterError> {
        let now = self.parts.policies.version()?;
        let then = event.record.policy_version;
        if then >= now {
            return Ok(None);
        }
        let is_it = |difference: &Difference| difference.key == ObjectKey::Sender(id);
        let gone = self.parts.policies.differences(then, now)?.into_iter().find(is_it);
        Ok(gone.and_then(|difference| match difference.before {
            Some(Object::Sender(entry)) => Some(entry),
            _ => None,
        }))
    }
}

/// What let an attempt in: that it was expected; or a permit, an
/// administrators' policy before an entry, as they are weighed.
pub(super) fn permit_of(event: &Event) -> Option<PolicyRef> {
    let reason = event.outcome()?.reason();
    if event.outcome_kind() == Some(OutcomeKind::Accepted)
        && let Some(by) = expected_by(event)
    {
        return Some(by);
    }
    if !matches!(reason, Reason::AcceptedPermitted | Reason::AcceptedAutoAllowed) {
        return None;
    }
    let winner = |kind: PolicyType| {
        let consulted = event.record.consulted.iter().find(|one| one.kind == kind)?;
        consulted.winner.filter(|by| !matches!(by, PolicyRef::Base(_)))
    };
    let kinds = match reason {
        Reason::AcceptedAutoAllowed => [PolicyType::ManagedSenders, PolicyType::AutoAllow],
        _ => [PolicyType::PermittedSenders, PolicyType::ManagedSenders],
    };
    kinds.into_iter().find_map(winner)
}

/// The page of a policy that is still there.
fn policy_page(id: PolicyId, since: Since) -> Option<String> {
    (since != Since::Removed).then(|| format!("/policies/{}", id.0))
}

/// What a policy without a group names its senders by, if it names any.
fn scope_match(policy: &Policy) -> Option<String> {
    match &policy.from {
        Scope::Address(address) => text(&format!("the sender {address}")),
        Scope::Domain(domain) => text(&format!("the domain {domain}")),
        Scope::Everyone
        | Scope::Internal
        | Scope::External
        | Scope::Group(_)
        | Scope::Attribute(_) => None,
    }
}

/// The addresses a policy may have looked at: envelope sender and authors.
fn senders_of(event: &Event) -> Vec<EmailAddress> {
    let subject = &event.subject;
    let envelope = subject.reverse_path.as_ref().and_then(|path| path.address().cloned());
    let authors = subject.message.iter().flat_map(|facts| &facts.header_from);
    envelope.into_iter().chain(authors.filter_map(|mailbox| mailbox.address.parse().ok())).collect()
}

fn covers(member: &Pattern, sender: &EmailAddress) -> bool {
    match member {
        Pattern::Address(address) => address.key() == sender.key(),
        Pattern::Domain(pattern) => match sender.domain_key().strip_suffix(pattern.domain.as_str())
        {
            Some("") => !pattern.below,
            Some(rest) => pattern.below && rest.ends_with('.'),
            None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_covers_its_address_or_its_domain() {
        let sender: EmailAddress = "ann@mail.x9.example".parse().unwrap();
        for (member, expected) in [
            ("ann@mail.x9.example", true),
            ("ANN@mail.x9.example", true),
            ("mail.x9.example", true),
            ("*.x9.example", true),
            ("x9.example", false),
            ("*.mail.x9.example", false),
            ("9.example", false),
        ] {
            assert_eq!(covers(&member.parse().unwrap(), &sender), expected, "{member}");
        }
    }
}
