//! What refused senders write on the public page of a refusal: *I believe this
//! is wrong*. They are strangers, so what they hand in is bounded, and what
//! they are told is the same whether the reference exists or not; people with
//! an account see the requests beside the attempts they are about.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::StoreError;
use store::state::{RequestQuery, ReviewRequestState, StoredAnswer, StoredRequest};
use types::{AuditAction, Caller, Event, EventId, Permission, Reference, Timestamp};

use crate::{Center, CenterError, Problem, permit, presentable, presentable_within};

/// Longest text of a request, in characters.
pub const REQUEST_CHARS_MAX: usize = 2_000;
/// Longest way to be reached, in characters: the longest address there is
/// (RFC 5321 section 4.5.3.1.3), without its angle brackets.
pub const REQUEST_CONTACT_CHARS_MAX: usize = 254;
/// Longest note of whoever deals with a request, in characters.
pub const REQUEST_NOTE_CHARS_MAX: usize = 500;
/// Requests of one page.
pub const REQUESTS_PAGE_MAX: usize = 100;
/// Requests that may wait in all: beyond, none is taken, so that strangers
/// cannot fill the disk.
const WAITING_MAX: u64 = 5_000;
/// Requests that may wait about one reference: whoever is refused and whoever
/// asked on their behalf.
const WAITING_OF_ONE_MAX: u64 = 3;
/// How long a request is kept after somebody dealt with it.
const ANSWERED_KEPT: Duration = Duration::from_secs(90 * 86_400);
/// Longest part searched for, in characters.
const PART_CHARS_MAX: usize = 200;
/// Longest address kept of an attempt, in characters.
const ADDRESS_CHARS_MAX: usize = 320;

/// A request as a stranger writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRequest {
    /// The reference, as it was written.
    pub reference: String,
    /// Why the refusal is wrong.
    pub text: String,
    /// How they can be reached; may be empty.
    pub contact: String,
}

/// What became of what a stranger wrote. None of it says whether the
/// reference exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandedIn {
    /// It is kept, and survives a power cut.
    Kept,
    /// It cannot be taken as it is; what is wrong with it.
    Mistaken(String),
    /// So many about this reference wait already that one more says nothing new.
    EnoughOfOne,
    /// So many wait that no more are taken.
    Full,
}

/// A request of a refused sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReviewRequest {
    /// Its number.
    pub id: u64,
    /// The reference it is about, as a stranger wrote it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What they wrote, presentable; lines end with a line feed.
    pub text: String,
    /// How they can be reached, in their words, presentable; may be empty.
    pub contact: String,
    /// The network address they wrote from.
    pub address: String,
    /// When it came.
    pub received: Timestamp,
    /// The attempt of that reference, if there was one then.
    pub attempt: Option<RequestedAttempt>,
    /// What became of it; nothing while it waits.
    pub answer: Option<RequestAnswer>,
}

/// What is kept of the attempt a request is about: events are dropped
/// before requests are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RequestedAttempt {
    /// Its id.
    pub id: EventId,
    /// When it ended.
    pub time: Timestamp,
    /// The envelope sender; empty for none.
    pub from: String,
    /// The recipient; empty for none.
    pub to: String,
    /// Why it ended so, in words.
    pub label: String,
}

/// That somebody dealt with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RequestAnswer {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub by: String,
    /// What they noted; may be empty.
    pub note: String,
}

/// Which requests are wanted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum RequestList {
    /// Those nobody has dealt with.
    #[default]
    Waiting,
    /// Those somebody has dealt with.
    Answered,
    /// All of them.
    All,
}

impl RequestList {
    fn answered(self) -> Option<bool> {
        match self {
            RequestList::Waiting => Some(false),
            RequestList::Answered => Some(true),
            RequestList::All => None,
        }
    }
}

