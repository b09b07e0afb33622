//! Which columns there are to search, sort, count and export by.
//!
//! A column that a segment was written without reads as empty there, so that
//! facts of later versions can be added without touching what is on the disk.

/// Separates the values of a text cell that has several: the spellings of an
/// address, the mailboxes of a From field, the names of attachments. It is
/// taken out of what senders write.
pub const VALUE_SEPARATOR: char = '\u{1e}';

/// Any column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// When it happened.
    Time,
    /// The client's address.
    Ip,
    /// A text.
    Text(TextColumn),
    /// A number.
    Number(NumberColumn),
    /// One of a few words.
    Word(WordColumn),
}

macro_rules! columns {
    ($(#[$of:meta])* $type:ident: $($(#[$doc:meta])* $name:ident = $slug:literal,)*) => {
        $(#[$of])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$doc])* $name,)* }

        impl $type {
            /// Every column of this kind.
            pub const ALL: [$type; [$($type::$name),*].len()] = [$($type::$name),*];

            /// Its name, stable.
            pub const fn name(self) -> &'static str {
                match self { $($type::$name => $slug,)* }
            }
        }
    };
}

columns! {
    /// The text columns. Comparisons are without case; addresses are found
    /// in both spellings of an internationalized domain.
    TextColumn:
    /// The reverse-path, `<>` if it is null.
    From = "from",
    /// The forward-path.
    To = "to",
    /// Display names of the From field, one value per mailbox, empty where
    /// it has none.
    DisplayName = "display_name",
    /// Addresses of the From field.
    HeaderAddress = "header_address",
    /// The subject.
    Subject = "subject",
    /// The information line of the event.
    Information = "information",
    /// The argument of EHLO.
    Helo = "helo",
    /// The confirmed name of the client in the reverse DNS.
    HostName = "host_name",
    /// The message-id, with its angle brackets.
    MessageId = "message_id",
    /// File names of attachments.
    Attachments = "attachments",
    /// What follows the last dot of these names.
    Extension = "extension",
    /// Media types of attachments.
    MediaType = "media_type",
    /// SHA-256 of attachments, in hexadecimal; every attachment has one.
    Hash = "hash",
    /// The enhanced status code of the reply.
    EnhancedCode = "enhanced_code",
    /// What decided: `#3` for a policy, `sender #3` for a managed sender,
    /// `settings greylisting` for the base of a type. Of an acceptance, the
    /// policies and managed senders that applied.
    Policy = "policy",
    /// The client's TLS version, `tlsv1.3`; empty without TLS.
    TlsVersion = "tls",
    /// The client's cipher suite.
    Cipher = "cipher",
    /// The listener that took the connection, `address:port`.
    Listener = "listener",
    /// The machine that wrote the event.
    Node = "node",
    /// Host and port of the next hop, of follow-ups of delivery.
    NextHop = "next_hop",
    /// Who acted on the queue.
    By = "by",
    /// The lists that the client, or a name of it or of its sender, is on.
    Lists = "lists",
    /// The client's country, `DE`.
    Country = "country",
    /// The client's autonomous system, `AS64500`.
    Network = "asn",
    /// `outbound` of mail of our own servers; nothing of mail from the world.
    Direction = "direction",
    /// What policies in observe mode would have decided: the outcome and what
    /// does it (`rejected`, `reject`), the reason with each beginning of it up
    /// to a dot, and the policy as `#3`.
    Would = "would",
    /// The submitter that proved itself, by name.
    Submitter = "submitter",
    /// Group: display names and addresses of the From field.
    HeaderFrom = "header_from",
    /// Group: reverse-path, forward-path, addresses of the From field.
    Address = "address",
    /// Group: those and EHLO and host name, for searches by domain.
    Host = "host",
    /// Group: subject, information, display names, attachment names; what a
    /// bare word is looked for in.
    Words = "words",
    /// Group: all that people write or read as text.
    Anything = "anything",
}

columns! {
    /// The numbers. A row that lacks one matches no comparison with it, and
    /// 0 counts as lacking.
    NumberColumn:
    /// The reply code.
    Code = "code",
    /// Octets of the message; the declared ones if its data was not seen.
    Size = "size",
    /// Attempts of the greylisting window so far, this one included.
    Attempts = "attempts",
    /// Milliseconds since the first attempt of the window, of a retry.
    Wait = "wait",
    /// The TCP port of the client.
    Port = "port",
}

columns! {
    /// One of a few words per row.
    WordColumn:
    /// `attempt` or `follow_up`.
    Kind = "kind",
    /// In which of the four queues it is shown.
    Outcome = "outcome",
    /// The reason it is filed under.
    Reason = "reason",
    /// The state a follow-up puts its life-line into.
    State = "state",
    /// The stage at which it ended.
    Stage = "stage",
    /// The check that decided.
    Check = "check",
    /// Where its triplet stood: `first_seen`, `too_early`, `passed` (all
    /// three a first contact) or `known`.
    Triplet = "triplet",
    /// The result of SPF.
    Spf = "spf",
    /// The result of DKIM, over all signatures.
    Dkim = "dkim",
    /// The result of DMARC.
    Dmarc = "dmarc",
    /// The result of the ARC chain.
    Arc = "arc",
    /// What passed for the very domain of the author: `no`, `spf`, `dkim` or
    /// `both`; no word where DMARC was not looked at.
    Align = "align",
}

impl TextColumn {
    /// The columns that a group stands for; of any other, itself.
    pub const fn parts(self) -> &'static [TextColumn] {
        use TextColumn::{
            Address, Anything, Attachments, DisplayName, From, HeaderAddress, HeaderFrom, Helo,
            Host, HostName, Information, MessageId, Subject, To, Words,
        };
        match self {
            HeaderFrom => &[DisplayName, HeaderAddress],
            Address => &[From, To, HeaderAddress],
            Host => &[From, To, HeaderAddress, Helo, HostName],
            Words => &[Subject, Information, DisplayName, Attachments],
            Anything => &[
                From,
                To,
                DisplayName,
                HeaderAddress,
                Subject,
                Information,
                Helo,
                HostName,
                MessageId,
                Attachments,
            ],
            _ => Self::ALONE.split_at(self as usize).1.split_at(1).0,
        }
    }

    /// The columns that are no groups: those that are stored.
    pub const STORED: [TextColumn; TextColumn::HeaderFrom as usize] = {
        let mut stored = [TextColumn::From; TextColumn::HeaderFrom as usize];
        let (all, _) = Self::ALL.split_at(stored.len());
        stored.copy_from_slice(all);
        stored
    };
    const ALONE: &'static [TextColumn] = &Self::ALL;
}
