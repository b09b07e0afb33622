//! `senders import`: a list of ours or of another program, with what every
//! line becomes.

use std::path::Path;

use api::client::path_with;
use center::importing::ImportedLine;
use center::{Imported, Problem};
use serde_json::json;
use types::EmailAddress;

use super::arguments::{EntryAction, Global, ImportFormat};
use super::exit::{Exit, Failure};
use super::output::Output;
use super::policies::typed;
use super::server::{Server, confirm, read_text};

/// What is to be imported, and how.
pub(super) struct Import<'a> {
    pub(super) file: &'a Path,
    pub(super) format: ImportFormat,
    pub(super) action: Option<EntryAction>,
    pub(super) recipient: Option<&'a str>,
    pub(super) dry_run: bool,
    pub(super) partial: bool,
    pub(super) note: &'a str,
}

/// `senders import`
///
/// # Errors
/// The file cannot be read, or the server refuses; then nothing was stored.
pub(super) fn import(global: &Global, wanted: &Import<'_>) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    if wanted.format == ImportFormat::Plain && wanted.action.is_none() {
        let text = "a plain list does not say what its lines do; say --action permit or block";
        return Err(Failure::new(Exit::Usage, text));
    }
    let recipient =
        wanted.recipient.map(|text| typed::<EmailAddress>("--for", text)).transpose()?;
    let text = read_text(wanted.file)?;
    if !wanted.dry_run {
        confirm(global, "import the list")?;
    }
    let is = |yes: bool| Some(if yes { "true" } else { "false" });
    let path = path_with(
        "/senders/import",
        &[
            ("format", Some(wanted.format.list_format().slug())),
            ("action", wanted.action.map(EntryAction::slug)),
            ("recipient", recipient.as_ref().map(EmailAddress::as_str)),
            ("dry_run", is(wanted.dry_run)),
            ("partial", is(wanted.partial)),
            ("note", Some(wanted.note)),
        ],
    );
    let answer = server.post_text(&path, text)?;
    let told: Imported = serde_json::from_value(answer)
        .map_err(|error| Failure::new(Exit::Error, error.to_string()))?;
    match output.is_json() {
        true => output.object(&json!(told))?,
        false => output.text(&report(&told))?,
    }
    Ok(Exit::Ok)
}

/// Every line with what it becomes.
pub(super) fn each(lines: &[ImportedLine]) -> String {
    let mut text = String::new();
    for ImportedLine { line, text: said, becomes, problem } in lines {
        let what = match (becomes, problem) {
            (_, Some(problem)) => format!("BAD: {problem}"),
            (Some(becomes), None) => becomes.clone(),
            (None, None) => String::new(),
        };
        text += &format!("{line:>6}  {said}\n        {what}\n");
    }
    text
}

/// Every bad line with why.
pub(super) fn bad_lines(problems: &[Problem]) -> String {
    let told = problems.iter().map(|problem| {
        let line = problem.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        format!("BAD: {line}{}\n", problem.message)
    });
    told.collect()
}

/// Every line with what it becomes, and the sum.
fn report(told: &Imported) -> String {
    let text = match told.lines.is_empty() {
        true => bad_lines(&told.problems),
        false => each(&told.lines),
    };
    let bad = told.problems.len();
    let stored = told.stored;
    text + &match told.dry_run {
        true => format!("{stored} would be stored, {bad} lines are bad; nothing is changed"),
        false => format!(
            "{stored} stored as version {}, {bad} bad lines left out. Undo it with: portcullis policy undo {}",
            told.version, told.version
        ),
    }
}
