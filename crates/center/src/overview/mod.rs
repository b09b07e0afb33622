//! How it goes, on one page: now, the flow of mail, why mail was refused,
//! what greylisting does, who sends most, and what needs attention. Each
//! number carries the list behind it.

mod attention;
mod known;
pub(crate) mod tiles;

use serde::{Deserialize, Serialize};
use types::{Caller, Reason, Timestamp};

use crate::search::{BUCKETS_MAX, Histogram, SearchRequest};
use crate::views::View;
use crate::{Center, CenterError};

/// The list behind a number: what a link to it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ListLink {
    /// The built-in list.
    pub view: View,
    /// The query.
    pub query: String,
    /// From when: `now-24h`, or an absolute time.
    pub from: String,
    /// Until when.
    pub to: String,
}

/// A number and the list behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Figure {
    /// The number.
    pub count: u64,
    /// The list of exactly these.
    pub link: ListLink,
}

/// How it goes at this moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NowTile {
    /// Sessions open; nothing for who sees only some domains.
    pub sessions_open: Option<u64>,
    /// Attempts that ended in the last minute.
    pub attempts_per_minute: u64,
    /// Messages waiting for the next hop.
    pub queue_messages: usize,
    /// How long the oldest of them waits, in seconds; nothing where none does.
    pub queue_oldest_age_s: Option<u64>,
    /// Mail that waits for somebody's decision, by recipient.
    pub held: Figure,
    /// When the last message was taken over.
    pub last_accepted: Option<Timestamp>,
    /// When anything last happened.
    pub last_attempt: Option<Timestamp>,
    /// Each thing that must be well.
    pub checks: Vec<crate::ReadyCheck>,
}

/// Why mail was refused: one bar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RefusedBar {
    /// The reason.
    pub reason: Reason,
    /// What people read.
    pub label: String,
    /// How often in the time looked at.
    pub now: Figure,
    /// How often in the same time a week before: by whole hours where its
    /// events are gone, and nothing where they were not counted either.
    pub week_before: Option<u64>,
}

/// What became of first contacts, by the attempts that opened a window in
/// the time looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GreylistFunnel {
    /// Attempts deferred as first contacts.
    pub first_contacts: u64,
    /// Of these, those whose sender tried again.
    pub came_back: u64,
    /// Of these, those whose message was delivered in the end.
    pub delivered: u64,
    /// Of these, those whose window closed without a retry that passed.
    pub never_returned: u64,
    /// Of these, those whose window is still open, without a retry so far.
    pub waiting: u64,
    /// Half of the retries that passed came at most this long after the
    /// first attempt, in milliseconds, to the second; nothing if none passed.
    pub median_wait_ms: Option<u64>,
    /// The lists behind the five numbers, in the same order.
    pub links: Vec<ListLink>,
}

/// The commonest of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TopList {
    /// What they are: *Senders*.
    pub label: String,
    /// The ten commonest.
    pub rows: Vec<TopRow>,
}

/// One of the commonest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TopRow {
    /// What people read.
    pub label: String,
    /// How often, and the list.
    pub figure: Figure,
}

/// One thing that needs attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Attention {
    /// How bad it is.
    pub level: AttentionLevel,
    /// One sentence.
    pub text: String,
    /// The list behind it, if there is one.
    pub link: Option<ListLink>,
}

/// How bad something is; worst first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum AttentionLevel {
    /// Mail is not taken, or may be lost.
    Broken,
    /// Something gets worse.
    Warning,
    /// Worth knowing.
    Note,
}

/// The span the tiles look at.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum OverviewSpan {
    /// The last 24 hours.
    #[default]
    #[serde(rename = "24h")]
    Day,
    /// The last 7 days.
    #[serde(rename = "7d")]
    Week,
}

impl OverviewSpan {
    /// Its beginning, as a request writes it.
    pub fn from(self) -> &'static str {
        match self {
            OverviewSpan::Day => "now-24h",
            OverviewSpan::Week => "now-7d",
        }
    }

    fn buckets(self) -> usize {
        match self {
            OverviewSpan::Day => 60,
            OverviewSpan::Week => BUCKETS_MAX,
        }
    }
}

/// Everything on the page; each tile can be had alone, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Overview {
    /// When it was made.
    pub as_of: Timestamp,
    /// How it goes at this moment.
    pub now: NowTile,
    /// The flow of mail by outcome.
    pub flow: Histogram,
    /// Why mail was refused, most frequent first.
    pub refused: Vec<RefusedBar>,
    /// What greylisting does.
    pub greylist: GreylistFunnel,
    /// Who sends and receives most.
    pub top: Vec<TopList>,
    /// What needs attention, worst first; at most five.
    pub attention: Vec<Attention>,
}

impl ListLink {
    /// A list since the beginning of a span.
    fn since(view: View, query: impl Into<String>, span: OverviewSpan) -> Self {
        let from = span.from().to_owned();
        ListLink { view, query: query.into(), from, to: "now".to_owned() }
    }

    /// The same as a request.
    pub fn request(&self) -> SearchRequest {
        SearchRequest {
            query: self.query.clone(),
            view: self.view,
            from: self.from.clone(),
            to: self.to.clone(),
            ..SearchRequest::default()
        }
    }
}

impl Center {
    /// The whole page.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn overview(
        &self,
        caller: &Caller,
        span: OverviewSpan,
        zone: &str,
    ) -> Result<Overview, CenterError> {
        Ok(Overview {
            as_of: self.parts.clock.now(),
            now: self.overview_now(caller)?,
            flow: self.overview_flow_in(caller, span, zone)?,
            refused: self.overview_refused(caller, span)?,
            greylist: self.overview_greylist(caller, span)?,
            top: self.overview_top(caller, span)?,
            attention: self.overview_attention(caller)?,
        })
    }

    /// The flow of mail by outcome.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn overview_flow(
        &self,
        caller: &Caller,
        span: OverviewSpan,
    ) -> Result<Histogram, CenterError> {
        self.overview_flow_in(caller, span, "")
    }

    /// The flow of mail by outcome, in hours and days of the zone.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn overview_flow_in(
        &self,
        caller: &Caller,
        span: OverviewSpan,
        zone: &str,
    ) -> Result<Histogram, CenterError> {
        let zone = zone.to_owned();
        let request = ListLink::since(View::All, "", span).request();
        self.histogram(caller, &SearchRequest { zone, ..request }, span.buckets())
    }
}
