//! One message, as a page and as the panel beside a list: what happened, who
//! decided, the life-line, the verdict, and what was recorded.
//!
//! | address | shows |
//! |---|---|
//! | `/messages/{id}` | Details |
//! | `/messages/{id}/life` | its life-line |
//! | `/messages/{id}/verdict` | the verdict in full |
//! | `/messages/{id}/raw` | what was recorded, as it was recorded |
//!
//! Each takes the parameters of the list it was opened from, so that previous
//! and next go through that very list, and `panel=1`, with which the answer is
//! the inside of a panel instead of a page.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use center::explain::beyond_permits;
use center::search::Beside;
use center::{Center, CenterError, Explanation, QueueCommand};
use types::{Event, EventId, OutcomeKind, Permission, Stage, Timestamp};

use super::clock::Zone;
use super::exception::Exception;
use super::life_line::Drawing;
use super::list::address::{Address, Pairs};
use super::queue::{self, QueueAct};
use super::told::Teller;
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::{encoded, path_with};
use crate::problem::ApiProblem;
use crate::routes::{Params, lacking, working};

/// The four sides of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Details,
    Life,
    Verdict,
    Raw,
}

impl Side {
    const ALL: [Side; 4] = [Side::Details, Side::Life, Side::Verdict, Side::Raw];

    /// What follows the address of the message, what it is called, and its
    /// shortcut.
    fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Side::Details => ("", "Details", "d"),
            Side::Life => ("/life", "Life-line", "l"),
            Side::Verdict => ("/verdict", "Verdict", "v"),
            Side::Raw => ("/raw", "Raw", ""),
        }
    }
}

/// One tab.
struct Tab {
    label: &'static str,
    href: String,
    key: &'static str,
    current: bool,
}

/// Where a message stands in the list it was opened from.
#[derive(Default)]
struct Way {
    /// Back to the list.
    back: String,
    previous: Option<String>,
    next: Option<String>,
    /// Its row, counted from one, where the address says.
    row: Option<usize>,
}

/// What both page and panel show.
struct View {
    why: Explanation,
    zone: Zone,
    teller: Teller,
    side: Side,
    tabs: Vec<Tab>,
    way: Way,
    /// The address of the message without a list.
    link: String,
    ticket: String,
    drawing: Drawing,
    /// The stored event, made presentable; for the raw side only.
    json: String,
    /// The commands and the reply as recorded; for the raw side only.
    transcript: Vec<(&'static str, String)>,
    may_change: bool,
    /// Requests of its sender that wait.
    requests: u64,
    /// Exceptions that can be made from it.
    exceptions: Vec<Exception>,
    /// For the form that lets its triplet pass; nothing where none waits or
    /// the reader may not.
    let_in: Option<String>,
    /// What can be done to it in the queue.
    queue_acts: Vec<QueueAct>,
    /// The permission that is missing to release it.
    lacks: Option<Permission>,
    /// Why the reader may not release it, in a sentence.
    may_not: Option<String>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    shell: Shell,
    view: View,
}

#[derive(Template)]
#[template(path = "message_panel.html")]
struct MessagePanel {
    view: View,
}

/// What the address says beside the message.
struct Opened {
    pairs: Pairs,
    panel: bool,
    row: Option<usize>,
}

impl Opened {
    fn read(pairs: Pairs) -> Self {
        let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let panel = value("panel") == Some("1");
        let row = value("row").and_then(|row| row.parse().ok());
        Opened { panel, row, pairs }
    }

