//! The closed list of operational messages: what the server says of itself,
//! apart from the events of mail. Nothing else is logged.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use types::Timestamp;

use crate::settings::kinds::{LogFormat, LogLevel};

macro_rules! messages {
    ($($(#[doc = $doc:literal])+ $name:ident $({ $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty),* $(,)? })? = $slug:literal, $level:ident, $text:literal;)*) => {
        /// An operational message.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Message {
            $($(#[doc = $doc])+ $name $({ $($(#[doc = $field_doc])+ $field: $type),* })?,)*
        }

        impl Message {
            /// The `event` key, the level and the documentation of every message.
            pub const ALL: &'static [(&'static str, LogLevel, &'static [&'static str])] =
                &[$(($slug, LogLevel::$level, &[$($doc),+])),*];

            /// The `event` key.
            pub fn slug(&self) -> &'static str {
                match self { $(Message::$name $({ $($field: _),* })? => $slug,)* }
            }

            /// How urgent it is.
            pub fn level(&self) -> LogLevel {
                match self { $(Message::$name $({ $($field: _),* })? => LogLevel::$level,)* }
            }

            /// The sentence for a person.
            pub fn text(&self) -> String {
                match self { $(Message::$name $({ $($field),* })? => format!($text),)* }
            }

            /// The values beside the sentence.
            fn values(&self) -> Map<String, Json> {
                match self {
                    $(Message::$name $({ $($field),* })? => {
                        Map::from_iter([$($((stringify!($field).to_owned(), json!($field))),*)?])
                    })*
                }
            }
        }
    };
}

