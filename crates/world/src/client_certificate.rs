//! What a certificate is worth that a client shows: whether it leads to an
//! authority that is trusted, and which names it covers.
//!
//! It is a stranger's, and bounded: the search for a way to an authority tries
//! every order of certificates that name each other, and each step reads all
//! of them again, so that a few hundred in one handshake message would keep a
//! processor busy for many seconds before the library gives up. Of
//! [`CLIENT_INTERMEDIATES_MAX`] there are 64 orders. Whether a certificate was
//! revoked is not asked: nobody waits for the answer of somebody else's server
//! here.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, DnsName, ServerName};
use types::certificate::CERTIFICATE_NAMES_MAX;
use types::{CertificateFlaw, CertificateNames, HostCoverage, Timestamp};
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::authorities::{Authorities, unix_time};

/// Most certificates that may come with that of a client. Public authorities
/// need one or two, and some servers show the authority itself too.
const CLIENT_INTERMEDIATES_MAX: usize = 4;

/// Most octets of a client's certificate and those that come with it. Real
/// ones have less than half of it.
const CLIENT_CHAIN_OCTETS_MAX: usize = 16 * 1024;

/// The certificates that a client showed, its own first: no more than can be
/// looked at in a few milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientChain {
    own: CertificateDer<'static>,
    others: Vec<CertificateDer<'static>>,
}

impl ClientChain {
    /// These certificates, unread.
    ///
    /// # Errors
    /// There is none, or there are too many, or too large ones.
    pub fn new(shown: &[CertificateDer<'_>]) -> Result<Self, CertificateFlaw> {
        let (own, others) = shown.split_first().ok_or(CertificateFlaw::Malformed)?;
        let octets: usize = shown.iter().map(|certificate| certificate.len()).sum();
        if others.len() > CLIENT_INTERMEDIATES_MAX || octets > CLIENT_CHAIN_OCTETS_MAX {
            return Err(CertificateFlaw::TooLarge);
        }
        let others = others.iter().map(|other| other.clone().into_owned()).collect();
        Ok(ClientChain { own: own.clone().into_owned(), others })
    }
}

/// A certificate that leads to an authority that is trusted, and counted when
/// it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCertificate(CertificateDer<'static>);

impl Authorities {
    /// Whether this chain of a client leads to one of them and counts at
    /// `now`. That the client has the key is for the handshake to find out.
    /// It can take some milliseconds: a hundred signatures at most.
    ///
    /// A certificate for clients and one for servers count alike (RFC 5280
    /// section 4.2.1.12): a mail server shows the one it has, and the public
    /// authorities make none for clients any more. Both say the same of the
    /// name they are for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify_client(
        &self,
        chain: &ClientChain,
        now: Timestamp,
    ) -> Result<VerifiedCertificate, CertificateFlaw> {
        let ClientChain { own, others } = chain;
        let certificate = EndEntityCert::try_from(own).map_err(|error| flaw(&error))?;
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
        let (roots, now) = (&self.roots().roots, unix_time(now));
        let verify = |usage: KeyUsage| {
            let path = certificate
                .verify_for_usage(algorithms, roots, others, now, usage, None, None)
                .map(drop);
            path.map_err(|error| flaw(&error))
        };
        let verified = match verify(KeyUsage::client_auth()) {
            Err(CertificateFlaw::WrongPurpose) => verify(KeyUsage::server_auth()),
            verified => verified,
        };
        verified.map(|()| VerifiedCertificate(own.clone()))
    }
}

impl VerifiedCertificate {
    /// Whether it covers a name, given as A-labels. Only alternative names
    /// count, and a wildcard stands for one label (RFC 9525 section 6.3).
    pub fn covers(&self, name: &str) -> bool {
        // It was read when it was verified.
        let Ok(certificate) = EndEntityCert::try_from(&self.0) else { return false };
        DnsName::try_from(name).is_ok_and(|name| {
            let name = ServerName::DnsName(name);
            certificate.verify_is_valid_for_subject_name(&name).is_ok()
        })
    }

    /// Whom it names, whether that covers the domain that the client sends
    /// for, and what is known of its host.
    pub fn names(&self, sender: Option<&str>, host: HostCoverage) -> CertificateNames {
        let covers_sender = sender.is_some_and(|sender| self.covers(sender));
        let Ok(certificate) = EndEntityCert::try_from(&self.0) else {
            return CertificateNames { covers_sender, host, ..CertificateNames::default() };
        };
        let mut all = certificate.valid_dns_names();
        let names = all.by_ref().take(CERTIFICATE_NAMES_MAX).map(Arc::from).collect();
        let more = u32::try_from(all.count()).unwrap_or(u32::MAX);
        CertificateNames { names, more, covers_sender, host }
    }
}

