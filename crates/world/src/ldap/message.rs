//! The messages of LDAP that we send and read (RFC 4511 section 4).

use super::ber::{BerError, ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, Writer, integer};
use super::{LdapEntry, LdapSearch, Scope};

/// Longest value of an attribute that is kept, in octets; a longer one becomes
/// empty. Distinguished names are the longest that are of use.
const VALUE_OCTETS_MAX: usize = 4_096;
/// Values that one entry may have: the members of a very large group. Each
/// needs several times the octets of a short one.
pub(super) const VALUES_MAX: usize = 200_000;
/// Octets of a server's words that are shown.
const SAID_OCTETS_MAX: usize = 200;

/// The control of paged results (RFC 2696).
const PAGED: &[u8] = b"1.2.840.113556.1.4.319";
/// The request that a connection goes on encrypted (RFC 4511 section 4.14).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// A message of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The answer to a sign-in.
    SignedIn(Outcome),
    /// The answer to an extended request, or a notice that it ends the
    /// connection.
    Extended(Outcome),
    /// An entry.
    Entry(LdapEntry),
    /// An entry with more values than are taken.
    TooManyValues,
    /// A referral to another server.
    Reference,
    /// The end of a search, and where the next page begins.
    Done(Outcome, Vec<u8>),
    /// Something that we did not ask for.
    Other,
}

/// What a request came to (RFC 4511 section 4.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The result code; 0 is success.
    pub(super) code: i64,
    /// What the server says of it, fit to be shown.
    pub(super) said: String,
}

/// A sign-in with a name and a password (RFC 4511 section 4.2).
pub(super) fn sign_in(id: u32, name: &str, password: &str) -> Vec<u8> {
    message(id, |out| {
        out.made_of(0x60, |out| {
            out.number(INTEGER, 3);
            out.octets(OCTETS, name.as_bytes());
            out.octets(0x80, password.as_bytes());
        });
    })
}

/// The wish to go on encrypted.
pub(super) fn start_tls(id: u32) -> Vec<u8> {
    message(id, |out| out.made_of(0x77, |out| out.octets(0x80, START_TLS)))
}

/// A search, or its page that begins at `cookie`.
pub(super) fn search(id: u32, search: &LdapSearch<'_>, cookie: &[u8]) -> Vec<u8> {
    message(id, |out| {
        out.made_of(0x63, |out| {
            out.octets(OCTETS, search.base.as_bytes());
            out.number(ENUMERATED, if search.scope == Scope::Base { 0 } else { 2 });
            // Aliases are not followed, and the limits are ours.
            out.number(ENUMERATED, 0);
            out.number(INTEGER, 0);
            out.number(INTEGER, 0);
            out.boolean(false);
            out.0.extend_from_slice(search.filter.octets());
            out.made_of(SEQUENCE, |out| {
                for attribute in search.attributes {
                    out.octets(OCTETS, attribute.as_bytes());
                }
            });
        });
        if search.page_size > 0 {
            out.made_of(0xa0, |out| paged(out, search.page_size, cookie));
        }
    })
}

/// The control that asks for a page. It is critical: a server that leaves it
/// out would give as many entries as it likes and say no more.
fn paged(out: &mut Writer, size: u32, cookie: &[u8]) {
    out.made_of(SEQUENCE, |out| {
        out.octets(OCTETS, PAGED);
        out.boolean(true);
        let mut value = Writer::default();
        value.made_of(SEQUENCE, |out| {
            out.number(INTEGER, size);
            out.octets(OCTETS, cookie);
        });
        out.octets(OCTETS, &value.0);
    });
}

fn message(id: u32, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::default();
    out.made_of(SEQUENCE, |out| {
        out.number(INTEGER, id);
        write(out);
    });
    out.0
}

/// Reads the content of a message: which request it answers, and what it says.
pub(super) fn read(content: &[u8]) -> Result<(i64, Said), BerError> {
    let mut reader = Reader(content);
    let id = integer(reader.expect(INTEGER)?)?;
    let (tag, content) = reader.next()?.ok_or(BerError)?;
    let said = match tag {
        0x61 => Said::SignedIn(outcome(content)?),
        0x64 => entry(content)?.map_or(Said::TooManyValues, Said::Entry),
        0x65 => Said::Done(outcome(content)?, cookie(reader)?),
        0x73 => Said::Reference,
        0x78 => Said::Extended(outcome(content)?),
        _ => Said::Other,
    };
    Ok((id, said))
}

