//! Setting an alert: what may be asked for, and who asks.

use serde::{Deserialize, Serialize};
use store::state::{Firing, StoredAlert};
use types::{AccountId, AuditAction, Caller, EmailAddress, ForwardPath, Permission, TokenId, Via};
use world::WebAddress;

use super::{
    ADDRESSES_MAX, ALERTS_MAX, ALERTS_OF_OWNER_MAX, Alert, AlertWhen, Alerts, COUNT_MAX, NewAlert,
    QUIET_MINUTES_MAX, SetAlert, Terms, WINDOW_MINUTES_MAX, shown,
};
use crate::error::Problem;
use crate::saved_views::SavedView;
use crate::sight::permit_recipient;
use crate::{Center, CenterError, permit};

/// Octets of a secret: as many as the hash has.
const SECRET_OCTETS: usize = 32;
/// How a secret begins, after the manner of Standard Webhooks.
const SECRET_PREFIX: &str = "whsec_";

/// By which way whoever set an alert had come in: their permissions are asked
/// for anew each time something comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SetBy {
    /// The machine itself.
    Machine,
    /// A person.
    Account(AccountId),
    /// A program.
    Token(AccountId, TokenId),
}

impl SetBy {
    fn of(caller: &Caller) -> Result<SetBy, CenterError> {
        match caller.via {
            Via::Machine => Ok(SetBy::Machine),
            Via::Account(account) => Ok(SetBy::Account(account)),
            Via::Token { account, token } => Ok(SetBy::Token(account, token)),
            Via::Visitor => Err(CenterError::Denied { permission: Permission::SeeMetadata }),
        }
    }
}

impl Center {
    /// Sets the alert of a saved view of the caller, in place of the one it
    /// has. It counts from now on.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] for a view of somebody else;
    /// [`CenterError::Denied`] for a webhook of who may not export, because it
    /// takes out what they see; what is wrong with the alert; a list or query that says only later what is in it.
    pub fn set_alert(
        &self,
        caller: &Caller,
        view: u64,
        new: &NewAlert,
    ) -> Result<SetAlert, CenterError> {
        let (alerts, view) = self.view_for_alert(caller, view)?;
        self.seen_by(caller).scope_to_come(&view.request)?;
        needed(new.webhook.is_some()).iter().try_for_each(|needed| permit(caller, *needed))?;
        let webhook = self.checked_alert(caller, new)?;
        self.permit_one_more(alerts, &view)?;
        let before = alerts.parts.state.alert(view.id)?;
        let (secret, shown_secret) = self.secret_of(new, before.as_ref());
        let terms = Terms {
            when: new.when,
            quiet_minutes: new.quiet_minutes,
            mail: new.mail.clone(),
            webhook: webhook.map(|to| to.to_string()),
            by: SetBy::of(caller)?,
        };
        let document = document(&terms)?;
        let note = self.audit_note(caller, AuditAction::AlertSet, &view.name);
        let note = note.with_details(self::document(&terms.without_secrets())?);
        let (secret, now) = (secret.as_deref(), self.parts.clock.now());
        if !alerts.parts.state.set_alert(view.id, &document, secret, now, &note)? {
            return Err(missing());
        }
        let alert = self.alert_of(view.id)?.ok_or_else(missing)?;
        Ok(SetAlert { alert, secret: shown_secret })
    }

    /// Removes the alert of a saved view of the caller.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`], also for a view of somebody else.
    pub fn remove_alert(&self, caller: &Caller, view: u64) -> Result<(), CenterError> {
        let (alerts, view) = self.view_for_alert(caller, view)?;
        let note = self.audit_note(caller, AuditAction::AlertRemoved, &view.name);
        match alerts.parts.state.remove_alert(view.id, &note)? {
            true => Ok(()),
            false => Err(missing()),
        }
    }

