//! Telling people and programs that an alert fired.
//!
//! A telling waits in the database until it was told. Mail is told once it is
//! in our own queue, which takes it from there. A webhook that does not answer
//! is asked again with growing pauses and given up in the end; its receiver
//! knows a message that comes twice by its name.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use content::{Limits, Notification};
use serde::{Deserialize, Serialize};
use store::state::{NewTelling, StoredTelling, TellingDone};
use store::{Acceptance, QueuedMessage, QueuedRecipient, RecipientState, StoreError};
use types::{
    Client, ClientFacts, EmailAddress, EventId, ForwardPath, LifeLineId, QueueId, Rate,
    ReversePath, SessionId, Timestamp,
};
use world::WebAddress;

use super::message::{AlertMessage, SIGNED_FIELDS, signature};
use super::setting::document;
use super::watching::OWN_LISTENER;
use super::{ALERTS_MAX, AlertFailure, Alerts, Terms, origin_of};
use crate::{Center, CenterError};

/// Tellings that go to one destination at once.
const EACH_AT_ONCE_MAX: usize = 2;
/// Tellings under way at once: some for every destination there can be, mail
/// being one, so that none waits until those that go elsewhere have failed.
pub const TELLINGS_AT_ONCE_MAX: usize = (ALERTS_MAX + 1) * EACH_AT_ONCE_MAX;
/// The pauses before each further try: six hours and a half in all.
const PAUSES: [Duration; 8] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(3 * 60 * 60),
];
/// Mail of all alerts together: twenty a minute. What is more waits.
const MAIL_RATE: Rate = Rate::every_ms(3_000, 20);

/// What is told and whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Telling {
    to: Whom,
    message: AlertMessage,
}

/// Whom to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Whom {
    Mail(EmailAddress),
    Webhook(String),
}

impl Whom {
    fn text(&self) -> String {
        match self {
            Whom::Mail(address) => address.to_string(),
            Whom::Webhook(address) => origin_of(address),
        }
    }

    /// What is slow together: our own queue, or one host.
    fn destination(&self) -> String {
        match self {
            Whom::Mail(_) => "mail".to_owned(),
            Whom::Webhook(address) => origin_of(address),
        }
    }
}

/// What an alert is to tell, once for each receiver.
pub(super) fn tellings(
    terms: &Terms,
    message: &AlertMessage,
) -> Result<Vec<NewTelling>, CenterError> {
    let mail = terms.mail.iter().cloned().map(Whom::Mail);
    let whom = mail.chain(terms.webhook.clone().map(Whom::Webhook));
    let telling = |to: Whom| {
        let destination = to.destination();
        let document = document(&Telling { to, message: message.clone() })?;
        Ok(NewTelling { destination, document })
    };
    whom.map(telling).collect()
}

/// Something that is due to be told.
#[derive(Debug)]
pub struct DueTelling {
    stored: StoredTelling,
    telling: Option<Telling>,
    secret: Option<Vec<u8>>,
}

impl DueTelling {
    /// Its number, to know it again.
    pub fn id(&self) -> u64 {
        self.stored.id
    }
}

/// How a telling went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertTold {
    /// It was told.
    Told,
    /// It was not, and may be later.
    Failed(String),
    /// It was not, and never will be.
    Impossible(String),
    /// There is too much mail; it was not tried.
    NotYet(Duration),
}

