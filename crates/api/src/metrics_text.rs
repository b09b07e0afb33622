//! Numbers in the Prometheus text format, version 0.0.4.

use std::fmt::Write;

use center::metrics::{HistogramValue, Metric, Sample, Value};

/// The snapshot as text. Samples of one metric stand together, as
/// [`center::metrics::Metrics::snapshot`] gives them.
pub fn metrics_text(samples: &[Sample]) -> String {
    let mut text = String::new();
    let mut before: Option<&Metric> = None;
    for sample in samples {
        if before.is_none_or(|metric| metric.name != sample.metric.name) {
            let Metric { name, help, kind, .. } = sample.metric;
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            push(&mut text, format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.word()));
            before = Some(sample.metric);
        }
        match &sample.value {
            Value::Number(number) => {
                let (name, labels) = (sample.metric.name, braces(&pairs(sample)));
                push(&mut text, format_args!("{name}{labels} {number}\n"));
            }
            Value::Histogram(value) => histogram(&mut text, sample, value),
        }
    }
    text
}

fn histogram(text: &mut String, sample: &Sample, value: &HistogramValue) {
    let name = sample.metric.name;
    let pairs = pairs(sample);
    let bucket = |text: &mut String, end: &str, count: u64| {
        let mut pairs = pairs.clone();
        pairs.push(format!("le=\"{end}\""));
        push(text, format_args!("{name}_bucket{} {count}\n", braces(&pairs)));
    };
    for (end, count) in &value.at_most {
        bucket(text, &end.to_string(), *count);
    }
    bucket(text, "+Inf", value.count);
    let labels = braces(&pairs);
    push(
        text,
        format_args!("{name}_sum{labels} {}\n{name}_count{labels} {}\n", value.sum_s, value.count),
    );
}

fn pairs(sample: &Sample) -> Vec<String> {
    let escaped =
        |label: &str| label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let names = sample.metric.labels.iter();
    names
        .zip(&sample.labels)
        .map(|(name, label)| format!("{name}=\"{}\"", escaped(label)))
        .collect()
}

fn braces(pairs: &[String]) -> String {
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(line);
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use center::metrics::Histogram;
    use center::metrics::metric;

    #[test]
    fn the_text_format_is_kept() {
        let mut samples: Vec<Sample> =
            Sample::number("portcullis_build_info", &["1.0 \"x\"\n"], 1.0).into_iter().collect();
        samples.extend(Sample::number("portcullis_greylist_events_total", &["new"], 3.0));
        samples.extend(Sample::number("portcullis_greylist_events_total", &["early"], 1.0));
        let took = Histogram::default();
        took.count(types::Micros(70));
        took.count(types::Micros(u32::MAX));
        samples.push(Sample {
            metric: metric("portcullis_check_duration_seconds").unwrap(),
            labels: vec!["greylist".to_owned()],
            value: Value::Histogram(took.value()),
        });
        let text = metrics_text(&samples);
        for line in [
            "portcullis_build_info{version=\"1.0 \\\"x\\\"\\n\"} 1",
            "# TYPE portcullis_greylist_events_total counter",
            "portcullis_greylist_events_total{event=\"new\"} 3",
            "portcullis_check_duration_seconds_bucket{check=\"greylist\",le=\"0.00005\"} 0",
            "portcullis_check_duration_seconds_bucket{check=\"greylist\",le=\"0.0001\"} 1",
            "portcullis_check_duration_seconds_bucket{check=\"greylist\",le=\"300\"} 1",
            "portcullis_check_duration_seconds_bucket{check=\"greylist\",le=\"+Inf\"} 2",
            "portcullis_check_duration_seconds_count{check=\"greylist\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nin\n{text}");
        }
        assert_eq!(text.matches("# TYPE portcullis_greylist_events_total").count(), 1);
    }
}
