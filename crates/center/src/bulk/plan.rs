//! What a job is made of: the rows, the pairs in them, and what would become
//! of each.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::contract::TripletEntry;
use types::finding::Observed;
use types::lists::SenderPattern;
use types::{
    Caller, CheckName, DmarcResult, EmailAddress, Event, OutcomeKind, Reference, SpfResult,
};

use super::{BULK_LET_IN_MAX, BULK_PREVIEWED_MAX, BULK_ROWS_MAX, BulkAct, BulkRequest};
use crate::explain::beyond_permits;
use crate::letting::{
    SenderDecision, SenderPreview, SenderVerdict, Whom, advised, beyond_lists, recipient_of,
};
use crate::search::Span;
use crate::{Center, CenterError, PAGE_ROWS_MAX, SearchRequest, presentable};

/// One sender and recipient of a plan. Texts are presentable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BulkPair {
    /// Whom the entry names.
    pub sender: String,
    /// Whose list it goes into.
    pub recipient: String,
    /// How many of the rows are theirs.
    pub rows: u64,
    /// The newest of them, from which the entry is made.
    pub row: Reference,
    /// Whether the list says so already.
    pub already: bool,
    /// Whether their mail failed SPF or DMARC.
    pub failed: bool,
    /// Why nothing is done for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// What the entry would do to that row, for the first hundred pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<SenderPreview>,
}

/// What a job would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BulkPlan {
    /// In a sentence.
    pub text: String,
    /// The time the rows were looked for in, if they were not selected: as
    /// the search of a job, it finds no others than those that were shown.
    #[serde(default)]
    pub times: Span,
    /// Rows looked at.
    pub rows: u64,
    /// Distinct senders for whom something is done.
    pub senders: u64,
    /// Distinct recipients for whom something is done.
    pub recipients: u64,
    /// Entries that would be stored, or triplets that would be let in.
    pub done: u64,
    /// Pairs whose list says so already.
    pub already: u64,
    /// Pairs whose mail failed SPF or DMARC.
    pub failed: u64,
    /// Rows for which nothing can be done: each reason and how many.
    pub left_out: Vec<(String, u64)>,
    /// How the attempts would end, of those decided again: each end and how
    /// many.
    pub ends: Vec<(String, u64)>,
    /// The pairs, those with most rows first.
    pub pairs: Vec<BulkPair>,
}

/// A pair while it is drawn.
pub(super) struct Drawn {
    pub(super) sender: SenderPattern,
    pub(super) recipient: EmailAddress,
    pub(super) event: Event,
    pub(super) rows: u64,
    pub(super) failed: bool,
    pub(super) already: bool,
    /// Whether the permit that the list has counts for authenticated mail
    /// alone; another permit does not widen it.
    pub(super) authenticated_only: bool,
    pub(super) refused: Option<String>,
    pub(super) waiting: Option<TripletEntry>,
}

/// All that was drawn from the rows.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) rows: u64,
    pub(super) pairs: Vec<Drawn>,
    /// Rows without a pair: why, and how many.
    pub(super) nothing: BTreeMap<String, u64>,
}

impl Drawn {
    /// Why nothing is done for it.
    pub(super) fn left_out(&self, request: &BulkRequest) -> Option<String> {
        match () {
            () if self.refused.is_some() => self.refused.clone(),
            () if self.already => Some("the list says so already".to_owned()),
            () if self.failed && request.leave_out_failed => {
                Some("its mail failed SPF or DMARC".to_owned())
            }
            () => None,
        }
    }
}

impl Center {
    /// Refuses what cannot be done before anybody waits for it.
    pub(super) fn check_bulk(
        &self,
        caller: &Caller,
        request: &BulkRequest,
    ) -> Result<(), CenterError> {
        let now = self.parts.clock.now();
        if let Some(until) = request.until.filter(|until| *until <= now) {
            let message = format!("it would end at {until}, which is past (it is {now} now)");
            return Err(CenterError::invalid(message));
        }
        let most = match request.act {
            BulkAct::Permit | BulkAct::Block => BULK_ROWS_MAX,
            BulkAct::LetIn => BULK_LET_IN_MAX,
        };
        let rows = match request.rows.len() {
            0 => {
                let seen = self.seen_by(caller);
                let scope = seen.scope(&request.search)?;
                seen.counted(&scope, BULK_ROWS_MAX as u64 + 1)?.count
            }
            selected => selected as u64,
        };
        match rows {
            0 => Err(CenterError::invalid("no row matches, so there is nothing to do")),
            rows if rows > most as u64 => Err(CenterError::invalid(format!(
                "these are {rows} rows; at most {most} are done at once, so narrow the query or the time"
            ))),
            _ => Ok(()),
        }
    }

