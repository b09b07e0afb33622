//! What SPF, DKIM, DMARC and ARC found, in words. All names were written by
//! strangers.

use types::{
    ArcFacts, DkimFacts, DmarcFacts, DmarcRequest, DmarcResult, Flaw, Observed, OwnSignature,
    SignatureFacts, SigningFacts, SpfFacts, SpfIdentity,
};

/// What was seen, if it is a result of sender authentication.
pub(super) fn observed(observed: &Observed) -> Option<String> {
    match observed {
        Observed::Spf(facts) => Some(spf(facts)),
        Observed::Dkim(facts) => Some(dkim(facts)),
        Observed::Dmarc(facts) => Some(dmarc(facts)),
        Observed::Arc(facts) => Some(arc(facts)),
        _ => None,
    }
}

fn because(flaw: Option<Flaw>) -> String {
    flaw.map_or(String::new(), |flaw| format!(": {}", flaw.words()))
}

fn spf(facts: &SpfFacts) -> String {
    let identity = match facts.identity {
        SpfIdentity::MailFrom => "MAIL FROM",
        SpfIdentity::Helo => "EHLO",
    };
    let domain = if facts.domain.is_empty() { "nobody" } else { &facts.domain };
    let said = facts.explanation.as_ref();
    let said = said.map_or(String::new(), |said| format!("; the domain says: {said}"));
    let result = facts.result.slug();
    format!("{result} for {domain} ({identity}) from {}{}{said}", facts.ip, because(facts.flaw))
}

fn dkim(facts: &DkimFacts) -> String {
    let result = facts.result.slug();
    let signatures: Vec<String> = facts.signatures.iter().map(signature).collect();
    let ignored = match facts.ignored {
        0 => String::new(),
        more => format!("; {more} more not looked at"),
    };
    match signatures.is_empty() {
        true => format!("{result}{}{ignored}", because(facts.flaw)),
        false => format!("{result}; {}{ignored}", signatures.join("; ")),
    }
}

fn signature(one: &SignatureFacts) -> String {
    let flaw = because(one.flaw);
    match one.domain.is_empty() {
        true => format!("a signature {}{flaw}", one.result.slug()),
        false => format!("{} (key {}) {}{flaw}", one.domain, one.selector, one.result.slug()),
    }
}

/// What came of signing a message of our own people.
pub(super) fn signing(facts: &SigningFacts) -> String {
    let domain = &facts.domain;
    if let Some(why) = facts.unsigned {
        let of = if domain.is_empty() { String::new() } else { format!(" ({domain})") };
        return format!("not signed: {}{of}", why.words());
    }
    let one = |signature: &OwnSignature| {
        let OwnSignature { selector, algorithm, brought } = signature;
        let brought = if *brought { ", which it came with" } else { "" };
        format!("d={domain}, s={selector}, {algorithm}{brought}")
    };
    format!("signed by {}", facts.signatures.iter().map(one).collect::<Vec<_>>().join("; "))
}

fn dmarc(facts: &DmarcFacts) -> String {
    let result = facts.result.slug();
    if facts.domain.is_empty() {
        return format!("{result}: the From field names no domain");
    }
    let domain = &facts.domain;
    let aligned = match (facts.spf_aligned, facts.dkim_aligned) {
        (true, true) => "; SPF and DKIM are aligned",
        (true, false) => "; SPF is aligned",
        (false, true) => "; DKIM is aligned",
        (false, false) => "",
    };
    let request = match (facts.result, facts.request) {
        (DmarcResult::Fail, DmarcRequest::Reject) => "; the domain asks to refuse it",
        (DmarcResult::Fail, DmarcRequest::Quarantine) => "; the domain asks to set it aside",
        (DmarcResult::Fail, DmarcRequest::None) => "; the domain asks for nothing",
        _ => "",
    };
    format!("{result} for {domain}{}{aligned}{request}", because(facts.flaw))
}

fn arc(facts: &ArcFacts) -> String {
    match facts.sets {
        0 => facts.result.slug().to_owned(),
        sets => format!(
            "{}, {sets} {}, newest seal by {}{}",
            facts.result.slug(),
            if sets == 1 { "set" } else { "sets" },
            if facts.sealer.is_empty() { "nobody known" } else { &facts.sealer },
            because(facts.flaw)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{ArcResult, DkimResult, SpfResult};

    #[test]
    fn results_are_told_with_whom_they_are_about() {
        let spf = SpfFacts {
            identity: SpfIdentity::Helo,
            domain: "mx.sender.example".into(),
            ip: "192.0.2.1".parse().unwrap(),
            result: SpfResult::PermError,
            flaw: Some(Flaw::TooManyTerms),
            questions: 12,
            explanation: None,
        };
        let dkim = DkimFacts {
            result: DkimResult::Fail,
            signatures: vec![SignatureFacts {
                domain: "sender.example".into(),
                selector: "s1".into(),
                algorithm: "rsa-sha256".into(),
                result: DkimResult::Fail,
                flaw: Some(Flaw::BodyChanged),
            }],
            ignored: 3,
            flaw: None,
        };
        let dmarc = DmarcFacts {
            result: DmarcResult::Fail,
            domain: "sender.example".into(),
            request: DmarcRequest::Quarantine,
            ..DmarcFacts::default()
        };
        let arc =
            ArcFacts { result: ArcResult::Pass, sets: 1, sealer: "l.example".into(), flaw: None };
        for (seen, words) in [
            (
                Observed::Spf(spf),
                "permerror for mx.sender.example (EHLO) from 192.0.2.1: more than 10 terms that need a look-up",
            ),
            (
                Observed::Dkim(dkim),
                "fail; sender.example (key s1) fail: the body was changed; 3 more not looked at",
            ),
            (Observed::Dkim(DkimFacts::default()), "none"),
            (Observed::Dmarc(dmarc), "fail for sender.example; the domain asks to set it aside"),
            (Observed::Arc(arc), "pass, 1 set, newest seal by l.example"),
        ] {
            assert_eq!(observed(&seen).as_deref(), Some(words));
        }
    }
}
