//! A sign-in service that sends what it should not, or somebody in its place:
//! nobody comes in, the audit log has the reason, and the stranger is told
//! nothing but that it was refused.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::{Provider, ProviderSettings};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use center::accounts::{GroupRole, Newcomers, ProviderRules};
use openidconnect::core::{
    CoreGenderClaim, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreRsaPrivateSigningKey,
};
use openidconnect::{
    AdditionalClaims, Audience, IdToken, IdTokenClaims, IssuerUrl, JsonWebKeyId, Nonce,
    PrivateSigningKey, StandardClaims, SubjectIdentifier,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::state::audit::AuditQuery;
use store::state::{AuditState, SqliteAudit};
use types::Role;

use super::doors::{Gateway, empty_gateway, now, with_owner};
use super::signing_in::{Answer, Browser};

/// Keys made for this test and used nowhere else.
const KEY: &str = include_str!("keys/service.pem");
const STRANGERS_KEY: &str = include_str!("keys/stranger.pem");
const CLIENT: &str = "portcullis";

#[derive(Debug, Serialize, Deserialize)]
struct Groups {
    preferred_username: String,
    groups: Vec<String>,
}

impl AdditionalClaims for Groups {}

/// What the service writes into its next ID token.
#[derive(Clone)]
struct Written {
    issuer: String,
    audience: &'static str,
    nonce: String,
    key: &'static str,
    ends_in_s: i64,
    /// Whether anybody could have written it.
    unsigned: bool,
}

impl Written {
    fn token(&self) -> String {
        let signed = self.signed();
        let claims = signed.split('.').nth(1).unwrap();
        match self.unsigned {
            // {"alg":"none"}
            true => format!("eyJhbGciOiJub25lIn0.{claims}."),
            false => signed,
        }
    }

    fn signed(&self) -> String {
        let moment = |seconds: i64| {
            let at = now().as_millis() + seconds * 1_000;
            let at = Duration::from_millis(u64::try_from(at).unwrap());
            (std::time::SystemTime::UNIX_EPOCH + at).into()
        };
        let groups = Groups { preferred_username: "olga".into(), groups: vec!["owners".into()] };
        let claims = IdTokenClaims::<Groups, CoreGenderClaim>::new(
            IssuerUrl::new(self.issuer.clone()).unwrap(),
            vec![Audience::new(self.audience.to_owned())],
            moment(self.ends_in_s),
            moment(-60),
            StandardClaims::new(SubjectIdentifier::new("subject-of-olga".to_owned())),
            groups,
        )
        .set_nonce(Some(Nonce::new(self.nonce.clone())));
        let token = IdToken::<
            Groups,
            CoreGenderClaim,
            CoreJweContentEncryptionAlgorithm,
            CoreJwsSigningAlgorithm,
        >::new(
            claims,
            &key(self.key),
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            None,
            None,
        );
        token.unwrap().to_string()
    }
}

fn key(pem: &str) -> CoreRsaPrivateSigningKey {
    CoreRsaPrivateSigningKey::from_pem(pem, Some(JsonWebKeyId::new("k".to_owned()))).unwrap()
}

/// The service, as it answers now.
struct Service {
    issuer: String,
    token: Arc<Mutex<String>>,
}

impl Service {
    async fn start() -> Service {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let of_itself = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        let keys = CoreJsonWebKeySet::new(vec![key(KEY).as_verification_key()]);
        let keys = serde_json::to_value(keys).unwrap();
        let token = Arc::new(Mutex::new(String::new()));
        let give = async |State(token): State<Arc<Mutex<String>>>| {
            let token = token.lock().unwrap().clone();
            Json(json!({ "access_token": "a", "token_type": "Bearer", "id_token": token }))
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json::<Value>(of_itself)))
            .route("/keys", get(async move || Json::<Value>(keys)))
            .route("/token", post(give))
            .with_state(Arc::clone(&token));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Service { issuer, token }
    }

    /// A gateway that believes it.
    fn gateway(&self) -> Gateway {
        let rules = ProviderRules {
            name: "Corp".into(),
            issuer: self.issuer.clone(),
            groups: vec![GroupRole {
                group: "owners".into(),
                role: Role::Owner.into(),
                domains: Vec::new(),
                groups: Vec::new(),
            }],
            otherwise: None,
            newcomers: Newcomers::Welcome,
        };
        let provider = Provider::new(ProviderSettings {
            name: "Corp".into(),
            issuer: self.issuer.clone(),
            client_id: CLIENT.into(),
            client_secret: Some("a secret of a test".into()),
            scopes: vec!["profile".into()],
            name_claim: "preferred_username".into(),
            groups_claim: "groups".into(),
            ca_file: None,
            console_url: "http://localhost:8080".into(),
        });
        let mut gateway = super::doors::believing(empty_gateway(), rules);
        gateway.api = gateway.api.with_provider(provider.unwrap());
        with_owner(gateway)
    }

    /// Somebody goes there and comes back, with a token that was made like
    /// this.
    async fn there_and_back(
        &self,
        browser: &mut Browser<'_>,
        make: &dyn Fn(&mut Written),
    ) -> Answer {
        let sent = browser.get("/sign-in/provider").await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let asked = |name: &str| {
            let rest = sent.location().split(&format!("{name}=")).nth(1).unwrap();
            rest.split('&').next().unwrap().to_owned()
        };
        let mut written = Written {
            issuer: self.issuer.clone(),
            audience: CLIENT,
            nonce: asked("nonce"),
            key: KEY,
            ends_in_s: 300,
            unsigned: false,
        };
        make(&mut written);
        *self.token.lock().unwrap() = written.token();
        browser.get(&format!("/sign-in/provider/back?code=c&state={}", asked("state"))).await
    }
}

