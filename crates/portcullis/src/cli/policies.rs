//! `policy …`, `group …` and `senders …`.

use std::path::Path;

use api::client::{encoded, path_with};
use serde_json::{Value as Json, json};
use types::Policy;

use super::arguments::{Global, GroupCommand, PolicyCommand, SendersCommand};
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::server::{Server, confirm, read_text};

const POLICIES: &[Column] = &[
    ("Id", "/policy/id"),
    ("Type", "/kind"),
    ("State", "/standing"),
    ("Narrative", "/policy/narrative"),
    ("Origin", "/provenance/origin"),
    ("Hits", "/hits/count"),
];
const VERSIONS: &[Column] = &[
    ("Version", "/number"),
    ("Time", "/at"),
    ("Author", "/author"),
    ("Changes", "/differences"),
    ("Note", "/note"),
];
const DIFFERENCES: &[Column] = &[("Object", "/object"), ("Was", "/before"), ("Is", "/after")];
const GROUPS: &[Column] = &[
    ("Name", "/group/name"),
    ("Below", "/group/parent"),
    ("Members", "/group/members"),
    ("Origin", "/provenance/origin"),
];
const SENDERS: &[Column] = &[
    ("Id", "/sender/id"),
    ("Action", "/sender/action"),
    ("Sender", "/sender/sender"),
    ("Recipient", "/sender/recipient"),
    ("Until", "/sender/valid_until"),
    ("Note", "/sender/note"),
    ("Hits", "/hits/count"),
];
/// Most rows the server gives at once.
const PAGE_ROWS: usize = 1_000;

/// `policy …`
///
/// # Errors
/// The document is wrong, or the server cannot be asked or refuses.
pub(super) fn policy(global: &Global, command: &PolicyCommand) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    if let PolicyCommand::Check { file } = command {
        return check(global, file);
    }
    let server = Server::of(global)?;
    match command {
        PolicyCommand::List => {
            let list: Json = server.get("/policies")?;
            let rows = list.get("policies").and_then(Json::as_array).cloned().unwrap_or_default();
            output.list(POLICIES, &rows)?;
        }
        PolicyCommand::Show { id } => {
            let row: Json = server.get(&format!("/policies/{}", number(id)?))?;
            show(output, &row)?;
        }
        PolicyCommand::Add { file } => {
            let policy = read_policy(file)?;
            confirm(global, &format!("add the policy {:?}", policy.narrative))?;
            changed(output, &server.post("/policies", &json!({ "policy": policy }))?)?;
        }
        PolicyCommand::Set { id, file } => {
            let (policy, id) = (read_policy(file)?, number(id)?);
            confirm(global, &format!("replace policy #{id}"))?;
            let path = format!("/policies/{id}");
            changed(output, &server.put(&path, &json!({ "policy": policy }))?)?;
        }
        PolicyCommand::Remove { id } => {
            let id = number(id)?;
            confirm(global, &format!("remove policy #{id}"))?;
            changed(output, &server.delete(&format!("/policies/{id}"))?)?;
        }
        PolicyCommand::Export => output.document(&server.text("/policies/export")?)?,
        PolicyCommand::Import { file } => {
            let text = read_text(file)?;
            confirm(global, "replace all policies, groups and managed senders")?;
            changed(output, &server.post_text("/policies/import", text)?)?;
        }
        PolicyCommand::Versions => {
            let rows: Vec<Json> = server.get("/policies/versions")?;
            output.list(VERSIONS, &rows)?;
        }
        PolicyCommand::Diff { from, to } => {
            let (from, to) = (from.to_string(), to.to_string());
            let parameters = [("from", Some(from.as_str())), ("to", Some(to.as_str()))];
            differences(output, &server.get(&path_with("/policies/differences", &parameters))?)?;
        }
        PolicyCommand::Rollback { version } => {
            confirm(global, &format!("go back to version {version} of the policy set"))?;
            changed(output, &server.post("/policies/rollback", &json!({ "version": version }))?)?;
        }
        PolicyCommand::Check { .. } => {}
    }
    Ok(Exit::Ok)
}

/// `policy check`: needs no running server.
fn check(global: &Global, file: &Path) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    let loaded = super::config::load(global);
    let Some(settings) = &loaded.settings else {
        let first = loaded.problems.first().map(ToString::to_string).unwrap_or_default();
        return Err(Failure::new(Exit::Error, first));
    };
    let problems = crate::serve::inspect::policy_problems(&read_text(file)?, settings);
    if global.json {
        let rows: Vec<Json> =
            problems.iter().map(|p| json!({ "line": p.line, "text": p.text })).collect();
        output.list(&[], &rows)?;
    } else {
        for problem in &problems {
            let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
            output.text(&format!("{}{line}: {}", file.display(), problem.text))?;
        }
        if problems.is_empty() {
            output.text("the policies are fine")?;
        }
    }
    Ok(if problems.is_empty() { Exit::Ok } else { Exit::Error })
}

/// `#30` or `30`.
fn number(text: &str) -> Result<u64, Failure> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map_err(|_| Failure::new(Exit::Usage, format!("{text:?} is no number")))
}

/// One policy as TOML: its fields at the top, or as the only `[[policy]]` of
/// a document.
fn read_policy(file: &Path) -> Result<Policy, Failure> {
    let text = read_text(file)?;
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Error, format!("{}: {error}", file.display()))
    };
    if text.contains("[[policy]]") {
        let document = policy::Document::parse(&text).map_err(|error| wrong(&error))?;
        return match <[Policy; 1]>::try_from(document.policies) {
            Ok([policy]) => Ok(policy),
            Err(_) => Err(wrong(&"must hold exactly one policy; use `policy import` for more")),
        };
    }
    toml::from_str(&text).map_err(|error| wrong(&error.message()))
}

