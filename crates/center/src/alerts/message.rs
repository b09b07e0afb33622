//! What is told of an alert: one value, as a mail and as JSON, and its
//! signature.
//!
//! Nothing in it was written by a sender: it has the name and the query of a
//! view, which its owner wrote and which are made presentable, and of each row
//! its reference, its time and a label of our own table. So no sender can put
//! a link, a line or a control character in front of whoever is told.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use types::time::spoken;
use types::{Event, FollowUp, Reference, Timestamp};

use super::{AlertWhen, Terms, minutes_of};
use crate::command::percent_encoded;
use crate::saved_views::SavedView;
use crate::search::SearchRequest;
use crate::views::View;
use crate::{Center, presentable_within};

/// Most rows that are named.
pub(super) const ROWS_MAX: usize = 10;
/// Longest query shown, in characters.
const QUERY_CHARS_MAX: usize = 300;
/// Longest name shown in a subject, in characters.
const NAME_CHARS_MAX: usize = 80;

/// The fields that a signed message has, after the manner of Standard
/// Webhooks: what it is called, when it was sent (seconds since 1970), and
/// `v1,` with the signature.
pub const SIGNED_FIELDS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// What is told when an alert fires: the body of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AlertMessage {
    /// `alert.fired`, or `alert.test`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is called; the same each time it is tried.
    pub id: String,
    /// When it fired.
    pub timestamp: Timestamp,
    /// What about.
    pub data: AlertData,
}

/// What an alert found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AlertData {
    /// In which view.
    pub view: AlertedView,
    /// What made it fire, in words.
    pub condition: String,
    /// How many there are in the span.
    pub count: u64,
    /// Whether the number is exact; it is up to 10,000.
    pub exact: bool,
    /// From when on, inclusive.
    pub from: Timestamp,
    /// Until when, exclusive.
    pub to: Timestamp,
    /// Where they are shown; absent without `server.public_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The newest of them, at most ten.
    pub newest: Vec<AlertedRow>,
}

/// The view of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AlertedView {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The built-in list it narrows down.
    pub list: View,
    /// Its query.
    pub query: String,
}

/// One row that made an alert fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AlertedRow {
    /// What replies quote; leads to the row.
    #[serde(rename = "ref")]
    pub reference: Reference,
    /// When it happened.
    pub time: Timestamp,
    /// What happened, by our own table.
    pub label: String,
}

impl AlertedRow {
    pub(super) fn of(event: &Event) -> Self {
        let label = match event.reason() {
            Some(reason) => reason.label(),
            None => event.follow_up().and_then(FollowUp::state).unwrap_or_default(),
        };
        AlertedRow { reference: event.reference(), time: event.at, label: label.to_owned() }
    }
}

/// What was found of an alert that fires.
pub(super) struct Finds {
    pub(super) count: u64,
    pub(super) exact: bool,
    pub(super) times: std::ops::Range<Timestamp>,
    pub(super) newest: Vec<AlertedRow>,
}

impl Center {
    /// What is told of an alert that fires at `at`.
    pub(super) fn alert_message(
        &self,
        terms: &Terms,
        (view, name, request): (u64, &str, &SearchRequest),
        finds: Finds,
        at: Timestamp,
    ) -> AlertMessage {
        let Finds { count, exact, times, newest } = finds;
        let url = self.alerts.as_ref().and_then(|alerts| alerts.parts.public_url.as_deref());
        AlertMessage {
            kind: "alert.fired".to_owned(),
            id: self.message_id(),
            timestamp: at,
            data: AlertData {
                view: AlertedView {
                    id: view,
                    name: presentable_within(name, NAME_CHARS_MAX),
                    list: request.view,
                    query: presentable_within(request.query.trim(), QUERY_CHARS_MAX),
                },
                condition: terms.when.spoken(),
                count,
                exact,
                from: times.start,
                to: times.end,
                link: url.map(|url| link(url, request, &times)),
                newest,
            },
        }
    }

