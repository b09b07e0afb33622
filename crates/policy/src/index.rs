//! The compiled policies: all that match an attempt are found by a handful
//! of look-ups, however many there are.
//!
//! Each policy stands in one hash table under the numbers of its sender
//! scope, its recipient scope and each of its sources. An attempt lies in a
//! few scopes per side and a few sources, so trying every combination finds
//! exactly the policies whose scope matches, without touching another.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use types::definition::{
    ListQuestion, ListSubject, ListUse, LocalReputation, PermittedList, ReputationDefinition,
};
use types::evidence::Parties;
use types::policy::{
    AddressBasis, BasePolicies, ClientIdentity, Policy, PolicyMode, PolicyOption,
    RecipientValidation, SecureReceiptOption,
};
use types::{DefinitionSet, Domain, PolicyId, PolicyRef, PolicyType, Timestamp};

use crate::definitions::weighed_though_permitted;
use crate::groups::GroupTree;
use crate::hashing::{FastMap, FastSet};
use crate::keys::{Keys, KeysBuilder, Party};
use crate::objects::{PolicyObjects, StoredPolicy};
use crate::patterns::Rank;
use crate::reach::reaches;
use crate::sources::{ANYWHERE, Sources, host_domain};
use crate::spans::Spans;

/// All policies of a set that are not switched off.
#[derive(Debug)]
pub(crate) struct PolicyIndex {
    keys: Keys,
    sources: Sources,
    policies: Vec<Compiled>,
    /// From sender scope, recipient scope and source to places in `policies`.
    table: FastMap<[u32; 3], Vec<u32>>,
    validations: FastMap<Box<str>, RecipientValidation>,
    /// Domains for which known recipients can decide.
    by_known: FastSet<Box<str>>,
    lists: Vec<ListQuestion>,
    authenticates: Spans,
    asks_places: bool,
    asks_systems: bool,
    asks_spf: Spans,
    secures_receipt: bool,
    verifies_clients: bool,
}

/// Definitions by name.
type Definitions = HashMap<String, Arc<DefinitionSet>>;

/// A policy with its name in events.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) policy: Policy,
    pub(crate) reference: PolicyRef,
    /// What the definition says that it refers to.
    pub(crate) definition: Option<Arc<DefinitionSet>>,
    /// The smaller is the older.
    age: (Timestamp, PolicyId),
}

impl Compiled {
    /// The Reputation definition it applies, if it does.
    fn reputation(&self) -> Option<&ReputationDefinition> {
        match self.definition.as_deref() {
            Some(DefinitionSet::Reputation(reputation)) => Some(reputation),
            _ => None,
        }
    }

    fn new(stored: StoredPolicy, definitions: &Definitions) -> Self {
        // A policy without a number is refused before it comes here.
        let id = stored.policy.id.unwrap_or(PolicyId(0));
        Compiled {
            reference: PolicyRef::Policy { id, version: stored.version },
            definition: stored
                .policy
                .option
                .definition()
                .and_then(|name| definitions.get(name))
                .cloned(),
            age: (stored.created, id),
            policy: stored.policy,
        }
    }

    pub(crate) fn is_observed(&self) -> bool {
        self.policy.mode == PolicyMode::Observe
    }

    fn verifies_clients(&self) -> bool {
        self.policy.option == PolicyOption::SecureReceipt(SecureReceiptOption::RequireVerified)
    }
}

/// How a policy stands among those of its type that match: the greater wins.
/// Field order is the order of comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Standing {
    pub(crate) overrides: bool,
    pub(crate) specific: Specificity,
    pub(crate) age: Reverse<(Timestamp, PolicyId)>,
}

/// How precisely a policy names an attempt, comparable across types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Specificity {
    pub(crate) to: Rank,
    pub(crate) from: Rank,
    pub(crate) source: bool,
}

/// A policy whose scope matches an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match<'a> {
    pub(crate) compiled: &'a Compiled,
    pub(crate) standing: Standing,
    /// Whether the envelope sender is what matched, not only an author.
    pub(crate) by_envelope: bool,
}

