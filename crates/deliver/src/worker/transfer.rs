//! One message to the recipients it has at one next hop: as many
//! transactions as that takes, and an answer for each recipient.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use smtp::{CannotSend, ClientOutput, ContentForm, ContentWriter, DeliveryReport, Envelope};
use store::QueuedMessage;
use types::{EnhancedCode, ForwardPath, Timestamp};

use super::content::Content;
use super::{Line, tried};
use crate::connection::{HopConnection, Lost};
use crate::lease::Job;
use crate::settings::DeliverySettings;
use crate::shared::Shared;
use crate::tried::{Answer, Came, Reached};

/// Too many recipients, among other things (RFC 5321 section 4.5.3.1.10).
const TOO_MANY_RECIPIENTS: u16 = 452;

/// The transfer of one message.
pub(super) struct Transfer<'a> {
    shared: &'a Shared,
    settings: &'a DeliverySettings,
    message: Arc<QueuedMessage>,
    /// Recipients without an answer, by place in the message.
    open: VecDeque<usize>,
    came: Vec<(usize, Came)>,
    began: Duration,
    last_answer: Option<Arc<str>>,
}

/// What became of a connection in one transaction.
enum Ended {
    /// It can be used again.
    Usable,
    /// It cannot.
    Lost,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        settings: &'a DeliverySettings,
        job: &Job,
        began: Duration,
    ) -> Self {
        Transfer {
            shared,
            settings,
            message: Arc::clone(&job.lease.message),
            open: job.places.iter().copied().collect(),
            came: Vec::with_capacity(job.places.len()),
            began,
            last_answer: None,
        }
    }

    /// Whether every recipient has its answer.
    pub(super) fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether no recipient has an answer yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.came.is_empty()
    }

    /// The answers, by place in the message.
    pub(super) fn into_came(self) -> Vec<(usize, Came)> {
        self.came
    }

    /// What the next hop said last, for people.
    pub(super) fn last_answer(&self) -> Option<Arc<str>> {
        self.last_answer.clone()
    }

    /// The same answer for all recipients that have none.
    pub(super) fn fail(&mut self, at: Reached, answer: Answer) {
        let places: Vec<_> = self.open.drain(..).collect();
        for place in places {
            self.enter(place, &at, answer.clone());
        }
    }

    fn enter(&mut self, place: usize, at: &Reached, answer: Answer) {
        let took = self.shared.parts.clock.elapsed().saturating_sub(self.began);
        self.came.push(tried(place, at.clone(), answer, took));
    }

    /// Goes on over this connection, and gives it back if it still is one.
    /// Recipients stay open if the connection had been closed before.
    pub(super) async fn over(&mut self, mut line: Line) -> Option<Line> {
        self.sort_out(&line.connection);
        while !self.open.is_empty() {
            if let Ended::Lost = self.transaction(&mut line.connection).await {
                return None;
            }
        }
        Some(line)
    }

    /// Answers for recipients that this next hop cannot take, whatever it
    /// would say: RFC 6531 section 3.2 wants 5.6.7 for addresses beyond ASCII
    /// where SMTPUTF8 is not offered.
    fn sort_out(&mut self, connection: &HopConnection) {
        if connection.capabilities().smtputf8 {
            return;
        }
        let ascii = |path: &ForwardPath| path.address().is_none_or(|a| a.is_ascii());
        let reverse_path_ascii = self.message.reverse_path.address().is_none_or(|a| a.is_ascii());
        let all = self.message.smtputf8 || !reverse_path_ascii;
        let places: Vec<_> = self.open.drain(..).collect();
        for place in places {
            let path = self.message.recipients.get(place).map(|recipient| &recipient.path);
            if all || !path.is_some_and(ascii) {
                self.enter(place, &connection.reached, needs_smtputf8());
            } else {
                self.open.push_back(place);
            }
        }
    }

    /// One transaction, with as many recipients as it may have.
    async fn transaction(&mut self, connection: &mut HopConnection) -> Ended {
        let announced = connection.capabilities().recipients_max;
        let announced = announced.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
        let max = self.settings.hop.recipients_max.min(announced).clamp(1, self.open.len());
        let places: Vec<_> = self.open.drain(..max).collect();
        let kept_open = connection.used > 0;
        connection.used = connection.used.saturating_add(1);
        match self.exchange(connection, &places).await {
            Ok(report) => self.report(connection, &places, &report, kept_open),
            Err(NotSent::Cannot(why)) => {
                for place in places {
                    self.enter(place, &connection.reached, cannot(why));
                }
                if connection.session.is_ready() { Ended::Usable } else { Ended::Lost }
            }
            Err(NotSent::Lost(lost)) => {
                if kept_open && lost.is_unanswered(connection.session.awaits()) {
                    self.open_again(places);
                    return Ended::Lost;
                }
                self.last_answer =
                    Some(lost.words().map_or_else(|| lost.to_string(), |w| w.to_string()).into());
                let answer = lost.into_answer();
                for place in places {
                    self.enter(place, &connection.reached, answer.clone());
                }
                Ended::Lost
            }
        }
    }

    /// Recipients whose turn comes again, before all others.
    fn open_again(&mut self, places: Vec<usize>) {
        for place in places.into_iter().rev() {
            self.open.push_front(place);
        }
    }

    /// Enters what the next hop said of each recipient.
    fn report(
        &mut self,
        connection: &HopConnection,
        places: &[usize],
        report: &DeliveryReport,
        kept_open: bool,
    ) -> Ended {
        let usable = connection.session.is_ready();
        // 421 to the first command of a kept connection: it had timed out.
        if kept_open && !usable && report.mail.code == 421 {
            self.open_again(places.to_vec());
            return Ended::Lost;
        }
        let delivered = report.content.as_ref().is_some_and(|reply| reply.is_positive());
        for (at, &place) in places.iter().enumerate() {
            let reply = report.decisive(at);
            // Too many for one transaction, but others went through: it is
            // asked again at once, in a transaction of its own.
            if delivered && usable && reply.code == TOO_MANY_RECIPIENTS {
                self.open.push_back(place);
                continue;
            }
            self.last_answer = Some(reply.quoted.to_string().into());
            let quoted = reply.quoted.clone();
            let answer = if reply.is_permanent() {
                Answer::Refused(quoted)
            } else if reply.is_positive() && delivered {
                Answer::Took(quoted)
            } else {
                Answer::Later(quoted)
            };
            self.enter(place, &connection.reached, answer);
        }
        if usable { Ended::Usable } else { Ended::Lost }
    }

    /// The dialogue of one transaction.
    async fn exchange(
        &self,
        connection: &mut HopConnection,
        places: &[usize],
    ) -> Result<DeliveryReport, NotSent> {
        // Read before MAIL: what cannot be read need not be announced.
        let mut content = Content::open(self.shared, &self.message).map_err(Lost::from)?;
        let recipients: Vec<_> = places
            .iter()
            .filter_map(|&place| self.message.recipients.get(place))
            .map(|recipient| recipient.path.clone())
            .collect();
        let trace_octets = u64::try_from(self.message.trace.len()).unwrap_or(u64::MAX);
        let envelope = Envelope {
            reverse_path: &self.message.reverse_path,
            recipients: &recipients,
            size_octets: self.message.octets_given().saturating_add(trace_octets),
            eight_bit: self.message.eight_bit,
            smtputf8: self.message.smtputf8,
        };
        connection.session.send(&envelope, &mut connection.out).map_err(NotSent::Cannot)?;
        let latest = self.shared.parts.clock.now() + self.settings.timeouts.content;
        loop {
            match connection.turn(latest).await? {
                ClientOutput::Done(report) => return Ok(report),
                ClientOutput::SendContent(form) => {
                    if let Err(lost) = self.send(connection, &mut content, form, latest).await {
                        return refusal_before_end(connection, lost).await.map_err(NotSent::Lost);
                    }
                }
                _ => {}
            }
        }
    }

    /// Writes trace fields and content; small messages in one write.
    async fn send(
        &self,
        connection: &mut HopConnection,
        content: &mut Content,
        form: ContentForm,
        latest: Timestamp,
    ) -> Result<(), Lost> {
        let mut writer = ContentWriter::new();
        let mut put = |octets: &[u8], out: &mut Vec<u8>| match form {
            ContentForm::Dotted => writer.append(octets, out),
            ContentForm::Raw => out.extend_from_slice(octets),
        };
        put(self.message.trace.as_bytes(), &mut connection.out);
        loop {
            let piece = content.next_piece().await?;
            put(&piece, &mut connection.out);
            if content.is_at_end() {
                break;
            }
            connection.write_out().await?;
            if self.shared.parts.clock.now() > latest {
                return Err(Lost::Stuck);
            }
        }
        if form == ContentForm::Dotted {
            connection.out.extend_from_slice(writer.finish());
        }
        connection.write_out().await
    }
}

