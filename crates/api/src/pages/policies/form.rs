//! The form of a policy: every field of every type, made from the tables of
//! types and options, so that a new type needs no page of its own.

use center::CenterError;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use types::choices::{ANY_DEFINITION, choices};
use types::policy::PolicyOption;
use types::{Policy, PolicyId, PolicyType, Reference};

use super::scopes::{SCOPES, scope, scope_parts};
use crate::client::path_with;
use crate::pages::list::address::Pairs;

/// Which address a policy looks at.
pub(super) const BASES: &[(&str, &str)] =
    &[("envelope", "envelope (MAIL FROM)"), ("header", "header (From:)"), ("both", "both")];
/// How far a policy goes.
pub(super) const MODES: &[(&str, &str)] = &[
    ("off", "draft: kept, without effect"),
    ("observe", "observe: decided and recorded, never enforced"),
    ("on", "enforce"),
];

/// What the form holds, as it was typed.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicyForm {
    pub(super) narrative: String,
    /// The option as JSON, or nothing if it is written.
    pub(super) option: String,
    /// The option as TOML, if it is none of the choices.
    pub(super) written: String,
    pub(super) based_on: String,
    pub(super) from: String,
    pub(super) from_name: String,
    /// The value, where the side is an attribute.
    pub(super) from_value: String,
    pub(super) to: String,
    pub(super) to_name: String,
    pub(super) to_value: String,
    pub(super) source_ips: String,
    pub(super) source_hosts: String,
    pub(super) valid_from: String,
    pub(super) valid_until: String,
    pub(super) mode: String,
    pub(super) overrides: bool,
    pub(super) bidirectional: bool,
    /// The version in which the policy was last changed when the form was opened;
    /// nothing for a new one.
    pub(super) expected: String,
    pub(super) note: String,
    /// The reference of the message it is made from, if it is.
    pub(super) row: String,
}

/// What the address of a new policy can fill in: who suggests one prepares it
/// so.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filled {
    narrative: String,
    option: String,
    based_on: String,
    from: String,
    from_name: String,
    from_value: String,
    to: String,
    to_name: String,
    to_value: String,
    source_ips: String,
    #[serde(rename = "override")]
    overrides: String,
    mode: String,
    row: String,
}

/// Most characters of a field that an address fills in.
const FILLED_CHARS_MAX: usize = 300;

/// One choice of the option.
pub(super) struct OptionChoice {
    pub(super) value: String,
    pub(super) label: String,
}

/// The choices of a type, with the definitions there are.
pub(super) fn option_choices(kind: PolicyType, definitions: &[String]) -> Vec<OptionChoice> {
    let choice = |option: &PolicyOption| OptionChoice {
        value: json!(option).to_string(),
        label: option_words(option),
    };
    let mut found = Vec::new();
    for option in choices(kind) {
        match option.definition() {
            Some(ANY_DEFINITION) => {
                let named = definitions.iter().filter_map(|name| {
                    let text = json!(option).to_string();
                    let text =
                        text.replace(&json!(ANY_DEFINITION).to_string(), &json!(name).to_string());
                    serde_json::from_str::<PolicyOption>(&text).ok()
                });
                found.extend(named.map(|option| choice(&option)));
            }
            _ => found.push(choice(&option)),
        }
    }
    found
}

/// `apply: network`, `no action`, `25000000 octets`.
pub(super) fn option_words(option: &PolicyOption) -> String {
    fn words(value: &Json) -> String {
        match value {
            Json::String(text) => text.replace('_', " "),
            Json::Object(fields) => {
                let field = |(name, value): (&String, &Json)| {
                    format!("{}: {}", name.replace('_', " "), words(value))
                };
                fields.iter().map(field).collect::<Vec<_>>().join(", ")
            }
            Json::Array(values) => values.iter().map(words).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        }
    }
    let set = json!(option).get("set").map(words).unwrap_or_default();
    match (option, option.definition()) {
        // A name is what somebody called it, and not one of our words.
        (_, Some(name)) => format!("apply: {name}"),
        (PolicyOption::EmailSizeLimits(_), None) => format!("{set} octets"),
        _ => set,
    }
}

impl PolicyForm {
    /// The form of a new policy.
    pub(super) fn new() -> PolicyForm {
        PolicyForm {
            based_on: "envelope".to_owned(),
            from: "everyone".to_owned(),
            to: "everyone".to_owned(),
            mode: "observe".to_owned(),
            ..PolicyForm::default()
        }
    }

