//! The report as it was a moment ago, for a page that is loaded often: it
//! looks through days of events, of which there may be millions.
//!
//! A change to policies or permits makes it anew, because whoever takes a
//! refusal back wants to see it counted. Releases and rows that were let in
//! are counted some minutes later. Its [`Precision::to`] says how old it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use types::{Caller, Permission, Sight, Timestamp};

use super::Precision;
use crate::{Center, CenterError, permit};

/// For how long it is shown.
const SHOWN_FOR: Duration = Duration::from_secs(5 * 60);
/// Reports kept, for people who see different mail; the oldest go first.
const KEPT_MAX: usize = 32;

/// Reports that were made a moment ago.
#[derive(Debug, Default)]
pub(crate) struct RecentPrecision {
    kept: Mutex<Vec<Kept>>,
    /// One is made at a time: who comes second finds it made.
    making: Mutex<()>,
}

#[derive(Debug)]
struct Kept {
    of: ReportOf,
    report: Arc<Precision>,
}

/// What a report depends on, beside the events.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ReportOf {
    who: Arc<str>,
    sight: Sight,
    days: u32,
    version: u64,
}

impl RecentPrecision {
    fn found(&self, of: &ReportOf, now: Timestamp) -> Option<Arc<Precision>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |report: &Precision| now.since(report.to) < SHOWN_FOR;
        let found = kept.iter().find(|kept| kept.of == *of && is_fresh(&kept.report));
        found.map(|kept| Arc::clone(&kept.report))
    }

    fn keep(&self, of: ReportOf, report: &Arc<Precision>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Of one person and span, the last one alone is of use.
        kept.retain(|other| (&other.of.who, other.of.days) != (&of.who, of.days));
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Kept { of, report: Arc::clone(report) });
    }
}

impl Center {
    /// As [`Center::precision`], at most five minutes old.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn recent_precision(
        &self,
        caller: &Caller,
        days: u32,
    ) -> Result<Arc<Precision>, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        permit(caller, Permission::SeePolicies)?;
        let of = ReportOf {
            who: Arc::clone(&caller.name),
            sight: caller.sight.clone(),
            days,
            version: self.parts.policies.version()?,
        };
        let recent = &self.recent_precision;
        let found = || recent.found(&of, self.parts.clock.now());
        if let Some(report) = found() {
            return Ok(report);
        }
        let _one_at_a_time = recent.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = found() {
            return Ok(report);
        }
        let report = Arc::new(self.precision(caller, days)?);
        recent.keep(of.clone(), &report);
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use types::Reason;

    use super::*;
    use crate::tests::{Gateway, at, block, sample};

    #[test]
    fn it_is_made_anew_when_it_is_old_or_policies_changed_and_for_each_person() {
        let gateway = Gateway::new(at(60));
        let center = &gateway.center;
        let root = Caller::with_all("root");
        let recent = |caller: &Caller| center.recent_precision(caller, 7).unwrap();
        let first = recent(&root);
        center.memory.of_house().record(vec![sample(1, Reason::RecipientUnknown)]).unwrap();
        gateway.advance(Duration::from_secs(299));
        assert!(Arc::ptr_eq(&first, &recent(&root)), "it is not looked through again");
        let limited = Caller {
            sight: Sight::of(vec!["corp.example".parse().unwrap()]).unwrap(),
            ..root.clone()
        };
        let other = recent(&limited);
        assert_eq!(other.to, at(359), "who sees less is told of less");
        assert_eq!(recent(&root).to, at(359));
        gateway.advance(Duration::from_secs(1));
        assert_eq!(recent(&root).to, at(359));
        center.put_policy(&root, block("x", "x.example"), None, "").unwrap();
        assert_eq!(recent(&root).to, at(360), "what was changed is counted");
        gateway.advance(Duration::from_secs(300));
        assert_eq!(recent(&root).to, at(660));
        let nobody = Caller::new("root", types::Permissions::NONE);
        assert!(matches!(center.recent_precision(&nobody, 7), Err(CenterError::Denied { .. })));
    }
}
