//! What happened, in sentences: the explanation of the reason, then what was
//! particular about this attempt.

use std::time::Duration;

use types::event::{RelayAnswer, RelayAttempt};
use types::finding::{TripletFacts, TripletState};
use types::message::UnseenAuthors;
use types::policy::ClientIdentity;
use types::{
    CheckName, Detail, Event, EventKind, Evidence, FollowUp, Loss, Observed, Outcome, Reason,
    spoken,
};

use super::change::is_outbound;
use super::decider::{PolicyView, Since};
use super::evidence::{grouped, identified_by, octets, place, spared_because, wrote};
use super::follow_up::{ended, follow_up_text, try_of};
use super::joins::triplet;
use super::ledger::{expected_by, short};
use super::{authentication, certificates, listings};
use crate::{presentable, reputation};

/// What happened, one to four sentences. `policy` is what is kept about the
/// policy that decided.
pub(super) fn sentence(event: &Event, policy: Option<&PolicyView>) -> String {
    let text = match &event.kind {
        EventKind::Attempt(outcome) => attempt(event, outcome, policy),
        EventKind::FollowUp { what, .. } => follow_up(what),
    };
    presentable(&text).into_owned()
}

fn attempt(event: &Event, outcome: &Outcome, policy: Option<&PolicyView>) -> String {
    let mut sentences = vec![explanation(event, outcome.reason()).to_owned()];
    sentences.extend(particular(event, outcome.reason()));
    sentences.extend(
        listings::spared(event)
            .map(|spared| format!("Reputation did not decide, because {spared}.")),
    );
    if let Some(decision) = outcome.decision() {
        sentences.extend(detail(&decision.detail, outcome.reason()));
        sentences.extend(policy.map(by_policy));
    }
    sentences.join(" ")
}

/// The explanation of the reason; one that means something else on its way out
/// has another there.
fn explanation(event: &Event, reason: Reason) -> &'static str {
    match reason {
        Reason::RelayDenied if is_outbound(event) => "This listener takes mail of our own alone.",
        Reason::SystemUnavailable => {
            certificates::put_off(event).map_or(reason.explanation(), |why| why.explanation)
        }
        _ => reason.explanation(),
    }
}

/// What the evidence adds to the explanation of a reason.
fn particular(event: &Event, reason: Reason) -> Option<String> {
    let evidence = &event.record.evidence;
    let subject = &event.subject;
    let from = || subject.reverse_path.as_ref().map(|path| path.to_string());
    let to = || subject.recipient.as_ref().map(|path| path.to_string());
    match reason {
        // What was wrong is in the decision.
        Reason::RelayDenied if is_outbound(event) => {
            from().map(|from| format!("The sender is {from}."))
        }
        Reason::ReputationRejected | Reason::ReputationTemporary => {
            match evidence.latest(CheckName::Reputation)? {
                Observed::Reputation(facts) => Some(reputation::scores(facts)),
                _ => None,
            }
        }
        Reason::GeoBlocked | Reason::HoldGeo => match evidence.latest(CheckName::Place)? {
            Observed::Place(facts) => Some(ended(format!("It is in {}", place(facts)))),
            _ => None,
        },
        Reason::RecipientUnknown | Reason::RelayDenied | Reason::RecipientUnverifiable => {
            to().map(|to| format!("It is addressed to {to}."))
        }
        Reason::BlockedPolicyEnvelope
        | Reason::BlockedManualEnvelope
        | Reason::SpoofingEnvelope
        | Reason::AcceptedPermitted => from().map(|from| format!("The sender is {from}.")),
        Reason::AcceptedAutoAllowed => match evidence.latest(CheckName::AutoAllow) {
            Some(Observed::Correspondence(pair)) => Some(ended(wrote(pair))),
            _ => from().map(|from| format!("The sender is {from}.")),
        },
        Reason::BlockedPolicyHeader | Reason::BlockedManualHeader | Reason::SpoofingHeader => {
            match evidence.latest(CheckName::HeaderFrom)? {
                Observed::HeaderFrom { addresses } if !addresses.is_empty() => {
                    Some(format!("The author is {}.", addresses.join(", ")))
                }
                _ => None,
            }
        }
        Reason::AuthSpf
        | Reason::AuthDkim
        | Reason::AuthDmarc
        | Reason::AuthTemporary
        | Reason::HoldAuthentication
        | Reason::HoldDmarcQuarantine => {
            let check = event.outcome().and_then(Outcome::decision).map(|d| d.check)?;
            if check == CheckName::Spoofing {
                return unseen_authors(evidence);
            }
            let seen = evidence.latest(check)?;
            authentication::observed(seen).map(|words| ended(format!("The result: {words}")))
        }
        Reason::GreylistFirstSeen | Reason::GreylistTooEarly => greylisted(event),
        Reason::Accepted | Reason::AcceptedPassed => {
            greylisted(event).or_else(|| expected(event)).or_else(|| spared(event))
        }
        Reason::TlsFailed => match evidence.latest(CheckName::Tls)? {
            Observed::TlsFailed { cause } => Some(ended(format!("The cause: {cause}"))),
            _ => None,
        },
        Reason::TlsUnverified => certificate(event),
        Reason::SystemUnavailable if certificates::put_off(event)?.shows => certificate(event),
        Reason::ClientDropped | Reason::DataEndedEarly => {
            subject.declared_size.map(|size| format!("{} were announced.", octets(size)))
        }
        _ => None,
    }
}

