//! What a handler takes and gives, read off its own signature, so that the
//! document cannot say anything else than what is compiled.

use std::future::Future;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::draft::Draft;
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
use crate::routes::streams::Follower;
use crate::routes::{Body, Params};

/// A handler that can say what it takes and gives. `Taken` is only there to
/// tell the handlers of different length apart, as axum does.
pub(crate) trait Described<Taken> {
    /// Writes it down.
    fn describe(draft: &mut Draft<'_>);
}

/// Something a handler takes.
pub(crate) trait Taken {
    /// Writes it down; most of what a handler takes is no part of the request.
    fn describe(_draft: &mut Draft<'_>) {}
}

/// Something a handler gives.
pub(crate) trait Given {
    /// Writes it down.
    fn describe(draft: &mut Draft<'_>);
}

macro_rules! handlers {
    ($($taken:ident),*) => {
        impl<Handler, Later, Answer, $($taken),*> Described<($($taken,)*)> for Handler
        where
            Handler: Fn($($taken),*) -> Later,
            Later: Future<Output = Answer>,
            Answer: Given,
            $($taken: Taken,)*
        {
            fn describe(draft: &mut Draft<'_>) {
                $($taken::describe(draft);)*
                Answer::describe(draft);
            }
        }
    };
}

handlers!();
handlers!(A);
handlers!(A, B);
handlers!(A, B, C);
handlers!(A, B, C, D);
handlers!(A, B, C, D, E);

impl Taken for State<Api> {}
impl<T> Taken for Extension<T> {}
impl Taken for Signed {}
impl Taken for Follower {}
impl Taken for axum::http::HeaderMap {}

impl<T: JsonSchema> Taken for Path<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.path::<T>();
    }
}

impl<T: JsonSchema> Taken for Params<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.query::<T>();
    }
}

impl<T: JsonSchema> Taken for Body<T> {
    fn describe(draft: &mut Draft<'_>) {
        let schema = draft.taken::<T>();
        draft.body("application/json", schema);
    }
}

/// A document of TOML.
impl Taken for String {
    fn describe(draft: &mut Draft<'_>) {
        draft.body("application/toml", text());
    }
}

/// A file of CSV.
impl Taken for axum::body::Bytes {
    fn describe(draft: &mut Draft<'_>) {
        draft.body("text/csv", text());
    }
}

impl<T: JsonSchema> Given for Json<T> {
    fn describe(draft: &mut Draft<'_>) {
        let schema = draft.given::<T>();
        draft.answer(200, "What was asked for.", &[("application/json", schema)]);
    }
}

impl<T: Given> Given for Result<T, ApiProblem> {
    fn describe(draft: &mut Draft<'_>) {
        T::describe(draft);
        let schema = draft.given::<ApiProblem>();
        draft.problem(schema);
    }
}

/// Text, or octets that are no JSON.
pub(crate) fn text() -> Value {
    json!({ "type": "string" })
}
