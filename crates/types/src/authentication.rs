//! What sender authentication found: SPF, DKIM, DMARC and ARC, each with its
//! inputs and its answer. What follows from an answer is policy's business.
//!
//! All domains, selectors and explanations here were written by strangers:
//! they are hostile wherever they are shown.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

macro_rules! results {
    ($($(#[$of:meta])* $type:ident: $($(#[$doc:meta])* $name:ident = $slug:literal,)*;)*) => {$(
        $(#[$of])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum $type { $($(#[$doc])* #[serde(rename = $slug)] $name,)* }

        impl $type {
            /// Every result, in table order.
            pub const ALL: &'static [$type] = &[$($type::$name),*];

            /// The word used on the wire, in events and in the search
            /// language.
            pub const fn slug(self) -> &'static str {
                match self { $($type::$name => $slug,)* }
            }
        }
    )*};
}

results! {
    /// Results of SPF (RFC 7208 section 2.6).
    SpfResult:
    /// The domain publishes no policy, or is no domain.
    #[default]
    None = "none",
    /// The domain says nothing about this client.
    Neutral = "neutral",
    /// The client may send for the domain.
    Pass = "pass",
    /// The client may not.
    Fail = "fail",
    /// The client probably may not.
    SoftFail = "softfail",
    /// The name servers did not answer; later they may.
    TempError = "temperror",
    /// The published policy cannot be carried out.
    PermError = "permerror",
    ;
    /// Results of DKIM, of one signature and of all (RFC 8601 section 2.7.1).
    DkimResult:
    /// The message is not signed.
    #[default]
    None = "none",
    /// A signature is valid.
    Pass = "pass",
    /// A signature does not match the message, or has expired.
    Fail = "fail",
    /// A signature is of a kind that we do not take: it leaves the end of the
    /// body open.
    Policy = "policy",
    /// A signature cannot be read, or there are more than we look at.
    Neutral = "neutral",
    /// The key could not be fetched; later it may.
    TempError = "temperror",
    /// The key does not exist or cannot be used.
    PermError = "permerror",
    ;
    /// Results of DMARC (RFC 9989, RFC 8601 section 2.7.8).
    DmarcResult:
    /// The author's domain publishes no policy.
    #[default]
    None = "none",
    /// SPF or DKIM passed for the author's domain.
    Pass = "pass",
    /// Neither did.
    Fail = "fail",
    /// The name servers did not answer, or DKIM could not be checked, so
    /// that nobody knows.
    TempError = "temperror",
    /// The published policy cannot be read.
    PermError = "permerror",
    ;
    /// Results of an ARC chain (RFC 8617 section 5.2).
    ArcResult:
    /// The message has no chain.
    #[default]
    None = "none",
    /// The chain is whole and every seal valid.
    Pass = "pass",
    /// The chain is broken.
    Fail = "fail",
    /// A key could not be fetched.
    TempError = "temperror",
    ;
    /// What the author's domain asks for when DMARC fails (RFC 9989 section
    /// 4.7).
    DmarcRequest:
    /// Nothing.
    #[default]
    None = "none",
    /// To treat the message as suspicious.
    Quarantine = "quarantine",
    /// To refuse it.
    Reject = "reject",
    ;
    /// Whose name SPF was asked about.
    SpfIdentity:
    /// The domain of MAIL FROM.
    #[default]
    MailFrom = "mail_from",
    /// The argument of EHLO, because the reverse-path is null.
    Helo = "helo",
    ;
}

macro_rules! flaws {
    ($($(#[$doc:meta])* $name:ident = $words:literal,)*) => {
        /// Why a result is not a plain pass or fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Flaw { $($(#[$doc])* $name,)* }

        impl Flaw {
            /// For people, and for the comment of Authentication-Results:
            /// lower case, no parentheses, no full stop.
            pub const fn words(self) -> &'static str {
                match self { $(Flaw::$name => $words,)* }
            }
        }
    };
}

flaws! {
    /// Nothing answered in time.
    TimedOut = "the name servers did not answer in time",
    /// The name servers failed.
    ServerFailure = "the name servers failed",
    /// What the domain says to those it refuses did not come in time.
    Unexplained = "the explanation of the domain did not come in time",
    /// A record does not follow its grammar.
    Syntax = "syntax error",
    /// There is more than one record.
    SeveralRecords = "more than one record",
    /// More terms with look-ups than RFC 7208 section 4.6.4 allows.
    TooManyTerms = "more than 10 terms that need a look-up",
    /// More look-ups without an answer than RFC 7208 section 4.6.4 allows.
    TooManyVoids = "more than 2 look-ups found nothing",
    /// More mail exchangers than RFC 7208 section 4.6.4 allows.
    TooManyExchangers = "more than 10 mail exchangers",
    /// An `include` or `redirect` leads nowhere.
    NoTarget = "an included or redirected domain has no record",
    /// The body is not what was signed.
    BodyChanged = "the body was changed",
    /// The signature does not fit header and key.
    BadSignature = "the signature does not verify",
    /// The signature has expired.
    Expired = "the signature has expired",
    /// There is no key under the name the signature gives.
    NoKey = "there is no such key",
    /// The key was withdrawn.
    KeyRevoked = "the key was revoked",
    /// The key cannot be used.
    KeyUnusable = "the key cannot be used",
    /// The signature names an identity outside its domain.
    ForeignIdentity = "the identity is not of the signing domain",
    /// The signature covers only the beginning of the body.
    LengthLimited = "the signature leaves the end of the body open",
    /// The signature does not cover the From field.
    AuthorUnsigned = "the signature does not cover the author",
    /// An algorithm or version that we do not know.
    Unsupported = "unsupported algorithm or version",
    /// More than we look at.
    TooMany = "more than are looked at",
    /// The message is too large, or its header has too many fields.
    TooLarge = "the message is too large to be checked",
    /// The sets of a chain do not follow one another.
    BrokenChain = "the chain is broken",
}

/// What SPF found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SpfFacts {
    /// Whose name was asked about.
    pub identity: SpfIdentity,
    /// The domain, in comparable form; as sent where it is none.
    pub domain: String,
    /// The client's address.
    pub ip: IpAddr,
    /// The answer.
    pub result: SpfResult,
    /// Why there is no better answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<Flaw>,
    /// Questions that were put to the name servers.
    #[serde(default)]
    pub questions: u16,
    /// What the domain says to those it refuses (RFC 7208 section 6.2):
    /// printable ASCII, at most [`EXPLANATION_CHARS_MAX`]. Never sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

/// Longest explanation kept of an SPF record, in characters.
pub const EXPLANATION_CHARS_MAX: usize = 200;

/// What DKIM found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DkimFacts {
    /// The answer for the message: pass if any signature passes.
    pub result: DkimResult,
    /// The signatures that were looked at, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<SignatureFacts>,
    /// Signatures beyond the limit, which were not looked at.
    #[serde(default)]
    pub ignored: u32,
    /// Why none could be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<Flaw>,
}

impl DkimFacts {
    /// Whether nobody looked because there is too much to look at, so that the
    /// result is not known. A header nobody can rely on is known to prove
    /// nothing.
    pub fn is_unseen(&self) -> bool {
        self.flaw == Some(Flaw::TooLarge)
    }
}

/// One DKIM signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SignatureFacts {
    /// The signing domain, `d=`; empty where it could not be read.
    pub domain: String,
    /// The name of the key, `s=`.
    pub selector: String,
    /// The algorithm, `a=`.
    pub algorithm: String,
    /// The answer.
    pub result: DkimResult,
    /// Why it is not a pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<Flaw>,
}

