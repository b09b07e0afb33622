//! The alert of a saved view: a form, how it stands, and a test of it. The
//! secret of a webhook is in one answer only and nowhere else.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::alerts::{
    Alert, AlertWhen, COUNT_MAX, NewAlert, QUIET_MINUTES_MAX, SetAlert, WINDOW_MINUTES_MAX,
};
use center::{CenterError, SavedView};
use serde::Deserialize;
use types::Permission;

use super::{Shell, error_page, sent, shown, views};
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
use crate::routes::working;

/// The form, as it is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct AlertForm {
    when: String,
    count: String,
    minutes: String,
    quiet: String,
    mail: String,
    webhook: String,
    new_secret: String,
}

impl Default for AlertForm {
    fn default() -> Self {
        let text = str::to_owned;
        AlertForm {
            when: text("more"),
            count: text("10"),
            minutes: text("10"),
            quiet: text("60"),
            mail: String::new(),
            webhook: String::new(),
            new_secret: String::new(),
        }
    }
}

impl AlertForm {
    fn of(alert: &Alert) -> Self {
        let blank = AlertForm::default();
        let (when, count, minutes) = match alert.when {
            AlertWhen::First => ("first", blank.count, blank.minutes),
            AlertWhen::MoreThan { count, minutes } => {
                ("more", count.to_string(), minutes.to_string())
            }
        };
        let mail: Vec<&str> = alert.mail.iter().map(|address| address.as_str()).collect();
        AlertForm {
            when: when.to_owned(),
            count,
            minutes,
            quiet: alert.quiet_minutes.to_string(),
            mail: mail.join("\n"),
            webhook: alert.webhook.clone().unwrap_or_default(),
            new_secret: String::new(),
        }
    }

    fn is_first(&self) -> bool {
        self.when == "first"
    }

    fn read(&self) -> Result<NewAlert, CenterError> {
        let number = |what: &str, text: &str| -> Result<u32, CenterError> {
            let text = text.trim();
            text.parse().map_err(|_| CenterError::invalid(format!("{what}: {text:?} is no number")))
        };
        let when = match self.is_first() {
            true => AlertWhen::First,
            false => AlertWhen::MoreThan {
                count: number("more than", &self.count)?,
                minutes: number("minutes", &self.minutes)?,
            },
        };
        let addresses = self.mail.split([',', ';', '\n', ' ']).map(str::trim);
        let address = |text: &str| {
            text.parse().map_err(|error| CenterError::invalid(format!("{text:?}: {error}")))
        };
        let webhook = self.webhook.trim();
        Ok(NewAlert {
            when,
            quiet_minutes: number("quiet for", &self.quiet)?,
            mail: addresses
                .filter(|text| !text.is_empty())
                .map(address)
                .collect::<Result<_, _>>()?,
            webhook: (!webhook.is_empty()).then(|| webhook.to_owned()),
            new_secret: !self.new_secret.is_empty(),
        })
    }
}

/// How an alert stands, for a page.
pub(super) struct Shown {
    pub(super) condition: String,
    pub(super) stopped: Option<String>,
    /// When, whom, why, and whether it was given up.
    pub(super) failure: Option<(String, String, String, bool)>,
    fired: Option<String>,
    told: Option<String>,
    since: String,
    waiting: u32,
    has_webhook: bool,
}

impl Shown {
    pub(super) fn of(alert: Alert, shell: &Shell) -> Self {
        let text = |text: &str| center::presentable_within(text, 300);
        Shown {
            stopped: alert.stopped.as_deref().map(text),
            failure: alert.failure.map(|failure| {
                let (whom, why) = (text(&failure.whom), text(&failure.why));
                (shell.time(failure.at), whom, why, failure.given_up)
            }),
            fired: alert.fired.map(|at| shell.time(at)),
            told: alert.told.map(|at| shell.time(at)),
            since: shell.time(alert.since),
            waiting: alert.waiting,
            has_webhook: alert.webhook.is_some(),
            condition: alert.condition,
        }
    }
}

