//! *I am expecting a mail*: for a quarter of an hour, senders whom SPF proves
//! are not greylisted if they write to one address.
//!
//! It is a policy of a type of its own, so it is decided, recorded, replayed,
//! noted and brought back like any other, and it ends by its own validity.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::state::{Edit, Object, ObjectKey, StoredPolicy};
use types::policy::{AddressBasis, ExpectedMailOption, PolicyMode, PolicyOption, Scope, Validity};
use types::time::spoken;
use types::{
    Caller, EmailAddress, ForwardPath, Permission, Policy, PolicyId, PolicyType, Reference,
    Timestamp,
};

use crate::sight::permit_recipient;
use crate::{Center, CenterError, permit, presentable_within};

/// How long a mail is expected.
pub const EXPECTED_FOR: Duration = Duration::from_secs(15 * 60);
/// Longest remark, in characters.
const NOTE_CHARS_MAX: usize = 200;
/// Who removes what has long been over.
const HOUSEKEEPER: &str = "portcullis";

/// Who expects a mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExpectation {
    /// The address the mail will come to; one of a domain of ours.
    pub recipient: EmailAddress,
    /// What is expected, in the person's words.
    #[serde(default)]
    pub note: String,
    /// The attempt from whose row it was asked for.
    #[serde(default)]
    pub row: Option<Reference>,
}

/// One address that expects, or expected, a mail. Texts are presentable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Expectation {
    /// The number of its policy.
    pub id: PolicyId,
    /// The address.
    pub recipient: String,
    /// What is expected.
    pub narrative: String,
    /// Who asked for it.
    pub by: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// When this was said.
    pub as_of: Timestamp,
    /// Seconds that are left of it; none if it is over.
    pub left_s: Option<u64>,
    /// The same in words: `14 min left`, `over`.
    pub left: String,
    /// How many attempts were not greylisted because of it, counted within a
    /// minute.
    pub hits: u64,
}

impl Center {
    /// Who expects a mail, the newest first; those that are over stay for as
    /// long as attempts are kept.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn expectations(&self, caller: &Caller) -> Result<Vec<Expectation>, CenterError> {
        permit(caller, Permission::SeeSenders)?;
        let now = self.parts.clock.now();
        let stored = self.expecting()?;
        let seen = stored.iter().filter(|stored| sees(caller, stored));
        let mut rows: Vec<_> = seen.filter_map(|stored| row(stored, now)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.until, row.id)));
        Ok(rows)
    }

    /// From now on and for [`EXPECTED_FOR`], proven senders to an address are
    /// not greylisted. Asked again, it begins anew.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for an address of no domain of ours.
    pub fn expect(
        &self,
        caller: &Caller,
        wanted: &NewExpectation,
    ) -> Result<Expectation, CenterError> {
        permit(caller, Permission::EditSenders)?;
        let recipient = &wanted.recipient;
        let base = self.parts.activator.base();
        let is_ours = |own: &str| own == recipient.domain_key();
        if !base.domains.iter().any(|(own, _)| is_ours(own.as_str())) {
            let message = format!("{recipient} is in no domain of yours, so no mail comes to it");
            return Err(CenterError::invalid(message));
        }
        permit_recipient(caller, &ForwardPath::Address(recipient.clone()))?;
        if let Some(row) = wanted.row
            && self.seen_by(caller).events.by_reference(row)?.is_empty()
        {
            // It goes into the audit log, where it says why somebody acted.
            return Err(CenterError::NotFound(format!("attempt {row}")));
        }
        let note = wanted.note.trim();
        if note.chars().count() > NOTE_CHARS_MAX {
            let message = format!("a remark has at most {NOTE_CHARS_MAX} characters");
            return Err(CenterError::invalid(message));
        }
        self.forget_expectations()?;
        let now = self.parts.clock.now();
        let running = self.running(recipient, now)?;
        let policy = policy(recipient, note, now, running);
        let caller = Caller { row: caller.row.or(wanted.row), ..caller.clone() };
        let edits = vec![Edit::Put(Object::Policy(policy))];
        self.change_expecting(&caller, edits, "expecting a mail")?;
        let stored = self.expecting()?;
        let begun = stored.iter().filter(|stored| is_of(stored, recipient));
        let newest = begun.max_by_key(|stored| stored.policy.validity.until);
        let row = newest.and_then(|stored| row(stored, now));
        row.ok_or_else(|| CenterError::NotFound(format!("expectation of {recipient}")))
    }

    /// Ends it before its time.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none of this number.
    pub fn end_expecting(&self, caller: &Caller, id: PolicyId) -> Result<(), CenterError> {
        permit(caller, Permission::EditSenders)?;
        let missing = || CenterError::NotFound(format!("expectation {id}"));
        // Only what this is about: other policies are not the help desk's.
        let is_it = |stored: &StoredPolicy| stored.policy.id == Some(id) && sees(caller, stored);
        let found = self.expecting()?.into_iter().find(is_it);
        let found = found.ok_or_else(missing)?;
        row(&found, self.parts.clock.now()).ok_or_else(missing)?;
        let edits = vec![Edit::Remove(ObjectKey::Policy(id))];
        self.change_expecting(caller, edits, "ended by hand")
    }

    /// Removes what was over before the oldest attempt that is kept.
    fn forget_expectations(&self) -> Result<(), CenterError> {
        let before = self.parts.clock.now().before(self.parts.metadata_kept);
        let is_old = |stored: &&StoredPolicy| {
            stored.policy.validity.until.is_some_and(|until| until < before)
        };
        let stored = self.expecting()?;
        let old = stored.iter().filter(is_old).filter_map(|stored| stored.policy.id);
        let edits: Vec<Edit> = old.map(|id| Edit::Remove(ObjectKey::Policy(id))).collect();
        match edits.is_empty() {
            true => Ok(()),
            false => {
                let machine = Caller::with_all(HOUSEKEEPER);
                self.change_expecting(&machine, edits, "long over")
            }
        }
    }

    /// Stores a change whatever else was changed meanwhile: it depends on
    /// nothing of the set but its own policy.
    fn change_expecting(
        &self,
        caller: &Caller,
        edits: Vec<Edit>,
        note: &str,
    ) -> Result<(), CenterError> {
        self.check_edits(&edits)?;
        let who = self.author(caller, None, note);
        self.activated(self.parts.policies.change(&who, edits)?).map(drop)
    }

    /// The number of the one that runs for an address.
    fn running(
        &self,
        recipient: &EmailAddress,
        now: Timestamp,
    ) -> Result<Option<PolicyId>, CenterError> {
        let mut stored = self.expecting()?;
        stored.retain(|stored| is_of(stored, recipient) && stored.policy.validity.covers(now));
        Ok(stored.first().and_then(|stored| stored.policy.id))
    }

    /// The policies that were made here: for one address, from everyone, and
    /// for exactly [`EXPECTED_FOR`]. Those that an administrator wrote are
    /// not changed or ended by this way.
    fn expecting(&self) -> Result<Vec<StoredPolicy>, CenterError> {
        let mut policies = self.parts.policies.read(&mut |_| {})?.policies;
        policies.retain(|stored| {
            let policy = &stored.policy;
            policy.kind() == PolicyType::ExpectedMail
                && policy.from == Scope::Everyone
                && matches!(policy.to, Scope::Address(_))
                && !stored.provenance.origin.is_file()
                && is_short(&policy.validity)
        });
        Ok(policies)
    }
}

