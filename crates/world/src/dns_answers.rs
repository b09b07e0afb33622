//! Answers of the name system that still hold.
//!
//! Every attempt asks the same few questions about the same few domains, and
//! the library's own cache copies a whole message for each. Here an answer is
//! found by the text that was asked for and is shared, not copied.

use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::net::NoRecords;
use hickory_resolver::proto::rr::{RData, RecordType};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use tokio::time::Instant;

use crate::dns::DnsError;

/// The data of the records found, or why there are none.
pub(crate) type Answer = Result<Arc<[RData]>, DnsError>;

/// An answer is kept for an hour at most and a refusal for five minutes: a
/// domain that was just repaired must not wait for a day.
const FOUND_MAX: Duration = Duration::from_secs(3_600);
const NOTHING_MAX: Duration = Duration::from_secs(300);

/// All answers kept, in octets: what strangers can make us ask is without
/// end, and one answer may have 64 KiB.
const OCTETS_MAX: u64 = 32 * 1024 * 1024;

/// Answers expected; the table grows with them.
const EXPECTED: usize = 1_024;

/// What an answer takes apart from its data, in octets.
const OVERHEAD_OCTETS: usize = 128;

/// A question as the table is asked, without a copy of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question<'a> {
    /// What is asked for.
    pub(crate) kind: RecordType,
    /// Of whom, in lower case.
    pub(crate) text: &'a str,
}

/// The same, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    kind: RecordType,
    text: Box<str>,
}

impl Key {
    fn question(&self) -> Question<'_> {
        Question { kind: self.kind, text: &self.text }
    }
}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.question().hash(state);
    }
}

impl Equivalent<Key> for Question<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.question()
    }
}

#[derive(Clone, Debug)]
struct Kept {
    answer: Answer,
    until: Instant,
}

#[derive(Clone, Debug)]
struct Octets;

impl Weighter<Key, Kept> for Octets {
    fn weight(&self, key: &Key, kept: &Kept) -> u64 {
        let data: usize = kept.answer.iter().flat_map(|data| data.iter()).map(octets).sum();
        (OVERHEAD_OCTETS + key.text.len() + data) as u64
    }
}

/// About what a record takes.
fn octets(data: &RData) -> usize {
    let text = match data {
        RData::TXT(txt) => txt.txt_data.iter().map(|part| part.len()).sum(),
        _ => 0,
    };
    size_of::<RData>() + text
}

/// Answers by question, the least used forgotten first.
#[derive(Debug)]
pub(crate) struct Answers {
    kept: Cache<Key, Kept, Octets>,
}

impl Default for Answers {
    fn default() -> Self {
        Answers { kept: Cache::with_weighter(EXPECTED, OCTETS_MAX, Octets) }
    }
}

impl Answers {
    /// The answer, if it is known and still holds.
    pub(crate) fn get(&self, question: Question<'_>, now: Instant) -> Option<Answer> {
        let kept = self.kept.get(&question)?;
        (now < kept.until).then_some(kept.answer)
    }

    /// Keeps an answer for as long as whoever gave it allows.
    pub(crate) fn keep(&self, question: Question<'_>, answer: &Answer, until: Instant) {
        let key = Key { kind: question.kind, text: question.text.into() };
        self.kept.insert(key, Kept { answer: answer.clone(), until });
    }
}

/// Until when records may be kept that say themselves `until`.
pub(crate) fn found_until(until: Instant, now: Instant) -> Instant {
    until.min(now + FOUND_MAX)
}

/// Until when it may be kept that there are none: what the zone says (RFC
/// 2308 section 5), nothing without it.
pub(crate) fn nothing_until(none: &NoRecords, now: Instant) -> Option<Instant> {
    let allowed = Duration::from_secs(u64::from(none.negative_ttl?));
    Some(now + allowed.min(NOTHING_MAX))
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::rdata::TXT;

    use super::*;
    use crate::clock::monotonic;

    fn text(name: &str) -> Question<'_> {
        Question { kind: RecordType::TXT, text: name }
    }

    fn answer(octets: usize) -> Answer {
        Ok([RData::TXT(TXT::from_bytes(vec![&vec![b'a'; octets]]))].into())
    }

    #[test]
    fn an_answer_holds_until_its_time_and_for_its_kind_alone() {
        let (answers, now) = (Answers::default(), monotonic());
        let until = now + Duration::from_secs(60);
        answers.keep(text("a.example"), &answer(10), until);
        answers.keep(text("none.example"), &Err(DnsError::NoSuchName), until);
        assert_eq!(answers.get(text("a.example"), now), Some(answer(10)));
        assert_eq!(answers.get(text("none.example"), now), Some(Err(DnsError::NoSuchName)));
        assert_eq!(answers.get(text("a.example"), until), None);
        let other = Question { kind: RecordType::MX, text: "a.example" };
        assert_eq!(answers.get(other, now), None);
    }

    #[test]
    fn nothing_is_kept_longer_than_we_think_right() {
        let now = monotonic();
        let year = Duration::from_secs(31_536_000);
        assert_eq!(found_until(now + year, now), now + FOUND_MAX);
        assert_eq!(found_until(now, now), now);
    }

    #[test]
    fn large_answers_push_others_out_instead_of_growing() {
        let (answers, now) = (Answers::default(), monotonic());
        let until = now + Duration::from_secs(60);
        for number in 0..2_000 {
            answers.keep(text(&format!("n{number}.example")), &answer(60_000), until);
        }
        assert!(answers.kept.weight() <= OCTETS_MAX, "{}", answers.kept.weight());
        assert!(answers.kept.len() > 100, "{}", answers.kept.len());
    }
}
