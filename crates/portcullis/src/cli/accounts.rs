//! `account …` and `token …`.

use std::io::{BufRead, IsTerminal, Write};

use api::client::encoded;
use serde_json::{Value as Json, json};
use types::policy::DomainPattern;
use types::{Permission, Permissions, RoleName, Timestamp};

use super::arguments::{AccountCommand, Global, TokenCommand};
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::server::{Server, confirm};

const ACCOUNTS: &[Column] = &[
    ("Name", "/name"),
    ("Role", "/role"),
    ("Sees mail of", "/domains"),
    ("And of groups", "/groups"),
    ("Disabled", "/disabled"),
    ("Password", "/has_password"),
    ("Codes", "/has_totp"),
    ("Last sign-in", "/signed_in"),
    ("Made by", "/created_by"),
];
const TOKENS: &[Column] = &[
    ("Id", "/id"),
    ("Account", "/account"),
    ("Name", "/name"),
    ("May", "/permissions"),
    ("From", "/networks"),
    ("Ends", "/expires"),
    ("Last used", "/last_used"),
    ("By", "/last_address"),
];

/// `account …`
///
/// # Errors
/// The server cannot be asked or refuses.
pub(super) fn account(global: &Global, command: &AccountCommand) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    let at = |name: &str, part: &str| format!("/accounts/{}{part}", encoded(name));
    match command {
        AccountCommand::List => {
            let rows: Vec<Json> = server.get("/accounts")?;
            let none = "there are no accounts; `account setup-link` lets the first owner in";
            output.found(ACCOUNTS, &rows, none)?;
        }
        AccountCommand::Add { name, role, domains, groups } => {
            let (role, domains) = (role_of(role)?, domains_of(domains)?);
            confirm(global, &format!("add the account {name:?} as {role}"))?;
            let body = json!({ "name": name, "role": role, "domains": domains, "groups": groups });
            server.post("/accounts", &body)?;
            link(&server, output, Some(name))?;
        }
        AccountCommand::Limit { name, domains, groups } => {
            limit(global, &server, output, name, &domains_of(domains)?, groups)?;
        }
        AccountCommand::Disable { name } => {
            confirm(global, &format!("let nobody in as {name:?} any more"))?;
            let done = server.put(&at(name, ""), &json!({ "disabled": true }))?;
            output.object(&done)?;
        }
        AccountCommand::Enable { name } => {
            confirm(global, &format!("let people in as {name:?} again"))?;
            let done = server.put(&at(name, ""), &json!({ "disabled": false }))?;
            output.object(&done)?;
        }
        AccountCommand::Emergency { name } => emergency(global, &server, output, name)?,
        AccountCommand::Remove { name } => {
            confirm(global, &format!("remove the account {name:?} with its sessions and tokens"))?;
            let done = server.delete(&at(name, ""))?;
            output.object(&done)?;
        }
        AccountCommand::Role { name, role } => {
            let role = role_of(role)?;
            confirm(global, &format!("make {name:?} {role}"))?;
            let done = server.put(&at(name, "/role"), &json!({ "role": role }))?;
            output.object(&done)?;
        }
        AccountCommand::Password { name, revoke_tokens } => {
            let password = read_password()?;
            let tokens = if *revoke_tokens { "revoke" } else { "keep" };
            let body = json!({ "password": password, "tokens": tokens });
            let done = server.put(&at(name, "/password"), &body)?;
            output.object(&done)?;
        }
        AccountCommand::SetupLink { name } => link(&server, output, name.as_deref())?,
        AccountCommand::Link { name, subject } => {
            confirm(global, &format!("let whoever is {subject:?} there come in as {name:?}"))?;
            let done = server.post(&at(name, "/links"), &json!({ "subject": subject }))?;
            output.object(&done)?;
        }
        AccountCommand::Unlink { name, subject } => unlink(global, &server, output, name, subject)?,
        AccountCommand::ResetTotp { name } => {
            confirm(global, &format!("turn codes at sign-in off for {name:?}"))?;
            let done = server.delete(&at(name, "/codes"))?;
            output.object(&done)?;
        }
    }
    Ok(Exit::Ok)
}

/// Changes whose mail an account sees.
fn limit(
    global: &Global,
    server: &Server,
    output: Output,
    name: &str,
    domains: &[DomainPattern],
    groups: &[String],
) -> Result<(), Failure> {
    let seen = match (domains.is_empty(), groups.is_empty()) {
        (true, true) => "everybody's mail",
        (false, true) => "the mail of these domains alone",
        (true, false) => "the mail of these groups alone",
        (false, false) => "the mail of these domains and groups alone",
    };
    confirm(global, &format!("let {name:?} see {seen}"))?;
    let body = json!({ "domains": domains, "groups": groups });
    let done = server.put(&format!("/accounts/{}", encoded(name)), &body)?;
    output.object(&done)
}

/// Ends a link of an account to who somebody is at the sign-in service.
fn unlink(
    global: &Global,
    server: &Server,
    output: Output,
    name: &str,
    subject: &str,
) -> Result<(), Failure> {
    let number = linked(server, name, subject)?;
    confirm(global, &format!("unlink {name:?} from {subject:?}"))?;
    let done = server.delete(&format!("/accounts/{}/links/{number}", encoded(name)))?;
    output.object(&done)
}

