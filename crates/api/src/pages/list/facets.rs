//! The facets beside a list: the values of a field, each with the way to it
//! and without it.

use super::address::Address;
use crate::pages::sizes::grouped;

/// The facets of the list, each value with its links.
pub(super) struct FacetView {
    pub(super) label: String,
    pub(super) values: Vec<FacetRow>,
    pub(super) others: Option<String>,
}

/// One value of a facet.
pub(super) struct FacetRow {
    pub(super) label: String,
    pub(super) count: String,
    pub(super) add: String,
    pub(super) exclude: String,
    pub(super) chosen: Option<bool>,
}

/// The facets of a list as links.
pub(super) fn facets(address: &Address, facets: &[center::search::Facet]) -> Vec<FacetView> {
    let to = |query: &String| address.with(|address| address.query.clone_from(query));
    let row = |value: &center::search::FacetValue| FacetRow {
        label: value.label.clone(),
        count: grouped(value.count),
        add: to(&value.add),
        exclude: to(&value.exclude),
        chosen: value.chosen,
    };
    let view = |facet: &center::search::Facet| FacetView {
        label: facet.label.clone(),
        values: facet.values.iter().map(row).collect(),
        others: (facet.others > 0).then(|| grouped(facet.others)),
    };
    facets.iter().map(view).collect()
}
