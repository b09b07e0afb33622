//! `policy …`, `group …` and `senders …`.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use api::client::{encoded, path_with};
use center::letting::SenderVerdict;
use serde_json::{Value as Json, json};
use types::lists::{Pattern, SenderPattern};
use types::{EmailAddress, Policy, Timestamp};

use super::arguments::{Change, Global, GroupCommand, PolicyCommand, SendersCommand};
use super::auto_allow;
use super::exit::{Exit, Failure};
use super::importing::{self, Import};
use super::letting;
use super::output::{Column, Output};
use super::replay;
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
const PRECISION: &[Column] = &[
    ("Check", "/title"),
    ("Decided by", "/by"),
    ("Refused", "/refused"),
    ("Permits", "/permits"),
    ("Let in", "/let_in"),
    ("Releases", "/releases"),
    ("Of a thousand", "/regret_per_mille"),
    ("Query", "/query"),
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
    ("If authenticated", "/sender/authenticated_only"),
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
    match command {
        PolicyCommand::Plan { file, last } => return replay::plan(global, file, *last),
        PolicyCommand::Apply { file, last, change } => {
            return replay::apply(global, file, *last, change);
        }
        PolicyCommand::Test { file, tests } => return replay::test(global, file, tests),
        PolicyCommand::Compare { id } => return replay::compare(global, number(id)?),
        PolicyCommand::Enforce { id, change } => return enforce(global, number(id)?, change),
        PolicyCommand::Precision { days } => return precision(global, *days),
        PolicyCommand::Undo { version } => return letting::undo(global, *version),
        _ => {}
    }
    let server = Server::of(global)?;
    match command {
        PolicyCommand::List => {
            let list: Json = server.get("/policies")?;
            let rows = list.get("policies").and_then(Json::as_array).cloned().unwrap_or_default();
            output.found(POLICIES, &rows, "there are no policies; `policy add` makes one")?;
        }
        PolicyCommand::Show { id } => {
            let row: Json = server.get(&format!("/policies/{}", number(id)?))?;
            show(output, &row)?;
        }
        PolicyCommand::Add { file, change } => {
            let policy = read_policy(file)?;
            confirm(global, &format!("add the policy {:?}", policy.narrative))?;
            let body = json!({ "policy": policy, "note": change.note });
            changed(output, &server.post("/policies", &body)?)?;
        }
        PolicyCommand::Set { id, file, change } => {
            let (policy, id) = (read_policy(file)?, number(id)?);
            confirm(global, &format!("replace policy #{id}"))?;
            let body = json!({ "policy": policy, "note": change.note });
            changed(output, &server.put(&format!("/policies/{id}"), &body)?)?;
        }
        PolicyCommand::Remove { id, change } => {
            let id = number(id)?;
            confirm(global, &format!("remove policy #{id}"))?;
            changed(output, &server.delete(&noted(&format!("/policies/{id}"), change))?)?;
        }
        PolicyCommand::Export => output.document(&server.text("/policies/export")?)?,
        PolicyCommand::Import { file, change } => {
            let text = read_text(file)?;
            confirm(global, "replace all policies, groups, definitions and managed senders")?;
            changed(output, &server.post_text(&noted("/policies/import", change), text)?)?;
        }
        PolicyCommand::Versions => {
            let rows: Vec<Json> = server.get("/policies/versions")?;
            output.list(VERSIONS, &rows)?;
        }
        PolicyCommand::Diff { from, to } => {
            let (from, to) = (from.to_string(), to.to_string());
            let parameters = [("from", Some(from.as_str())), ("to", Some(to.as_str()))];
            let rows: Vec<Json> = server.get(&path_with("/policies/differences", &parameters))?;
            differences(output, &rows)?;
        }
        PolicyCommand::Rollback { version, change } => {
            confirm(global, &format!("go back to version {version} of the policy set"))?;
            let body = json!({ "version": version, "note": change.note });
            changed(output, &server.post("/policies/rollback", &body)?)?;
        }
        // Those that were done above.
        _ => {}
    }
    Ok(Exit::Ok)
}

/// `policy precision`
fn precision(global: &Global, days: u32) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    let days = days.to_string();
    let path = path_with("/policies/precision", &[("days", Some(days.as_str()))]);
    let report: Json = server.get(&path)?;
    let rows = report.get("rows").and_then(Json::as_array).cloned().unwrap_or_default();
    output.found(PRECISION, &rows, "nothing was taken back")?;
    if let Some(unknown @ 1..) = report.get("unknown").and_then(Json::as_u64) {
        output.note(&format!("{unknown} acts are of rows that are no longer kept"));
    }
    Ok(Exit::Ok)
}