/// Which of the sender's addresses one look at the index is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Envelope,
    Header,
}

impl PolicyIndex {
    /// Compiles policies that have been validated.
    pub(crate) fn compile(objects: PolicyObjects, base: &BasePolicies) -> Self {
        let PolicyObjects { policies: stored, groups, definitions, .. } = objects;
        let definitions: Definitions = definitions
            .into_iter()
            .map(|definition| (definition.name, Arc::new(definition.set)))
            .collect();
        let mut keys = KeysBuilder::new(&groups, base);
        let mut sources = Sources::default();
        let mut table: FastMap<[u32; 3], Vec<u32>> = FastMap::default();
        let on = stored.into_iter().filter(|stored| stored.policy.mode != PolicyMode::Off);
        let policies: Vec<Compiled> =
            on.map(|stored| Compiled::new(stored, &definitions)).collect();
        for (place, compiled) in (0..).zip(&policies) {
            let policy = &compiled.policy;
            let (from, to) = (keys.number(&policy.from), keys.number(&policy.to));
            let restrictions = restrictions(policy, &mut sources);
            for &source in &restrictions {
                table.entry([from, to, source]).or_default().push(place);
                if policy.bidirectional && from != to {
                    table.entry([to, from, source]).or_default().push(place);
                }
            }
        }
        let validations =
            base.domains.iter().map(|(domain, how)| (domain.as_str().into(), *how)).collect();
        let by_known = validated_by_known(&policies, &GroupTree::new(&groups), base);
        let lists = list_questions(&policies, base);
        let looks = |kind| matches!(kind, PolicyType::DnsAuthentication | PolicyType::AntiSpoofing);
        let authenticates = when(&policies, looks);
        let restricts =
            |set: &DefinitionSet| matches!(set, DefinitionSet::GeographicalRestriction(_));
        let asks_places =
            policies.iter().any(|compiled| compiled.definition.as_deref().is_some_and(restricts));
        let names_systems = |compiled: &Compiled| match compiled.definition.as_deref() {
            Some(DefinitionSet::GeographicalRestriction(places)) => !places.networks.is_empty(),
            _ => false,
        };
        let asks_systems = policies.iter().any(names_systems);
        let asks = |one: &&Compiled| looks(one.policy.kind()) || looks_at_spf(one);
        let asks_spf = Spans::of(policies.iter().filter(asks).map(|one| one.policy.validity));
        let secures = |one: &Compiled| one.policy.kind() == PolicyType::SecureReceipt;
        let secures_receipt = policies.iter().any(secures);
        let verifies_clients = policies.iter().any(Compiled::verifies_clients);
        let keys = keys.finish();
        PolicyIndex {
            keys,
            sources,
            policies,
            table,
            validations,
            by_known,
            lists,
            authenticates,
            asks_places,
            asks_systems,
            asks_spf,
            secures_receipt,
            verifies_clients,
        }
    }

    /// Whether a domain in comparable form is one of ours.
    pub(crate) fn is_internal(&self, domain_key: &str) -> bool {
        self.keys.is_internal(domain_key)
    }

    /// Whether any policy is restricted to hosts by name, or has their names
    /// looked up in lists.
    pub(crate) fn names_hosts(&self) -> bool {
        let by_name = |question: &ListQuestion| question.of == ListSubject::HostName;
        self.sources.names_hosts() || self.lists.iter().any(by_name)
    }

    /// Whether any policy that is valid at `at` looks at sender authentication.
    pub(crate) fn authenticates(&self, at: Timestamp) -> bool {
        self.authenticates.covers(at)
    }

    /// Whether any policy looks at where a client is.
    pub(crate) fn asks_places(&self) -> bool {
        self.asks_places
    }

    /// Whether any policy looks at the autonomous system a client is in.
    pub(crate) fn asks_systems(&self) -> bool {
        self.asks_systems
    }

    /// Whether any policy that is valid at `at` looks at SPF.
    pub(crate) fn asks_spf(&self, at: Timestamp) -> bool {
        self.asks_spf.covers(at)
    }

