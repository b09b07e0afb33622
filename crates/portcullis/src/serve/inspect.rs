//! What can be checked of the settings before anything is started: the
//! content of every file they name.

use std::collections::HashMap;

use checks::Directory;
use policy::PolicyObjects;
use receive::{Tls, TlsFiles};
use types::definition::DefinitionSet;
use types::lists::Group;
use types::policy::Scope;
use types::{Definition, Domain, Policy, Timestamp};

use super::convert;
use super::places::NO_SYSTEMS;
use crate::settings::{Loaded, Origin, Problem, Settings};

/// The problems of the files: certificate, directories, policies.
pub fn files(loaded: &Loaded) -> Vec<Problem> {
    let Some(settings) = &loaded.settings else { return Vec::new() };
    let mut problems = Vec::new();
    let mut add = |key: &str, text: String| {
        let origin = loaded.found.get(key).map_or(Origin::Default, |found| found.origin.clone());
        problems.push(Problem::error(origin, key, text));
    };
    if let Some(files) = tls_files(settings)
        && let Err(error) = Tls::load(&files)
    {
        add("smtp.tls.certificate_file", whole(&error));
    }
    if let Err(error) = super::accounts::certificate(settings) {
        add("http.tls.certificate_file", error);
    }
    for (key, authorities) in [
        ("smtp.tls.client_ca_file", convert::client_authorities(settings).map(drop)),
        ("alerts.webhook_ca_file", convert::posting(settings).map(drop)),
        ("delivery.ca_file", convert::fetching(settings).map(drop)),
    ] {
        if let Err(error) = authorities {
            add(key, error);
        }
    }
    if let Err(error) = super::sign_in::provider(settings) {
        add("sign_in.issuer", error);
    }
    for domain in &settings.domains {
        if let Some(path) = &domain.directory_file
            && let Err(error) = Directory::read(path, &domain.name, Timestamp::EPOCH)
        {
            let key = format!("domain.{}{DIRECTORY_FILE}", domain.number.unwrap_or(0));
            add(&key, whole(&error));
        }
    }
    for directory in &settings.directories {
        if let Err(error) = super::directories::one(directory, settings) {
            add(&format!("directory.{}.password_file", directory.number.unwrap_or(0)), error);
        }
        if let Some(Err(error)) = directory.ca_file.as_deref().map(world::Authorities::only) {
            add(&format!("directory.{}.ca_file", directory.number.unwrap_or(0)), error);
        }
    }
    let systems = checks::Places::check(&convert::places(settings));
    if let Err(error) = &systems {
        add("geo.database", whole(error));
    }
    for list in &settings.lists {
        if let Some((row, error)) = super::lists::fault(list) {
            add(&format!("list.{}.{row}", list.number.unwrap_or(0)), error);
        }
    }
    for text in policy_file_problems(settings) {
        add("server.policy_file", text);
    }
    let mut warn = |key: &str, text: String| {
        let origin = loaded.found.get(key).map_or(Origin::Default, |found| found.origin.clone());
        problems.push(Problem::warning(origin, key, text));
    };
    for text in weighed_in_vain(settings) {
        warn("server.policy_file", text);
    }
    if !systems.unwrap_or(true) && asks_systems(settings) {
        warn("geo.database", NO_SYSTEMS.to_owned());
    }
    for (number, text) in super::dkim::problems(settings) {
        warn(&format!("domain.{number}.dkim_selectors"), text);
    }
    problems
}

/// What is wrong with the policy file, each with its place.
fn policy_file_problems(settings: &Settings) -> Vec<String> {
    let Some(path) = &settings.server.policy_file else { return Vec::new() };
    // That it can be read was checked with the settings.
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut texts = Vec::new();
    for problem in policy_problems(&text, settings) {
        let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
        texts.push(format!("{}{line}: {}", path.display(), problem.text));
    }
    texts
}

/// The definitions of the policy file; none if it cannot be read, which is
/// said elsewhere.
fn definitions_of_file(settings: &Settings) -> Vec<Definition> {
    let text = settings.server.policy_file.as_ref().map(std::fs::read_to_string);
    let Some(Ok(text)) = text else { return Vec::new() };
    policy::Document::parse(&text).map(|document| document.definitions).unwrap_or_default()
}