/// `policy enforce`: the policy as it is now.
fn enforce(global: &Global, id: u64, change: &Change) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    let row: Json = server.get(&format!("/policies/{id}"))?;
    let version = row.pointer("/provenance/version").cloned().unwrap_or_default();
    confirm(global, &format!("enforce policy #{id} from now on"))?;
    let body = json!({ "looked_at": version, "note": change.note });
    changed(output, &server.post(&format!("/policies/{id}/enforce"), &body)?)?;
    Ok(Exit::Ok)
}

/// The path of a change that has no body of its own, with what it is for.
pub(super) fn noted(path: &str, change: &Change) -> String {
    path_with(path, &[("note", Some(change.note.as_str()).filter(|note| !note.is_empty()))])
}

/// `policy check`: needs no running server.
fn check(global: &Global, file: &Path) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    let loaded = super::config::load(global);
    let Some(settings) = &loaded.settings else {
        let first = loaded.problems.first().map(ToString::to_string).unwrap_or_default();
        return Err(Failure::new(Exit::Error, first));
    };
    let problems = crate::serve::inspect::draft_problems(&read_text(file)?, settings);
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
pub(super) fn number(text: &str) -> Result<u64, Failure> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map_err(|_| Failure::new(Exit::Usage, format!("{text:?} is no number")))
}

/// One policy as TOML: its fields at the top, or as the only `[[policy]]` of
/// a document.
pub(super) fn read_policy(file: &Path) -> Result<Policy, Failure> {
    policy::Document::parse_policy(&read_text(file)?).map_err(|error| {
        let text = format!("{}:{}: {}", file.display(), error.line, error.message);
        Failure::new(Exit::Error, text)
    })
}

/// One policy: as TOML that `policy set` reads back, with what is known of it
/// as remarks.
fn show(output: Output, row: &Json) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(row);
    }
    let field = |at: &str| match row.pointer(at) {
        Some(Json::String(text)) => text.clone(),
        other => other.map(ToString::to_string).unwrap_or_default(),
    };
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

/// The objects that a change added, changed or removed.
fn objects<'r>(rows: &'r [Json], deed: &str) -> Vec<&'r str> {
    let is_there = |row: &Json, side: &str| row.get(side).is_some_and(|text| !text.is_null());
    let was_done = |row: &&Json| match (is_there(row, "before"), is_there(row, "after")) {
        (false, true) => deed == "added",
        (true, false) => deed == "removed",
        _ => deed == "changed",
    };
    rows.iter().filter(was_done).filter_map(|row| row.get("object")?.as_str()).collect()
}

/// What a change did.
pub(super) fn changed(output: Output, result: &Json) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(result);
    }
    let version = result.get("version").map(ToString::to_string).unwrap_or_default();
    let rows = result.get("differences").and_then(Json::as_array).cloned().unwrap_or_default();
    let mut text = match rows.is_empty() {
        true => format!("nothing differs; the policy set has version {version}"),
        false => {
            let deeds = ["added", "changed", "removed"].map(|deed| (deed, objects(&rows, deed)));
            let deeds = deeds.iter().filter(|(_, objects)| !objects.is_empty());
            let deeds = deeds.map(|(deed, objects)| format!("{deed} {}", objects.join(", ")));
            format!("version {version}: {}", deeds.collect::<Vec<_>>().join("; "))
        }
    };
    for problem in result.get("left_out").and_then(Json::as_array).into_iter().flatten() {
        text += &format!("\nnot in force: {}", problem.as_str().unwrap_or_default());
    }
    for (field, whose) in [
        ("kept_by_file", "the policy file manages it"),
        ("kept_by_directory", "a directory has it"),
    ] {
        let kept = result.get(field).and_then(Json::as_array).into_iter().flatten();
        let kept: Vec<&str> = kept.filter_map(Json::as_str).collect();
        if !kept.is_empty() {
            text += &format!("\nleft as it is, because {whose}: {}", kept.join(", "));
        }
    }
    output.text(&text)
}

