//! The smallest change that would have let a message through, or why none
//! can: a permit is a set of skipped checks, and most checks are not in it.

use serde::{Deserialize, Serialize};
use types::{
    CheckName, Domain, Event, ListAnswer, ListFacts, Observed, PolicyRef, Reason, ReasonKind,
};

use super::decider::PolicyView;
use super::evidence::check_title;
use super::joins::triplet;
use super::{certificates, limits};

/// What would have to be changed here to get the message through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SmallestChange {
    /// Whether a change here can do it at all.
    pub possible: bool,
    /// What it is, or why there is none.
    pub text: String,
    /// The command line that does it today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What would stand in the way after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

/// What kind of change helps against a reason.
enum Remedy {
    /// A permit of the sender: greylisting, DNSBL, reputation and spam.
    Permit,
    /// As a permit; but the triplet alone can be let pass too.
    Triplet,
    /// The blocking policy or the member of its group.
    BlockingPolicy,
    /// The recipient's own entry.
    BlockingEntry,
    /// The limit or setting that decided.
    Limit,
    /// Somewhere else than here; the text says where.
    Elsewhere(&'static str),
    /// A hold is released; a permit of the sender passes what comes next.
    ReleaseAndPermit,
    /// A hold is released, and no permit skips it the next time.
    Release,
    /// It got through.
    None,
}

#[rustfmt::skip] // A table: one remedy a line.
fn remedy(reason: Reason) -> Remedy {
    use Reason::*;
    use Remedy::{BlockingEntry, BlockingPolicy, Elsewhere, Limit, Permit, Release, ReleaseAndPermit, Triplet};
    match reason {
        Accepted | AcceptedPermitted | AcceptedAutoAllowed | AcceptedPassed => Remedy::None,
        GreylistFirstSeen | GreylistTooEarly | GreylistExpired => Triplet,
        RblListed | ReputationRejected | ReputationTemporary | SpamSignature => Permit,
        BlockedPolicyEnvelope | BlockedPolicyHeader => BlockingPolicy,
        BlockedManualEnvelope | BlockedManualHeader => BlockingEntry,
        SizeExceeded | RateLimited | ConnectionsLimited | GeoBlocked | ClientEarlyTalker | AttachmentBlocked
        | ContentExamined | Impersonation | UrlMalicious | UrlMaliciousQr | TlsRequired | TlsUnverified
        | SpoofingEnvelope | SpoofingHeader | AuthSpf | AuthDkim | AuthDmarc | AuthTemporary => Limit,
        RelayDenied => Elsewhere("No policy and no permit opens a relay. If the domain is yours, give it a [[domain]] in the settings."),
        RecipientUnknown => Elsewhere("A permit does not override recipient validation. Add the address to the directory or on the mail server behind."),
        RecipientUnverifiable => Elsewhere("A permit does not override recipient validation. Let the directory or the next hop answer; the sender retries by itself."),
        SenderMalformed | RecipientMalformed => Elsewhere("No change here: the sender must correct what its server sends."),
        RecipientNeedsSmtputf8 => Elsewhere("No policy helps: the next hop must offer SMTPUTF8, or the addresses be ASCII."),
        SenderRefusedByNextHop | NextHopRejected | NextHopDeferred => Elsewhere("No policy here helps: the next hop refused, and is where it is lifted."),
        DeliveryRejected | DeliveryExpired => Elsewhere("It was accepted here and the next hop did not take it. Mend the next hop; the sender must send again, for the message has left this gateway."),
        VirusSignature => Elsewhere("Nothing overrides anti-virus."),
        Loop => Elsewhere("No policy helps: the routes between the servers must be mended."),
        SubmissionRequired => Elsewhere("No policy opens a relay. A device or program of yours gets a name and password on the page Submitters."),
        SubmissionSenderDenied => Elsewhere("No policy opens a relay. What a submitter may send as is changed on the page Submitters."),
        SubmissionFailed => Elsewhere("If a device of yours has lost its password, it gets a new one on the page Submitters."),
        ProtocolSmuggling | ProtocolLineTooLong | ProtocolErrors | SenderNullMx => Elsewhere("No change here: the sender's software or domain must be corrected."),
        HeldRejectedByAdmin | HeldBlockedByUser => Elsewhere("It was refused after it was accepted; it is in the archive."),
        ClientDropped | ClientTimedOut | ConnectionTimedOut | DataEndedEarly | TransactionAbandoned | ConnectionUnused
        | TlsFailed => Elsewhere("Nothing here decided against it: the session ended before the message was complete."),
        RecipientsLimited => Elsewhere("Nothing to change: the sender's server sends the rest in another transaction by itself."),
        SystemUnavailable | SystemStorageFull | SystemStopping => Elsewhere("No policy helps: the gateway itself could not take it. The sender retries by itself."),
        ProxyInvalid => Elsewhere("Check the peers listed in proxy_protocol_from, and that the load balancer speaks the PROXY protocol."),
        HoldSpam => ReleaseAndPermit,
        HoldGeo | HoldDmarcQuarantine | HoldAuthentication | HoldAttachment | HoldUrl | HoldVirusUnscannable | HoldImpersonation
        | HoldContent | HoldStructure => Release,
    }
}

/// As [`remedy`]; where an entry of the recipient's defers because its contrary
/// may yet be proved, it is the list that can be changed.
fn remedy_of(event: &Event, reason: Reason) -> Remedy {
    let decision = event.outcome().and_then(types::Outcome::decision);
    match (reason, decision.and_then(|decision| decision.policy)) {
        (Reason::AuthTemporary, Some(PolicyRef::ManagedSender { .. })) => Remedy::BlockingEntry,
        _ => remedy(reason),
    }
}

/// Whether a permit skips the check behind this reason (policies.md, *What
/// "permitted" skips*).
fn permit_skips(reason: Reason) -> bool {
    matches!(remedy(reason), Remedy::Permit | Remedy::Triplet)
}

/// What helps where no permit of the sender ever can; nothing where one may.
/// A permit skips few checks, and what ends a session before them is out of
/// its reach.
pub fn beyond_permits(reason: Reason) -> Option<&'static str> {
    match remedy(reason) {
        Remedy::Elsewhere(text) => Some(text),
        Remedy::Limit | Remedy::Release => Some(limits::by_reason(reason).0),
        Remedy::Permit
        | Remedy::Triplet
        | Remedy::BlockingPolicy
        | Remedy::BlockingEntry
        | Remedy::ReleaseAndPermit
        | Remedy::None => None,
    }
}

