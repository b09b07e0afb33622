//! The audit log: who did what, from where, and with which effect since. A
//! form and links; nothing needs a script.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use center::audit::{AuditEffect, AuditRow, AuditSearch};
use serde::Deserialize;
use types::{AuditAction, Permission};

use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::routes::{Params, working};

/// Where this page is.
const HERE: &str = "/system/audit";

/// One line of the list.
struct Line {
    number: u64,
    at: String,
    who: String,
    address: String,
    did: String,
    action: String,
    subject: String,
    note: String,
    row: Option<String>,
    version: Option<u64>,
}

/// What the form holds and the address says.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    q: String,
    action: String,
    who: String,
    row: String,
    from: String,
    to: String,
    before: Option<u64>,
}

/// One choice of actions: a kind, or one of them.
struct Choice {
    value: &'static str,
    label: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    shell: Shell,
    lines: Vec<Line>,
    wanted: Wanted,
    choices: Vec<Choice>,
    own_only: bool,
    /// What the search cannot be understood for.
    fault: Option<String>,
    narrowed: bool,
    older: Option<String>,
    csv: String,
    ndjson: String,
}

/// What one object was and is.
struct ChangeView {
    object: String,
    before: Option<String>,
    after: Option<String>,
}

struct EffectView {
    object: String,
    standing: String,
    /// Attempts since the entry.
    count: Option<String>,
    hits: String,
    last: Option<String>,
    since: Option<String>,
}

#[derive(Template)]
#[template(path = "audit_entry.html")]
struct EntryPage {
    shell: Shell,
    line: Line,
    at: String,
    via: &'static str,
    hash: String,
    changes: Vec<ChangeView>,
    /// Everything else that belongs to the entry, as it is kept.
    details: Option<String>,
    effects: Vec<EffectView>,
    before: Option<u64>,
}

impl Wanted {
    fn search(&self, zone: &str) -> Result<AuditSearch, String> {
        let row = match self.row.trim() {
            "" => None,
            text => Some(text.parse().map_err(|_| {
                "a reference has 12 letters and digits, as a reply quotes it".to_owned()
            })?),
        };
        Ok(AuditSearch {
            q: self.q.clone(),
            action: self.action.clone(),
            who: self.who.clone(),
            row,
            version: None,
            from: self.from.clone(),
            to: self.to.clone(),
            zone: zone.to_owned(),
        })
    }

    fn pairs(&self) -> Vec<(&'static str, Option<&str>)> {
        let given = |text| Some(text).filter(|text: &&str| !text.trim().is_empty());
        vec![
            ("q", given(&self.q)),
            ("action", given(&self.action)),
            ("who", given(&self.who)),
            ("row", given(&self.row)),
            ("from", given(&self.from)),
            ("to", given(&self.to)),
        ]
    }

    /// This search at another address, with one more thing said.
    fn at(&self, path: &str, name: &'static str, value: &str) -> String {
        let mut pairs = self.pairs();
        pairs.push((name, Some(value)));
        path_with(path, &pairs)
    }
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(wanted): Params<Wanted>,
) -> Response {
    let (caller, before) = (signed.caller, wanted.before);
    let found = match wanted.search(shell.zone.name()) {
        Ok(search) => {
            let work = move |center: &center::Center| center.audit(&caller, &search, before, 0);
            match working(&api, work).await {
                Ok(found) => Ok(found),
                Err(problem) if problem.status == 422 || problem.status == 400 => {
                    Err(problem.detail)
                }
                Err(problem) => return error_page(shell, &problem),
            }
        }
        Err(fault) => Err(fault),
    };
    let (found, fault) = match found {
        Ok(found) => (Some(found), None),
        Err(fault) => (None, Some(fault)),
    };
    let own_only = !signed_may(&shell);
    let rows = found.as_ref().map_or(&[][..], |found| &found.rows);
    let older = found.as_ref().and_then(|found| found.before);
    let zone = shell.zone.name().to_owned();
    let export = |format: &str| {
        let mut pairs = wanted.pairs();
        pairs.extend([("zone", Some(zone.as_str())), ("format", Some(format))]);
        path_with("/api/v1/audit/export", &pairs)
    };
    shown(&AuditPage {
        lines: rows.iter().map(|row| line(row, &shell)).collect(),
        older: older.map(|number| wanted.at(HERE, "before", &number.to_string())),
        choices: choices(&wanted.action),
        narrowed: wanted.pairs().iter().any(|(_, value)| value.is_some()),
        csv: export("csv"),
        ndjson: export("ndjson"),
        own_only,
        fault,
        wanted,
        shell,
    })
}

