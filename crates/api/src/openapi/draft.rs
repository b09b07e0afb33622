//! One operation of the document while its handler is being read.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Where the document keeps schemas.
const SCHEMAS: &str = "/components/schemas";
/// The end of names of schemas for what is sent to us: there, what has a
/// default may be left out.
const SENT: &str = "Sent";

/// The schemas that were met.
pub(crate) struct Schemas {
    given: SchemaGenerator,
    taken: SchemaGenerator,
}

impl Schemas {
    /// None yet.
    pub(crate) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = SCHEMAS.into();
                settings.meta_schema = None;
            })
        };
        Schemas {
            given: settings().for_serialize().into_generator(),
            taken: settings().for_deserialize().into_generator(),
        }
    }

    /// All of them, by name.
    pub(crate) fn into_map(mut self) -> Map<String, Value> {
        let mut all = self.given.take_definitions(true);
        for (name, schema) in self.taken.take_definitions(true) {
            all.insert(name + SENT, renamed(schema));
        }
        all
    }
}

/// The schema with its references to schemas of what is sent.
fn renamed(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let field = |(name, value)| match (name, value) {
                (name, Value::String(to)) if name == "$ref" => (name, Value::String(to + SENT)),
                (name, value) => (name, renamed(value)),
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(renamed).collect()),
        other => other,
    }
}

/// One operation.
pub(crate) struct Draft<'a> {
    schemas: &'a mut Schemas,
    /// Names in the pattern of its path.
    names: Vec<&'static str>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Map<String, Value>,
}

impl<'a> Draft<'a> {
    /// An operation at this path.
    pub(crate) fn new(schemas: &'a mut Schemas, path: &'static str) -> Self {
        let name = |part: &'static str| part.strip_prefix('{')?.strip_suffix('}');
        Draft {
            schemas,
            names: path.split('/').filter_map(name).collect(),
            parameters: Vec::new(),
            body: None,
            answers: Map::new(),
        }
    }

    /// A schema of what we give.
    pub(crate) fn given<T: JsonSchema>(&mut self) -> Value {
        self.schemas.given.subschema_for::<T>().to_value()
    }

    /// A schema of what is sent to us.
    pub(crate) fn taken<T: JsonSchema>(&mut self) -> Value {
        renamed(self.schemas.taken.subschema_for::<T>().to_value())
    }

    /// The parts of the path are of this kind.
    pub(super) fn path<T: JsonSchema>(&mut self) {
        let schema = match self.names.len() {
            1 => self.taken::<T>(),
            _ => super::described::text(),
        };
        let place =
            |name: &&str| json!({ "name": name, "in": "path", "required": true, "schema": schema });
        self.parameters.extend(self.names.iter().map(place));
    }

    /// The query has the fields of this type.
    pub(super) fn query<T: JsonSchema>(&mut self) {
        let whole = T::json_schema(&mut self.schemas.taken).to_value();
        self.fields(&whole);
    }

    fn fields(&mut self, schema: &Value) {
        let required: Vec<&str> = schema["required"]
            .as_array()
            .map_or(Vec::new(), |names| names.iter().filter_map(Value::as_str).collect());
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let mut field = renamed(field.clone());
            let told = field.as_object_mut().and_then(|field| field.remove("description"));
            let mut parameter = json!({
                "name": name,
                "in": "query",
                "required": required.contains(&name.as_str()),
                "schema": field,
            });
            if let (Some(told), Some(parameter)) = (told, parameter.as_object_mut()) {
                parameter.insert("description".into(), told);
            }
            self.parameters.push(parameter);
        }
    }

    /// A field of the header may be sent.
    pub(crate) fn header(&mut self, name: &str, told: &str) {
        self.parameters.push(json!({
            "name": name, "in": "header", "required": false, "description": told,
            "schema": super::described::text(),
        }));
    }

    /// A body is sent.
    pub(super) fn body(&mut self, media_type: &str, schema: Value) {
        self.body =
            Some(json!({ "required": true, "content": { media_type: { "schema": schema } } }));
    }

    /// We answer so.
    pub(crate) fn answer(&mut self, status: u16, told: &str, content: &[(&str, Value)]) {
        let content: Map<String, Value> = content
            .iter()
            .map(|(kind, schema)| ((*kind).to_owned(), json!({ "schema": schema })))
            .collect();
        let answer = match content.is_empty() {
            true => json!({ "description": told }),
            false => json!({ "description": told, "content": content }),
        };
        self.answers.insert(status.to_string(), answer);
    }

    /// Anything else is a problem.
    pub(super) fn problem(&mut self, schema: Value) {
        let content = json!({ "application/problem+json": { "schema": schema } });
        let told = "A problem, RFC 9457: what is wrong, for programs and people.";
        self.answers.insert("default".into(), json!({ "description": told, "content": content }));
    }

    /// The operation with what else is known of it.
    pub(super) fn finish(self, mut operation: Map<String, Value>) -> Value {
        operation.insert("responses".into(), Value::Object(self.answers));
        if !self.parameters.is_empty() {
            operation.insert("parameters".into(), Value::Array(self.parameters));
        }
        if let Some(body) = self.body {
            operation.insert("requestBody".into(), body);
        }
        Value::Object(operation)
    }
}
