//! `dns dmarc` and `dns dkim`: what stands behind the author of a message.

use checks::{DmarcCounts, DmarcPolicy, KeyRecord, Walked};
use serde_json::{Map, Value as Json, json};
use types::{DmarcRequest, Domain};

use super::super::exit::{Exit, Failure};
use super::super::output::Output;

/// Which policy counts for a domain.
pub(super) fn show(output: Output, domain: &Domain, policy: &DmarcPolicy) -> Result<Exit, Failure> {
    let walked: Vec<Json> = policy.walked.iter().map(walked_json).collect();
    output.object(&json!({
        "domain": domain,
        "counts": policy.counts.as_ref().map(counts_json),
        "result": consequence(domain, policy),
        "walked": walked,
    }))?;
    Ok(match &policy.counts {
        Some(_) => Exit::Ok,
        None if is_unknown(policy) => Exit::Error,
        None => Exit::NotFound,
    })
}

/// Whether a place on the way could not be looked at.
fn is_unknown(policy: &DmarcPolicy) -> bool {
    policy.walked.iter().any(|(_, found)| *found == Walked::Unknown)
}

fn walked_json((name, found): &(String, Walked)) -> Json {
    let (record, problem) = match found {
        Walked::Record(text) => (Some(text), None),
        Walked::Nothing => (None, Some("no record of DMARC")),
        Walked::Unknown => (None, Some("the name system does not answer")),
    };
    json!({ "name": name, "record": record, "problem": problem })
}

fn counts_json(counts: &DmarcCounts) -> Json {
    let alignment = |strict| if strict { "strict" } else { "relaxed" };
    json!({
        "domain": counts.domain,
        "request": asked(counts.request),
        "on_trial": counts.on_trial,
        "dkim_alignment": alignment(counts.strict_dkim),
        "spf_alignment": alignment(counts.strict_spf),
    })
}

fn asked(request: DmarcRequest) -> &'static str {
    match request {
        DmarcRequest::None => "none",
        DmarcRequest::Quarantine => "quarantine",
        DmarcRequest::Reject => "reject",
    }
}

/// What that means for mail of the domain, in words.
fn consequence(domain: &Domain, policy: &DmarcPolicy) -> String {
    match &policy.counts {
        None if is_unknown(policy) => "nobody knows: the name system does not answer".to_owned(),
        None => format!("DMARC does not apply to mail of {domain}"),
        Some(counts) => {
            let whose = match counts.domain == domain.as_str() {
                true => "its own record".to_owned(),
                false => format!("the record of {}", counts.domain),
            };
            let wish = match counts.request {
                DmarcRequest::None => "nothing of mail that fails",
                DmarcRequest::Quarantine => "that mail that fails is set aside",
                DmarcRequest::Reject => "that mail that fails is refused",
            };
            format!("{whose} counts and asks {wish}")
        }
    }
}

/// A published key. One with which nothing verifies is a failure.
pub(super) fn show_key(output: Output, key: &KeyRecord) -> Result<Exit, Failure> {
    let tags: Map<String, Json> =
        key.tags.iter().map(|(tag, value)| ((*tag).to_owned(), json!(value))).collect();
    let result = key.flaw.map_or("signatures verify with it", types::Flaw::words);
    output.object(&json!({
        "name": key.name,
        "record": key.record,
        "tags": tags,
        "usable": key.flaw.is_none(),
        "result": result,
    }))?;
    Ok(match (&key.record, key.flaw) {
        (_, None) => Exit::Ok,
        (None, Some(types::Flaw::NoKey)) => Exit::NotFound,
        _ => Exit::Error,
    })
}

#[cfg(test)]
mod tests {
    use world::simulated::SimulatedResolver;

    use super::*;

    #[tokio::test]
    async fn the_domain_whose_record_counts_is_named() {
        let names = SimulatedResolver::new();
        names.add_text("_dmarc.corp.example", "v=DMARC1; p=reject; aspf=s");
        let told = async |name: &str| {
            let domain: Domain = name.parse().unwrap();
            let policy = checks::dmarc_policy(&domain, &names).await;
            consequence(&domain, &policy)
        };
        assert_eq!(
            told("corp.example").await,
            "its own record counts and asks that mail that fails is refused"
        );
        assert!(told("a.corp.example").await.starts_with("the record of corp.example counts"));
        assert_eq!(told("other.test").await, "DMARC does not apply to mail of other.test");
        let domain: Domain = "corp.example".parse().unwrap();
        let counts = checks::dmarc_policy(&domain, &names).await.counts.unwrap();
        assert_eq!(counts_json(&counts)["spf_alignment"], "strict");
    }
}
