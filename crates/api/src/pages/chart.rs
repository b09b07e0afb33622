//! Bars over time as inline SVG: one path per series, a title and a
//! description for readers of screens; the table beside it is the template's.

use std::fmt::Write;

use askama::Template;
use center::search::Histogram;
use types::Timestamp;

use super::clock::Zone;

/// Height of the drawing, in its own units.
const HEIGHT: f64 = 100.0;
/// How much of its place a bar takes.
const BAR: f64 = 0.84;

/// One series as a path.
struct Drawn<'a> {
    key: &'a str,
    path: String,
}

/// The drawing.
#[derive(Template)]
#[template(path = "chart.html")]
struct Drawing<'a> {
    title: &'a str,
    description: String,
    width: usize,
    base: f64,
    series: Vec<Drawn<'a>>,
}

/// One bucket as a row of the table.
pub(crate) struct BucketRow {
    /// When it begins, in words.
    pub(crate) label: String,
    /// When it begins.
    pub(crate) from: Timestamp,
    /// When it ends.
    pub(crate) to: Timestamp,
    /// One number per series.
    pub(crate) counts: Vec<u64>,
}

/// The order in which series are stacked, from the base line on.
const ORDER: [&str; 8] =
    ["delivered", "accepted", "queued", "held", "deferred", "bounced", "expired", "rejected"];

/// Places of the series in the order of stacking.
fn stacked(histogram: &Histogram) -> Vec<usize> {
    let rank = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    let mut places: Vec<usize> = (0..histogram.series.len()).collect();
    places.sort_by_key(|&place| histogram.series.get(place).map(|series| rank(&series.key)));
    places
}

/// The histogram as SVG. Series named in `below` hang from the base line, so
/// that the others keep a common one.
pub(crate) fn svg(histogram: &Histogram, title: &str, below: &[&str], zone: &Zone) -> String {
    let columns = histogram.buckets;
    let order = stacked(histogram);
    let is_below = |key: &str| below.contains(&key);
    let height = |down: bool| -> u64 {
        let sum = |bucket: usize| -> u64 {
            let part = histogram.series.iter().filter(|series| is_below(&series.key) == down);
            part.filter_map(|series| series.counts.get(bucket)).sum()
        };
        (0..columns).map(sum).max().unwrap_or(0)
    };
    let (up, down) = (height(false), height(true));
    let scale = HEIGHT / (up + down).max(1) as f64;
    let base = if up + down == 0 { HEIGHT } else { up as f64 * scale };
    let (mut above_tops, mut below_tops) = (vec![base; columns], vec![base; columns]);
    let mut series = Vec::new();
    for place in order {
        let Some(one) = histogram.series.get(place) else { continue };
        let hangs = is_below(&one.key);
        let tops = if hangs { &mut below_tops } else { &mut above_tops };
        let mut path = String::new();
        for (bucket, (top, &count)) in tops.iter_mut().zip(&one.counts).enumerate() {
            if count == 0 {
                continue;
            }
            let size = count as f64 * scale;
            let from = if hangs { *top } else { *top - size };
            *top = if hangs { *top + size } else { from };
            let x = bucket as f64 + (1.0 - BAR) / 2.0;
            // Writing to a text cannot fail.
            let _ = write!(path, "M{x:.2} {from:.1}h{BAR}v{size:.2}h-{BAR}z");
        }
        series.push(Drawn { key: &one.key, path });
    }
    let description = description(histogram, zone);
    let drawing = Drawing { title, description, width: columns.max(1), base, series };
    drawing.render().unwrap_or_default()
}

fn description(histogram: &Histogram, zone: &Zone) -> String {
    let sums: Vec<String> =
        histogram.series.iter().map(|series| format!("{} {}", series.sum, series.key)).collect();
    let sums = if sums.is_empty() { "nothing".to_owned() } else { sums.join(", ") };
    format!(
        "From {} to {}, {} bars of {} each: {sums}.",
        zone.end(histogram.from),
        zone.end(histogram.to),
        histogram.buckets,
        length(histogram.bucket_ms),
    )
}

