//! The sign-in service of the organisation, asked by OpenID Connect: the
//! authorization code flow with PKCE, state and nonce (OpenID Connect Core
//! section 3.1, RFC 7636, RFC 9700).
//!
//! What it says of somebody is an [`Identity`]; what that is worth here is
//! not known in this folder but in [`center::accounts`].

mod claims;
mod flows;
mod known;
mod outside;
mod token;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use center::accounts::{Accounts, Identity, Secret};
use openidconnect::core::{CoreAuthPrompt, CoreGenderClaim, CoreResponseType};
use openidconnect::{
    AccessToken, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId,
    CsrfToken, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, SubjectIdentifier, TokenResponse,
    UserInfoClaims,
};
use types::Timestamp;

use crate::client::is_here;
use claims::Claims;
use flows::Flows;
pub(crate) use flows::{BACK_WITHIN, Flow, Purpose};
use known::{Known, LEFT_ALONE_FOR};
use outside::{Outside, OutsideError};
use token::{ErrorAnswer, OtherClaims, Token, Us, all_claims, read};

/// How long what the service says of itself is believed.
const KNOWN_FOR: Duration = Duration::from_secs(300);
/// Where people come back to, below the address of the console.
pub(crate) const BACK: &str = "/sign-in/provider/back";

/// What is to be known of a sign-in service to use it.
#[derive(Clone)]
pub struct ProviderSettings {
    /// What people call it.
    pub name: String,
    /// Its name for itself: an `https://` address, or `http://` on this
    /// machine.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// What proves it; nothing for a client that has no secret.
    pub client_secret: Option<String>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that holds the name of an account.
    pub name_claim: String,
    /// The claim that holds the groups.
    pub groups_claim: String,
    /// The authorities that its certificate may be of (PEM); else those of
    /// the system.
    pub ca_file: Option<PathBuf>,
    /// Where people reach this console.
    pub console_url: String,
}

impl fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret is one.
        write!(f, "ProviderSettings({} at {})", self.name, self.issuer)
    }
}

/// A sign-in service.
pub struct Provider {
    settings: ProviderSettings,
    issuer: IssuerUrl,
    back: RedirectUrl,
    outside: Outside,
    known: Known,
    flows: Flows,
}

/// Why somebody does not come in by the service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It does not answer.
    #[error("{0} cannot be asked at the moment: {1}")]
    Away(String, String),
    /// It says no.
    #[error("{0} did not let you in: {1}")]
    Refused(String, String),
    /// Its answer proves nothing.
    #[error("the answer of {0} proves nothing: {1}")]
    Wrong(String, String),
}

impl Fault {
    /// As much of it as a stranger is told: how our network and the service
    /// look from inside is for the audit log.
    pub(crate) fn told(&self) -> String {
        match self {
            Fault::Away(name, _) => format!("{name} cannot be asked at the moment"),
            Fault::Refused(..) => self.to_string(),
            Fault::Wrong(name, _) => format!(
                "the answer of {name} proves nothing, so it was not looked at further; the audit \
                 log here says why"
            ),
        }
    }
}

impl Provider {
    /// The service of these settings; it is not asked anything yet.
    ///
    /// # Errors
    ///
    /// An address that is none or not safe, or a file that cannot be read. A
    /// sentence for the operator, without the secret.
    pub fn new(settings: ProviderSettings) -> Result<Self, String> {
        check_issuer(&settings.issuer)?;
        let issuer = IssuerUrl::new(settings.issuer.clone());
        let issuer = issuer.map_err(|_| "the issuer is no address".to_owned())?;
        let back = format!("{}{BACK}", settings.console_url.trim_end_matches('/'));
        let back = RedirectUrl::new(back);
        let back = back.map_err(|_| "the address of the console is none".to_owned())?;
        let outside = match settings.issuer.starts_with("https://") {
            true => Outside::secure(settings.ca_file.as_deref())?,
            false => Outside::here(),
        };
        let (known, flows) = (Known::default(), Flows::default());
        Ok(Provider { settings, issuer, back, outside, known, flows })
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// Asks the service who it is.
    ///
    /// # Errors
    ///
    /// It does not answer, or is somebody else. A sentence for the operator.
    pub async fn ask(&self) -> Result<(), String> {
        let metadata = known::asked(&self.issuer, &self.outside).await?;
        match metadata.token_endpoint() {
            Some(_) => Ok(()),
            None => Err("it has no token endpoint".to_owned()),
        }
    }

    /// Sends somebody to the service: gives the address there, and the secret
    /// that their browser has to bring back.
    pub(crate) async fn begin(
        &self,
        purpose: Purpose,
        accounts: &Accounts,
    ) -> Result<(String, Secret), Fault> {
        let now = accounts.now();
        let us = self.us(&*self.metadata(KNOWN_FOR).await?);
        let secret = accounts.visitor_secret();
        let [state, nonce, verifier] =
            [(); 3].map(|()| accounts.visitor_secret().reveal().to_owned());
        let pkce = PkceCodeVerifier::new(verifier.clone());
        let pkce = PkceCodeChallenge::from_code_verifier_sha256(&pkce);
        let (sent_state, sent_nonce) = (state.clone(), nonce.clone());
        let scopes = self.settings.scopes.iter().cloned().map(Scope::new);
        let mut asking = us
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || CsrfToken::new(sent_state),
                move || Nonce::new(sent_nonce),
            )
            .add_scopes(scopes)
            .set_pkce_challenge(pkce);
        if matches!(purpose, Purpose::Link(_)) {
            // Whoever sits there says anew who they are: it is linked for good.
            asking = asking.add_prompt(CoreAuthPrompt::Login);
        }
        let (url, ..) = asking.url();
        let flow = Flow::new(purpose, (state, nonce, verifier), now);
        self.flows.begin(secret.reveal(), flow, now);
        Ok((url.to_string(), secret))
    }

