//! Every way an attempt can end: one table from which codes, labels, replies,
//! explanations, metrics, CSV values and documentation come.
//!
//! Nothing else in the program spells a reason out. The codes are stable:
//! people filter by them and keep files that contain them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::advice::Exposure;
use crate::reply::{self, EnhancedCode, Reply, ReplyParameters};
use crate::stage::Stage;

/// What kind of end a reason gives an attempt.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ReasonKind {
    /// The message was taken over and goes on.
    Acceptance,
    /// The message was taken over and waits for somebody.
    Hold,
    /// The sender may come back, or broke off.
    Deferral,
    /// The message will not be taken over, or was refused later.
    Rejection,
}

/// The public reply of a reason: code, enhanced code, fixed text, in which
/// `{wait}` stands for the wait.
type Refusal = (u16, EnhancedCode, &'static str);

macro_rules! reasons {
    ($($name:ident = $slug:literal, $kind:ident, $stage:ident, $label:literal,
        $reply:expr, $explanation:literal, $remedy:literal;)*) => {
        /// Why an attempt ended as it did.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $explanation] $name,)*
        }

        impl Reason {
            /// Every reason, in table order.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),*];

            /// The stable code, `greylist.first_seen`.
            pub const fn slug(self) -> &'static str {
                match self { $(Reason::$name => $slug,)* }
            }

            /// What administrators see and filter by.
            pub const fn label(self) -> &'static str {
                match self { $(Reason::$name => $label,)* }
            }

            /// Acceptance, hold, deferral or rejection.
            pub const fn kind(self) -> ReasonKind {
                match self { $(Reason::$name => ReasonKind::$kind,)* }
            }

            /// The stage at which this reason usually ends an attempt.
            pub const fn stage(self) -> Stage {
                match self { $(Reason::$name => Stage::$stage,)* }
            }

            /// One sentence for people: what happened.
            pub const fn explanation(self) -> &'static str {
                match self { $(Reason::$name => $explanation,)* }
            }

            /// One sentence for people: what can be done about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Reason::$name => $remedy,)* }
            }

            const fn refusal(self) -> Option<Refusal> {
                match self { $(Reason::$name => $reply,)* }
            }
        }
    };
}

