//! The list of policies by type, each with what it hit and what was taken back.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use center::precision::PrecisionRow;
use center::{Center, CenterError, PolicyRow};
use types::choices::choices;
use types::{Permission, PolicyId, PolicyRef, PolicyType, Timestamp};

use super::super::{Shell, error_page, shown};
use super::form::option_words;
use super::may_change;
use super::scopes::scope_words;
use crate::Api;
use crate::auth::Signed;
use crate::routes::working;

/// How far back the list says what was taken back.
const PRECISION_DAYS: u32 = 7;

/// One type, with its policies, the most specific first.
struct OfType {
    kind: PolicyType,
    rows: Vec<PolicyRow>,
}

#[derive(Template)]
#[template(path = "policies.html")]
struct PoliciesPage {
    shell: Shell,
    version: u64,
    types: Vec<OfType>,
    may_change: bool,
    /// What was taken back of each in the last days; absent for whoever may
    /// not see rows.
    precision: Option<TakenBack>,
    /// What keeps policies of places from doing what they say.
    places: Option<String>,
}

/// What was taken back, and when that was counted.
struct TakenBack {
    counted: String,
    of_policy: HashMap<PolicyId, PrecisionRow>,
}

impl PoliciesPage {
    /// How many refusals of it were taken back, and of how many.
    fn taken_back(&self, row: &PolicyRow) -> Option<(u64, u64, u64)> {
        let found = self.precision.as_ref()?.of_policy.get(&row.policy.id?)?;
        let back = found.permits + found.let_in + found.releases;
        Some((back, found.refused, found.regret_per_mille))
    }

    fn scopes(&self, row: &PolicyRow) -> String {
        let (from, to) = (scope_words(&row.policy.from), scope_words(&row.policy.to));
        let arrow = if row.policy.bidirectional { "\u{2194}" } else { "\u{2192}" };
        center::presentable(&format!("{from} {arrow} {to}")).into_owned()
    }

    fn option(&self, row: &PolicyRow) -> String {
        option_words(&row.policy.option)
    }

    /// Networks and hosts it is restricted to.
    fn sources(&self, row: &PolicyRow) -> Option<String> {
        let networks = row.policy.source_ips.iter().map(ToString::to_string);
        let hosts = row.policy.source_hosts.iter().map(ToString::to_string);
        let all: Vec<String> = networks.chain(hosts).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }

    fn class(&self, row: &PolicyRow) -> &'static str {
        match row.standing.as_str() {
            "on" => "accepted",
            "observe" => "held",
            "future" | "expired" => "deferred",
            _ => "step",
        }
    }

    fn text(&self, text: &str) -> String {
        center::presentable_within(text, 300)
    }
}

/// How precisely a side is named, for the order of the list.
fn rank(scope: &types::policy::Scope) -> u8 {
    use types::policy::Scope;
    match scope {
        Scope::Address(_) => 7,
        Scope::Attribute(_) => 6,
        Scope::Group(_) => 5,
        Scope::Domain(domain) if !domain.below => 4,
        Scope::Domain(_) => 3,
        Scope::Internal | Scope::External => 2,
        Scope::Everyone => 1,
    }
}

pub(crate) async fn page(State(api): State<Api>, signed: Signed, shell: Shell) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    let look = move |center: &Center| {
        let list = center.policies(&caller)?;
        let sees_rows = caller.may(Permission::SeeMetadata);
        let recent = || center.recent_precision(&caller, PRECISION_DAYS);
        let precision = sees_rows.then(recent).transpose()?;
        let is_wrong = |check: &center::ReadyCheck| check.name == "places" && !check.ok;
        let places = center.readiness().into_iter().find(is_wrong).map(|check| check.text);
        Ok::<_, CenterError>((list, precision, places))
    };
    let (list, precision, places) = match working(&api, look).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let precision = precision.map(|report| {
        let of_policy = report.rows.iter().filter_map(|row| match row.policy {
            Some(PolicyRef::Policy { id, .. }) => Some((id, row.clone())),
            _ => None,
        });
        TakenBack { counted: shell.time(report.to), of_policy: of_policy.collect() }
    });
    let editable = PolicyType::ALL.iter().filter(|kind| !choices(**kind).is_empty());
    let types = editable.map(|&kind| {
        let mut rows: Vec<PolicyRow> =
            list.policies.iter().filter(|row| row.policy.kind() == kind).cloned().collect();
        // As they are selected: override, recipients, senders, source, age.
        rows.sort_by_key(|row| {
            let policy = &row.policy;
            let restricted = !policy.source_ips.is_empty() || !policy.source_hosts.is_empty();
            let specific = (policy.overrides, rank(&policy.to), rank(&policy.from), restricted);
            (std::cmp::Reverse(specific), row.provenance.created, policy.id)
        });
        OfType { kind, rows }
    });
    let (version, types) = (list.version, types.collect());
    shown(&PoliciesPage { version, types, may_change, precision, places, shell })
}
