//! From a sender's manner to an errand: what is said, from where, and when it
//! is tried again. Whether a later try happens depends on the answers.

use std::sync::Arc;
use std::time::Duration;

use types::{ForwardPath, ReversePath};

use crate::cast::{ANY_NET, BOT_NET_FIRST, Manner, Return, Sender};
use crate::corp;
use crate::dice::Dice;
use crate::folder::Messages;
use crate::letter::{Flaw, Letter, Tone};
use crate::mishap::Mishap;
use crate::names::host_name;
use crate::origin::Origin;
use crate::seal;
use crate::traffic::{Content, Mail};
use crate::words;

/// One thing somebody wants of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Errand {
    /// When it is tried, counted from the first try, and from where.
    pub(crate) tries: Vec<Try>,
    /// The name given in EHLO.
    pub(crate) helo: Arc<str>,
    /// What is done.
    pub(crate) act: Act,
}

/// One try of an errand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Try {
    pub(crate) after: Duration,
    pub(crate) origin: Origin,
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
    /// Speaks before the greeting.
    TalkEarly,
    /// Asks for TLS and sends something else.
    BreakTls,
    /// Opens so many connections at once.
    Crowd(usize),
    /// Says nothing.
    KeepSilent,
}

impl Errand {
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
            Act::Say { lines, .. } => lines.iter().any(|line| beyond(line)),
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
        _ if sender.net == ANY_NET => Return::Never,
        _ => Return::Patiently,
    };
    Errand { tries: tries(back, origin, dice), helo: helo.into(), act: act(sender, dice) }
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

fn act(sender: &Sender, dice: &Dice) -> Act {
    let write = Writer { sender, dice };
    match sender.manner {
        Manner::Writes(_) => write.send(vec![write.mail(vec![write.recipient()], Flaw::None)]),
        Manner::WritesToSeveral => write.send(vec![write.mail(write.several(), Flaw::None)]),
        Manner::Newsletter => write.newsletter(),
        Manner::Bounces => write.bounce(),
        Manner::ShowsAnother(from) => write.shows(from),
        Manner::International => write.send(vec![write.mail(vec![write.recipient()], Flaw::None)]),
        Manner::Circles => write.flawed(Flaw::Received(26)),
        Manner::Smuggles => write.flawed(Flaw::BareLf),
        Manner::NeverEndsLine => write.flawed(Flaw::LongLine(1_100_000)),
        Manner::Applies => write.application(),
        Manner::DeclaresEnormous => write.enormous(),
        Manner::WritesToCourse => write.course(),
        Manner::WritesBeyond => write.beyond(),
        Manner::Guesses => write.guesses(),
        Manner::ReadsDictionary => write.dictionary(),
        Manner::AsksOnly => Act::Ask(write.mail(vec![write.recipient()], Flaw::None)),
        Manner::Knocks => write.knock(),
        Manner::Relays => write.relay(),
        Manner::Misspells => write.misspelling(),
        Manner::Breaks(mishap) => {
            Act::Break { mail: write.mail(vec![write.recipient()], Flaw::None), mishap }
        }
        Manner::TalksEarly => Act::TalkEarly,
        Manner::Babbles => write.babble(),
        Manner::BreaksTls => Act::BreakTls,
        Manner::Crowds => Act::Crowd(24),
        Manner::KeepsSilent => Act::KeepSilent,
    }
}

/// Makes what one sender sends.
struct Writer<'d> {
    sender: &'d Sender,
    dice: &'d Dice,
}

