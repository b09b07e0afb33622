//! Time-based codes (RFC 6238) as a second step, and recovery codes for the
//! day the telephone is lost.

use std::collections::HashMap;
use std::time::Duration;

use qrcodegen::{QrCode, QrCodeEcc};
use serde::Serialize;
use store::state::accounts::{SecretHash, StoredAccount};
use totp_rs::{Builder, Totp};
use types::{AccountId, AuditAction, Caller, Timestamp};

use super::{Accounts, secret};
use crate::CenterError;
use crate::command::percent_encoded;

/// Octets of a secret (RFC 4226 section 4 recommends 20).
const SECRET_OCTETS: usize = 20;
/// How long a secret that was shown waits for its first code.
const CONFIRM_WITHIN: Duration = Duration::from_secs(30 * 60);
/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;
/// What authenticator apps show above the code.
const ISSUER: &str = "Portcullis";
/// Crockford's alphabet in lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Secrets that were shown and not confirmed yet.
pub(super) type Enrolling = HashMap<AccountId, (Vec<u8>, Timestamp)>;

/// What a person needs to set up their authenticator app.
#[derive(Clone, Debug, Serialize)]
pub struct Enrolment {
    /// The secret in base 32, in groups of four, to be typed.
    pub secret: String,
    /// The `otpauth:` address, which some apps open.
    pub uri: String,
    /// The same as a picture: modules to a side, without the quiet zone.
    pub picture_side: usize,
    /// The dark modules as an SVG path of unit squares.
    pub picture_path: String,
}

/// Codes that each work once in place of a time-based one.
#[derive(Clone, Debug, Serialize)]
pub struct RecoveryCodes(pub Vec<String>);

impl Accounts {
    /// Begins to turn codes on: gives a fresh secret, which waits half an hour
    /// for its first code. Whoever asks proves again who they are: with a
    /// stolen session, a thief would lock its owner out. The secret is given
    /// in no other answer than this.
    ///
    /// # Errors
    ///
    /// The password is wrong, codes are on already, the caller is no person,
    /// or the store fails.
    pub fn totp_begin(
        &self,
        caller: &Caller,
        password: &str,
        from: std::net::IpAddr,
    ) -> Result<Enrolment, CenterError> {
        let account = self.myself(caller)?;
        self.prove(&account, password, from)?;
        if account.totp_secret.is_some() {
            return Err(CenterError::invalid("codes are on already; turn them off first"));
        }
        let now = self.clock.now();
        let mut memory = self.memory();
        memory.enrolling.retain(|_, (_, until)| *until > now);
        let mut octets = vec![0; SECRET_OCTETS];
        self.chance.fill(&mut octets);
        let shown = enrolment(&account.name, &octets)?;
        memory.enrolling.insert(account.id, (octets, now + CONFIRM_WITHIN));
        Ok(shown)
    }

    /// Turns codes on with the first code of the app, and gives the recovery
    /// codes. Other sessions end.
    ///
    /// # Errors
    ///
    /// The code is wrong, nothing was begun, or the store fails.
    pub fn totp_confirm(
        &self,
        caller: &Caller,
        code: &str,
        session: Option<u64>,
    ) -> Result<RecoveryCodes, CenterError> {
        let account = self.myself(caller)?;
        let now = self.clock.now();
        let begun = self.memory().enrolling.get(&account.id).cloned();
        let Some((octets, _)) = begun.filter(|(_, until)| *until > now) else {
            return Err(CenterError::invalid("this took too long; begin again"));
        };
        let Some(step) = matching_step(&octets, code, now) else {
            let text =
                "the code does not fit; check the clock of the telephone and of this machine";
            return Err(CenterError::invalid(text));
        };
        let (codes, hashes) = self.recovery_codes(account.id);
        let note = self.note(caller, AuditAction::CodesOn, &account.name);
        self.done(&note, |to| {
            to.set_totp(account.id, Some(&octets), &hashes)?;
            to.end_sessions(account.id, session).map(drop)
        })?;
        self.state.use_totp_step(account.id, step)?;
        self.memory().enrolling.remove(&account.id);
        Ok(codes)
    }

    /// Turns codes off; whoever asks proves again who they are.
    ///
    /// # Errors
    ///
    /// The password is wrong, the caller is no person, or the store fails.
    pub fn totp_off(
        &self,
        caller: &Caller,
        password: &str,
        from: std::net::IpAddr,
    ) -> Result<(), CenterError> {
        let account = self.myself(caller)?;
        self.prove(&account, password, from)?;
        let note = self.note(caller, AuditAction::CodesOff, &account.name);
        self.done(&note, |to| to.set_totp(account.id, None, &[]))
    }

    /// Makes new recovery codes; the old ones work no more.
    ///
    /// # Errors
    ///
    /// As [`Accounts::totp_off`], or codes are off.
    pub fn new_recovery_codes(
        &self,
        caller: &Caller,
        password: &str,
        from: std::net::IpAddr,
    ) -> Result<RecoveryCodes, CenterError> {
        let account = self.myself(caller)?;
        self.prove(&account, password, from)?;
        let Some(octets) = &account.totp_secret else {
            return Err(CenterError::invalid("codes are off"));
        };
        let (codes, hashes) = self.recovery_codes(account.id);
        let note = self.note(caller, AuditAction::RecoveryCodesMade, &account.name);
        self.done(&note, |to| to.set_totp(account.id, Some(octets), &hashes))?;
        Ok(codes)
    }