    /// Whether any policy wants mail encrypted.
    pub(crate) fn secures_receipt(&self) -> bool {
        self.secures_receipt
    }

    /// Whether any policy wants clients verified.
    pub(crate) fn verifies_clients(&self) -> bool {
        self.verifies_clients
    }

    /// Whether a policy that matches these parties at `at` wants the client
    /// verified.
    pub(crate) fn verifies(&self, at: Timestamp, who: &Parties<'_>) -> bool {
        let matches = || self.matches(at, who, false);
        self.verifies_clients && matches().iter().any(|one| one.compiled.verifies_clients())
    }

    /// The lists that any definition weighs although they are permitted.
    pub(crate) fn weighed_though_permitted(&self, permitted: &[PermittedList]) -> Vec<Domain> {
        let definitions = self.policies.iter().filter_map(Compiled::reputation);
        let mut lists: Vec<Domain> =
            definitions.flat_map(|one| weighed_though_permitted(one, permitted)).collect();
        lists.sort_unstable();
        lists.dedup();
        lists
    }

    /// What the policies ask of lists, each once.
    pub(crate) fn lists(&self) -> &[ListQuestion] {
        &self.lists
    }

    /// How the settings validate the recipients of a domain.
    pub(crate) fn validation(&self, domain_key: &str) -> Option<RecipientValidation> {
        self.validations.get(domain_key).copied()
    }

    /// Whether known recipients can decide about a recipient of a domain.
    pub(crate) fn is_by_known(&self, domain_key: &str) -> bool {
        self.by_known.contains(domain_key)
    }

    /// Every policy that matches these parties at `at`, once each; before
    /// there is a recipient, those that apply to everyone.
    pub(crate) fn matches(
        &self,
        at: Timestamp,
        who: &Parties<'_>,
        header_known: bool,
    ) -> Vec<Match<'_>> {
        let mut found = Vec::new();
        if self.table.is_empty() {
            return found;
        }
        let search = Search {
            index: self,
            at,
            host_name: who.host_name,
            to: who.recipient.map_or_else(Keys::of_everyone, |path| self.keys.of(path.into())),
            sources: self.sources.of(who.ip, who.host_name),
        };
        if let Some(path) = who.reverse_path {
            search.run(path.into(), Seen::Envelope, &mut found);
        }
        if header_known {
            for author in authors(who) {
                search.run(author, Seen::Header, &mut found);
            }
        }
        found
    }
}

/// The authors of a message; a message without any has nobody as author.
pub(crate) fn authors<'a>(who: &Parties<'a>) -> impl Iterator<Item = Party<'a>> {
    let nobody = who.header_from.is_empty().then_some(Party::Nobody);
    nobody.into_iter().chain(who.header_from.iter().map(|author| Party::Address(author)))
}

/// When any of the policies of these types is valid.
fn when(policies: &[Compiled], kinds: impl Fn(PolicyType) -> bool) -> Spans {
    let of_kind = policies.iter().filter(|compiled| kinds(compiled.policy.kind()));
    Spans::of(of_kind.map(|compiled| compiled.policy.validity))
}

/// The domains for which known recipients decide: all of it by the settings, or
/// a part by a policy.
fn validated_by_known(
    policies: &[Compiled],
    groups: &GroupTree<'_>,
    base: &BasePolicies,
) -> FastSet<Box<str>> {
    let known = PolicyOption::RecipientValidation(RecipientValidation::Known);
    let says_so = |one: &&Compiled| one.policy.option == known && !one.is_observed();
    let deciding: Vec<&Policy> = policies.iter().filter(says_so).map(|one| &one.policy).collect();
    let is_by_known = |domain: &Domain, how: RecipientValidation| {
        how == RecipientValidation::Known
            || deciding.iter().any(|policy| reaches(policy, groups, domain))
    };
    let domains = base.domains.iter().filter(|(domain, how)| is_by_known(domain, *how));
    domains.map(|(domain, _)| domain.as_str().into()).collect()
}

