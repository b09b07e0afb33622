//! The rows of the registry.

use store::search::Column as Stored;
use store::search::{NumberColumn, TextColumn, WordColumn};

use super::FieldKind::{
    Address, Domain, Enhanced, Exact, Has, Id, Ip, Is, NotRecorded, Number, Policy, Text, Time,
    Tls, Type, Word, YesNo,
};
use super::Group::{Authentication, Content, Envelope, Handling, Header, Outcome, Story};
use super::{Column, Drawn, Field, FieldKind, Group, Identified, Question, TimeSide, Unit};

const fn field(
    group: Group,
    kind: FieldKind,
    name: &'static str,
    example: &'static str,
    help: &'static str,
) -> Field {
    Field { name, aliases: &[], group, kind, help, example, column: None }
}

impl Field {
    /// Other ways to write its name.
    const fn or(self, aliases: &'static [&'static str]) -> Field {
        Field { aliases, ..self }
    }

    /// A column of lists, under this heading and API name.
    const fn shown(self, label: &'static str, api: &'static str, drawn: Drawn) -> Field {
        Field { column: Some(Column { label, api, drawn, sort: None }), ..self }
    }

    /// The same column, by which lists can be sorted.
    const fn sorted(self, by: Stored) -> Field {
        match self.column {
            Some(column) => Field { column: Some(Column { sort: Some(by), ..column }), ..self },
            None => self,
        }
    }
}

/// The column of [`TIME`].
pub(super) const TIME_COLUMN: Column =
    Column { label: "Time", api: "time", drawn: Drawn::Time, sort: Some(Stored::Time) };

/// When it happened.
pub(super) const TIME: Field = Field {
    column: Some(TIME_COLUMN),
    ..field(
        Group::Time,
        Time(TimeSide::Within),
        "time",
        "time:2026-11-20..2026-11-21",
        "When: last15m, last24h, last7d, today, yesterday, a date, or a range of dates or times. \
         Narrows the whole query.",
    )
    .or(&["at"])
};

