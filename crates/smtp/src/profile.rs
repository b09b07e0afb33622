//! What all sessions of a listener have in common: limits, name, what is
//! announced. Made once, shared by every session, so that a session itself
//! stays small and a greeting costs a copy.

use std::sync::Arc;

use crate::content_reader::ContentLimits;
use crate::counts::CommandCounts;
use crate::replies;

/// Every number a session is bounded by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Accepted recipients of one transaction; RFC 5321 section 4.5.3.1.8
    /// demands at least 100. The next one is a
    /// [`Question::TooManyRecipients`](crate::Question::TooManyRecipients).
    pub recipients_max: u32,
    /// Commands refused by the protocol before the session is ended.
    pub commands_wrong_max: u32,
    /// Commands of any kind before the session is ended.
    pub commands_max: u32,
    /// What the content is bounded by.
    pub content: ContentLimits,
}

impl Default for SessionLimits {
    fn default() -> Self {
        SessionLimits {
            recipients_max: 100,
            commands_wrong_max: 15,
            commands_max: 100_000,
            content: ContentLimits::default(),
        }
    }
}

/// The name and the extensions a listener shows, with the replies made of
/// them.
#[derive(Clone, Debug)]
pub struct SessionProfile {
    limits: SessionLimits,
    starttls: bool,
    auth: bool,
    greeting: Box<[u8]>,
    helo: Box<[u8]>,
    ehlo_clear: Box<[u8]>,
    ehlo_tls: Box<[u8]>,
    counts: Arc<CommandCounts>,
}

impl SessionProfile {
    /// A profile of a server named `host_name` (ASCII, a host name or an
    /// address literal) that offers STARTTLS or not.
    pub fn new(host_name: &str, starttls: bool, limits: SessionLimits) -> Self {
        let host_name = printable(host_name);
        let ehlo = |starttls| replies::ehlo(&host_name, starttls, false, &limits).into();
        SessionProfile {
            limits,
            starttls,
            auth: false,
            greeting: replies::greeting(&host_name).into(),
            helo: replies::helo(&host_name).into(),
            ehlo_clear: ehlo(starttls),
            ehlo_tls: ehlo(false),
            counts: Arc::default(),
        }
    }

    /// The same, counting commands there: counts outlive a profile.
    #[must_use]
    pub fn counting(self, counts: Arc<CommandCounts>) -> Self {
        SessionProfile { counts, ..self }
    }

    /// The same offering AUTH to clients that are encrypted: nobody shall say
    /// a password in clear text (RFC 4954 section 14).
    #[must_use]
    pub fn offering_auth(self, host_name: &str) -> Self {
        let host_name = printable(host_name);
        let ehlo_tls = replies::ehlo(&host_name, false, true, &self.limits).into();
        SessionProfile { auth: true, ehlo_tls, ..self }
    }

    /// Where commands are counted.
    pub(crate) fn counts(&self) -> &CommandCounts {
        &self.counts
    }

    /// The limits of the sessions.
    pub fn limits(&self) -> &SessionLimits {
        &self.limits
    }

    /// Whether STARTTLS is offered.
    pub fn starttls(&self) -> bool {
        self.starttls
    }

    /// Whether AUTH is offered, to clients that are encrypted.
    pub fn auth(&self) -> bool {
        self.auth
    }

    /// The first line a client sees.
    pub(crate) fn greeting(&self) -> &[u8] {
        &self.greeting
    }

    /// The answer to HELO.
    pub(crate) fn helo(&self) -> &[u8] {
        &self.helo
    }

    /// The answer to EHLO; STARTTLS only while it still makes sense
    /// (RFC 3207 section 4.2).
    pub(crate) fn ehlo(&self, tls: bool) -> &[u8] {
        if tls { &self.ehlo_tls } else { &self.ehlo_clear }
    }
}

fn printable(host_name: &str) -> String {
    host_name.chars().filter(char::is_ascii_graphic).collect()
}
