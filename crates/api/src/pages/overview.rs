//! How it goes, on one page. Each number is a link to the list behind it;
//! a tile that cannot be read says so and leaves the others alone.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use center::overview::{
    Attention, AttentionLevel, Figure, GreylistFunnel, ListLink, NowTile, OverviewSpan, RefusedBar,
    TopList,
};
use center::search::Histogram;
use center::{Center, CenterError, Conservation};
use serde::Deserialize;
use types::Caller;

use super::chart::{self, BucketRow};
use super::list::address::Address;
use super::sizes::{grouped, span};
use super::{Shell, shown};
use crate::Api;
use crate::auth::Signed;
use crate::routes::{Params, working};

/// What the page shows.
#[derive(Deserialize)]
pub(super) struct OverviewParams {
    /// The span the tiles look at.
    #[serde(default)]
    span: OverviewSpan,
    /// Which chart is shown as a table.
    #[serde(default)]
    table: String,
}

/// What was found out; nothing where it could not be.
struct Tiles {
    now: Option<NowTile>,
    flow: Option<Histogram>,
    refused: Option<Vec<RefusedBar>>,
    greylist: Option<GreylistFunnel>,
    top: Option<Vec<TopList>>,
    attention: Option<Vec<Attention>>,
    sum: Option<Conservation>,
    /// Requests of refused senders that wait.
    requests: u64,
}

impl Tiles {
    fn read(center: &Center, caller: &Caller, span: OverviewSpan, zone: &str) -> Tiles {
        Tiles {
            now: center.overview_now(caller).ok(),
            flow: center.overview_flow_in(caller, span, zone).ok(),
            refused: center.overview_refused(caller, span).ok(),
            greylist: center.overview_greylist(caller, span).ok(),
            top: center.overview_top(caller, span).ok(),
            attention: center.overview_attention(caller).ok(),
            sum: center.conservation(caller).ok(),
            // A gateway without a place for them has none.
            requests: center.waiting_requests(caller, None).map_or(0, |(waiting, _)| waiting),
        }
    }
}

/// A number with its link.
struct Number {
    text: String,
    href: String,
}

