//! The stage a dialogue is played on: a session, what the client sent that is
//! not taken yet, and the transcript.

use std::sync::Arc;

use smtp::{
    Answer, End, Interruption, MailParameters, Output, Question, Session, SessionLimits,
    SessionProfile,
};
use types::{Reason, Reply, ReplyParameters};

/// The dialogue with its expected lines as they really are.
pub(crate) fn play(script: &str) -> String {
    let mut stage = Stage::new();
    for line in script.lines() {
        if !["S: ", "? ", "M: ", "! "].iter().any(|mark| line.starts_with(mark)) {
            stage.transcript.push_str(line);
            stage.transcript.push('\n');
            stage.author(line);
        }
    }
    stage.transcript
}

/// A session on a stage: the client's octets that are not taken yet, and what
/// was seen so far.
struct Stage {
    limits: SessionLimits,
    starttls: bool,
    auth: bool,
    session: Option<Session>,
    input: Vec<u8>,
    question: Option<Question>,
    transcript: String,
}

impl Stage {
    fn new() -> Self {
        Stage {
            limits: SessionLimits::default(),
            starttls: true,
            auth: false,
            session: None,
            input: Vec::new(),
            question: None,
            transcript: String::new(),
        }
    }

    fn author(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" | "#" => {}
            "limit" => self.limit(rest),
            "connect" => {
                let profile = SessionProfile::new("mx.example", self.starttls, self.limits);
                let profile = match self.auth {
                    true => profile.offering_auth("mx.example"),
                    false => profile,
                };
                self.session = Some(Session::new(Arc::new(profile)));
                self.turn();
            }
            "C:" | "C+" => {
                self.input.extend_from_slice(rest.as_bytes());
                self.input.extend_from_slice(b"\r\n");
                if word == "C:" {
                    self.turn();
                }
            }
            "R:" => {
                self.input.extend_from_slice(&unescape(rest));
                self.turn();
            }
            "=" => self.answer(rest),
            "timeout" => self.interrupt(Interruption::TimedOut),
            "lost" => self.interrupt(Interruption::Lost),
            "drain" => self.interrupt(Interruption::Draining),
            "stop" => self.interrupt(Interruption::Stopping),
            "tls-failed" => self.interrupt(Interruption::TlsFailed),
            "tls" => {
                self.session().tls_established();
                self.turn();
            }
            other => panic!("no such line: {other}"),
        }
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("connect comes first")
    }

    fn limit(&mut self, rest: &str) {
        let (name, number) = rest.split_once(' ').expect("limit NAME N");
        let number: u32 = number.parse().expect("a number");
        match name {
            "recipients" => self.limits.recipients_max = number,
            "wrong" => self.limits.commands_wrong_max = number,
            "commands" => self.limits.commands_max = number,
            "message" => self.limits.content.message_octets_max = number.into(),
            "line" => self.limits.content.line_octets_max = number.into(),
            "excess" => self.limits.content.excess_octets_max = number.into(),
            "starttls" => self.starttls = number > 0,
            "auth" => self.auth = number > 0,
            other => panic!("no such limit: {other}"),
        }
    }

    fn interrupt(&mut self, why: Interruption) {
        self.session().interrupt(why);
        self.turn();
    }

    fn answer(&mut self, text: &str) {
        let question = self.question.take();
        let question = question.unwrap_or_else(|| {
            panic!("an answer needs a question:\n{}", self.transcript);
        });
        let answer = match question.own_reply() {
            Some(reply) if text == "refuse" => Answer::Refuse(reply),
            _ => answer(text, question.reason()),
        };
        let mut replies = Vec::new();
        self.session().answer(answer, &mut replies);
        self.show_replies(&replies);
        self.turn();
    }

    /// Turns the session until it waits.
    fn turn(&mut self) {
        let buffer = std::mem::take(&mut self.input);
        let mut input = &buffer[..];
        loop {
            let mut replies = Vec::new();
            let output = self.session().advance(&mut input, &mut replies);
            self.show_replies(&replies);
            match output {
                Output::Wait => break,
                Output::Ask(question) => {
                    self.show("? ", &question_text(&question));
                    self.question = Some(question);
                }
                Output::DataBegan => self.show("! ", "data-began"),
                Output::Content(octets) => self.show("M: ", &escape(octets)),
                Output::Ended(end) => self.show("! ", &format!("ended {}", end_text(end))),
                Output::StartTls => {
                    self.show("! ", "start-tls");
                    break;
                }
                Output::Close => {
                    self.show("! ", "close");
                    break;
                }
            }
        }
        self.input = input.to_vec();
    }

    fn show_replies(&mut self, replies: &[u8]) {
        let text = std::str::from_utf8(replies).unwrap();
        for line in text.split_terminator("\r\n") {
            self.show("S: ", line);
        }
    }

    fn show(&mut self, mark: &str, text: &str) {
        self.transcript.push_str(mark);
        self.transcript.push_str(text);
        self.transcript.push('\n');
    }
}

