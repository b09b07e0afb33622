//! What is documented of each rule. The order in which they are asked stands in
//! the lists of the stages, which are made of these rows; the page of checks is
//! made of both.

use types::Reason;

use super::*;

/// One rule, with what people can read about it.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What it is called.
    pub name: &'static str,
    /// What it looks at.
    pub evidence: &'static str,
    /// The reasons it can give; none for a rule that only sees to it that
    /// something is known before the rules behind it are asked.
    pub reasons: &'static [Reason],
    /// What follows where that is not known.
    pub unknown: Unknown,
    /// Whether it is passed over for a sender that is permitted or learned.
    pub permit_skips: bool,
    pub(crate) ask: Ask,
}

/// What follows where the source of a rule fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It cannot fail: it is in the session, in memory or in the settings.
    Never,
    /// The mail goes on, recorded as degraded; the words say more.
    Open(&'static str),
    /// Nothing is taken, and nothing refused for good; the words say how.
    Closed(&'static str),
}

/// A row whose source cannot fail and which no permit skips.
const fn rule(
    name: &'static str,
    evidence: &'static str,
    reasons: &'static [Reason],
    ask: Ask,
) -> Rule {
    Rule { name, evidence, reasons, unknown: Unknown::Never, permit_skips: false, ask }
}

impl Rule {
    const fn open(self, words: &'static str) -> Rule {
        Rule { unknown: Unknown::Open(words), ..self }
    }

    const fn closed(self, words: &'static str) -> Rule {
        Rule { unknown: Unknown::Closed(words), ..self }
    }

    const fn skipped_by_permits(self) -> Rule {
        Rule { permit_skips: true, ..self }
    }
}

const SIZE: &[Reason] = &[Reason::SizeExceeded];
const RATE: &[Reason] = &[Reason::RateLimited];
const IN_TIME: &str = "`temperror`, from which nothing follows by itself";
const TEMPERROR: &str = "`temperror`: nothing, unless the definition names it";

pub(super) const UNAVAILABLE: Rule = rule(
    "Something of ours is missing",
    "whether the store, the disk and the memory for messages are there",
    &[Reason::SystemUnavailable, Reason::SystemStorageFull, Reason::SystemStopping],
    unavailable,
)
.closed("it is this rule that closes: 451");

pub(super) const PROXY_HEADER: Rule =
    rule("PROXY header", "what a listed peer sends first", &[Reason::ProxyInvalid], proxy_header);
pub(super) const CONNECTIONS: Rule = rule(
    "Connections held",
    "connections of the client and of all",
    &[Reason::ConnectionsLimited],
    connections,
);
pub(super) const CONNECTION_RATE: Rule = rule(
    "Rate of connections",
    "connections the client opened of late",
    &[Reason::ConnectionsLimited],
    connection_rate,
);
pub(super) const EARLY_TALK: Rule = rule(
    "Early talker",
    "whether the client waits for the greeting",
    &[Reason::ClientEarlyTalker],
    early_talk,
);

pub(super) const DECLARED_SIZE_FOR_ANYBODY: Rule =
    rule("Declared size, for anybody", "SIZE of MAIL", SIZE, declared_size_for_anybody);
pub(super) const SECURE_RECEIPT: Rule = rule(
    "Secure Receipt",
    "whether the connection is encrypted, and whom the client's certificate names",
    &[Reason::TlsRequired, Reason::TlsUnverified, Reason::SystemUnavailable],
    secure_receipt,
)
.closed(
    "451 on a connection that is older than the policy, and was not asked for a certificate; 451 where the certificate would have to cover the client's host name, and its look-up has no answer",
);

pub(super) const RELAY_CONTROL: Rule = rule(
    "Relay control",
    "whether the recipient's domain is one of ours",
    &[Reason::RelayDenied],
    relay_control,
);
pub(super) const DECLARED_SIZE: Rule =
    rule("Declared size", "SIZE of MAIL, Email Size Limits", SIZE, declared_size);
pub(super) const HARVEST: Rule =
    rule("Names tried out", "unknown recipients the client asked for", RATE, harvest);
pub(super) const RECIPIENT_VALIDATION: Rule = rule(
    "Recipient validation",
    "the directory, the known recipients, or the next hop",
    &[
        Reason::RecipientUnknown,
        Reason::RecipientUnverifiable,
        Reason::RecipientNeedsSmtputf8,
        Reason::SenderRefusedByNextHop,
        Reason::NextHopRejected,
        Reason::NextHopDeferred,
    ],
    recipient_validation,
)
.closed("`recipient.unverifiable`; for a directory that is too old, what the settings say");
pub(super) const INTERNATIONALIZED: Rule = rule(
    "Addresses beyond ASCII",
    "whether the next hop offers SMTPUTF8",
    &[Reason::RecipientNeedsSmtputf8],
    internationalized,
)
.open("the message is taken, and bounced if it must be");
pub(super) const NULL_MX: Rule = rule(
    "Domain without mail",
    "where the sender's domain takes its mail",
    &[Reason::SenderNullMx],
    null_mx,
)
.open("nothing follows");
pub(super) const SPF_KNOWN: Rule = rule(
    "SPF is asked for",
    "whether a DNS Authentication definition looks at SPF, or an entry of the recipient's that counts for authenticated mail alone",
    &[],
    spf_known,
)
.open(IN_TIME);
pub(super) const SPOOFED_ENVELOPE: Rule = rule(
    "Anti-Spoofing, envelope",
    "whether MAIL FROM is of a domain of ours; with *pass when authenticated* it is left to DATA",
    &[Reason::SpoofingEnvelope],
    spoofed_envelope,
);
pub(super) const GEOGRAPHY: Rule = rule(
    "Geographical Restriction",
    "where the client is",
    &[Reason::GeoBlocked, Reason::HoldGeo],
    geography,
)
.open("nothing follows for an address of which no file knows the place");
pub(super) const BLOCKED_BY_ADMINISTRATOR: Rule = rule(
    "Blocked Senders",
    "policies for and against the sender; at DATA for the author too",
    &[Reason::BlockedPolicyEnvelope, Reason::BlockedPolicyHeader],
    blocked_by_administrator,
);
pub(super) const BLOCKED_BY_RECIPIENT: Rule = rule(
    "Managed senders",
    "the recipient's own list; at DATA for the author and the DKIM signatures too",
    &[
        Reason::BlockedManualEnvelope,
        Reason::BlockedManualHeader,
        Reason::AuthTemporary,
        Reason::HoldAuthentication,
    ],
    blocked_by_recipient,
)
.closed(
    "a block that an entry for authenticated mail alone would outweigh: `auth.temporary`; with a \
     header too large to be looked at, `hold.authentication`",
);
pub(super) const SPF_ACTION: Rule = rule(
    "SPF",
    "the result of SPF, the DNS Authentication definition",
    &[Reason::AuthSpf, Reason::HoldAuthentication, Reason::AuthTemporary],
    spf_action,
)
.open(TEMPERROR);
pub(super) const BLOCK_LISTS: Rule = rule(
    "Block lists",
    "lists that hold the client or a name of it, the global permitted list",
    &[Reason::RblListed],
    block_lists,
)
.open("a list that does not answer counts for nothing")
.skipped_by_permits();
pub(super) const LOCAL_REPUTATION: Rule = rule(
    "Local reputation",
    "what was learned of the client, the global permitted list",
    &[Reason::ReputationRejected, Reason::ReputationTemporary],
    local_reputation,
)
.skipped_by_permits();
pub(super) const RECIPIENT_RATE: Rule =
    rule("Rate of recipients", "recipients the client's network offered of late", RATE, rate)
        .open("the mail goes on");
pub(super) const GREYLISTING: Rule = rule(
    "Greylisting",
    "whether network, sender and recipient were seen together before",
    &[Reason::GreylistFirstSeen, Reason::GreylistTooEarly],
    greylisting,
)
.open("a table that is full lets the mail pass; one that cannot be written is *something of ours*")
.skipped_by_permits();

pub(super) const LINE_ENDINGS: Rule =
    rule("Line endings", "a bare CR or LF in the data", &[Reason::ProtocolSmuggling], line_endings);
pub(super) const LINE_LENGTH: Rule = rule(
    "Length of lines",
    "the longest line of the data",
    &[Reason::ProtocolLineTooLong],
    line_length,
);
pub(super) const RECEIVED_SIZE: Rule =
    rule("Size", "octets received, Email Size Limits", SIZE, received_size);
pub(super) const HOPS: Rule = rule("Hops", "the Received fields", &[Reason::Loop], hops);
pub(super) const SIGNATURES_KNOWN: Rule = rule(
    "DKIM and DMARC are asked for",
    "whether a DNS Authentication definition looks at them, or an entry of the recipient's",
    &[],
    signatures_known,
)
.open(IN_TIME);
pub(super) const SPOOFED: Rule = rule(
    "Anti-Spoofing",
    "whether MAIL FROM or an author is of a domain of ours, and what SPF, DKIM and DMARC prove",
    &[
        Reason::SpoofingEnvelope,
        Reason::SpoofingHeader,
        Reason::AuthTemporary,
        Reason::HoldAuthentication,
    ],
    spoofed,
)
.closed("`auth.temporary`; with a header too large to be looked at, `hold.authentication`");
pub(super) const DKIM_ACTION: Rule = rule(
    "DKIM",
    "the result of DKIM, the DNS Authentication definition",
    &[Reason::AuthDkim, Reason::HoldAuthentication, Reason::AuthTemporary],
    dkim_action,
)
.open(TEMPERROR);
pub(super) const DMARC_ACTION: Rule = rule(
    "DMARC",
    "the result of DMARC, the DNS Authentication definition",
    &[
        Reason::AuthDmarc,
        Reason::HoldDmarcQuarantine,
        Reason::HoldAuthentication,
        Reason::AuthTemporary,
    ],
    dmarc_action,
)
.open("as with DKIM; with a header too large to be looked at, what would be refused is held");

pub(super) const OUTBOUND_RELAY_CONTROL: Rule = rule(
    "Who may send",
    "the client's network, the submitter, and whether the sender is of a domain of ours",
    &[Reason::RelayDenied, Reason::SubmissionSenderDenied, Reason::SubmissionRequired],
    outbound_relay_control,
);
pub(super) const SUBMITTER_RATE: Rule =
    rule("Rate of submitters", "recipients the submitter offered of late", RATE, submitter_rate);
