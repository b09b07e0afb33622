//! What block lists and allow lists said, in words. Names and explanations
//! were written by strangers.

use std::time::Duration;

use types::{Event, ListAnswer, ListFacts, ListSubject, spoken};

/// That a global permitted list spared the client, in words; nothing where
/// none did.
pub(super) fn spared(event: &Event) -> Option<String> {
    let consulted = event.record.consulted.iter();
    let list = consulted.filter_map(|one| one.permitted_list.as_ref()).next()?;
    Some(format!("the client is on the global permitted list {list}"))
}

/// Every answer, listings first.
pub(super) fn observed(facts: &[ListFacts]) -> String {
    let mut all: Vec<&ListFacts> = facts.iter().collect();
    all.sort_by_key(|one| order(&one.answer));
    let said: Vec<String> = all.into_iter().filter_map(one).collect();
    match said.is_empty() {
        true => "there was nothing to look up".to_owned(),
        false => said.join("; "),
    }
}

fn order(answer: &ListAnswer) -> u8 {
    match answer {
        ListAnswer::Listed { .. } => 0,
        ListAnswer::Failed(_) => 1,
        ListAnswer::NotListed => 2,
        ListAnswer::NotAsked => 3,
    }
}

fn one(facts: &ListFacts) -> Option<String> {
    let of = match facts.of {
        ListSubject::Ip => "",
        ListSubject::SenderDomain => "sender's domain ",
        ListSubject::Helo => "name in EHLO ",
        ListSubject::HostName => "name of the client ",
    };
    let (list, subject) = (&facts.list, &facts.subject);
    let age = facts.read_ago_s.map_or(String::new(), |age_s| {
        format!(" (file read {} before)", spoken(Duration::from_secs(age_s)))
    });
    Some(match &facts.answer {
        ListAnswer::NotAsked => return None,
        ListAnswer::NotListed => format!("{of}{subject} is not on {list}{age}"),
        ListAnswer::Failed(why) => format!("{of}{subject} could not be looked up in {list}: {why}"),
        ListAnswer::Listed { answers, text } => {
            let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
            let text = text.as_ref().map_or(String::new(), |text| format!(", which says: {text}"));
            format!("{of}{subject} is on {list} ({}){text}{age}", answers.join(", "))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{ListFailure, Micros};

    #[test]
    fn listings_come_first_and_failures_say_why() {
        let facts = |list: &str, of, answer| ListFacts {
            list: list.parse().unwrap(),
            of,
            subject: "192.0.2.1".to_owned(),
            answer,
            read_ago_s: None,
            took: Micros(5),
        };
        let all = [
            facts("a.example", ListSubject::Ip, ListAnswer::NotListed),
            facts("b.example", ListSubject::Ip, ListAnswer::Failed(ListFailure::TimedOut)),
            facts(
                "c.example",
                ListSubject::Ip,
                ListAnswer::listed(vec!["127.0.0.4".parse().unwrap()], Some("see c.example")),
            ),
            facts("d.example", ListSubject::Helo, ListAnswer::NotAsked),
        ];
        assert_eq!(
            observed(&all),
            "192.0.2.1 is on c.example (127.0.0.4), which says: see c.example; 192.0.2.1 could not \
             be looked up in b.example: no answer in time; 192.0.2.1 is not on a.example"
        );
        assert_eq!(observed(&[]), "there was nothing to look up");
    }
}
