//! Every field of the search language, in one table from which parser, help
//! and documentation come.

use serde::Serialize;
use store::contract::TextColumn;

use super::nearest;

/// One field.
#[derive(Debug)]
pub struct Field {
    /// As it is written before the colon, lower case.
    pub name: &'static str,
    /// Other ways to write it.
    pub aliases: &'static [&'static str],
    /// What its values are.
    pub kind: FieldKind,
    /// What it finds, one sentence.
    pub help: &'static str,
    /// Something to type.
    pub example: &'static str,
}

/// What the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// An outcome or a state of the life-line.
    Is,
    /// A reason code, the beginning of one, or a label.
    Type,
    /// An address, a domain or a part of one, in any of these columns.
    Address(&'static [TextColumn]),
    /// A domain, in any of these columns.
    Domain(&'static [TextColumn]),
    /// Text, in this column.
    Text(TextColumn),
    /// A client address or network.
    Ip,
    /// A span of time.
    Time,
}

/// Where `addr:` and `domain:` look.
const ADDRESSES: &[TextColumn] = &[TextColumn::From, TextColumn::To, TextColumn::HeaderFrom];

/// Every field.
pub const FIELDS: &[Field] = &[
    Field {
        name: "is",
        aliases: &["outcome", "state"],
        kind: FieldKind::Is,
        help: "How it ended: accepted, rejected, deferred or held; or what became of it later: \
               queued, delivered, bounced, expired, released or deleted.",
        example: "is:rejected",
    },
    Field {
        name: "type",
        aliases: &["reason"],
        kind: FieldKind::Type,
        help: "The reason: a code, the beginning of one up to a dot, or a label in quotes.",
        example: "type:greylist",
    },
    Field {
        name: "from",
        aliases: &["sender"],
        kind: FieldKind::Address(&[TextColumn::From]),
        help: "The envelope sender: an address, a domain or a part of one; \"\" for bounces.",
        example: "from:news@acme.example",
    },
    Field {
        name: "to",
        aliases: &["rcpt", "recipient"],
        kind: FieldKind::Address(&[TextColumn::To]),
        help: "The envelope recipient: an address, a domain or a part of one.",
        example: "to:@corp.example",
    },
    Field {
        name: "ip",
        aliases: &["client"],
        kind: FieldKind::Ip,
        help: "The client's address, a network or the beginning of an address.",
        example: "ip:192.0.2.0/24",
    },
    Field {
        name: "info",
        aliases: &["information"],
        kind: FieldKind::Text(TextColumn::Information),
        help: "A part of the information line.",
        example: "info:\"no such mailbox\"",
    },
    Field {
        name: "time",
        aliases: &["at"],
        kind: FieldKind::Time,
        help: "When: last15m, last24h, last7d, today, yesterday, a date, or a range of dates or \
               times. Narrows the whole query.",
        example: "time:2026-11-20..2026-11-21",
    },
    Field {
        name: "hfrom",
        aliases: &["header_from"],
        kind: FieldKind::Address(&[TextColumn::HeaderFrom]),
        help: "The author in the From field: an address, a domain or a part of the name.",
        example: "hfrom:ana@corp.example",
    },
    Field {
        name: "subject",
        aliases: &[],
        kind: FieldKind::Text(TextColumn::Subject),
        help: "A part of the subject.",
        example: "subject:invoice",
    },
    Field {
        name: "helo",
        aliases: &["ehlo"],
        kind: FieldKind::Text(TextColumn::Helo),
        help: "A part of the name the client gave itself.",
        example: "helo:*.acme.example",
    },
    Field {
        name: "msgid",
        aliases: &["message_id"],
        kind: FieldKind::Text(TextColumn::MessageId),
        help: "A part of the Message-ID.",
        example: "msgid:<abc@host.example>",
    },
    Field {
        name: "addr",
        aliases: &["address"],
        kind: FieldKind::Address(ADDRESSES),
        help: "An address as envelope sender, envelope recipient or author.",
        example: "addr:ana@corp.example",
    },
    Field {
        name: "domain",
        aliases: &[],
        kind: FieldKind::Domain(ADDRESSES),
        help: "A domain, with everything below it, of sender, recipient or author, or in the \
               client's name for itself.",
        example: "domain:corp.example",
    },
];

/// The field of this name or alias, in any case.
pub fn find(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| {
        field.name.eq_ignore_ascii_case(name)
            || field.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

/// The field somebody probably meant.
pub(super) fn nearest(name: &str) -> Option<&'static Field> {
    let names =
        FIELDS.iter().flat_map(|f| std::iter::once(f.name).chain(f.aliases.iter().copied()));
    nearest::nearest(name, names).and_then(find)
}

/// One field as help shows it.
#[derive(Clone, Debug, Serialize)]
pub struct FieldHelp {
    /// The name.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// What it finds.
    pub help: &'static str,
    /// Something to type.
    pub example: &'static str,
}

/// The whole table, for help pages, the API and the command line.
pub fn help() -> Vec<FieldHelp> {
    let line = |field: &Field| FieldHelp {
        name: field.name,
        aliases: field.aliases,
        help: field.help,
        example: field.example,
    };
    FIELDS.iter().map(line).collect()
}
