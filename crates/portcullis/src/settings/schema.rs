//! The table as a JSON Schema (draft 2020-12), for editors that complete and
//! check TOML files.

use serde_json::{Map, Value as Json, json};

use super::read::literal;
use super::row::{Row, SectionRows};
use super::table::Settings;
use super::value::Shape;

/// The schema of the settings file.
pub fn schema() -> Json {
    let mut top =
        table(&Settings::SECTIONS.iter().filter(|s| s.key.is_empty()).collect::<Vec<_>>());
    for section in Settings::SECTIONS.iter().filter(|section| !section.key.is_empty()) {
        let mut schema = table(&[section]);
        schema.insert("description".into(), json!(text(section.doc)));
        let schema = match section.repeated {
            true => json!({ "type": "array", "items": schema }),
            false => Json::Object(schema),
        };
        place(&mut top, section.key, schema);
    }
    top.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    top.insert("title".into(), json!("Settings of Portcullis"));
    Json::Object(top)
}

/// A table with the rows of these sections.
fn table(sections: &[&SectionRows]) -> Map<String, Json> {
    let rows = || sections.iter().flat_map(|section| section.rows);
    let properties: Map<String, Json> =
        rows().map(|row| (row.name.to_owned(), property(row))).collect();
    let required: Vec<&str> = rows().filter(|row| row.required).map(|row| row.name).collect();
    let mut table = Map::new();
    table.insert("type".into(), json!("object"));
    table.insert("properties".into(), Json::Object(properties));
    table.insert("additionalProperties".into(), json!(false));
    if !required.is_empty() {
        table.insert("required".into(), json!(required));
    }
    table
}

/// Puts a schema at `smtp.tls`, making the tables above it.
fn place(top: &mut Map<String, Json>, key: &str, schema: Json) {
    let (name, rest) = key.split_once('.').map_or((key, None), |(name, rest)| (name, Some(rest)));
    let Some(Json::Object(properties)) = top.get_mut("properties") else { return };
    let Some(rest) = rest else {
        properties.insert(name.to_owned(), schema);
        return;
    };
    let above = properties.entry(name).or_insert_with(|| Json::Object(table(&[])));
    if let Json::Object(above) = above {
        place(above, rest, schema);
    }
}

fn property(row: &Row) -> Json {
    let kind = &row.kind;
    let mut entry = Map::new();
    entry.insert("type".into(), json!("string"));
    if !kind.pattern.is_empty() {
        entry.insert("pattern".into(), json!(kind.pattern));
    }
    if !kind.names.is_empty() {
        entry.insert("enum".into(), json!(kind.names));
    }
    let mut property = match kind.shape {
        Shape::Text => entry,
        Shape::Integer => integer(row),
        Shape::Boolean => Map::from_iter([("type".to_owned(), json!("boolean"))]),
        Shape::List | Shape::Sequence => Map::from_iter([
            ("type".to_owned(), json!("array")),
            ("items".to_owned(), Json::Object(entry)),
        ]),
    };
    property.insert("description".into(), json!(text(row.doc)));
    if let Some(default) = row.default.and_then(value) {
        property.insert("default".into(), default);
    }
    Json::Object(property)
}

fn integer(row: &Row) -> Map<String, Json> {
    let mut property = Map::from_iter([("type".to_owned(), json!("integer"))]);
    if let Some((low, high)) = row.range {
        property.extend(value(low).map(|low| ("minimum".to_owned(), low)));
        property.extend(value(high).map(|high| ("maximum".to_owned(), high)));
    }
    property
}

/// A TOML literal as JSON.
fn value(toml: &str) -> Option<Json> {
    serde_json::to_value(literal(toml)?).ok()
}

fn text(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_every_key_where_the_file_has_it() {
        let schema = schema();
        let at = |path: &str| schema.pointer(path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(at("/properties/smtp/properties/recipients_max/maximum"), 50_000);
        assert_eq!(at("/properties/smtp/properties/tls/properties/enabled/default"), true);
        assert_eq!(at("/properties/domain/items/required/0"), "name");
        let listener = "/properties/smtp/properties/listener/items/properties/listen/type";
        assert_eq!(at(listener), "string");
        for section in Settings::SECTIONS {
            for row in section.rows {
                let mut path = String::new();
                for part in section.key.split('.').filter(|part| !part.is_empty()) {
                    path += &format!("/properties/{part}");
                }
                let items = if section.repeated { "/items" } else { "" };
                at(&format!("{path}{items}/properties/{}", row.name));
            }
        }
    }
}
