//! The public lists that are ready to be named, as a page.

use std::fmt::Write as _;

use crate::settings::presets::PRESETS;

/// The page `docs/reference/lists.md`.
pub fn page() -> String {
    let mut page = String::from("# Public lists\n\n");
    page += &super::generated_from("crates/portcullis/src/settings/presets.rs");
    page += INTRODUCTION;
    page += "\n| list | what it lists | terms |\n|---|---|---|\n";
    for preset in PRESETS {
        let _ = writeln!(page, "| `{}` | {} | {} |", preset.name, preset.lists, preset.terms);
    }
    page += "\n## In the settings\n\nThe entry of each, and below it how a definition names it; \
             the weight is an example.\n";
    for preset in PRESETS {
        let (entry, rule) = (preset.entry(), preset.rule());
        let _ = write!(page, "\n```toml\n{entry}# {rule}\n```\n");
    }
    page + PERMITTED
}

const PERMITTED: &str = r#"
## Global permitted lists

A list with `permitted = true`, a zone or a file, is part of the global permitted list: against a client that is on it, no block list and no score of its own counts. Everything else does: greylisting, sender authentication,
blocked senders, limits.

```toml
[[list]]
name = "partners"
file = "/var/lib/lists/partners.txt"
permitted = true

[[list]]
name = "list.dnswl.org"
permitted = true
permitted_answers = ["127.0.2.0/23", "127.0.4.0/22", "127.0.8.0/21", "127.0.16.0/22"]
```

A zone and a file of the format `ip4set` are asked for the client's address, a `dnset` for its confirmed host name, a `text` for both; what the client says of itself in EHLO or MAIL FROM is never looked up. `permitted_answers` are the
answers that count, and a zone needs them: name there what the list means by *good*, and nothing that it answers to whoever asks too often.

A definition of Reputation has the switch `global_permitted_list`, which is on where nothing is said; with `false` it does not look at them. Where no definition applies, they count against the scores of the settings. A permitted list
that fails, is suspended or refuses us permits nobody, and is recorded as degraded like any other. A permitted list that a definition weighs against clients as well permits them all the same; `check-config`, `portcullis status` and the page of the definition say so.
One of the public lists above cannot be permitted: that is an error of `check-config`.

The verdict says *the client is on the global permitted list NAME* where that kept it from being refused or put off.
"#;

const INTRODUCTION: &str =
    "None of these lists is asked until you name it in a definition of Reputation
([block-lists.md](../operating/block-lists.md)): their terms differ, they change, and only you can agree to them. Read them before.

Where a list needs a key, it is the first line of the file that `zone_key_file` names (mode 0600): the label that stands before the
zone. Lists of domains have no test entries that are safe to rely on, which `test_entries = false` says. The AuthBL of Spamhaus is for
people who sign in to submit mail, of whom no list is asked here.
";
