//! The parameters behind the path of MAIL and RCPT (RFC 5321 section 4.1.2).
//!
//! Only parameters of extensions we announce are known; the rest is refused
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
        } else {
            Err(Unfit::ParameterUnknown)
        }
    }
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
            MailParameters { size: Some(123), body: Some(Body::EightBit), smtputf8: true }
        );
        assert_eq!(MailParameters::parse("").unwrap(), MailParameters::default());
    }

    #[test]
    fn unannounced_parameters_are_unknown_and_bad_values_are_told_apart() {
        for text in ["RET=HDRS", "ENVID=1", "AUTH=<>", "MT-PRIORITY=3", "=", "X"] {
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
        ] {
            assert_eq!(MailParameters::parse(text), Err(Unfit::ParameterValue), "{text}");
        }
        assert!(parse_rcpt("  ").is_ok());
        assert_eq!(parse_rcpt(" NOTIFY=NEVER"), Err(Unfit::ParameterUnknown));
    }

    #[test]
    fn a_size_beyond_64_bits_is_the_largest() {
        let parameters = MailParameters::parse("SIZE=99999999999999999999").unwrap();
        assert_eq!(parameters.size, Some(u64::MAX));
    }
}