impl Center {
    /// What is due to be told, what is under way included: so a destination
    /// that is slow takes no more than its share. An alert of somebody who
    /// may not any more is stopped instead.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn due_tellings(&self) -> Result<Vec<DueTelling>, CenterError> {
        let Some(alerts) = &self.alerts else { return Ok(Vec::new()) };
        let (state, now) = (&alerts.parts.state, self.parts.clock.now());
        let mut due = Vec::new();
        for stored in state.due_tellings(now, EACH_AT_ONCE_MAX, TELLINGS_AT_ONCE_MAX)? {
            let Some(alert) = state.alert(stored.view)? else { continue };
            if let Ok(terms) = serde_json::from_str::<Terms>(&alert.document)
                && let Err(why) = alerts.owner(&alert.view.owner, &terms)?
            {
                self.stop_alert(alerts, &alert, &why)?;
                continue;
            }
            let telling = serde_json::from_str(&stored.document).ok();
            due.push(DueTelling { stored, telling, secret: alert.secret });
        }
        Ok(due)
    }

    /// Tells it. Waits for the disk or for the other end, at most for some
    /// seconds; touches no database.
    pub async fn tell(&self, due: &DueTelling) -> AlertTold {
        let (Some(alerts), Some(telling)) = (&self.alerts, &due.telling) else {
            return AlertTold::Impossible("another version of the program wrote it".to_owned());
        };
        match &telling.to {
            Whom::Mail(to) => self.mail_alert(alerts, to, &telling.message).await,
            Whom::Webhook(to) => {
                let secret = due.secret.as_deref().unwrap_or_default();
                self.post_alert(alerts, to, secret, &telling.message).await
            }
        }
    }

    /// Notes how it went.
    ///
    /// # Errors
    ///
    /// The store fails; it is told again then.
    pub fn told(&self, due: &DueTelling, how: AlertTold) -> Result<(), CenterError> {
        let Some(alerts) = &self.alerts else { return Ok(()) };
        let now = self.parts.clock.now();
        let whom = due.telling.as_ref().map_or(String::new(), |telling| telling.to.text());
        let failure = |why: String, given_up| {
            document(&AlertFailure { at: now, whom: whom.clone(), why, given_up })
        };
        let pause = PAUSES.get(due.stored.tries as usize);
        let done = match (how, pause) {
            (AlertTold::Told, _) => TellingDone::Told(now),
            (AlertTold::NotYet(wait), _) => TellingDone::Again { due: now + wait, failed: None },
            (AlertTold::Failed(why), Some(&pause)) => {
                TellingDone::Again { due: now + pause, failed: Some(failure(why, false)?) }
            }
            (AlertTold::Failed(why) | AlertTold::Impossible(why), _) => {
                TellingDone::GivenUp(failure(why, true)?)
            }
        };
        alerts.count(due, &done);
        Ok(alerts.parts.state.telling_done(due.stored.id, &done)?)
    }

    async fn post_alert(
        &self,
        alerts: &Alerts,
        to: &str,
        secret: &[u8],
        message: &AlertMessage,
    ) -> AlertTold {
        let impossible = |why: &dyn std::fmt::Display| AlertTold::Impossible(why.to_string());
        let to: WebAddress = match to.parse() {
            Ok(to) => to,
            Err(error) => return impossible(&error),
        };
        let body = match serde_json::to_vec(message) {
            Ok(body) => body,
            Err(error) => return impossible(&error),
        };
        let sent_s = self.parts.clock.now().as_millis() / 1_000;
        let signed = signature(secret, &message.id, sent_s, &body);
        let values = [message.id.clone(), sent_s.to_string(), signed];
        let fields = SIGNED_FIELDS.into_iter().zip(values).collect();
        match alerts.parts.post.post(&to, fields, body).await {
            Ok(()) => AlertTold::Told,
            Err(error) if error.is_final() => impossible(&error),
            Err(error) => AlertTold::Failed(error.to_string()),
        }
    }

    async fn mail_alert(
        &self,
        alerts: &Alerts,
        to: &EmailAddress,
        message: &AlertMessage,
    ) -> AlertTold {
        let ours = self.parts.activator.base().domains;
        if !ours.iter().any(|(domain, _)| domain.as_str() == to.domain_key()) {
            return AlertTold::Impossible(format!("{} is none of our domains", to.domain_key()));
        }
        let now = self.parts.clock.now();
        if let Some(wait) = alerts.too_much_mail(now) {
            return AlertTold::NotYet(wait);
        }
        match self.queue_alert(alerts, to, message, now).await {
            Ok(()) => AlertTold::Told,
            Err(error) => AlertTold::Failed(error.to_string()),
        }
    }

    /// Puts the mail into our own queue: a notice without a sender, so that
    /// nobody is told if it cannot be delivered.
    async fn queue_alert(
        &self,
        alerts: &Alerts,
        to: &EmailAddress,
        message: &AlertMessage,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let octets = alerts.written(to, message, now)?;
        let chance = &self.parts.chance;
        let id = QueueId::new(now, chance.id_bytes());
        let ip = std::net::Ipv4Addr::LOCALHOST.into();
        let client =
            Client { ip, port: 0, listener: OWN_LISTENER.into(), direction: Default::default() };
        let host_name = None;
        let queued = QueuedMessage {
            id,
            arrived: now,
            reverse_path: ReversePath::Null.into(),
            smtputf8: !to.is_ascii(),
            eight_bit: false,
            trace: String::new(),
            content_octets: octets.len() as u64,
            left_out: Vec::new(),
            session: SessionId::new(now, chance.id_bytes()),
            client: ClientFacts { client, host_name, helo: None, esmtp: true, tls: None }.into(),
            facts: content::read(&octets, &Limits::default()).into(),
            notice: true,
            recipients: vec![QueuedRecipient {
                path: ForwardPath::Address(to.clone()),
                event: EventId::new(now, chance.id_bytes()),
                life_line: LifeLineId::new(now, chance.id_bytes()),
                state: RecipientState::Waiting { attempts: 0, due: now, warned: true },
            }],
        };
        let log = self.memory.of_house();
        let mut content = log.content(id);
        content.write(&octets).await?;
        let acceptance = Acceptance { message: Some(queued), events: Vec::new() };
        let position = log.commit(Some(content), acceptance).await?;
        log.flushed(position).await
    }
}

impl Alerts {
    /// The mail.
    fn written(
        &self,
        to: &EmailAddress,
        message: &AlertMessage,
        now: Timestamp,
    ) -> Result<Vec<u8>, StoreError> {
        let host_name = &self.parts.host_name;
        let from: EmailAddress = format!("postmaster@{host_name}")
            .parse()
            .map_err(|_| StoreError::Damaged(format!("{host_name} makes no address")))?;
        let (subject, text) = (message.subject(), message.text());
        let notification = Notification {
            host_name,
            from: &from,
            to,
            subject: &subject,
            unique: &message.id,
            at: now,
            text: &text,
        };
        Ok(notification.to_message())
    }

    /// For how long no mail may be written, if there was too much.
    fn too_much_mail(&self, now: Timestamp) -> Option<Duration> {
        let mut rate = self.mail_rate.lock().unwrap_or_else(PoisonError::into_inner);
        match MAIL_RATE.take(*rate, now.as_millis()) {
            Ok(next) => {
                *rate = next;
                None
            }
            Err(wait_ms) => Some(Duration::from_millis(wait_ms)),
        }
    }

    fn count(&self, due: &DueTelling, done: &TellingDone) {
        let by_webhook =
            due.telling.as_ref().is_some_and(|telling| matches!(telling.to, Whom::Webhook(_)));
        let result = match done {
            TellingDone::Told(_) => 0,
            TellingDone::Again { failed: Some(_), .. } => 1,
            TellingDone::GivenUp(_) => 2,
            TellingDone::Again { failed: None, .. } => return,
        };
        let counts = self.counts.told.get(usize::from(by_webhook));
        if let Some(count) = counts.and_then(|counts| counts.get(result)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}