#[derive(Template)]
#[template(path = "alert.html")]
struct AlertPage {
    shell: Shell,
    id: u64,
    name: String,
    list: &'static str,
    query: String,
    href: String,
    form: AlertForm,
    alert: Option<Shown>,
    problems: Vec<String>,
    secret: Option<String>,
    may_post: bool,
    count_max: u32,
    minutes_max: u32,
    quiet_max: u32,
}

impl AlertPage {
    fn of(shell: Shell, view: SavedView) -> Self {
        let form = view.alert.as_ref().map(AlertForm::of).unwrap_or_default();
        AlertPage {
            id: view.id,
            name: center::presentable(&view.name).into_owned(),
            list: view.request.view.info().label,
            query: center::presentable_within(&view.request.query, 200),
            href: views::href(&view.request),
            form,
            alert: view.alert.map(|alert| Shown::of(alert, &shell)),
            problems: Vec::new(),
            secret: None,
            may_post: shell.caller().is_some_and(|caller| caller.may(Permission::ExportMetadata)),
            count_max: COUNT_MAX,
            minutes_max: WINDOW_MINUTES_MAX,
            quiet_max: QUIET_MINUTES_MAX,
            shell,
        }
    }
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(id): Path<u64>,
) -> Response {
    match view(&api, &signed, id).await {
        Ok(view) => shown(&AlertPage::of(shell, view)),
        Err(problem) => error_page(shell, &problem),
    }
}

async fn view(api: &Api, signed: &Signed, id: u64) -> Result<SavedView, ApiProblem> {
    let caller = signed.caller.clone();
    working(api, move |center| {
        let view = center.saved_view(&caller, id)?;
        let theirs = || {
            let text = "this view is somebody else's; save it as your own and set the alert there";
            CenterError::invalid(text)
        };
        if view.mine { Ok(view) } else { Err(theirs()) }
    })
    .await
}

pub(super) async fn set(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(id): Path<u64>,
    Form(form): Form<AlertForm>,
) -> Response {
    let (caller, wanted) = (signed.caller.clone(), form.clone());
    let done = working(&api, move |center| center.set_alert(&caller, id, &wanted.read()?)).await;
    let then = async |shell, done: SetAlert| {
        if done.secret.is_none() {
            return Redirect::to(&here(id)).into_response();
        }
        match view(&api, &signed, id).await {
            Ok(view) => shown(&AlertPage { secret: done.secret, ..AlertPage::of(shell, view) }),
            Err(problem) => error_page(shell, &problem),
        }
    };
    let refused = async |shell, problem| again(&api, &signed, shell, id, form, problem).await;
    sent::shown(shell, done, then, refused).await
}

/// The form once more, with all that is wrong with it.
async fn again(
    api: &Api,
    signed: &Signed,
    shell: Shell,
    id: u64,
    form: AlertForm,
    problem: ApiProblem,
) -> Response {
    match view(api, signed, id).await {
        Ok(view) => {
            let mut problems: Vec<String> =
                problem.problems.iter().map(|problem| problem.message.clone()).collect();
            if problems.is_empty() {
                problems.push(problem.detail);
            }
            shown(&AlertPage { form, problems, ..AlertPage::of(shell, view) })
        }
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
    match working(&api, move |center| center.remove_alert(&caller, id)).await {
        Ok(()) => Redirect::to("/views").into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn test(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(id): Path<u64>,
) -> Response {
    let caller = signed.caller.clone();
    let done = working(&api, move |center| center.test_alert(&caller, id)).await;
    let refused = async |shell, problem: ApiProblem| match view(&api, &signed, id).await {
        Ok(view) => {
            let problems = vec![problem.detail];
            shown(&AlertPage { problems, ..AlertPage::of(shell, view) })
        }
        Err(problem) => error_page(shell, &problem),
    };
    sent::answer(shell, done, |_| here(id), refused).await
}

fn here(id: u64) -> String {
    format!("/views/{id}/alert")
}
