//! What is done to mail that is held or waits: release, try now, hold back,
//! delete; one row, a selection, or all that a list finds. First what it would
//! do, then the deed.
//!
//! | address | what |
//! |---|---|
//! | `/messages/queue?act=release` with rows (`id`), or a list and `all=1` | what it would do, and room for a note |
//! | with those rows, posted | it is done: to what was shown, and nothing that came since |

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::accounts::Preferences;
use center::explain::beyond_permits;
use center::{
    Center, CenterError, Explanation, QUEUE_NOTE_CHARS_MAX, QueueCommand, QueueDone, QueueOffer,
    QueueOrder, QueuePlan, SearchRequest, View,
};
use types::event::QueueAction::{Delete, Hold, Release, Retry};
use types::{EventId, Permission, Reason, ReasonKind, Timestamp};

use super::list::address::{Address, Pairs};
use super::{Shell, sent, shown};
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
use crate::routes::working;

/// Rows shown of a plan; it may be for more.
const ROWS_SHOWN_MAX: usize = 200;

/// What the address or the form says.
#[derive(Clone)]
struct Asked {
    act: Option<QueueCommand>,
    ids: Vec<String>,
    /// Whether all is meant that the list finds. Once it was shown, its rows
    /// are named too.
    all: bool,
    note: String,
    /// Whether its sender is to be permitted after it is released.
    permit: bool,
    /// The list the rows were chosen in, if it was one.
    list: Option<Address>,
}

impl Asked {
    fn read(pairs: &Pairs) -> Asked {
        let values = |wanted: &'static str| {
            pairs.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_str())
        };
        let value = |name| values(name).next_back().unwrap_or_default().trim();
        let act = QueueCommand::ALL.into_iter().find(|act| act.slug() == value("act"));
        Asked {
            act,
            ids: values("id").map(str::to_owned).collect(),
            all: value("all") == "1",
            note: value("note").to_owned(),
            permit: value("permit") == "1",
            list: values("view").next().map(|_| Address::read(pairs).address),
        }
    }

    fn order(&self, preferences: &Preferences) -> Result<QueueOrder, CenterError> {
        let act = self.act.ok_or_else(|| {
            let acts = QueueCommand::ALL.map(QueueCommand::slug).join(", ");
            CenterError::invalid(format!("this says nothing to be done; it can be one of {acts}"))
        })?;
        let rows = self.ids.iter().map(|id| id.parse());
        let rows: Result<Vec<EventId>, _> = rows.collect();
        let rows = rows.map_err(|_| CenterError::invalid("a row is none of this gateway"))?;
        Ok(match self.list.as_ref().filter(|_| rows.is_empty() && self.all) {
            Some(list) => {
                let search = SearchRequest { cursor: None, ..list.request(preferences) };
                QueueOrder::of_search(act, search, &self.note)
            }
            None => QueueOrder::of_attempts(act, &rows, &self.note),
        })
    }

    /// Where the rows were chosen: a list, or the page of the one message.
    fn back(&self) -> String {
        match (&self.list, self.ids.as_slice()) {
            (Some(list), _) => list.href(),
            (None, [one]) => format!("/messages/{}", crate::client::encoded(one)),
            (None, _) => "/messages?view=held".to_owned(),
        }
    }

    /// The page of the one message that was meant, after the deed.
    fn then(&self) -> Option<String> {
        let [one] = self.ids.as_slice() else { return None };
        let side = if self.permit { "permit" } else { "life" };
        Some(format!("/messages/{}/{side}", crate::client::encoded(one)))
    }
}

/// What the reader may do to rows that are in the queue.
pub(super) fn acts_of(view: View, signed: &Signed) -> Vec<QueueCommand> {
    let acts: &[QueueCommand] = match view {
        View::Held => &[Release, Delete],
        View::Queue => &[Retry, Hold, Delete],
        _ => &[],
    };
    let may = |permission| signed.caller.may(permission);
    let acts_at_all = may(Permission::QueueActions);
    let releases = may(Permission::ReleaseHarmless) || may(Permission::ReleaseDangerous);
    let allowed = |act: &&QueueCommand| acts_at_all || (**act == Release && releases);
    let acts = acts.iter().filter(allowed).filter(|_| !signed.csrf.is_empty());
    acts.copied().collect()
}

/// Something that can be done to one message in the queue.
pub(super) struct QueueAct {
    pub(super) label: String,
    pub(super) href: String,
    /// Its shortcut, if it has one.
    pub(super) key: &'static str,
}

/// What its reader may do to a message in the queue.
pub(super) fn acts_on(why: &Explanation, edits_senders: bool) -> Vec<QueueAct> {
    let offers = why.queued.as_ref().map_or(&[][..], |queued| &queued.offers);
    let passes = edits_senders && why.reason.is_some_and(permit_passes);
    acts(offers, passes, why.id)
}

/// Whether a permit of its sender would let pass the next time what was held
/// for this reason.
fn permit_passes(reason: Reason) -> bool {
    reason.kind() == ReasonKind::Hold && beyond_permits(reason).is_none()
}

fn acts(offers: &[QueueOffer], permits: bool, id: EventId) -> Vec<QueueAct> {
    let href = |act: &str, more| format!("/messages/queue?act={act}{more}&id={id}");
    let mut acts = Vec::new();
    for offer in offers.iter().filter(|offer| offer.lacks.is_none()) {
        let (act, releases) = (offer.action, offer.action == Release);
        let label = format!("{}\u{2026}", act.label());
        let key = if releases { "r" } else { "" };
        acts.push(QueueAct { label, href: href(act.slug(), ""), key });
        if releases && permits {
            let label = "Release and permit its sender\u{2026}".to_owned();
            acts.push(QueueAct { label, href: href(act.slug(), "&permit=1"), key: "" });
        }
    }
    acts
}

