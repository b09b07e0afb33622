//! Groups: the tree, one group with its members, pasting a thousand lines.

use std::collections::HashMap;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use center::{CenterError, ChangeResult, GroupRow, GroupSource, ImportHow, Pasted};
use serde::Deserialize;
use types::Permission;
use types::lists::{Group, Pattern};

use super::list::address::Pairs;
use super::{Shell, error_page, sent, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::encoded;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

/// Where this page is.
const HERE: &str = "/groups";
/// Most members shown; the search finds the others, and the export has all.
const MEMBERS_SHOWN: usize = 500;
/// How deep the tree is drawn.
const DEEP_MAX: usize = 12;

/// One line of the tree.
struct Branch {
    name: String,
    href: String,
    deep: usize,
    members: usize,
    /// With those of the groups below.
    all: usize,
    by_file: bool,
    directory: Option<GroupSource>,
}

#[derive(Template)]
#[template(path = "groups.html")]
struct GroupsPage {
    shell: Shell,
    branches: Vec<Branch>,
    /// Names a new group can stand below.
    names: Vec<String>,
    may_change: bool,
    problem: Option<String>,
    wanted: NewGroup,
}

fn href(name: &str) -> String {
    format!("{HERE}/{}", encoded(name))
}

/// The tree in the order in which it is read: each group before those below.
fn branches(groups: &[GroupRow]) -> Vec<Branch> {
    let mut below: HashMap<Option<&str>, Vec<&GroupRow>> = HashMap::new();
    let is_there = |name: &str| groups.iter().any(|row| row.group.name == name);
    for row in groups {
        let parent = row.group.parent.as_deref().filter(|parent| is_there(parent));
        below.entry(parent).or_default().push(row);
    }
    let mut found = Vec::with_capacity(groups.len());
    walk(&below, None, 0, &mut found);
    found
}

/// Adds the groups below `parent`; returns how many members they have in all.
fn walk(
    below: &HashMap<Option<&str>, Vec<&GroupRow>>,
    parent: Option<&str>,
    deep: usize,
    found: &mut Vec<Branch>,
) -> usize {
    let mut all = 0;
    if deep > DEEP_MAX {
        return all;
    }
    for row in below.get(&parent).into_iter().flatten() {
        let (name, members) = (&row.group.name, row.group.members.len());
        let place = found.len();
        found.push(Branch {
            name: name.clone(),
            href: href(name),
            deep,
            members,
            all: members,
            by_file: row.provenance.origin.is_file(),
            directory: row.directory.clone(),
        });
        let with_below = members + walk(below, Some(name), deep + 1, found);
        if let Some(branch) = found.get_mut(place) {
            branch.all = with_below;
        }
        all += with_below;
    }
    all
}

pub(super) async fn page(State(api): State<Api>, signed: Signed, shell: Shell) -> Response {
    tree(&api, signed, shell, None, NewGroup::default()).await
}

async fn tree(
    api: &Api,
    signed: Signed,
    shell: Shell,
    problem: Option<String>,
    wanted: NewGroup,
) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    match working(api, move |center| center.groups(&caller)).await {
        Ok(groups) => {
            let names = places(&groups);
            let branches = branches(&groups);
            shown(&GroupsPage { shell, branches, names, may_change, problem, wanted })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

/// The groups that another can stand below: below one of a directory it would
/// add to its members.
fn places(groups: &[GroupRow]) -> Vec<String> {
    let open = groups.iter().filter(|row| row.directory.is_none());
    open.map(|row| row.group.name.clone()).collect()
}

fn may_change(signed: &Signed) -> bool {
    signed.caller.may(Permission::EditLists) && !signed.csrf.is_empty()
}

/// The form of a new group.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewGroup {
    name: String,
    parent: String,
}

pub(super) async fn add(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(new): Form<NewGroup>,
) -> Response {
    let (caller, wanted) = (signed.caller.clone(), new.clone());
    let done = working(&api, move |center| {
        let name = wanted.name.trim();
        if center.groups(&caller)?.iter().any(|row| row.group.name == name) {
            return Err(CenterError::invalid(format!("there is a group {name:?} already")));
        }
        let parent = Some(wanted.parent).filter(|parent| !parent.is_empty());
        let group = Group { name: name.to_owned(), parent, members: Vec::new() };
        center.put_group(&caller, group, None, "by hand").map(drop)
    });
    let there = href(new.name.trim());
    let again = async |shell, problem: ApiProblem| {
        tree(&api, signed, shell, Some(problem.detail), new).await
    };
    sent::answer(shell, done.await, |()| there, again).await
}

/// What is said on the page of one group.
#[derive(Default)]
struct Said {
    /// The text that was pasted, and what came of it.
    text: String,
    pasted: Option<Pasted>,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "group.html")]
struct GroupPage {
    shell: Shell,
    group: Group,
    href: String,
    /// Members that are shown.
    members: Vec<String>,
    sought: String,
    found: usize,
    /// Other groups it can be moved below.
    parents: Vec<String>,
    by_file: bool,
    directory: Option<GroupSource>,
    may_change: bool,
    /// It can be taken away, and nothing else.
    may_remove: bool,
    said: Said,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sought {
    text: String,
}

pub(super) async fn show(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Params(sought): Params<Sought>,
) -> Response {
    one(&api, signed, shell, name, sought.text, Said::default()).await
}

async fn one(
    api: &Api,
    signed: Signed,
    shell: Shell,
    name: String,
    sought: String,
    said: Said,
) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    let look =
        move |center: &center::Center| Ok((center.group(&caller, &name)?, center.groups(&caller)?));
    let (row, groups) = match working(api, look).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let wanted = sought.trim().to_lowercase();
    let matching = row.group.members.iter().map(ToString::to_string);
    let mut members: Vec<String> = matching.filter(|member| member.contains(&wanted)).collect();
    let found = members.len();
    members.truncate(MEMBERS_SHOWN);
    let is_gone = row.directory.as_ref().is_some_and(|directory| directory.gone.is_some());
    shown(&GroupPage {
        shell,
        href: href(&row.group.name),
        members,
        found,
        sought,
        parents: places(&groups).into_iter().filter(|other| *other != row.group.name).collect(),
        by_file: row.provenance.origin.is_file(),
        may_change: may_change && !row.provenance.origin.is_managed(),
        may_remove: may_change && is_gone,
        directory: row.directory,
        group: row.group,
        said,
    })
}

/// The form for pasting.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PasteForm {
    text: String,
    /// `check`, `all` or `good`.
    how: String,
}