/// The smallest change for an event; nothing for a step that ends nothing.
pub(super) fn smallest_change(
    event: &Event,
    policy: Option<&PolicyView>,
) -> Option<SmallestChange> {
    let reason = event.reason()?;
    let kind = remedy_of(event, reason);
    let permits = matches!(kind, Remedy::Permit | Remedy::Triplet | Remedy::BlockingEntry);
    let (possible, text, command) = match kind {
        Remedy::None => (true, "None is needed: it was accepted.".to_owned(), None),
        Remedy::Release | Remedy::ReleaseAndPermit => (
            true,
            "Release it.".to_owned(),
            Some(format!("portcullis queue release {}", event.reference())),
        ),
        Remedy::Elsewhere(text) => elsewhere(event, reason, text),
        Remedy::Permit => clearing(event, reason, permit(event)),
        Remedy::Triplet => let_pass(event, reason),
        Remedy::BlockingPolicy => blocking_policy(policy),
        Remedy::BlockingEntry => blocking_entry(event, policy),
        Remedy::Limit => limits::change(event, reason, policy),
    };
    let then = match kind_of(reason) {
        true => after(event, permits),
        false => None,
    };
    Some(SmallestChange { possible, text, command, then: then.filter(|_| possible) })
}

/// Whether something stood in the way at all.
fn kind_of(reason: Reason) -> bool {
    matches!(reason.kind(), ReasonKind::Deferral | ReasonKind::Rejection)
}

/// What would be in the way next, unless the change covers that too.
fn after(event: &Event, permits: bool) -> Option<String> {
    let decision = event.outcome()?.decision()?;
    let next = decision.next.filter(|next| !(permits && permit_skips(*next)))?;
    let check =
        decision.next_check.map_or(String::new(), |check| format!(", by {}", check_title(check)));
    let verb = match next.kind() {
        ReasonKind::Deferral => "deferred",
        ReasonKind::Hold => "held",
        ReasonKind::Rejection | ReasonKind::Acceptance => "refused",
    };
    Some(format!("Even then it would be {verb}{check}: {}.", next.label()))
}

