//! What commands print: tables to a terminal, tab-separated lines to anything
//! else, JSON where it is asked for. A table begins with its heads, whoever
//! reads it; a script that wants none asks for JSON or skips a line.
//!
//! Nothing from a sender reaches a terminal unneutralised: every text goes
//! through `presentable`, and JSON escapes control characters by itself.

use std::io::{self, IsTerminal, Write};

use center::presentable;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value as Json;

use super::exit::Failure;

/// One column of a list: its heading and the JSON pointer of its value.
pub(super) type Column = (&'static str, &'static str);

/// Where a command prints to, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
    terminal: bool,
    heads: bool,
}

impl Output {
    /// Standard output, as JSON or for a person.
    pub(super) fn new(json: bool) -> Self {
        Output { json, terminal: io::stdout().is_terminal(), heads: true }
    }

    /// The same without heads, for rows that go on a table begun before.
    pub(super) fn going_on(self) -> Self {
        Output { heads: false, ..self }
    }

    /// Whether JSON was asked for.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Prints what was found; of nothing, a person is told where else to look,
    /// on standard error, so that no script takes the sentence for a row.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn found(
        self,
        columns: &[Column],
        rows: &[Json],
        otherwise: &str,
    ) -> Result<(), Failure> {
        if rows.is_empty() && !self.json {
            complain(&format!("nothing found: {otherwise}"));
            return Ok(());
        }
        self.list(columns, rows)
    }

    /// Prints a list.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn list(self, columns: &[Column], rows: &[Json]) -> Result<(), Failure> {
        if self.json {
            let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
            return print(&lines);
        }
        let heading: Vec<String> =
            columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        let cells = |row: &Json| {
            columns.iter().map(|(_, at)| row.pointer(at).cloned().unwrap_or_default()).collect()
        };
        self.table(&heading, &rows.iter().map(cells).collect::<Vec<_>>())
    }

    /// Prints a table: aligned to a terminal, else tab-separated.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn table(self, heading: &[String], rows: &[Vec<Json>]) -> Result<(), Failure> {
        let cells = |row: &Vec<Json>| row.iter().map(|value| cell(value, "")).collect::<Vec<_>>();
        let heads = self.heads.then_some(heading).filter(|heading| !heading.is_empty());
        if !self.terminal {
            return print(&tab_separated(heads, rows.iter().map(cells)));
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if let Some(heads) = heads {
            table.set_header(heads);
        }
        table.add_rows(rows.iter().map(cells));
        print(&(table.trim_fmt() + "\n"))
    }

    /// Prints a piece of something long, octet for octet: escapes of a
    /// terminal were made visible by the server, who made the text.
    ///
    /// # Errors
    /// Standard output cannot be written, or nobody reads it any more.
    pub(super) fn piece(self, octets: &[u8]) -> Result<(), Failure> {
        Ok(io::stdout().lock().write_all(octets)?)
    }

    /// Says something beside the output, for a person at a terminal only.
    pub(super) fn note(self, text: &str) {
        if self.terminal {
            complain(text);
        }
    }

    /// Prints one object: as JSON, else as lines of key and value.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn object(self, object: &Json) -> Result<(), Failure> {
        if self.json {
            return print(&format!("{object}\n"));
        }
        let mut lines = String::new();
        flatten(object, "", &mut lines);
        print(&lines)
    }

    /// Prints text of our own and of others; line ends stay, anything else
    /// that could steer a terminal is made visible.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn text(self, text: &str) -> Result<(), Failure> {
        let shown: Vec<_> = text.lines().map(presentable).collect();
        print(&(shown.join("\n") + "\n"))
    }

    /// Prints a document octet for octet, such as an export.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn document(self, text: &str) -> Result<(), Failure> {
        if self.terminal { self.text(text.trim_end_matches('\n')) } else { print(text) }
    }
}

/// A table for programs: one line each, cells apart by tabs.
fn tab_separated(heads: Option<&[String]>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let heads = heads.map(|heads| heads.join("\t") + "\n");
    heads.into_iter().chain(rows.map(|cells| cells.join("\t") + "\n")).collect()
}

/// The text of one cell.
fn cell(row: &Json, at: &str) -> String {
    match row.pointer(at) {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => presentable(text).into_owned(),
        Some(Json::Array(entries)) => {
            let texts: Vec<String> = entries.iter().map(|entry| cell(entry, "")).collect();
            texts.join(", ")
        }
        Some(other) => presentable(&other.to_string()).into_owned(),
    }
}

/// Lines of `key: value`, nested keys joined by dots.
fn flatten(value: &Json, at: &str, lines: &mut String) {
    let below = |name: &str| match at {
        "" => name.to_owned(),
        at => format!("{at}.{name}"),
    };
    match value {
        Json::Object(fields) => {
            for (name, value) in fields {
                flatten(value, &below(name), lines);
            }
        }
        Json::Array(entries) if entries.iter().any(Json::is_object) => {
            for (number, entry) in entries.iter().enumerate() {
                flatten(entry, &below(&number.to_string()), lines);
            }
        }
        Json::Null => {}
        other => {
            *lines += &format!("{}: {}\n", presentable(at), cell(other, ""));
        }
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) is no
/// error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Writes an object to standard error, on one line.
pub(super) fn complain_json(object: &Json) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{object}");
}

/// Writes a sentence to standard error.
pub(super) fn complain(text: &str) {
    let shown: Vec<_> = text.lines().map(presentable).collect();
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "portcullis: {}", shown.join("\n"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_sender_wrote_cannot_steer_a_terminal() {
        let row = json!({"from": "a\u{1b}[2J@x", "n": 3, "list": ["a", "b\n"], "none": null});
        assert_eq!(cell(&row, "/from"), "a\u{2039}1B\u{203a}[2J@x");
        assert_eq!(cell(&row, "/n"), "3");
        assert_eq!(cell(&row, "/list"), "a, b\u{2039}0A\u{203a}");
        assert_eq!(cell(&row, "/none") + &cell(&row, "/missing"), "");
    }

    #[test]
    fn a_table_begins_with_its_heads_and_what_goes_on_with_one_does_not() {
        let heads = ["Id".to_owned(), "From".to_owned()];
        let rows = || [vec!["1".to_owned(), "a@x".to_owned()]].into_iter();
        assert_eq!(tab_separated(Some(&heads), rows()), "Id\tFrom\n1\ta@x\n");
        assert_eq!(tab_separated(None, rows()), "1\ta@x\n");
        let output = Output::new(false);
        assert!(output.heads && !output.going_on().heads);
    }

    #[test]
    fn objects_become_lines() {
        let mut lines = String::new();
        flatten(&json!({"a": {"b": 1, "c": [1, 2]}, "d": [{"e": "x"}]}), "", &mut lines);
        assert_eq!(lines, "a.b: 1\na.c: 1, 2\nd.0.e: x\n");
    }
}
