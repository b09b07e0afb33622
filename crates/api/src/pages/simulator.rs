//! Which policies would apply to a mail that never came.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use center::{CenterError, Simulated, SimulatedMail};
use serde::Deserialize;

use super::senders::is_fault;
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::routes::{Params, working};

/// The form, whose values are in the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SimulatorForm {
    ip: String,
    host: String,
    from: String,
    author: String,
    to: String,
}

#[derive(Template)]
#[template(path = "simulator.html")]
struct SimulatorPage {
    shell: Shell,
    form: SimulatorForm,
    found: Option<Simulated>,
    problem: Option<String>,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(form): Params<SimulatorForm>,
) -> Response {
    if form.to.trim().is_empty() {
        return shown(&SimulatorPage { shell, form, found: None, problem: None });
    }
    let (caller, wanted) = (signed.caller, form.clone());
    let done = working(&api, move |center| {
        let ip = match wanted.ip.trim() {
            "" => None,
            text => Some(
                text.parse()
                    .map_err(|_| CenterError::invalid(format!("{text:?} is no IP address")))?,
            ),
        };
        let mail = SimulatedMail {
            ip,
            host: wanted.host,
            from: wanted.from,
            header_from: wanted.author,
            to: wanted.to,
            at: None,
        };
        center.simulate(&caller, &mail)
    });
    match done.await {
        Ok(found) => shown(&SimulatorPage { shell, form, found: Some(found), problem: None }),
        Err(problem) if is_fault(&problem) => {
            let problem = Some(problem.detail);
            shown(&SimulatorPage { shell, form, found: None, problem })
        }
        Err(problem) => error_page(shell, &problem),
    }
}