impl Writer<'_> {
    /// One of the sender's addresses; a bot's has a number that is new each
    /// time.
    fn address(&self) -> String {
        let person = self.dice.pick_early(self.sender.people);
        match self.sender.net {
            ANY_NET => format!("{person}{}@{}", self.dice.below(10_000), self.sender.domain),
            _ => format!("{person}@{}", self.sender.domain),
        }
    }

    fn recipient(&self) -> ForwardPath {
        let (local, _) = self.dice.pick_early(corp::CORP_MAILBOXES);
        // Now and then somebody has left, or was misspelt.
        let left = self.dice.percent(3);
        let local = if left { format!("{local}.old") } else { (*local).to_owned() };
        forward(&local, corp::DIRECTORY_DOMAIN)
    }

    fn several(&self) -> Vec<ForwardPath> {
        let mut recipients = Vec::new();
        for _ in 0..self.dice.between(2, 6) {
            let recipient = self.recipient();
            if !recipients.contains(&recipient) {
                recipients.push(recipient);
            }
        }
        recipients
    }

    fn mail(&self, recipients: Vec<ForwardPath>, flaw: Flaw) -> Mail {
        self.mail_from(&self.address(), recipients, flaw)
    }

    fn mail_from(&self, from: &str, recipients: Vec<ForwardPath>, flaw: Flaw) -> Mail {
        let spam = self.sender.domain.ends_with(".test");
        let letter = Letter {
            seed: self.dice.seed(),
            from: from.to_owned(),
            to: recipients.first().map_or("", ForwardPath::as_str).to_owned(),
            tone: if spam { Tone::Spam } else { Tone::Ordinary },
            flaw,
            signed_by: Some(self.sender.domain).filter(|domain| seal::signs(domain)),
        };
        let reverse_path = from.parse().map_or(ReversePath::Null, ReversePath::Address);
        Mail { reverse_path, recipients, content: Content::Letter(letter) }
    }

    fn send(&self, mails: Vec<Mail>) -> Act {
        Act::Send { mails, chunking: self.dice.percent(15) }
    }

    fn flawed(&self, flaw: Flaw) -> Act {
        let mails = vec![self.mail(vec![self.recipient()], flaw)];
        Act::Send { mails, chunking: false }
    }

    /// Verp: the reader's address is part of the reverse-path, and so is the
    /// number of the issue.
    fn newsletter(&self) -> Act {
        let list = self.dice.pick(self.sender.people);
        let issue = self.dice.between(1_000, 9_999);
        let readers = self.several();
        let mails = readers.into_iter().map(|reader| {
            let tag = reader.as_str().replace('@', "=");
            let mut mail = self.mail(vec![reader], Flaw::None);
            let verp = format!("{list}-{issue}+{tag}@{}", self.sender.domain);
            mail.reverse_path = verp.parse().map_or(ReversePath::Null, ReversePath::Address);
            mail
        });
        self.send(mails.collect())
    }

    fn bounce(&self) -> Act {
        let from = format!("mailer-daemon@{}", self.sender.domain);
        let mut mail = self.mail_from(&from, vec![self.recipient()], Flaw::None);
        mail.reverse_path = ReversePath::Null;
        if let Content::Letter(letter) = &mut mail.content {
            letter.tone = Tone::Bounce;
        }
        self.send(vec![mail])
    }

    fn shows(&self, from: &str) -> Act {
        let recipient = if self.dice.percent(60) {
            forward("carla", corp::DIRECTORY_DOMAIN)
        } else {
            self.recipient()
        };
        let mut mail = self.mail(vec![recipient], Flaw::None);
        if let Content::Letter(letter) = &mut mail.content {
            letter.from = from.to_owned();
        }
        self.send(vec![mail])
    }

    fn application(&self) -> Act {
        let octets = if self.dice.percent(60) { 2 * corp::JOBS_SIZE_MAX_OCTETS } else { 20_000 };
        let jobs = forward("jobs", corp::DIRECTORY_DOMAIN);
        self.send(vec![self.mail(vec![jobs], Flaw::Attachment(octets))])
    }

    fn enormous(&self) -> Act {
        let from = self.address();
        self.say(vec![format!("MAIL FROM:<{from}> SIZE=734003200")], 0)
    }

    fn course(&self) -> Act {
        let seat = |seat| forward(&corp::course_seat(seat), corp::DIRECTORY_DOMAIN);
        let recipients: Vec<String> =
            (1..=corp::COURSE_SEATS).map(|number| format!("RCPT TO:{}", seat(number))).collect();
        let count = recipients.len();
        let from = format!("MAIL FROM:<{}>", self.address());
        let letter = "Subject: The course begins\r\n\r\nSee you on Monday.\r\n.".to_owned();
        let data = ["DATA".to_owned(), letter];
        self.say(std::iter::once(from).chain(recipients).chain(data).collect(), count)
    }

    fn beyond(&self) -> Act {
        let (table, domain) = match self.dice.below(10) {
            0 => (corp::BRANCH_MAILBOXES, corp::UNREACHABLE_DOMAIN),
            _ => (corp::CLINIC_MAILBOXES, corp::CALL_FORWARD_DOMAIN),
        };
        let local = match self.dice.below(10) {
            0 => "dr.nobody",
            _ => self.dice.pick(table).0,
        };
        self.send(vec![self.mail(vec![forward(local, domain)], Flaw::None)])
    }

    fn guesses(&self) -> Act {
        let from = self.address();
        let mut lines = vec![format!("MAIL FROM:<{from}>")];
        let count = self.dice.between(2, 12);
        for _ in 0..count {
            let domain = match self.dice.below(8) {
                0 => corp::CALL_FORWARD_DOMAIN,
                _ => corp::DIRECTORY_DOMAIN,
            };
            lines.push(format!("RCPT TO:<{}@{domain}>", self.dice.word(words::GUESSES)));
        }
        self.say(lines, usize::try_from(count).unwrap_or(0))
    }

    /// More names than the gateway of the demo lets one client ask for.
    fn dictionary(&self) -> Act {
        let from = format!("MAIL FROM:<{}>", self.address());
        let name = |number| format!("RCPT TO:<a{number:03}@{}>", corp::DIRECTORY_DOMAIN);
        let count = corp::UNKNOWN_RECIPIENTS_MAX + 4;
        let lines = std::iter::once(from).chain((0..count).map(name)).collect();
        self.say(lines, usize::try_from(count).unwrap_or(0))
    }

    fn knock(&self) -> Act {
        // Half of the scanners hang up without a word of SMTP.
        if self.dice.percent(50) {
            Act::Say { lines: vec!["QUIT".to_owned()], recipients: 0 }
        } else {
            self.say(Vec::new(), 0)
        }
    }

    fn relay(&self) -> Act {
        let from = self.address();
        let to = format!("target{}@elsewhere.example", self.dice.below(100));
        self.say(vec![format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{to}>")], 1)
    }

    fn misspelling(&self) -> Act {
        let malformed = self.dice.word(words::MALFORMED);
        if self.dice.percent(40) {
            return self.say(vec![format!("MAIL FROM:{malformed}")], 0);
        }
        let from = self.address();
        self.say(vec![format!("MAIL FROM:<{from}>"), format!("RCPT TO:{malformed}")], 1)
    }

    fn babble(&self) -> Act {
        let lines = (0..20).map(|_| self.dice.word(words::BABBLE).to_owned());
        Act::Say { lines: lines.collect(), recipients: 0 }
    }

    /// EHLO, these lines, QUIT.
    fn say(&self, lines: Vec<String>, recipients: usize) -> Act {
        let hello = std::iter::once(format!("EHLO {}", self.sender.people.first().unwrap_or(&"")));
        let lines = hello.chain(lines).chain(std::iter::once("QUIT".to_owned()));
        Act::Say { lines: lines.collect(), recipients }
    }
}

fn forward(local: &str, domain: &str) -> ForwardPath {
    let address = format!("{local}@{domain}").parse();
    address.map_or(ForwardPath::Postmaster, ForwardPath::Address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cast::CAST;

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
            assert!(late[1].after > Duration::from_secs(12 * 3_600));
        }
    }
}
