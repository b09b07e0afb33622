//! The rows of the registry.

use store::contract::TextColumn;

use super::FieldKind::{Address, Domain, Ip, Is, NotRecorded, Text, Time, Type};
use super::Group::{Authentication, Content, Envelope, Handling, Header, Outcome, Story};
use super::{Column, Drawn, Field, FieldKind, Group, SortColumn, SortKey, TimeSide};

/// Where `addr:` and `domain:` look.
const ADDRESSES: &[TextColumn] = &[TextColumn::From, TextColumn::To, TextColumn::HeaderFrom];

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
    const fn or(self, aliases: &'static [&'static str]) -> Field {
        Field { aliases, ..self }
    }

    const fn shown(self, label: &'static str, api: &'static str, drawn: Drawn) -> Field {
        Field { column: Some(Column { label, api, drawn, sort: None }), ..self }
    }

    const fn sorted(self, by: SortColumn) -> Field {
        match self.column {
            Some(column) => {
                let column = Column { sort: Some(SortKey::Column(by)), ..column };
                Field { column: Some(column), ..self }
            }
            None => self,
        }
    }
}

/// The column of [`TIME`].
pub(super) const TIME_COLUMN: Column =
    Column { label: "Time", api: "time", drawn: Drawn::Time, sort: Some(SortKey::Time) };

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
pub const FIELDS: &[Field] = &[
    TIME,
    field(
        Outcome,
        Is,
        "is",
        "is:rejected",
        "How it ended: accepted, rejected, deferred or held; or what became of it later: queued, \
         delivered, bounced, expired, released or deleted.",
    )
    .or(&["outcome", "state"])
    .shown("Outcome", "outcome", Drawn::Outcome),
    field(
        Outcome,
        Type,
        "type",
        "type:greylist",
        "The reason: a code, the beginning of one up to a dot, or a label in quotes.",
    )
    .or(&["reason"])
    .shown("Type", "reason", Drawn::Label)
    .sorted(SortColumn::Reason),
    field(
        Envelope,
        Address(&[TextColumn::From]),
        "from",
        "from:news@acme.example",
        "The envelope sender: an address, a domain or a part of one; <> for bounces.",
    )
    .or(&["sender"])
    .shown("From", "from", Drawn::Mailbox)
    .sorted(SortColumn::From),
    field(
        Envelope,
        Address(&[TextColumn::To]),
        "to",
        "to:@corp.example",
        "The envelope recipient: an address, a domain or a part of one.",
    )
    .or(&["rcpt", "recipient"])
    .shown("To", "to", Drawn::Text)
    .sorted(SortColumn::To),
    field(
        Outcome,
        Text(TextColumn::Information),
        "info",
        "info:\"no such user\"",
        "A part of the information line.",
    )
    .or(&["information"])
    .shown("Information", "info", Drawn::Text),
    field(
        Envelope,
        Ip,
        "ip",
        "ip:192.0.2.0/24",
        "The client's address, a network or the beginning of an address.",
    )
    .or(&["client", "net"])
    .shown("IP address", "ip", Drawn::Code)
    .sorted(SortColumn::Ip),
    field(
        Header,
        Text(TextColumn::Subject),
        "subject",
        "subject:invoice",
        "A part of the subject.",
    )
    .shown("Subject", "subject", Drawn::Text),
    field(
        Header,
        Address(&[TextColumn::HeaderFrom]),
        "hfrom",
        "hfrom:ana@corp.example",
        "The author in the From field: an address, a domain or a part of the name.",
    )
    .or(&["header_from"])
    .shown("Header from", "header_from", Drawn::List),
    field(
        Envelope,
        Text(TextColumn::Helo),
        "helo",
        "helo:*.acme.example",
        "A part of the name the client gave itself.",
    )
    .or(&["ehlo"])
    .shown("HELO", "helo", Drawn::Text),
    field(
        Header,
        Text(TextColumn::MessageId),
        "msgid",
        "msgid:<abc@host.example>",
        "A part of the Message-ID.",
    )
    .or(&["message_id"])
    .shown("Message-ID", "message_id", Drawn::Code),
    field(
        Envelope,
        Address(ADDRESSES),
        "addr",
        "addr:ana@corp.example",
        "An address as envelope sender, envelope recipient or author.",
    )
    .or(&["address"]),
    field(
        Envelope,
        Domain(ADDRESSES),
        "domain",
        "domain:corp.example",
        "A domain, with everything below it, of sender, recipient or author, or in the client's \
         name for itself.",
    ),
    field(Content, NotRecorded, "score", "score:28..32", "The spam score.").shown(
        "Score",
        "score",
        Drawn::Number,
    ),
    field(Authentication, NotRecorded, "spf", "spf:fail", "The SPF result.").shown(
        "SPF",
        "spf",
        Drawn::Text,
    ),
    field(
        Story,
        NotRecorded,
        "replies",
        "replies:yes",
        "Whether the recipient has written to this sender.",
    ),
    field(Handling, NotRecorded, "note", "note:*", "A person's remark.").shown(
        "Note",
        "note",
        Drawn::Text,
    ),
];
