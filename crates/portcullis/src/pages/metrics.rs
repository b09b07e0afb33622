//! Every metric, as a page.

use std::fmt::Write as _;

use center::metrics::METRICS;

/// The page `docs/reference/metrics.md`.
pub fn page() -> String {
    let mut page = String::from("# Metrics\n\n");
    page += &super::generated_from("crates/center/src/metrics/table.rs");
    page += INTRODUCTION;
    page += "\n| name | kind | labels | meaning |\n|---|---|---|---|\n";
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (metric.name, metric.kind.word());
        let _ = writeln!(page, "| `{name}` | {kind} | {} | {} |", labels.join(", "), metric.help);
    }
    page
}

const INTRODUCTION: &str = "Served in the Prometheus text format at `/metrics` of the address in `metrics.listen`, beside `/healthz` (the process lives) and
`/readyz` (mail is taken). Labels come from closed sets only, never from addresses, so the number of series is bounded whatever
senders do. Counters begin at zero with each start.
";