messages! {
    /// The server begins to start.
    Starting {
        /// The version of the program.
        version: String,
        /// The folder of everything that is remembered.
        data_dir: String,
    } = "starting", Info, "Portcullis {version} is starting with data in {data_dir}";
    /// A listener takes connections.
    Listening {
        /// What for: smtp, policy requests, http, metrics or control.
        service: &'static str,
        /// Address and port, or path.
        address: String,
    } = "listening", Info, "listening for {service} at {address}";
    /// Nobody can sign in yet; whoever opens the address, once and within a day, becomes the first owner.
    SetUpLink {
        /// The address.
        url: String,
    } = "set_up_link", Warn, "there is no account yet: open {url} within 24 hours to make the first one";
    /// Somebody came in with the account for emergencies.
    EmergencySignIn {
        /// The account.
        account: String,
        /// Where from.
        from: String,
    } = "emergency_sign_in", Error, "the account for emergencies, {account}, signed in from {from}; the audit log says what it does";
    /// A client of an outbound listener said a name and password and was not let send.
    SubmissionRefused {
        /// Where from.
        from: String,
        /// Why.
        problem: String,
    } = "submission_refused", Warn, "authentication from {from} failed: {problem}";
    /// The connection of a mail server that asked a policy service ended without an answer.
    NotAnswered {
        /// Who it was.
        peer: String,
        /// Why.
        problem: String,
    } = "policy_request_not_answered", Warn, "the server at {peer} was left without an answer: {problem}";
    /// Everything is up.
    Ready {
        /// Milliseconds since the start.
        after_ms: u64,
    } = "ready", Info, "ready after {after_ms} ms";
    /// Something in the data folder could not be read; the rest is in use.
    Damaged {
        /// What, and what that means.
        problem: String,
    } = "damaged", Error, "{problem}";
    /// A warning about the settings.
    SettingsWarning {
        /// The warning, with its place.
        problem: String,
    } = "settings_warning", Warn, "{problem}";
    /// The system allows fewer open files than the settings want connections.
    ConnectionsLowered {
        /// What the settings want.
        wanted: u32,
        /// What is possible.
        lowered_to: u32,
        /// Open files the system allows.
        open_files_max: u64,
    } = "connections_lowered", Warn, "smtp.connections_max is {lowered_to} instead of {wanted}, because the system allows only {open_files_max} open files";
    /// The policy file was applied.
    PolicyFileApplied {
        /// The file.
        path: String,
        /// The version of the policy set.
        version: u64,
    } = "policy_file_applied", Info, "applied {path}; the policy set has version {version}";
    /// A stored policy, group or managed sender does not fit the settings and is not in force.
    ObjectLeftOut {
        /// Which, and why.
        problem: String,
    } = "object_left_out", Error, "not in force, because it does not fit the settings any more: {problem}";
    /// A reload was asked for and done.
    Reloaded = "reloaded", Info, "the settings were reloaded";
    /// A reload was asked for and refused; everything goes on as before.
    ReloadRefused {
        /// Why.
        problem: String,
    } = "reload_refused", Error, "the reload was refused and the old settings stay in force: {problem}";
    /// A setting was changed that needs a restart.
    RestartNeeded {
        /// Its key.
        key: String,
    } = "restart_needed", Warn, "{key} was changed; it takes effect at the next start";
    /// The disk is full or the store cannot write; mail is deferred.
    NotAccepting {
        /// What is missing.
        what: String,
    } = "not_accepting", Error, "no mail is accepted: {what}";
    /// Mail is taken again.
    Accepting = "accepting", Info, "mail is accepted again";
    /// A list is not believed any more; nobody is refused for it.
    ListSuspended {
        /// Its name.
        list: String,
        /// Why.
        problem: String,
    } = "list_suspended", Error, "the list {list} is suspended and counts for nobody: {problem}";
    /// A list refuses to answer us; nobody is refused for it.
    ListRefuses {
        /// Its name.
        list: String,
        /// How, with the address it answers with.
        problem: String,
    } = "list_refuses", Error, "the list {list} {problem}; it counts for nobody";
    /// A list is believed again, or answers again.
    ListRestored {
        /// Its name.
        list: String,
    } = "list_restored", Info, "the list {list} counts again";
    /// A directory of recipients was read from its server.
    DirectoryRead {
        /// Its name.
        directory: String,
        /// Recipients in it.
        recipients: usize,
        /// Recipients that are new.
        added: usize,
        /// Recipients that are gone.
        removed: usize,
    } = "directory_read", Info, "the directory {directory} was read: {recipients} recipients, {added} new, {removed} gone";
    /// A directory of recipients could not be read, or its answer is not believed; the old content stays in force.
    DirectoryFailed {
        /// Its name.
        directory: String,
        /// Why.
        problem: String,
    } = "directory_failed", Error, "the directory {directory} stays as it was: {problem}";
    /// The groups of a directory have changed.
    DirectoryGroupsRead {
        /// Its name.
        directory: String,
        /// Groups in it.
        groups: usize,
        /// Their members, each counted in every group.
        members: usize,
        /// Values of attributes that people have.
        values: usize,
        /// Memberships that are new.
        added: usize,
        /// Memberships that are gone.
        removed: usize,
    } = "directory_groups_read", Info, "the directory {directory} has {groups} groups with {members} members, {values} values of attributes, {added} new, {removed} gone";
    /// The groups of a directory could not be taken, or its answer is not believed; the old ones stay in force.
    DirectoryGroupsFailed {
        /// Its name.
        directory: String,
        /// Why.
        problem: String,
    } = "directory_groups_failed", Error, "the groups of the directory {directory} stay as they were: {problem}";
    /// Work that is done from time to time failed; it is tried again.
    WorkFailed {
        /// Which work.
        work: &'static str,
        /// What went wrong.
        problem: String,
    } = "work_failed", Error, "{work} failed and is tried again: {problem}";
    /// A part of the server that runs until the stop has ended before; the server stops in order and reports an error, so that it is started again.
    PartEnded {
        /// Which part.
        part: &'static str,
        /// Why.
        problem: String,
    } = "part_ended", Error, "{part} has ended, and the server cannot do without it: {problem}";
    /// Events or files past their time were dropped.
    Dropped {
        /// What.
        what: &'static str,
        /// How many.
        count: u64,
    } = "dropped", Info, "dropped {count} {what} past their time";
    /// Log lines were lost because the disk or terminal was too slow.
    LinesLost {
        /// How many.
        count: u64,
    } = "lines_lost", Warn, "{count} log lines were lost because the log could not keep up";
    /// The log file was opened again.
    LogReopened = "log_reopened", Info, "the log file was opened again";
    /// The server was asked to stop and takes nothing more.
    Stopping {
        /// Sessions still open.
        sessions: u32,
    } = "stopping", Info, "stopping; {sessions} sessions are open";
    /// The server has stopped.
    Stopped {
        /// Sessions that were cut off.
        cut_off: u32,
    } = "stopped", Info, "stopped; {cut_off} sessions were cut off";
}

/// The keys of a line, in their order.
#[derive(Serialize)]
struct Line {
    v: u8,
    ts: Timestamp,
    level: &'static str,
    event: &'static str,
    info: String,
    #[serde(flatten)]
    values: Map<String, Json>,
}

/// Appends a message as a line, with its line end.
pub fn append(out: &mut String, at: Timestamp, message: &Message, format: LogFormat) {
    match format {
        LogFormat::Json => {
            let line = Line {
                v: super::line::LINE_VERSION,
                ts: at,
                level: level_name(message.level()),
                event: message.slug(),
                info: message.text(),
                values: message.values(),
            };
            // A struct of texts and numbers always has a JSON form.
            out.push_str(&serde_json::to_string(&line).unwrap_or_default());
        }
        LogFormat::Text => {
            let text = message.text();
            let shown = center::presentable(&text);
            let _ = write!(out, "{at} {:9} {shown}", level_name(message.level()));
        }
    }
    out.push('\n');
}

fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}
