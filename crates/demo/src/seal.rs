//! Which domains of the cast say what about their mail in the name system,
//! and the signatures of those that sign: DKIM as RFC 6376 and RFC 8463 have
//! it, written here anew so that the demo does not check the gateway with the
//! gateway's own library.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use crate::cast;
use crate::corp;
use crate::letter::base64;

/// The name of the one key that all share.
const SELECTOR: &str = "demo";
/// What the key is made of; anybody may know it, for the domains are made up.
const SEED: [u8; 32] = *b"the key of a demo is no secret..";
/// The fields that are signed.
const SIGNED: [&str; 5] = ["from", "to", "subject", "date", "message-id"];

/// Domains that sign their mail.
const SIGNERS: &[&str] = &[
    "supplier.example",
    "customer.example",
    "bank.example",
    "partner.example",
    "news.mailer.example",
    BROKEN,
];
/// A domain whose messages are changed after they were signed.
pub(crate) const BROKEN: &str = "newsroom.example";
/// A domain whose name servers never answer.
pub(crate) const SILENT: &str = "quiet-dns.example";

/// What a domain publishes about its mail, beyond the addresses of its own
/// servers.
const SPF_ENDS: &[(&str, &str)] = &[
    ("contractor.example", "~all"),
    ("payroll.example", "-all"),
    (corp::DIRECTORY_DOMAIN, "-all"),
];
/// What domains ask for when neither SPF nor DKIM passes for their authors.
const DMARC: &[(&str, &str)] = &[
    ("bank.example", "v=DMARC1; p=reject; adkim=s"),
    ("flash-sale.example", "v=DMARC1; p=quarantine"),
    ("supplier.example", "v=DMARC1; p=none"),
];

/// Whether a domain signs.
pub(crate) fn signs(domain: &str) -> bool {
    SIGNERS.contains(&domain)
}

/// The texts at a name; nothing if its name servers do not answer.
pub(crate) fn texts(name: &str) -> Option<Vec<String>> {
    let name = name.to_ascii_lowercase();
    if name == SILENT || name.ends_with(&format!(".{SILENT}")) {
        return None;
    }
    if let Some(domain) = name.strip_prefix(&format!("{SELECTOR}._domainkey.")) {
        return Some(signs(domain).then(key).flatten().into_iter().collect());
    }
    if let Some(domain) = name.strip_prefix("_dmarc.") {
        let found = DMARC.iter().find(|(known, _)| *known == domain);
        return Some(found.map(|(_, policy)| (*policy).to_owned()).into_iter().collect());
    }
    Some(spf(&name).into_iter().collect())
}

/// The addresses of the domain's own servers, and what of all others.
fn spf(domain: &str) -> Option<String> {
    let end = SPF_ENDS.iter().find(|(known, _)| *known == domain).map(|(_, end)| *end);
    // Who writes in our name has servers in the cast as well, but not by our
    // will; and one domain has forgotten to name its own.
    let elsewhere = [corp::DIRECTORY_DOMAIN, "contractor.example"].contains(&domain);
    let own = cast::net_of(domain).filter(|_| !elsewhere);
    let servers = own.map(|net| {
        let simulated = crate::origin::simulated(net, 0);
        format!(
            " ip4:{simulated}/24 ip4:127.8.{net}.0/24 ip4:127.9.{net}.0/24 ip6:2001:db8:0:{net:x}::/64"
        )
    });
    if servers.is_none() && end.is_none() {
        return None;
    }
    Some(format!("v=spf1{} {}", servers.unwrap_or_default(), end.unwrap_or("-all")))
}

/// The record of the key; nothing if there is no key to be had.
fn key() -> Option<String> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).ok()?;
    Some(format!("v=DKIM1; k=ed25519; p={}", base64(pair.public_key().as_ref())))
}

/// The signature field for a message with CR LF line ends, whose body ends
/// with one of them; nothing if it cannot be made.
pub(crate) fn signature(message: &str, domain: &str) -> Option<String> {
    let (header, body) = message.split_once("\r\n\r\n")?;
    let hash = base64(digest(&SHA256, body.as_bytes()).as_ref());
    let names = SIGNED.join(":");
    let field = format!(
        "v=1; a=ed25519-sha256; c=relaxed/simple; d={domain}; s={SELECTOR};\r\n\th={names};\r\n\tbh={hash};\r\n\tb="
    );
    let mut data = String::new();
    for name in SIGNED {
        let value = fields(header).rfind(|(known, _)| known == name).map(|(_, value)| value);
        // A field that is signed and not there may not be added (RFC 6376
        // section 5.4.2).
        if let Some(value) = value {
            data.push_str(&format!("{name}:{value}\r\n"));
        }
    }
    data.push_str(&format!("dkim-signature:{}", relaxed(&field)));
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).ok()?;
    let signed = pair.sign(digest(&SHA256, data.as_bytes()).as_ref());
    Some(format!("DKIM-Signature: {field}{}\r\n", base64(signed.as_ref())))
}

/// The fields of a header in relaxed form (RFC 6376 section 3.4.2).
fn fields(header: &str) -> impl DoubleEndedIterator<Item = (String, String)> {
    let mut whole: Vec<String> = Vec::new();
    for line in header.split("\r\n") {
        match whole.last_mut() {
            Some(field) if line.starts_with([' ', '\t']) => field.push_str(line),
            _ => whole.push(line.to_owned()),
        }
    }
    let field = |field: String| {
        let (name, value) = field.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), relaxed(value)))
    };
    whole.into_iter().filter_map(field)
}

fn relaxed(value: &str) -> String {
    value
        .split([' ', '\t', '\r', '\n'])
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_signs_has_a_key_and_who_sends_has_its_servers_named() {
        for domain in SIGNERS {
            let key = texts(&format!("demo._domainkey.{domain}")).unwrap();
            assert!(key[0].starts_with("v=DKIM1; k=ed25519; p="), "{domain}");
            assert!(texts(domain).unwrap()[0].contains("ip4:127.8."), "{domain}");
        }
        assert_eq!(texts("demo._domainkey.nobody.example"), Some(Vec::new()));
        assert_eq!(texts(SILENT), None);
        assert_eq!(texts("corp.example"), Some(vec!["v=spf1 -all".to_owned()]));
        assert_eq!(texts("payroll.example"), Some(vec!["v=spf1 -all".to_owned()]));
    }

    #[test]
    fn fields_are_signed_unfolded() {
        let header = "Subject: a\r\n  b \r\nFROM: x";
        let found: Vec<_> = fields(header).collect();
        assert_eq!(found, [("subject".into(), "a b".into()), ("from".into(), "x".into())]);
        let message = "From: a@x.example\r\n\r\nbody\r\n";
        let field = signature(message, "x.example").unwrap();
        assert!(field.starts_with("DKIM-Signature: v=1;") && field.ends_with("\r\n"));
        assert_eq!(signature(message, "x.example"), Some(field));
    }
}