/// The length of a bucket in words: `30 min`.
pub(crate) fn length(millis: u64) -> String {
    match millis / 1_000 {
        s if s < 60 => format!("{s} s"),
        s if s < 3_600 => format!("{} min", s / 60),
        s if s < 86_400 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// The histogram as rows of a table, newest first.
pub(crate) fn rows(histogram: &Histogram, zone: &Zone) -> Vec<BucketRow> {
    let at = |bucket: usize| {
        let offset = histogram.bucket_ms.saturating_mul(bucket as u64);
        histogram.from + std::time::Duration::from_millis(offset)
    };
    let row = |bucket: usize| BucketRow {
        label: zone.short(at(bucket)),
        from: at(bucket),
        to: at(bucket + 1),
        counts: histogram
            .series
            .iter()
            .map(|series| series.counts.get(bucket).copied().unwrap_or(0))
            .collect(),
    };
    (0..histogram.buckets).rev().map(row).collect()
}

/// Labels below the drawing: at most `wanted`, evenly spaced, at the beginning
/// of buckets.
pub(crate) fn ticks(histogram: &Histogram, wanted: usize, zone: &Zone) -> Vec<String> {
    let span_ms = histogram.bucket_ms.saturating_mul(histogram.buckets as u64);
    let format = match span_ms {
        0..=86_400_000 => "%H:%M",
        86_400_001..=345_600_000 => "%a %H:%M",
        _ => "%a %-d %b",
    };
    let count = wanted.min(histogram.buckets).max(1);
    let at = |tick: usize| {
        let bucket = tick * histogram.buckets / count;
        let offset = histogram.bucket_ms.saturating_mul(bucket as u64);
        histogram.from + std::time::Duration::from_millis(offset)
    };
    (0..count).map(|tick| zone.shown(at(tick), format)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use center::search::Series;

    fn histogram() -> Histogram {
        let series = |key: &str, counts: &[u64]| Series {
            key: key.to_owned(),
            counts: counts.to_vec(),
            sum: counts.iter().sum(),
        };
        Histogram {
            from: "2026-11-21T10:00:00Z".parse().unwrap(),
            to: "2026-11-21T13:00:00Z".parse().unwrap(),
            bucket_ms: 3_600_000,
            buckets: 3,
            series: vec![series("rejected", &[4, 0, 1]), series("accepted", &[6, 2, 0])],
            ..Histogram::default()
        }
    }

    #[test]
    fn bars_are_stacked_and_the_rejected_hang_below() {
        let zone = Zone::named("UTC");
        let stacked = svg(&histogram(), "Messages", &[], &zone);
        assert!(stacked.contains("M0.08 40.0h0.84v60.00h-0.84z"), "{stacked}");
        assert!(stacked.contains("M0.08 0.0h0.84v40.00h-0.84z"), "{stacked}");
        assert!(stacked.contains("3 bars of 1 h each: 5 rejected, 8 accepted."), "{stacked}");
        let hanging = svg(&histogram(), "Messages", &["rejected"], &zone);
        assert!(hanging.contains("M0.08 60.0h0.84v40.00h-0.84z"), "{hanging}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let zone = Zone::named("UTC");
        let empty = svg(&Histogram::default(), "Messages", &[], &zone);
        assert!(empty.contains("nothing") && !empty.contains("class=\"s-"), "{empty}");
        assert!(rows(&Histogram::default(), &zone).is_empty());
    }

    #[test]
    fn the_table_says_the_same() {
        let rows = rows(&histogram(), &Zone::named("UTC"));
        assert_eq!(
            rows.iter().map(|row| row.counts.clone()).collect::<Vec<_>>(),
            [vec![1, 0], vec![0, 2], vec![4, 6]]
        );
        assert_eq!(ticks(&histogram(), 3, &Zone::named("UTC")), ["10:00", "11:00", "12:00"]);
    }
}
