//! Which policies would apply to a mail that never came.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use center::{CenterError, Simulated, SimulatedMail};
use serde::Deserialize;

use super::{Shell, sent, shown};
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

/// The form, whose values are in the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SimulatorForm {
    ip: String,
    host: String,
    from: String,
    author: String,
    signer: String,
    /// `yes` or nothing.
    spf: String,
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
            signed_by: wanted.signer,
            spf_passes: !wanted.spf.is_empty(),
            to: wanted.to,
            at: None,
        };
        center.simulate(&caller, &mail)
    });
    let typed = form.clone();
    let then = async |shell, found| {
        shown(&SimulatorPage { shell, form: typed, found: Some(found), problem: None })
    };
    let again = async |shell, problem: ApiProblem| {
        shown(&SimulatorPage { shell, form, found: None, problem: Some(problem.detail) })
    };
    sent::shown(shell, done.await, then, again).await
}
