//! What is said of a check of which the record has no finding: that it was not
//! reached, that nothing asked for it, or what its silence means.

use types::{CheckName, Decision, Detail, Observed, Outcome, PolicyType, Reason, Stage, spoken};

use super::order::Row;
use super::{Case, LedgerResult, expected_by, short};
use crate::explain::evidence::{grouped, octets, spared_because};
use crate::search::label_of;

/// A result, and why.
type Said = (LedgerResult, String);

fn said(result: LedgerResult, text: &str) -> Said {
    (result, text.to_owned())
}

impl Case<'_> {
    /// A check without a finding: what that means, or nothing if it is not
    /// worth a line.
    pub(super) fn unseen(&self, row: &'static Row) -> Option<Said> {
        let &(place, stage, check, quiet) = row;
        if let (Some(decider), Some(decision)) = (self.decider, self.decision)
            && std::ptr::eq(decider, row)
        {
            let own = self.by_policies(check).map(|(_, text)| text);
            let text = own.unwrap_or_else(|| self.said_by_decision(decision));
            return Some((LedgerResult::Passed, text));
        }
        if !self.was_asked(place, stage) {
            // The session has a line of its own at a stage only where it ended
            // it.
            let is_session = check == CheckName::Protocol && quiet.is_empty();
            return (!is_session).then(|| self.not_asked(stage));
        }
        match (self.quiet(check), quiet.is_empty()) {
            (Some(own), _) => Some(own),
            (None, true) => None,
            (None, false) => Some(said(LedgerResult::Passed, quiet)),
        }
    }

    fn was_asked(&self, place: u8, stage: Stage) -> bool {
        let is_unseen = stage == Stage::Data && !self.has_content();
        !is_unseen && (stage < self.ended || (stage == self.ended && place <= self.last_asked))
    }

    fn not_asked(&self, stage: Stage) -> Said {
        match (self.outcome, stage >= Stage::Data, self.has_content()) {
            (Outcome::Passed { .. }, true, _) => {
                said(LedgerResult::NoContent, "the message stays with the server that asked")
            }
            (_, true, false) if self.ended < Stage::Content => {
                said(LedgerResult::NoContent, "the message was not sent")
            }
            (Outcome::Aborted(_), ..) => said(LedgerResult::NotReached, "the session ended before"),
            _ => said(LedgerResult::NotReached, "decided before"),
        }
    }

    fn has_content(&self) -> bool {
        self.event.subject.message.is_some()
    }

    /// What the silence of a check means of which more can be said than its row
    /// does.
    fn quiet(&self, check: CheckName) -> Option<Said> {
        let not_needed = |text: &str| Some(said(LedgerResult::NotNeeded, text));
        match check {
            CheckName::Tls => match &self.event.subject.client.tls {
                Some(tls) => {
                    Some((LedgerResult::Passed, format!("{} {}", tls.version, tls.cipher)))
                }
                None => not_needed("the client did not ask for encryption"),
            },
            CheckName::Recipient => not_needed(self.recipient_unseen()),
            CheckName::Smtputf8 => not_needed("all addresses are ASCII"),
            CheckName::HostName => match &self.event.subject.client.host_name {
                Some(name) => Some((LedgerResult::Passed, format!("confirmed: {name}"))),
                None => not_needed("not looked up, or no answer by then"),
            },
            CheckName::Spf | CheckName::Dkim | CheckName::Dmarc => {
                not_needed("no policy asks for it")
            }
            CheckName::Greylist => {
                Some(self.skippable(PolicyType::Greylisting, "no greylisting applies"))
            }
            CheckName::Rbl => Some(self.skippable(PolicyType::Reputation, "no policy asks a list")),
            _ => self.by_policies(check),
        }
    }

    /// What the policies say of a check that is theirs alone.
    fn by_policies(&self, check: CheckName) -> Option<Said> {
        match check {
            CheckName::Senders => {
                let lists = self.lists();
                let none = "no policy and no entry names the sender".to_owned();
                Some((LedgerResult::Passed, if lists.is_empty() { none } else { lists }))
            }
            CheckName::Spoofing => Some(match self.winner(&[PolicyType::AntiSpoofing]) {
                Some(by) => (LedgerResult::Passed, format!("{} applies", short(by))),
                None => said(LedgerResult::NotNeeded, "no policy covers the sender"),
            }),
            CheckName::SecureReceipt => self.secure_receipt(),
            _ => None,
        }
    }

    fn secure_receipt(&self) -> Option<Said> {
        let by = self.winner(&[PolicyType::SecureReceipt])?;
        let text = match &self.event.subject.client.tls {
            Some(tls) => format!("{} applies, and the connection has {}", short(by), tls.version),
            None => format!("{} applies, and the connection is not encrypted", short(by)),
        };
        Some((LedgerResult::Passed, text))
    }

    fn recipient_unseen(&self) -> &'static str {
        let relay = self.event.record.evidence.latest(CheckName::Relay);
        if matches!(relay, Some(Observed::Relay { internal: false, askers: true })) {
            return "it is a matter of the server that asks";
        }
        match self.event.subject.recipient.as_ref().map(types::ForwardPath::address) {
            Some(None) => "mail for the postmaster is always taken",
            _ => "every address of the domain is taken",
        }
    }

    /// Why a check that a permit skips did not look.
    fn skippable(&self, kind: PolicyType, none: &str) -> Said {
        let permitted = self.winner(&[PolicyType::PermittedSenders, PolicyType::ManagedSenders]);
        let by_permit = matches!(
            self.outcome.reason(),
            Reason::AcceptedPermitted | Reason::AcceptedAutoAllowed
        );
        if let Some(by) = expected_by(self.event) {
            let text = format!("not asked: {} expects mail, and SPF proved the sender", short(by));
            return (LedgerResult::NotNeeded, text);
        }
        if kind == PolicyType::Greylisting
            && let Some(because) = spared_because(self.event)
        {
            return (LedgerResult::NotNeeded, format!("not asked: {because}"));
        }
        match (permitted, by_permit) {
            (Some(by), _) => (LedgerResult::SkippedByPermit, format!("skipped by {}", short(by))),
            (None, true) if self.outcome.reason() == Reason::AcceptedAutoAllowed => {
                said(LedgerResult::SkippedByPermit, "skipped: the recipient wrote to him")
            }
            (None, true) => said(LedgerResult::SkippedByPermit, "skipped by a permit"),
            (None, false) => match self.winner(&[kind]) {
                Some(by) => (LedgerResult::NotNeeded, format!("no action, says {}", short(by))),
                None => said(LedgerResult::NotNeeded, none),
            },
        }
    }

    /// What a check decided on that has no finding: what the decision says of
    /// it.
    pub(super) fn said_by_decision(&self, decision: &Decision) -> String {
        match &decision.detail {
            Detail::Note(note) => note.to_string(),
            Detail::Quoted(quoted) => quoted.to_string(),
            Detail::Limit { observed, limit } if decision.reason == Reason::SizeExceeded => {
                format!("{} (at most {})", octets(*observed), octets(*limit))
            }
            Detail::Limit { observed, limit } => {
                format!("number {} (at most {})", grouped(*observed), grouped(*limit))
            }
            Detail::RetryIn { seconds } => {
                format!("again in {}", spoken(std::time::Duration::from_secs(*seconds)))
            }
            Detail::None | Detail::Code(_) | Detail::Scores { .. } => label_of(self.event),
        }
    }
}
