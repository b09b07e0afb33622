//! What SPF, DKIM and DMARC mean by the DNS Authentication definition that
//! applies, and whether mail in the name of one of our own domains may come
//! from outside.

use types::authentication::is_within;
use types::definition::{AuthenticationAction, DnsAuthenticationDefinition};
use types::evidence::Need;
use types::message::UnseenAuthors;
use types::policy::{AddressBasis, AntiSpoofingOption, PolicyOption, Scope};
use types::{
    CheckName, Decision, Detail, DkimResult, DmarcFacts, DmarcRequest, DmarcResult, EmailAddress,
    EnhancedCode, Evidence, Flaw, Observed, PolicyRef, PolicyType, Reason, SpfResult,
};

use super::RuleAnswer;
use crate::decide::Case;
use crate::proof::{Proof, proof};

/// What an action leads to: the reason of a refusal, and the code of a
/// deferral where it is not that of SPF.
struct Means {
    check: CheckName,
    reject: Reason,
    temporary: Detail,
}

const SPF: Means =
    Means { check: CheckName::Spf, reject: Reason::AuthSpf, temporary: Detail::None };
/// RFC 7372 has no temporary code of DKIM and DMARC.
pub(super) const LATER: Detail = Detail::Code(EnhancedCode(4, 7, 0));
const DKIM: Means = Means { check: CheckName::Dkim, reject: Reason::AuthDkim, temporary: LATER };
const DMARC: Means = Means { check: CheckName::Dmarc, reject: Reason::AuthDmarc, temporary: LATER };

/// At RCPT: SPF has to be known before the lists of senders are weighed,
/// because its result may take permits out, and an entry of the recipient's
/// may count for authenticated mail alone.
pub(crate) fn spf_known(case: &mut Case<'_>) -> RuleAnswer {
    let looks = case.authentication().is_some_and(|(definition, _)| !definition.spf.is_empty());
    match looks && case.evidence.latest(CheckName::Spf).is_none() {
        true => RuleAnswer::Needs(Need::Spf),
        false => entries_known(case),
    }
}

/// At end of data: the same for DKIM and DMARC.
pub(crate) fn signatures_known(case: &mut Case<'_>) -> RuleAnswer {
    let looks = case
        .authentication()
        .is_some_and(|(definition, _)| !definition.dkim.is_empty() || !definition.dmarc.is_empty());
    match looks && case.evidence.latest(CheckName::Dkim).is_none() {
        true => RuleAnswer::Needs(Need::Authentication),
        false => entries_known(case),
    }
}

/// What is asked for the sake of the recipient's entries.
fn entries_known(case: &mut Case<'_>) -> RuleAnswer {
    case.entries().lacks.map_or(RuleAnswer::NotMine, RuleAnswer::Needs)
}

/// The result of SPF, where the definition does something about it.
pub(crate) fn spf_action(case: &mut Case<'_>) -> RuleAnswer {
    let Some((definition, by)) = case.authentication() else { return RuleAnswer::NotMine };
    let result = spf_result(case.evidence);
    let action = result.and_then(|result| definition.spf.get(&result)).copied();
    act(action, by, &SPF)
}

/// The result of DKIM, likewise.
pub(crate) fn dkim_action(case: &mut Case<'_>) -> RuleAnswer {
    let Some((definition, by)) = case.authentication() else { return RuleAnswer::NotMine };
    let action = dkim_result(case.evidence).and_then(|result| definition.dkim.get(&result));
    act(action.copied(), by, &DKIM)
}

/// The result of DMARC, likewise; a failure can be left to what the author's
/// domain asks for.
pub(crate) fn dmarc_action(case: &mut Case<'_>) -> RuleAnswer {
    let Some((definition, by)) = case.authentication() else { return RuleAnswer::NotMine };
    let Some(Observed::Dmarc(facts)) = case.evidence.latest(CheckName::Dmarc) else {
        return RuleAnswer::NotMine;
    };
    let known = definition.dmarc.get(&facts.result);
    if is_unseen(facts) && known.is_none_or(|action| *action == AuthenticationAction::NoAction) {
        let fails = definition.dmarc.get(&DmarcResult::Fail);
        return match keeps_back(fails, facts.request) {
            true => act(Some(AuthenticationAction::Hold), by, &DMARC),
            false => RuleAnswer::NotMine,
        };
    }
    match (known, facts.request) {
        (Some(AuthenticationAction::HonourRecord), DmarcRequest::Reject) => {
            act(Some(AuthenticationAction::Reject), by, &DMARC)
        }
        // The record says so only of what failed.
        (
            Some(AuthenticationAction::HonourRecord | AuthenticationAction::Hold),
            DmarcRequest::Quarantine,
        ) if facts.result == DmarcResult::Fail => {
            RuleAnswer::Decides(Decision::new(Reason::HoldDmarcQuarantine, CheckName::Dmarc).by(by))
        }
        (action, _) => act(action.copied(), by, &DMARC),
    }
}