    /// The list the message was opened from, if the address names one.
    fn list(&self) -> Option<Address> {
        let of_list = |name: &str| matches!(name, "view" | "q" | "from" | "to" | "sort");
        let named = self.pairs.iter().any(|(name, _)| of_list(name));
        named.then(|| Address { cursor: None, open: None, ..Address::read(&self.pairs).address })
    }
}

pub(super) async fn details(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Params(pairs): Params<Pairs>,
) -> Response {
    page(&api, signed, shell, name, pairs, Side::Details).await
}

pub(super) async fn life(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Params(pairs): Params<Pairs>,
) -> Response {
    page(&api, signed, shell, name, pairs, Side::Life).await
}

pub(super) async fn verdict(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Params(pairs): Params<Pairs>,
) -> Response {
    page(&api, signed, shell, name, pairs, Side::Verdict).await
}

pub(super) async fn raw(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(name): Path<String>,
    Params(pairs): Params<Pairs>,
) -> Response {
    page(&api, signed, shell, name, pairs, Side::Raw).await
}

async fn page(
    api: &Api,
    signed: Signed,
    shell: Shell,
    name: String,
    pairs: Pairs,
    side: Side,
) -> Response {
    let opened = Opened::read(pairs);
    let panel = opened.panel;
    match viewed(api, signed, name, opened, side).await {
        Ok(view) if panel => shown(&MessagePanel { view }),
        Ok(view) => shown(&MessagePage { shell, view }),
        Err(problem) => error_page(shell, &problem),
    }
}

/// What is shown of a message, with who can grant what its reader lacks.
async fn viewed(
    api: &Api,
    signed: Signed,
    name: String,
    opened: Opened,
    side: Side,
) -> Result<View, ApiProblem> {
    let caller = signed.caller.clone();
    let work = move |center: &Center| view(center, &signed, &name, &opened, side);
    let mut view = working(api, work).await?;
    if let Some(permission) = view.lacks {
        let problem = lacking(api, ApiProblem::denied(permission, &caller)).await;
        view.may_not = Some(problem.detail);
    }
    Ok(view)
}

/// What is open beside a list.
pub(super) enum Panel {
    /// The inside of the panel.
    Open(String),
    /// Why there is none.
    Nothing(String),
}

/// A message beside its list, as the list's own address asks for it.
pub(super) async fn panel(api: &Api, signed: &Signed, id: EventId, pairs: &Pairs) -> Panel {
    let opened = Opened { pairs: pairs.clone(), panel: true, row: None };
    match viewed(api, signed.clone(), id.to_string(), opened, Side::Details).await {
        Ok(view) => match (MessagePanel { view }).render() {
            Ok(text) => Panel::Open(text),
            Err(_) => Panel::Nothing("the message cannot be shown".to_owned()),
        },
        Err(problem) => Panel::Nothing(problem.detail),
    }
}

fn view(
    center: &Center,
    signed: &Signed,
    name: &str,
    opened: &Opened,
    side: Side,
) -> Result<View, CenterError> {
    let caller = &signed.caller;
    let why = center.why(caller, name)?;
    let zone = Zone::named(&signed.preferences.time_zone);
    let list = opened.list();
    let beside = match &list {
        // A list that cannot be searched any more is no reason to hide the
        // message itself.
        Some(list) => center.beside(caller, &list.request(&signed.preferences), why.id),
        None => Ok(Beside::default()),
    };
    let suffix = list.as_ref().map_or(String::new(), |list| suffix(list, opened.row));
    let link = format!("/messages/{}", why.id);
    let tabs = Side::ALL.map(|tab| {
        let (end, label, key) = tab.row();
        Tab { label, href: format!("{link}{end}{suffix}"), key, current: tab == side }
    });
    let (json, transcript) = match side {
        Side::Raw => recorded(&center.event(caller, &why.id.to_string())?),
        Side::Details | Side::Life | Side::Verdict => (String::new(), Vec::new()),
    };
    let teller = Teller::new(&zone, center.now());
    let way = list.map(|list| way(&list, beside.unwrap_or_default(), opened.row, side));
    Ok(View {
        ticket: why.for_ticket(None),
        drawing: Drawing::of(&why.story, Some(why.id), &zone, center.now()),
        teller,
        zone,
        side,
        tabs: tabs.into(),
        way: way.unwrap_or_default(),
        link,
        json,
        transcript,
        // No list of senders is asked about mail of our own servers.
        may_change: caller.may(Permission::EditSenders)
            && why.outcome.is_some()
            && why.direction.is_none()
            && !signed.csrf.is_empty(),
        exceptions: match signed.csrf.is_empty() {
            true => Vec::new(),
            false => Exception::all(&why),
        },
        queue_acts: match signed.csrf.is_empty() {
            true => Vec::new(),
            false => queue::acts_on(&why, caller.may(Permission::EditSenders)),
        },
        lacks: why
            .queued
            .iter()
            .flat_map(|queued| &queued.offers)
            .find_map(|offer| offer.lacks.filter(|_| offer.action == QueueCommand::Release)),
        may_not: None,
        let_in: (why.waits && may_let_in(caller) && !signed.csrf.is_empty())
            .then(|| signed.csrf.to_string()),
        // A gateway without a place for them has none.
        requests: center
            .waiting_requests(caller, Some(why.reference))
            .map_or(0, |(_, about_it)| about_it),
        why,
    })
}

/// Whether they may let one sender in, or any.
fn may_let_in(caller: &types::Caller) -> bool {
    caller.may(Permission::EditSenders) || caller.may(Permission::SteerGreylist)
}

/// The list's own parameters, as they travel along with a message.
fn suffix(list: &Address, row: Option<usize>) -> String {
    let mut pairs: Vec<String> =
        list.pairs().iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.extend(row.map(|row| format!("row={row}")));
    format!("?{}", pairs.join("&"))
}

fn way(list: &Address, beside: Beside, row: Option<usize>, side: Side) -> Way {
    let (end, ..) = side.row();
    let href = |id: types::EventId, row| format!("/messages/{id}{end}{}", suffix(list, row));
    Way {
        back: list.href(),
        previous: beside.previous.map(|id| href(id, row.map(|row| row.saturating_sub(1).max(1)))),
        next: beside.next.map(|id| href(id, row.map(|row| row.saturating_add(1)))),
        row,
    }
}

/// What was recorded: the event as JSON, and the dialogue as far as it is in
/// it.
fn recorded(event: &Event) -> (String, Vec<(&'static str, String)>) {
    let json = serde_json::to_string_pretty(event).unwrap_or_default();
    // Line by line, so that only line feeds of ours stay line feeds.
    let json: Vec<_> = json.lines().map(center::presentable).collect();
    let subject = &event.subject;
    let mut said = Vec::new();
    if let Some(helo) = subject.client.helo.as_deref() {
        let verb = if subject.client.esmtp { "EHLO" } else { "HELO" };
        said.push(("C", format!("{verb} {helo}")));
    }
    if let Some(path) = &subject.reverse_path {
        let size = subject.declared_size.map_or(String::new(), |size| format!(" SIZE={size}"));
        said.push(("C", format!("MAIL FROM:{path}{size}")));
    }
    said.extend(subject.recipient.as_ref().map(|path| ("C", format!("RCPT TO:{path}"))));
    if let Some(facts) = &subject.message {
        said.push(("C", format!("DATA ({} octets)", facts.size_octets)));
    }
    said.extend(event.record.reply.as_ref().map(|reply| ("S", reply.to_string())));
    let shown = said.into_iter().map(|(who, line)| (who, center::presentable(&line).into_owned()));
    (json.join("\n"), shown.collect())
}

impl View {
    /// The title of the page.
    fn title(&self) -> String {
        format!("{} \u{b7} {}", self.why.label, self.why.reference)
    }

    /// Whether any exception takes the override flag.
    fn overrides(&self) -> bool {
        self.exceptions.iter().any(|one| one.overrides)
    }

    fn is(&self, side: &str) -> bool {
        self.side.row().1 == side
    }

    /// When it happened, in full.
    fn whole(&self) -> String {
        self.zone.whole(self.why.time)
    }

    /// A text with its times as the reader has them; markup.
    fn told(&self, text: &str) -> String {
        self.teller.told(text)
    }

    /// The same, with commands and settings as code; markup.
    fn told_with_code(&self, text: &str) -> String {
        self.teller.told_with_code(text)
    }

    /// A time with all there is to know beside it; markup.
    fn time(&self, at: &Timestamp) -> String {
        self.teller.time(*at)
    }

    /// A time as lists show it.
    fn short(&self, at: &Timestamp) -> String {
        self.zone.short(*at)
    }

    /// The drawn life-line, for the template it shares with the page.
    fn drawn(&self) -> Option<&Drawing> {
        (!self.drawing.lines.is_empty()).then_some(&self.drawing)
    }

    /// Whether anything of the header was recorded.
    fn has_header(&self) -> bool {
        self.why.facts.iter().any(|fact| fact.name == "Received fields")
    }

    fn stage(&self) -> &'static str {
        self.why.stage.map_or("", Stage::slug)
    }

    /// The form by which its recipient expects a mail, where the attempt is
    /// one of greylisting.
    fn expecting(&self) -> Option<String> {
        let is_greylisted = self.why.reason?.slug().starts_with("greylist.");
        let recipient = self.why.recipient.as_deref().filter(|_| is_greylisted)?;
        let row = self.why.reference.to_string();
        let pairs = [("recipient", Some(recipient)), ("row", Some(row.as_str()))];
        Some(path_with("/expecting", &pairs))
    }

    /// What stands above what people did.
    fn deeds_title(&self) -> &'static str {
        match self.why.outcome {
            Some(OutcomeKind::Accepted) => "Who let that in",
            _ => "Who did what",
        }
    }

    /// What helps instead, where no permit of its sender ever can.
    fn beyond_permits(&self) -> Option<&'static str> {
        self.why.reason.and_then(beyond_permits)
    }

    /// Whether it was held for what can do harm when it is opened or believed.
    fn is_dangerous(&self) -> bool {
        self.why.queued.as_ref().is_some_and(|queued| queued.dangerous)
    }

    /// Whether there is anything this reader can do about it.
    fn may_act(&self) -> bool {
        self.may_change || self.let_in.is_some() || !self.queue_acts.is_empty()
    }
}
