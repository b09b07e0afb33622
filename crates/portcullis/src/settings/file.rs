//! One settings file: its text into values with the lines they stand on.

use std::path::Path;

use toml::Value as Raw;
use toml::de::{DeTable, DeValue};

use super::read::{Found, FoundValues, Origin, Problem, join, numbers};
use super::suggest;
use super::value::Shape;

/// Adds what a file says to what was found before: entries of repeated tables
/// and of lists are appended, anything else is replaced.
///
/// Any text at all may be given; what is no TOML is a problem with its line.
pub(super) fn add_text(found: &mut FoundValues, path: &Path, text: &str) -> Vec<Problem> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(text);
    let problem = |error: &toml::de::Error| {
        let line = lines.line(error.span().map_or(0, |span| span.start));
        let origin = Origin::File { path: path.to_path_buf(), line };
        // The parser's message has several lines for a terminal; the first says it.
        let message = error.message().lines().next().unwrap_or("not TOML");
        Problem::error(origin, "", message)
    };
    let problems: Vec<Problem> = errors.iter().map(problem).collect();
    // What could be read of a damaged file is not used: half of an author's
    // wish is nobody's wish.
    if problems.is_empty() {
        Walk { found, path, lines: &lines }.table("", document.get_ref());
    }
    problems
}

/// Adds what can be read of a file, damaged or not.
///
/// It is no ground to serve on; it may tell where a server is that runs.
pub(super) fn add_readable(found: &mut FoundValues, path: &Path, text: &str) {
    let (document, _) = DeTable::parse_recoverable(text);
    Walk { found, path, lines: &Lines::new(text) }.table("", document.get_ref());
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Lines(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at).collect())
    }

    /// The line of an octet, counted from one.
    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|&end| end < at) + 1
    }
}

/// A walk through one document.
struct Walk<'a> {
    found: &'a mut FoundValues,
    path: &'a Path,
    lines: &'a Lines,
}

impl Walk<'_> {
    fn table(&mut self, at: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            // A dot inside a quoted name is no separator.
            let plain = !name.get_ref().contains('.') && !name.get_ref().is_empty();
            let key = match plain {
                true => join(at, name.get_ref()),
                false => join(at, &format!("{:?}", name.get_ref())),
            };
            self.value(&key, name.span().start, value.get_ref());
        }
    }

    fn value(&mut self, key: &str, at: usize, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) if !table.is_empty() => self.table(key, table),
            DeValue::Array(entries) if suggest::is_repeated(key) => {
                let first = numbers(self.found, key).last().map_or(0, |last| last + 1);
                for (number, entry) in entries.iter().enumerate() {
                    let at = entry.span().start;
                    self.value(&format!("{key}.{}", first + number), at, entry.get_ref());
                }
            }
            _ => self.leaf(key, at, raw(value)),
        }
    }

    fn leaf(&mut self, key: &str, at: usize, mut raw: Raw) {
        let line = self.lines.line(at);
        let origin = Origin::File { path: self.path.to_path_buf(), line };
        let list = suggest::row(key).is_some_and(|(_, row)| row.kind.shape == Shape::List);
        if let (true, Some(Found { raw: Raw::Array(before), .. }), Raw::Array(new)) =
            (list, self.found.get(key), &mut raw)
        {
            new.splice(0..0, before.iter().cloned());
        }
        self.found.insert(key.to_owned(), Found { raw, origin });
    }
}

/// A value without its places.
fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::String(text.to_string()),
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .map_or_else(|_| Raw::Float(f64::INFINITY), Raw::Integer),
        DeValue::Float(digits) => Raw::Float(digits.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(yes) => Raw::Boolean(*yes),
        DeValue::Datetime(date) => Raw::Datetime(*date),
        DeValue::Array(entries) => Raw::Array(entries.iter().map(|e| raw(e.get_ref())).collect()),
        DeValue::Table(table) => Raw::Table(
            table.iter().map(|(k, v)| (k.get_ref().to_string(), raw(v.get_ref()))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(texts: &[(&str, &str)]) -> (FoundValues, Vec<String>) {
        let mut found = FoundValues::new();
        let mut problems = Vec::new();
        for (path, text) in texts {
            problems.extend(add_text(&mut found, Path::new(path), text));
        }
        (found, problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn every_value_has_its_line() {
        let (found, problems) = found(&[(
            "a.toml",
            "# comment\n[smtp]\nrecipients_max = 5\n\n[[smtp.listener]]\nlisten = \"[::]:25\"\n",
        )]);
        assert!(problems.is_empty());
        let origin = |key: &str| found[key].origin.to_string();
        assert_eq!(origin("smtp.recipients_max"), "a.toml:3");
        assert_eq!(origin("smtp.listener.0.listen"), "a.toml:6");
    }

    #[test]
    fn later_files_append_to_tables_and_lists_and_replace_the_rest() {
        let (found, _) = found(&[
            (
                "a.toml",
                "dns.resolver = [\"192.0.2.1:53\"]\ndelivery.retry_schedule = [\"1m\"]\n[[domain]]\nname = \"a.example\"",
            ),
            (
                "b.toml",
                "dns.resolver = [\"192.0.2.2:53\"]\ndelivery.retry_schedule = [\"2m\"]\n[[domain]]\nname = \"b.example\"",
            ),
        ]);
        let text = |key: &str| found[key].raw.to_string();
        assert_eq!(text("dns.resolver"), "[\"192.0.2.1:53\", \"192.0.2.2:53\"]");
        assert_eq!(text("delivery.retry_schedule"), "[\"2m\"]");
        assert_eq!(text("domain.0.name"), "\"a.example\"");
        assert_eq!(text("domain.1.name"), "\"b.example\"");
    }

    #[test]
    fn what_is_no_toml_is_a_problem_with_its_line() {
        let (found, problems) = found(&[("a.toml", "[smtp]\nrecipients_max = = 5\n")]);
        assert!(found.is_empty());
        assert!(problems[0].starts_with("a.toml:2: "), "{problems:?}");
    }
}
