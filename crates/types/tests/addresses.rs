//! The address parser against the public isemail suite and against itself.
//!
//! The suite lies in `../shared/conformance`; where it is absent the test
//! says so and passes.

#[cfg(test)]
mod addresses {
    use std::path::Path;

    use proptest::prelude::*;
    use types::EmailAddress;

    /// Diagnoses of addresses that RFC 5321 allows in an envelope. The rest
    /// of the suite is header syntax (comments, folding, obsolete forms) or
    /// wrong.
    const ALLOWED: &[&str] = &[
        "ISEMAIL_VALID",
        "ISEMAIL_DNSWARN_NO_MX_RECORD",
        "ISEMAIL_DNSWARN_NO_RECORD",
        "ISEMAIL_RFC5321_TLD",
        "ISEMAIL_RFC5321_TLDNUMERIC",
        "ISEMAIL_RFC5321_QUOTEDSTRING",
        "ISEMAIL_RFC5321_ADDRESSLITERAL",
        "ISEMAIL_RFC5321_IPV6DEPRECATED",
    ];

    /// Allowed as well: RFC 5321 section 4.5.3.1 says how much must be taken at
    /// least, and the suite takes that for the most.
    const LONG: &str = "ISEMAIL_RFC5322_LOCAL_TOOLONG";

    /// The text of `<tag>` in one test of the suite.
    fn element<'a>(test: &'a str, tag: &str) -> &'a str {
        let inner = test.split_once(&format!("<{tag}>")).map_or("", |(_, rest)| rest);
        inner.split_once(&format!("</{tag}>")).map_or("", |(text, _)| text)
    }

    /// Undoes XML entities, and the suite's own way to write control
    /// characters (U+2400 and above).
    fn unescape(text: &str) -> String {
        let mut plain = text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
        while let Some((before, rest)) = plain.split_once("&#x") {
            let (digits, after) = rest.split_once(';').expect("an entity ends");
            let code = u32::from_str_radix(digits, 16).expect("hexadecimal");
            let code = if (0x2400..0x2421).contains(&code) { code - 0x2400 } else { code };
            plain = format!("{before}{}{after}", char::from_u32(code).expect("a character"));
        }
        plain.replace("&amp;", "&")
    }

    #[test]
    fn the_public_suite_is_judged_as_envelope_addresses() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let Ok(suite) = std::fs::read_to_string(root.join("shared/conformance/isemail-tests.xml"))
        else {
            println!("skipped: ../shared/conformance/isemail-tests.xml is not here");
            return;
        };
        let mut wrong = Vec::new();
        let mut judged = 0;
        for test in suite.split("<test id=").skip(1) {
            let (address, diagnosis) =
                (unescape(element(test, "address")), element(test, "diagnosis"));
            let allowed = ALLOWED.contains(&diagnosis) || diagnosis == LONG;
            judged += 1;
            if address.parse::<EmailAddress>().is_ok() != allowed {
                wrong.push(format!("{address:?} is {diagnosis}"));
            }
        }
        assert!(judged > 150, "only {judged} tests were read");
        assert_eq!(wrong, Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error(text in ".{0,300}") {
            if let Ok(address) = text.parse::<EmailAddress>() {
                prop_assert_eq!(address.as_str(), text.as_str());
            }
        }

        #[test]
        fn a_key_is_its_own_key(local in "[a-zA-Z0-9._+\"\\\\ @-]{1,20}", domain in "[a-zA-Z0-9.-]{1,20}") {
            if let Ok(address) = format!("{local}@{domain}").parse::<EmailAddress>() {
                let key: EmailAddress = address.key().parse().expect("a key is an address");
                prop_assert_eq!(key.key(), address.key());
                prop_assert_eq!(key, address);
            }
        }
    }
}