    /// Sends what the alert would send, marked as a test, to all whom it
    /// tells.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`]; an alert that is stopped, or of which much
    /// is still to be told.
    pub fn test_alert(&self, caller: &Caller, view: u64) -> Result<Alert, CenterError> {
        let (alerts, view) = self.view_for_alert(caller, view)?;
        let stored = alerts.parts.state.alert(view.id)?.ok_or_else(missing)?;
        if let Some(why) = stored.stopped {
            return Err(CenterError::invalid(format!("the alert is stopped: {why}")));
        }
        if stored.waiting > 0 {
            let text = "something is still to be told of this alert; wait until it was";
            return Err(CenterError::invalid(text));
        }
        let terms: Terms = serde_json::from_str(&stored.document).map_err(|_| missing())?;
        let now = self.parts.clock.now();
        let message = self.test_message(&terms, &view, now);
        let firing = Firing {
            view: view.id,
            since: stored.since,
            event: None,
            tellings: super::telling::tellings(&terms, &message)?,
            at: now,
        };
        let note = self.audit_note(caller, AuditAction::AlertTested, &view.name);
        match alerts.parts.state.fire(&firing, Some(&note))? {
            true => self.alert_of(view.id)?.ok_or_else(missing),
            false => Err(missing()),
        }
    }

    /// The alert of a view, where alerts are kept and it has one.
    pub(crate) fn alert_of(&self, view: u64) -> Result<Option<Alert>, CenterError> {
        let Some(alerts) = &self.alerts else { return Ok(None) };
        Ok(alerts.parts.state.alert(view)?.as_ref().and_then(shown))
    }

    /// The view of the caller that an alert is about.
    fn view_for_alert(
        &self,
        caller: &Caller,
        view: u64,
    ) -> Result<(&Alerts, SavedView), CenterError> {
        let view = self.saved_view(caller, view)?;
        let none = || CenterError::NotFound("place for alerts here".to_owned());
        let alerts = self.alerts.as_ref().ok_or_else(none)?;
        match view.mine {
            true => Ok((alerts, view)),
            // What is shared can be saved under a name of one's own.
            false => Err(CenterError::invalid(
                "this view is somebody else's; save it as your own and set the alert there",
            )),
        }
    }

    /// Refuses one alert more than there may be.
    fn permit_one_more(&self, alerts: &Alerts, view: &SavedView) -> Result<(), CenterError> {
        let stored = alerts.parts.state.alerts()?;
        let others = || stored.iter().filter(|alert| alert.view.id != view.id);
        let own = others().filter(|alert| alert.view.owner == view.owner).count();
        if own >= ALERTS_OF_OWNER_MAX || others().count() >= ALERTS_MAX {
            return Err(CenterError::invalid(format!(
                "there are {ALERTS_OF_OWNER_MAX} alerts for one owner at most and {ALERTS_MAX} in \
                 all; remove one first"
            )));
        }
        Ok(())
    }

    /// All that is wrong with an alert at once; else its webhook, read.
    fn checked_alert(
        &self,
        caller: &Caller,
        new: &NewAlert,
    ) -> Result<Option<WebAddress>, CenterError> {
        let mut problems = Vec::new();
        let mut wrong = |field: &str, message: String| {
            problems.push(Problem { object: Some(field.to_owned()), ..Problem::new(message) });
        };
        let shortest = match new.when {
            AlertWhen::First => 1,
            AlertWhen::MoreThan { count, minutes } => {
                if count > COUNT_MAX {
                    wrong("count", format!("an alert waits for {COUNT_MAX} at most"));
                }
                if !(1..=WINDOW_MINUTES_MAX).contains(&minutes) {
                    wrong("minutes", format!("the time is 1 to {WINDOW_MINUTES_MAX} minutes"));
                }
                minutes.clamp(1, WINDOW_MINUTES_MAX)
            }
        };
        if !(shortest..=QUIET_MINUTES_MAX).contains(&new.quiet_minutes) {
            wrong(
                "quiet_minutes",
                format!(
                    "the quiet time is {shortest} to {QUIET_MINUTES_MAX} minutes: no shorter than \
                     the time that is counted in, so that nothing is told twice"
                ),
            );
        }
        if new.mail.is_empty() && new.webhook.is_none() {
            wrong("mail", "an alert needs somebody to tell: an address or a webhook".to_owned());
        }
        if new.mail.len() > ADDRESSES_MAX {
            wrong("mail", format!("an alert is mailed to {ADDRESSES_MAX} addresses at most"));
        }
        for address in &new.mail {
            if let Err(why) = self.may_be_mailed(caller, address) {
                wrong("mail", why);
            }
        }
        let webhook = new.webhook.as_deref().map(str::parse::<WebAddress>).transpose();
        match webhook {
            Ok(webhook) if problems.is_empty() => Ok(webhook),
            Ok(_) => Err(CenterError::Invalid { problems }),
            Err(error) => {
                let object = Some("webhook".to_owned());
                problems.push(Problem { object, ..Problem::new(error.to_string()) });
                Err(CenterError::Invalid { problems })
            }
        }
    }