impl Center {
    /// Takes what a stranger at `address` wrote. No permission is asked:
    /// whoever was refused may write.
    ///
    /// # Errors
    ///
    /// A store that fails; nothing is kept then.
    pub fn hand_in(&self, address: IpAddr, new: &NewRequest) -> Result<HandedIn, CenterError> {
        let (reference, text, contact) = match checked(new) {
            Ok(checked) => checked,
            Err(problem) => return Ok(HandedIn::Mistaken(problem)),
        };
        let state = self.request_state()?;
        let (waiting, about_it) = state.open_requests(reference.as_str())?;
        if waiting >= WAITING_MAX {
            return Ok(HandedIn::Full);
        }
        if about_it >= WAITING_OF_ONE_MAX {
            return Ok(HandedIn::EnoughOfOne);
        }
        // A reference that nobody knows is kept as well: it may be mistyped,
        // and whether it was written to the disk would say if it exists.
        let events = self.memory.of_house().by_reference(reference)?;
        let own = events.iter().find(|event| event.reference() == reference);
        let attempt = own.map(requested);
        let address = address.to_string();
        let words = words(reference, &[&text, &contact, &address], attempt.as_ref());
        let attempt = attempt.as_ref().map(serde_json::to_string).transpose();
        let request = StoredRequest {
            id: 0,
            reference: reference.to_string(),
            text,
            contact,
            address,
            words,
            received: self.parts.clock.now(),
            attempt: attempt.map_err(|error| CenterError::invalid(error.to_string()))?,
            answer: None,
        };
        match state.keep_request(&request) {
            Ok(_) => Ok(HandedIn::Kept),
            Err(StoreError::Full) => Ok(HandedIn::Full),
            Err(error) => Err(error.into()),
        }
    }

    /// Requests, newest first: those that have `part` in their reference,
    /// text, contact, address or attempt, with numbers below `before`.
    ///
    /// # Errors
    ///
    /// [`CenterError::Denied`], or a database that cannot be read.
    pub fn requests(
        &self,
        caller: &Caller,
        list: RequestList,
        part: &str,
        before: Option<u64>,
    ) -> Result<Vec<ReviewRequest>, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let part: String = part.trim().chars().take(PART_CHARS_MAX).collect();
        // A reference is found however it was copied.
        let part = part.parse::<Reference>().map_or(part, |reference| reference.to_string());
        let part = part.to_lowercase();
        let mut query = RequestQuery { answered: list.answered(), part, before };
        let mut found = Vec::new();
        // A page can be full of what somebody else's recipients are asked.
        loop {
            let page = self.request_state()?.requests(&query, REQUESTS_PAGE_MAX)?;
            query.before = page.last().map(|last| last.id);
            let more = page.len() == REQUESTS_PAGE_MAX;
            let seen = page.into_iter().map(shown).filter(|request| sees(caller, request));
            found.extend(seen.take(REQUESTS_PAGE_MAX - found.len()));
            if !more || found.len() == REQUESTS_PAGE_MAX {
                return Ok(found);
            }
        }
    }

    /// One request.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`].
    pub fn request(&self, caller: &Caller, id: u64) -> Result<ReviewRequest, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let request = self.request_state()?.request(id)?.map(shown);
        request.filter(|request| sees(caller, request)).ok_or_else(|| missing(id))
    }

    /// How many requests wait: in all, and about the attempt of this reference.
    ///
    /// # Errors
    ///
    /// [`CenterError::Denied`], or a database that cannot be read.
    pub fn waiting_requests(
        &self,
        caller: &Caller,
        reference: Option<Reference>,
    ) -> Result<(u64, u64), CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        if !caller.sight.is_everything() {
            let waiting = self.requests(caller, RequestList::Waiting, "", None)?;
            let about = |request: &&ReviewRequest| {
                reference.is_some_and(|reference| request.reference == reference.as_str())
            };
            let about = waiting.iter().filter(about).count();
            return Ok((waiting.len() as u64, about as u64));
        }
        let reference = reference.map_or(String::new(), |reference| reference.to_string());
        Ok(self.request_state()?.open_requests(&reference)?)
    }

    /// Marks a request as dealt with, with a note for colleagues.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`]; a note that is too long.
    pub fn answer_request(
        &self,
        caller: &Caller,
        id: u64,
        note: &str,
    ) -> Result<ReviewRequest, CenterError> {
        permit(caller, Permission::AnswerRequests)?;
        let note = note.trim();
        if note.chars().count() > REQUEST_NOTE_CHARS_MAX {
            let message = format!("a note has at most {REQUEST_NOTE_CHARS_MAX} characters");
            return Err(CenterError::Invalid { problems: vec![Problem::new(message)] });
        }
        let (at, by) = (self.parts.clock.now(), caller.name.to_string());
        let answer = StoredAnswer { at, by, note: presentable(note).into_owned() };
        self.settle(caller, id, Some(&answer))
    }

    /// Takes a request up again that was marked as dealt with.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`].
    pub fn reopen_request(&self, caller: &Caller, id: u64) -> Result<ReviewRequest, CenterError> {
        permit(caller, Permission::AnswerRequests)?;
        self.settle(caller, id, None)
    }

    fn settle(
        &self,
        caller: &Caller,
        id: u64,
        answer: Option<&StoredAnswer>,
    ) -> Result<ReviewRequest, CenterError> {
        let action = match answer {
            Some(_) => AuditAction::RequestAnswered,
            None => AuditAction::RequestReopened,
        };
        self.request(caller, id)?;
        let subject = format!("request {id}");
        let details = serde_json::json!({ "answer": answer.map(|answer| &answer.note) });
        self.record(caller, action, &subject, &details)?;
        match self.request_state()?.answer_request(id, answer)? {
            true => self.request(caller, id),
            false => Err(missing(id)),
        }
    }

    /// Forgets requests that were dealt with long ago; says how many. Done
    /// from time to time by whoever runs the center.
    ///
    /// # Errors
    ///
    /// A database that fails.
    pub fn forget_answered_requests(&self) -> Result<u64, CenterError> {
        let Some(state) = self.requests.as_deref() else { return Ok(0) };
        Ok(state.forget_requests(self.parts.clock.now().before(ANSWERED_KEPT))?)
    }

    fn request_state(&self) -> Result<&dyn ReviewRequestState, CenterError> {
        let missing = || CenterError::NotFound("place for requests here".to_owned());
        self.requests.as_deref().ok_or_else(missing)
    }
}