    /// The form of a new policy, with what an address fills in; nothing is
    /// stored before somebody sends it.
    pub(super) fn filled(filled: Filled) -> PolicyForm {
        let cut = |text: String| text.chars().take(FILLED_CHARS_MAX).collect::<String>();
        let new = PolicyForm::new();
        // Where the address says nothing that can be chosen, as in a new form.
        let side = |kind: &str, new: &str| {
            SCOPES.iter().find(|(slug, ..)| *slug == kind).map_or(new, |(slug, ..)| slug).to_owned()
        };
        let choice = |choices: &[(&'static str, &str)], chosen: &str, new: &str| {
            let found = choices.iter().find(|(slug, _)| *slug == chosen);
            found.map_or(new, |(slug, _)| slug).to_owned()
        };
        // As the choices are written; an option of another shape is none.
        let option = serde_json::from_str::<PolicyOption>(&filled.option);
        PolicyForm {
            narrative: cut(filled.narrative),
            option: option.map(|option| json!(option).to_string()).unwrap_or_default(),
            based_on: choice(BASES, &filled.based_on, &new.based_on),
            from: side(&filled.from, &new.from),
            from_name: cut(filled.from_name),
            from_value: cut(filled.from_value),
            to: side(&filled.to, &new.to),
            to_name: cut(filled.to_name),
            to_value: cut(filled.to_value),
            source_ips: cut(filled.source_ips),
            mode: choice(MODES, &filled.mode, &new.mode),
            overrides: filled.overrides == "1",
            row: reference(&filled.row),
            ..new
        }
    }

    /// The form of a stored policy.
    pub(super) fn of(policy: &Policy, version: u64) -> PolicyForm {
        let (from, from_name, from_value) = scope_parts(&policy.from);
        let (to, to_name, to_value) = scope_parts(&policy.to);
        let slug = |value: Json| value.as_str().unwrap_or_default().to_owned();
        let lines = |texts: Vec<String>| texts.join("\n");
        let time = |at: Option<types::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        PolicyForm {
            narrative: policy.narrative.clone(),
            option: json!(policy.option).to_string(),
            written: String::new(),
            based_on: slug(json!(policy.based_on)),
            from: from.to_owned(),
            from_name,
            from_value,
            to: to.to_owned(),
            to_name,
            to_value,
            source_ips: lines(policy.source_ips.iter().map(ToString::to_string).collect()),
            source_hosts: lines(policy.source_hosts.iter().map(ToString::to_string).collect()),
            valid_from: time(policy.validity.from),
            valid_until: time(policy.validity.until),
            mode: slug(json!(policy.mode)),
            overrides: policy.overrides,
            bidirectional: policy.bidirectional,
            expected: version.to_string(),
            note: String::new(),
            row: String::new(),
        }
    }

    /// The address of a new policy in which this one is filled in, from the
    /// row of a message.
    pub(super) fn address(&self, kind: PolicyType, row: Reference) -> String {
        let row = row.to_string();
        let filled = [
            ("narrative", self.narrative.as_str()),
            ("option", &self.option),
            ("based_on", &self.based_on),
            ("from", &self.from),
            ("from_name", &self.from_name),
            ("from_value", &self.from_value),
            ("to", &self.to),
            ("to_name", &self.to_name),
            ("to_value", &self.to_value),
            ("source_ips", &self.source_ips),
            ("mode", &self.mode),
            ("override", if self.overrides { "1" } else { "" }),
            ("row", &row),
        ];
        let filled = filled.map(|(name, value)| (name, Some(value).filter(|one| !one.is_empty())));
        path_with(&format!("/policies/new/{}", kind.slug()), &filled)
    }

    /// What was sent.
    pub(super) fn read(pairs: &Pairs) -> PolicyForm {
        let value = |name: &str| {
            let found = pairs.iter().rev().find(|(other, _)| other == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        PolicyForm {
            narrative: value("narrative"),
            option: value("option"),
            written: value("written"),
            based_on: value("based_on"),
            from: value("from"),
            from_name: value("from_name"),
            from_value: value("from_value"),
            to: value("to"),
            to_name: value("to_name"),
            to_value: value("to_value"),
            source_ips: value("source_ips"),
            source_hosts: value("source_hosts"),
            valid_from: value("valid_from"),
            valid_until: value("valid_until"),
            mode: value("mode"),
            overrides: !value("override").is_empty(),
            bidirectional: !value("bidirectional").is_empty(),
            expected: value("expected"),
            note: value("note"),
            row: reference(&value("row")),
        }
    }

    /// The policy that was typed.
    pub(super) fn policy(
        &self,
        kind: PolicyType,
        id: Option<PolicyId>,
    ) -> Result<Policy, CenterError> {
        let option = self.option(kind)?;
        let lines = |text: &str| -> Vec<String> {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect()
        };
        let mut fields = json!({
            "narrative": self.narrative.trim(),
            "option": option,
            "based_on": self.based_on,
            "from": scope("from", &self.from, &self.from_name, &self.from_value)?,
            "to": scope("to", &self.to, &self.to_name, &self.to_value)?,
            "source_ips": networks(&lines(&self.source_ips))?,
            "source_hosts": lines(&self.source_hosts),
            "validity": validity(&self.valid_from, &self.valid_until)?,
            "mode": self.mode,
            "override": self.overrides,
            "bidirectional": self.bidirectional,
        });
        if let (Some(id), Some(fields)) = (id, fields.as_object_mut()) {
            fields.insert("id".to_owned(), json!(id));
        }
        serde_json::from_value(fields).map_err(|error| CenterError::invalid(error.to_string()))
    }

    fn option(&self, kind: PolicyType) -> Result<Json, CenterError> {
        let option: PolicyOption = match self.option.trim() {
            "" => {
                let written = self.written.trim();
                if written.is_empty() {
                    return Err(CenterError::invalid("say what the policy does"));
                }
                let text = format!("type = {:?}\nset = {written}\n", kind.slug());
                toml::from_str(&text).map_err(|error| {
                    CenterError::invalid(format!("the option as written: {}", error.message()))
                })?
            }
            chosen => serde_json::from_str(chosen)
                .map_err(|error| CenterError::invalid(format!("the option: {error}")))?,
        };
        if option.kind() != kind {
            return Err(CenterError::invalid(format!("this is no option of {}", kind.title())));
        }
        Ok(json!(option))
    }

    /// The version in which the policy was last changed when the form was opened;
    /// nothing for a new one.
    pub(super) fn expected(&self) -> Option<u64> {
        self.expected.parse().ok()
    }
}

/// The reference of a message; nothing for what is none.
fn reference(text: &str) -> String {
    text.parse::<Reference>().map(|row| row.to_string()).unwrap_or_default()
}

/// Networks; a single address is one too.
fn networks(lines: &[String]) -> Result<Vec<String>, CenterError> {
    let one = |line: &String| match types::written_network(line) {
        Ok(network) => Ok(network.to_string()),
        Err(error) => Err(CenterError::invalid(error.to_string())),
    };
    lines.iter().map(one).collect()
}

fn validity(from: &str, until: &str) -> Result<Json, CenterError> {
    let time = |what: &str, text: &str, end: &str| -> Result<Option<Json>, CenterError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T{end}Z") };
        let at: types::Timestamp = whole
            .parse()
            .map_err(|error| CenterError::invalid(format!("{what} {text:?}: {error}")))?;
        Ok(Some(json!(at)))
    };
    let mut fields = serde_json::Map::new();
    fields.extend(time("valid from", from, "00:00:00")?.map(|at| ("from".to_owned(), at)));
    fields.extend(time("valid until", until, "23:59:59")?.map(|at| ("until".to_owned(), at)));
    Ok(Json::Object(fields))
}

#[cfg(test)]
mod tests {
    use types::definition::DefinitionChoice;
    use types::policy::{ClientIdentity, GreylistOption};

    use super::super::scopes::scope_words;
    use super::*;

    #[test]
    fn an_attribute_is_two_fields_and_both_are_looked_at() {
        let form = |name: &str, value: &str| PolicyForm {
            narrative: "x".to_owned(),
            option: json!(PolicyOption::Greylisting(GreylistOption::NoAction)).to_string(),
            to: "attribute".to_owned(),
            to_name: name.to_owned(),
            to_value: value.to_owned(),
            ..PolicyForm::new()
        };
        let policy = form(" department ", "Sales  North").policy(PolicyType::Greylisting, None);
        let policy = policy.unwrap();
        assert_eq!(scope_words(&policy.to), "department = Sales North");
        let again = PolicyForm::of(&policy, 1);
        assert_eq!((again.to.as_str(), again.to_name.as_str()), ("attribute", "department"));
        assert_eq!((again.to_value.as_str(), again.from_value.as_str()), ("Sales North", ""));
        for (name, value, expected) in [
            ("", "Sales", "the name of an attribute"),
            ("a b", "Sales", "the name of an attribute"),
            ("department", " ", "the attribute has no value"),
        ] {
            let error = form(name, value).policy(PolicyType::Greylisting, None).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn an_option_is_said_in_words_and_the_name_of_a_definition_as_it_is() {
        let named = |name: &str| DefinitionChoice::Apply(name.to_owned());
        for (option, words) in [
            (PolicyOption::Greylisting(GreylistOption::NoAction), "no action"),
            (
                PolicyOption::Greylisting(GreylistOption::Apply(ClientIdentity::Network)),
                "apply: network",
            ),
            (PolicyOption::EmailSizeLimits(25_000), "25000 octets"),
            (PolicyOption::Reputation(named("our_lists 2")), "apply: our_lists 2"),
            (PolicyOption::Reputation(DefinitionChoice::NoAction), "no action"),
        ] {
            assert_eq!(option_words(&option), words);
        }
    }
}
