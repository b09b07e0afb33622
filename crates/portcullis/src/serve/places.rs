//! Files of places while the server runs: read again when they change, with
//! their age for people and monitoring.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use center::ReadyCheck;
use center::metrics::{MetricSource, Sample};
use checks::{Checks, PlaceSettings};
use policy::PolicySet;
use types::spoken;

use super::convert;
use super::gateway::Gateway;
use super::inspect::whole;
use crate::settings::Settings;
use crate::telemetry::{Log, Message};

/// Data older than this are told of: blocks of addresses move.
const OLD: Duration = Duration::from_secs(90 * 86_400);

/// What fails where a file cannot be used.
const WORK: &str = "files of places";

/// What is said where a policy asks what no file knows.
pub(super) const NO_SYSTEMS: &str = "a policy restricts networks by their AS numbers, but no file \
     knows these, so nobody is restricted by them: name a geo.database of autonomous systems";

/// What is known of the files of places.
pub(crate) struct PlacesWatch {
    checks: Arc<Checks>,
    policy: Arc<ArcSwap<PolicySet>>,
}

impl PlacesWatch {
    pub(super) fn new(checks: Arc<Checks>, policy: Arc<ArcSwap<PolicySet>>) -> Arc<PlacesWatch> {
        Arc::new(PlacesWatch { checks, policy })
    }

    /// Puts the files of the settings in force at the start. One that cannot
    /// be used knows no place until it can, as where there is none: the server
    /// starts all the same.
    pub(super) fn start(&self, settings: PlaceSettings, log: &Log) {
        for error in self.checks.places().replace(settings) {
            log.say(&Message::WorkFailed { work: WORK, problem: whole(&error) });
        }
    }

    /// Reads the files again that have changed; what cannot be used is left
    /// as it was.
    ///
    /// # Errors
    /// The first of them.
    pub(super) fn reread(&self) -> Result<(), String> {
        self.checks.places().reread().first().map_or(Ok(()), |error| Err(whole(error)))
    }

    /// Whether there is a file for the policies that ask, and how old each
    /// is. None of it keeps mail out.
    pub(super) fn check(&self) -> ReadyCheck {
        let (asked, systems_asked) = {
            let policies = self.policy.load();
            (policies.asks_places(), policies.asks_systems())
        };
        let no_systems = systems_asked && !self.checks.places().knows_systems();
        let ages = self.ages();
        let broken = self.checks.places().broken();
        let old = ages.iter().any(|(_, age)| *age > OLD);
        let mut told: Vec<String> = broken.iter().map(unusable).collect();
        told.extend(ages.iter().map(|(name, age)| format!("{name} is {} old", spoken(*age))));
        let (ok, text) = match (told.is_empty(), asked) {
            (true, false) => (true, "no file, and no policy asks for one".to_owned()),
            (true, true) => {
                let text = "a policy restricts places, but no file says where clients are: name a \
                            geo.database, or use portcullis geo import";
                (false, text.to_owned())
            }
            (false, _) => {
                told.splice(..0, no_systems.then(|| NO_SYSTEMS.to_owned()));
                (broken.is_empty() && !old && !no_systems, told.join("; "))
            }
        };
        ReadyCheck { name: "places".to_owned(), ok, needed: false, text }
    }

    fn ages(&self) -> Vec<(Arc<str>, Duration)> {
        let now = self.checks.now();
        let files = self.checks.places().status();
        files.into_iter().map(|file| (file.name, now.since(file.data_of))).collect()
    }
}

/// What is said of a file that cannot be used.
fn unusable((path, is_known): &(std::path::PathBuf, bool)) -> String {
    let then = if *is_known { "; what was read of it before counts on" } else { "" };
    format!("{} cannot be used{then}", path.display())
}

impl MetricSource for PlacesWatch {
    fn collect(&self, out: &mut Vec<Sample>) {
        for (name, age) in self.ages() {
            let metric = "portcullis_place_file_age_seconds";
            out.extend(Sample::number(metric, &[&name], age.as_secs_f64()));
        }
    }
}

/// Puts the files of new settings in force. They were checked with the
/// settings; one that has become unreadable since leaves the old content.
pub(super) fn replace(gateway: &Gateway, settings: &Settings) {
    gateway.places.start(convert::places(settings), &gateway.log);
}
