//! Finding and reading a suite.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_yaml_ng::Deserializer;

/// The documents of a suite; nothing, with a sentence, if it is not here.
pub(crate) fn documents<T: DeserializeOwned>(file: &str) -> Option<Vec<T>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let Ok(text) = std::fs::read_to_string(root.join(file)) else {
        println!("skipped: ../shared/conformance/{file} is not here");
        return None;
    };
    let documents = Deserializer::from_str(&text).map(|one| T::deserialize(one).unwrap());
    Some(documents.collect())
}
