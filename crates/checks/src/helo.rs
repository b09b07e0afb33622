//! What a client calls itself. Nothing follows from it by itself: honest
//! servers say strange things here.

use std::net::IpAddr;

use types::address::literal_ip;
use types::{Domain, HeloForm};

/// What the argument of EHLO is; `is_ours` tells our own names.
pub(crate) fn look(
    helo: &str,
    ip: IpAddr,
    host_name: Option<&str>,
    is_ours: impl Fn(&str) -> bool,
) -> HeloForm {
    let literal = helo.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = literal.map_or_else(|| helo.parse().ok(), |text| literal_ip(text).ok());
    if let Some(address) = address {
        return match address.to_canonical() == ip.to_canonical() {
            true => HeloForm::OwnAddress,
            false => HeloForm::OtherAddress,
        };
    }
    let Ok(domain) = helo.trim_end_matches('.').parse::<Domain>() else {
        return HeloForm::Unusable;
    };
    let name = domain.as_str();
    match name {
        _ if is_ours(name) => HeloForm::Ours,
        _ if host_name.is_some_and(|own| own.trim_end_matches('.').eq_ignore_ascii_case(name)) => {
            HeloForm::OwnName
        }
        _ if name.contains('.') => HeloForm::Name,
        _ => HeloForm::SingleLabel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_told_from_the_others() {
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        let ours = |name: &str| name == "mx.corp.example";
        for (helo, form) in [
            ("mail.sender.example", HeloForm::Name),
            ("Out.Sender.Example.", HeloForm::OwnName),
            ("[192.0.2.1]", HeloForm::OwnAddress),
            ("192.0.2.1", HeloForm::OwnAddress),
            ("[IPv6:::ffff:192.0.2.1]", HeloForm::OwnAddress),
            ("[192.0.2.9]", HeloForm::OtherAddress),
            ("[IPv6:2001:db8::1]", HeloForm::OtherAddress),
            ("localhost", HeloForm::SingleLabel),
            ("MX.corp.example", HeloForm::Ours),
            ("a b", HeloForm::Unusable),
            ("[x]", HeloForm::Unusable),
            ("", HeloForm::Unusable),
        ] {
            assert_eq!(look(helo, ip, Some("out.sender.example"), ours), form, "{helo}");
        }
    }
}
