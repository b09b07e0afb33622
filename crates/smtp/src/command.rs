//! The command line parser (RFC 5321 section 4.1).
//!
//! Strict where leniency would let two servers read one line differently,
//! lenient where senders in use are sloppy and nothing hangs on it: blanks
//! after the colon of MAIL and RCPT, blanks at the end of a line, any
//! printable HELO name. It knows nothing of the session; what a command means
//! in which state is the session's table.

use types::{ForwardPath, ReversePath};

use crate::credentials::{InitialResponse, Mechanism};
use crate::parameters::{self, MailParameters};
use crate::path;
pub use crate::path::PathError;

/// Longest command line in octets, line end included
/// (RFC 5321 section 4.5.3.1.4).
pub const LINE_OCTETS_MAX: usize = 512;
/// Longest line of MAIL, RCPT and AUTH, whose extensions may lengthen it
/// (RFC 1870 section 3, RFC 6531 section 3.4, RFC 4954 section 3) or which
/// clients make longer than they may; also the longest command line that is
/// looked at in any way.
pub const PATH_LINE_OCTETS_MAX: usize = 2048;
/// Longest HELO name in octets (RFC 5321 section 4.5.3.1.2).
const HELO_OCTETS_MAX: usize = 255;

/// One command, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'l> {
    /// EHLO with the name, as sent.
    Ehlo(&'l str),
    /// HELO with the name, as sent.
    Helo(&'l str),
    /// MAIL FROM.
    Mail(ReversePath, MailParameters),
    /// RCPT TO.
    Rcpt(ForwardPath),
    /// DATA.
    Data,
    /// BDAT (RFC 3030 section 2).
    Bdat(Chunk),
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY.
    Vrfy,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
    /// STARTTLS (RFC 3207 section 4).
    StartTls,
    /// AUTH (RFC 4954 section 4); no mechanism is one that we do not know.
    Auth(Option<Mechanism>, Option<InitialResponse<'l>>),
}

/// What BDAT announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Octets that follow the line.
    pub octets: u64,
    /// Whether the content ends with them.
    pub last: bool,
}

/// An address that does not follow the syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What the client gave, fit to be shown: no control characters, at most
    /// 256 octets.
    pub given: Box<str>,
    /// What is wrong with it.
    pub error: PathError,
}

/// Why a well-formed address is refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A parameter has a value it cannot have, or is given twice.
    #[error("bad value of a parameter")]
    ParameterValue,
    /// A parameter belongs to no extension that was announced.
    #[error("unknown parameter")]
    ParameterUnknown,
    /// It goes beyond ASCII, and MAIL did not say SMTPUTF8.
    #[error("an internationalized address needs SMTPUTF8")]
    NeedsSmtputf8,
}

/// Why a line is no command. The client is at fault in every case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The verb is not known.
    #[error("unknown command")]
    Unknown,
    /// The verb is known and not offered.
    #[error("command not implemented")]
    NotImplemented,
    /// The verb belongs to another protocol: a web browser or proxy was
    /// tricked into talking to us.
    #[error("this is not SMTP")]
    OtherProtocol,
    /// The line is longer than allowed.
    #[error("the command line is too long")]
    TooLong,
    /// The line has control characters.
    #[error("the command line has control characters")]
    ControlCharacter,
    /// The argument is missing, superfluous or of the wrong form.
    #[error("syntax error in the argument")]
    Argument,
    /// The reverse-path is malformed: an attempt that is remembered.
    #[error("malformed sender: {}", .0.error)]
    Sender(Malformed),
    /// The forward-path is malformed: an attempt that is remembered.
    #[error("malformed recipient: {}", .0.error)]
    Recipient(Malformed),
    /// The reverse-path is refused for what stands beside it: an attempt too.
    #[error("unfit sender: {1}")]
    UnfitSender(ReversePath, Unfit),
    /// The forward-path is refused for what stands beside it: an attempt too.
    #[error("unfit recipient: {1}")]
    UnfitRecipient(ForwardPath, Unfit),
}

type Parsed<'l> = Result<Command<'l>, CommandError>;