fn outcome(content: &[u8]) -> Result<Outcome, BerError> {
    let mut reader = Reader(content);
    let code = integer(reader.expect(ENUMERATED)?)?;
    let _matched = reader.expect(OCTETS)?;
    let said = reader.expect(OCTETS)?;
    Ok(Outcome { code, said: shown(said) })
}

/// What a server says, as far as it can be shown: one line of ASCII.
fn shown(said: &[u8]) -> String {
    let octets = said.iter().take_while(|octet| **octet != 0).take(SAID_OCTETS_MAX);
    let char = |octet: &u8| match octet {
        b' '..=b'~' => char::from(*octet),
        _ => ' ',
    };
    octets.map(char).collect::<String>().trim().to_owned()
}

/// Nothing if it has too many values.
fn entry(content: &[u8]) -> Result<Option<LdapEntry>, BerError> {
    let mut reader = Reader(content);
    let name = reader.expect(OCTETS)?;
    // A name that is too long to be kept is none that anything can name.
    let name = name.get(..name.len().min(VALUE_OCTETS_MAX)).unwrap_or_default();
    let mut entry =
        LdapEntry { name: String::from_utf8_lossy(name).into_owned(), ..LdapEntry::default() };
    let mut attributes = Reader(reader.expect(SEQUENCE)?);
    let mut room = VALUES_MAX;
    while let Some((tag, content)) = attributes.next()? {
        if tag != SEQUENCE {
            return Err(BerError);
        }
        let mut reader = Reader(content);
        let attribute = String::from_utf8_lossy(reader.expect(OCTETS)?).into_owned();
        let mut set = Reader(reader.expect(0x31)?);
        let mut values = Vec::new();
        while let Some((_, value)) = set.next()? {
            if values.len() == room {
                return Ok(None);
            }
            let kept = if value.len() <= VALUE_OCTETS_MAX { value } else { &[] };
            values.push(kept.to_vec());
        }
        // An attribute without a value needs room as well.
        room = room.saturating_sub(values.len().max(1));
        entry.attributes.push((attribute, values));
        if room == 0 && !attributes.0.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some(entry))
}

/// Where the next page begins, out of the controls; empty at the end.
fn cookie(mut reader: Reader<'_>) -> Result<Vec<u8>, BerError> {
    let Some((0xa0, controls)) = reader.next()? else { return Ok(Vec::new()) };
    let mut controls = Reader(controls);
    while let Some((_, control)) = controls.next()? {
        let mut control = Reader(control);
        if control.expect(OCTETS)? != PAGED {
            continue;
        }
        // Whether it is critical may be left out.
        while let Some((tag, value)) = control.next()? {
            if tag == OCTETS {
                let mut value = Reader(Reader(value).expect(SEQUENCE)?);
                let _estimate = value.expect(INTEGER)?;
                return Ok(value.expect(OCTETS)?.to_vec());
            }
        }
    }
    Ok(Vec::new())
}

/// A result code in words, with what may help (RFC 4511 appendix A).
pub(super) fn words(outcome: &Outcome) -> String {
    let known = match outcome.code {
        1 => "it fails, which Active Directory says where nobody is signed in",
        2 => "it does not understand us",
        3 => "its time limit was reached",
        4 => {
            "it gives this account no more entries: raise its size limit, or set a smaller page_size"
        }
        7 | 48 => "it takes no sign-in with a password",
        8 => "it wants the connection encrypted or signed: use ldaps:// or start_tls",
        10 => "it names another server instead, and referrals are not followed",
        11 => "a limit of its administrator was reached: a smaller page_size may help",
        12 => "it cannot give results in pages: set page_size = 0",
        13 => "it wants the connection encrypted: use ldaps:// or start_tls",
        32 => "there is no such base",
        34 => "the name is not written as a distinguished name",
        49 => "the name or password is wrong",
        50 => "the account may not read this",
        51 => "it is busy",
        52 => "it is not available",
        53 => "it is not willing",
        80 => "it fails",
        _ => "it refuses",
    };
    match outcome.said.as_str() {
        "" => format!("{known} (result {})", outcome.code),
        said => format!("{known} (result {}: {said})", outcome.code),
    }
}

