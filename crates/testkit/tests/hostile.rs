//! Every reader of what strangers send is fed with its seeds and with what is
//! near them: cut, doubled, joined, and with octets changed. `fuzz/run` goes
//! on from there for as long as one likes.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use testkit::hostile::{TARGETS, Target};
use world::Chance;
use world::simulated::SeededChance;

/// What is made of the seeds of one target.
const TRIES: u32 = 400;
/// Octets that one change may touch.
const CHANGED_MAX: u64 = 8;
/// Octets that readers have a liking for.
const FAVOURITES: &[u8] = b"\0\r\n\t \"<>@:;,.=%{}[]()\\/0179AZaz\x7f\x80\xbf\xc3\xe2\xf0\xff";

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The seeds of a target, by name.
#[cfg(test)]
fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let folder = fuzz().join("seeds").join(target.name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One input made of the seeds.
fn changed(seeds: &[Vec<u8>], chance: &SeededChance) -> Vec<u8> {
    let below = |count: usize| {
        let place = chance.number().checked_rem(count as u64).unwrap_or(0);
        usize::try_from(place).unwrap_or(0)
    };
    let seed = || seeds.get(below(seeds.len())).cloned().unwrap_or_default();
    let mut octets = seed();
    match below(5) {
        0 => octets.truncate(below(octets.len() + 1)),
        1 => octets.extend(seed()),
        2 => {
            let other = seed();
            octets.truncate(below(octets.len() + 1));
            octets.extend(other.get(below(other.len() + 1)..).unwrap_or_default());
        }
        3 => {
            let (at, again) = (below(octets.len() + 1), octets.clone());
            let piece = again.get(at..).unwrap_or_default();
            (0..below(20)).for_each(|_| octets.extend(piece));
        }
        _ => {}
    }
    for _ in 0..chance.number() % CHANGED_MAX {
        let (at, octet) = (below(octets.len()), below(FAVOURITES.len() * 2));
        let octet = FAVOURITES.get(octet).copied().unwrap_or_else(|| below(256) as u8);
        if let Some(place) = octets.get_mut(at) {
            *place = octet;
        }
    }
    octets
}

#[test]
fn no_reader_breaks_on_its_seeds_or_near_them() {
    for target in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        let chance = SeededChance::new(1);
        let made = (0..TRIES).map(|_| changed(&seeds, &chance));
        for input in seeds.iter().cloned().chain(made) {
            let fed = catch_unwind(AssertUnwindSafe(|| (target.feed)(&input)));
            assert!(fed.is_ok(), "{} fails on \"{}\"", target.name, input.escape_ascii());
        }
    }
}

#[test]
fn every_target_has_its_program() {
    let names: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names.len(), TARGETS.len());
    let programs = fs::read_dir(fuzz().join("fuzz_targets")).unwrap();
    let programs: BTreeSet<String> = programs
        .map(|file| {
            let path = file.unwrap().path();
            path.file_stem().unwrap().to_string_lossy().into_owned()
        })
        .collect();
    assert!(programs.iter().map(String::as_str).eq(names.iter().copied()), "{programs:?}");
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}

/// The table of a TOML file.
#[cfg(test)]
fn table(path: &Path) -> toml::Table {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.parse().unwrap()
}

/// Packages that only the instruments need.
const INSTRUMENTS: &[&str] = &["fuzz", "libfuzzer-sys", "arbitrary"];

#[test]
fn the_targets_are_built_with_what_the_product_is_built_with() {
    let text = |value: &toml::Value| value.as_str().unwrap_or_default().to_owned();
    let named = |package: &toml::Value| (text(&package["name"]), text(&package["version"]));
    let (ours, own) = (table(&fuzz().join("../Cargo.lock")), table(&fuzz().join("Cargo.lock")));
    let ours: BTreeSet<_> = ours["package"].as_array().unwrap().iter().map(named).collect();
    for package in own["package"].as_array().unwrap() {
        let (name, version) = named(package);
        if INSTRUMENTS.contains(&name.as_str()) {
            continue;
        }
        assert!(ours.contains(&(name.clone(), version.clone())), "{name} {version} is not ours");
        if package.get("source").is_some() {
            continue;
        }
        let locked = package.get("dependencies").and_then(toml::Value::as_array);
        let word = |entry: &toml::Value| text(entry).split(' ').next().map(str::to_owned);
        let locked: BTreeSet<String> = locked.into_iter().flatten().filter_map(word).collect();
        let manifest = table(&fuzz().join(format!("../crates/{name}/Cargo.toml")));
        let needs = manifest["dependencies"].as_table().unwrap();
        let missing: Vec<_> = needs.keys().filter(|name| !locked.contains(*name)).collect();
        assert!(missing.is_empty(), "fuzz/Cargo.lock does not know that {name} needs {missing:?}");
    }
}
