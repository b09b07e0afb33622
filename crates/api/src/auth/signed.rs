//! Who is on the other end of a request, as handlers want it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use center::accounts::Preferences;
use types::Caller;

use crate::Api;
use crate::problem::ApiProblem;

/// Who asks. A handler that only passes the caller on takes
/// `Extension<Caller>`; a page that shows a form takes this.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// For the functions of the message center.
    pub(crate) caller: Caller,
    /// How they want to see things.
    pub(crate) preferences: Arc<Preferences>,
    /// Goes into every form as `<input type="hidden" name="csrf" value="…">`,
    /// and as the field `X-CSRF-Token` with whatever a script sends; masked
    /// anew for each answer. Empty where no form can be sent: with a token, on
    /// the admin socket.
    pub(crate) csrf: Arc<str>,
}

impl FromRequestParts<Api> for Signed {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, ApiProblem> {
        let signed = parts.extensions.get::<Signed>().cloned();
        signed.ok_or_else(|| {
            ApiProblem::new(StatusCode::UNAUTHORIZED, "sign_in", "this needs a sign-in")
        })
    }
}

/// Puts a caller where handlers look for one.
pub(crate) fn attach(extensions: &mut axum::http::Extensions, signed: Signed) {
    extensions.insert(signed.caller.clone());
    extensions.insert(signed);
}

impl Signed {
    /// A caller without an account.
    pub(crate) fn of_machine(caller: Caller) -> Self {
        Signed { caller, preferences: Arc::default(), csrf: "".into() }
    }
}
