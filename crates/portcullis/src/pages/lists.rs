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
    page
}

const INTRODUCTION: &str =
    "None of these lists is asked until you name it in a definition of Reputation
([block-lists.md](../operating/block-lists.md)): their terms differ, they change, and only you can agree to them. Read them before.

Where a list needs a key, it is the first line of the file that `zone_key_file` names (mode 0600): the label that stands before the
zone. Lists of domains have no test entries that are safe to rely on, which `test_entries = false` says. The AuthBL of Spamhaus is for
people who sign in to submit mail, of whom no list is asked here.
";
