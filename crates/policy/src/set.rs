//! The compiled policy set: immutable parts behind `Arc`, so that a change
//! makes a new set at the cost of the part that changed.

use std::sync::Arc;

use types::definition::ListQuestion;
use types::evidence::{Consulted, Evidence, Parties};
use types::policy::BasePolicies;
use types::{Domain, ForwardPath, Stage, Timestamp};

use crate::decide;
use crate::index::PolicyIndex;
use crate::objects::{PolicyObjects, SenderChange};
use crate::ruling::Ruling;
use crate::senders::SenderIndex;
use crate::validate::{self, CompileError, Problem};

/// One version of everything that decides: immutable, cheap to clone, shared
/// between threads. The caller swaps it for the next one atomically.
#[derive(Clone, Debug)]
pub struct PolicySet {
    version: u64,
    base: Arc<BasePolicies>,
    policies: Arc<PolicyIndex>,
    senders: SenderIndex,
}

impl PolicySet {
    /// Compiles a version of the policy set. With a million managed senders
    /// this takes about a second, so it is done off the hot path.
    ///
    /// # Errors
    ///
    /// All that [`validate`](crate::validate()) reports, and every object
    /// without a number.
    pub fn compile(
        version: u64,
        objects: PolicyObjects,
        base: &BasePolicies,
    ) -> Result<PolicySet, CompileError> {
        refuse(problems(&objects, base))?;
        Ok(PolicySet::compiled(version, objects, base))
    }

    /// Compiles what can be compiled, and says what was left out and why.
    ///
    /// For a stored set, whose objects were right when they were stored: a
    /// domain that has become one of ours since makes an old permit for it
    /// wrong, and that must neither let forged mail in nor keep the gateway
    /// from starting.
    pub fn compile_fitting(
        version: u64,
        mut objects: PolicyObjects,
        base: &BasePolicies,
    ) -> (PolicySet, Vec<Problem>) {
        let left_out = fit(&mut objects, base);
        (PolicySet::compiled(version, objects, base), left_out)
    }

    /// Compiles objects in which nothing is wrong.
    fn compiled(version: u64, objects: PolicyObjects, base: &BasePolicies) -> PolicySet {
        let senders = SenderIndex::compile(&objects.managed_senders);
        PolicySet {
            version,
            base: Arc::new(base.clone()),
            policies: Arc::new(PolicyIndex::compile(objects, base)),
            senders,
        }
    }

    /// The next version with other policies, groups and definitions and the
    /// managed senders of this one, which are shared, not copied; those of
    /// `objects` are not looked at.
    ///
    /// # Errors
    ///
    /// As [`PolicySet::compile`].
    pub fn with_policies(
        &self,
        version: u64,
        objects: PolicyObjects,
    ) -> Result<PolicySet, CompileError> {
        let objects = PolicyObjects { managed_senders: Vec::new(), ..objects };
        refuse(problems(&objects, &self.base))?;
        let index = PolicyIndex::compile(objects, &self.base);
        Ok(PolicySet { version, policies: Arc::new(index), ..self.clone() })
    }

    /// As [`PolicySet::with_policies`], of what can be compiled: for sets that
    /// are only asked about. Says what was left out and why.
    pub fn with_fitting(
        &self,
        version: u64,
        mut objects: PolicyObjects,
    ) -> (PolicySet, Vec<Problem>) {
        objects.managed_senders = Vec::new();
        let left_out = fit(&mut objects, &self.base);
        let index = PolicyIndex::compile(objects, &self.base);
        (PolicySet { version, policies: Arc::new(index), ..self.clone() }, left_out)
    }

    /// The next version with some managed senders added, replaced or
    /// removed, at the cost of the changes since the last compilation; every
    /// few thousand changes the list is compiled anew.
    ///
    /// # Errors
    ///
    /// An entry without a number, or a permit for an own domain.
    pub fn with_senders(
        &self,
        version: u64,
        changes: &[SenderChange],
    ) -> Result<PolicySet, CompileError> {
        refuse(validate::change_problems(changes, &self.base))?;
        Ok(PolicySet { version, senders: self.senders.changed(changes), ..self.clone() })
    }

    /// The version it was compiled as.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether mail for this domain is ours to take; `domain_key` is in the
    /// comparable form of [`types::EmailAddress::domain_key`].
    pub fn is_internal(&self, domain_key: &str) -> bool {
        self.policies.is_internal(domain_key)
    }

    /// Whether any policy looks at the client's host name, which costs
    /// whoever asks for it several DNS queries.
    pub fn names_hosts(&self) -> bool {
        self.policies.names_hosts()
    }

    /// Whether any policy valid at `at`, observing ones included, looks at
    /// SPF, DKIM or DMARC; without one, nothing is asked and no results are
    /// written.
    pub fn authenticates(&self, at: Timestamp) -> bool {
        self.policies.authenticates(at)
    }

    /// Whether the list of a recipient looks at SPF, DKIM or DMARC at `at`,
    /// whatever policies do: it has entries for the domain of a signature, or
    /// that count for authenticated mail alone. Known once there is a recipient.
    pub fn list_authenticates(&self, at: Timestamp, recipient: &ForwardPath) -> bool {
        recipient.address().is_some_and(|address| {
            let list = self.senders.list(address.key());
            list.names_signatures(at) || list.wants_proof(at)
        })
    }

