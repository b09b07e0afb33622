//! What the administrator of the *sending* side is told about a reason: the
//! text of the public explanation page, and of what is copied for a sender.
//!
//! It goes to strangers, so nothing here names a policy, a list entry, a
//! score or anything else of ours that the reply did not say already.

use crate::reason::{Reason, ReasonKind};

/// Who may see the public explanation of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Whoever has the reference of the reply.
    Anybody,
    /// The same, but only where a setting allows it: an explanation of what a
    /// score was made of is a tuning aid for those who send spam.
    ScoreBased,
    /// Nobody: no reply refused anything, or the end came after it.
    Nobody,
}

impl Reason {
    /// Who may see the public explanation.
    pub const fn exposure(self) -> Exposure {
        use Reason::{
            ContentExamined, Impersonation, ReputationRejected, ReputationTemporary, SpamSignature,
        };
        match (self.refuses(), self) {
            (false, _) => Exposure::Nobody,
            (
                true,
                SpamSignature | ContentExamined | Impersonation | ReputationRejected
                | ReputationTemporary,
            ) => Exposure::ScoreBased,
            (true, _) => Exposure::Anybody,
        }
    }

    /// What the administrator of the sending server can do.
    pub const fn advice(self) -> &'static str {
        if matches!(self.kind(), ReasonKind::Acceptance | ReasonKind::Hold) {
            return "Nothing needs to be done: the message was taken over.";
        }
        advice(self)
    }
}

const NEXT_HOP: &str = "The text after the code is the answer of the recipient's own mail server. If it is unclear, ask the recipient's \
     administrator by another way, such as telephone, and quote the reference.";
const BY_OTHER_MEANS: &str = "If the mail is wanted by its recipient, the recipient can ask the administrator here to let it in; quote the \
     reference.";
const RETRY: &str = "Nothing needs to be done if your server retries by itself, as mail servers do. Do not send the message again by \
     hand.";

