//! DMARC: whether the domain of the author stands behind the message (RFC
//! 9989). The policy is found by walking up the tree of names; all names on
//! the way are asked about at once.

use futures_util::FutureExt;
use mail_auth::dkim::Signature;
use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult as LibraryDkim, DmarcResult as LibraryDmarc,
    DnsError, Error, MessageAuthenticator, Parameters, SpfOutput, SpfResult as LibrarySpf,
};
use types::authentication::is_within;
use types::{
    DkimFacts, DkimResult, DmarcFacts, DmarcRequest, DmarcResult, EmailAddress, Flaw,
    SignatureFacts, SpfFacts, SpfResult,
};
use world::Resolver;

use super::answers::Answers;

/// Most names on the way up (RFC 9989 section 4.10).
const WALK_MAX: usize = 8;

/// The author's domains in a From field: one, unless somebody plays tricks.
pub(crate) fn author_domains(header_from: &[String]) -> Vec<String> {
    let mut domains: Vec<String> = Vec::new();
    for address in header_from.iter().filter_map(|one| one.parse::<EmailAddress>().ok()) {
        let domain = address.domain_key();
        if !domain.starts_with('[') && !domains.iter().any(|known| known == domain) {
            domains.push(domain.to_owned());
        }
    }
    domains
}

/// Whether each author in a From field is an address. One that is none is what
/// nobody could read, or what was not read because there is too much of it.
pub(crate) fn are_addresses(header_from: &[String]) -> bool {
    header_from.iter().all(|one| one.parse::<EmailAddress>().is_ok())
}

/// What is said of a message of which not every author is known: it must not
/// pass for those that are.
pub(crate) fn of_a_part(facts: DmarcFacts) -> DmarcFacts {
    match facts.result {
        DmarcResult::Pass => {
            let (result, flaw) = (DmarcResult::PermError, Some(Flaw::Syntax));
            DmarcFacts { result, flaw, spf_aligned: false, dkim_aligned: false, ..facts }
        }
        _ => facts,
    }
}

/// Evaluates DMARC. Of several authors' domains the worst answer counts: a
/// message must not pass because one of its authors is honest.
pub(crate) async fn dmarc(
    domains: &[String],
    spf: Option<&SpfFacts>,
    dkim: &DkimFacts,
    resolver: &dyn Resolver,
    library: &MessageAuthenticator,
) -> DmarcFacts {
    let mut worst: Option<DmarcFacts> = None;
    for domain in domains {
        let facts = of_domain(domain, spf, dkim, resolver, library).await;
        if worst.as_ref().is_none_or(|worst| badness(&facts) > badness(worst)) {
            worst = Some(facts);
        }
    }
    worst.unwrap_or_default()
}

fn badness(facts: &DmarcFacts) -> (u8, DmarcRequest) {
    let result = match facts.result {
        DmarcResult::Pass => 0,
        DmarcResult::None => 1,
        DmarcResult::PermError => 2,
        DmarcResult::TempError => 3,
        DmarcResult::Fail => 4,
    };
    (result, facts.request)
}

async fn of_domain(
    author: &str,
    spf: Option<&SpfFacts>,
    dkim: &DkimFacts,
    resolver: &dyn Resolver,
    library: &MessageAuthenticator,
) -> DmarcFacts {
    let mut answers = Answers::policies(walk(author), author, resolver).await;
    let claimed: Vec<&str> = claimants(spf, dkim).filter(|domain| *domain != author).collect();
    let related = claimed.into_iter().filter(|domain| may_be_related(domain, author, &answers));
    let names: Vec<String> = related.flat_map(walk).collect();
    answers.more(names, resolver).await;
    evaluate(author, spf, dkim, &answers, library)
}

/// The domains that SPF and DKIM proved, or may yet.
fn claimants<'a>(spf: Option<&'a SpfFacts>, dkim: &'a DkimFacts) -> impl Iterator<Item = &'a str> {
    let spf = spf.filter(|facts| matches!(facts.result, SpfResult::Pass | SpfResult::TempError));
    let signed = dkim.signatures.iter().filter(|one| library_dkim(one).is_some());
    spf.map(|facts| facts.domain.as_str()).into_iter().chain(signed.map(|one| one.domain.as_str()))
}

/// Whether two domains can belong together: they share two labels, or a top
/// level that itself publishes a policy.
fn may_be_related(one: &str, other: &str, answers: &Answers) -> bool {
    let tail = |labels: usize| -> &str {
        let at = other.rmatch_indices('.').nth(labels - 1).map_or(0, |(at, _)| at + 1);
        other.get(at..).unwrap_or(other)
    };
    is_within(one, tail(2))
        || (is_within(one, tail(1)) && answers.has_policy(&format!("_dmarc.{}", tail(1))))
}

/// The names at which the policy of `domain` may stand, from itself up to
/// the top level; of a long name the lower end is skipped (RFC 9989 section
/// 4.10).
pub(crate) fn walk(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').collect();
    let total = labels.len();
    let below = total.saturating_sub(WALK_MAX - 1);
    let starts =
        std::iter::once(0).chain(if total > WALK_MAX - 1 { below..total } else { 1..total });
    let tail = |at: usize| labels.get(at..).map(|tail| format!("_dmarc.{}", tail.join(".")));
    starts.filter_map(tail).collect()
}