const PERMIT_SKIPS: &str =
    "A permit skips greylisting, reputation and block lists, and spam scanning, and nothing else.";

fn permit(event: &Event) -> (bool, String, Option<String>) {
    match permit_command(event) {
        Some(command) => {
            (true, format!("Permit the sender for this recipient. {PERMIT_SKIPS}"), Some(command))
        }
        None => (
            true,
            format!(
                "The null reverse-path cannot be permitted for one recipient; a Permitted Senders policy by source address can. {PERMIT_SKIPS}"
            ),
            None,
        ),
    }
}

/// Where a change is made that is none of policies; what was found may tell a
/// better place than the reason alone.
fn elsewhere(event: &Event, reason: Reason, text: &str) -> (bool, String, Option<String>) {
    let check = event.outcome().and_then(|outcome| outcome.decision()).map(|one| one.check);
    let evidence = &event.record.evidence;
    match (reason, check, evidence.latest(CheckName::Submission)) {
        (Reason::RelayDenied, Some(CheckName::Relay), _) if is_outbound(event) => {
            let text = "No policy lets other senders out. If the domain is yours, give it a [[domain]] in the settings; a server that forwards mail must rewrite its sender to a domain of yours (SRS).";
            (false, text.to_owned(), None)
        }
        (Reason::RelayDenied, Some(CheckName::Outbound), _) => {
            let text = "No policy opens a relay. If the client is yours, put its network into `allow_from` of the listener, or let the listener take passwords (`auth`) and give it one.";
            (false, text.to_owned(), None)
        }
        (Reason::SubmissionRequired, _, Some(Observed::Submission(facts))) if facts.failed > 0 => {
            let text = "No policy opens a relay. What the device or program says as its name and password is wrong: correct it there, or give it a new password.";
            (false, text.to_owned(), Some("portcullis submitters list".to_owned()))
        }
        (Reason::SystemUnavailable, ..) => match certificates::put_off(event) {
            Some(why) => (false, why.change.to_owned(), why.command.map(str::to_owned)),
            None => (false, text.to_owned(), None),
        },
        (Reason::RecipientUnverifiable, ..) => {
            (false, text.to_owned(), Some("portcullis recipients directories".to_owned()))
        }
        _ => (false, text.to_owned(), None),
    }
}

/// Whether it came by a listener for mail that leaves.
pub(super) fn is_outbound(event: &Event) -> bool {
    event.record.evidence.latest(CheckName::Outbound).is_some()
}

/// As a permit; what was learned of a client can be forgotten too, and a list
/// in a file be mended.
fn clearing(
    event: &Event,
    reason: Reason,
    (possible, text, command): (bool, String, Option<String>),
) -> (bool, String, Option<String>) {
    if let Some(list) = listed_by_file(event).filter(|_| reason == Reason::RblListed) {
        let text = format!(
            "{text} {list} is read from a file here: if it is your own, the entry can be taken out of it."
        );
        return (possible, text, command);
    }
    if !matches!(reason, Reason::ReputationRejected | Reason::ReputationTemporary) {
        return (possible, text, command);
    }
    let ip = event.subject.client.client.ip;
    let reset = format!("`portcullis reputation reset {ip}` forgets what this client did.");
    (possible, format!("{text} {reset}"), command)
}

/// The first list in a file that something of this attempt is on.
fn listed_by_file(event: &Event) -> Option<&Domain> {
    let Observed::Lists(facts) = event.record.evidence.latest(CheckName::Rbl)? else { return None };
    let is_on = |one: &&ListFacts| matches!(one.answer, ListAnswer::Listed { .. });
    let from_file = facts.iter().filter(is_on).find(|one| one.read_ago_s.is_some())?;
    Some(&from_file.list)
}

fn let_pass(event: &Event, reason: Reason) -> (bool, String, Option<String>) {
    let (possible, text, permit) = permit(event);
    if reason == Reason::GreylistExpired {
        return (possible, format!("{text} Then its next attempt needs no retry."), permit);
    }
    let pass = triplet(event).map(|_| format!("portcullis greylist let-in {}", event.reference()));
    let text = format!(
        "None is needed if the sender retries inside the window. To let its very next attempt pass, let it in; to end the wait for good, permit the sender. {PERMIT_SKIPS}"
    );
    (true, text, pass.or(permit))
}

