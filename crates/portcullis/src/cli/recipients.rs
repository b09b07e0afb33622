//! `recipients …`: which recipients there are, and lists of them.

use std::path::Path;

use api::client::{encoded, path_with};
use center::{
    DirectoryReading, ReadDirectory, RecipientImport, RecipientsImported, SyncedDirectory,
};
use serde_json::{Value as Json, json};
use types::{Domain, EmailAddress};

use super::arguments::{Global, RecipientsCommand};
use super::exit::{Exit, Failure};
use super::importing;
use super::output::{Column, Output};
use super::policies::typed;
use super::server::{Server, confirm, read_text};

const DOMAINS: &[Column] = &[
    ("Domain", "/domain"),
    ("Validated by", "/validation"),
    ("Directories", "/directories"),
    ("Imported", "/imported"),
    ("Learned", "/learned"),
    ("Learns until", "/learns_until"),
];
const ON_SERVERS: &[Column] = &[
    ("Directory", "/name"),
    ("Servers", "/servers"),
    ("Domains", "/domains"),
    ("Recipients", "/recipients"),
    ("Read", "/confirmed"),
    ("Too old", "/stale"),
    ("Added", "/last/added"),
    ("Gone", "/last/removed"),
    ("Groups", "/groups/groups"),
    ("Members", "/groups/members"),
    ("Values", "/groups/values"),
    ("Problem", "/problem"),
    ("Of groups", "/groups_problem"),
    ("Next", "/next"),
];
const KNOWN: &[Column] = &[
    ("Address", "/address"),
    ("Imported", "/imported"),
    ("Learned", "/learned"),
    ("Last mail", "/confirmed"),
];
const HELD: &[Column] = &[
    ("Attribute", "/name"),
    ("Value", "/value"),
    ("Directory", "/directory"),
    ("Addresses", "/addresses"),
];
const NO_ATTRIBUTES: &str = "nobody has any; policy_attributes of a directory says which are read";
const SHOWN: &[Column] = &[
    ("Address", "/address"),
    ("Validated by", "/validation"),
    ("Found", "/found"),
    ("Source", "/source"),
];

/// `recipients …`
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(super) fn recipients(global: &Global, command: &RecipientsCommand) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    match command {
        RecipientsCommand::Status => {
            let mut rows: Vec<Json> = server.get("/recipient-domains")?;
            if !output.is_json() {
                rows.iter_mut().for_each(name_directories);
            }
            output.found(DOMAINS, &rows, "there is no domain")?;
        }
        RecipientsCommand::List { domain, text, after, limit } => {
            let (text, after) = (text.as_deref(), after.as_deref());
            let rows = known(&server, domain.as_deref(), text, after, *limit)?;
            output.found(KNOWN, &rows, "nobody is known by name")?;
        }
        RecipientsCommand::Show { address } => {
            let address = typed::<EmailAddress>("ADDRESS", address)?;
            output.list(SHOWN, &[server.get::<Json>(&of_address(&address))?])?;
        }
        RecipientsCommand::Import { file, replace, dry_run, partial, accept_removals } => {
            let how = RecipientImport {
                in_place_of: named("--replace", replace.as_deref())?,
                partial: *partial,
                accept_removals: *accept_removals,
                dry_run: *dry_run,
            };
            import(global, file, &how)?;
        }
        RecipientsCommand::Directories => {
            let mut rows: Vec<Json> = server.get("/recipient-directories")?;
            if !output.is_json() {
                rows.iter_mut().for_each(join_lists);
            }
            output.found(ON_SERVERS, &rows, "there is no directory on a server")?;
        }
        RecipientsCommand::Attributes => {
            let rows: Vec<Json> = server.get("/attributes")?;
            output.found(HELD, &rows, NO_ATTRIBUTES)?;
        }
        &RecipientsCommand::Sync { ref name, dry_run, accept, accept_groups } => {
            let how = ReadDirectory { accept, accept_groups, dry_run };
            return sync(&server, global, name.as_deref(), how);
        }
        RecipientsCommand::Forget { address } => {
            let address = typed::<EmailAddress>("ADDRESS", address)?;
            confirm(global, &format!("forget {address}"))?;
            output.object(&server.delete(&of_address(&address))?)?;
        }
        RecipientsCommand::ForgetDomain { domain } => {
            let domain = typed::<Domain>("DOMAIN", domain)?;
            confirm(global, &format!("forget everybody of {domain}"))?;
            output.object(&server.delete(&format!("/recipient-domains/{domain}"))?)?;
        }
        RecipientsCommand::AcceptFile { domain } => {
            let domain = typed::<Domain>("DOMAIN", domain)?;
            confirm(global, &format!("refuse whoever of {domain} is not in its file now"))?;
            let path = format!("/recipients/accept-file/{domain}");
            output.object(&server.post(&path, &json!({}))?)?;
        }
        RecipientsCommand::LearnAnew { domain } => {
            let domain = typed::<Domain>("DOMAIN", domain)?;
            confirm(global, &format!("forget what was learned of {domain}"))?;
            output
                .object(&server.post(&format!("/recipients/learn-anew/{domain}"), &json!({}))?)?;
        }
    }
    Ok(Exit::Ok)
}

