//! What we found about who sent a message, as the field that the next hop
//! reads (RFC 8601), and those fields in a message that only pretend to be
//! ours.

use std::ops::Range;

use types::{
    ArcFacts, DkimFacts, DmarcFacts, DmarcRequest, DmarcResult, Flaw, SignatureFacts, SpfFacts,
    SpfIdentity,
};

use crate::header::{Field, HeaderBlock};
use crate::trace::{FoldedField, host};

/// The field's name.
const NAME: &str = "Authentication-Results";
/// Longest value written of something a stranger named, in octets.
const VALUE_OCTETS_MAX: usize = 253;

/// What goes into `Authentication-Results:`; a part that was not looked for
/// is left out.
#[derive(Clone, Copy, Debug)]
pub struct AuthenticationResultsField<'a> {
    /// Our own host name, the `authserv-id`.
    pub by: &'a str,
    /// SPF.
    pub spf: Option<&'a SpfFacts>,
    /// DKIM.
    pub dkim: Option<&'a DkimFacts>,
    /// DMARC.
    pub dmarc: Option<&'a DmarcFacts>,
    /// ARC.
    pub arc: Option<&'a ArcFacts>,
}

impl AuthenticationResultsField<'_> {
    /// The field, folded, with its final CRLF; one method a line.
    pub fn to_text(&self) -> String {
        let methods: Vec<Vec<String>> = [self.spf.map(spf)]
            .into_iter()
            .chain(self.dkim.into_iter().flat_map(dkim).map(Some))
            .chain([self.dmarc.map(dmarc), self.arc.map(arc)])
            .flatten()
            .collect();
        let by = host(self.by).unwrap_or_else(|altered| altered);
        let mut field = FoldedField::new(&format!("{NAME}:"));
        match methods.split_last() {
            None => field.clause(&[&format!("{by};"), "none"]),
            Some((last, others)) => {
                field.clause(&[&format!("{by};")]);
                others.iter().for_each(|words| field.line(&ended(words)));
                field.line(last);
            }
        }
        field.finish()
    }
}

/// The words with a semicolon behind the last.
fn ended(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    if let Some(last) = words.last_mut() {
        last.push(';');
    }
    words
}

fn result(method: &str, slug: &str, flaw: Option<Flaw>) -> Vec<String> {
    let said = flaw.map(|flaw| format!("({})", flaw.words()));
    std::iter::once(format!("{method}={slug}")).chain(said).collect()
}

/// A property, if there is anything to say; of what is no plain token only
/// what is left of it.
fn property(words: &mut Vec<String>, name: &str, value: &str) {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' };
    if !value.is_empty() {
        let value: String = value.chars().take(VALUE_OCTETS_MAX).map(plain).collect();
        words.push(format!("{name}={value}"));
    }
}

fn spf(facts: &SpfFacts) -> Vec<String> {
    let mut words = result("spf", facts.result.slug(), facts.flaw);
    let name = match facts.identity {
        SpfIdentity::MailFrom => "smtp.mailfrom",
        SpfIdentity::Helo => "smtp.helo",
    };
    property(&mut words, name, &facts.domain);
    words
}

/// One method per signature, or `none`.
fn dkim(facts: &DkimFacts) -> Vec<Vec<String>> {
    if facts.signatures.is_empty() {
        return vec![result("dkim", facts.result.slug(), facts.flaw)];
    }
    facts.signatures.iter().map(signature).collect()
}

fn signature(one: &SignatureFacts) -> Vec<String> {
    let mut words = result("dkim", one.result.slug(), one.flaw);
    property(&mut words, "header.d", &one.domain);
    property(&mut words, "header.s", &one.selector);
    property(&mut words, "header.a", &one.algorithm);
    words
}

fn dmarc(facts: &DmarcFacts) -> Vec<String> {
    let mut words = result("dmarc", facts.result.slug(), facts.flaw);
    if facts.result == DmarcResult::Fail && facts.request != DmarcRequest::None {
        words.push(format!("(p={})", facts.request.slug()));
    }
    property(&mut words, "header.from", &facts.domain);
    words
}

fn arc(facts: &ArcFacts) -> Vec<String> {
    result("arc", facts.result.slug(), facts.flaw)
}

/// Where in `message` fields stand that claim to be written by `by`, each
/// with its line end: whoever reads them would take a stranger's word for
/// ours (RFC 8601 section 5). Only the header that [`HeaderBlock`] finds is
/// searched.
pub fn claimed_results(message: &[u8], by: &str) -> Vec<Range<usize>> {
    let header = HeaderBlock::of(message);
    header
        .fields_without_limit()
        .filter(|field| field.is(NAME))
        .filter(|field| authserv_id(field.value).is_some_and(|id| id.eq_ignore_ascii_case(by)))
        .filter_map(|field| place(message, &field))
        .collect()
}

/// Where a field stands in the message it was found in.
fn place(message: &[u8], field: &Field<'_>) -> Option<Range<usize>> {
    let offset = |part: &[u8]| {
        (part.as_ptr() as usize)
            .checked_sub(message.as_ptr() as usize)
            .filter(|at| *at <= message.len())
    };
    let from = offset(field.name)?;
    let mut to = offset(field.value)? + field.value.len();
    for end in [b'\r', b'\n'] {
        if message.get(to) == Some(&end) {
            to += 1;
        }
    }
    Some(from..to)
}

