//! What client and sender say they are, in words. The names were written by
//! strangers.

use types::{HeloForm, ReverseFacts, SenderDomainFacts, TakesMail};

pub(super) fn reverse(facts: &ReverseFacts) -> String {
    match (&facts.confirmed, facts.claimed.is_empty()) {
        (Some(name), _) => format!("confirmed: {name}"),
        (None, true) => "its address has no name".to_owned(),
        (None, false) => {
            format!("claims {}, which does not lead back", facts.claimed.join(", "))
        }
    }
}

pub(super) const fn helo(form: HeloForm) -> &'static str {
    match form {
        HeloForm::Name => "a domain name",
        HeloForm::OwnName => "the confirmed name of the client",
        HeloForm::OwnAddress => "the client's own address",
        HeloForm::OtherAddress => "an address that is not the client's",
        HeloForm::SingleLabel => "a name without a dot, which is nobody's on the Internet",
        HeloForm::Ours => "a name of our own, which the client cannot have",
        HeloForm::Unusable => "no name and no address",
    }
}

pub(super) fn sender_domain(facts: &SenderDomainFacts) -> String {
    let domain = &facts.domain;
    match facts.takes_mail {
        TakesMail::Exchangers => format!("{domain} has mail exchangers"),
        TakesMail::OwnAddress => format!("{domain} takes mail at its own address"),
        TakesMail::NullMx => format!("{domain} says that it takes no mail (null MX)"),
        TakesMail::Nowhere => format!("{domain} has neither mail exchangers nor an address"),
        TakesMail::NoSuchDomain => format!("{domain} does not exist"),
    }
}
