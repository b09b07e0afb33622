//! The document for people: one page, made on the server from the document
//! itself, readable without a script.

use askama::Template;
use axum::response::Response;
use serde_json::Value;

use super::document;
use crate::pages::{assets, shown};

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage<'a> {
    css: String,
    about: &'a str,
    version: &'a str,
    parts: Vec<Part<'a>>,
}

/// The operations of one kind.
struct Part<'a> {
    name: &'a str,
    operations: Vec<Line<'a>>,
}

/// One operation.
struct Line<'a> {
    id: &'a str,
    method: String,
    path: &'a str,
    summary: &'a str,
    permission: &'a str,
    public: bool,
    parameters: Vec<Parameter<'a>>,
    takes: Vec<Content<'a>>,
    gives: Vec<(&'a str, &'a str, Vec<Content<'a>>)>,
}

/// What a body may be: its media type, and its schema in words.
type Content<'a> = (&'a str, String);

/// One thing that is said in the address or the header.
struct Parameter<'a> {
    name: &'a str,
    place: &'a str,
    required: bool,
    kind: String,
    told: &'a str,
}

/// `GET /api/docs`
pub(crate) async fn page() -> Response {
    let document = &document().0;
    let mut parts: Vec<Part<'_>> = Vec::new();
    for (path, operations) in at(document, "/paths").as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let name = text(at(operation, "/tags/0"));
            let line = line(path, method, operation);
            match parts.iter_mut().find(|part| part.name == name) {
                Some(part) => part.operations.push(line),
                None => parts.push(Part { name, operations: vec![line] }),
            }
        }
    }
    shown(&DocsPage {
        css: assets::path("console.css"),
        about: text(at(document, "/info/description")),
        version: text(at(document, "/info/version")),
        parts,
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What is at a place of the document; nothing there reads as null.
fn at<'a>(value: &'a Value, place: &str) -> &'a Value {
    value.pointer(place).unwrap_or(&Value::Null)
}

fn line<'a>(path: &'a str, method: &str, operation: &'a Value) -> Line<'a> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let answers = operation["responses"].as_object().into_iter().flatten();
    Line {
        id: text(&operation["operationId"]),
        method: method.to_uppercase(),
        path,
        summary: text(&operation["summary"]),
        permission: text(&operation["x-permission"]),
        public: operation["security"].as_array().is_some_and(Vec::is_empty),
        parameters: parameters.map(parameter).collect(),
        takes: content(&operation["requestBody"]),
        gives: answers
            .map(|(status, answer)| {
                (status.as_str(), text(&answer["description"]), content(answer))
            })
            .collect(),
    }
}

fn parameter(value: &Value) -> Parameter<'_> {
    Parameter {
        name: text(&value["name"]),
        place: text(&value["in"]),
        required: value["required"].as_bool().unwrap_or(false),
        kind: kind(&value["schema"]),
        told: text(&value["description"]),
    }
}

/// Media types with what they hold.
fn content(value: &Value) -> Vec<(&str, String)> {
    let types = value["content"].as_object().into_iter().flatten();
    types.map(|(media_type, content)| (media_type.as_str(), kind(&content["schema"]))).collect()
}

/// A schema in a word or two: `list of Row`.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|to| to.rsplit('/').next()) {
        return name.to_owned();
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", kind_of_items(schema)),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            kinds.join(" or ")
        }
        _ => {
            let any = schema["anyOf"].as_array().into_iter().flatten();
            any.map(kind).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn kind_of_items(schema: &Value) -> String {
    kind(&schema["items"])
}