/// The first word of the value, behind comments, in quotes or not, without
/// a version behind it.
fn authserv_id(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let rest = without_comments(text.trim_start());
    let rest = rest.trim_start();
    let id: String = match rest.strip_prefix('"') {
        Some(quoted) => quoted.chars().take_while(|c| *c != '"').filter(|c| *c != '\\').collect(),
        None => rest.chars().take_while(|c| !c.is_whitespace() && !";(".contains(*c)).collect(),
    };
    let id = id.trim().trim_end_matches('.');
    (!id.is_empty()).then(|| id.to_owned())
}

/// The text behind the comments at its beginning; comments nest (RFC 5322
/// section 3.2.2).
fn without_comments(text: &str) -> &str {
    let mut rest = text;
    while rest.starts_with('(') {
        let mut depth = 0_usize;
        let mut escaped = false;
        let end = rest.char_indices().find_map(|(at, c)| {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            (depth == 0).then_some(at + 1)
        });
        match end.and_then(|end| rest.get(end..)) {
            Some(behind) => rest = behind.trim_start(),
            None => return "",
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::FIELDS_MAX;
    use types::{DkimResult, SpfResult};

    fn spf_facts(domain: &str, result: SpfResult) -> SpfFacts {
        SpfFacts {
            identity: SpfIdentity::MailFrom,
            domain: domain.to_owned(),
            ip: "192.0.2.1".parse().unwrap(),
            result,
            flaw: None,
            questions: 1,
            explanation: None,
        }
    }

    #[test]
    fn each_method_has_a_line_and_its_properties() {
        let spf = spf_facts("sender.example", SpfResult::Pass);
        let one = SignatureFacts {
            domain: "sender.example".into(),
            selector: "s1".into(),
            algorithm: "ed25519-sha256".into(),
            result: DkimResult::Fail,
            flaw: Some(Flaw::BodyChanged),
        };
        let dkim =
            DkimFacts { result: DkimResult::Fail, signatures: vec![one], ..DkimFacts::default() };
        let dmarc = DmarcFacts {
            result: DmarcResult::Fail,
            domain: "sender.example".into(),
            request: DmarcRequest::Reject,
            ..DmarcFacts::default()
        };
        let field = AuthenticationResultsField {
            by: "mx.corp.example",
            spf: Some(&spf),
            dkim: Some(&dkim),
            dmarc: Some(&dmarc),
            arc: Some(&ArcFacts::default()),
        };
        assert_eq!(
            field.to_text(),
            "Authentication-Results: mx.corp.example;\r\n\
             \tspf=pass smtp.mailfrom=sender.example;\r\n\
             \tdkim=fail (the body was changed) header.d=sender.example header.s=s1\r\n\
             \theader.a=ed25519-sha256;\r\n\
             \tdmarc=fail (p=reject) header.from=sender.example;\r\n\
             \tarc=none\r\n"
        );
        let nothing =
            AuthenticationResultsField { spf: None, dkim: None, dmarc: None, arc: None, ..field };
        assert_eq!(nothing.to_text(), "Authentication-Results: mx.corp.example; none\r\n");
    }

    #[test]
    fn a_hostile_domain_writes_nothing_of_its_own() {
        let spf = spf_facts("x;\r\nBcc: all dkim=pass (", SpfResult::None);
        let field = AuthenticationResultsField {
            by: "mx.corp.example",
            spf: Some(&spf),
            dkim: None,
            dmarc: None,
            arc: None,
        };
        let text = field.to_text();
        assert_eq!(text.matches('=').count(), 2, "{text}");
        assert_eq!(text.matches(';').count(), 1, "{text}");
        assert!(text.ends_with("smtp.mailfrom=x___Bcc__all_dkim_pass__\r\n"), "{text}");
    }

    /// Compares what is left of a header without the fields that claim to be
    /// ours.
    fn check_left(header: &str, left: &str) {
        let message = format!("{header}\r\nbody\r\n");
        let mut kept = String::new();
        let mut at = 0;
        for range in claimed_results(message.as_bytes(), "mx.corp.example") {
            kept.push_str(&message[at..range.start]);
            at = range.end;
        }
        kept.push_str(&message[at..]);
        assert_eq!(kept, format!("{left}\r\nbody\r\n"), "{header}");
    }

    #[test]
    fn only_fields_with_our_name_are_found_in_every_form() {
        check_left(
            "A: 1\r\nAuthentication-Results: mx.corp.example; spf=pass\r\nB: 2\r\n",
            "A: 1\r\nB: 2\r\n",
        );
        check_left("authentication-results : MX.Corp.Example. 1;\r\n\tspf=pass\r\n", "");
        check_left(
            "Authentication-Results:\r\n (c (d) \\) ) \"mx.corp.example\"; none\r\nB: 2\r\n",
            "B: 2\r\n",
        );
        let other = "Authentication-Results: mx.other.example; spf=pass mx.corp.example\r\n";
        check_left(other, other);
        let unfinished = "Authentication-Results: (mx.corp.example; none\r\n";
        check_left(unfinished, unfinished);
        let longer = "Authentication-Results: mx.corp.example.evil.example; none\r\n";
        check_left(longer, longer);
        let many = "A: 1\r\n".repeat(FIELDS_MAX);
        check_left(&format!("{many}Authentication-Results: mx.corp.example; spf=pass\r\n"), &many);
    }
}
