//! Who of ours submits mail by name and password.
//!
//! Passwords are looked at elsewhere, by whoever keeps them; here it is seen
//! to that nobody has more than a few tries on a connection, that a wrong one
//! takes its time, and that what was found goes with every attempt.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use smtp::{Answer, Credentials, replies};
use types::finding::Unavailable;
use types::{
    CheckName, Evidence, Observed, Reason, ReversePath, Stage, SubmissionFacts, Submitter,
};
use world::BoxFuture;

use crate::desk::{Desk, UNAVAILABLE, Visit, finding};

/// Wrong names and passwords before the connection is closed.
const FAILED_MAX: u32 = 3;
/// How long the reply to the first of them takes, and to what is not looked
/// at; to the second twice as long.
const FAILED_DELAY: Duration = Duration::from_secs(1);

/// Knows the names and passwords of submitters. The binary implements it over
/// the message center, which keeps them.
pub trait Submitters: Send + Sync {
    /// Whether this is a submitter's name and password, and it may come from
    /// there. Takes as long if there is no such name.
    fn prove(&self, said: Credentials, from: IpAddr) -> BoxFuture<'_, Proof>;

    /// What a submitter that has proved itself may send as now; nothing if it
    /// may not send any more.
    ///
    /// # Errors
    /// Nobody can tell.
    fn as_it_is_now<'a>(&'a self, before: &'a Submitter, from: IpAddr) -> BoxFuture<'a, Renewed>;
}

/// A submitter, looked up again.
pub type Renewed = Result<Option<Arc<Submitter>>, Unavailable>;

/// What a name and a password prove.
#[derive(Clone, Debug)]
pub enum Proof {
    /// That it is this submitter.
    Right(Arc<Submitter>),
    /// Nothing.
    Wrong,
    /// Nothing was looked at: too many tries, too many at once, or a failure of ours.
    NotNow,
}

impl Proof {
    /// How results are called in metrics, in the order in which they are counted.
    pub const RESULTS: [&'static str; 3] = ["right", "wrong", "not_now"];

    pub(crate) fn result(&self) -> usize {
        match self {
            Proof::Right(_) => 0,
            Proof::Wrong => 1,
            Proof::NotNow => 2,
        }
    }
}

/// Who submits on a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Submission {
    by: Option<Arc<Submitter>>,
    failed: u32,
    /// Why nobody can tell whether it still may send.
    unknown: Option<Unavailable>,
}

impl Submission {
    /// Whether somebody proved who he is.
    pub(crate) fn is_by_somebody(&self) -> bool {
        self.by.is_some()
    }

    /// Whether who submits may send as all of these comparable addresses;
    /// servers of listed networks, which prove nothing, may.
    pub(crate) fn may_send_as_all(&self, authors: &[String]) -> bool {
        self.by.as_ref().is_none_or(|by| {
            let author = |text: &String| text.parse().map(ReversePath::Address);
            authors.iter().all(|text| author(text).is_ok_and(|author| by.may_send_as(&author)))
        })
    }
}

impl Visit {
    /// What was found of names and passwords, if any were said.
    pub(crate) fn submission_said(&self, stage: Stage, evidence: &mut Evidence) {
        let Submission { by, failed, unknown } = &self.submission;
        if let Some(missing) = unknown.filter(|_| stage >= Stage::Mail) {
            evidence.add(checks::unavailable(missing, stage));
        }
        if by.is_none() && *failed == 0 {
            return;
        }
        let sender = self.reverse_path.as_deref();
        let may_send = by.as_ref().zip(sender).is_some_and(|(by, sender)| by.may_send_as(sender));
        let by = by.as_ref().map(|by| Arc::clone(&by.name));
        let observed = Observed::Submission(SubmissionFacts { by, may_send, failed: *failed });
        evidence.add(finding(CheckName::Submission, Stage::Helo, observed));
    }
}