/// What a stranger wrote, as it is kept, or what is wrong with it.
fn checked(new: &NewRequest) -> Result<(Reference, String, String), String> {
    let reference = new.reference.trim().parse::<Reference>();
    let reference =
        reference.map_err(|_| "A reference has twelve letters and digits.".to_owned())?;
    let text = new.text.replace("\r\n", "\n").replace('\r', "\n");
    let (text, contact) = (text.trim(), new.contact.trim());
    if text.is_empty() {
        return Err("Please say why the refusal is wrong.".to_owned());
    }
    if text.chars().count() > REQUEST_CHARS_MAX {
        return Err(format!("The text has more than {REQUEST_CHARS_MAX} characters."));
    }
    if contact.chars().count() > REQUEST_CONTACT_CHARS_MAX {
        return Err(format!("The contact has more than {REQUEST_CONTACT_CHARS_MAX} characters."));
    }
    Ok((reference, text.to_owned(), contact.to_owned()))
}

/// What a request is found by: each on a line, so that nothing is found across two.
fn words(reference: Reference, texts: &[&str], attempt: Option<&RequestedAttempt>) -> String {
    let mut words = vec![reference.as_str()];
    words.extend(texts);
    words.extend(attempt.iter().flat_map(|known| [&*known.from, &known.to, &known.label]));
    words.join("\n").to_lowercase()
}

/// Whether the attempt it is about concerned a recipient whom the caller sees.
fn sees(caller: &Caller, request: &ReviewRequest) -> bool {
    let to = request.attempt.as_ref().and_then(|attempt| attempt.to.parse().ok());
    caller.sight.is_everything()
        || to.is_some_and(|to: types::EmailAddress| caller.sight.sees_address(&to))
}

fn requested(event: &Event) -> RequestedAttempt {
    let subject = &event.subject;
    let address = |text: Option<&str>| presentable_within(text.unwrap_or(""), ADDRESS_CHARS_MAX);
    RequestedAttempt {
        id: event.id,
        time: event.at,
        from: address(subject.reverse_path.as_deref().map(types::ReversePath::as_str)),
        to: address(subject.recipient.as_ref().map(types::ForwardPath::as_str)),
        label: crate::search::label_of(event),
    }
}

fn shown(stored: StoredRequest) -> ReviewRequest {
    // Line by line, so that only line feeds stay line feeds.
    let lines: Vec<_> = stored.text.split('\n').map(presentable).collect();
    ReviewRequest {
        id: stored.id,
        reference: presentable(&stored.reference).into_owned(),
        text: lines.join("\n"),
        contact: presentable(&stored.contact).into_owned(),
        address: stored.address,
        received: stored.received,
        // One that another version wrote is not shown rather than guessed at;
        // the reference still leads to the attempt.
        attempt: stored.attempt.and_then(|attempt| serde_json::from_str(&attempt).ok()),
        answer: stored.answer.map(|answer| RequestAnswer {
            time: answer.at,
            by: presentable(&answer.by).into_owned(),
            note: answer.note,
        }),
    }
}