/// How long to listen for the reason after a next hop stopped reading.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The next hop stopped taking content. It may have said why. A yes does not
/// count: it cannot have seen the end.
async fn refusal_before_end(
    connection: &mut HopConnection,
    lost: Lost,
) -> Result<DeliveryReport, Lost> {
    if !matches!(lost, Lost::Broken(_)) {
        return Err(lost);
    }
    connection.out.clear();
    let latest = connection.now() + LAST_WORDS;
    match connection.turn(latest).await {
        Ok(ClientOutput::Done(report))
            if report.content.as_ref().is_some_and(|reply| !reply.is_positive()) =>
        {
            Ok(report)
        }
        _ => Err(lost),
    }
}

/// Why there is no report.
enum NotSent {
    Cannot(CannotSend),
    Lost(Lost),
}

impl From<Lost> for NotSent {
    fn from(lost: Lost) -> Self {
        NotSent::Lost(lost)
    }
}

fn needs_smtputf8() -> Answer {
    Answer::Impossible(EnhancedCode(5, 6, 7), "the next hop does not offer SMTPUTF8".into())
}

fn cannot(why: CannotSend) -> Answer {
    match why {
        CannotSend::NeedsSmtputf8 => needs_smtputf8(),
        CannotSend::TooLarge { .. } => Answer::Impossible(EnhancedCode(5, 3, 4), why.to_string()),
        CannotSend::TooManyRecipients { .. } | CannotSend::NoRecipients | CannotSend::NotReady => {
            Answer::Silent(why.to_string())
        }
    }
}
