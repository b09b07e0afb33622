//! What stands around the rows: counts on the tabs, the histogram, the count.
//! Rows never wait for it long: where it is slow, the page is sent without and
//! its script asks for it, or a reader without script follows a link.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use askama::Template;
use center::accounts::Preferences;
use center::search::{Count, Histogram, SearchRequest, ViewCount};
use center::{CenterError, View};
use types::Caller;

use super::address::Address;
use crate::Api;
use crate::pages::chart::{self, BucketRow};
use crate::pages::clock::Zone;
use crate::pages::sizes::counted;
use crate::problem::ApiProblem;
use crate::routes::working;

/// How long rows wait for the figures.
const WAIT: Duration = Duration::from_millis(70);
/// Bars of the histogram.
const BARS: usize = 96;

/// How long the figures took the last time, in milliseconds; shared by all
/// lists, because what is slow for one is slow for the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<AtomicU64>);

/// The figures of one list.
pub(super) struct Figures {
    views: Vec<ViewCount>,
    histogram: Histogram,
}

/// Works them out, however long it takes.
pub(super) async fn work_out(
    api: &Api,
    caller: Caller,
    request: SearchRequest,
) -> Result<Figures, ApiProblem> {
    let pace = api.pace.clone();
    let began = Instant::now();
    working(api, move |center| {
        let views = center.view_counts(&caller, &request)?;
        let histogram = center.histogram(&caller, &request, BARS)?;
        // Said by the work itself: a page that waits no longer drops the
        // answer, and the next one must know all the same.
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        pace.0.store(took, Ordering::Relaxed);
        Ok::<_, CenterError>(Figures { views, histogram })
    })
    .await
}

/// The figures, if they are there soon.
pub(super) async fn soon(
    api: &Api,
    caller: Caller,
    request: SearchRequest,
    wait: bool,
) -> Option<Figures> {
    if wait {
        return work_out(api, caller, request).await.ok();
    }
    // What was slow the last time is not even begun: it would be done twice.
    if api.pace.0.load(Ordering::Relaxed) > 2 * WAIT.as_millis() as u64 {
        return None;
    }
    tokio::time::timeout(WAIT, work_out(api, caller, request)).await.ok()?.ok()
}

/// One tab.
pub(super) struct Tab {
    label: &'static str,
    help: &'static str,
    href: String,
    current: bool,
    count: Option<String>,
}

/// One series in the legend and as a column of the table.
struct Key {
    key: String,
    sum: String,
}

/// The part of the page above the rows.
#[derive(Template)]
#[template(path = "figures.html")]
pub(super) struct Around {
    tabs: Vec<Tab>,
    /// Whether there are figures; else they are still to come.
    there: bool,
    /// Where the script fetches them.
    source: String,
    /// The page that waits for them.
    wait: String,
    chart: String,
    keys: Vec<Key>,
    rows: Vec<(String, String, Vec<String>)>,
    ticks: Vec<String>,
    as_table: bool,
    toggle: String,
    bucket: String,
    /// For the script: ends, counts.
    from_ms: i64,
    bucket_ms: u64,
    buckets: usize,
    counts: String,
    /// The address a narrower range is put into.
    narrow: String,
    count: Option<String>,
}

/// The tabs, with counts where they are known. A tab for what cannot occur
/// yet is left out, unless it is the one that is shown.
fn tabs(address: &Address, figures: Option<&Figures>) -> Vec<Tab> {
    View::ALL
        .into_iter()
        .map(|view| {
            let info = view.info();
            let counted = figures
                .and_then(|figures| figures.views.iter().find(|count| count.view == view))
                .map(|found| shown(&found.count));
            Tab {
                label: info.label,
                help: info.help,
                href: address.with(|address| address.view = view),
                current: view == address.view,
                count: counted,
            }
        })
        .collect()
}

/// A count in words; counting ends where it would take too long.
pub(in crate::pages) fn shown(count: &Count) -> String {
    let sign = if count.at_least { "\u{2265} " } else { "" };
    format!("{sign}{}", counted(count.count, count.exact || count.at_least))
}

impl Around {
    /// The part above the rows, with or without its figures.
    pub(super) fn of(address: &Address, figures: Option<&Figures>, zone: &Zone) -> Around {
        let empty = Histogram::default();
        let histogram = figures.map_or(&empty, |figures| &figures.histogram);
        let link = |row: BucketRow| {
            let href = address.narrowed(&row.from.to_string(), &row.to.to_string());
            let counts = row.counts.iter().map(|&count| counted(count, true)).collect();
            (row.label, href, counts)
        };
        let key = |series: &center::search::Series| Key {
            key: series.key.clone(),
            sum: counted(series.sum, true),
        };
        let numbers = |series: &center::search::Series| {
            let counts: Vec<String> = series.counts.iter().map(ToString::to_string).collect();
            format!("{}:{}", series.key, counts.join(","))
        };
        let counts: Vec<String> = histogram.series.iter().map(numbers).collect();
        let total =
            figures.and_then(|figures| figures.views.iter().find(|v| v.view == address.view));
        Around {
            tabs: tabs(address, figures),
            there: figures.is_some(),
            source: address.with(|address| address.path = "/messages/figures"),
            wait: format!("{}&figures=wait", address.href()),
            chart: chart::svg(histogram, "Messages by outcome over time", &[], zone),
            keys: histogram.series.iter().map(key).collect(),
            rows: match address.table {
                true => chart::rows(histogram, zone).into_iter().map(link).collect(),
                false => Vec::new(),
            },
            ticks: chart::ticks(histogram, 6, zone),
            as_table: address.table,
            toggle: address.with(|address| address.table = !address.table),
            bucket: chart::length(histogram.bucket_ms),
            from_ms: histogram.from.as_millis(),
            bucket_ms: histogram.bucket_ms,
            buckets: histogram.buckets,
            counts: counts.join(";"),
            narrow: address.narrowed("FROM", "TO"),
            count: total.map(|found| shown(&found.count)),
        }
    }

    /// How many rows there are, in words; nothing while nobody knows.
    pub(super) fn count(&self) -> Option<&str> {
        self.count.as_deref()
    }
}

/// The list's request in the words of its reader.
pub(super) fn request_of(address: &Address, preferences: &Preferences) -> SearchRequest {
    SearchRequest { cursor: None, ..address.request(preferences) }
}
