//! SPF: the function `check_host` (RFC 7208 section 4) over our own
//! resolver. All of it is ours, because its limits are what protects us (ten
//! terms that need a look-up, two look-ups that find nothing, ten mail
//! exchangers, ten names), and because mail-auth takes many a record that
//! breaks the grammar.

mod macros;
mod record;
mod tree;

use std::net::IpAddr;
use std::sync::OnceLock;

use types::authentication::EXPLANATION_CHARS_MAX;
use types::{Flaw, ReversePath, SpfFacts, SpfIdentity, SpfResult, Timestamp};
use world::{BoxFuture, DnsError, Family, Resolver};

use super::names::{is_question, shortened, unrooted};
use macros::{Letters, MacroText, Place};
use record::{Mechanism, Prefixes, SpfRecord, is_policy};
pub use tree::{SpfNode, SpfProblem, SpfTerm, SpfTree, spf_tree};

/// Most terms that need a look-up (RFC 7208 section 4.6.4).
const TERMS_MAX: u8 = 10;
/// Most look-ups of terms that find nothing (the same).
const VOIDS_MAX: u8 = 2;
/// Most mail exchangers of one `mx`, and most names of `ptr` (the same).
const NAMES_MAX: usize = 10;
/// What `%{p}` stands for where no name is confirmed (section 7.3).
const NO_NAME: &str = "unknown";

/// Whom SPF is asked about.
#[derive(Clone, Debug)]
pub struct SpfQuestion {
    /// The client.
    pub ip: IpAddr,
    /// The argument of EHLO; empty if there was none.
    pub helo: String,
    /// MAIL FROM, its domain in comparable form; empty if it is null.
    pub sender: String,
    /// Our own host name, for explanations.
    pub host_name: String,
    /// Now, in seconds since 1970; for explanations too.
    pub now_s: u64,
}

impl SpfQuestion {
    /// What is asked about a transaction.
    pub fn about(
        ip: IpAddr,
        helo: Option<&str>,
        reverse_path: &ReversePath,
        host_name: &str,
        at: Timestamp,
    ) -> Self {
        let sender = match reverse_path {
            ReversePath::Address(address) => {
                format!("{}@{}", address.local(), address.domain_key())
            }
            ReversePath::Null => String::new(),
        };
        let helo = helo.unwrap_or_default().to_owned();
        let now_s = u64::try_from(at.as_millis() / 1_000).unwrap_or(0);
        SpfQuestion { ip, helo, sender, host_name: host_name.to_owned(), now_s }
    }

    /// What is known before anything is asked: the domain of MAIL FROM, or
    /// the argument of EHLO where the reverse-path is null (RFC 7208 section
    /// 2.4).
    pub fn unanswered(&self) -> SpfFacts {
        let (identity, domain) = match self.sender.rsplit_once('@') {
            Some((_, domain)) => (SpfIdentity::MailFrom, domain),
            None => (SpfIdentity::Helo, unrooted(&self.helo)),
        };
        let domain: String = domain.chars().take(DOMAIN_CHARS_MAX).collect();
        SpfFacts {
            identity,
            domain: domain.to_lowercase(),
            ip: self.ip,
            result: SpfResult::None,
            flaw: None,
            questions: 0,
            explanation: None,
        }
    }

    /// `<sender>` of RFC 7208: with `postmaster` where there is no local
    /// part (section 4.3).
    fn spoken_for(&self) -> String {
        match self.sender.rsplit_once('@') {
            Some(("", domain)) => format!("postmaster@{domain}"),
            Some(_) => self.sender.clone(),
            None => format!("postmaster@{}", self.helo),
        }
    }
}

/// Longest domain kept, in characters.
const DOMAIN_CHARS_MAX: usize = 255;

/// Asks SPF: the function `check_host` of RFC 7208 section 4. The caller
/// bounds the time.
pub async fn spf(question: &SpfQuestion, resolver: &dyn Resolver) -> SpfFacts {
    spf_heard(question, resolver, &OnceLock::new()).await
}

