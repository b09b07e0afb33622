//! Looking at what came, once for all alerts.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use store::search::{
    Arrival, Exactness, Filter, Order, Query, RowsPage, Stop, TextColumn, TextMatch,
};
use store::state::{Firing, StoredAlert};
use types::{Actor, AuditAction, AuditNote, Caller, Timestamp};

use super::message::{AlertedRow, Finds, ROWS_MAX};
use super::setting::Owner;
use super::window::{Key, Window};
use super::{AlertWhen, Alerts, Terms, minutes_of, shown, telling};
use crate::search::SearchRequest;
use crate::sight::Seen;
use crate::{Center, CenterError};

/// How often it is noted how far the log was looked at.
const NOTE_EVERY: Duration = Duration::from_secs(30);
/// Under which key it is noted.
const NOTED: &str = "alerts.looked_at";
/// What stands as the listener in events of mail that tells of alerts: such
/// an event fires no alert, or one would feed itself for ever.
pub(crate) const OWN_LISTENER: &str = "alerts";
/// How exactly it is counted what made an alert fire.
const COUNT_EXACT_MAX: u64 = 10_000;

/// How far the log was looked at, and what is remembered of it.
#[derive(Default)]
pub(super) struct Watch {
    position: Option<Arrival>,
    noted_at: Option<Timestamp>,
    windows: HashMap<u64, Watched>,
}

/// The window of one alert, and what it was made of.
struct Watched {
    made_of: (String, String, Timestamp),
    window: Window,
}

/// An alert that watches.
struct Watching {
    stored: StoredAlert,
    terms: Terms,
    request: SearchRequest,
    caller: Caller,
    filter: Filter,
}

impl Center {
    /// Looks at what came since the last time and lets alerts fire. Called
    /// every second; of the events that came only the columns are looked at.
    ///
    /// # Errors
    ///
    /// The store fails. What was looked at is looked at again then.
    pub fn watch_alerts(&self) -> Result<(), CenterError> {
        let Some(alerts) = &self.alerts else { return Ok(()) };
        let mut watch = alerts.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.look(alerts, &mut watch);
        if done.is_err() {
            // Begin again from what is written down.
            *watch = Watch::default();
        }
        done
    }

