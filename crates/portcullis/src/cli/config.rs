//! `check-config` and `config …`: commands that need no running server.

use std::path::{Path, PathBuf};

use center::RecipientDomain;
use serde_json::{Value as Json, json};

use super::arguments::{ConfigCommand, Global};
use super::exit::{Exit, Failure};
use super::output::Output;
use super::server::Server;
use crate::serve::STATE_FILE;
use crate::serve::kept::Kept;
use crate::settings::migrate::{self, Migrated};
use crate::settings::{
    self, Loaded, Settings, Severity, Sources, reference, schema, show, suggest,
};

/// The settings this command line leads to.
pub(super) fn load(global: &Global) -> Loaded {
    settings::load(&sources(global))
}

/// Where the settings of this command line are.
pub(super) fn sources(global: &Global) -> Sources {
    let mut sources = Sources::of_process(global.config.clone());
    if let Some(folder) = &global.data_dir {
        let text = folder.to_string_lossy().into_owned();
        sources.options.push(("--data-dir", "server.data_dir", text));
    }
    sources
}

/// The settings for a command that works without a server.
///
/// # Errors
/// They cannot be used; every problem is named, one a line.
pub(super) fn settings(global: &Global) -> Result<Settings, Failure> {
    let Loaded { settings, problems, .. } = load(global);
    settings.ok_or_else(|| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Error, problems.join("\n"))
    })
}

/// `check-config`: prints every problem.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn check(global: &Global, strict: bool, online: bool) -> Result<Exit, Failure> {
    let mut loaded = load(global);
    let more = crate::serve::inspect::files(&loaded);
    loaded.problems.extend(more);
    if let Some(kept) = loaded.settings.as_ref().and_then(kept) {
        let more = crate::serve::kept::problems(&loaded, &kept);
        loaded.problems.extend(more);
    }
    let output = Output::new(global.json);
    if online {
        let asked = crate::serve::online::ask(&loaded)?;
        loaded.problems.extend(asked.problems);
        if !global.json {
            asked.well.iter().try_for_each(|line| output.text(line))?;
        }
    }
    loaded.problems.sort_by_key(|problem| problem.severity);
    if global.json {
        let rows: Vec<_> = loaded.problems.iter().map(problem_json).collect();
        output.list(&[], &rows)?;
    } else {
        for problem in &loaded.problems {
            output.text(&problem.to_string())?;
        }
    }
    let warnings = loaded.problems.iter().filter(|p| p.severity == Severity::Warning).count();
    let errors = loaded.problems.len() - warnings;
    if !global.json {
        output.text(&verdict(errors, warnings, &loaded))?;
    }
    Ok(match (errors, warnings) {
        (0, 0) => Exit::Ok,
        (0, _) if !strict => Exit::Ok,
        (0, _) => Exit::Usage,
        _ => Exit::Error,
    })
}

/// What the data folder of these settings keeps: nothing before the first
/// start, else what its server says. Without one nobody knows.
fn kept(settings: &Settings) -> Option<Kept> {
    let folder = &settings.server.data_dir;
    // A folder that may not be looked into is not an empty one.
    if !folder.join(STATE_FILE).try_exists().ok()? {
        return Some(Kept::default());
    }
    let server = Server::over(folder).ok()?;
    let domains: Vec<RecipientDomain> = server.get("/recipient-domains").ok()?;
    let submitters: Vec<Json> = server.get("/submitters").ok()?;
    let may_send = |one: &&Json| one.get("disabled") != Some(&Json::Bool(true));
    Some(Kept {
        imported: domains
            .into_iter()
            .filter(|one| one.imported > 0)
            .map(|one| one.domain.as_str().to_owned())
            .collect(),
        submitters: Some(submitters.iter().filter(may_send).count()),
    })
}

fn verdict(errors: usize, warnings: usize, loaded: &Loaded) -> String {
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let files: Vec<String> = loaded.files.iter().map(|file| file.display().to_string()).collect();
    let of = if files.is_empty() { "no file, defaults only".to_owned() } else { files.join(", ") };
    match (errors, warnings) {
        (0, 0) => format!("the settings are fine ({of})"),
        _ => format!("{}, {} ({of})", plural(errors, "error"), plural(warnings, "warning")),
    }
}