/// Whether nobody knows because the header is larger than any of ours: that
/// is the sender's doing, and must not be a way around the author's policy.
fn is_unseen(facts: &DmarcFacts) -> bool {
    facts.result == DmarcResult::TempError && facts.flaw == Some(Flaw::TooLarge)
}

/// Whether a failure would have kept the message from its recipient.
fn keeps_back(action: Option<&AuthenticationAction>, request: DmarcRequest) -> bool {
    match action {
        Some(AuthenticationAction::Reject | AuthenticationAction::Hold) => true,
        Some(AuthenticationAction::HonourRecord) => request != DmarcRequest::None,
        _ => false,
    }
}

fn act(action: Option<AuthenticationAction>, by: PolicyRef, means: &Means) -> RuleAnswer {
    let decision = |reason| Decision::new(reason, means.check).by(by);
    RuleAnswer::Decides(match action {
        Some(AuthenticationAction::Reject) => decision(means.reject),
        Some(AuthenticationAction::Hold) => decision(Reason::HoldAuthentication),
        Some(AuthenticationAction::Defer) => {
            decision(Reason::AuthTemporary).with_detail(means.temporary.clone())
        }
        Some(
            AuthenticationAction::NoAction
            | AuthenticationAction::IgnorePermitted
            | AuthenticationAction::HonourRecord,
        )
        | None => return RuleAnswer::NotMine,
    })
}

/// Whether a result that is known says that permits do not count.
pub(crate) fn ignores_permits(
    definition: &DnsAuthenticationDefinition,
    evidence: &Evidence,
) -> bool {
    let dmarc = match evidence.latest(CheckName::Dmarc) {
        Some(Observed::Dmarc(facts)) if is_unseen(facts) => Some(DmarcResult::Fail),
        Some(Observed::Dmarc(facts)) => Some(facts.result),
        _ => None,
    };
    [
        spf_result(evidence).and_then(|result| definition.spf.get(&result)),
        dkim_result(evidence).and_then(|result| definition.dkim.get(&result)),
        dmarc.and_then(|result| definition.dmarc.get(&result)),
    ]
    .into_iter()
    .flatten()
    .any(|action| *action == AuthenticationAction::IgnorePermitted)
}

fn spf_result(evidence: &Evidence) -> Option<SpfResult> {
    match evidence.latest(CheckName::Spf) {
        Some(Observed::Spf(facts)) => Some(facts.result),
        _ => None,
    }
}

/// Nothing where the message was too large to be looked at: what is not
/// known is no failure.
fn dkim_result(evidence: &Evidence) -> Option<DkimResult> {
    match evidence.latest(CheckName::Dkim) {
        Some(Observed::Dkim(facts)) if !facts.is_unseen() => Some(facts.result),
        _ => None,
    }
}

/// At RCPT: an envelope sender of ours, from outside. Where authentication
/// may pass it, a failure of SPF is not yet the end: DKIM may, unless the
/// content stays with a mail server that asks.
pub(crate) fn spoofed_envelope(case: &mut Case<'_>) -> RuleAnswer {
    let Some(guard) = Guard::of(case) else { return RuleAnswer::NotMine };
    let Some(domain) = guard.sender(case) else { return RuleAnswer::NotMine };
    match (guard.passes_authenticated, case.evidence.latest(CheckName::Spf)) {
        (false, _) => guard.refuses(Reason::SpoofingEnvelope),
        // For the record, and for the end of the data.
        (true, None) => RuleAnswer::Needs(Need::Spf),
        (true, Some(_)) if case.proof_follows() => RuleAnswer::NotMine,
        (true, Some(_)) => match proof(case.evidence, &domain) {
            Proof::Missing => guard.refuses(Reason::SpoofingEnvelope),
            proof => guard.given(proof),
        },
    }
}

/// At end of data: an envelope sender or an author of ours that nothing has
/// proved, or authors whom nobody has looked at.
pub(crate) fn spoofed(case: &mut Case<'_>) -> RuleAnswer {
    match Guard::of(case) {
        Some(guard) => match guard.claimed(case) {
            RuleAnswer::NotMine => unseen(case, Some(guard.by)),
            answer => answer,
        },
        None if case.stored_policy(PolicyType::AntiSpoofing).is_some() => RuleAnswer::NotMine,
        None => unseen(case, None),
    }
}

