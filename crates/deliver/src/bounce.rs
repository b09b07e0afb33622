//! Telling senders what became of their message (RFC 3464, RFC 5321 section
//! 6.1): only of what failed or waits after we said 250, never to the null
//! reverse-path, and not more than the rate allows.
//!
//! The notice is committed to the queue before the failure is written down: a
//! crash between the two sends it twice, the other order would lose it.

use std::time::Duration;

use store::{Acceptance, QueuedMessage, QueuedRecipient, RecipientState, StoreError};
use types::event::BounceSuppression;
use types::{EmailAddress, FollowUp, ForwardPath, QueueId, ReversePath};

use crate::notice::{Notice, NoticeKind, NoticeRecipient, NoticeText, ORIGINAL_OCTETS_MAX};
use crate::settlement::{Settlement, Told};
use crate::shared::Shared;
use crate::status::count;

/// When a recipient whose failure could not be told for lack of a store is
/// looked at again.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// Sends the notices that `settlements` ask for and enters what became of
/// them: at most one of failure and one of delay, each for all recipients
/// that it concerns.
pub(crate) async fn tell(shared: &Shared, message: &QueuedMessage, settlements: &mut [Settlement]) {
    for what in [Told::Failed, Told::Delayed] {
        let concerns = |settlement: &Settlement| {
            settlement.notice.as_ref().is_some_and(|notice| notice.what == what)
        };
        if !settlements.iter().any(concerns) {
            continue;
        }
        let sent = send(shared, message, what, settlements).await;
        for settlement in settlements.iter_mut().filter(|settlement| concerns(settlement)) {
            match what {
                Told::Failed => enter_failure(shared, message, settlement, &sent),
                Told::Delayed => enter_delay(settlement, &sent),
            }
        }
    }
}

/// Why there is no notice.
enum NotSent {
    Suppressed(BounceSuppression),
    /// The store failed; later it may not.
    Store,
}

fn enter_failure(
    shared: &Shared,
    message: &QueuedMessage,
    settlement: &mut Settlement,
    sent: &Result<QueueId, NotSent>,
) {
    match sent {
        Ok(notice) => settlement.told = Some(FollowUp::Bounced { notice: *notice }),
        // That no notice follows a notice goes without saying, and is no news of
        // the message it is about.
        Err(NotSent::Suppressed(_)) if message.notice => {}
        Err(NotSent::Suppressed(why)) => {
            settlement.told = Some(FollowUp::BounceSuppressed { why: *why });
        }
        Err(NotSent::Store) => {
            // It does not end before its sender was told.
            settlement.follow_up = None;
            let recipient = message.recipients.get(settlement.place);
            if let Some(RecipientState::Waiting { attempts, warned, .. }) =
                recipient.map(|recipient| recipient.state)
            {
                let due = shared.parts.clock.now() + TELL_AGAIN_AFTER;
                settlement.state = RecipientState::Waiting { attempts, due, warned };
            }
        }
    }
}

fn enter_delay(settlement: &mut Settlement, sent: &Result<QueueId, NotSent>) {
    let tells_never = matches!(sent, Err(NotSent::Suppressed(BounceSuppression::NullReversePath)));
    if sent.is_ok() {
        settlement.told = Some(FollowUp::DelayWarned);
    }
    if let RecipientState::Waiting { warned, .. } = &mut settlement.state {
        *warned = sent.is_ok() || tells_never;
    }
}

/// Writes one notice and queues it.
async fn send(
    shared: &Shared,
    message: &QueuedMessage,
    what: Told,
    settlements: &[Settlement],
) -> Result<QueueId, NotSent> {
    let to = match message.reverse_path.as_ref() {
        ReversePath::Address(address) if !message.notice => address,
        _ => return Err(NotSent::Suppressed(BounceSuppression::NullReversePath)),
    };
    let settings = shared.settings();
    let now = shared.parts.clock.now();
    // The reverse-path of mail that came in can be forged; one of mail that our
    // own servers sent is that of our own people, who must be told of each.
    let limited = message.client.client.direction.is_inbound();
    if limited && !shared.bounce_rate.take(to.domain_key(), &settings.bounces, now) {
        return Err(NotSent::Suppressed(BounceSuppression::RateLimited));
    }
    let retry_until = settings.schedule.expires(message.arrived);
    let recipients: Vec<_> = settlements
        .iter()
        .filter_map(|settlement| {
            let due = settlement.notice.as_ref().filter(|notice| notice.what == what)?;
            let recipient = message.recipients.get(settlement.place)?;
            Some(NoticeRecipient { recipient, status: due.status, attempt: &due.attempt })
        })
        .collect();
    // Follow-ups of the notice itself hang on the life-line of the first.
    let Some(first) = recipients.first().map(|told| told.recipient.clone()) else {
        return Err(NotSent::Store);
    };
    let original = beginning(shared, message);
    let notice = Notice {
        id: QueueId::new(now, shared.parts.chance.id_bytes()),
        kind: match what {
            Told::Failed => NoticeKind::Failed,
            Told::Delayed => NoticeKind::Delayed { retry_until },
        },
        at: now,
        to,
        message,
        original: &original,
        recipients,
    };
    let (id, text) = (notice.id, shared.parts.notices.write(&notice));
    queue(shared, message, to, id, text, first).await.map_err(|_| NotSent::Store)?;
    count(match what {
        Told::Failed => &shared.counters.bounced,
        Told::Delayed => &shared.counters.delays_warned,
    });
    Ok(id)
}

/// Puts a written notice into the queue.
async fn queue(
    shared: &Shared,
    about: &QueuedMessage,
    to: &EmailAddress,
    id: QueueId,
    text: NoticeText,
    first: QueuedRecipient,
) -> Result<(), StoreError> {
    let now = shared.parts.clock.now();
    let due = shared.settings().schedule.first(now);
    let notice = QueuedMessage {
        id,
        arrived: now,
        reverse_path: ReversePath::Null.into(),
        smtputf8: !to.is_ascii(),
        eight_bit: !text.octets.is_ascii(),
        trace: String::new(),
        content_octets: u64::try_from(text.octets.len()).unwrap_or(u64::MAX),
        left_out: Vec::new(),
        session: about.session,
        client: about.client.clone(),
        facts: text.facts.into(),
        notice: true,
        recipients: vec![QueuedRecipient {
            path: ForwardPath::Address(to.clone()),
            state: RecipientState::Waiting { attempts: 0, due, warned: true },
            ..first
        }],
    };
    let mut content = shared.parts.log.content(id);
    content.write(&text.octets).await?;
    let acceptance = Acceptance { message: Some(notice), events: Vec::new() };
    let log = &shared.parts.log;
    let position = log.commit(Some(content), acceptance).await?;
    // A power cut may keep a later record and lose this one: the failure must
    // not be written down before the notice is on the disk.
    log.flushed(position).await
}

/// The beginning of the message for the notice to quote; without the content
/// if it cannot be read.
fn beginning(shared: &Shared, message: &QueuedMessage) -> Vec<u8> {
    let mut octets = message.trace.as_bytes().to_vec();
    let piece = shared.parts.queue.read(message.id).and_then(|mut content| content.next_piece());
    if let Ok(piece) = piece {
        octets.extend_from_slice(&message.given(0, piece));
    }
    octets.truncate(ORIGINAL_OCTETS_MAX);
    octets
}
