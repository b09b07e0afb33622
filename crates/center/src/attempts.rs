//! Finding attempts and telling their story.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use store::{Filter, contract::Page};
use types::information::information;
use types::{
    Caller, Event, EventId, LifeLineId, OutcomeKind, Permission, Reason, Reference, Stage,
    Timestamp,
};

use crate::explain::{self, Explanation, life_line::Story};
use crate::query::{self, Open, Search};
use crate::{Center, CenterError, permit, presentable, presentable_within};

/// Most rows of one page.
pub const PAGE_ROWS_MAX: usize = 1_000;
/// How far matches are counted exactly.
const COUNT_MAX: usize = 10_000;
/// Longest subject in a row, in characters.
const SUBJECT_CHARS_MAX: usize = 200;

/// What is searched for.
#[derive(Clone, Debug, Default)]
pub struct TraceRequest {
    /// The query; empty for everything.
    pub query: String,
    /// Only this queue, beside what the query says.
    pub outcome: Option<OutcomeKind>,
    /// Most rows to return; 0 for 50, at most [`PAGE_ROWS_MAX`].
    pub rows_max: usize,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

/// The end of a page: time and id of its last row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    at: Timestamp,
    id: EventId,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.at.as_millis(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = CenterError;
    fn from_str(text: &str) -> Result<Self, CenterError> {
        let read = || {
            let (at, id) = text.split_once('_')?;
            Some(Cursor { at: Timestamp::from_millis(at.parse().ok()?), id: id.parse().ok()? })
        };
        read().ok_or_else(|| CenterError::invalid("the cursor is not one this server gave out"))
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One page of attempts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttemptPage {
    /// The rows, newest first.
    pub rows: Vec<Row>,
    /// Matches counted.
    pub count: usize,
    /// Whether there are more than were counted.
    pub more_than_counted: bool,
    /// Where the next page begins; nothing if this is the last.
    pub next: Option<Cursor>,
    /// Spans that could not be read.
    pub missing: Vec<(Timestamp, Timestamp)>,
    /// When the search was made: everything answered before is in it.
    pub as_of: Timestamp,
}

/// One event in a list. Texts from strangers are [`presentable`] already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The event.
    pub id: EventId,
    /// What replies quote.
    #[serde(rename = "ref")]
    pub reference: Reference,
    /// The life-line.
    pub life: LifeLineId,
    /// When it happened.
    pub time: Timestamp,
    /// In which queue it is shown; nothing for a step on the way.
    pub outcome: Option<OutcomeKind>,
    /// The state a follow-up put the life-line into.
    pub state: Option<String>,
    /// The reason code.
    pub reason: Option<Reason>,
    /// What administrators see.
    pub label: String,
    /// Where in the session it ended.
    pub stage: Option<Stage>,
    /// The reverse-path; nothing if MAIL was never given, empty for `<>`.
    pub from: Option<String>,
    /// The recipient; nothing if RCPT was never given.
    pub to: Option<String>,
    /// The authors in the From field.
    pub header_from: Vec<String>,
    /// The subject.
    pub subject: Option<String>,
    /// The information line.
    pub info: String,
    /// The client.
    pub ip: IpAddr,
    /// What it called itself.
    pub helo: Option<String>,
    /// The SMTP reply code sent.
    pub code: Option<u16>,
    /// The enhanced status code sent.
    pub ecode: Option<String>,
}

impl Row {
    /// An event as a row.
    pub fn of(event: &Event) -> Row {
        let message = event.subject.message.as_deref();
        let reply = event.record.reply.as_ref();
        let mailboxes = message.map_or(&[][..], |facts| facts.header_from.as_slice());
        Row {
            id: event.id,
            reference: event.reference(),
            life: event.life_line,
            time: event.at,
            outcome: event.outcome_kind(),
            state: event.follow_up().map(|what| what.state().to_owned()),
            reason: event.reason(),
            label: label_of(event),
            stage: event.record.stage.or(event.reason().map(Reason::stage)),
            from: event.subject.reverse_path.as_ref().map(|path| presentable(path.as_str()).into()),
            to: event.subject.recipient.as_ref().map(|path| presentable(path.as_str()).into()),
            header_from: mailboxes.iter().map(mailbox).collect(),
            subject: message
                .and_then(|facts| facts.subject.as_deref())
                .map(|subject| presentable_within(subject, SUBJECT_CHARS_MAX)),
            info: presentable(&information(event)).into_owned(),
            ip: event.subject.client.client.ip,
            helo: event.subject.client.helo.as_deref().map(|helo| presentable(helo).into()),
            code: reply.map(|reply| reply.code),
            ecode: reply.and_then(|reply| reply.enhanced).map(|code| code.to_string()),
        }
    }
}

/// A mailbox as it is read: name and address, made presentable.
pub(crate) fn mailbox(mailbox: &types::HeaderMailbox) -> String {
    let shown = match &mailbox.name {
        Some(name) if !name.is_empty() => format!("\"{name}\" <{}>", mailbox.address),
        _ => mailbox.address.clone(),
    };
    presentable(&shown).into_owned()
}

/// What administrators call this event.
pub(crate) fn label_of(event: &Event) -> String {
    match (event.reason(), event.follow_up()) {
        (Some(reason), _) => reason.label().to_owned(),
        (None, Some(what)) => explain::life_line::follow_up_title(what).to_owned(),
        (None, None) => String::new(),
    }
}

impl Center {
    /// Searches. A query that names no outcome or state finds what is filed
    /// in one of the four queues, not the steps on the way.
    ///
    /// # Errors
    ///
    /// A query that cannot be understood, with the place; see [`CenterError`].
    pub fn trace(
        &self,
        caller: &Caller,
        request: &TraceRequest,
    ) -> Result<AttemptPage, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let as_of = self.parts.clock.now();
        let search = query::search(&request.query, &self.moment())?;
        if let Some(events) = self.opened(&search)?.filter(|_| request.after.is_none()) {
            let rows: Vec<Row> = events.iter().map(Row::of).collect();
            let count = rows.len();
            let (next, missing) = (None, Vec::new());
            return Ok(AttemptPage { rows, count, more_than_counted: false, next, missing, as_of });
        }
        let rows_max = match request.rows_max {
            0 => 50,
            wanted => wanted.min(PAGE_ROWS_MAX),
        };
        let after = request.after.map(|cursor| (cursor.at, cursor.id));
        // One row more than is shown says whether there is a next page.
        let page = Page { after, rows_max: rows_max + 1, count_max: COUNT_MAX };
        let filter = match request.outcome {
            Some(outcome) => Filter::All(vec![Filter::Outcome(outcome), search.filter]),
            None => filed(search.filter, search.names_state),
        };
        let found = self.parts.log.search(&filter, search.times, page)?;
        let mut rows: Vec<Row> = found.events.iter().map(Row::of).collect();
        let more = rows.len() > rows_max;
        rows.truncate(rows_max);
        let last = rows.last().map(|row| Cursor { at: row.time, id: row.id });
        Ok(AttemptPage {
            rows,
            count: found.count,
            more_than_counted: found.more,
            next: last.filter(|_| more),
            missing: found.missing.into_iter().map(|span| (span.start, span.end)).collect(),
            as_of,
        })
    }

    fn opened(&self, search: &Search) -> Result<Option<Vec<Event>>, CenterError> {
        let events = match search.open {
            None => return Ok(None),
            Some(Open::Event(id)) => self.parts.log.event(id)?.into_iter().collect(),
            Some(Open::Reference(reference)) => self.parts.log.by_reference(reference)?,
        };
        Ok(Some(events).filter(|events| !events.is_empty()))
    }

    /// The full explanation of one attempt, by its id or by the reference a
    /// reply quoted.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more).
    pub fn why(&self, caller: &Caller, named: &str) -> Result<Explanation, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let event = self.named(named)?;
        let story = self.parts.log.life_line(event.life_line)?;
        let mut explanation = explain::explain(&event, &story, self.parts.clock.now());
        self.tell_if_queued(&event, &mut explanation)?;
        Ok(explanation)
    }