    /// Whether an alert of this caller may go to an address; if not, why.
    pub(super) fn may_be_mailed(
        &self,
        caller: &Caller,
        address: &EmailAddress,
    ) -> Result<(), String> {
        let ours = self.parts.activator.base().domains;
        if !ours.iter().any(|(domain, _)| domain.as_str() == address.domain_key()) {
            let domain = address.domain_key();
            return Err(format!(
                "{domain} is none of our domains; alerts are mailed to those only"
            ));
        }
        permit_recipient(caller, &ForwardPath::Address(address.clone()))
            .map_err(|error| error.to_string())
    }

    /// The secret of an alert, and the same to be shown where it is new.
    fn secret_of(
        &self,
        new: &NewAlert,
        before: Option<&StoredAlert>,
    ) -> (Option<Vec<u8>>, Option<String>) {
        let Some(to) = &new.webhook else { return (None, None) };
        let kept = before.filter(|_| !new.new_secret).and_then(|before| {
            let terms: Terms = serde_json::from_str(&before.document).ok()?;
            // Another receiver must not be able to write as if it were us.
            before.secret.clone().filter(|_| terms.webhook.as_ref() == Some(to))
        });
        if kept.is_some() {
            return (kept, None);
        }
        let mut secret = vec![0; SECRET_OCTETS];
        self.parts.chance.fill(&mut secret);
        let shown = format!("{SECRET_PREFIX}{}", super::message::base64(&secret));
        (Some(secret), Some(shown))
    }
}

/// Whoever set an alert as they are now, or why they see no rows any more.
pub(super) type Owner = Result<Caller, String>;

impl Alerts {
    /// Who set an alert, as they are now, if they still may.
    pub(super) fn owner(&self, name: &str, terms: &Terms) -> Result<Owner, CenterError> {
        let (account, token) = match &terms.by {
            SetBy::Machine => return Ok(Ok(Caller::with_all(name))),
            SetBy::Account(account) => (*account, None),
            SetBy::Token(account, token) => (*account, Some(*token)),
        };
        let Some(caller) = self.parts.accounts.as_it_is_now(account, token)? else {
            return Ok(Err(format!("{name} has no access any more")));
        };
        let lost = needed(terms.webhook.is_some()).iter().find(|needed| !caller.may(**needed));
        Ok(match lost {
            None => Ok(caller),
            Some(lost) => Err(format!("{name} has lost the permission {}", lost.slug())),
        })
    }
}

/// What whoever has an alert must be permitted. A webhook takes out of the
/// house what they see; mail goes to our own domains.
fn needed(webhook: bool) -> &'static [Permission] {
    match webhook {
        true => &[Permission::SeeMetadata, Permission::ExportMetadata],
        false => &[Permission::SeeMetadata],
    }
}

pub(super) fn document(value: &impl Serialize) -> Result<String, CenterError> {
    serde_json::to_string(value).map_err(|error| CenterError::invalid(error.to_string()))
}

fn missing() -> CenterError {
    CenterError::NotFound("such alert".to_owned())
}
