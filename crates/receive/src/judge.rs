//! Evidence is gathered as policy asks for it, until there is a verdict.

use std::sync::Arc;

use policy::{PolicySet, Step};
use types::finding::Unavailable;
use types::{
    CheckName, Decision, Detail, Finding, Micros, Need, Observed, Parties, Reason, Source,
    SpfFacts, Stage, Verdict,
};

use crate::attempt::OpenAttempt;
use crate::desk::Visit;
use crate::engine::Engine;

/// Decides on one attempt at one stage and notes in it how that came about.
///
/// Policy is asked again after each piece of evidence it wanted. It never
/// wants the same piece twice; if it did, that would be our failure, and our
/// failure is always "come back later".
pub(crate) async fn judge(
    engine: &Arc<Engine>,
    visit: &Visit,
    stage: Stage,
    open: &mut OpenAttempt,
    header_from: &[String],
) -> Verdict {
    let policy = engine.parts.policy.load_full();
    open.policy_version = policy.version();
    let mut answered: Option<Need> = None;
    loop {
        match rule(&policy, visit, stage, open, header_from) {
            Step::Decided(verdict) => {
                count_harvest(engine, &verdict);
                return verdict;
            }
            Step::Ask(need) if answered == Some(need) => return engine_failure(),
            Step::Ask(need) => {
                let finding = look(engine, &policy, visit, open, need).await;
                note_life_line(open, &finding);
                open.evidence.add(finding);
                answered = Some(need);
            }
        }
    }
}

/// Counts a recipient about which nothing is said because its client tries
/// names out; what was decided for another reason is no such.
fn count_harvest(engine: &Engine, verdict: &Verdict) {
    if matches!(verdict, Verdict::Defer(decision) if decision.check == CheckName::Harvest) {
        engine.parts.checks.harvest().count_refused();
    }
}

/// One pass over the rules.
fn rule(
    policy: &PolicySet,
    visit: &Visit,
    stage: Stage,
    open: &mut OpenAttempt,
    header_from: &[String],
) -> Step {
    let parties = Parties {
        ip: visit.client.client.ip,
        host_name: visit.client.host_name.as_deref(),
        tls: visit.client.tls.as_ref(),
        reverse_path: visit.reverse_path.as_deref(),
        recipient: open.recipient.as_ref(),
        header_from,
    };
    let ruling = policy.decide(stage, open.attempt.started(), &parties, &open.evidence);
    for consulted in ruling.consulted {
        match open.consulted.iter_mut().find(|earlier| earlier.kind == consulted.kind) {
            Some(earlier) => *earlier = consulted,
            None => open.consulted.push(consulted),
        }
    }
    open.would = ruling.would.or(open.would.take());
    open.permit = match ruling.permits_ignored {
        true => None,
        false => ruling.permit.or(open.permit),
    };
    ruling.step
}

/// Runs the check that answers a need.
async fn look(
    engine: &Arc<Engine>,
    policy: &PolicySet,
    visit: &Visit,
    open: &OpenAttempt,
    need: Need,
) -> Finding {
    if let (Need::Spf, Some(pending)) = (need, &visit.spf) {
        return pending.finding().await;
    }
    if need == Need::Certificate {
        return visit.certificate_answer();
    }
    if need == Need::Lists {
        return visit.lists.finding(engine, visit, policy.lists()).await;
    }
    let subject = visit.subject(open.recipient.clone());
    let (Some(reverse_path), Some(recipient)) = (&subject.reverse_path, &subject.recipient) else {
        return broken();
    };
    let view = checks::TransactionView {
        at: open.attempt.started(),
        reverse_path,
        recipient,
        spf: spf_facts(open),
        place: open.evidence.latest(CheckName::Place),
        subject: &subject,
        event: open.attempt.id(),
        life_line: open.life_line,
        session: visit.session,
    };
    engine.parts.checks.look(need, &view).await
}

/// What SPF said of the attempt.
fn spf_facts(open: &OpenAttempt) -> Option<&SpfFacts> {
    match open.evidence.latest(CheckName::Spf) {
        Some(Observed::Spf(facts)) => Some(facts),
        _ => None,
    }
}

/// A retry belongs to the life-line its first attempt opened.
fn note_life_line(open: &mut OpenAttempt, finding: &Finding) {
    if let Observed::Triplet(facts) = &finding.observed {
        open.life_line = facts.life_line;
    }
}

fn broken() -> Finding {
    Finding {
        check: CheckName::System,
        stage: Stage::Rcpt,
        observed: Observed::Unavailable(Unavailable::Engine),
        source: Source::Session,
        took: Micros(0),
    }
}

fn engine_failure() -> Verdict {
    let note = Detail::Note("policy asked twice for the same evidence".into());
    let decision = Decision::new(Reason::SystemUnavailable, CheckName::System);
    Verdict::Defer(decision.with_detail(note))
}
