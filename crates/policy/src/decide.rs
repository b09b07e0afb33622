//! The walk over the rules of a stage: the first that decides decides, the
//! first that lacks evidence asks for it.

use types::definition::{
    DnsAuthenticationDefinition, GeographicalDefinition, LocalReputation, ReputationDefinition,
};
use types::evidence::{Evidence, Loss, Parties};
use types::policy::{AutoAllowOption, PolicyOption};
use types::{
    CheckName, Decision, DefinitionSet, Direction, Domain, Observed, PolicyType, ReasonKind, Stage,
    Timestamp, Verdict,
};

use crate::entries::{Entries, Entry};
use crate::index::Match;
use crate::precedence::{Opinion, take_learned, take_permits, weigh};
use crate::rules::{self, RuleAnswer};
use crate::ruling::{Permit, Ruling, Step};
use crate::select::{Selection, select};
use crate::set::PolicySet;

/// One question, with what has been worked out for it so far.
pub(crate) struct Case<'a> {
    pub(crate) set: &'a PolicySet,
    pub(crate) at: Timestamp,
    pub(crate) who: &'a Parties<'a>,
    pub(crate) evidence: &'a Evidence,
    stage: Stage,
    /// Whether policies in observe mode take part as if they were on.
    observing: bool,
    matches: Option<Vec<Match<'a>>>,
    /// The recipient's entries, once they were looked for.
    entries: Option<Entries>,
    opinion: Option<Opinion>,
    consulted: Vec<types::Consulted>,
    permit: Option<Permit>,
    /// Whether authentication took the permits out when they were weighed.
    permits_ignored: bool,
    /// The DNS Authentication policy that applies, once it was looked for.
    authentication: Option<Option<Match<'a>>>,
    /// The same for Reputation.
    reputation: Option<Option<Match<'a>>>,
}

/// Decides, or says what is missing; see [`PolicySet::decide`].
pub(crate) fn decide(
    set: &PolicySet,
    stage: Stage,
    at: Timestamp,
    who: &Parties<'_>,
    evidence: &Evidence,
) -> Ruling {
    let mut case = Case::new(set, stage, at, who, evidence);
    let step = case.walk();
    let would = match &step {
        Step::Decided(verdict) if case.is_observed() => case.would_be().filter(|would| {
            let decided = verdict.decision();
            decided.map(|d| (d.reason, d.policy)) != Some((would.reason, would.policy))
        }),
        Step::Decided(_) | Step::Ask(_) => None,
    };
    let permits_ignored = case.permits_ignored;
    Ruling { step, permit: case.permit, permits_ignored, consulted: case.consulted, would }
}

/// The size limit for these parties; see [`PolicySet::size_max_octets`].
pub(crate) fn size_max_octets(
    set: &PolicySet,
    stage: Stage,
    at: Timestamp,
    who: &Parties<'_>,
) -> u64 {
    let nothing = Evidence::new();
    rules::size_limit(&mut Case::new(set, stage, at, who, &nothing)).0
}

/// Which policy of each type applies to these parties; see
/// [`PolicySet::selections`].
pub(crate) fn selections(
    set: &PolicySet,
    stage: Stage,
    at: Timestamp,
    who: &Parties<'_>,
    evidence: &Evidence,
) -> Vec<types::Consulted> {
    let mut case = Case::new(set, stage, at, who, evidence);
    case.opinion();
    // What was weighed has been consulted, and whatever that took; what
    // outbound mail teaches is no question of mail that comes in.
    let elsewhere = [
        PolicyType::PermittedSenders,
        PolicyType::BlockedSenders,
        PolicyType::ManagedSenders,
        PolicyType::AutoAllowCreation,
    ];
    for &kind in PolicyType::ALL {
        if !elsewhere.contains(&kind) && !case.has_consulted(kind) {
            case.policy(kind);
        }
    }
    case.consulted.sort_by_key(|consulted| consulted.kind);
    case.consulted
}

/// What decides whether a mail from one of ours teaches that its recipient may
/// answer; see [`PolicySet::learns`].
pub(crate) fn learns(set: &PolicySet, at: Timestamp, who: &Parties<'_>) -> types::Consulted {
    let nothing = Evidence::new();
    let kind = PolicyType::AutoAllowCreation;
    let mut case = Case::new(set, Stage::Rcpt, at, who, &nothing);
    let mut consulted = select(case.matches(), kind, false).consulted;
    consulted.winner.get_or_insert(types::PolicyRef::Base(kind));
    consulted
}

