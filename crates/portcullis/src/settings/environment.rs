//! Settings from environment variables: `PORTCULLIS_SMTP__IDLE_TIMEOUT=5m`.
//!
//! Two underscores stand for a dot, a number for an entry of a repeated table:
//! `PORTCULLIS_SMTP__LISTENER__0__LISTEN`. A variable replaces what the files
//! say; a list is written with commas, or as a TOML array.

use toml::Value as Raw;

use super::read::{Found, FoundValues, Origin, Problem, literal};
use super::suggest;
use super::value::Shape;

/// What the name of every variable begins with.
pub const PREFIX: &str = "PORTCULLIS_";

/// The variable that names the settings file; not a setting itself.
pub const CONFIG_VARIABLE: &str = "PORTCULLIS_CONFIG";

/// Variables of ours that are no settings: that one, and the node and the
/// token of the command line.
const OTHER_VARIABLES: [&str; 3] = [CONFIG_VARIABLE, "PORTCULLIS_NODE", "PORTCULLIS_TOKEN"];

/// Adds what the variables say; others are not looked at.
pub fn add_variables(
    found: &mut FoundValues,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (variable, text) in variables {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        if OTHER_VARIABLES.contains(&variable.as_str()) {
            continue;
        }
        let key = name.to_ascii_lowercase().replace("__", ".");
        let origin = Origin::Variable(variable.clone());
        match suggest::row(&key) {
            Some((_, row)) => {
                let raw = raw(row.kind.shape, &text);
                found.insert(key, Found { raw, origin });
            }
            // Container platforms invent variables after the names of
            // services (PORTCULLIS_PORT_25_TCP); they must not stop us.
            None if !name.contains("__") => {
                problems.push(Problem::warning(origin, "", "names no setting and is ignored"));
            }
            None => problems.push(Problem::error(origin, &key, suggest::unknown(&key))),
        }
    }
    problems
}

/// The text of a variable as TOML. What does not fit stays text, so that the
/// error names what was written.
fn raw(shape: Shape, text: &str) -> Raw {
    let as_text = || Raw::String(text.to_owned());
    match shape {
        Shape::Text => as_text(),
        Shape::Integer => text.parse().map_or_else(|_| as_text(), Raw::Integer),
        Shape::Boolean => text.parse().map_or_else(|_| as_text(), Raw::Boolean),
        Shape::List | Shape::Sequence if text.trim_start().starts_with('[') => {
            literal(text).unwrap_or_else(as_text)
        }
        Shape::List | Shape::Sequence => {
            let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            Raw::Array(entries.map(|entry| Raw::String(entry.to_owned())).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(variables: &[(&str, &str)]) -> (FoundValues, Vec<String>) {
        let mut found = FoundValues::new();
        let owned = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let problems = add_variables(&mut found, owned);
        (found, problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn variables_are_read_by_the_kind_of_their_setting() {
        let (found, problems) = add(&[
            ("PORTCULLIS_SMTP__MESSAGE_SIZE_MAX", "25MB"),
            ("PORTCULLIS_SMTP__RECIPIENTS_MAX", "7"),
            ("PORTCULLIS_SMTP__TLS__ENABLED", "false"),
            ("PORTCULLIS_DNS__RESOLVER", "192.0.2.1:53, 192.0.2.2:53"),
            ("PORTCULLIS_DELIVERY__RETRY_SCHEDULE", "[\"0s\", \"1m x2\"]"),
            ("PORTCULLIS_SMTP__LISTENER__0__LISTEN", "[::]:25"),
            ("PATH", "/bin"),
            ("PORTCULLIS_CONFIG", "/etc/portcullis.toml"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        let text = |key: &str| found[key].raw.to_string();
        assert_eq!(text("smtp.message_size_max"), "\"25MB\"");
        assert_eq!(text("smtp.recipients_max"), "7");
        assert_eq!(text("smtp.tls.enabled"), "false");
        assert_eq!(text("dns.resolver"), "[\"192.0.2.1:53\", \"192.0.2.2:53\"]");
        assert_eq!(text("delivery.retry_schedule"), "[\"0s\", \"1m x2\"]");
        assert_eq!(text("smtp.listener.0.listen"), "\"[::]:25\"");
        assert_eq!(found.len(), 6);
    }

    #[test]
    fn an_unknown_variable_is_an_error_unless_a_platform_made_it() {
        let (_, problems) =
            add(&[("PORTCULLIS_SMTP__IDLE_TIMEOT", "5m"), ("PORTCULLIS_PORT_25_TCP", "x")]);
        assert_eq!(
            problems,
            [
                "PORTCULLIS_SMTP__IDLE_TIMEOT: smtp.idle_timeot: unknown setting; \
                 did you mean smtp.idle_timeout?",
                "PORTCULLIS_PORT_25_TCP: warning: names no setting and is ignored",
            ]
        );
    }
}
