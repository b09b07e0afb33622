//! Storing what was decided, and undoing it.

use serde::{Deserialize, Serialize};
use store::state::audit::AuditQuery;
use store::state::{Difference, Edit, Object, ObjectKey};
use types::address::parent_of;
use types::lists::{ManagedSender, Pattern, SenderPattern};
use types::policy::{BasePolicies, BlockOption, PermitOption, PolicyOption, Scope, Validity};
use types::{Caller, EmailAddress, Event, ForwardPath, Permission, Policy, Timestamp};

use super::words::beyond_lists;
use super::{SenderDecided, SenderDecision, SenderVerdict, Whom};
use crate::races::until_settled;
use crate::replay::ReplayChange;
use crate::sight::permit_recipient;
use crate::{Center, CenterError, ChangeResult, permit};

/// What undoing a version did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Undone {
    /// The version that was undone.
    pub version: u64,
    /// What differs now.
    pub change: ChangeResult,
}

/// The recipient of an attempt, if it is one of ours.
pub(crate) fn recipient_of<'a>(event: &'a Event, base: &BasePolicies) -> Option<&'a EmailAddress> {
    let recipient = event.subject.recipient.as_ref()?.address()?;
    let is_ours = |own: &str| own == recipient.domain_key();
    base.domains.iter().any(|(own, _)| is_ours(own.as_str())).then_some(recipient)
}

impl Center {
    /// Stores a decision about the sender of an attempt. An entry for the
    /// same pair is replaced: a permit ends a block.
    ///
    /// # Errors
    ///
    /// As [`Center::preview_sender`]; for everyone it needs the permission to
    /// edit policies.
    pub fn decide_sender(
        &self,
        caller: &Caller,
        named: &str,
        decision: &SenderDecision,
    ) -> Result<SenderDecided, CenterError> {
        permit(caller, Permission::EditSenders)?;
        let seen = self.seen_by(caller);
        let event = seen.named(named)?;
        let caller = &caller.clone().on_row(event.reference());
        let preview = seen.previewed(caller, &event, decision)?;
        let note = format!("from attempt {}", event.reference());
        let change = match self.sender_change(caller, &event, decision)? {
            ReplayChange::Sender(entry) => self.put_sender(caller, *entry, &note)?,
            ReplayChange::Policy(policy) => self.put_policy(caller, *policy, None, &note)?,
            _ => return Err(CenterError::invalid("nothing was decided")),
        };
        Ok(SenderDecided { text: described(&event, decision), preview, change })
    }

    /// The decision as a change of the policy set.
    pub(crate) fn sender_change(
        &self,
        caller: &Caller,
        event: &Event,
        decision: &SenderDecision,
    ) -> Result<ReplayChange, CenterError> {
        if event.follow_up().is_some() {
            return Err(CenterError::invalid("this is a step, and no attempt of a sender"));
        }
        if let Some(why) = beyond_lists(event) {
            return Err(CenterError::invalid(why));
        }
        let now = self.parts.clock.now();
        if let Some(until) = decision.until.filter(|until| *until <= now) {
            let message = format!("it would end at {until}, which is past (it is {now} now)");
            return Err(CenterError::invalid(message));
        }
        match decision.whom {
            Whom::Everyone => {
                permit(caller, Permission::EditPolicies)?;
                let policy = policy(event, decision).map_err(CenterError::invalid)?;
                Ok(ReplayChange::Policy(Box::new(policy)))
            }
            Whom::Recipient => {
                let base = self.parts.activator.base();
                let recipient = recipient_of(event, &base).ok_or_else(|| {
                    CenterError::invalid(
                        "this attempt names no recipient of yours, so there is no list to put an \
                         entry into; decide for everyone, or make a policy",
                    )
                })?;
                Ok(ReplayChange::Sender(Box::new(ManagedSender {
                    id: None,
                    sender: decision.sender.clone(),
                    recipient: recipient.clone(),
                    action: decision.verdict.action(),
                    authenticated_only: decision.authenticated_only,
                    note: decision.note.trim().to_owned(),
                    created_by: caller.name.to_string(),
                    created: now,
                    created_from: Some(event.id),
                    valid_until: decision.until,
                })))
            }
        }
    }

    /// Undoes one version: every object it changed becomes what it was, if it
    /// is still what that version made of it.
    ///
    /// # Errors
    ///
    /// [`CenterError::Conflict`] if one of them was changed since;
    /// [`CenterError::NotFound`] for a version there is not.
    pub fn undo(&self, caller: &Caller, version: u64) -> Result<Undone, CenterError> {
        until_settled(|| self.undo_once(caller, version))
    }