impl<'a> Case<'a> {
    fn new(
        set: &'a PolicySet,
        stage: Stage,
        at: Timestamp,
        who: &'a Parties<'a>,
        evidence: &'a Evidence,
    ) -> Self {
        Case {
            set,
            at,
            who,
            evidence,
            stage,
            observing: false,
            matches: None,
            entries: None,
            opinion: None,
            consulted: Vec::new(),
            permit: None,
            permits_ignored: false,
            authentication: None,
            reputation: None,
        }
    }

    fn walk(&mut self) -> Step {
        // To take a message and keep it back is weaker than any refusal: what
        // comes later can still refuse it.
        let mut held: Option<Decision> = None;
        let mut rules = rules::rules(self.stage, self.direction()).iter();
        while let Some(rule) = rules.next() {
            match (rule.ask)(self) {
                RuleAnswer::NotMine => {}
                RuleAnswer::Needs(need) => return Step::Ask(need),
                RuleAnswer::Decides(decision) if decision.reason.kind() == ReasonKind::Hold => {
                    held.get_or_insert(decision);
                }
                RuleAnswer::Decides(decision) => {
                    self.permit = self.permit_in_effect();
                    let decision = self.with_next(decision, rules.as_slice());
                    return Step::Decided(Verdict::of(or_held(decision, held)));
                }
            }
        }
        self.permit = self.permit_in_effect();
        Step::Decided(held.map_or(Verdict::Proceed, Verdict::of))
    }

    /// The decision with what the rules after the one that decided would say,
    /// as far as the evidence reaches, and else with what is lacking. What
    /// they consult has not decided anything and is not recorded.
    fn with_next(&mut self, decision: Decision, rest: &[rules::Rule]) -> Decision {
        let recorded = std::mem::take(&mut self.consulted);
        let answer =
            rest.iter().map(|rule| (rule.ask)(self)).find(|answer| *answer != RuleAnswer::NotMine);
        self.consulted = recorded;
        match answer {
            Some(RuleAnswer::Decides(next)) => Decision {
                next: Some(next.reason),
                next_check: Some(next.check),
                next_policy: next.policy,
                ..decision
            },
            Some(RuleAnswer::Needs(need)) => Decision { next_lacks: Some(need), ..decision },
            Some(RuleAnswer::NotMine) | None => decision,
        }
    }

    /// Which way the mail goes: a listener for outbound mail has a finding of
    /// its clients from the start.
    fn direction(&self) -> Direction {
        match self.evidence.latest(CheckName::Outbound) {
            Some(_) => Direction::Outbound,
            None => Direction::Inbound,
        }
    }

    fn has_consulted(&self, kind: PolicyType) -> bool {
        self.consulted.iter().any(|consulted| consulted.kind == kind)
    }

    fn is_observed(&self) -> bool {
        self.consulted.iter().any(|consulted| !consulted.observing.is_empty())
    }

    /// The decision had the policies in observe mode been on. Evidence is
    /// never gathered for their sake, so it can be unknown.
    fn would_be(&self) -> Option<Decision> {
        let mut case = Case::new(self.set, self.stage, self.at, self.who, self.evidence);
        case.observing = true;
        match case.walk() {
            Step::Decided(verdict) => verdict.decision().cloned(),
            Step::Ask(_) => None,
        }
    }

    /// The permit that was in effect, if the senders were looked at and no
    /// block stands.
    fn permit_in_effect(&self) -> Option<Permit> {
        self.opinion.as_ref().filter(|opinion| !opinion.is_blocked()).and_then(Opinion::permit)
    }

    /// Whether the header has been read.
    fn is_header_known(&self) -> bool {
        self.stage >= Stage::Data
    }

    /// Whether the content can still prove the sender: it is not there yet, and
    /// does not stay with a mail server that only asks about the envelope.
    pub(crate) fn proof_follows(&self) -> bool {
        let relay = self.evidence.latest(CheckName::Relay);
        let is_askers = matches!(relay, Some(Observed::Relay { askers: true, .. }));
        !self.is_header_known() && !is_askers
    }