    /// Whether any policy, observing ones included, looks at where a client
    /// is.
    pub fn asks_places(&self) -> bool {
        self.policies.asks_places()
    }

    /// Whether any policy, observing ones included, looks at the number of the
    /// autonomous system a client is in.
    pub fn asks_systems(&self) -> bool {
        self.policies.asks_systems()
    }

    /// Whether any policy valid at `at`, observing ones included, looks at
    /// SPF, which is begun at MAIL.
    pub fn asks_spf(&self, at: Timestamp) -> bool {
        self.policies.asks_spf(at)
    }

    /// Whether any policy, observing ones included, wants mail encrypted,
    /// which is decided at MAIL.
    pub fn secures_receipt(&self) -> bool {
        self.policies.secures_receipt()
    }

    /// Whether any policy, observing ones included, takes mail only from
    /// clients whose certificate is verified: they have to be asked for it.
    pub fn verifies_clients(&self) -> bool {
        self.policies.verifies_clients()
    }

    /// Whether a policy that matches these parties, observing ones included,
    /// takes mail only from clients whose certificate is verified.
    pub fn verifies(&self, at: Timestamp, who: &Parties<'_>) -> bool {
        self.policies.verifies(at, who)
    }

    /// What the policies in force, observing ones included, ask of lists:
    /// those about the client alone can be asked while it is still talking.
    pub fn lists(&self) -> &[ListQuestion] {
        self.policies.lists()
    }

    /// The lists that a definition in force weighs against clients although
    /// the settings permit whoever is on them.
    pub fn weighed_though_permitted(&self) -> Vec<Domain> {
        self.policies.weighed_though_permitted(&self.base.permitted_lists)
    }

    /// What the settings say.
    pub fn base(&self) -> &BasePolicies {
        &self.base
    }

    /// Whether known recipients can decide about a recipient of a domain, in
    /// comparable form: by the settings, or by a policy that is in force for
    /// any of its recipients at any time.
    pub fn is_by_known(&self, domain_key: &str) -> bool {
        self.policies.is_by_known(domain_key)
    }

    /// How many managed senders the set holds, disabled ones included.
    pub fn managed_senders(&self) -> usize {
        self.senders.len()
    }

    /// Octets of memory the compiled managed senders hold.
    pub fn managed_sender_octets(&self) -> usize {
        self.senders.octets()
    }

    /// The largest message these parties may exchange at `at`, in octets:
    /// the smaller of the settings' limit and the policy that applies.
    pub fn size_max_octets(&self, stage: Stage, at: Timestamp, who: &Parties<'_>) -> u64 {
        decide::size_max_octets(self, stage, at, who)
    }

    /// Decides, or says what evidence is missing.
    ///
    /// `at` is when the attempt began ([`types::outcome::Attempt::started`])
    /// at every stage, and [`types::Event::started`] in its event: so a
    /// replay does the arithmetic of the original.
    ///
    /// At [`Stage::Rcpt`] and later it decides on one recipient. From
    /// [`Stage::Data`] on (asked once the final dot is there) the header is
    /// taken as known. Evidence of all stages passed so far is given each
    /// time.
    pub fn decide(
        &self,
        stage: Stage,
        at: Timestamp,
        who: &Parties<'_>,
        evidence: &Evidence,
    ) -> Ruling {
        decide::decide(self, stage, at, who, evidence)
    }

    /// What decides whether a mail that leaves us teaches that its recipient may
    /// answer its sender: `who` are the parties of the mail that leaves. It does
    /// unless what applies takes no action; where no policy does, the settings
    /// are named.
    pub fn learns(&self, at: Timestamp, who: &Parties<'_>) -> Consulted {
        decide::learns(self, at, who)
    }

    /// Which policy of each type applies to these parties at `at`, and which
    /// matched and lost, and why: what a simulator shows. From
    /// [`Stage::Data`] on the authors and signatures count too. Of the
    /// evidence only what sender authentication says is looked at. Types for
    /// which nothing matches are decided by the settings, or not at all.
    pub fn selections(
        &self,
        stage: Stage,
        at: Timestamp,
        who: &Parties<'_>,
        evidence: &Evidence,
    ) -> Vec<Consulted> {
        decide::selections(self, stage, at, who, evidence)
    }

    pub(crate) fn policies(&self) -> &PolicyIndex {
        &self.policies
    }

    pub(crate) fn senders(&self) -> &SenderIndex {
        &self.senders
    }
}

/// Everything that keeps the objects from being compiled.
fn problems(objects: &PolicyObjects, base: &BasePolicies) -> Vec<Problem> {
    let mut problems = validate::missing_numbers(objects);
    problems.extend(validate::unfit(objects, base));
    problems
}

/// Leaves out what cannot be compiled, and says what that was and why.
fn fit(objects: &mut PolicyObjects, base: &BasePolicies) -> Vec<Problem> {
    let mut left_out = Vec::new();
    loop {
        // Again after each round: without a group, policies that name it are
        // wrong too.
        let found = problems(objects, base);
        if found.is_empty() {
            return left_out;
        }
        objects.leave_out(&found);
        left_out.extend(found);
    }
}

fn refuse(problems: Vec<Problem>) -> Result<(), CompileError> {
    if problems.is_empty() { Ok(()) } else { Err(CompileError { problems }) }
}
