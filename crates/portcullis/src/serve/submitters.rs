//! What a session says of names and passwords, carried to the message center,
//! which keeps them. They are looked at off the workers that serve sessions.

use std::net::IpAddr;
use std::sync::Arc;

use center::submitters::{SubmitRefusal, Submitters};
use receive::{Proof, Renewed};
use smtp::Credentials;
use types::Submitter;
use types::finding::Unavailable;
use world::BoxFuture;

use crate::telemetry::{Log, Message};

/// Hears of each name and password that was not right: from where, and why.
pub type Complaint = Box<dyn Fn(IpAddr, &SubmitRefusal) + Send + Sync>;

/// The passwords of submitters.
pub struct Passwords {
    submitters: Arc<Submitters>,
    complain: Complaint,
}

impl Passwords {
    /// Those that the message center keeps.
    pub fn new(submitters: Arc<Submitters>, complain: Complaint) -> Self {
        Passwords { submitters, complain }
    }

    /// The same, each complaint with its line in the log.
    pub(super) fn logged(submitters: &Arc<Submitters>, log: &Arc<Log>) -> Self {
        let log = Arc::clone(log);
        let say = move |from: IpAddr, refusal: &SubmitRefusal| {
            let (from, problem) = (from.to_string(), refusal.to_string());
            log.say(&Message::SubmissionRefused { from, problem });
        };
        Passwords::new(Arc::clone(submitters), Box::new(say))
    }

    /// Of what is not looked at nobody hears: it costs a stranger nothing, and
    /// would fill the log.
    fn told(&self, refusal: &SubmitRefusal, from: IpAddr) -> Proof {
        let proof = match refusal {
            SubmitRefusal::Wait(_) | SubmitRefusal::Busy => return Proof::NotNow,
            SubmitRefusal::Failed(_) => Proof::NotNow,
            SubmitRefusal::Wrong(_) => Proof::Wrong,
        };
        (self.complain)(from, refusal);
        proof
    }
}

impl receive::Submitters for Passwords {
    fn prove(&self, said: Credentials, from: IpAddr) -> BoxFuture<'_, Proof> {
        let submitters = Arc::clone(&self.submitters);
        let work = move || submitters.prove(said.name(), said.password(), from);
        let work = tokio::task::spawn_blocking(work);
        Box::pin(async move {
            match work.await {
                Ok(Ok(submitter)) => Proof::Right(Arc::new(submitter)),
                Ok(Err(refusal)) => self.told(&refusal, from),
                // It panicked, or we are stopping.
                Err(_) => Proof::NotNow,
            }
        })
    }

    fn as_it_is_now<'a>(&'a self, before: &'a Submitter, from: IpAddr) -> BoxFuture<'a, Renewed> {
        let (submitters, before) = (Arc::clone(&self.submitters), before.clone());
        let work = tokio::task::spawn_blocking(move || submitters.as_it_is_now(&before, from));
        Box::pin(async move {
            match work.await {
                Ok(Ok(found)) => Ok(found.map(Arc::new)),
                Ok(Err(_)) => Err(Unavailable::Store),
                // It panicked, or we are stopping.
                Err(_) => Err(Unavailable::Stopping),
            }
        })
    }
}