    /// The stored event itself, as it was written.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more).
    pub fn event(&self, caller: &Caller, named: &str) -> Result<Event, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        self.named(named)
    }

    /// A life-line by its id, its reference, or the reference of one of its
    /// attempts.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more).
    pub fn life(&self, caller: &Caller, named: &str) -> Result<Story, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let mut events = match named.parse::<LifeLineId>() {
            Ok(id) => self.parts.log.life_line(id)?,
            Err(_) => Vec::new(),
        };
        if events.is_empty() {
            events = self.parts.log.life_line(self.named(named)?.life_line)?;
        }
        Ok(explain::life_line::story(&events, self.parts.clock.now()))
    }

    /// The event of this id or reference. A life-line has a reference too,
    /// so of several the one whose own it is is meant.
    fn named(&self, named: &str) -> Result<Event, CenterError> {
        let named = named.trim();
        let missing =
            || CenterError::NotFound(format!("attempt {:?}", presentable_within(named, 60)));
        if let Ok(id) = named.parse::<EventId>() {
            return self.parts.log.event(id)?.ok_or_else(missing);
        }
        let reference: Reference = named.parse().map_err(|_| missing())?;
        let mut events = self.parts.log.by_reference(reference)?;
        let own = events.iter().position(|event| event.reference() == reference);
        if events.is_empty() {
            return Err(missing());
        }
        Ok(events.swap_remove(own.unwrap_or(0)))
    }
}

/// Adds to a query what lists leave out: steps that end nothing.
fn filed(filter: Filter, names_state: bool) -> Filter {
    if names_state {
        return filter;
    }
    let queues = OutcomeKind::ALL.into_iter().map(Filter::Outcome).collect();
    match filter {
        Filter::Everything => Filter::Any(queues),
        filter => Filter::All(vec![Filter::Any(queues), filter]),
    }
}
