//! What is to be expected of a sender that was asked to come back.

use serde::{Deserialize, Serialize};
use types::Event;

use super::waits::{Waits, span_words};
use super::{DAYS_KEPT, Days, Of, domain_of, network_of, sum_of};
use crate::CenterError;
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
        let none = Days::new();
        let days = counted.as_ref().unwrap_or(&none);
        let sight = self.events.sight();
        let is_all = days.values().all(|day| day.left_out == 0);
        let network = network_of(event.subject.client.client.ip);
        let sender = event.subject.reverse_path.as_deref();
        let domain = sender.map(|path| domain_of(path.as_str())).filter(|name| !name.is_empty());
        let near = [
            Some((format!("Servers of {network}"), Of::Network(network))),
            domain.map(|name| (format!("Servers that send for {name}"), Of::Domain(name))),
        ];
        for (like, of) in near.into_iter().flatten() {
            let waits = sum_of(days, &of, sight);
            if waits.returned() >= RETURNS_MIN {
                return Ok(prior(like, &waits, is_all));
            }
        }
        let mut all = Waits::default();
        for day in days.values() {
            // Each first contact was counted twice: once here, once by network.
            let domains = day.counts.iter().filter(|((of, _), _)| matches!(of, Of::Domain(_)));
            let seen = domains.filter(|((_, to), _)| sight.sees_domain(to));
            seen.for_each(|(_, waits)| all.merge(waits));
        }
        Ok(prior("Servers of all senders".to_owned(), &all, is_all))
    }
}

/// `is_all`: nothing was left out, so that nobody stayed away unseen.
fn prior(like: String, waits: &Waits, is_all: bool) -> ReturnPrior {
    let (returned, never) = (waits.returned(), waits.never());
    let usual = waits.usual().filter(|_| returned >= RETURNS_MIN);
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
