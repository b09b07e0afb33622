//! Gathers the settings from their sources, in the order in which they win:
//! defaults, the main file, `conf.d` in name order, the environment, the
//! command line.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::Value as Raw;

use super::check;
use super::environment::add_variables;
use super::file::{add_readable, add_text};
use super::kinds::ListenerRole;
use super::read::{Found, FoundValues, Numbered, Origin, Problem, Reader, Severity};
use super::suggest;
use super::table::{ListenerSettings, Settings};

/// Where the main file is, unless somebody says otherwise.
pub const DEFAULT_FILE: &str = "/etc/portcullis/portcullis.toml";

/// The folder beside the main file whose files are read too.
const FOLDER: &str = "conf.d";

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The main file, if it was named; it must then exist.
    pub file: Option<PathBuf>,
    /// Environment variables, in any order.
    pub variables: Vec<(String, String)>,
    /// Values from options of the command line: option, key, text.
    pub options: Vec<(&'static str, &'static str, String)>,
}

impl Sources {
    /// What the process was started with, and the file it names.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        let variables: Vec<(String, String)> =
            std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        let named = variables.iter().find(|(name, _)| name == super::environment::CONFIG_VARIABLE);
        let file = file.or_else(|| named.map(|(_, path)| path.into()));
        Sources { file, variables, options: Vec::new() }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings, unless there is an error among the problems.
    pub settings: Option<Settings>,
    /// Every value that was found, with its place.
    pub found: FoundValues,
    /// What is wrong, errors first.
    pub problems: Vec<Problem>,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
}

impl Loaded {
    /// Whether something keeps the server from starting.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// Reads all sources and checks what they say together.
pub fn load(sources: &Sources) -> Loaded {
    let mut found = FoundValues::new();
    let mut problems = Vec::new();
    let files = match files(sources.file.as_deref()) {
        Ok(files) => files,
        Err(problem) => {
            problems.push(problem);
            Vec::new()
        }
    };
    for file in &files {
        match std::fs::read_to_string(file) {
            Ok(text) => problems.extend(add_text(&mut found, file, &text)),
            Err(error) => problems.push(unreadable(file, &error)),
        }
    }
    problems.extend(add_process(&mut found, sources));
    assemble(found, problems, files)
}

/// Adds what the process was started with.
fn add_process(found: &mut FoundValues, sources: &Sources) -> Vec<Problem> {
    let mut variables = sources.variables.clone();
    variables.sort();
    let problems = add_variables(found, variables);
    for (option, key, text) in &sources.options {
        let raw = Raw::String(text.clone());
        found.insert((*key).to_owned(), Found { raw, origin: Origin::Option(option) });
    }
    problems
}

/// The data folder that the sources name, whatever else is wrong with them: a
/// server that runs must be found by whoever broke its file. Nothing if no
/// file can be read, or what is named is no path.
pub fn data_folder(sources: &Sources) -> Option<PathBuf> {
    const KEY: &str = "server.data_dir";
    let mut found = FoundValues::new();
    for file in files(sources.file.as_deref()).ok()? {
        add_readable(&mut found, &file, &std::fs::read_to_string(&file).ok()?);
    }
    add_process(&mut found, sources);
    match found.get(KEY) {
        Some(Found { raw: Raw::String(folder), .. }) => Some(folder.into()),
        Some(_) => None,
        None => suggest::row(KEY)?.1.default.map(PathBuf::from),
    }
}

/// Reads one text as if it were the only file; for tests, fuzzing and the
/// example file.
pub fn load_text(path: &Path, text: &str) -> Loaded {
    let mut found = FoundValues::new();
    let problems = add_text(&mut found, path, text);
    assemble(found, problems, vec![path.to_path_buf()])
}

/// Reads any text as a file and as a variable; the target of fuzzing. It must
/// return for every text.
pub fn read_anything(text: &str) {
    let _ = load_text(Path::new("fuzz.toml"), text);
    let mut found = FoundValues::new();
    for section in Settings::SECTIONS {
        let variables = section.rows.iter().map(|row| (section.variable_of(row), text.to_owned()));
        let _ = add_variables(&mut found, variables);
    }
    let _ = assemble(found, Vec::new(), Vec::new());
}

fn assemble(found: FoundValues, mut problems: Vec<Problem>, files: Vec<PathBuf>) -> Loaded {
    let mut reader = Reader::new(&found);
    let mut settings = Settings::read(&mut reader);
    problems.extend(reader.finish());
    if let Some(settings) = &mut settings {
        if settings.listeners.is_empty() {
            settings.listeners.push(default_listener());
        }
        problems.extend(check::together(settings, &found));
    }
    problems.sort_by_key(|problem| problem.severity);
    let mut loaded = Loaded { settings, found, problems, files };
    if loaded.has_errors() {
        loaded.settings = None;
    }
    loaded
}

/// Where connections are taken if nobody says so: at a port that needs no
/// privilege, from this machine only.
fn default_listener() -> Numbered<ListenerSettings> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 2525));
    let entry = ListenerSettings {
        listen,
        proxy_protocol_from: Vec::new(),
        role: ListenerRole::Inbound,
        allow_from: Vec::new(),
        auth: false,
    };
    Numbered { number: None, entry }
}

/// The files to read, in order. The default file may be missing; a file that
/// was named may not.
fn files(named: Option<&Path>) -> Result<Vec<PathBuf>, Problem> {
    let main = named.unwrap_or(Path::new(DEFAULT_FILE));
    let mut files = Vec::new();
    if named.is_some() || main.exists() {
        files.push(main.to_path_buf());
    }
    // A relative name without a folder lies in the present one.
    let beside = main.parent().unwrap_or(Path::new(""));
    let folder = beside.join(FOLDER);
    match std::fs::read_dir(&folder) {
        Ok(entries) => {
            let paths: Result<Vec<PathBuf>, io::Error> =
                entries.map(|entry| entry.map(|entry| entry.path())).collect();
            let mut paths = paths.map_err(|error| unreadable(&folder, &error))?;
            paths.retain(|path| path.extension().is_some_and(|e| e == "toml"));
            paths.sort();
            files.extend(paths);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(&folder, &error)),
    }
    Ok(files)
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let text = format!("cannot read {}: {error}", path.display());
    Problem { severity: Severity::Error, origin: None, key: String::new(), text }
}