fn is_short(validity: &Validity) -> bool {
    let (Some(from), Some(until)) = (validity.from, validity.until) else { return false };
    until.since(from) == EXPECTED_FOR
}

/// Whether it is about a recipient whom the caller sees.
fn sees(caller: &Caller, stored: &StoredPolicy) -> bool {
    match &stored.policy.to {
        Scope::Address(address) => caller.sight.sees_address(address),
        _ => false,
    }
}

fn is_of(stored: &StoredPolicy, recipient: &EmailAddress) -> bool {
    matches!(&stored.policy.to, Scope::Address(address) if address.key() == recipient.key())
}

fn policy(
    recipient: &EmailAddress,
    note: &str,
    now: Timestamp,
    running: Option<PolicyId>,
) -> Policy {
    let remark = if note.is_empty() { String::new() } else { format!(": {note}") };
    Policy {
        id: running,
        narrative: format!("{recipient} expects a mail{remark}"),
        option: PolicyOption::ExpectedMail(ExpectedMailOption::PassWhenAuthenticated),
        based_on: AddressBasis::Envelope,
        from: Scope::Everyone,
        to: Scope::Address(recipient.clone()),
        source_ips: Vec::new(),
        source_hosts: Vec::new(),
        validity: Validity { from: Some(now), until: Some(now + EXPECTED_FOR) },
        mode: PolicyMode::On,
        overrides: false,
        bidirectional: false,
    }
}

