//! Simulation: sessions fed with pieces of conversation, answers and
//! accidents drawn from a seed. `SEED=5` replays one.

use super::*;
use crate::profile::SessionLimits;
use proptest::prelude::*;

const SESSIONS: u64 = 6_000;
const STEPS: u32 = 60;

const PIECES: &[&str] = &[
    "EHLO mail.sender.example\r\n",
    "HELO x\r\n",
    "MAIL FROM:<ann@sender.example>\r\n",
    "MAIL FROM:<>\r\nRCPT TO:<bob@corp.example>\r\nDATA\r\n",
    "MAIL FROM:<ann>\r\n",
    "RCPT TO:<bob@corp.example>\r\n",
    "RCPT TO:<bob@corp.example>\r\nRCPT TO:<cid@corp.example>\r\n",
    "RCPT TO:bob\r\n",
    "MAIL FROM:<ann@sender.example> RET=HDRS\r\n",
    "RCPT TO:<bøb@corp.example>\r\n",
    "DATA\r\n",
    "Hello.\r\n.\r\n",
    "..dots\r\n",
    "BDAT 7\r\nhello\r\n",
    "BDAT 5 LAST\r\nbob\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT 40\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
    "STARTTLS\r\n",
    "AUTH PLAIN AGFubgBzM2NyZXQ=\r\n",
    "AUTH PLAIN\r\n",
    "AUTH LOGIN\r\nYW5u\r\nczNjcmV0\r\n",
    "AGFubgBzM2NyZXQ=\r\n",
    "*\r\n",
    "STARTTLS\r\nMAIL FROM:<evil@sender.example>\r\n",
    "FOO\r\n",
    "\r",
    "\n",
    ".",
    "x",
];

/// A small generator of numbers (xorshift), so that a seed is a session.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn profile() -> Arc<SessionProfile> {
    let mut limits = SessionLimits { recipients_max: 3, ..SessionLimits::default() };
    limits.content.message_octets_max = 60;
    limits.content.excess_octets_max = 60;
    Arc::new(SessionProfile::new("mx.example", true, limits).offering_auth("mx.example"))
}

/// The world around a session, which keeps the books the session's caller
/// would keep.
struct World {
    session: Session,
    chance: Chance,
    input: Vec<u8>,
    question: Option<Question>,
    /// Accepted recipients whose attempt is open.
    open: u32,
    /// Attempts that ended.
    events: u32,
    closed: bool,
    seed: u64,
    step: u32,
}

impl World {
    fn require(&self, holds: bool, what: &str) {
        assert!(holds, "{what}; seed {}, step {}; {:?}", self.seed, self.step, self.session);
    }

    /// What the caller does with an end.
    fn end(&mut self, end: End, asked: bool) {
        match end.ends {
            Ends::Recipients => {
                self.require(self.open > 0 || asked, "recipients end, but there are none");
                self.events += self.open + u32::from(asked);
                self.open = 0;
            }
            Ends::Connection => {
                self.require(self.open + self.events == 0, "the connection has attempts");
                self.events += 1;
            }
            Ends::Nothing => self.require(self.open == 0, "an attempt was forgotten"),
        }
    }

    fn turn(&mut self) {
        let buffer = std::mem::take(&mut self.input);
        let mut input = &buffer[..];
        loop {
            let (waiting, before) = (self.question.is_some(), input.len());
            let early = matches!(self.question, Some(Question::Connect)) && before > 0;
            let mut replies = Vec::new();
            let output = self.session.advance(&mut input, &mut replies);
            let silent = replies.is_empty() && input.len() == before && output == Output::Wait;
            self.require(!waiting || silent || early, "did not wait");
            self.require(!self.closed || replies.is_empty(), "spoke after the end");
            match output {
                Output::Wait => break,
                Output::Close => {
                    self.closed = true;
                    break;
                }
                Output::Ask(question) => {
                    self.question = Some(question);
                    break;
                }
                Output::Ended(end) => self.end(end, false),
                Output::StartTls => {
                    self.require(input.is_empty(), "clear text survives STARTTLS");
                    self.session.tls_established();
                }
                Output::DataBegan => self.require(self.open > 0, "content for nobody"),
                Output::Content(octets) => self.require(!octets.is_empty(), "empty content"),
            }
        }
        self.input = input.to_vec();
    }

