//! The search language, as a page.

use std::fmt::Write as _;

use center::query::fields::{self, FieldHelp, Group};

/// The page `docs/reference/query.md`.
pub fn page() -> String {
    let mut page = String::from("# Search language\n\n");
    page += &super::generated_from("crates/center/src/query/fields");
    page += INTRODUCTION;
    let help = fields::help();
    for group in GROUPS {
        let rows: Vec<&FieldHelp> = help.iter().filter(|row| row.group == group).collect();
        if rows.is_empty() {
            continue;
        }
        let _ =
            write!(page, "\n## {}\n\n| field | finds | example |\n|---|---|---|\n", group.label());
        rows.into_iter().for_each(|row| line(&mut page, row));
    }
    page
}

fn line(page: &mut String, row: &FieldHelp) {
    let mut names = format!("`{}:`", row.name);
    for alias in row.aliases {
        let _ = write!(names, ", `{alias}:`");
    }
    let not_yet = if row.recorded { "" } else { " *Nothing records it yet: it finds nothing.*" };
    // A bar ends a cell, even inside code.
    let cell = |text: &str| text.replace('|', "\\|");
    let _ = writeln!(page, "| {names} | {}{not_yet} | `{}` |", cell(row.help), cell(row.example));
}

/// Every group, in the order in which people are shown them.
const GROUPS: [Group; 8] = [
    Group::Outcome,
    Group::Envelope,
    Group::Header,
    Group::Authentication,
    Group::Content,
    Group::Story,
    Group::Time,
    Group::Handling,
];

const INTRODUCTION: &str = r#"The same words work in the search box, in `portcullis trace 'QUERY'` and in `?q=` of the API. Without a query everything that is
kept is meant, newest first; `time:` narrows it, and `retention.metadata` says how long things are kept.

| you write | it finds |
|---|---|
| `is:rejected from:bank.example` | what fulfils both; `AND` may be written between them |
| `is:rejected OR is:deferred` | what fulfils one of them; AND binds tighter than OR |
| `is:rejected,deferred` | the same, as a list of values |
| `-type:greylist`, `NOT type:greylist` | everything else |
| `(from:a.example OR to:b.example) -is:accepted` | parentheses group |
| `subject:"two words"` | the words together; `\"` is a quotation mark inside |
| `from:*@news.*` | `*` stands for anything, also at the beginning |
| `subject:~"invoice [0-9]+"` | what a regular expression matches |
| `size:>1MB`, `score:28..32` | numbers compared, or within a range; likewise sizes and spans of time |
| `time:2026-11-20..2026-11-21` | a range; either end may be left out |
| `time:>=2026-11-20` | from then on |
| `time:today OR is:bounced`, `-time:yesterday` | a time is a condition like any other, in OR, NOT and parentheses too |
| `7K2M4QX9B0TA` | the attempt whose reply ended with `[ref 7K2M4QX9B0TA]` |
| `192.0.2.7`, `192.0.2.0/24` | that client, as `ip:` |
| `ana@corp.example`, `corp.example` | the address, or the domain, wherever it occurs |
| `550`, `5.7.1` | the reply code, the enhanced code |
| `invoice` | the word in subject, information, display name or attachment name |

Case does not matter. An unknown field is an
error that names the nearest one; it never becomes a text. Quote what looks like a field and is none: `"re:plan"`.
Queries have at most 4,000 octets, 500 values and 32 levels of parentheses.

On a command line, single quotes keep the shell from reading the query. A query may begin with a minus:
`portcullis trace -is:accepted`.
"#;
