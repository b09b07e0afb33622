//! What an address, a domain or a part of one means: with and without a
//! `+tag`, in both spellings of an internationalized domain.

use store::search::{Filter, TextColumn, TextMatch};
use types::{Domain, EmailAddress};

use super::QueryError;
use super::compile::any;
use super::tree::Text;

/// How a value of an address field is compared: any of these.
pub(super) fn address(text: &Text, whole: bool) -> Vec<TextMatch> {
    let value = text.text.trim();
    let inner = value.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(value);
    if inner.is_empty() || whole {
        return vec![TextMatch::Equals(inner.to_owned())];
    }
    let below = inner.strip_prefix("*.").or_else(|| inner.strip_prefix("@*."));
    let exactly = inner.strip_prefix("*@").or_else(|| inner.strip_prefix('@'));
    let named = below.or(exactly).and_then(|domain| domain.parse::<Domain>().ok());
    if let Some(domain) = named {
        let domain = domain.as_str().to_owned();
        return vec![TextMatch::Domain { domain, below: below.is_some() }];
    }
    if inner.contains('*') && !text.quoted {
        return spellings(inner).into_iter().map(TextMatch::Wildcard).collect();
    }
    if let Some(local) = inner.strip_suffix('@').filter(|local| !local.is_empty()) {
        let tagged = TextMatch::Wildcard(format!("{local}+*@*"));
        return vec![TextMatch::StartsWith(inner.to_owned()), tagged];
    }
    match inner.parse::<EmailAddress>() {
        Ok(address) => one_mailbox(&address),
        Err(_) => spellings(inner).into_iter().map(TextMatch::Contains).collect(),
    }
}

/// Whether the null reverse-path is meant: `""` or `<>`. An event without a
/// MAIL has no sender at all, which is something else.
pub(super) fn is_null(text: &Text) -> bool {
    matches!(text.text.trim(), "" | "<>")
}

/// A text as it is and, where it is or could be a part of an
/// internationalized domain, in the other spelling.
fn spellings(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned()];
    let (local, domain) = match text.rsplit_once('@') {
        Some((local, domain)) => (Some(local), domain),
        None => (None, text),
    };
    let plain = domain.trim_matches(['*', '.']);
    let other = match plain.is_ascii() {
        true if plain.to_ascii_lowercase().contains("xn--") => {
            Some(idna::domain_to_unicode(plain).0)
        }
        true => None,
        false => idna::domain_to_ascii(plain).ok(),
    };
    if let Some(other) = other.filter(|other| !other.is_empty() && other != plain) {
        let domain = domain.replace(plain, &other);
        forms.push(local.map_or(domain.clone(), |local| format!("{local}@{domain}")));
    }
    forms
}

/// One mailbox in each of the forms it may have been written in.
fn one_mailbox(address: &EmailAddress) -> Vec<TextMatch> {
    let mut domains = vec![address.domain().to_owned()];
    for form in [address.domain_key().to_owned(), idna::domain_to_unicode(address.domain_key()).0] {
        if !domains.iter().any(|known| known.eq_ignore_ascii_case(&form)) {
            domains.push(form);
        }
    }
    let local = address.local();
    let mut forms = Vec::new();
    for domain in domains {
        forms.push(TextMatch::Equals(format!("{local}@{domain}")));
        if !local.contains(['+', '*']) {
            forms.push(TextMatch::Wildcard(format!("{local}+*@{domain}")));
        }
    }
    forms
}

/// A domain and, unless `*.` says only these, everything below it.
pub(super) fn domain(text: &Text, field: &str, column: TextColumn) -> Result<Filter, QueryError> {
    within(&text.text, column).ok_or_else(|| {
        let message =
            format!("`{}` is no domain; `{field}:` takes whole domains", text.text.trim());
        QueryError::new(text.at.clone(), message)
    })
}

/// Values of `column` within a domain; nothing if the text is no domain.
pub(super) fn within(text: &str, column: TextColumn) -> Option<Filter> {
    let name = text.trim();
    let plain = name.strip_prefix("*.").unwrap_or(name).trim_start_matches('@');
    let domain = plain.parse::<Domain>().ok()?.as_str().to_owned();
    let mut matches = vec![TextMatch::Domain { domain: domain.clone(), below: true }];
    if !name.starts_with("*.") {
        matches.push(TextMatch::Domain { domain, below: false });
    }
    Some(any(matches.into_iter().map(|how| Filter::Text(column, how)).collect()))
}
