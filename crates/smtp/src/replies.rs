//! The protocol reply table: every reply of the server that no policy has a
//! part in, and how a reply becomes octets.
//!
//! Replies to a client's mistakes stand here; refusals stand in the reason
//! table of `types`. No other place in the program spells a reply out. Codes
//! are those of RFC 5321 sections 4.2.2 and 4.3.2, enhanced codes those of
//! RFC 3463 and RFC 2034.

use types::{EnhancedCode, Reply};

use crate::profile::SessionLimits;

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $enhanced:expr, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Reply = Reply::fixed($code, $enhanced, $text);)*

        /// Every row, for the tests over the table.
        pub const ALL: &[(&str, Reply)] = &[$((stringify!($name), $name)),*];
    };
}

const fn code(class: u8, subject: u16, detail: u16) -> Option<EnhancedCode> {
    Some(EnhancedCode(class, subject, detail))
}

rows! {
    /// RSET, NOOP.
    OK = 250, code(2, 0, 0), "OK";
    /// MAIL was accepted.
    SENDER_OK = 250, code(2, 1, 0), "Sender OK";
    /// RCPT was accepted.
    RECIPIENT_OK = 250, code(2, 1, 5), "Recipient OK";
    /// DATA may be sent.
    GO_AHEAD = 354, None, "Go ahead, end with <CR><LF>.<CR><LF>";
    /// A chunk was taken that is not the last (RFC 3030 section 2).
    CHUNK_OK = 250, code(2, 0, 0), "Chunk received";
    /// The message is ours now.
    ACCEPTED = 250, code(2, 0, 0), "Message accepted";
    /// VRFY: RFC 5321 section 7.3 allows to disclose nothing.
    CANNOT_VERIFY = 252, code(2, 1, 5), "Cannot verify, but send the message and its delivery will be attempted";
    /// QUIT.
    BYE = 221, code(2, 0, 0), "Closing the connection";
    /// STARTTLS (RFC 3207 section 4).
    READY_FOR_TLS = 220, code(2, 0, 0), "Ready to start TLS";
    /// A verb nobody knows.
    UNKNOWN_COMMAND = 500, code(5, 5, 1), "Command not recognised";
    /// A line over the limit.
    LINE_TOO_LONG = 500, code(5, 5, 2), "Command line too long";
    /// A command line with a bare CR or LF, or another control character.
    BAD_LINE = 500, code(5, 5, 2), "Lines must end with CR LF and have no control characters";
    /// An argument that is missing, superfluous or of the wrong form.
    BAD_ARGUMENT = 501, code(5, 5, 4), "Syntax error in the argument";
    /// A parameter with a value it cannot have.
    BAD_PARAMETER = 501, code(5, 5, 4), "Bad value of a parameter";
    /// A parameter of an extension that was not announced
    /// (RFC 5321 section 4.1.1.11).
    UNKNOWN_PARAMETER = 555, code(5, 5, 4), "Parameter not recognised or not implemented";
    /// A verb we know and do not offer.
    NOT_IMPLEMENTED = 502, code(5, 5, 1), "Command not implemented";
    /// A command whose time has not come or is over.
    BAD_SEQUENCE = 503, code(5, 5, 1), "Bad sequence of commands";
    /// MAIL inside a transaction (RFC 5321 section 4.1.4).
    NESTED_MAIL = 503, code(5, 5, 1), "A transaction is open already; RSET ends it";
    /// A command of HTTP or the like; the connection is closed.
    OTHER_PROTOCOL = 421, code(4, 7, 0), "This is an SMTP server and speaks no other protocol; closing the connection";
    /// MAIL and what follows it before EHLO or HELO.
    HELO_FIRST = 503, code(5, 5, 1), "Send EHLO or HELO first";
    /// DATA after BDAT: a message is sent in one way or the other
    /// (RFC 3030 section 3).
    DATA_AFTER_BDAT = 503, code(5, 5, 1), "DATA cannot follow BDAT in one transaction";
    /// STARTTLS inside TLS.
    TLS_ACTIVE = 503, code(5, 5, 1), "TLS is already active";
    /// DATA or BDAT with nobody to deliver to (RFC 5321 section 3.3).
    NO_RECIPIENTS = 554, code(5, 5, 1), "No valid recipients";
    /// A reverse-path beyond ASCII without SMTPUTF8 (RFC 6531 section 3.5).
    SENDER_NEEDS_SMTPUTF8 = 553, code(5, 6, 7), "This sender address needs the parameter SMTPUTF8";
    /// A forward-path beyond ASCII without SMTPUTF8 (RFC 6531 section 3.5).
    RECIPIENT_NEEDS_SMTPUTF8 = 553, code(5, 6, 7), "This recipient address needs the parameter SMTPUTF8";
    /// AUTH PLAIN without its response: say it (RFC 4954 section 4).
    SAY_CREDENTIALS = 334, None, "";
    /// AUTH LOGIN: `Username:` in Base64, as clients of old know it.
    SAY_NAME = 334, None, "VXNlcm5hbWU6";
    /// AUTH LOGIN: `Password:`.
    SAY_PASSWORD = 334, None, "UGFzc3dvcmQ6";
    /// AUTH (this row and those that follow: RFC 4954 sections 4 and 6).
    AUTHENTICATED = 235, code(2, 7, 0), "Authentication succeeded";
    /// A name and password that are not right, or not for this.
    CREDENTIALS_INVALID = 535, code(5, 7, 8), "Authentication credentials invalid";
    /// The name and password cannot be looked at now.
    AUTH_NOT_NOW = 454, code(4, 7, 0), "Temporary authentication failure, please try again later";
    /// A mechanism we do not know.
    MECHANISM_UNKNOWN = 504, code(5, 5, 4), "Authentication mechanism not offered";
    /// AUTH in clear text.
    AUTH_NEEDS_TLS = 538, code(5, 7, 11), "Encryption is required: issue STARTTLS first";
    /// AUTH after it succeeded.
    AUTHENTICATED_ALREADY = 503, code(5, 5, 1), "Authenticated already";
    /// AUTH in a transaction.
    AUTH_IN_TRANSACTION = 503, code(5, 5, 1), "AUTH is not possible in a transaction";
    /// The client gave up with `*`.
    AUTH_CANCELLED = 501, code(5, 7, 0), "Authentication cancelled";
    /// A response that is no Base64, or not what the mechanism says.
    RESPONSE_MALFORMED = 501, code(5, 5, 2), "Malformed authentication response";
    /// A response beyond [`crate::credentials::RESPONSE_OCTETS_MAX`].
    RESPONSE_TOO_LONG = 500, code(5, 5, 6), "Authentication response too long";
    /// Where a refusal was due and the caller gave no reply for it.
    LOCAL_ERROR = 451, code(4, 3, 0), "Local error in processing";
}

