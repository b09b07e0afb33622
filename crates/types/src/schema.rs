//! What the types that are written as text say of themselves in the document
//! of the API; all others derive it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

macro_rules! texts {
    ($($type:path, $name:literal, $description:literal, { $($key:literal: $value:expr),* };)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description $(, $key: $value)* })
            }
        }
    )*};
}

texts! {
    crate::Timestamp, "Timestamp", "A point in time, RFC 3339 in UTC with milliseconds.",
        { "format": "date-time", "examples": ["2026-11-21T10:04:15.900Z"] };
    crate::Reference, "Reference", "The twelve characters people quote.",
        { "minLength": 12, "maxLength": 12, "examples": ["7K2M4QX9B0TA"] };
    crate::Reason, "Reason", "A reason code; docs/reference/reasons.md has the list.",
        { "enum": crate::Reason::ALL.iter().map(|reason| reason.slug()).collect::<Vec<_>>() };
    crate::Domain, "Domain", "A domain name.", { "examples": ["corp.example"] };
    crate::EmailAddress, "EmailAddress", "An address.", { "examples": ["ana@corp.example"] };
    crate::ReversePath, "ReversePath", "An envelope sender; empty for bounces.",
        { "examples": ["ana@corp.example", ""] };
    crate::ForwardPath, "ForwardPath", "An envelope recipient.", { "examples": ["ana@corp.example"] };
    crate::lists::Pattern, "Pattern", "An address, or a domain.",
        { "examples": ["ana@corp.example", "corp.example"] };
    crate::lists::SenderPattern, "SenderPattern",
        "An address or a domain of a sender, or the domain of a DKIM signature with `dkim:` before it.",
        { "examples": ["ana@corp.example", "*.corp.example", "dkim:corp.example"] };
    crate::RoleName, "RoleName", "A role: one there is from the start, or one somebody made.",
        { "pattern": "^[a-z][a-z0-9_-]{0,39}$", "examples": ["viewer", "owner"] };
    crate::policy::DomainPattern, "DomainPattern", "A domain, or one with all below it.",
        { "examples": ["corp.example", "*.corp.example"] };
}
