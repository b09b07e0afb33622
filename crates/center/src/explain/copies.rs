//! Texts to copy: a report for a ticket, and a neutral text for the sender.

use std::fmt::Write;

use types::{Event, Timestamp};

use super::Explanation;

impl Explanation {
    /// What a colleague needs, as Markdown. `link` leads to the page, where
    /// it is known.
    pub fn for_ticket(&self, link: Option<&str>) -> String {
        let mut text = String::new();
        let outcome = self.outcome.map_or("step", types::OutcomeKind::slug);
        let reason = self.reason.map_or("-", types::Reason::slug);
        let mut line = |wanted: std::fmt::Arguments<'_>| {
            let written = text.write_fmt(wanted).and_then(|()| text.write_char('\n'));
            debug_assert!(written.is_ok(), "writing to a String cannot fail");
        };
        line(format_args!(
            "### {} ({outcome}) \u{2014} ref {}\n",
            marked_down(&self.label),
            self.reference
        ));
        line(format_args!("{}\n", marked_down(&self.sentence)));
        line(format_args!("| | |\n|---|---|"));
        line(format_args!("| Time | {} |", self.time));
        line(format_args!("| Reason | `{reason}` |"));
        for fact in self.facts.iter().chain(&self.remote) {
            line(format_args!("| {} | {} |", fact.name, marked_down(&fact.value)));
        }
        if let Some(decider) = &self.decider {
            line(format_args!("| Decided by | {} |", marked_down(decider)));
        }
        if let Some(reply) = &self.reply {
            line(format_args!("| Reply sent | {} |", marked_down(reply)));
        }
        line(format_args!("| Life-line | {} |", marked_down(&self.story.head)));
        if !self.remedy.is_empty() {
            line(format_args!("\n**What can be done:** {}", self.remedy));
        }
        if let Some(link) = link {
            line(format_args!("\n<{link}>"));
        }
        text
    }
}

/// What the sender's administrator is told: times, addresses, reply,
/// reference and what can be done. Nothing of ours is in it that the reply
/// did not say, and nothing of other recipients.
pub(super) fn for_sender(event: &Event) -> Option<String> {
    let reason = event.reason()?;
    let client = &event.subject.client;
    let path = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let helo = client.helo.as_deref().map_or(String::new(), |helo| format!(" ({helo})"));
    let mut rows = vec![
        ("Time", format!("{} UTC", minute(event.at))),
        ("From server", format!("{}{helo}", client.client.ip)),
        ("Sender", path(event.subject.reverse_path.as_ref().map(|path| path.to_string()))),
        ("Recipient", path(event.subject.recipient.as_ref().map(|path| path.to_string()))),
    ];
    rows.extend(event.record.reply.as_ref().map(|reply| ("Our reply", reply.to_string())));
    rows.push(("Reference", event.reference().to_string()));
    let mut text = String::from("About the following delivery attempt:\n\n");
    for (name, value) in rows {
        text.push_str(&format!("  {name:<12} {}\n", crate::presentable(&value)));
    }
    text.push_str(&format!("\n{}\n", reason.advice()));
    Some(text)
}

/// `2026-11-21 10:04:15`.
fn minute(at: Timestamp) -> String {
    at.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// Text from strangers that stays text in Markdown: nothing of it becomes a
/// link, a table cell, HTML or emphasis.
fn marked_down(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if "\\`*_{}[]<>#|!~&".contains(letter) {
            shown.push('\\');
        }
        shown.push(letter);
    }
    // A bare address would be made a link by the reader all the same.
    shown.replace("://", "\\://").replace("www.", "www\\.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_wrote_stays_text_in_a_ticket() {
        for (text, shown) in [
            ("plain", "plain"),
            ("<img src=x>", "\\<img src=x\\>"),
            ("[a](http://x)", "\\[a\\](http\\://x)"),
            ("a | b", "a \\| b"),
            ("**x**", "\\*\\*x\\*\\*"),
        ] {
            assert_eq!(marked_down(text), shown);
        }
    }
}