pub(super) async fn paste(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(PasteForm { text: typed, how }): Form<PasteForm>,
) -> Response {
    let how = ImportHow { partial: how == "good", dry_run: how == "check" };
    let (caller, text, group) = (signed.caller.clone(), typed.clone(), name.clone());
    let done =
        working(&api, move |center| center.paste_members(&caller, &group, &text, how, "pasted"));
    let (text, by, group) = (typed.clone(), signed.clone(), name.clone());
    let then = async |shell, pasted: Pasted| {
        let text = if pasted.dry_run { text } else { String::new() };
        let said = Said { text, pasted: Some(pasted), problem: None };
        one(&api, by, shell, group, String::new(), said).await
    };
    let again = async |shell, problem: ApiProblem| {
        let pasted = Pasted { problems: problem.problems.clone(), ..Pasted::default() };
        let why = "Nothing was added, because these lines are wrong.".to_owned();
        let why = if problem.problems.is_empty() { problem.detail } else { why };
        let said = Said { text: typed, pasted: Some(pasted), problem: Some(why) };
        one(&api, signed, shell, name, String::new(), said).await
    };
    sent::shown(shell, done.await, then, again).await
}

/// Takes out the members that are ticked.
pub(super) async fn remove_members(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Response {
    let ticked = pairs.iter().filter(|(field, _)| field == "member");
    let gone: Vec<Pattern> = ticked.filter_map(|(_, member)| member.parse().ok()).collect();
    let (caller, group) = (signed.caller, name.clone());
    let done = working(&api, move |center| {
        center.change_members(&caller, &group, Vec::new(), &gone, "by hand")
    });
    match done.await {
        Ok(done) if done.differences.is_empty() => Redirect::to(&href(&name)).into_response(),
        Ok(done) => Redirect::to(&format!("/changes/{}", done.version)).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}

/// The page of a group again, with why something was not done.
async fn refused(
    api: &Api,
    signed: Signed,
    shell: Shell,
    name: String,
    problem: ApiProblem,
) -> Response {
    let said = Said { problem: Some(problem.detail), ..Said::default() };
    one(api, signed, shell, name, String::new(), said).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MoveForm {
    parent: String,
}

/// Puts a group below another, or at the top.
pub(super) async fn move_below(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(form): Form<MoveForm>,
) -> Response {
    let (caller, group) = (signed.caller.clone(), name.clone());
    let done = working(&api, move |center| {
        let parent = Some(form.parent).filter(|parent| !parent.is_empty());
        center.move_group(&caller, &group, parent, "moved")
    });
    let there = href(&name);
    let again = async |shell, problem| refused(&api, signed, shell, name, problem).await;
    sent::answer(shell, done.await, |_| there, again).await
}

pub(super) async fn remove(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let (caller, group) = (signed.caller.clone(), name.clone());
    let done = working(&api, move |center| center.remove_group(&caller, &group, None, "by hand"));
    let again = async |shell, problem| refused(&api, signed, shell, name, problem).await;
    sent::answer(
        shell,
        done.await,
        |done: ChangeResult| format!("/changes/{}", done.version),
        again,
    )
    .await
}

/// The members, one per line, as they can be pasted again.
pub(super) async fn export(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let caller = signed.caller;
    match working(&api, move |center| center.group(&caller, &name)).await {
        Ok(row) => {
            let lines: String = row.group.members.iter().map(|m| format!("{m}\n")).collect();
            let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
            let file = (header::CONTENT_DISPOSITION, "attachment; filename=\"members.txt\"");
            ([kind, file], lines).into_response()
        }
        Err(problem) => error_page(shell, &problem),
    }
}