    fn answer(&mut self) {
        let Some(question) = self.question.take() else { return };
        let yes = question.reason().is_none() && self.chance.below(4) > 0;
        match (&question, yes) {
            (Question::Rcpt(_), true) => self.open += 1,
            (Question::Connect | Question::Helo { .. } | Question::Mail(_), true) => {}
            (Question::Authenticate(_), _) => self.require(self.session.is_tls(), "in clear text"),
            (Question::EndOfData { .. } | Question::RefuseMessage { .. }, _) => {
                self.require(self.open > 0, "a message for nobody");
                self.events += std::mem::take(&mut self.open);
            }
            (Question::EndConnection(end), _) => self.end(*end, false),
            _ => self.events += 1,
        }
        let closes = matches!(question, Question::Connect) && !yes;
        let refusal = Reply::fixed(550, None, "no");
        let answer = if yes { Answer::Proceed } else { Answer::Refuse(refusal) };
        let mut replies = Vec::new();
        self.session.answer(answer, &mut replies);
        let lines: Vec<&[u8]> = replies.split_inclusive(|&b| b == b'\n').collect();
        let last = |line: &&[u8]| line.get(3) == Some(&b' ');
        let one = lines.iter().filter(|line| last(line)).count() == 1;
        self.require(one && lines.last().is_some_and(last), "an answer is one reply");
        self.closed |= closes;
    }

    fn accident(&mut self) {
        let why = match self.chance.below(5) {
            0 => Interruption::TimedOut,
            1 => Interruption::Lost,
            2 => Interruption::Stopping,
            3 => Interruption::TlsFailed,
            _ => Interruption::Draining,
        };
        let asked = self.question.as_ref().is_some_and(is_about_an_address);
        self.session.interrupt(why);
        if why == Interruption::Draining {
            return;
        }
        self.question = None;
        // The attempt that was asked about is open again, with the caller.
        self.open += u32::from(asked);
    }
}

fn is_about_an_address(question: &Question) -> bool {
    matches!(
        question,
        Question::Rcpt(_)
            | Question::TooManyRecipients(_)
            | Question::MalformedSender(_)
            | Question::MalformedRecipient(_)
            | Question::UnfitSender(..)
            | Question::UnfitRecipient(..)
    )
}

fn simulate(seed: u64) {
    let mut world = World {
        session: Session::new(profile()),
        chance: Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        input: Vec::new(),
        question: None,
        open: 0,
        events: 0,
        closed: false,
        seed,
        step: 0,
    };
    world.turn();
    while world.step < STEPS {
        world.step += 1;
        match world.chance.below(100) {
            0 => world.accident(),
            1..50 => world.answer(),
            _ if matches!(world.question, Some(Question::Connect)) => {}
            _ => {
                let piece = PIECES[world.chance.below(PIECES.len())];
                let cut = world.chance.below(piece.len()) + 1;
                let whole = world.chance.below(4) > 0;
                world
                    .input
                    .extend_from_slice(&piece.as_bytes()[..if whole { piece.len() } else { cut }]);
            }
        }
        world.turn();
    }
    // Whatever it was doing, in the end it is lost.
    if !world.closed {
        let asked = world.question.take().is_some_and(|question| is_about_an_address(&question));
        world.open += u32::from(asked);
        world.session.interrupt(Interruption::Lost);
        world.turn();
    }
    world.require(world.closed, "it does not close");
    world.require(world.open == 0, "an attempt has no end");
    world.require(world.events > 0, "a connection without event");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a failing seed is replayed by naming it")]
fn every_attempt_ends_once_and_every_step_keeps_its_turn() {
    match std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => simulate(seed),
        None => (0..SESSIONS).for_each(simulate),
    }
}

#[test]
fn an_idle_session_is_small() {
    let octets = size_of::<Session>();
    assert!(octets <= 256, "{octets} octets");
}

