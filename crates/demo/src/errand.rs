//! From a sender's manner to an errand: from where it is tried, and when again.
//! Whether a later try happens depends on the answers; what is said is the
//! writer's business.

use std::sync::Arc;
use std::time::Duration;

use types::ReversePath;

use crate::cast::{ANY_NET, BOT_NET_FIRST, CAST, Manner, Return, Sender};
use crate::corp;
use crate::dice::Dice;
use crate::folder::Messages;
use crate::letter::{Flaw, Letter};
use crate::mishap::Mishap;
use crate::names::host_name;
use crate::origin::Origin;
use crate::submission::Submission;
use crate::traffic::{Content, Mail};
use crate::writer::{self, act};

/// One thing somebody wants of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Errand {
    /// When it is tried, counted from the first try, and from where.
    pub(crate) tries: Vec<Try>,
    /// The name given in EHLO.
    pub(crate) helo: Arc<str>,
    /// How it comes to the gateway.
    pub(crate) way: Way,
    /// What is done.
    pub(crate) act: Act,
}

/// One try of an errand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Try {
    pub(crate) after: Duration,
    pub(crate) origin: Origin,
}

/// A try after so long is not too early.
const HURRIED: Duration = Duration::from_secs(70);
/// A try after so long is too late.
const LATE: Duration = Duration::from_secs(12 * 3_600);

/// How a visitor comes to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Itself.
    Direct,
    /// Through a balancer, which names it.
    Balanced,
}

/// What is done on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Hands mails over; who is deferred is tried again.
    Send { mails: Vec<Mail>, chunking: bool },
    /// Hands one mail over and breaks off.
    Break { mail: Mail, mishap: Mishap },
    /// Asks for recipients and resets.
    Ask(Mail),
    /// Says these lines, each after the reply to the one before.
    Say { lines: Vec<String>, recipients: usize },
    /// The same at each try, whatever was answered.
    Insist { lines: Vec<String>, recipients: usize },
    /// Speaks before the greeting.
    TalkEarly,
    /// Asks for TLS and sends something else.
    BreakTls,
    /// Offers a mail inside TLS, without a certificate to show.
    Encrypt(Mail),
    /// Opens so many connections at once.
    Crowd(usize),
    /// Says nothing.
    KeepSilent,
    /// Submits mail to the world.
    Submit(Submission),
    /// Asks about the recipients of a mail that another server was offered.
    AskPolicy(Mail),
    /// Sees whether somebody answers, without a PROXY header.
    Probe,
}

impl Errand {
    /// Has it come back as soon as it is let in, unless it means to be too
    /// early or too late.
    pub(crate) fn hurry(&mut self) {
        let mut soon = HURRIED;
        for again in self.tries.iter_mut().skip(1) {
            if (HURRIED..LATE).contains(&again.after) {
                again.after = again.after.min(soon);
                soon += HURRIED;
            }
        }
    }

    /// Puts real messages in place of the letters that have no flaw of their
    /// own.
    pub(crate) fn carry(&mut self, messages: &Messages, dice: &Dice) {
        let Act::Send { mails, .. } = &mut self.act else { return };
        for mail in mails {
            let Content::Letter(Letter { flaw: Flaw::None, .. }) = mail.content else { continue };
            let message = messages.pick(dice);
            mail.content = Content::Real(Arc::clone(&message.content));
            if let (ReversePath::Address(_), Some(sender)) = (&mail.reverse_path, &message.sender) {
                mail.reverse_path = sender.clone();
            }
        }
    }
}

impl Act {
    /// Whether the gateway must ask a next hop before it can answer.
    pub(crate) fn asks_beyond(&self) -> bool {
        let beyond = |text: &str| {
            text.contains(corp::CALL_FORWARD_DOMAIN) || text.contains(corp::UNREACHABLE_DOMAIN)
        };
        match self {
            Act::Send { mails, .. } => mails
                .iter()
                .any(|mail| mail.recipients.iter().any(|recipient| beyond(recipient.as_str()))),
            Act::Say { lines, .. } | Act::Insist { lines, .. } => {
                lines.iter().any(|line| beyond(line))
            }
            _ => false,
        }
    }
}

/// Draws an errand of this sender.
pub(crate) fn draw(sender: &Sender, dice: &Dice) -> Errand {
    let origin = origin(sender, dice);
    let helo = match sender.net {
        ANY_NET => format!("{}-{}", dice.pick(sender.people), origin.host),
        _ => host_name(origin),
    };
    let back = match sender.manner {
        Manner::Writes(back) => back,
        Manner::Newsletter => Return::FromNeighbour,
        Manner::Insists => Return::Insistently,
        _ if sender.net == ANY_NET => Return::Never,
        _ => Return::Patiently,
    };
    let way = match sender.manner {
        Manner::ComesBalanced | Manner::Insists => Way::Balanced,
        _ => Way::Direct,
    };
    Errand { tries: tries(back, origin, dice), helo: helo.into(), way, act: act(sender, dice) }
}

