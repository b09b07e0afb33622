//! `geo …`: where addresses are. Works on files alone; a running server
//! notices a new map by itself.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use checks::{PlaceMap, Places};
use serde_json::{Value as Json, json};
use types::{Observed, Source, spoken};
use world::{Clock, SystemClock};

use super::arguments::{GeoCommand, Global};
use super::config;
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::server::confirm;
use crate::serve::convert;
use crate::serve::inspect::whole;
use crate::settings::Settings;

const PLACES: &[Column] = &[
    ("Address", "/ip"),
    ("Country", "/country"),
    ("AS", "/asn"),
    ("File", "/file"),
    ("Age", "/age"),
];

/// `geo …`
///
/// # Errors
/// A file is wrong or cannot be written, or the settings have errors.
pub(super) fn geo(global: &Global, command: &GeoCommand) -> Result<Exit, Failure> {
    let settings = &config::settings(global)?;
    let output = Output::new(global.json);
    match command {
        GeoCommand::Import { files } => import(global, output, settings, files),
        GeoCommand::Show { ips } => show(output, settings, ips),
    }
}

fn failure(text: impl Into<String>) -> Failure {
    Failure::new(Exit::Error, text.into())
}

fn import(
    global: &Global,
    output: Output,
    settings: &Settings,
    files: &[PathBuf],
) -> Result<Exit, Failure> {
    let mut map = PlaceMap::default();
    for path in files {
        let cannot = |error| failure(format!("cannot read {}: {error}", path.display()));
        let text = String::from_utf8_lossy(&std::fs::read(path).map_err(cannot)?).into_owned();
        map.add_delegations(path, &text).map_err(|error| failure(whole(&error)))?;
    }
    map.settle();
    let at = convert::places(settings).map;
    let question = format!("write a map of {} ranges to {}", map.len(), at.display());
    confirm(global, &question)?;
    let text = map.to_text(SystemClock::new().now());
    let cannot = |error| failure(format!("cannot write {}: {error}", at.display()));
    replace(&at, &text).map_err(cannot)?;
    let data_of = map.data_of().map(|at| at.to_string());
    output.object(&json!({ "ranges": map.len(), "data_of": data_of, "map": at }))?;
    Ok(Exit::Ok)
}

/// Puts the file there as a whole, so that no server reads half of it.
fn replace(at: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = at.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let new = at.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::File::open(&new)?.sync_all()?;
    std::fs::rename(&new, at)
}

fn show(output: Output, settings: &Settings, ips: &[IpAddr]) -> Result<Exit, Failure> {
    let places = Places::new(Arc::new(SystemClock::new()));
    if let Some(error) = places.replace(convert::places(settings)).first() {
        return Err(failure(whole(error)));
    }
    if places.status().is_empty() {
        let text = "no file says where addresses are: name a geo.database, or use geo import";
        return Err(Failure::new(Exit::NotFound, text));
    }
    let rows: Vec<Json> = ips.iter().map(|ip| row(&places, *ip)).collect();
    output.list(PLACES, &rows)?;
    Ok(Exit::Ok)
}

fn row(places: &Places, ip: IpAddr) -> Json {
    let Some((observed, source)) = places.look(ip) else { return json!({ "ip": ip }) };
    let facts = match observed {
        Observed::Place(facts) => facts,
        _ => types::PlaceFacts::default(),
    };
    let (file, age) = match source {
        Source::Map { name, age_s } => {
            (Some(name.to_string()), Some(spoken(std::time::Duration::from_secs(age_s))))
        }
        _ => (None, None),
    };
    let asn = facts.network.map(|network| format!("AS{network}"));
    json!({ "ip": ip, "country": facts.country, "asn": asn, "file": file, "age": age })
}
