//! The client against peers that follow a script, and against our own server.

use super::*;
use crate::{Answer, ContentWriter, Output, Question, Session, SessionLimits, SessionProfile};
use types::{ForwardPath, Reply, ReversePath};

fn settings() -> ClientSettings {
    ClientSettings { helo_name: "gate.example".into(), chunking: false, pipelining: true }
}

fn paths(addresses: &[&str]) -> Vec<ForwardPath> {
    addresses.iter().map(|address| ForwardPath::Address(address.parse().unwrap())).collect()
}

fn envelope<'a>(reverse_path: &'a ReversePath, recipients: &'a [ForwardPath]) -> Envelope<'a> {
    Envelope { reverse_path, recipients, size_octets: 7, eight_bit: false, smtputf8: false }
}

/// A client whose peer said `replies` so far; `|` stands for a line end.
struct Scene {
    client: ClientSession,
    sent: Vec<u8>,
}

impl Scene {
    fn new(settings: ClientSettings) -> Self {
        Scene { client: ClientSession::new(settings), sent: Vec::new() }
    }

    /// Greeted, with EHLO answered.
    fn ready(settings: ClientSettings, extensions: &str) -> Self {
        let mut scene = Scene::new(settings);
        scene.peer("220 hop.example|").unwrap();
        let last = format!("250-hop.example|{extensions}250 HELP|");
        assert_eq!(scene.peer(&last), Ok(ClientOutput::Ready));
        assert_eq!(scene.sent(), "EHLO gate.example|");
        scene
    }

    fn peer(&mut self, replies: &str) -> Result<ClientOutput, ClientError> {
        let replies = replies.replace('|', "\r\n");
        let mut input = replies.as_bytes();
        self.client.advance(&mut input, &mut self.sent)
    }

    fn sent(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.sent)).unwrap().replace("\r\n", "|")
    }

    fn report(&mut self, replies: &str) -> String {
        match self.peer(replies) {
            Ok(ClientOutput::Done(report)) => describe(&report),
            other => panic!("{other:?}"),
        }
    }
}

fn describe(report: &DeliveryReport) -> String {
    let recipients: Vec<String> =
        report.recipients.iter().map(|reply| reply.quoted.to_string()).collect();
    let content = report.content.as_ref().map_or("-".to_owned(), |reply| reply.quoted.to_string());
    format!("{} / {} / {content}", report.mail.quoted, recipients.join(", "))
}

#[test]
fn without_pipelining_commands_go_one_by_one() {
    let mut scene = Scene::ready(settings(), "");
    let to = paths(&["bob@corp.example", "cid@corp.example"]);
    scene.client.send(&envelope(&ReversePath::Null, &to), &mut scene.sent).unwrap();
    assert_eq!(scene.sent(), "MAIL FROM:<>|");
    scene.peer("250 OK|").unwrap();
    assert_eq!(scene.sent(), "RCPT TO:<bob@corp.example>|");
    scene.peer("550 5.1.1 unknown|").unwrap();
    assert_eq!(scene.sent(), "RCPT TO:<cid@corp.example>|");
    scene.peer("250 OK|").unwrap();
    assert_eq!(scene.sent(), "DATA|");
    assert_eq!(scene.peer("354 go|"), Ok(ClientOutput::SendContent(ContentForm::Dotted)));
    assert_eq!(scene.client.awaits(), Step::Content);
    let report = scene.report("250 2.0.0 queued as 1|");
    assert_eq!(report, "250 OK / 550 5.1.1 unknown, 250 OK / 250 2.0.0 queued as 1");
    assert!(scene.client.is_ready());
}

#[test]
fn with_pipelining_the_whole_envelope_goes_at_once() {
    let mut scene = Scene::ready(settings(), "250-PIPELINING|250-SIZE|250-8BITMIME|");
    let to = paths(&["bob@corp.example"]);
    let mail = Envelope { eight_bit: true, ..envelope(&ReversePath::Null, &to) };
    scene.client.send(&mail, &mut scene.sent).unwrap();
    assert_eq!(scene.sent(), "MAIL FROM:<> SIZE=7 BODY=8BITMIME|RCPT TO:<bob@corp.example>|DATA|");
    assert_eq!(scene.peer("250 a|250 b|"), Ok(ClientOutput::Wait));
    assert_eq!(scene.peer("354 c|"), Ok(ClientOutput::SendContent(ContentForm::Dotted)));
    assert_eq!(scene.report("451 4.3.0 disk|"), "250 a / 250 b / 451 4.3.0 disk");
    scene.client.send(&mail, &mut scene.sent).unwrap();
    assert!(scene.sent().starts_with("MAIL"), "the refused message left nothing open");
}