/// Any of them may be ours, or somebody whose domain would have the message
/// refused: it waits for somebody to look. Honest mail has no such header.
fn unseen(case: &Case<'_>, by: Option<PolicyRef>) -> RuleAnswer {
    if !case.who.header_from.iter().any(|author| UnseenAuthors::of(author).is_some()) {
        return RuleAnswer::NotMine;
    }
    let decision = Decision::new(Reason::HoldAuthentication, CheckName::Spoofing);
    RuleAnswer::Decides(match by {
        Some(by) => decision.by(by),
        None => decision,
    })
}

/// The Anti-Spoofing policy that applies, unless it takes no action.
struct Guard<'a> {
    by: PolicyRef,
    scope: &'a Scope,
    basis: AddressBasis,
    passes_authenticated: bool,
}

impl<'a> Guard<'a> {
    fn of(case: &mut Case<'a>) -> Option<Self> {
        let compiled = case.stored_policy(PolicyType::AntiSpoofing)?.compiled;
        let PolicyOption::AntiSpoofing(option) = &compiled.policy.option else { return None };
        let passes_authenticated = match option {
            AntiSpoofingOption::NoAction => return None,
            AntiSpoofingOption::Apply => false,
            AntiSpoofingOption::PassWhenAuthenticated => true,
        };
        Some(Guard {
            by: compiled.reference,
            scope: &compiled.policy.from,
            basis: compiled.policy.based_on,
            passes_authenticated,
        })
    }

    fn refuses(&self, reason: Reason) -> RuleAnswer {
        RuleAnswer::Decides(Decision::new(reason, CheckName::Spoofing).by(self.by))
    }

    /// What follows from who is claimed to have written the message.
    fn claimed(&self, case: &Case<'_>) -> RuleAnswer {
        let sender = self.sender(case).map(|domain| (Reason::SpoofingEnvelope, domain));
        let authors = self.authors(case).into_iter().map(|domain| (Reason::SpoofingHeader, domain));
        let claimed: Vec<(Reason, String)> = sender.into_iter().chain(authors).collect();
        if !claimed.is_empty() && self.passes_authenticated {
            // Of an author, SPF was perhaps not asked at RCPT by anybody else.
            for (check, need) in
                [(CheckName::Spf, Need::Spf), (CheckName::Dkim, Need::Authentication)]
            {
                if case.evidence.latest(check).is_none() {
                    return RuleAnswer::Needs(need);
                }
            }
        }
        let mut weakest = Proof::Given;
        for (reason, domain) in claimed {
            match self.passes_authenticated.then(|| proof(case.evidence, &domain)) {
                Some(Proof::Missing) | None => return self.refuses(reason),
                Some(proof) => weakest = weakest.min(proof),
            }
        }
        self.given(weakest)
    }

    /// What follows from a proof that is not missing.
    fn given(&self, proof: Proof) -> RuleAnswer {
        let decides = |reason| Decision::new(reason, CheckName::Spoofing).by(self.by);
        RuleAnswer::Decides(match proof {
            // Our own records could not be read: nobody is refused for that.
            Proof::Open => decides(Reason::AuthTemporary).with_detail(LATER),
            Proof::Unseen => decides(Reason::HoldAuthentication),
            Proof::Given | Proof::Missing => return RuleAnswer::NotMine,
        })
    }

    /// The domain of the envelope sender, if the policy is about it.
    fn sender(&self, case: &Case<'_>) -> Option<String> {
        let address = case.who.reverse_path.and_then(|path| path.address())?;
        let meant = self.basis != AddressBasis::Header && self.covers(case, address);
        meant.then(|| address.domain_key().to_owned())
    }

    /// The domains of the authors that the policy is about.
    fn authors(&self, case: &Case<'_>) -> Vec<String> {
        if self.basis == AddressBasis::Envelope {
            return Vec::new();
        }
        let authors = case.who.header_from.iter().filter_map(|one| one.parse().ok());
        authors
            .filter(|address: &EmailAddress| self.covers(case, address))
            .map(|address| address.domain_key().to_owned())
            .collect()
    }

    /// Whether one address lies in what the policy is about. The policy was
    /// selected because one of them does; the others may be anybody's.
    fn covers(&self, case: &Case<'_>, address: &EmailAddress) -> bool {
        let domain = address.domain_key();
        match self.scope {
            Scope::Domain(pattern) if pattern.below => {
                is_within(domain, pattern.domain.as_str()) && domain != pattern.domain.as_str()
            }
            Scope::Domain(pattern) => domain == pattern.domain.as_str(),
            Scope::Address(known) => known.key() == address.key(),
            Scope::External => false,
            Scope::Internal | Scope::Everyone | Scope::Group(_) | Scope::Attribute(_) => {
                case.set.is_internal(domain)
            }
        }
    }
}