    fn look(&self, alerts: &Alerts, watch: &mut Watch) -> Result<(), CenterError> {
        let now = self.parts.clock.now();
        let search = self.memory.search_of_house();
        let here = search.arrived(now);
        let position = match watch.position {
            Some(position) => position,
            None => self.noted_position(here)?,
        };
        if position.is_where(&here) {
            watch.position = Some(here);
            return Ok(());
        }
        let watching = self.watching(alerts)?;
        if watching.is_empty() {
            // Nobody asks: what came needs no look, which costs as much as an
            // attempt. An alert to come fills its window from what is stored.
            watch.windows.clear();
            watch.position = Some(here);
            return self.note_position(watch, here);
        }
        self.remember(watch, &watching, position.seen_before(), here)?;
        let filters: Vec<Filter> = watching.iter().map(|one| one.filter.clone()).collect();
        let windows = &mut watch.windows;
        let mut failed = None;
        let position = search.follow_each(&filters, &position, now, &mut |place, at, id| {
            let Some(one) = watching.get(place) else { return ControlFlow::Continue(()) };
            match self.came(alerts, windows, one, (at, id)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        watch.position = Some(position);
        self.note_position(watch, position)
    }

    /// An event that matches came.
    fn came(
        &self,
        alerts: &Alerts,
        windows: &mut HashMap<u64, Watched>,
        one: &Watching,
        key: Key,
    ) -> Result<(), CenterError> {
        let Some(watched) = windows.get_mut(&one.stored.view.id) else { return Ok(()) };
        if let Some(at) = watched.window.came(key) {
            self.fire(alerts, one, at)?;
            watched.window.fired(at);
        }
        Ok(())
    }

    /// How far the log was looked at for certain; from now on where it never
    /// was.
    fn noted_position(&self, here: Arrival) -> Result<Arrival, CenterError> {
        let noted = self.parts.policies.fact(NOTED)?;
        let noted = noted.and_then(|text| text.parse().ok()).map(Timestamp::from_millis);
        let from = noted.unwrap_or_else(|| self.memory.search_of_house().now_at().seen_before());
        // A clock that was ahead for a moment must not blind all alerts.
        Ok(Arrival::at(from.min(here.seen_before())))
    }

    fn note_position(&self, watch: &mut Watch, at: Arrival) -> Result<(), CenterError> {
        let now = self.parts.clock.now();
        if watch.noted_at.is_none_or(|noted| now.since(noted) >= NOTE_EVERY) {
            let seen = at.seen_before().as_millis().to_string();
            self.parts.policies.set_fact(NOTED, Some(&seen))?;
            watch.noted_at = Some(now);
        }
        Ok(())
    }

    /// The alerts that watch. One whose owner may not see its rows any more,
    /// or whose view cannot be watched any more, is stopped and says why.
    fn watching(&self, alerts: &Alerts) -> Result<Vec<Watching>, CenterError> {
        let mut owners: HashMap<String, Owner> = HashMap::new();
        let mut watching = Vec::new();
        for stored in alerts.parts.state.alerts()? {
            if stored.stopped.is_some() || shown(&stored).is_none() {
                continue;
            }
            let Ok(terms) = serde_json::from_str::<Terms>(&stored.document) else { continue };
            let who = format!("{:?} {}", terms.by, terms.webhook.is_some());
            let owner = match owners.get(&who) {
                Some(owner) => owner.clone(),
                None => {
                    let owner = alerts.owner(&stored.view.owner, &terms)?;
                    owners.insert(who, owner.clone());
                    owner
                }
            };
            match owner.map(|caller| self.watching_one(stored.clone(), terms, caller)) {
                Ok(Ok(one)) => watching.push(one),
                Ok(Err(CenterError::Store(error))) => return Err(CenterError::Store(error)),
                Ok(Err(error)) => self.stop_alert(alerts, &stored, &error.to_string())?,
                Err(why) => self.stop_alert(alerts, &stored, &why)?,
            }
        }
        Ok(watching)
    }

    fn watching_one(
        &self,
        stored: StoredAlert,
        terms: Terms,
        caller: Caller,
    ) -> Result<Watching, CenterError> {
        let request: SearchRequest = serde_json::from_str(&stored.view.request)
            .map_err(|_| CenterError::invalid("its view is of another version of the program"))?;
        let seen = self.seen_by(&caller);
        let scope = seen.scope_to_come(&request)?;
        let filter = not_our_own(seen.events.over(&scope.filter).into_owned());
        Ok(Watching { stored, terms, request, caller, filter })
    }

    pub(super) fn stop_alert(
        &self,
        alerts: &Alerts,
        stored: &StoredAlert,
        why: &str,
    ) -> Result<(), CenterError> {
        let (actor, now) = (Actor::machine("alerts"), self.parts.clock.now());
        let note = AuditNote::new(actor, AuditAction::AlertStopped, &stored.view.name, now);
        let note = AuditNote { note: why.to_owned(), ..note };
        Ok(alerts.parts.state.stop_alert(stored.view.id, why, &note)?)
    }

    /// Makes the windows of alerts that have none, of what came before
    /// `until`, and forgets those of alerts that are gone. What a clock that
    /// was ahead wrote down of an alert counts as if it were from now.
    fn remember(
        &self,
        watch: &mut Watch,
        watching: &[Watching],
        until: Timestamp,
        here: Arrival,
    ) -> Result<(), CenterError> {
        let ids: HashSet<u64> = watching.iter().map(|one| one.stored.view.id).collect();
        watch.windows.retain(|id, _| ids.contains(id));
        for one in watching {
            let StoredAlert { view, document, since, fired, .. } = &one.stored;
            let made_of = (document.clone(), view.request.clone(), *since);
            if watch.windows.get(&view.id).is_some_and(|watched| watched.made_of == made_of) {
                continue;
            }
            let Terms { when, quiet_minutes, .. } = one.terms;
            let since = (*since).min(self.parts.clock.now());
            let fired = fired.filter(|fired| *fired < here.end());
            let mut window = Window::new(when, quiet_minutes, since, fired);
            let from = window.reaches_back_to(until);
            if from < until {
                let (filter, times) = (&one.filter, from..until);
                let query = Query { filter, times, stop: Stop::never() };
                let page = RowsPage { after: None, rows_max: window.kept_max() };
                let found = self.memory.search_of_house().rows(&query, Order::NEWEST, &page)?;
                found.events.iter().for_each(|event| window.known((event.at, event.id)));
            }
            watch.windows.insert(view.id, Watched { made_of, window });
        }
        Ok(())
    }

    /// Writes down that an alert fires at `at`, and what is to be told.
    fn fire(&self, alerts: &Alerts, one: &Watching, at: Timestamp) -> Result<(), CenterError> {
        let finds = finds(&self.seen_by(&one.caller), one, at)?;
        let view = &one.stored.view;
        let of_view = (view.id, view.name.as_str(), &one.request);
        let message = self.alert_message(&one.terms, of_view, finds, at);
        let firing = Firing {
            view: view.id,
            since: one.stored.since,
            event: Some(at),
            tellings: telling::tellings(&one.terms, &message)?,
            at: self.parts.clock.now(),
        };
        if alerts.parts.state.fire(&firing, None)? {
            alerts.counts.fired.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// What an alert that fires at `at` found, as its owner sees it.
fn finds(seen: &Seen<'_>, one: &Watching, at: Timestamp) -> Result<Finds, CenterError> {
    let end = at + Duration::from_millis(1);
    let start = match one.terms.when {
        // The window is open at its beginning.
        AlertWhen::MoreThan { minutes, .. } => end.before(minutes_of(minutes)),
        AlertWhen::First => at,
    };
    // A clock that was ahead may have set the alert.
    let since = Some(one.stored.since).filter(|since| *since <= at);
    let times = since.map_or(start, |since| start.max(since))..end;
    let query = Query { filter: &one.filter, times: times.clone(), stop: seen.patience() };
    let count = seen.events.count(&query, COUNT_EXACT_MAX)?;
    let page = RowsPage { after: None, rows_max: ROWS_MAX };
    let newest = seen.events.rows(&query, Order::NEWEST, &page)?;
    let newest = newest.events.iter().map(AlertedRow::of).collect();
    let exact = count.exactness == Exactness::Exact;
    Ok(Finds { count: count.rows, exact, times, newest })
}

/// Without what becomes of the mail that tells of alerts.
fn not_our_own(filter: Filter) -> Filter {
    let own = TextMatch::Equals(OWN_LISTENER.to_owned());
    let own = Filter::Text(TextColumn::Listener, own);
    Filter::All(vec![filter, Filter::Not(Box::new(own))])
}