/// The newest entry of the audit log.
fn told(gateway: &Gateway) -> String {
    let audit = SqliteAudit::open(&gateway.folder.path().join("state.db")).unwrap();
    let note = audit.entries(&AuditQuery::default(), None, 1).unwrap().remove(0).note;
    format!("{} {}", note.action.slug(), note.subject)
}

type Change = fn(&mut Written);

#[tokio::test]
async fn an_id_token_that_is_not_what_it_should_be_lets_nobody_in() {
    let service = Service::start().await;
    let gateway = service.gateway();
    let broken: [(&str, Change); 6] = [
        ("nonce", |written| written.nonce = "of another sign-in".into()),
        ("Signature verification failed", |written| written.key = STRANGERS_KEY),
        ("sign", |written| written.unsigned = true),
        ("audience", |written| written.audience = "another client"),
        ("expired", |written| written.ends_in_s = -1),
        ("issuer", |written| written.issuer = "https://evil.example".into()),
    ];
    for (reason, make) in broken {
        let mut browser = Browser::new(&gateway);
        let answer = service.there_and_back(&mut browser, &make).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{reason}");
        let told = told(&gateway);
        assert!(told.starts_with("sign_in.failed with Corp: the answer of Corp proves"), "{told}");
        assert!(told.to_lowercase().contains(&reason.to_lowercase()), "{reason}: {told}");
        let said = "The answer of Corp proves nothing, so it was not looked at further; the audit \
                    log here says why.";
        assert!(answer.text.contains(said), "{}", answer.text);
        for hidden in
            ["nonce", "ignature", "udience", "xpired", "127.0.0.1", "evil", "subject-of-olga"]
        {
            assert!(!answer.text.contains(hidden), "{reason}: {hidden}: {}", answer.text);
        }
        let inside = browser.get("/me").await;
        assert_eq!(inside.status, StatusCode::SEE_OTHER, "{reason}: nobody is signed in");
    }
    let mut browser = Browser::new(&gateway);
    let answer = service.there_and_back(&mut browser, &|_| {}).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/"), "{}", answer.text);
    assert!(browser.get("/me").await.text.contains("olga"), "the same unbroken lets in");
    assert_eq!(told(&gateway), "sign_in.done with Corp");
}

#[tokio::test]
async fn a_service_that_is_away_is_told_without_where_it_is() {
    let service = Service::start().await;
    let gateway = service.gateway();
    let gone = ProviderSettings {
        name: "Corp".into(),
        issuer: "http://127.0.0.1:1".into(),
        client_id: CLIENT.into(),
        client_secret: None,
        scopes: Vec::new(),
        name_claim: "preferred_username".into(),
        groups_claim: "groups".into(),
        ca_file: None,
        console_url: "http://localhost:8080".into(),
    };
    let api = gateway.api.clone().with_provider(Provider::new(gone).unwrap());
    let gateway = Gateway { api, ..gateway };
    let answer = Browser::new(&gateway).get("/sign-in/provider").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text.contains("Corp cannot be asked at the moment."), "{}", answer.text);
    assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
    assert!(told(&gateway).contains("127.0.0.1"), "{}", told(&gateway));
}

#[tokio::test]
async fn who_is_refused_is_not_told_who_the_owners_are() {
    let service = Service::start().await;
    let gateway = service.gateway();
    let stray = Browser::new(&gateway).get("/sign-in/provider/back?code=c&state=s").await;
    assert_eq!(stray.status, StatusCode::BAD_REQUEST);
    for path in ["/sign-in", "/sign-in/provider/back", "/signed-out", "/policies", "/nothing"] {
        let answer = Browser::new(&gateway).get(path).await;
        assert!(!answer.text.contains(super::doors::OWNER), "{path}: {}", answer.text);
    }
}