    fn undo_once(&self, caller: &Caller, version: u64) -> Result<Undone, CenterError> {
        let missing = || CenterError::NotFound(format!("version {version}"));
        let before = version.checked_sub(1).ok_or_else(missing)?;
        let now = self.parts.policies.version()?;
        if version > now {
            return Err(missing());
        }
        let made = self.parts.policies.differences(before, version)?;
        if made.is_empty() {
            return Err(missing());
        }
        for difference in &made {
            let needs = match difference.key {
                ObjectKey::Sender(_) => Permission::EditSenders,
                ObjectKey::Group(_) => Permission::EditLists,
                ObjectKey::Policy(_) | ObjectKey::Definition(_) => Permission::EditPolicies,
            };
            permit(caller, needs)?;
            let entries = [&difference.before, &difference.after].into_iter().flatten();
            for object in entries {
                let Object::Sender(entry) = object else { continue };
                // Somebody else's domain is not to be learnt from the refusal.
                permit_recipient(caller, &ForwardPath::Address(entry.recipient.clone()))
                    .map_err(|_| missing())?;
            }
        }
        let since = self.parts.policies.differences(version, now)?;
        let touched = made.iter().any(|made| since.iter().any(|since| since.key == made.key));
        if touched {
            return Err(CenterError::Conflict { expected: version, found: now });
        }
        let mut edits: Vec<Edit> = made.into_iter().filter_map(inverse).collect();
        // What is put back takes the place of another entry of its pair, which
        // must be gone by then.
        edits.sort_by_key(|edit| !matches!(edit, Edit::Remove(_)));
        // What was done from a row is undone on it too.
        let query = AuditQuery { version: Some(version), ..AuditQuery::default() };
        let noted = self.parts.audit.entries(&query, None, 1)?.pop();
        let row = noted.and_then(|entry| entry.note.actor.row);
        let caller = Caller { row: caller.row.or(row), ..caller.clone() };
        let who = self.author(&caller, Some(now), &format!("version {version} undone"));
        let change = self.activated(self.parts.policies.change(&who, edits)?)?;
        Ok(Undone { version, change })
    }
}

/// What makes one object what it was; what is gone comes back under the number
/// it had.
fn inverse(made: Difference) -> Option<Edit> {
    Some(match (made.before, made.after) {
        (None, _) => Edit::Remove(made.key),
        (Some(before), Some(_)) => Edit::Put(before),
        (Some(before), None) => Edit::PutBack(before),
    })
}

/// The policy that a decision for everyone is, or why none says so: policies
/// look at addresses, and what a failure of authentication means is theirs to
/// say for all permits at once.
fn policy(event: &Event, decision: &SenderDecision) -> Result<Policy, &'static str> {
    let SenderPattern::Named(sender) = &decision.sender else {
        return Err(
            "a policy names its senders by address or domain; the domain of a signature can stand \
             in the list of one recipient",
        );
    };
    if decision.authenticated_only {
        return Err(
            "a permit for everyone is not limited to authenticated mail; the DNS Authentication \
             policies say which results take permits out",
        );
    }
    let option = match decision.verdict {
        SenderVerdict::Permit => PolicyOption::PermittedSenders(PermitOption::Permit),
        SenderVerdict::Block => PolicyOption::BlockedSenders(BlockOption::Block),
    };
    let from = match sender {
        Pattern::Address(address) => Scope::Address(address.clone()),
        Pattern::Domain(domain) => Scope::Domain(domain.clone()),
    };
    let envelope = event.subject.reverse_path.as_deref().and_then(|path| path.address());
    let named = envelope.is_some_and(|address| covers(sender, address));
    let based_on = match named {
        true => types::policy::AddressBasis::Envelope,
        false => types::policy::AddressBasis::Header,
    };
    let remark = match decision.note.trim() {
        "" => String::new(),
        note => format!(": {note}"),
    };
    let verb = match decision.verdict {
        SenderVerdict::Permit => "Permit",
        SenderVerdict::Block => "Block",
    };
    Ok(Policy {
        id: None,
        narrative: format!(
            "{verb} {sender} for everyone, from attempt {}{remark}",
            event.reference()
        ),
        option,
        based_on,
        from,
        to: Scope::Everyone,
        source_ips: Vec::new(),
        source_hosts: Vec::new(),
        validity: Validity { from: None, until: decision.until },
        mode: Default::default(),
        overrides: false,
        bidirectional: false,
    })
}

/// Whether a pattern covers an address.
pub(super) fn covers(pattern: &Pattern, address: &EmailAddress) -> bool {
    let domain = address.domain_key();
    match pattern {
        Pattern::Address(other) => other.key() == address.key(),
        Pattern::Domain(pattern) if pattern.below => {
            std::iter::successors(parent_of(domain), |above| parent_of(above))
                .any(|above| above == pattern.domain.as_str())
        }
        Pattern::Domain(pattern) => pattern.domain.as_str() == domain,
    }
}

/// `Permitted news@sender.example for ann@corp.example until …`
fn described(event: &Event, decision: &SenderDecision) -> String {
    let verb = match decision.verdict {
        SenderVerdict::Permit => "Permitted",
        SenderVerdict::Block => "Blocked",
    };
    let whom = match (decision.whom, event.subject.recipient.as_ref()) {
        (Whom::Recipient, Some(recipient)) => recipient.as_str(),
        _ => "everyone",
    };
    let until = decision.until.map_or(String::new(), |until: Timestamp| format!(" until {until}"));
    let only = if decision.authenticated_only { " if it is authenticated" } else { "" };
    let text = format!("{verb} {} for {whom}{only}{until}.", decision.sender);
    crate::presentable(&text).into_owned()
}
