//! What greylisting costs: how long the mail of each sender domain was
//! delayed by it, and for whom it has caught nobody.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{Caller, Permission, Timestamp};

use super::waits::{Waits, at_most};
use super::{DAYS_KEPT, Of, day_begin, day_of};
use crate::hours::HOUR;
use crate::{Center, CenterError, permit, presentable_within};

/// Most domains shown at once.
const ROWS_MAX: usize = 1_000;
/// Fewest returns of a domain, with nobody who stayed away, from which an
/// exception is suggested.
const SUGGESTED_FROM: u64 = 20;

/// The delays of one sender domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DelayRow {
    /// The domain in MAIL FROM; `<>` for the null reverse-path.
    pub domain: String,
    /// First contacts that came back and passed.
    pub returned: u64,
    /// First contacts that never did.
    pub never: u64,
    /// Half of those that came back were delayed by at most so many seconds:
    /// the end of a class of waits.
    pub p50_s: Option<u32>,
    /// The same of 95 of a hundred.
    pub p95_s: Option<u32>,
    /// The first in words.
    pub p50: String,
    /// The second in words.
    pub p95: String,
    /// The search for its greylisted attempts.
    pub query: String,
    /// What could be done, if something could.
    pub suggestion: Option<DelaySuggestion>,
}

/// An exception that would spare mail its delay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DelaySuggestion {
    /// In words.
    pub text: String,
    /// The narrative of the policy that would do it.
    pub narrative: String,
    /// The domain it would be for.
    pub domain: String,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GreylistDelays {
    /// The first hour that was counted; nothing if none was.
    pub from: Option<Timestamp>,
    /// The end of the last.
    pub to: Option<Timestamp>,
    /// Sender domains, those with the most returns first.
    pub rows: Vec<DelayRow>,
    /// Domains beyond those.
    pub more: usize,
    /// What found no place in the counts, by sender domain and by network.
    /// Told of everybody's mail alone.
    pub left_out: u64,
}

impl Center {
    /// How long greylisting delayed the mail of each sender domain in the last
    /// `days` (at most 30; 0 means all that is kept); 0 rows mean 100. Who is
    /// limited to some domains gets what was counted of those.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn greylist_delays(
        &self,
        caller: &Caller,
        days: u32,
        rows_max: usize,
    ) -> Result<GreylistDelays, CenterError> {
        permit(caller, Permission::SeeGreylist)?;
        let rows_max = if rows_max == 0 { 100 } else { rows_max.min(ROWS_MAX) };
        let days = if days == 0 { DAYS_KEPT } else { days.min(DAYS_KEPT) };
        let first_day = day_of(self.parts.clock.now()) - i64::from(days) + 1;
        let counted = self.counted_days()?;
        let kept = counted.iter().flat_map(|all| all.range(first_day..));
        let mut sums: BTreeMap<&str, Waits> = BTreeMap::new();
        let (mut from, mut to, mut left_out, mut marks) = (None, None, 0, Vec::new());
        for (number, day) in kept {
            let hours = (0..24).filter(|hour| day.hours & (1 << hour) != 0);
            for hour in hours {
                let begin = day_begin(*number) + HOUR * hour;
                from.get_or_insert(begin);
                to = Some(begin + HOUR);
            }
            left_out += day.left_out;
            marks.push(&day.stayed_away);
            for ((of, to), waits) in &day.counts {
                if let Of::Domain(domain) = of
                    && caller.sight.sees_domain(to)
                {
                    sums.entry(domain).or_default().merge(waits);
                }
            }
        }
        let mut rows: Vec<(&str, Waits)> = sums.into_iter().collect();
        rows.sort_by_key(|(domain, waits)| {
            (std::cmp::Reverse((waits.returned(), waits.never())), *domain)
        });
        let more = rows.len().saturating_sub(rows_max);
        let rows = rows.iter().take(rows_max);
        let is_all = |domain: &str| !marks.iter().any(|marks| marks.may_have(domain));
        let rows = rows.map(|(domain, waits)| row(domain, waits, is_all(domain))).collect();
        let left_out = if caller.sight.is_everything() { left_out } else { 0 };
        Ok(GreylistDelays { from, to, rows, more, left_out })
    }
}

/// `is_all`: nobody of it stayed away without being counted.
fn row(domain: &str, waits: &Waits, is_all: bool) -> DelayRow {
    let (p50, p95) = (waits.at_percent(50), waits.at_percent(95));
    let words = |class: Option<(u32, u32)>| class.map_or_else(|| "-".to_owned(), at_most);
    let shown = presentable_within(domain, 260);
    DelayRow {
        returned: waits.returned(),
        never: waits.never(),
        p50_s: p50.map(|(_, to)| to),
        p95_s: p95.map(|(_, to)| to),
        p50: words(p50),
        p95: words(p95),
        query: match domain.is_empty() {
            true => "type:greylist from:<>".to_owned(),
            false => format!("type:greylist from:*@{shown}"),
        },
        suggestion: suggestion(domain, &shown, waits).filter(|_| is_all),
        domain: if domain.is_empty() { "<>".to_owned() } else { shown },
    }
}

/// Greylisting a domain of which nobody ever stays away delays mail and
/// refuses none. The null reverse-path is everybody's.
fn suggestion(domain: &str, shown: &str, waits: &Waits) -> Option<DelaySuggestion> {
    let returned = waits.returned();
    let all_came_back = waits.never() == 0 && returned >= SUGGESTED_FROM && !domain.is_empty();
    // An address literal is no domain that a policy could name.
    let is_name = !domain.starts_with('[');
    (all_came_back && is_name).then(|| DelaySuggestion {
        text: format!(
            "All {returned} mails of {shown} came back; consider \u{201c}no action\u{201d} for it."
        ),
        narrative: format!("Mail of {shown} always comes back: it need not wait"),
        domain: shown.to_owned(),
    })
}
