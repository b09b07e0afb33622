//! How commands were answered, counted by all sessions together: two atomic
//! reads and one addition per command, no lock and no memory of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::command::{Command, CommandError};

macro_rules! verbs {
    ($($(#[doc = $doc:literal])+ $name:ident = $slug:literal;)*) => {
        /// What a client asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Verb { $($(#[doc = $doc])+ $name,)* }

        impl Verb {
            /// Every verb.
            pub const ALL: &'static [Verb] = &[$(Verb::$name),*];

            /// Its name in metrics.
            pub const fn slug(self) -> &'static str {
                match self { $(Verb::$name => $slug,)* }
            }
        }
    };
}

verbs! {
    /// EHLO.
    Ehlo = "ehlo";
    /// HELO.
    Helo = "helo";
    /// MAIL, also with an address that cannot be used.
    Mail = "mail";
    /// RCPT, likewise.
    Rcpt = "rcpt";
    /// DATA with the content that follows: counted once, when that is answered.
    Data = "data";
    /// One chunk of BDAT.
    Bdat = "bdat";
    /// RSET.
    Rset = "rset";
    /// NOOP.
    Noop = "noop";
    /// VRFY.
    Vrfy = "vrfy";
    /// HELP.
    Help = "help";
    /// QUIT.
    Quit = "quit";
    /// STARTTLS.
    Starttls = "starttls";
    /// AUTH with the lines that follow: counted once, when it is answered.
    Auth = "auth";
    /// A line that is no command, or none that is known.
    Other = "other";
}

impl Verb {
    pub(crate) fn of(parsed: &Result<Command<'_>, CommandError>) -> Verb {
        use CommandError as E;
        match parsed {
            Ok(Command::Ehlo(_)) => Verb::Ehlo,
            Ok(Command::Helo(_)) => Verb::Helo,
            Ok(Command::Mail(..)) | Err(E::Sender(_) | E::UnfitSender(..)) => Verb::Mail,
            Ok(Command::Rcpt(_)) | Err(E::Recipient(_) | E::UnfitRecipient(..)) => Verb::Rcpt,
            Ok(Command::Data) => Verb::Data,
            Ok(Command::Bdat(_)) => Verb::Bdat,
            Ok(Command::Rset) => Verb::Rset,
            Ok(Command::Noop) => Verb::Noop,
            Ok(Command::Vrfy) => Verb::Vrfy,
            Ok(Command::Help) => Verb::Help,
            Ok(Command::Quit) => Verb::Quit,
            Ok(Command::StartTls) => Verb::Starttls,
            Ok(Command::Auth(..)) => Verb::Auth,
            Err(_) => Verb::Other,
        }
    }
}

/// What the first digit of a reply says (RFC 5321 section 4.2.1). An
/// intermediate reply (3xx) is no end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyClass {
    /// Done.
    Positive,
    /// Not now.
    Transient,
    /// Not so.
    Permanent,
}

impl ReplyClass {
    /// Every class.
    pub const ALL: [ReplyClass; 3] =
        [ReplyClass::Positive, ReplyClass::Transient, ReplyClass::Permanent];

    /// Its name in metrics.
    pub const fn slug(self) -> &'static str {
        match self {
            ReplyClass::Positive => "2xx",
            ReplyClass::Transient => "4xx",
            ReplyClass::Permanent => "5xx",
        }
    }

    /// That of a reply as it is written.
    fn of(reply: &[u8]) -> Option<ReplyClass> {
        match reply.first()? {
            b'2' => Some(ReplyClass::Positive),
            b'4' => Some(ReplyClass::Transient),
            b'5' => Some(ReplyClass::Permanent),
            _ => None,
        }
    }
}

/// Commands answered since the start.
#[derive(Debug, Default)]
pub struct CommandCounts([[AtomicU64; ReplyClass::ALL.len()]; Verb::ALL.len()]);

impl CommandCounts {
    /// Every verb and class with its number.
    pub fn all(&self) -> impl Iterator<Item = (Verb, ReplyClass, u64)> + '_ {
        let verbs = Verb::ALL.iter().zip(&self.0);
        verbs.flat_map(|(verb, counts)| {
            let classes = ReplyClass::ALL.iter().zip(counts);
            classes.map(|(class, count)| (*verb, *class, count.load(Ordering::Relaxed)))
        })
    }

    /// Counts the command that is open if `written` ends it, which it then is
    /// no more.
    pub(crate) fn answered(&self, open: &mut Option<Verb>, written: &[u8]) {
        let (Some(verb), Some(class)) = (*open, ReplyClass::of(written)) else { return };
        *open = None;
        let counts = self.0.get(verb as usize);
        if let Some(count) = counts.and_then(|counts| counts.get(class as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}
