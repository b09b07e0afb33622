//! Quoted-printable (RFC 2045 section 6.7), writing only: what we send may
//! pass servers that take seven bits and short lines.

/// Longest encoded line in octets, without the line end.
const LINE_OCTETS_MAX: usize = 76;

/// Encodes text whose lines end in CRLF. A CR or LF that is not part of such
/// a pair is encoded, so that it cannot become a line end on the way.
pub(crate) fn encode(content: &[u8]) -> String {
    let mut out = String::with_capacity(content.len() + content.len() / 8);
    let mut rest = content;
    while !rest.is_empty() {
        let end = memchr::memmem::find(rest, b"\r\n");
        let (line, after) = match end.and_then(|end| rest.split_at_checked(end)) {
            Some((line, after)) => (line, after.get(2..)),
            None => (rest, None),
        };
        encode_line(line, &mut out);
        if after.is_some() {
            out.push_str("\r\n");
        }
        rest = after.unwrap_or_default();
    }
    out
}

fn encode_line(line: &[u8], out: &mut String) {
    let mut octets_on_line = 0;
    for (place, &octet) in line.iter().enumerate() {
        let last = place + 1 == line.len();
        let literal = match octet {
            b' ' | b'\t' => !last,
            b'=' => false,
            octet => octet.is_ascii_graphic(),
        };
        let width = if literal { 1 } else { 3 };
        // One octet is left for the `=` of a soft line break.
        if octets_on_line + width > LINE_OCTETS_MAX - 1 {
            out.push_str("=\r\n");
            octets_on_line = 0;
        }
        if literal {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("={octet:02X}"));
        }
        octets_on_line += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::Encoding;
    use proptest::prelude::*;

    #[test]
    fn text_is_encoded_as_little_as_possible() {
        assert_eq!(encode("gr\u{fc}n = 1 \r\nb\r\n".as_bytes()), "gr=C3=BCn =3D 1=20\r\nb\r\n");
        assert_eq!(encode(b"a\nb\rc"), "a=0Ab=0Dc");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_short_plain_and_decodes_to_the_same(
            content in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let encoded = encode(&content);
            prop_assert!(encoded.lines().all(|line| line.len() <= LINE_OCTETS_MAX));
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(&*Encoding::QuotedPrintable.decode(encoded.as_bytes()), &*content);
        }
    }
}