#[test]
fn a_peer_that_takes_data_without_recipients_sees_an_empty_message() {
    let mut scene = Scene::ready(settings(), "250-PIPELINING|");
    let to = paths(&["bob@corp.example"]);
    scene.client.send(&envelope(&ReversePath::Null, &to), &mut scene.sent).unwrap();
    scene.sent();
    assert_eq!(scene.peer("250 a|550 b|354 c|"), Ok(ClientOutput::Wait));
    assert_eq!(scene.sent(), ".|");
    assert_eq!(scene.report("554 d|"), "250 a / 550 b / -");
}

#[test]
fn a_refused_sender_is_the_answer_for_every_recipient() {
    let mut scene = Scene::ready(settings(), "250-PIPELINING|");
    let to = paths(&["bob@corp.example"]);
    scene.client.send(&envelope(&ReversePath::Null, &to), &mut scene.sent).unwrap();
    let output = scene.peer("550 5.7.1 no bounces|503 order|503 order|");
    let Ok(ClientOutput::Done(report)) = output else { panic!("{output:?}") };
    assert_eq!(describe(&report), "550 5.7.1 no bounces /  / -");
    assert_eq!(report.decisive(0).code, 550);
}

#[test]
fn probes_share_a_connection_and_are_reset() {
    let mut scene = Scene::ready(settings(), "250-PIPELINING|");
    let to = paths(&["bob@corp.example"]);
    scene.client.probe(&envelope(&ReversePath::Null, &to), &mut scene.sent).unwrap();
    assert_eq!(scene.sent(), "MAIL FROM:<>|RCPT TO:<bob@corp.example>|");
    assert_eq!(scene.report("250 a|250 b|"), "250 a / 250 b / -");
    scene.client.probe(&envelope(&ReversePath::Null, &to), &mut scene.sent).unwrap();
    assert_eq!(scene.sent(), "RSET|MAIL FROM:<>|RCPT TO:<bob@corp.example>|");
    assert_eq!(scene.report("250 r|250 a|550 5.1.1 b|"), "250 a / 550 5.1.1 b / -");
}

#[test]
fn a_peer_without_ehlo_is_greeted_with_helo() {
    let mut scene = Scene::new(settings());
    scene.peer("220-welcome|220 old.example|").unwrap();
    scene.sent();
    scene.peer("502 what|").unwrap();
    assert_eq!(scene.sent(), "HELO gate.example|");
    assert_eq!(scene.peer("250 old.example|"), Ok(ClientOutput::Ready));
    assert!(!scene.client.capabilities().esmtp);
}

#[test]
fn what_the_peer_sends_behind_starttls_is_dropped() {
    let mut scene = Scene::ready(settings(), "250-STARTTLS|");
    assert!(scene.client.start_tls(&mut scene.sent));
    assert_eq!(scene.sent(), "STARTTLS|");
    assert_eq!(scene.peer("220 go|250-evil|250 PIPELINING|"), Ok(ClientOutput::StartTls));
    scene.client.tls_established(&mut scene.sent);
    assert_eq!(scene.sent(), "EHLO gate.example|");
    assert_eq!(scene.peer("250-hop.example|250 SIZE 10|"), Ok(ClientOutput::Ready));
    assert!(!scene.client.capabilities().pipelining);
}

#[test]
fn what_a_peer_cannot_take_is_not_sent() {
    let mut scene = Scene::ready(settings(), "250-SIZE 5|250-LIMITS RCPTMAX=1|");
    let to = paths(&["bob@corp.example", "cid@corp.example"]);
    let mail = envelope(&ReversePath::Null, &to);
    let mut try_with = |mail: Envelope<'_>| scene.client.send(&mail, &mut scene.sent);
    assert_eq!(try_with(mail), Err(CannotSend::TooLarge { limit: 5 }));
    let small = Envelope { size_octets: 5, ..mail };
    assert_eq!(try_with(small), Err(CannotSend::TooManyRecipients { max: 1 }));
    let utf8 = paths(&["bøb@corp.example"]);
    let needs = Envelope { recipients: &utf8, ..small };
    assert_eq!(try_with(needs), Err(CannotSend::NeedsSmtputf8));
    assert_eq!(scene.sent(), "");
}