impl<'l> Command<'l> {
    /// Parses one line without its line end.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn parse(line: &'l [u8]) -> Parsed<'l> {
        let line_end = 2;
        if line.len() + line_end > PATH_LINE_OCTETS_MAX {
            return Err(CommandError::TooLong);
        }
        if line.iter().any(u8::is_ascii_control) {
            return Err(with_control_characters(line));
        }
        let line = line.trim_ascii_end();
        let (verb, argument) = split_verb(line);
        let parse = VERBS
            .iter()
            .find(|(name, _)| verb.eq_ignore_ascii_case(name.as_bytes()))
            .map_or(unknown as Parser, |(_, parse)| *parse);
        let long = line.len() + line_end > LINE_OCTETS_MAX;
        if long && !LONG_VERBS.iter().any(|name| verb.eq_ignore_ascii_case(name)) {
            return Err(CommandError::TooLong);
        }
        parse(argument)
    }
}

/// A line with control characters: an attempt if it would have named somebody,
/// so that whoever was told no can be told why.
fn with_control_characters(line: &[u8]) -> CommandError {
    let (verb, argument) = split_verb(line);
    let malformed = |keyword: &[u8]| Malformed {
        given: path::shown(behind_keyword(argument, keyword).0),
        error: PathError::ControlCharacter,
    };
    match () {
        () if verb.eq_ignore_ascii_case(b"MAIL") => CommandError::Sender(malformed(b"FROM:")),
        () if verb.eq_ignore_ascii_case(b"RCPT") => CommandError::Recipient(malformed(b"TO:")),
        () => CommandError::ControlCharacter,
    }
}

/// The verbs whose lines may be longer.
const LONG_VERBS: [&[u8]; 3] = [b"MAIL", b"RCPT", b"AUTH"];

type Parser = for<'l> fn(&'l [u8]) -> Parsed<'l>;

/// Every verb we know, the frequent ones first.
const VERBS: &[(&str, Parser)] = &[
    ("RCPT", rcpt),
    ("MAIL", mail),
    ("DATA", |argument| bare(argument, Command::Data)),
    ("EHLO", |argument| helo_name(argument).map(Command::Ehlo)),
    ("QUIT", |argument| bare(argument, Command::Quit)),
    ("RSET", |argument| bare(argument, Command::Rset)),
    ("BDAT", bdat),
    ("STARTTLS", |argument| bare(argument, Command::StartTls)),
    ("NOOP", |_| Ok(Command::Noop)),
    ("HELO", |argument| helo_name(argument).map(Command::Helo)),
    (
        "VRFY",
        |argument| {
            if argument.is_empty() { Err(CommandError::Argument) } else { Ok(Command::Vrfy) }
        },
    ),
    ("HELP", |_| Ok(Command::Help)),
    ("AUTH", auth),
    // RFC 5321 section 3.5 and its predecessors; ETRN RFC 1985.
    ("EXPN", not_implemented),
    ("ETRN", not_implemented),
    ("ATRN", not_implemented),
    ("TURN", not_implemented),
    ("SEND", not_implemented),
    ("SOML", not_implemented),
    ("SAML", not_implemented),
    // Browsers and proxies that were sent here to do somebody's mischief.
    ("GET", other_protocol),
    ("POST", other_protocol),
    ("PUT", other_protocol),
    ("HEAD", other_protocol),
    ("CONNECT", other_protocol),
    ("OPTIONS", other_protocol),
];

fn unknown(_: &[u8]) -> Parsed<'_> {
    Err(CommandError::Unknown)
}

fn not_implemented(_: &[u8]) -> Parsed<'_> {
    Err(CommandError::NotImplemented)
}

fn other_protocol(_: &[u8]) -> Parsed<'_> {
    Err(CommandError::OtherProtocol)
}

/// The verb and what follows its blank.
fn split_verb(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', line) {
        Some(at) => {
            let (verb, argument) = line.split_at(at);
            (verb, argument.trim_ascii_start())
        }
        None => (line, &[]),
    }
}

/// A command that takes no argument.
fn bare<'l>(argument: &[u8], command: Command<'l>) -> Parsed<'l> {
    if argument.is_empty() { Ok(command) } else { Err(CommandError::Argument) }
}

