//! The five filters that people know from elsewhere (All, Type, From, To,
//! Information, IP address) as a form, and the same as a query.

use serde::{Deserialize, Serialize};

use super::edit;
use super::parser::parse;
use super::tree::{Part, Value};

/// The form; an empty field does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FiveFilters {
    /// Anywhere.
    pub all: String,
    /// A reason code or label, or a part of one.
    pub r#type: String,
    /// The envelope sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// The information line.
    pub info: String,
    /// The client's address or network.
    pub ip: String,
}

/// Name in addresses and label of each field, in the order of the form.
pub const FIVE: [(&str, &str); 6] = [
    ("all", "All"),
    ("type", "Type"),
    ("from", "From (Envelope)"),
    ("to", "To"),
    ("info", "Information"),
    ("ip", "IP Address"),
];

impl FiveFilters {
    /// A form with `text` in the field of this name and nothing else; an
    /// unknown name means all.
    pub fn one(name: &str, text: &str) -> Self {
        let mut form = FiveFilters::default();
        let field = match FIVE.iter().any(|(known, _)| *known == name) {
            true => form.field(name),
            false => Some(&mut form.all),
        };
        if let Some(field) = field {
            text.trim().clone_into(field);
        }
        form
    }

    fn field(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "all" => &mut self.all,
            "type" => &mut self.r#type,
            "from" => &mut self.from,
            "to" => &mut self.to,
            "info" => &mut self.info,
            "ip" => &mut self.ip,
            _ => return None,
        })
    }

    /// What the form says, as a query.
    pub fn to_query(&self) -> String {
        let fields = [&self.all, &self.r#type, &self.from, &self.to, &self.info, &self.ip];
        let term = |((name, _), text): ((&str, &str), &String)| match (name, text.trim()) {
            (_, "") => None,
            ("all", text) => Some(edit::word(text)),
            (name, text) => Some(edit::term(name, text)),
        };
        let terms: Vec<String> = FIVE.into_iter().zip(fields).filter_map(term).collect();
        terms.join(" ")
    }

    /// The form that says what the query says; nothing if it says more than
    /// the form can.
    pub fn of_query(query: &str) -> Option<Self> {
        let mut form = FiveFilters::default();
        let parts = match parse(query).ok()?.root {
            None => return Some(form),
            Some(Part::All(parts)) => parts,
            Some(part) => vec![part],
        };
        for part in parts {
            let (name, text) = match part {
                Part::Word(word) => ("all", word.text),
                Part::Term(mut term) if term.comparison.is_none() && term.values.len() == 1 => {
                    match term.values.pop()? {
                        Value::One(text) => (term.field.name, text.text),
                        Value::Range(..) => return None,
                    }
                }
                _ => return None,
            };
            let field = form.field(name).filter(|field| field.is_empty())?;
            *field = text;
        }
        // A quoted word means less than the same word bare, so the form must
        // lead back to the query it came from.
        (parse(&form.to_query()) == parse(query)).then_some(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_becomes_a_query_and_the_query_the_form() {
        for (form, query) in [
            (FiveFilters::default(), ""),
            (FiveFilters::one("from", " ana@corp.example "), "from:ana@corp.example"),
            (FiveFilters::one("type", "Attempt Greylisting"), "type:\"Attempt Greylisting\""),
            (FiveFilters::one("all", "two words"), "\"two words\""),
            (FiveFilters::one("what", "x"), "x"),
            (
                FiveFilters { to: "bob".into(), ip: "192.0.2.0/24".into(), ..Default::default() },
                "to:bob ip:192.0.2.0/24",
            ),
        ] {
            assert_eq!(form.to_query(), query);
            assert_eq!(FiveFilters::of_query(query), Some(form), "{query}");
        }
        for more in ["-from:x", "a OR b", "from:x from:y", "subject:x", "from:a,b", "a OR", "\"x\""]
        {
            assert_eq!(FiveFilters::of_query(more), None, "{more}");
        }
    }
}
