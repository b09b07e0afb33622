//! Who we are towards the service, and what an ID token proves.

use std::time::{Duration, SystemTime};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthType, ClaimsVerificationError, Client, ClientId, ClientSecret,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken, IdTokenFields,
    Nonce, ProviderMetadataWithLogout, RedirectUrl, StandardErrorResponse, StandardTokenResponse,
    SubjectIdentifier,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::Timestamp;

use super::claims::Claims;

/// All claims that are not standard ones.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OtherClaims {
    #[serde(flatten)]
    all: Claims,
}

impl AdditionalClaims for OtherClaims {}

/// An ID token.
pub(super) type Token = IdToken<
    OtherClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Fields = IdTokenFields<
    OtherClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
/// What the token endpoint says instead of a token.
pub(super) type ErrorAnswer = StandardErrorResponse<CoreErrorResponseType>;
/// Who we are there, ready to ask.
pub(super) type Us = Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    ErrorAnswer,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Who we are for a service that says this of itself; people come back to
/// `back`.
pub(super) fn us(
    metadata: &ProviderMetadataWithLogout,
    client_id: &str,
    client_secret: Option<&str>,
    back: &RedirectUrl,
) -> Us {
    let id = ClientId::new(client_id.to_owned());
    let secret = client_secret.map(|secret| ClientSecret::new(secret.to_owned()));
    let us = Us::from_provider_metadata(metadata.clone(), id, secret);
    let methods = metadata.token_endpoint_auth_methods_supported();
    let takes = |method: CoreClientAuthMethod| methods.is_none_or(|all| all.contains(&method));
    // Without a list it takes the first (OpenID Connect Discovery section 3).
    let auth = match takes(CoreClientAuthMethod::ClientSecretBasic) {
        true => AuthType::BasicAuth,
        false => AuthType::RequestBody,
    };
    us.set_auth_type(auth).set_redirect_uri(back.clone())
}

/// Verifies an ID token and reads its claims (OpenID Connect Core section
/// 3.1.3.7).
pub(super) fn read(
    us: &Us,
    token: &Token,
    nonce: &str,
    now: Timestamp,
) -> Result<(SubjectIdentifier, Claims), ClaimsVerificationError> {
    let since = u64::try_from(now.as_millis()).unwrap_or(0);
    let present = move || (SystemTime::UNIX_EPOCH + Duration::from_millis(since)).into();
    let verifier = us.id_token_verifier().set_time_fn(present);
    let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned()))?;
    Ok((claims.subject().clone(), all_claims(claims)))
}

/// Claims by name, standard ones and others.
pub(super) fn all_claims(claims: &impl Serialize) -> Claims {
    match serde_json::to_value(claims) {
        Ok(Value::Object(claims)) => claims,
        _ => Claims::new(),
    }
}