    /// Uses a code of either kind, once.
    pub(super) fn use_code(
        &self,
        account: &StoredAccount,
        code: &str,
        from: std::net::IpAddr,
    ) -> Result<bool, CenterError> {
        let Some(octets) = &account.totp_secret else { return Ok(false) };
        if let Some(step) = matching_step(octets, code, self.clock.now()) {
            return Ok(self.state.use_totp_step(account.id, step)?);
        }
        let code = recovery_hash(account.id, code);
        let person = self.caller_of(account)?.from_address(from);
        let note = self.note(&person, AuditAction::RecoveryCodeUsed, &account.name);
        let used =
            self.changed(&note, |to| Ok(to.use_recovery_code(account.id, &code)?.then_some(())))?;
        Ok(used.is_some())
    }

    fn recovery_codes(&self, account: AccountId) -> (RecoveryCodes, Vec<SecretHash>) {
        let code = |_| {
            let mut octets = [0; 10];
            self.chance.fill(&mut octets);
            let letter =
                |octet: &u8| ALPHABET.get(usize::from(octet % 32)).copied().map_or('0', char::from);
            let (first, second) = octets.split_at(5);
            let half = |octets: &[u8]| octets.iter().map(letter).collect::<String>();
            format!("{}-{}", half(first), half(second))
        };
        let codes: Vec<String> = (0..RECOVERY_CODES).map(code).collect();
        let hashes = codes.iter().map(|code| recovery_hash(account, code)).collect();
        (RecoveryCodes(codes), hashes)
    }
}

/// Reads a code as people write it: in groups, in either case, `O` for zero.
fn recovery_hash(account: AccountId, code: &str) -> SecretHash {
    let plain = code.chars().filter(char::is_ascii_alphanumeric).take(64);
    let plain: String = plain
        .map(|letter| match letter.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    secret::hash(&format!("{} {plain}", account.0))
}

/// The time step whose code this is: the present one, or the one before or
/// after, for clocks that differ.
fn matching_step(octets: &[u8], code: &str, now: Timestamp) -> Option<u64> {
    let digits: String = code.chars().filter(|letter| !letter.is_whitespace()).take(16).collect();
    let seconds = u64::try_from(now.as_millis() / 1_000).ok()?;
    totp(octets)?.check(&digits, seconds)
}

fn totp(octets: &[u8]) -> Option<Totp> {
    Builder::new().with_secret(octets.to_vec()).build().ok()
}

fn enrolment(name: &str, octets: &[u8]) -> Result<Enrolment, CenterError> {
    let failed = || CenterError::invalid("no code can be set up for this account");
    let base32 = totp(octets).ok_or_else(failed)?.secret().to_base32();
    let base32 = base32.trim_end_matches('=');
    let uri = format!(
        "otpauth://totp/{ISSUER}:{}?secret={base32}&issuer={ISSUER}",
        percent_encoded(name)
    );
    let picture = QrCode::encode_text(&uri, QrCodeEcc::Medium).map_err(|_| failed())?;
    let groups: Vec<String> = base32
        .as_bytes()
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    Ok(Enrolment {
        secret: groups.join(" "),
        uri,
        picture_side: usize::try_from(picture.size()).unwrap_or(0),
        picture_path: path_of(&picture),
    })
}

/// Runs of dark modules as rectangles one module high.
fn path_of(picture: &QrCode) -> String {
    let side = picture.size();
    let mut path = String::new();
    for y in 0..side {
        let mut x = 0;
        while x < side {
            let length = (x..side).take_while(|&x| picture.get_module(x, y)).count();
            let length = i32::try_from(length).unwrap_or(0);
            if length > 0 {
                path.push_str(&format!("M{x} {y}h{length}v1h-{length}z"));
            }
            x += length + 1;
        }
    }
    path
}

#[cfg(test)]
pub(super) fn code_of(enrolment: &Enrolment, now: Timestamp) -> String {
    let base32: String = enrolment.secret.chars().filter(|c| *c != ' ').collect();
    let octets = totp_rs::Secret::try_from_base32(&base32).unwrap();
    let seconds = u64::try_from(now.as_millis() / 1_000).unwrap();
    totp(octets.as_ref()).unwrap().generate(seconds).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238 appendix B, the last six of its eight digits.
        let octets = b"12345678901234567890";
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            let now = Timestamp::from_millis(seconds * 1_000);
            let step = u64::try_from(seconds).unwrap() / 30;
            assert_eq!(matching_step(octets, code, now), Some(step), "{code}");
            assert_eq!(matching_step(octets, "000000", now), None);
        }
        let late = Timestamp::from_millis(89_000);
        assert_eq!(matching_step(octets, "287 082", late), Some(1), "the step before");
        assert_eq!(matching_step(octets, "287082", Timestamp::from_millis(120_000)), None);
    }

    #[test]
    fn the_picture_holds_the_address() {
        let made = enrolment("ana@corp.example", b"12345678901234567890").unwrap();
        assert_eq!(made.secret, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(
            made.uri,
            "otpauth://totp/Portcullis:ana%40corp.example\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Portcullis"
        );
        assert!(made.picture_side >= 21 && made.picture_path.starts_with("M0 0h7v1h-7z"));
    }

    #[test]
    fn recovery_codes_are_read_as_people_write_them() {
        let account = AccountId(7);
        let code = recovery_hash(account, "0a1b2-c3d4e");
        assert_eq!(recovery_hash(account, " OALB2C3D4E "), code);
        assert_ne!(recovery_hash(AccountId(8), "0a1b2-c3d4e"), code);
    }
}