/// What differs, as lines with - and +.
pub(super) fn differences(output: Output, rows: &[Json]) -> Result<(), Failure> {
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
            output.found(GROUPS, &rows, "there are no groups; `group set` makes one")?;
        }
        GroupCommand::Show { name } => {
            let row: Json = server.get(&path(name))?;
            match global.json {
                true => output.object(&row)?,
                false => {
                    let members = row.pointer("/group/members").and_then(Json::as_array);
                    let members = members.cloned().unwrap_or_default();
                    // What is printed can be pasted into another group.
                    output.going_on().table(&[], &one_column(members))?;
                }
            }
        }
        GroupCommand::Set { name, members, parent, change } => {
            let members = patterns(members)?;
            confirm(global, &format!("set the members of group {name:?}"))?;
            let group = json!({ "name": name, "parent": parent, "members": members });
            let body = json!({ "group": group, "note": change.note });
            changed(output, &server.put(&path(name), &body)?)?;
        }
        GroupCommand::Add { name, members, change } => {
            let members = patterns(members)?;
            confirm(global, &format!("add {} members to group {name:?}", members.len()))?;
            let body = json!({ "add": members, "note": change.note });
            changed(output, &server.post(&(path(name) + "/members"), &body)?)?;
        }
        GroupCommand::Remove { name, members, change } if members.is_empty() => {
            confirm(global, &format!("remove group {name:?}"))?;
            changed(output, &server.delete(&noted(&path(name), change))?)?;
        }
        GroupCommand::Remove { name, members, change } => {
            let members = patterns(members)?;
            confirm(global, &format!("remove {} members from group {name:?}", members.len()))?;
            let body = json!({ "remove": members, "note": change.note });
            changed(output, &server.post(&(path(name) + "/members"), &body)?)?;
        }
    }
    Ok(Exit::Ok)
}

/// Members as they are typed. Read here, because the server could only say at
/// which octet of a request the mistake is.
fn patterns(texts: &[String]) -> Result<Vec<Pattern>, Failure> {
    texts.iter().map(|text| typed("member", text)).collect()
}

/// One value as it is typed.
pub(super) fn typed<T: FromStr<Err: Display>>(what: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error| Failure::new(Exit::Usage, format!("{what} {text:?}: {error}")))
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
            let otherwise = match text.is_empty() {
                true => "there are no managed senders yet; `senders add` makes one",
                false => {
                    "no entry has this text in sender, recipient or note; without a text all are listed"
                }
            };
            output.found(SENDERS, &list(&server, text, *limit)?, otherwise)?;
        }
        SendersCommand::Add { action, sender, recipient, authenticated_only, note, until } => {
            let entry = json!({
                "sender": typed::<SenderPattern>("sender", sender)?,
                "recipient": typed::<EmailAddress>("recipient", recipient)?,
                "action": action.slug(),
                "authenticated_only": authenticated_only,
                "note": note,
                "valid_until": until.as_deref().map(|at| typed::<Timestamp>("--until", at)).transpose()?,
            });
            confirm(global, &format!("{} {sender} for {recipient}", action.slug()))?;
            changed(output, &server.post("/senders", &json!({ "sender": entry }))?)?;
        }
        SendersCommand::Permit(arguments) => {
            return letting::decide(global, SenderVerdict::Permit, arguments);
        }
        SendersCommand::Block(arguments) => {
            return letting::decide(global, SenderVerdict::Block, arguments);
        }
        SendersCommand::Remove { ids } => {
            let ids = ids.iter().map(|id| number(id)).collect::<Result<Vec<_>, _>>()?;
            confirm(global, &format!("remove {} managed senders", ids.len()))?;
            for id in ids {
                changed(output, &server.delete(&format!("/senders/{id}"))?)?;
            }
        }
        SendersCommand::Import { file, format, action, recipient, dry_run, partial, note } => {
            let (format, action, dry_run, partial) = (*format, *action, *dry_run, *partial);
            let recipient = recipient.as_deref();
            let import = Import { file, format, action, recipient, dry_run, partial, note };
            return importing::import(global, &import);
        }
        SendersCommand::Auto(command) => return auto_allow::auto_allow(global, command),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::objects;

    #[test]
    fn a_change_says_what_came_what_changed_and_what_went() {
        let rows = [
            json!({ "object": "policy #1", "before": "x", "after": null }),
            json!({ "object": "policy #2", "before": null, "after": "x" }),
            json!({ "object": "group A", "before": "x", "after": "y" }),
        ];
        let told = ["added", "changed", "removed"].map(|deed| objects(&rows, deed));
        assert_eq!(told, [["policy #2"], ["group A"], ["policy #1"]]);
    }
}
