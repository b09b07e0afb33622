//! Who may come in over HTTP: the accounts, the certificate of the console,
//! and the link for the first owner.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use center::accounts::{AccountParts, Accounts, EmergencyAlarm, EmergencyUse, SessionTimes};
use receive::{Tls, TlsFiles};
use store::state::{AccountState, AuditState};
use world::{Chance, Clock};

use super::convert;
use super::inspect::whole;
use crate::settings::Settings;
use crate::telemetry::{Log, Message};

/// The accounts of this data folder.
pub(super) fn accounts(
    settings: &Settings,
    state: &Arc<dyn AccountState>,
    audit: &Arc<dyn AuditState>,
    clock: &Arc<dyn Clock>,
    chance: &Arc<dyn Chance>,
    log: &Arc<Log>,
) -> Arc<Accounts> {
    let parts = AccountParts {
        state: Arc::clone(state),
        audit: Arc::clone(audit),
        clock: Arc::clone(clock),
        chance: Arc::clone(chance),
        times: SessionTimes {
            idle: settings.http.session_idle_max,
            at_most: settings.http.session_max,
            by_provider: settings.sign_in.session_max.min(settings.http.session_max),
        },
    };
    let accounts = Accounts::new(parts).with_alarm(Arc::new(Alarm(Arc::clone(log))));
    Arc::new(match super::sign_in::rules(settings) {
        Some(rules) => accounts.with_provider(rules),
        None => accounts,
    })
}

/// Writes into the log that the account for emergencies is in use.
struct Alarm(Arc<Log>);

impl EmergencyAlarm for Alarm {
    fn used(&self, what: &EmergencyUse) {
        let from = what.from.map_or_else(|| "an unknown place".to_owned(), |at| at.to_string());
        self.0.say(&Message::EmergencySignIn { account: what.name.clone(), from });
    }
}

/// The certificate of the console, if the settings name one.
pub(super) fn files(settings: &Settings) -> Option<TlsFiles> {
    let tls = &settings.http_tls;
    let (certificate, key) = tls.certificate_file.clone().zip(tls.key_file.clone())?;
    Some(TlsFiles { certificate, key })
}

/// The same, read.
///
/// # Errors
/// A file cannot be used. A sentence for the operator.
pub(super) fn certificate(settings: &Settings) -> Result<Option<Arc<Tls>>, String> {
    let Some(files) = files(settings) else { return Ok(None) };
    let tls = Tls::load(&files).map_err(|error| whole(&error))?;
    Ok(Some(Arc::new(tls)))
}

/// Where people reach the console: as the settings say, else as it is bound.
pub(super) fn url(settings: &Settings, bound: Option<SocketAddr>) -> String {
    if let Some(url) = &settings.server.public_url {
        return url.0.clone();
    }
    let Some(bound) = bound else { return String::new() };
    let scheme = if files(settings).is_some() { "https" } else { "http" };
    match bound.ip().is_unspecified() {
        true => format!("{scheme}://{}:{}", convert::host_name(settings), bound.port()),
        false => format!("{scheme}://{bound}"),
    }
}

/// Tells how the first owner gets in, if nobody can yet: in the log, and
/// where that is a file on standard error as well.
///
/// # Errors
/// The store fails. A sentence for the operator.
pub(super) fn tell_first_link(
    settings: &Settings,
    accounts: &Accounts,
    bound: Option<SocketAddr>,
    log: &Log,
) -> Result<(), String> {
    if bound.is_none() {
        return Ok(());
    }
    let Some(link) = accounts.first_link().map_err(|error| whole(&error))? else {
        return Ok(());
    };
    let url = format!("{}/set-up/{}", url(settings, bound), link.reveal());
    let message = Message::SetUpLink { url };
    if settings.log.file.is_some() {
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr().lock(), "portcullis: {}", message.text());
    }
    log.say(&message);
    Ok(())
}
