//! The policy of a domain as a tree, for people: every record it leads to,
//! with what it costs against the limits of RFC 7208 section 4.6.4. It reads
//! as [`super::spf`] reads, and counts what an evaluation costs that no
//! mechanism ends before.

use types::{Domain, Flaw, SpfResult};
use world::{BoxFuture, DnsError, Family, Resolver};

use super::super::names::{is_question, unrooted};
use super::record::{Mechanism, SpfRecord, is_policy};
use super::{NAMES_MAX, TERMS_MAX, VOIDS_MAX, flaw_of};

/// Most records that are followed: far more than any evaluation may.
const RECORDS_MAX: u32 = 40;

/// Most terms that are looked up: a record of 64 KiB has room for ten thousand.
const LOOKED_UP_MAX: u32 = 200;

/// The policy of a domain with all it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfTree {
    /// The domain itself.
    pub root: SpfNode,
    /// Terms that need a look-up, all together.
    pub terms: u32,
    /// Look-ups that found nothing, as far as they do not depend on the mail.
    pub voids: u32,
}

impl SpfTree {
    /// Most terms that need a look-up (RFC 7208 section 4.6.4).
    pub const TERMS_MAX: u32 = TERMS_MAX as u32;
    /// Most look-ups that find nothing (the same).
    pub const VOIDS_MAX: u32 = VOIDS_MAX as u32;
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfNode {
    /// Whose it is.
    pub domain: String,
    /// The record as it is published. The domain wrote it: hostile wherever it
    /// is shown.
    pub record: Option<String>,
    /// Why it does not count, or was not looked at.
    pub problem: Option<SpfProblem>,
    /// Its terms in order.
    pub terms: Vec<SpfTerm>,
}

/// Why a record does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpfProblem {
    /// There is none.
    None,
    /// What an evaluation would find.
    Flaw(Flaw),
    /// It was followed before, or there are too many.
    NotFollowed,
}

/// One term of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfTerm {
    /// As it is written; hostile wherever it is shown.
    pub text: String,
    /// Whether it needs a look-up.
    pub looks_up: bool,
    /// Whether what it looks up depends on the mail, so that it was not.
    pub depends_on_mail: bool,
    /// Why an evaluation ends at it.
    pub flaw: Option<Flaw>,
    /// The record it leads to.
    pub leads_to: Option<SpfNode>,
}

/// Looks up the policy of `domain` with all it leads to.
pub async fn spf_tree(domain: &Domain, resolver: &dyn Resolver) -> SpfTree {
    let mut climb = Climb { resolver, terms: 0, voids: 0, records: 0, path: Vec::new() };
    let root = climb.node(domain.as_str().to_owned()).await;
    SpfTree { root, terms: climb.terms, voids: climb.voids }
}

struct Climb<'a> {
    resolver: &'a dyn Resolver,
    terms: u32,
    voids: u32,
    records: u32,
    /// The domains above, for one that leads to itself.
    path: Vec<String>,
}

