//! What the audit log says: one table of everything that people and programs
//! do to the gateway, and who did it from where.
//!
//! This is the vocabulary only. The store chains the entries, the message
//! center makes them; nothing here knows either.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use crate::permission::{Caller, UnknownName, Via};
use crate::{Reference, Timestamp};

macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $name:ident = $slug:literal;)*) => {
        /// What was done. The name in front of the dot is its kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AuditAction { $($(#[doc = $doc])+ $name,)* }

        impl AuditAction {
            /// Every action, in table order.
            pub const ALL: &'static [AuditAction] = &[$(AuditAction::$name),*];

            /// The name in storage, search, API and command line.
            pub const fn slug(self) -> &'static str {
                match self { $(AuditAction::$name => $slug,)* }
            }

            /// What people read: one sentence.
            pub fn doc(self) -> &'static str {
                match self { $(AuditAction::$name => concat!($($doc),+).trim(),)* }
            }
        }
    };
}

actions! {
    /// Signed in.
    SignedIn = "sign_in.done";
    /// Signed in with the account for emergencies.
    EmergencySignIn = "sign_in.emergency";
    /// A sign-in failed: a wrong password, code or name, or no role at the sign-in service.
    SignInFailed = "sign_in.failed";
    /// Sign-ins failed too often to note each.
    SignInsFailed = "sign_in.failed_many";
    /// Signed out, or ended sessions.
    SignedOut = "sign_in.out";
    /// Made a link for a first sign-in or a new password.
    LinkMade = "account.link";
    /// Used a set-up link.
    SetUp = "account.set_up";
    /// Added an account.
    AccountAdded = "account.added";
    /// Made the account for emergencies, or gave it a new password.
    EmergencyMade = "account.emergency";
    /// Removed an account with its sessions and tokens.
    AccountRemoved = "account.removed";
    /// Gave an account another role.
    RoleGiven = "account.role";
    /// Changed whose mail an account sees, or closed or opened it.
    AccountChanged = "account.changed";
    /// Linked an account to who somebody is at the sign-in service.
    IdentityLinked = "account.linked";
    /// Unlinked an account from who somebody is at the sign-in service.
    IdentityUnlinked = "account.unlinked";
    /// Ended sessions and tokens of somebody who has no role at the sign-in service any more.
    RoleWithdrawn = "account.withdrawn";
    /// Made or changed a role.
    RoleChanged = "role.changed";
    /// Removed a role.
    RoleRemoved = "role.removed";
    /// Set a password.
    PasswordSet = "account.password";
    /// Turned codes at sign-in on.
    CodesOn = "account.codes_on";
    /// Turned codes at sign-in off.
    CodesOff = "account.codes_off";
    /// Made new recovery codes.
    RecoveryCodesMade = "account.recovery_codes";
    /// Used up a recovery code.
    RecoveryCodeUsed = "account.recovery_code_used";
    /// Chose how things are shown.
    PreferencesSet = "account.preferences";
    /// Made a token for a program.
    TokenMade = "token.made";
    /// Revoked a token.
    TokenRevoked = "token.revoked";
    /// Made a submitter: a name and password to send mail with.
    SubmitterAdded = "submitter.added";
    /// Changed what a submitter may send as, or from where, or closed or opened it.
    SubmitterChanged = "submitter.changed";
    /// Gave a submitter a new password.
    SubmitterPassword = "submitter.password";
    /// Removed a submitter.
    SubmitterRemoved = "submitter.removed";
    /// Changed policies.
    PoliciesChanged = "policy.changed";
    /// Changed groups.
    GroupsChanged = "group.changed";
    /// Changed definitions.
    DefinitionsChanged = "definition.changed";
    /// Changed managed senders.
    SendersChanged = "sender.changed";
    /// Let proven senders to one recipient past greylisting for a while.
    ExpectingBegun = "expecting.begun";
    /// Ended that a mail is expected.
    ExpectingEnded = "expecting.ended";
    /// Replaced the policy set by a document.
    PoliciesImported = "policy.imported";
    /// Applied the policy file.
    PolicyFileApplied = "policy.file";
    /// Brought back an older version of the policy set.
    RolledBack = "policy.rolled_back";
    /// Held queued messages back.
    QueueHeld = "queue.hold";
    /// Released queued messages.
    QueueReleased = "queue.release";
    /// Had queued messages tried at once.
    QueueRetried = "queue.retry";
    /// Deleted queued messages.
    QueueDeleted = "queue.delete";
    /// Let triplets pass.
    GreylistPassed = "greylist.pass";
    /// Forgot triplets.
    GreylistForgotten = "greylist.forget";
    /// Forgot what was learned of a client.
    ReputationReset = "reputation.reset";
    /// Took over who may answer from a list.
    AutoAllowImported = "auto_allow.imported";
    /// Forgot to whom people wrote.
    AutoAllowPurged = "auto_allow.purged";
    /// Imported recipients.
    RecipientsImported = "recipients.imported";
    /// Had a list of recipients refused: too many, or most of a domain would have gone.
    RecipientsRefused = "recipients.refused";
    /// Forgot a recipient that was known by name.
    RecipientForgotten = "recipients.forgotten";
    /// Forgot what was learned of the recipients of a domain.
    RecipientsLearnedAnew = "recipients.learn_anew";
    /// Had a directory read at once.
    DirectorySynchronised = "recipients.synchronised";
    /// Forgot all recipients of a domain that was no more in the settings.
    RecipientsForgotten = "recipients.domain_forgotten";
    /// Took a directory file as it was, though nobody was in it.
    DirectoryFileAccepted = "recipients.file_accepted";
    /// Marked what a refused sender asks as dealt with.
    RequestAnswered = "request.answered";
    /// Took up again what a refused sender asks.
    RequestReopened = "request.reopened";
    /// Began an export.
    ExportStarted = "export.started";
    /// Stopped an export.
    ExportCancelled = "export.cancelled";
    /// Removed an export with its file.
    ExportRemoved = "export.removed";
    /// Downloaded the file of an export.
    ExportTaken = "export.taken";
    /// Read rows in bulk over the API.
    RowsTaken = "export.rows";
    /// Downloaded daily logs.
    DailyLogTaken = "export.daily_log";
    /// Exported the policy set.
    PoliciesTaken = "export.policies";
    /// Exported managed senders.
    SendersTaken = "export.senders";
    /// Exported this audit log.
    AuditTaken = "export.audit";
    /// Saved a list under a name.
    ViewSaved = "view.saved";
    /// Removed a saved list.
    ViewRemoved = "view.removed";
    /// Set an alert for a saved list.
    AlertSet = "alert.set";
    /// Removed the alert of a saved list.
    AlertRemoved = "alert.removed";
    /// Sent a test of an alert.
    AlertTested = "alert.tested";
    /// Stopped an alert whose owner may no longer see its rows.
    AlertStopped = "alert.stopped";
}

