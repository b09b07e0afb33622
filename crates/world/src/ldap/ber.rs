//! The part of the Basic Encoding Rules that LDAP uses (RFC 4511 section 5.1):
//! tags of one octet and definite lengths. What comes is hostile, so nothing
//! is taken without a look at how much there is.

/// The tags that several messages share.
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;

/// Most octets that say a length; more than four gigabytes is nothing we read.
const LENGTH_OCTETS_MAX: usize = 4;

/// What came is not written by these rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BerError;

/// One element: its tag and what is in it.
pub(super) type Element<'a> = (u8, &'a [u8]);

/// Reads one element after the other.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next element; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Element<'a>>, BerError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (tag, length, head) = head(self.0)?.ok_or(BerError)?;
        let content = self.0.get(head..).and_then(|rest| rest.get(..length)).ok_or(BerError)?;
        self.0 = self.0.get(head + length..).unwrap_or_default();
        Ok(Some((tag, content)))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], BerError> {
        match self.next()? {
            Some((found, content)) if found == tag => Ok(content),
            _ => Err(BerError),
        }
    }
}

/// Tag, length and size of the head that these octets begin with; nothing if
/// more of them are needed.
pub(super) fn head(octets: &[u8]) -> Result<Option<(u8, usize, usize)>, BerError> {
    let (Some(tag), Some(first)) = (octets.first(), octets.get(1)) else { return Ok(None) };
    // The low five bits all set begin a tag of several octets, which LDAP has none of.
    if tag & 0x1f == 0x1f {
        return Err(BerError);
    }
    if *first < 0x80 {
        return Ok(Some((*tag, usize::from(*first), 2)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > LENGTH_OCTETS_MAX {
        return Err(BerError);
    }
    let Some(said) = octets.get(2..2 + count) else { return Ok(None) };
    let length = said.iter().fold(0_usize, |length, octet| (length << 8) | usize::from(*octet));
    Ok(Some((*tag, length, 2 + count)))
}

/// The number of an INTEGER or ENUMERATED.
pub(super) fn integer(content: &[u8]) -> Result<i64, BerError> {
    let first = content.first().ok_or(BerError)?;
    if content.len() > 8 {
        return Err(BerError);
    }
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    Ok(content.iter().fold(sign, |number, octet| (number << 8) | i64::from(*octet)))
}

/// Elements as they are written one behind the other.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// Writes an element whose content is given.
    pub(super) fn octets(&mut self, tag: u8, content: &[u8]) {
        self.0.push(tag);
        let length = content.len();
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => self.0.push(short),
            _ => {
                let said = length.to_be_bytes();
                let zeros = said.iter().take_while(|octet| **octet == 0).count();
                let said = said.get(zeros..).unwrap_or_default();
                self.0.push(0x80 | u8::try_from(said.len()).unwrap_or(0));
                self.0.extend_from_slice(said);
            }
        }
        self.0.extend_from_slice(content);
    }

    /// Writes an element made of others.
    pub(super) fn made_of(&mut self, tag: u8, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.octets(tag, &inner.0);
    }

    /// Writes a number that is not negative.
    pub(super) fn number(&mut self, tag: u8, number: u32) {
        let said = number.to_be_bytes();
        let zeros = said.iter().take_while(|octet| **octet == 0).count().min(3);
        let said = said.get(zeros..).unwrap_or_default();
        // A set first bit would make it negative.
        let negative = said.first().is_some_and(|first| first & 0x80 != 0);
        let padded: Vec<u8> = negative.then_some(0).into_iter().chain(said.to_vec()).collect();
        self.octets(tag, &padded);
    }

    /// Writes a truth value.
    pub(super) fn boolean(&mut self, yes: bool) {
        self.octets(BOOLEAN, &[if yes { 0xff } else { 0 }]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_come_back_as_they_were_written() {
        for number in [0, 1, 127, 128, 255, 256, 65_535, 1 << 31, u32::MAX] {
            let mut out = Writer::default();
            out.number(INTEGER, number);
            let content = Reader(&out.0).expect(INTEGER).unwrap();
            assert_eq!(integer(content), Ok(i64::from(number)));
        }
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let mut out = Writer::default();
            out.octets(OCTETS, &vec![7; length]);
            let mut reader = Reader(&out.0);
            assert_eq!(reader.expect(OCTETS).unwrap().len(), length);
            assert_eq!(reader.next(), Ok(None));
        }
        assert_eq!(integer(&[0xff]), Ok(-1));
    }

    #[test]
    fn what_lies_about_its_length_is_refused() {
        for wrong in [
            &[0x30, 0x05, 1][..],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x3f, 0x01, 0x00],
            &[0x30],
        ] {
            assert!(Reader(wrong).next().is_err(), "{wrong:?}");
        }
        assert_eq!(head(&[0x30, 0x82, 1]), Ok(None), "more is needed");
        assert_eq!(integer(&[]), Err(BerError));
        assert_eq!(integer(&[1; 9]), Err(BerError));
    }
}