    /// The pairs of the rows. `step` hears of rows looked at and rows in all,
    /// and can end it.
    pub(super) fn draw(
        &self,
        caller: &Caller,
        request: &BulkRequest,
        step: &mut dyn FnMut(u64, u64) -> Result<(), CenterError>,
    ) -> Result<Draft, CenterError> {
        self.check_bulk(caller, request)?;
        let events = self.bulk_events(caller, request)?;
        let total = events.len() as u64;
        let mut pairs: BTreeMap<(String, String), Drawn> = BTreeMap::new();
        let mut draft = Draft { rows: total, ..Draft::default() };
        for (at, event) in (1..).zip(events) {
            step(at, total)?;
            match self.pair(request, &event)? {
                Err(why) => *draft.nothing.entry(why).or_default() += 1,
                Ok((key, sender, recipient, waiting)) => {
                    let failed = has_failed(&event);
                    let known = pairs.entry(key).or_insert_with(|| Drawn {
                        sender,
                        recipient,
                        event,
                        rows: 0,
                        failed: false,
                        already: false,
                        authenticated_only: false,
                        refused: None,
                        waiting,
                    });
                    known.rows += 1;
                    known.failed |= failed;
                }
            }
        }
        draft.pairs = pairs.into_values().collect();
        draft.pairs.sort_by_key(|pair| std::cmp::Reverse(pair.rows));
        if request.act != BulkAct::LetIn {
            self.compare_with_lists(request, &mut draft.pairs)?;
        }
        Ok(draft)
    }

    /// The time of a search as of now: what comes later is outside.
    fn frozen(&self, caller: &Caller, request: &BulkRequest) -> Result<Span, CenterError> {
        if !request.rows.is_empty() {
            return Ok(Span::default());
        }
        let times = self.seen_by(caller).scope(&request.search)?.times;
        let over = self.parts.clock.now() + Duration::from_millis(1);
        Ok(Span::from(times.start..times.end.min(over)))
    }

    fn bulk_events(
        &self,
        caller: &Caller,
        request: &BulkRequest,
    ) -> Result<Vec<Event>, CenterError> {
        let seen = self.seen_by(caller);
        let mut events = Vec::new();
        if request.rows.is_empty() {
            let mut page = SearchRequest {
                cursor: None,
                rows_max: PAGE_ROWS_MAX,
                sort: Default::default(),
                ..request.search.clone()
            };
            while events.len() < BULK_ROWS_MAX {
                let (found, next) = seen.events_of(&page)?;
                events.extend(found);
                match next {
                    Some(next) => page.cursor = Some(next),
                    None => break,
                }
            }
        } else {
            for id in &request.rows {
                events.extend(seen.events.event(*id)?);
            }
        }
        Ok(events)
    }

    /// The pair of one row, or why there is none.
    #[expect(clippy::type_complexity, reason = "taken apart at the one call")]
    fn pair(
        &self,
        request: &BulkRequest,
        event: &Event,
    ) -> Result<
        Result<((String, String), SenderPattern, EmailAddress, Option<TripletEntry>), String>,
        CenterError,
    > {
        let base = self.parts.activator.base();
        if event.outcome().is_none() {
            return Ok(Err("a step, and no attempt of a sender".to_owned()));
        }
        let Some(recipient) = recipient_of(event, &base) else {
            return Ok(Err("no recipient of yours is named".to_owned()));
        };
        if beyond_lists(event).is_some() {
            return Ok(Err("mail of your own servers, for which no list counts".to_owned()));
        }
        let vain = event.reason().filter(|reason| beyond_permits(*reason).is_some());
        let verdict = match (request.act, vain) {
            (BulkAct::Permit, Some(reason)) => {
                return Ok(Err(format!("no permit helps against “{}”", reason.label())));
            }
            (BulkAct::Permit, None) => SenderVerdict::Permit,
            (BulkAct::Block, _) => SenderVerdict::Block,
            (BulkAct::LetIn, _) => return Ok(self.waiting_pair(event, recipient)),
        };
        let sender = match advised(event, verdict, &base) {
            Ok(sender) => sender,
            Err(why) => return Ok(Err(why)),
        };
        let key = (sender.to_string(), recipient.key().to_owned());
        Ok(Ok((key, sender, recipient.clone(), None)))
    }

    #[expect(clippy::type_complexity, reason = "taken apart at the one call")]
    fn waiting_pair(
        &self,
        event: &Event,
        recipient: &EmailAddress,
    ) -> Result<((String, String), SenderPattern, EmailAddress, Option<TripletEntry>), String> {
        if event.outcome_kind() != Some(OutcomeKind::Deferred) {
            return Err("it was not asked to come back".to_owned());
        }
        let waits = self.waiting_triplet(event);
        let waits = waits.ok_or("its triplet waits no longer, or it was not greylisted")?;
        let named: SenderPattern = match waits.facts.sender.parse() {
            Ok(named) => named,
            Err(_) => return Err("its sender is no address, so let it in from its row".to_owned()),
        };
        let client = format!("{} {}", waits.facts.client, waits.facts.sender);
        Ok(((client, recipient.key().to_owned()), named, recipient.clone(), Some(waits)))
    }