/// One horizontal bar.
struct Bar {
    label: String,
    number: Number,
    /// How long it is, of a hundred.
    width: String,
    /// The change against the week before, in words, and its class.
    change: Option<(String, &'static str)>,
}

/// One list of bars.
struct Bars {
    label: String,
    rows: Vec<Bar>,
}

/// One step of the greylist funnel.
struct Step {
    label: &'static str,
    number: Number,
    share: String,
    width: String,
}

/// One thing that needs attention.
struct Point {
    class: &'static str,
    word: &'static str,
    text: String,
    href: Option<String>,
}

/// One figure of the tile *Now*.
struct Now {
    label: &'static str,
    text: String,
    href: Option<String>,
    /// What belongs to it.
    note: Option<String>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    spans: [(&'static str, &'static str, bool); 2],
    now: Option<Vec<Now>>,
    checks: Vec<center::ReadyCheck>,
    attention: Option<Vec<Point>>,
    flow: Option<String>,
    flow_keys: Vec<(String, Number)>,
    flow_ticks: Vec<String>,
    flow_rows: Vec<(String, String, Vec<String>)>,
    flow_table: bool,
    flow_toggle: String,
    refused: Option<Vec<Bar>>,
    /// What stands beside the bars of refusals.
    against: &'static str,
    greylist: Option<Vec<Step>>,
    wait: Option<String>,
    top: Option<Vec<Bars>>,
    sum: Option<Sum>,
}

/// The conservation numbers of the footer.
struct Sum {
    sessions: String,
    open: String,
    attempts: String,
    recorded: String,
    unrecorded: Option<String>,
    whole: bool,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(params): Params<OverviewParams>,
) -> Response {
    let zone = signed.preferences.time_zone.clone();
    let caller = signed.caller;
    let read = move |center: &Center| {
        Ok::<_, CenterError>(Tiles::read(center, &caller, params.span, &zone))
    };
    match working(&api, read).await {
        Ok(tiles) => shown(&filled(shell, tiles, params.span, params.table == "flow")),
        Err(problem) => super::error_page(shell, &problem),
    }
}

fn filled(shell: Shell, tiles: Tiles, span: OverviewSpan, flow_table: bool) -> OverviewPage {
    let week = span == OverviewSpan::Week;
    let flow = tiles.flow.as_ref();
    let zone = &shell.zone;
    let word = if week { "7d" } else { "24h" };
    let toggle = if flow_table { "" } else { "&table=flow" };
    OverviewPage {
        spans: [("24h", "24 hours", !week), ("7d", "7 days", week)],
        now: tiles.now.as_ref().map(|now| figures(now, &shell)),
        checks: tiles.now.as_ref().map_or(Vec::new(), |now| now.checks.iter().map(check).collect()),
        attention: tiles
            .attention
            .map(|list| list.into_iter().map(point).chain(asked(tiles.requests)).collect()),
        flow: flow.map(|flow| chart::svg(flow, "Mail flow", &["rejected"], zone)),
        flow_keys: flow.map_or(Vec::new(), |flow| keys(flow, span)),
        flow_ticks: flow.map_or(Vec::new(), |flow| chart::ticks(flow, 6, zone)),
        flow_rows: match flow {
            Some(flow) if flow_table => chart::rows(flow, zone).into_iter().map(bucket).collect(),
            _ => Vec::new(),
        },
        flow_table,
        flow_toggle: format!("/?span={word}{toggle}"),
        against: tiles.refused.as_deref().map_or("", against),
        refused: tiles.refused.map(|bars| refused(&bars)),
        wait: tiles.greylist.as_ref().and_then(|funnel| funnel.median_wait_ms).map(span_of),
        greylist: tiles.greylist.as_ref().map(funnel),
        top: tiles.top.map(|lists| lists.into_iter().map(top).collect()),
        sum: tiles.sum.as_ref().map(sum),
        shell,
    }
}

/// A check under a name that reads as words.
fn check(check: &center::ReadyCheck) -> center::ReadyCheck {
    center::ReadyCheck { name: check.name.replace('_', " "), ..check.clone() }
}

fn span_of(millis: u64) -> String {
    span(millis / 1_000)
}

/// The address of the list behind a number.
fn href(link: &ListLink) -> String {
    Address::new().with(|address| {
        address.view = link.view;
        address.query.clone_from(&link.query);
        address.from.clone_from(&link.from);
        address.to.clone_from(&link.to);
    })
}

fn number(figure: &Figure) -> Number {
    Number { text: grouped(figure.count), href: href(&figure.link) }
}

fn figures(now: &NowTile, shell: &Shell) -> Vec<Now> {
    let list = |view: &str| format!("/messages?view={view}&from=");
    let minute = Address::new().with(|address| "now-1m".clone_into(&mut address.from));
    let figure = |label, text: String, href| Now { label, text, href, note: None };
    let last = now.last_accepted.map_or_else(|| "never".to_owned(), |at| shell.zone.hours(at));
    let sessions = now.sessions_open.map(|open| figure("Sessions open", grouped(open), None));
    let mut figures =
        vec![figure("Attempts a minute", grouped(now.attempts_per_minute), Some(minute))];
    figures.extend(sessions);
    figures.extend([
        Now {
            // Where nothing waits there is no oldest.
            note: now.queue_oldest_age_s.map(|age| format!("the oldest {}", span(age))),
            ..figure("Waiting in queue", grouped(now.queue_messages as u64), Some(list("queue")))
        },
        figure("Held back", grouped(now.held.count), Some(href(&now.held.link))),
        figure("Last accepted", last, Some(list("accepted"))),
    ]);
    figures
}

fn keys(flow: &Histogram, span: OverviewSpan) -> Vec<(String, Number)> {
    let key = |series: &center::search::Series| {
        let link = Address::new().with(|address| {
            address.view = series.key.parse().unwrap_or_default();
            span.from().clone_into(&mut address.from);
        });
        (series.key.clone(), Number { text: grouped(series.sum), href: link })
    };
    flow.series.iter().map(key).collect()
}

fn bucket(row: BucketRow) -> (String, String, Vec<String>) {
    let href = Address::new().with(|address| {
        address.from = row.from.to_string();
        address.to = row.to.to_string();
    });
    (row.label, href, row.counts.into_iter().map(grouped).collect())
}

/// A part of the largest, of a hundred.
fn width(count: u64, largest: u64) -> String {
    format!("{:.1}", 100.0 * count as f64 / largest.max(1) as f64)
}

fn refused(bars: &[RefusedBar]) -> Vec<Bar> {
    let largest = bars.iter().map(|bar| bar.now.count).max().unwrap_or(0);
    let bar = |bar: &RefusedBar| Bar {
        label: bar.label.clone(),
        number: number(&bar.now),
        width: width(bar.now.count, largest),
        change: bar.week_before.map(|before| change(bar.now.count, before)),
    };
    bars.iter().map(bar).collect()
}

/// What the changes are measured against.
fn against(bars: &[RefusedBar]) -> &'static str {
    match bars.iter().any(|bar| bar.week_before.is_some()) {
        true => "change against the week before",
        false if bars.is_empty() => "",
        false => "no figures of the week before",
    }
}

