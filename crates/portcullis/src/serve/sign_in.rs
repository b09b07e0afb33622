//! The sign-in service of the organisation, out of the settings.

use std::path::Path;

use api::{Provider, ProviderSettings};
use center::accounts::{GroupRole, Newcomers, ProviderRules};

use crate::settings::Settings;
use crate::settings::kinds::SignInNewcomers;

/// Longest secret read, in octets.
const SECRET_OCTETS_MAX: usize = 4_096;

/// The service, not yet asked; nothing if the settings name none.
///
/// # Errors
/// It cannot be used. A sentence for the operator, without the secret.
pub(super) fn provider(settings: &Settings) -> Result<Option<Provider>, String> {
    let sign_in = &settings.sign_in;
    let (Some(issuer), Some(client_id)) = (&sign_in.issuer, &sign_in.client_id) else {
        return Ok(None);
    };
    let client_secret = match (&sign_in.client_secret, &sign_in.client_secret_file) {
        (Some(secret), _) => Some(secret.0.clone()),
        (None, Some(path)) => Some(secret(path)?),
        (None, None) => None,
    };
    let public_url = settings.server.public_url.as_ref();
    let provider = Provider::new(ProviderSettings {
        name: sign_in.name.0.clone(),
        issuer: issuer.0.clone(),
        client_id: client_id.0.clone(),
        client_secret,
        scopes: sign_in.scope.iter().map(|scope| scope.0.clone()).collect(),
        name_claim: sign_in.name_claim.0.clone(),
        groups_claim: sign_in.group_claim.0.clone(),
        ca_file: sign_in.ca_file.clone(),
        console_url: public_url.map_or_else(String::new, |url| url.0.clone()),
    });
    provider.map(Some)
}

/// What is believed of it.
pub(super) fn rules(settings: &Settings) -> Option<ProviderRules> {
    let sign_in = &settings.sign_in;
    let groups = settings.sign_in_groups.iter().map(|group| GroupRole {
        group: group.group.0.clone(),
        role: group.role.clone(),
        domains: group.domain.clone(),
        groups: group.address_group.iter().map(|name| name.0.clone()).collect(),
    });
    Some(ProviderRules {
        name: sign_in.name.0.clone(),
        issuer: sign_in.issuer.as_ref()?.0.clone(),
        groups: groups.collect(),
        otherwise: sign_in.otherwise_role.clone(),
        newcomers: match sign_in.newcomers {
            SignInNewcomers::Welcome => Newcomers::Welcome,
            SignInNewcomers::Refused => Newcomers::Refused,
        },
    })
}

/// The first line of a file.
///
/// # Errors
/// It cannot be read, or there is none. A sentence for the operator.
pub(super) fn secret(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let secret = text.lines().next().unwrap_or_default().trim();
    match secret.is_empty() || secret.len() > SECRET_OCTETS_MAX {
        true => Err(format!("there is no secret in the first line of {}", path.display())),
        false => Ok(secret.to_owned()),
    }
}
