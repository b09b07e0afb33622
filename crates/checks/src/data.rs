//! What the data of a message shows: its size, its hops, its author.

use types::finding::Unavailable;
use types::{CheckName, Finding, MessageFacts, Micros, Observed, Source, Stage};

/// Limits on the data that do not depend on a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataLimits {
    /// Received fields a message may carry (25).
    pub received_fields_max: u32,
}

/// The findings at end of data that every message has. `from` are the
/// comparable addresses of its From field.
pub fn message_findings(
    facts: &MessageFacts,
    declared: Option<u64>,
    from: Vec<String>,
    limits: DataLimits,
) -> [Finding; 3] {
    let size = Observed::Size { declared, received: Some(facts.size_octets) };
    let hops =
        Observed::Hops { received_fields: facts.received_fields, max: limits.received_fields_max };
    [
        at_data(CheckName::Size, size),
        at_data(CheckName::Hops, hops),
        at_data(CheckName::HeaderFrom, Observed::HeaderFrom { addresses: from }),
    ]
}

fn at_data(check: CheckName, observed: Observed) -> Finding {
    Finding { check, stage: Stage::Data, observed, source: Source::Session, took: Micros(0) }
}

/// A finding that a part of us is missing, at `stage`.
pub fn unavailable(what: Unavailable, stage: Stage) -> Finding {
    Finding {
        check: CheckName::System,
        stage,
        observed: Observed::Unavailable(what),
        source: Source::Memory,
        took: Micros(0),
    }
}