reasons! {
    Accepted = "accepted", Acceptance, Content, "Accepted",
        None,
        "The message passed every check and was taken over.",
        "Nothing needs to be done.";
    AcceptedPermitted = "accepted.permitted", Acceptance, Content, "Accepted (permitted sender)",
        None,
        "The sender is permitted, so greylisting, reputation and spam scanning were skipped.",
        "To have this sender checked again, remove the permit.";
    AcceptedAutoAllowed = "accepted.auto_allowed", Acceptance, Content, "Accepted (auto-allowed sender)",
        None,
        "The recipient has written to this sender, so greylisting, reputation and spam scanning were skipped.",
        "To have this sender checked again, remove the auto-allow entry.";
    AcceptedPassed = "accepted.passed", Acceptance, Rcpt, "Passed To The Asking Server",
        None,
        "The mail server that asked about the recipient was told to go on.",
        "What became of the message is in the log of that server.";
    RelayDenied = "relay.denied", Rejection, Rcpt, "Relaying Denied",
        Some((550, EnhancedCode(5, 7, 1), "Relaying denied: this server does not handle mail for that domain")),
        "The recipient's domain is not one this gateway protects.",
        "If the domain is yours, add it to the settings; else the sender has the wrong mail server.";
    SubmissionRequired = "submission.required", Rejection, Rcpt, "Authentication Required",
        Some((530, EnhancedCode(5, 7, 0), "Authentication required")),
        "The client is in no network that may send through this listener, and did not prove who it is.",
        "Give the device or program a name and password with `portcullis submitters add`, or put its network into allow_from.";
    SubmissionSenderDenied = "submission.sender_denied", Rejection, Rcpt, "Sender Not Allowed",
        Some((553, EnhancedCode(5, 7, 1), "You may not send as this sender")),
        "The client proved who it is, and may not send as this sender.",
        "Let the device or program send as one of the senders its submitter has, or add the sender there.";
    RecipientUnknown = "recipient.unknown", Rejection, Rcpt, "Invalid Recipient Address",
        Some((550, EnhancedCode(5, 1, 1), "Recipient address rejected: no such mailbox here")),
        "The recipient is not known to the mail server behind the gateway.",
        "Add the address to the directory or on the mail server; else the sender should check the spelling.";
    SenderMalformed = "sender.malformed", Rejection, Mail, "Malformed Address",
        Some((501, EnhancedCode(5, 1, 7), "The sender address is malformed")),
        "The address or a parameter of MAIL FROM does not follow the syntax of RFC 5321.",
        "The sender's administrator must correct the envelope sender address, or the parameter beside it.";
    RecipientMalformed = "recipient.malformed", Rejection, Rcpt, "Malformed Address",
        Some((501, EnhancedCode(5, 1, 3), "The recipient address is malformed")),
        "The address or a parameter of RCPT TO does not follow the syntax of RFC 5321.",
        "The sender must correct the recipient address, or the parameter beside it.";
    RecipientNeedsSmtputf8 = "recipient.needs_smtputf8", Rejection, Rcpt, "Internationalized Address Not Deliverable",
        Some((550, EnhancedCode(5, 6, 7), "The mail server behind this gateway cannot take internationalized addresses")),
        "An address has characters beyond ASCII and the next hop does not offer SMTPUTF8.",
        "Enable SMTPUTF8 on the next hop, or give the recipient an ASCII address.";
    SenderRefusedByNextHop = "sender.refused_by_next_hop", Rejection, Rcpt, "Invalid Sender Address",
        Some((550, EnhancedCode(5, 1, 8), "The mail server refuses this sender")),
        "The next hop refused the envelope sender when it was asked about the recipient.",
        "See the next hop's own text; the refusal is lifted there.";
    NextHopRejected = "next_hop.rejected", Rejection, Rcpt, "SMTP Code [description]",
        Some((550, EnhancedCode(5, 0, 0), "Refused by the mail server")),
        "The next hop refused the recipient with a reply of its own.",
        "See the next hop's own text; the refusal is lifted there.";
    RblListed = "rbl.listed", Rejection, Rcpt, "IP Found in RBL",
        Some((550, EnhancedCode(5, 7, 1), "Your address or domain is on a block list")),
        "The client's address, or a domain it uses, is on a block list this gateway consults.",
        "The sender must ask the list for removal; meanwhile a permit lets the mail in.";
    ReputationRejected = "reputation.rejected", Rejection, Rcpt, "IP Reputation Policy",
        Some((550, EnhancedCode(5, 7, 1), "Your address has sent too much unwanted mail to this server")),
        "This gateway's own record of the client's address is bad.",
        "A permit lets the mail in; the record decays, and can be reset by address.";
    GreylistExpired = "greylist.expired", Rejection, Rcpt, "Sender Failed to Retry",
        None,
        "The attempt was greylisted and no retry came inside the window.",
        "A real mail server retries; if this one does not, permit the sender or exempt it from greylisting.";
    BlockedPolicyEnvelope = "blocked.policy.envelope", Rejection, Rcpt, "Envelope Rejected - Block Policy for Envelope From Address",
        Some((550, EnhancedCode(5, 7, 1), "This sender is refused by policy")),
        "A Blocked Senders policy names the envelope sender.",
        "Edit the policy, or add a more specific permit.";
    BlockedManualEnvelope = "blocked.manual.envelope", Rejection, Rcpt, "Envelope Rejected / Manual Envelope Rejected",
        Some((550, EnhancedCode(5, 7, 1), "The recipient does not accept mail from this sender")),
        "The recipient has blocked the envelope sender.",
        "Edit or remove the recipient's entry for this sender.";
    BlockedPolicyHeader = "blocked.policy.header", Rejection, Data, "Rejected by Header-Based Blocked Senders - Block Policy for Header From",
        Some((550, EnhancedCode(5, 7, 1), "The author of this message is refused by policy")),
        "A Blocked Senders policy names the address in the From field.",
        "Edit the policy, or add a more specific permit.";
    BlockedManualHeader = "blocked.manual.header", Rejection, Data, "Rejected by Header-Based Manually Blocked Senders - Block for Manual Block",
        Some((550, EnhancedCode(5, 7, 1), "The recipient does not accept mail from the author of this message")),
        "The recipient has blocked the address in the From field, or who signed the message.",
        "Edit or remove the recipient's entry for this sender.";
    SpoofingEnvelope = "spoofing.envelope", Rejection, Rcpt, "Anti-Spoofing Lockout - Inbound Not Allowed",
        Some((550, EnhancedCode(5, 7, 1), "Mail from this domain is not accepted from outside")),
        "The envelope sender uses one of your own domains, but the client may not send for it.",
        "If the client sends for you, exempt it by address or let it authenticate.";
    SpoofingHeader = "spoofing.header", Rejection, Data, "Anti-Spoofing Lockout - Inbound Not Allowed",
        Some((550, EnhancedCode(5, 7, 1), "Mail written in the name of this domain is not accepted from outside")),
        "The From field uses one of your own domains, but the client may not send for it.",
        "If the client sends for you, exempt it by address or let it authenticate.";
    AuthSpf = "auth.spf", Rejection, Rcpt, "SPF Sender Invalid",
        Some((550, EnhancedCode(5, 7, 23), "SPF validation failed for the sender's domain")),
        "The sender's domain does not authorise the client's address.",
        "The sender must correct its SPF record or send from an authorised server.";
    AuthDkim = "auth.dkim", Rejection, Data, "DKIM Sender Invalid",
        Some((550, EnhancedCode(5, 7, 20), "The DKIM signature of the message is not valid")),
        "The message's DKIM signature does not verify.",
        "The sender must correct its signing; something may have changed the message on its way.";
    AuthDmarc = "auth.dmarc", Rejection, Data, "DMARC Sender Invalid",
        Some((550, EnhancedCode(5, 7, 26), "The message fails the DMARC policy of its author's domain")),
        "Neither SPF nor DKIM proves the domain in the From field, and that domain asks for refusal.",
        "The sender must align SPF or DKIM with the From domain.";
    SizeExceeded = "size.exceeded", Rejection, Data, "Message Size Limit Reached",
        Some((552, EnhancedCode(5, 3, 4), "The message is larger than this recipient or server accepts")),
        "The message exceeds the size limit that applies.",
        "Raise the limit in the settings, or in the policy that made it smaller; or let the sender send a link.";
    GeoBlocked = "geo.blocked", Rejection, Rcpt, "Sender Location (RS) Found in Geographic RBL",
        Some((554, EnhancedCode(5, 7, 1), "Mail from your location is not accepted")),
        "The client's address belongs to a place that is blocked, or to none of those that are permitted.",
        "Change the geographical definition, or exempt the client by address.";
    VirusSignature = "virus.signature", Rejection, Content, "Virus Signature Detected",
        Some((554, EnhancedCode(5, 7, 0), "The message contains malicious software")),
        "The virus scanner recognised malicious software.",
        "Nothing bypasses this; the sender must clean the message.";
    SpamSignature = "spam.signature", Rejection, Content, "Spam Signature Detected",
        Some((554, EnhancedCode(5, 7, 1), "The message is refused as spam")),
        "The spam score reached the rejection threshold.",
        "If the mail is wanted, permit the sender.";
    UrlMalicious = "url.malicious", Rejection, Content, "Malicious URL Detected",
        Some((554, EnhancedCode(5, 7, 1), "The message contains a malicious link")),
        "A link in the message leads to a known malicious address.",
        "If the link is known to be good, bypass URL protection for it.";
    UrlMaliciousQr = "url.malicious_qr", Rejection, Content, "Malicious QRCode Detection",
        Some((554, EnhancedCode(5, 7, 1), "The message contains a QR code with a malicious link")),
        "A QR code in the message leads to a known malicious address.",
        "If the link is known to be good, bypass URL protection for it.";
    AttachmentBlocked = "attachment.blocked", Rejection, Content, "Attachment Policy",
        Some((554, EnhancedCode(5, 7, 1), "The message has an attachment of a kind that is not accepted")),
        "An attachment is of a kind the policy rejects.",
        "Change Attachment Management, or use another way to send the file.";
    ContentExamined = "content.examined", Rejection, Content, "Content Examination",
        Some((550, EnhancedCode(5, 7, 1), "The message is refused because of its content")),
        "The message's text reached the activation score of a content definition.",
        "Change the definition, or use its bypass.";
    Impersonation = "impersonation", Rejection, Content, "Impersonation Attempt",
        Some((550, EnhancedCode(5, 7, 1), "The message appears to impersonate somebody")),
        "The message shows signs of impersonating a person or domain.",
        "Change the definition, or use its bypass.";
    Loop = "loop", Rejection, Data, "Message Loop Detected",
        Some((554, EnhancedCode(5, 4, 6), "The message has passed through too many servers")),
        "The message has more Received fields than allowed: it is travelling in a circle.",
        "Check the routes between this gateway and its next hops.";
    TlsRequired = "tls.required", Rejection, Mail, "TLS Required",
        Some((530, EnhancedCode(5, 7, 0), "Encryption is required: issue STARTTLS first")),
        "A policy accepts this sender only over an encrypted connection.",
        "The sender must use STARTTLS, or the policy be changed.";
    TlsUnverified = "tls.unverified", Rejection, Mail, "TLS Client Not Verified",
        Some((554, EnhancedCode(5, 7, 0), "A verified client certificate that names the sender is required")),
        "A policy accepts this sender only from a client whose certificate is verified and names the sender's domain or the client's host.",
        "The sender's server must show such a certificate, or the policy be changed.";
    ProtocolSmuggling = "protocol.smuggling", Rejection, Data, "Malformed Line Endings",
        Some((554, EnhancedCode(5, 5, 2), "Lines must end with CR LF; closing the connection")),
        "The data contained a bare CR or LF, which can be used to smuggle a second message.",
        "The sender's software must send lines that end with CR LF.";
    ProtocolLineTooLong = "protocol.line_too_long", Rejection, Data, "Line Too Long",
        Some((554, EnhancedCode(5, 5, 2), "A line of the message is too long")),
        "A line of the message exceeds the limit.",
        "The sender's software must break its lines (RFC 5321: 998 octets).";
    SenderNullMx = "sender.null_mx", Rejection, Mail, "Sender Domain Accepts No Mail",
        Some((550, EnhancedCode(5, 7, 27), "The sender's domain accepts no mail, so it cannot send any")),
        "The sender's domain publishes a null MX record.",
        "The sender must use a domain that accepts mail.";
    ClientEarlyTalker = "client.early_talker", Rejection, Connect, "Talked Before The Greeting",
        Some((554, EnhancedCode(5, 5, 1), "You must wait for the greeting before you speak")),
        "The client sent commands before the greeting, as bulk mailers do that do not read replies.",
        "A real mail server waits; the greeting delay is a setting.";
    HeldRejectedByAdmin = "held.rejected_by_admin", Rejection, Content, "Rejected After Acceptance",
        None,
        "An administrator rejected the held message.",
        "It is still in the archive and can be forwarded from there.";
    HeldBlockedByUser = "held.blocked_by_user", Rejection, Content, "Rejected After Acceptance",
        None,
        "The recipient blocked the sender of the held message.",
        "It is still in the archive and can be forwarded from there.";
    DeliveryRejected = "delivery.rejected", Rejection, Deliver, "Bounced: SMTP Code [description]",
        None,
        "The next hop refused the message after this gateway had accepted it.",
        "See the next hop's own text; the sender was told by a bounce.";
    DeliveryExpired = "delivery.expired", Rejection, Deliver, "Bounced: Delivery Expired",
        None,
        "The next hop did not take the message in all the time allowed.",
        "Check the next hop; the sender was told by a bounce and must send again.";
    GreylistFirstSeen = "greylist.first_seen", Deferral, Rcpt, "Attempt Greylisting",
        Some((451, EnhancedCode(4, 7, 1), "Greylisted, please try again in {wait}")),
        "This network, sender and recipient have not been seen together before; a real mail server tries again.",
        "Wait for the retry, permit the sender, or exempt it from greylisting.";
    GreylistTooEarly = "greylist.too_early", Deferral, Rcpt, "Attempt Greylisting",
        Some((451, EnhancedCode(4, 7, 1), "Still greylisted, please try again in {wait}")),
        "The sender came back before the retry window opened.",
        "Wait for the next retry, permit the sender, or exempt it from greylisting.";
    ClientDropped = "client.dropped", Deferral, Rcpt, "Sender Dropped Connection",
        None,
        "The client closed the connection before the transaction was complete.",
        "If it happens often, look at the network path to the client.";
    ClientTimedOut = "client.timed_out", Deferral, Data, "Remote Server Timed out",
        Some((421, EnhancedCode(4, 4, 2), "Timeout waiting for the client; closing the connection")),
        "The client fell silent in the middle of a transaction.",
        "If it happens often, look for packet loss or a size problem (MTU) on the path.";
    ConnectionTimedOut = "connection.timed_out", Deferral, Connect, "Connection Timed Out",
        Some((421, EnhancedCode(4, 4, 2), "Timeout waiting for a command; closing the connection")),
        "The client connected and did not go on.",
        "Usually a scanner; nothing needs to be done.";
    DataEndedEarly = "data.ended_early", Deferral, Data, "Message Ended Early",
        None,
        "The connection ended inside the message, before its final dot.",
        "The sender will try again; if not, look at the network path to it.";
    ReputationTemporary = "reputation.temporary", Deferral, Rcpt, "Local IP Reputation Policy (Temporary)",
        Some((451, EnhancedCode(4, 7, 1), "Your address has sent unwanted mail to this server; please try again later")),
        "This gateway's own record of the client's address is poor, but not bad enough to refuse.",
        "A later attempt is accepted if the record does not get worse; a permit lets the mail in at once.";
    RateLimited = "rate.limited", Deferral, Rcpt, "Too Many Messages",
        Some((451, EnhancedCode(4, 7, 1), "Too many recipients in a short time; please try again later")),
        "More recipients in a short time than a rate allows, or more unknown ones than one client may ask for.",
        "The sender will try again; raise the limit if the sender is wanted.";
    ConnectionsLimited = "connections.limited", Deferral, Connect, "Too Many Connections",
        Some((421, EnhancedCode(4, 7, 0), "Too many connections; please try again later")),
        "The client, or all clients together, hold more connections than allowed.",
        "The sender will try again; raise the limit if the sender is wanted.";
    RecipientsLimited = "recipients.limited", Deferral, Rcpt, "Too Many Recipients",
        Some((452, EnhancedCode(4, 5, 3), "Too many recipients in one transaction; send the rest in another")),
        "The transaction has more recipients than allowed.",
        "The sender's server sends the rest in another transaction by itself.";
    RecipientUnverifiable = "recipient.unverifiable", Deferral, Rcpt, "Recipient Temporarily Unavailable",
        Some((451, EnhancedCode(4, 1, 1), "The recipient cannot be verified at the moment; please try again later")),
        "The directory or the next hop could not be asked about the recipient.",
        "Check that the next hop answers, or that the directory can be read: `portcullis recipients directories` tells.";
    AuthTemporary = "auth.temporary", Deferral, Rcpt, "DNS Authentication Temporary Failure",
        Some((451, EnhancedCode(4, 7, 24), "The sender's domain could not be checked; please try again later")),
        "A DNS failure kept SPF, DKIM or DMARC from being evaluated, and a definition insists on the result.",
        "The sender will try again. If it lasts for many domains, see whether this gateway's resolver answers: `portcullis check-config --online`.";
    NextHopDeferred = "next_hop.deferred", Deferral, Rcpt, "SMTP Code [description]",
        Some((451, EnhancedCode(4, 0, 0), "The mail server asks to try again later")),
        "The next hop answered the question about the recipient with a temporary refusal.",
        "See the next hop's own text; the sender will try again.";
    SystemUnavailable = "system.unavailable", Deferral, Content, "Temporarily Unavailable",
        Some((451, EnhancedCode(4, 3, 0), "Temporary problem here, nothing was accepted; please try again later")),
        "A part of this gateway that it cannot do without is not available.",
        "See the system's health; the sender will try again.";
    SystemStorageFull = "system.storage_full", Deferral, Content, "Temporarily Unavailable",
        Some((452, EnhancedCode(4, 3, 1), "Not enough storage at the moment; please try again later")),
        "The disk is full or nearly so, so nothing can be accepted safely.",
        "Free or add disk space; the gateway goes on by itself.";
    SystemStopping = "system.stopping", Deferral, Connect, "Server Stopping",
        Some((421, EnhancedCode(4, 3, 2), "The server is stopping; please try again later")),
        "The gateway is being stopped or restarted.",
        "The sender will try again.";
    TransactionAbandoned = "transaction.abandoned", Deferral, Rcpt, "Transaction Abandoned",
        None,
        "The client gave up the transaction after its recipients had been accepted.",
        "Senders that only verify an address do this; nothing needs to be done.";
    ConnectionUnused = "connection.unused", Deferral, Helo, "Connection Without Mail",
        None,
        "The client connected and left without offering mail.",
        "Usually a monitor or scanner; nothing needs to be done.";
    ProtocolErrors = "protocol.errors", Deferral, Helo, "Too Many Errors",
        Some((421, EnhancedCode(4, 7, 0), "Too many errors; closing the connection")),
        "The client sent more wrong commands than allowed.",
        "The client does not speak SMTP properly: the record shows how far it came. Its operator has to mend it.";
    SubmissionFailed = "submission.failed", Deferral, Helo, "Too Many Failed Authentications",
        Some((421, EnhancedCode(4, 7, 0), "Too many failed authentications; closing the connection")),
        "The client gave a wrong name or password more often than a connection may.",
        "Correct the name and password of the device or program; if nobody knows the client, somebody guesses.";
    TlsFailed = "tls.failed", Deferral, Helo, "TLS Handshake Failed",
        None,
        "The client asked for encryption and the handshake failed.",
        "See the details for the cause; often an outdated TLS version, or a client that rejects the certificate.";
    ProxyInvalid = "proxy.invalid", Deferral, Connect, "Invalid PROXY Header",
        None,
        "A peer that must send a PROXY header sent something else.",
        "Check that the load balancer speaks the PROXY protocol, and the listed peers.";
    HoldSpam = "hold.spam", Hold, Content, "Held: Spam",
        None,
        "The spam score reached the hold threshold.",
        "Release it if it is wanted, and permit the sender.";
    HoldGeo = "hold.geo", Hold, Rcpt, "Held: Sender Location",
        None,
        "The client's address belongs to a place whose mail is held.",
        "Release it, or change the geographical definition.";
    HoldDmarcQuarantine = "hold.dmarc_quarantine", Hold, Data, "Held: DMARC Quarantine",
        None,
        "The author's domain asks for messages that fail DMARC to be set aside.",
        "Release it if the sender is known; the sender must correct its authentication.";
    HoldAuthentication = "hold.authentication", Hold, Data, "Held: Sender Authentication",
        None,
        "SPF, DKIM or DMARC came to a result for which the DNS Authentication definition holds messages; or \
         the header is too large for the signatures in it to be looked at, and a failure would have had the \
         message refused; or it has more authors, or a longer From field, than anybody looks at.",
        "Release it if the sender is known; the sender must correct its authentication.";
    HoldAttachment = "hold.attachment", Hold, Content, "Held: Attachment",
        None,
        "An attachment is of a kind the policy holds.",
        "An administrator can release it after looking at it.";
    HoldUrl = "hold.url", Hold, Content, "Held: Link",
        None,
        "A link in the message is suspicious.",
        "An administrator can release it after looking at it.";
    HoldVirusUnscannable = "hold.virus_unscannable", Hold, Content, "Held: Could Not Be Scanned",
        None,
        "A part of the message could not be scanned for viruses.",
        "An administrator can release it after looking at it.";
    HoldImpersonation = "hold.impersonation", Hold, Content, "Held: Impersonation",
        None,
        "The message shows signs of impersonation.",
        "An administrator can release it after looking at it.";
    HoldContent = "hold.content", Hold, Content, "Held: Content",
        None,
        "The message's text reached the activation score of a content definition.",
        "A moderator can release it.";
    HoldStructure = "hold.structure", Hold, Content, "Held: Broken Structure",
        None,
        "The message's structure is broken or has too many parts to be examined.",
        "An administrator can release it after looking at it.";

}

