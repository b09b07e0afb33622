//! Passwords: what is good enough, and argon2id with a bound on how many are
//! worked on at once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use world::Chance;

use crate::CenterError;

/// Memory of one hash, in KiB, and passes over it: the second choice of
/// OWASP's Password Storage Cheat Sheet, 19 MiB and two passes.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// Octets of salt (RFC 9106 section 3.1).
const SALT_OCTETS: usize = 16;
/// Hashes worked on at once; they are what a flood of sign-ins would spend
/// processor and memory on.
const AT_ONCE_MAX: u32 = 2;
/// Hashes that wait for their turn.
const WAITING_MAX: u32 = 16;
/// How long one waits.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Most octets of a password; more could only keep us busy.
pub const PASSWORD_OCTETS_MAX: usize = 1_024;

/// Makes and compares hashes.
pub(crate) struct Hasher {
    chance: Arc<dyn Chance>,
    turns: Mutex<Turns>,
    freed: Condvar,
    /// Compared with where there is no account, so that this takes as long.
    nobody: OnceLock<String>,
}

#[derive(Default)]
struct Turns {
    running: u32,
    waiting: u32,
}

/// Too many want a hash at this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy;

impl From<Busy> for CenterError {
    fn from(_: Busy) -> Self {
        CenterError::invalid("too many passwords are being checked; try again in some seconds")
    }
}

impl Hasher {
    pub(crate) fn new(chance: Arc<dyn Chance>) -> Self {
        let (turns, freed) = (Mutex::default(), Condvar::new());
        Hasher { chance, turns, freed, nobody: OnceLock::new() }
    }

    /// The hash of a password, as a PHC string.
    pub(crate) fn hash(&self, password: &str) -> Result<String, CenterError> {
        let _turn = self.turn()?;
        self.hashed(password)
    }

    /// Whether this is the password; where there is none to compare with,
    /// the answer takes as long and is no.
    pub(crate) fn is_right(&self, password: &str, stored: Option<&str>) -> Result<bool, Busy> {
        let _turn = self.turn()?;
        // Made in any case, or the first unknown name would take longer.
        let nobody = self.nobody.get_or_init(|| self.hashed("nobody").unwrap_or_default());
        let against = stored.unwrap_or(nobody);
        let Ok(parsed) = PasswordHash::new(against) else { return Ok(false) };
        let password = if password.len() > PASSWORD_OCTETS_MAX { "" } else { password };
        let right = argon2id()
            .is_some_and(|argon2| argon2.verify_password(password.as_bytes(), &parsed).is_ok());
        Ok(right && stored.is_some())
    }

    fn hashed(&self, password: &str) -> Result<String, CenterError> {
        let mut salt = [0; SALT_OCTETS];
        self.chance.fill(&mut salt);
        let failed = || CenterError::invalid("the password cannot be hashed");
        let argon2 = argon2id().ok_or_else(failed)?;
        let made = argon2.hash_password_with_salt(password.as_bytes(), &salt);
        let made: PasswordHash = made.map_err(|_| failed())?;
        Ok(made.to_string())
    }

    fn turn(&self) -> Result<Turn<'_>, Busy> {
        let mut turns = self.turns();
        if turns.waiting >= WAITING_MAX {
            return Err(Busy);
        }
        turns.waiting += 1;
        let free = |turns: &mut Turns| turns.running >= AT_ONCE_MAX;
        let waited = self.freed.wait_timeout_while(turns, TURN_WITHIN, free);
        let (mut turns, late) = waited.unwrap_or_else(PoisonError::into_inner);
        turns.waiting -= 1;
        if late.timed_out() {
            return Err(Busy);
        }
        turns.running += 1;
        Ok(Turn(self))
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to work on one hash.
struct Turn<'a>(&'a Hasher);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.turns().running -= 1;
        self.0.freed.notify_one();
    }
}

fn argon2id() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Refuses a password that is too easy or too long. Length counts, not kinds
/// of character (NIST SP 800-63B section 3.1.1.2).
pub(crate) fn check(password: &str, name: &str) -> Result<(), CenterError> {
    let chars = password.chars().count();
    if chars < PASSWORD_CHARS_MIN {
        let text = format!("the password needs at least {PASSWORD_CHARS_MIN} characters");
        return Err(CenterError::invalid(text));
    }
    if password.len() > PASSWORD_OCTETS_MAX {
        return Err(CenterError::invalid("the password is too long"));
    }
    let mut letters: Vec<char> = password.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    if letters.len() < DIFFERENT_CHARS_MIN {
        return Err(CenterError::invalid("the password repeats too few characters"));
    }
    if password.to_lowercase().contains(&name.to_lowercase()) && chars < 2 * PASSWORD_CHARS_MIN {
        return Err(CenterError::invalid("the password must not contain the name"));
    }
    Ok(())
}

/// Fewest different characters.
const DIFFERENT_CHARS_MIN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use world::SystemChance;

    #[test]
    fn hashes_are_argon2id_with_a_salt_each() {
        let hasher = Hasher::new(Arc::new(SystemChance));
        let (one, two) =
            (hasher.hash("correct horse").unwrap(), hasher.hash("correct horse").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && one != two, "{one}");
        assert!(hasher.is_right("correct horse", Some(&one)).unwrap());
        assert!(!hasher.is_right("correct horsf", Some(&one)).unwrap());
        assert!(!hasher.is_right("nobody", None).unwrap(), "not even the password of nobody");
        assert!(!hasher.is_right("x", Some("damaged")).unwrap());
    }

    #[test]
    fn more_than_can_wait_are_sent_away() {
        let hasher = Hasher::new(Arc::new(SystemChance));
        hasher.turns().waiting = WAITING_MAX;
        assert!(hasher.is_right("x", None).is_err());
    }

    #[test]
    fn easy_passwords_are_refused() {
        for (password, name) in [
            ("short", "ana"),
            ("aaaaaaaaaaaaaaaa", "ana"),
            ("ana12345678901", "ana"),
            (&*"x1y2z3w4".repeat(200), "ana"),
        ] {
            assert!(check(password, name).is_err(), "{password}");
        }
        for password in ["correct horse battery", "пароль которого нет", "Tr0ub4dor&3xyz"]
        {
            assert!(check(password, "ana").is_ok(), "{password}");
        }
    }
}
