//! The fields a signature covers, in the form in which they are signed.

use types::Unsigned;

use crate::{Field, HeaderBlock};

/// How a field is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Covered {
    /// With one more than there are, so that nobody can add one (RFC 6376
    /// section 5.4.2): a second of these would show people something else.
    Always,
    /// The same where there is one. Where there is none, mail servers and
    /// mailing lists may add it rightly.
    WhereThere,
}

/// What is covered (RFC 6376 section 5.4.1), in this order.
const COVERED: &[(&str, Covered)] = &[
    ("From", Covered::Always),
    ("Reply-To", Covered::Always),
    ("To", Covered::Always),
    ("Cc", Covered::Always),
    ("Subject", Covered::Always),
    ("Date", Covered::WhereThere),
    ("Message-ID", Covered::WhereThere),
    ("In-Reply-To", Covered::WhereThere),
    ("References", Covered::WhereThere),
    ("MIME-Version", Covered::WhereThere),
    ("Content-Type", Covered::Always),
    ("Content-Transfer-Encoding", Covered::Always),
    ("List-Id", Covered::WhereThere),
    ("List-Help", Covered::WhereThere),
    ("List-Unsubscribe", Covered::WhereThere),
    ("List-Unsubscribe-Post", Covered::WhereThere),
    ("List-Subscribe", Covered::WhereThere),
    ("List-Post", Covered::WhereThere),
    ("List-Owner", Covered::WhereThere),
    ("List-Archive", Covered::WhereThere),
];

/// Most fields of one name that are covered: a message has one of each (RFC
/// 5322 section 3.6), and who verifies has limits too.
const SAME_NAME_MAX: usize = 8;

/// The fields that are signed, and their relaxed form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeader {
    names: Vec<&'static str>,
    relaxed: Vec<u8>,
}

impl SignedHeader {
    /// What is signed of a header.
    ///
    /// # Errors
    /// It cannot be signed, or it would be of no use: programs would not agree
    /// about its fields, or it is too large for those who verify.
    pub fn of(header: &HeaderBlock<'_>) -> Result<SignedHeader, Unsigned> {
        if header.is_cut() || header.is_too_large_for_signatures() {
            return Err(Unsigned::HeaderTooLarge);
        }
        if !header.is_all_fields() {
            return Err(Unsigned::MalformedHeader);
        }
        match header.count("From") {
            0 => return Err(Unsigned::NoAuthor),
            1 => {}
            _ => return Err(Unsigned::SeveralAuthors),
        }
        let mut signed = SignedHeader { names: Vec::new(), relaxed: Vec::new() };
        for &(name, covered) in COVERED {
            let found: Vec<_> = header.all(name).take(SAME_NAME_MAX + 1).collect();
            if found.len() > SAME_NAME_MAX {
                return Err(Unsigned::HeaderTooLarge);
            }
            // From the bottom up (RFC 6376 section 5.4.2).
            for field in found.iter().rev() {
                signed.names.push(name);
                HeaderForm::Relaxed.append(*field, &mut signed.relaxed);
            }
            if covered == Covered::Always || !found.is_empty() {
                signed.names.push(name);
            }
        }
        Ok(signed)
    }

    /// The names for `h=`, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.names.iter().copied()
    }

    /// The fields in relaxed form.
    pub(super) fn relaxed(&self) -> &[u8] {
        &self.relaxed
    }
}

/// A form in which the fields of a header are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderForm {
    /// The name in lower case, the value unfolded, each run of blanks one
    /// blank, none at its ends (RFC 6376 section 3.4.2).
    Relaxed,
    /// As it is (RFC 6376 section 3.4.1).
    Simple,
}

impl HeaderForm {
    /// Appends a field in this form, with its line end.
    pub fn append(self, field: Field<'_>, out: &mut Vec<u8>) {
        match self {
            HeaderForm::Relaxed => relax(field, out),
            HeaderForm::Simple => {
                out.extend_from_slice(field.name);
                out.push(b':');
                out.extend_from_slice(field.value);
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}

fn relax(field: Field<'_>, out: &mut Vec<u8>) {
    out.extend(field.name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let words = field.value.split(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n'));
    for (number, word) in words.filter(|word| !word.is_empty()).enumerate() {
        if number > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> Result<SignedHeader, Unsigned> {
        SignedHeader::of(&HeaderBlock::of(message.as_bytes()))
    }

    #[test]
    fn the_forms_of_the_standard() {
        // RFC 6376 section 3.4.5.
        let fields = [(&b"A"[..], &b" X"[..]), (b"B ", b" Y\t\r\n\tZ  ")];
        for (form, expected) in [
            (HeaderForm::Relaxed, &b"a:X\r\nb:Y Z\r\n"[..]),
            (HeaderForm::Simple, b"A: X\r\nB: Y\t\r\n\tZ  \r\n"),
        ] {
            let mut out = Vec::new();
            for (name, value) in fields {
                form.append(Field { name: name.trim_ascii_end(), value }, &mut out);
            }
            assert_eq!(out, expected, "{form:?}");
        }
    }

    #[test]
    fn fields_that_show_are_covered_once_more_than_they_are_there() {
        let signed = of("Subject: b\r\nFrom: a\r\nsubject: c\r\nList-Id: <l>\r\n\r\n").unwrap();
        let names: Vec<_> = signed.names().collect();
        assert_eq!(
            names.join(":"),
            "From:From:Reply-To:To:Cc:Subject:Subject:Subject:Content-Type:\
             Content-Transfer-Encoding:List-Id:List-Id"
        );
        assert_eq!(signed.relaxed(), b"from:a\r\nsubject:c\r\nsubject:b\r\nlist-id:<l>\r\n");
    }

    #[test]
    fn what_cannot_be_signed_says_why() {
        let many = format!("From: a\r\n{}\r\n", "X: y\r\n".repeat(1_000));
        let subjects = format!("From: a\r\n{}\r\n", "Subject: y\r\n".repeat(9));
        let long = format!("From: a\r\nX: {}\r\n\r\n", "x".repeat(10 * 1024 * 1024));
        for (message, why) in [
            ("Subject: x\r\n\r\n", Unsigned::NoAuthor),
            ("", Unsigned::NoAuthor),
            ("From: a\r\nfrom: b\r\n\r\n", Unsigned::SeveralAuthors),
            ("From: a\r\nnothing here\r\n\r\n", Unsigned::MalformedHeader),
            ("From a\r\nFrom: a\r\n\r\n", Unsigned::MalformedHeader),
            (&many, Unsigned::HeaderTooLarge),
            (&subjects, Unsigned::HeaderTooLarge),
            (&long, Unsigned::HeaderTooLarge),
        ] {
            assert_eq!(of(message).unwrap_err(), why, "{}", message.get(..40).unwrap_or(message));
        }
    }
}
