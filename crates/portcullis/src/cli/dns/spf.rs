//! `dns spf`: the record of a domain as a tree, and what mail of a client that
//! it does not name is judged by it. The tree explains; the judgement is the
//! very evaluation that mail gets, and only that says whether the record works.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use checks::{SpfNode, SpfProblem, SpfQuestion, SpfTerm, SpfTree};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use types::{Domain, Flaw, SpfFacts, SpfResult};
use world::Resolver;

use super::super::exit::{Exit, Failure};
use super::super::output::Output;

/// Clients that nobody's record names: addresses of documentation (RFC 5737,
/// RFC 3849), one of each family, because their look-ups differ.
const STRANGERS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 254)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0xfe)),
];

/// What it is asked by each of them.
fn question(domain: &Domain, ip: IpAddr) -> SpfQuestion {
    SpfQuestion {
        ip,
        helo: domain.to_string(),
        sender: format!("postmaster@{domain}"),
        host_name: "localhost".to_owned(),
        now_s: 0,
    }
}

/// The policy of a domain as a tree, and what mail is judged by it. `within`
/// is how long one evaluation of mail may take.
pub(super) fn show(
    output: Output,
    runtime: &Runtime,
    resolver: &dyn Resolver,
    domain: &Domain,
    within: Duration,
) -> Result<Exit, Failure> {
    let (tree, judged) = runtime.block_on(async {
        let judged = judged(domain, resolver, within).await;
        (checks::spf_tree(domain, resolver).await, judged)
    });
    if tree.root.problem == Some(SpfProblem::None) && judged.result == SpfResult::None {
        return Err(Failure::new(Exit::NotFound, format!("{domain} has no record of SPF")));
    }
    match output.is_json() {
        true => output.object(&in_json(&tree, &judged))?,
        false => output.text(&in_words(&tree, &judged))?,
    }
    Ok(if is_error(&judged) { Exit::Error } else { Exit::Ok })
}

/// What mail of a stranger is judged: of the two families the one with an
/// error, if there is one.
async fn judged(domain: &Domain, resolver: &dyn Resolver, within: Duration) -> SpfFacts {
    let [four, six] = STRANGERS;
    let judged = evaluated(domain, four, resolver, within).await;
    if is_error(&judged) {
        return judged;
    }
    let other = evaluated(domain, six, resolver, within).await;
    if is_error(&other) { other } else { judged }
}

/// What mail of one client is judged.
async fn evaluated(
    domain: &Domain,
    ip: IpAddr,
    resolver: &dyn Resolver,
    within: Duration,
) -> SpfFacts {
    let question = question(domain, ip);
    let judged = tokio::time::timeout(within, checks::spf(&question, resolver)).await;
    judged.unwrap_or_else(|_| SpfFacts {
        result: SpfResult::TempError,
        flaw: Some(Flaw::TimedOut),
        ..question.unanswered()
    })
}

fn is_error(judged: &SpfFacts) -> bool {
    matches!(judged.result, SpfResult::PermError | SpfResult::TempError)
}

fn in_json(tree: &SpfTree, judged: &SpfFacts) -> Json {
    json!({
        "judged": {
            "ip": judged.ip,
            "result": judged.result.slug(),
            "problem": judged.flaw.map(Flaw::words),
        },
        "terms": tree.terms,
        "terms_max": SpfTree::TERMS_MAX,
        "voids": tree.voids,
        "voids_max": SpfTree::VOIDS_MAX,
        "tree": node_json(&tree.root),
    })
}

fn node_json(node: &SpfNode) -> Json {
    json!({
        "domain": node.domain,
        "record": node.record,
        "problem": node.problem.map(words),
        "terms": node.terms.iter().map(term_json).collect::<Vec<_>>(),
    })
}

fn term_json(term: &SpfTerm) -> Json {
    json!({
        "term": term.text,
        "looks_up": term.looks_up,
        "depends_on_mail": term.depends_on_mail,
        "problem": term.flaw.map(types::Flaw::words),
        "leads_to": term.leads_to.as_ref().map(node_json),
    })
}

/// What mail is judged: `as mail is judged, of 203.0.113.254 for one: fail`.
fn judgement(judged: &SpfFacts) -> String {
    let why = judged.flaw.map(|flaw| format!(" ({})", flaw.words())).unwrap_or_default();
    let (ip, result) = (judged.ip, judged.result.slug());
    format!("as mail is judged, of {ip} for one: {result}{why}")
}