impl Climb<'_> {
    fn node(&mut self, domain: String) -> BoxFuture<'_, SpfNode> {
        Box::pin(async move {
            self.records += 1;
            let mut node = SpfNode { domain, record: None, problem: None, terms: Vec::new() };
            if self.path.contains(&node.domain) || self.records > RECORDS_MAX {
                node.problem = Some(SpfProblem::NotFollowed);
                return node;
            }
            match self.record(&node.domain).await {
                Err(problem) => node.problem = Some(problem),
                Ok(text) => {
                    node.record = Some(String::from_utf8_lossy(&text).into_owned());
                    match SpfRecord::parse(&text) {
                        None => node.problem = Some(SpfProblem::Flaw(Flaw::Syntax)),
                        Some(record) => {
                            self.path.push(node.domain.clone());
                            node.terms = self.terms_of(&node.domain, &text, &record).await;
                            self.path.pop();
                        }
                    }
                }
            }
            node
        })
    }

    /// The policy of a domain, as an evaluation would take it.
    async fn record(&self, domain: &str) -> Result<Vec<u8>, SpfProblem> {
        if !is_question(domain) {
            return Err(SpfProblem::None);
        }
        let texts = match self.resolver.texts(domain).await {
            Ok(texts) => texts,
            Err(DnsError::NoSuchName | DnsError::NoRecords) => return Err(SpfProblem::None),
            Err(error) => return Err(SpfProblem::Flaw(flaw_of(error))),
        };
        let mut records = texts.into_iter().filter(|text| is_policy(text));
        match (records.next(), records.next()) {
            (None, _) => Err(SpfProblem::None),
            (Some(text), None) => Ok(text),
            (Some(_), Some(_)) => Err(SpfProblem::Flaw(Flaw::SeveralRecords)),
        }
    }

    async fn terms_of(&mut self, domain: &str, text: &[u8], whole: &SpfRecord) -> Vec<SpfTerm> {
        let is_all = |(_, one): &(SpfResult, Mechanism)| *one == Mechanism::All;
        // RFC 7208 section 6.1: `redirect` is not looked at where `all` is.
        let ends = whole.directives.iter().any(is_all);
        let text = String::from_utf8_lossy(text.get(6..).unwrap_or_default()).into_owned();
        let mut terms = Vec::new();
        for term in text.split(' ').filter(|term| !term.is_empty()) {
            terms.push(self.term(domain, term, ends).await);
        }
        terms
    }

    /// One term, read alone as the whole record is read.
    async fn term(&mut self, domain: &str, text: &str, ends: bool) -> SpfTerm {
        let alone = SpfRecord::parse(format!("v=spf1 {text}").as_bytes()).unwrap_or_default();
        let mut term = SpfTerm {
            text: text.to_owned(),
            looks_up: false,
            depends_on_mail: false,
            flaw: None,
            leads_to: None,
        };
        let target = match (alone.directives.first(), &alone.redirect) {
            (None, Some(target)) if !ends => Target::Record(target.literal()),
            (Some((_, Mechanism::Include(target))), _) => Target::Record(target.literal()),
            (Some((_, Mechanism::A(target, _))), _) => Target::Host(literal_or(target, domain)),
            (Some((_, Mechanism::Mx(target, _))), _) => {
                Target::Exchangers(literal_or(target, domain))
            }
            (Some((_, Mechanism::Exists(target))), _) => Target::Exists(target.literal()),
            (Some((_, Mechanism::Ptr(_))), _) => Target::Client,
            _ => return term,
        };
        self.terms += 1;
        term.looks_up = true;
        if self.terms > LOOKED_UP_MAX {
            term.flaw = Some(Flaw::TooMany);
            return term;
        }
        match target {
            Target::Record(Some(name)) => {
                let node = self.node(unrooted(&name).to_lowercase()).await;
                if node.problem == Some(SpfProblem::None) {
                    term.flaw = Some(Flaw::NoTarget);
                }
                term.leads_to = Some(node);
            }
            Target::Host(Some(name)) => self.look(&[Family::V4, Family::V6], &name).await,
            // RFC 7208 section 5.7: A records, whatever the client is.
            Target::Exists(Some(name)) => self.look(&[Family::V4], &name).await,
            Target::Exchangers(Some(name)) => term.flaw = self.exchangers(&name).await,
            Target::Record(None)
            | Target::Host(None)
            | Target::Exists(None)
            | Target::Exchangers(None)
            | Target::Client => term.depends_on_mail = true,
        }
        term
    }

    /// Counts a void look-up where a name has nothing in any of these
    /// families: a client has one of them.
    async fn look(&mut self, families: &[Family], name: &str) {
        let mut finds = false;
        for family in families {
            let found = self.resolver.addresses_in(*family, unrooted(name)).await;
            let is_void = matches!(found, Err(DnsError::NoSuchName | DnsError::NoRecords));
            finds |= !is_void;
        }
        self.voids += u32::from(!finds);
    }

    async fn exchangers(&mut self, name: &str) -> Option<Flaw> {
        match self.resolver.exchangers(unrooted(name)).await {
            Ok(hosts) => (hosts.len() > NAMES_MAX).then_some(Flaw::TooManyExchangers),
            Err(DnsError::NoSuchName | DnsError::NoRecords) => {
                self.voids += 1;
                None
            }
            Err(error) => Some(flaw_of(error)),
        }
    }
}

