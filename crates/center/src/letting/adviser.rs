//! What can be meant by "this sender": the exact address, its domain, the
//! organisation behind it, the author. Which of these is wise depends on what
//! the sender is: a list writes a new address into every message, a mailing
//! service has one domain for all its customers, and at a free-mail provider
//! anybody is the neighbour of anybody.

use serde::{Deserialize, Serialize};
use types::address::parent_of;
use types::lists::{Pattern, SenderPattern};
use types::policy::{BasePolicies, DomainPattern};
use types::triplet::normalised;
use types::{CheckName, DkimResult, Domain, EmailAddress, Event, Observed, ReversePath};

use super::SenderVerdict;
use crate::presentable;

/// One thing that can be meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OfferedScope {
    /// The pattern, as an entry has it.
    pub sender: String,
    /// What it covers, in words.
    pub covers: String,
    /// What speaks against it.
    pub warning: Option<String>,
    /// Why it is refused; such a one cannot be saved.
    pub refused: Option<String>,
    /// Whether it is the one to take.
    pub advised: bool,
}

/// What the adviser says.
pub(super) struct Advice {
    pub(super) scopes: Vec<OfferedScope>,
    pub(super) notices: Vec<String>,
}

/// Which address of the message a scope is taken from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Envelope,
    Author,
}

/// Most signatures of a message whose domains are offered.
const SIGNATURES_OFFERED_MAX: usize = 3;

/// What speaks against the domain of a free-mail provider.
const EVERYBODY_THERE: &str = "this means everybody with an address there";

/// A scope while it is weighed.
struct Draft {
    pattern: SenderPattern,
    /// The greater is the better advice.
    weight: i8,
    covers: String,
    warning: Option<String>,
}

/// What can be meant by the sender of an attempt, the best first. The first
/// that is not refused is advised, but never who signed it: many may send by
/// one signature, and one that was asked for nothing else would mean them all.
pub(super) fn advise(event: &Event, verdict: SenderVerdict, base: &BasePolicies) -> Advice {
    let mut notices = Vec::new();
    let mut drafts: Vec<Draft> = Vec::new();
    let envelope = event.subject.reverse_path.as_deref();
    if let Some(path @ ReversePath::Address(address)) = envelope {
        drafts.extend(of_envelope(path, address, verdict, &mut notices));
    } else if envelope.is_some() {
        notices.push(
            "The reverse-path is <>, as that of bounces is: it names nobody. Only an author in the \
             From field can be named, or a policy by source address be made."
                .to_owned(),
        );
    }
    for author in authors(event) {
        let is_envelope = envelope.and_then(ReversePath::address) == Some(&author);
        if !is_envelope {
            drafts.extend(of_author(&author, verdict));
        }
    }
    drafts.extend(of_signatures(event, verdict));
    drafts.sort_by_key(|draft| std::cmp::Reverse(draft.weight));
    let mut scopes: Vec<OfferedScope> = Vec::new();
    for draft in drafts {
        let sender = draft.pattern.to_string();
        if scopes.iter().all(|scope| scope.sender != sender) {
            let refused = own_domain(&draft.pattern, verdict, base);
            // Who signed it is not who it is from: whoever means that says so.
            let is_named = matches!(draft.pattern, SenderPattern::Named(_));
            let advised = is_named && refused.is_none() && !scopes.iter().any(|one| one.advised);
            let (covers, warning) = (draft.covers, draft.warning);
            scopes.push(OfferedScope { sender, covers, warning, refused, advised });
        }
    }
    Advice { scopes, notices }
}

/// The scope to take for the sender of an attempt, or why there is none.
pub(crate) fn advised(
    event: &Event,
    verdict: SenderVerdict,
    base: &BasePolicies,
) -> Result<SenderPattern, String> {
    let Advice { scopes, .. } = advise(event, verdict, base);
    let best = scopes.iter().find(|scope| scope.advised);
    let pattern = best.and_then(|scope| scope.sender.parse().ok());
    let refused = || scopes.into_iter().find_map(|scope| scope.refused);
    pattern.ok_or_else(|| refused().unwrap_or_else(|| "its sender names nobody".to_owned()))
}

/// The authors in the From field, as far as they are addresses.
fn authors(event: &Event) -> Vec<EmailAddress> {
    let message = event.subject.message.as_deref();
    let mailboxes = message.into_iter().flat_map(|message| &message.header_from);
    mailboxes.filter_map(|mailbox| mailbox.address.parse().ok()).take(2).collect()
}