/// The flaw behind an error of the library.
fn flaw(error: &Error) -> CertificateFlaw {
    match error {
        // The second is one that another made in the name of an authority.
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => {
            CertificateFlaw::UnknownAuthority
        }
        Error::CertExpired { .. } => CertificateFlaw::Expired,
        Error::CertNotValidYet { .. } => CertificateFlaw::NotYetValid,
        Error::RequiredEkuNotFoundContext(_) => CertificateFlaw::WrongPurpose,
        _ => CertificateFlaw::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa,
        KeyPair, date_time_ymd,
    };

    use super::*;

    /// The year 2026, in which everything in these tests happens.
    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    /// An authority, and the list that trusts it.
    fn authority() -> (CertifiedIssuer<'static, KeyPair>, Authorities) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, issuer.pem()).unwrap();
        (issuer, Authorities::only(&file).unwrap())
    }

    fn verify(
        trusted: &Authorities,
        shown: &[CertificateDer<'static>],
    ) -> Result<VerifiedCertificate, CertificateFlaw> {
        trusted.verify_client(&ClientChain::new(shown)?, NOW)
    }

    fn issued(
        issuer: &CertifiedIssuer<'static, KeyPair>,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().clone()
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_apart() {
        use ExtendedKeyUsagePurpose::{ClientAuth, CodeSigning, ServerAuth};
        let (issuer, trusted) = authority();
        let (stranger, _) = authority();
        let names = ["mx.bank.example"];
        let verify =
            |certificate: CertificateDer<'static>| verify(&trusted, &[certificate]).map(drop);
        let of_purpose = |purpose: ExtendedKeyUsagePurpose| {
            verify(issued(&issuer, &names, |params| params.extended_key_usages.push(purpose)))
        };
        assert_eq!(verify(issued(&issuer, &names, |_| ())), Ok(()));
        assert_eq!(of_purpose(ClientAuth), Ok(()));
        assert_eq!(of_purpose(ServerAuth), Ok(()));
        assert_eq!(of_purpose(CodeSigning), Err(CertificateFlaw::WrongPurpose));
        let unknown = verify(issued(&stranger, &names, |_| ()));
        assert_eq!(unknown, Err(CertificateFlaw::UnknownAuthority));
        let expired = issued(&issuer, &names, |p| p.not_after = date_time_ymd(2026, 1, 1));
        assert_eq!(verify(expired), Err(CertificateFlaw::Expired));
        let early = issued(&issuer, &names, |p| p.not_before = date_time_ymd(2027, 1, 1));
        assert_eq!(verify(early), Err(CertificateFlaw::NotYetValid));
        let noise = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
        assert_eq!(verify(noise), Err(CertificateFlaw::Malformed));
        assert_eq!(ClientChain::new(&[]), Err(CertificateFlaw::Malformed));
        let none = Authorities::none();
        let chain = ClientChain::new(&[issued(&issuer, &names, |_| ())]).unwrap();
        let refused = none.verify_client(&chain, NOW);
        assert_eq!(refused, Err(CertificateFlaw::UnknownAuthority));
    }

    #[test]
    fn names_cover_what_they_say_and_a_wildcard_one_label() {
        let (issuer, trusted) = authority();
        let certificate = issued(&issuer, &["bank.example", "*.mx.bank.example"], |params| {
            // A common name is no name of a server (RFC 9525 section 2).
            params.distinguished_name.push(rcgen::DnType::CommonName, "common.example");
        });
        let verified = verify(&trusted, &[certificate]).unwrap();
        for (name, expected) in [
            ("bank.example", true),
            ("BANK.example", true),
            ("mail.bank.example", false),
            ("a.mx.bank.example", true),
            ("mx.bank.example", false),
            ("a.b.mx.bank.example", false),
            ("common.example", false),
            ("evilbank.example", false),
            ("[192.0.2.1]", false),
            ("", false),
        ] {
            assert_eq!(verified.covers(name), expected, "{name}");
            let seen = verified.names(Some(name), HostCoverage::Unanswered);
            assert_eq!((seen.covers_sender, seen.host), (expected, HostCoverage::Unanswered));
        }
        let seen = verified.names(None, HostCoverage::Covered);
        assert_eq!((seen.covers_sender, seen.more), (false, 0));
        assert_eq!(seen.names, ["bank.example".into(), "*.mx.bank.example".into()]);
    }

    #[test]
    fn of_many_names_few_are_kept_and_all_count() {
        let (issuer, trusted) = authority();
        let names: Vec<String> = (0..100).map(|number| format!("n{number}.bank.example")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let verified = verify(&trusted, &[issued(&issuer, &names, |_| ())]).unwrap();
        let seen = verified.names(Some("n99.bank.example"), HostCoverage::default());
        assert_eq!((seen.names.len(), seen.more), (CERTIFICATE_NAMES_MAX, 92));
        assert!(seen.covers_sender && !verified.covers("n100.bank.example"));
    }

    /// An authority below another.
    fn below(
        issuer: &CertifiedIssuer<'static, KeyPair>,
        name: &str,
    ) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), issuer).unwrap()
    }

    #[test]
    fn as_many_certificates_as_are_allowed_lead_to_an_authority_and_more_are_not_looked_at() {
        let (root, trusted) = authority();
        let mut chain = vec![below(&root, "1")];
        for name in ["2", "3", "4"] {
            chain.push(below(chain.last().unwrap(), name));
        }
        let own = issued(chain.last().unwrap(), &["bank.example"], |_| ());
        let others = chain.iter().rev().map(|one| one.der().clone());
        let mut shown: Vec<_> = std::iter::once(own).chain(others).collect();
        assert_eq!(shown.len(), 1 + CLIENT_INTERMEDIATES_MAX);
        assert!(verify(&trusted, &shown).is_ok());
        shown.push(root.der().clone());
        assert_eq!(verify(&trusted, &shown), Err(CertificateFlaw::TooLarge));
    }

    #[test]
    fn octets_are_bounded_together() {
        let shown = |octets: usize| {
            let half = CertificateDer::from(vec![0x30; CLIENT_CHAIN_OCTETS_MAX / 2]);
            let rest = CertificateDer::from(vec![0x30; octets - CLIENT_CHAIN_OCTETS_MAX / 2]);
            ClientChain::new(&[half, rest]).map(drop)
        };
        assert_eq!(shown(CLIENT_CHAIN_OCTETS_MAX), Ok(()));
        assert_eq!(shown(CLIENT_CHAIN_OCTETS_MAX + 1), Err(CertificateFlaw::TooLarge));
    }
}