impl Desk {
    /// Whether the client is in a network that may send without a name.
    pub(crate) fn is_listed(&self) -> bool {
        let listed =
            |observed: &Observed| matches!(observed, Observed::Outbound { listed: true, .. });
        self.connected.iter().any(|finding| listed(&finding.observed))
    }

    /// Whether AUTH is offered to this client, by what was found at the door.
    pub(crate) fn offers_auth(&self) -> bool {
        let offers =
            |observed: &Observed| matches!(observed, Observed::Outbound { offers_auth: true, .. });
        self.connected.iter().any(|finding| offers(&finding.observed))
    }

    pub(crate) async fn prove(&mut self, said: Credentials) -> Answer {
        let Some(submitters) = self.engine.parts.submitters.clone() else {
            return Answer::Refuse(replies::AUTH_NOT_NOW);
        };
        let proof = submitters.prove(said, self.visit.client.client.ip).await;
        self.engine.tally().proved(&proof);
        match proof {
            Proof::Right(submitter) => {
                self.visit.submission.by = Some(submitter);
                Answer::Proceed
            }
            Proof::NotNow => {
                self.hold_back(1).await;
                Answer::Refuse(replies::AUTH_NOT_NOW)
            }
            Proof::Wrong => self.was_wrong().await,
        }
    }

    async fn was_wrong(&mut self) -> Answer {
        let failed = self.visit.submission.failed.saturating_add(1);
        self.visit.submission.failed = failed;
        self.hold_back(failed.min(FAILED_MAX)).await;
        match failed < FAILED_MAX {
            true => Answer::Refuse(replies::CREDENTIALS_INVALID),
            false => {
                let reply = Reason::SubmissionFailed.reply(&types::ReplyParameters::default());
                Answer::RefuseAndClose(reply.unwrap_or(UNAVAILABLE))
            }
        }
    }

    /// Holds a reply back: trying passwords is worth less the longer each
    /// takes, and nothing waits but this session.
    async fn hold_back(&mut self, times: u32) {
        if self.engine.health().unavailable() != Some(Unavailable::Stopping) {
            self.engine.parts.clock.sleep(FAILED_DELAY * times).await;
        }
    }

    /// Looks again at what the submitter may, with each of its messages: one
    /// that was closed a moment ago sends no more.
    pub(crate) async fn renew_submitter(&mut self) {
        let Some(by) = self.visit.submission.by.clone() else { return };
        let Some(submitters) = self.engine.parts.submitters.clone() else { return };
        let submission = &mut self.visit.submission;
        match submitters.as_it_is_now(&by, self.visit.client.client.ip).await {
            Ok(now) => (submission.by, submission.unknown) = (now, None),
            Err(missing) => submission.unknown = Some(missing),
        }
    }

    /// Counts a recipient with the submitter, if there is one and no listed
    /// network lets the client send anyway.
    pub(crate) fn count_with_submitter(&self, evidence: &mut Evidence) {
        let listed = self.is_listed();
        let may_send = matches!(
            evidence.latest(CheckName::Submission),
            Some(Observed::Submission(SubmissionFacts { may_send: true, .. }))
        );
        if let Some(by) = self.visit.submission.by.as_ref().filter(|_| may_send && !listed) {
            let over = self.engine.parts.checks.submitted(&by.name);
            over.into_iter().for_each(|finding| evidence.add(finding));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submitter_is_signed_for_as_what_it_may_send_only() {
        let senders = vec!["printer@corp.example".parse().unwrap()];
        let by = Some(Arc::new(Submitter { name: "printer".into(), senders, proof: 0 }));
        let printer = Submission { by, ..Submission::default() };
        let all = |by: &Submission, authors: &[&str]| {
            by.may_send_as_all(&authors.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
        };
        let (own, other) = ("printer@corp.example", "ann@corp.example");
        assert!(all(&printer, &[own]) && !all(&printer, &[own, other]) && !all(&printer, &["no"]));
        assert!(all(&Submission::default(), &[own, other]), "a server of a listed network");
    }
}
