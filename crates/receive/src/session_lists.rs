//! What lists say of one session: asked as soon as it is known what to ask
//! about, and never twice for the same.

use std::sync::{Arc, Mutex, PoisonError};

use checks::{ListKey, needs_address_only, unknown_subject};
use futures_util::FutureExt;
use futures_util::future::join_all;
use types::{
    CheckName, Finding, ListFacts, ListFailure, ListQuestion, ListSubject, Micros, Observed,
    Source, Stage,
};

use crate::desk::Visit;
use crate::engine::Engine;
use crate::host_name::HostName;
use crate::pending::Pending;

/// A question with what it is about.
type Asked = (ListQuestion, Subject);

/// What a question is about.
#[derive(Clone, PartialEq, Eq)]
enum Subject {
    /// This, or nothing that could be asked about.
    Known(Option<ListKey>),
    /// The client's name, which is looked up once a session.
    ClientName,
}

/// All questions of one session to lists.
#[derive(Default)]
pub(crate) struct SessionLists {
    batches: Mutex<Vec<Arc<Batch>>>,
}

/// Questions that were asked together.
struct Batch {
    asked: Vec<Asked>,
    /// In the same order.
    answers: Pending<Arc<[ListFacts]>>,
}

impl Batch {
    fn begin(engine: &Arc<Engine>, visit: &Visit, asked: Vec<Asked>) -> Arc<Batch> {
        let (engine, questions) = (Arc::clone(engine), asked.clone());
        let by_name = asked.iter().any(|(_, subject)| *subject == Subject::ClientName);
        // Questions about the name follow as soon as it is known, whether the
        // client has said anything by then or not.
        let name = by_name.then(|| visit.host_name.answer()).flatten();
        let name = name.map(|found| found.map(|found| client_name(&found)).boxed().shared());
        let answers = Pending::begin(async move {
            let parts = &engine.parts;
            let ask = |(question, subject): &Asked| {
                let (lists, resolver) = (parts.checks.lists(), &*parts.resolver);
                let (question, subject, name) = (question.clone(), subject.clone(), name.clone());
                async move {
                    let key = match (subject, name) {
                        (Subject::Known(key), _) => Ok(key),
                        (Subject::ClientName, Some(name)) => name.await,
                        (Subject::ClientName, None) => Ok(None),
                    };
                    match key {
                        Ok(key) => lists.ask(&question, key.as_ref(), resolver).await,
                        Err(failure) => unknown_subject(&question, failure),
                    }
                }
            };
            join_all(questions.iter().map(ask)).await.into()
        });
        Arc::new(Batch { asked, answers })
    }
}

impl SessionLists {
    /// Asks what needs the client's address, or its name, alone.
    pub(crate) fn begin_by_address(&self, engine: &Arc<Engine>, visit: &Visit) {
        let policy = engine.parts.policy.load();
        let by_address = |question: &&ListQuestion| needs_address_only(question.of);
        self.ask(engine, visit, policy.lists().iter().filter(by_address));
    }

    /// Asks what needs nothing but what was said up to MAIL.
    pub(crate) fn begin_by_envelope(&self, engine: &Arc<Engine>, visit: &Visit) {
        let policy = engine.parts.policy.load();
        self.ask(engine, visit, policy.lists().iter());
    }

    /// What all these lists say; waits for those that have not answered.
    pub(crate) async fn finding(
        &self,
        engine: &Arc<Engine>,
        visit: &Visit,
        questions: &[ListQuestion],
    ) -> Finding {
        let began = engine.parts.clock.elapsed();
        let batches = self.ask(engine, visit, questions.iter());
        let answers = join_all(batches.iter().map(|batch| batch.answers.answer())).await;
        let mut facts = Vec::with_capacity(questions.len());
        for question in questions {
            let wanted: Asked = (question.clone(), subject(question.of, visit));
            let answered = batches.iter().zip(&answers).find_map(|(batch, answers)| {
                let place = batch.asked.iter().position(|asked| *asked == wanted)?;
                answers.get(place).cloned()
            });
            facts.extend(answered);
        }
        Finding {
            check: CheckName::Rbl,
            stage: Stage::Rcpt,
            observed: Observed::Lists(facts),
            source: Source::Session,
            took: Micros::from(engine.parts.clock.elapsed().saturating_sub(began)),
        }
    }

    /// Asks what was not asked yet; gives all that is under way or answered.
    /// What was asked about an earlier name or sender is forgotten, so that
    /// a long session does not collect.
    fn ask<'a>(
        &self,
        engine: &Arc<Engine>,
        visit: &Visit,
        questions: impl Iterator<Item = &'a ListQuestion>,
    ) -> Vec<Arc<Batch>> {
        let wanted: Vec<Asked> =
            questions.map(|question| (question.clone(), subject(question.of, visit))).collect();
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let current = |(question, about): &Asked| *about == subject(question.of, visit);
        batches.retain(|batch| batch.asked.iter().any(current));
        let known = |asked: &Asked| batches.iter().any(|batch| batch.asked.contains(asked));
        let new: Vec<Asked> = wanted.into_iter().filter(|asked| !known(asked)).collect();
        if !new.is_empty() {
            batches.push(Batch::begin(engine, visit, new));
        }
        batches.clone()
    }
}

/// What a question is about in this session.
fn subject(of: ListSubject, visit: &Visit) -> Subject {
    let client = &visit.client;
    Subject::Known(match of {
        ListSubject::Ip => Some(ListKey::Ip(client.client.ip)),
        ListSubject::Helo => client.helo.as_deref().and_then(ListKey::name),
        ListSubject::SenderDomain => {
            let sender = visit.reverse_path.as_deref().and_then(|path| path.address());
            sender.and_then(|address| ListKey::name(address.domain_key()))
        }
        ListSubject::HostName => match visit.host_name {
            HostName::Asked(_) | HostName::Found(_) => return Subject::ClientName,
            HostName::Told => client.host_name.as_deref().and_then(ListKey::name),
            HostName::NotAsked => None,
        },
    })
}

/// The confirmed name of the client; an error where the name system had no
/// answer.
fn client_name(found: &Finding) -> Result<Option<ListKey>, ListFailure> {
    match &found.observed {
        Observed::Reverse(facts) => {
            Ok(facts.confirmed.as_ref().and_then(|name| ListKey::name(name.as_str())))
        }
        Observed::Inconclusive(_) => Err(ListFailure::Unreachable),
        _ => Ok(None),
    }
}
