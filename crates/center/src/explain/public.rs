//! What a stranger with a reference is told of a refusal. The type holds
//! nothing private, so a page made of it cannot show any.

use serde::{Deserialize, Serialize};
use types::{Event, Exposure, Timestamp};

/// A refusal as the refused side may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PublicRefusal {
    /// The reference of the reply.
    #[serde(rename = "ref")]
    pub reference: types::Reference,
    /// When it was given.
    pub time: Timestamp,
    /// The reply as it was sent, presentable.
    pub reply: String,
    /// Whether the sender may come back with the same message.
    pub temporary: bool,
    /// What the class of the reply means.
    pub meaning: String,
    /// What the administrator of the sending server can do.
    pub advice: String,
}

const TEMPORARY: &str = "The code begins with 4: the message was not refused for good. Mail servers keep such a message and try \
     again by themselves, usually within minutes and for several days.";
const PERMANENT: &str = "The code begins with 5: the message was refused and was not delivered. The sending server does not try \
     again and tells the sender with a delivery report.";

/// What may be told of an event; nothing if nothing may.
pub(crate) fn refusal(event: &Event, explains_scores: bool) -> Option<PublicRefusal> {
    let reason = event.outcome()?.reason();
    match reason.exposure() {
        Exposure::Anybody => {}
        Exposure::ScoreBased if explains_scores => {}
        Exposure::ScoreBased | Exposure::Nobody => return None,
    }
    let reply = event.record.reply.as_ref().filter(|reply| !reply.is_positive())?;
    let temporary = reply.is_temporary();
    let meaning = if temporary { TEMPORARY } else { PERMANENT };
    Some(PublicRefusal {
        reference: event.reference(),
        time: event.at,
        reply: crate::presentable(&reply.to_string()).into_owned(),
        temporary,
        meaning: meaning.to_owned(),
        advice: reason.advice().to_owned(),
    })
}