fn blocking_policy(policy: Option<&PolicyView>) -> (bool, String, Option<String>) {
    let change = match policy.and_then(|policy| policy.matched.as_deref()) {
        Some(matched) => format!("Remove {matched}"),
        None => "Change the policy".to_owned(),
    };
    let place = match policy {
        Some(policy) if policy.from_file => IN_THE_FILE,
        Some(policy) if policy.from_directory => IN_THE_DIRECTORY,
        _ => "",
    };
    let text = format!(
        "{change}{place}, or make a Permitted Senders policy that is more specific. A recipient's own permit does not undo an administrator's block."
    );
    (true, text, policy.and_then(|policy| policy.command.clone()))
}

/// Where an object of the policy file is changed.
const IN_THE_FILE: &str = " in the policy file that has it, and reload";

/// Where a member of a group of a directory is changed.
const IN_THE_DIRECTORY: &str = " in the directory that has it, and synchronise";

fn is_from_file(policy: Option<&PolicyView>) -> bool {
    policy.is_some_and(|policy| policy.from_file)
}

fn blocking_entry(event: &Event, policy: Option<&PolicyView>) -> (bool, String, Option<String>) {
    if is_from_file(policy) {
        return (true, format!("Remove the recipient's entry{IN_THE_FILE}."), None);
    }
    let remove = match policy.map(|policy| policy.reference) {
        Some(PolicyRef::ManagedSender { id }) => {
            Some(format!("portcullis senders remove {}", id.0))
        }
        _ => None,
    };
    let text = "Remove the recipient's entry, or replace it by a permit: a new entry for the same pair ends the old one.";
    (true, text.to_owned(), remove.or_else(|| permit_command(event)))
}

/// The command that permits the envelope sender for the recipient.
pub(super) fn permit_command(event: &Event) -> Option<String> {
    command(event, "permit")
}

/// The command that blocks the envelope sender for the recipient.
pub(super) fn block_command(event: &Event) -> Option<String> {
    command(event, "block")
}

fn command(event: &Event, action: &str) -> Option<String> {
    let sender = event.subject.reverse_path.as_ref()?.address()?;
    let recipient = event.subject.recipient.as_ref()?.address()?;
    Some(format!(
        "portcullis senders add {action} {} {}",
        shell_word(sender.as_str()),
        shell_word(recipient.as_str())
    ))
}

/// A word of a command line that a person pastes into a shell: what a sender
/// wrote must not become a command of its own.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@.-_+:/=%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    format!("'{}'", crate::presentable(text).replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_wrote_is_one_word_of_a_command() {
        for (text, word) in [
            ("ann+x@sender.example", "ann+x@sender.example"),
            ("$(reboot)@x.example", "'$(reboot)@x.example'"),
            ("a'b@x.example", "'a'\\''b@x.example'"),
            ("-rf", "'-rf'"),
            ("", "''"),
            ("a\nb", "'a\u{2039}0A\u{203a}b'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn where_no_permit_can_help_something_else_is_named() {
        for reason in [
            Reason::RelayDenied,
            Reason::RecipientUnknown,
            Reason::SenderMalformed,
            Reason::RecipientMalformed,
            Reason::SizeExceeded,
            Reason::VirusSignature,
            Reason::ClientDropped,
        ] {
            assert!(beyond_permits(reason).is_some_and(|text| !text.is_empty()), "{reason:?}");
        }
        for reason in [
            Reason::RblListed,
            Reason::GreylistFirstSeen,
            Reason::BlockedManualEnvelope,
            Reason::Accepted,
            Reason::HoldSpam,
        ] {
            assert_eq!(beyond_permits(reason), None, "{reason:?}");
        }
        let both = |reason: &&Reason| permit_skips(**reason) && beyond_permits(**reason).is_some();
        assert_eq!(Reason::ALL.iter().find(both), None, "what a permit skips it helps against");
    }

    #[test]
    fn a_permit_skips_what_the_policies_say_and_nothing_else() {
        let skipped: Vec<&str> = Reason::ALL
            .iter()
            .filter(|reason| permit_skips(**reason))
            .map(|reason| reason.slug())
            .collect();
        assert_eq!(
            skipped,
            [
                "rbl.listed",
                "reputation.rejected",
                "greylist.expired",
                "spam.signature",
                "greylist.first_seen",
                "greylist.too_early",
                "reputation.temporary"
            ]
        );
    }
}