/// Why there are authors whom nobody has looked at.
fn unseen_authors(evidence: &Evidence) -> Option<String> {
    let Observed::HeaderFrom { addresses } = evidence.latest(CheckName::HeaderFrom)? else {
        return None;
    };
    let unseen = addresses.iter().find_map(|address| UnseenAuthors::of(address))?;
    Some(ended(format!("Nobody has looked at all its authors: {}", unseen.words())))
}

/// What the client showed that has to be verified.
fn certificate(event: &Event) -> Option<String> {
    let words = certificates::shown(event)?;
    Some(ended(format!("What the client showed: {words}")))
}

/// Where the triplet of an attempt stood.
fn greylisted(event: &Event) -> Option<String> {
    let facts = triplet(event)?;
    let waited = spoken(event.started.since(facts.first_seen));
    match facts.state {
        TripletState::FirstSeen => Some(format!("It came from {}.", client(facts))),
        TripletState::TooEarly => Some(format!(
            "It is attempt {} from {}, {waited} after the first.",
            facts.attempts,
            client(facts)
        )),
        TripletState::Passed if facts.let_in => Some(format!(
            "The sender came back {waited} after its first attempt, and did not have to wait \
             because somebody let it in."
        )),
        TripletState::Passed => Some(format!(
            "The sender came back {waited} after its first attempt, as a real mail server does."
        )),
        TripletState::Known => None,
    }
}

/// Who came, as the triplet table tells clients apart.
fn client(facts: &TripletFacts) -> String {
    match (facts.identity, facts.no_pool) {
        (ClientIdentity::Pool, _) => {
            format!("a server of {}, identified by its SPF domain", facts.client)
        }
        (identity, no_pool @ Some(_)) => {
            format!("{}, {}", facts.client, identified_by(identity, &facts.client, no_pool))
        }
        (_, None) => facts.client.to_string(),
    }
}

/// Why an attempt did not have to come back that was expected.
fn expected(event: &Event) -> Option<String> {
    let by = expected_by(event)?;
    Some(format!(
        "It did not have to come back, because mail was expected ({}) and SPF proved its sender.",
        short(by)
    ))
}

/// Why an attempt did not have to come back where strangers alone do.
fn spared(event: &Event) -> Option<String> {
    let because = spared_because(event)?;
    Some(format!("It did not have to come back, because {because}."))
}

