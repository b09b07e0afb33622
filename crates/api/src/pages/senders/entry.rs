//! The form of one managed sender.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use center::{CenterError, ChangeResult, SenderRow};
use serde::Deserialize;
use types::lists::{ManagedSender, SenderAction, SenderPattern};
use types::{AddressError, PolicyId, Timestamp};

use super::super::{Shell, error_page, sent, shown};
use super::{ACTIONS, HERE, action};
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
use crate::routes::working;

/// The form of one entry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::pages) struct EntryForm {
    /// What of a mail `sender` is compared with: `from` or `dkim`. A field of a
    /// form must not have the name of a method of elements, as `matches` is:
    /// in the browser it takes its place.
    meant: String,
    sender: String,
    recipient: String,
    action: String,
    /// `yes` or nothing.
    authenticated: String,
    /// A day, `2026-12-31`; the entry counts up to its end.
    until: String,
    note: String,
}

/// That the domain of a signature is meant.
const DKIM: &str = "dkim";

fn meant(sender: &SenderPattern) -> &'static str {
    match sender {
        SenderPattern::Named(_) => "from",
        SenderPattern::Signed(_) => DKIM,
    }
}

#[derive(Template)]
#[template(path = "sender.html")]
struct SenderPage {
    shell: Shell,
    id: Option<PolicyId>,
    form: EntryForm,
    row: Option<SenderRow>,
    problem: Option<String>,
    actions: [SenderAction; 4],
}

impl SenderPage {
    fn target(&self) -> String {
        self.id.map_or("/senders/new".to_owned(), |id| format!("{HERE}/{}", id.0))
    }

    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }

    fn is_by_file(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.provenance.origin.is_file())
    }
}

impl EntryForm {
    fn of(entry: &ManagedSender) -> EntryForm {
        EntryForm {
            meant: meant(&entry.sender).to_owned(),
            sender: match &entry.sender {
                SenderPattern::Named(pattern) => pattern.to_string(),
                SenderPattern::Signed(domain) => domain.to_string(),
            },
            recipient: entry.recipient.to_string(),
            action: entry.action.slug().to_owned(),
            authenticated: if entry.authenticated_only { "yes" } else { "" }.to_owned(),
            until: entry.valid_until.map(|at| at.to_string()).unwrap_or_default(),
            note: entry.note.clone(),
        }
    }

    /// Whom the entry names; whoever writes `dkim:` before a domain means its
    /// signatures, whatever is chosen beside it.
    fn pattern(&self) -> Result<SenderPattern, AddressError> {
        let pattern = self.sender.parse()?;
        match (pattern, self.meant.as_str()) {
            (SenderPattern::Named(_), DKIM) => {
                self.sender.trim().parse().map(SenderPattern::Signed)
            }
            (pattern, _) => Ok(pattern),
        }
    }

    fn entry(&self, id: Option<PolicyId>) -> Result<ManagedSender, CenterError> {
        let wrong = |what: &str, text: &str, error: &dyn std::fmt::Display| {
            CenterError::invalid(format!("{what} {text:?}: {error}"))
        };
        let recipient = self.recipient.trim();
        let until = match self.until.trim() {
            "" => None,
            day if !day.contains('T') => {
                Some(format!("{day}T23:59:59Z").parse().map_err(|e| wrong("until", day, &e))?)
            }
            time => Some(time.parse().map_err(|e| wrong("until", time, &e))?),
        };
        Ok(ManagedSender {
            id,
            sender: self.pattern().map_err(|e| wrong("sender", self.sender.trim(), &e))?,
            recipient: recipient.parse().map_err(|e| wrong("recipient", recipient, &e))?,
            action: action(&self.action)
                .ok_or_else(|| CenterError::invalid("say what the entry does"))?,
            authenticated_only: !self.authenticated.is_empty(),
            note: self.note.trim().to_owned(),
            created_by: String::new(),
            created: Timestamp::EPOCH,
            created_from: None,
            valid_until: until,
        })
    }
}

pub(in crate::pages) async fn new(shell: Shell) -> Response {
    let form = EntryForm { action: "permit".to_owned(), ..EntryForm::default() };
    shown(&SenderPage { shell, id: None, form, row: None, problem: None, actions: ACTIONS })
}

pub(in crate::pages) async fn edit(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    let caller = signed.caller;
    match working(&api, move |center| center.sender(&caller, PolicyId(number))).await {
        Ok(row) => {
            let (id, form) = (row.sender.id, EntryForm::of(&row.sender));
            let row = Some(row);
            shown(&SenderPage { shell, id, form, row, problem: None, actions: ACTIONS })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

pub(in crate::pages) async fn save_new(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(form): Form<EntryForm>,
) -> Response {
    save(&api, signed, shell, None, form).await
}

pub(in crate::pages) async fn save_edited(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
    Form(form): Form<EntryForm>,
) -> Response {
    save(&api, signed, shell, Some(PolicyId(number)), form).await
}

async fn save(
    api: &Api,
    signed: Signed,
    shell: Shell,
    id: Option<PolicyId>,
    form: EntryForm,
) -> Response {
    let (caller, wanted) = (signed.caller, form.clone());
    let done = working(api, move |center| {
        let entry = wanted.entry(id)?;
        center.put_sender(&caller, entry, "by hand")
    });
    let there = |done: ChangeResult| match done.differences.is_empty() {
        true => HERE.to_owned(),
        false => format!("/changes/{}", done.version),
    };
    let again = async |shell, problem: ApiProblem| {
        let problem = Some(problem.detail);
        shown(&SenderPage { shell, id, form, row: None, problem, actions: ACTIONS })
    };
    sent::answer(shell, done.await, there, again).await
}