    /// Finds out what the lists say already, and what would be refused.
    fn compare_with_lists(
        &self,
        request: &BulkRequest,
        pairs: &mut [Drawn],
    ) -> Result<(), CenterError> {
        let verdict = match request.act {
            BulkAct::Block => SenderVerdict::Block,
            BulkAct::Permit | BulkAct::LetIn => SenderVerdict::Permit,
        };
        let key = |sender: &SenderPattern, recipient: &EmailAddress| {
            (recipient.key().to_owned(), sender.key())
        };
        let wanted: Vec<_> = pairs.iter().map(|pair| key(&pair.sender, &pair.recipient)).collect();
        let known = self.parts.policies.senders_of(&wanted)?.into_iter();
        let known: HashMap<_, _> = known
            .map(|stored| (key(&stored.sender.sender, &stored.sender.recipient), stored))
            .collect();
        for (pair, key) in pairs.iter_mut().zip(&wanted) {
            let Some(stored) = known.get(key) else { continue };
            let same_end = stored.sender.valid_until == request.until;
            let same_action = stored.sender.action == verdict.action();
            pair.already = same_action && same_end;
            pair.authenticated_only = same_action && stored.sender.authenticated_only;
            if !pair.already && stored.provenance.origin.is_file() {
                let why = "the policy file has an entry for it, which is changed there";
                pair.refused.get_or_insert_with(|| why.to_owned());
            }
        }
        Ok(())
    }

    /// The plan for people, with what entries would do to their rows.
    pub(super) fn shown(
        &self,
        caller: &Caller,
        request: &BulkRequest,
        draft: Draft,
    ) -> Result<BulkPlan, CenterError> {
        let seen = self.seen_by(caller);
        let mut ends: BTreeMap<String, u64> = BTreeMap::new();
        let mut rows = Vec::new();
        for (place, pair) in draft.pairs.iter().enumerate() {
            let left_out = pair.left_out(request);
            let wanted = left_out.is_none() && place < BULK_PREVIEWED_MAX;
            let preview = match decision(request, pair).filter(|_| wanted) {
                Some(decision) => Some(seen.previewed(caller, &pair.event, &decision)?),
                None => None,
            };
            if let Some(preview) = &preview {
                *ends.entry(preview.end.clone()).or_default() += 1;
            }
            rows.push(BulkPair {
                sender: presentable(&pair.sender.to_string()).into_owned(),
                recipient: presentable(pair.recipient.as_str()).into_owned(),
                rows: pair.rows,
                row: pair.event.reference(),
                already: pair.already,
                failed: pair.failed,
                left_out,
                preview,
            });
        }
        let times = self.frozen(caller, request)?;
        Ok(BulkPlan { times, ..plan(request, draft.rows, rows, draft.nothing, ends) })
    }
}

/// The decision a pair stands for; nothing where a triplet is let in.
pub(super) fn decision(request: &BulkRequest, pair: &Drawn) -> Option<SenderDecision> {
    let verdict = match request.act {
        BulkAct::Permit => SenderVerdict::Permit,
        BulkAct::Block => SenderVerdict::Block,
        BulkAct::LetIn => return None,
    };
    Some(SenderDecision {
        verdict,
        sender: pair.sender.clone(),
        whom: Whom::Recipient,
        authenticated_only: pair.authenticated_only,
        until: request.until,
        note: request.note.clone(),
    })
}

fn plan(
    request: &BulkRequest,
    rows: u64,
    pairs: Vec<BulkPair>,
    nothing: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
) -> BulkPlan {
    let meant = || pairs.iter().filter(|pair| pair.left_out.is_none());
    let distinct = |of: fn(&BulkPair) -> &str| {
        meant().map(of).collect::<std::collections::BTreeSet<_>>().len() as u64
    };
    let (senders, recipients) = (distinct(|pair| &pair.sender), distinct(|pair| &pair.recipient));
    let count = |is: fn(&BulkPair) -> bool| pairs.iter().filter(|pair| is(pair)).count() as u64;
    let (already, failed) = (count(|pair| pair.already), count(|pair| pair.failed));
    let done = meant().count() as u64;
    let text = match request.act {
        BulkAct::LetIn => format!(
            "Let in {done} triplets that wait: {senders} distinct senders for {recipients} recipients."
        ),
        act => format!(
            "{} {senders} distinct senders for {recipients} recipients: {done} entries.",
            act.label()
        ),
    };
    let left_out = nothing.into_iter().collect();
    let ends = ends.into_iter().collect();
    let times = Span::default();
    BulkPlan {
        text,
        times,
        rows,
        senders,
        recipients,
        done,
        already,
        failed,
        left_out,
        ends,
        pairs,
    }
}

/// Whether SPF or DMARC failed at an attempt.
fn has_failed(event: &Event) -> bool {
    let evidence = &event.record.evidence;
    let spf = matches!(evidence.latest(CheckName::Spf),
        Some(Observed::Spf(facts)) if matches!(facts.result, SpfResult::Fail | SpfResult::SoftFail));
    let dmarc = matches!(evidence.latest(CheckName::Dmarc),
        Some(Observed::Dmarc(facts)) if facts.result == DmarcResult::Fail);
    spf || dmarc
}