#[rustfmt::skip] // A table: one reason a line.
const fn advice(reason: Reason) -> &'static str {
    use Reason::*;
    match reason {
        Accepted | AcceptedPermitted | AcceptedAutoAllowed | AcceptedPassed | HoldSpam | HoldGeo | HoldDmarcQuarantine | HoldAuthentication | HoldAttachment
        | HoldUrl | HoldVirusUnscannable | HoldImpersonation | HoldContent | HoldStructure => "",
        RelayDenied => "Check the recipient's domain for a spelling mistake, and that its MX record is what your server used. This server takes mail for its own domains only.",
        RecipientUnknown => "Check the recipient's address for a spelling mistake or a change, and remove it from mailing lists if it no longer exists.",
        SenderMalformed => "Correct what your server sends with MAIL FROM: the address must follow RFC 5321 section 4.1.2, and every parameter must be one this server offers.",
        RecipientMalformed => "Correct what your server sends with RCPT TO: the address must follow RFC 5321 section 4.1.2, and every parameter must be one this server offers.",
        RecipientNeedsSmtputf8 => "Use an address of ASCII characters for sender and recipient, or ask the recipient for one.",
        SenderRefusedByNextHop | NextHopRejected | DeliveryRejected => NEXT_HOP,
        RblListed => "Ask the list named in the reply to remove your server's address, after mending what led to the listing.",
        ReputationRejected | ReputationTemporary => "Check your server for accounts or scripts that send unwanted mail; its record here improves by itself.",
        GreylistExpired | GreylistFirstSeen | GreylistTooEarly => "Nothing needs to be done if your server retries by itself, as mail servers do; the wait is in the reply. If it does not, look at its queue: it must keep the message and try again from the same network.",
        BlockedPolicyEnvelope | BlockedManualEnvelope | BlockedPolicyHeader | BlockedManualHeader => BY_OTHER_MEANS,
        SpoofingEnvelope | SpoofingHeader => "Your server may not send in the name of this domain. Use a sender address of your own domain, or let the administrator here know that your server sends for it.",
        AuthSpf => "Publish an SPF record that authorises the address of the sending server, or send through a server it authorises.",
        AuthDkim => "Check the signing of your server, the published key, and whether something changes messages after they are signed.",
        AuthDmarc => "Send so that SPF or DKIM passes for the very domain of the From field, as the DMARC record of that domain demands.",
        AuthTemporary => "Check that the name servers of your domain answer for its SPF, DKIM and DMARC records. Your server retries by itself.",
        SizeExceeded => "Send a smaller message: split it, compress the attachments, or send a link. The limit is offered as SIZE in the answer to EHLO.",
        GeoBlocked => BY_OTHER_MEANS,
        VirusSignature => "Scan the message and the machine it came from. If the file is known to be clean, send it in another way agreed with the recipient.",
        SpamSignature | ContentExamined | Impersonation => BY_OTHER_MEANS,
        UrlMalicious | UrlMaliciousQr => "Check where the links of the message lead, and whether a site of yours was broken into.",
        AttachmentBlocked => "Send the file as another type, or in another way agreed with the recipient.",
        Loop => "The message has passed through too many servers: check forwarding rules and routes for a circle.",
        TlsRequired => "Let your server use STARTTLS with TLS 1.2 or newer for this destination.",
        TlsUnverified => "Let your server show a certificate when it sends to this destination: of an authority that is trusted here, not expired, and with the domain of the sender, or your server's name in that domain, among its alternative names.",
        ProtocolSmuggling => "Update or replace the software that made the message: every line must end with CR LF, and neither may stand alone.",
        ProtocolLineTooLong => "Update or replace the software that made the message: no line may be longer than 998 octets (RFC 5322 section 2.1.1).",
        SenderNullMx => "Use a sender address whose domain accepts mail: its MX record says that it accepts none.",
        HeldRejectedByAdmin | HeldBlockedByUser => BY_OTHER_MEANS,
        DeliveryExpired => "The recipient's own mail server did not answer for days. Send the message again later, or reach the recipient in another way.",
        ClientDropped | DataEndedEarly => "Your server closed the connection before the message was complete. It retries by itself; if this repeats, look for a firewall or proxy between the servers that ends connections.",
        ClientTimedOut => "Your server fell silent for minutes. If this repeats, look for packet loss or a path that drops large packets (MTU).",
        ConnectionTimedOut => "Your server connected and said nothing. If this repeats, look for a firewall or proxy between the servers.",
        RateLimited | ConnectionsLimited | RecipientsLimited => "Your server sent more at once than is taken here. It retries by itself; spread large mailings over a longer time.",
        RecipientUnverifiable | NextHopDeferred | SystemUnavailable | SystemStorageFull | SystemStopping => RETRY,
        TransactionAbandoned | ConnectionUnused => "Nothing needs to be done.",
        ClientEarlyTalker => "Let your server wait for the greeting (220) before its first command, as RFC 5321 section 4.3.1 demands.",
        ProtocolErrors => "Your server sent too many commands that are wrong or out of order; look at its log of this conversation.",
        SubmissionRequired => "Set up your device or program to authenticate with the name and password that the administrator here gave you, over STARTTLS.",
        SubmissionSenderDenied => "Use a sender address that your name may send as; the administrator here knows which, and can add others.",
        SubmissionFailed => "Correct the name and password that your device or program sends with; the administrator here can give you new ones.",
        TlsFailed => "The TLS handshake failed: check that your server offers TLS 1.2 or newer and trusts the certificate it was shown, or let it go on without.",
        ProxyInvalid => "The connection did not come the expected way; nothing can be done on the sending side.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_tells_the_sender_what_to_do_and_nothing_of_ours() {
        for &reason in Reason::ALL {
            let text = reason.advice();
            assert!(
                text.ends_with('.') && text.is_ascii() && !text.contains("  "),
                "{reason}: {text}"
            );
            for private in ["policy", "Policy", "score", "list entry", "managed"] {
                assert!(!text.contains(private), "{reason} speaks of {private}");
            }
        }
    }

    #[test]
    fn only_what_a_reply_refused_is_explained_to_strangers() {
        for &reason in Reason::ALL {
            assert_eq!(reason.exposure() == Exposure::Nobody, !reason.refuses(), "{reason}");
        }
        assert_eq!(Reason::SpamSignature.exposure(), Exposure::ScoreBased);
        assert_eq!(Reason::HoldSpam.exposure(), Exposure::Nobody);
        assert_eq!(Reason::GreylistFirstSeen.exposure(), Exposure::Anybody);
    }
}