/// Every field.
#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    TIME,
    field(Group::Time, Time(TimeSide::After), "after", "after:2026-11-20T08:00",
        "From this time on. Narrows the whole query.")
        .or(&["since"]),
    field(Group::Time, Time(TimeSide::Before), "before", "before:now-1h",
        "Before this time. Narrows the whole query.")
        .or(&["until"]),
    field(Outcome, Is, "is", "is:rejected",
        "How it ended: accepted, rejected, deferred or held; or what became of it: queued, delivered, \
         bounced, expired, released or deleted.")
        .or(&["outcome", "state"])
        .shown("Outcome", "outcome", Drawn::Outcome)
        .sorted(Stored::Word(WordColumn::Outcome)),
    field(Outcome, Type, "type", "type:greylist",
        "The reason: a code, the beginning of one up to a dot, or a label in quotes.")
        .or(&["reason"])
        .shown("Type", "reason", Drawn::Label)
        .sorted(Stored::Word(WordColumn::Reason)),
    field(Envelope, Address(TextColumn::From), "from", "from:news@acme.example",
        "The envelope sender: an address, a domain or a part of one; <> for bounces.")
        .or(&["sender"])
        .shown("From", "from", Drawn::Mailbox)
        .sorted(Stored::Text(TextColumn::From)),
    field(Envelope, Address(TextColumn::To), "to", "to:@corp.example",
        "The envelope recipient: an address, a domain or a part of one.")
        .or(&["rcpt", "recipient"])
        .shown("To", "to", Drawn::Text)
        .sorted(Stored::Text(TextColumn::To)),
    field(Outcome, Text(TextColumn::Information), "info", "info:\"no such user\"",
        "A part of the information line.")
        .or(&["information"])
        .shown("Information", "info", Drawn::Text),
    field(Envelope, Ip, "ip", "ip:192.0.2.0/24",
        "The client's address, a network, the beginning of an address, or `internal` for private ones.")
        .or(&["net", "client"])
        .shown("IP address", "ip", Drawn::Code)
        .sorted(Stored::Ip),
    field(Outcome, Number(NumberColumn::Code, Unit::Code), "code", "code:5xx",
        "The SMTP reply code: 550, 5xx or a range.")
        .shown("Code", "code", Drawn::Number)
        .sorted(Stored::Number(NumberColumn::Code)),
    field(Outcome, Enhanced, "ecode", "ecode:5.7.1",
        "The enhanced status code, or the beginning of one.")
        .shown("Enhanced code", "ecode", Drawn::Code),
    field(Outcome, Word(WordColumn::Stage), "stage", "stage:rcpt",
        "Where the session ended: connect, helo, mail, rcpt, data, content or deliver.")
        .shown("Stage", "stage", Drawn::Text)
        .sorted(Stored::Word(WordColumn::Stage)),
    field(Outcome, Policy, "policy", "policy:3",
        "The policy that decided, by its number; `sender 3` for a managed sender, * for any.")
        .shown("Policy", "policy", Drawn::Code),
    field(Outcome, Exact(TextColumn::Would), "would", "would:reject",
        "What policies in observe mode would have decided, where that is another decision: reject, defer \
         or hold; a reason or the beginning of one up to a dot; or a policy, as #3; * for any."),
    field(Outcome, Word(WordColumn::Check), "check", "check:greylist", "The check that decided.")
        .shown("Check", "check", Drawn::Text),
    field(Outcome, NotRecorded, "rule", "rule:URI_PHISH", "A spam rule that matched."),
    field(Outcome, Exact(TextColumn::Lists), "zone", "zone:bl.example",
        "A list that the client, or a name of it or of its sender, is on, where a policy asked it.")
        .or(&["list"])
        .shown("Lists", "lists", Drawn::List),
    field(Envelope, Text(TextColumn::Helo), "helo", "helo:*.acme.example",
        "A part of the name the client gave itself.")
        .or(&["ehlo"])
        .shown("HELO", "helo", Drawn::Text)
        .sorted(Stored::Text(TextColumn::Helo)),
    field(Envelope, Text(TextColumn::HostName), "rdns", "rdns:mta.acme.example",
        "A part of the client's confirmed name in the DNS, where it was known in time.")
        .or(&["host"])
        .shown("rDNS", "rdns", Drawn::Text),
    field(Envelope, Address(TextColumn::Address), "addr", "addr:ana@corp.example",
        "An address as envelope sender, envelope recipient or author.")
        .or(&["address"]),
    field(Envelope, Domain(TextColumn::Host), "domain", "domain:corp.example",
        "A domain, with everything below it, of sender, recipient or author, or in the client's names."),
    field(Envelope, Exact(TextColumn::Network), "asn", "asn:AS64500", "The client's autonomous system.")
        .shown("ASN", "asn", Drawn::Code),
    field(Envelope, Exact(TextColumn::Country), "geo", "geo:DE", "The client's country.")
        .or(&["country"])
        .shown("Country", "country", Drawn::Text),
    field(Envelope, Number(NumberColumn::Port, Unit::Plain), "port", "port:25", "The client's TCP port.")
        .shown("Port", "port", Drawn::Number),
    field(Envelope, Exact(TextColumn::Direction), "direction", "direction:outbound",
        "Which way it goes: `inbound` is mail from the world, `outbound` that of your own servers; \
         without it both are found.")
        .shown("Direction", "direction", Drawn::Text),
    field(Envelope, Exact(TextColumn::Submitter), "submitter", "submitter:printer",
        "The device or program that submitted the mail by name and password; * for any.")
        .shown("Submitter", "submitter", Drawn::Text),
    field(Envelope, Text(TextColumn::Listener), "listener", "listener:2525",
        "The listener that took the connection, as address:port or a part of it.")
        .shown("Listener", "listener", Drawn::Code),
    field(Header, Address(TextColumn::HeaderFrom), "hfrom", "hfrom:ana@corp.example",
        "The author in the From field: an address, a domain or a part of the name.")
        .or(&["header_from"])
        .shown("Header from", "header_from", Drawn::List),
    field(Header, Text(TextColumn::DisplayName), "name", "name:\"Ana Ruiz\"",
        "A part of the author's display name.")
        .or(&["display"]),
    field(Header, NotRecorded, "replyto", "replyto:x@acme.example", "The address replies go to."),
    field(Header, Text(TextColumn::Subject), "subject", "subject:invoice", "A part of the subject.")
        .shown("Subject", "subject", Drawn::Text),
    field(Header, Text(TextColumn::MessageId), "msgid", "msgid:<abc@host.example>",
        "A part of the Message-ID.")
        .or(&["message_id"])
        .shown("Message-ID", "message_id", Drawn::Code),
    field(Header, Text(TextColumn::Anything), "any", "any:acme",
        "A part of any text: addresses, names, subject, information, attachments.")
        .or(&["text"]),
    field(Header, NotRecorded, "lang", "lang:de", "The language of the text."),
    field(Header, NotRecorded, "bulk", "bulk:yes", "Whether it is bulk mail."),
    field(Authentication, Word(WordColumn::Spf), "spf", "spf:fail",
        "The SPF result: none, neutral, pass, fail, softfail, temperror or permerror.")
        .shown("SPF", "spf", Drawn::Text)
        .sorted(Stored::Word(WordColumn::Spf)),
    field(Authentication, Word(WordColumn::Dkim), "dkim", "dkim:pass",
        "The DKIM result over all signatures: none, pass, fail, policy, neutral, temperror or permerror.")
        .shown("DKIM", "dkim", Drawn::Text)
        .sorted(Stored::Word(WordColumn::Dkim)),
    field(Authentication, Word(WordColumn::Dmarc), "dmarc", "dmarc:fail",
        "The DMARC result: none, pass, fail, temperror or permerror.")
        .shown("DMARC", "dmarc", Drawn::Text)
        .sorted(Stored::Word(WordColumn::Dmarc)),
    field(Authentication, Word(WordColumn::Align), "align", "align:no",
        "What passed for the very domain of the author: no, spf, dkim or both.")
        .or(&["alignment"])
        .shown("Aligned", "align", Drawn::Text),
    field(Authentication, Word(WordColumn::Arc), "arc", "arc:pass",
        "The result of the ARC chain: none, pass, fail or temperror.")
        .shown("ARC", "arc", Drawn::Text),
    field(Authentication, Tls, "tls", "tls:1.3", "The client's TLS version: none, any, 1.2 or 1.3.")
        .shown("TLS", "tls", Drawn::Text),
    field(Authentication, Text(TextColumn::Cipher), "cipher", "cipher:AES_256",
        "A part of the client's cipher suite.")
        .shown("Cipher", "cipher", Drawn::Code),
    field(Content, NotRecorded, "score", "score:28..32", "The spam score.")
        .shown("Score", "score", Drawn::Number),
    field(Content, Number(NumberColumn::Size, Unit::Octets), "size", "size:>5MB",
        "The size of the message, else the size that was announced.")
        .shown("Size", "size", Drawn::Octets)
        .sorted(Stored::Number(NumberColumn::Size)),
    field(Content, Has, "has", "has:attachment", "What the message has: an attachment."),
    field(Content, Text(TextColumn::Attachments), "att", "att:invoice.pdf",
        "A part of an attachment's file name.")
        .or(&["attachment"])
        .shown("Attachments", "attachments", Drawn::List),
    field(Content, Exact(TextColumn::Extension), "ext", "ext:zip",
        "The extension of an attachment's file name.")
        .or(&["extension"]),
    field(Content, Exact(TextColumn::MediaType), "mime", "mime:application/*",
        "The declared media type of an attachment."),
    field(Content, Exact(TextColumn::Hash), "hash",
        "hash:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "The SHA-256 of an attachment.")
        .or(&["sha256"]),
    field(Content, NotRecorded, "url", "url:*/login*", "An address in the text."),
    field(Content, NotRecorded, "urldomain", "urldomain:acme.example", "The domain of a link."),
    field(Content, NotRecorded, "virus", "virus:Eicar*", "The name of a virus that was found."),
    field(Story, Id(Identified::Event), "ref", "ref:7K2M4QX9B0TA",
        "One attempt, by its id or the reference its reply quoted.")
        .or(&["id"])
        .shown("Ref", "ref", Drawn::Code),
    field(Story, Id(Identified::LifeLine), "life", "life:7K2M4QX9B0TA",
        "Everything on one life-line, by its id or reference.")
        .shown("Life-line", "life", Drawn::Code),
    field(Story, Id(Identified::Session), "session", "session:0198c0de-5f00-7000-8000-000000000001",
        "Everything of one SMTP session."),
    field(Story, Number(NumberColumn::Attempts, Unit::Plain), "attempts", "attempts:>3",
        "Attempts within a greylist window so far, this one included.")
        .shown("Attempts", "attempt", Drawn::Number)
        .sorted(Stored::Number(NumberColumn::Attempts)),
    field(Story, Number(NumberColumn::Wait, Unit::Span), "wait", "wait:>10m",
        "How long after its first attempt a retry came.")
        .shown("Wait", "wait_ms", Drawn::Duration)
        .sorted(Stored::Number(NumberColumn::Wait)),
    field(Story, YesNo(Question::Retried), "retried", "retried:no",
        "Whether a greylisted sender came back.")
        .or(&["came-back"]),
    field(Story, YesNo(Question::FirstContact), "first-contact", "first-contact:yes",
        "Whether network, sender and recipient were new to each other.")
        .or(&["first_contact"])
        .shown("First contact", "first_contact", Drawn::Text),
    field(Story, NotRecorded, "replies", "replies:yes",
        "Whether the recipient has written to this sender."),
    field(Handling, Text(TextColumn::By), "by", "by:d.kim", "Who acted on the queued message."),
    field(Handling, Text(TextColumn::NextHop), "hop", "hop:mx.corp.example",
        "The next hop of a try to deliver, as host:port or a part of it.")
        .or(&["next-hop"]),
    field(Handling, Text(TextColumn::Node), "node", "node:mx1", "The machine that wrote the event.")
        .shown("Node", "node", Drawn::Code),
    field(Handling, NotRecorded, "note", "note:ticket", "A person's remark.")
        .shown("Note", "note", Drawn::Text),
    field(Handling, NotRecorded, "tag", "tag:phishing", "A tag somebody gave."),
    field(Handling, NotRecorded, "reviewed", "reviewed:no", "Whether somebody has looked at it."),
];