fn answer(text: &str, reason: Option<Reason>) -> Answer {
    let reply = |slug: &str| -> Reply {
        let reason = if slug.is_empty() { reason } else { Some(slug.parse().unwrap()) };
        let reason = reason.expect("this question has no reason of its own");
        reason.reply(&ReplyParameters::default()).expect("a reason with a reply")
    };
    match text.split_once(' ').unwrap_or((text, "")) {
        ("credentials-invalid", "") => Answer::Refuse(smtp::replies::CREDENTIALS_INVALID),
        ("proceed", "") => Answer::Proceed,
        ("refuse", slug) => Answer::Refuse(reply(slug)),
        ("close", "") => Answer::Close,
        ("close", slug) => Answer::RefuseAndClose(reply(slug)),
        (other, _) => panic!("no such answer: {other}"),
    }
}

fn question_text(question: &Question) -> String {
    match question {
        Question::Connect => "connect".to_owned(),
        Question::Helo { name, esmtp } => {
            format!("{} {name}", if *esmtp { "ehlo" } else { "helo" })
        }
        Question::Mail(mail) => {
            format!("mail {}{}", mail.reverse_path, parameters(&mail.parameters))
        }
        Question::Rcpt(path) => format!("rcpt {path}"),
        // Shown as it shows itself: the password must not be in it.
        Question::Authenticate(credentials) => format!("authenticate {credentials:?}"),
        Question::EndOfData { octets } => format!("end-of-data {octets} octets"),
        Question::MalformedSender(m) => format!("malformed-sender {} ({})", m.given, m.error),
        Question::UnfitSender(path, unfit) => format!("unfit-sender {path} ({unfit})"),
        Question::UnfitRecipient(path, unfit) => format!("unfit-recipient {path} ({unfit})"),
        Question::MalformedRecipient(m) => format!("malformed-recipient {} ({})", m.given, m.error),
        Question::TooManyRecipients(path) => format!("too-many-recipients {path}"),
        Question::RefuseMessage { fault, closes, .. } => {
            let then = if *closes { ", closing" } else { "" };
            format!("refuse-message {} ({fault}){then}", fault.reason())
        }
        Question::EndConnection(end) => format!("end-connection {}", end_text(*end)),
    }
}

fn parameters(parameters: &MailParameters) -> String {
    let size = parameters.size.map(|size| format!(" size={size}"));
    let body = parameters.body.map(|body| format!(" body={body:?}"));
    let smtputf8 = parameters.smtputf8.then(|| " smtputf8".to_owned());
    let auth = parameters.auth.then(|| " auth".to_owned());
    [size, body, smtputf8, auth].into_iter().flatten().collect()
}

fn end_text(end: End) -> String {
    let other = if end.other_protocol { " other-protocol" } else { "" };
    format!("{} ({:?}){other}", end.reason, end.ends).to_lowercase()
}

fn escape(octets: &[u8]) -> String {
    let text = octets.escape_ascii().to_string();
    if text.len() <= 200 { text } else { format!("{}… ({} octets)", &text[..40], octets.len()) }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            octets.extend_from_slice(c.to_string().as_bytes());
            continue;
        }
        let (kind, after) = rest.split_at(1);
        rest = after;
        match kind {
            "r" => octets.push(b'\r'),
            "n" => octets.push(b'\n'),
            "\\" => octets.push(b'\\'),
            "x" => {
                octets.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            "{" => {
                let (what, after) = rest.split_once('}').unwrap();
                let (what, times) = what.rsplit_once('*').unwrap();
                octets.extend(unescape(what).repeat(times.parse().unwrap()));
                rest = after;
            }
            other => panic!("no such escape: {other}"),
        }
    }
    octets
}