/// What is to be said of definitions of the policy file that weigh lists
/// against clients although the settings permit whoever is on them.
fn weighed_in_vain(settings: &Settings) -> Vec<String> {
    let permitted = super::lists::permitted(settings);
    let mut texts = Vec::new();
    for definition in definitions_of_file(settings) {
        let DefinitionSet::Reputation(reputation) = &definition.set else { continue };
        let name = &definition.name;
        for list in policy::weighed_though_permitted(reputation, &permitted) {
            texts.push(format!(
                "the definition {name:?} weighs {list} against clients, which is a permitted list \
                 of these settings, so that its weight counts for nothing"
            ));
        }
    }
    texts
}

/// Whether the policy file names networks by their AS numbers.
fn asks_systems(settings: &Settings) -> bool {
    definitions_of_file(settings).iter().any(|definition| match &definition.set {
        DefinitionSet::GeographicalRestriction(places) => !places.networks.is_empty(),
        _ => false,
    })
}

/// How the keys end that name a file of recipients.
pub(super) const DIRECTORY_FILE: &str = ".directory_file";

/// The certificate of the settings, if they name one.
pub(crate) fn tls_files(settings: &Settings) -> Option<TlsFiles> {
    let tls = &settings.smtp_tls;
    let (certificate, key) = tls.certificate_file.clone().zip(tls.key_file.clone())?;
    tls.enabled.then_some(TlsFiles { certificate, key })
}

/// The directories of all domains that have one.
///
/// # Errors
/// The first file that cannot be used.
pub(super) fn directories(
    settings: &Settings,
    now: Timestamp,
) -> Result<HashMap<Domain, Directory>, String> {
    let mut directories = HashMap::new();
    for domain in &settings.domains {
        if let Some(path) = &domain.directory_file {
            let directory =
                Directory::read(path, &domain.name, now).map_err(|error| whole(&error))?;
            directories.insert(domain.name.clone(), directory);
        }
    }
    Ok(directories)
}

/// Something wrong with a policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The line, from one, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub text: String,
}

/// What is wrong with the text of a policy document, or of one policy on its
/// own, under these settings.
pub fn draft_problems(text: &str, settings: &Settings) -> Vec<PolicyProblem> {
    problems_of(policy::Document::parse_any(text), text, settings)
}

/// What is wrong with the text of a policy document under these settings.
pub fn policy_problems(text: &str, settings: &Settings) -> Vec<PolicyProblem> {
    problems_of(policy::Document::parse(text), text, settings)
}

/// The groups of a document with those that can be named without being
/// written: they exist from the start, or come from a directory of the
/// settings, where nobody is asked who is in them: here they are empty.
pub(crate) fn with_groups_from_elsewhere(
    mut groups: Vec<Group>,
    policies: &[Policy],
    settings: &Settings,
) -> Vec<Group> {
    let is_read = |name: &&String| {
        let of = Group::directory_of(name);
        let mut read = settings.directories.iter().filter(|one| one.group_filter.is_some());
        read.any(|one| of == Some(one.name.0.as_str()))
    };
    let named = policies.iter().flat_map(|policy| [&policy.from, &policy.to]);
    let named = named.filter_map(|scope| match scope {
        Scope::Group(name) => Some(name),
        _ => None,
    });
    let empty = |name: &String| Group { name: name.clone(), parent: None, members: Vec::new() };
    let read: Vec<Group> = named.filter(is_read).map(empty).collect();
    for group in policy::defaults().groups.into_iter().chain(read) {
        if groups.iter().all(|other| other.name != group.name) {
            groups.push(group);
        }
    }
    groups
}

fn problems_of(
    document: Result<policy::Document, policy::DocumentError>,
    text: &str,
    settings: &Settings,
) -> Vec<PolicyProblem> {
    let document = match document {
        Ok(document) => document,
        Err(error) => {
            return vec![PolicyProblem { line: Some(error.line), text: error.message }];
        }
    };
    let policy = |policy| policy::StoredPolicy { policy, version: 0, created: Timestamp::EPOCH };
    let groups = with_groups_from_elsewhere(document.groups, &document.policies, settings);
    let objects = PolicyObjects {
        policies: document.policies.into_iter().map(policy).collect(),
        groups,
        definitions: document.definitions,
        managed_senders: document.managed_senders,
    };
    let problems = policy::validate(&objects, &convert::base_policies(settings));
    let described = |problem: &policy::Problem| PolicyProblem {
        line: policy::Document::line_of(text, &problem.object),
        text: problem.to_string(),
    };
    problems.iter().map(described).collect()
}

/// An error with all its causes in one line.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
