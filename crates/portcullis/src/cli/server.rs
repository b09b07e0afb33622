//! The way to the running server, and what its refusals mean for the exit
//! code.

use std::io::{IsTerminal, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use api::client::{ApiProblem, Client, ClientError, Node, StreamEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::arguments::Global;
use super::exit::{Exit, Failure};
use crate::settings;

/// The socket in the data folder.
pub(crate) const SOCKET: &str = "control.sock";

/// The variable that names a node elsewhere.
pub(crate) const NODE_VARIABLE: &str = "PORTCULLIS_NODE";
/// The variable that holds the token for it.
pub(crate) const TOKEN_VARIABLE: &str = "PORTCULLIS_TOKEN";

/// Where the API stands below the socket.
const API: &str = "/api/v1";

/// A running server, asked one thing after the other.
pub(super) struct Server {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    /// The node that the command line or the environment names; else the
    /// server of this machine whose data folder they or the settings name.
    ///
    /// # Errors
    /// The settings cannot be read, so nobody knows which folder is meant; a
    /// node without a token, or what cannot be used of either.
    pub(super) fn of(global: &Global) -> Result<Server, Failure> {
        let client = match node_of(global)? {
            Some(node) => Client::remote(node),
            None => Client::new(&socket_of(global)?),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Server { client, runtime })
    }

    /// The server of this machine over this data folder, whatever else the
    /// command line or the environment names.
    ///
    /// # Errors
    /// No thread of execution can be made.
    pub(super) fn over(folder: &Path) -> Result<Server, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Server { client: Client::new(&folder.join(SOCKET)), runtime })
    }

    /// Hands something long to `take`, piece by piece, until that says stop.
    pub(super) fn pieces(
        &self,
        path: &str,
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        self.runtime.block_on(self.client.pieces(&at(path), take)).map_err(question)
    }

    /// Reads a stream of events until it ends or `take` says stop.
    pub(super) fn events(
        &self,
        path: &str,
        last: Option<&str>,
        take: &mut dyn FnMut(StreamEvent) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        self.runtime.block_on(self.client.events(&at(path), last, take))
    }

    /// Asks for something.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.runtime.block_on(self.client.get(&at(path))).map_err(question)
    }

    /// Asks for something that is said in a body: a preview, a replay, an
    /// export. Nothing is changed by it.
    pub(super) fn consult(&self, path: &str, body: &impl Serialize) -> Result<Json, Failure> {
        self.runtime.block_on(self.client.post(&at(path), body)).map_err(question)
    }

    /// Asks for a text.
    pub(super) fn text(&self, path: &str) -> Result<String, Failure> {
        self.runtime.block_on(self.client.get_text(&at(path))).map_err(question)
    }

    /// Sends something to act upon.
    pub(super) fn post(&self, path: &str, body: &impl Serialize) -> Result<Json, Failure> {
        Ok(self.runtime.block_on(self.client.post(&at(path), body))?)
    }

    /// Sends something to be put in a place.
    pub(super) fn put(&self, path: &str, body: &impl Serialize) -> Result<Json, Failure> {
        Ok(self.runtime.block_on(self.client.put(&at(path), body))?)
    }

    /// Sends a text.
    pub(super) fn post_text(&self, path: &str, text: String) -> Result<Json, Failure> {
        Ok(self.runtime.block_on(self.client.post_text(&at(path), text))?)
    }

    /// Removes something.
    pub(super) fn delete(&self, path: &str) -> Result<Json, Failure> {
        Ok(self.runtime.block_on(self.client.delete(&at(path)))?)
    }
}

/// The node that is meant, if one is. Whoever names a data folder means the
/// server of this machine, whatever the environment says.
fn node_of(global: &Global) -> Result<Option<Node>, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let from_environment = || variable(NODE_VARIABLE).filter(|_| global.data_dir.is_none());
    let Some(url) = global.node.clone().or_else(from_environment) else { return Ok(None) };
    let token = match &global.token_file {
        Some(file) => read_text(file)?,
        None => variable(TOKEN_VARIABLE).ok_or_else(|| {
            let text = format!("{url} wants a token: name its file with --token-file, or put it into {TOKEN_VARIABLE}");
            Failure::new(Exit::Usage, text)
        })?,
    };
    Ok(Some(Node::new(&url, &token, global.ca_file.as_deref())?))
}

/// The socket of the server that is meant.
///
/// # Errors
/// The settings cannot be read, so nobody knows which folder is meant.
pub(super) fn socket_of(global: &Global) -> Result<PathBuf, Failure> {
    if let Some(folder) = &global.data_dir {
        return Ok(folder.join(SOCKET));
    }
    let sources = super::config::sources(global);
    match settings::data_folder(&sources) {
        Some(folder) => Ok(folder.join(SOCKET)),
        None => {
            let problems = settings::load(&sources).problems;
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            let text = format!("{first}\nName the data folder with --data-dir.");
            Err(Failure::new(Exit::Error, text))
        }
    }
}

fn at(path: &str) -> String {
    format!("{API}{path}")
}

/// The failure of a question. What the server does not accept of one was
/// written wrongly: there was no change that it could have refused.
fn question(error: ClientError) -> Failure {
    match Failure::from(error) {
        refused if refused.exit == Exit::Refused => refused.ending(Exit::Usage),
        other => other,
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotRunning(_)
            | ClientError::NotAllowed(_)
            | ClientError::Unreachable { .. } => Failure::new(Exit::NotRunning, error.to_string()),
            ClientError::Wrong(_) => Failure::new(Exit::Usage, error.to_string()),
            ClientError::Refused(problem) => refused(&problem),
            ClientError::Broken(_) | ClientError::Untrusted { .. } => {
                Failure::new(Exit::Error, error.to_string())
            }
        }
    }
}

/// The server's refusal with everything it says.
fn refused(problem: &ApiProblem) -> Failure {
    let exit = match problem.kind.as_str() {
        "not_found" => Exit::NotFound,
        "query" | "malformed" => Exit::Usage,
        "invalid" | "conflict" | "file_managed" | "directory_managed" => Exit::Refused,
        _ => Exit::Error,
    };
    // The detail of a query's mistake names its proposal already.
    let mut text = problem.detail.clone();
    // The first problem is the detail already.
    if problem.problems.len() > 1 || problem.problems.iter().any(|p| p.line.is_some()) {
        for each in &problem.problems {
            let line = each.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let object = each.object.as_deref().map(|o| format!("{o}: ")).unwrap_or_default();
            text += &format!("\n  {line}{object}{}", each.message);
        }
    }
    Failure::new(exit, text).with_problem(problem.clone())
}

/// Makes sure that a change is meant: asks at a terminal, wants `--yes`
/// without one.
///
/// # Errors
/// It is not meant.
pub(super) fn confirm(global: &Global, question: &str) -> Result<(), Failure> {
    if global.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        let text = format!("{question}: without a terminal, changes need --yes");
        return Err(Failure::new(Exit::Usage, text));
    }
    let mut out = std::io::stderr().lock();
    write!(out, "{}? [y/N] ", center::presentable(question))?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Refused, "nothing was changed")),
    }
}

/// The text of a file, or of standard input for `-`.
///
/// # Errors
/// It cannot be read, or is no text.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|error| {
        Failure::new(Exit::Error, format!("cannot read {}: {error}", path.display()))
    })
}