fn missing(id: u64) -> CenterError {
    CenterError::NotFound(format!("request {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Gateway, at, sample};

    fn new(reference: &str, text: &str) -> NewRequest {
        let (reference, text) = (reference.to_owned(), text.to_owned());
        NewRequest { reference, text, contact: "post@sender.example".to_owned() }
    }

    fn ip() -> IpAddr {
        "2001:db8::7".parse().unwrap()
    }

    #[test]
    fn a_request_is_kept_with_its_attempt_and_found_by_its_reference() {
        let gateway = Gateway::new(at(100));
        let center = &gateway.center;
        let event = sample(7, types::Reason::RecipientUnknown);
        center.memory.of_house().record(vec![event.clone()]).unwrap();
        let reference = event.reference().to_string();
        let hostile = "one\r\ntwo \u{202e}\u{1b}[2J<b>";
        assert_eq!(center.hand_in(ip(), &new(&reference, hostile)).unwrap(), HandedIn::Kept);
        let unknown = new("aaaaaaaaaaaa", "typed from paper");
        assert_eq!(center.hand_in(ip(), &unknown).unwrap(), HandedIn::Kept);
        let root = Caller::with_all("root");
        let typed = reference.to_ascii_lowercase();
        let found = center.requests(&root, RequestList::Waiting, &typed, None).unwrap();
        let [request] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(request.text, "one\ntwo \u{2039}202E\u{203a}\u{2039}1B\u{203a}[2J<b>");
        let attempt = request.attempt.as_ref().unwrap();
        assert_eq!((attempt.id, &*attempt.to), (event.id, "bob@corp.example"));
        assert_eq!(center.waiting_requests(&root, Some(event.reference())).unwrap(), (2, 1));
        let all = center.requests(&root, RequestList::All, "", None).unwrap();
        assert_eq!(all[0].attempt, None, "an unknown one is kept and says so");
        let next = center.requests(&root, RequestList::All, "", Some(all[0].id)).unwrap();
        assert_eq!(next, all[1..]);
        let done = center.answer_request(&root, request.id, "told them\u{1b}").unwrap();
        let answer = done.answer.unwrap();
        assert_eq!((&*answer.by, &*answer.note), ("root", "told them\u{2039}1B\u{203a}"));
        assert_eq!(center.requests(&root, RequestList::Answered, "", None).unwrap().len(), 1);
        assert_eq!(center.reopen_request(&root, request.id).unwrap().answer, None);
        assert!(matches!(center.answer_request(&root, 99, ""), Err(CenterError::NotFound(_))));
    }

    #[test]
    fn strangers_are_held_to_limits_and_readers_change_nothing() {
        let gateway = Gateway::new(at(100));
        let center = &gateway.center;
        for wrong in [new("short", "x"), new("AAAAAAAAAAAA", " \n "), new("", "x")] {
            let answer = center.hand_in(ip(), &wrong).unwrap();
            assert!(matches!(answer, HandedIn::Mistaken(_)), "{wrong:?}");
        }
        let long = "\u{fc}".repeat(REQUEST_CHARS_MAX);
        let kept = center.hand_in(ip(), &new("AAAAAAAAAAAA", &long)).unwrap();
        assert_eq!(kept, HandedIn::Kept, "characters are counted, not octets");
        let longer = center.hand_in(ip(), &new("AAAAAAAAAAAA", &format!("{long}x"))).unwrap();
        assert!(matches!(longer, HandedIn::Mistaken(_)));
        for _ in 0..2 {
            let again = center.hand_in(ip(), &new("AAAAAAAAAAAA", "again")).unwrap();
            assert_eq!(again, HandedIn::Kept);
        }
        let fourth = center.hand_in(ip(), &new("AAAAAAAAAAAA", "and again")).unwrap();
        assert_eq!(fourth, HandedIn::EnoughOfOne);
        let reader = Caller::read_only("reader");
        let found = center.requests(&reader, RequestList::Waiting, "", None).unwrap();
        assert_eq!(found.len(), 3);
        for refused in [
            center.answer_request(&reader, found[0].id, ""),
            center.reopen_request(&reader, found[0].id),
        ] {
            assert!(matches!(refused, Err(CenterError::Denied { .. })), "{refused:?}");
        }
        let nobody = Caller::new("nobody", types::Permissions::NONE);
        assert!(center.requests(&nobody, RequestList::All, "", None).is_err());
        let root = Caller::with_all("root");
        let long = "x".repeat(REQUEST_NOTE_CHARS_MAX + 1);
        assert!(center.answer_request(&root, found[0].id, &long).is_err());
        center.answer_request(&root, found[0].id, "").unwrap();
        assert_eq!(center.forget_answered_requests().unwrap(), 0, "not yet");
        gateway.advance(ANSWERED_KEPT + Duration::from_secs(1));
        assert_eq!(center.forget_answered_requests().unwrap(), 1);
        assert_eq!(center.requests(&root, RequestList::All, "", None).unwrap().len(), 2);
    }
}
