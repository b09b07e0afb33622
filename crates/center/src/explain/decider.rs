//! Who decided: the check, the policy with what is known of it, and what
//! would have decided had it not.

use serde::{Deserialize, Serialize};
use types::evidence::Need;
use types::policy::Scope;
use types::{
    CheckName, Decision, Event, PolicyRef, PolicyType, Reason, Reference, Stage, Timestamp,
};

use super::evidence::check_title;

/// Who decided on an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Decider {
    /// The check whose finding decided.
    pub check: CheckName,
    /// What people call it.
    pub title: String,
    /// The policy, entry or setting that decided, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyView>,
    /// What would have decided had this one not, in a sentence.
    pub next: String,
}

/// What decided, with everything kept about it. Texts are presentable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyView {
    /// What the event names.
    pub reference: PolicyRef,
    /// What people call it: `Blocked Senders policy #30`.
    pub name: String,
    /// What it is for, in its author's words, as of the version that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrative: Option<String>,
    /// Whom it covers: `from the group "Blocked Senders" to everyone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The member or entry that covers this very sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<String>,
    /// The version of the policy set in which it was last changed before it
    /// decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Timestamp>,
    /// Who it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The attempt from whose row it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<Reference>,
    /// The member of a group by which a policy covers this sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<GroupMember>,
    /// Where the console shows it, if it is still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Whether the policy file has it, so that it is changed there alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_file: bool,
    /// Whether the member that matched is of a group of a directory, where
    /// alone it is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_directory: bool,
    /// Whether it is still what it was then.
    pub since: Since,
    /// The command that shows or changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// A member of a group, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupMember {
    /// The name of the group.
    pub group: String,
    /// The address or domain that is in it.
    pub member: String,
}

/// What became of a policy after it decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// It is as it was.
    Unchanged,
    /// It was changed.
    Changed,
    /// It is gone.
    Removed,
    /// It is no object of the policy set: the settings.
    Settings,
}

impl PolicyView {
    /// What can be said of a policy by its name alone.
    pub fn named(reference: PolicyRef) -> Self {
        let (name, version, since, command) = match reference {
            PolicyRef::Policy { id, version } => {
                let command = format!("portcullis policy show {}", id.0);
                (format!("policy {id}"), Some(version), Since::Removed, Some(command))
            }
            PolicyRef::ManagedSender { id } => {
                (format!("managed sender {id}"), None, Since::Removed, None)
            }
            PolicyRef::Base(kind) => {
                let (name, command) = setting(kind);
                (name.to_owned(), None, Since::Settings, Some(command.to_owned()))
            }
        };
        PolicyView {
            reference,
            name,
            narrative: None,
            scope: None,
            matched: None,
            version,
            changed: None,
            changed_by: None,
            note: None,
            made_from: None,
            member: None,
            from_file: false,
            from_directory: false,
            page: None,
            since,
            command,
        }
    }
}

impl PolicyView {
    /// What is said of one to whoever may not see it: its number, which the
    /// event has. Names and remarks tell whom administrators deal with.
    pub(super) fn veiled(reference: PolicyRef) -> Self {
        let named = PolicyView::named(reference);
        PolicyView { since: Since::Unchanged, version: None, command: None, ..named }
    }
}

/// The setting behind a type of policy, and the command that explains it.
fn setting(kind: PolicyType) -> (&'static str, &'static str) {
    match kind {
        PolicyType::EmailSizeLimits => {
            ("the setting smtp.message_size_max", "portcullis config help smtp.message_size_max")
        }
        PolicyType::Greylisting => {
            ("the settings of greylisting", "portcullis config help greylist.retry_after")
        }
        PolicyType::RecipientValidation => (
            "the setting \u{201c}recipients\u{201d} of the recipient's domain",
            "portcullis config help domain.recipients",
        ),
        PolicyType::AutoAllow | PolicyType::AutoAllowCreation => (
            "auto allow, which counts where no policy says otherwise",
            "portcullis senders auto list",
        ),
        PolicyType::PermittedSenders
        | PolicyType::BlockedSenders
        | PolicyType::Reputation
        | PolicyType::GeographicalRestriction
        | PolicyType::AntiSpoofing
        | PolicyType::DnsAuthentication
        | PolicyType::ExpectedMail
        | PolicyType::SecureReceipt
        | PolicyType::ManagedSenders => ("the settings", "portcullis config show"),
    }
}