    /// A message that nothing made.
    pub(super) fn test_message(
        &self,
        terms: &Terms,
        view: &SavedView,
        now: Timestamp,
    ) -> AlertMessage {
        let span = match terms.when {
            AlertWhen::MoreThan { minutes, .. } => minutes_of(minutes),
            AlertWhen::First => minutes_of(terms.quiet_minutes),
        };
        let times = now.before(span)..now;
        let finds = Finds { count: 0, exact: true, times, newest: Vec::new() };
        let of_view = (view.id, view.name.as_str(), &view.request);
        let message = self.alert_message(terms, of_view, finds, now);
        AlertMessage { kind: "alert.test".to_owned(), ..message }
    }

    fn message_id(&self) -> String {
        let mut octets = [0; 16];
        self.parts.chance.fill(&mut octets);
        format!("msg_{}", types::hexadecimal(&octets))
    }
}

/// Where the rows are shown, whatever the query is made of.
fn link(url: &str, request: &SearchRequest, times: &std::ops::Range<Timestamp>) -> String {
    let times = [times.start, times.end].map(|time| percent_encoded(&time.to_string()));
    let [from, to] = times;
    let (query, view) = (percent_encoded(request.query.trim()), request.view.key());
    let url = url.trim_end_matches('/');
    format!("{url}/messages?view={view}&q={query}&from={from}&to={to}")
}

impl AlertMessage {
    /// Whether it is a test.
    pub fn is_test(&self) -> bool {
        self.kind == "alert.test"
    }

    /// The subject of the mail.
    pub(super) fn subject(&self) -> String {
        let AlertData { view, count, exact, condition, .. } = &self.data;
        let about = if *exact { "" } else { "about " };
        match self.is_test() {
            true => format!("Test of the alert \u{201c}{}\u{201d}", view.name),
            false => format!("{}: {about}{count} ({condition})", view.name),
        }
    }

    /// The text of the mail.
    pub(super) fn text(&self) -> String {
        let AlertData { view, condition, count, exact, from, to, link, newest } = &self.data;
        let mut out = String::new();
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        if self.is_test() {
            line("This is a test; nothing happened. So an alert would look:\n".to_owned());
        }
        let about = if *exact { "" } else { "About " };
        line(format!("{about}{count} in the saved view \u{201c}{}\u{201d}.\n", view.name));
        line(format!("The alert:  {condition}"));
        line(format!("The list:   {}", view.list.info().label));
        if !view.query.is_empty() {
            line(format!("The query:  {}", view.query));
        }
        line(format!("From:       {from}"));
        line(format!("Until:      {to} ({})", spoken(to.since(*from))));
        if let Some(link) = link {
            line(format!("\nShow them:\n{link}"));
        }
        if !newest.is_empty() {
            line("\nThe newest:".to_owned());
        }
        for row in newest {
            line(format!("{}  {}  {}", row.reference, row.time, row.label));
        }
        line(format!(
            "\nThis alert is number {} under Saved views, where it can be ended.",
            view.id
        ));
        out
    }
}

/// The signature of a message after the manner of Standard Webhooks: `v1,`
/// and the HMAC-SHA256 of name, time and body, joined by dots, in base64. The
/// time in it lets a receiver refuse what somebody sends again.
pub fn signature(secret: &[u8], id: &str, sent_s: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{sent_s}.").as_bytes());
    context.update(body);
    format!("v1,{}", base64(context.sign().as_ref()))
}

pub(super) fn base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_signed_as_standard_webhooks_wants_it() {
        // The example of that specification.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_link_holds_whatever_the_query_is_made_of() {
        let request = SearchRequest {
            query: " subject:\"a&b=c#d\" ".to_owned(),
            view: View::Rejected,
            ..SearchRequest::default()
        };
        let times = Timestamp::from_millis(0)..Timestamp::from_millis(60_000);
        assert_eq!(
            link("https://gate.example/", &request, &times),
            "https://gate.example/messages?view=rejected&q=subject%3A%22a%26b%3Dc%23d%22\
             &from=1970-01-01T00%3A00%3A00.000Z&to=1970-01-01T00%3A01%3A00.000Z"
        );
    }
}