/// A HELO name is judged by policy, not by its spelling: half of the senders
/// in use would fail RFC 5321 section 4.1.1.1. Printable ASCII it must be,
/// because it goes into the trace field.
fn helo_name(argument: &[u8]) -> Result<&str, CommandError> {
    let name = std::str::from_utf8(argument).map_err(|_| CommandError::Argument)?;
    let fits = (1..=HELO_OCTETS_MAX).contains(&name.len());
    if fits && name.is_ascii() { Ok(name) } else { Err(CommandError::Argument) }
}

/// `FROM:<path> [parameters]`.
fn mail(argument: &[u8]) -> Parsed<'_> {
    let (given, keyword) = behind_keyword(argument, b"FROM:");
    let malformed = |error| CommandError::Sender(Malformed { given: path::shown(given), error });
    keyword.map_err(malformed)?;
    let text = std::str::from_utf8(given).map_err(|_| malformed(PathError::NotUtf8))?;
    let (inner, rest) = path::split(text).map_err(malformed)?;
    let reverse_path = path::reverse(inner).map_err(malformed)?;
    let needs_smtputf8 = reverse_path.address().is_some_and(|a| !a.is_ascii());
    match MailParameters::parse(separated(rest).map_err(malformed)?) {
        Ok(parameters) if needs_smtputf8 && !parameters.smtputf8 => {
            Err(CommandError::UnfitSender(reverse_path, Unfit::NeedsSmtputf8))
        }
        Ok(parameters) => Ok(Command::Mail(reverse_path, parameters)),
        Err(unfit) => Err(CommandError::UnfitSender(reverse_path, unfit)),
    }
}

/// `TO:<path>`.
fn rcpt(argument: &[u8]) -> Parsed<'_> {
    let (given, keyword) = behind_keyword(argument, b"TO:");
    let malformed = |error| CommandError::Recipient(Malformed { given: path::shown(given), error });
    keyword.map_err(malformed)?;
    let text = std::str::from_utf8(given).map_err(|_| malformed(PathError::NotUtf8))?;
    let (inner, rest) = path::split(text).map_err(malformed)?;
    let forward_path = path::forward(inner).map_err(malformed)?;
    match parameters::parse_rcpt(separated(rest).map_err(malformed)?) {
        Ok(()) => Ok(Command::Rcpt(forward_path)),
        Err(unfit) => Err(CommandError::UnfitRecipient(forward_path, unfit)),
    }
}

/// What follows `FROM:` or `TO:`, blanks after the colon tolerated; all of it
/// if the keyword is missing, because whatever was refused is remembered.
fn behind_keyword<'l>(argument: &'l [u8], keyword: &[u8]) -> (&'l [u8], Result<(), PathError>) {
    match argument.split_at_checked(keyword.len()) {
        Some((found, rest)) if found.eq_ignore_ascii_case(keyword) => {
            (rest.trim_ascii_start(), Ok(()))
        }
        _ => (argument, Err(PathError::NoKeyword)),
    }
}

/// Parameters begin with a blank: `<a@b>SIZE=1` must not pass as a path
/// followed by a parameter here and as a longer address elsewhere.
fn separated(rest: &str) -> Result<&str, PathError> {
    if rest.is_empty() || rest.starts_with(' ') { Ok(rest) } else { Err(PathError::NotSeparated) }
}

/// `AUTH mechanism [initial response]`.
fn auth(argument: &[u8]) -> Parsed<'_> {
    let mut words = argument.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let (name, initial) = (words.next(), words.next());
    match (name, words.next()) {
        (Some(name), None) => {
            Ok(Command::Auth(Mechanism::named(name), initial.map(InitialResponse::new)))
        }
        _ => Err(CommandError::Argument),
    }
}

