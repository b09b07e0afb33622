//! What a sender says: its letters, with their envelopes and their faults, and
//! the lines of those who send none.

use types::{ForwardPath, ReversePath};

use crate::cast::{ANY_NET, Manner, Sender};
use crate::corp;
use crate::dice::Dice;
use crate::errand::Act;
use crate::letter::{Flaw, Letter, Tone};
use crate::mishap::Mishap;
use crate::seal;
use crate::submission::{Submission, Submitting};
use crate::traffic::{Content, Mail};
use crate::words;

/// What this sender does, once.
pub(crate) fn act(sender: &Sender, dice: &Dice) -> Act {
    let write = Writer { sender, dice };
    match sender.manner {
        Manner::Writes(_) => write.send(vec![write.mail(vec![write.recipient()], Flaw::None)]),
        Manner::WritesToSeveral => write.send(vec![write.mail(write.several(), Flaw::None)]),
        Manner::Newsletter => write.newsletter(),
        Manner::Bounces => write.bounce(),
        Manner::ShowsAnother(from, to) => write.shows(from, to),
        Manner::WritesTo(address) => {
            let recipient = address.parse().map_or(ForwardPath::Postmaster, ForwardPath::Address);
            write.send(vec![write.mail(vec![recipient], Flaw::None)])
        }
        Manner::Insists => write.insistence(),
        Manner::ComesBalanced | Manner::International => {
            write.send(vec![write.mail(vec![write.recipient()], Flaw::None)])
        }
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
        Manner::Submits(how) => write.submission(how),
        Manner::AsksForOthers => Act::AskPolicy(write.mail(vec![write.recipient()], Flaw::None)),
        Manner::Probes => Act::Probe,
        Manner::TalksEarly => Act::TalkEarly,
        Manner::Babbles => write.babble(),
        Manner::BreaksTls => Act::BreakTls,
        Manner::Encrypts => Act::Encrypt(write.mail(vec![write.recipient()], Flaw::None)),
        Manner::Crowds => Act::Crowd(24),
        Manner::KeepsSilent => Act::KeepSilent,
    }
}

/// A mail of this sender to somebody, broken off once he was accepted.
pub(crate) fn break_off(sender: &Sender, dice: &Dice) -> Act {
    let write = Writer { sender, dice };
    let mail = write.mail(vec![forward("ann", corp::DIRECTORY_DOMAIN)], Flaw::None);
    Act::Break { mail, mishap: Mishap::SilentAfterRecipient }
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

    fn shows(&self, from: &str, to: &[&'static str]) -> Act {
        let recipient = match to {
            [] => self.recipient(),
            mailboxes => forward(self.dice.word(mailboxes), corp::DIRECTORY_DOMAIN),
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

    fn submission(&self, how: Submitting) -> Act {
        let device = self.dice.pick(corp::DEVICES);
        let name = match how {
            Submitting::Guesses => format!("scan{}", self.dice.below(10_000)),
            _ => device.name.to_owned(),
        };
        let from = match how {
            Submitting::AsAnother => format!("boss@{}", corp::DIRECTORY_DOMAIN),
            _ => format!("{}@{}", device.sender, corp::DIRECTORY_DOMAIN),
        };
        let to = forward(self.dice.word(self.sender.people), "customer.example");
        let mail = self.mail_from(&from, vec![to], Flaw::None);
        Act::Submit(Submission { how, name, password: device.password, mail })
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

    /// Enough at each try for its server to be put off soon, and refused
    /// later.
    fn insistence(&self) -> Act {
        let relayed = |number| format!("RCPT TO:<target{number}@elsewhere.example>");
        let mail = format!("MAIL FROM:<{}>", self.address());
        let wanted = format!("RCPT TO:{}", forward("ann", corp::DIRECTORY_DOMAIN));
        let lines = self.conversation(vec![mail, relayed(1), relayed(2), wanted]);
        Act::Insist { lines, recipients: 3 }
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

    fn say(&self, lines: Vec<String>, recipients: usize) -> Act {
        Act::Say { lines: self.conversation(lines), recipients }
    }

    /// EHLO, these lines, QUIT.
    fn conversation(&self, lines: Vec<String>) -> Vec<String> {
        let hello = std::iter::once(format!("EHLO {}", self.sender.people.first().unwrap_or(&"")));
        hello.chain(lines).chain(std::iter::once("QUIT".to_owned())).collect()
    }
}

fn forward(local: &str, domain: &str) -> ForwardPath {
    let address = format!("{local}@{domain}").parse();
    address.map_or(ForwardPath::Postmaster, ForwardPath::Address)
}
