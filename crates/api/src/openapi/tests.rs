//! The document against OpenAPI 3.1, against the routes, and against the
//! table of who may ask for what.

use std::collections::BTreeSet;

use super::*;
use crate::auth::access::ROUTES;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let mut all = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            assert!(METHODS.contains(&method.as_str()), "{method} {path}");
            all.push((method.to_uppercase(), path.clone(), operation));
        }
    }
    all
}

#[test]
fn the_document_is_openapi_3_1() {
    let (document, octets) = document();
    assert_eq!(serde_json::from_slice::<Value>(octets).unwrap(), *document);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    for field in ["title", "version"] {
        assert!(document["info"][field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(document) {
        let place = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{id} stands twice");
        assert!(operation["summary"].as_str().unwrap().ends_with('.'), "{place}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(!responses.is_empty(), "{place}");
        for (status, response) in responses {
            assert!(status == "default" || status.parse::<u16>().is_ok(), "{place} {status}");
            assert!(response["description"].is_string(), "{place} {status}");
        }
        let mut names = BTreeSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let within = parameter["in"].as_str().unwrap();
            assert!(["query", "header", "path"].contains(&within), "{place} {name}");
            assert!(names.insert((within, name)), "{place}: {name} stands twice");
            assert!(parameter["schema"].is_object(), "{place} {name}");
            if within == "path" {
                assert!(path.contains(&format!("{{{name}}}")), "{place} {name}");
                assert_eq!(parameter["required"], true, "{place} {name}");
            }
        }
        let in_path = path.matches('{').count();
        let said = names.iter().filter(|(within, _)| *within == "path").count();
        assert_eq!(in_path, said, "{place}: every part of the path is described");
        if let Some(body) = operation.get("requestBody") {
            assert!(body["content"].as_object().is_some_and(|content| !content.is_empty()));
        }
    }
    assert!(ids.len() > 50);
}

/// Calls `look` for every value below.
fn walk(value: &Value, look: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                look(name, value);
                walk(value, look);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| walk(value, look)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_one() {
    let document = &document().0;
    let mut references = 0;
    walk(document, &mut |name, value| match (name, value) {
        ("$ref", Value::String(to)) => {
            references += 1;
            let found = to.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            assert!(found.is_some(), "{to}");
        }
        ("type", Value::String(kind)) => {
            let kinds =
                ["string", "number", "integer", "boolean", "object", "array", "null", "http"];
            assert!(kinds.contains(&kind.as_str()), "{kind}");
        }
        _ => {}
    });
    assert!(references > 100, "{references}");
    let row = &document["components"]["schemas"]["Row"];
    let told = row["properties"]["subject"]["description"].as_str();
    assert_eq!(told, Some("The subject."), "comments of the types are its descriptions: {row}");
    let problem = &document["components"]["schemas"]["ApiProblem"];
    for field in ["type", "title", "status", "detail"] {
        assert!(problem["required"].as_array().unwrap().contains(&json!(field)), "{field}");
    }
    assert!(problem["properties"]["position"].is_object());
}

#[test]
fn routes_document_and_permissions_are_the_same_set() {
    let document = &document().0;
    let told: BTreeSet<(String, String)> =
        operations(document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routed: BTreeSet<(String, String)> =
        routes::all().list().into_iter().map(|(method, path)| (method.to_string(), path)).collect();
    assert_eq!(told, routed);
    let guarded: BTreeSet<(String, String)> = ROUTES
        .iter()
        .filter(|route| route.path.starts_with(BASE))
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .collect();
    assert_eq!(told, guarded, "auth/access.rs has a line for each route, and no other");
    for (method, path, operation) in operations(document) {
        let method: Method = method.parse().unwrap();
        match access(&method, &path) {
            Some(Access::Needs(permission)) => {
                assert_eq!(operation["x-permission"], permission.slug(), "{path}");
            }
            Some(Access::NeedsAny(any)) => {
                assert_eq!(operation["x-permission-any"][0], any[0].slug(), "{path}");
            }
            other => assert!(operation.get("x-permission").is_none(), "{path} {other:?}"),
        }
    }
}

#[test]
fn examples_are_right() {
    let mut seen = BTreeSet::new();
    let parse = |name: &str, example: &str| match name {
        "q" => center::query::parse(example).map(drop).map_err(|error| error.to_string()),
        "sort" => example.parse::<center::search::Sort>().map(drop).map_err(|e| e.to_string()),
        "cols" => example.split(',').try_for_each(|name| {
            let column = name.parse::<center::query::fields::ColumnName>();
            column.map(drop).map_err(|error| error.to_string())
        }),
        "from" | "to" => format!("{example}T00:00:00Z")
            .parse::<types::Timestamp>()
            .map(drop)
            .map_err(|e| e.to_string()),
        other => Err(format!("nobody knows whether examples of {other} are right")),
    };
    for (method, path, operation) in operations(&document().0) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            for example in parameter["schema"]["examples"].as_array().into_iter().flatten() {
                let example = example.as_str().unwrap();
                assert_eq!(parse(name, example), Ok(()), "{method} {path} {name}={example}");
                seen.insert(name.to_owned());
            }
        }
    }
    assert!(seen.contains("q") && seen.contains("sort") && seen.contains("cols"), "{seen:?}");
    let schemas = &document().0["components"]["schemas"];
    let example = |name: &str| schemas[name]["examples"][0].as_str().unwrap().to_owned();
    assert!(example("Timestamp").parse::<types::Timestamp>().is_ok());
    assert!(example("Reference").parse::<types::Reference>().is_ok());
}