fn in_words(tree: &SpfTree, judged: &SpfFacts) -> String {
    let mut text = String::new();
    write(&tree.root, 0, &mut text);
    let over = |count: u32, max: u32| if count > max { ": more than that is an error" } else { "" };
    let (terms, voids) = (tree.terms, tree.voids);
    let (terms_max, voids_max) = (SpfTree::TERMS_MAX, SpfTree::VOIDS_MAX);
    text += &format!(
        "terms that need a look-up: {terms} of {terms_max} at most{}\n\
         look-ups that find nothing: {voids} of {voids_max} at most{}\n{}",
        over(terms, terms_max),
        over(voids, voids_max),
        judgement(judged)
    );
    text
}

/// One record with its terms below it, each deeper by two.
fn write(node: &SpfNode, depth: usize, text: &mut String) {
    let indent = " ".repeat(depth * 2);
    let problem = node.problem.map(|problem| format!(": {}", words(problem)));
    *text += &format!("{indent}{}{}\n", node.domain, problem.unwrap_or_default());
    for term in &node.terms {
        let mut told = Vec::new();
        told.extend(term.looks_up.then_some("look-up"));
        told.extend(term.depends_on_mail.then_some("depends on the mail"));
        told.extend(term.flaw.map(types::Flaw::words));
        let told = match told.is_empty() {
            true => String::new(),
            false => format!("  ({})", told.join(", ")),
        };
        *text += &format!("{indent}  {}{told}\n", term.text);
        if let Some(node) = &term.leads_to {
            write(node, depth + 2, text);
        }
    }
}

fn words(problem: SpfProblem) -> &'static str {
    match problem {
        SpfProblem::None => "no record",
        SpfProblem::Flaw(flaw) => flaw.words(),
        SpfProblem::NotFollowed => "not followed: it stands above, or there are too many",
    }
}

#[cfg(test)]
mod tests {
    use world::simulated::SimulatedResolver;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(20);

    async fn told(names: &SimulatedResolver) -> (String, Json, bool) {
        let domain = "corp.example".parse().unwrap();
        let judged = judged(&domain, names, WITHIN).await;
        let tree = checks::spf_tree(&domain, names).await;
        (in_words(&tree, &judged), in_json(&tree, &judged), is_error(&judged))
    }

    #[tokio::test]
    async fn the_tree_is_shown_with_its_costs() {
        let names = SimulatedResolver::new();
        names.add_text("corp.example", "v=spf1 include:_spf.host.example a -all");
        names.add_text("_spf.host.example", "v=spf1 ip4:192.0.2.0/24 exists:%{i}.x.example ~all");
        names.set_addresses("corp.example", Ok(vec!["192.0.2.1".parse().unwrap()]));
        let (words, told, is_error) = told(&names).await;
        assert_eq!(
            words,
            "corp.example\n  include:_spf.host.example  (look-up)\n    _spf.host.example\n      \
             ip4:192.0.2.0/24\n      exists:%{i}.x.example  (look-up, depends on the mail)\n      \
             ~all\n  a  (look-up)\n  -all\nterms that need a look-up: 3 of 10 at most\n\
             look-ups that find nothing: 0 of 2 at most\n\
             as mail is judged, of 203.0.113.254 for one: fail"
        );
        assert_eq!(told["tree"]["terms"][0]["leads_to"]["domain"], "_spf.host.example");
        assert_eq!((&told["terms"], &told["terms_max"]), (&3.into(), &10.into()));
        assert_eq!(told["judged"]["result"], "fail");
        assert!(!is_error);
    }

    #[tokio::test]
    async fn a_record_that_mail_is_judged_permerror_by_is_an_error() {
        let bomb = format!("v=spf1{} -all", " a:x.example".repeat(150));
        let large = format!("v=spf1{} ip4:nonsense -all", " ip4:192.0.2.1".repeat(4_500));
        for record in ["v=spf1 include:corp.example -all", &bomb, &large, "v=spf1 ip4:nonsense"] {
            let names = SimulatedResolver::new();
            names.add_text("corp.example", record);
            let (words, told, is_error) = told(&names).await;
            let last = words.lines().last().unwrap();
            assert!(is_error && last.contains(": permerror ("), "{last}");
            assert_eq!(told["judged"]["result"], "permerror");
        }
        let two = SimulatedResolver::new();
        two.add_text("corp.example", "v=spf1 -all");
        two.add_text("corp.example", "v=spf1 ~all");
        assert!(told(&two).await.2);
    }

    #[tokio::test]
    async fn an_error_of_one_family_alone_is_found() {
        let names = SimulatedResolver::new();
        names.add_text("corp.example", "v=spf1 a:a.example a:b.example a:c.example -all");
        for name in ["a.example", "b.example", "c.example"] {
            names.set_addresses(name, Ok(vec!["192.0.2.1".parse().unwrap()]));
        }
        let (words, told, is_error) = told(&names).await;
        assert_eq!(told["judged"]["ip"], "2001:db8:ffff::fe", "{words}");
        assert!(is_error);
    }
}
