//! What the script of the list asks for: figures that were slow, proposals
//! while somebody types, and how many are newer than the rows shown.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{Redirect, Response};
use center::search::Completion;
use serde::{Deserialize, Serialize};
use types::Timestamp;

use super::address::{Address, Pairs};
use super::figures::{self, Around};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::pages::clock::Zone;
use crate::pages::shown;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

/// The part of the page around the rows, as soon as it is worked out.
pub(in crate::pages) async fn figures(
    State(api): State<Api>,
    signed: Signed,
    Query(pairs): Query<Pairs>,
) -> Result<Response, ApiProblem> {
    let address = Address::read(&pairs).address;
    let request = figures::request_of(&address, &signed.preferences);
    let found = figures::work_out(&api, signed.caller.clone(), request).await?;
    let zone = Zone::named(&signed.preferences.time_zone);
    Ok(shown(&Around::of(&address, Some(&found), &zone)))
}

/// Where the caret stands, in octets.
#[derive(Deserialize)]
pub(in crate::pages) struct Caret {
    caret: usize,
}

/// What could be typed next.
pub(in crate::pages) async fn complete(
    State(api): State<Api>,
    signed: Signed,
    Params(Caret { caret }): Params<Caret>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Completion>, ApiProblem> {
    let request = Address::read(&pairs).address.request(&signed.preferences);
    working(&api, move |center| center.complete(&signed.caller, &request, caret)).await.map(Json)
}

/// Two rows that were ticked, side by side; with fewer or more there is
/// nothing to compare, and the list is shown again.
pub(in crate::pages) async fn chosen(Query(pairs): Query<Pairs>) -> Redirect {
    let ids: Vec<&str> =
        pairs.iter().filter(|(name, _)| name == "id").map(|(_, id)| id.as_str()).collect();
    match ids.as_slice() {
        [a, b] => Redirect::to(&path_with("/compare", &[("a", Some(*a)), ("b", Some(*b))])),
        _ => Redirect::to(&Address::read(&pairs).address.href()),
    }
}

/// Up to when the rows shown were searched.
#[derive(Deserialize)]
pub(in crate::pages) struct Since {
    since: Timestamp,
}

/// What came since.
#[derive(Serialize)]
pub(in crate::pages) struct Newer {
    /// In words; empty for none.
    text: String,
    /// When it was counted, as the page says it.
    as_of: String,
}

/// How many came since.
pub(in crate::pages) async fn newer(
    State(api): State<Api>,
    signed: Signed,
    Params(Since { since }): Params<Since>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Newer>, ApiProblem> {
    let mut request = figures::request_of(&Address::read(&pairs).address, &signed.preferences);
    request.from = since.to_string();
    let caller = signed.caller;
    let work = move |center: &center::Center| {
        let status =
            center.search(&caller, &center::SearchRequest { rows_max: 1, ..request.clone() })?;
        Ok((center.count(&caller, &request)?, status.as_of))
    };
    let (count, as_of) = working(&api, work).await?;
    let text = match count.count {
        0 => String::new(),
        _ => format!("{} new", figures::shown(&count)),
    };
    let zone = Zone::named(&signed.preferences.time_zone);
    Ok(Json(Newer { text, as_of: zone.shown(as_of, "%H:%M:%S%.1f") }))
}