/// The number of a link of an account.
fn linked(server: &Server, name: &str, subject: &str) -> Result<u64, Failure> {
    let rows: Vec<Json> = server.get("/accounts")?;
    let is = |value: &Json, key: &str, text: &str| value.get(key).is_some_and(|it| it == text);
    let wanted = name.trim().to_lowercase();
    let account = rows.iter().find(|row| is(row, "name", &wanted));
    let links = account.and_then(|row| row.get("identities")).and_then(Json::as_array);
    let found = links.into_iter().flatten().find(|link| is(link, "subject", subject));
    found.and_then(|link| link.get("id")).and_then(Json::as_u64).ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("the account {name:?} is not linked to {subject:?}"))
    })
}

/// Makes the account for emergencies and prints its password.
fn emergency(global: &Global, server: &Server, output: Output, name: &str) -> Result<(), Failure> {
    let what = "make the account for emergencies, or give it a new password";
    confirm(global, &format!("{what}: {name:?}"))?;
    let made = server.post("/emergency-account", &json!({ "name": name }))?;
    if output.is_json() {
        return output.object(&made);
    }
    output.note("this is its password, shown once; put it in an envelope:");
    output.text(made.get("password").and_then(Json::as_str).unwrap_or_default())
}

/// Makes a link and says what it is for.
fn link(server: &Server, output: Output, name: Option<&str>) -> Result<(), Failure> {
    let link = server.post("/set-up-links", &json!({ "name": name }))?;
    if output.is_json() {
        return output.object(&link);
    }
    output.note(match name {
        Some(_) => "the person chooses a password at this address, once and within 24 hours:",
        None => "whoever opens this address, once and within 24 hours, becomes an owner:",
    });
    let url = link.get("url").and_then(Json::as_str).unwrap_or_default();
    output.text(url)
}

pub(super) fn role_of(text: &str) -> Result<RoleName, Failure> {
    text.parse().map_err(|error: types::role::RoleNameError| {
        Failure::new(Exit::Usage, format!("{text:?}: {error}; `role list` has all"))
    })
}

fn domains_of(texts: &[String]) -> Result<Vec<DomainPattern>, Failure> {
    let read = |text: &String| {
        text.parse().map_err(|error: types::AddressError| {
            Failure::new(Exit::Usage, format!("{text:?} is no domain: {error}"))
        })
    };
    texts.iter().map(read).collect()
}

/// A password: typed twice without an echo, or one line of standard input.
pub(super) fn read_password() -> Result<String, Failure> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return line(&mut input.lock());
    }
    let hidden = Hidden::begin()?;
    let (first, second) = (asked("New password: ")?, asked("The same again: ")?);
    drop(hidden);
    match first == second {
        true => Ok(first),
        false => Err(Failure::new(Exit::Usage, "the two passwords differ; nothing was changed")),
    }
}

fn asked(question: &str) -> Result<String, Failure> {
    let mut out = std::io::stderr().lock();
    write!(out, "{question}")?;
    out.flush()?;
    let answer = line(&mut std::io::stdin().lock());
    // The line end that was typed was not shown.
    writeln!(out)?;
    answer
}

fn line(input: &mut impl BufRead) -> Result<String, Failure> {
    let mut text = String::new();
    input.read_line(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The terminal without its echo, which comes back when this is dropped.
struct Hidden(rustix::termios::Termios);

impl Hidden {
    fn begin() -> Result<Hidden, Failure> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let failed = |error: rustix::io::Errno| Failure::new(Exit::Error, error.to_string());
        let before = tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Now, &quiet).map_err(failed)?;
        Ok(Hidden(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// `token …`
///
/// # Errors
/// The server cannot be asked or refuses.
pub(super) fn token(global: &Global, command: &TokenCommand) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    match command {
        TokenCommand::List => {
            let rows: Vec<Json> = server.get("/tokens?all=true")?;
            output.found(TOKENS, &rows, "there are no tokens; `token add` makes one")?;
        }
        TokenCommand::Add { account, name, permissions, from, until } => {
            let wanted = permissions_of(permissions)?;
            let expires = until.as_deref().map(str::parse::<Timestamp>).transpose();
            let expires = expires.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
            confirm(global, &format!("make the token {name:?} for {account:?}"))?;
            let body = json!({
                "account": account, "name": name, "permissions": wanted, "networks": from,
                "expires": expires,
            });
            let made = server.post("/tokens", &body)?;
            if output.is_json() {
                output.object(&made)?;
                return Ok(Exit::Ok);
            }
            output.note("this is shown once; programs send it as `Authorization: Bearer …`:");
            output.text(made.get("secret").and_then(Json::as_str).unwrap_or_default())?;
        }
        TokenCommand::Revoke { id } => {
            confirm(global, &format!("revoke the token {id}"))?;
            let done = server.delete(&format!("/tokens/{id}"))?;
            output.object(&done)?;
        }
    }
    Ok(Exit::Ok)
}

pub(super) fn permissions_of(names: &[String]) -> Result<Permissions, Failure> {
    let read = |name: &String| {
        name.parse::<Permission>().map_err(|_| {
            let known: Vec<&str> = Permission::ALL.iter().map(|known| known.slug()).collect();
            let text = format!("there is no permission {name:?}; there are {}", known.join(", "));
            Failure::new(Exit::Usage, text)
        })
    };
    names.iter().map(read).collect()
}