    /// The sign-in that this browser was sent for with this state.
    pub(crate) fn took_back(&self, secret: &str, state: &str, now: Timestamp) -> Option<Flow> {
        self.flows.take(secret, state, now)
    }

    /// Whether an answer says that it is of another service (RFC 9207).
    pub(crate) fn is_of_another(&self, issuer: Option<&str>) -> bool {
        issuer.is_some_and(|issuer| issuer != self.issuer.as_str())
    }

    /// That the service said no, in its own short words (RFC 6749 section
    /// 4.1.2.1), as far as those are words.
    pub(crate) fn said_no(&self, error: &str) -> Fault {
        let word: String = error.chars().filter(char::is_ascii_graphic).take(60).collect();
        Fault::Refused(self.settings.name.clone(), format!("it says {word}"))
    }

    /// Exchanges the code that somebody brought back for who they are.
    pub(crate) async fn identity(
        &self,
        code: String,
        flow: &Flow,
        now: Timestamp,
    ) -> Result<Identity, Fault> {
        let metadata = self.metadata(KNOWN_FOR).await?;
        let us = self.us(&metadata);
        let asked = us
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| self.wrong(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()));
        let answer = asked.request_async(&self.outside).await;
        let answer = answer.map_err(|error| self.no_token(&error))?;
        let token = answer.id_token().ok_or_else(|| self.wrong("it has no ID token".to_owned()))?;
        let (subject, mut said) = self.proved(&us, token, flow, now).await?;
        let (name, groups) = (&self.settings.name_claim, &self.settings.groups_claim);
        let whole = [name, groups].iter().all(|claim| claims::find(&said, claim).is_some());
        if !whole && metadata.userinfo_endpoint().is_some() {
            let more = self.more(&us, answer.access_token().clone(), &subject).await?;
            more.into_iter().for_each(|(claim, value)| {
                said.entry(claim).or_insert(value);
            });
        }
        let (name, groups) = (claims::name(&said, name), claims::groups(&said, groups));
        Ok(Identity { subject: subject.to_string(), name, groups })
    }

    /// Where somebody also signs out of the service, if it has such a page
    /// (OpenID Connect RP-Initiated Logout).
    pub(crate) async fn way_out(&self) -> Result<Option<String>, Fault> {
        let metadata = self.metadata(KNOWN_FOR).await?;
        let Some(end) = metadata.additional_metadata().end_session_endpoint.clone() else {
            return Ok(None);
        };
        let mut leaving =
            LogoutRequest::from(end).set_client_id(ClientId::new(self.settings.client_id.clone()));
        let back = format!("{}/signed-out", self.settings.console_url.trim_end_matches('/'));
        if let Ok(back) = PostLogoutRedirectUrl::new(back) {
            leaving = leaving.set_post_logout_redirect_uri(back);
        }
        Ok(Some(leaving.http_get_url().to_string()))
    }

    fn wrong(&self, why: String) -> Fault {
        Fault::Wrong(self.settings.name.clone(), why)
    }

    fn away(&self, why: String) -> Fault {
        Fault::Away(self.settings.name.clone(), why)
    }

    async fn metadata(
        &self,
        known_for: Duration,
    ) -> Result<Arc<ProviderMetadataWithLogout>, Fault> {
        let known = self.known.metadata(&self.issuer, &self.outside, known_for).await;
        known.map_err(|why| self.away(why))
    }

    fn us(&self, metadata: &ProviderMetadataWithLogout) -> Us {
        let ProviderSettings { client_id, client_secret, .. } = &self.settings;
        token::us(metadata, client_id, client_secret.as_deref(), &self.back)
    }

    /// The claims of an ID token that is what it should be. If its key is not
    /// known, the service may have changed its keys: it is asked once more.
    async fn proved(
        &self,
        us: &Us,
        token: &Token,
        flow: &Flow,
        now: Timestamp,
    ) -> Result<(SubjectIdentifier, Claims), Fault> {
        let wrong = |error: ClaimsVerificationError| self.wrong(error.to_string());
        match read(us, token, &flow.nonce, now) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                let renewed = self.metadata(LEFT_ALONE_FOR).await?;
                read(&self.us(&renewed), token, &flow.nonce, now).map_err(wrong)
            }
            answer => answer.map_err(wrong),
        }
    }

    /// What the service says beside the ID token, of the same person.
    async fn more(
        &self,
        us: &Us,
        access: AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<Claims, Fault> {
        let asked = us.user_info(access, Some(subject.clone()));
        let asked = asked.map_err(|error| self.wrong(error.to_string()))?;
        let told: UserInfoClaims<OtherClaims, CoreGenderClaim> =
            asked.request_async(&self.outside).await.map_err(|error| match error {
                openidconnect::UserInfoError::Request(error) => self.away(error.to_string()),
                error => self.wrong(error.to_string()),
            })?;
        Ok(all_claims(&told))
    }

    fn no_token(&self, error: &RequestTokenError<OutsideError, ErrorAnswer>) -> Fault {
        match error {
            RequestTokenError::Request(error) => self.away(error.to_string()),
            // A mistake of ours in the settings, as a rule: a wrong secret.
            RequestTokenError::ServerResponse(answer) => {
                let word = answer.error().to_string();
                self.wrong(format!("it gives no token and says {}", shortened(&word)))
            }
            error => self.wrong(error.to_string()),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// Refuses an issuer that somebody in between could be.
fn check_issuer(issuer: &str) -> Result<(), String> {
    if issuer.starts_with("https://") {
        return Ok(());
    }
    let rest = issuer.strip_prefix("http://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    match host.is_some_and(is_here) && !authority.contains('@') {
        true => Ok(()),
        false => Err("an issuer is an https:// address; http:// is taken on this machine only, \
                      because whoever is in between could sign in as anybody"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(issuer: &str) -> ProviderSettings {
        ProviderSettings {
            name: "Corp".into(),
            issuer: issuer.into(),
            client_id: "portcullis".into(),
            client_secret: Some("hidden".into()),
            scopes: vec!["profile".into()],
            name_claim: "preferred_username".into(),
            groups_claim: "groups".into(),
            ca_file: None,
            console_url: "https://gate.corp.example/".into(),
        }
    }

    #[test]
    fn an_issuer_in_clear_text_is_on_this_machine() {
        for taken in [
            "https://id.corp.example/realm",
            "http://127.0.0.1:4000",
            "http://[::1]/x",
            "http://localhost:1",
        ] {
            assert!(Provider::new(settings(taken)).is_ok(), "{taken}");
        }
        for refused in [
            "http://id.corp.example",
            "http://127.0.0.1.evil.example",
            "id.example",
            "",
            "http://127.0.0.1@evil.example",
            "ftp://localhost",
        ] {
            let error = Provider::new(settings(refused)).err().unwrap();
            assert!(!error.contains("hidden"), "{error}");
        }
        assert!(!format!("{:?}", settings("https://x")).contains("hidden"));
    }

    #[tokio::test]
    async fn a_service_that_is_gone_is_told_at_once_and_again_without_asking() {
        let provider = Provider::new(settings("http://127.0.0.1:1")).unwrap();
        for _ in 0..2 {
            let fault = provider.metadata(KNOWN_FOR).await.unwrap_err();
            let text = fault.to_string();
            assert!(text.starts_with("Corp cannot be asked at the moment: 127.0.0.1"), "{text}");
            assert_eq!(fault.told(), "Corp cannot be asked at the moment");
        }
        assert!(provider.ask().await.is_err());
        assert!(provider.is_of_another(Some("https://evil.example")));
        assert!(
            !provider.is_of_another(Some("http://127.0.0.1:1")) && !provider.is_of_another(None)
        );
        let fault = provider.said_no("access_denied\r\n<b>").to_string();
        assert_eq!(fault, "Corp did not let you in: it says access_denied<b>");
    }
}
