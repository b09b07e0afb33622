//! Permit and block from a row, and letting one in.
//!
//! | address | what |
//! |---|---|
//! | `/messages/{id}/permit`, `/messages/{id}/block` | the form, with what it would do |
//! | the same, posted | it is stored |
//! | `/messages/{id}/let-in` | posted: the next attempt passes greylisting |
//! | `/changes/{version}` | what was stored, to be undone |
//!
//! The form shows what its choice would do; *Preview* posts it with `do` and
//! stores nothing, and the script does so whenever a choice changes.

use std::time::Duration;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use center::letting::{
    NEVER_SKIPPED, OfferedScope, SKIPPED, SenderDecision, SenderOffer, SenderPreview,
    SenderVerdict, Whom,
};
use center::{Center, CenterError, VersionDifference};
use types::{Permission, Timestamp};

use super::list::address::Pairs;
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::encoded;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

/// How long an entry can count: value in the form, label, days.
pub(super) const UNTIL: &[(&str, &str, Option<u64>)] = &[
    ("", "for ever", None),
    ("1", "one day", Some(1)),
    ("7", "a week", Some(7)),
    ("30", "30 days", Some(30)),
    ("365", "a year", Some(365)),
];

#[derive(Template)]
#[template(path = "letting.html")]
struct LettingPage {
    shell: Shell,
    verdict: SenderVerdict,
    offer: SenderOffer,
    chosen: Chosen,
    preview: Result<SenderPreview, String>,
    name: String,
    until: &'static [(&'static str, &'static str, Option<u64>)],
    skipped: &'static [&'static str],
    never: &'static [&'static str],
}

/// What the form holds.
#[derive(Clone, Default)]
struct Chosen {
    sender: String,
    everyone: bool,
    authenticated: bool,
    days: String,
    note: String,
}

/// The end that a choice of [`UNTIL`] means.
pub(super) fn until_of(chosen: &str, now: Timestamp) -> Result<Option<Timestamp>, CenterError> {
    let days = UNTIL.iter().find(|(value, ..)| *value == chosen);
    let (.., days) = days.ok_or_else(|| CenterError::invalid("there is no such end"))?;
    Ok(days.map(|days| now + Duration::from_secs(days * 86_400)))
}

impl Chosen {
    fn read(pairs: &Pairs) -> Chosen {
        let value = |name: &str| {
            let found = pairs.iter().rev().find(|(other, _)| other == name);
            found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let other = value("other");
        let sender = match value("sender").as_str() {
            "" | "other" => other,
            chosen => chosen.to_owned(),
        };
        Chosen {
            sender,
            everyone: value("whom") == "everyone",
            authenticated: !value("authenticated").is_empty(),
            days: value("until"),
            note: value("note"),
        }
    }

    fn decision(
        &self,
        verdict: SenderVerdict,
        now: Timestamp,
    ) -> Result<SenderDecision, CenterError> {
        let sender = self.sender.parse().map_err(|error| {
            CenterError::invalid(format!("{:?} is no address or domain: {error}", self.sender))
        })?;
        let until = until_of(&self.days, now)?;
        let whom = if self.everyone { Whom::Everyone } else { Whom::Recipient };
        let (authenticated_only, note) = (self.authenticated, self.note.clone());
        Ok(SenderDecision { verdict, sender, whom, authenticated_only, until, note })
    }
}

impl LettingPage {
    fn verb(&self) -> &'static str {
        match self.verdict {
            SenderVerdict::Permit => "Permit",
            SenderVerdict::Block => "Block",
        }
    }

    fn is_permit(&self) -> bool {
        self.verdict == SenderVerdict::Permit
    }

    fn is_chosen(&self, scope: &OfferedScope) -> bool {
        scope.sender == self.chosen.sender
    }

    /// Whether the choice is none of those that are offered.
    fn is_other(&self) -> bool {
        !self.offer.scopes.iter().any(|scope| self.is_chosen(scope))
    }

    fn when(&self) -> String {
        self.shell.time(self.offer.attempt.time)
    }
}

pub(super) async fn permit(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    form(&api, signed, shell, name, Chosen::default(), SenderVerdict::Permit).await
}

pub(super) async fn block(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    form(&api, signed, shell, name, Chosen::default(), SenderVerdict::Block).await
}

