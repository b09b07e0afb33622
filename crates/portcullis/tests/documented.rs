//! What the pages for operators show as TOML can be used as it stands: a
//! reader pastes it.

// `cfg(test)` tells the lints that all of it is test.
#![cfg(test)]

use std::path::{Path, PathBuf};

use policy::Document;
use portcullis::settings::{self, Severity};

/// The README and every page for operators.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::fs::read_dir(root.join("docs/operating")).unwrap();
    let pages = folder.map(|entry| entry.unwrap().path());
    pages.chain([root.join("README.md")]).collect()
}

/// The blocks of TOML of a page.
fn blocks(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("```toml\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap_or(rest))
}

/// What is wrong with a block, by what its command takes: `definition set` and
/// `policy add` take one object, the configuration file any number of tables.
fn fault(block: &str) -> Option<String> {
    if block.starts_with("[[definition]]") {
        return Document::parse_definition(block).err().map(|error| error.to_string());
    }
    if block.contains("option = ") {
        return Document::parse_policy(block).err().map(|error| error.to_string());
    }
    let loaded = settings::load_text(Path::new("page.toml"), block);
    // Certificates and secrets are the reader's own.
    let counts = |problem: &&settings::Problem| {
        problem.severity == Severity::Error && !problem.text.contains("No such file")
    };
    loaded.problems.iter().find(counts).map(ToString::to_string)
}

#[test]
fn what_the_pages_show_is_taken_by_its_command() {
    let mut seen = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        for block in blocks(&page) {
            seen += 1;
            assert_eq!(fault(block), None, "{}:\n{block}", path.display());
        }
    }
    assert!(seen >= 20, "only {seen} blocks were found");
}

#[test]
fn a_block_of_two_objects_is_a_fault() {
    let two = "[[policy]]\nnarrative = \"x\"\noption = { type = \"anti_spoofing\", set = \"no_action\" }\n";
    assert_eq!(fault(two), None);
    assert!(fault(&two.repeat(2)).is_some());
    assert!(fault("[server]\nhostnam = \"x\"\n").is_some());
}