/// All replies and content of a conversation in which everything is allowed.
fn converse(script: &[u8], cuts: &[usize]) -> (Vec<u8>, Vec<u8>) {
    let mut session = Session::new(profile());
    let (mut replies, mut content, mut pending) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = script;
    let mut cuts = cuts.iter().copied();
    let mut greeted = false;
    loop {
        let mut input = &pending[..];
        let open = loop {
            match session.advance(&mut input, &mut replies) {
                Output::Wait => break true,
                Output::Close => break false,
                Output::Ask(question) => {
                    greeted = true;
                    let answer = match question.reason() {
                        None => Answer::Proceed,
                        Some(_) => Answer::Refuse(Reply::fixed(550, None, "no")),
                    };
                    session.answer(answer, &mut replies);
                }
                Output::Content(octets) => content.extend_from_slice(octets),
                Output::StartTls => return (replies, content),
                Output::DataBegan | Output::Ended(_) => {}
            }
        };
        pending = input.to_vec();
        if !open || (rest.is_empty() && greeted) {
            return (replies, content);
        }
        let size = cuts.next().unwrap_or(usize::MAX).clamp(1, rest.len().max(1)).min(rest.len());
        pending.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
    }
}

proptest! {
    #[test]
    fn replies_do_not_depend_on_how_the_input_is_cut(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..25),
        cuts in proptest::collection::vec(1usize..9, 0..80),
    ) {
        let script = ["EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<bob@corp.example>\r\n", &pieces.concat()].concat();
        let whole = converse(script.as_bytes(), &[]);
        let cut = converse(script.as_bytes(), &cuts);
        prop_assert_eq!(String::from_utf8_lossy(&whole.0), String::from_utf8_lossy(&cut.0));
    }

    #[test]
    fn nothing_panics(
        octets in proptest::collection::vec(any::<u8>(), 0..400),
        cuts in proptest::collection::vec(1usize..9, 0..80),
    ) {
        converse(&octets, &cuts);
    }
}

#[test]
fn each_command_is_counted_once_with_its_final_reply() {
    let counts = Arc::new(crate::CommandCounts::default());
    let limits = SessionLimits { recipients_max: 3, ..SessionLimits::default() };
    let profile = SessionProfile::new("mx.example", true, limits).counting(Arc::clone(&counts));
    let mut session = Session::new(Arc::new(profile));
    let mut talk = |text: &str, answers: &[Answer]| {
        let (mut input, mut out) = (text.as_bytes(), Vec::new());
        let mut answers = answers.iter();
        loop {
            match session.advance(&mut input, &mut out) {
                Output::Wait | Output::Close => break,
                Output::Ask(_) => session.answer(answers.next().unwrap().clone(), &mut out),
                _ => {}
            }
        }
        assert!(answers.next().is_none(), "{text}");
    };
    let refuse = || Answer::Refuse(Reason::RecipientUnknown.reply(&Default::default()).unwrap());
    let defer = || Answer::Refuse(Reason::GreylistFirstSeen.reply(&Default::default()).unwrap());
    talk("", &[Answer::Proceed]);
    talk("RCPT TO:<a@b.example>\r\nEHLO x.example\r\n", &[Answer::Proceed]);
    talk("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n", &[Answer::Proceed, refuse()]);
    talk("RCPT TO:<c@b.example>\r\nRCPT TO:<d@b.example>\r\n", &[defer(), Answer::Proceed]);
    talk("DATA\r\nSubject: x\r\n\r\n", &[]);
    talk("text\r\n.\r\nNOOP\r\nWHAT\r\nNOOP\nNOOP\r\n", &[Answer::Proceed]);
    talk("MAIL FROM:<a..b@c.example>\r\nQUIT\r\n", &[refuse()]);
    let counted: Vec<String> = counts
        .all()
        .filter(|(.., count)| *count > 0)
        .map(|(verb, class, count)| format!("{} {} {count}", verb.slug(), class.slug()))
        .collect();
    let wanted = [
        "ehlo 2xx 1",
        "mail 2xx 1",
        "mail 5xx 1",
        "rcpt 2xx 1",
        "rcpt 4xx 1",
        "rcpt 5xx 2",
        "data 2xx 1",
        "noop 2xx 1",
        "quit 2xx 1",
        "other 5xx 3",
    ];
    assert_eq!(counted, wanted);
}