/// The same; a refusal is `heard` before its explanation is asked for.
pub(crate) async fn spf_heard(
    question: &SpfQuestion,
    resolver: &dyn Resolver,
    heard: &OnceLock<SpfFacts>,
) -> SpfFacts {
    let facts = question.unanswered();
    // A name that cannot be one of a mail domain has no policy (RFC 7208
    // section 4.3): no dot, an empty label, an address.
    if !facts.domain.contains('.') || !is_question(&facts.domain) {
        return facts;
    }
    let sender = question.spoken_for();
    let mut walk = Walk {
        question,
        ip: question.ip.to_canonical(),
        sender: &sender,
        resolver,
        terms: 0,
        voids: 0,
        questions: 0,
        validated: None,
    };
    let judged = match walk.record(&facts.domain).await {
        Ok(Some(record)) => walk.judge(facts.domain.clone(), record).await,
        Ok(None) => Ok(Judged::plain(SpfResult::None)),
        Err(problem) => Err(problem),
    };
    let (result, flaw, explanation) = match judged {
        Ok(Judged { result, explain }) => {
            let explanation = match explain.filter(|_| result == SpfResult::Fail) {
                Some((text, domain)) => {
                    let (flaw, questions) = (Some(Flaw::Unexplained), walk.questions);
                    let _ = heard.set(SpfFacts { result, flaw, questions, ..facts.clone() });
                    walk.explanation(&text, &domain).await
                }
                None => None,
            };
            (result, None, explanation)
        }
        Err(Problem::Temporary(flaw)) => (SpfResult::TempError, Some(flaw), None),
        Err(Problem::Permanent(flaw)) => (SpfResult::PermError, Some(flaw), None),
    };
    SpfFacts { result, flaw, questions: walk.questions, explanation, ..facts }
}

/// Why an evaluation ends without an answer.
#[derive(Clone, Copy, Debug)]
enum Problem {
    Temporary(Flaw),
    Permanent(Flaw),
}

const fn permanent<T>(flaw: Flaw) -> Result<T, Problem> {
    Err(Problem::Permanent(flaw))
}

/// The answer of one record, with the macro that explains a refusal and the
/// domain it is expanded for.
struct Judged {
    result: SpfResult,
    explain: Option<(MacroText, String)>,
}

impl Judged {
    fn plain(result: SpfResult) -> Self {
        Judged { result, explain: None }
    }
}

/// One evaluation, with what it has cost so far.
struct Walk<'a> {
    question: &'a SpfQuestion,
    /// The client, an IPv4 address as such however it was written (RFC 7208
    /// section 5).
    ip: IpAddr,
    /// `<sender>` of RFC 7208.
    sender: &'a str,
    resolver: &'a dyn Resolver,
    terms: u8,
    voids: u8,
    questions: u16,
    /// What `%{p}` stands for, once it was asked for.
    validated: Option<String>,
}