/// The kind of a reason and the class of its reply say the same, or the
/// program does not compile: outcomes are made of the kind
/// ([`crate::Outcome::refused`]), clients act on the class
/// (RFC 5321 section 4.2.1).
const _: () = {
    let mut rest = Reason::ALL;
    while let [reason, after @ ..] = rest {
        if let Some((code, ..)) = reason.refusal() {
            let agrees = match reason.kind() {
                ReasonKind::Deferral => code / 100 == 4,
                ReasonKind::Rejection => code / 100 == 5,
                ReasonKind::Acceptance | ReasonKind::Hold => false,
            };
            assert!(agrees, "the reply of a reason has another class than its kind");
        }
        rest = after;
    }
};

impl Reason {
    /// Whether a reply of its own goes over the wire.
    pub const fn refuses(self) -> bool {
        self.refusal().is_some()
    }

    /// The reply that goes over the wire; nothing for a reason that is
    /// written by the clock, by delivery or by a person, or whose client is
    /// already gone.
    pub fn reply(self, parameters: &ReplyParameters<'_>) -> Option<Reply> {
        let (code, enhanced, text) = self.refusal()?;
        // No address of a page that would say nothing.
        let explained = match self.exposure() {
            Exposure::Anybody => true,
            Exposure::ScoreBased => parameters.explains_scores,
            Exposure::Nobody => false,
        };
        let public_url = parameters.public_url.filter(|_| explained);
        let parameters = ReplyParameters { public_url, ..*parameters };
        Some(reply::compose(code, enhanced, text, &parameters))
    }
}