/// What an act does, for whoever is about to do it.
fn means(act: QueueCommand) -> &'static str {
    match act {
        QueueCommand::Release => {
            "What is released goes to its recipient at once and cannot be called back."
        }
        QueueCommand::Retry => "The next hop is tried at once, whether or not it failed before.",
        QueueCommand::Hold => "What is held back is not tried until somebody releases it.",
        QueueCommand::Delete => {
            "What is deleted cannot be brought back. Neither the sender nor the recipient is told."
        }
    }
}

/// The words of a deed that is done.
fn past(act: QueueCommand) -> &'static str {
    match act {
        QueueCommand::Release => "Released",
        QueueCommand::Retry => "Due now",
        QueueCommand::Hold => "Held back",
        QueueCommand::Delete => "Deleted",
    }
}

#[derive(Template)]
#[template(path = "queue.html")]
struct QueuePage {
    shell: Shell,
    asked: Asked,
    act: QueueCommand,
    plan: QueuePlan,
    kept: Vec<(&'static str, String)>,
    back: String,
    problem: Option<String>,
    /// Rows of the plan that are not shown.
    more_rows: usize,
    means: &'static str,
    note_chars_max: usize,
}

impl QueuePage {
    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }

    /// Whether it says so only with a reason for it.
    fn asks_why(&self) -> bool {
        self.act == QueueCommand::Delete
    }
}

#[derive(Template)]
#[template(path = "queue_done.html")]
struct DonePage {
    shell: Shell,
    title: &'static str,
    done: QueueDone,
    gone: usize,
    back: String,
}

pub(super) async fn ask(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Query(pairs): Query<Pairs>,
) -> Response {
    form(&api, signed, shell, Asked::read(&pairs), None).await
}

/// The form, with what is wrong with it if it was sent already.
async fn form(
    api: &Api,
    signed: Signed,
    shell: Shell,
    asked: Asked,
    problem: Option<ApiProblem>,
) -> Response {
    let back = asked.back();
    // Nothing was ticked: back to the list, as if nothing had been pressed.
    if asked.ids.is_empty() && !(asked.all && asked.list.is_some()) {
        return Redirect::to(&back).into_response();
    }
    let look = move |center: &Center| {
        // A note that is too long must not keep anybody from seeing the form.
        let order = QueueOrder { note: String::new(), ..asked.order(&signed.preferences)? };
        let plan = center.queue_plan(&signed.caller, &order)?;
        Ok((asked, order.action, plan))
    };
    match working(api, look).await {
        Ok((asked, act, plan)) => shown(&QueuePage {
            kept: asked.list.as_ref().map_or(Vec::new(), |list| list.kept(&[])),
            more_rows: plan.rows.len().saturating_sub(ROWS_SHOWN_MAX),
            means: means(act),
            note_chars_max: QUEUE_NOTE_CHARS_MAX,
            problem: problem.map(|problem| problem.detail),
            shell,
            asked,
            act,
            plan,
            back,
        }),
        Err(problem) => super::error_page(shell, &problem),
    }
}

pub(super) async fn act(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(pairs): Form<Pairs>,
) -> Response {
    let asked = Asked::read(&pairs);
    // What nobody has seen is not done.
    if asked.ids.is_empty() {
        return form(&api, signed, shell, asked, None).await;
    }
    let (by, wanted) = (signed.clone(), asked.clone());
    let done = working(&api, move |center| {
        let order = wanted.order(&by.preferences)?;
        center.queue_command(&by.caller, &order)
    });
    let then = async |shell, done: QueueDone| match asked.then().filter(|_| done.recipients == 1) {
        Some(page) => Redirect::to(&page).into_response(),
        None => shown(&DonePage {
            title: asked.act.map_or("Done", past),
            gone: done.missing.len() + done.missing_attempts.len(),
            back: asked.back(),
            shell,
            done,
        }),
    };
    let again = async |shell, problem| {
        form(&api, signed.clone(), shell, asked.clone(), Some(problem)).await
    };
    sent::shown(shell, done.await, then, again).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_offers_a_permit_only_where_it_would_pass_the_next() {
        assert!(permit_passes(Reason::HoldSpam));
        let others = [Reason::HoldGeo, Reason::HoldAuthentication, Reason::HoldDmarcQuarantine];
        assert!(!others.into_iter().any(permit_passes) && !permit_passes(Reason::RblListed));
        let offer = |action, lacks| QueueOffer { action, lacks };
        let may = [offer(Release, None), offer(Delete, None)];
        let id = EventId::from_bytes([7; 16]);
        let labels = |offers: &[QueueOffer], permits| {
            let acts = acts(offers, permits, id).into_iter();
            acts.map(|act| act.label).collect::<Vec<_>>()
        };
        assert_eq!(labels(&may, false), ["Release\u{2026}", "Delete\u{2026}"]);
        let permit = "Release and permit its sender\u{2026}";
        assert_eq!(labels(&may, true), ["Release\u{2026}", permit, "Delete\u{2026}"]);
        let lacking = [offer(Release, Some(Permission::ReleaseDangerous)), offer(Delete, None)];
        assert_eq!(labels(&lacking, true), ["Delete\u{2026}"]);
        let asked = Asked {
            act: Some(Release),
            ids: vec![id.to_string()],
            all: false,
            note: String::new(),
            permit: true,
            list: None,
        };
        assert_eq!(asked.then(), Some(format!("/messages/{id}/permit")));
    }
}