impl Walk<'_> {
    /// Judges by `record` and those it redirects to.
    fn judge(
        &mut self,
        mut domain: String,
        mut record: SpfRecord,
    ) -> BoxFuture<'_, Result<Judged, Problem>> {
        Box::pin(async move {
            loop {
                for (result, mechanism) in &record.directives {
                    if self.matches(mechanism, &domain).await? {
                        let explain = record.exp.map(|exp| (exp, domain));
                        return Ok(Judged { result: *result, explain });
                    }
                }
                let Some(redirect) = &record.redirect else {
                    return Ok(Judged::plain(SpfResult::Neutral));
                };
                self.term()?;
                domain = self.name(Some(redirect), &domain).await;
                record = self.target(&domain).await?;
            }
        })
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Problem> {
        let ip = self.ip;
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Network(network, prefixes) => Ok(prefixes.agree(ip, *network)),
            Mechanism::Include(target) => {
                self.term()?;
                let target = self.name(Some(target), domain).await;
                let record = self.target(&target).await?;
                // RFC 7208 section 5.2: only a pass of the other matches.
                Ok(self.judge(target, record).await?.result == SpfResult::Pass)
            }
            Mechanism::A(host, prefixes) => {
                self.term()?;
                let host = self.name(host.as_ref(), domain).await;
                let found = self.addresses(Family::of(ip), &host).await?;
                Ok(found.into_iter().any(|one| prefixes.agree(ip, one)))
            }
            Mechanism::Mx(target, prefixes) => {
                self.term()?;
                let target = self.name(target.as_ref(), domain).await;
                self.exchanged(&target, *prefixes).await
            }
            Mechanism::Ptr(target) => {
                self.term()?;
                let target = self.name(target.as_ref(), domain).await;
                let names = self.confirmed_names().await?;
                Ok(names.iter().any(|name| types::authentication::is_within(name, &target)))
            }
            Mechanism::Exists(host) => {
                self.term()?;
                let host = self.name(Some(host), domain).await;
                // RFC 7208 section 5.7: A records, whatever the client is.
                Ok(!self.addresses(Family::V4, &host).await?.is_empty())
            }
        }
    }

    /// Whether a mail exchanger of `target` has the client's address.
    async fn exchanged(&mut self, target: &str, prefixes: Prefixes) -> Result<bool, Problem> {
        let ip = self.ip;
        let answer = match is_question(target) {
            true => {
                self.questions += 1;
                self.resolver.exchangers(target).await
            }
            false => Err(DnsError::NoSuchName),
        };
        let hosts = match answer {
            Ok(hosts) => hosts,
            Err(error) => self.nothing(error).map(|()| Vec::new())?,
        };
        if hosts.len() > NAMES_MAX {
            return permanent(Flaw::TooManyExchangers);
        }
        for host in hosts {
            let found = self.addresses(Family::of(ip), unrooted(&host)).await?;
            if found.into_iter().any(|one| prefixes.agree(ip, one)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The names of the client that lead back to it, among the first ten.
    /// What DNS cannot say matches nothing (RFC 7208 section 5.5).
    async fn confirmed_names(&mut self) -> Result<Vec<String>, Problem> {
        let ip = self.ip;
        self.questions += 1;
        let names = match self.resolver.reverse(ip).await {
            Ok(names) => names,
            Err(error) if error.is_temporary() => return Ok(Vec::new()),
            Err(error) => self.nothing(error).map(|()| Vec::new())?,
        };
        let mut confirmed = Vec::new();
        for name in names.into_iter().take(NAMES_MAX) {
            self.questions += 1;
            let found = self.resolver.addresses_in(Family::of(ip), name.as_str()).await;
            if found.is_ok_and(|found| found.contains(&ip)) {
                confirmed.push(name.as_str().to_owned());
            }
        }
        Ok(confirmed)
    }

    /// Counts a term that needs a look-up.
    fn term(&mut self) -> Result<(), Problem> {
        self.terms += 1;
        if self.terms > TERMS_MAX { permanent(Flaw::TooManyTerms) } else { Ok(()) }
    }

    /// A question that found nothing: counted if the name system says so,
    /// the end if it says nothing.
    fn nothing(&mut self, error: DnsError) -> Result<(), Problem> {
        match error {
            DnsError::NoSuchName | DnsError::NoRecords => {
                self.voids += 1;
                if self.voids > VOIDS_MAX { permanent(Flaw::TooManyVoids) } else { Ok(()) }
            }
            other => Err(Problem::Temporary(flaw_of(other))),
        }
    }

    async fn addresses(&mut self, family: Family, host: &str) -> Result<Vec<IpAddr>, Problem> {
        if !is_question(host) {
            return self.nothing(DnsError::NoSuchName).map(|()| Vec::new());
        }
        self.questions += 1;
        match self.resolver.addresses_in(family, host).await {
            Ok(found) => Ok(found),
            Err(error) => self.nothing(error).map(|()| Vec::new()),
        }
    }

    /// The policy of a domain; nothing if it has none.
    async fn record(&mut self, domain: &str) -> Result<Option<SpfRecord>, Problem> {
        if !is_question(domain) {
            return Ok(None);
        }
        self.questions += 1;
        let texts = match self.resolver.texts(domain).await {
            Ok(texts) => texts,
            Err(DnsError::NoSuchName | DnsError::NoRecords) => return Ok(None),
            Err(error) => return Err(Problem::Temporary(flaw_of(error))),
        };
        let mut records = texts.iter().filter(|text| is_policy(text));
        match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => permanent(Flaw::SeveralRecords),
            (Some(text), None) => match SpfRecord::parse(text) {
                Some(record) => Ok(Some(record)),
                None => permanent(Flaw::Syntax),
            },
        }
    }

    /// The policy that an `include` or `redirect` leads to.
    async fn target(&mut self, domain: &str) -> Result<SpfRecord, Problem> {
        match self.record(domain).await? {
            Some(record) => Ok(record),
            None => permanent(Flaw::NoTarget),
        }
    }

    /// What the domain says to those it refuses; nothing if it says nothing
    /// or nothing that can be read.
    async fn explanation(&mut self, target: &MacroText, domain: &str) -> Option<String> {
        let name = self.name(Some(target), domain).await;
        if !is_question(&name) {
            return None;
        }
        self.questions += 1;
        let texts = self.resolver.texts(&name).await.ok()?;
        let [text] = texts.as_slice() else { return None };
        let text = MacroText::parse(std::str::from_utf8(text).ok()?, Place::Explanation)?;
        let spoken = self.expand(&text, Place::Explanation, domain).await;
        let printable = spoken.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
        let cut: String = printable.take(EXPLANATION_CHARS_MAX).collect();
        (!cut.is_empty()).then_some(cut)
    }

    /// The name that a term means, `domain` where it says nothing.
    async fn name(&mut self, term: Option<&MacroText>, domain: &str) -> String {
        match term {
            Some(term) => {
                let name = self.expand(term, Place::Record, domain).await;
                shortened(unrooted(&name)).to_lowercase()
            }
            None => domain.to_owned(),
        }
    }

    async fn expand(&mut self, text: &MacroText, place: Place, domain: &str) -> String {
        let validated = match text.needs_name() {
            true => self.validated(domain).await,
            false => String::new(),
        };
        let question = self.question;
        let helo = if question.helo.is_empty() { NO_NAME } else { &question.helo };
        let letters = Letters {
            ip: self.ip,
            sender: self.sender,
            domain,
            helo,
            host_name: &question.host_name,
            validated: &validated,
            now_s: question.now_s,
        };
        text.expand(place, &letters)
    }

    /// What `%{p}` stands for: a confirmed name of the client, best the
    /// domain itself, then one below it, then any (RFC 7208 section 7.3).
    async fn validated(&mut self, domain: &str) -> String {
        if let Some(known) = &self.validated {
            return known.clone();
        }
        let mut names = self.confirmed_names().await.unwrap_or_default();
        names.sort_by_key(|name| (name != domain, !types::authentication::is_within(name, domain)));
        let name = names.into_iter().next().unwrap_or_else(|| NO_NAME.to_owned());
        self.validated.insert(name).clone()
    }
}

/// What a failure of the name system is called.
pub(crate) fn flaw_of(error: DnsError) -> Flaw {
    match error {
        DnsError::TimedOut => Flaw::TimedOut,
        DnsError::Malformed => Flaw::Syntax,
        DnsError::ServerFailure | DnsError::NoSuchName | DnsError::NoRecords => Flaw::ServerFailure,
    }
}
