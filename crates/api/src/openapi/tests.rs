//! The document against OpenAPI 3.1 and against the routes.