/// For those who play a server in tests.
#[cfg(test)]
pub(super) mod played {
    use super::*;

    pub(in super::super) fn answer(id: u32, tag: u8, code: u32, said: &str) -> Vec<u8> {
        message(id, |out| out.made_of(tag, |out| result(out, code, said)))
    }

    fn result(out: &mut Writer, code: u32, said: &str) {
        out.number(ENUMERATED, code);
        out.octets(OCTETS, b"");
        out.octets(OCTETS, said.as_bytes());
    }

    pub(in super::super) fn entry(
        id: u32,
        name: &str,
        attribute: &str,
        values: &[&[u8]],
    ) -> Vec<u8> {
        message(id, |out| {
            out.made_of(0x64, |out| {
                out.octets(OCTETS, name.as_bytes());
                out.made_of(SEQUENCE, |out| {
                    out.made_of(SEQUENCE, |out| {
                        out.octets(OCTETS, attribute.as_bytes());
                        out.made_of(0x31, |out| values.iter().for_each(|v| out.octets(OCTETS, v)));
                    });
                });
            });
        })
    }

    pub(in super::super) fn done(id: u32, code: u32, cookie: &[u8]) -> Vec<u8> {
        message(id, |out| {
            out.made_of(0x65, |out| result(out, code, ""));
            out.made_of(0xa0, |out| paged(out, 0, cookie));
        })
    }

    pub(in super::super) fn reference(id: u32) -> Vec<u8> {
        message(id, |out| out.made_of(0x73, |out| out.octets(OCTETS, b"ldap://elsewhere.example/")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(message: &[u8]) -> &[u8] {
        Reader(message).expect(SEQUENCE).unwrap()
    }

    #[test]
    fn a_sign_in_is_written_as_the_protocol_has_it() {
        let expected = b"\x30\x0f\x02\x01\x01\x60\x0a\x02\x01\x03\x04\x01n\x80\x02pw";
        assert_eq!(sign_in(1, "n", "pw"), expected);
    }

    #[test]
    fn answers_are_read_whatever_is_in_them() {
        let long = vec![b'x'; VALUE_OCTETS_MAX + 1];
        let message = played::entry(7, "cn=a", "mail", &[b"a@b", b"\xff\xfe", &long]);
        let (id, said) = read(content(&message)).unwrap();
        let values = vec![b"a@b".to_vec(), b"\xff\xfe".to_vec(), Vec::new()];
        let expected = LdapEntry { name: "cn=a".into(), attributes: vec![("mail".into(), values)] };
        assert_eq!((id, said), (7, Said::Entry(expected)));
        for (count, is_taken) in [(VALUES_MAX, true), (VALUES_MAX + 1, false)] {
            let message = played::entry(7, "cn=a", "member", &vec![&b""[..]; count]);
            let (_, said) = read(content(&message)).unwrap();
            assert_eq!(said == Said::TooManyValues, !is_taken, "{count}");
        }
        let message = played::done(8, 0, b"next");
        let ok = Outcome { code: 0, said: String::new() };
        assert_eq!(read(content(&message)), Ok((8, Said::Done(ok, b"next".to_vec()))));
        let message = played::answer(9, 0x61, 49, "80090308: data 52e\0\n");
        let Ok((9, Said::SignedIn(outcome))) = read(content(&message)) else { panic!() };
        assert_eq!(
            words(&outcome),
            "the name or password is wrong (result 49: 80090308: data 52e)"
        );
    }

    #[test]
    fn any_octets_are_answered_with_a_value_or_an_error() {
        let whole = played::entry(7, "cn=a", "mail", &[b"a@b"]);
        let content = content(&whole);
        for cut in 0..content.len() {
            let _ = read(content.get(..cut).unwrap());
            for flip in [0x00, 0x1f, 0x80, 0xff] {
                let mut wrong = content.to_vec();
                wrong[cut] = flip;
                let _ = read(&wrong);
            }
        }
    }
}