    /// The policy of one type that applies. Where none does, the settings
    /// decide, and are recorded as what did.
    pub(crate) fn policy(&mut self, kind: PolicyType) -> Option<Match<'a>> {
        let observing = self.observing;
        let mut selection = select(self.matches(), kind, observing);
        selection.consulted.winner.get_or_insert(types::PolicyRef::Base(kind));
        self.consulted.push(selection.consulted);
        selection.winner
    }

    /// The policy of a type of which the settings say nothing.
    pub(crate) fn stored_policy(&mut self, kind: PolicyType) -> Option<Match<'a>> {
        let observing = self.observing;
        let selection = select(self.matches(), kind, observing);
        if selection.consulted.winner.is_some() || !selection.consulted.observing.is_empty() {
            self.consulted.push(selection.consulted);
        }
        selection.winner
    }

    /// The policy of a type that counts for proven senders alone. Where the
    /// sender is known not to be one, it is recorded that it lost.
    pub(crate) fn policy_for_proven(
        &mut self,
        kind: PolicyType,
        is_proven: Option<bool>,
    ) -> Option<Match<'a>> {
        let observing = self.observing;
        let mut selection = select(self.matches(), kind, observing);
        let winner = selection.winner.filter(|_| is_proven != Some(false));
        if winner.is_none() {
            selection.lost(Loss::NotAuthenticated);
        }
        let Selection { consulted, .. } = selection;
        let is_something = consulted.winner.is_some() || !consulted.losers.is_empty();
        if is_something || !consulted.observing.is_empty() {
            self.consulted.push(consulted);
        }
        winner
    }

    /// What the DNS Authentication policy that applies says.
    pub(crate) fn authentication(
        &mut self,
    ) -> Option<(&'a DnsAuthenticationDefinition, types::PolicyRef)> {
        let found = match self.authentication {
            Some(found) => found,
            None => self.stored_policy(PolicyType::DnsAuthentication),
        };
        self.authentication = Some(found);
        let compiled = found?.compiled;
        match compiled.definition.as_deref() {
            Some(DefinitionSet::DnsAuthentication(definition)) => {
                Some((definition, compiled.reference))
            }
            _ => None,
        }
    }

    /// The Reputation policy that applies.
    fn reputation_policy(&mut self) -> Option<Match<'a>> {
        let found = match self.reputation {
            Some(found) => found,
            None => self.stored_policy(PolicyType::Reputation),
        };
        self.reputation = Some(found);
        found
    }

    /// What the Reputation policy that applies says.
    pub(crate) fn reputation(&mut self) -> Option<(&'a ReputationDefinition, types::PolicyRef)> {
        let compiled = self.reputation_policy()?.compiled;
        match compiled.definition.as_deref() {
            Some(DefinitionSet::Reputation(definition)) => Some((definition, compiled.reference)),
            _ => None,
        }
    }

    /// What follows from the score of the client, and who says so: the policy
    /// that applies, which may be an exception, else the settings.
    pub(crate) fn local_reputation(&mut self) -> (LocalReputation, types::PolicyRef) {
        let base = (self.set.base().reputation, types::PolicyRef::Base(PolicyType::Reputation));
        match (self.reputation_policy(), self.reputation()) {
            (_, Some((definition, by))) => definition.local.map_or(base, |local| (local, by)),
            (Some(exception), None) => (LocalReputation::OFF, exception.compiled.reference),
            (None, None) => base,
        }
    }

    /// Records the global permitted list that spares the client what
    /// Reputation would have led to.
    pub(crate) fn spared_by_list(&mut self, list: Domain) {
        let kind = PolicyType::Reputation;
        let nothing = || types::Consulted {
            kind,
            winner: None,
            no_action: false,
            losers: Vec::new(),
            observing: Vec::new(),
            permitted_list: None,
        };
        let place = self.consulted.iter().position(|consulted| consulted.kind == kind);
        let mut consulted = place.map_or_else(nothing, |place| self.consulted.remove(place));
        consulted.winner.get_or_insert(types::PolicyRef::Base(kind));
        consulted.permitted_list = Some(list);
        self.consulted.push(consulted);
    }

    /// What the Geographical Restriction policy that applies says.
    pub(crate) fn geography(&mut self) -> Option<(&'a GeographicalDefinition, types::PolicyRef)> {
        let compiled = self.stored_policy(PolicyType::GeographicalRestriction)?.compiled;
        match compiled.definition.as_deref() {
            Some(DefinitionSet::GeographicalRestriction(definition)) => {
                Some((definition, compiled.reference))
            }
            _ => None,
        }
    }

    /// Whether a result of sender authentication takes permits out.
    fn ignores_permits(&mut self) -> bool {
        let evidence = self.evidence;
        let definition = self.authentication();
        definition.is_some_and(|(definition, _)| rules::ignores_permits(definition, evidence))
    }

    /// What policies and entries make of the sender.
    pub(crate) fn opinion(&mut self) -> &Opinion {
        let opinion = match self.opinion.take() {
            Some(opinion) => opinion,
            None => self.form_opinion(),
        };
        self.opinion.insert(opinion)
    }

    fn form_opinion(&mut self) -> Opinion {
        let observing = self.observing;
        let ignores_permits = self.ignores_permits();
        self.permits_ignored = ignores_permits;
        let matches = self.matches();
        let mut permitted = select(matches, PolicyType::PermittedSenders, observing);
        let blocked = select(matches, PolicyType::BlockedSenders, observing);
        let proof_follows = self.proof_follows();
        let entries = self.entries().clone();
        // Where permits do not count, one that may be proved does not either.
        let doubtful = if ignores_permits { Vec::new() } else { entries.doubtful(proof_follows) };
        let Entries { mut counting, unproven, .. } = entries;
        let mut ignored: Vec<_> =
            unproven.iter().map(|one| (one.entry.reference(), Loss::Unproven)).collect();
        if ignores_permits {
            permitted.winner = None;
            permitted.lost(Loss::NotAuthenticated);
            let permits = take_permits(&mut counting).into_iter();
            ignored.extend(permits.map(|entry| (entry, Loss::NotAuthenticated)));
        }
        let learned = self.learned(&mut counting, ignores_permits);
        let mut opinion = weigh(permitted, blocked, &counting, &doubtful, learned);
        opinion.note_ignored(ignored);
        self.consulted.extend(opinion.consulted.iter().cloned());
        opinion
    }

    /// What was learned from outbound mail, as far as an Auto Allow policy
    /// lets it count: that the recipient wrote to the sender, which is permit
    /// enough; and entries of lists that were taken over, which are taken out
    /// where it does not.
    fn learned(&mut self, entries: &mut Vec<Entry>, ignores_permits: bool) -> Option<Permit> {
        let wrote = match self.evidence.latest(CheckName::AutoAllow) {
            Some(Observed::Correspondence(pair)) => pair.covers(self.at),
            _ => false,
        };
        if !wrote && !entries.iter().any(Entry::is_learned) {
            return None;
        }
        let (kind, observing) = (PolicyType::AutoAllow, self.observing);
        let mut selection = select(self.matches(), kind, observing);
        let by = *selection.consulted.winner.get_or_insert(types::PolicyRef::Base(kind));
        let never = PolicyOption::AutoAllow(AutoAllowOption::NoAction);
        let applies = selection.winner.is_none_or(|found| found.compiled.policy.option != never);
        if !applies {
            take_learned(entries);
        }
        if ignores_permits {
            selection.lost(Loss::NotAuthenticated);
        }
        self.consulted.push(selection.consulted);
        (wrote && applies && !ignores_permits).then_some(Permit { by, auto: true })
    }

    fn matches(&mut self) -> &[Match<'a>] {
        let header_known = self.is_header_known();
        let (set, at, who) = (self.set, self.at, self.who);
        self.matches.get_or_insert_with(|| set.policies().matches(at, who, header_known))
    }

    /// The recipient's entries that cover the sender.
    pub(crate) fn entries(&mut self) -> &Entries {
        let header_known = self.is_header_known();
        let (set, at, who, evidence) = (self.set, self.at, self.who, self.evidence);
        self.entries.get_or_insert_with(|| Entries::met(set, at, who, evidence, header_known))
    }
}

/// The decision with a hold as what would have come of it, where nothing
/// behind it would have refused.
fn or_held(decision: Decision, held: Option<Decision>) -> Decision {
    match held {
        Some(held) if decision.next.is_none() => Decision {
            next: Some(held.reason),
            next_check: Some(held.check),
            next_policy: held.policy,
            ..decision
        },
        _ => decision,
    }
}