/// Those that are known by name.
fn known(
    server: &Server,
    domain: Option<&str>,
    text: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Json>, Failure> {
    let domain = named("--domain", domain)?;
    let domain = domain.as_ref().map(Domain::as_str);
    let limit = limit.to_string();
    let asked = [("domain", domain), ("text", text), ("after", after), ("limit", Some(&*limit))];
    server.get(&path_with("/recipients", &asked))
}

/// Reads directories now, one after the other. Those that can be read are,
/// although others cannot.
fn sync(
    server: &Server,
    global: &Global,
    name: Option<&str>,
    how: ReadDirectory,
) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            let all: Vec<SyncedDirectory> = server.get("/recipient-directories")?;
            all.into_iter().map(|directory| directory.name).collect()
        }
    };
    if names.is_empty() {
        return Err(Failure::new(Exit::Error, "there is no directory on a server".to_owned()));
    }
    let says = names.join(", ");
    if let Some(most) = how.accept {
        confirm(global, &format!("accept what {says} says, if no more than {most} are gone"))?;
    }
    if let Some(most) = how.accept_groups {
        let gone = format!("if no more than {most} memberships are gone");
        confirm(global, &format!("accept what {says} says of its groups, {gone}"))?;
    }
    let mut failed: Vec<Failure> = Vec::new();
    for name in names {
        let path = format!("/recipient-directories/{}", encoded(&name));
        let read = server.post(&path, &json!(how)).and_then(|answer| {
            serde_json::from_value::<DirectoryReading>(answer)
                .map_err(|error| Failure::new(Exit::Error, error.to_string()))
        });
        if let Some(problem) = read.as_ref().ok().and_then(|told| told.groups_problem.as_ref()) {
            failed.push(Failure::new(Exit::Refused, format!("the groups of {name}: {problem}")));
        }
        match read {
            Ok(told) if output.is_json() => {
                output.object(&json!({ "directory": name, "reading": told }))?;
            }
            Ok(told) => {
                let so = if told.dry_run { "; nothing is changed" } else { "" };
                output.text(&format!("{name}: {}{so}", told.words()))?;
            }
            Err(failure) => failed.push(failure),
        }
    }
    let texts: Vec<&str> = failed.iter().map(|failure| failure.text.as_str()).collect();
    match failed.first() {
        None => Ok(Exit::Ok),
        Some(first) => Err(Failure::new(first.exit, texts.join("; "))),
    }
}

/// What a table shows of servers and domains: their names.
fn join_lists(row: &mut Json) {
    for (key, name) in [("servers", ""), ("domains", "/domain")] {
        if let Some(Json::Array(all)) = row.get(key) {
            let name = |one: &Json| Some(one.pointer(name)?.as_str()?.to_owned());
            let names: Vec<String> = all.iter().filter_map(name).collect();
            row[key] = Json::from(names.join(", "));
        }
    }
}

/// What a table shows of the directories: their names, sizes and ages.
fn name_directories(row: &mut Json) {
    let told = |one: &Json| {
        let text = |key: &str| one.get(key).and_then(Json::as_str).unwrap_or("never read");
        let stale = one.get("stale").and_then(Json::as_bool).unwrap_or(false);
        let entries = one.get("entries").and_then(Json::as_u64).unwrap_or(0);
        let old = if stale { ", too old" } else { "" };
        format!("{}: {entries} ({}{old})", text("name"), text("confirmed"))
    };
    if let Some(Json::Array(directories)) = row.get("directories") {
        let words: Vec<String> = directories.iter().map(told).collect();
        row["directories"] = Json::from(words.join(", "));
    }
}

/// The domain that an option names, if it is given.
fn named(option: &str, text: Option<&str>) -> Result<Option<Domain>, Failure> {
    text.map(|text| typed::<Domain>(option, text)).transpose()
}

/// The path of one recipient; what stands in a local part is no separator.
fn of_address(address: &EmailAddress) -> String {
    format!("/recipients/{}", encoded(address.as_str()))
}

fn import(global: &Global, file: &Path, how: &RecipientImport) -> Result<(), Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    let text = read_text(file)?;
    if !how.dry_run {
        confirm(global, "import the list")?;
    }
    let is = |yes: bool| Some(if yes { "true" } else { "false" });
    let asked = [
        ("in_place_of", how.in_place_of.as_ref().map(Domain::as_str)),
        ("dry_run", is(how.dry_run)),
        ("partial", is(how.partial)),
        ("accept_removals", is(how.accept_removals)),
    ];
    let answer = server.post_text(&path_with("/recipients/import", &asked), text)?;
    let told: RecipientsImported = serde_json::from_value(answer)
        .map_err(|error| Failure::new(Exit::Error, error.to_string()))?;
    match output.is_json() {
        true => output.object(&json!(told)),
        false => output.text(&report(&told)),
    }
}

/// Every line with what it becomes, and the sum.
fn report(told: &RecipientsImported) -> String {
    let RecipientsImported { named, added, removed, before, bad, .. } = told;
    let most = match told.removes_most {
        true => format!(
            "\n{removed} of {before} are more than half: to be taken, this needs --accept-removals"
        ),
        false => String::new(),
    };
    importing::each(&told.lines)
        + &match told.dry_run {
            true => format!(
                "{named} would be imported, {added} of them new; {removed} would go, {bad} lines are \
                 bad; nothing is changed{most}"
            ),
            false => format!(
                "{named} imported, {added} of them new; {removed} went, {bad} bad lines left out"
            ),
        }
}