fn problem_json(problem: &settings::Problem) -> serde_json::Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "severity": severity,
        "key": problem.key,
        "origin": problem.origin.as_ref().map(ToString::to_string),
        "text": problem.text,
    })
}

/// `config …`
///
/// # Errors
/// There is no such key, or standard output cannot be written.
pub(super) fn config(global: &Global, command: &ConfigCommand) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    match command {
        ConfigCommand::Show { defaults, changed, origin } => {
            let shown = match defaults {
                true => show::defaults(),
                false => show::in_force(&load(global).found),
            };
            let wanted = |one: &&show::Shown| {
                let differs = one.origin != settings::Origin::Default;
                !changed || differs && one.value.is_some()
            };
            print_values(output, &shown.iter().filter(wanted).collect::<Vec<_>>(), *origin)?;
        }
        ConfigCommand::Help { key: None } => {
            output.list(&[("Key", "/key"), ("What it does", "/doc")], &keys())?;
        }
        ConfigCommand::Help { key: Some(key) } => match reference::help(key) {
            Some(help) => output.text(&help)?,
            None => {
                let text = match suggest::nearest(&suggest::general(key)) {
                    Some(meant) => format!("{key} is no setting; did you mean {meant}?"),
                    None => format!("{key} is no setting; `portcullis config help` lists them"),
                };
                return Err(Failure::new(Exit::NotFound, text));
            }
        },
        ConfigCommand::Schema => {
            let text = serde_json::to_string_pretty(&schema::schema()).unwrap_or_default();
            output.document(&(text + "\n"))?;
        }
        ConfigCommand::Example => output.document(&reference::example())?,
        ConfigCommand::Migrate { file } => {
            let default = || PathBuf::from(settings::DEFAULT_FILE);
            let file = file.clone().or_else(|| global.config.clone()).unwrap_or_else(default);
            let migrated = migrate::migrate(&file);
            let migrated = migrated.map_err(|problem| Failure::new(Exit::Refused, problem))?;
            say_migrated(output, &file, &migrated)?;
        }
    }
    Ok(Exit::Ok)
}

/// What became of a settings file of an older format.
fn say_migrated(output: Output, file: &Path, migrated: &Migrated) -> Result<(), Failure> {
    let (to, from) = match migrated {
        Migrated::Present => (None, migrate::PRESENT),
        Migrated::Written { to, from } => (Some(to.display().to_string()), *from),
    };
    if output.is_json() {
        let file = file.display().to_string();
        return output
            .object(&json!({ "file": file, "from": from, "to": migrate::PRESENT, "written": to }));
    }
    let file = file.display();
    output.text(&match to {
        None => format!("{file} is in the present format ({from}) already"),
        Some(to) => format!(
            "{to} is {file} in format {}; compare the two, then put it in its place",
            migrate::PRESENT
        ),
    })
}

/// Every key with what it does.
fn keys() -> Vec<serde_json::Value> {
    let of = |section: &'static settings::SectionRows| {
        section.rows.iter().map(|row| {
            let doc: Vec<&str> = row.doc.iter().map(|line| line.trim()).collect();
            json!({ "key": section.key_of(row), "doc": doc.join(" ") })
        })
    };
    settings::Settings::SECTIONS.iter().flat_map(of).collect()
}

fn print_values(output: Output, shown: &[&show::Shown], origin: bool) -> Result<(), Failure> {
    if output.is_json() {
        let row = |one: &&show::Shown| {
            let origin = one.origin.to_string();
            json!({ "key": one.key, "value": one.value, "origin": origin })
        };
        return output.list(&[], &shown.iter().map(row).collect::<Vec<_>>());
    }
    let line = |one: &&show::Shown| {
        let value = one.value.as_deref().unwrap_or("(not set)");
        match origin {
            true => format!("{} = {value}  # {}", one.key, one.origin),
            false => format!("{} = {value}", one.key),
        }
    };
    output.text(&shown.iter().map(line).collect::<Vec<_>>().join("\n"))
}