fn row(stored: &StoredPolicy, now: Timestamp) -> Option<Expectation> {
    let policy = &stored.policy;
    let Scope::Address(recipient) = &policy.to else { return None };
    let until = policy.validity.until?;
    let left = policy.validity.covers(now).then(|| until.since(now));
    Some(Expectation {
        id: policy.id?,
        recipient: presentable_within(recipient.as_str(), 300),
        narrative: presentable_within(&policy.narrative, 600),
        by: presentable_within(&stored.provenance.changed_by, 200),
        from: policy.validity.from.unwrap_or(stored.provenance.changed),
        until,
        as_of: now,
        left_s: left.map(|left| left.as_secs()),
        left: left.map_or("over".to_owned(), |left| format!("{} left", spoken(left))),
        hits: stored.hits.count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Reason;

    use crate::audit::AuditSearch;
    use crate::tests::{Gateway, at, sample};

    fn helpdesk() -> Caller {
        let may = vec![Permission::SeeSenders, Permission::EditSenders];
        Caller::new("helpdesk", may.into())
    }

    fn wanted(recipient: &str) -> NewExpectation {
        let (recipient, note) = (recipient.parse().unwrap(), "the offer".into());
        NewExpectation { recipient, note, row: None }
    }

    /// An attempt, from whose row a mail is expected.
    fn recorded(gateway: &Gateway) -> Reference {
        let event = sample(1, Reason::GreylistFirstSeen);
        let reference = event.reference();
        gateway.center.memory.of_house().record(vec![event]).unwrap();
        reference
    }

    #[test]
    fn it_is_begun_shown_with_what_is_left_begun_anew_and_ended() {
        let gateway = Gateway::new(at(0));
        let center = &gateway.center;
        let row = Some(recorded(&gateway));
        let from_row = NewExpectation { row, ..wanted("bob@corp.example") };
        let begun = center.expect(&helpdesk(), &from_row).unwrap();
        assert_eq!((begun.left_s, begun.left.as_str()), (Some(900), "15 min left"));
        assert_eq!(begun.narrative, "bob@corp.example expects a mail: the offer");
        gateway.advance(Duration::from_secs(600));
        let left = |center: &Center| {
            let rows = center.expectations(&helpdesk()).unwrap();
            rows.into_iter().map(|row| (row.id, row.left_s)).collect::<Vec<_>>()
        };
        assert_eq!(left(center), [(begun.id, Some(300))]);
        // Asked again, it is the same one for another quarter of an hour.
        let from_row = NewExpectation { row, ..wanted("BOB@corp.example") };
        center.expect(&helpdesk(), &from_row).unwrap();
        assert_eq!(left(center), [(begun.id, Some(900))]);
        center.end_expecting(&helpdesk(), begun.id).unwrap();
        assert_eq!(left(center), []);
        let page = center.audit(&Caller::with_all("root"), &AuditSearch::default(), None, 0);
        let rows = page.unwrap().rows;
        let told: Vec<_> = rows.iter().map(|row| (row.who.as_str(), row.action.as_str())).collect();
        let begins = ("helpdesk", "expecting.begun");
        assert_eq!(told, [("helpdesk", "expecting.ended"), begins, begins]);
        assert_eq!(rows[1].row, row);
    }

    #[test]
    fn what_is_over_is_shown_for_a_while_and_then_forgotten() {
        let gateway = Gateway::new(at(0));
        let center = &gateway.center;
        center.expect(&helpdesk(), &wanted("bob@corp.example")).unwrap();
        gateway.advance(EXPECTED_FOR);
        assert_eq!(center.expectations(&helpdesk()).unwrap()[0].left, "over");
        gateway.advance(Duration::from_secs(8 * 86_400));
        center.expect(&helpdesk(), &wanted("ann@corp.example")).unwrap();
        let rows = center.expectations(&helpdesk()).unwrap();
        assert_eq!(rows.len(), 1, "{rows:?}");
    }

    #[test]
    fn what_makes_no_sense_or_is_not_allowed_is_refused() {
        let gateway = Gateway::new(at(0));
        let center = &gateway.center;
        let elsewhere = center.expect(&helpdesk(), &wanted("bob@elsewhere.example"));
        assert!(matches!(elsewhere, Err(CenterError::Invalid { .. })), "{elsewhere:?}");
        let long = NewExpectation { note: "x".repeat(201), ..wanted("bob@corp.example") };
        assert!(matches!(center.expect(&helpdesk(), &long), Err(CenterError::Invalid { .. })));
        let unseen = NewExpectation {
            row: Some("7K2M4QX9B0TA".parse().unwrap()),
            ..wanted("bob@corp.example")
        };
        let unseen = center.expect(&helpdesk(), &unseen);
        assert!(matches!(unseen, Err(CenterError::NotFound(_))), "{unseen:?}");
        let reader = Caller::read_only("reader");
        let denied = center.expect(&reader, &wanted("bob@corp.example"));
        assert!(matches!(denied, Err(CenterError::Denied { .. })), "{denied:?}");
        // No other policy is ended this way.
        let policy = crate::tests::block("No y", "y.example");
        center.put_policy(&Caller::with_all("root"), policy, None, "").unwrap();
        let other = center.end_expecting(&helpdesk(), PolicyId(1));
        assert!(matches!(other, Err(CenterError::NotFound(_))), "{other:?}");
    }
}
