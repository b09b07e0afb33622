//! `dns …`: what a domain publishes, and what it means for mail. Works by the
//! settings and the data folder; no server has to run.

mod dmarc;
mod mx;
mod spf;

use std::fmt::Display;
use std::sync::Arc;

use deliver::sts::{self, Kept, Mode, Policy, StsSettings};
use deliver::{DeliverySettings, TlsUse};
use demo::DemoNames;
use serde_json::{Value as Json, json};
use store::state::{SqliteTransportPolicies, TransportPolicyState};
use types::{Domain, Timestamp};
use world::{Clock, DnsError, DnsResolver, HttpClient, MxAnswer, Resolver, SystemClock, TcpDial};

use super::arguments::{DnsCommand, Global};
use super::config;
use super::exit::{Exit, Failure};
use super::output::{Output, complain};
use crate::demonstration::is_demo;
use crate::serve::convert;
use crate::serve::inspect::whole;
use crate::serve::opened::STATE_FILE;
use crate::settings::Settings;

/// `dns …`
///
/// # Errors
/// The settings have errors, or what is kept cannot be read. That a domain
/// has no policy is no error.
pub(super) fn dns(global: &Global, command: &DnsCommand) -> Result<Exit, Failure> {
    let settings = &config::settings(global)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let output = Output::new(global.json);
    let resolver = resolver(settings).map_err(failure)?;
    match command {
        DnsCommand::Mx { domain } => mx::show(output, &runtime, &*resolver, domain),
        DnsCommand::Spf { domain } => {
            let within = settings.dns.authentication_timeout;
            spf::show(output, &runtime, &*resolver, domain, within)
        }
        DnsCommand::Dkim { domain, selector } => {
            let asked = checks::key_record(domain, selector, &*resolver);
            dmarc::show_key(output, &runtime.block_on(asked))
        }
        DnsCommand::Dmarc { domain } => {
            let asked = checks::dmarc_policy(domain, &*resolver);
            dmarc::show(output, domain, &runtime.block_on(asked))
        }
        DnsCommand::MtaSts { domain } => {
            let kept = kept(settings, domain)?;
            let report = mta_sts(settings, resolver, domain, kept.as_ref());
            output.object(&runtime.block_on(report).map_err(failure)?)?;
            Ok(Exit::Ok)
        }
    }
}

/// The resolver of the settings; for the data of a demo the one that the demo
/// decided by, which is said.
fn resolver(settings: &Settings) -> Result<Arc<dyn Resolver>, String> {
    let folder = &settings.server.data_dir;
    if is_demo(folder) {
        complain(&format!(
            "{} is of a demo: its names are made up, and they are asked here, not the name system",
            folder.display()
        ));
        return Ok(Arc::new(DemoNames));
    }
    match DnsResolver::new(&convert::resolver(settings)) {
        Ok(resolver) => Ok(Arc::new(resolver)),
        Err(error) => Err(format!("cannot make a resolver: {error}")),
    }
}

fn failure(text: impl Display) -> Failure {
    Failure::new(Exit::Error, text.to_string())
}

/// The policy of `domain` that is kept in the data folder, over or not.
fn kept(settings: &Settings, domain: &Domain) -> Result<Option<Kept>, Failure> {
    let file = settings.server.data_dir.join(STATE_FILE);
    if !file.exists() {
        return Ok(None);
    }
    let read = |error| failure(format!("{}: {}", file.display(), whole(&error)));
    let state = SqliteTransportPolicies::open_to_read(&file).map_err(read)?;
    let all = state.transport_policies().map_err(read)?;
    Ok(all.iter().find(|one| one.domain == domain.as_str()).and_then(Kept::restored))
}

/// What is published and kept, and what follows from it.
async fn mta_sts(
    settings: &Settings,
    resolver: Arc<dyn Resolver>,
    domain: &Domain,
    kept: Option<&Kept>,
) -> Result<Json, String> {
    let web = convert::fetching(settings)?;
    let fetch = HttpClient::new(Arc::clone(&resolver), Arc::new(TcpDial), web)?;
    let delivery = convert::delivery(settings, Vec::new());
    let now = SystemClock::new().now();
    let announced = sts::announced(resolver.as_ref(), domain).await;
    let port = delivery.mta_sts.unwrap_or(StsSettings { port: 443 });
    let fetched = match &announced {
        Ok(_) => Some(sts::fetched(&fetch, domain, port).await),
        Err(_) => None,
    };
    let counts = in_force(fetched.as_ref().and_then(|found| found.as_ref().ok()), kept, now);
    let listed = exchangers(resolver.as_ref(), domain).await;
    Ok(json!({
        "domain": domain,
        "published": {
            "id": announced.as_ref().ok().map(ToString::to_string),
            "problem": announced.as_ref().err().map(ToString::to_string),
            "policy": fetched.as_ref().map(|found| match found {
                Ok(policy) => shown(policy),
                Err(problem) => json!({ "problem": problem.to_string() }),
            }),
        },
        "kept": kept.map(|kept| json!({
            "id": kept.id.to_string(),
            "policy": shown(&kept.policy),
            "fetched": kept.fetched.to_string(),
            "until": kept.ends().to_string(),
        })),
        "mail_servers": match &listed {
            Ok(hosts) => json!(hosts.iter().map(|host| json!({
                "host": host,
                "listed": counts.map(|policy| policy.lists(host)),
            })).collect::<Vec<_>>()),
            Err(problem) => json!({ "problem": problem }),
        },
        "delivery": consequence(&delivery, domain, counts, listed.as_deref().unwrap_or_default()),
    }))
}

