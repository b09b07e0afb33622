//! The walls between the crates, as ARCHITECTURE.md draws them: who may
//! import whom, and which foreign crates only one of ours may use.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What each crate may import of ours.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("smtp", &["types"]),
    ("content", &["types"]),
    ("policy", &["types"]),
    ("world", &["types"]),
    ("store", &["types"]),
    ("checks", &["types", "content", "world", "store"]),
    ("receive", &["types", "smtp", "content", "world", "store", "checks", "policy"]),
    ("deliver", &["types", "smtp", "world", "store"]),
    ("center", &["types", "content", "policy", "world", "store"]),
    ("api", &["types", "center"]),
    ("demo", &["types", "smtp", "world"]),
];

/// Crates that may import everything: the binary joins the parts, the test
/// kit simulates what is around them.
const JOINERS: &[&str] = &["portcullis", "testkit"];

/// Foreign crates that only one of ours may use.
const RESERVED: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("arrow-array", &["store"]),
    ("axum", &["api"]),
    ("hickory-resolver", &["world"]),
    ("mail-parser", &["content"]),
    ("anyhow", &["portcullis"]),
    ("openidconnect", &["api"]),
];

/// Foreign crates a pure crate must not use.
const IMPURE: &[&str] = &["tokio", "tracing", "hickory-resolver", "rusqlite", "rustls", "socket2"];
const PURE: &[&str] = &["types", "smtp", "content", "policy"];

/// Names that say nothing.
const FORBIDDEN_NAMES: &[&str] = &["common", "util", "utils", "helpers", "misc", "manager", "core"];

/// The normal and build dependencies of every crate of the workspace.
#[cfg(test)]
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let normal = dependencies.iter().filter(|d| d["kind"] != "dev");
            (text(&package["name"]), normal.map(|d| text(&d["name"])).collect())
        })
        .collect()
}

#[test]
fn every_crate_imports_only_what_the_architecture_allows() {
    let imports = imports();
    let ours: BTreeSet<&String> = imports.keys().collect();
    for (name, dependencies) in &imports {
        if JOINERS.contains(&name.as_str()) {
            continue;
        }
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(crate_name, _)| crate_name == name)
            .unwrap_or_else(|| panic!("{name} is not in ARCHITECTURE.md's table of crates"));
        for dependency in dependencies.iter().filter(|d| ours.contains(d)) {
            assert!(allowed.contains(&dependency.as_str()), "{name} imports {dependency}");
        }
    }
}

#[test]
fn nothing_but_the_binary_imports_the_demo_and_nothing_the_test_kit() {
    for (name, dependencies) in imports() {
        assert!(!dependencies.contains("testkit"), "{name} imports testkit");
        assert!(name == "portcullis" || !dependencies.contains("demo"), "{name} imports demo");
    }
}

#[test]
fn reserved_libraries_stay_where_they_belong() {
    for (name, dependencies) in imports() {
        if JOINERS.contains(&name.as_str()) && name == "testkit" {
            continue;
        }
        for (library, owners) in RESERVED {
            let uses = dependencies.contains(*library);
            assert!(!uses || owners.contains(&name.as_str()), "{name} uses {library}");
        }
        for library in IMPURE.iter().filter(|_| PURE.contains(&name.as_str())) {
            assert!(!dependencies.contains(*library), "{name} is pure and uses {library}");
        }
    }
}

#[test]
fn names_say_something() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let listed = Command::new("git").args(["ls-files"]).current_dir(root).output().expect("git");
    for path in String::from_utf8_lossy(&listed.stdout).lines() {
        let parts = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        for part in parts {
            assert!(!FORBIDDEN_NAMES.contains(&part), "{path}: {part} says nothing");
        }
    }
}

#[test]
fn unsafe_code_is_one_exception() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = Command::new("git")
        .args(["grep", "-n", "expect(unsafe_code", "--", "crates/*.rs"])
        .current_dir(root)
        .output()
        .expect("git");
    let text = String::from_utf8_lossy(&found.stdout);
    let places: Vec<&str> = text.lines().filter(|line| !line.contains("walls.rs")).collect();
    assert!(places.len() <= 1, "unsafe code in {places:?}");
}