/// One policy: as TOML that `policy set` reads back, with what is known of it
/// as remarks.
fn show(output: Output, row: &Json) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(row);
    }
    let field = |at: &str| row.pointer(at).map(ToString::to_string).unwrap_or_default();
    let policy: Policy = serde_json::from_value(row.get("policy").cloned().unwrap_or_default())
        .map_err(|error| Failure::new(Exit::Error, error.to_string()))?;
    let toml =
        toml::to_string(&policy).map_err(|error| Failure::new(Exit::Error, error.to_string()))?;
    output.text(&format!(
        "# {} · {} · version {} · {} hits\n{}",
        field("/kind"),
        field("/standing"),
        field("/provenance/version"),
        field("/hits/count"),
        toml.trim_end()
    ))
}

/// What a change did.
fn changed(output: Output, result: &Json) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(result);
    }
    let version = result.get("version").map(ToString::to_string).unwrap_or_default();
    let rows = result.get("differences").and_then(Json::as_array).cloned().unwrap_or_default();
    let mut text = match rows.is_empty() {
        true => format!("nothing differs; the policy set has version {version}"),
        false => {
            let objects: Vec<&str> =
                rows.iter().filter_map(|row| row.get("object")?.as_str()).collect();
            format!("version {version}: changed {}", objects.join(", "))
        }
    };
    for problem in result.get("left_out").and_then(Json::as_array).into_iter().flatten() {
        text += &format!("\nnot in force: {}", problem.as_str().unwrap_or_default());
    }
    output.text(&text)
}

fn differences(output: Output, rows: &Vec<Json>) -> Result<(), Failure> {
    if output.is_json() {
        return output.list(DIFFERENCES, rows);
    }
    let mut text = String::new();
    for row in rows {
        let field = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default();
        text += &format!("{}\n", field("object"));
        for (mark, side) in [('-', "before"), ('+', "after")] {
            for line in field(side).lines() {
                text += &format!("  {mark} {line}\n");
            }
        }
    }
    output.text(text.trim_end())
}

/// `group …`
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(super) fn group(global: &Global, command: &GroupCommand) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    let path = |name: &str| format!("/groups/{}", encoded(name));
    match command {
        GroupCommand::List => {
            let rows: Vec<Json> = server.get("/groups")?;
            output.list(GROUPS, &rows)?;
        }
        GroupCommand::Show { name } => {
            let row: Json = server.get(&path(name))?;
            match global.json {
                true => output.object(&row)?,
                false => {
                    let members = row.pointer("/group/members").and_then(Json::as_array);
                    let members = members.cloned().unwrap_or_default();
                    output.table(&["member".to_owned()], &one_column(members))?;
                }
            }
        }
        GroupCommand::Set { name, members, parent } => {
            confirm(global, &format!("set the members of group {name:?}"))?;
            let group = json!({ "name": name, "parent": parent, "members": members });
            changed(output, &server.put(&path(name), &json!({ "group": group }))?)?;
        }
        GroupCommand::Add { name, members } => {
            confirm(global, &format!("add {} members to group {name:?}", members.len()))?;
            let path = path(name) + "/members";
            changed(output, &server.post(&path, &json!({ "add": members }))?)?;
        }
        GroupCommand::Remove { name, members } if members.is_empty() => {
            confirm(global, &format!("remove group {name:?}"))?;
            changed(output, &server.delete(&path(name))?)?;
        }
        GroupCommand::Remove { name, members } => {
            confirm(global, &format!("remove {} members from group {name:?}", members.len()))?;
            let path = path(name) + "/members";
            changed(output, &server.post(&path, &json!({ "remove": members }))?)?;
        }
    }
    Ok(Exit::Ok)
}

fn one_column(values: Vec<Json>) -> Vec<Vec<Json>> {
    values.into_iter().map(|value| vec![value]).collect()
}

/// `senders …`
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(super) fn senders(global: &Global, command: &SendersCommand) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    match command {
        SendersCommand::List { text, limit } => {
            output.list(SENDERS, &list(&server, text, *limit)?)?;
        }
        SendersCommand::Add { action, sender, recipient, note, until } => {
            confirm(global, &format!("{action} {sender} for {recipient}"))?;
            let entry = json!({
                "sender": sender, "recipient": recipient, "action": action, "note": note,
                "valid_until": until,
            });
            changed(output, &server.post("/senders", &json!({ "sender": entry }))?)?;
        }
        SendersCommand::Remove { ids } => {
            let ids = ids.iter().map(|id| number(id)).collect::<Result<Vec<_>, _>>()?;
            confirm(global, &format!("remove {} managed senders", ids.len()))?;
            for id in ids {
                changed(output, &server.delete(&format!("/senders/{id}"))?)?;
            }
        }
        SendersCommand::Import { file } => {
            let text = read_text(file)?;
            confirm(global, "import managed senders")?;
            output.object(&server.post_text("/senders/import", text)?)?;
        }
        SendersCommand::Export => output.document(&server.text("/senders/export")?)?,
    }
    Ok(Exit::Ok)
}

/// Managed senders by number, at most `limit`.
fn list(server: &Server, text: &str, limit: usize) -> Result<Vec<Json>, Failure> {
    let mut rows: Vec<Json> = Vec::new();
    let text = (!text.is_empty()).then_some(text);
    while rows.len() < limit {
        let wanted = (limit - rows.len()).min(PAGE_ROWS).to_string();
        let after = rows.last().and_then(|row| row.pointer("/sender/id")).map(ToString::to_string);
        let parameters =
            [("text", text), ("limit", Some(wanted.as_str())), ("after", after.as_deref())];
        let page: Vec<Json> = server.get(&path_with("/senders", &parameters))?;
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    Ok(rows)
}