/// What DMARC found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DmarcFacts {
    /// The answer.
    pub result: DmarcResult,
    /// The author's domain; empty if the From field names none, or several.
    pub domain: String,
    /// What the published policy asks for when DMARC fails: `p`, `sp` or
    /// `np`, one step milder where the record is a test (`t=y`).
    #[serde(default)]
    pub request: DmarcRequest,
    /// Whether SPF passed for the author's domain.
    #[serde(default)]
    pub spf_aligned: bool,
    /// Whether a DKIM signature passed for the author's domain.
    #[serde(default)]
    pub dkim_aligned: bool,
    /// Why there is no better answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<Flaw>,
}

/// What the ARC chain says; a hint, which decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ArcFacts {
    /// The answer.
    pub result: ArcResult,
    /// Sets in the chain.
    #[serde(default)]
    pub sets: u32,
    /// The domain of the newest seal; empty where there is none.
    #[serde(default)]
    pub sealer: String,
    /// Why it is not a pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<Flaw>,
}

/// Whether `name` is `domain` or lies below it; both in comparable form.
pub fn is_within(name: &str, domain: &str) -> bool {
    !domain.is_empty()
        && name.strip_suffix(domain).is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_within_itself_and_those_above() {
        assert!(is_within("corp.example", "corp.example"));
        assert!(is_within("a.corp.example", "corp.example"));
        assert!(!is_within("evilcorp.example", "corp.example"));
        assert!(!is_within("example", "corp.example"));
        assert!(!is_within("corp.example", ""));
    }

    #[test]
    fn words_can_stand_in_a_comment_of_a_header_field() {
        for flaw in [Flaw::TooManyTerms, Flaw::BodyChanged, Flaw::TooLarge] {
            assert!(flaw.words().is_ascii() && !flaw.words().contains(['(', ')', '\\', '.']));
        }
    }
}