/// The reply to HELP: the verbs, one line (RFC 5321 section 4.1.1.8).
const HELP: Reply = Reply::fixed(
    214,
    code(2, 0, 0),
    "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP STARTTLS QUIT",
);
/// The second line of HELP.
const HELP_MORE: Reply = Reply::fixed(214, code(2, 0, 0), "This is an SMTP server (RFC 5321)");

/// Appends `reply` as the octets of one line, or the last line of several.
pub fn render(reply: &Reply, out: &mut Vec<u8>) {
    line(reply, b' ', out);
}

/// Appends the reply to HELP.
pub fn help(out: &mut Vec<u8>) {
    line(&HELP, b'-', out);
    line(&HELP_MORE, b' ', out);
}

/// One line; `separator` says whether more follow.
fn line(reply: &Reply, separator: u8, out: &mut Vec<u8>) {
    decimal(reply.code, out);
    out.push(separator);
    if let Some(EnhancedCode(class, subject, detail)) = reply.enhanced {
        decimal(u16::from(class), out);
        out.push(b'.');
        decimal(subject, out);
        out.push(b'.');
        decimal(detail, out);
        out.push(b' ');
    }
    // A reply is ASCII without line breaks by contract; a caller that breaks
    // it must not be able to write a second reply onto the wire.
    out.extend(reply.text.bytes().map(|b| if matches!(b, b' '..=b'~') { b } else { b'?' }));
    out.extend_from_slice(b"\r\n");
}

/// Appends a number; a reply is rendered for every command of every session,
/// and the formatting machinery costs more than the digits.
fn decimal(number: u16, out: &mut Vec<u8>) {
    if number >= 10 {
        decimal(number / 10, out);
    }
    out.push(b'0' + u8::try_from(number % 10).unwrap_or(0));
}

/// `220 host ESMTP`: the name first, as RFC 5321 section 4.2 wants it.
pub(crate) fn greeting(host_name: &str) -> Vec<u8> {
    format!("220 {host_name} ESMTP Portcullis\r\n").into_bytes()
}

/// The reply to HELO.
pub(crate) fn helo(host_name: &str) -> Vec<u8> {
    format!("250 {host_name}\r\n").into_bytes()
}

/// The reply to EHLO: the name, then one extension per line
/// (RFC 5321 section 4.1.1.1).
pub(crate) fn ehlo(host_name: &str, starttls: bool, auth: bool, limits: &SessionLimits) -> Vec<u8> {
    let mut lines = vec![host_name.to_owned(), "PIPELINING".to_owned()];
    lines.push(format!("SIZE {}", limits.content.message_octets_max));
    if starttls {
        lines.push("STARTTLS".to_owned());
    }
    if auth {
        lines.push("AUTH PLAIN LOGIN".to_owned());
    }
    for extension in ["8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES"] {
        lines.push(extension.to_owned());
    }
    // RFC 9422 section 4.
    lines.push(format!("LIMITS RCPTMAX={}", limits.recipients_max));
    let last = lines.len().saturating_sub(1);
    let mut out = Vec::new();
    for (at, text) in lines.iter().enumerate() {
        let separator = if at == last { ' ' } else { '-' };
        out.extend_from_slice(format!("250{separator}{text}\r\n").as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_ascii_short_and_of_one_class() {
        for (name, reply) in ALL {
            assert!(reply.text.is_ascii() && reply.text.len() < 100, "{name}");
            assert!(!reply.text.ends_with('.'), "{name}");
            if let Some(enhanced) = reply.enhanced {
                assert_eq!(u16::from(enhanced.0), reply.code / 100, "{name}");
            }
        }
    }

    #[test]
    fn a_reply_is_rendered_as_it_is_displayed() {
        for (name, reply) in ALL {
            let mut out = Vec::new();
            render(reply, &mut out);
            assert_eq!(out, format!("{reply}\r\n").as_bytes(), "{name}");
        }
    }

    #[test]
    fn a_reply_cannot_write_a_second_one() {
        let mut out = Vec::new();
        render(&Reply::fixed(550, None, "no\r\n250 yes"), &mut out);
        assert_eq!(out, b"550 no??250 yes\r\n");
    }

    #[test]
    fn ehlo_lists_every_extension_once() {
        let text =
            String::from_utf8(ehlo("mx.example", true, false, &SessionLimits::default())).unwrap();
        assert_eq!(
            text,
            "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 209715200\r\n250-STARTTLS\r\n\
             250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n\
             250 LIMITS RCPTMAX=100\r\n"
        );
    }
}
