//! `senders permit`, `senders block`, `greylist let-in`, `policy undo`: from
//! an attempt to the repair, and back.

use api::client::encoded;
use center::letting::{SenderDecided, SenderOffer, SenderPreview, SenderVerdict};
use serde_json::{Value as Json, json};
use types::Timestamp;
use types::lists::SenderPattern;

use super::arguments::{DecideArguments, Global};
use super::exit::{Exit, Failure};
use super::output::Output;
use super::policies::typed;
use super::server::{Server, confirm};

/// `senders permit` and `senders block`
///
/// # Errors
/// There is no such attempt, or the server refuses.
pub(super) fn decide(
    global: &Global,
    verdict: SenderVerdict,
    arguments: &DecideArguments,
) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    let path = format!("/attempts/{}/senders", encoded(&arguments.reference));
    let offer: SenderOffer = server.get(&format!("{path}?verdict={}", verdict.slug()))?;
    let sender: SenderPattern = match &arguments.sender {
        Some(text) => typed("--sender", text)?,
        None => {
            let advised = offer.scopes.iter().find(|scope| scope.advised);
            let advised = advised.ok_or_else(|| {
                let text = "nothing can be advised for this sender; name an address or a domain with --sender";
                Failure::new(Exit::Usage, text)
            })?;
            typed("sender", &advised.sender)?
        }
    };
    let until = arguments.until.as_deref();
    let decision = json!({
        "verdict": verdict,
        "sender": sender,
        "authenticated_only": arguments.authenticated_only,
        "whom": if arguments.everyone { "everyone" } else { "recipient" },
        "until": until.map(|at| typed::<Timestamp>("--until", at)).transpose()?,
        "note": arguments.note,
    });
    let preview: SenderPreview = read(server.consult(&format!("{path}/preview"), &decision)?)?;
    if !output.is_json() {
        output.text(&before(&offer, &sender, &preview))?;
    }
    if arguments.dry_run {
        return if output.is_json() {
            output.object(&json!(preview)).map(|()| Exit::Ok)
        } else {
            Ok(Exit::Ok)
        };
    }
    confirm(global, &format!("{} {sender}", verdict.slug()))?;
    let done: SenderDecided = read(server.post(&path, &decision)?)?;
    match output.is_json() {
        true => output.object(&json!(done))?,
        false => output.text(&format!(
            "{} Undo it with: portcullis policy undo {}",
            done.text, done.change.version
        ))?,
    }
    Ok(Exit::Ok)
}

/// What can be meant, and what it would do.
fn before(offer: &SenderOffer, sender: &SenderPattern, preview: &SenderPreview) -> String {
    let mut text = String::new();
    for line in offer.gone.iter().chain(&offer.notices) {
        text += &format!("{line}\n");
    }
    let sender = sender.to_string();
    for scope in &offer.scopes {
        let mark = if scope.sender == sender { '>' } else { ' ' };
        text += &format!("{mark} {:<40} {}", scope.sender, scope.covers);
        if let Some(warning) = scope.refused.as_ref().or(scope.warning.as_ref()) {
            text += &format!("; {warning}");
        }
        text.push('\n');
    }
    text += &preview.text;
    if let Some(late) = &preview.known_late {
        text += &format!("\n{late}");
    }
    text
}

fn read<T: serde::de::DeserializeOwned>(answer: Json) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| Failure::new(Exit::Error, error.to_string()))
}

/// `greylist let-in`
///
/// # Errors
/// The attempt was not greylisted, or its triplet waits no longer.
pub(super) fn let_in(global: &Global, reference: &str) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    confirm(global, &format!("let the next attempt like {reference} pass greylisting"))?;
    let path = format!("/attempts/{}/let-in", encoded(reference));
    said(Output::new(global.json), &server.post(&path, &json!({}))?, "text")
}

/// `policy undo`
///
/// # Errors
/// There is no such version, or what it changed was changed since.
pub(super) fn undo(global: &Global, version: u64) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    confirm(global, &format!("undo version {version} of the policy set"))?;
    let done = server.post("/policies/undo", &json!({ "version": version }))?;
    let change = done.get("change").cloned().unwrap_or_default();
    super::policies::changed(Output::new(global.json), &change)?;
    Ok(Exit::Ok)
}

fn said(output: Output, answer: &Json, field: &str) -> Result<Exit, Failure> {
    match output.is_json() {
        true => output.object(answer)?,
        false => output.text(answer.get(field).and_then(Json::as_str).unwrap_or_default())?,
    }
    Ok(Exit::Ok)
}