/// What the definitions of these policies ask of lists, each once.
fn list_questions(policies: &[Compiled], base: &BasePolicies) -> Vec<ListQuestion> {
    let definitions = || policies.iter().filter_map(Compiled::reputation);
    let of_definition = |reputation: &ReputationDefinition| -> Vec<ListQuestion> {
        let question = |asked: &ListUse| ListQuestion { list: asked.list.clone(), of: asked.of };
        reputation.lists.iter().map(question).collect()
    };
    let mut questions: Vec<ListQuestion> = definitions().flat_map(of_definition).collect();
    // Where no definition applies, the settings look at scores.
    let looks = base.reputation != LocalReputation::OFF;
    if looks || definitions().any(|reputation| reputation.global_permitted_list) {
        questions.extend(base.permitted_lists.iter().map(|list| list.question.clone()));
    }
    questions.sort_unstable();
    questions.dedup();
    questions
}

/// Whether a policy can only be applied by who knows what SPF says, beside
/// those about authentication itself.
fn looks_at_spf(one: &Compiled) -> bool {
    match one.policy.option {
        PolicyOption::ExpectedMail(_) => true,
        PolicyOption::Greylisting(option) => option.identity() == Some(ClientIdentity::Pool),
        _ => false,
    }
}

/// The sources a policy stands under: each network; else each host; else
/// none. With both, the host is looked at once the network was found.
fn restrictions(policy: &Policy, sources: &mut Sources) -> Vec<u32> {
    let mut numbers: Vec<u32> =
        policy.source_ips.iter().map(|network| sources.network(*network)).collect();
    if numbers.is_empty() {
        numbers.extend(policy.source_hosts.iter().map(|host| sources.host(host)));
    }
    if numbers.is_empty() {
        numbers.push(ANYWHERE);
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The part of a search that all senders of an attempt share.
struct Search<'a, 'b> {
    index: &'a PolicyIndex,
    at: Timestamp,
    host_name: Option<&'b str>,
    to: Vec<crate::keys::Key>,
    sources: Vec<u32>,
}

impl<'a> Search<'a, '_> {
    fn run(&self, sender: Party<'_>, seen: Seen, found: &mut Vec<Match<'a>>) {
        for from in self.index.keys.of(sender) {
            for to in &self.to {
                for source in &self.sources {
                    let places = self.index.table.get(&[from.number, to.number, *source]);
                    for &place in places.into_iter().flatten() {
                        let ranks = (to.rank, from.rank);
                        self.enter(place, ranks, seen, found);
                    }
                }
            }
        }
    }

    /// Checks what the look-up has not, and keeps the best standing of a
    /// policy that matches in several ways.
    fn enter(&self, place: u32, ranks: (Rank, Rank), seen: Seen, found: &mut Vec<Match<'a>>) {
        let Some(compiled) = self.index.policies.get(place as usize) else { return };
        if !self.applies(&compiled.policy, seen) {
            return;
        }
        let policy = &compiled.policy;
        let standing = Standing {
            overrides: policy.overrides,
            specific: Specificity {
                to: ranks.0,
                from: ranks.1,
                source: !policy.source_ips.is_empty() || !policy.source_hosts.is_empty(),
            },
            age: Reverse(compiled.age),
        };
        let by_envelope = seen == Seen::Envelope;
        match found.iter_mut().find(|other| std::ptr::eq(other.compiled, compiled)) {
            Some(other) => {
                other.standing = other.standing.max(standing);
                other.by_envelope |= by_envelope;
            }
            None => found.push(Match { compiled, standing, by_envelope }),
        }
    }

    fn applies(&self, policy: &Policy, seen: Seen) -> bool {
        let looked_at = match seen {
            Seen::Envelope => policy.based_on != AddressBasis::Header,
            Seen::Header => policy.based_on != AddressBasis::Envelope,
        };
        let both = !policy.source_ips.is_empty() && !policy.source_hosts.is_empty();
        looked_at && policy.validity.covers(self.at) && (!both || self.is_from_host(policy))
    }

    fn is_from_host(&self, policy: &Policy) -> bool {
        self.host_name
            .and_then(host_domain)
            .is_some_and(|name| policy.source_hosts.iter().any(|host| name.is_within(host)))
    }
}
