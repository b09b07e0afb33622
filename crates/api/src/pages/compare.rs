//! Two messages side by side.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use center::explain::compare::{CompareRow, Comparison};
use center::{Center, Explanation};
use serde::Deserialize;

use super::clock::Zone;
use super::told::Teller;
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::routes::{Params, working};

#[derive(Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    a: String,
    #[serde(default)]
    b: String,
    /// Whether fields that are the same are left out.
    #[serde(default)]
    only: String,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    shell: Shell,
    named: Named,
    found: Option<Comparison>,
    zone: Zone,
    /// Shows the times in values.
    teller: Option<Teller>,
}

impl ComparePage {
    /// The rows to show, each with whether it begins a group.
    fn rows<'a>(&'a self, found: &'a Comparison) -> Vec<(bool, &'a CompareRow)> {
        let only = self.named.only == "different";
        let wanted: Vec<&CompareRow> = found.rows.iter().filter(|row| !only || !row.same).collect();
        let begins = |place: usize| {
            let before = place.checked_sub(1).and_then(|before| wanted.get(before));
            before.map(|row| &row.group) != wanted.get(place).map(|row| &row.group)
        };
        wanted.iter().enumerate().map(|(place, row)| (begins(place), *row)).collect()
    }

    /// A value with its times as the reader has them; markup.
    fn told(&self, value: &str) -> String {
        self.teller.as_ref().map_or(String::new(), |teller| teller.told(value))
    }

    /// When one of them was, as lists show it.
    fn short(&self, why: &Explanation) -> String {
        self.zone.short(why.time)
    }

    fn differ(&self, found: &Comparison) -> usize {
        found.rows.iter().filter(|row| !row.same).count()
    }
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(named): Params<Named>,
) -> Response {
    let zone = Zone::named(&signed.preferences.time_zone);
    if named.a.is_empty() || named.b.is_empty() {
        return shown(&ComparePage { shell, named, found: None, zone, teller: None });
    }
    let (a, b) = (named.a.clone(), named.b.clone());
    let look = move |center: &Center| {
        let found = center.compare(&signed.caller, &a, &b)?;
        Ok((found, center.now()))
    };
    match working(&api, look).await {
        Ok((found, now)) => {
            let teller = Some(Teller::new(&zone, now));
            shown(&ComparePage { shell, named, found: Some(found), zone, teller })
        }
        Err(problem) => error_page(shell, &problem),
    }
}