/// The library's answer from what was fetched.
fn evaluate(
    author: &str,
    spf: Option<&SpfFacts>,
    dkim: &DkimFacts,
    answers: &Answers,
    library: &MessageAuthenticator,
) -> DmarcFacts {
    // All the library reads of the message is its author.
    let header = format!("From: <author@{author}>\r\n\r\n");
    let Some(message) = AuthenticatedMessage::parse(header.as_bytes()) else {
        return DmarcFacts { domain: author.to_owned(), ..DmarcFacts::default() };
    };
    let signatures: Vec<(Signature, LibraryDkim)> = dkim
        .signatures
        .iter()
        .filter_map(|one| {
            let signature = Signature { d: one.domain.clone(), ..Signature::default() };
            Some((signature, library_dkim(one)?))
        })
        .collect();
    let outputs: Vec<DkimOutput<'_>> = signatures
        .iter()
        .map(|(signature, result)| DkimOutput::from(result.clone()).with_signature(signature))
        .collect();
    let checked = spf.map_or("", |facts| facts.domain.as_str());
    let result = spf.map_or(LibrarySpf::None, |facts| library_spf(facts.result));
    let output = SpfOutput::new(checked.to_owned()).with_result(result);
    let asked = DmarcParameters::new(&message, &outputs, checked, &output);
    let found = library.verify_dmarc(Parameters::new(asked).with_cache(answers)).now_or_never();
    let found = found.unwrap_or_default();
    facts(author, &found, dkim)
}

fn facts(author: &str, found: &mail_auth::DmarcOutput, dkim: &DkimFacts) -> DmarcFacts {
    let (result, flaw) = match found.result() {
        LibraryDmarc::Pass => (DmarcResult::Pass, None),
        LibraryDmarc::Fail(_) => (DmarcResult::Fail, None),
        LibraryDmarc::TempError(_) if dkim.flaw == Some(Flaw::TooLarge) => {
            (DmarcResult::TempError, Some(Flaw::TooLarge))
        }
        LibraryDmarc::TempError(_) => (DmarcResult::TempError, Some(Flaw::ServerFailure)),
        LibraryDmarc::PermError(_) => (DmarcResult::PermError, Some(Flaw::Syntax)),
        LibraryDmarc::None => (DmarcResult::None, None),
    };
    DmarcFacts {
        result,
        domain: author.to_owned(),
        request: match found.policy() {
            Policy::Reject => DmarcRequest::Reject,
            Policy::Quarantine => DmarcRequest::Quarantine,
            Policy::None | Policy::Unspecified => DmarcRequest::None,
        },
        spf_aligned: *found.spf_result() == LibraryDmarc::Pass,
        dkim_aligned: *found.dkim_result() == LibraryDmarc::Pass,
        flaw,
    }
}

fn library_spf(result: SpfResult) -> LibrarySpf {
    match result {
        SpfResult::None => LibrarySpf::None,
        SpfResult::Neutral => LibrarySpf::Neutral,
        SpfResult::Pass => LibrarySpf::Pass,
        SpfResult::Fail => LibrarySpf::Fail,
        SpfResult::SoftFail => LibrarySpf::SoftFail,
        SpfResult::TempError => LibrarySpf::TempError,
        SpfResult::PermError => LibrarySpf::PermError,
    }
}

/// What counts for alignment: what passed, and what may yet. What was not
/// looked at cannot be said to have failed.
fn library_dkim(one: &SignatureFacts) -> Option<LibraryDkim> {
    let unknown = || LibraryDkim::TempError(Error::Dns(DnsError::Resolver(String::new())));
    match (one.result, one.flaw) {
        (DkimResult::Pass, _) => Some(LibraryDkim::Pass),
        (DkimResult::TempError, _) => Some(unknown()),
        (_, Some(Flaw::TooLarge)) if !one.domain.is_empty() => Some(unknown()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_goes_from_the_domain_up_and_skips_in_long_names() {
        assert_eq!(
            walk("a.corp.example"),
            ["_dmarc.a.corp.example", "_dmarc.corp.example", "_dmarc.example"]
        );
        let long = walk("a.b.c.d.e.f.g.h.i.example");
        assert_eq!(long.len(), 8);
        assert_eq!(long[0], "_dmarc.a.b.c.d.e.f.g.h.i.example");
        assert_eq!(long[1], "_dmarc.d.e.f.g.h.i.example");
        assert_eq!(long[7], "_dmarc.example");
        assert_eq!(walk("a.b.c.d.e.f.g.example").len(), 8);
    }

    #[test]
    fn each_domain_of_the_authors_counts_once_and_what_is_none_not_at_all() {
        let from = ["ann@a.example", "bob@a.example", "x@b.example", "not one", "a@[192.0.2.1]"];
        let from: Vec<String> = from.map(str::to_owned).into();
        assert_eq!(author_domains(&from), ["a.example", "b.example"]);
    }
    #[test]
    fn a_message_of_which_an_author_is_not_known_passes_for_nobody() {
        let many: Vec<String> = (0..9).map(|n| format!("a{n}@x.example")).collect();
        for (from, are_known) in [
            ("ann@a.example", true),
            ("ann@a.example, x@b.example", true),
            ("ann@a.example, somebody else", false),
            (&many.join(", "), false),
            (&format!("ann@a.example{}<x@b.example>", "\r\n ".repeat(64 * 1024)), false),
        ] {
            let message = format!("From: {from}\r\n\r\n");
            let facts = content::facts::read(message.as_bytes(), &Default::default());
            let authors = content::facts::comparable_addresses(&facts);
            assert_eq!(are_addresses(&authors), are_known, "{authors:?}");
        }
        let of = |result| DmarcFacts { result, dkim_aligned: true, ..DmarcFacts::default() };
        let passed = of_a_part(of(DmarcResult::Pass));
        assert_eq!((passed.result, passed.flaw), (DmarcResult::PermError, Some(Flaw::Syntax)));
        assert!(!passed.dkim_aligned);
        assert_eq!(of_a_part(of(DmarcResult::Fail)).result, DmarcResult::Fail);
    }
}