#[test]
fn errors_say_whose_fault_it_is() {
    let mut scene = Scene::new(settings());
    let refused = scene.peer("554 5.7.1 go away|").unwrap_err();
    assert_eq!(refused.to_string(), "the peer refuses the connection: 554 5.7.1 go away");
    let mut scene = Scene::new(settings());
    assert!(matches!(scene.peer("HTTP/1.1 400|"), Err(ClientError::Malformed(_))));
    let scene = Scene::new(settings());
    let closed = scene.client.closed().to_string();
    assert_eq!(closed, "the peer closed the connection while it owed a reply to the connection");
    let mut scene = Scene::ready(settings(), "");
    assert!(matches!(scene.peer("250 what|"), Err(ClientError::Unasked(_))));
}

#[test]
fn a_farewell_answers_all_that_is_owed() {
    let mut scene = Scene::ready(settings(), "250-PIPELINING|");
    let to = paths(&["bob@corp.example", "cid@corp.example"]);
    scene.client.send(&envelope(&ReversePath::Null, &to), &mut scene.sent).unwrap();
    let report = scene.report("250 a|550 b|421 4.3.2 bye|");
    assert_eq!(report, "250 a / 550 b, 421 4.3.2 bye / 421 4.3.2 bye");
    assert!(!scene.client.is_ready());
}

/// Sends one message from our client to our server; returns what arrived.
fn deliver(settings: ClientSettings, content: &[u8]) -> Vec<u8> {
    let profile = SessionProfile::new("mx.example", false, SessionLimits::default());
    let (mut client, mut server) = (ClientSession::new(settings), Session::new(Arc::new(profile)));
    let (mut to_server, mut to_client, mut arrived) = (Vec::new(), Vec::new(), Vec::new());
    let to = paths(&["bob@corp.example", "nobody@corp.example"]);
    loop {
        let mut input = &to_server[..];
        loop {
            match server.advance(&mut input, &mut to_client) {
                Output::Ask(Question::Rcpt(path)) if path.as_str().starts_with("nobody") => {
                    let refusal = Reply::fixed(550, None, "no");
                    server.answer(Answer::Refuse(refusal), &mut to_client);
                }
                Output::Ask(_) => server.answer(Answer::Proceed, &mut to_client),
                Output::Content(octets) => arrived.extend_from_slice(octets),
                Output::Wait | Output::Close => break,
                Output::DataBegan | Output::Ended(_) | Output::StartTls => {}
            }
        }
        to_server = input.to_vec();
        let mut replies = &to_client[..];
        match client.advance(&mut replies, &mut to_server).unwrap() {
            ClientOutput::Ready => {
                let mail = Envelope {
                    size_octets: content.len() as u64,
                    ..envelope(&ReversePath::Null, &to)
                };
                client.send(&mail, &mut to_server).unwrap();
            }
            ClientOutput::SendContent(ContentForm::Raw) => to_server.extend_from_slice(content),
            ClientOutput::SendContent(ContentForm::Dotted) => {
                let mut writer = ContentWriter::new();
                writer.append(content, &mut to_server);
                to_server.extend_from_slice(writer.finish());
            }
            ClientOutput::Done(report) => {
                assert_eq!((report.decisive(0).code, report.decisive(1).code), (250, 550));
                client.quit(&mut to_server);
            }
            ClientOutput::Closed => return arrived,
            ClientOutput::Wait => {}
            other => panic!("{other:?}"),
        }
        to_client = replies.to_vec();
    }
}

#[test]
fn our_client_delivers_to_our_server_in_every_way() {
    let content = b"Subject: dots\r\n\r\n.\r\n..\r\nGr\xc3\xbc\xc3\x9fe\r\n.end\r\n";
    for (chunking, pipelining) in [(false, false), (false, true), (true, false), (true, true)] {
        let settings = ClientSettings { chunking, pipelining, ..settings() };
        assert_eq!(deliver(settings, content), content, "BDAT {chunking}, pipelined {pipelining}");
    }
}
