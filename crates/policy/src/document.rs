//! The policy set as one readable TOML document: what people export, edit,
//! review and import, and what `policy_file` names.

use serde::{Deserialize, Serialize};
use types::lists::{Group, ManagedSender};
use types::{Definition, Policy};

use crate::validate::ObjectName;

/// Policies, groups, definitions and managed senders as a document has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// `[[policy]]`
    #[serde(default, rename = "policy", skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    /// `[[group]]`
    #[serde(default, rename = "group", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// `[[definition]]`
    #[serde(default, rename = "definition", skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<Definition>,
    /// `[[managed_sender]]`
    #[serde(default, rename = "managed_sender", skip_serializing_if = "Vec::is_empty")]
    pub managed_senders: Vec<ManagedSender>,
}

/// The text is no such document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct DocumentError {
    /// The line, from one.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// The first line that is not TOML, has an unknown key or a value that
    /// is not one of those allowed.
    pub fn parse(text: &str) -> Result<Document, DocumentError> {
        toml::from_str(text).map_err(|error| document_error(text, &error))
    }

    /// Reads a document, or one policy on its own: its fields at the top,
    /// without a heading, as an editor of a single policy has it.
    ///
    /// # Errors
    ///
    /// As [`Document::parse`].
    pub fn parse_any(text: &str) -> Result<Document, DocumentError> {
        if is_bare_policy(text) {
            let policies = vec![Document::parse_policy(text)?];
            return Ok(Document { policies, ..Document::default() });
        }
        Document::parse(text)
    }

    /// Reads one policy: its fields at the top, or as the only `[[policy]]`
    /// of a document that holds nothing else.
    ///
    /// # Errors
    ///
    /// As [`Document::parse`]; a document that holds more or less.
    pub fn parse_policy(text: &str) -> Result<Policy, DocumentError> {
        if is_bare_policy(text) {
            return toml::from_str(text).map_err(|error| document_error(text, &error));
        }
        let document = Document::parse(text)?;
        let rest = Document { policies: Vec::new(), ..document };
        match <[Policy; 1]>::try_from(document.policies) {
            Ok([policy]) if rest == Document::default() => Ok(policy),
            _ => Err(not_exactly_one("policy")),
        }
    }

    /// Reads one definition: the only `[[definition]]` of a document that
    /// holds nothing else.
    ///
    /// # Errors
    ///
    /// As [`Document::parse`]; a document that holds more or less.
    pub fn parse_definition(text: &str) -> Result<Definition, DocumentError> {
        let document = Document::parse(text)?;
        let rest = Document { definitions: Vec::new(), ..document };
        match <[Definition; 1]>::try_from(document.definitions) {
            Ok([definition]) if rest == Document::default() => Ok(definition),
            _ => Err(not_exactly_one("definition")),
        }
    }

    /// Writes a document that [`Document::parse`] reads back: one line per
    /// field in the order of the editor, long lists one member a line.
    ///
    /// # Errors
    ///
    /// A number over 2^63, which TOML does not have.
    pub fn to_text(&self) -> Result<String, toml::ser::Error> {
        let mut text = String::new();
        for policy in &self.policies {
            write_object(&mut text, "policy", POLICY_FIELDS, policy)?;
        }
        for group in &self.groups {
            write_object(&mut text, "group", GROUP_FIELDS, group)?;
        }
        for definition in &self.definitions {
            write_definition(&mut text, definition)?;
        }
        for entry in &self.managed_senders {
            write_object(&mut text, "managed_sender", MANAGED_SENDER_FIELDS, entry)?;
        }
        Ok(text)
    }

    /// The line at which an object of the document begins, to go with a
    /// [`Problem`](crate::Problem) found in it.
    pub fn line_of(text: &str, object: &ObjectName) -> Option<usize> {
        let (heading, place) = match object {
            ObjectName::Policy(_, place) => ("[[policy]]", *place),
            ObjectName::Group(_, place) => ("[[group]]", *place),
            ObjectName::Definition(_, place) => ("[[definition]]", *place),
            ObjectName::ManagedSender(_, place) => ("[[managed_sender]]", *place),
        };
        let mut begins =
            (1..).zip(text.lines()).filter(|(_, line)| line.trim().starts_with(heading));
        begins.nth(place.checked_sub(1)?).map(|(line, _)| line)
    }
}

/// What the parser says, with its line.
pub(crate) fn document_error(text: &str, error: &toml::de::Error) -> DocumentError {
    DocumentError {
        line: error.span().map_or(1, |span| line_at(text, span.start)),
        message: error.message().to_owned(),
    }
}

fn not_exactly_one(what: &str) -> DocumentError {
    let message = format!("must hold exactly one {what}; `policy import` takes whole documents");
    DocumentError { line: 1, message }
}

/// Whether a text has fields of a policy before any heading.
fn is_bare_policy(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    lines.any(|line| {
        let key = line.split_once('=').map(|(key, _)| key.trim());
        key.is_some_and(|key| POLICY_FIELDS.contains(&key.trim_matches('"')))
    })
}

/// Writes one object. The order of `fields` is that of the text; a field
/// that is not among them comes after those.
fn write_object(
    text: &mut String,
    heading: &str,
    fields: &[&str],
    object: &impl Serialize,
) -> Result<(), toml::ser::Error> {
    let table = toml::Table::try_from(object)?;
    let mut entries: Vec<(&String, &toml::Value)> = table.iter().collect();
    let place = |key: &str| fields.iter().position(|field| *field == key).unwrap_or(fields.len());
    entries.sort_by_key(|(key, _)| place(key));
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("[[{heading}]]\n"));
    for (key, value) in entries {
        text.push_str(&format!("{key} = {}\n", written(value)));
    }
    Ok(())
}

/// Writes one definition, whose parts nest too deep for one line each.
fn write_definition(text: &mut String, definition: &Definition) -> Result<(), toml::ser::Error> {
    let alone = Document { definitions: vec![definition.clone()], ..Document::default() };
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&toml::to_string(&alone)?);
    Ok(())
}

/// A value on one line, or a list of several with one member a line, so that
/// a change of one member is a change of one line.
fn written(value: &toml::Value) -> String {
    match value {
        toml::Value::Array(members) if members.len() > 1 => {
            let lines: String = members.iter().map(|member| format!("    {member},\n")).collect();
            format!("[\n{lines}]")
        }
        other => other.to_string(),
    }
}

fn line_at(text: &str, place: usize) -> usize {
    1 + text.bytes().take(place).filter(|&byte| byte == b'\n').count()
}

/// The order in which the editor shows the fields of a policy.
const POLICY_FIELDS: &[&str] = &[
    "id",
    "narrative",
    "option",
    "based_on",
    "from",
    "to",
    "source_ips",
    "source_hosts",
    "validity",
    "mode",
    "override",
    "bidirectional",
];
const GROUP_FIELDS: &[&str] = &["name", "parent", "members"];
const MANAGED_SENDER_FIELDS: &[&str] = &[
    "id",
    "sender",
    "recipient",
    "action",
    "authenticated_only",
    "valid_until",
    "note",
    "created_by",
    "created",
    "created_from",
];