fn of_envelope(
    path: &ReversePath,
    address: &EmailAddress,
    verdict: SenderVerdict,
    notices: &mut Vec<String>,
) -> Vec<Draft> {
    let domain = address.domain_key();
    let changes = normalised(path) != path.key();
    let service = service_of(domain);
    let free = is_free_mail(domain);
    if changes {
        notices.push(format!(
            "{} looks like an address that is written anew for each message (VERP, SRS or BATV): \
             an entry for exactly this address would hardly ever match again.",
            presentable(address.as_str())
        ));
    }
    if let Some(service) = service {
        notices.push(format!(
            "{domain} is the bounce domain of a mailing service ({service}): all its customers \
             send from it."
        ));
    }
    if free {
        notices
            .push(format!("{domain} is a free-mail provider: anybody can have an address there."));
    }
    let mut drafts = vec![Draft {
        pattern: Pattern::Address(address.clone()).into(),
        weight: if changes { 0 } else { 10 },
        covers: "exactly this address".to_owned(),
        warning: changes
            .then(|| "it changes with each message, so this will hardly match again".to_owned()),
    }];
    drafts.extend(of_domain(domain, Origin::Envelope, verdict, service, free));
    drafts
}

fn of_author(author: &EmailAddress, verdict: SenderVerdict) -> Vec<Draft> {
    let domain = author.domain_key();
    let known_late = match verdict {
        SenderVerdict::Permit => {
            "the author is known only when the message is there: this cannot skip greylisting or \
             block lists, and anybody can write it"
        }
        SenderVerdict::Block => "the author is known only when the message is there",
    };
    let mut drafts = vec![Draft {
        pattern: Pattern::Address(author.clone()).into(),
        weight: 4,
        covers: "the author in the From field, exactly".to_owned(),
        warning: Some(known_late.to_owned()),
    }];
    let free = is_free_mail(domain);
    drafts.extend(of_domain(domain, Origin::Author, verdict, service_of(domain), free));
    drafts
}

/// A domain, and the organisation it belongs to.
fn of_domain(
    domain: &str,
    origin: Origin,
    verdict: SenderVerdict,
    service: Option<&'static str>,
    free: bool,
) -> Vec<Draft> {
    let warning = || match (service, free, origin) {
        (Some(service), ..) => Some(format!("this means every customer of {service}")),
        (None, true, _) => Some(EVERYBODY_THERE.to_owned()),
        (None, false, Origin::Author) if verdict == SenderVerdict::Permit => {
            Some("of the author: this cannot skip greylisting or block lists".to_owned())
        }
        (None, false, _) => None,
    };
    let shared = service.is_some() || free;
    let weight = match (shared, origin) {
        (true, _) => -5,
        (false, Origin::Envelope) => 5,
        (false, Origin::Author) => 3,
    };
    let mut drafts = Vec::new();
    let mut add = |name: &str, below: bool, covers: String, less: i8| {
        if let Ok(domain) = name.parse::<Domain>() {
            let pattern = Pattern::Domain(DomainPattern { domain, below }).into();
            let weight = weight - less;
            drafts.push(Draft { pattern, weight, covers, warning: warning() });
        }
    };
    add(domain, false, format!("every address at {domain}"), 0);
    if let Some(organisation) = organisation_of(domain).filter(|above| *above != domain) {
        add(organisation, false, format!("every address at {organisation}"), 2);
        add(organisation, true, format!("every address below {organisation}"), 1);
    }
    drafts
}

/// The domains whose signatures the message has and that pass: after what the
/// sender says of itself, because they are known last, and behind everything
/// where others sign with them too.
fn of_signatures(event: &Event, verdict: SenderVerdict) -> Vec<Draft> {
    let Some(Observed::Dkim(facts)) = event.record.evidence.latest(CheckName::Dkim) else {
        return Vec::new();
    };
    let passed = facts.signatures.iter().filter(|one| one.result == DkimResult::Pass);
    let domains = passed.filter_map(|one| one.domain.parse::<Domain>().ok());
    let draft = |domain: Domain| {
        let service = service_of(domain.as_str());
        let free = is_free_mail(domain.as_str());
        let warning = match (service, free, verdict) {
            (Some(service), ..) => format!("this means every customer of {service}"),
            (None, true, _) => EVERYBODY_THERE.to_owned(),
            (None, false, SenderVerdict::Permit) => {
                "a signature is known only when the message is there: \
                 this cannot skip greylisting or block lists"
                    .to_owned()
            }
            (None, false, SenderVerdict::Block) => {
                "a signature is known only when the message is there".to_owned()
            }
        };
        Draft {
            covers: format!("every message that {domain} has signed (DKIM)"),
            pattern: SenderPattern::Signed(DomainPattern { domain, below: false }),
            weight: if service.is_some() || free { -6 } else { 2 },
            warning: Some(warning),
        }
    };
    domains.map(draft).take(SIGNATURES_OFFERED_MAX).collect()
}

