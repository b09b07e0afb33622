//! Texts of the message center in a page: they have times as programs write
//! them, which the command line and the API show as they stand. A page shows
//! them as its reader has them.

use askama::filters::Escaper;
use types::{Timestamp, awaited};

use super::clock::Zone;
use super::coded;
use super::escape::Seen;

/// Octets of a time as it is written: `2026-11-21T10:04:15.900Z`, with its `T`
/// in the eleventh place.
const TIME_OCTETS: usize = 24;
const BEFORE_T: usize = 10;

/// Shows texts to one reader at one moment. What it gives is markup, in which
/// the text is escaped already.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    zone: Zone,
    now: Timestamp,
}

impl Teller {
    /// For a reader in `zone` at `now`.
    pub(crate) fn new(zone: &Zone, now: Timestamp) -> Self {
        Teller { zone: zone.clone(), now }
    }

    /// A text, its times in the reader's zone; of those to come, how long it
    /// takes till then.
    pub(crate) fn told(&self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        self.tell(&mut told, text);
        told
    }

    /// The same, with what stands between backticks as code.
    pub(crate) fn told_with_code(&self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        for (is_code, part) in coded(text) {
            match is_code {
                true => {
                    told.push_str("<code>");
                    escape(&mut told, part);
                    told.push_str("</code>");
                }
                false => self.tell(&mut told, part),
            }
        }
        told
    }

    /// The same as plain text, which is not escaped yet: for a hint or a title,
    /// where there is no markup.
    pub(crate) fn said(&self, text: &str) -> String {
        let (mut said, mut rest) = (String::with_capacity(text.len()), 0);
        for (place, at) in times(text) {
            said.push_str(text.get(rest..place).unwrap_or_default());
            said.push_str(&self.zone.short(at));
            rest = place + TIME_OCTETS;
        }
        said.push_str(text.get(rest..).unwrap_or_default());
        said
    }

    /// One time as lists show it, with all there is to know beside it.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        let mut told = String::new();
        self.tell_time(&mut told, at);
        told
    }

    fn tell(&self, told: &mut String, text: &str) {
        let mut rest = 0;
        for (place, at) in times(text) {
            escape(told, text.get(rest..place).unwrap_or_default());
            self.tell_time(told, at);
            rest = place + TIME_OCTETS;
        }
        escape(told, text.get(rest..).unwrap_or_default());
    }

    fn tell_time(&self, told: &mut String, at: Timestamp) {
        let (whole, short) = (self.zone.whole(at), self.zone.short(at));
        let time = format!("<time datetime=\"{at}\" title=\"{whole}\">{short}</time>");
        told.push_str(&time);
        if at > self.now {
            told.push_str(&format!(" (in {})", awaited(at.since(self.now))));
        }
    }
}

/// Where times stand in a text, exactly as ours are written; what a stranger
/// wrote in that form is a time all the same.
fn times(text: &str) -> impl Iterator<Item = (usize, Timestamp)> + '_ {
    text.match_indices('T').filter_map(|(place, _)| {
        let start = place.checked_sub(BEFORE_T)?;
        let written = text.get(start..start + TIME_OCTETS)?;
        let at: Timestamp = written.parse().ok()?;
        (at.to_string() == written).then_some((start, at))
    })
}

fn escape(told: &mut String, text: &str) {
    // A string takes everything.
    let _ = Seen.write_escaped_str(&mut *told, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let now = "2026-11-21T10:00:00Z".parse().unwrap();
        Teller::new(&Zone::named("Europe/Berlin"), now).told_with_code(text)
    }

    #[test]
    fn times_are_those_of_the_reader_and_everything_else_is_escaped() {
        let past = "try 2 at 2026-11-21T09:58:03.500Z, <b>: 451";
        assert_eq!(
            told(past),
            "try 2 at <time datetime=\"2026-11-21T09:58:03.500Z\" \
             title=\"Sat 21 Nov 2026 10:58:03.500 +01:00\">21 Nov 10:58:03</time>, &#60;b&#62;: 451"
        );
        let to_come = "`queue list`; next try 2026-11-21T10:12:00.000Z";
        assert!(told(to_come).starts_with("<code>queue list</code>; next try <time "));
        assert!(told(to_come).ends_with(">21 Nov 11:12:00</time> (in 12 min)"));
    }

    #[test]
    fn a_hint_has_no_markup_and_is_escaped_by_whoever_shows_it() {
        let now = "2026-11-21T10:00:00Z".parse().unwrap();
        let teller = Teller::new(&Zone::named("Europe/Berlin"), now);
        let hint = "read at 2026-11-21T09:58:03.500Z, <b> at 2026-11-21T12:00:00.000Z";
        assert_eq!(teller.said(hint), "read at 21 Nov 10:58:03, <b> at 21 Nov 13:00:00");
    }

    #[test]
    fn what_only_looks_like_a_time_stays_as_it_is() {
        for text in [
            "T",
            "2026-11-21T09:58:03Z",
            "9999-99-99T99:99:99.999Z",
            "\u{fc}T\u{fc}",
            "\u{fc}26-11-21T09:58:03.500Z",
        ] {
            assert_eq!(told(text), text);
        }
    }
}
