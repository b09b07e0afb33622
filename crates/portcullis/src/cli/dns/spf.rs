//! `dns spf`.

use checks::{SpfNode, SpfProblem, SpfTerm, SpfTree};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use types::Domain;
use world::Resolver;

use super::super::exit::{Exit, Failure};
use super::super::output::Output;

/// The policy of a domain as a tree.
pub(super) fn show(
    output: Output,
    runtime: &Runtime,
    resolver: &dyn Resolver,
    domain: &Domain,
) -> Result<Exit, Failure> {
    let tree = runtime.block_on(checks::spf_tree(domain, resolver));
    if tree.root.problem == Some(SpfProblem::None) {
        return Err(Failure::new(Exit::NotFound, format!("{domain} has no record of SPF")));
    }
    match output.is_json() {
        true => output.object(&in_json(&tree))?,
        false => output.text(&in_words(&tree))?,
    }
    // Without the record itself nothing was shown.
    Ok(if tree.root.record.is_some() { Exit::Ok } else { Exit::Error })
}

fn in_json(tree: &SpfTree) -> Json {
    json!({
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

fn in_words(tree: &SpfTree) -> String {
    let mut text = String::new();
    write(&tree.root, 0, &mut text);
    let over = |count: u32, max: u32| if count > max { ": more than that is an error" } else { "" };
    let (terms, voids) = (tree.terms, tree.voids);
    let (terms_max, voids_max) = (SpfTree::TERMS_MAX, SpfTree::VOIDS_MAX);
    text += &format!(
        "terms that need a look-up: {terms} of {terms_max} at most{}\n\
         look-ups that find nothing: {voids} of {voids_max} at most{}",
        over(terms, terms_max),
        over(voids, voids_max)
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

    #[tokio::test]
    async fn the_tree_is_shown_with_its_costs() {
        let names = SimulatedResolver::new();
        names.add_text("corp.example", "v=spf1 include:_spf.host.example a -all");
        names.add_text("_spf.host.example", "v=spf1 ip4:192.0.2.0/24 exists:%{i}.x.example ~all");
        names.set_addresses("corp.example", Ok(vec!["192.0.2.1".parse().unwrap()]));
        let tree = checks::spf_tree(&"corp.example".parse().unwrap(), &names).await;
        assert_eq!(
            in_words(&tree),
            "corp.example\n  include:_spf.host.example  (look-up)\n    _spf.host.example\n      \
             ip4:192.0.2.0/24\n      exists:%{i}.x.example  (look-up, depends on the mail)\n      \
             ~all\n  a  (look-up)\n  -all\nterms that need a look-up: 3 of 10 at most\n\
             look-ups that find nothing: 0 of 2 at most"
        );
        let told = in_json(&tree);
        assert_eq!(told["tree"]["terms"][0]["leads_to"]["domain"], "_spf.host.example");
        assert_eq!((&told["terms"], &told["terms_max"]), (&3.into(), &10.into()));
    }
}
