//! What the place of a client means by the geographical definition that
//! applies.

use types::definition::{GeographicalAction, GeographicalDefinition};
use types::evidence::Need;
use types::{CheckName, Decision, Observed, PlaceFacts, Reason};

use super::RuleAnswer;
use crate::decide::Case;

/// Mail from a place that is blocked, that is not among those permitted, or
/// whose mail is held; no permit skips it. An address of which no file knows
/// the place is nowhere: nothing follows, whatever the definition says.
pub(crate) fn geography(case: &mut Case<'_>) -> RuleAnswer {
    let Some((definition, by)) = case.geography() else { return RuleAnswer::NotMine };
    let facts = match case.evidence.latest(CheckName::Place) {
        Some(Observed::Place(facts)) => facts,
        Some(_) => return RuleAnswer::NotMine,
        None => return RuleAnswer::Needs(Need::Place),
    };
    let reason = match (definition.action, is_among(definition, facts)) {
        (GeographicalAction::Permit, Some(false)) | (GeographicalAction::Block, Some(true)) => {
            Reason::GeoBlocked
        }
        (GeographicalAction::Hold, Some(true)) => Reason::HoldGeo,
        _ => return RuleAnswer::NotMine,
    };
    RuleAnswer::Decides(Decision::new(reason, CheckName::Place).by(by))
}

/// Whether a client is at one of the places; nothing where that is not known.
fn is_among(definition: &GeographicalDefinition, facts: &PlaceFacts) -> Option<bool> {
    let country = facts.country.map(|country| definition.countries.contains(&country));
    let network = facts.network.map(|network| definition.networks.contains(&network));
    if country == Some(true) || network == Some(true) {
        return Some(true);
    }
    let country_known = definition.countries.is_empty() || country.is_some();
    let network_known = definition.networks.is_empty() || network.is_some();
    (country_known && network_known).then_some(false)
}
