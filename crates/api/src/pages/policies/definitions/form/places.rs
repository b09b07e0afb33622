//! The form of a definition of Geographical Restriction: what happens, and
//! the countries and networks it happens to.

use types::definition::{Country, GeographicalAction, GeographicalDefinition};

use super::reader::{Field, Reader, Shown, quoted};
use crate::pages::list::address::Pairs;

/// The field in which countries are looked for.
const ADD: &str = "add";
const COUNTRIES: &str = "countries";

/// The definition as the fields of the form.
pub(super) fn typed(definition: &GeographicalDefinition) -> Pairs {
    let GeographicalDefinition { action, countries, networks } = definition;
    let networks: Vec<String> = networks.iter().map(|number| format!("AS{number}")).collect();
    let mut pairs = vec![
        ("action".to_owned(), action.slug().to_owned()),
        ("networks".to_owned(), networks.join("\n")),
    ];
    let country = |country: &Country| (COUNTRIES.to_owned(), country.to_string());
    pairs.extend(countries.iter().map(country));
    pairs
}

/// The definition that the fields say.
pub(super) fn read(reader: &mut Reader<'_>) -> GeographicalDefinition {
    let action = reader.choice("action", &GeographicalAction::ALL, GeographicalAction::slug);
    let mut countries: Vec<Country> = Vec::new();
    for code in reader.all(COUNTRIES) {
        match code.parse() {
            Ok(country) => countries.push(country),
            Err(error) => reader.fault(ADD, error_text(&error)),
        }
    }
    for named in parts(reader.value(ADD), &[',', ';', '\n']) {
        match looked_up(named) {
            Some(country) if countries.contains(&country) => {}
            Some(country) => countries.push(country),
            None => reader.fault(
                ADD,
                format!(
                    "{} is no country: choose one of the list, or write its code of two letters",
                    quoted(named)
                ),
            ),
        }
    }
    let mut networks = Vec::new();
    for written in parts(reader.value("networks"), &[',', ';', '\n', ' ', '\t']) {
        let number = written.strip_prefix("AS").or_else(|| written.strip_prefix("as"));
        match number.unwrap_or(written).parse() {
            Ok(number) => networks.push(number),
            Err(_) => reader.fault(
                "networks",
                format!("{} is no number of a network, such as AS64500", quoted(written)),
            ),
        }
    }
    // Where there was no choice, the reader has the fault and this is not used.
    let action = action.unwrap_or(GeographicalAction::Hold);
    GeographicalDefinition { action, countries, networks }
}

fn error_text(error: &dyn std::fmt::Display) -> String {
    center::presentable_within(&error.to_string(), 200)
}

/// What stands between separators, without what is empty.
fn parts<'a>(text: &'a str, separators: &'a [char]) -> impl Iterator<Item = &'a str> {
    text.split(separators).map(str::trim).filter(|part| !part.is_empty())
}

/// The country that somebody means: by its name, its code, or both as the
/// list has them.
fn looked_up(text: &str) -> Option<Country> {
    let both = text.strip_suffix(')').and_then(|text| text.rsplit_once('('));
    let coded = both.map_or(text, |(_, code)| code);
    let by_name = || {
        let named = Country::all_named().into_iter();
        named.into_iter().find(|(_, name)| name.to_lowercase() == text.to_lowercase())
    };
    coded.parse().ok().or_else(|| by_name().map(|(country, _)| country))
}

/// The field of the form that shows a field of the definition.
pub(super) fn place(field: &str) -> String {
    if field == COUNTRIES { ADD.to_owned() } else { field.to_owned() }
}

/// A country as the list has it: its name and its code.
fn words(country: Country) -> String {
    country.name().map_or_else(|| country.to_string(), |name| format!("{name} ({country})"))
}

/// One thing that can happen.
pub(crate) struct Action {
    pub(crate) slug: &'static str,
    pub(crate) selected: bool,
}

/// What the form shows.
pub(crate) struct Places {
    pub(crate) action: Field,
    pub(crate) actions: Vec<Action>,
    /// Code and name of the chosen ones.
    pub(crate) chosen: Vec<(String, String)>,
    pub(crate) add: Field,
    /// All that can be added.
    pub(crate) known: Vec<String>,
    pub(crate) networks: Field,
}

pub(super) fn view(shown: &Shown<'_>) -> Places {
    let action = shown.field("action");
    let option = |one: &GeographicalAction| Action {
        slug: one.slug(),
        selected: one.slug() == action.value,
    };
    let chosen = |code: &str| {
        let country = code.parse::<Country>();
        (code.to_owned(), country.map_or_else(|_| quoted(code), words))
    };
    Places {
        actions: GeographicalAction::ALL.iter().map(option).collect(),
        action,
        chosen: shown.all(COUNTRIES).map(chosen).collect(),
        add: shown.field(ADD),
        known: Country::all_named().into_iter().map(|(country, _)| words(country)).collect(),
        networks: shown.field("networks"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_found_by_its_name_its_code_and_both() {
        for (text, code) in [
            ("Germany", Some("DE")),
            ("germany", Some("DE")),
            ("de", Some("DE")),
            ("Germany (DE)", Some("DE")),
            ("Congo (Kinshasa)", Some("CD")),
            ("Congo (Kinshasa) (CD)", Some("CD")),
            ("TÜRKIYE", Some("TR")),
            ("XF", Some("XF")),
            ("Germny", None),
            ("Germany (DEU)", None),
            ("()", None),
        ] {
            assert_eq!(looked_up(text).map(|found| found.to_string()).as_deref(), code, "{text}");
        }
        for (country, _) in Country::all_named() {
            assert_eq!(looked_up(&words(country)), Some(country));
        }
    }
}