/// Who is still connected when the server is stopped: one in the middle of a
/// transaction, and one that has not said a word.
pub(crate) fn unfinished(dice: &Dice) -> Vec<Errand> {
    let permitted = CAST.iter().find(|sender| sender.domain == corp::PERMITTED_DOMAIN);
    let acts = |sender| [writer::break_off(sender, dice), Act::KeepSilent];
    let errands = |sender| acts(sender).map(|act| Errand { act, ..draw(sender, dice) });
    permitted.into_iter().flat_map(errands).collect()
}

fn origin(sender: &Sender, dice: &Dice) -> Origin {
    let byte = |low: u8, high: u8| {
        u8::try_from(dice.between(u64::from(low), u64::from(high))).unwrap_or(low)
    };
    match sender.net {
        ANY_NET => Origin { net: byte(BOT_NET_FIRST, ANY_NET - 1), host: byte(1, 254), v6: false },
        net => Origin { net, host: byte(10, 13), v6: dice.percent(12) },
    }
}

/// The plan of tries: as mail servers do it, a few minutes and then longer.
fn tries(back: Return, origin: Origin, dice: &Dice) -> Vec<Try> {
    let seconds = |low, high| Duration::from_secs(dice.between(low, high));
    let at = |after, origin| Try { after, origin };
    let first = at(Duration::ZERO, origin);
    let minutes =
        [seconds(75, 900), seconds(1_000, 2_400), seconds(3_600, 7_200), seconds(14_000, 20_000)];
    let elsewhere = |turn: u8| Origin {
        net: origin.net.saturating_add(50).saturating_add(turn),
        host: origin.host,
        v6: false,
    };
    let neighbour = Origin { host: origin.host.wrapping_add(7), ..origin };
    let mut plan = vec![first];
    match back {
        Return::Never => {}
        Return::Insistently => {
            plan.extend((1..=8).map(|turn| at(Duration::from_secs(20 * turn), origin)));
        }
        Return::Patiently => plan.extend(minutes.map(|after| at(after, origin))),
        Return::TooEarlyFirst => {
            plan.push(at(seconds(8, 40), origin));
            plan.extend(minutes.map(|after| at(after, origin)));
        }
        Return::FromNeighbour => plan.extend(minutes.map(|after| at(after, neighbour))),
        Return::FromElsewhere => {
            let [second, third, fourth, fifth] = minutes;
            plan.push(at(second, elsewhere(0)));
            plan.push(at(third, elsewhere(1)));
            plan.push(at(fourth, origin));
            plan.push(at(fifth, elsewhere(0)));
        }
        Return::TooLate => {
            let day = Duration::from_secs(13 * 3_600);
            plan.extend(minutes.map(|after| at(day + after, origin)));
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sender_of_the_cast_has_something_to_do() {
        for sender in CAST {
            for seed in 0..40 {
                let errand = draw(sender, &Dice::new(seed));
                let [first, later @ ..] = errand.tries.as_slice() else { panic!("{sender:?}") };
                assert!(first.after.is_zero(), "{sender:?}");
                assert!(later.is_sorted_by_key(|again| again.after), "{sender:?}");
                assert!(errand.helo.is_ascii() && !errand.helo.contains(' '), "{}", errand.helo);
                if let Act::Send { mails, .. } = &errand.act {
                    assert!(mails.iter().all(|mail| !mail.recipients.is_empty()), "{sender:?}");
                }
            }
        }
    }

    #[test]
    fn a_newsletter_has_a_reverse_path_for_each_reader() {
        let sender = CAST.iter().find(|s| s.manner == Manner::Newsletter).unwrap();
        let Act::Send { mails, .. } = draw(sender, &Dice::new(3)).act else { panic!() };
        for mail in mails {
            let tag = mail.recipients[0].as_str().replace('@', "=");
            assert!(mail.reverse_path.as_str().contains(&tag), "{}", mail.reverse_path);
        }
    }

    #[test]
    fn the_early_try_is_within_a_minute_and_the_late_one_after_the_window() {
        let origin = Origin { net: 1, host: 1, v6: false };
        for seed in 0..100 {
            let early = tries(Return::TooEarlyFirst, origin, &Dice::new(seed));
            assert!(
                early[1].after < Duration::from_secs(60)
                    && early[2].after > Duration::from_secs(60)
            );
            let late = tries(Return::TooLate, origin, &Dice::new(seed));
            assert!(late[1].after > LATE);
        }
    }

    #[test]
    fn who_hurries_keeps_the_order_of_tries() {
        for sender in CAST {
            let mut errand = draw(sender, &Dice::new(7));
            let before = errand.tries.clone();
            errand.hurry();
            assert!(errand.tries.is_sorted_by_key(|again| again.after), "{errand:?}");
            for (now, before) in errand.tries.iter().zip(before) {
                assert!(now.after == before.after || now.after >= HURRIED, "{errand:?}");
                assert!(now.after <= before.after && now.origin == before.origin);
            }
        }
    }
}
