//! Who submits mail in the simulated world: the product's own table of
//! submitters, whose passwords are kept and looked at as in production.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use center::submitters::{SubmitterParts, Submitters};
use center::{Activation, PolicyActivator};
use policy::PolicySet;
use portcullis::serve::submitters::Passwords;
use store::state::SqliteSubmitters;
use types::Caller;
use types::policy::BasePolicies;
use world::{Chance, Clock};

use crate::settings::GatewaySettings;

/// The table, in the folder of the gateway.
const FILE: &str = "submitters.sqlite";

/// What is around the table.
pub(crate) struct SubmitterWorld {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) policy: Arc<ArcSwap<PolicySet>>,
}

/// The submitters of a test; nothing if it has none.
///
/// # Panics
/// The table cannot be kept, or one of them is not taken.
pub(crate) fn passwords(
    settings: &GatewaySettings,
    folder: &Path,
    world: SubmitterWorld,
) -> Option<Arc<dyn receive::Submitters>> {
    if settings.submitters.is_empty() {
        return None;
    }
    let state = SqliteSubmitters::open(&folder.join(FILE)).unwrap_or_else(|e| panic!("{e}"));
    let submitters = Submitters::new(SubmitterParts {
        state: Arc::new(state),
        activator: Arc::new(InForce(world.policy)),
        clock: world.clock,
        chance: world.chance,
    });
    let author = Caller::with_all("test");
    let known = submitters.list(&author).unwrap_or_else(|error| panic!("{error}"));
    for new in &settings.submitters {
        if known.iter().all(|row| row.name != new.name) {
            let added = submitters.add(&author, new);
            added.unwrap_or_else(|error| panic!("the submitter {}: {error}", new.name));
        }
    }
    // Replies and events show what came of it.
    let nobody_hears = Box::new(|_, _: &_| ());
    Some(Arc::new(Passwords::new(Arc::new(submitters), nobody_hears)))
}

/// The policies in force, for the question which domains are ours.
struct InForce(Arc<ArcSwap<PolicySet>>);

impl PolicyActivator for InForce {
    fn base(&self) -> BasePolicies {
        self.0.load().base().clone()
    }

    fn in_force(&self) -> Arc<PolicySet> {
        self.0.load_full()
    }

    fn activate(&self, _: u64, _: Activation) -> Result<Vec<String>, String> {
        Err("the policies of a test are those of its document".to_owned())
    }
}