impl AuditAction {
    /// The part in front of the dot.
    pub fn kind(self) -> &'static str {
        self.slug().split('.').next().unwrap_or_default()
    }

    /// Every kind once, in the order of the names.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        let kinds = AuditAction::ALL.iter().map(|action| action.kind());
        kinds.collect::<std::collections::BTreeSet<_>>().into_iter()
    }
}

impl FromStr for AuditAction {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = AuditAction::ALL.iter().find(|action| action.slug() == text);
        found.copied().ok_or(UnknownName::Action)
    }
}

/// Who did something, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The name, as versions and follow-ups show it.
    pub name: Arc<str>,
    /// By which way they came in.
    pub via: Via,
    /// The address they came from; nothing for the machine itself.
    pub from: Option<IpAddr>,
    /// The attempt whose row they acted on.
    pub row: Option<Reference>,
}

impl Actor {
    /// The machine itself, under this name.
    pub fn machine(name: &str) -> Self {
        Actor { name: name.into(), via: Via::Machine, from: None, row: None }
    }

    /// Somebody who is not signed in.
    pub fn visitor(from: IpAddr) -> Self {
        Actor { name: "".into(), via: Via::Visitor, from: Some(from), row: None }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        let Caller { name, via, from, row, .. } = caller.clone();
        Actor { name, via, from, row }
    }
}

/// What is to be written into the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditNote {
    /// When.
    pub at: Timestamp,
    /// Who, and from where.
    pub actor: Actor,
    /// What.
    pub action: AuditAction,
    /// To what: the name of an account, a policy, a query. Never a secret.
    pub subject: String,
    /// What the person wrote about it.
    pub note: String,
    /// The version of the policy set that it made.
    pub version: Option<u64>,
    /// Before, after and whatever else belongs to it, as a JSON object;
    /// empty if there is nothing.
    pub details: String,
}

impl AuditNote {
    /// A note without note, version and details.
    pub fn new(actor: Actor, action: AuditAction, subject: &str, at: Timestamp) -> Self {
        let (subject, note, details) = (subject.to_owned(), String::new(), String::new());
        AuditNote { at, actor, action, subject, note, version: None, details }
    }

    /// The same, with what it was and what it is.
    #[must_use]
    pub fn with_details(self, details: String) -> Self {
        AuditNote { details, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_of_its_own_and_a_sentence() {
        for (place, action) in AuditAction::ALL.iter().enumerate() {
            assert_eq!(action.slug().parse(), Ok(*action));
            assert_eq!(AuditAction::ALL.iter().position(|other| other == action), Some(place));
            assert!(action.slug().contains('.') && action.doc().ends_with('.'), "{action:?}");
            assert!(!action.kind().is_empty());
        }
        assert!("sign_in".parse::<AuditAction>().is_err());
    }

    #[test]
    fn an_actor_is_the_caller_with_place_and_row() {
        let row = "7K2M4QX9B0TA".parse().unwrap();
        let caller = Caller::with_all("root").from_address([192, 0, 2, 7].into()).on_row(row);
        let actor = Actor::from(&caller);
        assert_eq!((actor.from, actor.row), (Some([192, 0, 2, 7].into()), Some(row)));
    }
}