pub(super) async fn save_permit(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Response {
    save(&api, signed, shell, name, &pairs, SenderVerdict::Permit).await
}

pub(super) async fn save_block(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Response {
    save(&api, signed, shell, name, &pairs, SenderVerdict::Block).await
}

async fn form(
    api: &Api,
    signed: Signed,
    shell: Shell,
    name: String,
    chosen: Chosen,
    verdict: SenderVerdict,
) -> Response {
    match filled(api, signed, &name, chosen, verdict).await {
        Ok(filled) => shown(&page(shell, name, verdict, filled)),
        Err(problem) => error_page(shell, &problem),
    }
}

type Filled = (SenderOffer, Chosen, Result<SenderPreview, String>);

fn page(
    shell: Shell,
    name: String,
    verdict: SenderVerdict,
    (offer, chosen, preview): Filled,
) -> LettingPage {
    let (until, skipped, never) = (UNTIL, SKIPPED, NEVER_SKIPPED);
    LettingPage { shell, verdict, offer, chosen, preview, name, until, skipped, never }
}

/// What the form shows: without a choice, the advised one.
async fn filled(
    api: &Api,
    signed: Signed,
    name: &str,
    mut chosen: Chosen,
    verdict: SenderVerdict,
) -> Result<Filled, ApiProblem> {
    let name = name.to_owned();
    let look = move |center: &Center| {
        let caller = &signed.caller;
        let offer = center.sender_offer(caller, &name, verdict)?;
        if chosen.sender.is_empty()
            && let Some(best) = offer.scopes.iter().find(|scope| scope.advised)
        {
            chosen.sender.clone_from(&best.sender);
        }
        chosen.everyone |= offer.recipient.is_none() && offer.everyone;
        let preview = match chosen.sender.is_empty() {
            true => Err("Name an address or a domain.".to_owned()),
            false => chosen
                .decision(verdict, center.now())
                .and_then(|decision| center.preview_sender(caller, &name, &decision))
                .map_err(|error| error.to_string()),
        };
        Ok((offer, chosen, preview))
    };
    working(api, look).await
}

async fn save(
    api: &Api,
    signed: Signed,
    shell: Shell,
    name: String,
    pairs: &Pairs,
    verdict: SenderVerdict,
) -> Response {
    let chosen = Chosen::read(pairs);
    if pairs.iter().any(|(name, value)| name == "do" && value == "preview") {
        return form(api, signed, shell, name, chosen, verdict).await;
    }
    let (caller, named, wanted) = (signed.caller.clone(), name.clone(), chosen.clone());
    let done = working(api, move |center| {
        let decision = wanted.decision(verdict, center.now())?;
        center.decide_sender(&caller, &named, &decision)
    });
    match done.await {
        Ok(done) => {
            let (id, version) = (encoded(&name), done.change.version);
            Redirect::to(&format!("/changes/{version}?from={id}")).into_response()
        }
        // The form again, with what is wrong, and nothing lost.
        Err(problem) if problem.status == 422 || problem.status == 400 => {
            match filled(api, signed, &name, chosen, verdict).await {
                Ok((offer, chosen, _)) => {
                    let page = page(shell, name, verdict, (offer, chosen, Err(problem.detail)));
                    (StatusCode::UNPROCESSABLE_ENTITY, shown(&page)).into_response()
                }
                Err(problem) => error_page(shell, &problem),
            }
        }
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn let_in(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
) -> Response {
    let (caller, named) = (signed.caller, name.clone());
    match working(&api, move |center| center.let_in(&caller, &named)).await {
        Ok(done) => shown(&DonePage {
            shell,
            title: "Let in",
            text: done.text,
            differences: Vec::new(),
            undo: None,
            back: format!("/messages/{}", encoded(&name)),
        }),
        Err(problem) => error_page(shell, &problem),
    }
}

#[derive(Template)]
#[template(path = "done.html")]
struct DonePage {
    shell: Shell,
    title: &'static str,
    text: String,
    differences: Vec<VersionDifference>,
    /// The version that can be undone.
    undo: Option<u64>,
    back: String,
}

/// Where a change was made from, if the address says so and it is a message.
fn back(pairs: &Pairs) -> String {
    let from = pairs.iter().find(|(name, _)| name == "from").map(|(_, value)| value.as_str());
    match from {
        Some(id) if id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            format!("/messages/{id}")
        }
        _ => "/messages".to_owned(),
    }
}

/// What a version changed.
pub(super) async fn change(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(version): Path<u64>,
    Params(pairs): Params<Pairs>,
) -> Response {
    let caller = signed.caller;
    let undoes = [Permission::EditSenders, Permission::EditLists, Permission::EditPolicies];
    let may_undo = undoes.into_iter().any(|permission| caller.may(permission));
    let look = move |center: &Center| center.changed_in(&caller, version);
    match working(&api, look).await {
        Ok(differences) => shown(&DonePage {
            shell,
            title: "Saved",
            text: format!("Version {version} of the policy set is in force."),
            differences,
            undo: may_undo.then_some(version),
            back: back(&pairs),
        }),
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn undo(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(version): Path<u64>,
    Form(pairs): Form<Pairs>,
) -> Response {
    let caller = signed.caller;
    match working(&api, move |center| center.undo(&caller, version)).await {
        Ok(done) => shown(&DonePage {
            shell,
            title: "Undone",
            text: format!("Version {version} is undone; the policy set is as before it."),
            differences: done.change.differences,
            undo: None,
            back: back(&pairs),
        }),
        Err(problem) => error_page(shell, &problem),
    }
}
