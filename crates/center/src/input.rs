//! What people type and cannot mean: looked at when an entry is made, never
//! when a stored one is used, because settings change and stored entries
//! must not vanish with them.

use types::lists::{ManagedSender, Pattern, SenderPattern};
use types::policy::BasePolicies;
use types::{EmailAddress, Timestamp};

/// Most domains named in a problem.
const DOMAINS_NAMED_MAX: usize = 5;

/// Why this managed sender cannot be meant, if it cannot.
pub(crate) fn sender_problem(
    entry: &ManagedSender,
    base: &BasePolicies,
    now: Timestamp,
) -> Option<String> {
    sender_pattern_problem(&entry.sender)
        .or_else(|| foreign_recipient(&entry.recipient, base))
        .or_else(|| over_already(entry.valid_until, now))
}

/// Why this member or sender cannot be meant, if it cannot: a word that is
/// no address would be taken for a domain that no mail ever comes from.
pub(crate) fn pattern_problem(pattern: &Pattern) -> Option<String> {
    match pattern {
        Pattern::Domain(domain) if !domain.below && !domain.domain.as_str().contains('.') => {
            Some(format!(
                "{domain} is neither an address (name@domain) nor a domain with a dot; everything \
                 below a top-level domain is *.{domain}"
            ))
        }
        Pattern::Domain(_) | Pattern::Address(_) => None,
    }
}

/// The same of whom a managed sender matches.
fn sender_pattern_problem(sender: &SenderPattern) -> Option<String> {
    match sender {
        SenderPattern::Named(pattern) => pattern_problem(pattern),
        SenderPattern::Signed(domain) => {
            let is_word = !domain.below && !domain.domain.as_str().contains('.');
            is_word.then(|| {
                format!(
                    "no signature is of {domain}, which is no domain with a dot; everything below a \
                     top-level domain is dkim:*.{domain}"
                )
            })
        }
    }
}

fn foreign_recipient(recipient: &EmailAddress, base: &BasePolicies) -> Option<String> {
    let domain = recipient.domain_key();
    if base.domains.iter().any(|(ours, _)| ours.as_str() == domain) {
        return None;
    }
    let named: Vec<&str> =
        base.domains.iter().take(DOMAINS_NAMED_MAX).map(|(ours, _)| ours.as_str()).collect();
    let ours = match (named.is_empty(), base.domains.len() > named.len()) {
        (true, _) => "there is none".to_owned(),
        (false, true) => {
            format!("{} and {} more", named.join(", "), base.domains.len() - named.len())
        }
        (false, false) => named.join(", "),
    };
    Some(format!("the recipient {recipient} is in none of the domains of the settings ({ours})"))
}

fn over_already(until: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let until = until.filter(|until| *until <= now)?;
    Some(format!("it would end at {until}, which is past (it is {now} now)"))
}

#[cfg(test)]
mod tests {
    use types::lists::SenderAction;
    use types::policy::{GreylistTimes, RecipientValidation};

    use super::*;

    fn check(sender: &str, recipient: &str, until_s: Option<i64>, expected: Option<&str>) {
        let at = |seconds: i64| Timestamp::from_millis(1_795_255_200_000 + seconds * 1_000);
        let base = BasePolicies {
            size_max_octets: 1_000,
            greylist: GreylistTimes::default(),
            reputation: Default::default(),
            permitted_lists: Vec::new(),
            lists: Vec::new(),
            limits_recipient_rate: false,
            domains: vec![("corp.example".parse().unwrap(), RecipientValidation::AcceptAll)],
        };
        let entry = ManagedSender {
            id: None,
            sender: sender.parse().unwrap(),
            recipient: recipient.parse().unwrap(),
            action: SenderAction::Block,
            authenticated_only: false,
            note: String::new(),
            created_by: String::new(),
            created: Timestamp::EPOCH,
            created_from: None,
            valid_until: until_s.map(at),
        };
        let problem = sender_problem(&entry, &base, at(0)).unwrap_or_default();
        match expected {
            Some(part) => assert!(problem.contains(part), "{sender} {recipient}: {problem}"),
            None => assert_eq!(problem, "", "{sender} {recipient}"),
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_the_rest_taken() {
        check("ann@sender.example", "bob@corp.example", None, None);
        check("sender.example", "Bob@CORP.example", Some(1), None);
        check("*.top", "bob@corp.example", None, None);
        check("dkim:sender.example", "bob@corp.example", None, None);
        check("dkim:*.top", "bob@corp.example", None, None);
        check("notanaddress", "bob@corp.example", None, Some("neither an address"));
        check("dkim:word", "bob@corp.example", None, Some("no domain with a dot"));
        check("a.example", "bob@elsewhere.example", None, Some("(corp.example)"));
        check("a.example", "bob@sub.corp.example", None, Some("none of the domains"));
        check("a.example", "bob@corp.example", Some(0), Some("which is past"));
    }
}
