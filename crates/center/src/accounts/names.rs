//! What accounts are called.

use crate::CenterError;

/// Longest name of an account, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// Somebody else is called so.
pub(super) fn name_taken() -> CenterError {
    CenterError::invalid("there is an account of this name already")
}

/// The form in which names are the same: without spaces around, in lower case.
pub(crate) fn comparable(name: &str) -> String {
    name.trim().chars().flat_map(char::to_lowercase).take(NAME_CHARS_MAX + 1).collect()
}

/// The name of the account for emergencies unless another one is given. Only
/// that account may have it: whoever had it before could not be told from it.
pub(super) const EMERGENCY: &str = "emergency";

/// Refuses the name of an account for emergencies, and what [`check_name`]
/// does.
pub(super) fn check_free_name(name: &str) -> Result<(), CenterError> {
    match name == EMERGENCY {
        true => Err(CenterError::invalid(
            "the name emergency is kept for the account for emergencies, which `portcullis account \
             emergency` makes",
        )),
        false => check_name(name),
    }
}

/// Refuses a name that could not be told from another or typed: letters,
/// digits and a few signs of ASCII, as an address has.
pub(crate) fn check_name(name: &str) -> Result<(), CenterError> {
    let sign = |octet: u8| octet.is_ascii_alphanumeric() || b"@._+-".contains(&octet);
    let fits = (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(sign);
    match fits && name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => Err(CenterError::invalid(
            "a name has up to 64 letters, digits and @ . _ + - and begins with a letter or digit",
        )),
    }
}
