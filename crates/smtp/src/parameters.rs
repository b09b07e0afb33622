//! The parameters behind the path of MAIL and RCPT (RFC 5321 section 4.1.2).
//!
//! Only parameters of extensions we announce are known (AUTH where it is; the
//! session looks at that); the rest is refused
//! with 555, as RFC 5321 section 4.1.1.11 demands, so that nobody believes a
//! promise (a DSN, an authenticated sender) that nobody keeps.

use crate::command::Unfit;

/// What the content is declared to be (RFC 6152 section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// Lines of US-ASCII; also what is meant when nothing is said.
    #[default]
    SevenBit,
    /// Lines that may have octets above 127.
    EightBit,
}

/// What a client says with MAIL beside the reverse-path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// SIZE: the size the client expects the content to have, octets
    /// (RFC 1870 section 6); a number beyond 64 bits is taken as the largest.
    pub size: Option<u64>,
    /// BODY; nothing if it was not given.
    pub body: Option<Body>,
    /// SMTPUTF8: addresses and header fields may be UTF-8
    /// (RFC 6531 section 3.4).
    pub smtputf8: bool,
    /// AUTH: who gave the message to the client (RFC 4954 section 5). The word
    /// of a client about somebody else counts for nothing, so what it says is
    /// not kept.
    pub auth: bool,
}

impl MailParameters {
    /// Reads what follows the path of MAIL.
    ///
    /// # Errors
    /// An unknown parameter, one given twice, or a value it cannot have.
    pub fn parse(text: &str) -> Result<Self, Unfit> {
        let mut parameters = MailParameters::default();
        for parameter in words(text) {
            parameters.take(parameter)?;
        }
        Ok(parameters)
    }

    fn take(&mut self, parameter: &str) -> Result<(), Unfit> {
        let (keyword, value) = match parameter.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (parameter, None),
        };
        if keyword.eq_ignore_ascii_case("SIZE") {
            set(&mut self.size, value.and_then(size))
        } else if keyword.eq_ignore_ascii_case("BODY") {
            set(&mut self.body, value.and_then(body))
        } else if keyword.eq_ignore_ascii_case("SMTPUTF8") {
            let repeated = std::mem::replace(&mut self.smtputf8, true);
            if repeated || value.is_some() { Err(Unfit::ParameterValue) } else { Ok(()) }
        } else if keyword.eq_ignore_ascii_case("AUTH") {
            let repeated = std::mem::replace(&mut self.auth, true);
            let good = value.is_some_and(is_xtext);
            if repeated || !good { Err(Unfit::ParameterValue) } else { Ok(()) }
        } else {
            Err(Unfit::ParameterUnknown)
        }
    }
}

/// `<>`, or a mailbox as xtext (RFC 3461 section 4): visible ASCII in which
/// `+` and `=` are written as two hexadecimal digits behind a `+`.
fn is_xtext(value: &str) -> bool {
    let is_hex = |digit: &u8| digit.is_ascii_digit() || (b'A'..=b'F').contains(digit);
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'+', [high, low, after @ ..]) if is_hex(high) && is_hex(low) => after,
            (b'+' | b'=', _) => return false,
            (b'!'..=b'~', _) => after,
            _ => return false,
        };
    }
    !value.is_empty()
}

/// Reads what follows the path of RCPT: we announce no extension that has a
/// parameter there.
///
/// # Errors
/// Any parameter at all.
pub fn parse_rcpt(text: &str) -> Result<(), Unfit> {
    match words(text).next() {
        None => Ok(()),
        Some(_) => Err(Unfit::ParameterUnknown),
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

/// Sets what was not set before: a parameter given twice has two meanings.
fn set<T>(slot: &mut Option<T>, value: Option<T>) -> Result<(), Unfit> {
    match (slot.is_some(), value) {
        (false, Some(value)) => {
            *slot = Some(value);
            Ok(())
        }
        _ => Err(Unfit::ParameterValue),
    }
}

/// One to twenty digits (RFC 1870 section 6).
fn size(digits: &str) -> Option<u64> {
    let well_formed =
        (1..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    well_formed.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn body(value: &str) -> Option<Body> {
    if value.eq_ignore_ascii_case("7BIT") {
        Some(Body::SevenBit)
    } else if value.eq_ignore_ascii_case("8BITMIME") {
        Some(Body::EightBit)
    } else {
        // BINARYMIME is not announced, and relaying with DATA would break it.
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parameters_are_read_in_any_order_and_case() {
        let parameters = MailParameters::parse(" smtputf8 body=8bitmime  SIZE=123").unwrap();
        assert_eq!(
            parameters,
            MailParameters {
                size: Some(123),
                body: Some(Body::EightBit),
                smtputf8: true,
                ..MailParameters::default()
            }
        );
        assert_eq!(MailParameters::parse("").unwrap(), MailParameters::default());
    }

    #[test]
    fn unannounced_parameters_are_unknown_and_bad_values_are_told_apart() {
        for text in ["RET=HDRS", "ENVID=1", "MT-PRIORITY=3", "=", "X"] {
            assert_eq!(MailParameters::parse(text), Err(Unfit::ParameterUnknown), "{text}");
        }
        for text in [
            "SIZE",
            "SIZE=",
            "SIZE=1x",
            "SIZE=-1",
            "SIZE=123456789012345678901",
            "SIZE=1 SIZE=1",
            "BODY=BINARYMIME",
            "SMTPUTF8=yes",
            "SMTPUTF8 SMTPUTF8",
            "AUTH",
            "AUTH=",
            "AUTH=a+b",
            "AUTH=a=b",
            "AUTH=<> AUTH=<>",
        ] {
            assert_eq!(MailParameters::parse(text), Err(Unfit::ParameterValue), "{text}");
        }
        assert!(parse_rcpt("  ").is_ok());
        assert_eq!(parse_rcpt(" NOTIFY=NEVER"), Err(Unfit::ParameterUnknown));
    }

    #[test]
    fn what_the_client_says_of_others_is_read_and_not_kept() {
        for text in ["AUTH=<>", "auth=ann+40corp.example", "AUTH=ann@corp.example"] {
            let wanted = MailParameters { auth: true, ..MailParameters::default() };
            assert_eq!(MailParameters::parse(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn a_size_beyond_64_bits_is_the_largest() {
        let parameters = MailParameters::parse("SIZE=99999999999999999999").unwrap();
        assert_eq!(parameters.size, Some(u64::MAX));
    }
}
