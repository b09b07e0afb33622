//! The table as text for people: the reference page, the help of one key and
//! the commented example file.

use std::fmt::Write as _;

use super::presets::PRESETS;
use super::row::{Row, SectionRows};
use super::table::Settings;
use super::value::{Kind, Shape};

/// The reference page, Markdown.
pub fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    for section in Settings::SECTIONS {
        let heading = match (section.key, section.repeated) {
            ("", _) => "Top of the file".to_owned(),
            (key, false) => format!("`[{key}]`"),
            (key, true) => format!("`[[{key}]]`"),
        };
        let _ = write!(page, "\n## {heading}\n\n{}\n", joined(section.doc));
        for row in section.rows {
            page.push_str(&row_page(section, row));
        }
    }
    page
}

fn row_page(section: &SectionRows, row: &Row) -> String {
    let mut page = format!("\n### `{}`\n\n{}\n\n", section.key_of(row), joined(row.doc));
    for (what, is) in facts(section, row) {
        let _ = writeln!(page, "- {what}: {is}");
    }
    page
}

/// The help of one key, plain text; nothing if there is no such key.
pub fn help(key: &str) -> Option<String> {
    let (section, row) = super::suggest::row(key).or_else(|| {
        let numbered = key.replace("[]", ".0");
        super::suggest::row(&numbered)
    })?;
    let mut help = format!("{}\n\n", section.key_of(row));
    for line in row.doc {
        let _ = writeln!(help, "  {}", line.trim());
    }
    help.push('\n');
    for (what, is) in facts(section, row) {
        let _ = writeln!(help, "  {what}: {}", is.replace('`', ""));
    }
    Some(help)
}

/// What is known of a setting beside its documentation.
fn facts(section: &SectionRows, row: &Row) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Type", kind_text(&row.kind))];
    match (row.default, row.required) {
        (Some(default), _) => facts.push(("Default", format!("`{default}`"))),
        (None, true) => facts.push(("Default", "none; it must be given".to_owned())),
        (None, false) => facts.push(("Default", "not set".to_owned())),
    }
    if let Some((low, high)) = row.range {
        facts.push(("Range", format!("`{low}` to `{high}`")));
    }
    facts.push(("Example", format!("`{} = {}`", row.name, row.example)));
    facts.push(("Variable", format!("`{}`", section.variable_of(row))));
    facts
}

fn kind_text(kind: &Kind) -> String {
    let note = match kind.shape {
        Shape::List => "; several files add to it",
        Shape::Sequence => "; a later file replaces it",
        Shape::Text | Shape::Integer | Shape::Boolean => "",
    };
    if kind.names.is_empty() {
        return format!("{}{note}", kind.name);
    }
    let names: Vec<String> = kind.names.iter().map(|name| format!("`\"{name}\"`")).collect();
    format!("{}: {}", kind.name, names.join(", "))
}

/// Documentation lines as one paragraph.
fn joined(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The example file: every setting, commented out with its default, those
/// without one with their example.
pub fn example() -> String {
    let mut file = String::from(EXAMPLE_INTRODUCTION);
    for section in Settings::SECTIONS {
        file.push('\n');
        for line in section.doc {
            let _ = writeln!(file, "# {}", line.trim());
        }
        // A commented header of a repeated table: uncommented it would add an entry.
        match (section.key, section.repeated) {
            ("", _) => {}
            (key, false) => {
                let _ = writeln!(file, "[{key}]");
            }
            (key, true) => {
                let _ = writeln!(file, "#[[{key}]]");
            }
        }
        for row in section.rows {
            for line in row.doc {
                let _ = writeln!(file, "## {}", line.trim());
            }
            let _ = writeln!(file, "#{} = {}", row.name, row.default.unwrap_or(row.example));
        }
        if section.key == LISTS {
            file.push_str(&presets());
        }
    }
    file
}

/// The key of the tables of lists.
const LISTS: &str = "list";

/// The public lists, commented out, with where their terms are.
fn presets() -> String {
    let mut text = String::from(PRESETS_INTRODUCTION);
    for preset in PRESETS {
        let _ = writeln!(text, "## Terms: {}.", preset.terms);
        for line in preset.entry().lines() {
            let _ = writeln!(text, "#{line}");
        }
    }
    text
}

const PRESETS_INTRODUCTION: &str =
    "## Public lists follow, all off. Read the terms of one before you use it; what each lists and how
## a definition names it: docs/reference/lists.md
";

const INTRODUCTION: &str = "# Settings

<!-- Generated from crates/portcullis/src/settings/table.rs; `UPDATE=1 cargo test -p portcullis` rewrites it. -->

The settings say what belongs to the machine; policies live in the store. They come from, the last wins:

1. the defaults below,
2. `/etc/portcullis/portcullis.toml` (or the file named by `--config` or `PORTCULLIS_CONFIG`),
3. `conf.d/*.toml` beside it, in name order: `[[tables]]` and lists are appended, anything else is replaced,
4. environment variables: two underscores stand for a dot, a number for an entry of a repeated table,
5. options of the command line.

Every value that has a unit is written with it: durations as `\"250ms\"`, `\"60s\"`, `\"10m\"`, `\"12h\"`, `\"36d\"`, `\"2w\"` or added up (`\"1h30m\"`),
sizes as `\"25MB\"` (25,000,000 octets) or `\"64KiB\"` (65,536 octets), rates as `\"600/min\"`. An unknown key is an error.
`portcullis check-config` checks the settings, `portcullis config show --origin` shows where each value comes from.
";

const EXAMPLE_INTRODUCTION: &str =
    "# Settings of Portcullis: every key with its default or, where it has none, an
# example. Remove the # before a key to change it. Further files in conf.d/
# beside this one are read after it. Reference: docs/reference/settings.md
#
# Check with: portcullis check-config
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_of_a_key_says_all_that_is_known() {
        let help = help("smtp.idle_timeout").unwrap();
        assert_eq!(
            help,
            "smtp.idle_timeout\n\n  How long a client may be silent (RFC 5321 section 4.5.3.2.7 asks for five minutes at least).\n\n  \
             Type: a duration\n  Default: \"10m\"\n  Range: \"1s\" to \"1h\"\n  \
             Example: idle_timeout = \"10m\"\n  Variable: PORTCULLIS_SMTP__IDLE_TIMEOUT\n"
        );
        assert!(super::help("domain[].name").is_some());
        assert!(super::help("domain.0.name").is_some());
        assert!(super::help("smtp.nothing").is_none());
    }
}