/// The domain of the organisation, by the public suffix list: what is below a
/// suffix under which anybody can register.
fn organisation_of(domain: &str) -> Option<&str> {
    psl::domain_str(domain)
}

/// Why a permit for this pattern is refused: it covers one of our own
/// domains, and whoever forges it, or sends again what it signed, would be let
/// past.
fn own_domain(
    pattern: &SenderPattern,
    verdict: SenderVerdict,
    base: &BasePolicies,
) -> Option<String> {
    if verdict == SenderVerdict::Block {
        return None;
    }
    let own = base.domains.iter().map(|(own, _)| own.as_str()).find(|own| covers(pattern, own))?;
    let danger = match pattern {
        SenderPattern::Named(_) => "forged mail in its name",
        SenderPattern::Signed(_) => "a message of yours that anybody sends again",
    };
    Some(format!(
        "{own} is one of your own domains: {danger} would skip greylisting, reputation and spam \
         scanning. A Permitted Senders policy restricted to source addresses or hosts can permit a \
         server that sends for you."
    ))
}

/// Whether a pattern covers something of a domain.
fn covers(pattern: &SenderPattern, own: &str) -> bool {
    match pattern {
        SenderPattern::Named(Pattern::Address(address)) => address.domain_key() == own,
        SenderPattern::Named(Pattern::Domain(domain)) | SenderPattern::Signed(domain) => {
            match domain.below {
                true => std::iter::successors(parent_of(own), |above| parent_of(above))
                    .any(|above| above == domain.domain.as_str()),
                false => domain.domain.as_str() == own,
            }
        }
    }
}

/// Bounce domains of mailing services, and what the service is called.
const SERVICES: &[(&str, &str)] = &[
    ("amazonses.com", "Amazon SES"),
    ("bnc3.mailjet.com", "Mailjet"),
    ("ccsend.com", "Constant Contact"),
    ("cmail19.com", "Campaign Monitor"),
    ("cmail20.com", "Campaign Monitor"),
    ("createsend.com", "Campaign Monitor"),
    ("exacttarget.com", "Salesforce Marketing Cloud"),
    ("hubspotemail.net", "HubSpot"),
    ("klaviyomail.com", "Klaviyo"),
    ("mailchimpapp.net", "Mailchimp"),
    ("mailgun.org", "Mailgun"),
    ("mandrillapp.com", "Mandrill"),
    ("mcdlv.net", "Mailchimp"),
    ("mcsv.net", "Mailchimp"),
    ("mtasv.net", "Postmark"),
    ("rsgsv.net", "Mailchimp"),
    ("salesforce.com", "Salesforce"),
    ("sender-sib.com", "Brevo"),
    ("sendgrid.net", "SendGrid"),
    ("sparkpostmail.com", "SparkPost"),
];

/// Providers at which anybody can have an address.
const FREE_MAIL: &[&str] = &[
    "126.com",
    "163.com",
    "aol.com",
    "fastmail.com",
    "free.fr",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.de",
    "hotmail.fr",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "t-online.de",
    "tuta.com",
    "tutanota.com",
    "web.de",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.de",
    "yahoo.fr",
    "yandex.com",
    "yandex.ru",
    "zoho.com",
];

fn service_of(domain: &str) -> Option<&'static str> {
    let mut above = std::iter::successors(Some(domain), |name| parent_of(name));
    above.find_map(|name| SERVICES.iter().find(|(known, _)| *known == name)).map(|(_, name)| *name)
}

fn is_free_mail(domain: &str) -> bool {
    FREE_MAIL.binary_search(&domain).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order() {
        assert!(FREE_MAIL.is_sorted());
        assert!(SERVICES.is_sorted());
    }

    #[test]
    fn organisations_end_below_the_public_suffix() {
        for (domain, organisation) in [
            ("mail.sender.co.uk", Some("sender.co.uk")),
            ("sender.co.uk", Some("sender.co.uk")),
            ("a.b.sender.com", Some("sender.com")),
            ("co.uk", None),
        ] {
            assert_eq!(organisation_of(domain), organisation, "{domain}");
        }
        assert_eq!(service_of("a1.us-west-2.amazonses.com"), Some("Amazon SES"));
        assert_eq!(service_of("sender.example"), None);
    }
}