fn detail(detail: &Detail, reason: Reason) -> Option<String> {
    match detail {
        Detail::None | Detail::Code(_) => None,
        Detail::RetryIn { seconds } => {
            let wait = spoken(Duration::from_secs(*seconds));
            Some(match reason {
                Reason::GreylistTooEarly => format!("A retry passes after {wait} more."),
                _ => format!("A retry passes after {wait}."),
            })
        }
        Detail::Limit { observed, limit } => Some(match reason {
            Reason::SizeExceeded => {
                format!("It has {}; the limit is {}.", octets(*observed), octets(*limit))
            }
            Reason::Loop => {
                format!(
                    "It has {} Received fields; the limit is {}.",
                    grouped(*observed),
                    grouped(*limit)
                )
            }
            Reason::ConnectionsLimited => format!(
                "It was connection number {}; the limit is {}.",
                grouped(*observed),
                grouped(*limit)
            ),
            Reason::RecipientsLimited => format!(
                "It was recipient number {}; the limit is {}.",
                grouped(*observed),
                grouped(*limit)
            ),
            _ => format!("It was {}; the limit is {}.", grouped(*observed), grouped(*limit)),
        }),
        Detail::Scores { defer, reject } => Some(reputation::limits(*defer, *reject)),
        Detail::Quoted(quoted) => Some(ended(format!("The answer was: {quoted}"))),
        Detail::Note(note) => Some(ended(format!("What was wrong: {note}"))),
    }
}

/// Who decided, and by which member or entry.
fn by_policy(policy: &PolicyView) -> String {
    if policy.since == Since::Settings {
        return format!("Decided by {}.", policy.name);
    }
    let narrative = policy
        .narrative
        .as_deref()
        .filter(|text| !text.is_empty())
        .map_or(String::new(), |text| format!(" \u{201c}{text}\u{201d}"));
    let matched = policy
        .matched
        .as_deref()
        .map_or(String::new(), |matched| format!(", because of {matched}"));
    format!("Decided by {}{narrative}{matched}.", policy.name)
}

fn follow_up(what: &FollowUp) -> String {
    let with_try =
        |explanation: &str, relay: &RelayAttempt| format!("{explanation} {}", ended(try_of(relay)));
    match what {
        FollowUp::GreylistExpired { attempts } => {
            let made = match attempts {
                1 => "There was one attempt.".to_owned(),
                attempts => format!("There were {attempts} attempts."),
            };
            format!("{} {made}", Reason::GreylistExpired.explanation())
        }
        FollowUp::Delivered(relay) => with_try("The next hop took the message.", relay),
        FollowUp::DeliveryDeferred { attempt, next } => {
            let explanation = match &attempt.answer {
                RelayAnswer::Reply(_) => "The next hop did not take the message this time.",
                RelayAnswer::NoReply(_) => {
                    "The message could not be handed to the next hop this time."
                }
            };
            format!("{} It is tried again at {next}.", with_try(explanation, attempt))
        }
        FollowUp::DeliveryRejected(relay) => {
            with_try(Reason::DeliveryRejected.explanation(), relay)
        }
        FollowUp::DeliveryExpired(relay) => with_try(Reason::DeliveryExpired.explanation(), relay),
        other => follow_up_text(other),
    }
}

/// Why a matching policy did not apply.
pub(crate) fn loss(loss: Loss) -> &'static str {
    match loss {
        Loss::NoOverride => "another has the override flag",
        Loss::LessSpecificTo => "another names its recipients more precisely",
        Loss::LessSpecificFrom => "another names its senders more precisely",
        Loss::LessSpecificSource => "another names the source address or host",
        Loss::Newer => "another is older",
        Loss::BelowAdministrator => "an administrator's policy stands above a user's entry",
        Loss::NotAuthenticated => "authentication of the sender failed",
        Loss::Unproven => "its sender was not authenticated",
        Loss::BlockOnTie => "permit and block are equally specific, so block wins",
    }
}