/// A side of a policy in words.
pub(super) fn scope_words(scope: &Scope) -> String {
    match scope {
        Scope::Everyone => "everyone".to_owned(),
        Scope::Internal => "internal addresses".to_owned(),
        Scope::External => "external addresses".to_owned(),
        Scope::Domain(domain) => domain.to_string(),
        Scope::Group(name) => format!("the group \u{201c}{name}\u{201d}"),
        Scope::Attribute(held) => format!("the attribute {held}"),
        Scope::Address(address) => address.to_string(),
    }
}

/// Who decided, if somebody did. `policy` is what is kept about the policy.
pub(super) fn decider(event: &Event, policy: Option<PolicyView>) -> Option<Decider> {
    let decision = event.outcome()?.decision()?;
    Some(Decider {
        check: decision.check,
        title: check_title(decision.check).to_owned(),
        policy: policy.or_else(|| decision.policy.map(PolicyView::named)),
        next: next(event, decision),
    })
}

/// What would have decided had this one not.
fn next(event: &Event, decision: &Decision) -> String {
    let known = match (decision.next, decision.next_lacks) {
        (Some(reason), _) => {
            let check = decision.next_check.map_or(String::new(), |check| {
                let policy = decision.next_policy.map_or(String::new(), by_name);
                format!(" by {}{policy}", check_title(check))
            });
            format!("{}{check}: {} ({reason}).", verb(reason), reason.label())
        }
        (None, Some(need)) => format!(
            "Not known: {} would have been next and was not asked, because it comes after what decided.",
            need_title(need)
        ),
        (None, None) if is_policys(decision.check) => {
            "Nothing else that was known then spoke against it.".to_owned()
        }
        (None, None) => String::new(),
    };
    let content_seen = event.subject.message.is_some();
    let unseen = matches!(event.record.stage, Some(stage) if stage < Stage::Data) && !content_seen;
    match (unseen, known.is_empty()) {
        (true, false) => {
            format!(
                "{known} The message itself was never sent, so what its content would meet is unknown."
            )
        }
        _ => known,
    }
}

fn by_name(policy: PolicyRef) -> String {
    match policy {
        PolicyRef::Policy { id, .. } => format!(" (policy {id})"),
        PolicyRef::ManagedSender { id } => format!(" (managed sender {id})"),
        PolicyRef::Base(_) => " (the settings)".to_owned(),
    }
}

/// What a reason would have done instead.
fn verb(reason: Reason) -> &'static str {
    match reason.kind() {
        types::ReasonKind::Acceptance => "Accepted",
        types::ReasonKind::Hold => "Held",
        types::ReasonKind::Deferral => "Deferred anyway",
        types::ReasonKind::Rejection => "Rejected anyway",
    }
}

/// What a need is called: the check that answers it.
pub(crate) fn need_title(need: Need) -> &'static str {
    match need {
        Need::Recipient(_) => check_title(CheckName::Recipient),
        Need::Smtputf8 => check_title(CheckName::Smtputf8),
        Need::Rate => check_title(CheckName::Rate),
        Need::Lists => check_title(CheckName::Rbl),
        Need::Place => check_title(CheckName::Place),
        Need::Spf => check_title(CheckName::Spf),
        Need::Authentication => "DKIM and DMARC",
        Need::Certificate => check_title(CheckName::Certificate),
        Need::History(_) => check_title(CheckName::History),
        Need::Triplet(_) => check_title(CheckName::Greylist),
    }
}

/// Whether rules stand behind this check; what the session or the next hop
/// ended by itself has no successor.
fn is_policys(check: CheckName) -> bool {
    !matches!(check, CheckName::Protocol | CheckName::Tls | CheckName::Delivery | CheckName::System)
}