fn signed_may(shell: &Shell) -> bool {
    shell.caller().is_some_and(|caller| caller.may(Permission::SeeAudit))
}

/// Kinds first, then each action below its kind.
fn choices(chosen: &str) -> Vec<Choice> {
    let mut choices = Vec::new();
    let mut kind = "";
    for action in AuditAction::ALL {
        if action.kind() != kind {
            kind = action.kind();
            let label = format!("All of {}", kind.replace('_', "-"));
            choices.push(Choice { value: kind, label, chosen: chosen == kind });
        }
        let (value, label) = (action.slug(), action.doc().trim_end_matches('.').to_owned());
        choices.push(Choice { value, label, chosen: chosen == value });
    }
    choices
}

fn line(row: &AuditRow, shell: &Shell) -> Line {
    let who = if row.who.is_empty() { "Somebody" } else { &row.who };
    Line {
        number: row.number,
        at: shell.time(row.at),
        who: who.to_owned(),
        address: row.address.clone().unwrap_or_else(|| "this machine".to_owned()),
        did: row.did.trim_end_matches('.').to_owned(),
        action: row.action.clone(),
        subject: row.subject.clone(),
        note: row.note.clone(),
        row: row.row.map(|row| row.to_string()),
        version: row.version,
    }
}

pub(super) async fn entry(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    let caller = signed.caller;
    let work = move |center: &center::Center| {
        let row = center.audit_entry(&caller, number)?;
        let effects = center.audit_effects(&caller, &row)?;
        Ok((row, effects))
    };
    let (row, effects) = match working(&api, work).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let via = match row.via.as_str() {
        "machine" => "the machine itself: its command line or the gateway's own work",
        "token" => "a program, with a token",
        "account" => "a person, signed in",
        _ => "nobody who was signed in",
    };
    let (changes, details) = told(row.details.as_ref());
    shown(&EntryPage {
        line: line(&row, &shell),
        at: shell.zone.whole(row.at),
        via,
        hash: row.hash,
        changes,
        details,
        effects: effects.iter().map(|effect| effect_view(effect, &row.at, &shell)).collect(),
        before: row.version.and_then(|version| version.checked_sub(1)),
        shell,
    })
}

/// The changes of objects, and the rest of the details as text.
fn told(details: Option<&serde_json::Value>) -> (Vec<ChangeView>, Option<String>) {
    let Some(details) = details else { return (Vec::new(), None) };
    let mut rest = details.clone();
    let changes = rest.as_object_mut().and_then(|fields| fields.remove("changes"));
    let changes = changes.as_ref().and_then(serde_json::Value::as_array).cloned();
    let views = changes.unwrap_or_default().iter().map(change).collect();
    let empty = rest.as_object().is_some_and(serde_json::Map::is_empty);
    (views, (!empty).then(|| pretty(&rest)))
}

fn change(change: &serde_json::Value) -> ChangeView {
    let of = |name: &str| change.get(name).filter(|value| !value.is_null()).map(pretty);
    let object =
        change.get("key").and_then(|key| key.as_object()).and_then(|key| key.iter().next());
    let object = object.map(|(kind, name)| {
        let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
        let kind = if kind == "sender" { "managed sender" } else { kind };
        format!("{kind} {name}")
    });
    ChangeView { object: object.unwrap_or_default(), before: of("before"), after: of("after") }
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn effect_view(effect: &AuditEffect, at: &types::Timestamp, shell: &Shell) -> EffectView {
    let since = effect.query.as_ref().map(|query| {
        let from = at.to_string();
        let pairs = [
            ("view", Some("all")),
            ("q", Some(query.as_str())),
            ("from", Some(from.as_str())),
            ("to", Some("now")),
        ];
        path_with("/messages", &pairs)
    });
    EffectView {
        object: effect.object.clone(),
        standing: effect.standing.clone(),
        count: effect.since.map(|count| {
            let grouped = super::sizes::grouped(count);
            if effect.since_is_exact { grouped } else { format!("about {grouped}") }
        }),
        hits: super::sizes::grouped(effect.hits),
        last: effect.last.map(|last| shell.time(last)),
        since,
    }
}
