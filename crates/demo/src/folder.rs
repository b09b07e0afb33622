//! Real messages from a folder, to be sent in place of letters.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use types::{EmailAddress, ReversePath};

use crate::dice::Dice;

/// Most octets that are read in all.
const OCTETS_MAX: u64 = 512 * 1_024 * 1_024;
/// Folders below folders that are followed.
const DEPTH_MAX: usize = 16;
/// Most octets of one message.
const MESSAGE_OCTETS_MAX: u64 = 32 * 1_024 * 1_024;

/// Why a folder of messages cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It, or something in it, cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// There is no message in it.
    #[error(
        "there is no message in {0}: a message is a file with a header field in its first line"
    )]
    Empty(PathBuf),
}

/// Real messages, with CR LF line ends.
#[derive(Debug)]
pub struct Messages(Vec<Message>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) content: Arc<[u8]>,
    /// Whom its Return-Path or From names, if that is an address.
    pub(crate) sender: Option<ReversePath>,
}

impl Messages {
    /// Reads every message in `folder` and below it, in the order of their
    /// names, until 512 MiB are read. A file that does not begin with a
    /// header field is no message and is passed over.
    ///
    /// # Errors
    /// A folder or file cannot be read, or there is no message.
    pub fn read(folder: &Path) -> Result<Messages, FolderError> {
        let mut messages = Vec::new();
        let mut room = OCTETS_MAX;
        for path in files(folder, 0)? {
            let unreadable = |error| FolderError::Unreadable { path: path.clone(), error };
            let octets = fs::metadata(&path).map_err(unreadable)?.len();
            if octets > MESSAGE_OCTETS_MAX {
                continue;
            }
            let Some(rest) = room.checked_sub(octets) else { break };
            room = rest;
            let raw = fs::read(&path)
                .map_err(|error| FolderError::Unreadable { path: path.clone(), error })?;
            messages.extend(message(&raw));
        }
        if messages.is_empty() {
            return Err(FolderError::Empty(folder.to_owned()));
        }
        Ok(Messages(messages))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn pick(&self, dice: &Dice) -> &Message {
        dice.pick(&self.0)
    }
}

/// The files in a folder and below, in the order of their names.
fn files(folder: &Path, depth: usize) -> Result<Vec<PathBuf>, FolderError> {
    let unreadable = |error| FolderError::Unreadable { path: folder.to_owned(), error };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        entries.push((entry.path(), entry.file_type().map_err(unreadable)?));
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut found = Vec::new();
    for (path, kind) in entries {
        // Links are not followed: one that leads up would never end.
        if kind.is_dir() && depth < DEPTH_MAX {
            found.extend(files(&path, depth + 1)?);
        } else if kind.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

/// A message of what a file holds: line ends made CR LF and the separator of
/// a mailbox file dropped; nothing if it does not begin as one.
fn message(raw: &[u8]) -> Option<Message> {
    let raw = match raw.strip_prefix(b"From ") {
        Some(rest) => rest.get(rest.iter().position(|&b| b == b'\n')? + 1..)?,
        None => raw,
    };
    let first = raw.split(|&b| b == b'\n').next()?;
    let name = first.get(..first.iter().position(|&b| b == b':')?)?;
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let mut content = Vec::with_capacity(raw.len() + raw.len() / 32);
    for line in raw.split_inclusive(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        content.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        content.extend_from_slice(b"\r\n");
    }
    let sender = ["return-path", "from"].iter().find_map(|name| sender(&content, name));
    Some(Message { content: content.into(), sender })
}

/// The address in the first field of this name.
fn sender(content: &[u8], name: &str) -> Option<ReversePath> {
    let lines = content.split(|&b| b == b'\n').take_while(|line| !matches!(line, [] | [b'\r']));
    let value = lines.into_iter().find_map(|line| {
        let (field, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        field.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
    })?;
    let value = std::str::from_utf8(value).ok()?;
    let word = match value.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next()?,
        None => value.split_whitespace().find(|word| word.contains('@'))?,
    };
    word.trim().parse::<EmailAddress>().ok().map(ReversePath::Address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_gets_cr_lf_and_its_sender_is_found() {
        let cases: [(&str, Option<&str>); 6] = [
            ("Return-Path: <ann@a.example>\nFrom: b@b.example\n\nhi\n", Some("ann@a.example")),
            ("From ann Mon\nFrom: Bob <b@b.example>\r\n\r\nhi", Some("b@b.example")),
            ("Subject: x\nFROM: c@c.example (Cid)\n\n", Some("c@c.example")),
            ("Return-Path: <>\nFrom: d@d.example\n\n", Some("d@d.example")),
            ("Subject: x\n\nFrom: e@e.example\n", None),
            ("From: undisclosed\n\n", None),
        ];
        for (raw, expected) in cases {
            let message = message(raw.as_bytes()).unwrap();
            let found = message.sender.as_ref().map(|sender| sender.as_str().to_owned());
            assert_eq!(found.as_deref(), expected, "{raw}");
            let text = std::str::from_utf8(&message.content).unwrap();
            assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains('\n'));
        }
    }

    #[test]
    fn what_begins_with_no_header_field_is_no_message() {
        for raw in ["", "\n\nFrom: a@a.example", "PK\u{3}\u{4} binary", "#!/bin/sh\nx: y"] {
            assert!(message(raw.as_bytes()).is_none(), "{raw:?}");
        }
    }

    #[test]
    fn an_empty_or_missing_folder_is_said_to_be_one() {
        let missing = Path::new("/nonexistent/folder");
        assert!(matches!(Messages::read(missing), Err(FolderError::Unreadable { .. })));
    }
}
