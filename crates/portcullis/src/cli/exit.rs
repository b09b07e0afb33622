//! The exit codes, documented and stable: scripts depend on them.

use std::process::ExitCode;

use api::client::ApiProblem;
use serde_json::{Value as Json, json};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Something went wrong, or the settings have errors.
    Error,
    /// The command line is wrong, or `--strict` found warnings.
    Usage,
    /// What was asked for does not exist.
    NotFound,
    /// The server does not run, or this user may not talk to it.
    NotRunning,
    /// The change was refused; nothing was changed.
    Refused,
}

impl Exit {
    /// Every code with its meaning, for the reference page.
    pub const ALL: [(Exit, &'static str); 6] = [
        (Exit::Ok, "done"),
        (Exit::Error, "something went wrong, or the settings have errors"),
        (Exit::Usage, "the command line or a value in it is wrong, or --strict found warnings"),
        (Exit::NotFound, "what was asked for does not exist"),
        (Exit::NotRunning, "the server does not run, or this user may not talk to it"),
        (Exit::Refused, "the change was refused; nothing was changed"),
    ];

    /// What kind of failure it is, in JSON.
    pub const fn slug(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Error => "error",
            Exit::Usage => "usage",
            Exit::NotFound => "not_found",
            Exit::NotRunning => "not_running",
            Exit::Refused => "refused",
        }
    }

    /// What it means, in words.
    pub fn meaning(self) -> &'static str {
        Exit::ALL.iter().find(|(exit, _)| *exit == self).map_or("", |(_, meaning)| meaning)
    }

    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Error => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::NotRunning => 4,
            Exit::Refused => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// What the help says at its end.
pub(super) const AFTER_HELP: &str = "Exit codes: 0 done, 1 error, 2 wrong usage (or warnings with --strict), \
3 not found, 4 server not running, 5 change refused.";

/// A command that could not do its work: what to say, and the code.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// The sentence for standard error.
    pub text: String,
    /// What the server said, if it was the server that refused.
    problem: Option<Box<ApiProblem>>,
}

impl Failure {
    /// A failure with this code and sentence.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Failure { exit, text: text.into(), problem: None }
    }

    /// The same, ending with another code.
    #[must_use]
    pub fn ending(self, exit: Exit) -> Self {
        Failure { exit, ..self }
    }

    /// The same, with what the server said.
    #[must_use]
    pub fn with_problem(self, problem: ApiProblem) -> Self {
        Failure { problem: Some(Box::new(problem)), ..self }
    }

    /// The failure as one JSON object: the server's problem (RFC 9457) where
    /// there is one, else our own in its form, with the exit code.
    pub fn json(&self) -> Json {
        let mut object = match &self.problem {
            Some(problem) => json!(problem),
            None => {
                json!({ "type": self.exit.slug(), "title": self.exit.meaning(), "detail": self.text })
            }
        };
        if let Json::Object(fields) = &mut object {
            fields.insert("exit".to_owned(), json!(self.exit.code()));
        }
        object
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::new(Exit::Error, error.to_string())
    }
}