/// What a term looks up; nothing inside where that depends on the mail.
enum Target {
    Record(Option<String>),
    Host(Option<String>),
    Exists(Option<String>),
    Exchangers(Option<String>),
    Client,
}

fn literal_or(target: &Option<super::macros::MacroText>, domain: &str) -> Option<String> {
    match target {
        Some(target) => target.literal(),
        None => Some(domain.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use world::simulated::SimulatedResolver;

    use super::*;

    fn names(records: &[(&str, &str)]) -> SimulatedResolver {
        let names = SimulatedResolver::new();
        for (name, record) in records {
            names.add_text(name, record);
        }
        names
    }

    async fn tree(names: &SimulatedResolver) -> SpfTree {
        spf_tree(&"corp.example".parse().unwrap(), names).await
    }

    #[tokio::test]
    async fn records_are_followed_and_what_they_cost_is_counted() {
        let names = names(&[
            ("corp.example", "v=spf1 a mx include:_spf.host.example exists:%{i}.x.example -all"),
            ("_spf.host.example", "v=spf1 ip4:192.0.2.0/24 include:more.host.example ~all"),
            ("more.host.example", "v=spf1 ip6:2001:db8::/32 a:gone.example -all"),
        ]);
        names.set_addresses("corp.example", Ok(vec!["192.0.2.1".parse().unwrap()]));
        let tree = tree(&names).await;
        assert_eq!((tree.terms, tree.voids), (6, 2), "no exchanger, and a name that is gone");
        let terms: Vec<(&str, bool, bool)> = tree
            .root
            .terms
            .iter()
            .map(|term| (term.text.as_str(), term.looks_up, term.depends_on_mail))
            .collect();
        assert_eq!(
            terms,
            [
                ("a", true, false),
                ("mx", true, false),
                ("include:_spf.host.example", true, false),
                ("exists:%{i}.x.example", true, true),
                ("-all", false, false),
            ]
        );
        let host = tree.root.terms[2].leads_to.as_ref().unwrap();
        let more = host.terms[1].leads_to.as_ref().unwrap();
        assert_eq!(
            (host.domain.as_str(), more.domain.as_str()),
            ("_spf.host.example", "more.host.example")
        );
        assert_eq!(more.problem, None);
    }

    #[tokio::test]
    async fn what_ends_an_evaluation_is_named_where_it_stands() {
        let names = names(&[
            (
                "corp.example",
                "v=spf1 include:none.example include:bad.example redirect=corp.example",
            ),
            ("bad.example", "v=spf1 ip4:nonsense -all"),
        ]);
        let tree = tree(&names).await;
        let [none, bad, round] = tree.root.terms.as_slice() else { panic!("{tree:?}") };
        assert_eq!(none.flaw, Some(Flaw::NoTarget));
        let problem = |term: &SpfTerm| term.leads_to.as_ref().unwrap().problem;
        assert_eq!(problem(bad), Some(SpfProblem::Flaw(Flaw::Syntax)));
        assert_eq!(problem(round), Some(SpfProblem::NotFollowed));
        assert_eq!(tree.terms, 3);
    }

    #[tokio::test]
    async fn a_redirect_beside_all_is_not_looked_at_and_a_flood_ends() {
        let one = names(&[("corp.example", "v=spf1 -all redirect=x.example")]);
        assert_eq!(tree(&one).await.terms, 0);
        let many = names(&[]);
        let all = |from: usize| {
            let terms: Vec<String> =
                (0..9).map(|n| format!("include:n{}.example", from * 9 + n)).collect();
            format!("v=spf1 {} -all", terms.join(" "))
        };
        many.add_text("corp.example", &all(1));
        (0..500).for_each(|n| many.add_text(&format!("n{n}.example"), &all(n + 2)));
        assert!(tree(&many).await.terms < 9 * 41 + 9);
        assert_eq!(tree(&names(&[])).await.root.problem, Some(SpfProblem::None));
        let long = format!("v=spf1{} -all", " a:x.example".repeat(1_000));
        let long = tree(&names(&[("corp.example", &long)])).await;
        assert_eq!((long.terms, long.voids), (1_000, LOOKED_UP_MAX));
    }
}