/// What changed against the week before.
fn change(now: u64, before: u64) -> (String, &'static str) {
    if before == 0 {
        return if now == 0 { ("=".to_owned(), "muted") } else { ("new".to_owned(), "up") };
    }
    let percent = (now as f64 - before as f64) / before as f64 * 100.0;
    match percent.round() as i64 {
        0 => ("=".to_owned(), "muted"),
        more if more > 0 => (format!("+{more} %"), "up"),
        less => (format!("\u{2212}{} %", -less), "down"),
    }
}

fn funnel(funnel: &GreylistFunnel) -> Vec<Step> {
    let steps = [
        ("First contacts", funnel.first_contacts),
        ("Came back in time", funnel.came_back),
        ("Delivered", funnel.delivered),
        ("Never returned", funnel.never_returned),
        ("Still waiting", funnel.waiting),
    ];
    let all = funnel.first_contacts.max(1);
    let step = |(place, (label, count)): (usize, (&'static str, u64))| Step {
        label,
        number: Number {
            text: grouped(count),
            href: funnel.links.get(place).map_or_else(String::new, href),
        },
        share: format!("{:.0} %", 100.0 * count as f64 / all as f64),
        width: width(count, all),
    };
    steps.into_iter().enumerate().map(step).collect()
}

fn top(list: TopList) -> Bars {
    let largest = list.rows.iter().map(|row| row.figure.count).max().unwrap_or(0);
    let bar = |row: center::overview::TopRow| Bar {
        number: number(&row.figure),
        width: width(row.figure.count, largest),
        label: row.label,
        change: None,
    };
    Bars { label: list.label, rows: list.rows.into_iter().map(bar).collect() }
}

/// That refused senders wait for an answer.
fn asked(requests: u64) -> Option<Point> {
    let text = match requests {
        0 => return None,
        1 => "A refused sender believes that the refusal is wrong.".to_owned(),
        many => format!("{} refused senders believe that the refusal is wrong.", grouped(many)),
    };
    Some(Point { class: "step", word: "Note", text, href: Some("/requests".to_owned()) })
}

fn point(point: Attention) -> Point {
    let (class, word) = match point.level {
        AttentionLevel::Broken => ("rejected", "Broken"),
        AttentionLevel::Warning => ("deferred", "Warning"),
        AttentionLevel::Note => ("step", "Note"),
    };
    Point { class, word, text: point.text, href: point.link.as_ref().map(href) }
}

fn sum(sum: &Conservation) -> Sum {
    let recorded: u64 = sum.recorded.iter().map(|&(_, count)| count).sum();
    let unrecorded = sum.counts.attempts_unrecorded;
    Sum {
        sessions: grouped(sum.counts.sessions_opened),
        open: grouped(sum.sessions_open),
        attempts: grouped(sum.counts.attempts_opened),
        recorded: grouped(recorded),
        unrecorded: (unrecorded > 0).then(|| grouped(unrecorded)),
        whole: sum.difference == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_said_against_the_week_before() {
        for (now, before, text) in
            [(10, 10, "="), (15, 10, "+50 %"), (5, 10, "\u{2212}50 %"), (3, 0, "new"), (0, 0, "=")]
        {
            assert_eq!(change(now, before).0, text);
        }
    }
}
