//! What is to be expected of a sender that was asked to come back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::finding::TripletFacts;
use types::policy::ClientIdentity;
use types::{Event, Sight, Timestamp};

use super::waits::{Waits, span_words};
use super::{DAYS_KEPT, Days, Of, domain_of, may_lack, network_of, sum_of};
use crate::CenterError;
use crate::explain::joins::triplet;
use crate::sight::Seen;

/// Fewest returns from which something is said: with fewer, one would be a
/// fifth of all.
const RETURNS_MIN: u64 = 5;

/// What became of first contacts like an open one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReturnPrior {
    /// Whose servers were looked at: `Servers of 192.0.2.0/24`; the closest
    /// of which enough is known.
    pub like: String,
    /// First contacts that came back, in the last 30 days.
    pub returned: u64,
    /// First contacts that never did.
    pub never: u64,
    /// Three of five came back after at least so many seconds; nothing if too
    /// few came back to say.
    pub usual_from_s: Option<u32>,
    /// And after at most so many.
    pub usual_to_s: Option<u32>,
    /// The same as a sentence.
    pub text: String,
}

impl Seen<'_> {
    /// What is to be expected of the sender of `event`, a first contact or a
    /// retry that came too early: of its network, else of its sender domain,
    /// else of all.
    pub(crate) fn return_prior(&self, event: &Event) -> Result<ReturnPrior, CenterError> {
        let counted = self.counted_days()?;
        let mut priors = Priors::of(counted.as_ref(), self.events.sight());
        let (like, waits, is_all) = priors.nearest(&Whose::of_event(event));
        Ok(prior(like, &waits, is_all))
    }
}

/// Whose coming back is asked about.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    /// The network of its servers, if they have one.
    network: Option<String>,
    /// The domain in MAIL FROM.
    domain: Option<String>,
    /// When it was asked to come back.
    pub(super) since: Timestamp,
}

impl Whose {
    /// The sender of an attempt that was asked to come back.
    pub(super) fn of_event(event: &Event) -> Whose {
        let sender = event.subject.reverse_path.as_deref();
        let domain = sender.map(|path| domain_of(path.as_str())).filter(|name| !name.is_empty());
        let network = Some(network_of(event.subject.client.client.ip));
        let since = triplet(event).map_or(event.started, |facts| facts.first_seen);
        Whose { network, domain, since }
    }

    /// The sender of a triplet; one that is known by its SPF domain has no
    /// network of its own.
    pub(crate) fn of_triplet(facts: &TripletFacts) -> Whose {
        let network = match facts.identity {
            ClientIdentity::Pool => None,
            ClientIdentity::Network => Some(facts.client.to_string()),
            ClientIdentity::Address => facts.client.parse().ok().map(network_of),
        };
        let domain = Some(domain_of(&facts.sender)).filter(|name| !name.is_empty());
        Whose { network, domain, since: facts.first_seen }
    }
}

/// What was counted, asked for many senders in a row: each sum is made once.
pub(super) struct Priors<'a> {
    days: Option<&'a Days>,
    sight: &'a Sight,
    near: BTreeMap<Of, Waits>,
    all: Option<Waits>,
}

impl<'a> Priors<'a> {
    /// What is in sight of these days.
    pub(super) fn of(days: Option<&'a Days>, sight: &'a Sight) -> Priors<'a> {
        Priors { days, sight, near: BTreeMap::new(), all: None }
    }

    /// How long a sender usually takes, from and to, in seconds; nothing if
    /// too few like it came back to say.
    pub(super) fn usual(&mut self, whose: &Whose) -> Option<(u32, u32)> {
        usual(&self.nearest(whose).1)
    }

    /// The closest of which enough is known, what is known of it, and whether
    /// nobody of it stayed away without being counted.
    fn nearest(&mut self, whose: &Whose) -> (String, Waits, bool) {
        let Whose { network, domain, .. } = whose.clone();
        let network = network.map(|net| (format!("Servers of {net}"), Of::Network(net)));
        let domain = domain.map(|name| (format!("Servers that send for {name}"), Of::Domain(name)));
        for (like, of) in network.into_iter().chain(domain) {
            let is_all = self.days.is_none_or(|days| !may_lack(days, &of));
            let waits = self.sum(of);
            if waits.returned() >= RETURNS_MIN {
                return (like, waits.clone(), is_all);
            }
        }
        let is_all = self.days.into_iter().flat_map(Days::values).all(|day| day.left_out == 0);
        ("Servers of all senders".to_owned(), self.everybody().clone(), is_all)
    }

    fn sum(&mut self, of: Of) -> &Waits {
        let (days, sight) = (self.days, self.sight);
        self.near
            .entry(of)
            .or_insert_with_key(|of| days.map(|days| sum_of(days, of, sight)).unwrap_or_default())
    }

    fn everybody(&mut self) -> &Waits {
        let (days, sight) = (self.days, self.sight);
        self.all.get_or_insert_with(|| {
            let mut all = Waits::default();
            for day in days.into_iter().flat_map(Days::values) {
                // Each first contact was counted twice: once here, once by network.
                let domains = day.counts.iter().filter(|((of, _), _)| matches!(of, Of::Domain(_)));
                let seen = domains.filter(|((_, to), _)| sight.sees_domain(to));
                seen.for_each(|(_, waits)| all.merge(waits));
            }
            all
        })
    }
}

/// How long most take, if enough came back to say.
fn usual(waits: &Waits) -> Option<(u32, u32)> {
    waits.usual().filter(|_| waits.returned() >= RETURNS_MIN)
}

/// `is_all`: nobody like this stayed away without being counted.
fn prior(like: String, waits: &Waits, is_all: bool) -> ReturnPrior {
    let (returned, never) = (waits.returned(), waits.never());
    let usual = usual(waits);
    let text = match usual {
        None => format!(
            "How soon it comes back cannot be said: too few first contacts like it were counted \
             in the last {DAYS_KEPT} days."
        ),
        Some(span) => {
            let never = match never {
                0 if is_all => "; none stayed away".to_owned(),
                0 => String::new(),
                1 => "; 1 first contact never came back".to_owned(),
                never => format!("; {never} first contacts never came back"),
            };
            let like = crate::presentable_within(&like, 120);
            format!(
                "{like} usually return after {} (from {returned} returns in {DAYS_KEPT} \
                 days{never}).",
                span_words(span)
            )
        }
    };
    ReturnPrior {
        like,
        returned,
        never,
        usual_from_s: usual.map(|(from, _)| from),
        usual_to_s: usual.map(|(_, to)| to),
        text,
    }
}