fn shown(policy: &Policy) -> Json {
    let mx: Vec<String> = policy.mx.iter().map(ToString::to_string).collect();
    json!({ "mode": policy.mode.slug(), "mx": mx, "max_age_s": policy.max_age.as_secs() })
}

/// The policy that mail would go by now: what is published, else what is kept
/// and not over.
fn in_force<'a>(
    fetched: Option<&'a Policy>,
    kept: Option<&'a Kept>,
    now: Timestamp,
) -> Option<&'a Policy> {
    let kept = kept.filter(|kept| now < kept.ends()).map(|kept| kept.policy.as_ref());
    fetched.or(kept)
}

/// The mail exchangers of `domain`, best first; itself where it names none.
async fn exchangers(resolver: &dyn Resolver, domain: &Domain) -> Result<Vec<Domain>, String> {
    match resolver.mx(domain).await {
        Ok(MxAnswer::Hosts(hosts)) => Ok(hosts.into_iter().map(|one| one.host).collect()),
        Ok(MxAnswer::Null) => Err(format!("{domain} accepts no mail (null MX)")),
        Err(DnsError::NoRecords) => Ok(vec![domain.clone()]),
        Err(error) => Err(format!("looking up {domain}: {error}")),
    }
}

/// How mail for the domain goes, in words.
fn consequence(
    delivery: &DeliverySettings,
    domain: &Domain,
    policy: Option<&Policy>,
    hosts: &[Domain],
) -> &'static str {
    let mode = policy.map_or(Mode::None, |policy| policy.mode);
    let listed = |host: &Domain| policy.is_some_and(|policy| policy.lists(host));
    match mode {
        _ if delivery.routes.is_ours(domain) => {
            "by its entry in the settings: it is one of your domains, and no policy counts"
        }
        _ if delivery.tls == TlsUse::Never => "in clear text: delivery.tls is off",
        Mode::Enforce | Mode::Testing if delivery.mta_sts.is_none() => {
            "as without a policy: delivery.mta_sts is false"
        }
        Mode::None => {
            "to any of its mail servers, encrypted as delivery.tls says, whatever the certificate"
        }
        Mode::Testing => {
            "as without a policy; what the policy would refuse is recorded with each delivery"
        }
        Mode::Enforce if !hosts.iter().any(listed) => {
            "not at all: none of its mail servers is listed, so mail waits until its time is over"
        }
        Mode::Enforce => "to listed mail servers that prove who they are, over TLS; else it waits",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deliver::{Route, RoutingTable};

    #[test]
    fn the_data_of_a_demo_is_asked_about_by_its_own_names() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().to_owned();
        let text = format!(
            "[server]\nhostname = \"gate.example\"\ndata_dir = {data_dir:?}\n\
             [[domain]]\nname = \"corp.example\"\nnext_hop = [\"mx\"]\n"
        );
        let loaded = crate::settings::load_text(std::path::Path::new("p.toml"), &text);
        let settings = loaded.settings.unwrap();
        assert!(!is_demo(&data_dir));
        let line = "# Written by `portcullis demo` at each start; changes are lost.\n";
        std::fs::write(data_dir.join("portcullis.toml"), line).unwrap();
        let resolver = resolver(&settings).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(resolver.mx(&"sender.example".parse().unwrap()));
        assert!(found.is_ok(), "a name that only the demo has: {found:?}");
    }

    #[test]
    fn each_policy_has_its_consequence() {
        let domain = |name: &str| name.parse::<Domain>().unwrap();
        let mut routes = RoutingTable::new();
        routes.insert(&domain("ours.example"), Route::Mx);
        let mut delivery = DeliverySettings::new("gate.example", routes);
        delivery.mta_sts = Some(StsSettings { port: 443 });
        let hosts = [domain("mx.corp.example")];
        let policy = |mode: &str, mx: &str| -> Policy {
            format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 1").parse().unwrap()
        };
        let told = |delivery: &DeliverySettings, name: &str, policy: Option<&Policy>| {
            consequence(delivery, &domain(name), policy, &hosts)
        };
        let (enforced, other) = (policy("enforce", "*.corp.example"), policy("enforce", "a.b"));
        for (policy, begin) in [
            (None, "to any"),
            (Some(&policy("none", "a.b")), "to any"),
            (Some(&policy("testing", "a.b")), "as without"),
            (Some(&enforced), "to listed"),
            (Some(&other), "not at all"),
        ] {
            let told = told(&delivery, "corp.example", policy);
            assert!(told.starts_with(begin), "{told}");
        }
        assert!(told(&delivery, "ours.example", Some(&enforced)).starts_with("by its entry"));
        delivery.mta_sts = None;
        assert!(told(&delivery, "corp.example", Some(&enforced)).contains("is false"));
        delivery.tls = TlsUse::Never;
        assert!(told(&delivery, "corp.example", Some(&enforced)).starts_with("in clear"));
    }
}