/// `BDAT octets [LAST]`.
fn bdat(argument: &[u8]) -> Parsed<'_> {
    let text = std::str::from_utf8(argument).map_err(|_| CommandError::Argument)?;
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let digits = words.next().unwrap_or("");
    let digits_only = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let octets = digits.parse().ok().filter(|_| digits_only).ok_or(CommandError::Argument)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(CommandError::Argument),
    };
    match words.next() {
        None => Ok(Command::Bdat(Chunk { octets, last })),
        Some(_) => Err(CommandError::Argument),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(line: &str, expected: &str) {
        let found = match Command::parse(line.as_bytes()) {
            Ok(command) => format!("{command:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{line:?}");
    }

    #[test]
    fn verbs_have_no_case_and_blanks_at_the_end_do_not_count() {
        check("quit", "Quit");
        check("DaTa  ", "Data");
        check("noop whatever", "Noop");
        check("ehlo  [192.0.2.1] ", "Ehlo(\"[192.0.2.1]\")");
        check("BDAT 86 last", "Bdat(Chunk { octets: 86, last: true })");
        check("", "unknown command");
        check(" NOOP", "unknown command");
        check("QUITE", "unknown command");
        check("DATA now", "syntax error in the argument");
        check("BDAT 99999999999999999999", "syntax error in the argument");
        check("GET / HTTP/1.1", "this is not SMTP");
        check("TURN", "command not implemented");
        check("NO\tOP", "the command line has control characters");
        check("MAIL FROM:<a\0@b.example>", "malformed sender: the line has control characters");
        check("rcpt to:<a\t@b.example>", "malformed recipient: the line has control characters");
        check("RCPTS\0", "the command line has control characters");
        check("auth login", "Auth(Some(Login), None)");
        check("AUTH CRAM-MD5", "Auth(None, None)");
        check("AUTH", "syntax error in the argument");
        check("AUTH PLAIN AGEAYg== more", "syntax error in the argument");
        check("AUTH PLAIN AGEAYg==", "Auth(Some(Plain), Some(InitialResponse(…)))");
    }

    #[test]
    fn only_path_commands_may_be_long() {
        check(&format!("NOOP {}", "x".repeat(505)), "Noop");
        check(&format!("NOOP {}", "x".repeat(506)), "the command line is too long");
        let padded = |blanks| format!("RCPT TO:<Postmaster>{}", " ".repeat(blanks));
        check(&padded(2046 - 20), "Rcpt(Postmaster)");
        check(&padded(2047 - 20), "the command line is too long");
    }

    /// Addresses in all their forms.
    fn address() -> impl Strategy<Value = String> {
        let atom = "[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,12}";
        let local = prop_oneof![
            atom.prop_map(String::from),
            (atom, atom).prop_map(|(a, b)| format!("{a}.{b}")),
            "\"([ !#-\\[\\]-~]|\\\\[ -~]){0,20}\"".prop_map(String::from),
        ];
        let domain = prop_oneof![
            "[a-z0-9]{1,10}(\\.[a-z0-9]{1,10}){0,3}".prop_map(String::from),
            any::<[u8; 4]>().prop_map(|ip| format!("[{}]", std::net::Ipv4Addr::from(ip))),
            any::<[u8; 16]>().prop_map(|ip| format!("[IPv6:{}]", std::net::Ipv6Addr::from(ip))),
        ];
        (local, domain).prop_map(|(local, domain)| format!("{local}@{domain}"))
    }

    proptest! {
        #[test]
        fn nothing_panics(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Command::parse(&line);
        }

        #[test]
        fn nothing_panics_behind_a_verb(
            verb in prop_oneof![Just("MAIL FROM:<"), Just("RCPT TO:<"), Just("BDAT "), Just("EHLO "), Just("AUTH PLAIN ")],
            rest in "\\PC{0,80}",
        ) {
            let _ = Command::parse(format!("{verb}{rest}").as_bytes());
        }

        #[test]
        fn valid_addresses_come_back_as_they_were(address in address(), size: u64) {
            let mail = format!("MAIL FROM:<{address}> SIZE={size}");
            let Ok(Command::Mail(path, parameters)) = Command::parse(mail.as_bytes()) else {
                panic!("{mail}: {:?}", Command::parse(mail.as_bytes()));
            };
            prop_assert_eq!(path.as_str(), &address);
            prop_assert_eq!(parameters.size, Some(size));
            let rcpt = format!("RCPT TO:<@a.example,@b.example:{address}>");
            let Ok(Command::Rcpt(path)) = Command::parse(rcpt.as_bytes()) else {
                panic!("{rcpt}: {:?}", Command::parse(rcpt.as_bytes()));
            };
            prop_assert_eq!(path.as_str(), &address);
        }
    }
}
