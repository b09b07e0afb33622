//! What the matches are made of: the commonest values, each with the query
//! that adds or excludes it.

use serde::{Deserialize, Serialize};
use store::search::{FacetBy, NumberColumn, TallyPlan, TextColumn, WordColumn};
use types::{Caller, Permission, Reason};

use super::SearchRequest;
use crate::query::edit;
use crate::{Center, CenterError, permit, presentable_within};

/// Longest value, in characters: the longest address.
const VALUE_CHARS_MAX: usize = 320;
/// Longest label of a value, in characters.
const LABEL_CHARS_MAX: usize = 80;

/// The commonest values of one field among the matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Facet {
    /// By what the matches are divided.
    pub key: FacetKey,
    /// What people read above it.
    pub label: String,
    /// The commonest values, at most ten.
    pub values: Vec<FacetValue>,
    /// Matches with another value.
    pub others: u64,
    /// How many different values there are.
    pub distinct: u64,
    /// Whether the numbers are exact; else they are scaled up from a sample.
    pub exact: bool,
}

/// By what matches are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FacetKey {
    /// Why.
    Type,
    /// The domain of the envelope sender.
    FromDomain,
    /// The domain of the recipient.
    ToDomain,
    /// The client's network, /24 or /64.
    Network,
    /// The client's address.
    Ip,
    /// What it called itself.
    Helo,
    /// The policy that decided.
    Policy,
    /// The reply code.
    Code,
    /// Which way it goes; nothing where all of it came in.
    Direction,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FacetValue {
    /// The value as it is compared: in lower case.
    pub value: String,
    /// What people read.
    pub label: String,
    /// Matches with it.
    pub count: u64,
    /// The query with this value required.
    pub add: String,
    /// The query with this value excluded.
    pub exclude: String,
    /// Whether the query already requires it, or already excludes it.
    pub chosen: Option<bool>,
}

/// A facet: what is counted, and what its values are in the query language.
struct FacetRow {
    key: FacetKey,
    label: &'static str,
    by: FacetBy,
    /// The field of the query, and how a value is written for it.
    term: fn(&str) -> String,
}

const FACETS: [FacetRow; 9] = [
    FacetRow {
        key: FacetKey::Type,
        label: "Type",
        by: FacetBy::Word(WordColumn::Reason),
        term: |value| edit::term("type", value),
    },
    FacetRow {
        key: FacetKey::FromDomain,
        label: "Sender domain",
        by: FacetBy::Domain(TextColumn::From),
        term: |value| edit::term("from", &format!("@{value}")),
    },
    FacetRow {
        key: FacetKey::ToDomain,
        label: "Recipient domain",
        by: FacetBy::Domain(TextColumn::To),
        term: |value| edit::term("to", &format!("@{value}")),
    },
    FacetRow {
        key: FacetKey::Network,
        label: "Network",
        by: FacetBy::Network,
        term: |value| edit::term("ip", value),
    },
    FacetRow {
        key: FacetKey::Ip,
        label: "IP address",
        by: FacetBy::Ip,
        term: |value| edit::term("ip", value),
    },
    FacetRow {
        key: FacetKey::Helo,
        label: "HELO",
        by: FacetBy::Text(TextColumn::Helo),
        term: |value| edit::exact_term("helo", value),
    },
    FacetRow {
        key: FacetKey::Policy,
        label: "Policy",
        by: FacetBy::Text(TextColumn::Policy),
        term: |value| edit::term("policy", value.trim_start_matches('#')),
    },
    FacetRow {
        key: FacetKey::Code,
        label: "Code",
        by: FacetBy::Number(NumberColumn::Code),
        term: |value| edit::term("code", value),
    },
    FacetRow {
        key: FacetKey::Direction,
        label: "Direction",
        by: FacetBy::Text(TextColumn::Direction),
        term: |value| edit::term("direction", value),
    },
];

impl Center {
    /// The commonest values of each facet among the matches; of more than
    /// 200,000 matches, of an even sample.
    ///
    /// # Errors
    ///
    /// As [`Center::search`].
    pub fn facets(
        &self,
        caller: &Caller,
        request: &SearchRequest,
    ) -> Result<Vec<Facet>, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let seen = self.seen_by(caller);
        let scope = seen.scope(request)?;
        let plan =
            TallyPlan { facets: FACETS.iter().map(|row| row.by).collect(), ..TallyPlan::default() };
        let tallied = seen.events.tally(&scope.query(self.patience()), &plan)?;
        let found = |(row, facet): (&FacetRow, store::search::Facet)| {
            let named: u64 = facet.values.iter().map(|(_, count)| count).sum();
            let others = tallied.rows.saturating_sub(named.saturating_add(facet.empty));
            let facet = row.with_empty(facet);
            let values = facet.values.into_iter();
            Facet {
                key: row.key,
                label: row.label.to_owned(),
                values: values
                    .map(|(value, count)| row.value(&request.query, value, count))
                    .collect(),
                others,
                distinct: facet.distinct,
                exact: !facet.sampled && !tallied.stopped,
            }
        };
        Ok(FACETS.iter().zip(tallied.facets).map(found).collect())
    }
}

impl FacetRow {
    /// With what has no value under the name people have for it: mail that
    /// came in is recorded without a direction.
    fn with_empty(&self, mut facet: store::search::Facet) -> store::search::Facet {
        if self.key == FacetKey::Direction && facet.distinct > 0 && facet.empty > 0 {
            facet.values.push(("inbound".to_owned(), facet.empty));
            facet.values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            facet.distinct += 1;
        }
        facet
    }

    fn value(&self, query: &str, value: String, count: u64) -> FacetValue {
        let term = (self.term)(&value);
        let label = match self.key {
            FacetKey::Type => {
                value.parse::<Reason>().map_or(value.clone(), |reason| reason.label().to_owned())
            }
            _ => presentable_within(&value, LABEL_CHARS_MAX),
        };
        FacetValue {
            label,
            count,
            add: edit::and(query, &term),
            exclude: edit::and_not(query, &term),
            chosen: edit::chosen(query, &term),
            value: presentable_within(&value, VALUE_CHARS_MAX),
        }
    }
}
