//! Roles: the table of what each allows, and the form of one.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::CenterError;
use center::accounts::{Accounts, RoleBody, RoleRow};
use types::{Caller, Permission, Permissions, Reach, RoleName};

use crate::Api;
use crate::auth::Signed;
use crate::auth::api::role_name;
use crate::client::encoded;
use crate::pages::list::address::Pairs;
use crate::pages::{Shell, error_page, sent, shown};
use crate::problem::ApiProblem;
use crate::routes::on_accounts;

/// Where this page is.
const HERE: &str = "/system/roles";

/// A box of the form.
struct Tick {
    permission: Permission,
    ticked: bool,
    /// It cannot be switched.
    fixed: bool,
    /// Whoever is limited to some domains has it not.
    over_all: bool,
}

#[derive(Template)]
#[template(path = "roles.html")]
struct RolesPage {
    shell: Shell,
    roles: Vec<RoleRow>,
    boxes: Vec<Tick>,
    name: String,
    note: String,
    fault: Option<String>,
}

impl RolesPage {
    /// A cell of the table: a sign, and the same in words.
    fn cell(role: &RoleRow, permission: &Permission) -> (&'static str, &'static str) {
        let has = role.permissions.has(*permission);
        let switched = role.built_in && role.optional.has(*permission);
        match (has, switched) {
            (true, false) => ("\u{25cf}", "yes"),
            (true, true) => ("\u{25d0}", "yes, can be switched off"),
            (false, true) => ("\u{25cb}", "no, can be switched on"),
            (false, false) => ("\u{2013}", "no"),
        }
    }

    fn permissions(&self) -> &'static [Permission] {
        Permission::ALL
    }
}

fn href(name: &RoleName) -> String {
    format!("{HERE}/{}", encoded(name.as_str()))
}

fn boxes(ticked: Permissions, may_differ: Permissions) -> Vec<Tick> {
    let one = |permission: &Permission| Tick {
        permission: *permission,
        ticked: ticked.has(*permission),
        fixed: !may_differ.has(*permission),
        over_all: permission.reach() == Reach::House,
    };
    Permission::ALL.iter().map(one).collect()
}

/// What a form says: the name, the note, and the boxes that are ticked.
fn read(pairs: &Pairs) -> (String, RoleBody) {
    let one = |wanted: &str| {
        let found = pairs.iter().find(|(name, _)| name == wanted);
        found.map_or(String::new(), |(_, value)| value.trim().to_owned())
    };
    let ticked = pairs.iter().filter(|(name, _)| name == "permission");
    let permissions = ticked.filter_map(|(_, value)| value.parse::<Permission>().ok()).collect();
    (one("name"), RoleBody { permissions, note: one("note") })
}

pub(in crate::pages) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
) -> Response {
    let nothing = RoleBody { permissions: Permissions::NONE, note: String::new() };
    table(&api, signed.caller, shell, (String::new(), nothing), None).await
}

async fn table(
    api: &Api,
    caller: Caller,
    shell: Shell,
    (name, wanted): (String, RoleBody),
    fault: Option<String>,
) -> Response {
    match on_accounts(api, move |accounts| accounts.roles(&caller)).await {
        Ok(roles) => {
            let boxes = boxes(wanted.permissions, Permissions::all());
            shown(&RolesPage { shell, roles, boxes, name, note: wanted.note, fault })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

/// Makes a role.
pub(in crate::pages) async fn add(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(pairs): Form<Pairs>,
) -> Response {
    let (name, body) = read(&pairs);
    let (caller, named, wanted) = (signed.caller.clone(), name.clone(), body.clone());
    let work = move |accounts: &Accounts| {
        let name: RoleName = named
            .parse()
            .map_err(|error: types::role::RoleNameError| CenterError::invalid(error.to_string()))?;
        if accounts.roles(&caller)?.iter().any(|role| role.name == name) {
            return Err(CenterError::invalid(format!("there is a role {name} already")));
        }
        accounts.put_role(&caller, &name, &wanted)
    };
    let again = async |shell, problem: ApiProblem| {
        table(&api, signed.caller, shell, (name, body), Some(problem.detail)).await
    };
    sent::answer(shell, on_accounts(&api, work).await, |()| HERE.to_owned(), again).await
}

#[derive(Template)]
#[template(path = "role.html")]
struct RolePage {
    shell: Shell,
    role: RoleRow,
    href: String,
    boxes: Vec<Tick>,
    note: String,
    fault: Option<String>,
}

pub(in crate::pages) async fn one(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    form(&api, signed.caller, shell, &name, None).await
}

async fn form(
    api: &Api,
    caller: Caller,
    shell: Shell,
    name: &str,
    refused: Option<(RoleBody, String)>,
) -> Response {
    let found = match role_name(name) {
        Err(problem) => Err(problem),
        Ok(name) => {
            let look = move |accounts: &Accounts| {
                let role = accounts.roles(&caller)?.into_iter().find(|role| role.name == name);
                role.ok_or_else(|| CenterError::NotFound(format!("role {name}")))
            };
            on_accounts(api, look).await
        }
    };
    let role = match found {
        Ok(role) => role,
        Err(problem) => return error_page(shell, &problem),
    };
    let (wanted, fault) = match refused {
        Some((wanted, fault)) => (wanted, Some(fault)),
        None => (RoleBody { permissions: role.permissions, note: role.note.clone() }, None),
    };
    shown(&RolePage {
        shell,
        href: href(&role.name),
        boxes: boxes(wanted.permissions, role.optional),
        note: wanted.note,
        role,
        fault,
    })
}

pub(in crate::pages) async fn change(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Response {
    let (_, body) = read(&pairs);
    let (caller, named, wanted) = (signed.caller.clone(), name.clone(), body.clone());
    let work = move |accounts: &Accounts| {
        let role = accounts.roles(&caller)?.into_iter().find(|role| role.name.as_str() == named);
        let role = role.ok_or_else(|| CenterError::NotFound(format!("role {named}")))?;
        // A box that cannot be switched is not sent by a browser.
        let fixed: Permissions = match role.built_in {
            true => role.permissions.iter().filter(|p| !role.optional.has(*p)).collect(),
            false => Permissions::NONE,
        };
        let note = if role.built_in { String::new() } else { wanted.note };
        let body = RoleBody { permissions: wanted.permissions.or(fixed), note };
        accounts.put_role(&caller, &role.name, &body)
    };
    let again = async |shell, problem: ApiProblem| {
        form(&api, signed.caller, shell, &name, Some((body, problem.detail))).await
    };
    sent::answer(shell, on_accounts(&api, work).await, |()| HERE.to_owned(), again).await
}

pub(in crate::pages) async fn remove(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let caller = signed.caller.clone();
    let role = match role_name(&name) {
        Ok(role) => role,
        Err(problem) => return error_page(shell, &problem),
    };
    match on_accounts(&api, move |accounts| accounts.remove_role(&caller, &role)).await {
        Ok(()) => Redirect::to(HERE).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}
