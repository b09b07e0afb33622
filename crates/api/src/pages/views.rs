//! Saved views: lists under a name of their own.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::{NewView, SavedView, SearchRequest};

use super::alerts::Shown;
use super::list::address::{Address, Pairs};
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::routes::working;

/// Where this page is.
const HERE: &str = "/views";

/// One saved view.
struct View {
    id: u64,
    name: String,
    owner: String,
    mine: bool,
    shared: bool,
    list: &'static str,
    query: String,
    href: String,
    changed: String,
    alert: Option<Shown>,
}

#[derive(Template)]
#[template(path = "views.html")]
struct ViewsPage {
    shell: Shell,
    views: Vec<View>,
}

pub(super) async fn page(State(api): State<Api>, signed: Signed, shell: Shell) -> Response {
    let caller = signed.caller;
    match working(&api, move |center| center.saved_views(&caller)).await {
        Ok(views) => {
            let views = views.into_iter().map(|saved| view(saved, &shell)).collect();
            shown(&ViewsPage { shell, views })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

/// Where the list of a saved view is.
pub(super) fn href(request: &SearchRequest) -> String {
    let mut list = Address::new();
    list.view = request.view;
    list.query.clone_from(&request.query);
    list.from.clone_from(&request.from);
    list.to.clone_from(&request.to);
    list.sort = request.sort;
    list.columns.clone_from(&request.columns);
    list.href()
}

fn view(saved: SavedView, shell: &Shell) -> View {
    let request = saved.request;
    View {
        id: saved.id,
        name: center::presentable(&saved.name).into_owned(),
        owner: center::presentable(&saved.owner).into_owned(),
        mine: saved.mine,
        shared: saved.shared,
        list: request.view.info().label,
        query: center::presentable_within(&request.query, 200),
        href: href(&request),
        changed: shell.time(saved.changed),
        alert: saved.alert.map(|alert| Shown::of(alert, shell)),
    }
}

pub(super) async fn save(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(pairs): Form<Pairs>,
) -> Response {
    let value =
        |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, v)| v.clone());
    let address = Address::read(&pairs).address;
    // What somebody prefers everywhere is no part of this view.
    let mut request = address.request(&signed.preferences);
    request.columns.clone_from(&address.columns);
    request.cursor = None;
    let new = NewView {
        name: value("name").unwrap_or_default(),
        shared: value("shared").is_some(),
        request,
    };
    let wants_alert = value("alert").is_some();
    let caller = signed.caller;
    match working(&api, move |center| center.save_view(&caller, &new)).await {
        Ok(view) if wants_alert => {
            Redirect::to(&format!("{HERE}/{}/alert", view.id)).into_response()
        }
        Ok(_) => Redirect::to(HERE).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn remove(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(id): Path<u64>,
) -> Response {
    let caller = signed.caller;
    let done = working(&api, move |center| center.remove_view(&caller, id)).await;
    done.map_or_else(|problem| error_page(shell, &problem), |()| Redirect::to(HERE).into_response())
}