/// The text is no reason code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason {0:?}")]
pub struct ReasonError(String);

impl FromStr for Reason {
    type Err = ReasonError;
    fn from_str(text: &str) -> Result<Self, ReasonError> {
        Reason::ALL
            .iter()
            .copied()
            .find(|reason| reason.slug() == text)
            .ok_or_else(|| ReasonError(text.chars().take(60).collect()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_dotted_and_lower_case() {
        let mut seen = HashSet::new();
        for &reason in Reason::ALL {
            let slug = reason.slug();
            assert!(seen.insert(slug), "{slug} twice");
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._".contains(&b);
            assert!(slug.bytes().all(plain), "{slug}");
            assert_eq!(slug.parse(), Ok(reason));
        }
    }

    #[test]
    fn enhanced_class_agrees_with_reply_code() {
        for &reason in Reason::ALL {
            let Some((code, enhanced, _)) = reason.refusal() else { continue };
            assert_eq!(code / 100, u16::from(enhanced.0), "{reason}");
        }
    }

    #[test]
    fn a_deferral_is_4xx_and_a_rejection_5xx() {
        for &reason in Reason::ALL {
            let Some((code, ..)) = reason.refusal() else { continue };
            match reason.kind() {
                ReasonKind::Rejection => assert_eq!(code / 100, 5, "{reason}"),
                ReasonKind::Deferral => assert_eq!(code / 100, 4, "{reason}"),
                ReasonKind::Acceptance | ReasonKind::Hold => panic!("{reason} refuses"),
            }
        }
    }

    #[test]
    fn the_address_of_a_page_goes_with_refusals_that_have_one() {
        let text = |reason: Reason, explains_scores| {
            let parameters = ReplyParameters {
                reference: "7K2M4QX9B0TA".parse().ok(),
                public_url: Some("https://gate.example"),
                explains_scores,
                ..ReplyParameters::default()
            };
            reason.reply(&parameters).unwrap().text
        };
        let address = " [ref 7K2M4QX9B0TA] https://gate.example/r/7K2M4QX9B0TA";
        assert!(text(Reason::RecipientUnknown, false).ends_with(address));
        assert!(text(Reason::SpamSignature, false).ends_with("[ref 7K2M4QX9B0TA]"));
        assert!(text(Reason::SpamSignature, true).ends_with(address));
    }

    #[test]
    fn texts_are_distinct_ascii_and_short() {
        let mut seen = HashSet::new();
        for &reason in Reason::ALL {
            let Some((_, _, text)) = reason.refusal() else { continue };
            assert!(seen.insert(text), "{reason}: {text}");
            assert!(text.is_ascii() && text.len() < 200, "{reason}");
            assert!(!reason.explanation().is_empty() && !reason.remedy().is_empty(), "{reason}");
        }
    }
}
