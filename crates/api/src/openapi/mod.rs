//! The API describing itself: the router of the API and its OpenAPI 3.1
//! document are made from the same lines, and what an operation takes and
//! gives is read off its handler.

mod described;
mod draft;
pub(crate) mod page;

use std::sync::OnceLock;

use axum::Router;
use axum::body::Bytes;
use axum::handler::Handler;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, on};
use serde_json::{Map, Value, json};

use crate::Api;
use crate::auth::access::{Access, access};
use crate::routes;
pub(crate) use described::{Described, Given, text};
pub(crate) use draft::Draft;
use draft::Schemas;

/// Where the API stands.
pub(crate) const BASE: &str = "/api/v1";

/// How an operation is written down.
type Describe = fn(&mut Draft<'_>);

/// One line of the API.
struct Operation {
    method: Method,
    path: &'static str,
    summary: &'static str,
    handler: &'static str,
    describe: Describe,
}

/// A router that remembers what its handlers are.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<Api>,
    operations: Vec<Operation>,
}

impl Routes {
    /// No route yet.
    pub(crate) fn new() -> Self {
        Routes::default()
    }

    /// Adds a route: what it does in one sentence, and what does it.
    pub(crate) fn on<H, T, D>(
        mut self,
        method: Method,
        path: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Api> + Described<D>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        self.router = self.router.route(path, on(filter, handler));
        let handler = std::any::type_name::<H>();
        self.operations.push(Operation { method, path, summary, handler, describe: H::describe });
        self
    }

    /// Adds a route for looking.
    pub(crate) fn get<H, T, D>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Api> + Described<D>,
        T: 'static,
    {
        self.on(Method::GET, path, summary, handler)
    }

    /// Adds a route for acting.
    pub(crate) fn post<H, T, D>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Api> + Described<D>,
        T: 'static,
    {
        self.on(Method::POST, path, summary, handler)
    }

    /// Adds a route for putting something in a place.
    pub(crate) fn put<H, T, D>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Api> + Described<D>,
        T: 'static,
    {
        self.on(Method::PUT, path, summary, handler)
    }

    /// Adds a route for removing.
    pub(crate) fn delete<H, T, D>(
        self,
        path: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Api> + Described<D>,
        T: 'static,
    {
        self.on(Method::DELETE, path, summary, handler)
    }

    /// Does something to the router alone.
    pub(crate) fn with(self, change: impl FnOnce(Router<Api>) -> Router<Api>) -> Self {
        Routes { router: change(self.router), ..self }
    }

    /// These and those.
    pub(crate) fn merge(mut self, other: Routes) -> Self {
        self.operations.extend(other.operations);
        Routes { router: self.router.merge(other.router), operations: self.operations }
    }

    /// The router, below [`BASE`].
    pub(crate) fn router(self) -> Router<Api> {
        self.router
    }

    /// Every route with its method, whole.
    #[cfg(test)]
    pub(crate) fn list(&self) -> Vec<(Method, String)> {
        let whole =
            |operation: &Operation| (operation.method.clone(), format!("{BASE}{}", operation.path));
        self.operations.iter().map(whole).collect()
    }

    /// The document.
    pub(crate) fn document(&self) -> Value {
        let mut schemas = Schemas::new();
        let mut paths = Map::new();
        for operation in &self.operations {
            let path = format!("{BASE}{}", operation.path);
            let method = operation.method.as_str().to_lowercase();
            let told = operation.tell(&mut schemas, &path);
            let place = paths.entry(path).or_insert_with(|| json!({}));
            place[method] = told;
        }
        json!({
            "openapi": "3.1.0",
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "info": {
                "title": "Portcullis",
                "version": env!("CARGO_PKG_VERSION"),
                "description": ABOUT,
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/" }],
            "security": [{ "token": [] }],
            "paths": paths,
            "components": {
                "schemas": schemas.into_map(),
                "securitySchemes": { "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API token; the console's session cookie works as well.",
                } },
            },
        })
    }
}

impl Operation {
    /// The operation as the document has it.
    fn tell(&self, schemas: &mut Schemas, path: &str) -> Value {
        let mut draft = Draft::new(schemas, self.path);
        (self.describe)(&mut draft);
        let (module, name) = self.name();
        let allowed = match access(&self.method, path) {
            Some(Access::Needs(permission)) => Some(("x-permission", json!(permission.slug()))),
            Some(Access::NeedsAny(any)) => {
                let slugs: Vec<&str> = any.iter().map(|permission| permission.slug()).collect();
                Some(("x-permission-any", json!(slugs)))
            }
            Some(Access::Public | Access::Entrance) => Some(("security", json!([]))),
            Some(Access::SignedIn) | None => None,
        };
        let told = [
            ("operationId", json!(format!("{module}_{name}"))),
            ("tags", json!([module])),
            ("summary", json!(self.summary)),
        ];
        let told = told.into_iter().chain(allowed).map(|(name, value)| (name.to_owned(), value));
        draft.finish(told.collect())
    }

    /// Module and name of the handler: `api::routes::queue::list` is
    /// `queue` and `list`.
    fn name(&self) -> (&'static str, &'static str) {
        let mut parts = self.handler.rsplit("::");
        let name = parts.next().unwrap_or_default();
        (parts.next().unwrap_or_default(), name)
    }
}

/// What the document says of the API as a whole.
const ABOUT: &str = "Everything the console shows and does, with the same words: what is \
in an address of the console is in an address of the API. Errors are problems (RFC 9457). \
Times are RFC 3339 in UTC with milliseconds. Lists are read page by page: the cursor of the \
next page comes with each. Streams send one JSON object per line (NDJSON) or as \
server-sent events, and go on where they ended with `Last-Event-ID`.";

/// The document as it is sent, made once: it depends on nothing but the
/// program.
pub(crate) fn document() -> &'static (Value, Bytes) {
    static DOCUMENT: OnceLock<(Value, Bytes)> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let document = routes::all().document();
        let octets = serde_json::to_vec(&document).unwrap_or_default();
        (document, Bytes::from(octets))
    })
}

/// `GET /openapi.json`
pub(crate) async fn openapi() -> OpenApi {
    OpenApi
}

/// The document as an answer.
pub(crate) struct OpenApi;

impl IntoResponse for OpenApi {
    fn into_response(self) -> axum::response::Response {
        ([(header::CONTENT_TYPE, "application/json")], document().1.clone()).into_response()
    }
}

impl Given for OpenApi {
    fn describe(draft: &mut Draft<'_>) {
        let content = [("application/json", json!({ "type": "object" }))];
        draft.answer(200, "The OpenAPI 3.1 document of this API.", &content);
    }
}

#[cfg(test)]
mod tests;
